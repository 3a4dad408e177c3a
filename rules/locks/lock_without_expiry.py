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
    Outcome,
    Section,
    System,
    distinct,
    found,
    lock_name,
    rule,
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
    yield from claims_without_end(system)


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
    """The lifetime is set by a later call on the same key: slow and not atomic, which CL105 reports, but there."""
    expiries = system.operations(Op.EXPIRE, Op.EXTEND, backend=section.lock.backend)
    if section.lock.key == "{}":  # whatever a caller passes: the same name in the same file
        return any(o.key_text == section.lock.key_text and o.place.path == section.path for o in expiries)
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

=== bad: scripts take and free several keys at once, and the one that takes them gives no lifetime
--- reports/locks.py
import redis

TAKE = """
for i = 1, #KEYS do
    if redis.call("exists", KEYS[i]) == 1 then
        return KEYS[i]
    end
end
for i = 1, #KEYS do
    redis.call("set", KEYS[i], ARGV[1])
end
return nil
"""
FREE = """
for i = 1, #KEYS do
    if redis.call("get", KEYS[i]) == ARGV[1] then
        redis.call("del", KEYS[i])
    end
end
"""

class Claims:
    def __init__(self, host, worker):
        self.client = redis.Redis(host=host)
        self.worker = worker

    def take(self, sources):
        keys = ["report:" + source for source in sources]
        return self.client.register_script(TAKE)(keys=keys, args=[self.worker])  # finding: lock-without-expiry

    def free(self, sources):
        keys = ["report:" + source for source in sources]
        self.client.register_script(FREE)(keys=keys, args=[self.worker])
--- reports/build.py
from reports.locks import Claims

def build(claims: Claims, sources, render):
    if claims.take(sources):
        return None
    try:
        return render(sources)
    finally:
        claims.free(sources)

=== good: the script gives the keys a lifetime
--- reports/locks.py
import redis

TAKE = """
for i = 1, #KEYS do
    if redis.call("exists", KEYS[i]) == 1 then
        return KEYS[i]
    end
end
for i = 1, #KEYS do
    redis.call("set", KEYS[i], ARGV[1], "PX", ARGV[2])
end
return nil
"""
FREE = """
for i = 1, #KEYS do
    if redis.call("get", KEYS[i]) == ARGV[1] then
        redis.call("del", KEYS[i])
    end
end
"""

class Claims:
    def __init__(self, host, worker):
        self.client = redis.Redis(host=host)
        self.worker = worker

    def take(self, sources):
        keys = ["report:" + source for source in sources]
        return self.client.register_script(TAKE)(keys=keys, args=[self.worker, 60000])

    def free(self, sources):
        keys = ["report:" + source for source in sources]
        self.client.register_script(FREE)(keys=keys, args=[self.worker])

=== good: a script that marks what was seen, and none that frees
--- inbox/seen.py
import redis

SEEN = """
if redis.call("exists", KEYS[1]) == 1 then
    return 0
end
redis.call("set", KEYS[1], ARGV[1])
return 1
"""

client = redis.Redis()

def is_new(message):
    return client.eval(SEEN, 1, "seen:" + message.id, "1")

=== bad: taken between WATCH and EXEC, and freed in another file
--- reports/claims.py
import redis

client = redis.Redis(host="redis")

def lock_key(report):
    return f"report:{report}:builder"

def take(report, worker):
    with client.pipeline() as pipe:
        pipe.watch(lock_key(report))
        if pipe.get(lock_key(report)):
            return False
        pipe.multi()
        pipe.set(lock_key(report), worker)  # finding: lock-without-expiry
        pipe.execute()
        return True
--- reports/build.py
from reports.claims import client, lock_key, take

def build(report, worker):
    if take(report, worker):
        report.build()
        client.delete(lock_key(report))

=== bad: a script that looks and sets, in a helper that takes the key, beside a store that expires other keys
--- infra/locks.py
import redis

client = redis.Redis(host="redis")
TAKE = """
if redis.call("exists", KEYS[1]) == 1 then
    return 0
end
redis.call("set", KEYS[1], ARGV[1])
return 1
"""
FREE = """
if redis.call("get", KEYS[1]) == ARGV[1] then
    return redis.call("del", KEYS[1])
end
"""

def take_lock(key, owner):
    return client.eval(TAKE, 1, key, owner)  # finding: lock-without-expiry

def free_lock(key, owner):
    return client.eval(FREE, 1, key, owner)
--- infra/sessions.py
from infra.locks import client

def touch(key):
    client.expire(key, 3600)
--- jobs.py
from infra.locks import free_lock, take_lock

def run(job, owner):
    if not take_lock("lock:job", owner):
        return
    try:
        job.run()
    finally:
        free_lock("lock:job", owner)

=== good: the script gives the key a lifetime
--- infra/locks.py
import redis

client = redis.Redis(host="redis")
TAKE = """
if redis.call("exists", KEYS[1]) == 1 then
    return 0
end
redis.call("setex", KEYS[1], 30, ARGV[1])
return 1
"""
FREE = """
if redis.call("get", KEYS[1]) == ARGV[1] then
    return redis.call("del", KEYS[1])
end
"""

def run(job, owner):
    if not client.eval(TAKE, 1, "lock:job", owner):
        return
    try:
        job.run()
    finally:
        client.eval(FREE, 1, "lock:job", owner)

=== good: taken between WATCH and EXEC with a lifetime; a record that is changed in the same way
--- reports/claims.py
import redis

client = redis.Redis(host="redis")

def take(report, worker):
    with client.pipeline() as pipe:
        pipe.watch(f"lock:{report}")
        if pipe.get(f"lock:{report}"):
            return False
        pipe.multi()
        pipe.set(f"lock:{report}", worker, ex=600)
        pipe.execute()
        return True

def free(report):
    client.delete(f"lock:{report}")

def rename(user, name):
    with client.pipeline() as pipe:
        pipe.watch(f"profile:{user}")
        if not pipe.get(f"profile:{user}"):
            return
        pipe.multi()
        pipe.set(f"profile:{user}", name)
        pipe.execute()

def forget(user):
    client.delete(f"profile:{user}")

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

=== good: a record that is put, and put only if it is absent where a caller two calls away says so
--- state/store.py
import redis

class Store:
    def __init__(self):
        self.client = redis.Redis(host="redis")

    def put(self, key, value, overwrite):
        if not overwrite:
            return self.client.set(key, value, nx=True)
        return self.client.set(key, value)

    def forget(self, key):
        return self.client.delete(key)
--- state/api.py
from state.store import Store

store = Store()

def put(key, value, overwrite=False):
    return store.put(key, value, overwrite)

def forget(key):
    return store.forget(key)
--- cluster/publish.py
from state.api import forget, put

def publish(name, text):
    if not text:
        forget(f"cluster:lock:{name}")
        return
    put(f"cluster:lock:{name}", text, overwrite=True)

def publish_all(texts):
    for name, text in texts.items():
        publish(name, text)
        forget(f"cluster:lock:{name}")
'''
