r"""A lock taken with SET NX is released by a plain delete, or by a get, a comparison and a delete.

Why: by the time of the release the lease may have run out and the key may belong to somebody else. A plain delete frees that
other holder's lock, a third process enters, and the mistake repeats with every slow run. Reading the value first does not help
when reading and deleting are two commands: the key can change hands between them.

Instead: store a value that only this holder knows (`uuid4().hex`) and delete only if it is still there, in one step: a Lua script
that compares and deletes, `delex(key, ifeq=token)` on a server from 8.4, or the lock object of redis-py, which does it for you.

Fine when: the comparison and the delete are one script or stand between WATCH and MULTI; a library's lock releases itself
(redis-py and python-redis-lock compare the token); the key is a mark and was never meant as a lock; tests and commands with
which an operator frees a stuck lock. Where the lease is counted from the time limit of the task that holds it, nobody is left to release too late. It is a
note where the lease is longer than an hour: who comes too late must have worked for hours.

Known misses: a delete of a key that is computed in a way that hides that it is the lock's.

Sources: Redis documentation, Distributed Locks (release with a script) and DELEX; Django documentation, cache.add.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    Outcome,
    Place,
    Section,
    System,
    call_name,
    distinct,
    fixed,
    found,
    handed_back,
    lock_name,
    rule,
    sounds_like_lock,
    swept,
    takeovers,
    told,
    trail,
    unclaimed,
    words,
)

PLAIN, IN_STEPS = "a plain delete", "a get, a comparison and a delete, in separate steps"
CURES = {
    "redis": "Store a random token as the value and release with a script that deletes the key only while it holds that token, or use redis-py's lock().",
    "memcached": "Read with gets and expire the key with cas, or use a store that can compare and delete in one step.",
    "django-cache": "django-redis: cache.lock(key, timeout=...) compares the owner. Plain cache backends cannot: let the key expire instead of deleting it.",
    "consul": "Release with kv.put(key, value, release=<session>), or delete with cas=<ModifyIndex>.",
    "etcd": "Delete in a transaction that compares the key's create_revision, or let its lease end.",
}

TAKEOVERS = {
    "zookeeper": "Delete with the version that was read (`delete(path, version=stat.version)`): it fails when the node is another's by now.",
    "consul": "Delete with cas=<ModifyIndex> of what was read, or take the key with acquire= alone, which fails while another session holds it.",
    "etcd": "Compare the key's mod_revision in the transaction that replaces it.",
}

HOURS = 3600.0  # seconds
ADMIN = frozenset({"force", "forced", "admin", "reset", "purge", "flush"})
SERVES = frozenset({"worker", "serve", "server", "daemon", "scheduler", "beat", "pool", "consumer"})  # commands that start what stays
MEMBERS = frozenset({"member", "members", "worker", "workers", "instance", "instances", "service", "services", "nodes", "agents"})


@rule("CL104", severity=ERROR)
def unsafe_release(system: System) -> Iterator[Found]:
    reported: set[Place] = set()
    for section, place, how in [*deletes(system), *deletes_behind_wrappers(system), *by_its_name(system)]:
        if place in reported or section.lock.made in reported:
            continue
        reported |= {place, section.lock.made} if is_wrapped(system, place) else {place}
        forever = section.lock.lifetime.kind == "never"
        severity = INFO if ends_with_its_task(section) or outlives_work(section) else WARNING if forever or is_renewed(system, section) else ERROR
        yield found(
            f"{lock_name(section.lock)} is released by {how}: after its lease ({told(section.lock.lifetime)}) this frees "
            "the lock of whoever holds it by then",
            at=place,
            because=distinct(trail(section), besides=place),
            symbol=section.symbol,
            resource=section.lock.key,
            severity=severity,
            confidence=MEDIUM if forever else HIGH,
            help=CURES.get(section.lock.backend, ""),
        )
    for delete, create in takeovers(system):
        yield found(
            f'{call_name(delete)} removes "{delete.key_text}" whoever holds it, in order to create it anew: another may have taken it since it was looked at',
            at=delete,
            because=[(create.place, "the key is taken here, in a second step")],
            confidence=MEDIUM,
            help=TAKEOVERS.get(delete.backend, ""),
        )
    for drop, claim in unclaimed(system):
        if not is_admin(system, drop) and drop.place not in reported:
            yield found(
                f'"{drop.key_text}" is claimed in a transaction, and deleted here without asking whose it is by now',
                at=drop,
                because=[(claim.place, "claimed here, between WATCH and EXEC")],
                severity=WARNING,
                confidence=MEDIUM,
            )
    for freed, look, taken in handed_back(system):
        if freed.place not in reported and not is_wrapped(system, freed.deed):
            reported.add(freed.place)
            yield found(
                f"the lock `{freed.given}` is given back by a plain delete: when its lease is over, this frees the lock of whoever holds it by then",
                at=freed.place,
                symbol=freed.symbol,
                because=[(taken, "the lock is taken here"), (look.place, "in two steps, and without a name of its own"), (freed.deed, "what deletes it asks nothing")],
                confidence=MEDIUM,
                help=CURES["redis"],
            )
    for drop, listing in swept(system):
        if not is_admin(system, drop) and drop.place not in reported:
            yield found(
                f"{call_name(drop)} removes what looked left behind when it was listed: a lock that was taken in between goes as well",
                at=drop,
                because=[(listing.place, "the locks are listed here")],
                severity=WARNING,
                confidence=MEDIUM,
            )


def ends_with_its_task(section: Section) -> bool:
    """Whether the lease is counted from the limit at which the holder is killed: nobody is left then to release it."""
    return {"time", "limit"} <= words(told(section.lock.lifetime))


def outlives_work(section: Section) -> bool:
    """Whether the lease is so long that whoever releases late must have worked for hours: a claim, which is given up by its owner."""
    return section.lock.lifetime.kind == "seconds" and (section.lock.lifetime.seconds or 0) > HOURS


def is_renewed(system: System, section: Section) -> bool:
    """Whether something near renews the key, in the section or in a thread beside it: it takes a renewal that fails to lose it."""
    if section.extended or section.lock.model.renews:
        return True
    renewals = system.operations(Op.EXTEND, Op.EXPIRE, Op.WRITE, backend=section.lock.backend)
    beside = {f for place in system.calls_of(section.symbol) for f in system.handed_at(place)}
    return any(o.symbol in beside and (o.op is not Op.WRITE or (o.loop and o.ttl is not None and o.ttl.kind != "never")) for o in renewals)


Release = tuple[Section, Place, str]


def deletes(system: System) -> Iterator[Release]:
    """The deletes themselves: inside the section, or elsewhere on the same key."""
    for section in by_hand(system):
        for release in section.releases:
            if release.how == "delete" and not is_wrapped(system, release.place):
                freed = next((o for o in system.operations(Op.DELETE) if o.place == release.place), None)
                yield section, release.place, PLAIN if freed is None else how_deleted(system, freed)
        for operation in elsewhere(system, section):
            yield section, operation.place, f"{how_deleted(system, operation)}, in {operation.symbol.rpartition('.')[2]}()"


def by_its_name(system: System) -> Iterator[Release]:
    """Deletes of a role's key, which ends with no name of its own, by another method of the class, through the project's own delete function."""
    for section in sorted(by_hand(system), key=lambda s: (len(s.lock.via), s.acquired)):
        home, _, here = section.symbol.rpartition(".")
        if not section.tested or (section.lock.key or "}").endswith("}"):
            continue
        inside = {release.place for release in section.releases}
        for freed in system.freed(section.lock.key):
            owner, _, there = freed.symbol.rpartition(".")
            deletes_it = any(o.place == freed.deed and o.backend == section.lock.backend for o in system.operations(Op.DELETE))
            if owner == home and there != here and freed.place not in inside and deletes_it and ADMIN.isdisjoint(words(there)):
                yield section, freed.place, f"a plain delete that {there}() asks for"


def deletes_behind_wrappers(system: System) -> Iterator[Release]:
    """Calls of the project's own release functions: the delete inside, where it is found, else the call."""
    covered = {section.lock.made for section, _, _ in deletes(system)}
    for section in by_hand(system):
        for release in section.releases:
            if release.how == "delete" and section.lock.made not in covered and is_wrapped(system, release.place):
                yield section, release.deed or release.place, PLAIN


