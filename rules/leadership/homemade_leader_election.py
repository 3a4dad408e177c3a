"""A leader is chosen by a home-made protocol: a Redis key, or numbered nodes that the program compares itself.

Why: an election has to survive what kills it: the winner that pauses longer than its key lives, the key that is lost in a
fail-over because Redis replicates asynchronously, the renewal that overwrites somebody else's key, the loser that never
learns that the leader has gone. Each home-made protocol meets these cases one incident at a time, and two leaders at once
is how it shows.

Instead: use an election that others have tested: kazoo's `Election`, etcd's campaign or a lease with a transaction on the
create revision, a Consul session, a Kubernetes Lease, Patroni-like frameworks. And let the leader's writes carry its
epoch (the node's number, the key's create revision), because every election can have a deposed leader that does not know it yet.

Fine when: the library does the electing; the key is a lock for one piece of work and not for a role.

Known misses: leaders chosen by the lowest id, the host name's ordinal or a row's timestamp.

Sources: Redis documentation, Distributed Locks (asynchronous replication breaks mutual exclusion); Apache Curator, Tech Note 6;
AWS Builders' Library, Leader election in distributed systems.
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    ERROR,
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
    call_name,
    fixed,
    found,
    lease_changes,
    lock_name,
    rule,
    words,
)

_LEADERSHIP = frozenset({"leader", "leadership", "master", "primary", "election", "elect", "elected", "coordinator"})
_ELECTS = frozenset({"leader", "leadership", "election", "elect", "elected", "elector"})  # in the name of a module, class or function
_ROLES = frozenset({"scheduler", "beat", "cron", "singleton"})
_RENEWS = (Op.EXPIRE, Op.EXTEND)
_FLEETING = ("redis", "memcached", "django-cache")


@rule("CL401", severity=WARNING)
def homemade_leader_election(system: System) -> Iterator[Found]:
    seen: set[str] = set()
    for section in system.critical_sections(distributed=True, backend=_FLEETING):
        role = _role(section.lock.key, section.symbol)
        if not _is_leadership(system, section) or role in seen:
            continue
        seen.add(role)
        renewed = [(place, "the leadership is renewed by hand here") for place in section.extended]
        renewed = renewed or [(o.place, _how_renewed(o)) for o in _renewals(system, section)]
        effects = [(effect.place, "and the leader works here") for effect in section.effects]
        yield found(
            f"A leader is chosen by {lock_name(section.lock)}: nothing tells a deposed leader to stop.",
            at=section,
            because=[*renewed[:1], *([(section.lock.made, "this key decides who leads")] if section.lock.made != section.acquired or not (renewed or effects) else []), *effects[:2]],
            confidence=HIGH if section.lock.by_hand else MEDIUM,
        )
    for taken in system.operations(Op.ACQUIRE, backend=_FLEETING):
        kept = _kept(system, taken)
        role = _role(taken.key, taken.symbol)
        if kept is not None and role not in seen:
            seen.add(role)
            yield found(
                f"A leader is chosen by {call_name(taken)} of one key: nothing tells a deposed leader to stop.",
                at=taken,
                because=[(kept.place, _how_renewed(kept)), *taken.origin],
                confidence=MEDIUM,
            )
    yield from _by_a_lease(system)
    yield from _misjudged(system)
    yield from _chosen_by_a_watcher(system)
    for candidate in system.operations(Op.CREATE, backend="zookeeper"):
        ballot = _ballot(system, candidate)
        if ballot is not None:
            yield found(
                f"A {backend_name(candidate.backend)} election is built by hand from numbered nodes under `{candidate.key}`.",
                at=candidate,
                because=[(ballot, "the candidates are compared here"), *candidate.origin],
                help="Use kazoo's Election, which watches only the node before its own and gives the node's number as epoch.",
            )


def _by_a_lease(system: System) -> Iterator[Found]:
    """Leases of Kubernetes that are read, judged by their times and taken by hand."""
    told: set[Place] = set()
    for change in lease_changes(system):
        if change.how != "take" or change.look.place in told:
            continue
        told.add(change.look.place)
        blind = "the Lease is taken here, without the version that was read" if change.is_blind else "and the Lease is taken here"
        yield found(
            "A leader is chosen by a protocol of its own over a Lease: whether it has run out is judged here, by the clock of whoever wrote it.",
            at=change.look,
            because=[(change.write.place, blind)],
            confidence=MEDIUM,
            help="Use the election that the client brings (kubernetes.leaderelection with a LeaseLock): it times what it has seen by its own clock, and sends the version along.",
        )


def _misjudged(system: System) -> Iterator[Found]:
    """Leases whose time is never understood: it is no text."""
    for wrong in system.misread():
        answers = f"and the handler answers {wrong.answer}, whatever the Lease says" if wrong.answer else "and nobody is ever chosen by it"
        handled = [(wrong.handler, "the TypeError ends here")] if wrong.handler is not None else []
        yield found(
            f"The time of the Lease is treated as text, but the client gives a datetime: this raises TypeError each time, {answers}.",
            at=wrong.place,
            symbol=wrong.symbol,
            because=[(wrong.look, "the Lease is read here"), *handled],
            severity=ERROR if wrong.answer else WARNING,
            help="Compare it as it is: datetime.now(timezone.utc) - lease.spec.renew_time. Better, leave the election to the client's own.",
        )


def _chosen_by_a_watcher(system: System) -> Iterator[Found]:
    """A watcher of the leader's entry that writes down who is to be the next: one program decides for all, and its word outlives who was chosen."""
    for watch in system.operations(Op.WATCH, backend=COORDINATORS):
        if not watch.key or not watch.key_words & _LEADERSHIP or watch.in_test:
            continue
        for symbol in _called_by(system, watch):
            chosen = next((o for o in system.operations_in(system.runs(symbol)) if o.stores and not o.ephemeral and _is_below(o, watch)), None)
            if chosen is not None:
                yield found(
                    f"The watcher of `{watch.key}` chooses the next leader by itself: who was deposed is not told to stop, and who is chosen may be gone already.",
                    at=watch,
                    because=[(chosen.place, f"it writes down its choice here, {'as a persistent node' if watch.backend == 'zookeeper' else 'without a lease'}"), *watch.origin],
                    confidence=MEDIUM,
                )
                break


