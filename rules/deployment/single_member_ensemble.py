r"""A ZooKeeper, etcd or Consul runs as a single server.

Why: agreement needs a majority, and a majority of one is gone with every restart, upgrade and full disk. All the cost of a coordinator is
paid (its latency, its operation, one more thing that can fail), and what it is for, going on when a server fails, is not had. Locks
and elections stop with it.

Instead: run three members on three machines (replicas: 3 with volumeClaimTemplates, or three compose services that list each other), use a
managed service, or drop the coordinator: a lease in the database that is there anyway fails no more often.

Fine when: an operator or a managed service runs it; a compose profile starts it on demand only; a compose service without a restart policy, which
no crash and no reboot brings back, stands in a file for development, or beside Kubernetes manifests that run the same coordinator.
It is information where one of the two is missing: the file is for production, or the service is kept running; and in every compose file that
says nothing of a swarm: on one host three members would fail together, and what helps is another place for it. Where a lock for correctness is
held there, it is told in full.

Known misses: members that another repository adds.

Sources: ZooKeeper Administrator's Guide, Clustered (Multi-Server) Setup: at least three servers; etcd FAQ, What is failure tolerance; Consul
documentation, Consensus Protocol, Deployment Table.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    ERROR,
    INFO,
    WARNING,
    Ensemble,
    Evidence,
    Found,
    System,
    backend_name,
    found,
    lock_name,
    rule,
)


@rule("CL701", severity=WARNING)
def single_member_ensemble(system: System) -> Iterator[Found]:
    for ensemble in system.deployment.ensembles(*COORDINATORS):
        if ensemble.members != 1 or not ensemble.is_ours_to_run or system.deployment.is_to_try(ensemble):
            continue
        at_stake = hangs_on_it(system, ensemble)
        users = system.deployment.users_of(ensemble)
        yield found(
            f"{backend_name(ensemble.backend)} runs as one server ({ensemble.name}): its restart stops {stopped(users, at_stake)}",
            at=ensemble.first.place,
            because=[*ensemble.shown, *at_stake, *users[:3]],
            symbol=ensemble.first.workload.symbol,
            resource=ensemble.backend,
            severity=ensemble.softened(ERROR if at_stake else INFO if is_on_one_host(system, ensemble) else WARNING),
        )


def is_on_one_host(system: System, ensemble: Ensemble) -> bool:
    """Whether compose starts it on one machine, where three members would fail together; a swarm says who runs where, or how many."""
    beside = [w for w in system.workloads() if w.path == ensemble.first.workload.path]
    return ensemble.first.workload.kind == "compose" and not any(w.replicas.because or w.pinned_to or w.strategy for w in beside)


def hangs_on_it(system: System, ensemble: Ensemble) -> list[Evidence]:
    """The first lock of this backend that is held for correctness."""
    for section in system.critical_sections(distributed=True, backend=ensemble.backend):
        if section.purpose.kind == "correctness":
            return [Evidence(section.acquired, f"{lock_name(section.lock)} is held for correctness")]
    return []


def stopped(users: tuple[Evidence, ...], at_stake: list[Evidence]) -> str:
    """What stands still without the server."""
    if at_stake:
        return "what must not go wrong"
    return f"the {len(users)} workloads that talk to it" if len(users) > 1 else "everything that coordinates through it"


EXAMPLES = r'''
=== bad: one ZooKeeper in compose, and a lock for payments
--- compose.yaml
services:
  zookeeper:  # finding: single-member-ensemble
    image: zookeeper:3.9
    volumes:
      - zk-data:/data
  billing:
    build: .
    command: python billing.py
    environment:
      ZK_HOSTS: zookeeper:2181
volumes:
  zk-data: {}
--- billing.py
import os

from kazoo.client import KazooClient
import stripe

zk = KazooClient(hosts=os.environ["ZK_HOSTS"])

def charge(order):
    with zk.Lock(f"/charge/{order.id}"):
        stripe.Charge.create(amount=order.amount, currency="eur")

=== bad: one etcd in a Deployment
--- k8s/etcd.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: etcd  # finding: single-member-ensemble
spec:
  replicas: 1
  selector: {matchLabels: {app: etcd}}
  template:
    metadata: {labels: {app: etcd}}
    spec:
      containers:
        - name: etcd
          image: quay.io/coreos/etcd:v3.5.9
          volumeMounts: [{name: data, mountPath: /etcd-data}]
      volumes:
        - name: data
          persistentVolumeClaim: {claimName: etcd}

=== bad: Consul in development mode serves everybody
--- docker-compose.yml
services:
  consul:  # finding: single-member-ensemble
    image: hashicorp/consul:1.17
    command: agent -dev -client=0.0.0.0
  web:
    image: acme/web
    environment:
      CONSUL_HTTP_ADDR: http://consul:8500

=== bad: the image is built here, from the server's
--- compose.yaml
services:
  discovery:  # finding: single-member-ensemble
    build: ./zk
--- zk/Dockerfile
FROM zookeeper:3.8
COPY zoo.cfg /conf/
VOLUME /data

=== good: three servers that list each other
--- compose.yaml
x-zk: &zk
  image: zookeeper:3.9
  environment: &env
    ZOO_SERVERS: server.1=zk1:2888:3888;2181 server.2=zk2:2888:3888;2181 server.3=zk3:2888:3888;2181
services:
  zk1: {<<: *zk, environment: {<<: *env, ZOO_MY_ID: 1}}
  zk2: {<<: *zk, environment: {<<: *env, ZOO_MY_ID: 2}}
  zk3: {<<: *zk, environment: {<<: *env, ZOO_MY_ID: 3}}

=== good: a StatefulSet of three
--- k8s/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: zk}
spec:
  serviceName: zk-headless
  replicas: 3
  template:
    spec:
      containers:
        - {name: zk, image: "zookeeper:3.9"}

=== good: an operator runs it
--- k8s/cluster.yaml
apiVersion: zookeeper.pravega.io/v1beta1
kind: ZookeeperCluster
metadata: {name: zookeeper}
spec: {replicas: 1}

=== good: compose for whoever tries it, three members on Kubernetes
--- compose.yaml
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.9
--- k8s/etcd.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: etcd}
spec:
  serviceName: etcd
  replicas: 3
  selector: {matchLabels: {app: etcd}}
  template:
    metadata: {labels: {app: etcd}}
    spec:
      containers:
        - {name: etcd, image: "quay.io/coreos/etcd:v3.5.9", volumeMounts: [{name: data, mountPath: /etcd-data}]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}

=== good: only a profile starts it
--- compose.yaml
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.9
    profiles: [debug]
  web:
    image: acme/web

=== good: a Consul agent that joins servers elsewhere, and a job with the client
--- compose.yaml
services:
  consul-agent:
    image: hashicorp/consul:1.17
    command: agent -retry-join=consul.acme.internal -client=0.0.0.0
  seed:
    image: hashicorp/consul:1.17
    command: consul kv put -http-addr=http://consul.acme.internal:8500 greeting hello

=== good: what looks after ZooKeeper is no ZooKeeper
--- compose.yaml
services:
  zoonavigator:
    image: elkozmon/zoonavigator:latest
  exporter:
    image: dabealu/zookeeper-exporter
'''
