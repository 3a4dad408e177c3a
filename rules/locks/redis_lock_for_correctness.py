r"""A Redis, Redlock or memcached lock is the only guard of money, of exactly-once work or of other correctness-critical effects.

Why: such a lock is a lease on one server's clock, and it is lost in more ways than by waiting too long. Redis replicates
asynchronously: a failover by Sentinel or Cluster may promote a replica that never heard of the lock, and two holders work at
once. A restart without an fsync of every write forgets it, `maxmemory` may evict it, and the time to live does not follow a
monotonic clock. For saving repeated work that is fine. For money it means that now and then it is paid twice.

Instead: keep the lock, if you like, as an optimisation, and let the place where the effect lands be the judge: an idempotency
key on the payment, a unique constraint on the operation's id, a version in the WHERE clause, a transaction with a row lock.

Fine when: the work is de-duplicated or skipped when the lock is busy and a rare repetition costs only time; an idempotency key or
a conditional write already decides.

It is a note, and no warning, where nothing shows that a second one does harm: a blind overwrite, a request or a task whose receiver is not
seen, unless it names money; and where ownership is asked for again on the way, or the lease outlasts every pause of a process.

Known misses: money that moves through a service whose client is not known.

Sources: Redis documentation, Distributed Locks (why failover-based locks are not enough; clocks) and Sentinel (acknowledged
writes may be lost); Stripe documentation, Idempotent requests.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Late,
    Section,
    System,
    backend_name,
    cure_for,
    distinct,
    effect_name,
    found,
    is_behind_row_lock,
    is_decided,
    is_weighty,
    lock_name,
    rule,
    trail,
)

BACKENDS = ("redis", "memcached", "django-cache")
SHARED = ("payment", "email", "http", "remote", "database", "object-store", "message", "task")


@rule("CL102", severity=ERROR)
def redis_lock_for_correctness(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True, backend=BACKENDS):
        if section.lock.model.kind != "lock" or section.lock.model.stampede_only or section.shares_fate:
            continue
        if any(is_guarded(effect) for effect in section.effects):
            continue
        critical = [effect for effect in section.effects if is_critical(section, effect) and not system.is_under_another(section, effect)]
        if not critical:
            continue
        money = [effect for effect in critical if moves_money(effect)]
        worst = min(money or critical, key=lambda effect: (not effect.is_sure, not is_weighty(section, effect)))
        yield found(
            f"{lock_name(section.lock)} is all that keeps {effect_name(worst.operation)} from happening twice or out of date: "
            f"{backend_name(section.lock.backend)} may lose a lock that it has granted",
            at=section,
            because=[*distinct(trail(section, worst), besides=section.acquired), *weak_store(system, section), *reasons(section)],
            severity=INFO if not worst.is_sure else ERROR if money and not section.asks_before(worst) else WARNING if is_weighty(section, worst) else INFO,
            confidence=HIGH if money and not section.unresolved else MEDIUM,
            help=cure_for(worst.operation),
        )


def is_guarded(effect: Effect) -> bool:
    """An idempotency key or a conditional write already decides."""
    return bool(((effect.conditional or effect.operation.conditional) and not effect.operation.ensures) or effect.token)


def is_critical(section: Section, effect: Effect) -> bool:
    """Money always; other shared effects when the section's evidence says that correctness hangs on the lock."""
    is_record = effect.operation.reads_back is not None  # in a store as well: an old value is written over a newer one
    if not effect.harmful_when_late or is_behind_row_lock(section, effect) or is_decided(section, effect) or not (effect.operation.kind in SHARED or is_record or moves_money(effect)):
        return False
    return moves_money(effect) or section.purpose.kind == "correctness"


def moves_money(effect: Effect) -> bool:
    """A payment, or a stored amount that is computed from what was read."""
    operation = effect.operation
    if operation.kind == "payment":
        return True
    computed = operation.reads_back is not None or operation.late is Late.ACCUMULATE
    return computed and operation.kind == "database"


def weak_store(system: System, section: Section) -> Iterator[Evidence]:
    """What code and manifests say about the server: a topology with failover, an eviction policy."""
    if section.lock.topology in ("sentinel", "cluster"):
        yield Evidence(section.lock.made, f"its client follows failovers ({section.lock.topology})")
    for coordinator in system.coordinators("redis") if section.lock.backend == "redis" else ():
        policy = coordinator.option("maxmemory-policy")
        if policy is not None and policy[0] != "noeviction":
            yield Evidence(policy[1], f"{coordinator.workload.name} may evict keys ({policy[0]})")


def reasons(section: Section) -> list[Evidence]:
    """The two weightiest pieces of evidence that correctness hangs on the lock."""
    placed = [p for p in section.purpose.points if p.points > 0 and p.place is not None]
    best = sorted(placed, key=lambda p: -p.points)[:2]
    return [Evidence(p.place, f"{p.reason} (+{p.points} for correctness)") for p in best if p.place is not None]


