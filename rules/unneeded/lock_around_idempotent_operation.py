r"""A distributed lock guards a single operation that is safe to repeat, and nothing read under the lock feeds it.

Why: setting a field to a given value, adding a member to a set or deleting a record ends the same whether one process does it or two. The
lock orders them in time, but the last one wins with it as without it. What it adds is two round trips, a wait, and a service that must be up.

Instead: just do it. A single statement is atomic in its store already.

Fine when: several effects belong together; the value is computed from what was read under the lock; another section under the same lock
writes something else, so that the two must not mix; the lock spares expensive work, which is what an efficiency lock is for.

Known misses: work that is expensive in ways that cannot be seen is taken for cheap only when there is none at all besides the operation.

Sources: AWS Builders' Library, Leader election in distributed systems (idempotent APIs before locks).
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    HIGH,
    INFO,
    MEDIUM,
    Effect,
    Found,
    Late,
    Op,
    Section,
    System,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    trail,
)

REPEATABLE = (Late.OVERWRITE, Late.ADD_MEMBER, Late.CONDITIONAL, Late.DELETE)
STORED = ("", "database", "object-store", "search")


@rule("CL201", severity=INFO)
def lock_around_idempotent_operation(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True):
        if section.unresolved or section.skips_when_busy or section.escapes or section.shares_fate or section.lock.model.stampede_only:
            continue
        only = the_only_step(section)
        if only is None:
            continue
        is_read = only in section.reads  # one read is whole whatever others do; one write may depend on theirs
        if not is_read and any(writes_other(rival, only) for rival in system.rivals(section)):
            continue
        yield found(
            f"{lock_name(section.lock)} guards one operation, {effect_name(only.operation)}, which "
            + ("only reads" if is_read else "ends the same when it is repeated or done twice"),
            at=section,
            because=distinct([*trail(section, only)[::-1]], besides=section.acquired),
            confidence=MEDIUM if is_read else HIGH,
        )


def the_only_step(section: Section) -> Effect | None:
    """The section's single operation, when it is safe to repeat; None when there is more, or less."""
    effects = [effect for effect in section.effects if effect.operation.op is not Op.COMMIT]
    match effects, section.reads:
        case [effect], ():
            operation = effect.operation
            safe = not effect.token and operation.late in REPEATABLE and operation.reads_back is None and operation.kind in STORED and not operation.loop
            return effect if safe else None
        case [], (read,):
            return read if not read.operation.loop and read.operation.kind in STORED else None
        case _:
            return None


def writes_other(rival: Section, only: Effect) -> bool:
    """Whether a section under the same lock does more, or something else: then the two must not mix."""
    effects = [effect for effect in rival.effects if effect.operation.op is not Op.COMMIT]
    if rival.unresolved or len(effects) + len(rival.reads) > 1:
        return True
    return any(effect.operation.late not in REPEATABLE or effect.operation.key != only.operation.key for effect in effects)


EXAMPLES = r'''
=== bad: a field is set under a lock from another module
--- shop/locks.py
import redis

client = redis.Redis(host="redis")

def user_lock(pk):
    return client.lock(f"user:{pk}", timeout=10)
--- shop/models.py
from django.db import models

class User(models.Model):
    email = models.CharField(max_length=80)
--- shop/views.py
from shop.locks import user_lock
from shop.models import User

def set_email(pk, email):
    with user_lock(pk):  # finding: lock-around-idempotent-operation
        User.objects.filter(pk=pk).update(email=email)

=== bad: one UPDATE with given values
--- users.py
import psycopg2
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
db = psycopg2.connect("dbname=shop")

def set_email(pk, email):
    with zk.Lock(f"/locks/user/{pk}"):  # finding: lock-around-idempotent-operation
        db.cursor().execute("UPDATE users SET email = %s WHERE id = %s", (email, pk))
        db.commit()

=== bad: a lock around one read
--- listing.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def workers():
    with zk.Lock("/locks/workers"):  # finding: lock-around-idempotent-operation
        return zk.get_children("/workers")

def register(name):
    with zk.Lock("/locks/workers"):
        if name not in zk.get_children("/workers"):
            zk.create(f"/workers/{name}", b"", ephemeral=True)

=== good: another section writes another value under the same lock
--- flags.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def set_email(pk, email):
    with r.lock("users", timeout=10):
        db.cursor().execute("UPDATE users SET email = %s WHERE id = %s", (email, pk))

def merge(pk, other):
    with r.lock("users", timeout=10):
        cur = db.cursor()
        cur.execute("SELECT email FROM users WHERE id = %s", (other,))
        cur.execute("UPDATE users SET email = %s WHERE id = %s", (cur.fetchone()[0], pk))

=== good: a lock that spares expensive work
--- report.py
import psycopg2
import redis

from heavy import compute

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def refresh():
    with r.lock("report", timeout=600):
        body = compute()
        db.cursor().execute("UPDATE reports SET body = %s WHERE id = 1", (body,))

=== good: whoever comes second skips
--- report.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def purge():
    lock = r.lock("purge", timeout=600)
    if not lock.acquire(blocking=False):
        return
    try:
        db.cursor().execute("DELETE FROM carts WHERE expires < now()")
    finally:
        lock.release()

=== good: a counter is not idempotent
--- hits.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def hit(page):
    with r.lock(f"page:{page}", timeout=10):
        db.cursor().execute("UPDATE pages SET hits = hits + 1 WHERE id = %s", (page,))

=== good: the lock is there for the number that it gives
--- bank.py
import psycopg2
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
db = psycopg2.connect("dbname=bank")

def pay_interest(account, percent):
    lock = zk.Lock(f"/locks/{account}")
    with lock:
        fence = int(lock.node[-10:])
        cur = db.cursor()
        cur.execute(
            "UPDATE accounts SET balance = balance * (1 + %s), fence = %s WHERE id = %s AND fence < %s",
            (percent, fence, account, fence),
        )
        db.commit()

=== good: two effects belong together
--- move.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def move(item, shelf):
    with r.lock(f"item:{item}", timeout=10):
        cur = db.cursor()
        cur.execute("UPDATE items SET shelf = %s WHERE id = %s", (shelf, item))
        cur.execute("UPDATE shelves SET item = %s WHERE id = %s", (item, shelf))
'''
