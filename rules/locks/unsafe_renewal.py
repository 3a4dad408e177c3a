r"""A lease or lock key is extended without checking that it is still ours.

Why: EXPIRE does not ask who holds the key. A holder whose lease ran out and whose key another process took keeps on prolonging the lock of that other
process: it believes to be the holder, the other does too, and neither lock ever ends. SET with a lifetime but without XX or a comparison even writes
its own name over the other's.

Instead: extend with the token compared in the same step: redis-py's `lock.extend()` and `lock.reacquire()`, a script that compares and calls PEXPIRE,
etcd's and Consul's keepalive. When it fails, stop the work.

Fine when: the comparison and the EXPIRE are one script or stand between WATCH and MULTI; the EXPIRE belongs to the acquire itself (then it is
not atomic, which is another finding); it is a leader's, and effects follow (that has a finding of its own, leader-without-fencing); the keepalive's failure ends the work.

A thread that extends a lock and ends with the first failure, with a line in the log and without a word to the one who works, is reported as well;
and one that keeps locks or a sign of life in Redis, and that the first error ends because nothing handles it.

So is a sign of life in a loop that only logs its failures, where others give the work away once it is missing.

So is an extension between pieces of work that fails into the same broad `except` as the work: the loop logs a failed piece, and goes on without the lock.

Known misses: a thread that sets a flag which nobody reads.

Sources: Redis documentation, Distributed Locks (extending the lock); redis-py documentation, Lock.extend.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Guard,
    Op,
    Outcome,
    Place,
    Section,
    System,
    blind_renewals,
    call_name,
    deaf_renewals,
    ended_by_error,
    ends_quietly,
    found,
    lease_changes,
    led_on,
    lock_name,
    rule,
    told,
    unchecked_renewals,
    unnoticed,
    words,
)


@rule("CL123", severity=WARNING)
def unsafe_renewal(system: System) -> Iterator[Found]:
    for renewal in unchecked_renewals(system):
        operation, section = renewal.operation, renewal.section
        if led_on(system, renewal) is not None:
            continue  # what a leader does behind it is told as a leader without fencing
        if section is not None:
            yield found(
                f"{call_name(operation)} prolongs {lock_name(section.lock)} whoever holds it: after its lease{_of(section)} it may be another's",
                at=operation,
                because=[(renewal.taken, "the lock is taken here")],
                confidence=HIGH if operation.op is Op.EXPIRE else MEDIUM,
            )
        elif renewal.made is not None:
            yield found(
                f"{call_name(operation)} prolongs the key of {call_name(renewal.made)} whoever holds it: once the lease has run out, that is another's lock",
                at=operation,
                because=[(renewal.taken, "the lock is made here; it knows its token")],
                help="Use the lock's own extend() or reacquire(), which compare the token, and stop the work when they fail.",
            )
    yield from ends_without_a_word(system)
    yield from ends_by_error(system)
    yield from passed_over(system)
    yield from beaten_on(system)
    yield from of_rows(system)
    yield from of_leases(system)
    for silent in unnoticed(system):
        told_of = silent.sign.ttl.told if silent.sign.ttl is not None else "its time"
        yield found(
            f"A sign of life that fails is only noted: once `{silent.sign.key_text or silent.sign.key}` has been missing for {told_of}, the work is given to another, while this process goes on with it",
            at=silent.sign,
            because=[
                (silent.guard.place, "whatever fails is logged here, and the loop goes on"),
                (silent.look.place, "the sign of life is looked for here"),
                (silent.given.place, "and the work is given away"),
            ],
            confidence=MEDIUM,
            help="Note when the last sign of life was written, and stop the work when that is as long ago as it lives.",
        )


def of_leases(system: System) -> Iterator[Found]:
    """Leases of Kubernetes that were one's own when they were read, and are prolonged whoever has taken them since."""
    for change in lease_changes(system):
        if change.how == "renew" and change.is_blind:
            yield found(
                f"{call_name(change.write)} prolongs the Lease without the version that was read: when another has taken it since, it prolongs that one's, and both believe to hold it",
                at=change.write,
                because=[(change.look.place, "whose it is was read here")],
                confidence=MEDIUM,
                help="Send metadata.resourceVersion of what was read along: the API server then answers 409 when the Lease has changed, and that means to stop.",
            )


