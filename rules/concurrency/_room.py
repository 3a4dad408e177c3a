"""Members that are added to a set, list or hash because a count before said that there was room."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import INFO, MEDIUM, WARNING, Found, Op, Operation, System, backend_name, found, words

from ._worth import CACHED, DEAR, LIMITS, MONEY, ORDERS, SET_UP

_DEAR = DEAR | MONEY | ORDERS | frozenset({"slot", "place", "member", "participant", "player", "worker", "running", "active", "job", "holder", "room", "team", "winner"})
_RATES = LIMITS | CACHED | frozenset("rate limit request attempt hit call window recent history log metric event sample backlog".split())
_TRIMS = ("ltrim", "zremrangebyscore", "zremrangebyrank")  # a window or a list of the newest, whose bound is none of who may come in


def added_where_room(system: System) -> Iterator[Found]:
    """What is added without condition under a key whose members were counted, and let in by a bound."""
    for add in system.operations(Op.SET_ADD, Op.QUEUE_PUT):
        if add.room is None or add.conditional or add.atomic or (add.key_words | add.symbol_words) & (_RATES | SET_UP) or system.is_locked(add):
            continue
        if any(o.call.endswith(_TRIMS) for o in system.operations_in((add.symbol,))):
            continue
        is_dear = bool((add.key_words | words(add.symbol)) & _DEAR)
        if is_dear or add.op is Op.SET_ADD:
            yield _overfilled(add, is_dear)


def _overfilled(add: Operation, is_dear: bool) -> Found:
    return found(
        f"How many there are under `{add.key_text or add.key}` in {backend_name(add.backend)} decides whether one more is added: two callers at a time both see room, and both add.",
        at=add.room or add.place,
        symbol=add.symbol,
        resource=add.key or "",
        because=[(add.place, "it may be full by the time it is added here"), *add.origin],
        severity=WARNING if is_dear else INFO,
        confidence=MEDIUM,
        help="Count and add in one Lua script, or add first, count in the same MULTI, and take it out again where there are too many.",
    )