def _called_by(system: System, watch: Operation) -> list[str]:
    """What a watch calls: what it is handed, or the function that it decorates."""
    below = [f.symbol for f in system.functions() if f.place.path == watch.place.path and 0 < f.place.line - watch.place.line <= 3 and f.decorators]
    return [*system.handed_at(watch.place), *below[:1]]


def _is_below(write: Operation, watch: Operation) -> bool:
    """Whether what is written stands at the watched key, or below it."""
    return write.backend == watch.backend and f"{write.key or ''}/".startswith(f"{(watch.key or '').rstrip('/')}/")


def _how_renewed(renewal: Operation) -> str:
    if renewal.atomic or renewal.conditional:
        return "the leadership is renewed by hand here"
    return "this renews the key whoever holds it, and never learns that it was lost"


def _role(key: str | None, symbol: str) -> str:
    """What is told once: a key, or the class or module of one that others name."""
    return symbol.rpartition(".")[0] if key is None or _is_named_by_others(key) else key


def _is_leadership(system: System, section: Section) -> bool:
    """A key that speaks of a role that is held, not of one piece of work: a leader, or a scheduler that renews its key."""
    said = words(section.lock.key_text or section.lock.key or "")
    if section.lock.model.kind == "election":
        return False
    if said & _LEADERSHIP:
        return True
    if _is_named_by_others(section.lock.key_text or section.lock.key):
        return elects(section.symbol) and bool(section.extended or _renewals(system, section))
    if not said & _ROLES:
        return False
    if any(release.on_error for release in section.releases) and not section.escapes:  # given back when the work is done
        return any(r.place in section.extended and r.loop in ("while", "forever") for r in system.operations(*_RENEWS, backend=section.lock.backend))
    return bool(section.extended) or bool(_renewals(system, section))


