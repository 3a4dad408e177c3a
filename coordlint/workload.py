"""A workload as its manifests tell it: what it runs, how often, where it keeps data, and who can reach it.

Every fact carries its place; a fact that the manifests do not tell is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from coordlint.finding import Confidence, Evidence, Severity
from coordlint.source import Place

_OWN_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::\d+)?(/[^\s'\"|;&)]*)")


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
    """A health check: `kind` is liveness, readiness, startup or healthcheck (compose, Dockerfile).

    `restarted` is what restarts a container of compose whose healthcheck fails; None where nothing does.
    """

    kind: str
    place: Place
    http_path: str = ""
    port: str = ""
    command: tuple[str, ...] = ()
    is_disabled: bool = False
    restarted: Evidence | None = None

    @property
    def asked_path(self) -> str:
        """The path that it asks its own container for, by itself or by a program such as curl; empty when it does not."""
        match = None if self.http_path else _OWN_URL.search(" ".join(self.command))
        return self.http_path or (match[1] if match else "")


class Dependency(msgspec.Struct, frozen=True):
    """A start-order dependency and its condition: started, healthy, completed, init (an init container waits), or ignored, as a swarm does."""

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

    def option(self, *names: str) -> str | None:
        """What a command line gives an option, in either form: `--pool gevent`, `--pool=gevent`; None where it is not given."""
        for word, following in zip(self.argv, (*self.argv[1:], ""), strict=True):
            for name in names:
                if word == name:
                    return following
                if word.startswith(f"{name}="):
                    return word.partition("=")[2]
        return None


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
    strategy: str = ""  # Recreate | RollingUpdate | OnDelete; start-first | stop-first in a swarm; empty when the kind has none or it is not said
    surge: int | None = None  # pods that a rolling update may start before it stops one, where it is said as a number
    concurrency_policy: str = ""  # of a CronJob, and in its words of what else repeats
    schedule: str = ""
    has_spread: bool | None = None  # anti-affinity or topology spread; None where the platform has neither
    has_disruption_budget: bool | None = None
    elections: tuple[Evidence, ...] = ()  # what says that its instances elect a leader: a Lease, the right to write Leases, an elector beside them
    command: tuple[str, ...] = ()  # the words of entry point and command, joined
    command_place: Place | None = None
    waits: tuple[Evidence, ...] = ()  # commands of its start that wait until others answer; the message is the hosts that they name, if that is known
    named_by: Evidence | None = None  # what gives a compose service a name and endpoints that follow its health
    routed_by: Evidence | None = None  # what asks a proxy beside it to pass requests on to it; the message is the kind of proxy
    pinned_to: Evidence | None = None  # the one node of a swarm that it may run on, by its name
    is_unattended: bool = False  # a compose service that nobody told to come back after a crash or a reboot
    confidence: Confidence = Confidence.HIGH

    @property
    def name(self) -> str:
        """The name in its manifest."""
        return self.key.name

    @property
    def kind(self) -> str:
        """compose, deployment, statefulset, daemonset, job, cronjob, pod, replicaset, or an operator resource's kind.

        "repeated" is a command that a scheduler beside a compose service runs in it.
        """
        return self.key.kind

    @property
    def path(self) -> str:
        """The file of its first definition."""
        return self.key.path

    @property
    def symbol(self) -> str:
        """kind/namespace/name, for fingerprints."""
        return "/".join(part for part in (self.key.kind, self.key.namespace, self.key.name) if part)

    def softened(self, severity: Severity) -> Severity:
        """The severity of a finding about how it is run: one step down for its role, and one for what nobody keeps running."""
        soft = self.role.softened(severity)
        return soft.lowered() if self.is_unattended else soft

    @property
    def is_one_shot(self) -> bool:
        """Ends when its work is done: a job, once or on a schedule."""
        return self.key.kind in ("job", "cronjob", "repeated")

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
