r"""A lock is acquired, work is done and the lock is released, but an exception in between skips the release.

Why: the release stands behind the work like any other statement. The first exception leaves the lock taken: until its lease ends where it has
one, for ever where it has none, and for a thread lock until the process is restarted. The failure that follows, everybody waiting, is far from its cause.

Instead: `with lock:`, or `try:` right behind the acquire and the release in `finally:`.

Fine when: `with`, `try ... finally` or an ExitStack release it; the lock is handed on and released elsewhere; nothing releases it at all,
because a short lease is meant to run out (a debounce); a lease of a minute at most ends a lock that nobody waits for and that only saves work; something else than the lock decides whether it is released early; the
release stands in an `except` as well as behind the work; a lock of one process, in a command that the exception ends.

It is a note where a lease of a minute at most ends a lock for which nobody waits.

Known misses: code between acquire and release that cannot raise is not told from code that can, beyond what is known to do nothing outside.

Sources: Python documentation, threading, "Using locks in the with statement"; redis-py documentation, Lock.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Place,
    Scope,
    Section,
    System,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    told,
    trail,
)

MOST_CALLERS = 40
SHORT = 60.0  # seconds
EVERYTHING = frozenset({"Exception", "BaseException", "builtins.Exception", "builtins.BaseException", "*"})


@rule("CL108", severity=WARNING)
def lock_not_released_on_error(system: System) -> Iterator[Found]:
    reported: set[Place] = set()
    for section in system.critical_sections():
        if section.how != "acquire" or section.escapes or section.shares_fate or not section.releases:
            continue
        if any(release.on_error or release.only_on_error for release in section.releases) or section.releases[-1].chosen:
            continue
        if heals_itself(section):
            continue
        risky = what_can_raise(system, section)
        if not risky or section.acquired in reported or ends_its_process(system, section):
            continue
        reported.add(section.acquired)  # an attribute that may hold one of several locks
        last = section.releases[-1]
        yield found(
            f"an exception between acquire and release leaves {lock_name(section.lock)} taken ({how_long(section)})",
            at=section,
            because=distinct([*risky[:2], Evidence(last.place, "and then this release is not reached"), *trail(section)], besides=section.acquired),
            severity=WARNING if (section.effects or section.reads) and not ends_soon(section) else INFO,
            confidence=HIGH if section.effects or section.reads else MEDIUM,
        )


def heals_itself(section: Section) -> bool:
    """A short lease of a lock that nobody waits for, and that only saves work: whoever comes a minute later finds it gone."""
    return ends_soon(section) and section.purpose.kind == "performance"


def ends_soon(section: Section) -> bool:
    """A lease of a minute at most, for which nobody waits: who comes meanwhile leaves the work undone once."""
    lease = section.lock.lifetime.seconds
    return lease is not None and lease <= SHORT and section.skips_when_busy


def what_can_raise(system: System, section: Section) -> list[Evidence]:
    """The calls inside that leave the process, and so fail now and then; those whose body is not known as well."""
    reached = [e for e in (*section.effects, *section.reads) if not is_caught(system, section, e)]
    known = [Evidence(e.place, f"{effect_name(e.operation)} can raise") for e in reached]
    if not known and (section.effects or section.reads):
        return []
    return known or [Evidence(place, "this call can raise") for place in section.unresolved]


def is_caught(system: System, section: Section, effect: Effect) -> bool:
    """Whether a handler of everything stands around it and not around the release: what it raises ends before the release."""
    around = system.guards_at(effect.chain[0] if effect.chain else effect.place)
    ends_behind = system.guards_at(section.releases[-1].place)
    return any(g.goes_on and EVERYTHING & set(g.catches) and g not in ends_behind for g in around)


def ends_its_process(system: System, section: Section) -> bool:
    """Whether the lock goes with its process, or with the process's session: only commands come here, and nobody on the way handles what is raised."""
    if section.lock.model.scope is not Scope.PROCESS and not section.lock.model.session_bound:
        return False
    ends = ("command",) if section.lock.model.scope is Scope.PROCESS else ("command", "main")
    entries = system.entries_reaching(section.symbol)
    return bool(entries) and all(e.kind in ends for e in entries) and not is_survived(system, section.symbol)


def is_survived(system: System, symbol: str) -> bool:
    """Whether a handler of everything stands around a call on some way to a function."""
    todo, seen = [symbol], {symbol}
    while todo and len(seen) < MOST_CALLERS:
        for caller, at in system.callers(todo.pop()):
            if any(g.action not in ("raise", "exit") and EVERYTHING & set(g.catches) for g in system.guards_at(at)):
                return True
            if caller not in seen:
                seen.add(caller)
                todo.append(caller)
    return bool(todo)


