r"""Member lists, numbers and replica counts of an ensemble disagree.

Why: a member that is told of peers which do not exist waits for a majority that cannot come, or forms an ensemble of its own; two members with one
number overwrite each other's votes. It often works until the first restart, and then the coordinator is down with every process running.

Instead: one list, the same for every member, with one entry for each of them: its own number in ZOO_MY_ID, its own name in --name; as many
entries, and -bootstrap-expect, as there are replicas. Server lines of ZooKeeper's official image end with the client port since 3.5:
`server.1=zk1:2888:3888;2181`. Without it the members talk to each other, and open no port for clients.

Fine when: a member names itself by 0.0.0.0 in its own list, as the ZooKeeper image's documentation has it; the list leads to other hosts than
those of this repository.

Known misses: lists that a script makes when the container starts.

Sources: ZooKeeper Administrator's Guide, Cluster Options (server.x, myid); etcd documentation, Clustering Guide (static); Consul documentation,
bootstrap_expect.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from coordlint import COORDINATORS, ERROR, Ensemble, Evidence, Found, Place, System, backend_name, found, rule

OFFICIAL = re.compile(r"(?:(?:docker\.io/)?library/|docker\.io/)?zookeeper(?::(?:(\d+)\.(\d+))?[^@]*)?(?:@.*)?")
OWN = ("0.0.0.0", "localhost", "127.0.0.1")


@rule("CL710", severity=ERROR)
def ensemble_config_mismatch(system: System) -> Iterator[Found]:
    for ensemble in system.deployment.ensembles(*COORDINATORS):
        problems = [
            *shared_numbers(ensemble), *missing_members(ensemble), *wrong_counts(ensemble), *wrong_numbers(ensemble), *no_client_port(ensemble),
        ]  # fmt: skip
        for place, message, because in problems[:1]:
            yield found(
                f"{backend_name(ensemble.backend)}: {message}",
                at=place,
                because=because or ensemble.shown,
                symbol=ensemble.first.workload.symbol,
                resource=ensemble.backend,
                severity=ensemble.role.softened(ERROR),
            )


Problem = tuple[Place, str, list[Evidence]]


def shared_numbers(ensemble: Ensemble) -> Iterator[Problem]:
    """Two members with one number."""
    numbered = [(c.identity, c) for c in ensemble.coordinators if c.identity is not None]
    counts = Counter(identity[0] for identity, _ in numbered)
    for (value, place), coordinator in reversed(numbered):
        if counts[value] > 1:
            others = [(i, c) for i, c in numbered if i[0] == value and c is not coordinator]
            because = [Evidence(i[1], f"{c.workload.name} is {value} as well") for i, c in others]
            yield place, f"{coordinator.workload.name} has the number {value}, which {others[0][1].workload.name} has too", because
            return


def missing_members(ensemble: Ensemble) -> Iterator[Problem]:
    """A list of services of this file with an entry that none of them answers to."""
    names = {name for c in ensemble.coordinators for name in c.workload.names}
    if len(ensemble.coordinators) < 2:
        return
    for coordinator in ensemble.coordinators:
        for entry in coordinator.listed:
            if entry.host not in names and entry.host not in OWN and "." not in entry.host:
                yield entry.place, f"{coordinator.workload.name} is told of {entry.host}, and no service answers to that name", []
                return
        told = {entry.host for entry in coordinator.listed}
        absent = [c for c in ensemble.coordinators if told and not told & set(c.workload.names) and c is not coordinator]
        if absent and coordinator.listed:
            because = [Evidence(c.place, f"{c.workload.name} is not in the list") for c in absent]
            yield coordinator.listed[0].place, f"{coordinator.workload.name} is not told of {absent[0].workload.name}", because
            return


def wrong_counts(ensemble: Ensemble) -> Iterator[Problem]:
    """A stateful set whose replicas are not as many as its list or -bootstrap-expect says."""
    first = ensemble.first
    replicas = first.workload.replicas
    if len(ensemble.coordinators) != 1 or first.workload.kind == "compose" or replicas.declared is None:
        return
    expected = first.option("-bootstrap-expect", "--bootstrap-expect", "CONSUL_BOOTSTRAP_EXPECT")
    if expected is not None and expected[0].isdigit() and int(expected[0]) > replicas.declared:
        message = f"{first.workload.name} waits for {expected[0]} servers and has {replicas.declared} replicas: it never elects a leader"
        yield expected[1], message, list(replicas.because)
    voting = [entry for entry in first.listed if entry.votes]
    if len(voting) > 1 and len(first.listed) != replicas.declared:
        message = f"{first.workload.name} lists {len(first.listed)} members and has {replicas.declared} replicas"
        yield voting[0].place, message, list(replicas.because)


def wrong_numbers(ensemble: Ensemble) -> Iterator[Problem]:
    """A member whose number or name is not the one under which the list has it."""
    for coordinator in ensemble.coordinators:
        if coordinator.identity is None or len(coordinator.listed) < 2 or coordinator.workload.kind != "compose":
            continue
        value, place = coordinator.identity
        known = {entry.id for entry in coordinator.listed}
        if value not in known:
            message = f"{coordinator.workload.name} calls itself {value}, which its own list does not have"
            yield place, message, [Evidence(coordinator.listed[0].place, f"the list has {', '.join(sorted(known))}")]
            return
        own = next((e for e in coordinator.listed if e.host in coordinator.workload.names), None)
        if own is not None and own.id != value:
            message = f"{coordinator.workload.name} calls itself {value}, and its list has it as {own.id}"
            yield place, message, [Evidence(own.place, f"{own.host} is {own.id} here")]
            return


def no_client_port(ensemble: Ensemble) -> Iterator[Problem]:
    """Members of the official image, 3.5 or later, whose server lines do not end with the client port, which nothing else says either."""
    for coordinator in ensemble.coordinators:
        workload = coordinator.workload
        image = OFFICIAL.fullmatch(workload.image or "")
        servers = coordinator.option("ZOO_SERVERS")
        if image is None or servers is None or workload.is_built_here or (image[1] and (int(image[1]), int(image[2])) < (3, 5)):
            continue
        listed = [part for part in servers[0].split() if part.startswith("server.") and part.count(":") >= 2]
        said = [workload.variable("ZOO_CFG_EXTRA"), workload.variable("ZOO_PORT")]
        configured = any(v is not None for v in said) or any(m.target.startswith("/conf") or m.target.endswith(".cfg") for m in workload.mounts)
        if listed and len(listed) == len(coordinator.listed) and ";" not in servers[0] and not configured:
            message = f"{workload.name} lists its members without a client port (`;2181`), which the image wants since 3.5: no client can connect"
            yield servers[1], message, [Evidence(workload.image_place or workload.place, f"the image is {workload.image}")]
            return


EXAMPLES = r'''
=== bad: two members with one number
--- compose.yaml
x-servers: &servers "server.1=zk1:2888:3888;2181 server.2=zk2:2888:3888;2181 server.3=zk3:2888:3888;2181"
services:
  zk1:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 1, ZOO_SERVERS: *servers}
  zk2:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 2, ZOO_SERVERS: *servers}
  zk3:
    image: zookeeper:3.9
    environment:
      ZOO_MY_ID: 2  # finding: ensemble-config-mismatch
      ZOO_SERVERS: *servers

=== bad: no port for clients
--- compose.yaml
services:
  zk1:
    image: zookeeper
    environment:
      ZOO_MY_ID: 1
      ZOO_SERVERS: server.1=0.0.0.0:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888  # finding: ensemble-config-mismatch
  zk2:
    image: zookeeper
    environment: {ZOO_MY_ID: 2, ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=0.0.0.0:2888:3888 server.3=zk3:2888:3888"}
  zk3:
    image: zookeeper
    environment: {ZOO_MY_ID: 3, ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=0.0.0.0:2888:3888"}

=== good: an image that still writes the port itself, and a setting that says it
--- compose.yaml
services:
  zk1:
    image: zookeeper:3.4.14
    environment: {ZOO_MY_ID: 1, ZOO_SERVERS: "server.1=0.0.0.0:2888:3888 server.2=zk2:2888:3888"}
  zk2:
    image: zookeeper:3.4.14
    environment: {ZOO_MY_ID: 2, ZOO_SERVERS: "server.1=zk1:2888:3888 server.2=0.0.0.0:2888:3888"}
--- other/compose.yaml
services:
  keeper:
    image: zookeeper:3.8
    environment: {ZOO_MY_ID: 1, ZOO_SERVERS: "server.1=keeper:2888:3888", ZOO_CFG_EXTRA: "clientPort=2181"}

=== bad: the list names a service that is not there
--- compose.yaml
services:
  zk1:
    image: zookeeper:3.9
    environment:
      ZOO_MY_ID: 1
      ZOO_SERVERS: server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888  # finding: ensemble-config-mismatch
  zk2:
    image: zookeeper:3.9
    environment:
      ZOO_MY_ID: 2
      ZOO_SERVERS: server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888

=== bad: Consul expects more servers than there are
--- k8s/consul.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: consul}
spec:
  serviceName: consul
  replicas: 3
  template:
    spec:
      containers:
        - name: consul
          image: hashicorp/consul:1.17
          args:
            - agent  # finding: ensemble-config-mismatch
            - -server
            - -bootstrap-expect=5

=== bad: a member that its list has under another name
--- compose.yaml
services:
  etcd0:
    image: quay.io/coreos/etcd:v3.5.9
    environment:
      ETCD_NAME: etcd1  # finding: ensemble-config-mismatch
      ETCD_INITIAL_CLUSTER: etcd0=http://etcd0:2380,etcd1=http://etcd1:2380,etcd2=http://etcd2:2380
  etcd1:
    image: quay.io/coreos/etcd:v3.5.9
    environment:
      ETCD_INITIAL_CLUSTER: etcd0=http://etcd0:2380,etcd1=http://etcd1:2380,etcd2=http://etcd2:2380
  etcd2:
    image: quay.io/coreos/etcd:v3.5.9
    environment:
      ETCD_INITIAL_CLUSTER: etcd0=http://etcd0:2380,etcd1=http://etcd1:2380,etcd2=http://etcd2:2380

=== good: numbers and lists agree, and each names itself by 0.0.0.0
--- compose.yaml
services:
  zk1:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 1, ZOO_SERVERS: "server.1=0.0.0.0:2888:3888;2181 server.2=zk2:2888:3888;2181 server.3=zk3:2888:3888;2181"}
  zk2:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 2, ZOO_SERVERS: "server.1=zk1:2888:3888;2181 server.2=0.0.0.0:2888:3888;2181 server.3=zk3:2888:3888;2181"}
  zk3:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 3, ZOO_SERVERS: "server.1=zk1:2888:3888;2181 server.2=zk2:2888:3888;2181 server.3=0.0.0.0:2888:3888;2181"}

=== good: as many replicas as are expected
--- k8s/consul.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: consul}
spec:
  serviceName: consul
  replicas: 3
  template:
    spec:
      containers:
        - {name: consul, image: "hashicorp/consul:1.17", args: [agent, -server, -bootstrap-expect=3]}

=== good: a stand-alone server that lists itself
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 1, ZOO_SERVERS: "server.1=zookeeper:2888:3888;2181"}

=== good: the other members are elsewhere
--- compose.yaml
services:
  zookeeper:
    image: zookeeper:3.9
    environment: {ZOO_MY_ID: 1, ZOO_SERVERS: "server.1=zk1.acme.net:2888:3888;2181 server.2=zk2.acme.net:2888:3888;2181 server.3=zk3.acme.net:2888:3888;2181"}
'''
