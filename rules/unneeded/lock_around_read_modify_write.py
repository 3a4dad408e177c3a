r"""A lock guards read, compute and write of one record, which an atomic update or a version check would do alone.

Why: the database is a coordination point already. `UPDATE ... SET balance = balance + 50` needs no lock, cannot lose an update, and holds when the
process is paused; a lock in another service adds two round trips and a failure mode, and does not protect the row from those who do not take it.

Instead: let the store compute: `filter(pk=pk).update(balance=F("balance") + 50)`, `UPDATE t SET n = n + :d WHERE id = :id`, INCRBY. Where the
new value needs code, read the version with the row and write `WHERE version = :read`, test the row count and try again.

Fine when: several records must change together, or an outside call is made between read and write. Then a row lock in the same transaction
(SELECT ... FOR UPDATE) or a version check is still better than a lock in another service, but it is not this simple. It is a note where the value
is compared with something before it is written.

Known misses: records that are read in one function and written in another.

Sources: Django documentation, F() expressions; SQLAlchemy documentation, version_id_col; AWS DynamoDB documentation, conditional writes.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Late,
    Op,
    Section,
    System,
    call_name,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    trail,
)

STORES = ("redis", "memcached", "zookeeper", "etcd", "consul", "dynamodb")
ATOMIC = {
    "redis": "INCRBY, or a Lua script that reads and writes in one step, needs no lock.",
    "memcached": "incr, or gets and cas with a tested result, needs no lock.",
    "zookeeper": "set(path, value, version=<the version read>) with a retry on BadVersionError needs no lock.",
    "etcd": "A transaction that compares the key's mod_revision needs no lock.",
    "consul": "put(key, value, cas=<ModifyIndex>) with a tested result needs no lock.",
    "dynamodb": "update_item with ADD, or a ConditionExpression on a version, needs no lock.",
}


CHECKED = (
    "The value is checked before it is written: put the check into the write (`UPDATE ... WHERE n >= :wanted` with its row count tested, a script), "
    "or write only if the version is still the one that was read."
)


@rule("CL202", severity=WARNING)
def lock_around_read_modify_write(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True):
        if section.shares_fate or section.unresolved or section.lock.model.kind not in ("lock", "write-lock"):
            continue
        write = the_only_write(section)
        if write is None or write.operation.reads_back is None:
            yield from one_script(section)
            continue
        read = write.operation.reads_back
        yield found(
            f"{lock_name(section.lock)} guards read, compute and write of one record: {effect_name(write.operation)} writes what was "
            f"computed from line {read.line}",
            at=section,
            because=distinct(
                [Evidence(read, "the record is read here"), Evidence(write.place, f"and {call_name(write.operation)} writes it back"), *trail(section)],
                besides=section.acquired,
            ),
            severity=INFO if write.operation.is_checked else WARNING,
            confidence=MEDIUM,
            help=CHECKED if write.operation.is_checked else ATOMIC.get(write.operation.backend, ""),
        )


def one_script(section: Section) -> Iterator[Found]:
    """All that is read and written is in Redis, and some of it is written back: one script does the same in one step."""
    done = [e.operation for e in section.effects]
    read = {o.operation.key: o.place for o in section.reads if "{}" in (o.operation.key or "") and o.operation.key != "{}"}
    back = [o for o in done if o.late is Late.OVERWRITE and o.key in read]
    if any("fill a cache" in point.reason for point in section.purpose.points):
        return  # who comes next finds what this one has computed from elsewhere
    if not back or any(o.backend != "redis" or o.loop or o.op is Op.SCRIPT for o in (*done, *(e.operation for e in section.reads))):
        return
    first = min(back, key=lambda o: o.place)
    yield found(
        f"{lock_name(section.lock)} guards reads and writes of Redis alone: what {call_name(first)} writes was computed from what was read, and one script "
        "could read, decide and write in one step",
        at=section,
        because=distinct([Evidence(read[first.key], "a record is read here"), Evidence(first.place, "and written back here")], besides=section.acquired),
        confidence=MEDIUM,
        help="A Lua script runs whole or not at all, so no lock is needed; between WATCH and EXEC the same holds with a retry. On a cluster the keys must share a hash tag.",
    )


def the_only_write(section: Section) -> Effect | None:
    """The section's single stored write, with nothing else done to the world between; None otherwise."""
    effects = [effect for effect in section.effects if effect.operation.op is not Op.COMMIT]
    if len(effects) != 1 or effects[0].conditional:
        return None
    write = effects[0]
    is_stored = write.operation.kind == "database" or write.operation.backend in STORES
    records = {read.operation.key for read in section.reads} - {"{}"}
    return write if is_stored and len(records) <= 1 else None


