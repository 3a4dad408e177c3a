"""Configuration is read from a coordinator with no last known value to fall back on.

Why: settings change a few times a week and are read at every start, mostly when many instances restart at once: a roll-out,
a recovery, a scale-up in the evening. If the coordinator does not answer just then, no instance comes up although yesterday's
settings would have done, and a missing key (Consul answers None, etcd (None, None)) ends in an AttributeError far from its cause.

Instead: catch the failure and use the last known value, kept in memory and in a file for restarts, or a default in the code; say
so in the log. Keep the value fresh by a watch (kazoo DataWatch, etcd watch, Consul blocking query) and not by a read on each use.

Fine when: the failure is handled here or by every caller; the value is kept by a watch; a command for operators reads it.

Sources: kazoo documentation, Basic Usage (DataWatch, connection states); Consul KV API (blocking queries, missing keys).
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
    System,
    backend_name,
    found,
    reads_configuration,
    rule,
    survives_outage,
    way_in,
)


@rule("CL602", severity=WARNING)
def config_read_without_fallback(system: System) -> Iterator[Found]:
    watched = {op.key for op in system.operations(Op.WATCH, backend=COORDINATORS) if op.key}
    for read in system.operations(Op.READ, Op.LIST, backend=COORDINATORS):
        way = way_in(system, read)
        if way is None or not reads_configuration(system, read, way) or read.key in watched or survives_outage(system, read):
            continue
        yield found(
            f"Reads configuration from {backend_name(read.backend)}{_named(read)} with no last known value: an outage {way.harm}.",
            at=read,
            because=[(way.place, way.reason), *read.origin],
            confidence=HIGH if read.key else MEDIUM,
        )


def _named(read: Operation) -> str:
    return f" (`{read.key_text or read.key}`)" if read.key else ""




EXAMPLES = '''
=== bad: read while the module is imported, through a helper of another module
--- svc/store.py
import consul

client = consul.Consul(host="consul")


def config_value(name):
    _, item = client.kv.get(f"config/{name}")  # finding: config-read-without-fallback
    return item["Value"].decode()
--- svc/app.py
from fastapi import FastAPI

from svc.store import config_value

TOPIC = config_value("topic")
app = FastAPI()


@app.get("/")
def root():
    return TOPIC

=== bad: what is read in order to start is configuration, whatever its key
--- svc/app.py
import consul
from fastapi import FastAPI

client = consul.Consul(host="consul")
QUEUE = client.kv.get("queue_name")[1]["Value"].decode()  # finding: config-read-without-fallback
app = FastAPI()


@app.get("/")
def root():
    return QUEUE

=== bad: read with each request
--- svc/views.py
import etcd3
from flask import Flask

app = Flask(__name__)
etcd = etcd3.client(host="etcd")


@app.get("/price")
def price():
    rate, _ = etcd.get("/settings/rate")  # finding: config-read-without-fallback
    return rate.decode()

=== good: a count that the program keeps there is no configuration
--- svc/app.py
import consul
from flask import Flask

client = consul.Consul(host="consul")
app = Flask(__name__)

if client.kv.get("visits")[1] is None:
    client.kv.put("visits", "0")


@app.get("/")
def root():
    _, item = client.kv.get("visits")
    client.kv.put("visits", str(int(item["Value"]) + 1))
    return item["Value"]

=== good: a default in the code
--- svc/views.py
import etcd3
from flask import Flask

app = Flask(__name__)
etcd = etcd3.client(host="etcd")


@app.get("/price")
def price():
    try:
        rate, _ = etcd.get("/settings/rate")
    except etcd3.exceptions.Etcd3Exception:
        rate = b"1.0"
    return rate.decode()

=== good: a watch keeps it
--- svc/views.py
from flask import Flask
from kazoo.client import KazooClient

app = Flask(__name__)
zk = KazooClient(hosts="zk:2181")
RATE = {}


@zk.DataWatch("/config/rate")
def changed(data, stat):
    RATE["rate"] = data


@app.get("/price")
def price():
    return RATE.get("rate", b"1.0").decode()

=== good: a command for operators
--- tools/show.py
import consul

c = consul.Consul(host="consul")


def main():
    print(c.kv.get("config/topic"))


if __name__ == "__main__":
    main()

=== good: what a daemon reads while it works
--- svc/daemon.py
from kazoo.client import KazooClient, KazooState

zk = KazooClient(hosts="zk:2181")


def on_state(state):
    if state == KazooState.LOST:
        raise SystemExit(1)


def work():
    return zk.get("/nodes/1")[0]


def main():
    zk.add_listener(on_state)
    while True:
        print(work())


if __name__ == "__main__":
    main()

=== good: data of another kind
--- svc/views.py
import etcd3
from flask import Flask

app = Flask(__name__)
etcd = etcd3.client(host="etcd")


@app.get("/leader")
def leader():
    return etcd.get("/leader")[0].decode()
'''
