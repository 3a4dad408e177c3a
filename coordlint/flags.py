"""Flags in a store that keep a second one from starting: looked at and refused, set when work is begun, and set back when it is done."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Operation
from coordlint.models.schema import Op
from coordlint.system import System

_ALONE = ("task", "periodic", "consumer")
_STORES = ("redis", "django-cache", "memcached")
_EMPTY = frozenset(("", "0", "no", "false"))


class Flag(msgspec.Struct, frozen=True):
    """One such flag: the look that turns a second one away, the write that begins, the one that ends."""

    look: Operation
    begins: Operation
    ends: Operation


def running_flags(system: System) -> Iterator[Flag]:
    """Each flag once, by the write that begins it. What is set on condition is a lock, which the sections tell."""
    told = set()
    for look in system.operations(Op.READ, backend=_STORES):
        if look.atomic or look.role in ("lock", "cache", "leader-election"):
            continue
        others = [o for o in system.same_key(look) if not o.in_test and not o.atomic and not o.conditional] if look.refuses else []
        for begins in (o for o in others if o.op is Op.WRITE and o.place not in told):
            busy = next((b for b in look.refuses if _says(begins, b)), None)
            ends = None if busy is None else next((o for o in others if _ends(system, begins, o, busy)), None)
            if ends is not None and not any(system.is_locked(o) for o in (begins, ends)):
                told.add(begins.place)
                yield Flag(look, begins, ends)


def _says(write: Operation, values: tuple[str, ...]) -> bool:
    said = _constants(write)
    return bool(said & set(values)) or ("*" in values and bool(said - _EMPTY) and not said & _EMPTY)


def _constants(write: Operation) -> set[str]:
    """What a write sets, where that is a constant, and the name in capitals that stands for it."""
    given = next((a for a in write.arguments if a.name in ("value", "data")), None)
    if given is None:
        return set()
    names = {m for m in given.mentions if m.rpartition(".")[2].isupper()}
    whole = {m.rpartition(".")[2] for m in names} if len({m.partition(".")[0] for m in given.mentions}) == 1 and names else set()
    if given.literal or given.value is not None:
        whole.add(str(int(given.value)) if isinstance(given.value, bool) else "" if given.value is None else str(given.value))
    return whole


def _ends(system: System, begins: Operation, other: Operation, busy: tuple[str, ...]) -> bool:
    """Whether a write or delete takes back what another began: behind it in the same function, or in the task that it starts."""
    if other.op is not Op.DELETE and (other.op is not Op.WRITE or not _constants(other) or _says(other, busy)):
        return False
    if other.symbol == begins.symbol:
        return other.place > begins.place
    starts = any(o.kind == "task" and o.place > begins.place for o in system.operations_in([begins.symbol])) or bool(system.way(begins.symbol, other.symbol))
    return starts and any(e.kind in _ALONE for e in system.entries_reaching(other.symbol))