EXAMPLES = r'''
=== bad: a payment whose only guard is a Redis lock made in another module
--- shop/locks.py
import redis

client = redis.Redis(host="redis")

def order_lock(order_id):
    return client.lock(f"order:{order_id}", timeout=30, blocking_timeout=5)
--- shop/tasks.py
import stripe

from shop.locks import order_lock

def settle(order_id, amount):
    with order_lock(order_id):  # finding: redis-lock-for-correctness
        stripe.PaymentIntent.create(amount=amount, currency="eur")

=== bad: get_or_create decides who makes the row, and not who pays
--- shop/models.py
from django.db import models

class DueQuerySet(models.QuerySet):
    def open(self):
        return self.filter(paid=False)

class Due(models.Model):
    order = models.CharField(max_length=40, unique=True)
    paid = models.BooleanField(default=False)
    objects = DueQuerySet.as_manager()
--- shop/tasks.py
import redis
import stripe

from shop.models import Due

client = redis.Redis(host="redis")

def settle(order, amount):
    with client.lock(f"order:{order}", timeout=30):  # finding: redis-lock-for-correctness
        due, _ = Due.objects.get_or_create(order=order)
        if not due.paid:
            stripe.PaymentIntent.create(amount=amount, currency="eur")

=== bad: a balance under Redlock
--- bank.py
import psycopg2
from redlock import Redlock

manager = Redlock([{"host": "r1"}, {"host": "r2"}, {"host": "r3"}])
db = psycopg2.connect("dbname=bank")

def debit(account_id, amount):
    lock = manager.lock(f"account:{account_id}", 10000)  # finding: redis-lock-for-correctness
    if not lock:
        raise RuntimeError("busy")
    try:
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))
        db.commit()
    finally:
        manager.unlock(lock)

=== bad: the lock's client follows Sentinel, and the task charges a card
--- worker.py
import stripe
from redis.sentinel import Sentinel

master = Sentinel([("s1", 26379)]).master_for("main")

def settle(order_id, amount):
    with master.lock(f"order:{order_id}", timeout=30):  # finding: redis-lock-for-correctness
        stripe.Charge.create(amount=amount, currency="eur")

=== bad: a withdrawal that is signed anew under a Redis lock, each time under the next nonce
--- wallet/chain.py
from web3 import HTTPProvider, Web3

def node() -> Web3:
    return Web3(HTTPProvider("http://node:8545"))

def send(wallet, key, to, amount):
    chain = node()
    nonce = chain.eth.get_transaction_count(wallet)
    signed = chain.eth.account.sign_transaction({"to": to, "value": amount, "nonce": nonce}, key)
    return chain.eth.send_raw_transaction(signed.raw_transaction)
--- wallet/tasks.py
import redis

from wallet.chain import send

store = redis.Redis(host="redis")

def withdraw(wallet, key, to, amount):
    with store.lock(f"withdraw:{to}", timeout=60):  # finding: redis-lock-for-correctness
        send(wallet, key, to, amount)

=== good: what was signed once is sent again, and the chain takes it once
--- wallet/again.py
import redis
from web3 import HTTPProvider, Web3

store = redis.Redis(host="redis")
chain = Web3(HTTPProvider("http://node:8545"))

def announce(kept):
    with store.lock(f"announce:{kept.id}", timeout=60):
        chain.eth.send_raw_transaction(kept.signed_bytes)

=== good: the payment carries an idempotency key
--- shop.py
import redis
import stripe

r = redis.Redis()

def settle(order_id, amount):
    with r.lock(f"order:{order_id}", timeout=30):
        stripe.PaymentIntent.create(amount=amount, currency="eur", idempotency_key=f"order-{order_id}")

=== good: a version in the WHERE clause decides
--- bank.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=bank")

def debit(account_id, amount):
    with r.lock(f"account:{account_id}", timeout=10):
        cur = db.cursor()
        cur.execute("SELECT balance, version FROM accounts WHERE id = %s", (account_id,))
        balance, version = cur.fetchone()
        cur.execute(
            "UPDATE accounts SET balance = %s, version = version + 1 WHERE id = %s AND version = %s",
            (balance - amount, account_id, version),
        )
        if cur.rowcount == 0:
            raise RuntimeError("changed meanwhile")
        db.commit()

=== good: a sweep that is skipped when another process runs it
--- sweep.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def purge_expired():
    lock = r.lock("sweep:expired", timeout=60)
    if not lock.acquire(blocking=False):
        return
    try:
        db.cursor().execute("DELETE FROM carts WHERE expires < now()")
        db.commit()
    finally:
        lock.release()

=== good: a ZooKeeper lock is another rule's matter
--- bank.py
import stripe
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def settle(order_id, amount):
    with zk.Lock(f"/locks/order/{order_id}"):
        stripe.Charge.create(amount=amount, currency="eur")

=== good: a refresh of a cache
--- prices.py
import redis
import requests

r = redis.Redis()

def prices():
    with r.lock("cache:prices", timeout=30):
        body = requests.get("https://example.org/prices", timeout=5).text
        r.set("prices", body, ex=300)
    return body
'''
