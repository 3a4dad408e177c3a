r"""An argument of a lock means something else than it looks like: an exact trap of one library.

Why: django-redis passes `cache.lock(key, 30)` on with 30 as the *version* of the key, not as a timeout: the lock never expires. pymemcache's `add`
does not wait for the answer unless `noreply=False`, and then always says True: everybody gets the lock. A lock of kazoo gives nothing to
`with lock as x`: x is None, and the first `x.release()` or `x.is_acquired` raises AttributeError.

Instead: name the argument: `cache.lock(key, timeout=30)`; `client.add(key, value, expire=30, noreply=False)`;
`lock = zk.Lock(path)` and then `with lock:`.

Fine when: the arguments are named; the pymemcache client is made with `default_noreply=False`, or told so later in its file.

Known misses: the name that a `with` over a kazoo lock binds is passed on, and fails elsewhere.

Sources: sources of django-redis 7.0 (cache.py), pymemcache 4.0 (client/base.py) and kazoo 2.10 (recipe/lock.py), read and run.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ERROR, Found, Op, Operation, Outcome, System, found, rule

LIKELY_VERSION = 5  # versions of cache keys are counted from 1; seconds are not


@rule("CL116", severity=ERROR)
def misused_lock_argument(system: System) -> Iterator[Found]:
    for operation in system.operations(Op.MAKE_LOCK):
        version = operation.argument("version")
        if not operation.call.endswith("Cache.lock") or version is None or operation.argument("timeout") is not None:
            continue
        if isinstance(version.value, int | float) and not isinstance(version.value, bool) and version.value >= LIKELY_VERSION:
            yield found(
                f"the second positional argument of django-redis' cache.lock is the version of the key: {version.value:g} is no timeout, and "
                "the lock never expires",
                at=operation,
                because=[(version.place or operation.place, f"{version.value:g} is passed as version=")],
                help=f"Name the argument: cache.lock(key, timeout={version.value:g}).",
            )
    for operation in system.operations(Op.CREATE, Op.ACQUIRE, backend="memcached"):
        if operation.library != "pymemcache" or operation.outcome not in (Outcome.TESTED, Outcome.RETURNED):
            continue
        if operation.argument("noreply") is not None or answers_by_default(system, operation):
            continue
        yield found(
            "pymemcache's add does not wait for the answer unless noreply=False: its result is always True, and everybody gets the lock",
            at=operation,
            because=[(operation.client or operation.place, "the client leaves default_noreply at True")],
            help="Pass noreply=False to add, or default_noreply=False to the client.",
        )
    yield from bound_to_nothing(system)


def bound_to_nothing(system: System) -> Iterator[Found]:
    """`with` over a lock of kazoo, whose name is used as if it were the lock."""
    for section in system.critical_sections(distributed=True):
        if section.lock.library == "kazoo" and section.how == "with" and section.bound_use is not None:
            yield found(
                "with ... as binds None: kazoo's locks give nothing to it, and what is asked of the name raises AttributeError under the lock",
                at=section,
                because=[(section.bound_use, "here the name is used as if it were the lock")],
                help="Make the lock first: `lock = client.Lock(path)`, then `with lock:`.",
            )


def answers_by_default(system: System, operation: Operation) -> bool:
    """Whether the client was told to wait for answers, or where it was made is not known."""
    client = next((c for c in system.clients(backend="memcached") if c.place == operation.client), None)
    if client is None:
        return True
    return any(argument.name == "default_noreply" and argument.value is not True for argument in client.arguments)


EXAMPLES = r'''
=== bad: a timeout that is a version
--- tasks.py
from django.core.cache import cache

def sync(feed):
    with cache.lock("feed", 30):  # finding: misused-lock-argument
        feed.pull()
--- settings.py
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://redis:6379/1",
    }
}

=== bad: an add that always succeeds, on a client from another module
--- infra/store.py
from pymemcache.client.base import Client

client = Client("memcached:11211")
--- worker.py
from infra.store import client

def work(job):
    if client.add("job-lock", b"1", expire=60):  # finding: misused-lock-argument
        job.run()

=== good: the timeout is named
--- tasks.py
from django.core.cache import cache

def sync(feed):
    with cache.lock("feed", timeout=30):
        feed.pull()
--- settings.py
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://redis:6379/1",
    }
}

=== good: the client is told to wait for answers after it was made
--- infra/store.py
from pymemcache.client.base import Client

client = Client("memcached:11211")
client.default_noreply = False
--- worker.py
from infra.store import client

def work(job):
    if client.add("job-lock", b"1", expire=60):
        job.run()

=== bad: the name that a with over a kazoo lock binds
--- infra/zk.py
from kazoo.client import KazooClient

client = KazooClient(hosts="zk:2181")
--- stocktake.py
from infra.zk import client

def count(shelf, items):
    with client.Lock(f"/locks/shelf/{shelf}", "counter") as lock:  # finding: misused-lock-argument
        for item in items:
            if not lock.is_acquired:
                return
            item.count()

=== good: the lock has its name before the with, and a name that is not asked for anything
--- stocktake.py
from kazoo.client import KazooClient

client = KazooClient(hosts="zk:2181")

def count(shelf, items):
    lock = client.Lock(f"/locks/shelf/{shelf}", "counter")
    with lock:
        for item in items:
            if not lock.is_acquired:
                return
            item.count()

def look(shelf, item):
    with client.Lock(f"/locks/shelf/{shelf}") as _:
        item.look()

=== good: other libraries give the lock itself
--- stocktake.py
import redis

r = redis.Redis()

def count(shelf, items):
    with r.lock(f"shelf:{shelf}", timeout=30) as lock:
        for item in items:
            if not lock.owned():
                return
            item.count()

=== good: the add waits for its answer
--- worker.py
from pymemcache.client.base import Client

client = Client("memcached:11211")

def work(job):
    if client.add("job-lock", b"1", expire=60, noreply=False):
        job.run()

=== good: the client waits for every answer
--- worker.py
from pymemcache.client.base import Client

client = Client("memcached:11211", default_noreply=False)

def work(job):
    if client.add("job-lock", b"1", expire=60):
        job.run()
'''
