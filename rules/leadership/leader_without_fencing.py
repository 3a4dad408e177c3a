"""A leader's effects carry no epoch, and nothing re-checks that it still leads before them.

Why: no election can promise that only one process acts as the leader at a time. kazoo's `Election.run` calls the function
once and does not interrupt it when the session is lost; the Kubernetes Python client goes on running `onstarted_leading` in
a thread after the renewal has failed. The old leader then writes beside the new one, after a pause, a partition or a slow
disk, and the last writer wins whoever it is.

The same happens where the renewal itself cannot fail: EXPIRE on the leader's key prolongs it whoever holds it, so that a leader that was
paused beyond its lease never hears of its successor, keeps that one's key alive, and works on.

And where a flag says that the process leads, which a thread sets and clears as it renews the lease: a loop that looks at it once and then
goes through many things acts on what was true when it began.

Instead: give each reign a number that grows (ZooKeeper: the number at the end of `election.lock.node`, etcd: the key's create
revision) and let the sink refuse smaller ones; check before each round of work that the leadership still holds, with a flag that
the session listener clears at SUSPENDED and LOST; on Kubernetes end the process in `onstopped_leading` with `os._exit`.

Fine when: the effects are conditional or harmless when late; a listener for the loss of the session stops the loop; on Kubernetes
`onstopped_leading` ends the process at once.

Known misses: a handler of one's own in `onstopped_leading` that only sets a flag, or raises in its thread, is not followed.

Sources: kazoo source, Election.run; client-go, leaderelection (does not guarantee that only one client acts as leader); etcd
documentation, etcd versus other key-value stores (notes on the usage of lock and lease).
"""

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Op,
    Operation,
    Place,
    Section,
    System,
    call_name,
    distinct,
    does_late,
    effect_name,
    fence_for,
    found,
    led_on,
    lock_name,
    reigns,
    rule,
    trail,
    unchecked_renewals,
)

ON_LOSS = "onstopped_leading"  # of the Kubernetes client's Config


@rule("CL402", severity=WARNING)
def leader_without_fencing(system: System) -> Iterator[Found]:
    configs = [o for o in system.operations(Op.MAKE_ELECTION) if o.argument(ON_LOSS) is not None and not o.in_test]
    yield from reigns_without_end(system, configs)
    yield from leads_on(system)
    yield from behind_a_flag(system)
    handled = {o.backend for o in configs}
    for section in system.critical_sections(distributed=True):
        if section.lock.backend in handled:
            continue  # told above, or something is done when the reign ends
        if section.lock.model.kind != "election" or section.checked or _listens_for_loss(system, section):
            continue
        effect = next((e for e in section.effects if _is_unfenced(e)), None)
        if effect is None:
            continue
        yield found(
            f"The leader elected by {lock_name(section.lock)} performs {effect_name(effect.operation)} without an epoch and without asking "
            f"whether it still leads; done late, it {does_late(effect.operation)}.",
            at=section,
            because=distinct([*trail(section, effect), *_reign(effect)], besides=section.acquired),
            confidence=MEDIUM if section.unresolved else HIGH,
            help=fence_for(effect, section.lock),
        )


def leads_on(system: System) -> Iterator[Found]:
    """A leader whose renewal cannot fail, and who therefore never learns that another leads."""
    told: set[Place] = set()
    for renewal in unchecked_renewals(system):
        effect = led_on(system, renewal)
        if effect is None or renewal.operation.place in told:
            continue
        told.add(renewal.operation.place)
        yield found(
            f"{call_name(renewal.operation)} prolongs the leadership whoever holds it: a deposed leader never learns that it was, and goes on to "
            f"{effect_name(effect)}; done late, it {does_late(effect)}.",
            at=renewal.operation,
            because=[(effect.place, "the leader works here"), (renewal.taken, "the leadership is taken here")],
            confidence=MEDIUM,
            help="Renew with the token compared in the same step, and stop before the next effect when that fails.",
        )


