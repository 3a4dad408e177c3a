"""An instance registers itself by a persistent node, a key without lease, or a service without a check.

Why: a registration has to end with the instance. A process that crashes, is killed for memory or loses its network runs
no clean-up code, so a persistent ZooKeeper node, an etcd key without a lease and a Consul service without a check or a
time to live stay, and callers are sent to an address where nobody answers until somebody removes the entry by hand.

Instead: ZooKeeper: `create(path, data, ephemeral=True)`, again after each new session. etcd: `put(key, value,
lease=client.lease(10))` and keep the lease alive. Consul: register with `check=Check.http(...)` or `Check.ttl("10s")` and
`deregister="1m"` (DeregisterCriticalServiceAfter), so that dead instances are marked and then removed.

Fine when: the node is the directory of the members and not a member; the entry is configuration, an assignment or a job's
state that must outlive its writer; the entry carries a time that readers compare.

Known misses: registrations in Redis or a table; addresses under a prefix that does not name members.

Sources: ZooKeeper, Data Model (ephemeral nodes); etcd documentation, etcd versus other key-value stores (lease); py-consul source,
agent.service.register (check and ttl default to None).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Late,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    fixed,
    found,
    rule,
    words,
)

_MEMBERS = frozenset(
    {"service", "provider", "node", "member", "instance", "worker", "server", "broker", "host", "master", "agent", "peer"}
    | {"replica", "backend", "upstream", "registry", "discovery", "alive", "live", "online", "participant", "executor"}
)
_ADDRESS = frozenset({"host", "hostname", "addr", "address", "ip", "port", "endpoint", "url", "uri", "fqdn", "gethostname", "discovery"})
_REGISTERS = frozenset({"register", "registration", "announce", "advertise", "join", "enroll", "subscribe"})
# Facts that must outlive their writer, or that are no member.
_LASTING = frozenset(
    {"config", "configuration", "conf", "setting", "shard", "assignment", "lock", "leader", "election", "job", "task", "status"}
    | {"state", "desired", "spec", "schema", "policy", "key", "secret", "template", "limit", "quota", "flag", "feature", "dead"}
)
_DATED = frozenset({"time", "timestamp", "heartbeat", "expire", "expiry", "seen", "deadline", "utcnow", "now"})
_WORKING = frozenset({"worker", "executor", "instance", "replica", "agent", "participant", "member", "runner"})  # who comes and goes by itself
_PROCESS = frozenset({"pid", "getpid", "hostname", "gethostname"})  # what one process is called by
_PLACES = frozenset({"master", "primary", "active", "coordinator", "controller", "manager", "scheduler", "dispatcher", "orchestrator", "namenode", "owner"})  # what one process is, and says so
_ATTRIBUTE = frozenset({"url", "uri", "addr", "address", "ip", "port", "endpoint", "host", "hostname"})
_CHECKS = ("check", "checks", "ttl", "interval", "script", "http", "tcp", "grpc", "**")  # "**": a mapping of unknown content


@rule("CL404", severity=WARNING)
def membership_without_lease(system: System) -> Iterator[Found]:
    checks = [op for op in system.operations(Op.REGISTER, backend="consul") if ".Check." in op.call]
    for registration in system.operations(Op.REGISTER, backend="consul"):
        if registration.ephemeral or ".Check." in registration.call or checks:
            continue
        if any(a.name in _CHECKS for a in registration.arguments) or ("check", "=") in registration.writes:
            continue
        yield found(
            f"Registers the service{_quoted(registration)} in Consul with neither a health check nor a TTL: it stays when the "
            "instance dies.",
            at=registration,
            because=[*_removals(system, registration), *registration.origin] or [(_argument(registration), "what is registered")],
        )
    told: set[tuple[str, str | None]] = set()
    for write in system.operations(backend=COORDINATORS):
        if (write.symbol, write.key) in told or not write.stores or _may_end(system, write) or _lasts(write):
            continue
        if not _names_member(write) and not _is_named_by_process(write) and not _is_counted_among(system, write) and not _takes_a_place(write):
            continue
        told.add((write.symbol, write.key))
        yield found(
            f"Registers an instance in {backend_name(write.backend)} by {_kind(write)} `{write.key_text or write.key}`: it stays "
            "when the instance dies.",
            at=write,
            because=[*_removals(system, write), *write.origin] or [(_argument(write), "the key of the registration")],
            confidence=HIGH if write.symbol_words & _REGISTERS and _said(write) & _ADDRESS else MEDIUM,
        )


def _may_end(system: System, write: Operation) -> bool:
    """Whether the entry has a lease (here or where it is created), or an argument of unknown value that may give it one."""
    unknown = write.ephemeral is None and any(write.argument(name) for name in ("ephemeral", "lease", "acquire"))
    return bool(write.ephemeral or write.ttl or unknown) or any(o.ephemeral for o in system.same_key(write))


def _names_member(write: Operation) -> bool:
    """The key lies among members, and the entry carries an address or the function says that it registers."""
    if write.late is Late.ADD_MEMBER or not write.key_words & _MEMBERS:
        return False  # `ensure_path` makes the directory
    above, _, last = write.key_text.rpartition("/")
    if "{" in above and "{" not in last and words(last) & _ATTRIBUTE and not words(fixed(above)) & _MEMBERS:
        return False  # an attribute of something else: "functions/{name}/service_url"
    if _said(write) & _ADDRESS:
        return True
    return bool(write.symbol_words & _REGISTERS) and write.argument("value") is not None


def _is_named_by_process(write: Operation) -> bool:
    """An entry of one process among those that work: "/workers/{pid}", whatever is written into it."""
    before, hole, after = (write.key_text or "").rpartition("{")
    if not hole or not after.endswith("}") or write.late is Late.ADD_MEMBER or write.argument("value") is None:
        return False
    return bool(words(after.removesuffix("}")) & _PROCESS and words(fixed(before)) & _WORKING)


def _takes_a_place(write: Operation) -> bool:
    """A process that makes the one entry of its kind, "/cluster/master", and writes there which process it is, or where."""
    value, last = write.argument("value"), (write.key_text or "").rstrip("/").rpartition("/")[2]
    if value is None or write.late is Late.ADD_MEMBER or not words(last) & _PLACES or "{" in last:
        return False
    return (write.op is Op.CREATE or write.absent is not None) and bool(_said(write) & (_PROCESS | _ADDRESS))


def _is_counted_among(system: System, write: Operation) -> bool:
    """One more of those that do the work, under its own name, whom somebody lists and only an orderly end removes."""
    before, hole, after = (write.key_text or "").rpartition("{")
    name = after.removesuffix("}")
    value = write.argument("value")
    if not hole or not after.endswith("}") or value is None or (value.text not in (name, "") and value.value not in ("", None)):
        return False
    if not words(before.rpartition("/")[2] or before.rstrip("/").rpartition("/")[2]) & _WORKING or not words(name) & _WORKING:
        return False
    above = (write.key or "").removesuffix("{}").rstrip("_-/.")
    listed = any((o.key or "").rstrip("_-/.") == above for o in system.operations(Op.LIST, backend=write.backend))
    return listed and any(o.op is Op.DELETE and o.key == write.key for o in system.operations(Op.DELETE, backend=write.backend))


def _lasts(write: Operation) -> bool:
    return bool(write.key_words & _LASTING or _said(write) & _DATED or write.symbol_words & {"config", "configure", "migrate"})


def _said(write: Operation) -> frozenset[str]:
    """Words of what fills the key and of the value that is written."""
    value = write.argument("value")
    spoken = [*write.fillers, *((value.text, *value.mentions) if value else ())]
    return words(" ".join(spoken))


def _kind(write: Operation) -> str:
    return "the persistent node" if write.backend == "zookeeper" else "the key without a lease"


def _quoted(registration: Operation) -> str:
    return f" `{registration.key_text or registration.key}`" if registration.key else ""


def _removals(system: System, write: Operation) -> list[tuple[Place, str]]:
    """Where an orderly shutdown removes the entry: the only thing that does."""
    for op in system.operations(Op.DEREGISTER, Op.DELETE, backend=write.backend):
        if op.op is Op.DEREGISTER or (op.key and op.key == write.key):
            return [(op.place, "only an orderly shutdown comes here and removes it")]
    return []


def _argument(write: Operation) -> Place:
    return next((a.place for a in write.arguments if a.place), write.place)


EXAMPLES = '''
=== bad: a persistent node with the address, through a client of another module
--- svc/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
--- svc/register.py
import os
import socket

from svc.zk import zk


def register():
    address = socket.gethostname() + ":" + os.environ["PORT"]
    zk.create("/services/payment/instance-", address.encode(), sequence=True)  # finding: membership-without-lease

=== bad: an etcd key without lease
--- svc/join.py
import etcd3

etcd = etcd3.client(host="etcd")


def join(name, endpoint):
    etcd.put(f"/members/{name}", endpoint)  # finding: membership-without-lease


def leave(name):
    etcd.delete(f"/members/{name}")

=== bad: a Consul service without a check
--- svc/register_consul.py
import os

import consul

client = consul.Consul(host=os.environ["CONSUL_HOST"])

client.agent.service.register(  # finding: membership-without-lease
    name="facade",
    service_id=os.environ["SERVICE_NAME"],
    address=os.environ["SERVICE_ADDRESS"],
    port=int(os.environ["SERVICE_PORT"]),
)

=== bad: a node is set to where the service listens
--- svc/side.py
import os

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
zk.start()
HOST = os.getenv("REDIS_HOST")


def announce():
    zk.ensure_path("/services/redis")
    zk.set("/services/redis", HOST.encode())  # finding: membership-without-lease


announce()

=== bad: who works is listed, and only an orderly end takes it off
--- pool/keys.py
import etcd3gw

store = etcd3gw.client(host="etcd")
--- pool/workers.py
from pool.keys import store


def add(pool, worker):
    store.create("pools/%s/worker_%s" % (pool, worker), worker)  # finding: membership-without-lease


def remove(pool, worker):
    store.delete("pools/%s/worker_%s" % (pool, worker))


def workers(pool):
    return [name for name, _ in store.get_prefix("pools/%s/worker" % pool)]

=== bad: what starts workers notes them by the number of their process, and nobody takes off the one that dies
--- pool/start.py
import subprocess

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
zk.start()


def start():
    pid = subprocess.Popen(["python", "worker.py"]).pid
    zk.create("/worker/standby/" + str(pid), b"running", makepath=True)  # finding: membership-without-lease


def stop(pid):
    zk.delete("/worker/standby/" + str(pid))

=== bad: the one that leads writes its process down, and whoever starts after its death finds the place taken
--- pool/clients.py
from kazoo.client import KazooClient

store = KazooClient(hosts="zk:2181")
store.start()
--- pool/lead.py
import os

from pool.clients import store


def lead():
    if store.exists("/pool/dispatcher") is None:
        pid = os.getpid()
        store.create_async("/pool/dispatcher", str.encode(str(pid)))  # finding: membership-without-lease

=== good: the place ends with the session of its holder; a manager writes down whom it has chosen; what a place is for is a setting
--- pool/lead.py
import os

from kazoo.client import KazooClient

store = KazooClient(hosts="zk:2181")
store.start()


def lead():
    store.create("/pool/dispatcher", str(os.getpid()).encode(), ephemeral=True)


def choose(hostname):
    store.set("/pool/primary", hostname.encode())


def prepare(limit):
    store.create("/pool/manager", str(limit).encode())

=== good: the worker itself notes its process, for as long as its session lives
--- pool/worker.py
import os

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
zk.start()
zk.create("/worker/standby/" + str(os.getpid()), b"running", ephemeral=True, makepath=True)

=== good: where a function is served, one entry of the function
--- pool/address.py
import etcd3gw

store = etcd3gw.client(host="etcd")


def publish(function_id, url):
    store.put("functions/%s/service_url" % function_id, url)

=== good: an ephemeral node
--- svc/register.py
import socket

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def register():
    zk.ensure_path("/services/payment")
    zk.create("/services/payment/instance-", socket.gethostname().encode(), ephemeral=True, sequence=True)

=== good: the ephemeral node is changed later
--- svc/register.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def register(hostname):
    zk.create(f"/workers/{hostname}", b"idle", ephemeral=True)


def busy(hostname):
    zk.set(f"/workers/{hostname}", b"busy")

=== good: a leased key
--- svc/join.py
import etcd3

etcd = etcd3.client(host="etcd")


def join(name, endpoint):
    etcd.put(f"/members/{name}", endpoint, lease=etcd.lease(10))

=== good: a leased key, positional
--- svc/join.py
import etcd3

etcd = etcd3.client(host="etcd")


def join(name, endpoint):
    lease = etcd.lease(10)
    etcd.put(f"/members/{name}", endpoint, lease)

=== good: a TTL check
--- svc/consul_ttl.py
import consul

c = consul.Consul()


def register(name, address, port):
    c.agent.service.register(name, address=address, port=port, check=consul.Check.ttl("10s"))

=== good: the check comes in a mapping of the caller, through a decorated method
--- svc/registry.py
import functools

import consul

def logged(work):
    @functools.wraps(work)
    def run(self, *args, **kwargs):
        try:
            return work(self, *args, **kwargs)
        except consul.ConsulException:
            return False
    return run

class Registry:
    def __init__(self):
        self.client = consul.Consul(host="consul")

    @logged
    def register(self, name, **kwargs):
        return self.client.agent.service.register(name, **kwargs)

    def update(self, name, data):
        check = consul.Check.http(data["url"], "5s", deregister="60s")
        params = {"service_id": name, "address": data["host"], "check": check}
        return self.register(name, **params)

=== good: the check is registered on its own
--- svc/consul_check.py
import consul

c = consul.Consul()


def register(name, address, port):
    c.agent.service.register(name, service_id=name, address=address, port=port)
    c.agent.check.register("alive", service_id=name, ttl="10s")

=== good: the directory of the members
--- svc/setup.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def setup(app):
    zk.ensure_path("/services")
    zk.ensure_path(f"/services/{app}")

=== good: configuration of a service
--- svc/configure.py
import etcd3

etcd = etcd3.client()


def point(service, url):
    etcd.put(f"/config/services/{service}/database", url)

=== good: a job's state must outlive its worker
--- svc/jobs.py
import etcd3

etcd = etcd3.client()


def finish(host, job):
    etcd.put(f"/workers/jobs/{job}/status", host)

=== good: an entry with a time that readers compare
--- svc/beat.py
import time

import etcd3

etcd = etcd3.client()


def beat(host):
    etcd.put(f"/workers/{host}", str(time.time()))
=== good: a registration over plain HTTP that carries its check
--- service/app.py
import requests

def body(name, port):
    return {"Name": name, "Port": port, "Check": {"HTTP": f"http://{name}:{port}/up", "Interval": "5s"}}

def register(name):
    requests.put("http://consul:8500/v1/agent/service/register", json=body(name, 8080), timeout=2)

=== good: as text, with its check; what the body is, its caller knows
--- service/app.py
import json
import os
import requests

def register(name, port):
    url = f"http://{os.environ['CONSUL']}:8500/v1/agent/service/register"
    payload = {"ID": name, "Name": name, "Port": port, "Check": {"HTTP": f"http://{name}:{port}/up", "Interval": "5s"}}
    requests.put(url, data=json.dumps(payload), timeout=2)

def register_as(body):
    requests.put("http://consul:8500/v1/agent/service/register", data=json.dumps(body).encode(), timeout=2)

=== bad: as text, with nothing that would remove it
--- service/app.py
import json
import requests

def register(name):
    payload = {"Name": name, "Port": 80}
    requests.put("http://consul:8500/v1/agent/service/register", data=json.dumps(payload), timeout=2)  # finding: membership-without-lease

=== bad: a registration over plain HTTP with nothing that would remove it
--- service/app.py
import requests

def register(name):
    requests.put("http://consul:8500/v1/agent/service/register", json={"Name": name, "Port": 80}, timeout=2)  # finding: membership-without-lease

=== bad: one registration, tried again when the directory is missing, is told once
--- gateway/register.py
from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

zk = KazooClient(hosts="zk:2181")

def register(version, host, port):
    try:
        zk.create(f"/instances/{version}/{host}:{port}", b"")  # finding: membership-without-lease
    except NoNodeError:
        zk.ensure_path(f"/instances/{version}")
        zk.create(f"/instances/{version}/{host}:{port}", b"")
'''
