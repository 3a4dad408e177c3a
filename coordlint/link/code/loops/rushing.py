"""Loops that do nothing but make one call again and again: no pause, nothing that differs from round to round, and nobody looks at the answer."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.flow.usage import bare, names_in
from coordlint.link.code.scopes.project import is_test
from coordlint.link.code.scopes.statements import statements
from coordlint.source import Place

FEW = 16  # rounds that are no rush


def rushed(trace: Trace) -> Iterator[tuple[Place, Place]]:
    """Such calls of a function, each with its loop."""
    if not any(s.loop == "for" for s in trace.steps) or is_test(trace.scope.path):
        return
    scope = trace.scope
    for s in statements(scope.function.body if scope.kind == "function" else scope.node.body):
        if isinstance(s, ir.Loop) and s.target is not None and len(s.body) == 1 and not _is_few(s.test):
            call = _thrown_away(s.body[0])
            if call is not None and not names_in(call) & names_in(s.target):
                yield scope.place(call.at), scope.place(s.at)


def _thrown_away(s: ir.Stmt) -> ir.Call | None:
    """The call that a statement consists of."""
    match s:
        case ir.Evaluate(value=value) | ir.Assign(targets=(ir.Name(id="_"),), value=ir.Call() | ir.Await() as value):
            made = bare(value)
            return made if isinstance(made, ir.Call) else None
        case _:
            return None


def _is_few(over: ir.Expr) -> bool:
    """Whether the rounds are written out, and few."""
    match over:
        case ir.Call(func=ir.Name(id="range"), args=args):
            return all(isinstance(a, ir.Const) and isinstance(a.value, int) and a.value <= FEW for a in args)
        case ir.Sequence(items=items):
            return len(items) <= FEW
        case _:
            return False
