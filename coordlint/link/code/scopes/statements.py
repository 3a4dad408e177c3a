"""Ways through the statements of a scope, and the expressions that each evaluates.

Every step of the linker goes these ways, some dozen times over each statement: tables by type, where a `match` tries a class after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coordlint import ir

Body = tuple[ir.Stmt, ...]


def statements(body: Body) -> list[ir.Stmt]:
    """All statements of a scope in order, through blocks, not into functions and classes."""
    found: list[ir.Stmt] = []
    _add(body, found)
    return found


def _add(body: Body, found: list[ir.Stmt]) -> None:
    for s in body:
        found.append(s)
        of = _BLOCKS.get(type(s))
        if of is not None:
            for block in of(s):
                _add(block, found)


def blocks(s: ir.Stmt) -> tuple[Body, ...]:
    """The blocks inside a statement, except those of a function or class."""
    of = _BLOCKS.get(type(s))
    return () if of is None else of(s)


def expressions(s: ir.Stmt) -> tuple[ir.Expr, ...]:
    """The expressions that a statement itself evaluates, in order, without its blocks."""
    of = _EXPRESSIONS.get(type(s))
    return () if of is None else of(s)


_BLOCKS: dict[type, Callable[[Any], tuple[Body, ...]]] = {
    ir.If: lambda s: (*[b.body for b in s.branches], s.orelse),
    ir.Loop: lambda s: (s.body, s.orelse),
    ir.With: lambda s: (s.body,),
    ir.Try: lambda s: (s.body, *[h.body for h in s.handlers], s.orelse, s.final),
}
_EXPRESSIONS: dict[type, Callable[[Any], tuple[ir.Expr, ...]]] = {
    ir.Evaluate: lambda s: (s.value,),
    ir.Assert: lambda s: (s.test,),
    ir.Assign: lambda s: s.targets if s.value is None else (s.value, *s.targets),
    ir.Augment: lambda s: (s.value, s.target),
    ir.Return: lambda s: () if s.value is None else (s.value,),
    ir.Raise: lambda s: () if s.value is None else (s.value,),
    ir.If: lambda s: tuple([b.test for b in s.branches]),
    ir.Loop: lambda s: (s.test,) if s.target is None else (s.test, s.target),
    ir.With: lambda s: tuple([i.context for i in s.items]),
    ir.Delete: lambda s: s.targets,
    ir.Function: lambda s: s.decorators,
    ir.Class: lambda s: s.decorators,
}