def by_hand(system: System) -> Iterator[Section]:
    """Locks that no library releases; where the key is not known, the code must at least call it a lock."""
    for section in system.critical_sections(distributed=True):
        is_named = bool(words(fixed(section.lock.key_text)))
        if section.releases and all(r.only_on_error for r in section.releases) and not is_called_lock(section):
            continue  # a mark that stays after a success, and is taken back after a failure
        if words(fixed(section.lock.key_text)) & MEMBERS and not is_called_lock(section):
            continue  # its own registration, under its own name
        if section.lock.by_hand and (is_named or sounds_like_lock(section.symbol, *section.lock.via)):
            yield section


def is_called_lock(section: Section) -> bool:
    return sounds_like_lock(section.lock.key_text, section.symbol, *section.lock.via)


def is_wrapped(system: System, place: Place) -> bool:
    """Whether a release stands in a function that is called here."""
    return all(operation.place != place for operation in system.operations(Op.DELETE))


def elsewhere(system: System, section: Section) -> Iterator[Operation]:
    """Deletes of the same key in another function, where key or function say that it is a lock."""
    if section.lock.key is None or (not words(fixed(section.lock.key_text)) and is_released_by_owner(system, section)):
        return
    inside = {release.place for release in section.releases}
    for operation in system.operations(Op.DELETE, backend=section.lock.backend):
        if not is_same_key(system, section, operation) or operation.place in inside or operation.symbol == section.symbol:
            continue
        if operation.atomic or operation.conditional or is_admin(system, operation):
            continue
        if sounds_like_lock(operation.key_text, operation.key, section.symbol, operation.symbol):
            yield operation


