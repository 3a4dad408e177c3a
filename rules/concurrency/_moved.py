"""Records that are found in one state and put into another: what two do that both find the old one, and what is overwritten in between."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    INFO,
    MEDIUM,
    WARNING,
    Confidence,
    Found,
    Mutation,
    Op,
    Place,
    Severity,
    System,
    found,
    words,
)

from ._outside import counted_with, made_with
from ._worth import DEAR, MONEY, ORDERS

# Entry points that several run at a time.
_AT_ONCE = frozenset({"http", "consumer", "task"})
# Who has the record in hand from then on.
_OWNERS = frozenset({"worker", "runner", "assignee", "assigned", "claimed", "claimer", "claimant", "taken", "taker", "holder", "reserved", "reviewer", "courier", "driver", "locked", "node", "host"})
# States in which somebody works on the record, and those in which it waits for somebody.
_IN_HAND = frozenset({"running", "processing", "assigned", "started", "executing", "working", "claimed", "leased", "dispatched", "pulling", "progress", "publishing", "sending"})
_WAITING = frozenset({"pending", "queued", "ready", "new", "waiting", "scheduled", "retry", "retrying", "available", "open", "idle", "todo", "created", "submitted"})
_EXPECTED = "Set it by an update that expects the old state (UPDATE ... WHERE state = old), and {then} only where it changed one row; or lock the row with SELECT ... FOR UPDATE first."


def moved(system: System, mutations: list[Mutation]) -> Iterator[Found]:
    """One finding for each function: the state that it asks for first decides about the others."""
    told: set[str] = set()
    for mutation in sorted(mutations, key=lambda m: (m.symbol, m.read)):
        if mutation.symbol not in told:
            for one in _moved(system, mutation):
                told.add(mutation.symbol)
                yield one


def _moved(system: System, mutation: Mutation) -> Iterator[Found]:
    """A change of state that somebody else may make at the same time, where that matters."""
    name = mutation.type.rpartition(".")[2]
    locks = [o.place for o in system.operations(Op.ROW_LOCK) if o.key == name and o.symbol != mutation.symbol and not o.conditional]
    if locks:  # one that skips what others hold only shares out work
        yield _told(
            mutation,
            f"`{mutation.record}.{mutation.field}` is tested and then set without the row lock that is taken elsewhere: a change of the {name} in between is "
            "overwritten, and two at a time both go on.",
            [(mutation.read, "tested here"), (mutation.written, "saved here"), (locks[0], f"the row of a {name} is locked here")],
            WARNING if words(f"{mutation.field} {name}") & (DEAR | MONEY | ORDERS) and not system.is_by_command(mutation.symbol) else INFO,
        )
        return
    others = [m for m in system.mutations() if m.moved and m.type and (m.type, m.field) == (mutation.type, mutation.field) and m.symbol != mutation.symbol]
    is_asked = any(e.kind in _AT_ONCE for e in system.entries_reaching(mutation.symbol))
    severity = INFO if system.is_by_command(mutation.symbol) else WARNING
    done = counted_with(system, mutation) if mutation.type and (others or is_asked) else None
    if done is not None:
        yield _told(
            mutation,
            f"`{mutation.record}.{mutation.field}` decides that `{done[1]}` is counted, and is set with neither row lock nor condition: two that find the {name} in the old "
            "state both count.",
            [(mutation.read, "found in the old state here"), (done[0], "counted here"), *([(others[0].place, "and set here by others")] if others else [])],
            severity,
            help_=_EXPECTED.format(then="count"),
        )
        return
    made = made_with(mutation) if others or is_asked else None
    if made is not None:
        yield _told(
            mutation,
            f"`{mutation.record}.{mutation.field}` decides that a {made[1]} is made, and is set with neither row lock nor condition: two that find the {name} in the old state both make one.",
            [(mutation.read, "found in the old state here"), (made[0], "made here")],
            INFO if _is_refused(system, mutation) else severity,
            help_=_EXPECTED.format(then="make it"),
        )
        return
    yield from _overwritten(system, mutation, others, name, is_asked)


def _is_refused(system: System, mutation: Mutation) -> bool:
    """Whether a row of which the database refuses a second one is inserted in the transaction as well: who comes second then takes everything back."""
    around = system.operations_in((mutation.symbol, *sorted(system.reached_from(mutation.symbol))))
    return any(o.transaction and o.conditional.startswith("unique constraint") and not o.in_test for o in around)


def _overwritten(system: System, mutation: Mutation, others: list[Mutation], name: str, is_asked: bool) -> Iterator[Found]:
    """A state that is written over another one, which was true by then."""
    move = mutation.move
    if move is None or system.is_by_command(mutation.symbol):
        return
    if move.owner and words(move.owner) & _OWNERS and not _is_in_hand(move.old) and _is_in_hand((move.into,)):
        yield _told(
            mutation,
            f"A {name} is found in the old state and given to somebody in `{move.owner}`, with neither row lock nor condition: two at a time both take it.",
            [(mutation.read, "found free here"), (mutation.written, "and saved here")],
            WARNING,
            help_=_EXPECTED.format(then="go on"),
        )
        return
    if move.each and _is_in_hand(move.old) and (set(words(move.into)) & _WAITING):
        yield _told(
            mutation,
            f"Every {name} on which somebody works is put back to `{move.into}`, with no condition on its state: one that was finished since it was read is done again.",
            [(mutation.read, "read here, in a list"), (mutation.written, "and saved here")],
            WARNING,
            help_="Update it on condition of the state that was read (UPDATE ... WHERE id = ? AND state = old), and go on only where it changed one row.",
        )
        return
    rival = next((m for m in others if m.move is not None and m.move.into and m.move.into != move.into and set(m.move.old) & set(move.old)), None)
    if rival is not None and is_asked and words(name) & (DEAR | MONEY | ORDERS):
        assert rival.move is not None
        yield _told(
            mutation,
            f"`{mutation.record}.{mutation.field}` is tested and then set to `{move.into}` with neither row lock nor condition: two at a time both pass, and `{rival.move.into}`, which others set, is overwritten.",
            [(mutation.read, "tested here"), (mutation.written, "saved here"), (rival.place, "and set here by others")],
            WARNING,
            help_=_EXPECTED.format(then="go on"),
        )


def _is_in_hand(states: tuple[str, ...]) -> bool:
    return any(words(s) & _IN_HAND for s in states)


def _told(mutation: Mutation, message: str, because: list[tuple[Place, str]], severity: Severity, confidence: Confidence = MEDIUM, help_: str = "") -> Found:
    at = mutation.move.begun if mutation.move is not None and mutation.move.begun is not None else mutation.place
    return found(message, at=at, symbol=mutation.symbol, resource=f"{mutation.type}.{mutation.field}", because=because, severity=severity, confidence=confidence, help=help_)
