"""Loops that a program means to keep up: without an end, or until somebody says stop. Not those that wait for something."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.statements import expressions, statements
from coordlint.link.code.trace import Trace
from coordlint.link.code.usage import calls_in, names_in
from coordlint.source import Place
from coordlint.wording import words

_UNTIL_TOLD = frozenset(
    "stop stopped stopping running run active alive shutdown exit exiting exited quit quitting closed closing terminate terminated finished enabled".split()
)


def kept_up(trace: Trace) -> Iterator[Place]:
    """The calls of a function that such a loop repeats."""
    if not any(s.loop in ("forever", "while") for s in trace.steps):
        return
    scope = trace.scope
    for s in statements(scope.function.body if scope.kind == "function" else scope.node.body):
        if isinstance(s, ir.Loop) and s.target is None and _is_endless(s.test):
            for inner in statements(s.body):
                for expr in expressions(inner):
                    yield from (scope.place(call.at) for call in calls_in(expr))


def _is_endless(test: ir.Expr) -> bool:
    if isinstance(test, ir.Const):
        return bool(test.value)
    return any(words(name.rpartition(".")[2]) & _UNTIL_TOLD or words(name.rpartition(".")[0].rpartition(".")[2]) & _UNTIL_TOLD for name in names_in(test))

