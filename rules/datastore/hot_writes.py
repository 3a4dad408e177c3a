"""A coordinator is written to in a tight loop, or at an interval below a second.

Why: each write is a round of consensus with a disk flush on a majority of members, and the members do them one after another. One process that writes ten times a second takes a visible share of what the ensemble
can do at all, fills etcd's revision history until compaction, and wakes every watcher of the key each time.

Instead: write when something changes; keep liveness in a lease that is renewed each third of its time to live; put counters,
positions and progress in Redis, a database or a metrics system.

Fine when: the loop waits a second or more, or for an event; it tries a conditional write again until it succeeds.

Known misses: loops that are paced by a queue or a socket.

Sources: etcd documentation, Hardware recommendations (disk latency of a write); ZooKeeper, Best Practices.
"""

from collections.abc import Iterator

from coordlint import COORDINATORS, WARNING, Found, Op, Operation, System, backend_name, found, rule


@rule("CL305", severity=WARNING)
def hot_writes(system: System) -> Iterator[Found]:
    for write in system.operations(backend=COORDINATORS):
        interval = _interval(write)
        if not write.stores or write.op is Op.CAS or interval is None or write.pause is None or write.pause.place is None:
            continue
        yield found(
            f"Writes to {backend_name(write.backend)} every {write.pause.told}{_named(write)}.",
            at=write,
            because=[(write.pause.place, "the only pause in the loop"), *write.origin],
        )


def _interval(write: Operation) -> float | None:
    """The seconds between two writes, when they are known and fewer than one."""
    if write.loop not in ("forever", "while") or write.pause is None or write.pause.kind != "seconds":
        return None
    seconds = write.pause.seconds
    return seconds if seconds is not None and seconds < 1 else None


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
