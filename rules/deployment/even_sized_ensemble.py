r"""An ensemble has an even number of voting members.

Why: four members need three for a majority and so survive one failure, exactly as three members do, with one more machine that can fail
and one more acknowledgement to wait for. Two members survive none: the loss of either stops both. An even split of the network leaves
no side with a majority.

Instead: three or five voting members; further ones as observers (ZooKeeper), learners (etcd) or client agents (Consul), which do not vote.

Fine when: the further members do not vote; two servers are two separate coordinators. In manifests for development and tests it is
information.

Known misses: sizes that are set when the chart or the script is run.

Sources: etcd FAQ, Why an odd number of cluster members; ZooKeeper Administrator's Guide, Cross Machine Requirements; Consul documentation,
Deployment Table.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import COORDINATORS, WARNING, Found, System, backend_name, found, rule


@rule("CL702", severity=WARNING)
def even_sized_ensemble(system: System) -> Iterator[Found]:
    for ensemble in system.deployment.ensembles(*COORDINATORS):
        members = ensemble.members
        if not members or members % 2 == 1:
            continue
        survives = members // 2 - 1
        yield found(
            f"{backend_name(ensemble.backend)} has {members} voting members ({ensemble.name}) and survives the loss of {survives}, "
            f"as many as with {members - 1}" if survives else
            f"{backend_name(ensemble.backend)} has {members} voting members ({ensemble.name}): the loss of either stops both",
            at=ensemble.first.place,
            because=ensemble.shown,
            symbol=ensemble.first.workload.symbol,
            resource=ensemble.backend,
            severity=ensemble.softened(WARNING),
        )


EXAMPLES = r'''
=== bad: four replicas in a StatefulSet
--- k8s/etcd.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: etcd  # finding: even-sized-ensemble
spec:
  serviceName: etcd
  replicas: 4
  template:
    spec:
      containers:
        - {name: etcd, image: "quay.io/coreos/etcd:v3.5.9"}

=== bad: two servers that list each other, through a variable with a default
--- compose.yaml
services:
  zk1:  # finding: even-sized-ensemble
    image: zookeeper:${ZK_VERSION:-3.9}
    environment:
      ZOO_SERVERS: server.1=zk1:2888:3888;2181 server.2=zk2:2888:3888;2181
  zk2:
    image: zookeeper:${ZK_VERSION:-3.9}
    environment:
      ZOO_SERVERS: server.1=zk1:2888:3888;2181 server.2=zk2:2888:3888;2181

=== bad: an initial cluster of two on the command line
--- docker-compose.yml
services:
  etcd0:  # finding: even-sized-ensemble
    image: quay.io/coreos/etcd:v3.5.9
    command: etcd --name etcd0 --initial-cluster etcd0=http://etcd0:2380,etcd1=http://etcd1:2380
  etcd1:
    image: quay.io/coreos/etcd:v3.5.9
    command: etcd --name etcd1 --initial-cluster etcd0=http://etcd0:2380,etcd1=http://etcd1:2380

=== good: three voters and an observer
--- compose.yaml
services:
  zk1:
    image: zookeeper:3.9
    environment: &env
      ZOO_SERVERS: server.1=zk1:2888:3888;2181 server.2=zk2:2888:3888;2181 server.3=zk3:2888:3888;2181 server.4=zk4:2888:3888:observer;2181
  zk2: {image: "zookeeper:3.9", environment: *env}
  zk3: {image: "zookeeper:3.9", environment: *env}

=== good: two separate coordinators, each alone
--- compose.yaml
services:
  zk-blue: {image: "zookeeper:3.9"}
  zk-green: {image: "zookeeper:3.9"}

=== good: Consul clients do not vote
--- k8s/consul.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: consul-server}
spec:
  serviceName: consul
  replicas: 3
  template:
    spec:
      containers:
        - {name: consul, image: "hashicorp/consul:1.17", args: [agent, -server, -bootstrap-expect=3]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: consul-client}
spec:
  replicas: 2
  template:
    spec:
      containers:
        - {name: consul, image: "hashicorp/consul:1.17", args: [agent, -retry-join=consul]}

=== good: four replicas of a cache agree on nothing
--- k8s/memcached.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: memcached}
spec:
  replicas: 4
  template:
    spec:
      containers:
        - {name: memcached, image: "memcached:1.6"}
'''
