"""A lock-store or coordinator client without any timeout is used in a request, a task or a renewal thread.

Why: when the store's host vanishes (a network partition, a lost node, a firewall that drops packets) no error comes back:
redis-py before 8.0 waits on the socket with no limit of its own (since 8.0 for 5 s), and the clients etcd3,
etcd3gw and etcd3-py wait for their call as long. Each worker that asks for a lock then hangs for ever, until no worker is left to answer the requests that need no lock. A renewal thread
that hangs lets the lease run out while the work goes on. So it does on a connection to a database where a row says who leads.

Instead: give the client a limit well below the lease: `Redis(socket_timeout=2, socket_connect_timeout=2)`,
`etcd3.client(timeout=3)`, `psycopg2.connect(dsn, connect_timeout=3, options="-c statement_timeout=3000")`; where only a URL is configured, `?socket_timeout=2` does it for redis-py. Then handle the
timeout: refuse, or go on without.

Fine when: a timeout stands in any layer: the constructor, the URL, the settings, the pool; redis-py is required in version 8
or later; only endpoints for operators and probes wait on it.

A URL from the environment or the settings is taken to say where the store is and not how long to wait for it (confidence medium).

Known misses: options that come as a mapping which the repository does not show.

Sources: redis-py source, Redis.__init__ (socket_timeout defaults to None up to 7, to 5 since 8.0); etcd3 API documentation (timeout);
etcd3gw source, Etcd3Client.__init__ (timeout defaults to None and goes to requests).
"""

import re
from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Client,
    Entry,
    Found,
    Late,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    found,
    is_lead_in_rows,
    is_rare,
    rule,
)

_WITHOUT_DEFAULT = ("redis", "valkey", "etcd3", "etcd3gw", "etcd3-py")  # libraries whose clients wait without limit when nothing is said
_BOUND = re.compile(r"(===?|~=|<=?|>=?)\s*(\d+)")
_DATABASES = ("psycopg2", "psycopg", "pymysql", "mysqlclient")  # drivers whose connections wait for an answer without limit when nothing is said
_LIMIT = re.compile(r"timeout|keepalive|max_execution_time", re.I)
_COORDINATES = (Op.MAKE_LOCK, Op.ACQUIRE, Op.EXTEND, Op.KEEPALIVE, Op.LOCK_DECORATOR, Op.CAS, Op.LEASE)
_QUEUES = (Op.QUEUE_PUT, Op.QUEUE_GET)  # of work
_ASKS = (Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.DELETE, Op.INCREMENT)  # of a coordinator, whatever for
_DECIDES = (Op.SCRIPT,)  # that takes only where enough is left, or counts only so far
_WAITED_FOR = ("http", "task", "periodic", "consumer")


@rule("CL606", severity=WARNING)
def client_without_timeout(system: System) -> Iterator[Found]:
    pools = {client.place: client for client in system.clients()}
    told: set[Place] = set()
    for user in system.clients():
        client = pools.get(user.pool, user) if user.pool is not None else user
        if client.library not in _WITHOUT_DEFAULT or client.timeouts or user.timeouts or client.place in told:
            continue
        if _may_have_one(client) or _is_replaced(system, client):
            continue
        use = next(_uses(system, user), None)
        old = _old_version(system, client)
        if use is None or old is False:
            continue
        told.add(client.place)
        operation, entry = use
        yield found(
            f"This {backend_name(client.backend)} {'pool' if client is not user else 'client'} has no timeout, and a {_named(entry)} waits on it.",
            at=client.place,
            symbol=client.symbol,
            resource=client.hosts,
            because=[
                *([(user.place, "a client takes its connections from it")] if client is not user else []),
                (operation.place, "it is used to coordinate here"),
                (entry.place, f"and runs from here: {entry.reason}"),
                *([(old, "this version waits without limit by default")] if isinstance(old, Place) else []),
            ],
            confidence=MEDIUM if old is None or _is_configured(client) else HIGH,
        )
    yield from _of_leaders(system)


