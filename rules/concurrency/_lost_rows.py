"""Rows of databases that are read, changed and written back: the shapes of lost-update that speak of records."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    INFO,
    LOW,
    MEDIUM,
    WARNING,
    Found,
    Mutation,
    Op,
    Operation,
    Outcome,
    Place,
    System,
    effect_name,
    found,
    words,
)

from ._moved import moved
from ._outside import done_once, waited_for
from ._worth import COINS, COPIES, DEAR, LIMITS

_CLAIMS = frozenset({"assignee", "assigned", "claimed", "claimer", "claimant", "taken", "taker", "holder", "reserved", "reviewer", "courier", "driver", "redeemed", "redeemer", "booked", "borrower", "borrowed", "buyer", "winner", "accepted"})  # fmt: skip
# A version is itself the guard; tries are counted by the one worker that has the record.
_OF_ITS_OWNER = frozenset({"version", "revision", "rev", "generation", "epoch", "retry", "attempt", "try"})
# What people guess: every try counts, and comes when it likes.
_GUESSED = frozenset({"otp", "login", "signin", "password", "passcode", "passwd", "pin", "mfa", "captcha"})
_WRITE_BACK = ("bulk_update", "abulk_update", "bulk_save_objects", "bulk_update_mappings")

# What is started for one piece of work.
_WORKERS = frozenset({"task", "consumer", "periodic"})

def lost_rows(system: System) -> Iterator[Found]:
    """What is computed from a row's old value, filled because it was empty, given to whoever found it free, or moved from state to state."""
    told: set[tuple[str, str, Place]] = set()
    changed: list[Mutation] = []
    for mutation in system.mutations():
        if mutation.maker and _is_dear(mutation) and not system.is_locked(mutation) and not system.is_by_command(mutation.symbol):
            yield _filled(mutation)
        if mutation.claimed and not mutation.versioned and not mutation.locked and words(mutation.field) & _CLAIMS and not system.is_locked(mutation):
            yield _claimed(mutation)
        is_free = not mutation.versioned and not mutation.locked and not system.is_locked(mutation)
        if mutation.picked and is_free and not system.is_by_command(mutation.symbol):
            yield _picked(system, mutation)
        elif mutation.moved and is_free and not mutation.absorbed and done_once(system, mutation) is None:  # else check-then-act tells what is done twice
            changed.append(mutation)
        if (mutation.symbol, mutation.record, mutation.written) in told:
            continue  # one save, however many fields and steps lead to the new values
        if not mutation.arithmetic or mutation.versioned or mutation.locked or _is_of_its_owner(mutation):
            continue
        if not system.is_locked(mutation) and not system.is_by_command(mutation.symbol):
            told.add((mutation.symbol, mutation.record, mutation.written))
            yield _record(system, mutation)
    yield from moved(system, changed)
    yield from _stale(system)
    yield from _unlocked_all_the_same(system)


def _unlocked_all_the_same(system: System) -> Iterator[Found]:
    """Rows that were read before are written back, and the row lock that was meant for that is a query nobody evaluates."""
    told: set[Place] = set()
    asked = [q for q in system.operations(Op.ROW_LOCK, Op.DB_STATEMENT) if q.outcome is Outcome.DEAD and q.key is not None and _locks(q)]
    for query in asked:
        for write in system.operations(Op.EFFECT, Op.WRITE):
            same = write.symbol == query.symbol and write.key == query.key and write.place > query.place
            if same and write.call.rpartition(".")[2] in _WRITE_BACK and write.place not in told and not system.is_locked(write):
                told.add(write.place)
                yield found(
                    f"Rows of {write.key} are written back as they were read before, and no lock is held: the query that should lock them is never evaluated.",
                    at=write,
                    because=[(query.place, "builds the query that locks, and does not run it"), *write.origin],
                    confidence=MEDIUM,
                    help="Evaluate the query (list(query)) before the rows are read and changed, in the same transaction.",
                )
                break


def _locks(query: Operation) -> bool:
    return query.row_lock is not None or query.call.rpartition(".")[2] in ("select_for_update", "with_for_update")


def _stale(system: System) -> Iterator[Found]:
    """A row that is saved whole, long after it was read, while others change other columns of it."""
    all_, told = list(system.rewrites()), set[tuple[str, str]]()
    for rewrite in all_:
        if not rewrite.whole or rewrite.locked or (rewrite.symbol, rewrite.record) in told or system.is_locked(rewrite):
            continue
        rivals = [r for r in all_ if r.type == rewrite.type and r.symbol != rewrite.symbol and set(r.fields) - set(rewrite.fields)]
        waits = waited_for(system, rewrite) if rivals or rewrite.documents else None
        if waits is None:
            continue
        at, slow = waits
        told.add((rewrite.symbol, rewrite.record))
        other = sorted(set(rivals[0].fields) - set(rewrite.fields))[0] if rivals else rewrite.documents[0]
        changed = (rivals[0].place, f"`{other}` is changed here") if rivals else (rewrite.place, f"`{other}` is a document of which one part is changed")
        yield found(
            f"`{rewrite.record}` is read, then {effect_name(slow)} is waited for, then all of its columns are saved as they were read: what others change meanwhile "
            f"(`{other}`) is undone.",
            at=rewrite.place,
            symbol=rewrite.symbol,
            resource=rewrite.type,
            because=[(rewrite.read, "read here"), (at, "waited for here"), changed],
            severity=INFO,
            confidence=MEDIUM if rewrite.documents or (_is_background(system, rewrite.symbol) and not _is_background(system, rivals[0].symbol)) else LOW,
            help="Save only what was changed (save(update_fields=[...])), or read the row again after the wait, in a transaction that locks it.",
        )


