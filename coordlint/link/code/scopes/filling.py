"""What is put into containers after they were made: `queues[name] = Queue()`, `clients.append(client)`, `registry.update(more)`.

Only the statement is read here; `containers.py` makes values of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from coordlint import ir

if TYPE_CHECKING:
    from coordlint.link.code.scopes.project import Scope

DEEPEST = 5  # levels of one container that are told apart
MOST = 60  # fills of one container that are kept
_ADDING = {"append": 0, "add": 0, "appendleft": 0, "put": 0, "put_nowait": 0, "insert": 1}  # method: position of what is added
_SPREADING = ("update", "extend")


@dataclass(slots=True, eq=False)
class Fill:
    """One thing that a scope puts into a container, under one key for each level; a None key is any."""

    keys: tuple[ir.Expr | None, ...]
    value: ir.Expr
    scope: Scope
    spreads: bool = False  # the members of the value are put in, not the value


class Reach(NamedTuple):
    """A place inside a container: `root[key][key]`."""

    root: ir.Expr
    keys: tuple[ir.Expr | None, ...]


def fills(s: ir.Stmt, scope: Scope) -> Iterator[tuple[ir.Expr, Fill]]:
    """What a statement puts into containers, each with the expression of the container."""
    match s:
        case ir.Assign(targets=targets, value=value) if value is not None:
            for target in targets:
                if isinstance(target, ir.Index):
                    reach = reached(target)
                    yield reach.root, Fill(reach.keys, value, scope)
            yield from _by_call(value, scope)
        case ir.Evaluate(value=value):
            yield from _by_call(value, scope)
        case ir.Return(value=value) if value is not None:
            yield from _by_call(value, scope)
        case _:
            pass


def _by_call(expr: ir.Expr, scope: Scope) -> Iterator[tuple[ir.Expr, Fill]]:
    match expr:
        case ir.Call(func=ir.Attribute(base=base, name="setdefault"), args=(key, value, *_)):
            reach = reached(base)
            yield reach.root, Fill((*reach.keys, key), value, scope)
        case ir.Call(func=ir.Attribute(base=base, name=name), args=args) if name in _ADDING and len(args) == _ADDING[name] + 1:
            reach = reached(base)
            yield reach.root, Fill((*reach.keys, None), args[-1], scope)
        case ir.Call(func=ir.Attribute(base=base, name=name), args=(value,)) if name in _SPREADING:
            reach = reached(base)
            yield reach.root, Fill(reach.keys, value, scope, spreads=True)
        case _:
            pass


def reached(expr: ir.Expr) -> Reach:
    """Which container an expression reaches into, and under which keys."""
    keys: list[ir.Expr | None] = []
    while len(keys) < DEEPEST:
        match expr:
            case ir.Index(base=base, index=index):
                keys.append(index)
                expr = base
            case ir.Call(func=ir.Attribute(base=base, name="setdefault" | "get"), args=(key, *_)):
                keys.append(key)
                expr = base
            case _:
                break
    return Reach(expr, tuple(keys[::-1]))
