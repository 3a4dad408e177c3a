"""Who talks to whom: host names that workloads say, matched to the names of other workloads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from coordlint.deployment import Connection, Key, Variable, Workload
from coordlint.finding import Confidence, Evidence
from coordlint.link.deploy.catalogue import common_depth, folder_of
from coordlint.link.deploy.compose_files import View
from coordlint.link.deploy.containers import Started
from coordlint.link.deploy.hosts import Host, hosts_in_value, hosts_in_words, is_local
from coordlint.link.deploy.ordering import is_order_only
from coordlint.link.deploy.proxies import proxy_kind
from coordlint.link.deploy.reach import Reach
from coordlint.manifest import SettingsFile
from coordlint.source import Place, Span

_PLAIN_SCHEMES = frozenset(("", "http", "https", "file", "unix", "git", "ws", "wss", "ftp", "s3", "tcp", "data"))
_WORKS = re.compile(r"(celery|rq|taskiq)-worker|dramatiq|arq|huey|django-q|procrastinate|faust|nameko")
MAX_CONNECTIONS = 20_000


@dataclass
class Directory:
    """Host names to workloads, as one of them sees the others."""

    workloads: tuple[Workload, ...]
    views: Sequence[frozenset[Key]] = ()  # which compose services are started together
    projects: Mapping[Key, frozenset[str]] = field(default_factory=dict)  # the lowest files of those that services may be started with
    _by_name: dict[str, list[Workload]] = field(default_factory=dict)
    _in_views: dict[Key, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for workload in self.workloads:
            for name in workload.names:
                self._by_name.setdefault(name, []).append(workload)
        for number, view in enumerate(self.views):
            for key in view:
                self._in_views.setdefault(key, set()).add(number)

    def lookup(self, host: str, source: Workload) -> tuple[Workload, ...]:
        """The workloads that a host name means to `source`: of its own file, else started with it, else of its own folder, else nearest."""
        for name in host_forms(host, source.kind != "compose"):
            found = [w for w in self._by_name.get(name, ()) if _same_world(w, source)]
            if not found:
                continue
            for is_near in (_same_file, self._started_together, _same_folder, self._of_one_project):
                near = tuple(w for w in found if is_near(w, source))
                if near:
                    return near
            if source.kind == "compose":
                continue
            return tuple(_nearest(found, source.path))
        return ()

    def _started_together(self, first: Workload, second: Workload) -> bool:
        return not self._in_views.get(first.key, set()).isdisjoint(self._in_views.get(second.key, ()))

    def routed(self, proxy: Workload) -> Iterator[Workload]:
        """The workloads that ask a proxy which is started with them to pass requests on."""
        kind = proxy_kind(proxy)
        for workload in self.workloads if kind else ():
            is_asked = workload.routed_by is not None and workload.routed_by.message == kind and workload.key != proxy.key
            if is_asked and (self._started_together(workload, proxy) or self._of_one_project(workload, proxy)):
                yield workload

    def _of_one_project(self, first: Workload, second: Workload) -> bool:
        return not self.projects.get(first.key, frozenset()).isdisjoint(self.projects.get(second.key, ()))


def host_forms(host: str, in_cluster: bool = True) -> Iterator[str]:
    """A host name and what it shortens to: `zk-0.zk.prod.svc.cluster.local` is `zk-0.zk`, and belongs to `zk`.

    Outside a cluster a name is only itself: `version.redis.io` is no service called redis.
    """
    name = host.lower().rstrip(".")
    yield name
    if not in_cluster or "." not in name:
        return
    bare = name.removesuffix(".cluster.local").removesuffix(".svc")
    parts = bare.split(".")
    if bare != name:
        yield bare
        if len(parts) > 2:
            yield ".".join(parts[:2])  # pod.service
            yield parts[1]
        yield parts[0]  # service
    elif len(parts) == 2 and parts[1] not in _PUBLIC:
        yield parts[1] if re.search(r"-\d+$", parts[0]) else parts[0]


_PUBLIC = frozenset(("com", "io", "org", "net", "dev", "co", "app", "ai", "cloud", "me", "info", "edu", "gov", "de", "uk", "ru", "cn", "internal", "local"))


def _same_world(first: Workload, second: Workload) -> bool:
    return (first.kind == "compose") == (second.kind == "compose")


def _same_file(first: Workload, second: Workload) -> bool:
    return first.path == second.path


def _nearest(found: list[Workload], path: str) -> Iterator[Workload]:
    """Those that share the most folders with a path, and of these the ones that stand least deep below them."""
    ranked = [(-common_depth(w.path, path), w.path.count("/"), w) for w in found]
    best = min((shared, depth) for shared, depth, _ in ranked)
    return (w for shared, depth, w in ranked if (shared, depth) == best)


def _same_folder(first: Workload, second: Workload) -> bool:
    return folder_of(first.path) == folder_of(second.path)


def find_connections(
    workloads: Iterable[Workload],
    started: dict[Key, Started],
    upstreams: dict[Key, list[SettingsFile]],
    reach: Reach,
    views: Sequence[View] = (),
) -> tuple[Connection, ...]:
    """Every connection with all its evidence; peers of one ensemble are not clients of each other."""
    projects: dict[Key, frozenset[str]] = {}
    for view in views:
        for key in view.keys:
            projects[key] = projects.get(key, frozenset()) | {view.path}
    directory = Directory(tuple(workloads), [view.keys for view in views], projects)
    found: dict[tuple[Key, Key | None, str], _Draft] = {}
    shared = _shared_env_files(directory.workloads)
    by_key = {w.key: w for w in directory.workloads}
    for workload in directory.workloads:
        for host, evidence, confidence in _said(
            workload, started.get(workload.key), upstreams.get(workload.key, []), reach, shared
        ):
            if is_local(host.name):
                continue
            targets = directory.lookup(host.name, workload)
            if targets:
                for target in targets:
                    if target.key != workload.key:
                        draft = found.setdefault((workload.key, target.key, ""), _Draft(host))
                        draft.add(host, evidence, confidence)
            elif "." in host.name and host.scheme not in _PLAIN_SCHEMES and evidence.message != "code":
                found.setdefault((workload.key, None, host.name), _Draft(host)).add(host, evidence, confidence)
        for other in directory.routed(workload):
            if other.routed_by is not None:
                host = Host(other.name.lower(), None, "", True)
                found.setdefault((workload.key, other.key, ""), _Draft(host)).add(host, Evidence(other.routed_by.place, "labels"), Confidence.HIGH)
        if len(found) > MAX_CONNECTIONS:
            break
    return tuple(
        Connection(source, target, d.host.name, d.port, tuple(d.evidence), d.confidence, d.scheme, tuple(d.hosts))
        for (source, target, _), d in sorted(found.items(), key=lambda pair: _order(pair[0]))
        if not d.is_only_ordered or not _is_order(by_key[source], by_key.get(target) if target else None, started)
    )


def _is_order(source: Workload, target: Workload | None, started: Mapping[Key, Started]) -> bool:
    if target is None:
        return False
    made = [started[w.key].dockerfile if w.key in started else "" for w in (source, target)]
    return is_order_only(source, target, made[0] == made[1] != "" or (source.image or "") == target.image)


def _order(key: tuple[Key, Key | None, str]) -> tuple[str, str, str, str, str]:
    source, target, host = key
    return (source.path, source.name, target.path if target else "", target.name if target else "", host)


@dataclass
class _Draft:
    host: Host
    evidence: list[Evidence] = field(default_factory=list)
    hosts: dict[str, None] = field(default_factory=dict)
    confidence: Confidence = Confidence.LOW
    port: int | None = None
    scheme: str = ""

    @property
    def is_only_ordered(self) -> bool:
        """Whether nothing but the order of starting says so."""
        return all(e.message == "depends-on" for e in self.evidence)

    def add(self, host: Host, evidence: Evidence, confidence: Confidence) -> None:
        """One more place that says so."""
        if evidence not in self.evidence:
            self.evidence.append(evidence)
        if evidence.message not in ("depends-on", "command"):
            self.hosts[host.name] = None
        self.confidence = max(self.confidence, confidence)
        self.port = self.port or host.port
        self.scheme = self.scheme or host.scheme


def _said(
    workload: Workload, started: Started | None, upstreams: list[SettingsFile], reach: Reach, shared: frozenset[str]
) -> Iterator[tuple[Host, Evidence, Confidence]]:
    chosen = (reach.module(v.value) for v in workload.environment if v.value and v.name.endswith(("_MODULE", "_SETTINGS")))
    files = reach.files((*(run.path for run in workload.runs), *(path for path in chosen if path and workload.runs)))
    if any(_WORKS.match(process.program) for process in workload.processes):
        files |= reach.plugins(files)  # what a server hands over to its workers is loaded there
    read = reach.names(files)
    for variable in workload.environment:
        if not variable.value:
            continue
        if variable.source == "env-file" and not _is_read(variable, read, workload, shared):
            continue  # a shared env file says what somebody needs, not that this one does
        confidence = Confidence.MEDIUM if variable.source in ("env-file", "dockerfile") else Confidence.HIGH
        for host in hosts_in_value(variable.name, variable.value):
            yield host, Evidence(variable.place, _kind_of(variable.source)), confidence
    given = {variable.name for variable in workload.environment}
    for path, setting in reach.hosts(files):
        if setting.name in given:
            continue  # the manifest says otherwise
        for host in hosts_in_value(setting.name, setting.value):
            yield host, Evidence(Place(path, Span(setting.line)), "code"), Confidence.MEDIUM
    for spoken in started.spoken if started else ():
        for host in hosts_in_words(spoken.words):
            yield host, Evidence(spoken.place, "command"), Confidence.HIGH if host.is_sure else Confidence.MEDIUM
    for file in upstreams:
        for setting in file.settings:
            name = setting.value.partition("://")[2] or setting.value
            name = name.split("/")[0]
            bare, _, port = name.partition(":")
            host = Host(bare.lower(), int(port) if port.isdigit() else None, "", True)
            yield host, Evidence(Place(file.path, Span(setting.line)), file.what), Confidence.HIGH
    for dependency in workload.depends_on:
        if dependency.name:
            host = Host(dependency.name.lower(), None, "", True)
            yield host, Evidence(dependency.place, "depends-on"), Confidence.MEDIUM


def _is_read(variable: Variable, read: frozenset[str], workload: Workload, shared: frozenset[str]) -> bool:
    """Whether the workload's code reads a variable; code that we do not know may, if the file is for it alone."""
    if not read:
        return workload.is_built_here and variable.place.path not in shared
    name = variable.name
    return name in read or any(name.endswith(f"_{field}") for field in read if "_" in field)


def _shared_env_files(workloads: Iterable[Workload]) -> frozenset[str]:
    users: dict[str, set[Key]] = {}
    for workload in workloads:
        for variable in workload.environment:
            if variable.source == "env-file":
                users.setdefault(variable.place.path, set()).add(workload.key)
    return frozenset(path for path, keys in users.items() if len(keys) > 1)


def _kind_of(source: str) -> str:
    return {"environment": "environment", "dockerfile": "environment", "field": "environment"}.get(source, source)
