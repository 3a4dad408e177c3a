"""A leader's effects carry no epoch, and nothing re-checks that it still leads before them.

Why: no election can promise that only one process acts as the leader at a time. kazoo's `Election.run` calls the function
once and does not interrupt it when the session is lost; the Kubernetes Python client goes on running `onstarted_leading` in
a thread after the renewal has failed. The old leader then writes beside the new one, after a pause, a partition or a slow
disk, and the last writer wins whoever it is.

Instead: give each reign a number that grows (ZooKeeper: the number at the end of `election.lock.node`, etcd: the key's create
revision) and let the sink refuse smaller ones; check before each round of work that the leadership still holds, with a flag that
the session listener clears at SUSPENDED and LOST; on Kubernetes end the process in `onstopped_leading` with `os._exit`.

Fine when: the effects are conditional or harmless when late; a listener for the loss of the session stops the loop.

Sources: kazoo source, Election.run; client-go, leaderelection (does not guarantee that only one client acts as leader); etcd
documentation, etcd versus other key-value stores (notes on the usage of lock and lease).
"""

from collections.abc import Iterator

from coordlint import (
    HIGH,
    MEDIUM,
    WARNING,
    Effect,
    Found,
    Section,
    System,
    distinct,
    does_late,
    effect_name,
    fence_for,
    found,
    lock_name,
    rule,
    trail,
)


@rule("CL402", severity=WARNING)
def leader_without_fencing(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True):
        if section.lock.model.kind != "election" or section.checked or _listens_for_loss(system, section):
            continue
        effect = next((e for e in section.effects if _is_unfenced(e)), None)
        if effect is None:
            continue
        yield found(
            f"The leader elected by {lock_name(section.lock)} performs {effect_name(effect.operation)} without an epoch and without asking "
            f"whether it still leads; done late, it {does_late(effect.operation)}.",
            at=section,
            because=distinct(trail(section, effect), besides=section.acquired),
            confidence=MEDIUM if section.unresolved else HIGH,
            help=fence_for(effect, section.lock),
        )


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
