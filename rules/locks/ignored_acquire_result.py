r"""The result of an acquire that can fail is not tested: the work goes on whether the lock was obtained or not.

Why: an acquire that does not wait, or waits for a limited time, says "no" by its return value. `lock.acquire(blocking=False)`,
`acquire(timeout=5)`, `set(key, value, nx=True)`, `cache.add`, Consul's `kv.put(acquire=...)` and `Redlock.lock()` all do. Whoever does not
look has no lock at all when it matters, which is when somebody else holds it; and the release that follows may free theirs.

Instead: `if not lock.acquire(timeout=5): return` (or raise), and only then the work, with the release in `finally`.

Fine when: the library raises when it fails (kazoo's acquire with a timeout raises LockTimeout); the acquire waits without limit and
returns only with the lock; the result is returned or stored for somebody who looks; `set(nx=True)` gives a key its first value and is no lock.

Known misses: a result that is stored and then never read.

Sources: redis-py, etcd3, py-consul, redlock-py documentation of the calls; Django documentation, cache.add.
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
    Operation,
    Outcome,
    Place,
    Section,
    System,
    call_name,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    sounds_like_lock,
    told,
    trail,
)

ONCE = frozenset({"idempotency", "idempotent", "dedup", "once", "nonce"})


@rule("CL106", severity=ERROR)
def ignored_acquire_result(system: System) -> Iterator[Found]:
    outcomes = {operation.place: operation.outcome for operation in system.operations(Op.ACQUIRE, Op.CREATE)}
    for section in system.critical_sections():
        if section.how in ("with", "decorator", "row-lock") or section.can_fail is not True or section.tested is not False:
            continue
        outcome = outcomes.get(section.acquired)
        if outcome in (Outcome.TESTED, Outcome.RETURNED) or (outcome is None and section.escapes):
            continue
        if outcome is Outcome.USED and not section.releases:
            continue  # stored or passed on: somebody else may look
        if section.checked or (section.lock.by_hand and not is_meant_as_lock(system, section)):
            continue
        yield found(
            f"nobody looks whether {lock_name(section.lock)} was obtained ({how_it_fails(section)}): what follows runs without it "
            "when it is taken",
            at=section,
            because=distinct([*what_follows(section), *trail(section)], besides=section.acquired),
            severity=ERROR if section.effects else WARNING,
            confidence=HIGH if section.effects else MEDIUM,
        )
    for mark in system.operations(Op.ACQUIRE, Op.CREATE, backend=("redis", "memcached", "django-cache")):
        if mark.outcome is Outcome.DEAD and not mark.atomic and not ONCE.isdisjoint(mark.key_words):
            yield found(
                f"nobody looks whether {call_name(mark)} could set \"{mark.key_text or mark.key}\": the second request goes on like the first",
                at=mark,
                severity=WARNING if is_looked_up(system, mark) else ERROR,
                because=[*mark.origin, (mark.place, "the answer says whether the key was there already")],
                confidence=MEDIUM,
                help="Test the answer, and stop when the key was there: `if not r.set(key, value, nx=True, ex=...): return`.",
            )


    for create in system.operations(Op.CREATE, Op.ACQUIRE, backend=("etcd", "zookeeper", "consul")):
        for place in system.unheeded(create.symbol) if create.ephemeral or create.op is Op.ACQUIRE else ():
            yield found(
                f"nobody looks whether {create.symbol.rpartition('.')[2]}() could take \"{create.key_text or create.key}\": it answers False where another "
                "holds the key, and what follows goes on as after a success",
                at=place,
                symbol=caller_at(system, create.symbol, place),
                severity=WARNING,
                because=[(create.place, "the key is taken here, or is not"), *create.origin],
                confidence=MEDIUM,
                help="Test the answer, and stop or try again where it is False; log success only after it is True.",
            )


def caller_at(system: System, symbol: str, place: Place) -> str:
    """The function in which a call stands."""
    return next((caller for caller, at in system.callers(symbol) if at == place), "")


def is_looked_up(system: System, mark: Operation) -> bool:
    """Whether the project also reads the key: the mark may have been looked for before it was set."""
    return any(read.key == mark.key for read in system.operations(Op.READ, backend=mark.backend))


def is_meant_as_lock(system: System, section: Section) -> bool:
    """SET NX also gives a key its first value; a lock is released, or named like one, or says that a thing is done once."""
    lock = section.lock
    if lock.backend in ("consul", "etcd", "zookeeper"):
        return True
    if any(o.key == lock.key for o in system.operations(Op.INCREMENT, backend=lock.backend) if lock.key is not None):
        return False
    if lock.via:  # a wrapper that may do several things
        return sounds_like_lock(lock.key_text, *lock.via)
    return bool(section.releases) or sounds_like_lock(lock.key_text, lock.key, section.symbol.rpartition(".")[2])


def how_it_fails(section: Section) -> str:
    if section.wait.kind == "seconds" and section.wait.seconds:
        return f"it gives up after {told(section.wait)}"
    return "it does not wait"


def what_follows(section: Section) -> list[Evidence]:
    effects = [Evidence(e.place, f"{effect_name(e.operation)} runs all the same") for e in section.effects[:2]]
    releases = [Evidence(r.place, "and this frees the lock, whoever holds it") for r in section.releases[:1] if section.lock.by_hand]
    return [*effects, *releases]


EXAMPLES = r'''
=== bad: an acquire that does not wait, in front of a payment in another file
--- shop/billing.py
import stripe

def charge(order_id):
    stripe.Charge.create(amount=500, currency="eur", metadata={"order": order_id})
--- shop/tasks.py
import redis

from shop.billing import charge

r = redis.Redis()

def settle(order_id):
    lock = r.lock(f"order:{order_id}", timeout=30)
    lock.acquire(blocking=False)  # finding: ignored-acquire-result
    try:
        charge(order_id)
    finally:
        lock.release()

=== bad: an acquire with a limit
--- worker.py
import etcd3
import psycopg2

etcd = etcd3.client()
db = psycopg2.connect("dbname=shop")

def post():
    lock = etcd.lock("invoices", ttl=60)
    lock.acquire(timeout=5)  # finding: ignored-acquire-result
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    db.commit()
    lock.release()

=== bad: SET NX whose answer is dropped
--- worker.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post():
    r.set("lock:invoices", "1", nx=True, ex=60)  # finding: ignored-acquire-result
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    db.commit()
    r.delete("lock:invoices")

=== bad: Redlock answers False
--- worker.py
import psycopg2
from redlock import Redlock

manager = Redlock([{"host": "r1"}, {"host": "r2"}, {"host": "r3"}])
db = psycopg2.connect("dbname=shop")

def post():
    lock = manager.lock("invoices", 10000)  # finding: ignored-acquire-result
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    db.commit()
    manager.unlock(lock)

=== bad: Consul's put answers False when another session holds the key
--- worker.py
import consul
import psycopg2

c = consul.Consul()
db = psycopg2.connect("dbname=shop")

def post():
    session = c.session.create(ttl=30)
    c.kv.put("locks/invoices", "me", acquire=session)  # finding: ignored-acquire-result
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    db.commit()

=== bad: an idempotency key that stops nobody
--- wallet.py
import redis
import stripe

r = redis.Redis()

def pay(request_id, amount):
    r.set(f"idempotency:{request_id}", "1", nx=True, ex=3600)  # finding: ignored-acquire-result
    stripe.Charge.create(amount=amount, currency="eur")

=== bad: a thread lock that is tried and not looked at
--- counter.py
import threading

import psycopg2

lock = threading.Lock()
db = psycopg2.connect("dbname=shop")

def post():
    lock.acquire(blocking=False)  # finding: ignored-acquire-result
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    lock.release()

=== bad: a helper answers that the key was taken already, and success is logged
--- infra/registry.py
import etcd3

class Registry:
    def __init__(self):
        self.client = etcd3.client(host="etcd")

    def enrol(self, name, address, ttl=10):
        if self.client.put_if_not_exists(f"/services/{name}", address, lease=self.client.lease(ttl)):
            return True
        return False
--- worker.py
import logging

from infra.registry import Registry

def start(name, address):
    Registry().enrol(name, address)  # finding: ignored-acquire-result
    logging.info("enrolled %s", name)

=== bad: waits for a limited time, and asks who owns the lock only before it is given back
--- infra/locks.py
import redis
from redis.lock import Lock

client = redis.Redis(host="redis")


def claim(name, seconds=100):
    return Lock(client, name=name, timeout=seconds, blocking_timeout=seconds)
--- plans.py
from infra.locks import claim, client


def replace(plan, steps):
    lock = claim(f"plan:{plan}")
    lock.acquire()  # finding: ignored-acquire-result
    try:
        client.set(f"plan:{plan}:steps", ",".join(steps))
    finally:
        if lock.owned():
            lock.release()

=== good: asks who owns it before the work
--- plans.py
import redis

client = redis.Redis(host="redis")


def replace(plan, steps):
    lock = client.lock(f"plan:{plan}", timeout=100, blocking_timeout=100)
    lock.acquire()
    if not lock.owned():
        raise TimeoutError(plan)
    try:
        client.set(f"plan:{plan}:steps", ",".join(steps))
    finally:
        if lock.owned():
            lock.release()

=== good: the caller of the helper looks
--- infra/registry.py
import etcd3

class Registry:
    def __init__(self):
        self.client = etcd3.client(host="etcd")

    def enrol(self, name, address, ttl=10):
        if self.client.put_if_not_exists(f"/services/{name}", address, lease=self.client.lease(ttl)):
            return True
        return False
--- worker.py
from infra.registry import Registry

def start(name, address):
    if not Registry().enrol(name, address):
        raise RuntimeError(name)

=== good: the result decides
--- worker.py
import redis
import stripe

r = redis.Redis()

def settle(order_id):
    lock = r.lock(f"order:{order_id}", timeout=30)
    if not lock.acquire(blocking=False):
        return
    try:
        stripe.Charge.create(amount=500, currency="eur")
    finally:
        lock.release()

=== good: the result decides through a variable
--- worker.py
import redis
import stripe

r = redis.Redis()

def settle(order_id):
    lock = r.lock(f"order:{order_id}", timeout=30)
    have_lock = lock.acquire(blocking=True, blocking_timeout=5)
    if have_lock:
        try:
            stripe.Charge.create(amount=500, currency="eur")
        finally:
            lock.release()

=== good: kazoo raises LockTimeout
--- worker.py
import stripe
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def settle(order_id):
    lock = zk.Lock(f"/locks/{order_id}")
    lock.acquire(timeout=5)
    try:
        stripe.Charge.create(amount=500, currency="eur")
    finally:
        lock.release()

=== good: it waits without limit, and returns only with the lock
--- worker.py
import redis
import stripe

r = redis.Redis()

def settle(order_id):
    lock = r.lock(f"order:{order_id}", timeout=30)
    lock.acquire()
    try:
        stripe.Charge.create(amount=500, currency="eur")
    finally:
        lock.release()

=== good: the result is handed to the caller, who tests it
--- guard.py
import redis

r = redis.Redis()

def take(name):
    return r.set(f"lock:{name}", "1", nx=True, ex=60)
--- worker.py
import stripe

from guard import take

def settle(order_id):
    if take(order_id):
        stripe.Charge.create(amount=500, currency="eur")

=== good: a cache fill
--- prices.py
from django.core.cache import cache

def warm(item):
    cache.add(f"price:{item.id}", item.compute(), 60)

=== good: a first value for a counter
--- limits.py
import redis

r = redis.Redis()

def hit(user):
    r.set(f"hits:{user}", 0, ex=60, nx=True)
    return r.incr(f"hits:{user}")

=== good: the function adds only when it is asked to, and here it sets
--- app/states.py
from django.core.cache import cache

def mark(name, state, once=False):
    if once:
        return cache.add(f"lock:{name}", state, 600)
    cache.set(f"lock:{name}", state, 600)
--- app/tasks.py
from django.core.cache import cache

from app.states import mark

def work(name, run):
    mark(name, "running")
    run()
    cache.delete(f"lock:{name}")

=== good: the wrapper raises when the lock is busy, and gives the lock to its caller
--- app/locks.py
import redis

r = redis.Redis()

class Busy(Exception):
    pass

def take(name):
    lock = r.lock(f"turn:{name}", timeout=30)
    if not lock.acquire(blocking=True, blocking_timeout=5):
        raise Busy(name)
    return lock
--- app/turns.py
import psycopg2

from app.locks import Busy, take

db = psycopg2.connect("dbname=shop")

def start(name):
    try:
        lock = take(name)
    except Busy:
        return None
    try:
        db.cursor().execute("INSERT INTO turns (state) VALUES ('open')")
    finally:
        lock.release()

=== good: the answer is fetched, and given to the caller of the context manager
--- store/locks.py
from contextlib import contextmanager

import psycopg2

db = psycopg2.connect("dbname=shop")

@contextmanager
def row_lock(number):
    cur = db.cursor()
    held = False
    try:
        cur.execute("SELECT pg_try_advisory_lock(%s)", (number,))
        held = cur.fetchone()[0]
        yield held
    finally:
        cur.execute("SELECT pg_advisory_unlock(%s)", (number,))
'''
