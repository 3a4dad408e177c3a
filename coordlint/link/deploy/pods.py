"""Kubernetes objects into workloads: pods with their containers, Services, ConfigMaps, autoscalers and budgets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from coordlint.deployment import Dependency, Key, Mount, Port, Probe, Replicas, Variable, Workload
from coordlint.finding import Confidence
from coordlint.link.deploy.catalogue import Catalogue, common_depth, folder_of
from coordlint.link.deploy.containers import Container, Started, Words, start
from coordlint.link.deploy.elections import KINDS, elections
from coordlint.link.deploy.hosts import hosts_in_words, is_local
from coordlint.link.deploy.images import ImageBuilder
from coordlint.link.deploy.interpolation import filled
from coordlint.link.deploy.roles import role_of
from coordlint.link.deploy.scaling import SCALERS, replicas_of
from coordlint.manifest import (
    UNKNOWN,
    KubernetesObject,
    Node,
    Scalar,
    Table,
    at,
    entries,
    image_name,
    integer,
    items,
    place,
    tables,
    text,
)
from coordlint.shellwords import MAX_VALUE
from coordlint.source import Place

POD_OWNERS = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
    "Rollout": ("spec", "template"),
    "DeploymentConfig": ("spec", "template"),
    "CloneSet": ("spec", "template"),
}
_PROBES = {"livenessProbe": "liveness", "readinessProbe": "readiness", "startupProbe": "startup"}
_VOLUME_KINDS = {
    "emptyDir": "empty-dir",
    "persistentVolumeClaim": "claim",
    "hostPath": "host-path",
    "configMap": "config",
    "secret": "secret",
    "projected": "config",
    "downwardAPI": "config",
    "ephemeral": "claim",
}


@dataclass
class Cluster:
    """The objects that others refer to, by kind and name; several overlays may define one name."""

    objects: list[KubernetesObject]
    _by_name: dict[tuple[str, str], list[KubernetesObject]] = field(default_factory=dict)
    _by_kind: dict[str, list[KubernetesObject]] = field(default_factory=dict)
    selectors: list[tuple[KubernetesObject, dict[str, str]]] = field(default_factory=list)  # of Services

    def __post_init__(self) -> None:
        for thing in self.objects:
            self._by_name.setdefault((thing.kind, thing.name), []).append(thing)
            self._by_kind.setdefault(thing.kind, []).append(thing)
        for service in self.of_kind("Service"):
            selector = {k.text: text(v) or "" for k, v in entries(at(service.root, "spec", "selector"))}
            if selector:
                self.selectors.append((service, selector))

    def find(self, kind: str, name: str, near: KubernetesObject) -> KubernetesObject | None:
        """An object by kind and name: of the same namespace if there is one, then the nearest by path."""
        found = self._by_name.get((kind, name), [])
        ranked = sorted(found, key=lambda o: (o.namespace != near.namespace, -common_depth(o.path, near.path), o.path.count("/"), o.path))
        return ranked[0] if ranked else None

    def of_kind(self, *kinds: str) -> Iterator[KubernetesObject]:
        """All objects of these kinds, in order."""
        return (thing for kind in kinds for thing in self._by_kind.get(kind, ()))


class PodReader:
    """Reads workloads from the objects of one cluster view."""

    def __init__(self, catalogue: Catalogue, builder: ImageBuilder, cluster: Cluster) -> None:
        self.catalogue, self.builder, self.cluster = catalogue, builder, cluster

    def read(self, thing: KubernetesObject) -> tuple[Workload, Started] | None:
        """One workload object; None when it has no pod."""
        pod = at(thing.root, *POD_OWNERS[thing.kind])
        spec = at(pod, "spec")
        if not isinstance(pod, Table) or not isinstance(spec, Table):
            return None
        volumes = _volumes(spec, thing)
        parts = [self._container(c, thing, volumes) for c in tables(spec.get("containers"))]
        first = [self._container(c, thing, volumes) for c in tables(spec.get("initContainers"))]
        if not parts:
            return None
        started = [start(c, self.catalogue) for c in (*parts, *first)]
        main = started[0]
        labels = tuple((k.text, text(v) or "") for k, v in entries(at(pod, "metadata", "labels")))
        is_plain = thing.kind in ("Job", "CronJob", "Pod")
        raw = list(tables(spec.get("containers")))
        names = self._names(thing, dict(labels))
        workload = Workload(
            key=Key(thing.name, thing.path, thing.kind.lower(), thing.namespace),
            place=place(at(thing.root, "metadata", "name") or thing.root, thing.path),
            role=role_of(thing.path, thing.namespace),
            replicas=replicas_of(thing, self.cluster.of_kind(*SCALERS)) if not is_plain else Replicas(integer(at(thing.root, "spec", "parallelism")) or 1, integer(at(thing.root, "spec", "parallelism")) or 1),
            image=parts[0].image_name,
            image_place=_key_place(raw[0], "image", thing.path),
            base_image=parts[0].image.base if parts[0].image else None,
            is_built_here=parts[0].image is not None,
            processes=tuple(p for s in started for p in s.processes),
            environment=tuple({v.name: v for c in reversed((*parts, *first)) for v in c.environment}.values()),
            ports=(*_ports(raw, spec, thing.path), *self._service_ports(thing, dict(labels))),
            mounts=tuple(m for c in raw for m in _mounts(c, volumes, thing)),
            probes=tuple(p for c in raw for p in _probes(c, thing.path)),
            depends_on=tuple(_waits(first, started[len(parts) :])),
            profiles=(thing.switch,) if thing.switch else (),
            names=names,
            labels=labels,
            runs=tuple(dict.fromkeys(r for s in started for r in s.runs)),
            strategy=text(at(thing.root, "spec", "strategy", "type")) or text(at(thing.root, "spec", "updateStrategy", "type")) or "",
            surge=integer(at(thing.root, "spec", "strategy", "rollingUpdate", "maxSurge")),
            concurrency_policy=text(at(thing.root, "spec", "concurrencyPolicy")) or "",
            schedule=text(at(thing.root, "spec", "schedule")) or "",
            has_spread=_has_spread(spec),
            has_disruption_budget=self._has_budget(thing, dict(labels)),
            elections=elections(thing, spec, self.cluster.of_kind(*KINDS)),
            command=main.argv,
            command_place=main.place,
            confidence=Confidence.LOW if thing.templated else Confidence.HIGH,
        )
        joined = Started(
            main.argv,
            main.place,
            spoken=tuple(w for s in started for w in s.spoken),
            unresolved=tuple(p for s in started for p in s.unresolved),
            environment=main.environment,
            placed=tuple(c for s in started for c in s.placed),
        )
        return workload, joined

    def _container(self, node: Table, thing: KubernetesObject, volumes: Mapping[str, Mount]) -> Container:
        name = image_name(node.get("image"))
        environment = tuple(self._environment(node, thing))
        known = {v.name: v.value for v in environment}
        return Container(
            thing.path,
            place(node, thing.path),
            name,
            self.builder.named(name, thing.name, folder_of(thing.path)) if name else None,
            _words(node.get("command"), thing.path, known),
            _words(node.get("args"), thing.path, known),
            text(node.get("workingDir")) or "",
            environment,
        )

    def _environment(self, node: Table, thing: KubernetesObject) -> Iterator[Variable]:
        for source in tables(node.get("envFrom")):
            for ref, kind, word in (("configMapRef", "ConfigMap", "config-map"), ("secretRef", "Secret", "secret")):
                name = text(at(source, ref, "name"))
                found = self.cluster.find(kind, name, thing) if name else None
                prefix = text(source.get("prefix")) or ""
                for key, value in _data(found) if found else ():
                    yield Variable(prefix + key.text, _said(value), place(key, found.path if found else ""), word)
        known: dict[str, str | None] = {}
        for item in tables(node.get("env")):
            name = text(item.get("name"))
            if name is None:
                continue
            here = place(item.get("name") or item, thing.path)
            said = item.get("value")
            if isinstance(said, Scalar):
                content = _substituted(said.text, known)
                known[name] = content
                yield Variable(name, content, place(said, thing.path))
                continue
            yield self._referred(name, item, thing, here)

    def _referred(self, name: str, item: Table, thing: KubernetesObject, here: Place) -> Variable:
        for ref, kind, word in (("configMapKeyRef", "ConfigMap", "config-map"), ("secretKeyRef", "Secret", "secret")):
            target = text(at(item, "valueFrom", ref, "name"))
            if target is None:
                continue
            found = self.cluster.find(kind, target, thing)
            wanted = text(at(item, "valueFrom", ref, "key"))
            for key, value in _data(found) if found else ():
                if key.text == wanted and found:
                    return Variable(name, _said(value), place(key, found.path), word)
            return Variable(name, None, here, word)
        return Variable(name, None, here, "field")

    def _services(self, thing: KubernetesObject, labels: Mapping[str, str]) -> Iterator[KubernetesObject]:
        wanted = labels.items()
        for service, selector in self.cluster.selectors:
            if selector.items() <= wanted and (service.namespace in ("", thing.namespace) or not thing.namespace):
                yield service

    def _names(self, thing: KubernetesObject, labels: Mapping[str, str]) -> tuple[str, ...]:
        found: list[str] = []
        for service in self._services(thing, labels):
            found += [service.name, f"{service.name}.{service.namespace or thing.namespace or 'default'}"]
        headless = text(at(thing.root, "spec", "serviceName"))
        if headless:
            found.append(headless)
            count = integer(at(thing.root, "spec", "replicas")) or 1
            found += [f"{thing.name}-{number}.{headless}" for number in range(min(count, 50))]
        return tuple(dict.fromkeys(_undollared(name).lower() for name in found if name))

    def _service_ports(self, thing: KubernetesObject, labels: Mapping[str, str]) -> Iterator[Port]:
        for service in self._services(thing, labels):
            kind = at(service.root, "spec", "type")
            how = {"LoadBalancer": "load-balancer", "NodePort": "node-port"}.get(text(kind) or "")
            if how is None or kind is None:
                continue
            notes = " ".join(f"{k.text}={text(v)}" for k, v in entries(at(service.root, "metadata", "annotations")))
            internal = "internal" in notes.lower()
            for port in tables(at(service.root, "spec", "ports")):
                target = integer(port.get("targetPort")) or integer(port.get("port"))
                published = text(port.get("nodePort")) or text(port.get("port")) or ""
                yield Port(target, how, place(kind, service.path), published, "127.0.0.1" if internal else "")

    def _has_budget(self, thing: KubernetesObject, labels: Mapping[str, str]) -> bool:
        for budget in self.cluster.of_kind("PodDisruptionBudget"):
            selector = {k.text: text(v) or "" for k, v in entries(at(budget.root, "spec", "selector", "matchLabels"))}
            if selector and all(labels.get(k) == v for k, v in selector.items()):
                return True
        return False


def _words(node: Node | None, path: str, known: Mapping[str, str | None]) -> Words | None:
    if node is None:
        return None
    argv = tuple(filled(_parenthesised(i.text), known) if "$(" in i.text else i.text for i in items(node) if isinstance(i, Scalar))
    return Words(argv, place(node, path)) if argv else None


def _substituted(text_: str, known: Mapping[str, str | None]) -> str:
    """A value with Kubernetes' own `$(NAME)` filled in; what a deploy script fills in keeps its name, without the dollar."""
    inner = re.sub(r"\$\(([A-Za-z_]\w*)\)", lambda m: known.get(m[1]) or UNKNOWN, text_)
    return _undollared(inner) if len(inner) <= MAX_VALUE + 4 * len(text_) else UNKNOWN


