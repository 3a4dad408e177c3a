"""A liveness probe asks the coordinator: when that is away, Kubernetes kills every pod that could have waited.

Why: the kubelet restarts a container whose liveness probe fails. A probe that reaches ZooKeeper, etcd, Consul or a Redis fails
in all replicas at the same moment that the store does; the restarts lose warm caches, sessions and open requests, and the
new processes meet the same outage, until the back-off between restarts outlasts it. A restart cannot cure a store.

Instead: let liveness answer from the process itself (is the event loop turning, is the main thread alive), and ask the
coordinator in the readiness probe, if anywhere: that takes the pod out of its Service and puts it back by itself.

Fine when: it is the readiness or startup probe; the program is the coordinator itself.
Compose has no liveness probe: its healthcheck marks a container and restarts nothing. In a swarm, or beside autoheal, it does
restart, and is told like a liveness probe.

Known misses: routes that are registered without a decorator, and prefixes that a router adds.

Sources: Kubernetes documentation, Configure Liveness, Readiness and Startup Probes; Docker documentation, HEALTHCHECK; Spring Boot reference, Application Availability.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    ERROR,
    HIGH,
    MEDIUM,
    Entry,
    Evidence,
    Found,
    Operation,
    System,
    Workload,
    backend_name,
    found,
    rule,
)

STORES = (*COORDINATORS, "redis", "memcached")
ASKING = {"redis-cli": "redis", "etcdctl": "etcd", "zkCli.sh": "zookeeper", "consul": "consul", "kazoo": "zookeeper"}


@rule("CL604", severity=ERROR)
def probe_coupled_to_coordinator(system: System) -> Iterator[Found]:
    servers = {c.workload.key for c in system.coordinators()}
    for workload in system.workloads():
        if workload.key in servers:
            continue
        for probe in workload.probes:
            if probe.is_disabled or (probe.kind != "liveness" and probe.restarted is None):
                continue
            name = "liveness probe" if probe.restarted is None else "healthcheck"
            restarted = [probe.restarted] if probe.restarted is not None else []
            asked = asked_by_handler(system, workload, probe.asked_path)
            if asked is not None:
                entry, call = asked
                yield found(
                    f"the {name} of {workload.name} asks {backend_name(call.backend)}: `{probe.asked_path}` is answered by "
                    f"{entry.symbol.rpartition('.')[2]}(), and an outage there restarts every replica",
                    at=probe.place,
                    because=[Evidence(entry.place, "this handler answers it"), *way(system, entry, call), Evidence(call.place, "and asks the store here"), *restarted],
                    symbol=workload.symbol,
                    resource=probe.asked_path,
                    severity=workload.role.softened(ERROR),
                    confidence=HIGH if not call.guards else MEDIUM,
                )
                continue
            program = asked_by_command(probe.command)
            if program:
                yield found(
                    f"the {name} of {workload.name} runs {program}, which asks {backend_name(ASKING[program])}: an outage there "
                    "restarts every replica",
                    at=probe.place,
                    because=[
                        Evidence(workload.place, f"{workload.kind} {workload.name} is no {backend_name(ASKING[program])} server"),
                        *restarted,
                    ],
                    symbol=workload.symbol,
                    resource=program,
                    severity=workload.role.softened(ERROR),
                )


def asked_by_handler(system: System, workload: Workload, path: str) -> tuple[Entry, Operation] | None:
    """The handler of a probe's path in the programs that a workload runs, and the call that it makes to a store."""
    if not path:
        return None
    for entry in system.entries("http"):
        if not entry.route or entry.route.rstrip("/") != path.partition("?")[0].rstrip("/"):
            continue
        if workload.key not in {w.key for w in system.workloads_of(entry.symbol)}:
            continue
        reached = system.reached_from(entry.symbol)
        for call in system.operations(backend=STORES):
            if call.symbol in reached and call.place.path and call.op.value != "client":
                return entry, call
    return None


def way(system: System, entry: Entry, call: Operation) -> list[Evidence]:
    """The call in a handler by which it comes to what asks the store."""
    for symbol in sorted(system.reached_from(entry.symbol) - {entry.symbol}):
        for caller, place in system.callers(symbol):
            if caller == entry.symbol and call.symbol in system.reached_from(symbol):
                return [Evidence(place, f"by {symbol.rpartition('.')[2]}()")]
    return []


def asked_by_command(command: tuple[str, ...]) -> str:
    """The client program in a probe's command."""
    words = [word for part in command for word in part.replace(";", " ").split()]
    return next((w.rpartition("/")[2] for w in words if w.rpartition("/")[2] in ASKING), "")


