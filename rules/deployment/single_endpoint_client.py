r"""A client knows one member of an ensemble that has several.

Why: the ensemble goes on when that member fails, and the client does not: it has nobody else to ask. A rolling upgrade takes the client down
once for every member that it names.

Instead: give it all members ("zk1:2181,zk2:2181,zk3:2181"), or a name that resolves to all of them: the headless Service in Kubernetes, a DNS
name with several addresses.

Fine when: the name is a Service or a load balancer before all members; every host runs its own member or agent.

Known misses: addresses that come from outside the repository.

Sources: ZooKeeper Programmer's Guide, ZooKeeper Sessions (connection string); etcd documentation, Client design (balancer).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    Ensemble,
    Evidence,
    Found,
    Place,
    System,
    Workload,
    backend_name,
    found,
    rule,
)

ONE_POD = re.compile(r"[\w-]+-\d+\.[\w-]+")  # a pod of a StatefulSet behind its headless Service


@rule("CL705", severity=INFO)
def single_endpoint_client(system: System) -> Iterator[Found]:
    for ensemble in system.deployment.ensembles(*COORDINATORS):
        if len(ensemble.coordinators) < 3:
            yield from one_pod_of_many(system, ensemble)
            continue
        for client in system.workloads():
            if client.key in ensemble.keys:
                continue
            named = addresses(system, ensemble, client)
            if len(named) != 1:
                continue
            (member, said), = named.items()
            if _is_one_of_a_list(client, said.place):
                continue
            yield found(
                f"{client.name} knows one of {len(ensemble.coordinators)} {backend_name(ensemble.backend)} members: {member}",
                at=said.place,
                because=[Evidence(c.place, f"{c.workload.name} is a member") for c in ensemble.coordinators],
                symbol=client.symbol,
                resource=ensemble.backend,
                severity=client.role.softened(INFO),
            )


def _is_one_of_a_list(client: Workload, place: Place) -> bool:
    """Whether a setting names others beside the member, of whom no manifest here says who they are: "etcd1:2379,${SECOND}:2379"."""
    return any(v.place == place and v.value is not None and len([part for part in v.value.split(",") if part.strip()]) > 1 for v in client.environment)


def one_pod_of_many(system: System, ensemble: Ensemble) -> Iterator[Found]:
    """Clients of a set of pods that name one of them; the names of Services lead to all."""
    members = ensemble.first.workload
    for connection in system.deployment.clients_of(*ensemble.keys):
        if (members.replicas.declared or 0) < 3 or len(connection.hosts) != 1 or not ONE_POD.match(connection.hosts[0]):
            continue
        client = system.deployment.workload(connection.source)
        said = next(e for e in connection.evidence if e.message not in ("depends-on", "command"))
        yield found(
            f"{connection.source.name} knows one of {members.replicas.declared} {backend_name(ensemble.backend)} members: {connection.hosts[0]}",
            at=said.place,
            because=[*members.replicas.because[:1], Evidence(members.place, f"{members.name} is the ensemble")],
            symbol=client.symbol if client else "",
            resource=ensemble.backend,
            severity=client.role.softened(INFO) if client else INFO,
        )


def addresses(system: System, ensemble: Ensemble, client: Workload) -> dict[str, Evidence]:
    """The members that a client's settings name, with the place that does; start order alone names nobody."""
    named = {}
    for connection in system.deployment.connections_of(client.key):
        if connection.target in ensemble.keys:
            said = next((e for e in connection.evidence if e.message not in ("depends-on", "command")), None)
            if said is not None:
                named[connection.target.name] = said
    return named


EXAMPLES = r'''
=== bad: one of three
--- compose.yaml
x-zk: &env {ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"}
services:
  zk1: {image: "zookeeper:3.9", environment: *env}
  zk2: {image: "zookeeper:3.9", environment: *env}
  zk3: {image: "zookeeper:3.9", environment: *env}
  web:
    image: acme/web
    environment:
      ZK_HOSTS: zk1:2181  # finding: single-endpoint-client

=== good: all of them
--- compose.yaml
x-zk: &env {ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"}
services:
  zk1: {image: "zookeeper:3.9", environment: *env}
  zk2: {image: "zookeeper:3.9", environment: *env}
  zk3: {image: "zookeeper:3.9", environment: *env}
  web:
    image: acme/web
    environment:
      ZK_HOSTS: zk1:2181,zk2:2181,zk3:2181
    depends_on: [zk1]

=== good: one by its name, and the others, which run on other machines, by addresses that nobody here tells
--- compose.yaml
x-etcd: &cluster "etcd1=http://etcd1:2380,etcd2=http://etcd2:2380,etcd3=http://etcd3:2380"
services:
  etcd1: {image: "quay.io/coreos/etcd:v3.5.9", environment: {ETCD_NAME: etcd1, ETCD_INITIAL_CLUSTER: *cluster}}
  etcd2: {image: "quay.io/coreos/etcd:v3.5.9", environment: {ETCD_NAME: etcd2, ETCD_INITIAL_CLUSTER: *cluster}}
  etcd3: {image: "quay.io/coreos/etcd:v3.5.9", environment: {ETCD_NAME: etcd3, ETCD_INITIAL_CLUSTER: *cluster}}
  agent:
    image: acme/agent
    environment:
      ETCD_ENDPOINTS: "etcd1:2379,${SECOND}:2379,${THIRD}:2379"

=== good: a headless Service resolves to all
--- k8s/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: zk}
spec:
  serviceName: zk-headless
  replicas: 3
  template:
    metadata: {labels: {app: zk}}
    spec:
      containers:
        - {name: zk, image: "zookeeper:3.9"}
--- k8s/web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: web
          image: acme/web
          env: [{name: ZK_HOSTS, value: "zk-headless:2181"}]

=== bad: one pod of three
--- k8s/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: zk}
spec:
  serviceName: zk
  replicas: 3
  template:
    metadata: {labels: {app: zk}}
    spec:
      containers:
        - name: zk
          image: "zookeeper:3.9"
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
          env:
            - name: ZK_HOSTS
              value: "zk-0.zk:2181"  # finding: single-endpoint-client
'''
