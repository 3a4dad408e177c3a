"""The deployed system: workloads, the coordinators among them, and who talks to whom.

`Deployment` is what linking manifests yields and what rules and reports ask. Every fact carries its place; a fact
that the manifests do not tell is None.
"""

from __future__ import annotations

import msgspec

from coordlint.finding import Confidence, Evidence, Severity
from coordlint.source import Place, Skip
from coordlint.workload import (
    Dependency,
    Key,
    Mount,
    Port,
    Probe,
    Process,
    Replicas,
    Role,
    Run,
    Variable,
    Workload,
    is_loopback,
)

__all__ = [
    "Connection",
    "Coordinator",
    "Dependency",
    "Deployment",
    "Ensemble",
    "Key",
    "Listed",
    "Mount",
    "Port",
    "Probe",
    "Process",
    "Replicas",
    "Role",
    "Run",
    "Variable",
    "Workload",
    "is_loopback",
]


class Listed(msgspec.Struct, frozen=True):
    """One entry of a member list: `server.2=zk2:2888:3888` is id 2 at host zk2, `etcd1=http://etcd1:2380` id etcd1."""

    id: str
    host: str
    votes: bool
    place: Place


class Coordinator(msgspec.Struct, frozen=True):
    """A workload that is a coordinator or a store that programs coordinate through.

    `members` is the size of the ensemble that it belongs to (its own replicas, or the peers in `ensemble`); None when
    unknown. `persistent` is None when the image's data directory is not known.
    """

    workload: Workload
    backend: str
    members: int | None
    persistent: bool | None
    place: Place
    evidence: tuple[Evidence, ...] = ()  # how it was recognised
    ensemble: tuple[Key, ...] = ()  # all members, itself included, sorted
    members_said: tuple[Evidence, ...] = ()  # what tells the number of members
    data_paths: tuple[str, ...] = ()
    storage: tuple[Evidence, ...] = ()
    exposed: tuple[Port, ...] = ()  # client ports that other hosts can reach
    anonymous: tuple[Evidence, ...] = ()  # settings that let anybody in
    open_commands: tuple[Evidence, ...] = ()  # ZooKeeper's four-letter words, all of them allowed
    has_password: bool = False
    is_managed: bool = False  # declared through an operator's resource, which looks after members and storage
    is_development_mode: bool = False  # consul agent -dev and the like
    is_for_the_host: bool = False  # published by compose, and no service here talks to it: programs that are started by hand do
    listed: tuple[Listed, ...] = ()  # the members that it is told of, in order
    identity: tuple[str, Place] | None = None  # its own number or name in that list
    options: tuple[tuple[str, str, Place], ...] = ()  # server settings: command flags, mounted configuration, environment

    def option(self, *names: str) -> tuple[str, Place] | None:
        """A server setting by any of its names, with its place."""
        return next(((value, at) for name in names for key, value, at in self.options if key == name), None)


