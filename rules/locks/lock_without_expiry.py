r"""A lock or lock key never expires: the process that holds it when it crashes holds it for ever.

Why: `finally` does not run when a container is killed, a host dies or a deploy runs out of patience. A lock kept as a plain key
then stays until somebody finds it and deletes it by hand, and everybody who needs it waits. `redis.lock()` has no time to live
unless `timeout=` is given, `redis_lock.Lock` none unless `expire=`, SETNX none at all, huey's `lock_task` and memcached's
`add(expire=0)` none either.

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
    Section,
    System,
    distinct,
    found,
    lock_name,
    rule,
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


def is_mark(system: System, section: Section) -> bool:
    """A key that nobody frees marks that something was seen or done: it is not a lock."""
    if section.releases or section.lock.key is None:
        return not section.releases
    return not any(o.key == section.lock.key for o in system.operations(Op.DELETE, Op.RELEASE, backend=section.lock.backend))


def expires_elsewhere(system: System, section: Section) -> bool:
    """The lifetime is set by a later call on the same key: slow and not atomic, which CL105 reports, but there."""
    expiries = system.operations(Op.EXPIRE, Op.EXTEND, backend=section.lock.backend)
    return any(section.lock.key is not None and o.key == section.lock.key for o in expiries)


def ends(section: Section) -> list[Evidence]:
    if not section.releases:
        return [Evidence(section.acquired, "no lifetime is given, and no release was found")]
    words = "only this frees it" + ("" if section.releases[0].on_error else ", and an exception passes it by")
    return [Evidence(section.releases[0].place, words)]


EXAMPLES = r'''
=== bad: the wrapper's default decides, one file away
--- infra/locks.py
import redis

client = redis.Redis(host="redis")

def named_lock(name, timeout=None):
    return client.lock("lock:" + name, timeout=timeout)
--- billing/tasks.py
from infra.locks import named_lock

def post_invoices(invoices):
    with named_lock("invoices"):  # finding: lock-without-expiry
        for invoice in invoices:
            invoice.post()

=== bad: a decorator's default decides; told once, where the decorator takes the lock
--- infra/locks.py
import redis

client = redis.Redis(host="redis")

def exclusive(name, ttl=None):
    def decorate(function):
        def locked(key):
            with client.lock(f"{name}:{key}", timeout=ttl):  # finding: lock-without-expiry
                return function(key)
        return locked
    return decorate
--- billing/tasks.py
from infra.locks import exclusive

@exclusive("invoice")
def post_invoice(invoice):
    invoice.post()

=== bad: SETNX without a lifetime, released only when all goes well
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if r.setnx("job:running", "1"):  # finding: lock-without-expiry
        job.run()
        r.delete("job:running")

=== bad: SET NX without a lifetime
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if not r.set("job:running", "1", nx=True):  # finding: lock-without-expiry
        return
    try:
        job.run()
    finally:
        r.delete("job:running")

=== bad: python-redis-lock without expire
--- worker.py
import redis
import redis_lock

r = redis.Redis()

def work(job):
    with redis_lock.Lock(r, "job"):  # finding: lock-without-expiry
        job.run()

=== good: every caller of the wrapper gives a lifetime
--- infra/locks.py
import redis

client = redis.Redis(host="redis")

def named_lock(name, timeout=None):
    return client.lock("lock:" + name, timeout=timeout)
--- billing/tasks.py
from infra.locks import named_lock

LOCK_SECONDS = 120

def post_invoices(invoices):
    with named_lock("invoices", timeout=LOCK_SECONDS):
        for invoice in invoices:
            invoice.post()

=== good: a ZooKeeper lock ends with its session
--- worker.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def work(job):
    with zk.Lock("/locks/job"):
        job.run()

=== good: a Postgres advisory lock ends with its connection
--- worker.py
import psycopg2

db = psycopg2.connect("dbname=shop")

def work(job):
    cur = db.cursor()
    cur.execute("SELECT pg_advisory_lock(42)")
    try:
        job.run()
    finally:
        cur.execute("SELECT pg_advisory_unlock(42)")

=== good: Django's cache.add expires after 300 seconds by default
--- worker.py
from django.core.cache import cache

def work(job):
    if not cache.add("job:running", "1"):
        return
    try:
        job.run()
    finally:
        cache.delete("job:running")

=== good: a mark that a message was seen is meant to stay
--- consumer.py
import redis

r = redis.Redis()

def consume(message):
    if not r.set(f"seen:{message.id}", "1", nx=True):
        return
    message.handle()

=== good: the lifetime is in the command
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if not r.set("job:running", "1", nx=True, ex=60):
        return
    try:
        job.run()
    finally:
        r.delete("job:running")

=== good: the lifetime comes from settings and is not known
--- worker.py
import redis
from django.conf import settings

r = redis.Redis()

def work(job):
    with r.lock("job", timeout=settings.JOB_LOCK_SECONDS):
        job.run()

=== good: a lock that renews itself
--- worker.py
import redis
import redis_lock

r = redis.Redis()

def work(job):
    with redis_lock.Lock(r, "job", expire=60, auto_renewal=True):
        job.run()
'''
