r"""A ZooKeeper, etcd or Consul server keeps its data where it dies with the container.

Why: a member that comes back empty has forgotten what it promised to the others. With one member, every lock, lease and key is gone after a
restart. With several, a member that lost its log and votes again can help to elect a majority that does not know committed writes:
what was acknowledged disappears, and two holders believe in one lock.

Instead: a volume at the server's data directory: `volumeClaimTemplates` in a StatefulSet (never an emptyDir), a named volume in compose. For
ZooKeeper both the data and the transaction log directory.

In compose it is a warning: a container there restarts with its file system, and whoever runs one on one host knows it.
A compose service without a restart policy, which no crash and no reboot brings back, is there to try things with: one step less. So it is
in manifests for development and examples, which are made to be thrown away.

Fine when: the manifest belongs to tests, whose state may die with them; an operator manages the storage; a compose service without a restart policy
stands in a file for development or an example, or beside Kubernetes manifests that run the same coordinator.

Known misses: data directories that are set in an image's own configuration.

Sources: ZooKeeper Administrator's Guide, Data File Management; etcd documentation, Disaster recovery and Data directory; Consul documentation,
Agent configuration, data_dir.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    ERROR,
    WARNING,
    Coordinator,
    Evidence,
    Found,
    System,
    backend_name,
    found,
    rule,
)


@rule("CL703", severity=ERROR)
def ensemble_without_storage(system: System) -> Iterator[Found]:
    yield from promised_and_lost(system)
    for ensemble in system.deployment.ensembles(*COORDINATORS):
        forgetful = [c for c in ensemble.coordinators if c.persistent is False]
        if not forgetful or not ensemble.is_ours_to_run or ensemble.role == "test" or system.deployment.is_to_try(ensemble):
            continue
        first = forgetful[0]
        names = ", ".join(c.workload.name for c in forgetful)
        yield found(
            f"{backend_name(ensemble.backend)} ({names}) keeps its data {where(first)}: {when(first)} forgets every lock, lease and key",
            at=first.place,
            because=[*memory(first), *first.evidence, *(Evidence(c.place, f"{c.workload.name} as well") for c in forgetful[1:])],
            symbol=first.workload.symbol,
            resource=ensemble.backend,
            severity=ensemble.softened(WARNING if first.workload.kind == "compose" or ensemble.role.is_lenient else ERROR),
        )


def promised_and_lost(system: System) -> Iterator[Found]:
    """A Redis that is told to keep its data, on a volume that does not."""
    for store in system.coordinators("redis"):
        option = store.option("--appendonly", "appendonly", "REDIS_AOF_ENABLED")
        keeps = option is not None and option[0].strip("\"'").lower() in ("yes", "true")
        if option is None or not keeps or store.persistent is not False or not store.storage or store.workload.role == "test":
            continue
        yield found(
            f"Redis ({store.workload.name}) writes its append-only file {where(store)}: a restart loses what it was to keep",
            at=store.storage[0].place,
            because=[Evidence(option[1], "the append-only file is switched on"), *store.evidence],
            symbol=store.workload.symbol,
            resource="redis",
            severity=store.workload.softened(WARNING),
        )


def is_lost_by_a_restart(coordinator: Coordinator) -> bool:
    """Whether a mere restart loses the data: compose restarts a container with its file system, Kubernetes without."""
    in_memory = coordinator.is_development_mode or bool(coordinator.storage)
    return in_memory or coordinator.workload.kind != "compose"


def when(coordinator: Coordinator) -> str:
    """What loses the data."""
    return "a restart" if is_lost_by_a_restart(coordinator) else "recreating the container"


def where(coordinator: Coordinator) -> str:
    """Where the data is, as far as the manifest says."""
    if coordinator.is_development_mode:
        return "in memory (-dev)"
    return f"where it does not last ({coordinator.storage[0].message})" if coordinator.storage else "in the container"


def memory(coordinator: Coordinator) -> list[Evidence]:
    """The mounts or the flag that say so."""
    if coordinator.is_development_mode and coordinator.workload.command_place:
        return [Evidence(coordinator.workload.command_place, "-dev keeps everything in memory")]
    return list(coordinator.storage)


EXAMPLES = r'''
=== bad: no volume in compose
--- compose.yaml
services:
  zookeeper:  # finding: ensemble-without-storage
    image: confluentinc/cp-zookeeper:7.5.0
    environment:
      ZOOKEEPER_CLIENT_PORT: 2181
  kafka:
    image: confluentinc/cp-kafka:7.5.0
    environment:
      KAFKA_ZOOKEEPER_CONNECT: zookeeper:2181

=== bad: a StatefulSet on an emptyDir
--- k8s/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: zk  # finding: ensemble-without-storage
spec:
  serviceName: zk
  replicas: 3
  template:
    spec:
      containers:
        - name: zk
          image: zookeeper:3.9
          volumeMounts: [{name: data, mountPath: /data}]
      volumes:
        - name: data
          emptyDir: {}

=== bad: Consul in development mode
--- docker-compose.yml
services:
  consul:  # finding: ensemble-without-storage
    image: consul:1.15
    command: ["agent", "-dev", "-client=0.0.0.0"]

=== bad: only the configuration is mounted
--- compose.yaml
services:
  zk:  # finding: ensemble-without-storage
    image: zookeeper:3.9
    volumes:
      - ./zoo.cfg:/conf/zoo.cfg:ro

=== bad: a Redis that is to keep its data, on an emptyDir
--- k8s/redis.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec:
  template:
    spec:
      containers:
        - name: redis
          image: redis:7
          command: [redis-server, --appendonly, "yes"]
          volumeMounts: [{name: data, mountPath: /data}]
      volumes:
        - name: data
          emptyDir: {}  # finding: ensemble-without-storage

=== good: a Redis that is to keep its data, on a claim
--- k8s/redis.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec:
  template:
    spec:
      containers:
        - name: redis
          image: redis:7
          command: [redis-server, --appendonly, "yes"]
          volumeMounts: [{name: data, mountPath: /data}]
      volumes:
        - name: data
          persistentVolumeClaim: {claimName: redis}

=== good: a named volume at the data directory
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    volumes:
      - zk-data:/data
      - zk-log:/datalog
volumes: {zk-data: {}, zk-log: {}}

=== good: the data directory is set, and mounted
--- compose.yaml
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.9
    command: etcd --data-dir=/var/state/etcd
    volumes:
      - ./state:/var/state

=== good: volume claim templates
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
          volumeMounts: [{name: data, mountPath: /var/lib/etcd}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 8Gi}}}

=== good: a volume at a directory that the table does not know
--- compose.yaml
services:
  zookeeper:
    image: acme/zookeeper:3.9
    volumes:
      - zk:/srv/zk-state
volumes: {zk: {}}

=== good: three members to try it with
--- compose.yaml
services:
  etcd1:
    image: quay.io/coreos/etcd:v3.5.9
    container_name: demo-etcd1
    command: etcd --name etcd1 --initial-cluster etcd1=http://etcd1:2380,etcd2=http://etcd2:2380,etcd3=http://etcd3:2380
  etcd2:
    image: quay.io/coreos/etcd:v3.5.9
    container_name: demo-etcd2
    command: etcd --name etcd2 --initial-cluster etcd1=http://etcd1:2380,etcd2=http://etcd2:2380,etcd3=http://etcd3:2380
  etcd3:
    image: quay.io/coreos/etcd:v3.5.9
    container_name: demo-etcd3
    command: etcd --name etcd3 --initial-cluster etcd1=http://etcd1:2380,etcd2=http://etcd2:2380,etcd3=http://etcd3:2380

=== good: a stack for tests
--- docker-compose.test.yml
services:
  zookeeper:
    image: zookeeper:3.9
  tests:
    build: .
    command: pytest

=== good: Redis as a cache may forget
--- compose.yaml
services:
  redis:
    image: redis:7
'''
