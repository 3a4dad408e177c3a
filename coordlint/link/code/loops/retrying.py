"""Which calls are made again when they fail: in loops that their success ends, and behind decorators that repeat a function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation import bounds
from coordlint.link.code.evaluation.values import FunctionRef, options
from coordlint.link.code.flow.usage import bare, ends, last_word, names_in
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions, statements
from coordlint.retry import Retry
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

_LEAVES = ("break", "return")
_MOST = 60  # statements behind a call that are looked at


def retries(ev: Evaluator, traces: Iterable[Trace]) -> tuple[dict[Place, Retry], dict[str, Retry]]:
    """Calls that a loop repeats until they succeed, by their places; functions that a decorator repeats, by their symbols."""
    calls: dict[Place, Retry] = {}
    several = [t for t in traces if not is_test(t.scope.path)]
    for t in several:
        body = t.scope.function.body if isinstance(t.scope.node, ir.Function) else t.scope.node.body
        if any(type(s) is ir.Loop for s in t.scope.statements):
            told = {s.place for s in t.steps if s.operation is not None or s.functions or s.parameter is not None}
            calls.update(_in_loops(ev, t.scope, body, told))
    functions: dict[str, Retry] = {}
    repeated = {s.parameter.symbol: calls[s.place] for t in several for s in t.steps if s.parameter is not None and s.place in calls}
    for t in several:
        decorators = t.scope.function.decorators if isinstance(t.scope.node, ir.Function) else ()
        found = next((r for d in decorators if (r := _of_decorator(ev, d, t.scope, repeated)) is not None), None)
        if found is not None:
            functions[t.scope.symbol] = found
    return calls, functions


def _of_decorator(ev: Evaluator, decorator: ir.Expr, scope: Scope, repeated: dict[str, Retry]) -> Retry | None:
    """A library's decorator, or one of the project that calls its function in such a loop."""
    if repeated:
        func = decorator.func if isinstance(decorator, ir.Call) else decorator
        for option in options(ev.value(func, scope.parent or scope)):
            if isinstance(option, FunctionRef):
                return next((r for symbol, r in sorted(repeated.items()) if symbol == option.symbol or symbol.startswith(f"{option.symbol}.")), None)
    return bounds.of_decorator(ev, decorator, scope)


def _in_loops(ev: Evaluator, scope: Scope, body: tuple[ir.Stmt, ...], told: set[Place]) -> Iterator[tuple[Place, Retry]]:
    """The innermost loop that repeats a call says how often."""
    for s in statements(body):
        if not isinstance(s, ir.Loop):
            continue
        bound: Retry | None = None
        for call in _repeated(ev, s):
            if scope.place(call.at) in told:
                bound = bound or bounds.of_loop(ev, s, scope)
                yield scope.place(call.at), bound


# -- what ends a loop --------------------------------------------------------------------------------------------------


def _repeated(ev: Evaluator, loop: ir.Loop) -> Iterator[ir.Call]:
    """The calls whose success ends a loop."""
    if loop.target is None:
        for node in ir.walk(loop.test):
            if isinstance(node, ir.Unary) and node.op == "not":
                yield from (n for n in ir.walk(node.value) if isinstance(n, ir.Call))
    if isinstance(loop.test, ir.Call) and last_word(loop.test.func) in ("Retrying", "AsyncRetrying"):
        for s in _within(loop.body):
            yield from _calls(ev, s)
        return
    yield from _in_block(ev, loop.body, (), False)


def _in_block(ev: Evaluator, body: tuple[ir.Stmt, ...], behind: tuple[ir.Stmt, ...], is_caught: bool) -> Iterator[ir.Call]:
    """The calls of a block that stand before a way out of the loop.

    `behind` is what follows the block; `is_caught` says whether a failure in it leads back into the loop.
    """
    for i, s in enumerate(body):
        if isinstance(s, ir.Loop):
            continue
        after = (*body[i + 1 :], *behind)[:_MOST]
        leaves = any(_is_way_out(x) for x in (s, *after))
        if is_caught and leaves:
            yield from _calls(ev, s)
        match s:
            case ir.If(branches=branches):
                yield from _tested(ev, s, after)
                for block in (*(b.body for b in branches), s.orelse):
                    yield from _in_block(ev, block, after, is_caught)
            case ir.Try(body=inner, handlers=handlers, orelse=orelse):
                stays = is_caught or any(ends(h.body) in ("", "continue") for h in handlers)
                yield from _in_block(ev, inner, (*orelse, *after), stays)
                yield from _in_block(ev, orelse, after, is_caught)
            case ir.With(body=inner):
                yield from _in_block(ev, inner, after, is_caught)
            case ir.Assign(targets=targets) if not (is_caught and leaves):
                names = {written(t) for t in targets} | {written(n) for t in targets if isinstance(t, ir.Sequence) for n in t.items}
                if _is_decided(names, after):
                    yield from _calls(ev, s)
            case _:
                pass


def _is_way_out(s: ir.Stmt) -> bool:
    return isinstance(s, ir.Return) or (isinstance(s, ir.Jump) and s.kind == "break")


def _tested(ev: Evaluator, s: ir.If, after: tuple[ir.Stmt, ...]) -> Iterator[ir.Call]:
    """`if take(): break`, or `if not take(): continue` in front of a way out."""
    leaves = any(_is_way_out(x) for x in after)
    for branch in s.branches:
        ending = ends(branch.body)
        negated = isinstance(bare(branch.test), ir.Unary)
        wins = (ending in _LEAVES and not negated) or (negated and ending in ("continue", "") and (leaves or ends(s.orelse) in _LEAVES))
        if wins:
            yield from ev.inside(branch.test).calls


def _is_decided(names: set[str], after: tuple[ir.Stmt, ...]) -> bool:
    """Whether a test of what a call answered, further on in the block, ends the loop."""
    for i, s in enumerate(after):
        if not isinstance(s, ir.If):
            continue
        for branch in s.branches:
            if not names & names_in(branch.test):
                continue
            ending = ends(branch.body)
            if ending in _LEAVES or ends(s.orelse) in _LEAVES or (ending == "continue" and any(ends((x,)) in _LEAVES for x in after[i + 1 :])):
                return True
    return False


def _calls(ev: Evaluator, s: ir.Stmt) -> Iterator[ir.Call]:
    for expr in expressions(s):
        yield from ev.inside(expr).calls


def _within(body: tuple[ir.Stmt, ...]) -> Iterator[ir.Stmt]:
    """The statements of a loop, those of loops in it left out."""
    for s in body:
        yield s
        for block in blocks(s) if not isinstance(s, ir.Loop) else ():
            yield from _within(block)