EXAMPLES = '''
=== bad: the liveness path is a handler that reads from Consul
--- app.py
import consul
from flask import Flask, jsonify

app = Flask(__name__)
registry = consul.Consul(host="consul")


def services():
    return registry.catalog.services()


@app.route("/status")
def status():
    return jsonify(services())


if __name__ == "__main__":
    app.run()
--- k8s/app.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: gateway
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: app
          image: gateway
          command: ["python", "app.py"]
          livenessProbe:  # finding: probe-coupled-to-coordinator
            httpGet: {path: /status, port: 5000}

=== bad: the probe comes from the chart's values, the path from a helper, and the question is a message on a bus
--- relay/bus.py
import redis.asyncio as redis


class Bus:
    def __init__(self, url):
        self.client = redis.from_url(url)

    async def answers(self):
        await self.client.publish("ping", "1")
        return True
--- relay/web.py
import os

from fastapi import FastAPI

from relay.bus import Bus

BASE = os.environ.get("BASE", "")
app = FastAPI()
bus = Bus("redis://redis")


def under(path):
    return BASE.rstrip("/") + path


@app.get(under("/alive"))
async def alive():
    return {"bus": await bus.answers()}
--- chart/Chart.yaml
apiVersion: v2
name: relay
version: 0.1.0
--- chart/values.yaml
livenessProbe:
  httpGet:
    path: /alive
    port: 80
--- chart/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: relay
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: relay
          image: relay
          command: ["uvicorn", "relay.web:app"]
          livenessProbe:  # finding: probe-coupled-to-coordinator
            {{- toYaml .Values.livenessProbe | nindent 12 }}

=== good: the probe asks for the root, and which path the handler has is not known
--- app.py
import redis
from tornado.web import Application, RequestHandler

store = redis.Redis(host="redis")


class Depots(RequestHandler):
    def get(self):
        self.write(store.get("depots"))


def application(routes):
    return Application(routes(Depots))


if __name__ == "__main__":
    application(lambda handler: [("/depots", handler)]).listen(8000)
--- k8s/app.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: depots
spec:
  template:
    spec:
      containers:
        - name: app
          image: depots
          command: ["python", "app.py"]
          livenessProbe:
            httpGet: {path: /, port: 8000}

=== good: readiness asks, liveness does not
--- app.py
import consul
from flask import Flask, jsonify

app = Flask(__name__)
registry = consul.Consul(host="consul")


@app.route("/ready")
def ready():
    return jsonify(registry.catalog.services())


@app.route("/alive")
def alive():
    return "ok"


if __name__ == "__main__":
    app.run()
--- k8s/app.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: gateway
spec:
  template:
    spec:
      containers:
        - name: app
          image: gateway
          command: ["python", "app.py"]
          livenessProbe:
            httpGet: {path: /alive, port: 5000}
          readinessProbe:
            httpGet: {path: /ready, port: 5000}

=== bad: an exec probe that pings Redis from a worker
--- k8s/worker.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: worker
spec:
  template:
    spec:
      containers:
        - name: worker
          image: shop/worker
          livenessProbe:  # finding: probe-coupled-to-coordinator
            exec: {command: [sh, -c, "redis-cli -h redis ping"]}

=== bad: a stack for a swarm, which replaces what is unhealthy
--- stack.yaml
services:
  worker:
    image: shop/worker
    healthcheck: {test: [CMD, redis-cli, -h, redis, ping]}  # finding: probe-coupled-to-coordinator
    deploy:
      update_config: {order: stop-first}
  redis:
    image: redis:7

=== bad: autoheal restarts what its healthcheck calls unhealthy, and the handler asks Consul
--- app.py
import consul
from flask import Flask, jsonify

app = Flask(__name__)
registry = consul.Consul(host="consul")


@app.route("/status")
def status():
    return jsonify(registry.catalog.services())


if __name__ == "__main__":
    app.run()
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
CMD ["python", "app.py"]
--- compose.yaml
services:
  gateway:
    build: .
    labels: [autoheal=true]
    healthcheck:  # finding: probe-coupled-to-coordinator
      test: curl -f http://localhost:5000/status || exit 1
  autoheal:
    image: willfarrell/autoheal:1.2.0
    volumes: ["/var/run/docker.sock:/var/run/docker.sock"]

=== good: autoheal restarts only what it is told to
--- compose.yaml
services:
  worker:
    image: shop/worker
    healthcheck: {test: [CMD, redis-cli, -h, redis, ping]}
  autoheal:
    image: willfarrell/autoheal:1.2.0
  redis:
    image: redis:7

=== good: a healthcheck of compose restarts nothing
--- compose.yaml
services:
  worker:
    image: shop/worker
    healthcheck: {test: [CMD, redis-cli, -h, redis, ping]}
  redis:
    image: redis:7

=== good: the server's own probe
--- k8s/redis.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: redis
spec:
  serviceName: redis
  template:
    spec:
      containers:
        - name: redis
          image: redis:7
          livenessProbe:
            exec: {command: [redis-cli, ping]}
'''