def passed_over(system: System) -> Iterator[Found]:
    """Extensions between pieces of work whose failure is logged like that of any piece: the next one is done without the lock."""
    extensions = {o.place: o for o in system.operations(Op.EXTEND)}
    for section in system.critical_sections(distributed=True):
        for at in section.extended:
            extension = extensions.get(at)
            if extension is None or extension.outcome is not Outcome.DEAD or not extension.loop or section.checked or section.symbol != extension.symbol:
                continue
            handler = next((g for g in extension.guards if _sees_loss(g)), None)
            done = [*(e.chain[0] if e.chain else e.place for e in section.effects), *section.unresolved]
            if handler is None or not handler.next_lap or not any(d.line != at.line for d in done):
                continue
            yield found(
                f"{call_name(extension)} fails when {lock_name(section.lock)} is gone, and the failure is only logged: the loop goes on with the next piece of "
                "work without the lock",
                at=extension,
                because=[(handler.place, "whatever fails is logged here, and the loop goes on"), (section.acquired, "the lock is taken here")],
                confidence=MEDIUM,
                help="Extend outside of the `try` that is for the work, or catch the error of the lock first, and leave the loop.",
            )


def beaten_on(system: System) -> Iterator[Found]:
    """Extensions in a thread or task beside the work, whose failure is only logged: nobody tells the work that its lock is gone."""
    sections = list(system.critical_sections(distributed=True))
    for extension in system.operations(Op.EXTEND):
        handler = next((g for g in extension.guards if _sees_loss(g)), None)
        if extension.outcome is not Outcome.DEAD or extension.loop not in ("while", "forever") or handler is None or not (handler.next_lap and handler.only_notes):
            continue
        for start in system.started_at(extension.symbol):
            section = next((s for s in sections if s.lock.library == extension.library and s.acquired < start and s.effects and not s.checked and _is_in(system, s.symbol, start)), None)
            if section is not None:
                yield found(
                    f"{call_name(extension)} fails when {lock_name(section.lock)} is gone, and the failure is only logged: the work that it is extended for goes on without the lock",
                    at=extension,
                    because=[(handler.place, "whatever fails is logged here, and the loop goes on"), (start, "it runs beside the work from here on"), (section.acquired, "the lock is taken here")],
                    confidence=MEDIUM,
                    help="Set an event when the extension fails, and let the work look at it before each effect (or cancel the work).",
                )
                break


def _is_in(system: System, symbol: str, place: Place) -> bool:
    function = system.function(symbol)
    return function is not None and function.place.path == place.path and function.place.line <= place.line <= function.end_line


def _sees_loss(guard: Guard) -> bool:
    """Whether a handler catches what an extension raises: everything, or an error that names the lock."""
    names = {name.rpartition(".")[2] for name in guard.catches}
    return bool(names & {"*", "Exception", "BaseException"}) or any(words(name) & {"lock", "acquired", "owned", "redlock", "lease"} for name in names)


def of_rows(system: System) -> Iterator[Found]:
    """Leases in rows: prolonged whoever has the row, or prolonged in vain without anybody who stops the work."""
    for renewal, taken in blind_renewals(system):
        yield found(
            f"the lease on a row of {renewal.key} is prolonged by its id alone: once it has run out, that is another's",
            at=renewal,
            because=[(taken.place, "a row is taken here")],
            confidence=MEDIUM,
            help="Let WHERE name who has it (`claimed_by = :me`), and stop the work when the count is 0.",
        )
    for renewal, taken in deaf_renewals(system):
        noted = next(g.place for g in renewal.guards if g.only_notes)
        yield found(
            f"a renewal of the lease on a row of {renewal.key} that fails is only noted, for ever: with the database away for longer than the lease the work "
            "goes on beside the next owner's",
            at=renewal,
            because=[(noted, "whatever fails is logged here, and the loop goes on"), (taken.place, "the row is taken here, for a time")],
            confidence=MEDIUM,
            help="Note when the last renewal went well, and stop the work when that is as long ago as the lease.",
        )


def ends_without_a_word(system: System) -> Iterator[Found]:
    """A thread that extends a lock, and that the first failure ends while the work under the lock goes on."""
    for extension in system.operations(Op.EXTEND):
        end = ends_quietly(system, extension)
        if end is not None:
            yield found(
                f"The loop that extends the lock by {call_name(extension)} ends here with the first failure, and only the log is told: the lock ends while "
                "the work under it goes on",
                at=end.place,
                symbol=extension.symbol,
                because=[(end.call, "the renewal that fails"), (end.started, "the loop is started here, and nobody asks how it ends")],
                confidence=MEDIUM,
                help="Set a flag that the work looks at before each effect, or end the process; and try again while the lease still runs.",
            )


