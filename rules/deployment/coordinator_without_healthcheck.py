r"""Something waits for a coordinator's container to start, and not for the coordinator to answer.

Why: a started container is not a ready server: ZooKeeper and etcd elect a leader first, Consul as well, and a client that connects meanwhile gets an
error. What does not retry, dies in a loop or runs without its lock; it depends on the machine's speed which. In Kubernetes, a Service
sends clients to a pod without a readiness probe as soon as its process exists.

Instead: a healthcheck on the coordinator (`zkServer.sh status` or srvr, `etcdctl endpoint health`, `consul members`, `redis-cli ping`) and
`depends_on: {name: {condition: service_healthy}}`; a readinessProbe in Kubernetes; and in the client retries with back-off, because the
coordinator will restart one day without it.

Fine when: the client retries with back-off, so that the order does not matter; the manifest belongs to tests. It is information for a
coordinator in compose without a restart policy: what no crash and no reboot brings back is there to try things with. It is information as well for a Redis
with a healthcheck whose client is started again when it fails: the client connects when it is first asked.

Known misses: clients that connect by themselves without stating any order.

Sources: Compose specification, depends_on (service_started, service_healthy); Kubernetes documentation, Liveness, Readiness and Startup Probes.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    MEDIUM,
    WARNING,
    Ensemble,
    Evidence,
    Found,
    System,
    Workload,
    backend_name,
    found,
    lock_held_in,
    rule,
)

RETRYING = ("connection_retry", "retry", "retry_on_error", "retries", "max_retries", "connect_retries")


@rule("CL709", severity=WARNING)
def coordinator_without_healthcheck(system: System) -> Iterator[Found]:
    for ensemble in system.deployment.ensembles(*COORDINATORS, "redis"):
        if not ensemble.is_ours_to_run or ensemble.role == "test" or (ensemble.backend == "redis" and not holds_locks(system, ensemble)):
            continue
        if retries(system, ensemble):
            continue
        if ensemble.first.workload.kind == "compose":
            yield from started_only(system, ensemble)
        elif not any(probe.kind in ("readiness", "liveness") for probe in ensemble.first.workload.probes):
            workload = ensemble.first.workload
            yield found(
                f"{backend_name(ensemble.backend)} ({workload.name}) has neither readiness nor liveness probe",
                at=workload.place,
                because=ensemble.shown,
                symbol=workload.symbol,
                resource=ensemble.backend,
                severity=workload.role.softened(WARNING),
            )


def started_only(system: System, ensemble: Ensemble) -> Iterator[Found]:
    """Compose services that wait for no more than the start; one finding for all of them."""
    waiting = [
        (workload, dependency)
        for workload in system.workloads()
        for dependency in workload.depends_on
        if dependency.condition == "started" and workload.path == ensemble.first.workload.path
        for member in ensemble.coordinators
        if dependency.name == member.workload.name and workload.key not in ensemble.keys
    ]
    if not waiting:
        return
    workload, dependency = waiting[0]
    checked = [p for c in ensemble.coordinators for p in c.workload.probes if not p.is_disabled]
    others = len({w.key for w, _ in waiting}) - 1
    more = f" (and {others} more)" if others else ""
    missing = "waits for its start only" if checked else "waits for its start only, and it has no healthcheck"
    because = [Evidence(ensemble.first.place, f"{ensemble.first.workload.name} is defined here")]
    because += [Evidence(p.place, "its healthcheck is not waited for") for p in checked[:1]]
    because += [Evidence(d.place, f"{w.name} as well") for w, d in waiting[1:4] if w.key != workload.key]
    yield found(
        f"{workload.name}{more} depends on {backend_name(ensemble.backend)} ({ensemble.name}) and {missing}",
        at=dependency.place,
        because=because,
        symbol=workload.symbol,
        resource=ensemble.backend,
        severity=ensemble.softened(INFO if checked and comes_back(workload, ensemble) else WARNING),
        confidence=MEDIUM,
    )


def comes_back(workload: Workload, ensemble: Ensemble) -> bool:
    """Whether little happens when it starts too early: a Redis client connects when it is first asked, and what fails is started again."""
    return ensemble.backend == "redis" and not workload.is_unattended


def holds_locks(system: System, ensemble: Ensemble) -> bool:
    """Whether code takes a lock there."""
    return any(lock_held_in(system, coordinator) is not None for coordinator in ensemble.coordinators)


def retries(system: System, ensemble: Ensemble) -> bool:
    """Whether every client of the backend in code is made with a retry policy."""
    clients = list(system.clients(backend=ensemble.backend))
    return bool(clients) and all(any(a.name in RETRYING for a in client.arguments) for client in clients)


EXAMPLES = r'''
=== bad: start order alone
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
  web:
    image: acme/web
    depends_on:
      - zookeeper  # finding: coordinator-without-healthcheck

=== bad: a healthcheck that nobody waits for
--- compose.yaml
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.9
    healthcheck:
      test: ["CMD", "etcdctl", "endpoint", "health"]
  web:
    image: acme/web
    depends_on:
      etcd:  # finding: coordinator-without-healthcheck
        condition: service_started

=== bad: no probe in Kubernetes
--- k8s/consul.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: consul  # finding: coordinator-without-healthcheck
spec:
  serviceName: consul
  replicas: 3
  template:
    spec:
      containers:
        - {name: consul, image: "hashicorp/consul:1.17", args: [agent, -server, -bootstrap-expect=3]}

=== bad: the Redis that holds the locks
--- compose.yaml
services:
  redis:
    image: redis:7
  worker:
    build: .
    command: python worker.py
    depends_on:
      - redis  # finding: coordinator-without-healthcheck
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- worker.py
import redis

r = redis.Redis(host="redis")

def close_books():
    with r.lock("books", timeout=30):
        print("closing")

=== good: waits for health
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    healthcheck: {test: [CMD, zkServer.sh, status]}
  web:
    image: acme/web
    depends_on:
      zookeeper: {condition: service_healthy}

=== good: a stack for tests
--- docker-compose.test.yml
services:
  zookeeper: {image: "zookeeper:3.9"}
  tests: {build: ., depends_on: [zookeeper]}

=== good: the client retries
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
  worker:
    build: .
    command: python worker.py
    depends_on: [zookeeper]
--- worker.py
from kazoo.client import KazooClient
from kazoo.retry import KazooRetry

zk = KazooClient(hosts="zookeeper:2181", connection_retry=KazooRetry(max_tries=-1, delay=1, backoff=2))
zk.start()

=== good: readiness probe
--- k8s/etcd.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: etcd}
spec:
  serviceName: etcd
  replicas: 3
  template:
    spec:
      containers:
        - name: etcd
          image: quay.io/coreos/etcd:v3.5.9
          readinessProbe: {httpGet: {path: /health, port: 2379}}

=== good: nobody states an order
--- compose.yaml
services:
  zookeeper: {image: "zookeeper:3.9"}
  web: {image: acme/web}

=== good: Redis as a cache
--- compose.yaml
services:
  redis: {image: "redis:7"}
  web:
    image: acme/web
    depends_on: [redis]
'''
