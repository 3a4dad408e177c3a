r"""A `with` over a lock whose library runs the body although the lock was not obtained, and nothing in it asks.

Why: `with lock:` reads as "only with the lock", and for most libraries it is. The locks of etcd3 and aetcd give up after ten
seconds, that of etcd3gw tries once, and all three then enter the body; `pglock.advisory(timeout=0)` and
`advisory_lock(wait=False)` bind False and enter it; aiocache's RedLock never keeps anybody out, it only guards against stampedes. The body then
runs beside the holder's, exactly when there is contention. So it is with a context manager or a decorator of the project's own that tries for a
lock, and then yields or calls the function whether it was had or not.

Instead: acquire by hand and look: `if not lock.acquire(timeout=5): raise Busy`, then `try: ... finally: lock.release()`; with pglock,
`with pglock.advisory(name, timeout=0) as acquired: if acquired: ...`, or `side_effect=pglock.Raise`.

Fine when: the body tests ownership (`is_acquired()`, the bound value) before it does anything; the library raises, as those of redis-py,
python-redis-lock, pottery and kazoo do.

Known misses: a subclass of the project's own that raises in `__enter__` is believed to do what its base does, if it does not show.

Sources: the libraries' sources (etcd3 0.12, etcd3gw 2.7, aetcd 1.0, django-pglock 1.8, aiocache 0.12), each run against a lock that was taken.
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
    OnBusy,
    Place,
    Section,
    System,
    distinct,
    effect_name,
    found,
    lock_name,
    required_below,
    rule,
    trail,
)


@rule("CL107", severity=ERROR)
def body_runs_without_lock(system: System) -> Iterator[Found]:
    for section in system.critical_sections():
        if section.how != "with" or section.on_busy not in (OnBusy.ENTERS, OnBusy.YIELDS_FALSE):
            continue
        if section.tested or section.checked or section.can_fail is False:
            continue
        if section.lock.model.stampede_only and not any(effect.harmful_when_late for effect in section.effects):
            continue
        yield found(
            f"the body runs even when {lock_name(section.lock)} was not obtained: {section.lock.library} {what_it_does(section)}, and "
            "nothing here asks",
            at=section,
            because=distinct([*inside(section), *trail(section)], besides=section.acquired),
            confidence=HIGH if section.can_fail else MEDIUM,
            help=cure(section),
        )
    yield from wrapped(system)
    yield from by_old_versions(system)


def by_old_versions(system: System) -> Iterator[Found]:
    """A `with` whose wait is limited, over a lock of a version that throws the refusal away and enters."""
    for section in system.critical_sections():
        since, package = section.lock.model.enters_before, section.lock.library
        is_limited = section.wait.kind == "seconds" or (section.wait.kind == "unknown" and section.wait.place is not None)
        if section.how != "with" or since is None or not is_limited or section.tested or section.checked:
            continue
        old = required_below(system, package, since)
        if old is None or not (section.effects or section.unresolved):
            continue
        yield found(
            f"the body runs even when {lock_name(section.lock)} was not obtained: {package} before {since[0]}.{since[1]} enters when it gives up waiting, and nothing here asks",
            at=section,
            because=distinct([Evidence(old, f"a version below {since[0]}.{since[1]} is required here"), *inside(section), *trail(section)], besides=section.acquired),
            confidence=HIGH if section.wait.kind == "seconds" and section.effects else MEDIUM,
            help=f"Require {package} {since[0]}.{since[1]} or later, whose `with` raises; or acquire by hand and look at the answer.",
        )


def wrapped(system: System) -> Iterator[Found]:
    """Wrappers of the project's own that go on to the work on the way on which the lock was refused as well: each once."""
    users: dict[Place, list[Section]] = {}
    for section in system.critical_sections():
        if section.without is not None and section.how in ("with", "decorator") and not section.checked and (section.effects or section.unresolved):
            users.setdefault(section.without, []).append(section)
    for at, sections in sorted(users.items()):
        worst = min(sections, key=lambda s: (not s.effects, s.acquired))
        inner = system.inner(worst)
        yield found(
            f"this is reached also when {lock_name(worst.lock)} was refused: what is called under it runs without the lock",
            at=at,
            symbol=(inner or worst).symbol,
            because=distinct([*trail(worst), *(Evidence(s.acquired, "the lock is asked for here, and nobody looks whether it was had") for s in sections[:3]), *inside(worst)], besides=at),
            severity=ERROR if worst.effects else WARNING,
            confidence=HIGH if worst.effects and worst.can_fail else MEDIUM,
            help="Raise where the acquire was refused (or return without calling the work), so that what stands inside runs under the lock or not at all.",
        )


