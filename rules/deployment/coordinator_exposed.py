r"""A coordinator can be reached from outside, or lets anybody in.

Why: whoever reaches ZooKeeper, etcd, Consul or the Redis that holds the locks owns the system: he deletes a lock, becomes the leader, or
rewrites the configuration that every service obeys. A port that compose publishes listens on every interface, and Docker's rules
pass by the host's firewall. ZooKeeper and etcd ask for no password unless they are told to.

Instead: publish no port (services of one compose file reach each other by name), or bind it to 127.0.0.1; in Kubernetes keep the Service a
ClusterIP and fence it with a NetworkPolicy. Switch authentication on (SASL or mutual TLS for ZooKeeper, client certificates for
etcd, ACLs for Consul, requirepass or ACLs for Redis). Allow the four-letter words that probes need: srvr, ruok.

A Redis without locks that this repository's own programs use is information: it still holds sessions, queues or cached rights.
One step less: a compose service without a restart policy, which no crash and no reboot brings back; one that compose publishes and that no service
there talks to, which is half of a stack whose other half a developer starts by hand; and what belongs to the cluster itself (`kube-system`).

Fine when: the port is bound to loopback, or the load balancer is internal. A Redis that none of our code uses is another tool's business.

Known misses: ports that a firewall closes, and firewalls that do not.

Sources: ZooKeeper Administrator's Guide, Things to Avoid (publicly accessible deployment) and 4lw.commands.whitelist; etcd documentation,
Transport security model; Consul documentation, Security Model; Redis documentation, Security.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    ERROR,
    WARNING,
    Ensemble,
    Evidence,
    Found,
    Port,
    System,
    backend_name,
    found,
    lock_held_in,
    lock_name,
    rule,
)

HOW = {
    "published": "is published on every interface",
    "load-balancer": "stands behind a LoadBalancer",
    "node-port": "is open on every node (NodePort)",
    "host-port": "is open on its node (hostPort)",
    "host-network": "listens on its node's network (hostNetwork)",
}


@rule("CL708", severity=WARNING)
def coordinator_exposed(system: System) -> Iterator[Found]:
    for ensemble in system.deployment.ensembles(*COORDINATORS, "redis", "hazelcast"):
        locks = holds_locks(system, ensemble)
        users = () if locks else used_by_us(system, ensemble) or meant_for_us(system, ensemble)
        if ensemble.backend not in COORDINATORS and (ensemble.has_password or not (locks or users)):
            continue
        reachable = [Evidence(port.place, told(port)) for port in ensemble.exposed]
        open_doors = [*ensemble.anonymous, *ensemble.open_commands]
        if not reachable and not open_doors:
            continue
        severity = ERROR if reachable and ensemble.anonymous and not ensemble.first.workload.is_unattended else WARNING
        if ensemble.backend not in COORDINATORS and not locks:
            severity = severity.lowered()
        yield found(
            f"{backend_name(ensemble.backend)} ({ensemble.name}) {sentence(ensemble)}",
            at=(reachable or open_doors)[0].place,
            because=[*reachable[1:], *(open_doors if reachable else open_doors[1:]), *ensemble.first.evidence, *locks, *users],
            symbol=ensemble.first.workload.symbol,
            resource=ensemble.backend,
            severity=ensemble.softened(severity if reachable else severity.lowered()),
        )


def holds_locks(system: System, ensemble: Ensemble) -> list[Evidence]:
    """The first lock that code takes in this coordinator."""
    for coordinator in ensemble.coordinators:
        section = lock_held_in(system, coordinator)
        if section is not None:
            return [Evidence(section.acquired, f"{lock_name(section.lock)} is held there")]
    return []


def used_by_us(system: System, ensemble: Ensemble) -> tuple[Evidence, ...]:
    """The workloads of this repository's own code that talk to a store."""
    ours = {w.key for w in system.workloads() if w.runs or w.is_built_here}
    mine = [c for c in system.deployment.clients_of(*ensemble.keys) if c.source in ours]
    return tuple(Evidence(c.evidence[0].place, f"{c.source.name} keeps something there") for c in mine[:1])


def meant_for_us(system: System, ensemble: Ensemble) -> tuple[Evidence, ...]:
    """The first lock that this repository's code takes in such a store, where nobody is told which: its own chart has one, and lets anybody in."""
    if not ensemble.anonymous or len({e.name for e in system.deployment.ensembles(ensemble.backend) if e.role == ensemble.role}) > 1:
        return ()
    first = next(iter(system.critical_sections(distributed=True, backend=ensemble.backend)), None)
    return (Evidence(first.acquired, f"{lock_name(first.lock)} is held in such a store"),) if first is not None else ()


def sentence(ensemble: Ensemble) -> str:
    """What is open, in the order of harm."""
    door = HOW[ensemble.exposed[0].how] if ensemble.exposed else ""
    if ensemble.anonymous:
        return f"{door} and lets anybody in" if door else "lets anybody in who reaches its network"
    if ensemble.open_commands:
        return f"{door} and answers every four-letter word" if door else "answers every four-letter word"
    return door if ensemble.has_password else f"{door}, without authentication"


def told(port: Port) -> str:
    """A port as its manifest gives it."""
    number = f"port {port.number}" if port.number else "every port"
    return f"{number} {HOW[port.how]}" + (f" as {port.published}" if port.published else "")


