"""Domain records that grow with users or traffic are kept in a quorum store (ZooKeeper, etcd, Consul).

Why: a quorum store keeps its data small so that every member can hold all of it and every write can wait for a
majority. ZooKeeper holds the whole tree in memory on each member and rejects packets over 1 MiB; etcd has a default
quota of 2 GiB, suggests at most 8 GiB, and stops accepting writes when it is reached; Consul refuses values over
512 KB. One record per user or order grows until elections, locks and discovery, which the store is really needed for,
fail with it. There are no queries, no secondary indexes and no transactions over many records either.

Instead: keep the records in a database, which can also check versions and constraints, and keep in the quorum store
only the small facts about machines: which shard lives where, who leads, which configuration is valid.

Fine when: the key names shards, owners, members or configuration; the entry is the ephemeral registration of a worker
or ends with a short lease. It is a note where a watch on the folder hands every entry to whoever needs them; and
where a loop writes down anew what it sees of each: the same readings, which hot-writes tells.

Known misses: records under a neutral prefix with neutral names that no request or message brings, and that are not objects of a
class that writes them down and reads them back, or that are written whole under their id and read back; records written by programs outside the
repository.

Sources: ZooKeeper, Data Model (not a general database or large object store) and jute.maxbuffer; etcd documentation,
System limits (1.5 MiB request, 2 GiB default quota); Consul documentation, KV store (not a full featured datastore).
"""

from collections.abc import Iterator
from itertools import islice

from coordlint import (
    COORDINATORS,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Late,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    found,
    rule,
    words,
)

# People, goods and messages: what a business has more of every day.
_ENTITIES = frozenset(
    {"user", "account", "customer", "profile", "person", "contact", "favorite", "favourite", "subscriber"}
    | {"order", "invoice", "payment", "transaction", "cart", "basket", "purchase", "subscription", "booking", "ticket"}
    | {"product", "sku", "article", "post", "comment", "message", "mail", "email", "document", "photo"}
    | {"patient", "student", "employee", "tenant", "device", "vehicle", "trip", "review", "rating", "inventory"}
    | {"wallet", "balance", "ledger", "coupon", "game", "player", "score", "certificate", "cert"}
)
# What a quorum store is for, or what another rule speaks about.
_METADATA = frozenset(
    {"config", "configuration", "conf", "setting", "option", "preference", "feature", "flag", "toggle", "limit", "quota"}
    | {"shard", "partition", "slot", "owner", "ownership", "assignment", "placement", "location", "route", "routing", "topology"}
    | {"lock", "mutex", "semaphore", "leader", "master", "primary", "election", "barrier", "epoch", "term", "offset"}
    | {"service", "node", "host", "member", "worker", "instance", "server", "broker", "agent", "endpoint", "cluster", "peer"}
    | {"schema", "migration", "version", "policy", "role", "acl", "cache", "cached", "memo", "session", "queue", "job", "task"}
    | {"rate", "metric", "metrics", "stat", "heartbeat", "health", "alive", "liveness", "presence", "counter", "sequence"}
)
_ALL = ("ChildrenWatch", "watch_prefix", "add_watch_prefix_callback")
_OF_MACHINES = _METADATA | {"hostname", "fqdn", "pid", "ip", "address", "addr", "machine", "container", "zone", "region"}
_RECORD = 4  # fields of an object that are stored together; fewer may be a status
_DUMPS = frozenset("to_dict asdict as_dict dict json to_json model_dump model_dump_json dump dumps encode serialize to_bytes SerializeToString __dict__".split())
_SHORT = 3600.0  # seconds: an entry with a shorter lease is not a record that grows


