r"""Code uses a coordinator that no manifest of the repository provides or names.

Why: who starts the system from what the repository holds gets a program that cannot coordinate: it crashes, or goes on without its locks. And
who plans the operation does not see that a quorum has to be run, watched and upgraded for it.

Instead: declare it beside the others: a service in the compose file, a chart dependency, an operator's resource, or an ExternalName Service or
environment variable that says where it is.

Fine when: a managed or external coordinator is named in the manifests; the repository has no manifests for the code that uses it.

Known misses: coordinators that are declared in another repository and named by nothing here.

Sources: The Twelve-Factor App, Backing services.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    MEDIUM,
    Client,
    Evidence,
    Found,
    System,
    Workload,
    backend_name,
    found,
    rule,
)

NAMES = {"zookeeper": ("ZOOKEEPER", "ZK_", "ZOO_", "_ZK"), "etcd": ("ETCD",), "consul": ("CONSUL",)}


@rule("CL712", severity=INFO)
def undeclared_coordinator(system: System) -> Iterator[Found]:
    for backend in COORDINATORS:
        if system.coordinators(backend):
            continue
        clients = [client for client in system.clients(backend=backend) if not client.in_test]
        for client in clients[:1]:
            running = [w for w in system.workloads_of(client.symbol) if not w.role.is_lenient]
            if not running or names_it(system, backend) or is_elsewhere(client):
                continue
            yield found(
                f"{running[0].name} uses {backend_name(backend)}, and no manifest provides or names one",
                at=client.place,
                because=[Evidence(w.place, f"{w.name} runs this code") for w in running[:3]],
                symbol=client.symbol,
                resource=backend,
                confidence=MEDIUM,
            )


def names_it(system: System, backend: str) -> bool:
    """Whether any workload is told where the coordinator is, by a variable of its name or a host of its name."""
    return any(told(workload, backend) for workload in system.workloads()) or any(
        backend in connection.host for connection in system.deployment.connections
    )


def told(workload: Workload, backend: str) -> bool:
    """Whether a variable of the workload is named after the coordinator, or one of its words names it."""
    words = " ".join(workload.command).lower()
    return backend in words or any(
        word in variable.name.upper() or backend in (variable.value or "").lower()
        for variable in workload.environment
        for word in NAMES[backend]
    )


def is_elsewhere(client: Client) -> bool:
    """Whether a client's literal address leads to a host outside."""
    hosts = client.hosts if any(a.literal and str(a.value) == client.hosts for a in client.arguments) else None
    return hosts is not None and "." in hosts.split(":")[0] and not hosts.startswith("127.")


EXAMPLES = r'''
=== bad: nobody provides ZooKeeper
--- compose.yaml
services:
  worker:
    build: .
    command: python worker.py
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- worker.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zookeeper:2181")  # finding: undeclared-coordinator
zk.start()

=== good: it is declared
--- compose.yaml
services:
  zookeeper: {image: "zookeeper:3.9"}
  worker:
    build: .
    command: python worker.py
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- worker.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zookeeper:2181")

=== good: the manifest says where it is
--- k8s/worker.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  template:
    spec:
      containers:
        - name: worker
          image: acme/worker
          command: [python, worker.py]
          env: [{name: ZK_HOSTS, value: "zk.prod.acme.net:2181"}]
--- worker.py
import os

from kazoo.client import KazooClient

zk = KazooClient(hosts=os.environ["ZK_HOSTS"])

=== good: an address outside, in code
--- compose.yaml
services:
  worker:
    build: .
    command: python worker.py
--- Dockerfile
FROM python:3.12
WORKDIR /app
COPY . .
--- worker.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zk.prod.acme.net:2181")

=== good: no manifests at all
--- worker.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zookeeper:2181")

=== bad: no object of the cluster provides ZooKeeper
--- k8s/worker.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  template:
    metadata: {labels: {app: worker}}
    spec:
      containers:
        - name: worker
          image: acme/worker
          command: [python, worker.py]
--- worker.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zookeeper:2181")  # finding: undeclared-coordinator
zk.start()
'''
