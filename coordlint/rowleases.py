"""Leases in rows of a database: a column that says until when a row is somebody's, and maybe one that says whose."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint.coordination import Operation
from coordlint.models.schema import Op
from coordlint.models.sql_clauses import is_version
from coordlint.system import System
from coordlint.wording import words

_LEASE = frozenset("claim claimed lease leased lock locked reserved reservation".split())
_UNTIL = frozenset("until expire expiry expiration deadline".split())
_OWNER = frozenset("by owner holder token worker".split())
_BESIDE = frozenset("status state updated modified changed at attempt attempts retries error reason".split())  # what a release may write as well
_BY_HAND = frozenset("force forced admin reset purge flush cancel abort kill interrupt unstick override".split())
_BROAD = frozenset(("Exception", "BaseException", "builtins.Exception", "builtins.BaseException", "*"))


def is_until(column: str) -> bool:
    """Whether a column says until when a row is taken: "lease_expires_at", "claimed_until"."""
    said = words(column)
    return bool(said & _LEASE and said & _UNTIL)


def is_owner(column: str) -> bool:
    """Whether a column says who has taken a row: "claimed_by", "lock_owner"."""
    said = words(column)
    return bool(said & _LEASE and said & _OWNER)


_LOCKS = _LEASE | frozenset("locks leases claims reservations mutex mutexes semaphore".split())  # tables whose rows are locks
_HOLDER = frozenset("owner holder".split())
_STOLEN = frozenset("break steal evict seize".split())


def lock_releases(system: System) -> Iterator[tuple[Operation, Operation]]:
    """Changes that empty the owner of a lock that is a row whoever has it, with the release of the same lock that asks who has it."""
    changes = [w for w in _changes(system) if words(w.key) & _LOCKS and any(how == "null" and words(c) & _HOLDER for c, how in w.writes)]
    asking = {w.key: w for w in reversed(changes) if any(sign == "=" and words(c) & _HOLDER for c, sign in w.compares)}
    taken = {w.key for w in _changes(system) if any(words(c) & _HOLDER for c in _given(w))}
    for write in changes:
        if write.key not in asking or write.key not in taken or _asks(write) or write.row_lock is not None or any(sign not in ("=", "in") for _, sign in write.compares):
            continue
        if not write.symbol_words & (_BY_HAND | _STOLEN) and not _is_locked_here(system, write):
                yield write, asking[write.key]


def takes(system: System) -> dict[str, Operation]:
    """For each table whose rows are leased for a time: the change that takes one. A time that nobody competes for is no lease."""
    found: dict[str, Operation] = {}
    for write in _changes(system):
        if any(is_until(c) for c in _given(write)):
            known = found.get(write.key or "")
            if known is None or _plainness(write) > _plainness(known):
                found[write.key or ""] = write
    return {table: write for table, write in found.items() if any(_plainness(write)) or _is_locked_here(system, write)}


def _plainness(write: Operation) -> tuple[bool, bool, bool]:
    """How plainly a change takes a row: it names the new owner, asks whether there is none, and looks at what came of it."""
    free = any(how == "is" and (is_owner(c) or is_until(c)) for c, how in write.compares)
    return free, any(is_owner(c) for c in _given(write)), write.op is Op.CAS


def blind_releases(system: System) -> Iterator[tuple[Operation, Operation]]:
    """Changes that give a leased row back by its id alone, whoever has it by now, with the change that takes one."""
    taken = takes(system)
    for write in _changes(system):
        freed = {c for c, how in write.writes if how == "null" and (is_until(c) or is_owner(c))}
        others = {c for c, _ in write.writes} - freed
        if not freed or write.key not in taken or _asks(write) or write.row_lock is not None or not any(sign in ("=", "in") for _, sign in write.compares):
            continue
        if all(words(c) & _BESIDE for c in others) and not write.symbol_words & _BY_HAND and not _is_locked_here(system, write):
            yield write, taken[write.key]


def blind_renewals(system: System) -> Iterator[tuple[Operation, Operation]]:
    """Changes that a loop repeats in order to prolong a lease on a row, and that do not ask whose it is."""
    taken = takes(system)
    for write in _changes(system):
        prolonged = [c for c in _given(write) if is_until(c)]
        names_owner = any(is_owner(c) for c, _ in write.writes)
        if prolonged and not names_owner and write.loop in ("while", "forever") and not _asks(write) and write.key in taken and taken[write.key] is not write:
            yield write, taken[write.key]


def deaf_renewals(system: System) -> Iterator[tuple[Operation, Operation]]:
    """Renewals in an endless loop whose failures are only noted: the lease ends while the work under it goes on."""
    taken = takes(system)
    for write in _changes(system):
        prolonged = [c for c in _given(write) if is_until(c)]
        if not prolonged or write.loop not in ("while", "forever") or write.key not in taken or any(is_owner(c) for c in _given(write)):
            continue
        noted = next((g for g in write.guards if _BROAD & set(g.catches)), None)
        if noted is not None and noted.only_notes and taken[write.key].symbol != write.symbol:
            yield write, taken[write.key]


def _changes(system: System) -> Iterator[Operation]:
    return (o for o in system.operations() if o.writes and o.key and o.compares)


def _given(write: Operation) -> list[str]:
    """The columns that get a value; one that is left empty under some name is none of them."""
    emptied = {c for c, how in write.writes if how == "null"}
    return list(dict.fromkeys(c for c, _ in write.writes if c not in emptied))


def _asks(write: Operation) -> bool:
    """Whether a change is limited by who has the row, until when, or by its version."""
    return any(is_until(c) or is_owner(c) or is_version(c) or words(c) & _OWNER for c, _ in write.compares)


def _is_locked_here(system: System, write: Operation) -> bool:
    """Whether the same function locks rows first: then it may have looked who has them."""
    return any(o.symbol == write.symbol for o in system.operations(Op.ROW_LOCK)) or any(o.row_lock is not None for o in system.operations() if o.symbol == write.symbol)
