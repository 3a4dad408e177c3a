"""Shared state is read, changed and written back with neither lock nor version.

Why: between the read and the write another process can write the same record; the second write then wipes the first
out without a trace. Nothing fails: one of two deposits is missing, one of two edits of a JSON document is gone. It takes no
crash, only two requests at the same time.

Instead: let the store do the arithmetic in one step (`UPDATE ... SET n = n + :d`, Django `F("n") + d`, Redis INCRBY), or write
on condition that nothing has changed: ZooKeeper `set(path, value, version=stat.version)`, etcd `replace` or a transaction on
mod_revision, Consul `put(cas=ModifyIndex)`, Redis WATCH and MULTI or a Lua script, a version column, or SELECT ... FOR UPDATE in the
same transaction. And look at the outcome.

The same happens without arithmetic where a field is found empty and then filled with something that is made for it, such as a payment or a
customer at a provider: two requests both find it empty, both make one, and the record remembers the second. And where a record is found free
and given to whoever asked: both are told that it is theirs. So it is where a state is tested and then set without the row lock that other code
takes for the same records. A list in Redis that is read whole and then deleted loses what is put in between.
A record of many keys that is deleted as a whole and written anew one by one is for a while a part of itself, and two writers leave a mixture.

It is a note where names say that little hangs on it: an entry of a cache, the state of a limit (`cached`, `throttle`, `TokenBucket`);
and where only scheduled rounds come there.

Fine when: the lock that every writer takes is held from before the read until after the write; a version is compared; the
operation is atomic in the store; an operator's command does it. Counters are reported by their own rule.

Known misses: fields that are set from their old value by other means than arithmetic; rows of a database that are read and written in different
functions, unless a dependency of the framework reads them; keys of a store whose read and write are more than four calls apart; fields that are
filled with a value of no consequence when it is made twice.

Sources: ZooKeeper, Data Model (versions, conditional updates); Consul KV API (cas); Django documentation, F() expressions (avoiding
race conditions).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    ERROR,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Mutation,
    Op,
    Operation,
    Place,
    Severity,
    System,
    backend_name,
    drained,
    found,
    rewritten,
    rule,
    words,
)

_SHARED = (*COORDINATORS, "redis", "memcached", "dynamodb", "django-cache")
_MONEY = frozenset(
    {"balance", "amount", "credit", "debit", "money", "fund", "wallet", "ledger", "price", "paid", "stock", "inventory"}
    | {"seat", "quantity", "point", "bonus", "quota", "points"}
)
_DEAR = frozenset(
    {"payment", "charge", "refund", "invoice", "booking", "reservation", "wallet", "coupon", "voucher", "payout", "transfer", "subscription"}
    | {"withdrawal", "balance", "ledger", "redemption"}
)
_ORDERS = frozenset({"order", "purchase", "ticket", "deposit", "transaction"})
_CLAIMS = frozenset({"assignee", "assigned", "claimed", "claimer", "claimant", "taken", "taker", "holder", "reserved", "reviewer", "courier", "driver"})
# A version is itself the guard; tries are counted by the one worker that has the record.
_OF_ITS_OWNER = frozenset({"version", "revision", "rev", "generation", "epoch", "retry", "attempt", "try"})
# A record that only its owner writes: what fills the key is the process itself.
_OWN = frozenset({"hostname", "gethostname", "host", "pid", "getpid", "me", "my", "self", "node", "worker", "instance", "pod"})

_CACHED = frozenset({"cache", "cached", "memo", "memoized"})
# How often something may be done: a limit that lets one more through.
_LIMITS = frozenset({"throttle", "throttled", "throttling", "bucket", "limiter", "ratelimit", "ratelimiter"})


@rule("CL503", severity=WARNING)
def lost_update(system: System) -> Iterator[Found]:
    for write in system.operations(Op.WRITE, backend=_SHARED, carried=True):
        if write.reads_back is None or write.counts or write.conditional or _in_one_step(system, write):
            continue  # a counter is another rule's matter
        if (write.backend == "django-cache" or write.via) and not write.changes:
            continue  # put back as it was
        if system.is_locked(write) or _by_command(system, write):
            continue
        rivals = [(o.place, "the same key is written here too") for o in system.same_key(write) if o.stores]
        key = write.key_text or write.key or next((a.text for a in write.arguments if a.name in ("name", "key", "path") and a.text), "a key")
        yield found(
            f"Reads `{key}` from {backend_name(write.backend)}, changes it and writes it back with neither lock nor version: a write "
            "in between is lost.",
            at=write,
            because=[(write.reads_back, "the value that is changed was read here"), *rivals[:2], *write.origin],
            severity=_weight(write),
            confidence=MEDIUM if write.via or (_owned(write) and not rivals) else HIGH,
        )
    yield from _drains(system)
    yield from _rewrites(system)
    told: set[tuple[str, str, Place]] = set()
    for mutation in system.mutations():
        if mutation.maker and _is_dear(mutation) and not system.is_locked(mutation) and not _by_command(system, mutation):
            yield _filled(mutation)
        if mutation.claimed and not mutation.versioned and not mutation.locked and words(mutation.field) & _CLAIMS and not system.is_locked(mutation):
            yield _claimed(mutation)
        if mutation.moved and not mutation.versioned and not mutation.locked and not system.is_locked(mutation) and not _by_command(system, mutation):
            yield from _moved(system, mutation)
        if (mutation.record, mutation.field, mutation.written) in told:
            continue  # one save, however many steps lead to the new value
        if not mutation.arithmetic or mutation.versioned or mutation.locked or words(mutation.field) & _OF_ITS_OWNER:
            continue
        if not system.is_locked(mutation) and not _by_command(system, mutation):
            told.add((mutation.record, mutation.field, mutation.written))
            yield _record(system, mutation)


def _is_approximate(write: Operation) -> bool:
    """Whether names say that a write too few or too many does little: an entry of a cache, the state of a limit."""
    named = frozenset(w for name in write.through for w in words(name)) | write.key_words
    return bool(named & _CACHED or write.key_words & _LIMITS)


def _weight(write: Operation) -> Severity:
    """Money and promises are worth most; what is gone from a cache can mostly be made again."""
    is_dear = bool(write.key_words & _MONEY)
    if write.backend == "django-cache" and not _is_approximate(write):
        return WARNING if is_dear else INFO
    if write.role == "cache" or _is_approximate(write):
        return INFO
    return ERROR if is_dear else WARNING


def _record(system: System, mutation: Mutation) -> Found:
    is_money = bool(words(f"{mutation.field} {mutation.type.rpartition('.')[2]}") & _MONEY)
    is_small = mutation.since or bool(words(mutation.type.rpartition(".")[2]) & _LIMITS) or _by_schedule(system, mutation)
    return found(
        f"`{mutation.record}.{mutation.field}` is computed from the value read before and saved with neither lock nor version: a "
        "change in between is lost.",
        at=mutation.place,
        symbol=mutation.symbol,
        resource=f"{mutation.type}.{mutation.field}",
        because=[(mutation.read, "the record is read here"), (mutation.written, "and written back here")],
        severity=INFO if is_small else ERROR if is_money else WARNING,
        confidence=HIGH if mutation.type else MEDIUM,
    )


def _is_dear(mutation: Mutation) -> bool:
    """Whether a second one matters: money and promises, or something outside whose name only this record remembers."""
    if mutation.locked or mutation.versioned:
        return False
    if mutation.made:
        return bool(words(f"{mutation.made} {mutation.field}") & _DEAR)
    return bool(mutation.type) and mutation.keeps_part


def _filled(mutation: Mutation) -> Found:
    return found(
        f"`{mutation.record}.{mutation.field}` is found empty and then filled with what {mutation.maker}() makes, with neither lock nor condition: two at a "
        "time make two, and the record remembers one.",
        at=mutation.place,
        symbol=mutation.symbol,
        resource=f"{mutation.type}.{mutation.field}",
        because=[(mutation.read, "found empty here"), (mutation.written, "and made here")],
        confidence=MEDIUM,
    )


def _claimed(mutation: Mutation) -> Found:
    return found(
        f"`{mutation.record}.{mutation.field}` is found free and then given to somebody, with neither lock nor condition: two at a time both get it, and "
        "the record remembers the second.",
        at=mutation.place,
        symbol=mutation.symbol,
        resource=f"{mutation.type}.{mutation.field}",
        because=[(mutation.read, "found free here"), (mutation.written, "and saved here")],
        confidence=MEDIUM,
    )


def _moved(system: System, mutation: Mutation) -> Iterator[Found]:
    """A change of state without the row lock that others take for the same kind of record."""
    name = mutation.type.rpartition(".")[2]
    locks = [o.place for o in system.operations(Op.ROW_LOCK) if o.key == name and o.symbol != mutation.symbol and not o.conditional]
    if locks:  # one that skips what others hold only shares out work
        yield found(
            f"`{mutation.record}.{mutation.field}` is tested and then set without the row lock that is taken elsewhere: a change of the {name} in between is "
            "overwritten, and two at a time both go on.",
            at=mutation.place,
            symbol=mutation.symbol,
            resource=f"{mutation.type}.{mutation.field}",
            because=[(mutation.read, "tested here"), (mutation.written, "saved here"), (locks[0], f"the row of a {name} is locked here")],
            severity=WARNING if words(f"{mutation.field} {name}") & (_DEAR | _MONEY | _ORDERS) else INFO,
            confidence=MEDIUM,
        )


def _in_one_step(system: System, write: Operation) -> bool:
    """Whether the read is part of the same step: MULTI makes the writes one, and nobody looks at the read unless WATCH stands before it."""
    if write.atomic != "pipeline":
        return bool(write.atomic)
    inside = [o for o in system.operations(Op.READ, Op.LIST, Op.WATCH) if o.symbol == write.symbol]
    return any(o.op is Op.WATCH for o in inside) or not any(o.place == write.reads_back and not o.atomic for o in inside)


def _drains(system: System) -> Iterator[Found]:
    """A list that is read whole and then deleted in a step of its own, while others put entries in."""
    for drop, read, put in drained(system):
        if not system.is_locked(drop) and not _by_command(system, drop):
            yield found(
                f"Reads the list `{drop.key_text or drop.key}` to its end and deletes it in a second step: what is put in between is lost.",
                at=drop,
                because=[(read.place, "the list is read here"), (put.place, "and filled here"), *drop.origin],
                help="Do both in one transaction (MULTI), take the entries with LPOP and a count, or LTRIM by the number that was read.",
            )


def _rewrites(system: System) -> Iterator[Found]:
    """A record that is deleted with all keys below it, and written anew key by key."""
    for drop, write in rewritten(system):
        if not system.is_locked(drop) and not _by_command(system, drop):
            yield found(
                f"Deletes all below `{drop.key_text or drop.key}` and writes it anew key by key: who reads in between sees a part of it, and two writers "
                "leave a mixture.",
                at=drop,
                because=[(write.place, "written one by one here"), *drop.origin],
                confidence=MEDIUM,
                help="Keep what belongs together in one value; or do all of it in one transaction; or write first, and then delete what is no longer wanted.",
            )


def _by_command(system: System, mutation: Operation | Mutation) -> bool:
    """Only operators' commands lead there: nobody else does the same at the same time."""
    kinds = {entry.kind for entry in system.entries_reaching(mutation.symbol)} - {"test", "import"}
    return "command" in kinds and kinds <= {"command", "main"}


