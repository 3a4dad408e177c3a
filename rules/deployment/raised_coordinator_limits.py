r"""A coordinator's limits were raised so that more fits in.

Why: the limits are there because everything is kept in memory, sent to every member and written to every log. A quota over 8 GiB makes snapshots and
restarts take minutes; requests beyond the default size stall the heartbeat of the leader behind them, and sessions expire. Who needs the room
uses the coordinator as a database or a file store.

Instead: keep the default, put the large values into a database or an object store, and a reference to them into the coordinator.

Fine when: the limit is at most what the project recommends (8 GiB for etcd).

Known misses: limits in configuration files that are made when the container starts.

Sources: etcd documentation, System limits (request size 1.5 MiB, storage 8 GiB suggested maximum); ZooKeeper Administrator's Guide, jute.maxbuffer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coordlint import COORDINATORS, WARNING, Found, Place, System, backend_name, found, rule

GIB = 1024**3
LIMITS = {
    "--quota-backend-bytes": (8 * GIB, "a quota of {} bytes", "8 GiB is the most that etcd recommends"),
    "ETCD_QUOTA_BACKEND_BYTES": (8 * GIB, "a quota of {} bytes", "8 GiB is the most that etcd recommends"),
    "--max-request-bytes": (1_572_864, "requests of {} bytes", "the default is 1.5 MiB"),
    "ETCD_MAX_REQUEST_BYTES": (1_572_864, "requests of {} bytes", "the default is 1.5 MiB"),
    "jute.maxbuffer": (1_048_576, "nodes of {} bytes (jute.maxbuffer)", "the default is 1 MiB"),
}
JUTE = re.compile(r"-Djute\.maxbuffer=(\w+)")


@rule("CL713", severity=WARNING)
def raised_coordinator_limits(system: System) -> Iterator[Found]:
    for coordinator in system.coordinators(*COORDINATORS):
        for name, value, place in settings(coordinator.options):
            limit, said, why = LIMITS[name]
            number = int(value, 0) if re.fullmatch(r"\d+|0x[0-9a-fA-F]+", value) else 0
            if number <= limit:
                continue
            workload = coordinator.workload
            yield found(
                f"{backend_name(coordinator.backend)} ({workload.name}) allows {said.format(f'{number:,}')}: {why}",
                at=place,
                because=coordinator.evidence,
                symbol=workload.symbol,
                resource=name.lstrip("-"),
                severity=workload.role.softened(WARNING),
            )


def settings(options: tuple[tuple[str, str, Place], ...]) -> Iterator[tuple[str, str, Place]]:
    """The limits among a server's settings, also those inside the flags of a Java machine."""
    for name, value, place in options:
        if name in LIMITS:
            yield name, value.strip(), place
        elif match := JUTE.search(value):
            yield "jute.maxbuffer", match[1], place


EXAMPLES = r'''
=== bad: a quota of 16 GiB for etcd
--- compose.yaml
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.9
    command: etcd --quota-backend-bytes=17179869184  # finding: raised-coordinator-limits

=== bad: nodes of 10 MiB in ZooKeeper
--- k8s/zk.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: zk}
spec:
  serviceName: zk
  replicas: 3
  template:
    spec:
      containers:
        - name: zk
          image: zookeeper:3.9
          env:
            - name: JVMFLAGS
              value: "-Xmx1g -Djute.maxbuffer=10485760"  # finding: raised-coordinator-limits

=== good: the recommended most
--- compose.yaml
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.9
    environment:
      ETCD_QUOTA_BACKEND_BYTES: "8589934592"
      ETCD_MAX_REQUEST_BYTES: "1572864"

=== good: a value that is not known
--- compose.yaml
services:
  etcd:
    image: quay.io/coreos/etcd:v3.5.9
    command: ["etcd", "--quota-backend-bytes", "${QUOTA}"]

=== good: ZooKeeper's own limit
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
          env: [{name: JVMFLAGS, value: "-Xmx1g -Djute.maxbuffer=1048575"}]
'''