def what_it_does(section: Section) -> str:
    if section.lock.model.stampede_only:
        return "keeps nobody out"
    return "binds False and goes on" if section.on_busy is OnBusy.YIELDS_FALSE else "enters when it gives up waiting"


def inside(section: Section) -> list[Evidence]:
    known = [Evidence(e.place, f"{effect_name(e.operation)} runs all the same") for e in section.effects[:2]]
    return known or [Evidence(place, "this runs all the same") for place in section.unresolved[:1]]


def cure(section: Section) -> str:
    if section.lock.model.stampede_only:
        return "This lock only spares repeated computing. Use a lock that excludes, and let the target refuse a late write."
    if section.on_busy is OnBusy.YIELDS_FALSE:
        return "Bind the result and test it: `with ... as acquired: if not acquired: return`, or let the library raise (side_effect=pglock.Raise)."
    return "Acquire by hand and look: `if not lock.acquire(timeout=5): raise Busy`, then the work in `try` and `lock.release()` in `finally`."


EXAMPLES = r'''
=== bad: etcd3 enters after ten seconds, through a factory in another module
--- infra/locks.py
import etcd3

client = etcd3.client(host="etcd")

def job_lock(name):
    return client.lock(f"job-{name}", ttl=60)
--- billing/run.py
import psycopg2

from infra.locks import job_lock

db = psycopg2.connect("dbname=shop")

def post_invoices():
    with job_lock("invoices"):  # finding: body-runs-without-lock
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()

=== bad: etcd3gw tries once and enters
--- run.py
import psycopg2
from etcd3gw.client import Etcd3Client

client = Etcd3Client(host="etcd")
db = psycopg2.connect("dbname=shop")

def post_invoices():
    with client.lock("invoices", ttl=60):  # finding: body-runs-without-lock
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()

=== bad: aetcd, the same
--- run.py
import aetcd

async def post_invoices(session):
    client = aetcd.Client()
    async with client.lock(b"invoices", ttl=60):  # finding: body-runs-without-lock
        await session.commit()

=== bad: a try that binds False, and nobody looks
--- run.py
import pglock

from shop.models import Invoice

def post_invoices():
    with pglock.advisory("invoices", timeout=0):  # finding: body-runs-without-lock
        Invoice.objects.create(state="open")
--- shop/models.py
from django.db import models

class Invoice(models.Model):
    state = models.CharField(max_length=10)

=== good: ownership is tested first
--- run.py
import etcd3
import psycopg2

client = etcd3.client(host="etcd")
db = psycopg2.connect("dbname=shop")

def post_invoices():
    with client.lock("invoices", ttl=60) as lock:
        if not lock.is_acquired():
            return
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()

=== good: the bound value decides
--- run.py
import pglock

from shop.models import Invoice

def post_invoices():
    with pglock.advisory("invoices", timeout=0) as acquired:
        if acquired:
            Invoice.objects.create(state="open")
--- shop/models.py
from django.db import models

class Invoice(models.Model):
    state = models.CharField(max_length=10)

=== good: an advisory lock that waits
--- run.py
import pglock

from shop.models import Invoice

def post_invoices():
    with pglock.advisory("invoices"):
        Invoice.objects.create(state="open")
--- shop/models.py
from django.db import models

class Invoice(models.Model):
    state = models.CharField(max_length=10)

=== good: redis-py raises
--- run.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post_invoices():
    with r.lock("invoices", timeout=60, blocking_timeout=5):
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()

=== good: acquired by hand, with a look
--- run.py
import etcd3
import psycopg2

client = etcd3.client(host="etcd")
db = psycopg2.connect("dbname=shop")

def post_invoices():
    lock = client.lock("invoices", ttl=60)
    if not lock.acquire(timeout=5):
        raise RuntimeError("busy")
    try:
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()
    finally:
        lock.release()

=== good: a stampede guard around computing
--- prices.py
from aiocache import Cache
from aiocache.lock import RedLock

cache = Cache(Cache.REDIS)

async def price(item):
    async with RedLock(cache, f"price:{item.id}", lease=10):
        return item.compute()

=== bad: a context manager of the project's own that yields either way
--- infra/locks.py
from contextlib import contextmanager

import redis

r = redis.Redis()

@contextmanager
def maybe(name):
    lock = r.lock(name, timeout=60)
    got = lock.acquire(blocking=False)
    try:
        yield got  # finding: body-runs-without-lock
    finally:
        if got:
            lock.release()
--- billing/run.py
import psycopg2

from infra.locks import maybe

db = psycopg2.connect("dbname=shop")

def post_invoices():
    with maybe("invoices"):
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()

=== bad: a decorator that only logs the refusal
--- infra/locks.py
import functools
import logging

import redis

r = redis.Redis()
log = logging.getLogger(__name__)

def locked(name):
    def decorate(fn):
        @functools.wraps(fn)
        def wrapper(*args, **kwargs):
            if not r.set(f"lock:{name}", "1", nx=True, ex=60):
                log.warning("%s is busy", name)
            try:
                return fn(*args, **kwargs)  # finding: body-runs-without-lock
            finally:
                r.delete(f"lock:{name}")
        return wrapper
    return decorate
--- billing/run.py
import psycopg2

from infra.locks import locked

db = psycopg2.connect("dbname=shop")

@locked("invoices")
def post_invoices():
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    db.commit()

=== bad: a class whose `__aenter__` keeps the answer to itself
--- run.py
import redis.asyncio as redis

r = redis.Redis()

class Guard:
    def __init__(self, name):
        self.lock = r.lock(name, timeout=60)

    async def __aenter__(self):
        self.got = await self.lock.acquire(blocking=False)
        return self  # finding: body-runs-without-lock

    async def __aexit__(self, *exc):
        if self.got:
            await self.lock.release()

async def post_invoices(db):
    async with Guard("invoices"):
        await db.execute("INSERT INTO invoices (state) VALUES ('open')")
        await r.rpush("invoices", "open")

=== good: wrappers that raise, return or tell, and callers who ask
--- infra/locks.py
import functools
from contextlib import contextmanager

import redis

r = redis.Redis()

@contextmanager
def maybe(name):
    lock = r.lock(name, timeout=60)
    got = lock.acquire(blocking=False)
    try:
        yield got
    finally:
        if got:
            lock.release()

@contextmanager
def surely(name):
    lock = r.lock(name, timeout=60)
    if not lock.acquire(blocking_timeout=5):
        raise RuntimeError("busy")
    try:
        yield
    finally:
        lock.release()

def locked(name):
    def decorate(fn):
        @functools.wraps(fn)
        def wrapper(*args, **kwargs):
            lock = r.lock(name, timeout=60)
            if lock.acquire(blocking=False):
                try:
                    return fn(*args, **kwargs)
                finally:
                    lock.release()
            return None
        return wrapper
    return decorate
--- billing/run.py
import psycopg2

from infra.locks import locked, maybe, surely

db = psycopg2.connect("dbname=shop")

def post_invoices():
    with maybe("invoices") as got:
        if not got:
            return
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()

def post_more():
    with surely("more"):
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()

@locked("others")
def post_others():
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    db.commit()

=== bad: redis-py before 3.0 enters when it gives up waiting
--- requirements.txt
redis==2.10.6
--- infra/locks.py
import redis

r = redis.StrictRedis()

def job_lock(name):
    return r.lock(f"job-{name}", timeout=60, blocking_timeout=5)
--- billing/run.py
import psycopg2

from infra.locks import job_lock

db = psycopg2.connect("dbname=shop")

def post_invoices():
    with job_lock("invoices"):  # finding: body-runs-without-lock
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()

=== good: an old version that waits without limit, and a later one beside it
--- requirements.txt
redis>=2.10,<3
--- run.py
import psycopg2
import redis

r = redis.StrictRedis()
db = psycopg2.connect("dbname=shop")

def post_invoices():
    with r.lock("invoices", timeout=60):
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()

=== good: nobody says that the version is old
--- requirements.txt
redis>=2.10
--- requirements.lock.txt
redis==4.5.1
--- run.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post_invoices():
    with r.lock("invoices", timeout=60, blocking_timeout=5):
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
        db.commit()
'''
