r"""Work inside a lease that is finite and not renewed can take longer than the lease.

Why: the lease is a promise to others that the holder will be done by then. An HTTP call without a timeout, or with one as long as the lease, a program
that is started without a limit or a sleep breaks the promise on the first slow day: the lock ends, another enters, and both work.

A loop adds up: a call that may take 20 seconds outlasts a lease of five minutes when the loop goes over fifteen things and the partner is slow.

A task whose own time limit lies above the lease states the mistake in figures: it may run for 300 seconds under a lock of 120. A limit that lies
below the lease is a cure, but not in every pool: Celery's gevent pool passes over the soft limit, and eventlet, threads and solo over both.

Instead: bound every step (`timeout=5` on the call) so that their sum stays well below the lease; or renew the lease while the work goes on
(`lock.extend`, `auto_renewal=True`, a watchdog) and check that it is still yours before each effect. A longer lease only makes it rarer.

Fine when: the lease is renewed, by the library or by hand; ownership is checked before the effect; the steps are bounded below the lease;
the task's time limit is the lease or less, and its workers enforce it; the key is never released and so only spaces out the runs.

A loop of unknown length around calls that nobody knows is reported only where a sibling shows what is missing: the same wrapper, with renewal.

Known misses: loops are added up only around calls that leave the process and whose timeout is known; time limits of tasks that stand in the worker's configuration. requests has no timeout by default, nor has the receiving of a websocket; httpx has 5 seconds, aiohttp 5 minutes: other clients whose default is not
known are believed to be bounded.

Sources: Redis documentation, Distributed Locks (validity time; extending); requests documentation, Timeouts; Celery documentation, Time limits, and Concurrency with gevent.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Op,
    Section,
    System,
    TaskLimit,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    time_limit,
    told,
    too_long,
    too_often,
    trail,
    unenforced,
)

MOST_TRUSTED = 3600
"""Seconds: who gives a lease of more has thought of how long the work takes."""


@rule("CL109", severity=WARNING)
def work_outlives_lease(system: System) -> Iterator[Found]:
    trusting: dict[Evidence, list[tuple[Section, TaskLimit]]] = {}
    for section in system.critical_sections(distributed=True):
        lease = section.lock.lifetime
        if lease.seconds is None or section.lock.model.renews or section.extended or asks_again(system, section):
            continue
        limit = time_limit(system, section.symbol)
        pool = unenforced(system, section.symbol, limit) if limit is not None else None
        if limit is not None and pool is None and limit.seconds <= lease.seconds:
            continue  # it is ended with its lease
        if slow := slowest(section, lease.seconds):
            yield from slow
        elif section.renewals or lease.kind not in ("seconds", "unknown") or section.escapes or not section.releases:
            continue
        elif limit is not None and limit.seconds > lease.seconds and (section.effects or section.unresolved):
            yield longer_by_its_limit(section, limit)
        elif limit is not None and pool is not None and section.unresolved:
            trusting.setdefault(Evidence(pool.place, f"the workers run in the pool {pool.option('--pool', '-P')}"), []).append((section, limit))
        elif section.laps and lease.seconds <= MOST_TRUSTED and (sibling := one_that_renews(system, section)) is not None:
            yield unlike_its_sibling(section, sibling)
    for pool_evidence, sections in trusting.items():
        yield without_its_limit(pool_evidence, sections)


def asks_again(system: System, section: Section) -> bool:
    """Whether the work asks if the lock is still held: what is asked first of all is only whether it was had."""
    known = {o.place: o for o in system.operations(Op.CHECK)}
    done = [*(e.chain[0] if e.chain else e.place for e in (*section.effects, *section.reads)), *section.unresolved]
    for check in section.checked:
        asked = known.get(check)
        if asked is None or check.path != section.path or (asked.loop and asked.loop != section.loop):
            return True
        if any(at.path == check.path and section.acquired.line < at.line < check.line for at in done):
            return True
    return False


def slowest(section: Section, lease: float) -> list[Found]:
    """A step that may outlast the lease alone, or else one that a loop repeats."""
    reached = [effect for effect in (*section.effects, *section.reads) if not effect.renewed]
    slow = [(effect, why) for effect in reached if (why := too_long(effect.operation, lease))]
    slow = slow or [(effect, why) for effect in reached if (why := too_often(effect, lease))]
    if not slow:
        return []
    effect, why = min(slow, key=lambda pair: pair[0].place)
    said = found(
        f"{effect_name(effect.operation)} {why}, inside a lease of {told(section.lock.lifetime)} on {lock_name(section.lock)} that nobody renews",
        at=effect,
        because=[*distinct([*trail(section, effect), *repeated(effect)], besides=effect.place), *others(slow, effect)],
        confidence=MEDIUM,
    )
    return [said]


def longer_by_its_limit(section: Section, limit: TaskLimit) -> Found:
    """A task that may run longer than its lock lasts, by the limit on the task itself."""
    return found(
        f"the task may run for {limit.seconds:g} s ({limit.name}), and {lock_name(section.lock)} ends after {told(section.lock.lifetime)} without renewal: "
        "a second worker then works beside it",
        at=section,
        because=[Evidence(limit.place, f"the task's time limit, {limit.seconds:g} s"), *distinct(trail(section), besides=section.acquired)],
        confidence=MEDIUM,
        help=f"Let the task end before its lock does ({limit.name} below the lease), or renew the lease while it works.",
    )


def without_its_limit(pool: Evidence, sections: list[tuple[Section, TaskLimit]]) -> Found:
    """Tasks that would be ended with their leases, by workers that do not end tasks: one cause, one finding."""
    section, limit = sections[0]
    return found(
        f"{lock_name(section.lock)} ends after {told(section.lock.lifetime)} without renewal, and what should end the task by then ({limit.name}) is not "
        "enforced by the pool that its workers run in",
        at=section,
        because=[
            pool,
            Evidence(limit.place, f"the task's time limit, {limit.seconds:g} s"),
            *(Evidence(other.acquired, f"{lock_name(other.lock)} is left to its task's limit as well") for other, _ in sections[1:8]),
        ],
        confidence=MEDIUM,
        help="Renew the lease while the task works, or bound its steps by timeouts of their own; or run these tasks in the prefork pool, which ends them.",
    )


def one_that_renews(system: System, section: Section) -> Section | None:
    """Another section that takes the same kind of lock in the same way and has it renewed."""
    same = (s for s in system.critical_sections(distributed=True) if s.lock.made == section.lock.made and s.lock.via[:1] == section.lock.via[:1] != ())
    return next((s for s in same if s.lock.model.renews and s.symbol != section.symbol), None)


def unlike_its_sibling(section: Section, sibling: Section) -> Found:
    return found(
        f"the work under {lock_name(section.lock)} loops over things of unknown number, and its lease of {told(section.lock.lifetime)} is not renewed, "
        f"as that of {lock_name(sibling.lock)} is",
        at=section,
        because=[
            Evidence(section.laps[0], "this loop runs under the lock"),
            *distinct(trail(section), besides=section.acquired),
        ],
        confidence=MEDIUM,
    )


def repeated(effect: Effect) -> list[Evidence]:
    return [Evidence(effect.each, "this loop does it for things of unknown number")] if effect.each is not None else []


def others(slow: list[tuple[Effect, str]], first: Effect) -> list[Evidence]:
    return [Evidence(effect.place, f"{effect_name(effect.operation)} {why} as well") for effect, why in slow if effect is not first][:2]


EXAMPLES = r'''
=== bad: an HTTP call without a timeout, in another file
--- shop/partner.py
import requests

def announce(order_id):
    requests.post("https://partner.example.org/orders", json={"id": order_id})  # finding: work-outlives-lease
--- shop/tasks.py
import redis

from shop.partner import announce

r = redis.Redis()

def settle(order_id):
    with r.lock(f"order:{order_id}", timeout=10):
        announce(order_id)

=== bad: a timeout as long as the lease
--- tasks.py
import redis
import requests

r = redis.Redis()

def settle(order_id):
    with r.lock(f"order:{order_id}", timeout=10):
        requests.post("https://partner.example.org/orders", json={"id": order_id}, timeout=30)  # finding: work-outlives-lease

=== bad: a program that is started without a limit
--- tasks.py
import subprocess

import redis

r = redis.Redis()

def render(report):
    with r.lock(f"report:{report}", timeout=60):
        subprocess.run(["render", report], check=True)  # finding: work-outlives-lease

=== bad: a task that may run longer than its lock lasts
--- infra/store.py
import redis

client = redis.Redis(host="redis")
PAYOUT_LEASE = 60
--- payouts/tasks.py
from celery import shared_task

from infra.store import PAYOUT_LEASE, client
from payouts.bank import pay_everybody

@shared_task(soft_time_limit=600)
def payout():
    with client.lock("payout", timeout=PAYOUT_LEASE, blocking_timeout=1):  # finding: work-outlives-lease
        pay_everybody()

=== bad: a lease of seconds around a loop that hands out tasks, asked for its owner only when all is done
--- infra/locks.py
import redis
from redis.lock import Lock

client = redis.Redis(host="redis")


def claim(name, seconds=100):
    return Lock(client, name=name, blocking=False, timeout=seconds)
--- rounds/tasks.py
from celery import shared_task

from infra.locks import claim
from rounds.models import open_rounds


@shared_task
def play(number):
    print(number)


@shared_task
def tick():
    lock = claim("rounds:tick", seconds=10)
    if not lock.acquire():
        return
    try:
        for entry in open_rounds():
            play.delay(entry.number)  # finding: work-outlives-lease
    finally:
        if lock.owned():
            lock.release()

=== good: the same under a lease of five minutes
--- rounds/tasks.py
import redis
from celery import shared_task

from rounds.models import open_rounds

r = redis.Redis(host="redis")


@shared_task
def play(number):
    print(number)


@shared_task
def tick():
    lock = r.lock("rounds:tick", timeout=300, blocking=False)
    if not lock.acquire():
        return
    try:
        for entry in open_rounds():
            play.delay(entry.number)
    finally:
        if lock.owned():
            lock.release()

=== good: a short lease, and its owner is asked for in each round
--- rounds/tasks.py
import redis
from celery import shared_task

from rounds.models import open_rounds

r = redis.Redis(host="redis")


@shared_task
def play(number):
    print(number)


@shared_task
def tick():
    lock = r.lock("rounds:tick", timeout=10, blocking=False)
    if not lock.acquire():
        return
    try:
        for entry in open_rounds():
            if not lock.owned():
                break
            play.delay(entry.number)
    finally:
        if lock.owned():
            lock.release()

=== bad: each call is bounded, the loop around them is not
--- shop/config.py
from shop.web import app

LEASE = app.config.get("SYNC_LEASE", 120) + 30
--- shop/partner.py
import requests

TIMEOUT = 15

def announce(customer):
    return requests.put("https://partner.example.org/customers", json={"id": customer.id}, timeout=TIMEOUT)  # finding: work-outlives-lease
--- shop/sync.py
import redis

from shop.config import LEASE
from shop.models import active_customers
from shop.partner import announce

r = redis.Redis()

def sync():
    with r.lock("customers:sync", timeout=LEASE):
        for customer in active_customers():
            announce(customer)

=== bad: the pool of the workers does not end the task
--- shop/app.py
from celery import Celery

app = Celery("shop", include=["shop.tasks"])
--- shop/tasks.py
import redis

from shop.app import app
from shop.ledger import book
from carrier_sdk import Carrier

r = redis.Redis(host="store")
LEASE = 90

@app.task(soft_time_limit=LEASE)
def call_carriers():
    with r.lock("carriers:call", timeout=LEASE):  # finding: work-outlives-lease
        Carrier().pick_up_everything()

@app.task(soft_time_limit=LEASE)
def settle_carriers():
    with r.lock("carriers:settle", timeout=LEASE):
        Carrier().settle_accounts()
--- compose.yaml
services:
  worker:
    build: .
    command: celery -A shop.app worker --pool=gevent --concurrency=200
--- Dockerfile
FROM python:3.12
WORKDIR /srv
COPY . .

=== bad: a transfer over a socket, under a lock whose class hands its lifetime up
--- parcel/locks.py
import time

from etcd3gw.client import Etcd3Client
from etcd3gw.lock import Lock


class Held(Lock):
    def __init__(self, kind, name, ttl=90):
        self.path = "/parcel/%s/%s" % (kind, name)
        super().__init__(self.path, ttl=ttl, client=Etcd3Client())

    def __enter__(self):
        while not self.acquire():
            time.sleep(1)
        return self

    def __exit__(self, *error):
        self.release()


def refresh_locks(locks):
    for lock in locks:
        lock.refresh()
--- parcel/copy.py
import socket


def copy(address, target, locks):
    peer = socket.create_connection(address)
    with open(target, "wb") as out:
        piece = peer.recv(8000)
        while piece:
            out.write(piece)
            piece = peer.recv(8000)  # finding: work-outlives-lease
--- parcel/fetch.py
from parcel.copy import copy
from parcel.locks import Held


def fetch(name, address):
    with Held("image", name, ttl=60) as lock:
        copy(address, "/images/" + name, [lock])

=== good: the transfer renews the locks that it was given
--- parcel/locks.py
import time

from etcd3gw.client import Etcd3Client
from etcd3gw.lock import Lock


class Held(Lock):
    def __init__(self, kind, name, ttl=90):
        self.path = "/parcel/%s/%s" % (kind, name)
        super().__init__(self.path, ttl=ttl, client=Etcd3Client())

    def __enter__(self):
        while not self.acquire():
            time.sleep(1)
        return self

    def __exit__(self, *error):
        self.release()


def refresh_locks(locks):
    for lock in locks:
        lock.refresh()
--- parcel/copy.py
import socket
import time

from parcel.locks import refresh_locks


def copy(address, target, locks):
    peer = socket.create_connection(address)
    last = time.time()
    with open(target, "wb") as out:
        piece = peer.recv(8000)
        while piece:
            out.write(piece)
            if time.time() - last > 10:
                refresh_locks(locks)
                last = time.time()
            piece = peer.recv(8000)
--- parcel/fetch.py
from parcel.copy import copy
from parcel.locks import Held


def fetch(name, address):
    with Held("image", name, ttl=60) as lock:
        copy(address, "/images/" + name, [lock])

=== good: the pool ends the task
--- shop/tasks.py
import redis
from celery import Celery
from carrier_sdk import Carrier

app = Celery("shop")
r = redis.Redis(host="store")

@app.task(soft_time_limit=90)
def call_carriers():
    with r.lock("carriers:call", timeout=90):
        Carrier().pick_up_everything()
--- compose.yaml
services:
  worker:
    build: .
    command: celery -A shop.tasks worker --pool prefork --concurrency=8
--- Dockerfile
FROM python:3.12
WORKDIR /srv
COPY . .

=== bad: the sibling's lock is renewed, and this one's is not
--- depot/locking.py
import redis
import redis_lock

client = redis.Redis(host="store")

class Turn:
    def __init__(self, name, seconds=240, renewed=False):
        self._lock = redis_lock.Lock(client, name, expire=seconds, auto_renewal=renewed)

    def __enter__(self):
        self._lock.acquire()

    def __exit__(self, *error):
        self._lock.release()
--- depot/nightly.py
from depot.locking import Turn
from depot.models import stale_parcels
from archive_sdk import archive

def pack():
    with Turn("depot:pack"):  # finding: work-outlives-lease
        pack_everything()

def pack_everything():
    for parcel in stale_parcels():
        archive.put(parcel)

def count():
    with Turn("depot:count", seconds=120, renewed=True):
        for parcel in stale_parcels():
            archive.check(parcel)

def stamp(day):  # does one thing
    with Turn("depot:stamp"):
        archive.stamp(day)

def sweep():  # has time
    with Turn("depot:sweep", seconds=6 * 3600):
        for parcel in stale_parcels():
            archive.put(parcel)

=== good: the lock is taken for each; or the loop is short; or it renews
--- shop/sync.py
import redis
import requests

from shop.models import active_customers

r = redis.Redis()

def announce(customer):
    return requests.put("https://partner.example.org/customers", json={"id": customer.id}, timeout=15)

def sync():
    for customer in active_customers():
        with r.lock("customers:sync", timeout=150):
            announce(customer)

def sync_regions(head):
    with r.lock("regions:sync", timeout=150):
        for region in ("north", "south"):
            requests.put("https://partner.example.org/" + region, json=head, timeout=15)

def sync_all():
    with r.lock("customers:sync", timeout=150) as lock:
        for customer in active_customers():
            announce(customer)
            lock.reacquire()

=== good: the task ends before its lock does
--- tasks.py
import redis
from celery import shared_task

from payouts.bank import pay_everybody

r = redis.Redis()

@shared_task(soft_time_limit=50, time_limit=60)
def payout():
    with r.lock("payout", timeout=60, blocking_timeout=1):
        pay_everybody()

@shared_task(time_limit=3600)
def report():
    return 1

=== good: the key is never released: it spaces out the runs
--- tasks.py
import redis
from celery import shared_task

from payouts.bank import pay_everybody

r = redis.Redis()

@shared_task(time_limit=600)
def payout():
    if not r.set("payout:asked", "1", nx=True, ex=60):
        return
    pay_everybody()

=== bad: whether the lock was had is asked at once, and never again
--- jobs/close.py
import etcd3gw
import requests

store = etcd3gw.client(host="etcd", timeout=3)

def close(month):
    with store.lock("close_%s" % month) as lock:
        if not lock.is_acquired():
            raise RuntimeError("somebody else closes it")
        requests.post("https://ledger.example.org/close", json={"month": month})  # finding: work-outlives-lease

=== good: asked again before each step
--- jobs/close.py
import etcd3gw
import requests

store = etcd3gw.client(host="etcd", timeout=3)

def close(months):
    with store.lock("close") as lock:
        for month in months:
            if not lock.is_acquired():
                raise RuntimeError("somebody else closes them")
            requests.post("https://ledger.example.org/close", json={"month": month})

=== bad: a session that gives up after five minutes, and a peer that may never say a word
--- calls/room.py
import aiohttp
import redis.asyncio as redis
import websockets

r = redis.Redis(host="redis", socket_timeout=2)

async def book(room):
    async with r.lock(f"room:{room}", timeout=60):
        async with aiohttp.ClientSession() as session:
            async with session.post("https://rooms.example.org/", json={"name": room}) as answer:  # finding: work-outlives-lease
                return await answer.json()

async def join(room):
    async with r.lock(f"call:{room}", timeout=60):
        async with websockets.connect("wss://calls.example.org/") as peer:
            await peer.send(room)
            return await peer.recv()  # finding: work-outlives-lease

=== good: a session that gives up in time
--- calls/room.py
import aiohttp
import asyncio
import redis.asyncio as redis
import websockets

r = redis.Redis(host="redis", socket_timeout=2)

async def book(room):
    async with r.lock(f"room:{room}", timeout=60):
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            async with session.post("https://rooms.example.org/", json={"name": room}) as answer:
                return await answer.json()

async def join(room):
    async with r.lock(f"call:{room}", timeout=60):
        async with websockets.connect("wss://calls.example.org/") as peer:
            await peer.send(room)
            return await asyncio.wait_for(peer.recv(), 10)

=== good: a timeout well below the lease
--- tasks.py
import redis
import requests

r = redis.Redis()

def settle(order_id):
    with r.lock(f"order:{order_id}", timeout=30):
        requests.post("https://partner.example.org/orders", json={"id": order_id}, timeout=5)

=== good: the library renews the lease
--- tasks.py
import redis
import redis_lock
import requests

r = redis.Redis()

def settle(order_id):
    with redis_lock.Lock(r, f"order:{order_id}", expire=10, auto_renewal=True):
        requests.post("https://partner.example.org/orders", json={"id": order_id})

=== good: extended by hand
--- tasks.py
import redis
import requests

r = redis.Redis()

def settle(orders):
    with r.lock("orders", timeout=10) as lock:
        for order in orders:
            requests.post("https://partner.example.org/orders", json={"id": order})
            lock.extend(10, replace_ttl=True)

=== good: a session-bound lock has no lease to outlive
--- tasks.py
import requests
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def settle(order_id):
    with zk.Lock(f"/locks/{order_id}"):
        requests.post("https://partner.example.org/orders", json={"id": order_id})
'''
