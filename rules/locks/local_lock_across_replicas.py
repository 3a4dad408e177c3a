r"""A thread, asyncio, process or file lock guards a shared effect in a workload that runs more than once.

Why: such a lock excludes the threads of one process, or at most the processes of one host. Where a manifest starts three replicas, or
the web server forks four workers, or the program itself as many as its settings say, each has a lock of its own, and the read and the write under it interleave with those of the others.
It works on the developer's machine, where there is one. Celery
and Dramatiq start a process for each processor where nobody says otherwise.

Instead: let the store decide: an atomic UPDATE, a version in the WHERE clause, SELECT ... FOR UPDATE in the transaction, a unique
constraint. Only if there is no such store, a distributed lock with a token that the target checks.

Fine when: the lock protects what lives in the process (a dict, a connection, a counter); the workload runs once, or the code runs only
under an election or a distributed lock; a file lock lies on a volume that all instances share; a semaphore, which only says how much a process does at once.

Known misses: replicas that are set outside the repository. That Celery's workers have one process is known from the command line and the environment only,
not from a setting in Python.

Sources: Python documentation of threading, asyncio and multiprocessing; Kubernetes documentation, Deployments.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Op,
    Place,
    Scope,
    Section,
    System,
    Workload,
    cure_for,
    distinct,
    effect_name,
    found,
    many_instances,
    many_processes,
    rule,
    trail,
)

STORES = ("redis", "memcached", "zookeeper", "etcd", "consul", "dynamodb")
SHARED = ("database", "object-store", "payment")
_CONCURRENCY = ("CELERY_WORKER_CONCURRENCY", "CELERYD_CONCURRENCY", "CELERY_CONCURRENCY", "CELERYD_POOL", "CELERY_WORKER_POOL")
REACH = {Scope.PROCESS: "the threads of one process", Scope.HOST: "the processes of one host"}


@rule("CL113", severity=ERROR)
def local_lock_across_replicas(system: System) -> Iterator[Found]:
    truly_guarded = guarded_by_more(system)
    for section in system.critical_sections(scopes=(Scope.PROCESS, Scope.HOST)):
        shared = [effect for effect in section.effects if is_shared(effect) and effect.place not in truly_guarded]
        if not shared or section.lock.model.kind == "semaphore" or is_leader_only(system, section):
            continue
        many = next((e for w in system.workloads_of(section.symbol) if (e := runs_more_than_once(section, w)) is not None), None)
        many = many or served(system, section)
        offered = None if many is not None else starts_more_than_one(system, section)
        many = many or offered
        if many is None:
            continue
        worst = min(shared, key=lambda effect: (effect.operation.kind != "payment", effect.place))
        compound = bool(section.reads) or worst.operation.reads_back is not None or worst.operation.kind == "payment"
        yield found(
            f"{effect_name(worst.operation)} is guarded by a {section.lock.type.rpartition('.')[2]} that excludes only "
            f"{REACH[section.lock.model.scope]}, and {many.message}",
            at=section,
            because=[*distinct(trail(section, worst), besides=section.acquired), many],
            severity=ERROR if compound and offered is None else WARNING,
            confidence=HIGH if compound and offered is None else MEDIUM,
            help=cure_for(worst.operation),
        )


def is_shared(effect: Effect) -> bool:
    """Whether other instances see the effect, and it would do harm beside theirs."""
    operation = effect.operation
    if not effect.harmful_when_late or effect.conditional or operation.conditional:
        return False
    if operation.backend in STORES:
        return operation.role != "cache" and operation.op in (Op.WRITE, Op.DELETE, Op.EFFECT) and (operation.ttl is None or operation.ttl.kind == "never")
    return operation.kind in SHARED


def guarded_by_more(system: System) -> set[Place]:
    """Effects that a distributed lock or a database transaction guards as well."""
    wider = system.critical_sections(scopes=(Scope.DISTRIBUTED, Scope.DB_SESSION, Scope.DB_TRANSACTION))
    return {effect.place for section in wider for effect in section.effects}


def is_leader_only(system: System, section: Section) -> bool:
    """The code runs under an election, and so in one instance at a time."""
    elections = (s for s in system.critical_sections(distributed=True) if s.lock.model.kind == "election")
    return any(section.symbol in system.reached_from(election.symbol) for election in elections)


def runs_more_than_once(section: Section, workload: Workload) -> Evidence | None:
    """The evidence that a workload has more instances than the lock reaches."""
    if section.lock.model.scope is Scope.HOST:
        return None if shares_file(section, workload) else many_instances(workload)
    return many_instances(workload) or many_processes(workload) or one_for_each_processor(workload)


def one_for_each_processor(workload: Workload) -> Evidence | None:
    """Workers of tasks whose number nobody says: celery and dramatiq fork one for each processor of the machine."""
    for process in workload.started("celery-worker", "dramatiq"):
        said = process.option("-c", "--concurrency", "-p", "--processes") is not None or process.option("-P", "--pool") not in (None, "prefork", "processes")
        if process.workers is None and not said and workload.variable(*_CONCURRENCY) is None:
            return Evidence(process.place, f"{workload.name} starts a {process.program} process for each processor")
    return None


def starts_more_than_one(system: System, section: Section) -> Evidence | None:
    """The evidence that the program itself starts the code in several processes, as many as a setting says."""
    launch = system.multiplied(section.symbol) if section.lock.model.scope is Scope.PROCESS else None
    if launch is None:
        return None
    return Evidence(launch.place, f"{launch.symbol.rpartition('.')[2]} is started in several processes ({launch.told})")


def served(system: System, section: Section) -> Evidence | None:
    """A program of the project that starts the server with several processes, where the lock reaches one."""
    if section.lock.model.scope is Scope.HOST:
        return None
    return next((Evidence(s.told, f"{s.module.rpartition('.')[2]} is served by {s.workers} processes") for s in system.served_with(section.symbol)), None)


def shares_file(section: Section, workload: Workload) -> bool:
    """Whether the lock file can lie on a volume that the instances share; any shared volume, when its path is not known."""
    shared = [m for m in workload.mounts if m.kind in ("claim", "named", "bind", "host-path")]
    path = section.lock.key or ""
    if not path.startswith("/"):
        return bool(shared)
    return any(path == m.target or path.startswith(m.target.rstrip("/") + "/") for m in shared)


EXAMPLES = r'''
=== bad: workers of celery, one for each processor
--- bank/__init__.py
--- bank/tasks.py
import threading

import psycopg2
from celery import Celery

app = Celery("bank")
db = psycopg2.connect("dbname=bank")
lock = threading.Lock()

@app.task
def debit(account_id, amount):
    with lock:  # finding: local-lock-across-replicas
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))
        db.commit()
--- compose.yaml
services:
  worker:
    build: .
    command: celery -A bank.tasks worker

=== good: one worker of celery, whose pool is of threads
--- bank/__init__.py
--- bank/tasks.py
import threading

import psycopg2
from celery import Celery

app = Celery("bank")
db = psycopg2.connect("dbname=bank")
lock = threading.Lock()

@app.task
def debit(account_id, amount):
    with lock:
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))
        db.commit()
--- compose.yaml
services:
  worker:
    build: .
    command: celery -A bank.tasks worker --pool threads

=== good: one worker of celery with one process
--- bank/__init__.py
--- bank/tasks.py
import threading

import psycopg2
from celery import Celery

app = Celery("bank")
db = psycopg2.connect("dbname=bank")
lock = threading.Lock()

@app.task
def debit(account_id, amount):
    with lock:
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))
        db.commit()
--- compose.yaml
services:
  worker:
    build: .
    command: celery -A bank.tasks worker -c 1

=== good: a semaphore says how much is done at once
--- shop/once.py
import asyncio

async def limited(gate, work, *args):
    async with gate:
        return await work(*args)
--- shop/pictures.py
import asyncio

import boto3

from shop.once import limited

s3 = boto3.client("s3")

async def keep(name):
    shown = s3.get_object(Bucket="pictures", Key="all")
    s3.put_object(Bucket="pictures", Key="all", Body=shown["Body"].read() + name)

async def keep_all(names):
    gate = asyncio.Semaphore(8)
    await asyncio.gather(*(limited(gate, keep, name) for name in names))

if __name__ == "__main__":
    asyncio.run(keep_all(["a", "b"]))
--- compose.yaml
services:
  pictures:
    build: .
    command: python -m shop.pictures
    deploy:
      replicas: 3
--- Dockerfile
FROM python:3.12
COPY . .

=== bad: a balance under a thread lock, in three replicas
--- bank/__init__.py
--- bank/app.py
import threading

import psycopg2

db = psycopg2.connect("dbname=bank")
lock = threading.Lock()

def debit(account_id, amount):
    with lock:  # finding: local-lock-across-replicas
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))
        db.commit()

if __name__ == "__main__":
    debit(1, 10)
--- compose.yaml
services:
  bank:
    build: .
    command: python -m bank.app
    deploy:
      replicas: 3

=== bad: a lock for each account, and a command that starts four processes
--- shop/__init__.py
--- shop/serve.py
import click
import uvicorn

@click.command()
@click.option("--workers", default=4)
@click.option("--reload", is_flag=True)
def serve(workers, reload):
    uvicorn.run("shop.web:app", workers=1 if reload else workers, reload=reload)
--- shop/web.py
import asyncio

import psycopg2
from fastapi import FastAPI

app = FastAPI()
db = psycopg2.connect("dbname=shop")
locks: dict[str, asyncio.Lock] = {}

@app.post("/{account}/spend")
async def spend(account: str):
    lock = locks.setdefault(account, asyncio.Lock())
    async with lock:  # finding: local-lock-across-replicas
        cur = db.cursor()
        cur.execute("SELECT points FROM accounts WHERE name = %s", (account,))
        points = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET points = %s WHERE name = %s", (points - 1, account))
        db.commit()

=== good: a command that starts one
--- shop/__init__.py
--- shop/serve.py
import uvicorn

def serve(reload=False):
    uvicorn.run("shop.web:app", workers=1, reload=reload)
--- shop/web.py
import asyncio

import psycopg2
from fastapi import FastAPI

app = FastAPI()
db = psycopg2.connect("dbname=shop")
lock = asyncio.Lock()

@app.post("/{account}/spend")
async def spend(account: str):
    async with lock:
        cur = db.cursor()
        cur.execute("SELECT points FROM accounts WHERE name = %s", (account,))
        points = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET points = %s WHERE name = %s", (points - 1, account))
        db.commit()

=== bad: the lock stands in one module, the write in another, the replicas in a Deployment
--- stock/__init__.py
--- stock/guard.py
import threading

STOCK_LOCK = threading.RLock()
--- stock/store.py
import psycopg2

db = psycopg2.connect("dbname=stock")

def take(item, count):
    cur = db.cursor()
    cur.execute("SELECT count FROM stock WHERE item = %s", (item,))
    left = cur.fetchone()[0]
    cur.execute("UPDATE stock SET count = %s WHERE item = %s", (left - count, item))
    db.commit()
--- stock/worker.py
from stock.guard import STOCK_LOCK
from stock.store import take

def reserve(item, count):
    with STOCK_LOCK:  # finding: local-lock-across-replicas
        take(item, count)

if __name__ == "__main__":
    reserve("a", 1)
--- deploy/worker.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: worker
spec:
  replicas: 4
  selector:
    matchLabels: {app: worker}
  template:
    metadata:
      labels: {app: worker}
    spec:
      containers:
        - name: worker
          image: shop/stock
          command: ["python", "-m", "stock.worker"]

=== bad: one instance, but four worker processes
--- shop/__init__.py
--- shop/web.py
import threading

import boto3
from flask import Flask

app = Flask(__name__)
s3 = boto3.client("s3")
lock = threading.Lock()

@app.route("/add")
def add():
    with lock:  # finding: local-lock-across-replicas
        body = s3.get_object(Bucket="b", Key="list")["Body"].read()
        s3.put_object(Bucket="b", Key="list", Body=body + b"x")
    return "ok"
--- compose.yaml
services:
  web:
    build: .
    command: gunicorn -w 4 shop.web:app

=== bad: the program forks as many workers as its settings say
--- shop/launch.py
from oslo_config import cfg
from oslo_service import service

CONF = cfg.CONF

def serve(server, workers=None):
    return service.launch(CONF, server, workers=workers)
--- shop/stock.py
import psycopg2
from oslo_concurrency import lockutils

db = psycopg2.connect("dbname=stock")

class Keeper:
    def take(self, item, count):
        with lockutils.lock("stock"):  # finding: local-lock-across-replicas
            cur = db.cursor()
            cur.execute("SELECT count FROM stock WHERE item = %s", (item,))
            left = cur.fetchone()[0]
            cur.execute("UPDATE stock SET count = %s WHERE item = %s", (left - count, item))
            db.commit()
--- shop/cmd.py
from oslo_config import cfg

from shop import launch, stock

CONF = cfg.CONF

def main():
    launch.serve(stock.Keeper(), workers=CONF.keeper.workers)

=== good: one process, and a lock of files for the workers of one host
--- shop/stock.py
import psycopg2
from oslo_concurrency import lockutils
from oslo_config import cfg
from oslo_service import service

db = psycopg2.connect("dbname=stock")

def lower(item, count):
    cur = db.cursor()
    cur.execute("SELECT count FROM stock WHERE item = %s", (item,))
    left = cur.fetchone()[0]
    cur.execute("UPDATE stock SET count = %s WHERE item = %s", (left - count, item))
    db.commit()

class Keeper:
    def take(self, item, count):
        with lockutils.lock("stock"):
            lower(item, count)

class Many:
    def take(self, item, count):
        with lockutils.lock("stock", external=True):
            lower(item, count)

def main():
    service.launch(cfg.CONF, Keeper())
    service.launch(cfg.CONF, Many(), workers=4)

=== good: the lock protects a dict of the process
--- shop/__init__.py
--- shop/worker.py
import threading

lock = threading.Lock()
seen = {}

def count(key):
    with lock:
        seen[key] = seen.get(key, 0) + 1

if __name__ == "__main__":
    count("a")
--- compose.yaml
services:
  worker:
    build: .
    command: python -m shop.worker
    deploy:
      replicas: 3

=== good: the workload runs once
--- shop/__init__.py
--- shop/worker.py
import threading

import psycopg2

db = psycopg2.connect("dbname=shop")
lock = threading.Lock()

def debit(account_id, amount):
    with lock:
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))

if __name__ == "__main__":
    debit(1, 2)
--- compose.yaml
services:
  worker:
    build: .
    command: python -m shop.worker

=== good: only the leader comes here
--- shop/__init__.py
--- shop/worker.py
import threading

import psycopg2
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
db = psycopg2.connect("dbname=shop")
lock = threading.Lock()

def lead():
    with lock:
        cur = db.cursor()
        cur.execute("SELECT total FROM totals WHERE id = 1")
        total = cur.fetchone()[0]
        cur.execute("UPDATE totals SET total = %s WHERE id = 1", (total + 1,))

def main():
    zk.start()
    zk.Election("/leader").run(lead)

if __name__ == "__main__":
    main()
--- compose.yaml
services:
  worker:
    build: .
    command: python -m shop.worker
    deploy:
      replicas: 3

=== good: a file lock on a volume that all replicas share
--- shop/__init__.py
--- shop/worker.py
import filelock
import psycopg2

db = psycopg2.connect("dbname=shop")

def debit(account_id, amount):
    with filelock.FileLock("/shared/debit.lock"):
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))

if __name__ == "__main__":
    debit(1, 2)
--- deploy/worker.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: worker
spec:
  replicas: 3
  selector:
    matchLabels: {app: worker}
  template:
    metadata:
      labels: {app: worker}
    spec:
      containers:
        - name: worker
          image: shop/worker
          command: ["python", "-m", "shop.worker"]
          volumeMounts:
            - name: shared
              mountPath: /shared
      volumes:
        - name: shared
          persistentVolumeClaim:
            claimName: shared-rwx

=== good: no manifest tells how often it runs
--- worker.py
import threading

import psycopg2

db = psycopg2.connect("dbname=shop")
lock = threading.Lock()

def debit(account_id, amount):
    with lock:
        cur = db.cursor()
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))

=== good: a distributed lock stands around it
--- shop/__init__.py
--- shop/worker.py
import threading

import psycopg2
import redis

r = redis.Redis(host="redis")
db = psycopg2.connect("dbname=shop")
lock = threading.Lock()

def debit(account_id, amount):
    with r.lock(f"acct:{account_id}", timeout=10):
        with lock:
            cur = db.cursor()
            cur.execute("SELECT balance FROM accounts WHERE id = %s", (account_id,))
            balance = cur.fetchone()[0]
            cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance - amount, account_id))

if __name__ == "__main__":
    debit(1, 2)
--- compose.yaml
services:
  worker:
    build: .
    command: python -m shop.worker
    deploy:
      replicas: 3
'''
