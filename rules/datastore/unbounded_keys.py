"""Keys are created for each entity in a coordinator, and neither deleted nor bound to a lease.

Why: every key costs memory on every member for as long as it exists. Keys that are made for each job, request or user and
never removed grow without bound: snapshots and restarts get slower each week, listing the directory passes the packet limit,
and etcd raises its NOSPACE alarm and refuses all writes. A lock of kazoo is a directory: its contenders go, the directory stays.

Instead: let the key end by itself (a lease, an ephemeral node), delete it where the entity ends, or keep such records in a
database and only a fixed set of keys here. For numbers that only have to be unique, use a version or an id block and not a
persistent node for each.

Fine when: something deletes keys of the same pattern, or of the directory above; the set is bounded (hosts, shards, services).

Sources: ZooKeeper, Data Model (kept in memory, measured in kilobytes); etcd documentation, System limits (space quota).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Argument,
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

# Parts of keys that name one of few: their number does not grow with the traffic.
_BOUNDED = frozenset(
    {"host", "hostname", "node", "pod", "container", "worker", "shard", "partition", "service", "server", "region", "zone", "cluster", "app", "env", "machine"}
    | {"environment", "config", "setting", "feature", "flag", "name", "namespace", "member", "instance", "queue", "topic", "type"}
    | {"backend", "broker", "role", "lock", "leader", "key", "path", "prefix", "root", "i", "n", "sampling", "kind", "section"}
)
_GROWING = frozenset(
    {"id", "uuid", "uid", "user", "job", "task", "request", "order", "session", "message", "event", "file", "filename", "run"}
    | {"account", "customer", "item", "product", "device", "timestamp", "date", "time", "hash", "digest", "token", "email"}
)

_TRYING = frozenset({"test", "testing", "teardown", "fixture", "harness"})  # what cleans up after itself there says nothing of the program
# What there are more of each month, and not each minute; what ends them often does so by their folder.
_SLOW = frozenset({"project", "tenant", "organization", "organisation", "org", "team", "workspace", "site"})

# What comes, is locked, and never comes again; accounts and users are locked time and again, under the same few nodes.
_PASSING = frozenset(
    {"job", "task", "request", "order", "session", "message", "event", "run", "timestamp", "date", "time", "hash", "digest", "token", "uuid"}
    | {"file", "filename", "upload", "document", "chunk", "block", "blob", "transfer", "batch", "alert", "incident", "ticket", "notification", "mail"}
    | {"execution", "workflow", "build", "payment", "invoice", "transaction", "booking", "reservation", "submission", "delivery"}
)
# Libraries whose lock is a directory, or a key, that stays when the lock is given back.
_STAYING = {"kazoo": "node", "python-etcd": "directory"}


@rule("CL303", severity=WARNING)
def unbounded_keys(system: System) -> Iterator[Found]:
    told: set[tuple[str, str | None]] = set()
    own = {o.place for o in system.operations(backend=COORDINATORS)}
    for create in sorted(system.operations(backend=COORDINATORS, carried=True, named=True), key=lambda o: o.place not in own):
        if not _is_creation(create) or (create.ephemeral is not False and create.ephemeral is not None) or create.ttl:
            continue
        growing = _grows(create)
        if not growing or _is_told(told, create) or _removed(system, create):
            continue
        told.add((create.backend, create.key))
        yield found(
            f"Creates a key for each {growing} in {backend_name(create.backend)} and nothing removes it: "
            f"`{create.key_text or create.key}`.",
            at=create,
            because=list(create.origin) or [(_key_place(create), "this part differs from key to key")],
            severity=INFO if words(growing) & _SLOW else WARNING,
            confidence=HIGH if create.op is Op.CREATE else MEDIUM,
        )
    made: set[Place] = set()  # where locks were told, by whatever name
    for lock in (*system.operations(Op.MAKE_LOCK, backend=("zookeeper", "etcd")), *_taken_through(system)):
        growing = _grows(lock) if lock.library in _STAYING else ""
        if not words(growing) & _PASSING or _is_told(told, lock) or _key_place(lock) in made or _removed(system, lock):
            continue
        told.add((lock.backend, lock.key))
        made |= {lock.place, _key_place(lock)}
        yield found(
            f"Leaves a {_STAYING[lock.library]} for each {growing} in {backend_name(lock.backend)}: the one that the lock `{lock.key_text or lock.key}` is kept under stays when it is released.",
            at=lock,
            because=list(lock.origin) or [(_key_place(lock), "this part differs from lock to lock")],
            confidence=MEDIUM,
            help="Delete the node of the lock where its entity ends; or spread the entities over a fixed number of locks, by a hash of the id.",
        )


def _taken_through(system: System) -> Iterator[Operation]:
    """Locks that a function of the project makes under the name that it is given, where that is called."""
    for section in system.critical_sections(distributed=True):
        lock = section.lock
        if lock.via and lock.library in _STAYING:
            key = Argument("key", text=lock.key_text, place=lock.made)
            yield Operation(section.acquired, section.symbol, Op.MAKE_LOCK, lock.type, lock.library, lock.backend, key=lock.key, key_text=lock.key_text, arguments=(key,))


def _is_told(told: set[tuple[str, str | None]], create: Operation) -> bool:
    """Whether this key was told, or one above it: what lies below grows with it."""
    key = create.key or ""
    return any(backend == create.backend and (key == above or key.startswith(f"{above}/")) for backend, above in told)


def _is_creation(create: Operation) -> bool:
    """Whether it makes a key that was not there; of what functions of the project write, what says so, and what requests name."""
    if create.via and create.op is not Op.CREATE and create.absent is None and create.brought is None:
        return False
    return create.stores and not (create.backend == "zookeeper" and create.op in (Op.WRITE, Op.CAS)) and create.op is not Op.CAS


def _grows(create: Operation) -> str:
    """What a new key is made for: an id in the key, or a number that the store appends."""
    numbered = create.argument("sequence")
    if numbered is not None and numbered.value is True and create.key and "{}" not in create.key:
        return "call"
    if create.key_words & {"config", "configuration", "setting"}:
        return ""
    for filler in create.drawn:
        return f"new {filler}"  # drawn at each call, whatever it is called
    for filler in create.fillers:
        said = words(filler) if filler not in create.vetted else frozenset()
        if said & _GROWING and not said & (_BOUNDED - {"key", "path"}):
            return filler
        if create.brought is not None and create.key_words and said and not (said | create.key_words) & (_BOUNDED - {"name", "key", "path"}):
            return filler  # its callers make up as many as they like
    return ""


def _removed(system: System, create: Operation) -> bool:
    """A delete of the same pattern, of a directory above it, or of children that were listed there."""
    key = create.key or ""
    parent = key.rpartition("/")[0]
    listed = {o.symbol for o in system.operations(Op.LIST, backend=create.backend) if (o.key or "").rstrip("/") == parent}
    if system.freed(create.key):
        return True
    named = {o.place for o in system.operations(Op.DELETE, backend=create.backend, named=True) if o.via}
    for delete in system.operations(Op.DELETE, backend=create.backend, named=True):
        gone = (delete.key or "").rstrip("/")
        if gone == key or (gone and "{}" not in gone and key.startswith(gone + "/")) or (gone and parent and gone.startswith(parent + "/")):
            return True
        if delete.takes_all_below and gone and key.startswith(gone + "/"):
            return True
        if delete.key in (None, "", "{}") and (delete.symbol in listed or _may_mean(system, delete, create)):
            return True
        if create.via and any(at.path == create.place.path and at not in named for _, at in system.callers(delete.symbol)):
            return True  # what the same store deletes for the same file
    return False


def _may_mean(system: System, delete: Operation, create: Operation) -> bool:
    """Whether a generic `delete(key)` may be for this key: one that stands beside the creation, or whose callers do not all say what they delete."""
    named = {o.place for o in system.operations(Op.DELETE, backend=delete.backend, named=True) if o.via}
    callers = [at for caller, at in system.callers(delete.symbol) if not (getattr(system.function(caller), "in_test", False) or words(caller) & _TRYING)]
    beside = delete.symbol.rpartition(".")[0] == create.symbol.rpartition(".")[0]
    return not all(place in named for place in callers) if create.via or callers else beside


def _key_place(create: Operation) -> Place:
    return next((a.place for a in create.arguments if a.place), create.place)


EXAMPLES = '''
=== bad: a lock for each order, whose directory stays
--- shop/orders.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def ship(order_id, send):
    lock = zk.Lock(f"/locks/orders/{order_id}", "shop")  # finding: unbounded-keys
    with lock:
        send(order_id)

=== bad: a directory for each alert that ever was, and for each file
--- watch/locks.py
import etcd

client = etcd.Client(host="etcd")


def hold(name):
    lock = etcd.Lock(client, name)
    lock.acquire(lock_ttl=60)
    return lock
--- watch/alerts.py
import etcd

from watch.locks import client, hold


def deliver(alert, send):
    lock = etcd.Lock(client, "alerts/%s" % alert.alert_id)  # finding: unbounded-keys
    lock.acquire(blocking=True, lock_ttl=60)
    send(alert)
    lock.release()


def convert(filename, work):
    lock = hold("files/" + filename)  # finding: unbounded-keys
    work(filename)
    lock.release()

=== good: a lock for each order, whose directory is deleted; locks for accounts, which come again, and for a few queues
--- shop/orders.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def ship(order_id, send):
    with zk.Lock(f"/locks/orders/{order_id}", "shop"):
        send(order_id)
    zk.delete(f"/locks/orders/{order_id}")


def pay(account, send):
    with zk.Lock(f"/locks/accounts/{account}", "shop"):
        send(account)


def drain(queue, send):
    with zk.Lock(f"/locks/queues/{queue}", "shop"):
        send(queue)

=== bad: a key for each order, by a store of the project
--- depot/store.py
import consul


class Store:
    def __init__(self, host):
        self.consul = consul.Consul(host=host)

    def has(self, key):
        return self.consul.kv.get(key)[1] is not None

    def put(self, key, value):
        self.consul.kv.put(key, value)

    def drop(self, key):
        self.consul.kv.delete(key)
--- depot/orders.py
from depot.store import Store

store = Store("consul")


def note(order_id, text):
    key = f"orders/{order_id}"
    if not store.has(key):
        store.put(key, text)  # finding: unbounded-keys

=== good: the same store drops it in the same file
--- depot/store.py
import consul


class Store:
    def __init__(self, host):
        self.consul = consul.Consul(host=host)

    def has(self, key):
        return self.consul.kv.get(self._named(key))[1] is not None

    def put(self, key, value):
        self.consul.kv.put(self._named(key), value)

    def drop(self, key):
        self.consul.kv.delete(self._named(key))

    def _named(self, key):
        return ">".join(part for part in key.split(">") if part)
--- depot/orders.py
from depot.store import Store

store = Store("consul")


def note(order_id, text):
    key = f"orders>{order_id}"
    if not store.has(key):
        store.put(key, text)


def done(order_id):
    store.drop(f"orders>{order_id}")

=== bad: a node for each job, through a client of another module
--- jobs/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- jobs/begin.py
from jobs.zk import zk


def begin(job_id, state):
    zk.create(f"/runs/{job_id}", state)  # finding: unbounded-keys

=== bad: each start writes its entry under a new id
--- fleet/clients.py
import etcd3


def connect():
    return etcd3.client(host="etcd")
--- fleet/register.py
import socket
import uuid

from fleet.clients import connect


def register(service, port):
    service_id = str(uuid.uuid4())
    key = f"/fleet/{service}/{service_id}"
    connect().put(key, f"{socket.gethostname()}:{port}")  # finding: unbounded-keys


class Reporter:
    def __init__(self, client):
        self.instance_id = uuid.uuid4().hex
        self.client = connect()

    def report(self, state):
        self.client.put(f"/reports/{self.instance_id}", state)  # finding: unbounded-keys

=== good: a new id that a lease ends; an id that is kept
--- fleet/register.py
import uuid

import etcd3

client = etcd3.client(host="etcd")


def register(service, address):
    instance_id = str(uuid.uuid4())
    client.put(f"/fleet/{service}/{instance_id}", address, lease=client.lease(10))


def note(instance_id, state):
    client.put(f"/states/{instance_id}", state)

=== bad: one key for each name that requests make up; those of the other kind are deleted, through the same wrapper
--- hub/store.py
import etcd3

_etcd = etcd3.client(host="etcd")


def write(key, value):
    _etcd.put(key, value)


def drop(key):
    _etcd.delete(key)
--- hub/web.py
from flask import Flask, request

from hub import store

app = Flask(__name__)


@app.put("/plans/<title>")
def plan(title):
    store.write(f"plans/{title}", request.data)  # finding: unbounded-keys
    return "", 204


@app.put("/drafts/<title>")
def draft(title):
    store.write(f"drafts/{title}", request.data)
    return "", 204


@app.delete("/drafts/<title>")
def forget(title):
    store.drop(f"drafts/{title}")
    return "", 204

=== bad: a persistent node only to draw a number
--- jobs/ids.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def next_id():
    return int(zk.create("/generators/job-", b"", sequence=True)[-10:])  # finding: unbounded-keys

=== good: a kind of event is one of a few
--- jobs/begin.py
import etcd3

etcd = etcd3.client()
KINDS = load()


def follow(event, address):
    if event not in KINDS:
        raise ValueError(event)
    etcd.put(f"/followers/{event}", address)

=== good: the key is deleted when the job ends
--- jobs/begin.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def begin(job_id, state):
    zk.create(f"/runs/{job_id}", state)


def end(job_id):
    zk.delete(f"/runs/{job_id}")

=== good: the directory is emptied
--- jobs/begin.py
import etcd3

etcd = etcd3.client()


def begin(job_id, state):
    etcd.put(f"/runs/{job_id}", state)


def clear():
    etcd.delete_prefix("/runs/")

=== good: a lease ends it
--- jobs/begin.py
import etcd3

etcd = etcd3.client()


def begin(job_id, state):
    etcd.put(f"/runs/{job_id}", state, lease=etcd.lease(3600))

=== good: a bounded set
--- jobs/hosts.py
import etcd3

etcd = etcd3.client()


def state(hostname, value):
    etcd.put(f"/hosts/{hostname}", value)

=== good: an ephemeral node
--- jobs/begin.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def begin(job_id):
    zk.create(f"/running/{job_id}", b"", ephemeral=True)
'''