@rule("CL301", severity=WARNING)
def coordinator_as_database(system: System) -> Iterator[Found]:
    told: set[tuple[str, str | None]] = set()
    readings = {again.place for again in system.restated()}
    for write in system.operations(backend=COORDINATORS, named=True):
        if (write.via and (write.backend, write.key) in told) or (_record_of(write) and (write.backend, _record_of(write)) in told):
            continue  # a wrapper's callers are told once for each kind of key, and a record once for all keys below it
        if not write.stores or write.late is Late.ADD_MEMBER or write.ephemeral or _ends_soon(write) or write.key_words & _METADATA:
            continue
        entity = _entity_in_key(write)
        if entity:
            told |= {(write.backend, write.key), (write.backend, _record_of(write))}
            readers = [(o.place, "the record is read here") for o in system.same_key(write) if o.op in (Op.READ, Op.LIST)]
            yield found(
                f"Keeps one entry per {entity} in {backend_name(write.backend)}: `{write.key_text or write.key}`.",
                at=write,
                because=[*readers[:2], *_searches(system, write), *write.origin] or [_key_evidence(write)],
                severity=INFO if _is_watched(system, write) or write.place in readings else WARNING,
                confidence=HIGH if entity in write.key_words else MEDIUM,
            )
        elif write.brought is not None and write.key_words and (filler := _filler(write)):
            told |= {(write.backend, write.key), (write.backend, _record_of(write))}
            alike = (o for o in system.operations(Op.READ, Op.LIST, backend=write.backend, named=True) if o.key == write.key)
            yield found(
                f"Keeps what requests bring in {backend_name(write.backend)}, one entry for each {filler}: `{write.key_text or write.key}`.",
                at=write,
                because=[(write.brought, "a handler makes this key of what its caller sends"), *_stored_at(system, write), *((o.place, "the record is read here") for o in islice(alike, 2)), *write.origin],
                confidence=MEDIUM,
            )
        elif (field := _own_field(write)) and (loads := _loads(system, write)):
            told |= {(write.backend, write.key), (write.backend, _record_of(write))}
            yield found(
                f"Keeps objects with their {len(write.keeps)} fields in {backend_name(write.backend)}, one entry for each {field}: `{write.key_text or write.key}`.",
                at=write,
                because=[(o.place, "the object is read back here") for o in loads[:2]],
                confidence=MEDIUM,
            )
        elif (name := _whole(write)) and (loads := _loads(system, write)):
            told |= {(write.backend, write.key), (write.backend, _record_of(write))}
            yield found(
                f"Keeps whole objects in {backend_name(write.backend)}, one entry for each {name}: `{write.key_text or write.key}`.",
                at=write,
                because=[*((o.place, "it is read back here") for o in loads[:2]), *_stored_at(system, write)],
                confidence=MEDIUM,
            )
        elif (sibling := _sibling(system, write)) is not None:
            yield found(
                f"Writes records to {backend_name(write.backend)} under keys that are computed: the same class reads "
                f"`{sibling.key_text or sibling.key}`.",
                at=write,
                because=[(sibling.place, f"one entry per {_entity_in_key(sibling)} is read here"), *_searches(system, sibling), *write.origin],
                confidence=MEDIUM,
            )


def _stored_at(system: System, write: Operation) -> list[tuple[Place, str]]:
    """Where the wrapper stands that a write goes through."""
    inside = (o for o in system.operations(write.op, backend=write.backend) if o.call == write.call and o.symbol.rpartition(".")[2] == write.via[-1]) if write.via else ()
    return [(o.place, "this call stores it") for o in islice(inside, 1)]


def _record_of(write: Operation) -> str | None:
    """The part of a key that names the record, for one that is kept in several keys: "certs/{}" of "certs/{}/private"."""
    record, hole, field = (write.key or "").rpartition("{}")
    return f"{record}{{}}/" if hole and field.startswith("/") else None


def _entity_in_key(write: Operation) -> str:
    """The kind of record that a key names, when the key has a part that differs from record to record."""
    if "{}" not in (write.key or "") or write.key_words & _METADATA:
        return ""
    named = sorted(write.key_words & _ENTITIES)
    fillers = [filler for filler in write.fillers if filler not in write.vetted]
    if named and not all(len(filler) == 1 for filler in fillers):  # {i}: numbered in a loop, a fixed set
        return named[0]
    for filler in fillers:
        about = words(filler) & (_ENTITIES - {"trip"} if "round" in words(filler) else _ENTITIES)
        if about and not words(filler) & _METADATA:
            return min(about)
    return ""


