r"""A lock or lock key never expires: the process that holds it when it crashes holds it for ever.

Why: `finally` does not run when a container is killed, a host dies or a deploy runs out of patience. A lock kept as a plain key
then stays until somebody finds it and deletes it by hand, and everybody who needs it waits. `redis.lock()` has no time to live
unless `timeout=` is given, `redis_lock.Lock` none unless `expire=`, SETNX none at all, huey's `lock_task` and memcached's
`add(expire=0)` none either.

A flag in a store does the same with plain commands: it is looked at and refused (`if status == "running": raise`), set, and set back by the work when that is done.
Whoever kills the work leaves it set. A flag that something sets back when a process starts is none of these.

Instead: give the lock a lifetime longer than the work takes, `r.lock(name, timeout=30)` or `set(key, token, nx=True, ex=30)`, and
extend it while long work goes on.

Fine when: the lock is bound to a session that ends with its process (a ZooKeeper ephemeral node, a Postgres advisory lock);
Django's `cache.add`, which expires after 300 seconds unless told otherwise; a key that is meant to stay, such as a mark that a
thing was seen.

Known misses: a lifetime that is set later in another function is taken for missing, unless it is set on the same key.

Sources: Redis documentation, SETNX (the pattern is discouraged) and Distributed Locks; redis-py, python-redis-lock and huey sources.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    MEDIUM,
    WARNING,
    Evidence,
    Found,
    Op,
    Outcome,
    Section,
    System,
    distinct,
    exchanges,
    found,
    lock_name,
    rule,
    running_flags,
    sounds_like_lock,
    trail,
)


@rule("CL103", severity=WARNING)
def lock_without_expiry(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True):
        lock = section.lock
        if lock.lifetime.kind != "never" or lock.model.session_bound or lock.model.renews:
            continue
        inner = system.inner(section)
        if inner is not None and inner.lock.lifetime.kind == "never":
            continue  # told where the wrapper takes it
        if lock.by_hand and (is_mark(system, section) or expires_elsewhere(system, section)):
            continue
        freed_on_error = section.escapes or any(release.on_error for release in section.releases)
        how = "when the process is killed" if freed_on_error else "when the process is killed or the work raises"
        yield found(
            f"{lock_name(lock)} never expires: {how} between acquire and release, it stays taken until somebody deletes it",
            at=section,
            because=distinct([*trail(section), *ends(section)], besides=section.acquired),
            severity=WARNING if freed_on_error else ERROR,
            confidence=MEDIUM if section.escapes else HIGH,
        )
    yield from sessions_without_end(system)
    yield from claims_without_end(system)
    yield from flags_without_end(system)


def sessions_without_end(system: System) -> Iterator[Found]:
    """A session of Consul without a TTL, behind a lock: it ends with the node, not with the process that made it."""
    for session in system.operations(Op.LEASE, backend="consul"):
        if session.ttl is None or session.ttl.kind != "never" or any(session.argument(name) is not None for name in ("checks", "node_checks", "service_checks")):
            continue
        home = session.symbol.rpartition(".")[0]
        taken = next((o for o in system.operations(Op.ACQUIRE, backend="consul") if o.symbol.rpartition(".")[0] == home and o.argument("acquire") is not None), None)
        if taken is not None:
            yield found(
                "The session behind this lock has no TTL and no check of its own: it lives as long as the Consul node, and a process that is killed leaves "
                f"\"{taken.key_text or taken.key}\" taken",
                at=session,
                because=[(taken.place, "the lock is taken in its name")],
                confidence=MEDIUM,
                help="Give the session a TTL (10 s to 24 h) and renew it while the work goes on; Consul then frees the lock soon after the process is gone.",
            )


def claims_without_end(system: System) -> Iterator[Found]:
    """A lock made of WATCH, a look and a SET in MULTI: taken in one step, and without a lifetime."""
    for write in system.operations(Op.WRITE, backend="redis"):
        if write.atomic != "pipeline" or write.reads_back or write.ttl is None or write.ttl.kind != "never" or not write.key:
            continue
        same = [o for o in system.same_key(write) if o.symbol == write.symbol]
        look = next((o for o in same if o.op is Op.READ and o.outcome is Outcome.TESTED), None)
        is_watched = any(o.op is Op.WATCH for o in same)
        freed = next((o for o in system.same_key(write) if o.op is Op.DELETE), None)
        named = [m for a in write.arguments[:1] for m in (*a.mentions, a.text)]
        if look is None or not is_watched or freed is None or not sounds_like_lock(write.key_text, write.symbol.rpartition(".")[2], *named):
            continue
        if any(o.op is Op.EXPIRE for o in system.same_key(write)):
            continue
        yield found(
            f'The lock "{write.key_text}" never expires: when the process that took it is killed, it stays taken until somebody deletes it',
            at=write,
            because=[(look.place, "here it is looked at, and WATCH keeps that true"), (freed.place, "only this frees it")],
        )


def flags_without_end(system: System) -> Iterator[Found]:
    """A flag that keeps a second one from starting, and that only the work itself takes back."""
    for flag in running_flags(system):
        same = [flag.begins, *system.same_key(flag.begins)]
        heals = any(o.op is Op.EXPIRE or (o.op in (Op.WRITE, Op.DELETE) and any(e.kind == "startup" for e in system.entries_reaching(o.symbol))) for o in same)
        if flag.begins.ttl is None or flag.begins.ttl.kind != "never" or heals:
            continue
        yield found(
            f'The flag "{flag.begins.key_text or flag.begins.key}" keeps a second one from starting and never expires: when the work is killed, it stays set until somebody sets it back by hand',
            at=flag.begins,
            because=[(flag.look.place, "who finds it set is turned away here"), (flag.ends.place, "only this takes it back")],
            confidence=MEDIUM,
            help="Give it a time to live that the work renews, or take a lock with a lease and an owner in its place.",
        )


def is_mark(system: System, section: Section) -> bool:
    """A key that nobody frees marks that something was seen or done: it is not a lock."""
    if section.releases or has_release_script(system, section):
        return False
    if section.lock.key is None:
        return True
    return not any(o.key == section.lock.key for o in system.operations(Op.DELETE, Op.RELEASE, backend=section.lock.backend))


def has_release_script(system: System, section: Section) -> bool:
    """A script takes it, and beside it in the file a script frees such keys where the owner is the same: a pair, whatever the key."""
    taken = next((o for o in system.operations(Op.ACQUIRE, backend=section.lock.backend) if o.place == section.lock.made), None)
    if taken is None or taken.atomic != "script":
        return False
    return any(o.atomic == "script" and o.place.path == taken.place.path for o in system.operations(Op.RELEASE, backend=taken.backend))


def expires_elsewhere(system: System, section: Section) -> bool:
    """The lifetime is set by a later call on the same key: slow and not atomic, which CL105 reports, but there; or its value is a time, after which GETSET takes it over."""
    expiries = [*system.operations(Op.EXPIRE, Op.EXTEND, backend=section.lock.backend), *exchanges(system)]
    if section.lock.key == "{}":  # whatever a caller passes: the same name in the same file
        return any(o.key_text == section.lock.key_text and o.place.path == section.path for o in expiries)
    return any(section.lock.key is not None and o.key == section.lock.key for o in expiries)


def ends(section: Section) -> list[Evidence]:
    if not section.releases:
        return [Evidence(section.acquired, "no lifetime is given, and no release was found")]
    words = "only this frees it" + ("" if section.releases[0].on_error else ", and an exception passes it by")
    return [Evidence(section.releases[0].place, words)]
