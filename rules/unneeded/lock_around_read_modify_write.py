r"""A lock guards read, compute and write of one record, which an atomic update or a version check would do alone.

Why: the database is a coordination point already. `UPDATE ... SET balance = balance + 50` needs no lock, cannot lose an update, and holds when the
process is paused; a lock in another service adds two round trips and a failure mode, and does not protect the row from those who do not take it.

Instead: let the store compute: `filter(pk=pk).update(balance=F("balance") + 50)`, `UPDATE t SET n = n + :d WHERE id = :id`, INCRBY. Where the
new value needs code, read the version with the row and write `WHERE version = :read`, test the row count and try again.

Fine when: several records must change together, or an outside call is made between read and write. Then a row lock in the same transaction
(SELECT ... FOR UPDATE) or a version check is still better than a lock in another service, but it is not this simple. It is a note where the value
is compared with something before it is written.

Known misses: records that are read in one function and written in another.

Sources: Django documentation, F() expressions; SQLAlchemy documentation, version_id_col; AWS DynamoDB documentation, conditional writes.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Late,
    Op,
    Operation,
    Section,
    System,
    call_name,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    trail,
)

EMPTY = ("", "[]", "{}", "()", "''", '""', "None", "set()", "list()", "dict()", "'[]'", "'{}'")
STORES = ("redis", "memcached", "zookeeper", "etcd", "consul", "dynamodb")
ATOMIC = {
    "redis": "INCRBY, or a Lua script that reads and writes in one step, needs no lock.",
    "memcached": "incr, or gets and cas with a tested result, needs no lock.",
    "zookeeper": "set(path, value, version=<the version read>) with a retry on BadVersionError needs no lock.",
    "etcd": "A transaction that compares the key's mod_revision needs no lock.",
    "consul": "put(key, value, cas=<ModifyIndex>) with a tested result needs no lock.",
    "django-cache": "cache.incr counts in one step; a list belongs into the server behind the cache: get_redis_connection(...).rpush(key, entry) needs no lock.",
    "dynamodb": "update_item with ADD, or a ConditionExpression on a version, needs no lock.",
}


CHECKED = (
    "The value is checked before it is written: put the check into the write (`UPDATE ... WHERE n >= :wanted` with its row count tested, a script), "
    "or write only if the version is still the one that was read."
)


@rule("CL202", severity=WARNING)
def lock_around_read_modify_write(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True):
        if section.shares_fate or section.unresolved or section.lock.model.kind not in ("lock", "write-lock"):
            continue
        write = the_only_write(section)
        if write is None or write.operation.reads_back is None:
            yield from one_script(section)
            yield from one_exchange(section)
            continue
        read = write.operation.reads_back
        yield found(
            f"{lock_name(section.lock)} guards read, compute and write of one record: {effect_name(write.operation)} writes what was "
            f"computed from line {read.line}",
            at=section,
            because=distinct(
                [Evidence(read, "the record is read here"), Evidence(write.place, f"and {call_name(write.operation)} writes it back"), *trail(section)],
                besides=section.acquired,
            ),
            severity=INFO if write.operation.is_checked else WARNING,
            confidence=MEDIUM,
            help=CHECKED if write.operation.is_checked else ATOMIC.get(write.operation.backend, ""),
        )


def one_script(section: Section) -> Iterator[Found]:
    """All that is read and written is in Redis, and some of it is written back: one script does the same in one step."""
    done = [e.operation for e in section.effects]
    read = {o.operation.key: o.place for o in section.reads if "{}" in (o.operation.key or "") and o.operation.key != "{}"}
    back = [o for o in done if o.late is Late.OVERWRITE and o.key in read]
    if any("fill a cache" in point.reason for point in section.purpose.points):
        return  # who comes next finds what this one has computed from elsewhere
    if not back or any(o.backend != "redis" or o.loop or o.op is Op.SCRIPT for o in (*done, *(e.operation for e in section.reads))):
        return
    first = min(back, key=lambda o: o.place)
    yield found(
        f"{lock_name(section.lock)} guards reads and writes of Redis alone: what {call_name(first)} writes was computed from what was read, and one script "
        "could read, decide and write in one step",
        at=section,
        because=distinct([Evidence(read[first.key], "a record is read here"), Evidence(first.place, "and written back here")], besides=section.acquired),
        confidence=MEDIUM,
        help="A Lua script runs whole or not at all, so no lock is needed; between WATCH and EXEC the same holds with a retry. On a cluster the keys must share a hash tag.",
    )


def one_exchange(section: Section) -> Iterator[Found]:
    """All that is done is to read a record and to leave nothing in its place: one command takes it out."""
    done, reads = [e.operation for e in section.effects], [e.operation for e in section.reads]
    if len(done) != 1 or len(reads) != 1 or done[0].op is not Op.WRITE or done[0].backend not in ("redis", "django-cache") or done[0].loop:
        return
    empties, read = done[0], reads[0]
    value = next((a for a in empties.arguments if a.name in ("value", "data")), None)
    if read.op is not Op.READ or read.key != empties.key or not read.key or read.role in ("cache", "lock") or value is None or value.mentions or value.text not in EMPTY:
        return
    yield found(
        f"{lock_name(section.lock)} guards that `{read.key_text or read.key}` is read and emptied: one command does both",
        at=section,
        because=distinct([Evidence(read.place, "the record is read here"), Evidence(empties.place, "and emptied here")], besides=section.acquired),
        confidence=MEDIUM,
        help="Redis: GETDEL or SET with GET take a value out in one step, LPOP with a count or RENAME a list; put entries with RPUSH, and neither side needs the lock.",
    )


def is_kept(write: Operation) -> bool:
    """Whether what is changed in a cache stands nowhere else."""
    return write.backend == "django-cache" and write.role != "cache" and write.changes


def the_only_write(section: Section) -> Effect | None:
    """The section's single stored write, with nothing else done to the world between; None otherwise."""
    effects = [effect for effect in section.effects if effect.operation.op is not Op.COMMIT]
    if len(effects) != 1 or effects[0].conditional:
        return None
    write = effects[0]
    is_stored = write.operation.kind == "database" or write.operation.backend in STORES or is_kept(write.operation)
    records = {read.operation.key for read in section.reads} - {"{}"}
    return write if is_stored and len(records) <= 1 else None

