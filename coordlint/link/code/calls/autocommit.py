"""Connections on which each statement is a transaction of its own, because they were told so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint.link.code.evaluation.values import Instance, Literal, Value, options

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

DEEPEST = 8  # objects between a cursor and the engine
_LEVELS = ("isolation_level", "execution_options.isolation_level")


def commits_alone(ev: Evaluator, owner: Value | None) -> bool:
    """Whether the connection behind an object commits each statement: `autocommit=True`, `isolation_level="AUTOCOMMIT"`."""
    for _ in range(DEEPEST):
        if not isinstance(owner, Instance):
            return False
        if any(_says(a.name, v) for a in owner.arguments for v in options(a.value)) or _is_set_later(ev, owner):
            return True
        owner = owner.owner
    return False


def _says(name: str, value: Value) -> bool:
    if not isinstance(value, Literal):
        return False
    return (name == "autocommit" and value.value is True) or (name in _LEVELS and value.value == "AUTOCOMMIT")


def _is_set_later(ev: Evaluator, made: Instance) -> bool:
    """`connection.autocommit = True`, wherever it stands."""
    for base, scope, b in ev.project.outside.get("autocommit", ()):
        told = any(isinstance(v, Literal) and v.value is True for v in options(ev.binding(b, scope, "autocommit")))
        if told and any(isinstance(v, Instance) and v.place is not None and v.place == made.place and v.type == made.type for v in options(ev.value(base, scope))):
            return True
    return False