def behind_a_flag(system: System) -> Iterator[Found]:
    """A flag that another thread clears is looked at once, and then a loop goes through many things."""
    told: set[Place] = set()
    for reign in reigns(system):
        if reign.effect.place in told:
            continue
        told.add(reign.effect.place)
        yield found(
            f"Whether this process leads is looked at once (`{reign.led.told}`), and then a loop performs {effect_name(reign.effect)} again and again: "
            f"when the lease is lost meanwhile, two lead; done late, it {does_late(reign.effect)}.",
            at=reign.way[0] if reign.way else reign.effect,
            because=distinct(
                [
                    Evidence(reign.led.place, "the flag is looked at here"),
                    Evidence(reign.loop, "this loop does not look again"),
                    *([Evidence(reign.effect.place, "and does this")] if reign.way else []),
                    Evidence(reign.led.set_at, "the flag is set here"),
                    Evidence(reign.held.place, "and speaks of this lease"),
                ],
                besides=reign.way[0] if reign.way else reign.effect.place,
            ),
            symbol=reign.led.symbol,
            confidence=MEDIUM,
            help="Look at the lease again before each effect, by the time until which it runs, and let the effect carry the term, so that what comes late is refused.",
        )


def _reign(effect: Effect) -> list[Evidence]:
    """The loop that does it again and again."""
    return [Evidence(effect.each, "in this loop, which goes on when the reign is over")] if effect.each is not None else []


def reigns_without_end(system: System, configs: list[Operation]) -> Iterator[Found]:
    """Elections of the Kubernetes client that only log the end of a reign: the thread that leads goes on."""
    for config in configs:
        if not is_none(config):
            continue
        reigns = [s for s in system.critical_sections(distributed=True) if s.lock.model.kind == "election" and s.lock.backend == config.backend]
        effect = next((e for s in reigns for e in s.effects if _is_unfenced(e)), None)
        handler = config.argument(ON_LOSS)
        told = [(handler.place or config.place, f"{ON_LOSS} is None, which only logs")] if handler is not None else []
        if effect is not None:
            told.append((effect.place, f"{effect_name(effect.operation)} goes on"))
        yield found(
            "The leader goes on when it has lost its lease: onstarted_leading runs in a thread of its own that nobody stops",
            at=config,
            because=told,
            severity=WARNING if effect is None else ERROR,
            help=f"End the process: {ON_LOSS}=lambda: os._exit(1). sys.exit would end one thread only.",
        )


def is_none(config: Operation) -> bool:
    handler = config.argument(ON_LOSS)
    return handler is not None and handler.literal and handler.value is None


def _is_unfenced(effect: Effect) -> bool:
    return effect.harmful_when_late and not (effect.token or effect.conditional or effect.operation.conditional)


def _listens_for_loss(system: System, section: Section) -> bool:
    """A listener that knows LOST, on any client of the same backend: it may clear the flag that the loop looks at."""
    return any({"LOST", "CONNECTED"} & set(c.listens_for) for c in system.clients(backend=section.lock.backend))


