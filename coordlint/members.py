"""Members that stand in a set or hash of a store, and that others take out when their sign of life is missing."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Guard, Operation, Outcome
from coordlint.guarding import sees_outage
from coordlint.models.schema import Op
from coordlint.system import System
from coordlint.wording import fixed, words

_STORE = "redis"
_SIGNS = (Op.WRITE, Op.SET_ADD, Op.EXPIRE, Op.CREATE, Op.ACQUIRE)
_LOOKS = (Op.READ, Op.LIST)
_LIVES = frozenset("heartbeat beat alive live liveness seen ping pulse presence".split())
_MEMBERS = frozenset("worker member node instance agent server service peer broker host executor runner consumer replica register registration announce enroll enrol join".split())


class Pruned(msgspec.Struct, frozen=True):
    """A registration that is made once, and what takes it away for ever."""

    made: Operation
    drop: Operation
    look: Operation  # at the sign of life, by whoever drops the member
    sign: Operation  # what the member does again and again


def pruned(system: System) -> Iterator[Pruned]:
    """One for each registration in a set or hash that a missing sign of life ends, and that no later sign of life makes again."""
    signs: dict[str, list[Operation]] = {}
    for sign in system.operations(*_SIGNS, backend=_STORE):
        if (name := name_of(sign)) and (words(name) | sign.symbol_words) & _LIVES and _goes_on(system, sign):
            signs.setdefault(name, []).append(sign)
    for made in system.operations(Op.SET_ADD, backend=_STORE) if signs else ():
        name = name_of(made)
        if not name or not (words(name) | made.symbol_words) & _MEMBERS or _goes_on(system, made) or _is_asked_for(system, made):
            continue
        same = [o for o in system.operations(backend=_STORE) if o.place != made.place and name_of(o) == name]
        if any(o.op is Op.SET_ADD for o in same):
            continue  # whoever writes it again may well be there for that
        found = next((Pruned(made, drop, look, sign) for drop in same if drop.op is Op.DELETE for look, sign in _judged(system, drop, signs, name)), None)
        if found is not None:
            yield found


class Unnoticed(msgspec.Struct, frozen=True):
    """A sign of life that fails without a word to those who work, while others act on its absence."""

    sign: Operation
    guard: Guard
    look: Operation
    given: Operation  # what is done then with the work of the silent one


def unnoticed(system: System) -> Iterator[Unnoticed]:
    """One for each sign of life in a loop that only logs its failures, where whoever misses it gives its work to another."""
    for sign in system.operations(*_SIGNS, backend=_STORE):
        name = name_of(sign)
        ends = sign.ttl is not None and sign.ttl.kind == "seconds"
        if not name or not ends or not (words(name) | sign.symbol_words) & _LIVES or not (sign.loop or system.is_kept_up(sign.place)):
            continue
        guard = next((g for g in sign.guards if sees_outage(g, sign)), None)
        if guard is None or not (guard.only_notes or guard.next_lap) or guard.quiet_end is not None:
            continue
        for look in system.operations(*_LOOKS, backend=_STORE):
            given = _given_away(system, look) if name_of(look) == name and look.symbol != sign.symbol and look.outcome is Outcome.TESTED else None
            if given is not None:
                yield Unnoticed(sign, guard, look, given)
                break


def _given_away(system: System, look: Operation) -> Operation | None:
    """What is put into a queue of jobs behind a look at a sign of life."""
    return next((o for o in system.operations_in((look.symbol,)) if o.place.line > look.place.line and o.op is Op.QUEUE_PUT and o.role == "job-queue"), None)


def _judged(system: System, drop: Operation, signs: dict[str, list[Operation]], name: str) -> Iterator[tuple[Operation, Operation]]:
    """The looks at signs of life before a member is dropped, in the same function or in one that it asks, each with a sign."""
    asked = {callee for callee, at in system.calls_from(drop.symbol) if at.line < drop.place.line}
    inside = [o for o in system.operations_in((drop.symbol,)) if o.place.line < drop.place.line]
    inside += system.operations_in({s for callee in asked for s in system.runs(callee)})
    for look in inside:
        key = name_of(look)
        if look.op in _LOOKS and key != name:
            yield from ((look, sign) for sign in signs.get(key, ()) if sign.symbol != drop.symbol)


def name_of(operation: Operation) -> str:
    """The key, or the one that all callers pass; "" where nothing of it is known."""
    if operation.key and fixed(operation.key).strip(":/-_ "):
        return operation.key
    return operation.meant[0] if len(operation.meant) == 1 and fixed(operation.meant[0]).strip(":/-_ ") else ""


def _goes_on(system: System, operation: Operation) -> bool:
    """Whether it is done again and again: in a loop, on a schedule."""
    return system.is_repeated(operation) or system.is_kept_up(operation.place) or any(e.kind == "periodic" for e in system.entries_reaching(operation.symbol))


def _is_asked_for(system: System, made: Operation) -> bool:
    """Whether somebody outside asks for it, who may ask again."""
    return any(e.kind in ("http", "task", "consumer", "signal") for e in system.entries_reaching(made.symbol))
