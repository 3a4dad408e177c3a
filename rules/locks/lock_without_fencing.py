r"""A distributed lock guards an effect that is harmful when late, and no token or version reaches that effect.

Why: a holder can lose the lock without noticing: it is paused by garbage collection or a full host, the network holds a
request back, the lease runs out, the lock server fails over. It then finishes the write that it had begun, after a newer
holder has already written. The lock cannot stop that; only the target can, by refusing what carries an older token or version.
ZooKeeper and etcd locks are no exception: etcd's own documentation says that its lock cannot protect an external resource.

Instead: let the target decide. A version column in the WHERE clause with the row count tested, `put_object(IfMatch=...)`, a
ConditionExpression, an idempotency key, a unique constraint. Where the lock offers a token (kazoo: the sequence number of its
node; etcd: the create revision of its key), store the highest one seen beside the data and refuse a smaller one. Often the
condition alone is enough and the lock can go.

Fine when: the effect is conditional already; the same function does it without the lock as well, before it takes it (a note of progress, the look into a cache); it lands in the coordinator that gave the lock, whose session ends for both; the lock and the write share one database transaction (SELECT ... FOR UPDATE,
pg_advisory_xact_lock), so that neither survives without the other; a row is locked inside, on the way to the write, or a conditional update whose row count is tested decides before it; the lock only saves work, and what it guards is neither
money nor anything else that leaves the system.

It is a note, and no warning, where the effect is not certain: a call on the way may mean one of several functions. And where the harm is not plain: a blind delete or overwrite, which may be meant to repeat; a request or a task
whose receiver is not seen, unless it names money; work that is skipped when the lock is busy. And where it is not likely: ownership is
asked for again on the way, or the lease of more than ten minutes outlasts every pause of a process.

Known misses: a token that is checked by a service behind an HTTP call whose headers are built elsewhere. A write to a local
file or the start of a program is not reported: whether others share it cannot be seen.

Sources: Redis documentation, Distributed Locks (fencing tokens are recommended in its own disclaimer); etcd documentation,
"etcd versus other key-value stores", notes on lock and lease; Jepsen, etcd 3.4.3; Hazelcast FencedLock; Kleppmann, How to do
distributed locking.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    ERROR,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Found,
    Late,
    Lock,
    Op,
    Operation,
    Place,
    Scope,
    Section,
    System,
    distinct,
    does_late,
    effect_name,
    fence_for,
    found,
    is_behind_row_lock,
    is_beside_lock,
    is_concrete,
    is_decided,
    is_repeatable,
    is_weighty,
    lock_name,
    may_differ,
    rule,
    told,
    trail,
)

LEAVES_THE_SYSTEM = ("payment", "email", "http", "remote")
SHARED = (*LEAVES_THE_SYSTEM, "database", "object-store", "message", "search", "task")
STORES = ("redis", "memcached", "zookeeper", "etcd", "consul", "dynamodb")


@rule("CL101", severity=ERROR)
def lock_without_fencing(system: System) -> Iterator[Found]:
    reported: set[tuple[Place, Place]] = set()
    for section in system.critical_sections(distributed=True):
        if section.shares_fate or section.lock.model.kind not in ("lock", "write-lock"):
            continue
        shared = [e for e in section.effects if is_unfenced(section, e) and not is_cached(system, e.operation)]
        unfenced = [e for e in shared if not system.happens_before(section, e)]
        if not unfenced:
            continue
        worst = min(unfenced, key=lambda effect: (not effect.is_sure, not is_weighty(section, effect), harm(effect)))
        if (section.acquired, worst.place) in reported:
            continue  # a factory that makes one of several locks
        reported.add((section.acquired, worst.place))
        plain = section.purpose.kind == "correctness" and is_concrete(worst.operation) and not is_repeatable(section, worst.operation)
        proven = worst.operation.kind == "payment" or (plain and not section.asks_before(worst) and not is_beside_lock(section, worst.operation) and not may_differ(section, worst.operation))
        rivals = [(r.acquired, "the same lock is taken here") for r in system.rivals(section)[:2]]
        others = [(e.place, f"{effect_name(e.operation)} is not fenced either") for e in unfenced if e is not worst]
        yield found(
            f"{effect_name(worst.operation)} runs under {lock_name(section.lock)} without a fencing token: a holder that lost the "
            f"lock ({how_lost(section.lock)}) {does_late(worst.operation)}; {token_of(section)}",
            at=worst,
            because=[*distinct(trail(section, worst), besides=worst.place), *rivals, *others[:3]],
            severity=INFO if not worst.is_sure else ERROR if proven else WARNING if is_weighty(section, worst) else INFO,
            confidence=HIGH if proven and not section.unresolved else MEDIUM,
            help=fence_for(worst, section.lock),
        )


def is_unfenced(section: Section, effect: Effect) -> bool:
    """Whether a stale holder's effect would reach something shared and be accepted there."""
    operation = effect.operation
    if not effect.harmful_when_late or effect.token or effect.conditional or operation.conditional or operation.token:
        return False
    if is_behind_row_lock(section, effect) or is_decided(section, effect) or not is_shared(operation) or is_lock_itself(section.lock, operation):
        return False
    if operation.backend == section.lock.backend and operation.backend in COORDINATORS:
        return False  # lock and record live in the same session of the same coordinator: they are lost together
    if section.lock.model.scope is Scope.DB_SESSION and operation.kind == "database":
        return False  # the connection that holds the lock is, as a rule, the one that writes: both end together
    if operation.kind in ("http", "remote", "message", "task", "search"):
        return section.purpose.kind == "correctness"  # a request may be a query, a message may be repeatable
    if section.skips_when_busy and section.purpose.kind != "correctness":
        return operation.kind in LEAVES_THE_SYSTEM or operation.reads_back is not None
    return section.purpose.kind != "performance" or operation.kind in LEAVES_THE_SYSTEM