def _by_schedule(system: System, mutation: Mutation) -> bool:
    """Whether only scheduled rounds come there: two at a time take one that lasts until the next."""
    entries = [e for e in system.entries_reaching(mutation.symbol) if e.kind != "test"]
    scheduled = {e.symbol for e in entries if e.kind == "periodic"}
    return bool(entries) and {e.symbol for e in entries} <= scheduled


def _owned(write: Operation) -> bool:
    return any(words(filler) & _OWN for filler in write.fillers)


EXAMPLES = '''
=== bad: a job record in ZooKeeper, through a client of another module
--- jobs/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- jobs/state.py
import json

from jobs.zk import zk


def finish(job_id):
    data, stat = zk.get(f"/jobs/{job_id}")
    job = json.loads(data)
    job["state"] = "done"
    zk.set(f"/jobs/{job_id}", json.dumps(job).encode())  # finding: lost-update

=== bad: the path is an attribute whose value nobody knows
--- jobs/domains.py
import json

from kazoo.client import KazooClient


class Domains:
    def setup(self, settings):
        self.zk = KazooClient(hosts=settings["hosts"])
        self.path = settings["path"]

    def ban(self, domain):
        data = json.loads(self.zk.get(self.path)[0])
        data["banned"].append(domain)
        self.zk.set(self.path, json.dumps(data).encode())  # finding: lost-update

=== bad: a record of many keys is deleted and written anew, through a client of another module
--- fleet/store.py
import etcd

client = etcd.Client(host="etcd")
--- fleet/publish.py
from fleet.store import client


def publish(settings):
    try:
        client.delete(f"/fleet/settings/{settings.app}", recursive=True, dir=True)  # finding: lost-update
    except etcd.EtcdKeyNotFound:
        pass
    for name, value in settings.values.items():
        client.write(f"/fleet/settings/{settings.app}/{name}", value)

=== good: only deleted; or what is written stands elsewhere; or one value
--- fleet/publish.py
import json

import etcd

client = etcd.Client(host="etcd")


def forget(app):
    client.delete(f"/fleet/settings/{app}", recursive=True)


def move(app, others):
    client.delete(f"/fleet/old/{app}", recursive=True)
    for other in others:
        client.write(f"/fleet/new/{other}", "1")


def publish(settings):
    client.delete(f"/fleet/parts/{settings.app}", recursive=True)
    client.write(f"/fleet/settings/{settings.app}", json.dumps(settings.values))

=== bad: a document in Redis
--- shop/carts.py
import json

import redis

r = redis.Redis()


def add(user, item):
    cart = json.loads(r.get(f"cart:{user}") or "[]")
    cart.append(item)
    r.set(f"cart:{user}", json.dumps(cart))  # finding: lost-update

=== bad: a list in Consul
--- app/peers.py
import json

import consul

c = consul.Consul()


def add(peer):
    _, item = c.kv.get("peers")
    peers = json.loads(item["Value"])
    peers.append(peer)
    c.kv.put("peers", json.dumps(peers))  # finding: lost-update

=== bad: money on a Django row
--- bank/models.py
from django.db import models


class Account(models.Model):
    balance = models.IntegerField(default=0)
--- bank/views.py
from bank.models import Account


def deposit(request, pk, amount):
    account = Account.objects.get(pk=pk)
    account.balance += amount  # finding: lost-update
    account.save()

=== bad: an SQLAlchemy counter
--- shop/db.py
from sqlalchemy import Integer, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    stock: Mapped[int] = mapped_column(Integer)


engine = create_engine("postgresql://db/shop")
--- shop/order.py
from sqlalchemy.orm import Session

from shop.db import Product, engine


def order(sku, n):
    with Session(engine) as session:
        product = session.get(Product, sku)
        product.stock = product.stock - n  # finding: lost-update
        session.commit()

=== bad: read through a wrapper, and locked by one of two callers only
--- jobs/store.py
import pickle

from kazoo.client import KazooClient


class Store:
    def __init__(self, hosts):
        self.zk = KazooClient(hosts=hosts)

    def get(self, path):
        return pickle.loads(self.zk.get(path)[0])

    def update(self, name, **changes):
        path = f"/tasks/{name}"
        task = self.get(path)
        changed = task._replace(**changes)
        self.zk.set(path, pickle.dumps(changed))  # finding: lost-update
--- jobs/master.py
from jobs.store import Store

store = Store("zk:2181")


def assign(name, worker):
    with store.zk.Lock("/locks/tasks", "master"):
        store.update(name, worker=worker)
--- jobs/worker.py
from jobs.store import Store

store = Store("zk:2181")


def finish(name):
    store.update(name, state="done")

=== bad: a payment is made for a bill that has none, by another module's model
--- shop/models.py
from django.db import models


class Payment(models.Model):
    amount = models.IntegerField()


class Bill(models.Model):
    amount = models.IntegerField()
    payment = models.ForeignKey(Payment, null=True, on_delete=models.SET_NULL)
--- shop/pay.py
from shop.models import Payment


def pay(bill, by):
    if bill.payment is not None:
        bill.payment.by = by
        bill.payment.save()
    else:
        bill.payment = Payment.objects.create(amount=bill.amount)  # finding: lost-update
        bill.save()

=== bad: the field is set through an object that stands for the record
--- shop/models.py
from django.db import models


class Voucher(models.Model):
    pass


class Booking(models.Model):
    voucher = models.ForeignKey(Voucher, null=True, on_delete=models.SET_NULL)
--- shop/holder.py
class Holder:
    def __init__(self, model):
        self.model = model

    @property
    def voucher(self):
        return self.model.voucher

    @voucher.setter
    def voucher(self, voucher):
        self.model.voucher = voucher
--- shop/give.py
from shop.holder import Holder
from shop.models import Voucher


def give(booking):
    holder = Holder(booking)
    if not holder.voucher:
        holder.voucher = Voucher.objects.create()  # finding: lost-update
        booking.save()

=== bad: a tenant's name at a provider is kept once it was made, after an early return
--- hosting/models.py
from django.db import models


class Tenant(models.Model):
    bucket = models.CharField(max_length=80, null=True)
--- hosting/buckets.py
from cloudy import Client

from hosting.models import Tenant

cloud = Client()


def bucket_of(pk):
    tenant = Tenant.objects.get(pk=pk)
    if tenant.bucket:
        return tenant.bucket
    made = cloud.create_bucket(region="north")
    tenant.bucket = made["name"]  # finding: lost-update
    tenant.save()
    return tenant.bucket

=== good: the row is locked before its field is found empty
--- hosting/buckets.py
from cloudy import Client
from django.db import models, transaction

cloud = Client()


class Tenant(models.Model):
    bucket = models.CharField(max_length=80, null=True)


def bucket_of(pk):
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update().get(pk=pk)
        if not tenant.bucket:
            made = cloud.create_bucket(region="north")
            tenant.bucket = made["name"]
            tenant.save()
    return tenant.bucket

=== good: a parent row is locked in the context manager that gives the record
--- hosting/store.py
from contextlib import contextmanager

from sqlalchemy import Integer, String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine("postgresql://db/hosting")


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)


class Tenant(Base):
    __tablename__ = "tenant"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    customer: Mapped[int] = mapped_column(Integer)
    bucket: Mapped[str] = mapped_column(String)


@contextmanager
def tenant_of(customer):
    with Session(engine) as session:
        session.query(Customer).filter_by(id=customer).with_for_update().one()
        tenant = session.query(Tenant).filter_by(customer=customer).first()
        yield tenant
        session.commit()
--- hosting/buckets.py
from cloudy import Client

from hosting.store import tenant_of

cloud = Client()


def bucket_of(customer):
    with tenant_of(customer) as tenant:
        if not tenant.bucket:
            tenant.bucket = cloud.create_bucket(region="north")["name"]
        return tenant.bucket

=== good: what is filled in can be made twice
--- shop/models.py
from django.db import models

from shop.thumbs import create_thumbnail


class Photo(models.Model):
    thumb = models.CharField(max_length=80, null=True)


def show(pk):
    photo = Photo.objects.get(pk=pk)
    if not photo.thumb:
        photo.thumb = create_thumbnail(photo)
        photo.save()
    return photo.thumb

=== good: the error of the unique constraint tells the second
--- shop/pay.py
from django.db import IntegrityError, models


class Payment(models.Model):
    bill = models.IntegerField(unique=True)


def pay(bill):
    if bill.payment is None:
        try:
            bill.payment = Payment.objects.create(bill=bill.pk)
        except IntegrityError:
            bill.payment = Payment.objects.get(bill=bill.pk)
        bill.save()

=== good: on a miss the value is made anew, not from what was read
--- pages/fragments.py
import etcd3

etcd = etcd3.client(host="etcd")


def fragment(name, render):
    body, _ = etcd.get(f"/fragments/{name}")
    if body is None:
        body = render(name)
        etcd.put(f"/fragments/{name}", body)
    return body

=== bad: both the read and the write are methods of a store that is made elsewhere, two layers deep
--- depot/kv.py
import consul


class Kv:
    def __init__(self, prefix):
        self._prefix = prefix
        self._consul = consul.Consul(host="consul")

    def _path(self, key):
        return "/".join(part for part in [*self._prefix.split("/"), *key.split("/")] if part)

    def fetch(self, key):
        path = self._path(key)
        _, entries = self._consul.kv.get(path, recurse=True)
        return {e["Key"]: e["Value"].decode() for e in entries or ()}

    def replace(self, key, text):
        self._consul.kv.put(self._path(key), text)
--- depot/registry.py
import json

from depot.kv import Kv


class Registry:
    def __init__(self):
        self._kv = Kv("depot/v1")

    def crews_of(self, ship):
        _, text = self._kv.fetch(f"crew/{ship}").popitem()
        return json.loads(text)

    def sign_on(self, ship, sailor):
        crew = self.crews_of(ship)
        if sailor not in crew:
            crew.append(sailor)
        text = json.dumps(crew)
        self._kv.replace(f"crew/{ship}", text)  # finding: lost-update

    def sign_off(self, place, sailor):
        _, text = self._kv.fetch(place).popitem()
        crew = json.loads(text)
        crew.remove(sailor)
        self._kv.replace(place, json.dumps(crew))  # finding: lost-update

=== bad: a list in Django's cache, which a helper reads
--- pool/lanes.py
from django.core.cache import cache


def taken(day):
    return list(set(cache.get(f"lanes_{day}") or []))


def take(day, lane):
    lanes = taken(day)
    cache.set(f"lanes_{day}", lanes + [lane], 600)  # finding: lost-update

=== good: the store's methods take a lock in their caller
--- depot/store.py
import etcd3

client = etcd3.client()


def fetch(name):
    return client.get(f"/depot/{name}")[0]


def put(name, text):
    client.put(f"/depot/{name}", text)
--- depot/crews.py
import json

from depot import store


def sign_on(ship, sailor):
    with store.client.lock(f"crew-{ship}"):
        crew = json.loads(store.fetch(ship))
        crew.append(sailor)
        store.put(ship, json.dumps(crew))

=== good: one record is read through the store and another is written; what is written is new; what is read is only held against it
--- depot/store.py
import etcd3

client = etcd3.client()


def fetch(name):
    return client.get(f"/depot/{name}")[0]


def put(name, text):
    client.put(f"/depot/{name}", text)
--- depot/crews.py
import json

from depot import store


def copy(ship, other):
    crew = json.loads(store.fetch(ship))
    store.put(other, json.dumps(crew))


def name(ship, title):
    if store.fetch(ship):
        store.put(ship, title)


def begin(ship, sailors):
    known = store.fetch(ship)
    if known:
        crew = json.loads(known)
        show(crew)
    else:
        crew = []
        crew.append(sailors[0])
        store.put(ship, json.dumps(crew))

=== good: Django's cache is filled with what was computed, or again with what it held
--- pool/lanes.py
from django.core.cache import cache

from pool.models import Lane


def free(day):
    lanes = cache.get(f"free_{day}")
    if lanes is None:
        lanes = [lane.number for lane in Lane.objects.filter(day=day)]
        cache.set(f"free_{day}", lanes, 60)
    return lanes


def keep(day):
    lanes = cache.get(f"free_{day}")
    cache.set(f"free_{day}", lanes, 3600)


def page(day, number):
    found = cache.get(f"page_{day}_{number}")
    if found:
        lanes = found["lanes"]
        lanes.sort()
        return lanes
    lanes = list(Lane.objects.filter(day=day))
    lanes.sort()
    cache.set(f"page_{day}_{number}", {"lanes": lanes}, 60)
    return lanes

=== bad: a booking is found open and then paid, without the row lock that cancelling takes in another module
--- hotel/models.py
from django.db import models


class Booking(models.Model):
    state = models.CharField(max_length=10, default="open")
--- hotel/cancel.py
from django.db import transaction

from hotel.models import Booking


def cancel(request, pk):
    with transaction.atomic():
        booking = Booking.objects.select_for_update().get(pk=pk)
        if booking.state == "open":
            booking.state = "cancelled"
            booking.save()
--- hotel/pay.py
from django.shortcuts import get_object_or_404

from hotel.models import Booking


def paid(request, pk):
    booking = get_object_or_404(Booking, pk=pk)
    if booking.state != "open":
        return False
    booking.state = "paid"  # finding: lost-update
    booking.save()
    return True


def mailed(request, pk):
    booking = get_object_or_404(Booking.objects.select_for_update(), pk=pk)
    if booking.state != "open":
        return False
    booking.state = "paid"
    booking.save()
    return True

=== good: nobody locks such rows, so nobody knows whether two write them; a state that is set whatever it was
--- hotel/models.py
from django.db import models


class Booking(models.Model):
    state = models.CharField(max_length=10, default="open")
    mailed = models.BooleanField(default=False)
--- hotel/pay.py
from hotel.models import Booking


def paid(pk):
    booking = Booking.objects.get(pk=pk)
    if booking.state == "open":
        booking.state = "paid"
        booking.save()


def mail(pk):
    booking = Booking.objects.get(pk=pk)
    booking.mailed = True
    booking.save()

=== good: every caller holds the lock
--- jobs/store.py
import pickle

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def update(name, **changes):
    path = f"/tasks/{name}"
    task = pickle.loads(zk.get(path)[0])
    zk.set(path, pickle.dumps(task._replace(**changes)))


def assign(name, worker):
    with zk.Lock("/locks/tasks", "master"):
        update(name, worker=worker)


def finish(name):
    with zk.Lock("/locks/tasks", "worker"):
        update(name, state="done")

=== good: an operator's command
--- shop/management/commands/refund.py
from django.core.management.base import BaseCommand
from django.db import models


class Account(models.Model):
    balance = models.IntegerField(default=0)


class Command(BaseCommand):
    def handle(self, *args, **options):
        account = Account.objects.get(pk=options["account"])
        account.balance += options["amount"]
        account.save()

=== good: tries are counted by the worker that has the job
--- jobs/queue.py
from django.db import models


class Job(models.Model):
    retry_count = models.IntegerField(default=0)


def failed(pk):
    job = Job.objects.get(pk=pk)
    job.retry_count += 1
    job.save()

=== good: the version is compared
--- jobs/state.py
import json

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def finish(job_id):
    data, stat = zk.get(f"/jobs/{job_id}")
    job = json.loads(data)
    job["state"] = "done"
    zk.set(f"/jobs/{job_id}", json.dumps(job).encode(), version=stat.version)

=== good: the lock is held from the read to the write
--- jobs/state.py
import json

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def finish(job_id):
    with zk.Lock(f"/locks/jobs/{job_id}", "me"):
        data, stat = zk.get(f"/jobs/{job_id}")
        job = json.loads(data)
        job["state"] = "done"
        zk.set(f"/jobs/{job_id}", json.dumps(job).encode())

=== good: WATCH and MULTI
--- shop/carts.py
import json

import redis

r = redis.Redis()


def add(user, item):
    with r.pipeline() as pipe:
        pipe.watch(f"cart:{user}")
        cart = json.loads(pipe.get(f"cart:{user}") or "[]")
        cart.append(item)
        pipe.multi()
        pipe.set(f"cart:{user}", json.dumps(cart))
        pipe.execute()

=== good: an atomic operation
--- shop/carts.py
import redis

r = redis.Redis()


def add(user, item):
    r.rpush(f"cart:{user}", item)

=== good: Django's F expression
--- bank/views.py
from django.db import models
from django.db.models import F


class Account(models.Model):
    balance = models.IntegerField(default=0)


def deposit(request, pk, amount):
    Account.objects.filter(pk=pk).update(balance=F("balance") + amount)

=== good: the row is locked
--- bank/views.py
from django.db import models, transaction


class Account(models.Model):
    balance = models.IntegerField(default=0)


def deposit(request, pk, amount):
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=pk)
        account.balance += amount
        account.save()

=== good: a version column of SQLAlchemy
--- shop/order.py
from sqlalchemy import Integer, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "product"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    stock: Mapped[int] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    __mapper_args__ = {"version_id_col": version}


engine = create_engine("postgresql://db/shop")


def order(sku, n):
    with Session(engine) as session:
        product = session.get(Product, sku)
        product.stock = product.stock - n
        session.commit()

=== good: read one key, write another
--- shop/copy.py
import redis

r = redis.Redis()


def archive(user):
    cart = r.get(f"cart:{user}")
    r.set(f"archive:{user}", cart)

=== good: a blind write of a new value
--- app/leader.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def tell(address):
    old, _ = zk.get("/leader")
    print("was", old)
    zk.set("/leader", address)

=== good: arithmetic on an object that is not stored
--- app/local.py
class Account:
    balance = 0


def deposit(amount):
    account = Account()
    account.balance += amount
    return account

=== good: how long the entry lives is read, and its value is new
--- app/progress.py
import json

import redis

r = redis.Redis()


def publish(task, steps):
    left = r.ttl(f"progress:{task}")
    r.set(f"progress:{task}", json.dumps(steps), left)

=== bad: one field in several steps and one save: one finding
--- jobs/models.py
from django.db import models


class Job(models.Model):
    note = models.TextField()
--- jobs/reaper.py
from jobs.models import Job


def reap(pk, why):
    job = Job.objects.get(pk=pk)
    if job.note:
        job.note += " "  # finding: lost-update
    job.note += why
    job.save()

=== bad: a Django record behind a base class of another package
--- bank/models.py
from django.db import models
from django_lifecycle import LifecycleModel


class Account(LifecycleModel):
    balance = models.IntegerField(default=0)
--- bank/views.py
from bank.models import Account


def deposit(request, pk, amount):
    account = Account.objects.get(pk=pk)
    account.balance += amount  # finding: lost-update
    account.save()

=== bad: read before MULTI, which only keeps the writes together
--- reports/store.py
import json
import redis

r = redis.Redis(host="redis")

def extend(report_id, pages):
    report = json.loads(r.get(f"report:{report_id}"))
    report["pages"] = pages
    pipe = r.pipeline()
    pipe.set(f"report:{report_id}", json.dumps(report))  # finding: lost-update
    pipe.zadd("reports:by-size", {report_id: pages})
    pipe.execute()

=== bad: a mailbox is read to its end and then deleted
--- mail/box.py
import redis

r = redis.Redis(host="redis")

def put(user, letter):
    r.rpush(f"mailbox:{user}", letter)

def empty(user):
    letters = r.lrange(f"mailbox:{user}", 0, -1)
    r.delete(f"mailbox:{user}")  # finding: lost-update
    return letters

=== good: both in one transaction
--- mail/box.py
import redis

r = redis.Redis(host="redis")

def put(user, letter):
    r.rpush(f"mailbox:{user}", letter)

def empty(user):
    with r.pipeline() as pipe:
        pipe.lrange(f"mailbox:{user}", 0, -1)
        pipe.delete(f"mailbox:{user}")
        return pipe.execute()[0]

=== good: a list that only this function fills is thrown away
--- report/lines.py
import redis

r = redis.Redis(host="redis")

def lines(report):
    r.rpush(f"lines:{report.id}", *report.lines)
    found = r.lrange(f"lines:{report.id}", 0, -1)
    r.delete(f"lines:{report.id}")
    return found

=== bad: the row is read again in a transaction that does not lock it
--- club/models.py
from django.db import models, transaction

class Member(models.Model):
    visits = models.IntegerField(default=0)

    def visit(self, times):
        with transaction.atomic():
            self.refresh_from_db()
            self.visits += times  # finding: lost-update
            self.save()

=== good: read anew on another way only, and nobody knows who read it here
--- club/models.py
from django.db import models

class Member(models.Model):
    visits = models.IntegerField(default=0)

    def visit(self, times):
        if times < 0:
            self.refresh_from_db()
            return
        self.visits += times
        self.save()

=== bad: the record is handed in by a dependency of the framework that only reads it
--- wallets/models.py
from sqlmodel import Field, SQLModel

class Purse(SQLModel, table=True):
    id: str = Field(primary_key=True)
    balance: int = Field(default=0)
--- wallets/deps.py
from fastapi import Depends, Header
from sqlmodel.ext.asyncio.session import AsyncSession

from wallets.models import Purse

async def current_session() -> AsyncSession: ...

async def current_purse(purse_id: str = Header(), session: AsyncSession = Depends(current_session)) -> Purse:
    return await session.get(Purse, purse_id)
--- wallets/api.py
from fastapi import APIRouter, Depends
from sqlmodel.ext.asyncio.session import AsyncSession

from wallets.deps import current_purse, current_session
from wallets.models import Purse

router = APIRouter()

@router.post("/tickets")
async def buy(price: int, purse: Purse = Depends(current_purse), session: AsyncSession = Depends(current_session)):
    if purse.balance < price:
        return {"error": "not enough"}
    purse.balance -= price  # finding: lost-update
    session.add(purse)
    await session.commit()

=== good: the dependency locks the row
--- wallets/models.py
from sqlmodel import Field, SQLModel

class Purse(SQLModel, table=True):
    id: str = Field(primary_key=True)
    balance: int = Field(default=0)
--- wallets/deps.py
from fastapi import Depends, Header
from sqlmodel.ext.asyncio.session import AsyncSession

from wallets.models import Purse

async def current_session() -> AsyncSession: ...

async def current_purse(purse_id: str = Header(), session: AsyncSession = Depends(current_session)) -> Purse:
    return await session.get(Purse, purse_id, with_for_update=True)
--- wallets/api.py
from fastapi import APIRouter, Depends
from sqlmodel.ext.asyncio.session import AsyncSession

from wallets.deps import current_purse, current_session
from wallets.models import Purse

router = APIRouter()

@router.post("/tickets")
async def buy(price: int, purse: Purse = Depends(current_purse), session: AsyncSession = Depends(current_session)):
    purse.balance -= price
    session.add(purse)
    await session.commit()

=== bad: a ride is found free and given to whoever asked
--- rides/models.py
from django.db import models

class Ride(models.Model):
    driver = models.ForeignKey("Driver", null=True, on_delete=models.SET_NULL)

class Driver(models.Model):
    name = models.CharField(max_length=40)
--- rides/views.py
from rides.models import Driver, Ride

def take(request, ride_id):
    driver = Driver.objects.get(pk=request.user.pk)
    ride = Ride.objects.get(pk=ride_id)
    if ride.driver is not None:
        return "taken"
    ride.driver = driver  # finding: lost-update
    ride.save()
    return "yours"

=== good: the row is locked before it is found free
--- rides/models.py
from django.db import models

class Ride(models.Model):
    driver = models.ForeignKey("Driver", null=True, on_delete=models.SET_NULL)

class Driver(models.Model):
    name = models.CharField(max_length=40)
--- rides/views.py
from django.db import transaction

from rides.models import Driver, Ride

def take(request, ride_id):
    driver = Driver.objects.get(pk=request.user.pk)
    with transaction.atomic():
        ride = Ride.objects.select_for_update().get(pk=ride_id)
        if ride.driver is not None:
            return "taken"
        ride.driver = driver
        ride.save()
    return "yours"

=== good: who made the record is noted when it is missing
--- notes/models.py
from django.db import models

class Note(models.Model):
    author = models.CharField(max_length=40, null=True)
--- notes/views.py
from notes.models import Note

def edit(request, note_id):
    note = Note.objects.get(pk=note_id)
    if note.author is None:
        note.author = request.user
    note.save()

=== good: one lock, and two calls of the helper under it
--- nodes/members.py
import json

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def join(path, name):
    members = json.loads(zk.get(path)[0])
    if name not in members:
        members.append(name)
        zk.set(path, json.dumps(members).encode())
    return members
--- nodes/start.py
from nodes.members import join, zk


def start(name, is_first):
    with zk.Lock("/nodes/lock", name):
        if is_first:
            return join("/nodes/members", name)
        return join("/nodes/members", name)

=== bad: the time since the record's own date is added, which two at a time compute alike: a note
--- meter/models.py
from django.db import models


class Meter(models.Model):
    days = models.IntegerField(default=0)
    updated = models.DateField(auto_now=True)
--- meter/views.py
from datetime import date

from meter.models import Meter


def refresh(request, pk):
    meter = Meter.objects.get(pk=pk)
    passed = date.today() - meter.updated
    meter.days += passed.days  # finding: lost-update
    meter.save()
'''
