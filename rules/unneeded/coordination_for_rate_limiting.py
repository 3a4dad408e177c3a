"""A quorum store counts requests, or a distributed lock stands around the counter of a rate limiter.

Why: a limiter is asked with every request. A counter in ZooKeeper, etcd or Consul makes each request wait for a majority of
disks, and the compare-and-set behind it fails more often the busier the service is. A lock around a counter makes all
requests queue behind one another, to count exactly what nobody needs exactly: whether 1000 or 1003 requests passed in a minute.

Instead: count in Redis with one atomic step (INCR with its expiry in one script or MULTI pipeline, or a sliding window in a
sorted set), or give each of N processes a limit of its own, 1/N of the whole.

Fine when: the store holds only the limit's configuration; the counter is Redis or in the process.

Sources: etcd documentation, Hardware recommendations (every write waits for a disk); ZooKeeper, Best Practices.
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
    Place,
    Section,
    System,
    backend_name,
    found,
    lock_name,
    rule,
    words,
)

_LIMITING = frozenset({"throttle", "throttled", "throttling", "ratelimit", "limiter"})
_PAIR = frozenset({"rate", "limit"})
_SETTING = frozenset({"config", "configuration", "setting", "conf", "policy", "rule", "plan"})
_COUNTS = (Op.COUNTER, Op.INCREMENT, Op.CAS, Op.TRANSACTION)


@rule("CL204", severity=WARNING)
def coordination_for_rate_limiting(system: System) -> Iterator[Found]:
    for count in system.operations(backend=COORDINATORS):
        if not (count.op in _COUNTS or (count.stores and count.reads_back)) or not _limits(count) or count.key_words & _SETTING:
            continue
        if count.op is Op.INCREMENT and any(o.op is Op.COUNTER and o.symbol == count.symbol for o in system.same_key(count)):
            continue  # told where the counter is made
        request = next((e.place for e in system.entries_reaching(count.symbol) if e.kind in ("http", "consumer")), None)
        because = [(request, "requests come in here")] if request else []
        yield found(
            f"Counts requests for a rate limit in {backend_name(count.backend)}{_named(count)}.",
            at=count,
            because=[*because, *count.origin] or [(_first(count), "what is counted")],
            confidence=HIGH if request else MEDIUM,
        )
    for section in system.critical_sections(distributed=True):
        counts = _counts_under(section)
        if counts:
            yield found(
                f"A distributed lock, {lock_name(section.lock)}, is taken to count requests for a rate limit.",
                at=section,
                because=[(counts[0], "only this counter is guarded")],
                help="Count in one atomic step instead: INCR and its expiry in one script or MULTI pipeline; no lock is needed.",
            )


def _limits(count: Operation) -> bool:
    return _about_limits(count.key_words | count.symbol_words)


def _about_limits(said: frozenset[str]) -> bool:
    return bool(said & _LIMITING) or said >= _PAIR


def _counts_under(section: Section) -> list[Place]:
    """The counters in a section that limits and does nothing else to the outside."""
    if section.unresolved or not _about_limits(words(f"{section.lock.key_text} {'.'.join(section.symbol.split('.')[-2:])}")):
        return []
    stores = ("redis", "memcached", "django-cache", *COORDINATORS)
    if any(effect.operation.backend not in stores for effect in section.effects):
        return []
    return [e.place for e in section.effects if e.operation.op in (*_COUNTS, Op.WRITE)]


def _named(count: Operation) -> str:
    return f": `{count.key_text or count.key}`" if count.key else ""


def _first(count: Operation) -> Place:
    return next((a.place for a in count.arguments if a.place), count.place)


EXAMPLES = '''
=== bad: a ZooKeeper counter for each request, in another module than the view
--- web/limiter.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def throttle(user):
    counter = zk.Counter(f"/throttle/{user}")  # finding: coordination-for-rate-limiting
    counter += 1
    return counter.value > 100
--- web/views.py
from flask import Flask

from web.limiter import throttle

app = Flask(__name__)


@app.get("/<user>")
def index(user):
    return "slow down" if throttle(user) else "hello"

=== bad: a lock around the counter
--- web/limiter.py
import redis

r = redis.Redis()


def allowed(user):
    with r.lock(f"rate-limit:{user}", timeout=5, blocking_timeout=1):  # finding: coordination-for-rate-limiting
        n = int(r.get(f"n:{user}") or 0)
        r.set(f"n:{user}", n + 1, ex=60)
        return n < 100

=== good: Redis counts
--- web/limiter.py
import redis

r = redis.Redis()


def throttle(user):
    pipe = r.pipeline(transaction=True)
    pipe.incr(f"throttle:{user}")
    pipe.expire(f"throttle:{user}", 60)
    return pipe.execute()[0] > 100

=== good: the limit itself is configuration
--- web/settings.py
import etcd3

etcd = etcd3.client()


def set_rate_limit(app, n):
    etcd.put(f"/config/{app}/rate_limit", str(n))

=== good: a counter of each process
--- web/limiter.py
import threading

lock = threading.Lock()
counts = {}


def throttle(user):
    with lock:
        counts[user] = counts.get(user, 0) + 1
        return counts[user] > 25
'''