def is_shared(operation: Operation) -> bool:
    """Whether the effect lands where other processes see it. An entry with a time to live is a cache, not a record."""
    if operation.backend in STORES:
        if operation.op is Op.DELETE and not operation.key_words:
            return False  # what is removed is not known: an entry of a cache, a lock, a record
        is_field = operation.op is Op.SET_ADD and operation.reads_back is not None
        return (is_field or operation.op in (Op.WRITE, Op.DELETE, Op.INCREMENT, Op.COUNTER, Op.EFFECT)) and not is_cache_entry(operation)
    return operation.kind in SHARED and operation.library != "stdlib-sqlite3"  # a file beside the process


def is_cache_entry(operation: Operation) -> bool:
    return operation.ttl is not None and operation.ttl.kind != "never"


def is_cached(system: System, operation: Operation) -> bool:
    """Whether it is about what expires: by a command of its own, or, where it deletes, because it is only ever written so."""
    put = operation.op in (Op.WRITE, Op.SET_ADD)  # a count that expires is still one that must not count twice
    if put and operation.backend in STORES and operation.key and any(o.op is Op.EXPIRE for o in system.same_key(operation)):
        return True
    if operation.op is not Op.DELETE or operation.backend not in STORES or not operation.key:
        return False
    writers = [o for o in system.same_key(operation) if o.stores]
    return bool(writers) and all(is_cache_entry(o) for o in writers)


def is_lock_itself(lock: Lock, operation: Operation) -> bool:
    return operation.backend == lock.backend and operation.key is not None and operation.key == lock.key


def harm(effect: Effect) -> tuple[int, str, int]:
    """The worst effect first; among equals the one that stands first."""
    operation = effect.operation
    if operation.kind == "payment":
        rank = 0
    elif operation.reads_back is not None or operation.late is Late.ACCUMULATE:
        rank = 1
    elif operation.kind in ("email", "object-store") or operation.late is Late.APPEND:
        rank = 2
    else:
        rank = 3 if is_concrete(operation) else 4
    return rank, effect.place.path, effect.place.line


def how_lost(lock: Lock) -> str:
    match lock.lifetime.kind:
        case "seconds":
            return f"a pause longer than its lease of {told(lock.lifetime)}"
        case "never":
            return "it does not expire, but a failover, an eviction or a forced release frees it"
        case "session":
            return "a pause longer than its session"
        case _:
            return "a pause longer than its lease, whose length is not known"


