"""A quorum store (ZooKeeper, etcd, Consul) holds cached values, or coordinates the invalidation of a cache.

Why: every write to a quorum store is replicated to a majority of its members and flushed to their disks before it is
acknowledged, so a cache fill costs milliseconds of consensus and competes with the elections and locks that the store
is there for. A cached value needs none of it: a lost entry is computed again and a stale one is gone when its time to
live is over. ZooKeeper keeps the whole tree in the memory of every member; etcd keeps old revisions until they are
compacted and suggests at most 8 GiB; Consul limits a value to 512 KB.

Instead: keep cached values in Redis, memcached or the process itself, with a time to live that says how stale a read
may be (`redis.set(key, value, ex=30)`). Where that is not good enough, write through or invalidate from the database's
change stream; an eviction does not need agreement among machines.

Fine when: the key is configuration that processes watch, for example the size or the time to live of a cache; the node
is the ephemeral registration of a cache server.

Known misses: a cache that neither its keys nor the functions around it call one, unless it is read, found missing,
computed and written with a lease in one function.

Sources: ZooKeeper, Data Model (data is measured in kilobytes, not a general database);
etcd documentation, System limits; Consul documentation, KV store and datacenter limits.
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    Outcome,
    Place,
    Section,
    System,
    backend_name,
    fixed,
    found,
    rule,
    words,
)

_CACHE = frozenset({"cache", "cached", "caching", "memo", "memoize", "memoized"})
_INVALIDATION = frozenset({"invalidate", "invalidation", "invalidated", "invalidator", "evict", "eviction", "purge", "stale"})
# The key is about a cache without holding cached values: configuration of it, or the machines that make it up.
_ABOUT_A_CACHE = frozenset(
    {"config", "configuration", "setting", "conf", "feature", "flag", "size", "ttl", "policy", "lock", "leader"}
    | {"election", "server", "node", "member", "host", "worker", "instance", "service", "shard", "ring", "topology"}
)
_CACHE_STORES = ("redis", "memcached", "django-cache")


_AGES = frozenset({"expire", "expired", "expiry", "evict", "eviction", "purge", "stale", "invalidate", "outdated", "ttl", "trim"})
MOST_CALLERS = 12


@rule("CL203", severity=WARNING)
def coordination_for_caching(system: System) -> Iterator[Found]:
    yield from _homemade(system)
    for write in system.operations(backend=COORDINATORS):
        if not write.stores or write.key_words & _ABOUT_A_CACHE or _is_registration(write):
            continue
        reads = [o for o in system.same_key(write) if o.op in (Op.READ, Op.LIST)]
        if write.key_words & (_CACHE | _INVALIDATION):
            yield _cached(write, reads, confidence_is_high=True)
        elif write.reads_back is None and (miss := _missed(write, reads)) and (write.ttl or write.ephemeral):
            yield _cached(write, [miss], confidence_is_high=bool(write.symbol_words & _CACHE))
    for section in system.critical_sections(distributed=True, backend=COORDINATORS):
        fills = _cache_writes(section)
        if fills:
            yield found(
                f"A lock in {backend_name(section.lock.backend)} coordinates {len(fills)} cache write(s) and nothing else.",
                at=section,
                because=[(place, "this is all that the lock guards: a cache entry") for place in fills[:3]],
                confidence=HIGH if not section.unresolved else MEDIUM,
            )


def _homemade(system: System) -> Iterator[Found]:
    """Classes that are caches by their name and drop their entries by age, whatever they are told to keep."""
    told: set[str] = set()
    for write in system.operations(backend=COORDINATORS):
        home = write.symbol.rpartition(".")[0]
        name = words(home.rpartition(".")[2])
        if home in told or not write.stores or write.ephemeral or not name & _CACHE or name & _ABOUT_A_CACHE or words(fixed(write.key_text)):
            continue
        drops = next((o for o in system.operations(Op.DELETE, backend=write.backend) if _in(o.symbol, home) and o.symbol_words & _AGES), None)
        if drops is None and (write.ttl is None or write.ttl.kind != "seconds"):
            continue
        told.add(home)
        callers = [place for symbol, place in system.callers(write.symbol) if not _in(symbol, home)]
        yield found(
            f"{home.rpartition('.')[2]} keeps cached values in {backend_name(write.backend)}: each entry is a write that a quorum agrees on, and is dropped again by age.",
            at=write,
            because=[
                *([(drops.place, "entries are dropped here when they are old")] if drops is not None else []),
                *write.origin,
                *((place, "an entry is put here") for place in callers[:MOST_CALLERS]),
            ]
            or [(_key_place(write), "the key says what is kept here")],
            confidence=HIGH if drops is not None else MEDIUM,
        )


def _in(symbol: str, home: str) -> bool:
    return symbol.startswith(f"{home}.")


def _cached(write: Operation, reads: list[Operation], *, confidence_is_high: bool) -> Found:
    lease = f", for {write.ttl.told}" if write.ttl and write.ttl.told else ""
    what = "a cache invalidation" if write.key_words & _INVALIDATION else "a cached value"
    because = [(read.place, "the same key is read here") for read in reads[:3]]
    return found(
        f"Writes {what} to {backend_name(write.backend)}: `{write.key_text or write.key}`{lease}.",
        at=write,
        because=[*because, *write.origin] or [(_key_place(write), "the key says what is kept here")],
        confidence=HIGH if confidence_is_high else MEDIUM,
    )


def _is_registration(write: Operation) -> bool:
    """A ZooKeeper node that ends with its session lives as long as a process: membership, not a cached value."""
    return bool(write.ephemeral) and write.backend == "zookeeper"


def _missed(write: Operation, reads: list[Operation]) -> Operation | None:
    """The read in the same function whose miss leads to the write."""
    here = (r for r in reads if r.symbol == write.symbol and r.place < write.place and r.op is Op.READ)
    return next((r for r in here if r.outcome in (Outcome.TESTED, Outcome.RETURNED)), None)


def _cache_writes(section: Section) -> list[Place]:
    """The places of the section's effects when each of them writes a cache; empty otherwise."""
    places = []
    for effect in section.effects:
        operation = effect.operation
        named = operation.key_words | words(section.lock.key_text) | operation.symbol_words
        is_cache = operation.backend in ("memcached", "django-cache") or bool(named & (_CACHE | _INVALIDATION))
        if operation.backend not in _CACHE_STORES or not is_cache:
            return []
        places.append(effect.place)
    return places


