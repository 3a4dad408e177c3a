r"""A distributed lock guards an effect that is harmful when late, and no token or version reaches that effect.

Why: a holder can lose the lock without noticing: it is paused by garbage collection or a full host, the network holds a
request back, the lease runs out, the lock server fails over. It then finishes the write that it had begun, after a newer
holder has already written. The lock cannot stop that; only the target can, by refusing what carries an older token or version.
ZooKeeper and etcd locks are no exception: etcd's own documentation says that its lock cannot protect an external resource.

Instead: let the target decide. A version column in the WHERE clause with the row count tested, `put_object(IfMatch=...)`, a
ConditionExpression, an idempotency key, a unique constraint. Where the lock offers a token (kazoo: the sequence number of its
node; etcd: the create revision of its key), store the highest one seen beside the data and refuse a smaller one. Often the
condition alone is enough and the lock can go.

Fine when: the effect is conditional already; the same function does it without the lock as well, before it takes it (a note of progress, the look into a cache); it lands in the coordinator that gave the lock, whose session ends for both; the lock and the write share one database transaction (SELECT ... FOR UPDATE,
pg_advisory_xact_lock), so that neither survives without the other; a row is locked inside, on the way to the write, or a conditional update whose row count is tested decides before it; the lock only saves work, and what it guards is neither
money nor anything else that leaves the system.

It is a note, and no warning, where the effect is not certain: a call on the way may mean one of several functions. And where the harm is not plain: a blind delete or overwrite, which may be meant to repeat; a request or a task
whose receiver is not seen, unless it names money; work that is skipped when the lock is busy. And where it is not likely: ownership is
asked for again on the way, or a lease of ten minutes or more outlasts every pause of a process. And where the lease is so short that the work itself outlasts
it: then the lease is what has to be mended first, which work-outlives-lease tells.

Known misses: a token that is checked by a service behind an HTTP call whose headers are built elsewhere. A write to a local
file or the start of a program is not reported: whether others share it cannot be seen.

Sources: Redis documentation, Distributed Locks (fencing tokens are recommended in its own disclaimer); etcd documentation,
"etcd versus other key-value stores", notes on lock and lease; Jepsen, etcd 3.4.3; Hazelcast FencedLock; Kleppmann, How to do
distributed locking.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    ERROR,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Found,
    Late,
    Lock,
    Op,
    Operation,
    Place,
    Scope,
    Section,
    System,
    distinct,
    does_late,
    effect_name,
    fence_for,
    found,
    is_behind_row_lock,
    is_beside_lock,
    is_concrete,
    is_decided,
    is_long,
    is_outlasted,
    is_repeatable,
    is_weighty,
    lock_name,
    may_differ,
    rule,
    told,
    trail,
)

LEAVES_THE_SYSTEM = ("payment", "email", "http", "remote")
SHARED = (*LEAVES_THE_SYSTEM, "database", "object-store", "message", "search", "task")
STORES = ("redis", "memcached", "zookeeper", "etcd", "consul", "dynamodb")


@rule("CL101", severity=ERROR)
def lock_without_fencing(system: System) -> Iterator[Found]:
    reported: set[tuple[Place, Place]] = set()
    for section in system.critical_sections(distributed=True):
        if section.shares_fate or section.lock.model.kind not in ("lock", "write-lock"):
            continue
        shared = [e for e in section.effects if is_unfenced(section, e) and not is_cached(system, e.operation)]
        unfenced = [e for e in shared if not system.happens_before(section, e) and not system.is_under_another(section, e)]
        if not unfenced:
            continue
        worst = min(unfenced, key=lambda effect: (not effect.is_sure, not is_weighty(section, effect), harm(effect)))
        if (section.acquired, worst.place) in reported:
            continue  # a factory that makes one of several locks
        reported.add((section.acquired, worst.place))
        plain = section.purpose.kind == "correctness" and is_concrete(worst.operation) and not is_repeatable(section, worst.operation)
        proven = worst.operation.kind == "payment" or (plain and not is_long(section) and not section.asks_before(worst) and not is_beside_lock(section, worst.operation) and not may_differ(section, worst.operation))
        quiet = not worst.is_sure or (worst.operation.kind not in ("payment", "email") and is_outlasted(section))
        rivals = [(r.acquired, "the same lock is taken here") for r in system.rivals(section)[:2]]
        others = [(e.place, f"{effect_name(e.operation)} is not fenced either") for e in unfenced if e is not worst]
        yield found(
            f"{effect_name(worst.operation)} runs under {lock_name(section.lock)} without a fencing token: a holder that lost the "
            f"lock ({how_lost(section.lock)}) {does_late(worst.operation)}; {token_of(section)}",
            at=worst,
            because=[*distinct(trail(section, worst), besides=worst.place), *rivals, *others[:3]],
            severity=INFO if quiet else ERROR if proven else WARNING if is_weighty(section, worst) else INFO,
            confidence=HIGH if proven and not section.unresolved else MEDIUM,
            help=fence_for(worst, section.lock),
        )


def is_unfenced(section: Section, effect: Effect) -> bool:
    """Whether a stale holder's effect would reach something shared and be accepted there."""
    operation = effect.operation
    if not effect.harmful_when_late or effect.token or effect.conditional or operation.conditional or operation.token:
        return False
    if is_behind_row_lock(section, effect) or is_decided(section, effect) or not is_shared(operation) or is_lock_itself(section.lock, operation):
        return False
    if operation.backend == section.lock.backend and operation.backend in COORDINATORS:
        return False  # lock and record live in the same session of the same coordinator: they are lost together
    if section.lock.model.scope is Scope.DB_SESSION and operation.kind == "database":
        return False  # the connection that holds the lock is, as a rule, the one that writes: both end together
    if operation.kind in ("http", "remote", "message", "task", "search"):
        return section.purpose.kind == "correctness"  # a request may be a query, a message may be repeatable
    if section.skips_when_busy and section.purpose.kind != "correctness":
        return operation.kind in LEAVES_THE_SYSTEM or operation.reads_back is not None
    return section.purpose.kind != "performance" or operation.kind in LEAVES_THE_SYSTEM