class Ensemble(msgspec.Struct, frozen=True):
    """Coordinators that agree with each other: the replicas of one workload, or several workloads that list each other."""

    coordinators: tuple[Coordinator, ...]  # sorted by name, so that no order of services gives a finding another symbol; never empty

    @property
    def first(self) -> Coordinator:
        """The one whose name comes first; findings about the whole stand there."""
        return self.coordinators[0]

    @property
    def backend(self) -> str:
        """zookeeper, etcd, consul ..."""
        return self.first.backend

    @property
    def name(self) -> str:
        """The names of its workloads, as a message says them."""
        return ", ".join(c.workload.name for c in self.coordinators)

    @property
    def members(self) -> int | None:
        """How many members vote; None when it is not known."""
        return self.first.members

    @property
    def role(self) -> Role:
        """What its manifest is for."""
        return self.first.workload.role

    def softened(self, severity: Severity) -> Severity:
        """The severity of a finding about it: softer outside production, for what nobody keeps running, where compose starts a server
        in development mode or for nobody in the file, and for what belongs to the cluster itself."""
        soft = self.first.workload.softened(severity)
        is_trial = self.first.is_development_mode and self.first.workload.kind == "compose"
        is_half = all(c.is_for_the_host for c in self.coordinators)
        return soft.lowered() if (is_trial or is_half or self.is_part_of_cluster) and soft is severity else soft

    @property
    def is_part_of_cluster(self) -> bool:
        """Installed among the cluster's own components, as a network plugin's store is: a copy of what somebody else ships."""
        return all(c.workload.key.namespace == "kube-system" for c in self.coordinators)

    @property
    def is_ours_to_run(self) -> bool:
        """Neither an operator's resource, nor the cluster's own, nor a compose service that only a profile starts."""
        return not self.is_part_of_cluster and not any(c.is_managed or c.workload.is_optional for c in self.coordinators)

    @property
    def exposed(self) -> tuple[Port, ...]:
        """Ports of any member that other hosts can reach."""
        return tuple(port for c in self.coordinators for port in c.exposed)

    @property
    def anonymous(self) -> tuple[Evidence, ...]:
        """Settings of any member that let anybody in."""
        return tuple(said for c in self.coordinators for said in c.anonymous)

    @property
    def open_commands(self) -> tuple[Evidence, ...]:
        """Settings of any member that allow every four-letter word."""
        return tuple(said for c in self.coordinators for said in c.open_commands)

    @property
    def has_password(self) -> bool:
        """Whether every member asks who is there."""
        return all(c.has_password for c in self.coordinators)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The workloads that it consists of."""
        return tuple(c.workload.key for c in self.coordinators)

    @property
    def shown(self) -> tuple[Evidence, ...]:
        """What says that this is a coordinator, and of how many members."""
        told = (*self.first.evidence, *self.first.members_said)
        others = tuple(Evidence(c.place, f"{c.workload.name} is a member") for c in self.coordinators[1:])
        return tuple(dict.fromkeys((*told, *others)))


class Connection(msgspec.Struct, frozen=True):
    """One workload talks to another, or to a host that no manifest here provides (`target` None)."""

    source: Key
    target: Key | None
    host: str
    port: int | None
    evidence: tuple[Evidence, ...]  # message is the kind: environment, command, depends-on, config-map, nginx, monitoring, labels, code
    confidence: Confidence
    scheme: str = ""
    hosts: tuple[str, ...] = ()  # all names by which settings and code mean the target


class Deployment(msgspec.Struct, frozen=True):
    """Everything that the manifests of a project say together; tuples are sorted by path and line."""

    workloads: tuple[Workload, ...] = ()
    coordinators: tuple[Coordinator, ...] = ()
    connections: tuple[Connection, ...] = ()
    unknown: tuple[Evidence, ...] = ()  # what could not be resolved, and where
    skips: tuple[Skip, ...] = ()  # what was wrong with manifests as they refer to each other

    def workload(self, key: Key) -> Workload | None:
        """The workload of a key."""
        return next((w for w in self.workloads if w.key == key), None)

    def workloads_running(self, path: str) -> tuple[Workload, ...]:
        """The workloads that start this Python file."""
        return tuple(w for w in self.workloads if any(run.path == path for run in w.runs))

    def replicas_of(self, path: str) -> tuple[Replicas, ...]:
        """How many instances of this Python file run, for each workload that starts it."""
        return tuple(w.replicas for w in self.workloads_running(path))

    def coordinators_of(self, *backends: str) -> tuple[Coordinator, ...]:
        """The coordinators of these backends; all of them when none is named."""
        return tuple(c for c in self.coordinators if not backends or c.backend in backends)

    def coordinator(self, key: Key) -> Coordinator | None:
        """The coordinator that a workload is."""
        return next((c for c in self.coordinators if c.workload.key == key), None)

    def ensembles(self, *backends: str) -> tuple[Ensemble, ...]:
        """Coordinators grouped into ensembles, sorted by place, their members by name; one that stands alone is a group of its own."""
        groups: dict[tuple[Key, ...], list[Coordinator]] = {}
        for c in self.coordinators_of(*backends):
            groups.setdefault(c.ensemble or (c.workload.key,), []).append(c)
        return tuple(Ensemble(tuple(sorted(group, key=lambda c: c.workload.key))) for group in groups.values())

    def is_to_try(self, ensemble: Ensemble) -> bool:
        """Whether compose starts it for somebody who tries things: nobody keeps it running, and its file is for development, tests or an example,
        or stands beside Kubernetes manifests that run the same coordinator."""
        if not all(c.workload.kind == "compose" and c.workload.is_unattended for c in ensemble.coordinators):
            return False
        elsewhere = (c for c in self.coordinators_of(ensemble.backend) if c.workload.kind not in ("compose", "repeated") and not c.workload.role.is_lenient)
        return ensemble.role.is_lenient or next(elsewhere, None) is not None

    def clients_of(self, *keys: Key) -> tuple[Connection, ...]:
        """The connections that lead to these workloads."""
        return tuple(c for c in self.connections if c.target in keys)

    def users_of(self, ensemble: Ensemble) -> tuple[Evidence, ...]:
        """Who talks to an ensemble, once for each workload, with the first place that says so."""
        told: dict[Key, Evidence] = {}
        for connection in self.clients_of(*ensemble.keys):
            place = connection.evidence[0].place
            told.setdefault(connection.source, Evidence(place, f"{connection.source.name} talks to it"))
        return tuple(told.values())

    def connections_of(self, key: Key) -> tuple[Connection, ...]:
        """The connections that start at a workload."""
        return tuple(c for c in self.connections if c.source == key)

    def resolve(self, host: str, source: Key | None = None) -> tuple[Workload, ...]:
        """The workloads that answer to a host name; those of the source's own file first, if there are any."""
        name = host.lower().rstrip(".")
        found = tuple(w for w in self.workloads if name in w.names)
        near = tuple(w for w in found if source is not None and w.path == source.path)
        return near or found
