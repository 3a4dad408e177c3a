r"""Something waits for a coordinator's container to start, and not for the coordinator to answer.

Why: a started container is not a ready server: ZooKeeper and etcd elect a leader first, Consul as well, and a client that connects meanwhile gets an
error. What does not retry, dies in a loop or runs without its lock; it depends on the machine's speed which. In Kubernetes, a Service
sends clients to a pod without a readiness probe as soon as its process exists.

Instead: a healthcheck on the coordinator (`zkServer.sh status` or srvr, `etcdctl endpoint health`, `consul members`, `redis-cli ping`) and
`depends_on: {name: {condition: service_healthy}}`; a readinessProbe in Kubernetes; and in the client retries with back-off, because the
coordinator will restart one day without it.

Fine when: the client retries with back-off, so that the order does not matter; the manifest belongs to tests. It is information for a
coordinator in compose without a restart policy: what no crash and no reboot brings back is there to try things with. It is information as well for a store
with a healthcheck whose client is started again when it fails: a little later the store answers.

A service that states no order at all is told where its code is seen to ask the store at its start, nothing handles that, and nothing starts it again.

Known misses: clients that connect by themselves when they are first asked.

Sources: Compose specification, depends_on (service_started, service_healthy); Kubernetes documentation, Liveness, Readiness and Startup Probes.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    MEDIUM,
    WARNING,
    EarlyCall,
    Ensemble,
    Evidence,
    Found,
    System,
    Workload,
    backend_name,
    call_name,
    early_calls,
    found,
    lock_held_in,
    rule,
)

RETRYING = ("connection_retry", "retry", "retry_on_error", "retries", "max_retries", "connect_retries")


@rule("CL709", severity=WARNING)
def coordinator_without_healthcheck(system: System) -> Iterator[Found]:
    early: dict[object, list[EarlyCall]] = {}
    for asked in early_calls(system, *COORDINATORS, "redis"):
        early.setdefault(asked.store.workload.key, []).append(asked)
    for ensemble in system.deployment.ensembles(*COORDINATORS, "redis"):
        if not ensemble.is_ours_to_run or ensemble.role == "test" or retries(system, ensemble):
            continue
        matters = ensemble.backend != "redis" or holds_locks(system, ensemble)
        if ensemble.first.workload.kind == "compose":
            ordered = list(started_only(system, ensemble)) if matters else []
            unordered = [asked for key in ensemble.keys for asked in early.get(key, ())]
            yield from ordered or ([asked_at_start(ensemble, unordered)] if unordered else [])
        elif not matters:
            continue
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


def asked_at_start(ensemble: Ensemble, early: list[EarlyCall]) -> Found:
    """Services that ask it while they start, end when it does not answer, and state no order at all; one finding for all of them."""
    asked = early[0]
    others = len({e.workload.key for e in early}) - 1
    more = f" (and {others} more)" if others else ""
    checked = any(not p.is_disabled for c in ensemble.coordinators for p in c.workload.probes)
    missing = "does not wait for its healthcheck" if checked else "waits for it in no way, and it has no healthcheck"
    return found(
        f"{asked.workload.name}{more} asks {backend_name(ensemble.backend)} ({ensemble.name}) in order to start, {missing}; nothing starts it again",
        at=ensemble.first.workload.place,
        because=[
            (asked.workload.place, f"{asked.workload.name} is started here, in any order"),
            (asked.call.place, f"{call_name(asked.call)} fails until the store answers"),
            (asked.starts, f"and is done at the start: {asked.reason}"),
            *((e.workload.place, f"{e.workload.name} as well") for e in early[1:4] if e.workload.key != asked.workload.key),
        ],
        symbol=ensemble.first.workload.symbol,
        resource=ensemble.backend,
        severity=ensemble.first.workload.role.softened(WARNING),
        confidence=MEDIUM,
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
        severity=ensemble.softened(INFO if checked and comes_back(workload) else WARNING),
        confidence=MEDIUM,
    )


def comes_back(workload: Workload) -> bool:
    """Whether little happens when it starts too early: what fails is started again, and finds the store answering a little later."""
    return not workload.is_unattended


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

=== bad: asked in order to start, with no order stated
--- compose.yaml
services:
  redis:  # finding: coordinator-without-healthcheck
    image: redis:7
  web:
    build: .
    command: python serve.py
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- serve.py
import redis

r = redis.Redis(host="redis")


def check():
    try:
        r.ping()
    except redis.ConnectionError:
        raise SystemExit("no Redis at redis:6379")


def main():
    check()
    print("serving")


if __name__ == "__main__":
    main()

=== good: asked at the start again and again, until it answers
--- compose.yaml
services:
  redis:
    image: redis:7
  web:
    build: .
    command: python serve.py
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- serve.py
import time

import redis

r = redis.Redis(host="redis")


def main():
    while True:
        try:
            r.ping()
            break
        except redis.ConnectionError:
            time.sleep(1)
    print("serving")


if __name__ == "__main__":
    main()

=== good: an entry point that waits for it
--- compose.yaml
services:
  redis:
    image: redis:7
  web:
    build: .
    command: ./wait-for-it.sh redis:6379 -- python serve.py
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- serve.py
import redis

r = redis.Redis(host="redis")

if __name__ == "__main__":
    r.ping()

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
