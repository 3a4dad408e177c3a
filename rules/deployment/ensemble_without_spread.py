r"""The members of an ensemble may all land on one machine, or be drained together.

Why: three members on one node survive what one member survives. Kubernetes packs pods where there is room unless it is told not to, and a node
drain evicts as many members at once as no disruption budget forbids: the majority is gone, with every member healthy.

Instead: podAntiAffinity on kubernetes.io/hostname (required, not preferred) or topologySpreadConstraints, and a PodDisruptionBudget with
maxUnavailable: 1 that selects the members.

Fine when: an operator's resource sees to it. Plain compose has no nodes to spread over, nor drains: it knows one host only. A swarm
spreads by itself, unless placement constraints pin every member to the same node.

Known misses: budgets in another repository.

Sources: Kubernetes documentation, Running ZooKeeper, A Distributed System Coordinator (Tolerating Node Failure, Surviving Maintenance).
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import COORDINATORS, WARNING, Evidence, Found, System, backend_name, found, rule


@rule("CL704", severity=WARNING)
def ensemble_without_spread(system: System) -> Iterator[Found]:
    for ensemble in system.deployment.ensembles(*COORDINATORS):
        first = ensemble.first.workload
        pins = [c.workload.pinned_to for c in ensemble.coordinators if c.workload.pinned_to is not None]
        if len(pins) == len(ensemble.coordinators) >= 3 and len({pin.message for pin in pins}) == 1:
            yield found(
                f"{backend_name(ensemble.backend)} ({ensemble.name}) has {len(pins)} members, and all are pinned to the node {pins[0].message}",
                at=pins[0].place,
                because=[Evidence(pin.place, "and this one is as well") for pin in pins[1:]],
                symbol=first.symbol,
                resource=ensemble.backend,
                severity=ensemble.role.softened(WARNING),
            )
            continue
        if first.has_spread is None or (ensemble.members or 0) < 3 or not ensemble.is_ours_to_run:
            continue
        gaps = []
        if not first.has_spread:
            gaps.append("nothing keeps them on different nodes")
        if not first.has_disruption_budget:
            gaps.append("no disruption budget keeps a majority while nodes are drained")
        if not gaps:
            continue
        yield found(
            f"{backend_name(ensemble.backend)} ({ensemble.name}) has {ensemble.members} members, and {' and '.join(gaps)}",
            at=ensemble.first.place,
            because=ensemble.shown or [Evidence(ensemble.first.place, "defined here")],
            symbol=first.symbol,
            resource=ensemble.backend,
            severity=ensemble.role.softened(WARNING),
        )


EXAMPLES = r'''
=== bad: three replicas, neither spread nor budget
--- k8s/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: zk  # finding: ensemble-without-spread
spec:
  serviceName: zk
  replicas: 3
  template:
    metadata: {labels: {app: zk}}
    spec:
      containers:
        - {name: zk, image: "zookeeper:3.9"}

=== bad: spread, but every member may be drained at once
--- k8s/etcd.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: etcd  # finding: ensemble-without-spread
spec:
  serviceName: etcd
  replicas: 5
  template:
    metadata: {labels: {app: etcd}}
    spec:
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: etcd}}}
      containers:
        - {name: etcd, image: "quay.io/coreos/etcd:v3.5.9"}

=== bad: a swarm, with every member pinned to one node
--- stack.yaml
services:
  zk1:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 1, ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"}
    deploy:
      placement:
        constraints:
          - node.hostname == alpha  # finding: ensemble-without-spread
  zk2:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 2, ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"}
    deploy:
      placement:
        constraints:
          - node.hostname == alpha
  zk3:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 3, ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"}
    deploy:
      placement:
        constraints:
          - node.hostname == alpha

=== good: anti-affinity, and a budget in another file
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
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: zk}}}
      containers:
        - {name: zk, image: "zookeeper:3.9"}
--- k8s/budget.yaml
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: zk}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {app: zk}}

=== good: an operator sees to it
--- k8s/cluster.yaml
apiVersion: zookeeper.pravega.io/v1beta1
kind: ZookeeperCluster
metadata: {name: zookeeper}
spec: {replicas: 3}

=== good: a swarm, with a node for each member
--- stack.yaml
services:
  zk1:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 1, ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"}
    deploy:
      placement:
        constraints:
          - node.hostname == alpha
  zk2:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 2, ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"}
    deploy:
      placement:
        constraints:
          - node.hostname == beta
  zk3:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 3, ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"}
    deploy:
      placement:
        constraints:
          - node.hostname == gamma

=== good: three members in compose, on one host by nature
--- compose.yaml
services:
  zk1: {image: "zookeeper:3.9", environment: &env {ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"}}
  zk2: {image: "zookeeper:3.9", environment: *env}
  zk3: {image: "zookeeper:3.9", environment: *env}
'''
