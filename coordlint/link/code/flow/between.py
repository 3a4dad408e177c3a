"""What happens between two places of a function: behind a statement, on the ways that lead on to another."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import calls_in, ends
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import Body, blocks, expressions
from coordlint.source import Place


def calls_until(scope: Scope, changed: ir.Stmt, save: Place) -> tuple[Place, ...]:
    """The calls behind a change of a record in memory that are made before it is saved, where the function does not leave in between."""
    behind = _behind(scope.function.body, changed) or []
    is_elsewhere = save.path != scope.path or save.line < changed.at.line  # whoever opened the session commits
    return tuple(sorted(p for p in _places(scope, tuple(behind)) if is_elsewhere or p < save))


def calls_before(flow: Flow, look: Place, act: Place) -> tuple[Place, ...]:
    """The calls that are made on every way from a look-up to what it led to."""
    return tuple(sorted(p for p in _own(flow.scope, flow.before(act)) if look < p < act and p.line > look.span.end_line))


def calls_ahead(scope: Scope, look: Place, changed: ir.Stmt) -> tuple[Place, ...]:
    """The calls that are made on every way from a look-up to a change in memory of what was found."""
    first = changed.at.line
    return tuple(sorted(p for p in _own(scope, _ahead(scope.function.body, changed) or []) if look.line < p.line < first))


def _ahead(body: Body, changed: ir.Stmt) -> list[ir.Stmt] | None:
    """The statements that run before one, those around it among them, and what was tried before it."""
    for position, s in enumerate(body):
        if s is changed:
            return _tried(body[:position])
        for block in blocks(s):
            if (inner := _ahead(block, changed)) is not None:
                return [*_tried(body[:position]), s, *inner]
    return None


def _tried(body: Body) -> list[ir.Stmt]:
    return [inner for s in body for inner in ((s, *_tried(s.body)) if isinstance(s, ir.Try | ir.With) else (s,))]


def alongside(body: Body, changed: ir.Stmt) -> list[ir.Stmt]:
    """The statements of the block of one, and those that follow it around that block."""
    for position, s in enumerate(body):
        if s is changed:
            return list(body)
        for block in blocks(s):
            if inner := alongside(block, changed):
                return inner if ends(block) else [*inner, *body[position + 1 :]]
    return []


def _behind(body: Body, changed: ir.Stmt) -> list[ir.Stmt] | None:
    """The statements that follow one, in its block and around it."""
    for position, s in enumerate(body):
        if s is changed:
            return list(body[position + 1 :])
        for block in blocks(s):
            if (inner := _behind(block, changed)) is not None:
                return inner if ends(block) else [*inner, *body[position + 1 :]]
    return None


def _places(scope: Scope, body: Body) -> list[Place]:
    found = _own(scope, body)
    for s in body:
        inner = (s.body, s.orelse, s.final) if isinstance(s, ir.Try) else blocks(s)
        for block in inner:
            if not ends(block):
                found += _places(scope, block)
    return found


def _own(scope: Scope, body: Body | list[ir.Stmt]) -> list[Place]:
    return [scope.place(c.at) for s in body for expr in expressions(s) for c in calls_in(expr)]
