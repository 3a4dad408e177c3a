r"""Redlock over one master, or over an even number of them.

Why: Redlock's argument is a majority of independent masters. With one master there is no majority to have, and the algorithm costs its round trips for
nothing; with two or four, one failure more than with one or three already stops it, and no failure more is survived.

Instead: for one Redis, its own lock (`r.lock(name, timeout=...)`) says what you have. For Redlock, three or five masters that share nothing: no
replication between them, not on one host. And if correctness hangs on it, let the target of the effect check a token all the same.

Fine when: three or more independent masters.

Known misses: masters that are replicas of each other behind different names; a list that comes from configuration.

Sources: Redis documentation, Distributed Locks (the Redlock algorithm, N independent masters).
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import HIGH, WARNING, Found, System, distinct, found, lock_name, rule, trail


@rule("CL115", severity=WARNING)
def too_few_redlock_masters(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True, backend="redis"):
        masters = section.lock.masters
        if masters is None or "redlock" not in section.lock.type.lower() or (masters > 1 and masters % 2):
            continue
        why = "there is no majority of one" if masters == 1 else f"a majority of {masters} is {masters // 2 + 1}, as of {masters + 1}"
        yield found(
            f"{lock_name(section.lock)} spans {masters} master{'s' if masters > 1 else ''}: {why}",
            at=section,
            because=distinct(trail(section), besides=section.acquired),
            confidence=HIGH,
        )


EXAMPLES = r'''
=== bad: one master, named in another module
--- infra/locks.py
from redlock import Redlock

manager = Redlock([{"host": "redis", "port": 6379}])
--- worker.py
from infra.locks import manager

def work(job):
    lock = manager.lock("job", 10000)  # finding: too-few-redlock-masters
    if not lock:
        return
    try:
        job.run()
    finally:
        manager.unlock(lock)

=== bad: two masters
--- worker.py
from pottery import Redlock
from redis import Redis

def work(job):
    with Redlock(key="job", masters={Redis(host="r1"), Redis(host="r2")}):  # finding: too-few-redlock-masters
        job.run()

=== good: three masters
--- worker.py
from redlock import Redlock

manager = Redlock([{"host": "r1"}, {"host": "r2"}, {"host": "r3"}])

def work(job):
    lock = manager.lock("job", 10000)
    if lock:
        job.run()
        manager.unlock(lock)

=== good: the list comes from configuration
--- worker.py
from redlock import Redlock

import conf

manager = Redlock(conf.masters())

def work(job):
    lock = manager.lock("job", 10000)
    if lock:
        job.run()
        manager.unlock(lock)

=== good: a lock of one Redis that says so
--- worker.py
import redis

r = redis.Redis()

def work(job):
    with r.lock("job", timeout=10):
        job.run()
'''