def _of_leaders(system: System) -> Iterator[Found]:
    """Connections to a database on which a loop renews a leadership, and on which it would hang with the leadership still believed."""
    if any(_LIMIT.search(f"{a.value} {a.text}") for o in system.operations(kind="database") for a in o.arguments if o.key is None):
        return  # SET statement_timeout
    clients = [c for c in system.clients() if c.library in _DATABASES and c.arguments and not _is_limited(c)]
    limited = {c.library for c in system.clients() if c.arguments and _is_limited(c)}
    told: set[Place] = set()
    for renewal in system.operations(kind="database"):
        if renewal.late is Late.DELETE or not is_lead_in_rows(renewal) or not system.is_repeated(renewal):
            continue
        own = [c for c in clients if c.place == renewal.client]
        alike = [c for c in clients if c.library == renewal.library and c.library not in limited] if renewal.client is None else []
        client = min(own or alike, key=lambda c: ("Pool" not in c.type, c.place), default=None)  # which of several pools is not known
        if client is None or client.place in told:
            continue
        told.add(client.place)
        yield found(
            "These connections have no timeout, and a leadership is renewed on them: when the database hangs, the renewal hangs with it, and the leader goes on believing that it leads.",
            at=client.place,
            symbol=client.symbol,
            because=[(renewal.place, "the leadership is renewed here, in a loop")],
            confidence=MEDIUM,
            help="Give them `connect_timeout`, `tcp_user_timeout` and a `statement_timeout` well below the lease, and let the leader stop by its own clock when the lease runs out.",
        )


def _is_limited(client: Client) -> bool:
    """Whether a connection is told how long to wait, or may be by what is not known."""
    said = (f"{a.name} {a.value} {a.text} {' '.join(a.mentions)}" for a in client.arguments)
    return bool(client.timeouts) or any(a.name in ("**", "", "kwargs") for a in client.arguments) or any(_LIMIT.search(text) for text in said)


def _uses(system: System, client: Client) -> Iterator[tuple[Operation, Entry]]:
    """Coordination through this client, or through one that the same function makes in its place, that something outside waits for."""
    here = {c.place for c in system.clients() if c.symbol == client.symbol and c.type == client.type and "." in c.symbol}
    for operation in system.operations(*_COORDINATES, *_QUEUES, *_DECIDES, *(_ASKS if client.backend in COORDINATORS else ())):
        if operation.client is None or operation.client not in {client.place, *here}:
            continue
        if operation.op in _QUEUES and operation.role != "job-queue":
            continue
        if operation.op in _DECIDES and (not operation.conditional or operation.role in ("cache", "session", "metrics")):
            continue
        for entry in system.entries_reaching(operation.symbol):
            if entry.kind in _WAITED_FOR and not is_rare(entry):
                yield operation, entry


def _old_version(system: System, client: Client) -> Place | bool | None:
    """Where a redis-py before 8.0 is required; True for libraries without a default in any version, None when not known."""
    if client.library != "redis":
        return True
    required = system.requires("redis")
    for sign, major in _BOUND.findall(required.specifier if required else ""):
        if (sign.startswith(">") and int(major) >= 8) or (sign.startswith(("=", "~")) and int(major) >= 8):
            return False
        if required and not sign.startswith(">") and (int(major) < 8 or (sign == "<" and int(major) == 8)):
            return required.place
    return None


def _may_have_one(client: Client) -> bool:
    """A pool that nobody knows, or a mapping of options from elsewhere, may carry the timeout; a URL that is seen to does."""
    for argument in client.arguments:
        if argument.name == "service_name":
            return True  # of a Sentinel, which hands its own options on to the clients that it gives
        if argument.name in ("connection_pool", "**", "", "connection_kwargs", "sentinel_kwargs"):
            return True
        if argument.name == "unix_socket_path" or (argument.name == "url" and str(argument.value).startswith("unix:")):
            return True  # on the same machine: no network is there to drop what is asked
        if argument.name == "url" and "timeout" in f"{argument.value} {argument.text} {' '.join(argument.mentions)}".lower():
            return True
    return False


def _is_replaced(system: System, client: Client) -> bool:
    """Whether a constructor makes it of nothing, and a later method of the class makes the one that is used: `init_app`."""
    owner, _, method = client.symbol.rpartition(".")
    if method != "__init__" or client.arguments:
        return False
    return any(c.type == client.type and c.arguments and c.symbol.rpartition(".")[0] == owner and c.symbol != client.symbol for c in system.clients())


def _is_configured(client: Client) -> bool:
    """Whether it is told where to go by a URL that the repository does not show."""
    return any(argument.name == "url" and not argument.literal for argument in client.arguments)