def how_deleted(system: System, delete: Operation) -> str:
    """In steps, where the same function reads the key before and tests what it got."""
    reads = (o for o in system.same_key(delete) if o.op is Op.READ and o.symbol == delete.symbol and o.place.line < delete.place.line)
    return IN_STEPS if any(o.outcome is Outcome.TESTED for o in reads) else PLAIN


def is_released_by_owner(system: System, section: Section) -> bool:
    """Whether those who take the lock through this function give it back by comparing: what deletes beside it is for something else."""
    same = [s for s in system.critical_sections(distributed=True) if s.lock.made == section.lock.made]
    return any(release.how != "delete" for s in same for release in s.releases)


def is_same_key(system: System, section: Section, operation: Operation) -> bool:
    """The same pattern; where that says nothing ("{}"), the same name in the same class or module."""
    if operation.key != section.lock.key:
        return False
    near = operation.symbol.rpartition(".")[0] == section.symbol.rpartition(".")[0]
    if words(fixed(section.lock.key_text)) or not near:
        return bool(words(fixed(section.lock.key_text)))
    taken = next((o for o in system.operations() if o.place == section.lock.made), None)
    return operation.key_text == section.lock.key_text and (taken is None or bool(key_names(taken) & key_names(operation)) or not key_names(taken))


def key_names(operation: Operation) -> frozenset[str]:
    """The names in the argument that is the key: what fills a hole may have one name in the helper that all keys are made with."""
    return frozenset(m for a in operation.arguments if a.text == operation.key_text for m in a.mentions if m not in ("self", "cls"))


def is_admin(system: System, operation: Operation) -> bool:
    """Reached from commands only, or called so: an operator frees a lock by hand."""
    if not ADMIN.isdisjoint(operation.symbol_words):
        return True
    entries = [entry for entry in system.entries_reaching(operation.symbol) if entry.kind != "test"]
    return bool(entries) and all(e.kind == "command" and SERVES.isdisjoint(words(e.symbol.rpartition(".")[2])) for e in entries)