EXAMPLES = '''
=== bad: the leader posts charges, elected in another module
--- app/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- app/work.py
import requests


def charge_all():
    requests.post("https://bank.example/charge", json={}, timeout=5)
--- app/lead.py
from app.work import charge_all
from app.zk import zk


def main():
    election = zk.Election("/billing/leader", "me")
    election.run(charge_all)  # finding: leader-without-fencing

=== bad: a leader on Kubernetes that only logs the end of its reign
--- ledger/work.py
import requests


def post_entries():
    while True:
        requests.post("https://bank.example/entries", json={}, timeout=5)
--- ledger/lead.py
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from ledger.work import post_entries


def main(me):
    config = electionconfig.Config(  # finding: leader-without-fencing
        LeaseLock("ledger", "prod", me),
        lease_duration=17,
        renew_deadline=15,
        retry_period=5,
        onstarted_leading=post_entries,
        onstopped_leading=None,
    )
    leaderelection.LeaderElection(config).run()

=== bad: the renewal succeeds whoever leads, and the leader works on
--- feeds/chair.py
import redis

r = redis.Redis()
CHAIR = "leader:feeds"

def take(name):
    return r.set(CHAIR, name, nx=True, ex=20)

def keep():
    r.expire(CHAIR, 20)  # finding: leader-without-fencing
--- feeds/run.py
import time

import requests

from feeds.chair import keep, take

def publish(feed):
    requests.post("https://hub/publish", json=feed, timeout=3)

def lead(name, feeds):
    if not take(name):
        return
    while True:
        keep()
        for feed in feeds():
            publish(feed)
        time.sleep(5)

=== bad: a scheduler that sends behind such a renewal
--- shop/beat.py
import redis
from celery.beat import Scheduler
from celery.signals import beat_init

store = redis.Redis()

class OneScheduler(Scheduler):
    lock = None
    lock_key = "shop:beat:lock"

    def tick(self, **more):
        store.pexpire(self.lock_key, 60000)  # finding: leader-without-fencing
        for entry in self.schedule.values():
            self.apply_async(entry)

@beat_init.connect
def wait_for_turn(sender=None, **more):
    lock = store.lock("shop:beat:lock", timeout=60)
    lock.acquire()
    sender.scheduler.lock = lock

=== good: the leader asks whose the key is before it works
--- feeds/run.py
import time

import redis
import requests

r = redis.Redis()
CHAIR = "leader:feeds"

def lead(name, feeds):
    if not r.set(CHAIR, name, nx=True, ex=20):
        return
    while r.get(CHAIR) == name:
        r.expire(CHAIR, 20)
        for feed in feeds():
            requests.post("https://hub/publish", json=feed, timeout=3)
        time.sleep(5)

=== good: a scheduler whose lock extends itself, and raises when it is another's
--- shop/beat.py
import redis
from celery.beat import Scheduler

store = redis.Redis()

class OneScheduler(Scheduler):
    def __init__(self, app, **more):
        super().__init__(app, **more)
        self.lock = store.lock("shop:beat:lock", timeout=60)
        self.lock.acquire()

    def tick(self, **more):
        self.lock.extend(60)
        for entry in self.schedule.values():
            self.apply_async(entry)

=== good: the lock of one piece of work is no leadership
--- shop/export.py
import redis
import requests

r = redis.Redis()

def export(rows):
    if not r.set("lock:export", "1", nx=True, ex=30):
        return
    for row in rows:
        requests.post("https://hub/rows", json=row, timeout=3)
        r.expire("lock:export", 30)

=== bad: a leader that lets the others go, round after round
--- rounds/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- rounds/lead.py
import time

from rounds.zk import zk


def lead():
    barrier = zk.Barrier("/round")
    while True:
        barrier.create()
        time.sleep(5)
        barrier.remove()


def main():
    zk.Election("/leader", "me").run(lead)  # finding: leader-without-fencing

=== good: a leader on Kubernetes whose process ends with its reign
--- ledger/lead.py
import os

import requests
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock


def post_entries():
    while True:
        requests.post("https://bank.example/entries", json={}, timeout=5)


def main(me):
    config = electionconfig.Config(
        LeaseLock("ledger", "prod", me),
        lease_duration=17,
        renew_deadline=15,
        retry_period=5,
        onstarted_leading=post_entries,
        onstopped_leading=lambda: os._exit(1),
    )
    leaderelection.LeaderElection(config).run()

=== good: the session listener stops the loop
--- app/lead.py
import threading

import requests
from kazoo.client import KazooClient, KazooState

zk = KazooClient(hosts="zk:2181")
leading = threading.Event()


def on_state(state):
    if state in (KazooState.SUSPENDED, KazooState.LOST):
        leading.clear()


zk.add_listener(on_state)


def work():
    leading.set()
    while leading.is_set():
        requests.post("https://bank.example/charge", json={}, timeout=5)


def main():
    zk.Election("/billing/leader", "me").run(work)

=== good: the leader only reads
--- app/lead.py
import requests
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def look():
    print(requests.get("https://bank.example/state", timeout=5).text)


def main():
    zk.Election("/watcher", "me").run(look)

=== good: the sink compares the epoch
--- app/lead.py
from kazoo.client import KazooClient
from sqlalchemy import create_engine, text

zk = KazooClient(hosts="zk:2181")
engine = create_engine("postgresql://db/app")
election = zk.Election("/billing/leader", "me")


def work():
    epoch = int(election.lock.node[-10:])
    with engine.begin() as db:
        done = db.execute(text("UPDATE job SET state = 'done', epoch = :e WHERE id = 1 AND epoch <= :e"), {"e": epoch})
        if done.rowcount == 0:
            raise RuntimeError("deposed")


def main():
    election.run(work)
'''
