"""An outage of the coordinator becomes a crash: at import, at start-up, in a request or of a thread that nobody misses.

Why: a quorum store stops answering when it loses its majority, during an election, and when the network between it and the
program breaks; kazoo's `start()` then raises after 15 s, etcd and Consul clients raise at the call. A call at module level
makes the import fail, so that the process cannot even start to say what is wrong, and every replica that restarts during
the outage stays away. A call in a request handler turns an outage of the registry into an outage of the product, although
the addresses or settings that it asks for were known a second ago; in a signal that Django sends it fails the save of the record.
A thread whose loop asks the coordinator ends with the first failure that nothing handles: the program runs on, and its addresses,
its leases or its work stay as they were.

Instead: connect in a function that retries with back-off; keep the last known value (in memory, and in a file for
restarts) and serve from it, with a log line, while the coordinator is away; let a background watch refresh it. Catch what
the client really raises: kazoo's `start()` raises KazooTimeoutError, which is not a KazooException.

Fine when: the failure is handled here or by every caller; the program is a command or a one-shot job, whose caller sees the
exit code; a lock that cannot be taken refuses the work on purpose.
It is a note for a request where a third of all handlers, and three at least, ask the coordinator: it is what the program is built on; and where
the handler does nothing else.

Known misses: consumers that end with the first error; error handlers of a framework that are registered by configuration.
Configuration reads and look-ups of instances have rules of their own.

Sources: kazoo source, KazooClient.start and KazooTimeoutError; etcd documentation, FAQ (without a majority nothing is written).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    System,
    WayIn,
    backend_name,
    call_name,
    ends_thread,
    found,
    reads_configuration,
    rule,
    survives_outage,
    way_in,
)

_BACKENDS = (*COORDINATORS, "tooz")
_ROUND_TRIPS = (Op.CONNECT, Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.DELETE, Op.REGISTER)


@rule("CL601", severity=WARNING)
def unguarded_coordination_call(system: System) -> Iterator[Found]:
    told: set[object] = set()
    saving: dict[str, list[tuple[Operation, WayIn]]] = {}
    for call in system.operations(*_ROUND_TRIPS, backend=_BACKENDS):
        way = way_in(system, call)
        if way is None or {call.symbol, (way.place, way.harm)} & told or survives_outage(system, call):
            continue  # one finding for each function and for each way in
        if reads_configuration(call, way):
            continue  # which has a rule and a cure of its own
        told |= {call.symbol, (way.place, way.harm)}
        if way.when == "save":
            saving.setdefault(call.place.path, []).append((call, way))
            continue
        too_narrow = [(g.place, f"catches {', '.join(g.catches)}: not what an outage raises") for g in call.guards]
        yield found(
            f"An outage of {backend_name(call.backend)} {way.harm}: nothing handles the failure of {call_name(call)}.",
            at=call,
            because=[(way.place, way.reason), *too_narrow[:1], *call.origin],
            severity=INFO if way.when == "request" and (system.is_asked_by_most(call.backend) or is_all_that_is_asked(system, call, way)) else WARNING,
            confidence=way.confidence,
        )
    yield from _in_threads(system, told)
    for calls in saving.values():  # the handlers of one module are told once, those that catch nothing first
        calls.sort(key=lambda c: bool(c[0].guards))
        call, way = calls[0]
        alike = [(other.place, "the same goes for what is done here") for other, _ in calls[1:4]]
        yield found(
            f"An outage of {backend_name(call.backend)} {way.harm}: nothing handles the failure of {call_name(call)}.",
            at=call,
            because=[(way.place, way.reason), *alike, *call.origin],
            confidence=way.confidence,
        )


def is_all_that_is_asked(system: System, call: Operation, way: WayIn) -> bool:
    """Whether the handler stands right here and does nothing else: a request for what only the coordinator knows can but fail."""
    is_handler = any(e.symbol == call.symbol and e.place == way.place for e in system.entries_reaching(call.symbol))
    return is_handler and all(o.backend == call.backend for o in system.operations() if o.symbol == call.symbol)


def _in_threads(system: System, told: set[object]) -> Iterator[Found]:
    """Loops in the background that the first failure ends, while the program goes on without them."""
    for call in system.operations(*_ROUND_TRIPS, Op.KEEPALIVE, Op.LEASE, backend=_BACKENDS):
        ended = ends_thread(system, call)
        if not ended or {call.symbol, ended[0]} & told or survives_outage(system, call):
            continue
        started, *way = ended
        told |= {call.symbol, started}
        yield found(
            f"An outage of {backend_name(call.backend)} ends a loop in the background: nothing handles the failure of {call_name(call)}, and the program goes on without it.",
            at=call,
            because=[(started, "the loop is started here, and nobody asks how it ends"), *((at, "and asks here") for at in way[:2]), *call.origin],
            confidence=MEDIUM,
            help="Handle the failure inside the loop: log it, wait, try again; or end the whole program, so that whoever runs it starts it anew.",
        )


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

=== bad: a request writes to Consul, in a helper of another module
--- app/presence.py
import consul

c = consul.Consul(host="consul")


def seen(user):
    c.kv.put(f"online/{user}", "1")  # finding: unguarded-coordination-call
--- app/views.py
from flask import Flask

from app.presence import seen

app = Flask(__name__)


@app.get("/<user>")
def index(user):
    seen(user)
    return "hello"

=== bad: a service whose start joins the group, and whose host is elsewhere
--- node/settings.py
BACKEND = "zookeeper://zk:2181"
--- node/membership.py
from tooz import coordination

from node.settings import BACKEND


class GroupService:
    def __init__(self, name):
        self.coordinator = coordination.get_coordinator(BACKEND, name)

    def start(self):
        self.coordinator.start()  # finding: unguarded-coordination-call
        self.coordinator.join_group(b"nodes")

    def stop(self):
        self.coordinator.leave_group(b"nodes")
        self.coordinator.stop()

=== good: a step before the program, which the image takes
--- Dockerfile
FROM python:3.11
COPY . /srv
WORKDIR /srv
ENTRYPOINT ["./entry.sh"]
CMD ["gunicorn", "shop.web:app"]
--- entry.sh
#!/bin/sh
set -e
python prepare.py "$ZK_HOSTS"
exec "$@"
--- compose.yaml
services:
  shop:
    build: .
    restart: always
--- prepare.py
import sys

from kazoo.client import KazooClient

zk = KazooClient(hosts=sys.argv[1])
zk.start()
zk.ensure_path("/shop/locks")
--- shop/web.py
from flask import Flask

app = Flask(__name__)

=== good: the service tries again until it is in
--- node/membership.py
import time

from tooz import coordination


class GroupService:
    def __init__(self, name):
        self.coordinator = coordination.get_coordinator("zookeeper://zk:2181", name)

    def start(self):
        while True:
            try:
                self.coordinator.start()
                self.coordinator.join_group(b"nodes")
                break
            except coordination.ToozError:
                time.sleep(5)

    def stop(self):
        self.coordinator.leave_group(b"nodes")
        self.coordinator.stop()

=== bad: a thread looks for changes until the first failure
--- app/follower.py
import threading
import time

import consul

c = consul.Consul(host="consul")
known = {}


def refresh():
    _, rows = c.kv.get("routes/", recurse=True)  # finding: unguarded-coordination-call
    known.update((row["Key"], row["Value"]) for row in rows or [])


def follow():
    while True:
        refresh()
        time.sleep(5)


def begin():
    threading.Thread(target=follow, daemon=True).start()

=== bad: a task of asyncio looks for changes until the first failure
--- app/follower.py
import asyncio

import etcd3

etcd = etcd3.client(host="etcd")


async def follow(on_change):
    while True:
        on_change(etcd.get("/routes/default")[0])  # finding: unguarded-coordination-call
        await asyncio.sleep(5)


async def begin(on_change):
    asyncio.create_task(follow(on_change))

=== bad: a thread tells that it lives until it is told to stop, or until the first failure
--- app/beat.py
import threading

import consul

c = consul.Consul(host="consul")


class Beat:
    def __init__(self, name):
        self.name = name
        self._stopped = threading.Event()

    def begin(self):
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while not self._stopped.is_set():
            c.kv.put(f"beats/{self.name}", "1")  # finding: unguarded-coordination-call
            self._stopped.wait(5)

=== good: a thread that waits until something is there, and does its work
--- app/first.py
import threading
import time

import consul

c = consul.Consul(host="consul")


def address():
    found = None
    while not found:
        _, found = c.kv.get("first/address")
        time.sleep(1)
    return found


def work():
    print(address())


def begin():
    threading.Thread(target=work).start()

=== good: the thread goes on after a failure; one that asks once; the loop of the program itself
--- app/follower.py
import logging
import threading
import time

import consul

c = consul.Consul(host="consul")
known = {}


def refresh():
    _, rows = c.kv.get("routes/", recurse=True)
    known.update((row["Key"], row["Value"]) for row in rows or [])


def follow():
    while True:
        try:
            refresh()
        except Exception:
            logging.exception("the routes stay as they are")
        time.sleep(5)


def fill():
    refresh()


def begin():
    threading.Thread(target=follow, daemon=True).start()
    threading.Thread(target=fill).start()


def main():
    while True:
        refresh()
        time.sleep(5)

=== bad: what is saved is published from a signal, inside the save
--- shop/signals.py
import etcd3
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from shop.models import Tariff

etcd = etcd3.client(host="etcd")


@receiver(post_save, sender=Tariff)
def publish(sender, instance, **kwargs):
    etcd.put(f"/tariffs/{instance.pk}", instance.text)  # finding: unguarded-coordination-call


def withdraw(sender, instance, **kwargs):
    etcd.delete(f"/tariffs/{instance.pk}")


post_delete.connect(withdraw, sender=Tariff)
--- shop/models.py
from django.db import models


class Tariff(models.Model):
    text = models.TextField()

=== good: a signal that notes the failure, and one that starts the work elsewhere
--- shop/signals.py
import logging

import etcd3
from celery import shared_task
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from shop.models import Tariff

etcd = etcd3.client(host="etcd")


@receiver(post_save, sender=Tariff)
def publish(sender, instance, **kwargs):
    try:
        etcd.put(f"/tariffs/{instance.pk}", instance.text)
    except etcd3.exceptions.Etcd3Exception:
        logging.exception("the tariff is published at the next full run")


@shared_task
def remove(key):
    etcd.delete(f"/tariffs/{key}")


def withdraw(sender, instance, **kwargs):
    remove.delay(instance.pk)


post_delete.connect(withdraw, sender=Tariff)
--- shop/models.py
from django.db import models


class Tariff(models.Model):
    text = models.TextField()

=== good: a client of the project, which its users start
--- node/client.py
from kazoo.client import KazooClient


class Registry:
    def __init__(self, hosts):
        self.zk = KazooClient(hosts=hosts)

    def start(self):
        self.zk.start()

    def stop(self):
        self.zk.stop()

=== bad: the application cannot be made
--- app/main.py
from fastapi import FastAPI
from kazoo.client import KazooClient


def connected():
    zk = KazooClient(hosts="zk:2181")
    zk.start()  # finding: unguarded-coordination-call
    return zk


zk = connected()
app = FastAPI()


@app.get("/")
def root():
    return "hello"

=== bad: a sidecar that stays and listens
--- side/zk.py
from kazoo.client import KazooClient, KazooState

zk = KazooClient(hosts="zk:2181")
zk.start()  # finding: unguarded-coordination-call


def on_state(state):
    if state != KazooState.CONNECTED:
        print("not connected")


zk.add_listener(on_state)

=== bad: the handler is for keys that are missing, not for an outage
--- app/views.py
import etcd3
from flask import Flask

app = Flask(__name__)
etcd = etcd3.client(host="etcd")


@app.get("/shard")
def shard():
    try:
        value, _ = etcd.get("/shards/1")  # finding: unguarded-coordination-call
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

=== good: handed over at import, called later
--- app/backends.py
import consul

HANDLERS = {}


def register(name, handler):
    HANDLERS[name] = handler


def with_consul(key):
    c = consul.Consul(host="consul")
    return c.kv.put(key, "1")


register("consul", with_consul)
--- app/main.py
from app.backends import HANDLERS

print(HANDLERS)

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

=== bad: a pod's program joins when it starts
--- k8s/node.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: node}
spec:
  template:
    metadata: {labels: {app: node}}
    spec:
      containers:
        - name: node
          image: acme/node
          command: [python, -m, node.main]
--- node/__init__.py

--- node/main.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def main():
    zk.start()  # finding: unguarded-coordination-call
    while True:
        print(zk.get_children("/nodes"))


if __name__ == "__main__":
    main()
'''