def token_of(section: Section) -> str:
    if not section.lock.offers_token:
        return "this lock offers no token"
    if section.token_taken is not None:
        return f"the token taken in line {section.token_taken.line} does not reach it"
    return f"the lock offers a token ({section.lock.model.token}) that is not sent"


EXAMPLES = r'''
=== bad: an object is overwritten under a Redis lock whose factory stands in another module
--- app/locks.py
import redis

client = redis.Redis(host="redis")

def account_lock(account_id):
    return client.lock(f"acct:{account_id}", timeout=10)
--- app/statements.py
import boto3

from app.locks import account_lock

s3 = boto3.client("s3")

def publish(account_id, line):
    with account_lock(account_id):
        body = s3.get_object(Bucket="statements", Key=account_id)["Body"].read()
        s3.put_object(Bucket="statements", Key=account_id, Body=body + line)  # finding: lock-without-fencing

=== good: a conditional update decides before the record is added
--- hall/models.py
from sqlalchemy import Column, Integer
from sqlalchemy.orm import declarative_base

Base = declarative_base()

class Show(Base):
    __tablename__ = "shows"
    id = Column(Integer, primary_key=True)
    taken = Column(Integer)
    seats = Column(Integer)

class Booking(Base):
    __tablename__ = "bookings"
    id = Column(Integer, primary_key=True)
    show_id = Column(Integer)
--- hall/book.py
import redis
from sqlalchemy import update
from sqlalchemy.orm import Session

from hall.models import Booking, Show

r = redis.Redis()

def book(db: Session, show_id):
    with r.lock(f"booking:{show_id}", timeout=10):
        took = db.execute(update(Show).where(Show.id == show_id).where(Show.taken < Show.seats).values(taken=Show.taken + 1))
        if took.rowcount != 1:
            raise ValueError("sold out")
        db.add(Booking(show_id=show_id))
        db.commit()

=== bad: a balance computed under a ZooKeeper lock, whose token is not sent
--- billing.py
import psycopg2
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
db = psycopg2.connect("dbname=bank")

def debit(account_id, amount):
    cur = db.cursor()
    lock = zk.Lock(f"/locks/account/{account_id}")
    with lock:
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))  # finding: lock-without-fencing
        db.commit()

=== bad: a payment without a key, two calls and one file below the lock
--- shop/tasks.py
import redis

from shop.billing import settle

r = redis.Redis()

def settle_order(order_id):
    with r.lock("order:%s" % order_id, timeout=30):
        settle(order_id)
--- shop/billing.py
import stripe

def settle(order_id):
    charge(order_id, 500)

def charge(order_id, amount):
    stripe.Charge.create(amount=amount, currency="eur", metadata={"order": order_id})  # finding: lock-without-fencing

=== bad: a number that expires is still given out twice
--- relay/numbers.py
import redis

r = redis.Redis()

def next_number(account, read):
    with r.lock(f"lock:number:{account}", timeout=30):
        number = r.incr(f"number:{account}")  # finding: lock-without-fencing
        if number == 1:
            r.set(f"number:{account}", read(account))
        r.expire(f"number:{account}", 600)
        return number

=== good: merges into what expires by a command of its own
--- app/insights.py
import json

import redis

r = redis.Redis()

def save(table, part):
    with r.lock(f"lock:{table}", timeout=15):
        found = json.loads(r.hget(f"insights:{table}", "all") or "{}")
        found.update(part)
        r.hset(f"insights:{table}", "all", json.dumps(found))
        r.expire(f"insights:{table}", 1800)

=== good: notes its progress before it takes the lock and under it: that is not what the lock is for
--- app/progress.py
import psycopg2

db = psycopg2.connect("dbname=app")

def note(task, text):
    db.cursor().execute("UPDATE tasks SET progress = %s WHERE id = %s", (text, task))
--- app/merge.py
import redis

from app.progress import note

r = redis.Redis()

def merge(task, graph, part):
    note(task, "waiting")
    with r.lock(f"graph:{graph}", timeout=600):
        note(task, "merging")
        part.merge()

=== good: the version stands in the WHERE clause and the row count is tested
--- billing.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=bank")

class Conflict(Exception):
    pass

def debit(account_id, amount):
    cur = db.cursor()
    with r.lock(f"acct:{account_id}", timeout=10):
        cur.execute("SELECT balance, version FROM accounts WHERE id = %s", (account_id,))
        balance, version = cur.fetchone()
        cur.execute(
            "UPDATE accounts SET balance = %s, version = version + 1 WHERE id = %s AND version = %s",
            (balance - amount, account_id, version),
        )
        if cur.rowcount != 1:
            raise Conflict(account_id)
        db.commit()

=== good: the object is written only if it is still the one that was read
--- statements.py
import boto3
import redis

r = redis.Redis()
s3 = boto3.client("s3")

def publish(account_id, line):
    with r.lock(f"acct:{account_id}", timeout=10):
        found = s3.get_object(Bucket="statements", Key=account_id)
        body = found["Body"].read() + line
        s3.put_object(Bucket="statements", Key=account_id, Body=body, IfMatch=found["ETag"])

=== good: a condition expression decides
--- seats.py
import boto3
import redis

r = redis.Redis()
table = boto3.resource("dynamodb").Table("seats")

def book(seat, user):
    with r.lock(f"seat:{seat}", timeout=10):
        table.put_item(
            Item={"seat": seat, "user": user},
            ConditionExpression="attribute_not_exists(seat)",
        )

=== good: a payment with an idempotency key
--- shop.py
import redis
import stripe

r = redis.Redis()

def charge(order_id, amount):
    with r.lock(f"order:{order_id}", timeout=30):
        stripe.Charge.create(amount=amount, currency="eur", idempotency_key=f"order-{order_id}")

=== good: a unique constraint refuses the second record, and the refusal is handled
--- orders/models.py
from django.db import models

class Payment(models.Model):
    order = models.CharField(max_length=40, unique=True)
    amount = models.IntegerField()
--- orders/views.py
import redis
from django.db import IntegrityError

from orders.models import Payment

r = redis.Redis()

def pay(order_id, amount):
    with r.lock(f"order:{order_id}", timeout=30):
        try:
            Payment.objects.create(order=order_id, amount=amount)
        except IntegrityError:
            return "already paid"
        return "paid"

=== good: a unique field refuses the second record by itself
--- orders/models.py
from django.db import models

class Payment(models.Model):
    order = models.CharField(max_length=40, unique=True)
    amount = models.IntegerField()
--- orders/views.py
import redis

from orders.models import Payment

r = redis.Redis()

def pay(order_id, amount):
    with r.lock(f"order:{order_id}", timeout=30):
        if not Payment.objects.filter(order=order_id).exists():
            Payment.objects.create(order=order_id, amount=amount)

=== good: a row lock and the write are one transaction
--- bank.py
from django.db import transaction

from bank_models import Account

def debit(pk, amount):
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=pk)
        account.balance -= amount
        account.save()
--- bank_models.py
from django.db import models

class Account(models.Model):
    balance = models.IntegerField()

=== good: an advisory lock that ends with the transaction of the write
--- bank.py
import psycopg2

db = psycopg2.connect("dbname=bank")

def debit(account_id, amount):
    with db:
        cur = db.cursor()
        cur.execute("SELECT pg_advisory_xact_lock(%s)", (account_id,))
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))

=== good: a row is locked inside, before the record is written
--- depot/slots.py
import redis
from sqlalchemy.orm import Session

from depot.models import Slot

store = redis.Redis()

def book(session, depot):
    with store.lock(f"depot:{depot.id}", timeout=20):
        session.refresh(depot, attribute_names=["open"], with_for_update=True)
        if depot.open:
            session.add(Slot(depot_id=depot.id))
            session.commit()
--- depot/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Slot(Base):
    __tablename__ = "slots"
    id: Mapped[int] = mapped_column(primary_key=True)
    depot_id: Mapped[int] = mapped_column()

=== good: a lock that only saves repeated work on a cache
--- cache.py
import redis

r = redis.Redis()

def refresh_report(build):
    lock = r.lock("cache:report:refresh", timeout=60)
    if not lock.acquire(blocking=False):
        return
    try:
        r.set("cache:report", build(), ex=300)
    finally:
        lock.release()

=== good: the token of the lock travels with the write
--- billing.py
import psycopg2
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
db = psycopg2.connect("dbname=bank")

def debit(account_id, balance):
    lock = zk.Lock(f"/locks/account/{account_id}")
    with lock:
        token = int(lock.node[-10:])
        cur = db.cursor()
        cur.execute(
            "UPDATE accounts SET balance = %s, fence = %s WHERE id = %s AND fence < %s",
            (balance, token, account_id, token),
        )
        db.commit()

=== good: the record lies in the coordinator that gave the lock
--- jobs.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def take(job, name):
    with zk.Lock(f"/locks/{job}"):
        if zk.get(f"/jobs/{job}")[0] == b"idle":
            zk.set(f"/jobs/{job}", name)

=== bad: a lock class of the project takes its lock on two branches: one finding
--- app/locks.py
import redis
import redis_lock

r = redis.Redis()

class Guard(redis_lock.Lock):
    def __init__(self, name):
        super().__init__(r, name, expire=60)

    def acquire(self, again=False):
        if again:
            return super().acquire(blocking=True)
        else:
            return super().acquire(blocking=True)
--- app/bills.py
import stripe

from app.locks import Guard

def settle(order_id):
    lock = Guard(f"order:{order_id}")
    lock.acquire(order_id is None)
    try:
        stripe.Charge.create(amount=500, currency="eur", metadata={"order": order_id})  # finding: lock-without-fencing
    finally:
        lock.release()
    stripe.Refund.create(charge=order_id)

=== good: fields that are unique together refuse the second record
--- labels/models.py
from django.db import models

class Label(models.Model):
    item = models.IntegerField()
    name = models.CharField(max_length=40)

    class Meta:
        unique_together = ("item", "name")
--- labels/views.py
import redis

from labels.models import Label

r = redis.Redis()

def label(item, names):
    with r.lock(f"item:{item}", timeout=30):
        Label.objects.bulk_create([Label(item=item, name=name) for name in names])
        Label.objects.create(item=item, name="new")

=== good: a primary key with a meaning refuses the second record
--- settings/models.py
from sqlalchemy import Column, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()

class Setting(Base):
    __tablename__ = "settings"
    key = Column(String, primary_key=True)
    value = Column(String)
--- settings/store.py
import redis
from sqlalchemy.orm import Session

from settings.models import Setting

r = redis.Redis()

def store(session: Session, key, value):
    with r.lock("settings", timeout=30):
        setting = session.query(Setting).filter_by(key=key).first()
        if setting is None:
            setting = Setting(key=key, value=value)
            session.add(setting)
        session.commit()

=== good: columns that a table declares unique together refuse the second record
--- shop/models.py
from sqlalchemy import Column, Integer, String, UniqueConstraint
from sqlalchemy.orm import declarative_base

Base = declarative_base()

class Node(Base):
    __tablename__ = "nodes"
    id = Column(Integer, primary_key=True)
    source = Column(String)
    name = Column(String)
    __table_args__ = (UniqueConstraint("source", "name", name="uq_node"),)
--- shop/tasks.py
import redis
from sqlalchemy.orm import Session

from shop.models import Node

r = redis.Redis()

def import_nodes(session: Session, source, names):
    with r.lock(f"import:{source}", timeout=300):
        for name in names:
            session.add(Node(source=source, name=name))

=== good: what is deleted is an entry of a cache, which is only written with a time to live
--- shop/tokens.py
import json

import redis

r = redis.Redis()
KEY = "partner:access-token"

def token(issue):
    with r.lock("partner:access-token:lock", timeout=55):
        found = read()
        if found is None:
            found = issue()
            r.set(KEY, json.dumps(found), ex=found["expires_in"])
        return found

def read():
    raw = r.get(KEY)
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        r.delete(KEY)
        return None
'''