def ends_by_error(system: System) -> Iterator[Found]:
    """A thread that keeps locks or a sign of life, and that the first error of the store ends while the work goes on."""
    for renewal, (started, *way) in ended_by_error(system):
        yield found(
            f"The first error of the store ends the loop in the background that keeps up what {call_name(renewal)} writes: nothing handles it, nobody is told, and the lease ends "
            "while the work goes on",
            at=renewal,
            because=[(started, "the loop is started here, and nobody asks how it ends"), *((at, "and renews from here") for at in way[-3:])],
            confidence=MEDIUM,
            help="Handle the error inside the loop: try again while the lease still runs, and when it is over tell the work to stop, or end the process.",
        )


def _of(section: Section) -> str:
    """How long the lease is, where the code says it."""
    return f" of {told(section.lock.lifetime)}" if section.lock.lifetime.seconds is not None else ""


EXAMPLES = r'''
=== bad: a thread is given the key, and prolongs it whoever holds it
--- batch/keep.py
import time

import redis

r = redis.Redis(host="redis")

def keep(key, stop):
    while not stop.is_set():
        r.expire(key, 30)  # finding: unsafe-renewal
        time.sleep(10)
--- batch/run.py
import threading

from batch.keep import keep, r

def run(day, me):
    key = f"lock:batch:{day}"
    if not r.set(key, me, nx=True, ex=30):
        return
    stop = threading.Event()
    threading.Thread(target=keep, args=(key, stop)).start()
    try:
        open(f"/srv/{day}", "w").write(me)
    finally:
        stop.set()

=== good: a helper that gives keys of other kinds their lifetime too, and one that does it once behind the acquire
--- batch/run.py
import redis

r = redis.Redis(host="redis")

def lives(key, seconds):
    while True:
        r.expire(key, seconds)
        return

def limited(key):
    r.expire(key, 30)

def run(day, me):
    if not r.set(f"lock:batch:{day}", me, nx=True, ex=60):
        return
    limited(f"lock:batch:{day}")
    open(f"/srv/{day}", "w").write(me)

def visit(page):
    lives(f"visits:{page}", 60)

def start(day, me):
    if r.set(f"lock:start:{day}", me, nx=True, ex=60):
        lives(f"lock:start:{day}", 60)

=== bad: the thread that extends gives up in silence
--- batch/keeper.py
import logging
import threading

from redis.exceptions import LockError

log = logging.getLogger(__name__)

class Keeper:
    def __init__(self, lock, every):
        self.lock, self.every, self.done = lock, every, threading.Event()

    def __enter__(self):
        threading.Thread(target=self.keep).start()

    def __exit__(self, *error):
        self.done.set()

    def keep(self):
        while not self.done.wait(self.every):
            try:
                self.lock.extend(30, replace_ttl=True)
            except LockError:
                log.warning("the lock is lost")
                return  # finding: unsafe-renewal
--- batch/run.py
import redis

from batch.keeper import Keeper

r = redis.Redis()

def run(job):
    with r.lock("batch", timeout=30) as lock, Keeper(lock, 10):
        job()

=== good: the thread says that the lock is lost
--- batch/keeper.py
import logging
import threading

import redis
from redis.exceptions import LockError

log = logging.getLogger(__name__)
lock = redis.Redis().lock("batch", timeout=30)
done, lost = threading.Event(), threading.Event()

def keep():
    while not done.wait(10):
        try:
            lock.extend(30, replace_ttl=True)
        except LockError:
            log.warning("the lock is lost")
            lost.set()
            return

def run(pieces):
    with lock:
        threading.Thread(target=keep).start()
        for piece in pieces:
            if lost.is_set():
                break
            piece()

=== bad: a heartbeat that prolongs whoever's lock it is
--- leader/guard.py
import redis

r = redis.Redis()
KEY = "scheduler:lock"

def acquire(name):
    return r.set(KEY, name, nx=True, ex=30)
--- leader/beat.py
from leader.guard import KEY, acquire, r

def run(name, work):
    if not acquire(name):
        return
    while True:
        work()
        r.expire(KEY, 30)  # finding: unsafe-renewal

=== bad: beside redis-py's lock, through a key that both take from the settings
--- leader/store.py
import redis

client = redis.Redis(host="redis")
--- leader/beat.py
from leader.store import client

class Beat:
    def __init__(self, settings):
        self.lock_key = settings.lock_key
        self.lease = settings.lease

    def start(self):
        self.lock = client.lock(self.lock_key, timeout=self.lease)
        self.lock.acquire(blocking_timeout=5)

    def tick(self, work):
        client.pexpire(self.lock_key, self.lease * 1000)  # finding: unsafe-renewal
        work()

=== bad: a pipeline that watches nothing compares nothing
--- leader.py
import redis

r = redis.Redis()

class Leader:
    def seize_lock(self, me):
        return r.set("lock:leader", me, nx=True, ex=60)

    def beat(self):
        with r.pipeline() as pipe:
            pipe.hset("beat", "at", 1)
            pipe.expire("lock:leader", 60)  # finding: unsafe-renewal
            pipe.execute()

=== good: a pipeline that watches the lock
--- leader.py
import redis

r = redis.Redis()

class Leader:
    def seize_lock(self, me):
        return r.set("lock:leader", me, nx=True, ex=60)

    def beat(self, me):
        with r.pipeline() as pipe:
            pipe.watch("lock:leader")
            if pipe.get("lock:leader") == me:
                pipe.multi()
                pipe.expire("lock:leader", 60)
                pipe.execute()

=== good: the lock extends itself; another key of the same object gets its lifetime
--- leader/beat.py
import redis

client = redis.Redis(host="redis")

class Beat:
    def __init__(self, settings):
        self.lock_key = settings.lock_key
        self.heartbeat_key = settings.heartbeat_key
        self.lease = settings.lease

    def start(self):
        self.lock = client.lock(self.lock_key, timeout=self.lease)
        self.lock.acquire(blocking_timeout=5)

    def tick(self, work):
        self.lock.extend(self.lease)
        client.set(self.heartbeat_key, "up")
        client.expire(self.heartbeat_key, 60)
        work()

=== bad: written again, over whoever holds it
--- worker.py
import redis

r = redis.Redis()

def work(name, jobs):
    if not r.set("lock:jobs", name, nx=True, ex=30):
        return
    for job in jobs:
        job.run()
        r.set("lock:jobs", name, ex=30)  # finding: unsafe-renewal
    r.delete("lock:jobs")

=== good: a script compares and prolongs
--- worker.py
import redis

r = redis.Redis()
EXTEND = """
if redis.call("get", KEYS[1]) == ARGV[1] then
    return redis.call("pexpire", KEYS[1], ARGV[2])
end
return 0
"""

def work(name, jobs):
    if not r.set("lock:jobs", name, nx=True, ex=30):
        return
    for job in jobs:
        job.run()
        if not r.eval(EXTEND, 1, "lock:jobs", name, 30000):
            raise RuntimeError("lost the lock")

=== good: redis-py compares the token
--- worker.py
import redis

r = redis.Redis()

def work(jobs):
    with r.lock("jobs", timeout=30) as lock:
        for job in jobs:
            job.run()
            lock.extend(30, replace_ttl=True)

=== good: its owner puts a short mark in its place
--- arcade/seats.py
import json

import redis

r = redis.Redis()
HELD, LEAVING = 21600, 20

def claim(seat, player):
    return r.set(f"seat:lock:{seat}", json.dumps({"player": player}), nx=True, ex=HELD)

def leave(seat):
    r.set(f"seat:lock:{seat}", json.dumps({"leaving": True}), ex=LEAVING)

=== good: the expiry of another key
--- worker.py
import redis

r = redis.Redis()

def work(name, jobs):
    if not r.set("lock:jobs", name, nx=True, ex=30):
        return
    for job in jobs:
        job.run()
        r.expire("stats:jobs", 30)

=== good: the lifetime that belongs to the acquire is another finding
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if not r.setnx("lock:job", "1"):
        return
    r.expire("lock:job", 30)
    job.run()
    r.delete("lock:job")

=== bad: the lock's key is a digest, and its value is read, compared and written back with a new lifetime
--- print/claim.py
import hashlib
import uuid

from django.core.cache import cache


class Claim:
    def __init__(self, job):
        self.job = job
        self.mine = uuid.uuid4().hex

    def _key(self):
        return hashlib.sha256(f"print-lock-{self.job.id}".encode()).hexdigest()

    def take(self):
        return cache.set(self._key(), {"owner": self.mine}, 60, nx=True)

    def note(self, page):
        held = cache.get(self._key())
        if held and held["owner"] != self.mine:
            return
        cache.set(self._key(), {"owner": self.mine, "page": page}, 60, xx=True)  # finding: unsafe-renewal
        self.job.save_page(page)
--- print/run.py
from print.claim import Claim


def run(job):
    claim = Claim(job)
    if not claim.take():
        return
    for page in job.pages():
        job.print(page)
        claim.note(page)
'''