def _is_named_by_others(key: str | None) -> bool:
    """A key that comes from outside whole: only what is around it says what it is for."""
    return words(fixed(key or "")) <= {"lock", "locks", "lease", "key"}


def elects(symbol: str) -> bool:
    """Whether the last module, the class or the function of "app.core.leader.LeaderLease._acquire" is named after an election."""
    return bool(words(".".join(symbol.split(".")[-3:])) & _ELECTS)


def _kept(system: System, taken: Operation) -> Operation | None:
    """The renewal of a key that is taken for a role, where no section shows what is done meanwhile: the answer goes into a flag."""
    if taken.ttl is None or not (elects(taken.symbol) if _is_named_by_others(taken.key_text) else words(taken.key_text) & _LEADERSHIP):
        return None
    return next(iter(_renewals_of(system, taken.backend, taken.key, taken.key_text, taken.symbol)), None)


def _renewals(system: System, section: Section) -> list[Operation]:
    """Where the same key is prolonged, elsewhere."""
    return _renewals_of(system, section.lock.backend, section.lock.key, section.lock.key_text, section.symbol)


def _renewals_of(system: System, backend: str, key: str | None, key_text: str, symbol: str) -> list[Operation]:
    """Where a key is prolonged: one that others name, by the same class or module."""
    return [
        o
        for o in system.operations(*_RENEWS, backend=backend)
        if (o.key and o.key == key and not _is_named_by_others(o.key_text)) or _is_kept(o, symbol, key_text)
    ]


def _is_kept(renewal: Operation, symbol: str, key_text: str) -> bool:
    """Whether a key that others name is prolonged by the class or module that takes it."""
    same = renewal.key_text == key_text or (renewal.op is Op.EXTEND and not renewal.key_text)
    return same and _is_named_by_others(key_text) and renewal.symbol.rpartition(".")[0] == symbol.rpartition(".")[0]


def _ballot(system: System, candidate: Operation) -> Place | None:
    """Where the numbered, ephemeral candidates are listed."""
    numbered = candidate.argument("sequence")
    if not candidate.ephemeral or numbered is None or numbered.value is not True or not candidate.key_words & _LEADERSHIP:
        return None
    parent = (candidate.key or "").rpartition("/")[0]
    return next((o.place for o in system.operations(Op.LIST, backend="zookeeper") if parent and (o.key or "").rstrip("/") == parent), None)


