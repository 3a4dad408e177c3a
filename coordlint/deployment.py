"""The deployed system: workloads, what they run, what they talk to, and the coordinators among them.

`Deployment` is what linking manifests yields and what rules and reports ask. Every fact carries its place; a fact
that the manifests do not tell is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from coordlint.finding import Confidence, Evidence, Severity
from coordlint.source import Place


class Role(StrEnum):
    """What a manifest is for, judged by its path, name, profile or overlay."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"
    TEST = "test"
    EXAMPLE = "example"

    @property
    def is_lenient(self) -> bool:
        """Development, test and example manifests: rules speak one step softer there."""
        return self in (Role.DEVELOPMENT, Role.TEST, Role.EXAMPLE)

    def softened(self, severity: Severity) -> Severity:
        """The severity of a finding in a manifest of this role: one step down outside production, information in tests."""
        if self is Role.TEST:
            return Severity.INFO
        return severity.lowered() if self.is_lenient else severity


class Key(msgspec.Struct, frozen=True, order=True):
    """A workload's identity: its name and the file of its first definition. Overlays change it, they do not add one."""

    name: str
    path: str
    kind: str = ""
    namespace: str = ""


class Variable(msgspec.Struct, frozen=True):
    """An environment variable of a workload; `value` is None when unknown or secret.

    `source` is one of: environment, env-file, config-map, secret, dockerfile, field.
    """

    name: str
    value: str | None
    place: Place
    source: str = "environment"


class Port(msgspec.Struct, frozen=True):
    """A port that reaches further than the workload's own network, or is merely declared.

    `how` is one of: published (compose), host-port, host-network, node-port, load-balancer, declared. `address` is the
    bound address of a published port; empty means every interface.
    """

    number: int | None
    how: str
    place: Place
    published: str = ""
    address: str = ""

    @property
    def is_exposed(self) -> bool:
        """Whether hosts outside this one can reach it."""
        return self.how != "declared" and not is_loopback(self.address)


def is_loopback(address: str) -> bool:
    """Whether an address of a port binding reaches this host only."""
    return address == "localhost" or address.startswith("127.") or address.strip("[]") == "::1"


class Mount(msgspec.Struct, frozen=True):
    """A volume at a path in the container.

    `kind` is one of: named, anonymous, bind, claim, template, host-path, empty-dir, tmpfs, config, secret, other.
    """

    kind: str
    source: str
    target: str
    place: Place

    @property
    def persists(self) -> bool:
        """Whether what is written there outlives the container."""
        return self.kind in ("named", "bind", "claim", "template", "host-path", "other")


class Probe(msgspec.Struct, frozen=True):
    """A health check: `kind` is liveness, readiness, startup or healthcheck (compose, Dockerfile)."""

    kind: str
    place: Place
    http_path: str = ""
    port: str = ""
    command: tuple[str, ...] = ()
    is_disabled: bool = False


class Dependency(msgspec.Struct, frozen=True):
    """A start-order dependency and its condition: started, healthy, completed, or init (an init container waits)."""

    name: str
    condition: str
    place: Place


class Process(msgspec.Struct, frozen=True):
    """A program that a workload starts.

    `program` is a word for what it is (celery-worker, celery-beat, gunicorn, uvicorn, python, rq-worker, rq-scheduler,
    django-manage, redis-server, ... or the bare name of the executable); `workers` the number of operating system
    processes or independent workers it starts, None when unknown.
    """

    program: str
    argv: tuple[str, ...]
    place: Place
    workers: int | None = 1
    worker_evidence: Place | None = None


class Run(msgspec.Struct, frozen=True):
    """A Python file of the repository that a workload starts, and how that is known."""

    path: str
    module: str
    how: str  # the words of the command that say so: "celery -A shop.tasks", "python app.py"
    program: str
    place: Place
    confidence: Confidence


class Replicas(msgspec.Struct, frozen=True):
    """How many instances run: as declared, and the range that autoscalers and overlays can lead to."""

    declared: int | None  # None: an expression or variable that is not known
    most: int | None
    because: tuple[Evidence, ...] = ()

    @property
    def may_be_many(self) -> bool:
        """Whether more than one instance is known to be possible."""
        return (self.most or 0) > 1 or (self.declared or 0) > 1