EXAMPLES = r'''
=== bad: a balance of one row, the lock from another module
--- bank/locks.py
import redis

client = redis.Redis(host="redis")

def account_lock(pk):
    return client.lock(f"account:{pk}", timeout=10)
--- bank/models.py
from django.db import models

class Account(models.Model):
    balance = models.IntegerField()
--- bank/services.py
from bank.locks import account_lock
from bank.models import Account

def deposit(pk, amount):
    with account_lock(pk):  # finding: lock-around-read-modify-write
        account = Account.objects.get(pk=pk)
        account.balance += amount
        account.save()

=== bad: SQL, under a ZooKeeper lock
--- bank.py
import psycopg2
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
db = psycopg2.connect("dbname=bank")

def deposit(pk, amount):
    with zk.Lock(f"/locks/account/{pk}"):  # finding: lock-around-read-modify-write
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (pk,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance + amount, pk))
        db.commit()

=== bad: a value in Redis, guarded by a lock in Redis
--- wallet.py
import redis

r = redis.Redis()

def deposit(pk, amount):
    with r.lock(f"lock:wallet:{pk}", timeout=10):  # finding: lock-around-read-modify-write
        balance = int(r.get(f"wallet:{pk}") or 0)
        r.set(f"wallet:{pk}", balance + amount)

=== bad: two records, all of it in Redis
--- purse.py
import redis

r = redis.Redis(host="redis")

def move(giver, taker, amount):
    with r.lock("purses", timeout=5):  # finding: lock-around-read-modify-write
        left = int(r.hget(f"purse:{giver}", "coins"))
        had = int(r.hget(f"purse:{taker}", "coins"))
        if left < amount:
            raise ValueError(amount)
        r.hset(f"purse:{giver}", "coins", left - amount)
        r.hset(f"purse:{taker}", "coins", had + amount)

=== good: what is written comes from outside of Redis
--- purse.py
import redis
import requests

r = redis.Redis(host="redis")

def refresh(giver, taker):
    with r.lock("purses", timeout=5):
        if r.hget(f"purse:{giver}", "coins") is None:
            r.hset(f"purse:{giver}", "coins", requests.get("https://bank.example.org/coins", timeout=2).text)
            r.hset(f"purse:{taker}", "coins", 0)

=== good: two rows change together
--- bank.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=bank")

def transfer(source, target, amount):
    with r.lock("transfers", timeout=10):
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (source,))
        left = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (left - amount, source))
        cur.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, target))
        db.commit()

=== good: an outside call stands between read and write
--- bank.py
import psycopg2
import redis
import requests

r = redis.Redis()
db = psycopg2.connect("dbname=bank")

def convert(pk):
    with r.lock(f"account:{pk}", timeout=10):
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (pk,))
        balance = cur.fetchone()[0]
        rate = requests.post("https://rates.example.org", json={"amount": balance}, timeout=5).json()["rate"]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance * rate, pk))
        db.commit()

=== good: an atomic update
--- bank.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=bank")

def deposit(pk, amount):
    with r.lock(f"account:{pk}", timeout=10):
        db.cursor().execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, pk))
        db.commit()

=== good: a row lock in the transaction of the write
--- bank.py
from django.db import transaction

from models import Account

def deposit(pk, amount):
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=pk)
        account.balance += amount
        account.save()
--- models.py
from django.db import models

class Account(models.Model):
    balance = models.IntegerField()

=== good: written only if it is still the version that was read
--- bank.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=bank")

def deposit(pk, amount):
    with r.lock(f"account:{pk}", timeout=10):
        cur = db.cursor()
        cur.execute("SELECT balance, version FROM accounts WHERE id = %s", (pk,))
        balance, version = cur.fetchone()
        cur.execute(
            "UPDATE accounts SET balance = %s, version = version + 1 WHERE id = %s AND version = %s",
            (balance + amount, pk, version),
        )
        if cur.rowcount == 0:
            raise RuntimeError("changed meanwhile")
        db.commit()
'''