def _own_field(write: Operation) -> str:
    """For an object that writes down most of what it has: the field of its own that makes its key, where that names nothing of the cluster itself."""
    if len(write.keeps) < _RECORD or write.symbol_words & _METADATA or any(words(f) & _OF_MACHINES for f in write.fillers if f in write.keeps):
        return ""
    return next((f.partition(".")[2] for f in write.fillers if f in write.keeps), "")


def _whole(write: Operation) -> str:
    """The id that makes the key of an object which is written whole, `put(f"/runs/{run.id}", run.to_dict())`, or of which a loop writes part by part."""
    key, value = write.argument("key") or write.argument("path"), write.argument("value") or write.argument("data")
    if key is None or value is None or write.symbol_words & _METADATA:
        return ""
    named = [m for m in (*write.fillers, *key.mentions) if m.count(".") == 1 and _is_id(m) and not words(m) & _OF_MACHINES]
    for owner, _, field in (m.partition(".") for m in named):
        is_dumped = owner != "self" and (owner in value.mentions) and all(m == owner or m.rpartition(".")[2] in _DUMPS for m in value.mentions if m.partition(".")[0] == owner)
        is_in_parts = owner == "self" and write.loop == "for" and len(write.fillers) > 1
        if is_dumped or is_in_parts:
            return f"{owner}.{field}" if is_dumped else field
    return ""


def _is_id(name: str) -> bool:
    return bool(words(name.rpartition(".")[2]) & {"id", "uuid", "guid"}) or name.endswith("id")


def _loads(system: System, write: Operation) -> list[Operation]:
    """Where the class of a record reads one like it."""
    home = write.symbol.rpartition(".")[0]
    alike = system.operations(Op.READ, Op.LIST, backend=write.backend, named=True)
    return [o for o in alike if o.key == write.key and o.symbol.rpartition(".")[0] == home]


def _filler(write: Operation) -> str:
    """What makes the keys differ, where it names nothing of the cluster itself."""
    return next((f for f in write.fillers if f and f not in write.vetted and not words(f) & _METADATA), "")


def _sibling(system: System, write: Operation) -> Operation | None:
    """For a key that is computed as a whole: an operation of the same class on a key that names a record."""
    if write.key_words or not write.symbol_words & _ENTITIES:
        return None
    home = write.symbol.rpartition(".")[0]
    for other in system.operations(Op.READ, Op.LIST, Op.DELETE, Op.WRITE, backend=write.backend):
        if other.symbol.rpartition(".")[0] == home and other.place != write.place and _entity_in_key(other):
            return other
    return None


def _is_watched(system: System, write: Operation) -> bool:
    """Whether whoever needs the entries holds all of them in memory, by a watch on their folder: that is a list that is handed round, and few."""
    folder = (write.key or "").rpartition("/")[0]
    return any(o.key == folder and o.call.rpartition(".")[2] in _ALL for o in system.operations(Op.WATCH, backend=write.backend) if folder)


def _searches(system: System, record: Operation) -> list[tuple[Place, str]]:
    """Where a folder of such records is read whole, the widest that still says what they are: what a database would do by a query."""
    entity = record.key_words & _ENTITIES
    above = [o for o in system.operations(Op.LIST, backend=record.backend) if (record.key or "").startswith((o.key or "{").rstrip("/") + "/") and o.key_words & entity]
    whole = [o for o in above if "keys" not in {a.name for a in o.arguments}]  # of these, names alone
    widest = min((len(o.fillers) for o in whole), default=0)
    return [(o.place, "all of them are read here, for want of a query") for o in whole if len(o.fillers) == widest][:2]


def _ends_soon(write: Operation) -> bool:
    return write.ttl is not None and write.ttl.kind == "seconds" and (write.ttl.seconds or 0) <= _SHORT


