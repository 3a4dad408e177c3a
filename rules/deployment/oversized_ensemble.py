r"""An ensemble has more than seven voting members.

Why: every write waits for a majority. Nine members wait for five acknowledgements to survive four failures at once, which no team plans for; each
member beyond five or seven makes writes slower and the election of a leader longer, and reads are served as well by members that do not vote.

Instead: five voting members, seven at most; observers (ZooKeeper), learners (etcd) or client agents (Consul) for further readers and sites.

Fine when: the further members do not vote.

Known misses: sizes that are set when the chart or the script is run.

Sources: etcd FAQ, What is maximum cluster size; ZooKeeper Observers documentation; Consul documentation, Deployment Table.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import COORDINATORS, INFO, Found, System, backend_name, found, rule

MOST = 7


@rule("CL711", severity=INFO)
def oversized_ensemble(system: System) -> Iterator[Found]:
    for ensemble in system.deployment.ensembles(*COORDINATORS):
        members = ensemble.members or 0
        if members > MOST:
            yield found(
                f"{backend_name(ensemble.backend)} ({ensemble.name}) has {members} voting members: every write waits for {members // 2 + 1}",
                at=ensemble.first.place,
                because=ensemble.shown,
                symbol=ensemble.first.workload.symbol,
                resource=ensemble.backend,
                severity=ensemble.role.softened(INFO),
            )


EXAMPLES = r'''
=== bad: nine replicas
--- k8s/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: zk  # finding: oversized-ensemble
spec:
  serviceName: zk
  replicas: 9
  template:
    spec:
      containers:
        - {name: zk, image: "zookeeper:3.9"}

=== bad: eleven through an operator
--- k8s/etcd.yaml
apiVersion: etcd.database.coreos.com/v1beta2
kind: EtcdCluster
metadata:
  name: state  # finding: oversized-ensemble
spec:
  size: 11

=== good: seven voters and two observers
--- compose.yaml
services:
  zk1:
    image: zookeeper:3.9
    environment:
      ZOO_SERVERS: >-
        server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888 server.4=zk4:2888:3888 server.5=zk5:2888:3888
        server.6=zk6:2888:3888 server.7=zk7:2888:3888 server.8=zk8:2888:3888:observer server.9=zk9:2888:3888:observer

=== good: nine memcached agree on nothing
--- k8s/cache.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: cache}
spec:
  replicas: 9
  template:
    spec:
      containers:
        - {name: cache, image: "memcached:1.6"}

=== bad: nine voters in compose
--- compose.yaml
services:
  zk1:  # finding: oversized-ensemble
    image: zookeeper:3.9
    environment:
      ZOO_SERVERS: >-
        server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888 server.4=zk4:2888:3888 server.5=zk5:2888:3888
        server.6=zk6:2888:3888 server.7=zk7:2888:3888 server.8=zk8:2888:3888 server.9=zk9:2888:3888
'''