class Workload(msgspec.Struct, frozen=True):
    """A compose service, or an object of Kubernetes that runs pods."""

    key: Key
    place: Place
    role: Role
    replicas: Replicas
    image: str | None = None
    image_place: Place | None = None
    base_image: str | None = None  # the first image not built here, of one that is
    is_built_here: bool = False
    processes: tuple[Process, ...] = ()
    environment: tuple[Variable, ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    probes: tuple[Probe, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    profiles: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # host names under which others reach it
    labels: tuple[tuple[str, str], ...] = ()
    runs: tuple[Run, ...] = ()
    strategy: str = ""  # Recreate | RollingUpdate | OnDelete; empty when the kind has none or it is not said
    concurrency_policy: str = ""  # of a CronJob
    schedule: str = ""
    has_spread: bool | None = None  # anti-affinity or topology spread; None where the platform has neither
    has_disruption_budget: bool | None = None
    command: tuple[str, ...] = ()  # the words of entry point and command, joined
    command_place: Place | None = None
    confidence: Confidence = Confidence.HIGH

    @property
    def name(self) -> str:
        """The name in its manifest."""
        return self.key.name

    @property
    def kind(self) -> str:
        """compose, deployment, statefulset, daemonset, job, cronjob, pod, replicaset, or an operator resource's kind."""
        return self.key.kind

    @property
    def path(self) -> str:
        """The file of its first definition."""
        return self.key.path

    @property
    def symbol(self) -> str:
        """kind/namespace/name, for fingerprints."""
        return "/".join(part for part in (self.key.kind, self.key.namespace, self.key.name) if part)

    @property
    def is_optional(self) -> bool:
        """Started only when a compose profile is asked for."""
        return bool(self.profiles)

    def variable(self, *names: str) -> Variable | None:
        """The first of these environment variables that is set."""
        return next((v for name in names for v in self.environment if v.name == name), None)

    def started(self, *programs: str) -> Iterator[Process]:
        """The processes of these programs."""
        return (process for process in self.processes if process.program in programs)


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
    listed: tuple[Listed, ...] = ()  # the members that it is told of, in order
    identity: tuple[str, Place] | None = None  # its own number or name in that list
    options: tuple[tuple[str, str, Place], ...] = ()  # server settings: command flags, mounted configuration, environment

    def option(self, *names: str) -> tuple[str, Place] | None:
        """A server setting by any of its names, with its place."""
        return next(((value, at) for name in names for key, value, at in self.options if key == name), None)


class Ensemble(msgspec.Struct, frozen=True):
    """Coordinators that agree with each other: the replicas of one workload, or several workloads that list each other."""

    coordinators: tuple[Coordinator, ...]  # sorted by place, never empty

    @property
    def first(self) -> Coordinator:
        """The one that stands first; findings about the whole stand there."""
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

    @property
    def is_ours_to_run(self) -> bool:
        """Neither an operator's resource nor a compose service that only a profile starts."""
        return not any(c.is_managed or c.workload.is_optional for c in self.coordinators)

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
    evidence: tuple[Evidence, ...]  # message is the kind: environment, command, depends-on, config-map, nginx, code
    confidence: Confidence
    scheme: str = ""


class Deployment(msgspec.Struct, frozen=True):
    """Everything that the manifests of a project say together; tuples are sorted by path and line."""

    workloads: tuple[Workload, ...] = ()
    coordinators: tuple[Coordinator, ...] = ()
    connections: tuple[Connection, ...] = ()
    unknown: tuple[Evidence, ...] = ()  # what could not be resolved, and where

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
        """Coordinators grouped into ensembles, sorted by place; one that stands alone is a group of its own."""
        groups: dict[tuple[Key, ...], list[Coordinator]] = {}
        for c in self.coordinators_of(*backends):
            groups.setdefault(c.ensemble or (c.workload.key,), []).append(c)
        return tuple(Ensemble(tuple(group)) for group in groups.values())

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
