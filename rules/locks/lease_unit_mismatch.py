r"""A lease is given in the wrong unit: seconds to a parameter that takes milliseconds, or the reverse.

Why: redlock, redlock-py, walrus, dramatiq's limiters and `px=` take milliseconds, redis-py, etcd and Consul seconds. `Redlock.lock(name, 10)`
is a lease of 10 milliseconds: it is over before the first statement under it. `ex=30000` is one of eight hours: after a crash the lock stays
for a working day.

Instead: say the unit where the number stands (`TTL_MS = 30_000`), and pass it to the parameter of that unit.

Fine when: the value is plausible in the unit of the API: hundreds of milliseconds and more; seconds up to some hours, and whole hours or days.

Known misses: values between, which could be either, and values that come from settings under a name that does not tell the unit.

Sources: documentation and signatures of redlock-py, redlock, walrus, dramatiq, redis-py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    MEDIUM,
    WARNING,
    Evidence,
    Found,
    Op,
    Place,
    System,
    Time,
    call_name,
    distinct,
    found,
    lock_name,
    rule,
    told,
    trail,
)

SHORTEST_MS = 100  # a lease below this is over before a round trip to another service
LOOKS_LIKE_SECONDS = (120, 180, 240, 300, 600, 900)  # whole minutes, and an odd choice in milliseconds
LOOKS_LIKE_MS = 5000  # seconds from here on are suspicious when they are whole thousands and no whole hours

_SAYS_MS = re.compile(r"(^|_|\b)(ms|msec|msecs|millis|milliseconds)$|Ms$|Millis$", re.I)
_SAYS_SECONDS = re.compile(r"(^|_|\b)(s|sec|secs|second|seconds)$|Seconds$", re.I)


@rule("CL110", severity=ERROR)
def lease_unit_mismatch(system: System) -> Iterator[Found]:
    reported: set[Place] = set()
    for section in system.critical_sections():
        lock = section.lock
        problem = mismatch(lock.lifetime)
        place = lock.lifetime.place or lock.made
        if problem is None or place in reported:
            continue
        reported.add(place)
        yield found(
            f"{lock_name(lock)} gets {problem}",
            at=section,
            because=distinct([Evidence(place, f"the number stands here: {lock.lifetime.raw:g}"), *trail(section)], besides=section.acquired),
            severity=ERROR if is_certain(lock.lifetime) else WARNING,
            confidence=HIGH if is_certain(lock.lifetime) else MEDIUM,
        )
    for operation in system.operations(Op.MAKE_LOCK, Op.ACQUIRE, Op.LEASE, Op.LOCK_DECORATOR, Op.EXTEND):
        named = next((a for a in operation.arguments if operation.ttl and a.place and a.place == operation.ttl.place), None)
        problem = mismatch(operation.ttl) or misnamed(operation.ttl, named.mentions if named else ())
        place = (operation.ttl.place if operation.ttl else None) or operation.place
        if problem is None or place in reported:
            continue
        reported.add(place)
        yield found(
            f"{call_name(operation)} gets {problem}",
            at=operation,
            because=[(place, "the number stands here")],
            confidence=HIGH if operation.ttl and is_certain(operation.ttl) else MEDIUM,
        )


def mismatch(time: Time | None) -> str | None:
    """What is wrong with a lease, by its number and the unit of the parameter; None when the value is plausible."""
    if time is None or time.raw is None or time.kind != "seconds" or time.raw <= 0:
        return None
    raw = time.raw
    if time.unit == "ms" and (raw < SHORTEST_MS or raw in LOOKS_LIKE_SECONDS):
        return f"a lease of {raw:g} milliseconds: the parameter takes milliseconds and the number looks like seconds"
    is_in_minutes = raw < 2 * LOOKS_LIKE_MS and raw % 60 == 0  # 6000 s are 100 minutes
    if time.unit == "s" and raw >= LOOKS_LIKE_MS and raw % 1000 == 0 and raw % 3600 != 0 and not is_in_minutes:
        return f"a lease of {raw:g} seconds ({raw / 3600:.1f} hours): the parameter takes seconds and the number looks like milliseconds"
    return None


def misnamed(time: Time | None, mentions: tuple[str, ...]) -> str | None:
    """The number is not known or would pass, but the name that carries it says another unit than the parameter."""
    if time is None:
        return None
    for name in mentions:
        last = name.rpartition(".")[2]
        if time.unit == "ms" and _SAYS_SECONDS.search(last) and len(mentions) == 1 and not is_scaled(time):
            return f'"{name}" as its lease in milliseconds ({told(time)}), and the name says seconds'
        if time.unit == "s" and _SAYS_MS.search(last) and len(mentions) == 1 and not is_scaled(time):
            return f'"{name}" as its lease in seconds ({told(time)}), and the name says milliseconds'
    return None


def is_scaled(time: Time) -> bool:
    """A value that was computed may have been converted on the way: `TTL_SECONDS * 1000`."""
    return (time.raw is not None and time.raw >= 1000 and time.unit == "ms") or "*" in time.told or "/" in time.told


def is_certain(time: Time) -> bool:
    return time.raw is not None and ((time.unit == "ms" and time.raw < SHORTEST_MS) or (time.unit == "s" and time.raw >= 2 * LOOKS_LIKE_MS))



EXAMPLES = r'''
=== bad: ten milliseconds
--- worker.py
from redlock import Redlock

manager = Redlock([{"host": "r1"}, {"host": "r2"}, {"host": "r3"}])

def work(job):
    lock = manager.lock("job", 10)  # finding: lease-unit-mismatch
    if lock:
        job.run()
        manager.unlock(lock)

=== bad: the constant stands in another module
--- settings.py
JOB_LOCK_TTL = 30
--- worker.py
from redlock import Redlock

from settings import JOB_LOCK_TTL

manager = Redlock([{"host": "r1"}, {"host": "r2"}, {"host": "r3"}])

def work(job):
    lock = manager.lock("job", JOB_LOCK_TTL)  # finding: lease-unit-mismatch
    if not lock:
        return
    try:
        job.run()
    finally:
        manager.unlock(lock)

=== bad: px with seconds
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if r.set("lock:job", "1", nx=True, px=60):  # finding: lease-unit-mismatch
        job.run()
        r.delete("lock:job")

=== bad: milliseconds to redis-py's lock
--- worker.py
import redis

r = redis.Redis()

def work(job):
    with r.lock("job", timeout=30000):  # finding: lease-unit-mismatch
        job.run()

=== good: milliseconds to a millisecond parameter
--- worker.py
from redlock import Redlock

manager = Redlock([{"host": "r1"}, {"host": "r2"}, {"host": "r3"}])

def work(job):
    lock = manager.lock("job", 30 * 1000)
    if lock:
        job.run()
        manager.unlock(lock)

=== good: half a second, meant
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if r.set("lock:job", "1", nx=True, px=500):
        job.run()

=== good: an hour, and a day
--- worker.py
import redis

r = redis.Redis()

def work(job):
    with r.lock("job", timeout=3600):
        job.run()

def daily(job):
    if r.set("lock:daily", "1", nx=True, ex=86400):
        job.run()

=== good: ten hours as 36000 seconds
--- worker.py
import redis

r = redis.Redis()

def work(job):
    with r.lock("job", timeout=36000):
        job.run()

=== good: a value from settings
--- worker.py
from redlock import Redlock

import conf

manager = Redlock([{"host": "r1"}, {"host": "r2"}, {"host": "r3"}])

def work(job):
    lock = manager.lock("job", conf.get("ttl"))
    if lock:
        job.run()
        manager.unlock(lock)

=== good: a hundred minutes
--- jobs.py
import redis

r = redis.Redis()

def snapshot(run):
    with r.lock("snapshots", timeout=6000):
        run()
'''
