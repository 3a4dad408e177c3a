"""A coordinator is deployed and nothing in the repository uses it.

Why: an ensemble that serves nobody still has to be patched, monitored, backed up and given disks, and is a way in for others.
Most are left over: from a Kafka that no longer needs ZooKeeper (4.0 and later have KRaft only), or from a plan.

Instead: remove the workload and its volumes, or write down who outside of this repository depends on it.

Fine when: another product of the deployment needs it (Kafka before 4, Solr, HBase, ClickHouse, NiFi, Patroni, Vault, Traefik ...).

Known misses: a coordinator that is declared as a dependency only.

Sources: Apache Kafka 4.0 release notes (KRaft).
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import COORDINATORS, INFO, MEDIUM, Ensemble, Found, System, backend_name, found, rule

CLIENTS = {
    "zookeeper": ("kazoo", "aiozk", "tooz", "zake", "txzookeeper"),
    "etcd": ("etcd3", "etcd3gw", "aetcd", "python-etcd", "etcetra", "aioetcd3", "tooz"),
    "consul": ("py-consul", "python-consul", "python-consul2", "consulate", "tooz"),
}
NEEDING = (
    "kafka solr hbase clickhouse nifi druid pulsar patroni spilo vault nomad traefik apisix hadoop storm mesos marathon presto "
    "schema-registry kafdrop akhq milvus m3 coredns calico cilium flink accumulo pinot tikv vitess fabio prometheus"
).split()


@rule("CL209", severity=INFO)
def just_in_case_coordinator(system: System) -> Iterator[Found]:
    if not any(True for _ in system.functions()):
        return
    for ensemble in system.deployment.ensembles(*COORDINATORS):
        if is_used(system, ensemble) or another_product_needs_it(system, ensemble):
            continue
        workload = ensemble.first.workload
        yield found(
            f"{backend_name(ensemble.backend)} ({workload.name}) is deployed, and no code or workload here uses it",
            at=workload.place,
            because=ensemble.shown,
            symbol=workload.symbol,
            resource=ensemble.backend,
            confidence=MEDIUM,
        )


def is_used(system: System, ensemble: Ensemble) -> bool:
    """Whether code speaks to such a coordinator, requires its client, or a workload names it as a host."""
    if any(True for _ in system.operations(backend=ensemble.backend, tests=True)):
        return True
    if system.requires(*CLIENTS.get(ensemble.backend, ())) is not None:
        return True
    return any(c.source not in ensemble.keys for c in system.deployment.clients_of(*ensemble.keys))


def another_product_needs_it(system: System, ensemble: Ensemble) -> bool:
    """Whether an image of the deployment is a product that brings its own client."""
    return any(
        product in (workload.image or "").lower()
        for workload in system.workloads()
        if workload.key not in ensemble.keys
        for product in NEEDING
    )


EXAMPLES = '''
=== bad: a ZooKeeper that nothing talks to
--- app.py
def main():
    print("hello")
--- compose.yaml
services:
  zookeeper:  # finding: just-in-case-coordinator
    image: zookeeper:3.9
  web:
    image: acme/web

=== good: Kafka needs it
--- app.py
def main():
    print("hello")
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.8
  kafka:
    image: confluentinc/cp-kafka:7.4.0

=== good: the code uses it
--- app.py
from kazoo.client import KazooClient

zk = KazooClient(hosts="zookeeper:2181")

def limit():
    return zk.get("/config/limit")[0]
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9

=== bad: an etcd in the cluster that nothing talks to
--- app.py
def main():
    print("hello")
--- k8s/etcd.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: etcd  # finding: just-in-case-coordinator
spec:
  serviceName: etcd
  replicas: 3
  template:
    metadata: {labels: {app: etcd}}
    spec:
      containers:
        - name: etcd
          image: "quay.io/coreos/etcd:v3.5.9"
--- k8s/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: acme/web

=== good: a pod that is no program of this repository talks to it
--- app.py
def main():
    print("hello")
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
        - name: etcd
          image: "quay.io/coreos/etcd:v3.5.9"
---
apiVersion: v1
kind: Service
metadata: {name: etcd}
spec:
  selector: {app: etcd}
--- k8s/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: acme/web
          env: [{name: ETCD_ENDPOINTS, value: "http://etcd:2379"}]
'''
