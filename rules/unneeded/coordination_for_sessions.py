"""User sessions are kept in a quorum store (ZooKeeper, etcd, Consul).

Why: a session is written at log-in, read with every request and thrown away soon after; one store of small cluster metadata
answers each of these writes by consensus, holds all of them in memory or in its revision history, and a busy evening of
log-ins slows down the elections and locks that share it. A session that is lost costs its user a log-in; it needs no
agreement among machines.

Instead: Redis or memcached with a time to live (`redis.set("sess:" + sid, blob, ex=1800)`), a database table, or a signed cookie.

Fine when: the session is the store's own: a Consul lock session, a ZooKeeper client session with its ephemeral nodes.

Sources: ZooKeeper, Data Model (data is measured in kilobytes); etcd documentation, System limits; Consul documentation, KV store.
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    found,
    rule,
    words,
)

_SESSION = frozenset({"session", "sess", "cookie", "jwt", "login", "csrf"})
_OF_USERS = frozenset({"user", "uid", "sid", "cookie", "token", "auth", "login", "jwt", "csrf", "account", "customer", "request"})
# Sessions of machines, and settings of sessions.
_NOT_OF_USERS = frozenset(
    {"lock", "leader", "election", "worker", "node", "server", "host", "agent", "config", "setting", "timeout", "ttl", "policy"}
    | {"cluster", "shard", "training", "spark", "job", "task", "database", "db"}
)


@rule("CL205", severity=WARNING)
def coordination_for_sessions(system: System) -> Iterator[Found]:
    for write in system.operations(backend=COORDINATORS):
        if not write.stores or "{}" not in (write.key or "") or not write.key_words & _SESSION:
            continue
        if write.key_words & _NOT_OF_USERS or (write.ephemeral and write.backend == "zookeeper"):
            continue
        readers = [(o.place, "and read back here") for o in system.same_key(write) if o.op in (Op.READ, Op.LIST)]
        yield found(
            f"Keeps sessions in {backend_name(write.backend)}: `{write.key_text or write.key}`.",
            at=write,
            because=[*readers[:2], *write.origin] or [(_key_place(write), "one entry for each session")],
            confidence=HIGH if _of_users(write) else MEDIUM,
        )


def _of_users(write: Operation) -> bool:
    value = write.argument("value")
    said = " ".join((*write.fillers, *((value.text, *value.mentions) if value else ())))
    return bool((words(said) | write.key_words | write.symbol_words) & _OF_USERS)


def _key_place(write: Operation) -> Place:
    return next((a.place for a in write.arguments if a.place), write.place)


EXAMPLES = '''
=== bad: log-ins as znodes, through a client of another module
--- web/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- web/login.py
import json

from web.zk import zk


def login(user, sid):
    zk.create("/sessions/" + sid, json.dumps({"user": user}).encode())  # finding: coordination-for-sessions


def who(sid):
    return json.loads(zk.get("/sessions/" + sid)[0])["user"]

=== bad: a lease does not make it a small thing
--- web/login.py
import etcd3

etcd = etcd3.client()


def login(sid, token):
    etcd.put(f"/web/session/{sid}", token, lease=etcd.lease(1800))  # finding: coordination-for-sessions

=== good: Consul's own lock session
--- app/lock.py
import consul

c = consul.Consul()


def take(key):
    session = c.session.create(ttl=15)
    if not c.kv.put(key, "me", acquire=session):
        raise RuntimeError("busy")

=== good: the session of a worker ends with its connection
--- app/worker.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def join(name):
    zk.create(f"/sessions/{name}", b"", ephemeral=True)

=== good: how long sessions may last is configuration
--- web/settings.py
import etcd3

etcd = etcd3.client()


def set_timeout(app, seconds):
    etcd.put(f"/config/{app}/session/timeout", str(seconds))

=== good: Redis with a time to live
--- web/login.py
import redis

r = redis.Redis()


def login(sid, blob):
    r.set(f"session:{sid}", blob, ex=1800)
'''
