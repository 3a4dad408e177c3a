r"""A lock is built and never taken: a lock object that nobody acquires or enters, a row lock whose query never runs, a pipeline never sent.

Why: `lock = client.lock("x")` makes an object and asks the server nothing; `select_for_update()` makes a query that has not run. The code below reads as if
it were protected, and passes every test that has one process.

A command in a pipeline waits for `execute()` likewise. And Django drops FOR UPDATE where it asks for a sum, a maximum or a count: the rows are
computed with, and none is locked.

Instead: `with lock:`, or `lock.acquire()` with its result tested; evaluate the query (`.get()`, `list(...)`) inside `transaction.atomic()`. For the
maximum of rows that are still to come, lock the row above them (`Board.objects.select_for_update().get(...)`) or `pg_advisory_xact_lock`.

Fine when: the lock is returned, stored or passed on, so that somebody else can take it.

Known misses: a context manager of the project that is called without `with`; `select_for_update()` outside of a
transaction, which Django itself refuses.

Sources: redis-py and kazoo documentation, Lock; Django documentation, select_for_update and lazy querysets.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ERROR, Found, Op, Operation, Outcome, System, call_name, found, rule, sounds_like_lock

WRITES = (Op.ACQUIRE, Op.CREATE, Op.WRITE)
LAZY = ("select_for_update", "with_for_update")
COMPUTING = ("aggregate", "aaggregate", "count", "acount")  # Django asks for these without FOR UPDATE


@rule("CL122", severity=ERROR)
def lock_never_taken(system: System) -> Iterator[Found]:
    taken = {section.lock.made for section in system.critical_sections(tests=True)}
    for made in system.operations(Op.MAKE_LOCK):
        function = system.function(made.symbol)
        if made.outcome is not Outcome.DEAD or made.place in taken or function is None:
            continue  # at the top of a module, everybody may take it
        name = f' "{made.key_text or made.key}"' if made.key else ""
        yield found(
            f"{call_name(made)} builds the lock{name}, and nothing acquires or enters it: what follows runs without a lock",
            at=made,
            because=[(function.place, "in this function the lock is not taken")],
        )
    yield from only_asked(system)
    yield from never_evaluated(system)
    yield from never_sent(system)
    yield from aggregated(system)


def only_asked(system: System) -> Iterator[Found]:
    """Locks that are asked about and given back, and never taken; those that stand in a `with` beside another."""
    for lock in system.untaken():
        if lock.between:
            yield found(
                f"`with` enters one lock where `{lock.between}` joins two: `{lock.name}` is not taken, because a lock object is true and that is all it is asked",
                at=lock.place,
                symbol=lock.symbol,
                because=[(lock.shown, f"`{lock.name}` is only asked whether it is something")],
                help="Put a comma between them: `with first, second:`.",
            )
            continue
        yield found(
            f"`{lock.name}` is asked who owns it and given back, and nothing takes it: what stands in between runs without a lock",
            at=lock.place,
            symbol=lock.symbol,
            because=[(lock.shown, "the release of what was not taken")],
            help="Take it before the work, and look whether it was obtained: `if not lock.acquire(): return`.",
        )


def never_sent(system: System) -> Iterator[Found]:
    """A lock key that is written in a pipeline which nobody executes: the command never leaves the process."""
    for pipeline in system.operations(Op.TRANSACTION, backend="redis"):
        if pipeline.outcome is not Outcome.DEAD:
            continue
        queued = [o for o in system.operations(*WRITES, backend="redis") if o.symbol == pipeline.symbol and o.atomic == "pipeline"]
        for write in queued:
            if write.place > pipeline.place and claims(system, write):
                yield found(
                    f'{call_name(write)} of "{write.key_text or write.key}" waits in a pipeline that is never executed: the key is not written and '
                    "everybody finds it free",
                    at=write,
                    because=[(pipeline.place, "the pipeline is made here, and execute() is called nowhere in the function")],
                    help="Call pipe.execute() and look at its result.",
                )
                break


def claims(system: System, write: Operation) -> bool:
    """Whether a write takes something: conditional, after a look whether it is free, or by its name."""
    if write.op is not Op.WRITE or sounds_like_lock(write.key_text, write.key, write.symbol.rpartition(".")[2]):
        return True
    return any(o.op is Op.READ and o.outcome is Outcome.TESTED and o.symbol == write.symbol for o in system.same_key(write))


def never_evaluated(system: System) -> Iterator[Found]:
    """Row locks whose query is built and dropped: a query runs when its rows are asked for."""
    told: set[tuple[str, int]] = set()
    for query in system.operations(Op.ROW_LOCK, Op.DB_STATEMENT):
        function = system.function(query.symbol)
        locks = query.row_lock if query.op is Op.DB_STATEMENT else query.place if query.call.rpartition(".")[2] in LAZY else None
        if query.outcome is not Outcome.DEAD or locks is None or function is None or (query.place.path, query.place.line) in told:
            continue
        told.add((query.place.path, query.place.line))
        made = [] if locks.path == query.place.path and locks.line == query.place.line else [(locks, "the query is told to lock its rows here")]
        yield found(
            "Builds a query that locks rows, and nothing asks for its rows: no row is locked",
            at=query,
            because=[*made, (function.place, "in this function the query is not evaluated")],
            help="Evaluate it inside the transaction: list(query), query.get(), or iterate over it.",
        )


def aggregated(system: System) -> Iterator[Found]:
    """Row locks that the last step of a query takes off again."""
    for read in system.operations(Op.DB_READ):
        last = read.call.rpartition(".")[2]
        if read.row_lock is None or last not in COMPUTING or not read.call.startswith("django."):
            continue
        if any(o.row_lock == read.row_lock and o.symbol == read.symbol and o.call.rpartition(".")[2] not in COMPUTING for o in system.operations(Op.DB_READ)):
            continue  # the same query is also asked for its rows
        told_to = [] if read.row_lock.line == read.place.line else [(read.row_lock, "the query is told to lock its rows here")]
        function = system.function(read.symbol)
        yield found(
            f"{call_name(read)} is asked for without FOR UPDATE, whatever the query says before it: no row is locked",
            at=read,
            because=[*told_to, *([(function.place, "in this function")] if function is not None and not told_to else [])],
            help="Lock a row that is there: that of the parent, or the rows themselves by list(query) before the sum; or take pg_advisory_xact_lock.",
        )


EXAMPLES = r'''
=== bad: built, and then the work
--- worker.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")

def post():
    lock = r.lock("invoices", timeout=60)  # finding: lock-never-taken
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    db.commit()

=== bad: made by a helper, asked for its owner in the end, and never taken in between
--- infra/locks.py
import redis
from redis.lock import Lock

client = redis.Redis(host="redis")


def claim(name, seconds=60):
    return Lock(client, name=name, timeout=seconds)
--- plans.py
from infra.locks import claim, client


def extend(plan, step):
    lock = claim(f"plan:{plan}")  # finding: lock-never-taken
    try:
        client.rpush(f"plan:{plan}:steps", step)
    finally:
        if lock.owned():
            lock.release()

=== good: taken by whoever it is handed to
--- plans.py
import redis

client = redis.Redis(host="redis")


def entered(lock):
    return lock.acquire(blocking_timeout=3)


def extend(plan, step):
    lock = client.lock(f"plan:{plan}", timeout=60)
    if not entered(lock):
        return
    try:
        client.rpush(f"plan:{plan}:steps", step)
    finally:
        if lock.owned():
            lock.release()

=== good: taken by the helper that hands it over, whatever it is called
--- infra/locks.py
import redis
from redis.lock import Lock

client = redis.Redis(host="redis")


def guard(name):
    lock = Lock(client, name=name, timeout=60)
    lock.acquire()
    return lock
--- plans.py
from infra.locks import client, guard


def extend(plan, step):
    lock = guard(f"plan:{plan}")
    try:
        client.rpush(f"plan:{plan}:steps", step)
    finally:
        if lock.owned():
            lock.release()


def close(plan):
    lock = guard(f"plan:{plan}")
    client.delete(f"plan:{plan}:steps")
    lock.release()

=== bad: two locks in one `with`, joined by a word
--- gaps.py
import threading


class Gaps:
    def __init__(self):
        self.keys, self.key_lock = set(), threading.Lock()
        self.seals, self.seal_lock = set(), threading.Lock()

    def is_closed(self):
        with self.key_lock and self.seal_lock:  # finding: lock-never-taken
            return not self.keys and not self.seals

=== good: two locks with a comma, and a choice between none and one
--- gaps.py
import threading
from contextlib import nullcontext


class Gaps:
    def __init__(self, lock=None):
        self.keys, self.key_lock = set(), threading.Lock()
        self.seals, self.seal_lock = set(), threading.Lock()
        self.lock = lock

    def is_closed(self):
        with self.key_lock, self.seal_lock:
            return not self.keys and not self.seals

    def add(self, key):
        with self.lock or nullcontext():
            self.keys.add(key)

=== bad: a statement of its own, on a client from another module
--- infra/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- worker.py
from infra.zk import zk

def post(job):
    zk.Lock("/locks/invoices")  # finding: lock-never-taken
    job.run()

=== bad: a row lock whose query never runs
--- stock/models.py
from django.db import models

class Stock(models.Model):
    item = models.CharField(max_length=40)
    count = models.IntegerField(default=0)
--- stock/services.py
from django.db import transaction

from stock.models import Stock

def clear(items):
    with transaction.atomic():
        locked = Stock.objects.select_for_update().filter(item__in=items)  # finding: lock-never-taken
        Stock.objects.filter(item__in=items).update(count=0)

=== bad: the highest number under a lock that the aggregate drops
--- board/models.py
from django.db import models, transaction

class Ticket(models.Model):
    board = models.IntegerField()
    number = models.IntegerField()

    def save(self, *args, **kwargs):
        with transaction.atomic():
            mine = Ticket.objects.filter(board=self.board).select_for_update()
            top = mine.aggregate(top=models.Max("number"))["top"]  # finding: lock-never-taken
            self.number = (top or 0) + 1
            super().save(*args, **kwargs)

=== good: the row above them is locked
--- board/models.py
from django.db import models, transaction

class Board(models.Model):
    name = models.CharField(max_length=40)

class Ticket(models.Model):
    board = models.ForeignKey(Board, on_delete=models.CASCADE)
    number = models.IntegerField()

def file(board_id):
    with transaction.atomic():
        board = Board.objects.select_for_update().get(pk=board_id)
        top = Ticket.objects.filter(board=board).aggregate(top=models.Max("number"))["top"]
        Ticket.objects.create(board=board, number=(top or 0) + 1)

=== bad: the claim waits in a pipeline that nobody executes
--- infra/store.py
import redis

client = redis.Redis(host="redis")
--- imports/claims.py
import redis

from infra.store import client

def claim(feed, worker):
    pipe = client.pipeline()
    pipe.watch(f"import:{feed}")
    if pipe.get(f"import:{feed}"):
        return False
    pipe.multi()
    pipe.set(f"import:{feed}", worker, ex=600)  # finding: lock-never-taken
    return True

=== good: executed, or handed to somebody who does
--- imports/claims.py
import redis

client = redis.Redis(host="redis")

def claim(feed, worker):
    with client.pipeline() as pipe:
        pipe.watch(f"import:{feed}")
        if pipe.get(f"import:{feed}"):
            return False
        pipe.multi()
        pipe.set(f"import:{feed}", worker, ex=600)
        pipe.execute()
    return True

def claim_all(feeds, worker):
    pipe = client.pipeline()
    for feed in feeds:
        pipe.set(f"lock:import:{feed}", worker, nx=True, ex=600)
    return send(pipe)

def send(pipe):
    return pipe.execute()

=== bad: the query is made by a function of another module, and its caller drops it
--- stock/models.py
from django.db import models

class Stock(models.Model):
    item = models.CharField(max_length=40)
    count = models.IntegerField(default=0)

def locked_stock():
    return Stock.objects.order_by("item").select_for_update()
--- stock/services.py
from django.db import transaction

from stock.models import Stock, locked_stock

def clear(items):
    with transaction.atomic():
        _held = locked_stock().filter(item__in=items).values_list("item", flat=True)  # finding: lock-never-taken
        Stock.objects.filter(item__in=items).update(count=0)

=== good: counted, and then asked for the row
--- people/models.py
from django.db import models

class Person(models.Model):
    mail = models.CharField(max_length=40)
--- people/services.py
from people.models import Person

def only(mail):
    found = Person.objects.filter(mail=mail).select_for_update()
    if found.count() > 1:
        raise ValueError(mail)
    return found.first()

def one(mail):
    found = Person.objects.filter(mail=mail).select_for_update()
    if not found.count():
        return None
    person = found[0]
    person.save()
    return person.mail

=== good: the first row is asked for, or the rows are walked over
--- stock/models.py
from django.db import models

class Stock(models.Model):
    item = models.CharField(max_length=40)
    count = models.IntegerField(default=0)

def locked_stock():
    return Stock.objects.order_by("item").select_for_update()
--- stock/services.py
from django.db import transaction

from stock.models import Stock, locked_stock

def clear(items):
    with transaction.atomic():
        first = locked_stock().filter(item__in=items)[0]
        Stock.objects.filter(item__in=items).update(count=0)

def clear_all(items):
    with transaction.atomic():
        for _ in locked_stock().filter(item__in=items):
            pass
        list(locked_stock().filter(item__in=items))
        Stock.objects.filter(item__in=items).update(count=0)

=== good: the query runs
--- stock/models.py
from django.db import models

class Stock(models.Model):
    item = models.CharField(max_length=40)
    count = models.IntegerField(default=0)
--- stock/services.py
from django.db import transaction

from stock.models import Stock

def clear(items):
    with transaction.atomic():
        locked = Stock.objects.select_for_update().filter(item__in=items)
        for row in locked:
            row.count = 0
            row.save()

def one(item):
    with transaction.atomic():
        return Stock.objects.select_for_update().get(item=item)

def queries():
    return Stock.objects.select_for_update().order_by("item")

=== good: entered
--- worker.py
import redis

r = redis.Redis()

def post(job):
    lock = r.lock("invoices", timeout=60)
    with lock:
        job.run()

=== good: a global that other functions take
--- pools.py
import threading

lock = threading.Lock()

def after_fork():
    global lock
    lock = threading.Lock()

def close():
    with lock:
        print("closed")

=== good: returned
--- locks.py
import redis

r = redis.Redis()

def invoices():
    return r.lock("invoices", timeout=60)

=== good: stored
--- worker.py
import redis

r = redis.Redis()

class Worker:
    def __init__(self):
        self.lock = r.lock("invoices", timeout=60)

=== good: passed on
--- worker.py
import redis

from jobs import run_under

r = redis.Redis()

def post(job):
    lock = r.lock("invoices", timeout=60)
    run_under(lock, job)

=== good: kept in a table that others take it from
--- app/pool.py
import asyncio

limits: dict[str, asyncio.Semaphore] = {}

async def prepare(names, size):
    for name in names:
        limits[name] = asyncio.Semaphore(size)
--- app/api.py
from app.pool import limits

async def run(name, job):
    async with limits[name]:
        return await job()
'''
