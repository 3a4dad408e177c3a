"""An outage of the coordinator becomes a crash: at import, at start-up or in a request.

Why: a quorum store stops answering when it loses its majority, during an election, and when the network between it and the
program breaks; kazoo's `start()` then raises after 15 s, etcd and Consul clients raise at the call. A call at module level
makes the import fail, so that the process cannot even start to say what is wrong, and every replica that restarts during
the outage stays away. A call in a request handler turns an outage of the registry into an outage of the product, although
the addresses or settings that it asks for were known a second ago.

Instead: connect in a function that retries with back-off; keep the last known value (in memory, and in a file for
restarts) and serve from it, with a log line, while the coordinator is away; let a background watch refresh it. Catch what
the client really raises: kazoo's `start()` raises KazooTimeoutError, which is not a KazooException.

Fine when: the failure is handled here or by every caller; the program is a command or a one-shot job, whose caller sees the
exit code; a lock that cannot be taken refuses the work on purpose.

Known misses: threads and consumers that end with the first error; error handlers of a framework that are registered by
configuration.

Sources: kazoo API documentation (KazooClient.start, KazooTimeoutError); etcd documentation, Failure modes; AWS Builders'
Library, Static stability using Availability Zones.
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Confidence,
    Entry,
    Found,
    Guard,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    call_name,
    found,
    rule,
    words,
)

_ROUND_TRIPS = (Op.CONNECT, Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.DELETE, Op.REGISTER, Op.DISCOVER)
# Handlers of these see answers of a working store, or mistakes of the program, but no outage.
_NOT_AN_OUTAGE = frozenset(
    {"KeyError", "ValueError", "TypeError", "IndexError", "AttributeError", "LookupError", "ImportError", "StopIteration"}
    | {"JSONDecodeError", "UnicodeDecodeError", "KeyboardInterrupt", "NoNodeError", "NodeExistsError", "BadVersionError"}
    | {"NotEmptyError", "NotFound", "EtcdKeyNotFound", "EtcdAlreadyExist", "LockTimeout"}
)
_ONE_SHOT = ("job", "cronjob")
_GUARDING_DECORATORS = frozenset({"retry", "backoff", "circuit", "breaker", "fallback", "handle", "errorhandler", "suppress", "catch"})


@rule("CL601", severity=WARNING)
def unguarded_coordination_call(system: System) -> Iterator[Found]:
    seen: set[str] = set()
    for call in system.operations(*_ROUND_TRIPS, backend=COORDINATORS):
        if call.via or call.symbol in seen or _is_guarded(system, call):
            continue
        harm = _harm(system, call)
        if harm is None:
            continue
        seen.add(call.symbol)
        what, evidence, confidence = harm
        too_narrow = [(g.place, f"catches {', '.join(g.catches)}: not what an outage raises") for g in call.guards]
        yield found(
            f"An outage of {backend_name(call.backend)} {what}: nothing handles the failure of {call_name(call)}.",
            at=call,
            because=[evidence, *too_narrow[:1], *call.origin],
            confidence=confidence,
        )


def _harm(system: System, call: Operation) -> tuple[str, tuple[Place, str], Confidence] | None:
    """What the outage does, the place that proves it, and how sure that is. None for commands and one-shot programs."""
    if system.function(call.symbol) is None:
        importers = system.imported_by(call.symbol)
        if importers:
            return "makes the import of this module fail", (importers[0], "this module imports it"), HIGH
    entries = system.entries_reaching(call.symbol)
    request = next((e for e in entries if e.kind == "http"), None)
    if request is not None and not _has_error_handler(system):
        return "fails the request", (request.place, f"a request comes in here: {request.reason}"), HIGH
    if not _starts_up(call, entries, system):
        return None
    for workload in system.workloads_of(call.symbol):
        if workload.kind not in _ONE_SHOT:
            run = workload.runs[0].place if workload.runs else workload.place
            return "ends the program when it starts", (run, f"{workload.name} runs this program as a service"), MEDIUM
    return None


def _starts_up(call: Operation, entries: tuple[Entry, ...], system: System) -> bool:
    """Whether the call belongs to the start of a program, and is no mere step of its work."""
    if call.op not in (Op.CONNECT, Op.REGISTER, Op.READ):
        return False
    return system.function(call.symbol) is None or any(e.kind in ("main", "import") for e in entries)


def _is_guarded(system: System, call: Operation) -> bool:
    if any(_fits(guard, call) for guard in system.guards_above(call)):
        return True
    function = system.function(call.symbol)
    return function is not None and any(words(d) & _GUARDING_DECORATORS for d in function.decorators)


def _fits(guard: Guard, call: Operation) -> bool:
    """Whether a handler sees the outage. What it then does is a decision, so a translation counts as well."""
    names = {name.rpartition(".")[2] for name in guard.catches}
    if call.op is Op.CONNECT and call.backend == "zookeeper" and names and all(_is_kazoo(name) for name in names):
        return False  # KazooTimeoutError passes `except KazooException`
    return bool(names - _NOT_AN_OUTAGE)


def _is_kazoo(name: str) -> bool:
    return name in ("KazooException", "ConnectionLoss", "ZookeeperError", "SessionExpiredError", "ConnectionClosedError")


def _has_error_handler(system: System) -> bool:
    """Whether the application translates exceptions of every request in one place."""
    handlers = ("errorhandler", "exception_handler", "app_errorhandler")
    return any(d.rpartition(".")[2] in handlers for f in system.functions() for d in f.decorators)


EXAMPLES = '''
=== bad: the client starts when the module is imported
--- app/zk.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")
zk.start()  # finding: unguarded-coordination-call
--- app/views.py
from flask import Flask

from app.zk import zk

app = Flask(__name__)


@app.get("/")
def index():
    return "hello"

=== bad: a request asks Consul for an address, in a helper of another module
--- app/discovery.py
import consul

c = consul.Consul(host="consul")


def address(name):
    _, nodes = c.health.service(name, passing=True)  # finding: unguarded-coordination-call
    return nodes[0]["Service"]["Address"]
--- app/views.py
from flask import Flask

from app.discovery import address

app = Flask(__name__)


@app.get("/pay")
def pay():
    return address("payments")

=== bad: the handler is for keys that are missing, not for an outage
--- app/views.py
import etcd3
from flask import Flask

app = Flask(__name__)
etcd = etcd3.client(host="etcd")


@app.get("/limit")
def limit():
    try:
        value, _ = etcd.get("/config/limit")  # finding: unguarded-coordination-call
        return value.decode()
    except KeyError:
        return "100"

=== bad: start() does not raise a KazooException
--- app/zk.py
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

zk = KazooClient(hosts="zk:2181")
try:
    zk.start()  # finding: unguarded-coordination-call
except KazooException:
    zk = None
--- app/main.py
from app.zk import zk

print(zk)

=== bad: a service registers when it starts, and a compose file runs it
--- svc/register.py
import os

import consul

client = consul.Consul(host=os.environ["CONSUL_HOST"])
client.agent.service.register("facade", port=8080, check=consul.Check.tcp("facade", 8080, "10s"))  # finding: unguarded-coordination-call
--- compose.yaml
services:
  facade:
    build: .
    command: python svc/register.py

=== good: handled here
--- app/views.py
import consul
from flask import Flask

app = Flask(__name__)
c = consul.Consul(host="consul")
last = {}


@app.get("/pay")
def pay():
    try:
        _, nodes = c.health.service("payments", passing=True)
        last["payments"] = nodes
    except consul.ConsulException:
        nodes = last.get("payments", [])
    return str(nodes)

=== good: handled by the only caller
--- app/discovery.py
import etcd3

etcd = etcd3.client(host="etcd")


def limit():
    return etcd.get("/config/limit")[0]
--- app/views.py
from flask import Flask

from app.discovery import limit

app = Flask(__name__)


@app.get("/limit")
def show():
    try:
        return limit().decode()
    except Exception:
        return "100"

=== good: a context manager translates the failure
--- app/views.py
from contextlib import contextmanager

import consul
from flask import Flask

app = Flask(__name__)


class Unavailable(Exception):
    pass


@contextmanager
def registry():
    try:
        yield consul.Consul(host="consul")
    except consul.ConsulException as error:
        raise Unavailable(str(error))


@app.get("/nodes")
def nodes():
    with registry() as c:
        return str(c.catalog.nodes())

=== good: a command of an operator
--- tools/init_config.py
import sys

from kazoo.client import KazooClient


def main():
    zk = KazooClient(hosts=sys.argv[1])
    zk.start()
    zk.ensure_path("/config")
    zk.set("/config/limit", b"100")


if __name__ == "__main__":
    main()

=== good: a one-shot job
--- tools/seed.py
import consul

c = consul.Consul(host="consul")
c.kv.put("config/limit", "100")
--- job.yaml
apiVersion: batch/v1
kind: Job
metadata:
  name: seed
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: seed
          image: tools
          command: ["python", "tools/seed.py"]

=== good: connecting is retried with a pause
--- app/zk.py
import time

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def connect():
    for attempt in range(15):
        try:
            zk.start()
            return
        except Exception:
            time.sleep(2**attempt)
    raise RuntimeError("no ZooKeeper")
--- app/main.py
from app.zk import connect

if __name__ == "__main__":
    connect()
--- compose.yaml
services:
  app:
    build: .
    command: python -m app.main

=== good: a lock that cannot be had refuses the request on purpose
--- app/views.py
from flask import Flask
from kazoo.client import KazooClient

app = Flask(__name__)
zk = KazooClient(hosts="zk:2181")


@app.post("/book")
def book():
    with zk.Lock("/locks/book", "me"):
        return "booked"

=== good: the client is only made at import, and made lazily
--- app/store.py
import etcd3

etcd = etcd3.client(host="etcd")
--- app/main.py
from app.store import etcd

print(etcd)

=== good: tests talk to a real store
--- tests/test_store.py
import etcd3

etcd = etcd3.client()
etcd.put("/x", "1")
'''