def _key_place(write: Operation) -> Place:
    return next((a.place for a in write.arguments if a.place), write.place)


EXAMPLES = '''
=== bad: page fragments kept in etcd under a short lease, through a wrapper in another module
--- shop/store.py
import etcd3

client = etcd3.client(host="etcd")
--- shop/pages.py
from shop.store import client


def fragment(name, render):
    body, _ = client.get(f"/cache/fragments/{name}")
    if body is None:
        body = render(name)
        client.put(f"/cache/fragments/{name}", body, lease=client.lease(30))  # finding: coordination-for-caching
    return body

=== bad: a cache of one's own, which is told what to keep and drops it by age
--- sky/shared.py
import time

from kazoo.exceptions import NoNodeError


class SharedCache:
    def __init__(self, zk, folder):
        self.zk = zk
        self.folder = folder
        self.seen = {}

    def put(self, name, value):
        path = f"{self.folder}/{name}"
        try:
            self.zk.set(path, value)  # finding: coordination-for-caching
        except NoNodeError:
            self.zk.create(path, value, makepath=True)
        self.seen[name] = time.time()

    def expire(self, age):
        for name, since in list(self.seen.items()):
            if time.time() - since > age:
                self.zk.delete(f"{self.folder}/{name}")
--- sky/server.py
from kazoo.client import KazooClient

from sky.shared import SharedCache

zk = KazooClient(hosts="zk:2181")
paths = SharedCache(zk, "/sky/paths")


def received(path):
    paths.put(path.name, path.packed())

=== good: what the coordinator keeps is cached in the process
--- sky/mirror.py
import time

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


class NodeCache:
    def __init__(self):
        self.known = {}

    def put(self, path, value):
        zk.set(path, value)
        self.known[path] = (value, time.time())

    def expire(self, age):
        self.known = {path: kept for path, kept in self.known.items() if time.time() - kept[1] < age}

=== bad: a node is touched so that every server drops its cached catalogue
--- shop/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- shop/catalogue.py
from shop.zk import zk


def product_changed(sku):
    zk.set("/catalogue/cache-invalidation", sku.encode())  # finding: coordination-for-caching

=== bad: read, missing, computed, written with a lease
--- shop/rates.py
import etcd3

etcd = etcd3.client(host="etcd")


def exchange_rate(currency, fetch):
    value, _ = etcd.get("/rates/" + currency)
    if value is not None:
        return float(value)
    value = fetch(currency)
    etcd.put("/rates/" + currency, str(value), lease=etcd.lease(60))  # finding: coordination-for-caching
    return value

=== bad: Consul keeps memoized answers
--- api/answers.py
import consul
import json

c = consul.Consul(host="consul")


def remember(question, answer):
    c.kv.put(f"answers/memo/{question}", json.dumps(answer))  # finding: coordination-for-caching


def recall(question):
    _, entry = c.kv.get(f"answers/memo/{question}")
    return entry and json.loads(entry["Value"])

=== bad: a quorum lock around filling a Redis cache
--- shop/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- shop/warm.py
import redis

from shop.zk import zk

r = redis.Redis(host="redis")


def warm(products):
    with zk.Lock("/locks/catalogue", "warmer"):  # finding: coordination-for-caching
        r.set("cache:catalogue", products, ex=300)

=== good: the settings of a cache are configuration, and watched
--- shop/settings.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
LIMITS = {}


def set_limit(entries):
    zk.set("/config/cache/entries", str(entries).encode())


@zk.DataWatch("/config/cache/entries")
def on_change(data, stat):
    LIMITS["entries"] = int(data or 0)

=== good: a cache server registers itself
--- cache/server.py
import socket

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def register():
    zk.create("/cache/" + socket.gethostname(), b"6379", ephemeral=True)

=== good: the cache is Redis
--- shop/pages.py
import redis

r = redis.Redis(host="redis")


def fragment(name, render):
    body = r.get(f"cache:{name}")
    if body is None:
        body = render(name)
        r.set(f"cache:{name}", body, ex=30)
    return body

=== good: a count is written back with a lease; that is another rule's matter
--- shop/limits.py
import etcd3

etcd = etcd3.client(host="etcd")


def allowed(visitor):
    count, _ = etcd.get(f"/visits/{visitor}")
    count = int(count or 0) + 1
    etcd.put(f"/visits/{visitor}", str(count), lease=etcd.lease(60))
    return count < 60

=== good: membership under a lease is read before it is written
--- shop/member.py
import etcd3

etcd = etcd3.client(host="etcd")


def join(name, address):
    etcd.put(f"/members/{name}", address, lease=etcd.lease(10))

=== good: a quorum lock around a database write that also drops a cache entry
--- shop/prices.py
import redis
from kazoo.client import KazooClient
from sqlalchemy import create_engine, text

zk = KazooClient(hosts="zk:2181")
r = redis.Redis(host="redis")
engine = create_engine("postgresql://db/shop")


def reprice(sku, price):
    with zk.Lock(f"/locks/{sku}", "pricing"):
        with engine.begin() as db:
            db.execute(text("UPDATE product SET price = :p WHERE sku = :s"), {"p": price, "s": sku})
        r.delete(f"cache:{sku}")
'''