def _undollared(text_: str) -> str:
    """`$APP-redis` in a name and in an address are one name, whatever a deploy script makes of it."""
    return re.sub(r"\$\{?([A-Za-z_]\w*)\}?", r"\1", text_)


def _parenthesised(text_: str) -> str:
    """Kubernetes' `$(NAME)` as `${NAME}`; other dollars are left to the shell."""
    return re.sub(r"\$\(([A-Za-z_]\w*)\)", r"${\1}", text_)


def _data(thing: KubernetesObject) -> Iterator[tuple[Scalar, Node]]:
    for name in ("data", "stringData"):
        yield from entries(thing.root.get(name))


def _said(value: Node) -> str | None:
    return value.text if isinstance(value, Scalar) and (value.text or value.custom != "!secret") else None


def _volumes(spec: Table, thing: KubernetesObject) -> dict[str, Mount]:
    found: dict[str, Mount] = {}
    for volume in tables(spec.get("volumes")):
        name = text(volume.get("name"))
        source = next(((k, v) for k, v in volume.entries if k.text != "name"), None)
        if name is None or source is None:
            continue
        key, value = source
        origin = text(at(value, "claimName")) or text(at(value, "name")) or text(at(value, "path")) or text(at(value, "secretName"))
        found[name] = Mount(_VOLUME_KINDS.get(key.text, "other"), origin or "", "", place(key, thing.path))
    for claim in tables(at(thing.root, "spec", "volumeClaimTemplates")):
        name = text(at(claim, "metadata", "name"))
        if name is not None:
            found[name] = Mount("template", name, "", place(claim, thing.path))
    return found