EXAMPLES = '''
=== bad: SET NX on a leader key, through a client of another module
--- app/store.py
import redis

r = redis.Redis(host="redis")
--- app/leader.py
import time

from app.store import r


def lead(me, tick):
    while True:
        if r.set("scheduler:leader", me, nx=True, ex=30):  # finding: homemade-leader-election
            tick()
        time.sleep(10)

=== bad: a scheduler's key, renewed by a timer
--- app/scheduler.py
import redis

r = redis.Redis(host="redis")
KEY = "app:scheduler-lock"


def acquire(me):
    return bool(r.set(KEY, me, nx=True, ex=60))  # finding: homemade-leader-election


def heartbeat():
    r.expire(KEY, 60)

=== bad: candidates compared by hand
--- app/vote.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def elect():
    mine = zk.create("/election/candidate-", b"", ephemeral=True, sequence=True)  # finding: homemade-leader-election
    return sorted(zk.get_children("/election"))[0] == mine.rpartition("/")[2]

=== bad: a watcher picks the next master by the lowest number
--- pool/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- pool/watch.py
from pool.zk import zk

standby = []


@zk.DataWatch("/pool/master")  # finding: homemade-leader-election
def replace(data, stat):
    if data == b"gone":
        chosen = min(standby)
        standby.remove(chosen)
        zk.create("/pool/master/" + str(chosen), b"running")

=== good: a watcher that follows the leader
--- pool/watch.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


@zk.DataWatch("/pool/master")
def follow(data, stat):
    print("the master is", data)
    zk.set("/pool/followers/me", data)

=== bad: a scheduler that keeps its lock while it ticks
--- app/scheduler.py
import time

import redis

r = redis.Redis(host="redis")


def run(tick):
    lock = r.lock("app:scheduler", timeout=60)
    lock.acquire()  # finding: homemade-leader-election
    try:
        while True:
            tick()
            lock.extend(60)
            time.sleep(10)
    finally:
        lock.release()

=== good: one round of a periodic task, which renews its lock on the way
--- app/tasks.py
import redis
from celery import shared_task

r = redis.Redis()


@shared_task
def check(tenants, visit):
    lock = r.lock("app:check:beat", timeout=120)
    if not lock.acquire(blocking=False):
        return
    try:
        for tenant in tenants:
            lock.reacquire()
            visit(tenant)
    finally:
        lock.release()

=== bad: a class of its own elects, and its key comes from whoever makes it
--- app/store.py
import redis.asyncio as redis

client = redis.Redis(host="redis")
--- app/leadership.py
import asyncio

from app.store import client


class Reign:
    def __init__(self, name, me, seconds=15):
        self.name, self.me, self.seconds = name, me, seconds
        self.holds = False

    async def take(self):
        return bool(await client.set(self.name, self.me, nx=True, ex=self.seconds))  # finding: homemade-leader-election

    async def keep(self):
        async with client.pipeline() as step:
            await step.watch(self.name)
            if await step.get(self.name) != self.me:
                return False
            step.multi()
            step.expire(self.name, self.seconds)
            await step.execute()
            return True

    async def rounds(self):
        while True:
            self.holds = await self.keep() if self.holds else await self.take()
            await asyncio.sleep(5)

=== bad: taken in one turn of a loop, prolonged in the next
--- app/worker.py
import time

import redis

r = redis.Redis(host="redis")


class Elector:
    def __init__(self, key, me):
        self.key, self.me = key, me

    def run(self):
        while True:
            if r.set(self.key, self.me, nx=True, px=5000):  # finding: homemade-leader-election
                self.leads = True
            elif r.get(self.key) == self.me:
                r.pexpire(self.key, 5000)
            else:
                self.leads = False
            time.sleep(1)

=== bad: a lock of the library, which a thread prolongs for as long as the process lives
--- app/election.py
import threading
import time

import redis

r = redis.Redis(host="redis")


class Post:
    def __init__(self, name):
        self.lock = r.lock(name, timeout=15)

    def start(self):
        if self.lock.acquire(blocking=False):  # finding: homemade-leader-election
            threading.Thread(target=self.keep, daemon=True).start()

    def keep(self):
        while True:
            time.sleep(5)
            self.lock.reacquire()

=== good: a lock of any name that renews itself, for whoever has work
--- app/locking.py
import redis

r = redis.Redis(host="redis")


class Lease:
    def __init__(self, name, me):
        self.name, self.me = name, me

    def take(self):
        return bool(r.set(self.name, self.me, nx=True, ex=30))

    def keep(self):
        if r.get(self.name) == self.me:
            r.expire(self.name, 30)

=== good: kazoo's election
--- app/vote.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def lead(work):
    zk.Election("/election", "me").run(work)

=== good: a lock for one piece of work
--- app/report.py
import redis

r = redis.Redis()


def report(write):
    if r.set("report:running", "1", nx=True, ex=60):
        write()

=== good: put-if-absent under an etcd lease
--- app/lead.py
import etcd3

etcd = etcd3.client()


def campaign(me):
    return etcd.put_if_not_exists("/leader", me, lease=etcd.lease(10))
'''
