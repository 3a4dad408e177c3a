"""A coordinator is written to in a tight loop, or at an interval below a second.

Why: each write is a round of consensus with a disk flush on a majority of members, and the members do them one after another. One process that writes ten times a second takes a visible share of what the ensemble
can do at all, fills etcd's revision history until compaction, and wakes every watcher of the key each time.

Instead: write when something changes; keep liveness in a lease that is renewed each third of its time to live; put counters,
positions and progress in Redis, a database or a metrics system.

A loop over things of unknown number that pauses for a fraction of a second between two writes knows that they are many. One that does nothing but
make the same write, in order to bring a sequence forward, leaves a node behind for each round.

Fine when: the loop waits a second or more, or for an event; it tries a conditional write again until it succeeds; it writes a few different keys.

Known misses: loops that are paced by a queue or a socket.

Sources: etcd documentation, Hardware recommendations (disk latency of a write); ZooKeeper, Best Practices.
"""

from collections.abc import Iterator

from coordlint import COORDINATORS, MEDIUM, WARNING, Found, Op, Operation, System, backend_name, found, rule


@rule("CL305", severity=WARNING)
def hot_writes(system: System) -> Iterator[Found]:
    for write in system.operations(backend=COORDINATORS):
        if not write.stores or write.op is Op.CAS:
            continue
        yield from _rushed(system, write)
        if _interval(system, write) is None or write.pause is None or write.pause.place is None:
            continue
        yield found(
            f"Writes to {backend_name(write.backend)} every {write.pause.told}{_named(write)}.",
            at=write,
            because=[(write.pause.place, "the only pause in the loop"), *write.origin],
        )


def _rushed(system: System, write: Operation) -> Iterator[Found]:
    """The same write, again and again, by a loop that does nothing else: here, or around the call of a function that writes it."""
    if "{}" in (write.key or "{}"):
        return
    for place in (write.place, *(at for caller, at in system.callers(write.symbol) if caller != write.symbol and not write.loop)):
        loop = system.rush(place)
        if loop is not None:
            yield found(
                f"Writes to {backend_name(write.backend)} in each round of a loop that does nothing else{_named(write)}.",
                at=place,
                because=[(loop, "nothing waits in this loop, and nobody looks at what it gets"), (write.place, "what is written does not change"), *write.origin],
                confidence=MEDIUM,
                help="Start the number where it is needed: write the first value once, or keep an offset beside the sequence.",
            )
            return


def _interval(system: System, write: Operation) -> float | None:
    """The seconds between two writes, when they are known and fewer than one."""
    if write.pause is None or write.pause.kind != "seconds" or not (write.loop in ("forever", "while") or _is_one_of_many(system, write)):
        return None
    seconds = write.pause.seconds
    return seconds if seconds is not None and seconds < 1 else None


def _is_one_of_many(system: System, write: Operation) -> bool:
    """Whether a loop over things of unknown number makes it, a key for each; not one that tries again."""
    return write.loop == "for" and system.lap(write.place) is not None and bool(write.fillers) and not system.retries(write)


def _named(write: Operation) -> str:
    return f": `{write.key_text or write.key}`" if write.key else ""


EXAMPLES = '''
=== bad: five times a second, through a client of another module
--- app/store.py
import etcd3

etcd = etcd3.client(host="etcd")
--- app/progress.py
import time

from app.store import etcd


def report(job):
    while True:
        etcd.put("/progress/current", str(job.done))  # finding: hot-writes
        time.sleep(0.2)

=== bad: a node for each row, ten in a second
--- app/store.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- app/hand_over.py
import time

from app.store import zk


def hand_over(rows, target):
    for row in rows:
        time.sleep(0.1)
        zk.create(f"/inbox/{target}/{row['id']}", row["text"])  # finding: hot-writes

=== bad: a sequence is brought forward, one node after the other
--- app/numbers.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def draw():
    return int(zk.create("/numbers/n", sequence=True)[-10:])


def skip(used):
    for _ in range(used):
        draw()  # finding: hot-writes

=== good: three numbers; a few tries with a pause; what is drawn is used
--- app/numbers.py
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

zk = KazooClient(hosts="zk:2181")


def draw():
    return int(zk.create("/numbers/n", sequence=True)[-10:])


def skip():
    for _ in range(3):
        draw()


def label(things):
    return [(draw(), thing) for thing in things]


def tell(name, value):
    for _ in range(5):
        try:
            zk.create(f"/config/{name}", value)
            return
        except KazooException:
            time.sleep(0.5)

=== good: tried again until it is the first
--- app/claim.py
import time

import etcd

client = etcd.Client(host="etcd")


def claim(me):
    while True:
        try:
            client.test_and_set("/owner", me, "nobody")
            return
        except etcd.EtcdCompareFailed:
            time.sleep(0.1)

=== good: every ten seconds
--- app/progress.py
import time

import etcd3

etcd = etcd3.client()


def report(job):
    while True:
        etcd.put("/progress/current", str(job.done))
        time.sleep(10)

=== good: a few keys when something is deployed
--- app/deploy.py
import etcd3

etcd = etcd3.client()


def deploy(settings):
    for name, value in settings.items():
        etcd.put(f"/config/{name}", value)

=== good: Redis
--- app/progress.py
import time

import redis

r = redis.Redis()


def report(job):
    while True:
        r.set("progress", job.done)
        time.sleep(0.2)
'''