def _is_background(system: System, symbol: str) -> bool:
    """Whether tasks lead there, and no request that somebody waits for."""
    kinds = {entry.kind for entry in system.entries_reaching(symbol)}
    return bool(kinds & {"task", "consumer", "periodic"}) and "http" not in kinds


def _record(system: System, mutation: Mutation) -> Found:
    is_money = bool(words(f"{mutation.field} {mutation.type.rpartition('.')[2]}") & COINS)
    said = words(mutation.type.rpartition(".")[2]) | words(".".join(mutation.symbol.split(".")[-3:]))
    is_small = mutation.since or (mutation.text and mutation.ends) or bool(said & LIMITS) or bool(words(mutation.type.rpartition(".")[2]) & COPIES) or _by_schedule(system, mutation) or _is_alone(system, mutation)
    return found(
        f"`{mutation.record}.{mutation.field}` is computed from the value read before and saved with neither lock nor version: a "
        "change in between is lost.",
        at=mutation.place,
        symbol=mutation.symbol,
        resource=f"{mutation.type}.{mutation.field}",
        because=[*_read(mutation), (mutation.written, "and written back here")],
        severity=INFO if is_small else ERROR if is_money else WARNING,
        confidence=LOW if mutation.unread else HIGH if mutation.type and not mutation.own else MEDIUM,
    )


def _is_alone(system: System, mutation: Mutation) -> bool:
    """Whether nobody else is seen to change the field, and what does so runs once: a loop that counts how far it has come, a task that ends the record with the
    same save, one that calls itself again until it is done, or the start of a program."""
    if any(m.symbol != mutation.symbol and (m.type, m.field) == (mutation.type, mutation.field) for m in system.mutations()):
        return False
    kinds = {e.kind for e in system.entries_reaching(mutation.symbol)} - {"test"}
    is_work = bool(kinds) and not kinds - _WORKERS
    if is_work and mutation.again:
        return True
    if any(r.symbol != mutation.symbol and r.type == mutation.type and mutation.field in r.fields for r in system.rewrites()):
        return False
    if is_work and mutation.ends:
        return True
    return mutation.progress or bool(kinds and not kinds - {"startup", "main"})


def _is_of_its_owner(mutation: Mutation) -> bool:
    """Whether one worker, who has the record, counts in it; how often people may try a password is not his."""
    said = words(mutation.field)
    return bool(said & _OF_ITS_OWNER) and not (said | words(mutation.type.rpartition(".")[2])) & _GUESSED


def _read(mutation: Mutation) -> list[tuple[Place, str]]:
    if mutation.unread:
        return []
    return [(mutation.read, "asked of a record that was read, here" if mutation.own else "the record is read here")]


def _is_dear(mutation: Mutation) -> bool:
    """Whether a second one matters: money and promises, or something outside whose name only this record remembers."""
    if mutation.locked or mutation.versioned:
        return False
    if mutation.made:
        return bool(words(f"{mutation.made} {mutation.field}") & DEAR)
    return bool(mutation.type) and mutation.keeps_part


def _filled(mutation: Mutation) -> Found:
    return found(
        f"`{mutation.record}.{mutation.field}` is found empty and then filled with what {mutation.maker}() makes, with neither lock nor condition: two at a "
        "time make two, and the record remembers one.",
        at=mutation.place,
        symbol=mutation.symbol,
        resource=f"{mutation.type}.{mutation.field}",
        because=[(mutation.read, "found empty here"), (mutation.written, "and made here")],
        confidence=MEDIUM,
    )


def _claimed(mutation: Mutation) -> Found:
    return found(
        f"`{mutation.record}.{mutation.field}` is found free and then given to somebody, with neither lock nor condition: two at a time both get it, and "
        "the record remembers the second.",
        at=mutation.place,
        symbol=mutation.symbol,
        resource=f"{mutation.type}.{mutation.field}",
        because=[(mutation.read, "found free here"), (mutation.written, "and saved here")],
        confidence=MEDIUM,
    )


def _picked(system: System, mutation: Mutation) -> Found:
    name = mutation.type.rpartition(".")[2]
    return found(
        f"A {name} is looked for by `{mutation.field}`, which is then set, with neither row lock nor condition: two at a time find the same one, and both take it.",
        at=mutation.place,
        symbol=mutation.symbol,
        resource=f"{mutation.type}.{mutation.field}",
        because=[(mutation.read, "looked for here"), (mutation.written, "and saved here")],
        severity=INFO if _by_schedule(system, mutation) else WARNING,
        confidence=MEDIUM if system.entries_reaching(mutation.symbol) else LOW,
        help="Take it with SELECT ... FOR UPDATE SKIP LOCKED in the transaction that sets it, or by an update that expects the old state, and test the row count.",
    )


def _by_schedule(system: System, mutation: Mutation) -> bool:
    """Whether only scheduled rounds come there: two at a time take one that lasts until the next."""
    entries = [e for e in system.entries_reaching(mutation.symbol) if e.kind != "test"]
    scheduled = {e.symbol for e in entries if e.kind == "periodic"}
    return bool(entries) and {e.symbol for e in entries} <= scheduled
