"""A counter is read and set in two steps, or it is counted up and given its expiry in two steps.

Why: two processes that both read 41 both write 42, and one count is lost; a limit on failed log-ins, stock or votes can be
passed that way. INCR followed by EXPIRE fails differently: a crash, a timeout or a lost connection between the two leaves
a counter that never expires, and a rate limiter built on it blocks its user until somebody deletes the key.

Instead: count in the store, with INCRBY, memcached `incr`, or `UPDATE ... SET n = n + 1`. Give the expiry in the same step:
`set(key, 0, ex=60, nx=True)` before `incr`, both in one `pipeline(transaction=True)`, or a Lua script; in a cache,
`add(key, 0, timeout)` and then `incr`.

Fine when: the two commands are sent in one MULTI pipeline or stand in one script; the counter is only counted up; a lock is
held around both.

It is a note where the key names the time for which it counts, and where it counts how often work was tried again.

Sources: two such bugs and their fixes: alisaifee/limits#14 (INCR then EXPIRE), jazzband/django-axes#784 (get then set); redis-py and
Django cache documentation (incr, add).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    System,
    backend_name,
    found,
    rule,
    words,
)

_COUNTING = ("redis", "memcached", "django-cache", "zookeeper", "etcd", "consul")
_BY_HAND = frozenset({"reset", "flush", "purge", "admin", "clear"})
_TRIES = frozenset({"retry", "retries", "retried", "restart", "restarts"})
_FAILED = frozenset({"failure", "failures", "fail", "failed", "error", "errors", "attempt", "attempts", "tries"})
_PEOPLE = frozenset("user account ip email mail phone login signin auth password passcode otp pin mfa captcha token code client session block blocked blocking limit lockout ban banned security brute".split())  # who may guess, and what keeps him from it
_WINDOW = frozenset({"minute", "hour", "day", "date", "window", "bucket", "slot", "now", "time", "timestamp", "today", "month"})
_BY_VERSION = (
    "write on condition that nobody has written since, and try again a few times: ZooKeeper `set(path, n, version=stat.version)` or kazoo's Counter recipe, "
    "an etcd transaction on mod_revision, Consul `put(cas=ModifyIndex)`. A number that changes often is better counted elsewhere."
)


@rule("CL504", severity=WARNING)
def non_atomic_counter(system: System) -> Iterator[Found]:
    for write in system.operations(Op.WRITE, backend=_COUNTING, carried=True):
        if write.counts and write.reads_back and not (_in_one_step(write) or write.conditional or system.is_locked(write)):
            yield found(
                f"Counts in {backend_name(write.backend)} by reading `{write.key_text or _first_text(write)}` and setting it: two processes "
                "at a time count once.",
                at=write,
                because=[(write.reads_back, "the old count is read here"), *write.origin],
                severity=INFO if _is_windowed(write) or _counts_tries(write) else WARNING,
                confidence=HIGH if write.key else MEDIUM,
                help=_BY_VERSION if write.backend in COORDINATORS else "",
            )
    for count in system.operations(Op.INCREMENT, backend="redis"):
        expiry = _expiry_after(system, count)
        if expiry is None or count.atomic or system.is_locked(count):
            continue
        windowed = _is_windowed(count)
        yield found(
            f"Counts `{count.key_text or count.key}` up and sets its expiry in a second step: a crash in between leaves "
            + ("a key that nobody removes." if windowed else "a count that never ends."),
            at=count,
            because=[(expiry.place, "the expiry is set only here"), *count.origin],
            severity=INFO if windowed or _is_made_with_expiry(system, count) else WARNING,
        )
    for drop in system.operations(Op.DELETE, backend=("redis", "memcached")):
        if drop.atomic or drop.conditional or system.is_locked(drop) or drop.symbol_words & _BY_HAND:
            continue
        counts = [o for o in system.same_key(drop) if o.op is Op.INCREMENT and o.symbol != drop.symbol and not o.in_test]
        if counts and all(system.is_locked(o) for o in counts):
            yield found(
                f"Deletes the count `{drop.key_text or drop.key}` without the lock under which others count: what they have counted since is gone.",
                at=drop,
                because=[(counts[0].place, "counted up here, under a lock"), *drop.origin],
                confidence=MEDIUM,
                help="Take the same lock around the delete, and look again inside whether the count is still what it was.",
            )


def _in_one_step(write: Operation) -> bool:
    """Whether a script, or a transaction whose WATCH still stands, makes it one step with the read."""
    return bool(write.atomic) and write.unwatched is None


def _is_windowed(count: Operation) -> bool:
    """Whether its key names the time for which it counts."""
    return any(words(filler) & _WINDOW for filler in count.fillers)


def _counts_tries(count: Operation) -> bool:
    """Whether it counts how often a piece of work was begun again: one try more than allowed harms nobody."""
    said = count.key_words | count.symbol_words | words(_first_text(count))
    return bool(said & _TRIES) or bool(said & _FAILED and count.brought is None and not (said | {w for f in count.fillers for w in words(f)}) & _PEOPLE)


def _expiry_after(system: System, count: Operation) -> Operation | None:
    """The EXPIRE of the same key that follows in the same function."""
    for expiry in system.operations(Op.EXPIRE, backend="redis"):
        same_key = expiry.key == count.key if count.key and expiry.key else _first_text(expiry) == _first_text(count)
        if expiry.symbol == count.symbol and expiry.place > count.place and same_key and not expiry.atomic:
            return expiry
    return None


def _is_made_with_expiry(system: System, count: Operation) -> bool:
    """Whether the key is otherwise made with its expiry: only one that ends between that and the INCR depends on the second step."""
    made = (o for o in system.same_key(count) if o.stores or o.op is Op.ACQUIRE)
    return any(o.ttl is not None and o.ttl.kind != "never" for o in made)


def _first_text(operation: Operation) -> str:
    return operation.arguments[0].text if operation.arguments else operation.receiver


EXAMPLES = '''
=== bad: INCR, then EXPIRE, through a client of another module
--- api/store.py
import redis

r = redis.Redis(host="redis")
--- api/limit.py
from api.store import r


def allowed(user):
    n = r.incr(f"rate:{user}")  # finding: non-atomic-counter
    if n == 1:
        r.expire(f"rate:{user}", 60)
    return n <= 100

=== bad: the window in the key makes it a leak
--- api/limit.py
import time

import redis

r = redis.Redis()


def allowed(user):
    window = int(time.time() // 60)
    key = f"rate:{user}:{window}"
    n = r.incr(key)  # finding: non-atomic-counter
    r.expire(key, 120)
    return n <= 100

=== bad: a number in a node, read and set, in several spellings
--- crew/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
zk.start()
--- crew/numbers.py
from crew.zk import zk


def joined():
    value = zk.get("/crew/size")[0]
    zk.set("/crew/size", str.encode(str(int(value.decode("utf-8")) + 1)))  # finding: non-atomic-counter


def left():
    data, _ = zk.get("/crew/left")
    gone = int(data) + 1
    zk.set("/crew/left", f"{gone}".encode())  # finding: non-atomic-counter


def tried():
    data, _ = zk.get("/crew/calls")
    zk.set("/crew/calls", (int.from_bytes(data, "big") + 1).to_bytes(8, "big"))  # finding: non-atomic-counter

=== good: the version that was read is given back
--- crew/numbers.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
zk.start()


def joined():
    value, stat = zk.get("/crew/size")
    zk.set("/crew/size", str.encode(str(int(value.decode("utf-8")) + 1)), version=stat.version)

=== bad: counted under a lock, deleted without it
--- bank/numbers.py
import redis

r = redis.Redis()


class Number:
    def __init__(self, account):
        self.account = account

    def __enter__(self):
        with r.lock(f"bank:lock:{self.account}", timeout=10):
            return r.incr(f"bank:number:{self.account}")

    def __exit__(self, kind, error, traceback):
        if kind:
            r.delete(f"bank:number:{self.account}")  # finding: non-atomic-counter

=== good: deleted under the same lock; a count that needs no lock
--- bank/numbers.py
import redis

r = redis.Redis()


def take(account):
    with r.lock(f"bank:lock:{account}", timeout=10):
        return r.incr(f"bank:number:{account}")


def give_back(account):
    with r.lock(f"bank:lock:{account}", timeout=10):
        r.delete(f"bank:number:{account}")


def hit(page):
    r.incr(f"hits:{page}")


def forget(page):
    r.delete(f"hits:{page}")

=== bad: get and set in Redis
--- shop/views.py
import redis

r = redis.Redis()


def viewed(page):
    n = int(r.get(f"views:{page}") or 0)
    r.set(f"views:{page}", n + 1)  # finding: non-atomic-counter

=== bad: get and set in Django's cache
--- shop/login.py
from django.core.cache import cache


def failed(user):
    attempts = cache.get(f"failures:{user}", 0)
    cache.set(f"failures:{user}", attempts + 1, 300)  # finding: non-atomic-counter

=== bad: the number goes through a variable and its spelling as bytes
--- mill/tally.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def grind(sacks):
    raw, stat = zk.get("/mill/flour")
    left = int(raw.decode()) - 1
    zk.set("/mill/flour", bytes(str(left), "ascii"))  # finding: non-atomic-counter

=== good: each of two branches has its own key, and what one reads the other does not write
--- mill/tally.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def open_day(known):
    if known:
        total = int(zk.get("/mill/flour")[0])
        report(total)
    else:
        total = 0
        zk.set("/mill/flour", str(total).encode())

=== bad: the key is a variable
--- shop/handler.py
from django.core.cache import caches


def store():
    return caches["default"]


class Handler:
    def __init__(self):
        self.cache = store()

    def failed(self, keys):
        for key in keys:
            failures = self.cache.get(key, default=0)
            self.cache.set(key, failures + 1, 300)  # finding: non-atomic-counter

=== good: an entry of a cache whose name speaks of counts, computed anew on a miss
--- shop/stats.py
from django.core.cache import cache

from shop.search import counted


def order_counts():
    found = cache.get("order_counts")
    if found:
        return found
    found = counted()
    if found:
        cache.set("order_counts", found, 600)
    return found

=== good: where a command goes on the next time
--- shop/clean.py
import redis

r = redis.Redis()


def clean(orders):
    last = r.get("cleaning:last_number")
    if last is not None:
        orders = orders.after(last)
    for order in orders:
        order.clean()
        r.set("cleaning:last_number", order.id)

=== good: both in one transaction
--- api/limit.py
import redis

r = redis.Redis()


def allowed(user):
    pipe = r.pipeline(transaction=True)
    pipe.incr(f"rate:{user}")
    pipe.expire(f"rate:{user}", 60)
    n, _ = pipe.execute()
    return n <= 100

=== good: one script
--- api/limit.py
import redis

r = redis.Redis()
COUNT = r.register_script(
    "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end return n"
)


def allowed(user):
    return COUNT(keys=[f"rate:{user}"], args=[60]) <= 100

=== good: only counted up
--- shop/views.py
import redis

r = redis.Redis()


def viewed(page):
    r.incr(f"views:{page}")

=== good: counted and expired under a lock
--- shop/nonce.py
import redis

r = redis.Redis()


def next_nonce(account):
    with r.lock(f"lock:{account}", timeout=30, blocking_timeout=5):
        n = r.incr(f"nonce:{account}")
        r.expire(f"nonce:{account}", 3600)
        return n

=== good: a cached count is not counted up but computed anew
--- shop/balance.py
from django.core.cache import cache


def balances(user, load):
    if found := cache.get(f"balances:{user}"):
        count = cache.get(f"balances-count:{user}")
        return found, count
    else:
        found, count = load(user)
        cache.set(f"balances:{user}", found, 600)
        cache.set(f"balances-count:{user}", count, 600)
        return found, count

=== good: the expiry of another key
--- shop/cart.py
import redis

r = redis.Redis()


def add(user):
    r.incr("carts:total")
    r.expire(f"cart:{user}", 600)
'''
