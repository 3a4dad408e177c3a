r"""A lease or lock key is extended without checking that it is still ours.

Why: EXPIRE does not ask who holds the key. A holder whose lease ran out and whose key another process took keeps on prolonging the lock of that other
process: it believes to be the holder, the other does too, and neither lock ever ends. SET with a lifetime but without XX or a comparison even writes
its own name over the other's.

Instead: extend with the token compared in the same step: redis-py's `lock.extend()` and `lock.reacquire()`, a script that compares and calls PEXPIRE,
etcd's and Consul's keepalive. When it fails, stop the work.

Fine when: the comparison and the EXPIRE are one script or stand between WATCH and MULTI; the EXPIRE belongs to the acquire itself (then it is
not atomic, which is another finding); the keepalive's failure ends the work.

Known misses: a keepalive in a thread whose failure is logged only.

Sources: Redis documentation, Distributed Locks (extending the lock); redis-py documentation, Lock.extend.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    Section,
    System,
    call_name,
    found,
    lock_name,
    rule,
    sounds_like_lock,
    told,
)

STORES = ("redis", "memcached", "django-cache")


@rule("CL123", severity=WARNING)
def unsafe_renewal(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True, backend=STORES):
        if not sounds_like_lock(section.lock.key_text, section.symbol, *section.lock.via):
            continue
        if not section.lock.by_hand or section.lock.key in (None, "", "{}") or system.inner(section) is not None:
            continue
        for operation in system.operations(Op.EXPIRE, Op.WRITE, backend=section.lock.backend):
            if operation.key != section.lock.key or operation.atomic or operation.conditional or is_part_of_acquire(section, operation):
                continue
            if operation.op is Op.WRITE and (operation.ttl is None or operation.ttl.kind == "never"):
                continue
            yield found(
                f"{call_name(operation)} prolongs {lock_name(section.lock)} whoever holds it: after the lease of {told(section.lock.lifetime)} it may be "
                "another's",
                at=operation,
                because=[(section.acquired, "the lock is taken here")],
                confidence=HIGH if operation.op is Op.EXPIRE else MEDIUM,
            )


def is_part_of_acquire(section: Section, operation: Operation) -> bool:
    """An EXPIRE right behind the acquire gives the key its lifetime: not atomic, but no renewal."""
    near = 0 <= operation.place.line - section.acquired.line <= 3
    return operation.symbol == section.symbol and (near or section.lock.lifetime.kind == "never")


EXAMPLES = r'''
=== bad: a heartbeat that prolongs whoever's lock it is
--- leader/guard.py
import redis

r = redis.Redis()
KEY = "scheduler:lock"

def acquire(name):
    return r.set(KEY, name, nx=True, ex=30)
--- leader/beat.py
from leader.guard import KEY, acquire, r

def run(name, work):
    if not acquire(name):
        return
    while True:
        work()
        r.expire(KEY, 30)  # finding: unsafe-renewal

=== bad: written again, over whoever holds it
--- worker.py
import redis

r = redis.Redis()

def work(name, jobs):
    if not r.set("lock:jobs", name, nx=True, ex=30):
        return
    for job in jobs:
        job.run()
        r.set("lock:jobs", name, ex=30)  # finding: unsafe-renewal
    r.delete("lock:jobs")

=== good: a script compares and prolongs
--- worker.py
import redis

r = redis.Redis()
EXTEND = """
if redis.call("get", KEYS[1]) == ARGV[1] then
    return redis.call("pexpire", KEYS[1], ARGV[2])
end
return 0
"""

def work(name, jobs):
    if not r.set("lock:jobs", name, nx=True, ex=30):
        return
    for job in jobs:
        job.run()
        if not r.eval(EXTEND, 1, "lock:jobs", name, 30000):
            raise RuntimeError("lost the lock")

=== good: redis-py compares the token
--- worker.py
import redis

r = redis.Redis()

def work(jobs):
    with r.lock("jobs", timeout=30) as lock:
        for job in jobs:
            job.run()
            lock.extend(30, replace_ttl=True)

=== good: the expiry of another key
--- worker.py
import redis

r = redis.Redis()

def work(name, jobs):
    if not r.set("lock:jobs", name, nx=True, ex=30):
        return
    for job in jobs:
        job.run()
        r.expire("stats:jobs", 30)

=== good: the lifetime that belongs to the acquire is another finding
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if not r.setnx("lock:job", "1"):
        return
    r.expire("lock:job", 30)
    job.run()
    r.delete("lock:job")
'''
