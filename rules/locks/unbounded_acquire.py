r"""A request handler, a task or a coroutine waits for a lock without limit.

Why: when the holder is slow, or the lock is stuck, everybody who waits holds a thread, a database connection and a place in the queue. A web server
runs out of workers, a task queue of slots, and one stuck lock becomes an outage of all that needs the same pool.

Instead: bound the wait below what the caller is willing to wait (`blocking_timeout=5`, `acquire(timeout=5)`) and answer "busy": an error with
a hint to retry, or the task put back into the queue.

It is a note where nobody outside is held up: a worker's task or a message waits for its turn, and the lock ends with its lease or its session; or
a request that only fills a cache waits for another one that fills it.

A synchronous call in a coroutine that locks rows is worse: while another transaction holds them, the event loop stands still, and with it every
other request, maybe the one that would give the rows back.

Fine when: a command or a one-shot script waits for its turn; the limit comes from configuration, or stands around the wait (`asyncio.timeout(5)`); the lock belongs to a transaction with a lock
timeout; a standby waits to become leader.

Known misses: a limit that the server sets by itself (lock_timeout in Postgres's configuration).

Sources: redis-py and kazoo documentation of acquire; AWS Builders' Library, Timeouts, retries and backoff with jitter.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    INFO,
    MEDIUM,
    WARNING,
    Entry,
    Found,
    OnBusy,
    Place,
    Scope,
    Section,
    System,
    distinct,
    found,
    lock_name,
    rule,
    told,
    trail,
)

WAITED_FOR = {
    "http": "a request handler",
    "task": "a task",
    "periodic": "a periodic task",
    "consumer": "a message consumer",
}


@rule("CL111", severity=WARNING)
def unbounded_acquire(system: System) -> Iterator[Found]:
    for section in system.critical_sections(scopes=(Scope.DISTRIBUTED, Scope.DB_SESSION)):
        if section.lock.model.kind == "election" or section.skips_when_busy or section.escapes or not waits_for_ever(section):
            continue
        inner = system.inner(section)
        if inner is not None and waits_for_ever(inner) and waiting(system, inner):
            continue  # told where the wrapper takes it
        entries = waiting(system, section)
        if not entries and not section.is_async:
            continue
        who = WAITED_FOR[entries[0].kind] if entries else "a coroutine"
        yield found(
            f"{who} waits for {lock_name(section.lock)} without limit",
            at=section,
            because=[*distinct(trail(section), besides=section.acquired), *(told_entry(entry) for entry in entries[:2])],
            severity=WARNING if holds_up(system, section) else INFO,
            confidence=MEDIUM,
            help="Give the acquire a limit (blocking_timeout=, acquire(timeout=)) and answer 'busy' when it passes.",
        )
    yield from row_locks_in_coroutines(system)


def row_locks_in_coroutines(system: System) -> Iterator[Found]:
    """Rows that a synchronous call locks in a coroutine: while another transaction holds them, the event loop stands still."""
    for section in system.critical_sections(scopes=(Scope.DB_TRANSACTION,)):
        if section.how != "row-lock" or not section.is_async or section.blocking is not True or not stops_the_loop(system, section):
            continue
        entries = waiting(system, section)
        if not entries or is_limited_by_the_server(system, section):
            continue
        yield found(
            f"a coroutine waits for {lock_name(section.lock)} with a synchronous call: as long as another transaction holds it, the event loop serves nobody",
            at=section,
            because=[told_entry(entry) for entry in entries[:2]],
            confidence=MEDIUM,
            help="Make the handler a plain function, which runs in a thread, or await an asynchronous session; and bound the wait: with_for_update(nowait=True) or SET LOCAL lock_timeout.",
        )


_RUNS = frozenset({"execute", "scalars", "scalar", "get", "get_one", "first", "one", "one_or_none", "all", "refresh"})


def stops_the_loop(system: System, section: Section) -> bool:
    """Whether the statement that locks is run by a call that is not awaited. What a query object is asked is synchronous in itself."""
    if section.lock.type.startswith("sqlalchemy.orm.Query."):
        return True
    runs = [o for o in system.operations_in((section.symbol,)) if o.backend == "database-row" and o.call.rpartition(".")[2] in _RUNS and not o.call.startswith("sqlalchemy.Select.")]
    near = [o for o in runs if o.place.line >= section.acquired.line - 1]
    return bool(near) and not any(o.is_async for o in runs)


def is_limited_by_the_server(system: System, section: Section) -> bool:
    """Whether a statement of the function, or how the engine is made, ends the wait: lock_timeout, statement_timeout."""
    said = [a.text or str(a.value) for o in system.operations_in((section.symbol,)) for a in o.arguments]
    said += [a.text or str(a.value) for o in system.operations() if "engine" in o.call or o.call.endswith("connect") for a in o.arguments]
    return any("_timeout" in text or text.startswith("sqlite") for text in said)


def waiting(system: System, section: Section) -> list[Entry]:
    """The entry points whose callers wait with the section."""
    return [entry for entry in system.entries_reaching(section.symbol) if entry.kind in WAITED_FOR]


def holds_up(system: System, section: Section) -> bool:
    """Whether somebody is waiting outside, or the lock may be stuck for good. A worker that waits for its turn is what such a lock is for."""
    if section.lock.lifetime.kind == "never":
        return True
    asked = any(entry.kind == "http" for entry in system.entries_calling(section.symbol))
    return asked and not (section.lock.lifetime.kind == "seconds" and fills_cache(section))


def fills_cache(section: Section) -> bool:
    """Whether nothing is done but to fill a cache: who comes next finds the entry, or the lease has ended."""
    return bool(section.effects) and all(e.operation.backend == "django-cache" or e.operation.role == "cache" for e in section.effects)


def waits_for_ever(section: Section) -> bool:
    if section.blocking is False or section.lock.blocking is not True or section.wait.kind == "seconds":
        return False
    if section.wait.kind == "never" or section.lock.wait.kind == "never":
        return True
    return section.how == "with" and section.on_busy is OnBusy.BLOCKS and section.wait.place is None and told(section.wait) == "not known"


def told_entry(entry: Entry) -> tuple[Place, str]:
    return entry.place, f"reached from {entry.symbol.rpartition('.')[2]}() ({entry.reason})"


EXAMPLES = r'''
=== bad: a coroutine locks rows by a synchronous session, made in another module
--- shop/db.py
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

Local = sessionmaker(bind=create_engine("postgresql://db/shop"))
--- shop/api.py
from fastapi import FastAPI
from sqlalchemy import select

from shop.db import Local
from shop.models import Seat

app = FastAPI()

@app.post("/seats/{number}")
async def take(number: int):
    db = Local()
    seat = db.query(Seat).filter(Seat.id == number).with_for_update().first()  # finding: unbounded-acquire
    seat.taken = True
    db.commit()

@app.delete("/seats/{number}")
async def free(number: int):
    with Local() as db:
        query = select(Seat).where(Seat.id == number).with_for_update()  # finding: unbounded-acquire
        seat = db.execute(query).scalar_one()
        seat.taken = False
        db.commit()
--- shop/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Seat(Base):
    __tablename__ = "seats"
    id: Mapped[int] = mapped_column(primary_key=True)
    taken: Mapped[bool]

=== good: awaited, at once or never, with a limit of the server, or in a thread
--- shop/api.py
from fastapi import FastAPI
from sqlalchemy import create_engine, select, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from shop.models import Seat

app = FastAPI()
Local = sessionmaker(bind=create_engine("postgresql://db/shop"))
Awaited = async_sessionmaker(create_async_engine("postgresql+asyncpg://db/shop"))

@app.post("/seats/{number}")
async def take(number: int):
    async with Awaited() as db:
        seat = (await db.execute(select(Seat).where(Seat.id == number).with_for_update())).scalar_one()
        seat.taken = True
        await db.commit()

@app.put("/seats/{number}")
async def change(number: int):
    db = Local()
    seat = db.query(Seat).filter(Seat.id == number).with_for_update(nowait=True).first()
    seat.taken = True
    db.commit()

@app.delete("/seats/{number}")
async def free(number: int):
    db = Local()
    db.execute(text("SET LOCAL lock_timeout = '2s'"))
    seat = db.query(Seat).filter(Seat.id == number).with_for_update().first()
    seat.taken = False
    db.commit()

@app.patch("/seats/{number}")
def swap(number: int):
    db = Local()
    seat = db.query(Seat).filter(Seat.id == number).with_for_update().first()
    seat.taken = not seat.taken
    db.commit()
--- shop/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Seat(Base):
    __tablename__ = "seats"
    id: Mapped[int] = mapped_column(primary_key=True)
    taken: Mapped[bool]

=== bad: a view waits, through a factory in another module
--- shop/locks.py
import redis

client = redis.Redis(host="redis")

def order_lock(order_id):
    return client.lock(f"order:{order_id}", timeout=30)
--- shop/web.py
from flask import Flask

from shop.locks import order_lock

app = Flask(__name__)

@app.route("/pay/<order_id>")
def pay(order_id):
    with order_lock(order_id):  # finding: unbounded-acquire
        return "ok"

=== bad: a task waits
--- tasks.py
from celery import Celery
from kazoo.client import KazooClient

app = Celery("shop")
zk = KazooClient(hosts="zk:2181")

@app.task
def settle(order_id):
    with zk.Lock(f"/locks/{order_id}"):  # finding: unbounded-acquire
        return order_id

=== good: a limit of time stands around the wait
--- api.py
import asyncio

from fastapi import FastAPI
from redis.asyncio import Redis

app = FastAPI()
r = Redis(host="redis")

@app.post("/orders/{order}")
async def pay(order: str):
    async with asyncio.timeout(5):
        async with r.lock(f"order:{order}", timeout=30):
            return "ok"

@app.delete("/orders/{order}")
async def cancel(order: str):
    lock = r.lock(f"order:{order}", timeout=30)
    await asyncio.wait_for(lock.acquire(), 5)
    try:
        return "ok"
    finally:
        await lock.release()

=== bad: a limit that is none
--- api.py
import asyncio

from fastapi import FastAPI
from redis.asyncio import Redis

app = FastAPI()
r = Redis(host="redis")

@app.post("/orders/{order}")
async def pay(order: str):
    async with asyncio.timeout(None):
        async with r.lock(f"order:{order}", timeout=30):  # finding: unbounded-acquire
            return "ok"

=== bad: a context manager of the project waits; told once, where it does
--- shop/locks.py
from contextlib import contextmanager

import redis

client = redis.Redis(host="redis")

@contextmanager
def order_lock(order_id):
    with client.lock(f"order:{order_id}", timeout=30):  # finding: unbounded-acquire
        yield
--- shop/web.py
from flask import Flask

from shop.locks import order_lock

app = Flask(__name__)

@app.post("/orders/<order_id>/pay")
def pay(order_id):
    with order_lock(order_id):
        return "paid"

=== good: a limit
--- shop/web.py
import redis
from flask import Flask

app = Flask(__name__)
client = redis.Redis(host="redis")

@app.route("/pay/<order_id>")
def pay(order_id):
    with client.lock(f"order:{order_id}", timeout=30, blocking_timeout=5):
        return "ok"

=== good: a limit from configuration
--- shop/web.py
import redis
from django.conf import settings
from flask import Flask

app = Flask(__name__)
client = redis.Redis(host="redis")

@app.route("/pay/<order_id>")
def pay(order_id):
    with client.lock(f"order:{order_id}", timeout=30, blocking_timeout=settings.LOCK_WAIT):
        return "ok"

=== good: a script waits for its turn
--- migrate.py
import redis

client = redis.Redis(host="redis")

def main():
    with client.lock("migration", timeout=600):
        print("migrating")

if __name__ == "__main__":
    main()

=== good: a task that does not wait
--- tasks.py
import redis
from celery import Celery

app = Celery("shop")
client = redis.Redis(host="redis")

@app.task
def sweep():
    lock = client.lock("sweep", timeout=60)
    if not lock.acquire(blocking=False):
        return
    try:
        print("sweeping")
    finally:
        lock.release()

=== good: a function that is handed to a constructor is kept, and runs elsewhere
--- app/jobs.py
import redis

r = redis.Redis()

def rebuild():
    with r.lock("rebuild"):
        print("rebuilt")
--- app/later.py
class Later:
    def __init__(self, job):
        self.job = job

    def start(self):
        self.job.delay()
--- app/views.py
from flask import Flask

from app.jobs import rebuild
from app.later import Later

app = Flask(__name__)

@app.route("/rebuild", methods=["POST"])
def start():
    Later(rebuild).start()
    return "", 202

=== good: whether it waits is among the keywords that a wrapper passes on
--- app/locks.py
from contextlib import contextmanager

from django_pglocks import advisory_lock

@contextmanager
def exclusive(*args, **kwargs):
    with advisory_lock(*args, **kwargs) as taken:
        yield taken
--- app/views.py
from flask import Flask

from app.locks import exclusive

app = Flask(__name__)

@app.route("/tick")
def tick():
    with exclusive("tick", wait=False) as taken:
        return "ok" if taken else "busy"

=== good: what a handler puts into a queue waits in the thread that takes it out; the handler has a limit
--- shop/worker.py
from queue import Queue
from threading import Condition

commands = Queue()

def run_there(work, limit):
    done = Condition()

    def execute():
        with done:
            work()
            done.notify()

    with done:
        commands.put(execute, timeout=limit)
        if not done.wait(timeout=limit):
            raise TimeoutError
--- shop/web.py
from functools import partial

from flask import Flask
from kazoo.client import KazooClient

from shop.worker import run_there

app = Flask(__name__)
zk = KazooClient(hosts="zk:2181")

def cancel(change):
    with zk.Lock("/shop/lock"):
        zk.delete(f"/shop/changes/{change}")

def cancel_all():
    with zk.Lock("/shop/lock"):
        zk.delete("/shop/changes", recursive=True)

@app.route("/cancel")
def view():
    run_there(cancel_all, 5)
    return "ok"

@app.route("/cancel/<change>")
def one(change):
    run_there(partial(cancel, change), 5)
    return "ok"
'''