def how_long(section: Section) -> str:
    match section.lock.lifetime.kind:
        case "seconds":
            return f"until its lease of {told(section.lock.lifetime)} ends"
        case "never":
            return "for ever"
        case "session":
            return "as long as its session or process lives"
        case _:
            return "until its lease ends, if it has one"


EXAMPLES = r'''
=== bad: the release stands behind a payment in another file
--- shop/billing.py
import stripe

def charge(order_id):
    stripe.Charge.create(amount=500, currency="eur", idempotency_key=order_id)
--- shop/tasks.py
import redis

from shop.billing import charge

r = redis.Redis()

def settle(order_id):
    lock = r.lock(f"order:{order_id}", timeout=300)
    lock.acquire()  # finding: lock-not-released-on-error
    charge(order_id)
    lock.release()

=== bad: a thread lock around a query
--- counter.py
import threading

import psycopg2

db = psycopg2.connect("dbname=shop")
lock = threading.Lock()

def count():
    lock.acquire()  # finding: lock-not-released-on-error
    cur = db.cursor()
    cur.execute("SELECT count(*) FROM orders")
    total = cur.fetchone()[0]
    lock.release()
    return total

=== bad: the command's loop goes on whatever is raised, with a seat less
--- shop/management/commands/announce.py
import threading

from django.core.management.base import BaseCommand

from shop.models import News

class Command(BaseCommand):
    def __init__(self):
        self.seats = threading.BoundedSemaphore(4)

    def handle(self, *args, **options):
        while True:
            try:
                self.one()
            except Exception:
                print("failed")

    def one(self):
        self.seats.acquire()  # finding: lock-not-released-on-error
        News.objects.filter(sent=None).update(sent=True)
        self.seats.release()
--- shop/models.py
from django.db import models

class News(models.Model):
    sent = models.BooleanField(null=True)

=== bad: SET NX, work, delete
--- worker.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post():
    if not r.set("lock:invoices", "1", nx=True, ex=600):  # finding: lock-not-released-on-error
        return
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    r.delete("lock:invoices")

=== bad: released on every way out but the exception's
--- worker.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post(ids):
    lock = r.lock("invoices", timeout=60)
    lock.acquire()  # finding: lock-not-released-on-error
    for i in ids:
        cur = db.cursor()
        cur.execute("SELECT state FROM invoices WHERE id = %s", (i,))
        if cur.fetchone() is None:
            lock.release()
            return i
    lock.release()
    return None

=== bad: a function hands the lock over, and a way out of its caller forgets it
--- shop/locks.py
import etcd

client = etcd.Client(host="etcd")


def take(name):
    lock = etcd.Lock(client, name)
    lock.acquire(blocking=True, lock_ttl=60, timeout=300)
    if not lock.is_acquired:
        raise TimeoutError(name)
    return lock
--- shop/publish.py
import subprocess

from shop.locks import take


def publish(folder):
    lock = take("publish")  # finding: lock-not-released-on-error
    try:
        subprocess.run(["git", "push"], cwd=folder, check=True)
    except subprocess.CalledProcessError:
        return "not published"
    lock.release()
    return "published"

=== good: half a minute's lease on a sweep that others skip: after a failure it ends before the next round
--- app/sweep.py
import redis

r = redis.Redis(host="redis")


def sweep(room):
    try:
        mark = f"sweep-lock:{room}"
        if not r.set(mark, "1", nx=True, px=30000):
            return
        if r.hexists("rooms", room):
            r.hdel("rooms", room)
        r.delete(mark)
    except Exception as problem:
        print("left to its lease", problem)

=== bad: the same with a lease of a quarter of an hour
--- app/sweep.py
import redis

r = redis.Redis(host="redis")


def sweep(room):
    mark = f"sweep-lock:{room}"
    if not r.set(mark, "1", nx=True, ex=900):  # finding: lock-not-released-on-error
        return
    if r.hexists("rooms", room):
        r.hdel("rooms", room)
    r.delete(mark)

=== good: a role that is kept for the life of the process, and given back where it turns out to be lost
--- app/role.py
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, LockTimeout


class Role:
    def __init__(self, hosts, me):
        self.zk = KazooClient(hosts=hosts)
        self.flag = threading.Event()
        self.lock = self.zk.Lock("/app/role", me)

    def take(self, wait):
        try:
            if self.lock.acquire(timeout=wait):
                self.flag.set()
        except (ConnectionLoss, LockTimeout):
            pass
        if self.is_held():
            return "new"
        return None

    def is_held(self):
        if self.zk.connected and self.flag.is_set():
            return True
        else:
            self.give_back()
            return False

    def give_back(self):
        self.flag.clear()
        self.lock.release()

=== good: a role that each round takes and keeps; only who did not get it tidies up, and gives back what may be left
--- app/rounds.py
import logging
import time

import psycopg2
from kazoo.client import KazooClient

zk = KazooClient(hosts="zookeeper")
zk.start()
db = psycopg2.connect("dbname=shop")


class Writer:
    def __init__(self, me):
        self.lock = zk.Lock("/shop/writer", me)

    def step_down(self):
        self.lock.release()

    def round(self):
        if not self.lock.acquire(blocking=False):
            self.step_down()
            return
        db.cursor().execute("UPDATE carts SET state = 'old' WHERE stale")

    def run(self):
        while True:
            try:
                self.round()
            except Exception:
                logging.exception("the round failed")
            time.sleep(5)

=== good: with
--- worker.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post():
    with r.lock("invoices", timeout=60):
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")

=== good: try and finally
--- worker.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post():
    lock = r.lock("invoices", timeout=60)
    lock.acquire()
    try:
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    finally:
        lock.release()

=== good: an ExitStack
--- worker.py
from contextlib import ExitStack

import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post():
    with ExitStack() as stack:
        stack.enter_context(r.lock("invoices", timeout=60))
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")

=== good: a debounce is never released
--- worker.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post():
    if not r.set("recently:posted", "1", nx=True, ex=5):
        return
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")

=== good: the lock is stored and released by another method
--- worker.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

class Job:
    def start(self):
        self.lock = r.lock("invoices", timeout=60)
        self.lock.acquire()
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")

    def stop(self):
        self.lock.release()

=== good: left to its lease, which spaces out the rounds, unless there is more to do at once
--- worker.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")
BATCH = 100

def sweep():
    lock = r.lock("sweep", timeout=30)
    if not lock.acquire(blocking=False):
        return
    cur = db.cursor()
    cur.execute("SELECT id FROM carts WHERE stale LIMIT 100")
    carts = cur.fetchall()
    for cart in carts:
        db.cursor().execute("DELETE FROM carts WHERE id = %s", (cart,))
    if len(carts) == BATCH:
        lock.release()

=== good: what the work raises is noted, and the release comes behind
--- worker.py
import logging

import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post(order):
    lock = r.lock(f"order:{order}", timeout=30)
    lock.acquire()
    try:
        db.cursor().execute("UPDATE orders SET state = 'posted' WHERE id = %s", (order,))
    except Exception:
        logging.exception("not posted: %s", order)
    lock.release()

=== good: a handler of everything notes the failure for what follows
--- store.py
import threading

class Store:
    def __init__(self, path):
        self.path = path
        self.guard = threading.Lock()

    def load(self):
        self.guard.acquire()
        try:
            with open(self.path) as f:
                found = f.read()
        except:
            found = None
        self.guard.release()
        return found

=== good: seats of a command's own threads: the exception ends the process
--- shop/management/commands/announce.py
import threading

from django.core.management.base import BaseCommand

from shop.models import News

class Command(BaseCommand):
    def __init__(self):
        self.seats = threading.BoundedSemaphore(4)

    def handle(self, *args, **options):
        while self.one():
            pass

    def one(self):
        if not self.seats.acquire(timeout=1):
            return True
        news = News.objects.filter(sent=None).first()
        if news is None:
            self.seats.release()
            return False
        News.objects.filter(id=news.id).update(sent=True)
        self.seats.release()
        return True
--- shop/models.py
from django.db import models

class News(models.Model):
    sent = models.BooleanField(null=True)

=== good: the lock is kept in a table for as long as the tenant is served
--- bots.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

class Bots:
    def __init__(self):
        self.locks = {}

    def take(self, tenants):
        for tenant in tenants:
            lock = r.lock(f"bot:{tenant}", timeout=1800)
            if not lock.acquire(blocking=False):
                continue
            self.locks[tenant] = lock
            db.cursor().execute("UPDATE bots SET state = 'up' WHERE tenant = %s", (tenant,))
        for tenant in list(self.locks):
            if self.is_gone(tenant):
                self.locks[tenant].release()

    def is_gone(self, tenant):
        cur = db.cursor()
        cur.execute("SELECT gone FROM tenants WHERE id = %s", (tenant,))
        return cur.fetchone()[0]

=== good: nothing between acquire and release leaves the process
--- counter.py
import threading

lock = threading.Lock()
total = 0

def count():
    global total
    lock.acquire()
    total += 1
    lock.release()

=== good: a handler of everything gives it back; after a success the task does
--- app/locks.py
import redis

r = redis.Redis()

def take(email):
    return bool(r.set(f"setup:lock:{email}", "1", nx=True, ex=360))

def give_back(email):
    r.delete(f"setup:lock:{email}")
--- app/views.py
import psycopg2
from app.locks import give_back, take

db = psycopg2.connect("dbname=shop")

def start(email, task):
    if not take(email):
        return 409
    try:
        db.cursor().execute("INSERT INTO trials (email) VALUES (%s)", (email,))
        task.delay(email)
    except Exception:
        give_back(email)
        raise
    return 200
'''
