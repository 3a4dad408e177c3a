"""Rows of databases that are made, or things that are done, because a query or a flag said that they were not yet: the shapes of check-then-act that speak of records."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coordlint import (
    INFO,
    LOW,
    MEDIUM,
    WARNING,
    Creation,
    Found,
    Mutation,
    Operation,
    Place,
    System,
    effect_name,
    found,
    words,
)

from ._outside import done_once
from ._refused import is_handled, is_order
from ._worth import DEAR, ORDERS, SET_UP

_WORTH = DEAR | ORDERS | frozenset({"account", "membership", "vote", "enrollment", "enrolment", "seat", "slot"})
_NAMING = frozenset({"email", "mail", "username", "phone"})  # by which people are known
_CALLED = frozenset({"name", "slug", "code", "label", "handle", "sku", "domain", "hostname", "subdomain"})  # by which people know things
_HEAD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_ONLY_ONE = (
    "Declare the columns unique (a unique constraint, for ranges one of exclusion), and handle the error of the second one: then the database decides in one step. Where no "
    "constraint can say it, lock a row that both must pass (SELECT ... FOR UPDATE on the parent) before the query."
)
_LIMIT = "Lock a row that both must pass (SELECT ... FOR UPDATE on the parent) before counting, or count in the parent by UPDATE ... WHERE n < :most and test the row count."
_NEXT = (
    "Let the database number (a sequence, an identity column), count in the parent by UPDATE ... SET last = last + 1 RETURNING last, or lock the parent (SELECT ... FOR UPDATE) before "
    "asking; with a unique constraint, handle its error by asking again."
)
_FIRST = "Insert first (ON CONFLICT DO NOTHING, get_or_create), or handle the error of the unique constraint by reading the row that won and answering with it."
_REPLAYED = frozenset({"idempotency", "idempotent", "idempotence", "dedup", "dedupe", "deduplication"})  # keys by which a caller asks again
_ONE = frozenset({"get", "one", "one_or_none", "scalar_one", "scalar_one_or_none", "get_or_none", "get_or_create", "update_or_create"})
_ALONE = frozenset({"command", "main", "import", "periodic", "test"})


def made_rows(system: System) -> Iterator[Found]:
    """Rows of which a query found none, and that nothing keeps unique; and what a flag lets be done once."""
    told: set[Place] = set()
    for row in system.creations():
        if row.look in told:
            continue  # however many rows hang on one query
        if _is_told_apart(system, row):
            told.add(row.look)
            yield _numbered_twice(row) if row.numbered else _not_replayed(row)
        if row.spends and _is_spent(system, row):
            told.add(row.look)
            yield _spent_twice(row)
        if row.numbered or row.spends or row.look in told:
            continue
        if not (row.refused or row.guarded or row.locked or system.is_locked(row) or _is_prepared(row)) and _matters(system, row):
            told.add(row.look)
            yield _made_twice(system, row)
    for mutation in system.mutations():
        effect = done_once(system, mutation)
        if effect is not None and not (mutation.versioned or mutation.locked or system.is_locked(mutation) or _is_alone(system, mutation.symbol)):
            yield _done_twice(mutation, effect)


def _is_spent(system: System, row: Creation) -> bool:
    """Whether two requests may spend what is enough for one."""
    return not (row.in_test or row.locked or system.is_locked(row) or _is_alone(system, row.symbol))


def _spent_twice(row: Creation) -> Found:
    return found(
        f"`{row.spends}` is tested first and counted off in a second step, which does not test it: two callers at a time both find enough, and both take it.",
        at=row.look,
        symbol=row.symbol,
        resource=f"{row.type}.{row.spends}",
        because=[(row.place, "counted off here, whatever is left")],
        severity=WARNING,
        confidence=MEDIUM,
        help=f"Test in the same statement (UPDATE ... SET {row.spends} = {row.spends} - :n WHERE ... AND {row.spends} >= :n) and look at the row count; or lock the row (SELECT ... FOR UPDATE) before the test.",
    )


def _is_told_apart(system: System, row: Creation) -> bool:
    """Whether a row gets a number that another may get at the same time, or is found in vain by one whose own the database then refuses."""
    if row.guarded or row.locked or row.upsert or row.counts or row.state or not (row.numbered or (row.clashes and row.answers)):
        return False
    if row.numbered and (is_order(row.numbered) or not (row.clashes or row.refused in ("", None))):
        return False
    kinds = {entry.kind for entry in system.entries_reaching(row.symbol)}
    return "http" in kinds and not (_is_prepared(row) or system.is_locked(row) or is_handled(system, row))


def _numbered_twice(row: Creation) -> Found:
    name = _name(row)
    seen = {"max": "the highest there is", "count": "how many there are", "last": "that of the last one"}.get(row.asks, row.asks)
    then = "the database refuses the second, and nobody handles that" if row.clashes else "both rows bear it"
    return found(
        f"The next `{row.numbered}` of a {name} is computed from {seen}: two callers at a time both see the same and get one number, and {then}.",
        at=row.look,
        symbol=row.symbol,
        resource=f"{row.type}.{row.numbered}",
        because=[(row.place, "the number may be taken by the time the row is stored here")],
        severity=WARNING if not row.clashes and _worth(row) else INFO,
        confidence=LOW if row.refused is None else MEDIUM,
        help=_NEXT,
    )


def _not_replayed(row: Creation) -> Found:
    name = _name(row)
    by = ", ".join(row.columns)
    return found(
        f"A query by {by} answers with the {name} that is there, else one is made: two callers at a time both find none, and the one whom the database refuses gets an error instead of that answer.",
        at=row.look,
        symbol=row.symbol,
        resource=row.type,
        because=[(row.place, "the second one is refused when it is stored here")],
        severity=WARNING if words(by) & _REPLAYED else INFO,
        confidence=MEDIUM,
        help=_FIRST,
    )


def _made_twice(system: System, row: Creation) -> Found:
    name = _name(row)
    by = ", ".join(row.columns)
    kept = "nothing that the code shows keeps that unique" if row.table and row.refused is None else "nothing keeps that unique"
    breaks = "from then on the query raises, because it finds two" if row.asks in _ONE else "both think it the only one"
    if row.state:
        told = f"A query by {by} decides whether one more {name} gets `{row.state}`, and nothing keeps that unique: two callers at a time both find none, and both get it."
    elif row.counts:
        told = f"How many rows of {name} there are for {by} decides whether one more is made: two callers at a time both make it."
    elif row.upsert:
        told = f"{row.asks} looks for a {name} by {by}, which nothing keeps unique: two callers at a time both make one, and {breaks}."
    else:
        told = f"A query by {by} decides whether a {name} is made, and {kept}: two callers at a time both make one, and {breaks}."
    return found(
        told,
        at=row.look,
        symbol=row.symbol,
        resource=row.type,
        because=[(row.place, "looked for and made in two steps" if row.upsert else "the answer may be old by the time the row is stored here")],
        severity=WARNING if _worth(row) and not row.upsert else INFO,
        confidence=LOW if row.refused is None or not system.entries_reaching(row.symbol) else MEDIUM,
        help=_LIMIT if row.counts else _ONLY_ONE,
    )


def _matters(system: System, row: Creation) -> bool:
    """Whether two may come there at a time, and a second row does harm: its name says so, or what asks for one breaks when it finds two."""
    kinds = {entry.kind for entry in system.entries_reaching(row.symbol)}
    if _is_alone(system, row.symbol):
        return False
    if row.overlaps and (not kinds or kinds - _ALONE - {"task"}):
        return True  # one room, for two at a time
    if row.leaves and not (row.counts or row.upsert or row.state) and "http" in kinds and words(" ".join(row.columns)) & _CALLED:
        return True  # whoever asks for a name that is taken is turned away, or given what bears it
    return _worth(row) or (row.asks in _ONE and not row.upsert and not (kinds and kinds <= _ALONE | {"task"}))


def _is_alone(system: System, symbol: str) -> bool:
    """Whether only commands, scripts and schedules lead there, which take turns."""
    kinds = {entry.kind for entry in system.entries_reaching(symbol)}
    return bool(kinds) and kinds <= _ALONE


def _done_twice(mutation: Mutation, effect: Operation) -> Found:
    return found(
        f"`{mutation.record}.{mutation.field}` is tested and then set, with neither row lock nor condition, to do it once: two at a time both pass, and {effect_name(effect)} is done twice.",
        at=mutation.read,
        symbol=mutation.symbol,
        resource=f"{mutation.type}.{mutation.field}",
        because=[(mutation.written, "the record is saved here"), (effect.place, "done here")],
        severity=WARNING if effect.kind == "payment" else INFO,
        confidence=MEDIUM,
        help="Set it by an update that expects the old state and test the row count (UPDATE ... WHERE NOT sent), or lock the row (SELECT ... FOR UPDATE) from the test to the commit.",
    )


def _name(row: Creation) -> str:
    return f"row of {row.type}" if row.table else row.type.rpartition(".")[2]


def _worth(row: Creation) -> bool:
    """A payment is, a PaymentTemplate is not."""
    kind = _HEAD.findall(row.type.rpartition(".")[2])[-1:]
    return bool(words(" ".join(kind)) & _WORTH or words(" ".join(row.columns)) & _NAMING)


def _is_prepared(row: Creation) -> bool:
    """Whether it stands in code that runs once: a migration, a part of setting up."""
    return bool(words(row.symbol) & SET_UP or "/migrations/" in row.place.path or "/versions/" in row.place.path)
