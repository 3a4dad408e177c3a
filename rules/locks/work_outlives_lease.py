r"""Work inside a lease that is finite and not renewed can take longer than the lease.

Why: the lease is a promise to others that the holder will be done by then. An HTTP call without a timeout, or with one as long as the lease, a program
that is started without a limit or a sleep breaks the promise on the first slow day: the lock ends, another enters, and both work.

A loop adds up: a call that may take 20 seconds outlasts a lease of five minutes when the loop goes over fifteen things and the partner is slow.

A task whose own time limit lies above the lease states the mistake in figures: it may run for 300 seconds under a lock of 120.

Instead: bound every step (`timeout=5` on the call) so that their sum stays well below the lease; or renew the lease while the work goes on
(`lock.extend`, `auto_renewal=True`, a watchdog) and check that it is still yours before each effect. A longer lease only makes it rarer.

Fine when: the lease is renewed, by the library or by hand; ownership is checked before the effect; the steps are bounded below the lease;
the task's time limit is the lease or less; the key is never released and so only spaces out the runs.

Known misses: loops are added up only around calls that leave the process and whose timeout is known; time limits of tasks that stand in the worker's configuration. requests has no timeout by default, httpx 5 seconds: other clients whose default is not
known are believed to be bounded.

Sources: Redis documentation, Distributed Locks (validity time; extending); requests documentation, Timeouts; Celery documentation, Time limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from coordlint import (
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Op,
    Operation,
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

LIMITS = ("soft_time_limit", "time_limit", "timeout")
MANY = 50
"""Slow answers in a row; where it takes more, a loop is believed to end in time."""
UNBOUNDED_BY_DEFAULT = ("requests", "stdlib-subprocess", "urllib3", "stdlib-urllib", "stdlib-email")


@rule("CL109", severity=WARNING)
def work_outlives_lease(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True):
        lease = section.lock.lifetime
        if lease.seconds is None or lease.kind not in ("seconds", "unknown") or section.lock.model.renews or section.extended or section.checked:
            continue
        reached = (*section.effects, *section.reads)
        slow = [(effect, why) for effect in reached if (why := too_long(effect.operation, lease.seconds))]
        slow = slow or [(effect, why) for effect in reached if (why := too_often(effect, lease.seconds))]
        if not slow:
            yield from longer_by_its_limit(system, section, lease.seconds)
            continue
        effect, why = min(slow, key=lambda pair: pair[0].place)
        yield found(
            f"{effect_name(effect.operation)} {why}, inside a lease of {told(lease)} on {lock_name(section.lock)} that nobody renews",
            at=effect,
            because=[*distinct([*trail(section, effect), *repeated(effect)], besides=effect.place), *others(slow, effect)],
            confidence=MEDIUM,
        )


def longer_by_its_limit(system: System, section: Section, lease: float) -> Iterator[Found]:
    """A task that may run longer than its lock lasts, by the limit on the task itself."""
    if section.escapes or not section.releases or not (section.effects or section.unresolved):
        return
    for task in system.operations(Op.TASK):
        limit = next((a for name in LIMITS if (a := task.argument(name)) is not None), None)
        if limit is None or not isinstance(limit.value, int | float) or isinstance(limit.value, bool):
            continue
        seconds = limit.value / 1000 if task.library == "dramatiq" else limit.value
        if seconds <= lease or not decorates(system, task, section.symbol):
            continue
        yield found(
            f"the task may run for {seconds:g} s ({limit.name}), and {lock_name(section.lock)} ends after {told(section.lock.lifetime)} without renewal: "
            "a second worker then works beside it",
            at=section,
            because=[Evidence(limit.place or task.place, f"the task's time limit, {seconds:g} s"), *distinct(trail(section), besides=section.acquired)],
            confidence=MEDIUM,
            help=f"Let the task end before its lock does ({limit.name} below the lease), or renew the lease while it works.",
        )
        return


def decorates(system: System, task: Operation, symbol: str) -> bool:
    """Whether a task decorator stands on this function: no other function begins between the two."""
    function = system.function(symbol)
    if function is None or task.place.path != function.place.path or task.place.line > function.place.line:
        return False
    starts = (f.place.line for f in system.functions() if f.place.path == task.place.path)
    return not any(task.place.line < line < function.place.line for line in starts)


def too_long(operation: Operation, lease: float) -> str:
    """Why a step may outlast the lease; "" when it is bounded below it, or its bound is not known."""
    if operation.kind not in ("http", "subprocess", "email", "remote"):
        return ""
    given = operation.argument("timeout")
    if given is None or (given.literal and given.value is None):
        return "has no time limit" if operation.library in UNBOUNDED_BY_DEFAULT else ""
    if given.literal and isinstance(given.value, int | float) and given.value >= lease:
        return f"may take {given.value:g} s"
    return ""


def repeated(effect: Effect) -> list[Evidence]:
    return [Evidence(effect.each, "this loop does it for things of unknown number")] if effect.each is not None else []


def too_often(effect: Effect, lease: float) -> str:
    """Why a bounded step may outlast the lease when a loop does it for each of unknown many; "" when that takes very many."""
    given = effect.operation.argument("timeout")
    if effect.each is None or not too_long(effect.operation, 0) or given is None or not isinstance(given.value, int | float):
        return ""
    rounds = max(math.ceil(lease / given.value), 1) if given.value > 0 else MANY
    return f"may take {given.value:g} s for each that the loop goes over, and {rounds} such answers are enough" if rounds < MANY else ""


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
