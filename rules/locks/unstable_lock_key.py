r"""A lock's id differs between the processes that are to share it: a salted hash, an object's address, a fresh uuid, a process id.

Why: Python salts the hash of text anew in every process (PYTHONHASHSEED), `id()` is an address, `uuid4()` is new each time, a process id belongs
to one process. A lock under such a name is one that nobody else ever asks for: every process gets its own, at once, and all of them work.

Instead: derive the name from what the lock protects: the record's id, or for a numeric advisory lock `zlib.crc32(name.encode())`,
the first bytes of a hashlib digest, or `hashtext(name)` in SQL.

Fine when: the hash is a stable one (crc32, hashlib, hashtext); the lock is meant for one host and its name says the host.

Known misses: an unstable value that arrives through a database or a message; a fresh uuid as the name that is given to a helper,
which may be the id of what was just made.

Sources: Python documentation, object.__hash__ and PYTHONHASHSEED; PostgreSQL documentation, advisory locks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coordlint import ERROR, HIGH, MEDIUM, Found, Scope, System, distinct, found, lock_name, rule, trail

_FRESH = frozenset({"a uuid is new each time", "a random token is new each time"})
_UNSTABLE = (
    (re.compile(r"(?<![\w.])hash\("), "hash() of text is salted anew in every process"),
    (re.compile(r"(?<![\w.])id\("), "id() is an address in one process"),
    (re.compile(r"\buuid[14]\("), "a uuid is new each time"),
    (re.compile(r"\bgetpid\("), "a process id belongs to one process"),
    (re.compile(r"\b(?:get_ident|current_thread)\("), "a thread belongs to one process"),
    (re.compile(r"\btoken_(?:hex|bytes|urlsafe)\("), "a random token is new each time"),
)


@rule("CL121", severity=ERROR)
def unstable_lock_key(system: System) -> Iterator[Found]:
    for section in system.critical_sections(scopes=(Scope.DISTRIBUTED, Scope.DB_SESSION, Scope.DB_TRANSACTION)):
        reason = why_unstable(section.lock.key_text)
        inner = system.inner(section)
        if reason is None or (inner is not None and inner.lock.key_text == section.lock.key_text):
            continue  # stable, or told where the wrapper takes it
        if reason in _FRESH and section.lock.via:
            continue  # a helper is given the name: the fresh id of a record, which others lock by its id
        yield found(
            f"{lock_name(section.lock)} has another name in every process ({reason}), and so keeps nobody out",
            at=section,
            because=distinct(trail(section), besides=section.acquired),
            confidence=MEDIUM if "hash(" in section.lock.key_text else HIGH,  # the hash of a number is the same everywhere
        )


def why_unstable(key: str) -> str | None:
    """What in a key's text differs between processes; None when nothing is seen to."""
    return next((reason for pattern, reason in _UNSTABLE if pattern.search(key)), None)


EXAMPLES = r'''
=== bad: the salted hash of a name as the id of an advisory lock
--- jobs.py
import psycopg2

db = psycopg2.connect("dbname=shop")

def run(name, job):
    cur = db.cursor()
    lock_id = hash(name) % 2**31
    cur.execute("SELECT pg_advisory_lock(%s)", (lock_id,))  # finding: unstable-lock-key
    try:
        job.run()
    finally:
        cur.execute("SELECT pg_advisory_unlock(%s)", (lock_id,))

=== bad: the same, for a lock of the transaction, behind a wrapper of another module
--- infra/advisory.py
from sqlalchemy import text

def try_lock(session, lock_id):
    found = session.execute(text("SELECT pg_try_advisory_xact_lock(:id)"), {"id": lock_id})
    return found.scalar()
--- worker.py
from sqlalchemy.orm import Session

from infra.advisory import try_lock

def aggregate(session: Session, job):
    if not try_lock(session, abs(hash(str(job.id))) % 2**31):  # finding: unstable-lock-key
        return
    job.aggregate()

=== bad: a hash in the key, computed in another module
--- infra/names.py
def lock_name(path):
    return f"lock:{hash(path)}"
--- worker.py
import redis

from infra.names import lock_name

r = redis.Redis()

def work(path, job):
    with r.lock(lock_name(path), timeout=30):  # finding: unstable-lock-key
        job.run()

=== bad: a process id in the name
--- worker.py
import os

import redis

r = redis.Redis()

def work(job):
    with r.lock(f"nightly:{os.getpid()}", timeout=30):  # finding: unstable-lock-key
        job.run()

=== bad: a fresh uuid in the name
--- worker.py
from uuid import uuid4

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def work(job):
    with zk.Lock(f"/locks/{uuid4()}"):  # finding: unstable-lock-key
        job.run()

=== good: the fresh id of a record, which others will lock by its id
--- jobs.py
import uuid

import redis

r = redis.Redis()

def create(job):
    job_id = str(uuid.uuid4())
    with r.lock(f"job:{job_id}", timeout=30):
        job.start(job_id)

=== good: the fresh id of a job, which a helper locks for jobs with stable ids too
--- jobs/locks.py
import redis

r = redis.Redis()

def take(job_id):
    return r.set(f"job:{job_id}:lock", "1", nx=True, ex=3600)
--- jobs/run.py
from dataclasses import dataclass

from jobs.locks import take

@dataclass
class Spec:
    job_id: str

def run(spec: Spec):
    if not take(spec.job_id):
        return
    spec.start()
--- jobs/planned.py
from jobs.run import Spec, run

def planned(table):
    run(Spec(job_id=table["id"]))
--- jobs/api.py
import uuid

from jobs.run import Spec, run

def at_once(kind):
    run(Spec(job_id=f"{kind}_{uuid.uuid4().hex}"))

=== good: crc32
--- jobs.py
import zlib

import psycopg2

db = psycopg2.connect("dbname=shop")

def run(name, job):
    cur = db.cursor()
    lock_id = zlib.crc32(name.encode())
    cur.execute("SELECT pg_advisory_lock(%s)", (lock_id,))
    try:
        job.run()
    finally:
        cur.execute("SELECT pg_advisory_unlock(%s)", (lock_id,))

=== good: a digest
--- worker.py
import hashlib

import redis

r = redis.Redis()

def work(path, job):
    with r.lock("lock:" + hashlib.sha256(path.encode()).hexdigest(), timeout=30):
        job.run()

=== good: hashtext in SQL
--- jobs.py
import psycopg2

db = psycopg2.connect("dbname=shop")

def run(name, job):
    cur = db.cursor()
    cur.execute("SELECT pg_advisory_lock(hashtext(%s))", (name,))
    job.run()
    cur.execute("SELECT pg_advisory_unlock(hashtext(%s))", (name,))

=== good: a lock for one host, named after it
--- agent.py
import socket

import redis

r = redis.Redis()

def prune(images):
    with r.lock(f"agent:{socket.gethostname()}:prune", timeout=60):
        images.prune()

=== good: a random token as the value, not the name
--- worker.py
import uuid

import redis

r = redis.Redis()

def work(job):
    if r.set("lock:nightly", str(uuid.uuid4()), nx=True, ex=30):
        job.run()

=== good: an attribute that is called hash
--- worker.py
import redis

r = redis.Redis()

def work(commit, job):
    with r.lock(f"build:{commit.hash}", timeout=60):
        job.run()
'''
