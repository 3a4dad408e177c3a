"""Members of ZooKeeper that are known by who lists them: ephemeral nodes below a path whose children somebody asks for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Operation
from coordlint.models.schema import Op
from coordlint.system import System

_LISTS = (Op.LIST, Op.DISCOVER, Op.WATCH)
_RECIPES = frozenset("lock mutex election elect leader candidate barrier semaphore queue ballot vote".split())


def above(key: str | None) -> str:
    """The path of the node above: "/workers/{}" -> "/workers"; "" for what stands at the root or is not known."""
    return (key or "").rstrip("/").rpartition("/")[0]


def listings(system: System, made: Operation) -> tuple[Operation, ...]:
    """Where the nodes beside an ephemeral one are asked for, by the program or by another; none for contenders of a recipe."""
    parent = above(made.key)
    if not made.ephemeral or not parent or "{}" in parent or made.key_words & _RECIPES:
        return ()
    asked = (o for o in system.operations(*_LISTS, backend=made.backend) if (o.key or "").rstrip("/") == parent and _is_of_children(o))
    return tuple(o for o in asked if not o.symbol_words & _RECIPES)


def members_below(system: System, lookup: Operation) -> tuple[Operation, ...]:
    """The ephemeral nodes that programs make right below a path whose children are asked for."""
    path = (lookup.key or "").rstrip("/")
    if not path or not _is_of_children(lookup) or lookup.key_words & _RECIPES:
        return ()
    return tuple(o for o in system.operations(backend=lookup.backend) if o.stores and o.ephemeral and above(o.key) == path and lookup in listings(system, o))


def _is_of_children(lookup: Operation) -> bool:
    return lookup.op in (Op.LIST, Op.DISCOVER) or "Children" in lookup.call


class Wiped(msgspec.Struct, frozen=True):
    """A program that begins by deleting a path, with the nodes of members that others have made below it."""

    delete: Operation
    made: Operation


def wiped(system: System) -> Iterator[Wiped]:
    """One for each delete of all that stands below a path, at the start of another program than the one that makes ephemeral nodes there once."""
    for delete in system.operations(Op.DELETE, backend="zookeeper"):
        path = (delete.key or "").rstrip("/")
        if not path or "{}" in path or not delete.takes_all_below or delete.loop or not _is_at_start(system, delete):
            continue
        below = (o for o in system.operations(backend="zookeeper") if o.stores and o.ephemeral and (o.key or "").startswith(path + "/"))
        made = next((o for o in below if o.place.path != delete.place.path and not o.loop and (listings(system, o) or _is_watched(system, path))), None)
        if made is None or _runs_with(system, delete, made) or system.is_repeated(made):
            continue
        if not any(o.stores and o.ephemeral and o.place != made.place for o in system.same_key(made)):
            yield Wiped(delete, made)


def _is_watched(system: System, path: str) -> bool:
    return any((o.key or "").rstrip("/") == path and _is_of_children(o) for o in system.operations(*_LISTS, backend="zookeeper"))


def _is_at_start(system: System, delete: Operation) -> bool:
    """Whether the top level of a module that a workload runs, or the start of an application, deletes; a command for operators does not count."""
    if system.function(delete.symbol) is None:
        return any(not w.is_one_shot for w in system.workloads_of(delete.symbol))
    return any(e.kind == "startup" for e in system.entries_calling(delete.symbol))


def _runs_with(system: System, delete: Operation, made: Operation) -> bool:
    """Whether the same program deletes and makes: it clears away what its last life left."""
    return delete.symbol.rpartition(".")[0] == made.symbol.rpartition(".")[0] or made.symbol in system.reached_from(delete.symbol)
