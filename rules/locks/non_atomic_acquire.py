r"""A lock is taken in two steps: SETNX and then EXPIRE, or a look whether the key is there and then a set.

Why: between SETNX and EXPIRE the process can die, and the key stays without a lifetime: nobody ever gets the lock again. Between
"is it free?" and "take it" another process can ask the same question, get the same answer, and both hold the lock.

Instead: one command: `set(key, token, nx=True, ex=30)`. Where more must happen in one step, a script or a MULTI pipeline.

A mark that an event, a message or a request was dealt with is claimed in two steps where it is looked for and then set, before the work: two deliveries at a time are both served.

A Lease of Kubernetes is taken in two steps as well where it is read, judged, and replaced by a body that does not carry the version that was read.

Fine when: both steps are in one MULTI pipeline, between WATCH and MULTI, or in one Lua script; a lock is held around both; the key is no lock: a cache entry
that is filled when it is missing is another matter.

Known misses: the two steps in two wrapper methods that take the key as a parameter; helpers that set any key, and are called by what is not
named for a lock.

Sources: Redis documentation, SETNX ("do not use this pattern") and SET.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    Found,
    Op,
    Operation,
    Outcome,
    Place,
    System,
    backend_name,
    call_name,
    found,
    lease_changes,
    rule,
    sounds_like_lock,
    two_steps,
)

TAKING = ("lock", "acquire", "acquire_lock", "try_lock", "take_lock", "get_lock", "obtain_lock")
STORES = ("redis", "memcached", "django-cache", "etcd", "consul", "zookeeper")


@rule("CL105", severity=ERROR)
def non_atomic_acquire(system: System) -> Iterator[Found]:
    for taken in system.operations(Op.ACQUIRE, Op.CREATE, backend="redis"):
        if taken.atomic or taken.outcome is Outcome.DEAD or has_lifetime(taken):
            continue
        for expiry in later(system, taken, Op.EXPIRE):
            yield found(
                f'"{taken.key_text or taken.key}" is taken by {call_name(taken)} and gets its lifetime from a second command: a crash in between '
                "leaves the lock taken for ever",
                at=taken,
                because=[(expiry.place, "the lifetime is set here, in a step of its own")],
            )
            break
    for look in system.operations(Op.READ, backend=STORES):
        if look.atomic or look.outcome is not Outcome.TESTED or not is_meant_as_lock(system, look) or system.is_locked(look):
            continue
        for write in later(system, look, Op.WRITE):
            if write.counts:
                continue  # a number that is kept, whatever its key is called
            yield found(
                f'{call_name(look)} asks whether "{look.key_text or look.key}" is free and {call_name(write)} takes it in a second step: two '
                f"processes can both find it free in {backend_name(look.backend)}",
                at=look,
                because=[(write.place, "the key is set here, unconditionally")],
            )
            break
    yield from marks_taken(system)
    yield from leases_taken(system)


def marks_taken(system: System) -> Iterator[Found]:
    """Marks that an event or message was dealt with: looked for, and set in a second step before the work."""
    for look, write in two_steps(system):
        if is_meant_as_lock(system, look) or system.is_locked(look):
            continue
        yield found(
            f'{call_name(look)} asks whether "{look.key_text or look.key}" was dealt with already and {call_name(write)} claims it in a second step: two deliveries at a '
            f"time both find nothing in {backend_name(look.backend)}, and both are served",
            at=look,
            because=[(write.place, "the mark is set here, unconditionally"), *look.origin],
            help="Claim it in one step and look at the answer: SET NX with an expiry, cache.add, the number that SADD gives, or a unique column in the transaction of the work.",
        )


def leases_taken(system: System) -> Iterator[Found]:
    """Leases of Kubernetes that are read, judged, and then written without the version that was read."""
    told: set[Place] = set()
    for change in lease_changes(system):
        if change.how == "take" and change.is_blind and change.write.place not in told:
            told.add(change.write.place)
            yield found(
                f"The Lease is read, found free and taken by {call_name(change.write)} without the version that was read: two processes that both find it free both take it",
                at=change.write,
                because=[(change.look.place, "the Lease is read here; its resourceVersion goes nowhere")],
                help="Change the object that was read and replace that, or put its metadata.resourceVersion into the body: the API server then refuses the second with 409.",
            )


def is_meant_as_lock(system: System, look: Operation) -> bool:
    """By the key or the function; a helper that sets any key is a lock's where a function that takes one calls it."""
    if sounds_like_lock(look.key_text, look.key, function_of(look)):
        return True
    callers = system.callers(look.symbol) if look.key_text.startswith("{") and look.key_text.endswith("}") else ()
    return any(caller.rpartition(".")[2].lstrip("_") in TAKING for caller, _ in callers)


def later(system: System, first: Operation, op: Op) -> Iterator[Operation]:
    """Further steps on the same key, after it in the same function, each a command of its own."""
    for other in system.same_key(first):
        follows = other.op is op and other.symbol == first.symbol and other.place.line > first.place.line
        if follows and not other.atomic and not other.conditional:
            yield other


