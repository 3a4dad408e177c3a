"""Ways through the statements of a scope, and the expressions that each evaluates."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir


def statements(body: tuple[ir.Stmt, ...]) -> Iterator[ir.Stmt]:
    """All statements of a scope in order, through blocks, not into functions and classes."""
    for s in body:
        yield s
        for block in blocks(s):
            yield from statements(block)


def blocks(s: ir.Stmt) -> tuple[tuple[ir.Stmt, ...], ...]:
    """The blocks inside a statement, except those of a function or class."""
    match s:
        case ir.If(branches=branches, orelse=orelse):
            return (*(b.body for b in branches), orelse)
        case ir.Loop(body=body, orelse=orelse):
            return (body, orelse)
        case ir.With(body=body):
            return (body,)
        case ir.Try(body=body, handlers=handlers, orelse=orelse, final=final):
            return (body, *(h.body for h in handlers), orelse, final)
        case _:
            return ()


def expressions(s: ir.Stmt) -> tuple[ir.Expr, ...]:
    """The expressions that a statement itself evaluates, in order, without its blocks."""
    match s:
        case ir.Evaluate(value=value) | ir.Assert(test=value):
            return (value,)
        case ir.Assign(targets=targets, value=value):
            return targets if value is None else (value, *targets)
        case ir.Augment(target=target, value=value):
            return (value, target)
        case ir.Return(value=value) | ir.Raise(value=value):
            return () if value is None else (value,)
        case ir.If(branches=branches):
            return tuple(b.test for b in branches)
        case ir.Loop(target=target, test=test):
            return (test,) if target is None else (test, target)
        case ir.With(items=items):
            return tuple(i.context for i in items)
        case ir.Delete(targets=targets):
            return targets
        case ir.Function(decorators=decorators) | ir.Class(decorators=decorators):
            return decorators
        case _:
            return ()
