r"""Every HTTP request or consumed message makes a round trip to ZooKeeper, etcd or Consul.

Why: a quorum store answers in milliseconds when all is well, and every write and every linearizable read goes through its leader, so that its
capacity does not grow with its members. On the request path its latency is added to each answer, its load grows with the traffic, and its outage is
the outage of everything. It is made for what changes rarely and is read from a local copy.

Instead: read once and keep a local copy that a watch refreshes (kazoo's DataWatch and ChildrenWatch, etcd's watch, Consul's blocking queries), and serve
from it, stale if need be. Locks around a request belong into the database that the request writes to.

Fine when: the answer comes from a copy that a watch, a cache with a time to live or the function itself keeps, or from a block of numbers that lasts for many requests; an operator's endpoint that is called now and then.

It is a note where asking the coordinator, or storing something in it, is all that the handler does, where every request that comes there (POST, PUT, PATCH, DELETE) changes something in it and nothing elsewhere, and where a third of all handlers ask it (three at least): then it is
what the program is built on, and no copy of a value cures that. Where all handlers do, nothing is told.

Known misses: a copy that one function keeps for another is not told from none.

Sources: ZooKeeper documentation, guarantees and watches; etcd documentation, performance; Consul documentation, consistency modes and blocking queries.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    MEDIUM,
    WARNING,
    Entry,
    Found,
    Op,
    Operation,
    Place,
    Section,
    System,
    backend_name,
    call_name,
    found,
    is_rare,
    rule,
    words,
)

ROUND_TRIPS = (
    Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.CAS, Op.DELETE, Op.TRANSACTION, Op.ACQUIRE, Op.DISCOVER, Op.INCREMENT, Op.COUNTER,
    Op.QUEUE_PUT, Op.LEASE,
)  # fmt: skip
READS = (Op.READ, Op.LIST, Op.DISCOVER)
STORES = (Op.WRITE, Op.CREATE, Op.CAS, Op.DELETE)
TRAFFIC = {"http": "HTTP request", "consumer": "consumed message"}
CHANGING = frozenset({"post", "put", "patch", "delete"})
CACHING = frozenset({"lru_cache", "cache", "cached", "ttl_cache", "memoize", "cachedmethod", "cached_property", "alru_cache"})


@rule("CL117", severity=WARNING)
def coordination_on_request_path(system: System) -> Iterator[Found]:
    watched = {operation.key for operation in system.operations(Op.WATCH, backend=COORDINATORS)}
    by_file: dict[tuple[str, str], list[tuple[Operation, list[Entry]]]] = {}
    for operation in system.operations(*ROUND_TRIPS, backend=COORDINATORS):
        if operation.key in watched - {None} or is_cached(system, operation.symbol):
            continue
        entries = [e for e in system.entries_waiting(operation.symbol) if e.kind in TRAFFIC and not is_rare(e)]
        entries = [e for e in entries if not is_cached(system, e.symbol)]
        if entries:
            by_file.setdefault((operation.place.path, operation.backend), []).append((operation, entries))
    for (_, backend), calls in by_file.items():  # a wrapper's file is told once, not for each of its methods
        calls.sort(key=lambda call: (call[0].loop != "for", call[0].op not in READS))  # whose number grows, then what a copy could answer; the others are evidence
        operation, entries = calls[0]
        if system.is_asked_by_all(backend) and entries[0].kind == "http":
            continue  # every handler does its work there: there is no request to spare
        times = ", once for each item of a loop" if operation.loop == "for" else ""
        sites = asking(system, operation, entries)
        yield found(
            f"every {TRAFFIC[entries[0].kind]} to {entries[0].symbol.rpartition('.')[2]}() waits for {backend_name(backend)}: "
            f"{call_name(operation)}{times}",
            at=operation,
            because=[
                *((e.place, f"reached from here ({e.reason})") for e in entries[:3]),
                *((at, "and asked from here") for at in sites),
                *((s.acquired, "a lock is taken there on the way") for s in taken(system, backend, entries)[:1]),
                *((at, f"{call_name(o)} is on the way of a request as well") for o, es in calls[1:4] for at in [p for p in asking(system, o, es) if p not in sites and p.path != o.place.path] or [o.place]),
                *operation.origin,
            ],
            severity=INFO if system.is_asked_by_most(backend) or is_what_it_is_for(system, operation, entries) or changes_it(system, backend, entries) else WARNING,
            confidence=MEDIUM,
        )


def asking(system: System, operation: Operation, entries: list[Entry]) -> list[Place]:
    """The calls that lead to an operation, on the ways from the first handlers."""
    ways = [system.way(e.symbol, operation.symbol) for e in entries[:4]]
    return sorted({way[-1] for way in ways if way}, key=lambda at: (at.path == operation.place.path, at))[:2]


def taken(system: System, backend: str, entries: list[Entry]) -> list[Section]:
    """Locks that a handler takes from the same store."""
    inside = {symbol for e in entries[:3] for symbol in system.reached_from(e.symbol)}
    return [s for s in system.critical_sections(backend=backend) if s.symbol in inside]


def is_what_it_is_for(system: System, operation: Operation, entries: list[Entry]) -> bool:
    """Whether the handlers ask the coordinator themselves, or store something in it, and do nothing else to the world: that is what they are for."""
    if operation.op not in STORES and any(e.symbol != operation.symbol for e in entries):
        return False
    reached = (o for e in entries for o in system.operations_in(system.reached_from(e.symbol)))
    return all(o.backend in (operation.backend, "process-local") or o.call == "builtins.open" for o in reached)


def changes_it(system: System, backend: str, entries: list[Entry]) -> bool:
    """Whether every request that comes here is made to change something in the coordinator, and changes nothing elsewhere: no copy of what is there would spare it
    the round trip."""
    return all(
        e.kind == "http"
        and bool(words(f"{e.symbol.rpartition('.')[2]} {e.reason.partition(' in ')[0]}") & CHANGING)
        and any(o.backend == backend and o.op in STORES for o in reached)
        and not any(o.harmful_late and o.backend not in (backend, "process-local") for o in reached)
        for e in entries
        for reached in (tuple(system.operations_in(system.reached_from(e.symbol))),)
    )


def is_cached(system: System, symbol: str, depth: int = 0) -> bool:
    """Whether a decorator, or the function itself, keeps what it returned, or what all who call it returned."""
    function = system.function(symbol)
    if function is not None and (function.kept is not None or not CACHING.isdisjoint(function.decorators)):
        return True
    above = {caller for caller, _ in system.callers(symbol)} - {symbol} if depth < 3 else set()
    callers = [caller for caller in sorted(above) if any(e.kind in TRAFFIC for e in system.entries_waiting(caller))]  # who asks once, at the start, keeps nothing and need not
    return bool(callers) and all(is_cached(system, caller, depth + 1) for caller in callers)


EXAMPLES = r'''
=== bad: the catalogue is asked in every request, in a helper of another module
--- discovery.py
import consul

c = consul.Consul(host="consul")

def address(service):
    _, nodes = c.catalog.service(service)  # finding: coordination-on-request-path
    return nodes[0]["Address"]
--- app.py
from flask import Flask

from discovery import address

app = Flask(__name__)

@app.route("/pay")
def pay():
    return address("billing")

=== good: what was read is kept for a while, by hand
--- flags.py
import consul
from cachetools import TTLCache

c = consul.Consul(host="consul")
kept = TTLCache(maxsize=50, ttl=20)

def flag(name):
    if name in kept:
        return kept[name]
    _, found = c.kv.get(f"flags/{name}")
    kept[name] = bool(found)
    return kept[name]
--- app.py
from flask import Flask

from flags import flag

app = Flask(__name__)

@app.route("/pay")
def pay():
    return "new" if flag("pay") else "old"

=== good: a copy with a time stamp
--- flags.py
import time

import consul


class Flags:
    def __init__(self):
        self.client = consul.Consul(host="consul")
        self.copy = None
        self.until = 0.0

    def all(self):
        copy = self.copy
        if copy is not None and time.monotonic() < self.until:
            return copy
        _, found = self.client.kv.get("flags/", recurse=True)
        self.copy = {item["Key"]: item["Value"] for item in found or ()}
        self.until = time.monotonic() + 20
        return self.copy
--- app.py
from flask import Flask

from flags import Flags

app = Flask(__name__)
flags = Flags()

@app.route("/pay")
def pay():
    return "new" if flags.all().get("flags/pay") else "old"

=== bad: what is kept is for the next function, and nobody gives it back
--- flags.py
import consul

c = consul.Consul(host="consul")
seen = {}

def flag(name):
    if not name:
        return None
    _, found = c.kv.get(f"flags/{name}")  # finding: coordination-on-request-path
    seen[name] = found
    return found
--- app.py
from flask import Flask

from flags import flag

app = Flask(__name__)

@app.route("/pay")
def pay():
    return "new" if flag("pay") else "old"

=== bad: a setting is read from ZooKeeper in every request
--- app.py
from fastapi import FastAPI
from kazoo.client import KazooClient

app = FastAPI()
zk = KazooClient(hosts="zk:2181")

@app.get("/limit")
def limit():
    return zk.get("/config/limit")[0]  # finding: coordination-on-request-path

=== good: only probes and operators ask
--- shop/debug/flags.py
import consul

c = consul.Consul(host="consul")

def flags():
    return c.kv.get("shop/", recurse=True)
--- shop/debug/views.py
from flask import Flask

from shop.debug.flags import flags

app = Flask(__name__)

@app.get("/flags")
def show():
    return flags()

=== bad: a plug-in that the package declares, asked through the interface of its kind
--- setup.py
from setuptools import setup

setup(
    name="shop",
    entry_points={
        "shop.prices": ["flat = shop.flat:FlatPrices", "shared = shop.shared:SharedPrices"],
    },
)
--- shop/kinds.py
class PriceKind:
    def price_of(self, item):
        raise NotImplementedError
--- shop/flat.py
from shop.kinds import PriceKind


class FlatPrices(PriceKind):
    def price_of(self, item):
        return 1
--- shop/shared.py
import consul

from shop.kinds import PriceKind

c = consul.Consul(host="consul")


class SharedPrices(PriceKind):
    def price_of(self, item):
        return c.kv.get("prices/" + item)  # finding: coordination-on-request-path
--- shop/views.py
from flask import Flask
from stevedore import driver

app = Flask(__name__)
price_kind = driver.DriverManager("shop.prices", "shared", invoke_on_load=True).driver


@app.get("/price/<item>")
def price(item):
    return price_kind.price_of(item)

=== good: something else of a name that a plug-in's method has
--- setup.py
from setuptools import setup

setup(name="shop", entry_points={"shop.prices": ["shared = shop.shared:SharedPrices"]})
--- shop/shared.py
import consul

c = consul.Consul(host="consul")


class SharedPrices:
    def get(self, item):
        return c.kv.get("prices/" + item)

    def label_of(self, item):
        return c.kv.get("labels/" + item)
--- shop/views.py
from flask import Flask, request

app = Flask(__name__)


@app.get("/price/<item>")
def price(item):
    prices = load(request)
    return prices.get(item) + request.printer.label_of(item)

=== good: a program that reports on the others
--- healthz/app.py
import consul
from flask import Flask, jsonify

app = Flask(__name__)
c = consul.Consul(host="consul")

@app.get("/report")
def report():
    return jsonify({name: len(c.health.service(name, passing=True)[1]) for name in c.catalog.services()[1]})

=== good: a view whose class says that it looks after the services below it
--- shop/health.py
import consul
from django.views import View

registry = consul.Consul(host="consul")

class HealthView(View):
    def get(self, request):
        return registry.agent.services()
--- shop/urls.py
from django.urls import path

from shop.health import HealthView

urlpatterns = [path("up", HealthView.as_view())]

=== good: one round trip for each block of numbers, the first of them at the start
--- numbers.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def draw():
    return int(zk.create("/blocks/block-", sequence=True, ephemeral=True)[-10:])


class Numbers:
    def __init__(self):
        self.last = self.end = 0

    def begin(self, block):
        self.last = block * 1000
        self.end = self.last + 999

    def next(self):
        following = self.last + 1
        if following < self.end:
            self.last += 1
            return following
        self.begin(draw())
        return self.next()


numbers = Numbers()
--- app.py
from flask import Flask

from numbers import draw, numbers

app = Flask(__name__)


@app.post("/orders")
def order():
    return str(numbers.next())


if __name__ == "__main__":
    numbers.begin(draw())
    app.run()

=== good: the block is drawn when the last one is used up
--- app.py
from flask import Flask
from kazoo.client import KazooClient

app = Flask(__name__)
zk = KazooClient(hosts="zk:2181")


class Numbers:
    def __init__(self):
        self.last = self.end = 0

    def next(self):
        if self.last >= self.end:
            self.last = int(zk.create("/blocks/block-", sequence=True, ephemeral=True)[-10:]) * 1000
            self.end = self.last + 999
        self.last += 1
        return self.last


numbers = Numbers()


@app.post("/orders")
def order():
    return str(numbers.next())

=== bad: each request draws a number, and counts how many it drew
--- app.py
from flask import Flask
from kazoo.client import KazooClient

app = Flask(__name__)
zk = KazooClient(hosts="zk:2181")


class Numbers:
    def __init__(self):
        self.drawn = 0

    def next(self):
        self.drawn += 1
        return int(zk.create("/numbers/n-", sequence=True, ephemeral=True)[-10:])  # finding: coordination-on-request-path


numbers = Numbers()


@app.post("/orders")
def order():
    return str(numbers.next())

=== good: a copy that a watch keeps
--- app.py
from flask import Flask
from kazoo.client import KazooClient

app = Flask(__name__)
zk = KazooClient(hosts="zk:2181")
limits = {}

@zk.DataWatch("/config/limit")
def changed(data, stat):
    limits["value"] = data

@app.route("/limit")
def limit():
    return limits["value"]

=== good: the function's answers are kept
--- app.py
import consul
from cachetools.func import ttl_cache
from flask import Flask

app = Flask(__name__)
c = consul.Consul(host="consul")

@ttl_cache(ttl=30)
def address(service):
    _, nodes = c.catalog.service(service)
    return nodes[0]["Address"]

@app.route("/pay")
def pay():
    return address("billing")

=== good: an operator's endpoint
--- app.py
import consul
from flask import Flask

app = Flask(__name__)
c = consul.Consul(host="consul")

@app.route("/admin/flags/<name>", methods=["POST"])
def set_flag(name):
    c.kv.put(f"flags/{name}", "on")
    return "ok"

=== good: a request only starts the timer, whose thread asks
--- web/scaling.py
import threading

from flask import Flask
from kazoo.client import KazooClient

app = Flask(__name__)
zk = KazooClient(hosts="zk:2181")
zk.start()


def rescale():
    zk.set("/pool/wanted", b"3")
    threading.Timer(120, rescale).start()


@app.route("/")
def index():
    threading.Timer(120, rescale).start()
    return "", 204

=== good: read once, at start
--- app.py
import consul
from flask import Flask

app = Flask(__name__)
c = consul.Consul(host="consul")
_, LIMIT = c.kv.get("config/limit")

@app.route("/limit")
def limit():
    return str(LIMIT)

=== good: Redis is no quorum store
--- app.py
import redis
from flask import Flask

app = Flask(__name__)
r = redis.Redis(host="redis")

@app.route("/limit")
def limit():
    return r.get("limit")
'''