EXAMPLES = r'''
=== bad: the leader's key is deleted by whoever stops, through a store of the project
--- fleet/store.py
import etcd3

class Store:
    def __init__(self, host):
        self.etcd = etcd3.client(host=host)

    def put_new(self, kind, name, value, ttl=10):
        return self.etcd.put_if_not_exists(f"/fleet/{kind}/{name}", value, lease=self.etcd.lease(ttl))

    def drop(self, kind, name):
        self.etcd.delete(f"/fleet/{kind}/{name}")
--- fleet/lead.py
from fleet.store import Store

class Leader:
    def __init__(self, me):
        self.me = me
        self.leads = False
        self.store = Store("etcd")

    def try_to_lead(self):
        if not self.store.put_new("leader", "0", self.me):
            self.leads = False
            return False
        self.leads = True
        return True

    def stop(self):
        self.store.drop("leader", "0")  # finding: unsafe-release

=== bad: claimed between WATCH and EXEC, deleted by whoever is done; and what looks left behind is swept
--- press/store.py
import redis

client = redis.Redis(host="redis")

def claim_key(page):
    return f"page:job:{page}"
--- press/jobs.py
import redis

from press.store import claim_key, client

def order(page, job):
    with client.pipeline() as pipe:
        try:
            pipe.watch(claim_key(page))
            if pipe.get(claim_key(page)):
                return None
            pipe.multi()
            pipe.set(claim_key(page), job, 900)
            pipe.execute()
        except redis.WatchError:
            return None
    return job

def unlock(page):
    client.delete(claim_key(page))  # finding: unsafe-release

def sweep_locks(running):
    held = {key: client.get(key) for key in client.keys("page:job:*")}
    for key, job in held.items():
        if job not in running:
            client.delete(key)  # finding: unsafe-release

=== good: the claim is no lock's; the sweep only counts; an operator frees all of them
--- press/jobs.py
import redis

client = redis.Redis(host="redis")

def order(page, job):
    with client.pipeline() as pipe:
        try:
            pipe.watch(f"page:{page}")
            if pipe.get(f"page:{page}"):
                return None
            pipe.multi()
            pipe.set(f"page:{page}", job, 900)
            pipe.execute()
        except redis.WatchError:
            return None
    return job

def printed(page):
    client.delete(f"page:{page}")

def count_locks():
    return [client.get(key) for key in client.keys("lock:*")]

def reset_locks():
    for key in client.keys("lock:*"):
        if client.get(key):
            client.delete(key)

=== bad: a store's own lock, given back by its general delete
--- build/store.py
import redis

class Store:
    def __init__(self, host):
        self.redis = redis.Redis(host=host)

    def put(self, key, value, replace=False, seconds=None):
        if self.redis.exists(key) and not replace:
            raise KeyError(key)
        self.redis.set(key, value, xx=replace)
        if seconds:
            self.redis.expire(key, seconds)

    def drop(self, key):
        self.redis.delete(key)

    def lock(self, key, seconds=20):
        try:
            self.put(key, "", seconds=seconds)
        except KeyError:
            return False
        return True
--- build/jobs.py
from build.store import Store

class Jobs:
    def __init__(self):
        self.store = Store("redis")

    def finish(self, job):
        lock_key = f"{job}/lock"
        if self.store.lock(lock_key):
            try:
                self.store.drop(f"{job}/state")
            finally:
                self.store.drop(lock_key)  # finding: unsafe-release

    def forget(self, job):
        self.store.drop(f"{job}/state")

=== bad: the leader's node is removed and made anew, through a retry of the client
--- fleet/lead.py
from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError, NoNodeError

class Lead:
    def __init__(self, me):
        self.me = me
        self.zk = KazooClient(hosts="zk:2181")
        self.path = "/fleet/leader"

    def renew(self, leader):
        if self.zk.client_id[0] != leader.session:
            try:
                self.zk.retry(self.zk.delete, self.path)  # finding: unsafe-release
            except NoNodeError:
                pass
            self.zk.retry(self.zk.create, self.path, self.me, ephemeral=True)
        return True

=== good: with the version that was read; a member's own node
--- fleet/lead.py
from kazoo.client import KazooClient

class Lead:
    def __init__(self, me):
        self.me = me
        self.zk = KazooClient(hosts="zk:2181")
        self.path = "/fleet/leader"

    def renew(self, leader):
        if self.zk.client_id[0] != leader.session:
            self.zk.delete(self.path, version=leader.version)
            self.zk.create(self.path, self.me, ephemeral=True)

    def join(self):
        self.zk.delete(f"/fleet/members/{self.me}")
        self.zk.create(f"/fleet/members/{self.me}", b"", ephemeral=True)

=== good: a registration of its own ends with its owner
--- fleet/store.py
import etcd3

class Store:
    def __init__(self, host):
        self.etcd = etcd3.client(host=host)

    def put_new(self, kind, name, value, ttl=10):
        return self.etcd.put_if_not_exists(f"/fleet/{kind}/{name}", value, lease=self.etcd.lease(ttl))

    def drop(self, kind, name):
        self.etcd.delete(f"/fleet/{kind}/{name}")
--- fleet/member.py
from fleet.store import Store

class Member:
    def __init__(self, me, address):
        self.me = me
        self.store = Store("etcd")
        if not self.store.put_new("members", self.me, address):
            raise RuntimeError("registered twice")

    def stop(self):
        self.store.drop("members", self.me)

=== bad: the release stands in another file and deletes whoever's lock it is
--- jobs/guard.py
import redis

r = redis.Redis()

def acquire_job_lock(name):
    return r.set(f"lock:{name}", "1", nx=True, ex=30)

def release_job_lock(name):
    r.delete(f"lock:{name}")  # finding: unsafe-release
--- jobs/run.py
from jobs.guard import acquire_job_lock, release_job_lock

def run(job):
    if not acquire_job_lock("nightly"):
        return
    try:
        job.run()
    finally:
        release_job_lock("nightly")

=== bad: a command that starts a worker is no operator
--- jobs/cli.py
import click

from jobs.worker import Worker

@click.command()
def worker():
    Worker().stop()
--- jobs/worker.py
import redis

r = redis.Redis()

class Worker:
    def acquire_lock(self):
        return r.set("lock:nightly", "1", nx=True, ex=30)

    def stop(self):
        self.release_lock()

    def release_lock(self):
        r.delete("lock:nightly")  # finding: unsafe-release

=== bad: set, work, delete
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if r.set("job:running", "1", nx=True, ex=30):
        try:
            job.run()
        finally:
            r.delete("job:running")  # finding: unsafe-release

=== bad: the owner is compared, but not in the same step
--- worker.py
import uuid

import redis

r = redis.Redis(decode_responses=True)

def work(job):
    token = uuid.uuid4().hex
    if not r.set("job:running", token, nx=True, ex=30):
        return
    try:
        job.run()
    finally:
        if r.get("job:running") == token:
            r.delete("job:running")  # finding: unsafe-release

=== bad: a lock class of a library, which nobody here uses
--- toolkit/locks.py
from django.core.cache import caches

class Busy(Exception):
    pass

class CacheLock:
    def __init__(self, key, alias="default", expire=30):
        self.key = key
        self.expire = expire
        self.cache = caches[alias]

    def __enter__(self):
        if not self.cache.add(self.key, True, self.expire):
            raise Busy(self.key)

    def __exit__(self, *error):
        self.cache.delete(self.key)  # finding: unsafe-release
--- tests/test_locks.py
from toolkit.locks import CacheLock

def test_is_taken_once():
    with CacheLock("x"):
        pass

=== bad: a lock in Django's cache
--- tasks.py
from django.core.cache import cache

def sync_feed(feed):
    if not cache.add("sync-feed-lock", "1", 600):
        return
    try:
        feed.pull()
    finally:
        cache.delete("sync-feed-lock")  # finding: unsafe-release

=== good: a script compares and deletes
--- worker.py
import uuid

import redis

r = redis.Redis()
RELEASE = """
if redis.call("get", KEYS[1]) == ARGV[1] then
    return redis.call("del", KEYS[1])
end
return 0
"""

def work(job):
    token = uuid.uuid4().hex
    if not r.set("job:running", token, nx=True, ex=30):
        return
    try:
        job.run()
    finally:
        r.eval(RELEASE, 1, "job:running", token)

=== good: compared between WATCH and MULTI
--- worker.py
import uuid

import redis

r = redis.Redis(decode_responses=True)

def work(job):
    token = uuid.uuid4().hex
    if not r.set("job:running", token, nx=True, ex=30):
        return
    try:
        job.run()
    finally:
        with r.pipeline() as pipe:
            pipe.watch("job:running")
            if pipe.get("job:running") == token:
                pipe.multi()
                pipe.delete("job:running")
                pipe.execute()

=== good: helpers for two purposes with the key as their parameter, one of which compares
--- shop/keys.py
import time
import uuid

import redis

r = redis.Redis()
GIVE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

def take_lock(key, ttl):
    mine = str(uuid.uuid4())
    while True:
        if r.set(key, mine, nx=True, px=ttl):
            return mine
        time.sleep(0.1)

def give_lock(key, mine):
    r.eval(GIVE, 1, key, mine)

def forget(key):
    r.delete(key)
--- shop/orders.py
from shop.keys import give_lock, take_lock

def number(shop):
    mine = take_lock(f"lock:order:{shop.id}", 5000)
    try:
        shop.next()
    finally:
        give_lock(f"lock:order:{shop.id}", mine)

=== good: the library releases by token
--- worker.py
import redis

r = redis.Redis()

def work(job):
    lock = r.lock("job:running", timeout=30)
    if not lock.acquire(blocking=False):
        return
    try:
        job.run()
    finally:
        if lock.owned():
            lock.release()

=== good: a mark that is taken back was never a lock
--- mails.py
import redis

r = redis.Redis()

def greet(user):
    if r.set(f"greeted:{user.id}", "1", nx=True, ex=86400):
        user.greet()

def forget(user):
    r.delete(f"greeted:{user.id}")

=== good: an operator's command frees a stuck lock
--- shop/guard.py
import redis

r = redis.Redis()

def work(job):
    if r.set("lock:nightly", "1", nx=True, ex=30):
        job.run()
--- shop/management/commands/free_lock.py
from django.core.management.base import BaseCommand

from shop.guard import r

class Command(BaseCommand):
    def handle(self, *args, **options):
        r.delete("lock:nightly")

=== good: a test cleans up
--- tests/test_guard.py
import redis

r = redis.Redis()

def test_lock():
    assert r.set("lock:job", "1", nx=True, ex=30)
    r.delete("lock:job")

=== good: deleted only while the clock says that the lease still runs
--- app/locks.py
import time
from contextlib import contextmanager

from django.core.cache import cache

LEASE = 600

@contextmanager
def single(name, owner):
    ends = time.monotonic() + LEASE - 5
    taken = cache.add(name, owner, LEASE)
    try:
        yield taken
    finally:
        if taken and time.monotonic() < ends:
            cache.delete(name)
--- app/tasks.py
from app.locks import single

def sync(run):
    with single("lock:sync", "worker") as taken:
        if taken:
            run()

=== good: a state is set, and the function that sets it could also add it
--- app/states.py
from django.core.cache import cache

def mark(name, state, once=False):
    if once:
        return cache.add(f"state:{name}", state, 600)
    cache.set(f"state:{name}", state, 600)

def clear(name):
    cache.delete(f"state:{name}")
--- app/tasks.py
from app.states import clear, mark

def work(name, run):
    mark(name, "running")
    try:
        run()
    finally:
        clear(name)

=== good: a counter of failures that is cleared
--- app/throttling.py
from django.core.cache import cache

def failed(key):
    if not cache.add(key, 1, timeout=7200):
        return cache.incr(key, 1)
    return 1

def forget(key):
    cache.delete(key)
--- app/login.py
from app.throttling import failed, forget

def login(ip, check):
    key = f"lock:login:{ip}"
    if check():
        forget(key)
        return True
    return failed(key) < 10

=== good: a mark that says "used already", taken back when the check itself fails
--- app/replay.py
import redis

r = redis.Redis()

class Replayed(Exception):
    pass

def mark(token):
    if not r.set(f"replay:{token}", "1", nx=True, ex=120):
        raise Replayed(token)

def forget(token):
    r.delete(f"replay:{token}")
--- app/signup.py
from app.replay import mark, forget

def verify(token, ask):
    mark(token)
    try:
        return ask(token)
    except OSError:
        forget(token)
        raise

=== bad: a thread renews the key; when that fails, the delete frees another one's
--- work/report.py
import threading

import redis

r = redis.Redis()

def run(job):
    if not r.set("lock:report", "1", nx=True, ex=60):
        return
    done = threading.Event()
    beat = threading.Thread(target=keep, args=(done,), daemon=True)
    beat.start()
    try:
        job.run()
    finally:
        done.set()
        r.delete("lock:report")  # finding: unsafe-release

def keep(done):
    while not done.wait(20):
        r.expire("lock:report", 60)
'''