def has_lifetime(operation: Operation) -> bool:
    return operation.ttl is not None and operation.ttl.kind != "never"


def function_of(operation: Operation) -> str:
    return operation.symbol.rpartition(".")[2]


EXAMPLES = r'''
=== bad: SETNX, then EXPIRE
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if not r.setnx("lock:nightly", "1"):  # finding: non-atomic-acquire
        return
    r.expire("lock:nightly", 30)
    try:
        job.run()
    finally:
        r.delete("lock:nightly")

=== bad: SET NX without a lifetime, then EXPIRE
--- worker.py
import redis

r = redis.Redis()

def acquire(name):
    if r.set(f"lock:{name}", "1", nx=True):  # finding: non-atomic-acquire
        r.expire(f"lock:{name}", 30)
        return True
    return False

=== bad: a look and a set, on a client and with a key name from another module
--- infra/store.py
import redis

client = redis.Redis(host="redis")
NIGHTLY = "lock:nightly"
--- worker.py
from infra.store import NIGHTLY, client

def work(job):
    if client.get(NIGHTLY):  # finding: non-atomic-acquire
        return
    client.set(NIGHTLY, "1", ex=60)
    try:
        job.run()
    finally:
        client.delete(NIGHTLY)

=== bad: exists, then setex
--- worker.py
import redis

r = redis.Redis()

def try_lock(name):
    if r.exists(f"lock:{name}"):  # finding: non-atomic-acquire
        return False
    r.setex(f"lock:{name}", 60, "1")
    return True

=== bad: Django's cache, get and then set
--- tasks.py
from django.core.cache import cache

def sync(feed):
    if cache.get("feed-sync-lock"):  # finding: non-atomic-acquire
        return
    cache.set("feed-sync-lock", True, 600)
    feed.pull()
    cache.delete("feed-sync-lock")

=== bad: the helper of a lock looks, and then sets
--- store.py
import redis

class Store:
    def __init__(self):
        self.client = redis.Redis()

    def put(self, key, value, overwrite=False):
        if self.client.exists(key) and not overwrite:  # finding: non-atomic-acquire
            raise KeyError(key)
        self.client.set(key, value)

    def lock(self, key):
        try:
            self.put(key, "")
        except KeyError:
            return False
        return True

=== good: the same helper keeps records
--- store.py
import redis

class Store:
    def __init__(self):
        self.client = redis.Redis()

    def put(self, key, value, overwrite=False):
        if self.client.exists(key) and not overwrite:
            raise KeyError(key)
        self.client.set(key, value)

    def remember(self, key):
        self.put(key, "")

=== good: a count of failures, whatever its key is called
--- worker.py
import redis

r = redis.Redis()

def failed(key):
    current = r.get(f"lock:{key}:failures")
    current = int(current) if current else 0
    if current < 3:
        current += 1
        r.set(f"lock:{key}:failures", current)

=== good: one command
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if not r.set("lock:nightly", "1", nx=True, ex=30):
        return
    job.run()

=== good: both in one MULTI pipeline
--- worker.py
import redis

r = redis.Redis()

def work(job):
    with r.pipeline(transaction=True) as pipe:
        pipe.setnx("lock:nightly", "1")
        pipe.expire("lock:nightly", 30)
        taken, _ = pipe.execute()
    if taken:
        job.run()

=== good: one script
--- worker.py
import redis

r = redis.Redis()
TAKE = """
if redis.call('setnx', KEYS[1], ARGV[1]) == 1 then
    redis.call('expire', KEYS[1], 30)
    return 1
end
return 0
"""

def work(job):
    if r.eval(TAKE, 1, "lock:nightly", "me"):
        job.run()

=== good: between WATCH and MULTI
--- worker.py
import redis

r = redis.Redis()

def try_lock(name):
    with r.pipeline() as pipe:
        pipe.watch("lock:nightly")
        if pipe.get("lock:nightly"):
            return False
        pipe.multi()
        pipe.set("lock:nightly", "1", ex=30)
        pipe.execute()
        return True

=== good: what is looked at and set is kept under a lock
--- quota.py
import redis

r = redis.Redis()

def acquire_token(name, most):
    with r.lock(f"quota:{name}:lock", timeout=5):
        left = r.get(f"quota:{name}:left") or most
        if int(left) < 1:
            return False
        r.set(f"quota:{name}:left", int(left) - 1, ex=60)
        return True

=== good: a cache entry is filled when it is missing
--- prices.py
import redis

r = redis.Redis()

def price(item):
    cached = r.get(f"price:{item.id}")
    if cached:
        return cached
    r.set(f"price:{item.id}", item.compute(), ex=60)
    return item.compute()

=== good: the expiry of another key
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if r.set("lock:nightly", "1", nx=True, ex=30):
        r.expire("stats:nightly", 3600)
        job.run()
'''