EXAMPLES = r'''
=== bad: the client port published on every interface
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    ports:
      - "2181:2181"  # finding: coordinator-exposed
    volumes: [zk:/data]

=== bad: published, and anybody may come in
--- compose.yaml
services:
  zookeeper:
    image: bitnami/zookeeper:3.9
    environment:
      - ALLOW_ANONYMOUS_LOGIN=yes
    ports:
      - 2181:2181  # finding: coordinator-exposed

=== bad: the long form, in another order
--- docker-compose.yml
services:
  consul:
    image: hashicorp/consul:1.17
    command: agent -server -bootstrap-expect=3 -client=0.0.0.0
    ports:
      - target: 8500  # finding: coordinator-exposed
        published: "18500"
        protocol: tcp

=== bad: a LoadBalancer before etcd, in another file
--- k8s/etcd.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: etcd}
spec:
  serviceName: etcd
  replicas: 3
  template:
    metadata: {labels: {app: etcd}}
    spec:
      containers:
        - {name: etcd, image: "quay.io/coreos/etcd:v3.5.9"}
--- k8s/service.yaml
apiVersion: v1
kind: Service
metadata: {name: etcd-public}
spec:
  type: LoadBalancer  # finding: coordinator-exposed
  selector: {app: etcd}
  ports:
    - {port: 2379, targetPort: 2379}

=== bad: every four-letter word, on the internal network
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    environment:
      ZOO_4LW_COMMANDS_WHITELIST: "*"  # finding: coordinator-exposed

=== bad: the Redis that holds locks, published without a password
--- compose.yaml
services:
  redis:
    image: redis:7
    ports:
      - 6379:6379  # finding: coordinator-exposed
  worker:
    build: .
    command: python worker.py
--- worker.py
import redis

r = redis.Redis(host="redis")

def close_books():
    with r.lock("books", timeout=30):
        r.set("books", "closed")

=== bad: a chart's Redis that is told to let anybody in, and locks in the code
--- seats/hold.py
import redis

r = redis.Redis.from_url("redis://store")


def hold(seat):
    with r.lock(f"seat:{seat}", timeout=10):
        r.set(f"held:{seat}", "1")
--- charts/redis/Chart.yaml
apiVersion: v2
name: redis
version: 0.1.0
--- charts/redis/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: redis
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: redis
          image: redis:7
          command: ["sh", "-c", "redis-server --bind 0.0.0.0 --protected-mode no"]  # finding: coordinator-exposed

=== good: the same with a password
--- seats/hold.py
import redis

r = redis.Redis.from_url("redis://store")


def hold(seat):
    with r.lock(f"seat:{seat}", timeout=10):
        r.set(f"held:{seat}", "1")
--- charts/redis/Chart.yaml
apiVersion: v2
name: redis
version: 0.1.0
--- charts/redis/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: redis
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: redis
          image: redis:7
          command: ["sh", "-c", "redis-server --bind 0.0.0.0 --protected-mode no --requirepass $PASSWORD"]

=== good: the published Redis is a cache, the locks are in the other
--- compose.yaml
services:
  cache:
    image: redis:7
    ports: ["6379:6379"]
  locks:
    image: redis:7
  worker:
    build: .
    command: python worker.py
    environment: {LOCKS: "redis://locks:6379/0"}
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- worker.py
import os

import redis

r = redis.Redis.from_url(os.environ["LOCKS"])

def close_books():
    with r.lock("books", timeout=30):
        r.set("books", "closed")

=== bad: the Redis that our own code caches in, published without a password
--- compose.yaml
services:
  redis:
    image: redis:7
    ports:
      - "6379:6379"  # finding: coordinator-exposed
  mint:
    build: .
    environment: {CACHE_URL: "redis://redis:6379"}
--- Dockerfile
FROM python:3.12
CMD ["mint"]

=== good: bound to loopback
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    ports:
      - "127.0.0.1:2181:2181"
      - target: 8080
        published: 8080
        host_ip: 127.0.0.1

=== good: only services of the same file reach it
--- compose.yaml
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.9
    expose: [2379]

=== good: another port of the same container
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    ports:
      - 7000:7000

=== good: an internal load balancer
--- k8s/consul.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: consul}
spec:
  serviceName: consul
  replicas: 3
  template:
    metadata: {labels: {app: consul}}
    spec:
      containers:
        - {name: consul, image: "hashicorp/consul:1.17", args: [agent, -server, -bootstrap-expect=3]}
---
apiVersion: v1
kind: Service
metadata:
  name: consul
  annotations: {networking.gke.io/load-balancer-type: Internal}
spec:
  type: LoadBalancer
  selector: {app: consul}
  ports: [{port: 8500}]

=== good: a Redis that nobody here uses
--- compose.yaml
services:
  redis:
    image: redis:7
    ports: ["6379:6379"]

=== good: the Redis that holds locks asks for a password
--- compose.yaml
services:
  redis:
    image: redis:7
    command: redis-server --requirepass ${REDIS_PASSWORD}
    ports: ["6379:6379"]
--- worker.py
import redis

r = redis.Redis(host="redis")

def close_books():
    with r.lock("books", timeout=30):
        r.set("books", "closed")
'''
