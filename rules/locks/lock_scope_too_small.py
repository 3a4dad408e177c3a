r"""What the lock protects happens outside of it: the transaction commits after the release, or the write stands behind it.

Why: until the commit nobody else sees the write. A lock that is released before, because it stands inside the transaction, lets the next holder read the
old row: both have held the lock, one after the other, and one update is lost all the same. The same happens when the statement that saves stands
behind the `with`.

So it is where the lock is held for the look alone: a status is read under it and found free, and set after the release, by the caller or where a framework
goes on (`is_valid()` and then `save()`). Two callers look one after the other, both find it free, and both go on.

And so it is where what decides is known from before the lock: whether a thing is there, or done, is asked first and not again under the lock, so that whoever waited does once
more what the one before him has done; or a value is read first, and written back computed under the lock, so that what was written in between is lost.

And so it is where tasks are only put into a queue under the lock: workers do what it protects when it was given back.

Instead: turn them round: the lock outside, the transaction inside, so that the commit happens before the release. Or leave the lock to the
database: SELECT ... FOR UPDATE in the transaction is released by the commit.

Fine when: each statement commits by itself (autocommit) inside the section; the transaction begins and ends inside; the lock is handed on and
released later, or by the commit itself (`transaction.on_commit(lock.release)`). Where all that is done inside is deleting, and nobody else is known to take the lock, it is a note.

A transaction that Django opens around each request (`ATOMIC_REQUESTS` in the settings) counts like one that is written at the view.

Sources: Django documentation, transaction.atomic; PostgreSQL documentation, transaction isolation.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Late,
    Op,
    Operation,
    Outcome,
    Scope,
    Section,
    System,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    trail,
)

from ._before import looked_before
from ._handed_over import queued_under

ENDS = ("__exit__", "__aexit__", "release")


@rule("CL118", severity=WARNING)
def lock_scope_too_small(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True):
        seen = only_looked(system, section)
        if seen is not None:
            look, write = seen
            yield found(
                f"{lock_name(section.lock)} is held for the look at `{look.key_text or look.key}` alone: it is written after the release, so two callers both find it as it was and both go on",
                at=section,
                because=distinct([Evidence(look.place, "looked at here, under the lock"), Evidence(write.place, "written here, without it"), *trail(section)], besides=section.acquired),
                confidence=MEDIUM,
                help="Hold the lock until the write is done, or do both in one step without it: SET NX, cache.add, a script, an UPDATE whose WHERE names the state that was read.",
            )
        yield from looked_before(system, section)
        yield from queued_under(system, section)
    for section in system.critical_sections(scopes=(Scope.DISTRIBUTED, Scope.DB_SESSION, Scope.PROCESS, Scope.HOST)):
        writes = [effect for effect in section.effects if effect.operation.kind == "database" and effect.harmful_when_late]
        if not writes or section.escapes or not section.releases or is_freed_by_commit(system, section):
            continue
        severity = INFO if only_deletes(writes) and not system.rivals(section) else ERROR
        if section.transaction and not any(effect.operation.op is Op.COMMIT for effect in section.effects):
            yield found(
                f"{effect_name(writes[0].operation)} is committed after {lock_name(section.lock)} was released: the transaction around the lock ends later",
                at=section,
                because=distinct([*opened(system, section), *trail(section, writes[0])[::-1]], besides=section.acquired),
                severity=severity,
                confidence=HIGH,
            )
            continue
        commit = commit_behind(system, section)
        if commit is not None:
            yield found(
                f"{effect_name(writes[0].operation)} is committed after {lock_name(section.lock)} was released, in line {commit.place.line}",
                at=section,
                because=[(commit.place, "the commit"), *distinct(trail(section, writes[0]), besides=section.acquired)],
                severity=severity,
                confidence=HIGH,
            )


def only_looked(system: System, section: Section) -> tuple[Operation, Operation] | None:
    """What a section only reads and decides by, and the write of the same key that comes after its release."""
    if section.escapes or not section.releases or any(e.operation.op is not Op.COMMIT for e in section.effects):
        return None
    looks = [r.operation for r in section.reads if r.operation.op is Op.READ and r.operation.role not in ("cache", "lock")]
    for look in looks:
        for write in system.same_key(look):
            decides = look.outcome is Outcome.TESTED or write.reads_back == look.place
            if decides and is_of_the_same(look, write) and not write.conditional and not write.atomic and not system.is_locked(write) and comes_after(system, section, write):
                return look, write
    return None


def is_of_the_same(look: Operation, write: Operation) -> bool:
    """Whether a write sets what was looked at: the value of the key, or the same field of a hash."""
    fields = {a.text for o in (look, write) for a in o.arguments if a.name in ("key", "field")}
    return write.op is Op.WRITE or (write.op is Op.SET_ADD and look.call.endswith("hget") and write.call.endswith("hset") and len(fields) == 1)


def comes_after(system: System, section: Section, write: Operation) -> bool:
    """Whether a write stands behind the section: in its function, or in what a caller does after the call."""
    last = max([section.acquired.line, *(e.place.line for e in section.reads if not e.chain), *(r.place.line for r in section.releases)])
    here = [(section.symbol, last), *((caller, at.line) for caller, at in system.callers(section.symbol))]
    paths = {section.symbol: section.acquired.path, **{caller: at.path for caller, at in system.callers(section.symbol)}}
    for symbol, line in here:
        if write.symbol == symbol and write.place.path == paths[symbol] and write.place.line > line:
            return True
        if any(caller == symbol and at.line > line for caller, at in system.callers(write.symbol)):
            return True
    return False


def opened(system: System, section: Section) -> list[Evidence]:
    """Where the transaction around the lock begins: in this function, or around those who call it."""
    begun = [o.place for o in system.operations(Op.DB_TRANSACTION) if o.symbol == section.symbol and o.place < section.acquired]
    if begun:
        return [Evidence(begun[0], "the transaction begins here")]
    function = system.function(section.symbol)
    if function is not None and any("atomic" in d or "transaction" in d for d in function.decorators):
        return [Evidence(function.place, "the whole function is a transaction")]
    return [Evidence(at, "called here, inside a transaction") for _, at in system.callers(section.symbol)[:1]]


def is_freed_by_commit(system: System, section: Section) -> bool:
    """Whether the lock's own `__exit__` or release leaves it to the commit: `transaction.on_commit(self._release)`."""
    if not any(o.call.endswith("on_commit") for o in system.operations(tests=True)):
        return False
    places = {p for r in section.releases for p in (r.place, r.deed) if p is not None}
    ends = {
        f.symbol for f in system.functions()
        if any(f.place.path == p.path and f.place.line <= p.line <= f.end_line for p in places)
        or (f.symbol.rpartition(".")[2] in ENDS and f.class_name.rpartition(".")[2] in section.lock.via)
    } - {section.symbol}  # fmt: skip
    return any(o.call.endswith("on_commit") for symbol in ends for o in system.operations_in(system.reached_from(symbol)))


def only_deletes(writes: list[Effect]) -> bool:
    """Deleting what somebody else has deleted does nothing: it takes another holder, who writes, to lose anything."""
    return all(effect.operation.late is Late.DELETE for effect in writes)


def commit_behind(system: System, section: Section) -> Operation | None:
    """The commit that follows the section in the same function, when there is none inside it."""
    if any(effect.operation.op is Op.COMMIT for effect in section.effects):
        return None
    last = max(place.line for place in (*(e.place for e in section.effects if not e.chain), section.acquired))
    behind = [
        o for o in system.operations(Op.COMMIT)
        if o.symbol == section.symbol and o.kind in ("", "database") and o.backend == "database-row" and o.place.line > last
    ]  # fmt: skip
    return behind[0] if behind else None

