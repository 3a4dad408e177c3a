"""Most workloads cannot start or serve while one coordinator is away.

Why: each of them is then as available as that coordinator, whatever their own replicas are: its upgrade, a lost quorum or a full
disk stops the system as a whole. That price is right for the few that need agreement, not for those that only read settings.

Instead: let every workload start from a last known configuration or instance list and connect in the background with back-off;
wait for the coordinator only where nothing can be done without it (the elected leader, a fenced write).

Fine when: the store is their database anyway; fewer than three workloads, or all of them are one program; each has a handler that goes on without. Who
takes a lock, stands for election or waits at a barrier there needs the agreement, and does not count.

Known misses: init containers that wait by scripts, and clients of workloads that could not be joined to code.

Sources: Chubby (Burrows 2006), on services that depend on the availability of the lock service; AWS Builders' Library, static stability.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    MEDIUM,
    WARNING,
    Ensemble,
    Evidence,
    Found,
    Op,
    System,
    Workload,
    backend_name,
    found,
    rule,
    survives_outage,
    way_in,
)

AGREE = (Op.MAKE_LOCK, Op.ACQUIRE, Op.LOCK_DECORATOR, Op.MAKE_ELECTION, Op.RUN_ELECTION, Op.BARRIER, Op.PARTITION)
FEWEST = 3  # workloads; below, "most" says nothing
MOST = 0.8  # of the workloads that run this repository's code


@rule("CL605", severity=WARNING)
def coordinator_single_point_of_failure(system: System) -> Iterator[Found]:
    for ensemble in system.deployment.ensembles(*COORDINATORS):
        own = [w for w in system.workloads() if w.runs and not w.is_optional and w.role == ensemble.role and w.key not in ensemble.keys]
        agreeing = {w.key for o in system.operations(*AGREE, backend=ensemble.backend) for w in system.workloads_of(o.symbol)}
        stopped = [(w, reason) for w in own if w.key not in agreeing and (reason := cannot_go_on(system, w, ensemble)) is not None]
        programs = {tuple(sorted(run.path for run in w.runs)) for w in own}
        if len(own) < FEWEST or len(programs) < 2 or len(stopped) < MOST * len(own):
            continue
        yield found(
            f"{len(stopped)} of the {len(own)} workloads here cannot start or serve without {backend_name(ensemble.backend)} "
            f"({ensemble.name})",
            at=ensemble.first.workload.place,
            because=[reason for _, reason in stopped[:5]],
            symbol=ensemble.first.workload.symbol,
            resource=ensemble.backend,
            severity=ensemble.softened(WARNING),
            confidence=MEDIUM,
        )


def cannot_go_on(system: System, workload: Workload, ensemble: Ensemble) -> Evidence | None:
    """What stops a workload while the ensemble is away: its start order, or a call that nothing guards."""
    members = {name for c in ensemble.coordinators for name in (c.workload.name, *c.workload.names)}
    for dependency in workload.depends_on:
        if dependency.name in members and dependency.condition in ("healthy", "init"):
            return Evidence(dependency.place, f"{workload.name} starts only when it {'is healthy' if dependency.condition == 'healthy' else 'answers'}")
    for call in system.operations(backend=ensemble.backend):
        if workload.key not in {w.key for w in system.workloads_of(call.symbol)} or survives_outage(system, call):
            continue
        way = way_in(system, call)
        if way is not None:
            return Evidence(call.place, f"{workload.name}: an outage here {way.harm}")
    return None


EXAMPLES = '''
=== bad: every service waits for one ZooKeeper
--- a.py
print("a")
--- b.py
print("b")
--- c.py
print("c")
--- compose.yaml
services:
  zookeeper:  # finding: coordinator-single-point-of-failure
    image: zookeeper:3.9
    healthcheck: {test: [CMD, zkServer.sh, status]}
  a:
    build: .
    command: python a.py
    depends_on: {zookeeper: {condition: service_healthy}}
  b:
    build: .
    command: python b.py
    depends_on: {zookeeper: {condition: service_healthy}}
  c:
    build: .
    command: python c.py
    depends_on: {zookeeper: {condition: service_healthy}}
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .

=== good: three times one program
--- a.py
print("a")
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    healthcheck: {test: [CMD, zkServer.sh, status]}
  one:
    build: .
    command: python a.py
    depends_on: {zookeeper: {condition: service_healthy}}
  two:
    build: .
    command: python a.py
    depends_on: {zookeeper: {condition: service_healthy}}
  three:
    build: .
    command: python a.py
    depends_on: {zookeeper: {condition: service_healthy}}
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .

=== good: one of them needs it
--- a.py
print("a")
--- b.py
print("b")
--- c.py
print("c")
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    healthcheck: {test: [CMD, zkServer.sh, status]}
  a:
    build: .
    command: python a.py
    depends_on: {zookeeper: {condition: service_healthy}}
  b:
    build: .
    command: python b.py
  c:
    build: .
    command: python c.py
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .

=== good: they agree there
--- count.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zookeeper:2181")
zk.start()

def lead():
    print("counts")

zk.Election("/lead", "me").run(lead)
--- a.py
import count
--- b.py
import count
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    healthcheck: {test: [CMD, zkServer.sh, status]}
  a:
    build: .
    command: python a.py
    depends_on: {zookeeper: {condition: service_healthy}}
  b:
    build: .
    command: python b.py
    depends_on: {zookeeper: {condition: service_healthy}}
  c:
    build: .
    command: python b.py
    depends_on: {zookeeper: {condition: service_healthy}}
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .

=== good: it is their database
--- a.py
print("a")
--- b.py
print("b")
--- c.py
print("c")
--- compose.yaml
services:
  postgres:
    image: postgres:16
    healthcheck: {test: [CMD, pg_isready]}
  a:
    build: .
    command: python a.py
    depends_on: {postgres: {condition: service_healthy}}
  b:
    build: .
    command: python b.py
    depends_on: {postgres: {condition: service_healthy}}
  c:
    build: .
    command: python c.py
    depends_on: {postgres: {condition: service_healthy}}
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .

=== bad: every pod waits for one ZooKeeper
--- a.py
print("a")
--- b.py
print("b")
--- c.py
print("c")
--- k8s/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: zk  # finding: coordinator-single-point-of-failure
spec:
  serviceName: zk
  replicas: 1
  template:
    metadata: {labels: {app: zk}}
    spec:
      containers:
        - name: zk
          image: "zookeeper:3.9"
---
apiVersion: v1
kind: Service
metadata: {name: zk}
spec:
  selector: {app: zk}
--- k8s/a.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
        - name: a
          image: acme/app
          command: [python, a.py]
      initContainers:
        - name: wait
          image: busybox
          command: [sh, -c, "until nc -z zk 2181; do sleep 1; done"]
--- k8s/b.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: b}
spec:
  template:
    metadata: {labels: {app: b}}
    spec:
      containers:
        - name: b
          image: acme/app
          command: [python, b.py]
      initContainers:
        - name: wait
          image: busybox
          command: [sh, -c, "until nc -z zk 2181; do sleep 1; done"]
--- k8s/c.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: c}
spec:
  template:
    metadata: {labels: {app: c}}
    spec:
      containers:
        - name: c
          image: acme/app
          command: [python, c.py]
      initContainers:
        - name: wait
          image: busybox
          command: [sh, -c, "until nc -z zk 2181; do sleep 1; done"]

=== good: one pod waits for it
--- a.py
print("a")
--- b.py
print("b")
--- c.py
print("c")
--- k8s/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: zk}
spec:
  serviceName: zk
  replicas: 1
  template:
    metadata: {labels: {app: zk}}
    spec:
      containers:
        - name: zk
          image: "zookeeper:3.9"
---
apiVersion: v1
kind: Service
metadata: {name: zk}
spec:
  selector: {app: zk}
--- k8s/a.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
        - name: a
          image: acme/app
          command: [python, a.py]
      initContainers:
        - name: wait
          image: busybox
          command: [sh, -c, "until nc -z zk 2181; do sleep 1; done"]
--- k8s/b.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: b}
spec:
  template:
    metadata: {labels: {app: b}}
    spec:
      containers:
        - name: b
          image: acme/app
          command: [python, b.py]
--- k8s/c.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: c}
spec:
  template:
    metadata: {labels: {app: c}}
    spec:
      containers:
        - name: c
          image: acme/app
          command: [python, c.py]
'''