def _named(entry: Entry) -> str:
    return {"http": "request", "periodic": "periodic task"}.get(entry.kind, entry.kind)


EXAMPLES = '''
=== bad: a script takes from what is left, and each request waits for its answer
--- stock/store.py
import redis

client = redis.Redis(host="redis")  # finding: client-without-timeout

take = client.register_script("""
local left = tonumber(redis.call('GET', KEYS[1]))
if left and left > 0 then return redis.call('DECR', KEYS[1]) end
return -1
""")
--- stock/web.py
from fastapi import FastAPI, HTTPException

from stock.store import take

app = FastAPI()

@app.post("/seats/{show}")
def seat(show: str):
    if take(keys=[f"left:{show}"]) < 0:
        raise HTTPException(409)
    return {}
--- requirements.txt
redis==5.0.1

=== good: a client of a Sentinel, whose options come from elsewhere
--- shop/store.py
from redis.sentinel import Sentinel


def connected(options):
    return Sentinel([("s1", 26379), ("s2", 26379), ("s3", 26379)], **options).master_for("main")
--- shop/views.py
from flask import Flask

from shop.store import connected

app = Flask(__name__)
store = connected({"socket_timeout": 2})


@app.route("/close")
def close():
    with store.lock("close", timeout=10):
        return "closed"

=== good: only a page for operators waits on it
--- shop/store.py
import redis

store = redis.Redis(host="redis")
--- shop/debug.py
from flask import Flask

from shop.store import store

app = Flask(__name__)


@app.route("/held")
def held():
    with store.lock("held", timeout=10):
        return "held"

=== good: what the constructor makes is there for tests; the application brings its own, with a limit
--- shop/store.py
import redis


class Store:
    def __init__(self, app=None):
        self.primary = redis.Redis()
        if app is not None:
            self.init_app(app)

    def init_app(self, app):
        self.primary = redis.Redis(host=app.config["REDIS_HOST"], socket_timeout=app.config.get("REDIS_TIMEOUT", 0.5))
--- shop/views.py
from flask import Flask

from shop.store import Store

app = Flask(__name__)
store = Store()
store.init_app(app)


@app.post("/buy")
def buy():
    with store.primary.lock("stock", timeout=10, blocking_timeout=2):
        return "bought"

=== bad: requests read settings through a gateway client that nobody limits
--- shop/store.py
import etcd3gw

store = etcd3gw.client(host="etcd", port=2379)  # finding: client-without-timeout
--- shop/views.py
from flask import Flask

from shop.store import store

app = Flask(__name__)


@app.route("/limits")
def limits():
    return store.get("/shop/limits")[0]

=== good: the gateway client gives up
--- shop/store.py
import etcd3gw

store = etcd3gw.client(host="etcd", port=2379, timeout=3)
--- shop/views.py
from flask import Flask

from shop.store import store

app = Flask(__name__)


@app.route("/limits")
def limits():
    return store.get("/shop/limits")[0]

=== bad: a request takes a lock through a client of another module
--- shop/store.py
import redis

r = redis.Redis(host="redis")  # finding: client-without-timeout
--- requirements.txt
redis==5.0.8
--- shop/views.py
from flask import Flask

from shop.store import r

app = Flask(__name__)


@app.post("/buy")
def buy():
    with r.lock("stock", timeout=10, blocking_timeout=2):
        return "bought"

=== bad: a Celery task
--- jobs/tasks.py
import redis
from celery import Celery

app = Celery("jobs")
r = redis.Redis()  # finding: client-without-timeout


@app.task
def report():
    if r.set("report-lock", "1", nx=True, ex=60):
        print("reporting")

=== good: a socket timeout
--- shop/views.py
import redis
from flask import Flask

app = Flask(__name__)
r = redis.Redis(host="redis", socket_timeout=2)


@app.post("/buy")
def buy():
    with r.lock("stock", timeout=10, blocking_timeout=2):
        return "bought"

=== good: redis-py 8 has a default of 5 s
--- requirements.txt
redis>=8.0
--- shop/views.py
import redis
from flask import Flask

app = Flask(__name__)
r = redis.Redis(host="redis")


@app.post("/buy")
def buy():
    with r.lock("stock", timeout=10, blocking_timeout=2):
        return "bought"

=== good: in the URL
--- shop/views.py
import redis
from flask import Flask

app = Flask(__name__)
r = redis.from_url("redis://redis/0?socket_timeout=2")


@app.post("/buy")
def buy():
    with r.lock("stock", timeout=10, blocking_timeout=2):
        return "bought"

=== bad: a URL from the environment, which may say where and seldom how long
--- shop/views.py
import os

import redis
from flask import Flask

app = Flask(__name__)
r = redis.from_url(os.environ["REDIS_URL"])  # finding: client-without-timeout


@app.post("/buy")
def buy():
    with r.lock("stock", timeout=10, blocking_timeout=2):
        return "bought"

=== bad: a pool that retries for ever long, behind a manager that makes it once
--- shop/store.py
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from shop.settings import settings


class Store:
    def __init__(self):
        self._pool: redis.ConnectionPool | None = None
        self._client: redis.Redis | None = None

    async def open(self):
        self._pool = redis.ConnectionPool.from_url(  # finding: client-without-timeout
            settings.redis_url, max_connections=50, retry=Retry(ExponentialBackoff(), 3)
        )
        self._client = redis.Redis(connection_pool=self._pool)

    def client(self) -> redis.Redis:
        if self._client is None:
            raise RuntimeError("not open")
        return self._client


store = Store()
--- shop/settings.py
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    redis_url: str = "redis://localhost:6379/0"


settings = Settings()
--- shop/api.py
from fastapi import FastAPI

from shop.store import store

app = FastAPI()


@app.post("/orders")
async def order(number: str):
    await store.client().rpush("orders:pending", number)

=== good: the pool behind the manager has a limit
--- shop/store.py
import redis.asyncio as redis


class Store:
    def __init__(self):
        self._client: redis.Redis | None = None

    async def open(self):
        pool = redis.ConnectionPool(host="redis", socket_timeout=2, socket_connect_timeout=2)
        self._client = redis.Redis(connection_pool=pool)

    def client(self) -> redis.Redis:
        return self._client


store = Store()
--- shop/api.py
from fastapi import FastAPI

from shop.store import store

app = FastAPI()


@app.post("/orders")
async def order(number: str):
    await store.client().rpush("orders:pending", number)

=== bad: made once, behind a lazy object that hands every question on
--- jobs/store.py
from functools import lru_cache

import redis

from jobs.settings import settings


@lru_cache
def connection():
    return redis.Redis.from_url(settings.redis_url)  # finding: client-without-timeout


class Lazy:
    def __getattr__(self, name):
        return getattr(connection(), name)


r: redis.Redis = Lazy()
--- jobs/settings.py
import os


class Settings:
    def __init__(self):
        self.redis_url = os.environ["REDIS_URL"]


settings = Settings()
--- jobs/tasks.py
from celery import shared_task
from redis.lock import Lock

from jobs.store import r


@shared_task
def close_month(work):
    lock = Lock(r, name="close-month", timeout=60, blocking=False)
    if lock.acquire():
        try:
            work()
        finally:
            lock.release()

=== good: a socket of the same machine, by the settings' default
--- shop/settings.py
BROKER = "unix:///run/redis/redis.sock"
--- shop/views.py
import redis
from flask import Flask

from shop import settings

app = Flask(__name__)
r = redis.from_url(settings.BROKER)


@app.post("/buy")
def buy():
    with r.lock("stock", timeout=10, blocking_timeout=2):
        return "bought"

=== good: the URL has the limit put to it
--- shop/views.py
import os

import redis
from flask import Flask

app = Flask(__name__)
r = redis.from_url(os.environ["REDIS_URL"] + "?socket_timeout=2")


@app.post("/buy")
def buy():
    with r.lock("stock", timeout=10, blocking_timeout=2):
        return "bought"

=== good: a pool
--- shop/views.py
import redis
from flask import Flask

app = Flask(__name__)
pool = redis.ConnectionPool(host="redis", socket_timeout=2)
r = redis.Redis(connection_pool=pool)


@app.post("/buy")
def buy():
    with r.lock("stock", timeout=10, blocking_timeout=2):
        return "bought"

=== good: a cache, not a lock store, in a command
--- shop/tool.py
import redis

r = redis.Redis()


def main():
    print(r.get("x"))
'''
