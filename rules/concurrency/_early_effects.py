"""What is done outside after a row was given its new state in memory, and before that is stored: the claim is made when it is too late."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from coordlint import (
    INFO,
    MEDIUM,
    WARNING,
    Creation,
    Found,
    Late,
    Mutation,
    Op,
    Operation,
    Place,
    System,
    effect_name,
    found,
    words,
)

from ._worth import DEAR, MONEY, ORDERS

_SENT = ("payment", "message", "email", "http")
_KEYED = frozenset({"idempotency", "idempotent", "dedup", "deduplication"})
_DEEDS = frozenset({"reserve", "book", "charge", "pay", "send", "create", "transfer", "withdraw", "issue", "provision", "allocate", "submit", "place", "buy", "capture"})


def early_effects(system: System) -> Iterator[Found]:
    """Effects in front of the commit that stores the state, or the row, by which a second one is kept out."""
    told: set[Place] = set()
    for moved in system.mutations():
        if not moved.moved or moved.in_test or moved.locked or system.is_locked(moved) or system.is_by_command(moved.symbol):
            continue
        done = _done(system, moved.symbol, moved.until, _repeats)
        if done is not None and done[0] not in told and not _is_undone(system, moved.symbol, done[1], moved.written):
            told.add(done[0])
            yield _stored_later(moved, *done)
    for moved in system.mutations():  # without a version, check-then-act tells it
        if not (moved.moved and moved.flag and moved.versioned) or moved.in_test or moved.locked or system.is_locked(moved) or not _is_by_itself(system, moved.symbol):
            continue
        done = _done(system, moved.symbol, moved.ahead, _is_once)
        if done is not None and done[0] not in told:
            told.add(done[0])
            yield _marked_later(moved, *done)
    for row in system.creations():
        if not (row.clashes or row.refused) or row.in_test or row.locked or row.upsert or row.state or system.is_locked(row):
            continue
        done = _done(system, row.symbol, row.before, _takes)
        if done is not None and done[0] not in told and not _is_undone(system, row.symbol, done[1], row.place):
            told.add(done[0])
            yield _refused_later(row, *done)


def _done(system: System, symbol: str, calls: tuple[Place, ...], counts: Callable[[Operation], bool]) -> tuple[Place, Operation] | None:
    """The first of these calls that does something outside, here or in what it calls, with what it does."""
    if not calls:
        return None
    among = set(calls)
    seen = [(o.place, o) for o in system.operations_in((symbol,)) if o.place in among and counts(o)]
    for f in sorted(system.reached_from(symbol) - {symbol}):
        at = next((p for c, p in system.callers(f) if c == symbol and p in among), None)
        deed = next((o for o in system.operations_in((f, *sorted(system.reached_from(f)))) if counts(o)), None) if at is not None else None
        if at is not None and deed is not None:
            seen.append((at, deed))
    return min(seen, key=lambda pair: (pair[0], pair[1].place), default=None)


def _repeats(o: Operation) -> bool:
    """What happens twice when it is done twice."""
    if o.in_test or o.conditional or o.late is Late.READ or any(words(f"{a.name} {a.text}") & _KEYED for a in o.arguments):
        return False
    if o.op is Op.INCREMENT:
        return o.backend == "redis" and o.role != "rate-limit" and bool(o.key_words & (MONEY | DEAR | ORDERS))
    return o.kind in _SENT and o.late in (Late.EXTERNAL, Late.APPEND)


def _is_once(o: Operation) -> bool:
    """What a person gets: nobody there puts up with a second one, as those who read messages do."""
    return _repeats(o) and o.kind in ("payment", "email")


def _is_by_itself(system: System, symbol: str) -> bool:
    """Whether a schedule or a queue starts it, which does not wait for the run before: requests are for one thing, and by one person."""
    return any(entry.kind in ("periodic", "task", "consumer") for entry in system.entries_reaching(symbol))


def _takes(o: Operation) -> bool:
    """What takes or gives something: a request may as well only ask."""
    if not _repeats(o) or o.kind in ("email", "message"):
        return False
    return o.kind != "http" or bool(words(f"{o.key_text} {o.symbol.rpartition('.')[2]}") & (MONEY | DEAR | _DEEDS))


def _is_undone(system: System, symbol: str, deed: Operation, since: Place) -> bool:
    """Whether something like it stands behind the write: what gives back what was taken."""
    return any(o.place > since and o.op is deed.op and o.kind == deed.kind and o.backend == deed.backend for o in system.operations_in((symbol,)))


def _stored_later(moved: Mutation, at: Place, deed: Operation) -> Found:
    return found(
        f"{effect_name(deed)} happens before `{moved.record}.{moved.field}` is stored, which keeps it from happening again: when the commit fails, or another reads the old state "
        "meanwhile, it is done twice.",
        at=at,
        symbol=moved.symbol,
        resource=f"{moved.type}.{moved.field}",
        because=[*([(deed.place, "done here")] if deed.place != at else []), (moved.place, "set here, in memory"), (moved.written, "and stored only here")],
        severity=INFO if deed.kind == "email" else WARNING,
        confidence=MEDIUM,
        help="Store the state first, on condition of the old one, and act after the commit; or store with it what is to be done (an outbox row), and let one worker do that with an idempotency key.",
    )


def _marked_later(moved: Mutation, at: Place, deed: Operation) -> Found:
    return found(
        f"{effect_name(deed)} happens before `{moved.record}.{moved.field}` says that it was done: a second run that reads the row meanwhile does it again.",
        at=at,
        symbol=moved.symbol,
        resource=f"{moved.type}.{moved.field}",
        because=[*([(deed.place, "done here")] if deed.place != at else []), (moved.read, "who is still to be served is read here, without a lock"), (moved.written, "and marked only here")],
        severity=INFO if deed.kind == "email" else WARNING,
        confidence=MEDIUM,
        help="Claim the row first: an UPDATE with the old state in its condition, of which the count is looked at, or SELECT ... FOR UPDATE SKIP LOCKED in the transaction around it; then act.",
    )


def _refused_later(row: Creation, at: Place, deed: Operation) -> Found:
    return found(
        f"{effect_name(deed)} happens before the {row.type.rpartition('.')[2]} is inserted, of which the database refuses a second one: two requests at a time both do it, and one of "
        "them is refused afterwards.",
        at=at,
        symbol=row.symbol,
        resource=row.type,
        because=[*([(deed.place, "done here")] if deed.place != at else []), (row.look, "both find none here"), (row.place, "the insert decides only here")],
        confidence=MEDIUM,
        help="Insert the row first, as pending, and act when that has succeeded; or give back what was taken where the insert is refused; or pass an idempotency key on.",
    )