def _mounts(container: Table, volumes: Mapping[str, Mount], thing: KubernetesObject) -> Iterator[Mount]:
    for item in tables(container.get("volumeMounts")):
        volume = volumes.get(text(item.get("name")) or "")
        target = text(item.get("mountPath")) or ""
        if volume is None:
            yield Mount("other", text(item.get("name")) or "", target, place(item, thing.path))
        else:
            yield Mount(volume.kind, volume.source, target, volume.place)


def _ports(containers: list[Table], spec: Table, path: str) -> Iterator[Port]:
    host = spec.get("hostNetwork")
    if text(host) == "true" and (key := spec.key("hostNetwork")) is not None:
        yield Port(None, "host-network", place(key, path))
    for container in containers:
        for port in tables(container.get("ports")):
            number = integer(port.get("containerPort"))
            published = integer(port.get("hostPort"))
            if published is not None:
                yield Port(number, "host-port", place(port, path), str(published), text(port.get("hostIP")) or "")
            else:
                yield Port(number, "declared", place(port, path))


def _probes(container: Table, path: str) -> Iterator[Probe]:
    for name, kind in _PROBES.items():
        probe, key = container.get(name), container.key(name)
        if key is None or not isinstance(probe, Table):
            continue
        http = probe.table("httpGet")
        argv = tuple(i.text for i in items(at(probe, "exec", "command")) if isinstance(i, Scalar))
        port = text(http.get("port")) or text(at(probe, "tcpSocket", "port")) or ""
        yield Probe(kind, place(key, path), text(http.get("path")) or "", port, argv)


def _waits(first: list[Container], started: list[Started]) -> Iterator[Dependency]:
    """Init containers that wait for somebody, by the hosts that they name."""
    for container, begun in zip(first, started, strict=True):
        if not begun.runs and begun.argv:
            known = {v.name: v.value for v in container.environment}
            said = (h for spoken in begun.spoken for h in hosts_in_words(tuple(filled(w, known) for w in spoken.words)))
            hosts = sorted({host.name for host in said if host.is_sure and not is_local(host.name)})
            yield from (Dependency(name, "init", container.place) for name in hosts or [""])


def _has_spread(spec: Table) -> bool:
    return at(spec, "affinity", "podAntiAffinity") is not None or spec.get("topologySpreadConstraints") is not None


def _key_place(table: Table, name: str, path: str) -> Place | None:
    key = table.key(name)
    return place(key, path) if key is not None else None