def is_shared(operation: Operation) -> bool:
    """Whether the effect lands where other processes see it. An entry with a time to live is a cache, not a record."""
    if operation.backend in STORES:
        if operation.op is Op.DELETE and not operation.key_words:
            return False  # what is removed is not known: an entry of a cache, a lock, a record
        is_field = operation.op is Op.SET_ADD and operation.reads_back is not None
        return (is_field or operation.op in (Op.WRITE, Op.DELETE, Op.INCREMENT, Op.COUNTER, Op.EFFECT)) and not is_cache_entry(operation)
    return operation.kind in SHARED and operation.library != "stdlib-sqlite3"  # a file beside the process


def is_cache_entry(operation: Operation) -> bool:
    return operation.ttl is not None and operation.ttl.kind != "never"


def is_cached(system: System, operation: Operation) -> bool:
    """Whether it is about what expires: by a command of its own, or, where it deletes, because it is only ever written so."""
    put = operation.op in (Op.WRITE, Op.SET_ADD)  # a count that expires is still one that must not count twice
    if put and operation.backend in STORES and operation.key and any(o.op is Op.EXPIRE for o in system.same_key(operation)):
        return True
    if operation.op is not Op.DELETE or operation.backend not in STORES or not operation.key:
        return False
    writers = [o for o in system.same_key(operation) if o.stores]
    return bool(writers) and all(is_cache_entry(o) for o in writers)


def is_lock_itself(lock: Lock, operation: Operation) -> bool:
    return operation.backend == lock.backend and operation.key is not None and operation.key == lock.key


def harm(effect: Effect) -> tuple[int, str, int]:
    """The worst effect first; among equals the one that stands first."""
    operation = effect.operation
    if operation.kind == "payment":
        rank = 0
    elif operation.reads_back is not None or operation.late is Late.ACCUMULATE:
        rank = 1
    elif operation.kind in ("email", "object-store") or operation.late is Late.APPEND:
        rank = 2
    else:
        rank = 3 if is_concrete(operation) else 4
    return rank, effect.place.path, effect.place.line


def how_lost(lock: Lock) -> str:
    match lock.lifetime.kind:
        case "seconds":
            return f"a pause longer than its lease of {told(lock.lifetime)}"
        case "never":
            return "it does not expire, but a failover, an eviction or a forced release frees it"
        case "session":
            return "a pause longer than its session"
        case _:
            return "a pause longer than its lease, whose length is not known"


def token_of(section: Section) -> str:
    if not section.lock.offers_token:
        return "this lock offers no token"
    if section.token_taken is not None:
        return f"the token taken in line {section.token_taken.line} does not reach it"
    return f"the lock offers a token ({section.lock.model.token}) that is not sent"