def _key_evidence(write: Operation) -> tuple[Place, str]:
    place = next((a.place for a in write.arguments if a.place), write.place)
    return place, "the key grows with the number of records"


EXAMPLES = '''
=== bad: user profiles as znodes, through a client of another module
--- app/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- app/profiles.py
import json

from app.zk import zk


def save_profile(user):
    zk.create(f"/users/{user.id}", json.dumps(user.as_dict()).encode())  # finding: coordinator-as-database


def load_profile(user_id):
    return json.loads(zk.get(f"/users/{user_id}")[0])

=== bad: one record in four keys is told once
--- pki/store.py
import consul

kv = consul.Consul(host="consul").kv


def keep(certificate):
    kv.put("pki/certificates/%s/private" % certificate.id, certificate.private)  # finding: coordinator-as-database
    kv.put("pki/certificates/%s/public" % certificate.id, certificate.public)
    kv.put("pki/certificates/%s/expires" % certificate.id, str(certificate.expires))

=== bad: orders in etcd
--- shop/orders.py
import json

import etcd3

etcd = etcd3.client(host="etcd")


def place(order):
    etcd.put("/orders/%s" % order["id"], json.dumps(order))  # finding: coordinator-as-database

=== bad: an address book in Consul, one key per contact
--- dird/keys.py
CONTACT = "dird/private/{user_uuid}/contacts/{contact_uuid}"
--- dird/personal.py
import consul

from dird.keys import CONTACT


class Personal:
    def __init__(self, host):
        self._consul = consul.Consul(host=host)

    def add(self, user, contact_id, body):
        key = CONTACT.format(user_uuid=user, contact_uuid=contact_id)
        self._consul.kv.put(key, body)  # finding: coordinator-as-database

=== bad: an address book that is searched by reading all of it
--- dird/keys.py
CONTACTS = "dird/private/{user_uuid}/contacts/"
CONTACT = "dird/private/{user_uuid}/contacts/{contact_uuid}"
--- dird/store.py
import consul

client = consul.Consul(host="consul")
--- dird/add.py
from dird.keys import CONTACT
from dird.store import client


def add(user, contact_id, body):
    client.kv.put(CONTACT.format(user_uuid=user, contact_uuid=contact_id), body)  # finding: coordinator-as-database
--- dird/search.py
from dird.keys import CONTACTS
from dird.store import client


def search(user, term):
    _, everything = client.kv.get(CONTACTS.format(user_uuid=user), recurse=True)
    return [c for c in everything or [] if term in c["Value"]]

=== bad: what fills the key tells what is kept
--- app/tags.py
import etcd3

etcd = etcd3.client()


def tag(user_id, tags):
    etcd.put(f"/tags/{user_id}", ",".join(tags))  # finding: coordinator-as-database

=== bad: whatever an API is asked to keep, through a wrapper of another module
--- hub/store.py
import etcd3

_etcd = etcd3.client(host="etcd")


def write(key, value, seconds=None):
    if seconds is None:
        _etcd.put(key, value)
    else:
        _etcd.put(key, value, lease=_etcd.lease(seconds))


def read(key):
    return _etcd.get(key)[0]
--- hub/catalog.py
from hub import store


def add(name, body):
    store.write(f"recipes/{name}", body)  # finding: coordinator-as-database
--- hub/views.py
from flask import Flask, request

from hub import catalog, store

app = Flask(__name__)


@app.post("/recipes")
def publish():
    recipe = request.get_json()
    catalog.add(recipe["title"], recipe["text"])
    return "", 201


@app.post("/seen/<reader>")
def seen(reader):
    store.write("seen/" + reader, "1", seconds=60)
    return "", 204

=== bad: objects that save themselves with all they have, whatever they are called
--- yard/store.py
import etcd

client = etcd.Client(host="etcd")


def write(key, value):
    client.write(key, value)


def read(key):
    return client.read(key).value
--- yard/hulls.py
import json

from yard.store import read, write


class Kept:
    FOLDER = ""
    name = ""
    builder = ""
    length = 0
    state = ""

    @classmethod
    def path_of(cls, name):
        return cls.FOLDER + "/" + name

    @classmethod
    def load(cls, name):
        made = cls()
        made.__dict__.update(json.loads(read(cls.path_of(name))))
        made.name = name
        return made

    def save(self):
        text = json.dumps({"name": self.name, "builder": self.builder, "length": self.length, "state": self.state})
        write(self.path_of(self.name), text)  # finding: coordinator-as-database


class Hull(Kept):
    FOLDER = "/yard/hulls"

=== good: what a worker tells of itself
--- yard/workers.py
import json
import socket

import etcd

client = etcd.Client(host="etcd")


class Status:
    def __init__(self, load, version, zone):
        self.hostname = socket.gethostname()
        self.load = load
        self.version = version
        self.zone = zone

    def save(self):
        text = json.dumps({"hostname": self.hostname, "load": self.load, "version": self.version, "zone": self.zone})
        client.write("/yard/" + self.hostname, text)

    def load(self):
        return json.loads(client.read("/yard/" + self.hostname).value)

=== good: a request changes settings, and which node owns what
--- hub/store.py
import etcd3

_etcd = etcd3.client(host="etcd")


def write(key, value):
    _etcd.put(key, value)
--- hub/views.py
from flask import Flask, request

from hub import store

app = Flask(__name__)


@app.put("/settings/<name>")
def change(name):
    store.write(f"config/{name}", request.data)
    return "", 204


@app.put("/ranges/<node_id>")
def give(node_id):
    store.write(f"ranges/{node_id}", request.data)
    return "", 204


@app.post("/mode")
def mode():
    store.write("mode", request.data)
    return "", 204

=== good: which shard a customer's data lives on
--- app/shards.py
import etcd3

etcd = etcd3.client()


def assign(customer_id, dsn):
    etcd.put(f"/shards/customers/{customer_id}", dsn)

=== good: what may be subscribed to is one of a few
--- app/events.py
import consul

from app.kinds import KINDS

c = consul.Consul()


def subscribe(kind, way):
    if kind not in KINDS:
        raise ValueError(kind)
    c.kv.put(f"events/subscription/{kind}", way)

=== good: ownership of partitions
--- app/owners.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def own(partition, me):
    zk.create(f"/owners/{partition}", me.encode())

=== good: configuration per service
--- app/settings.py
import consul

c = consul.Consul()


def configure(service, text):
    c.kv.put(f"config/{service}/orders", text)

=== good: a worker registers itself by an ephemeral node
--- app/worker.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def announce(user_agent_host):
    zk.create(f"/mail/{user_agent_host}", b"", ephemeral=True)

=== good: a presence entry that ends with its lease
--- app/presence.py
import etcd3

etcd = etcd3.client()


def seen(user_id):
    etcd.put(f"/online/{user_id}", b"1", lease=etcd.lease(30))

=== good: records in a database, the quorum store only for the shard
--- app/profiles.py
import etcd3
from sqlalchemy import create_engine, text

etcd = etcd3.client()


def save(user):
    dsn, _ = etcd.get(f"/shards/{user.shard}")
    with create_engine(dsn.decode()).begin() as db:
        db.execute(text("UPDATE profile SET body = :b WHERE user_id = :u"), {"b": user.body, "u": user.id})

=== good: a fixed number of keys
--- app/prepare.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def prepare():
    for i in range(3):
        zk.create(f"/devices/device_{i}", b"")

=== good: one fixed key is no growing set
--- app/notice.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def publish(text):
    zk.set("/site/message", text.encode())

=== good: Redis is a place for records with a time to live
--- app/carts.py
import redis

r = redis.Redis()


def save(user_id, cart):
    r.set(f"cart:{user_id}", cart, ex=86400)

=== good: a directory is made sure of, and nothing is kept in it
--- keys/store.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")

def prepare(customer_id):
    zk.ensure_path(f"/customers/{customer_id}/accounts")
'''
