"""Evidence that pods elect a leader among themselves: the right to write Leases, a Lease that is theirs, or a container that elects for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from coordlint.finding import Evidence
from coordlint.manifest import KubernetesObject, Scalar, Table, at, image_name, items, place, tables, text

KINDS = ("RoleBinding", "ClusterRoleBinding", "Role", "ClusterRole", "Lease")
_WRITES = frozenset(("update", "patch", "*"))
_ELECTOR = re.compile(r"(^|/)(k8s-)?leader-?elect(or|ion)(-sidecar)?$")
_OF_A_LEADER = re.compile(r"-(leader(-(election|lock|lease))?|election|lease|lock)")


def elections(thing: KubernetesObject, pod: Table, objects: Iterable[KubernetesObject]) -> tuple[Evidence, ...]:
    """What says so: a container beside the program, a Lease of the manifests, rules that let the pod write Leases; `objects` are of KINDS."""
    objects = list(objects)
    return (*_electors(thing, pod), *_held(thing, pod, objects), *_rights(thing, pod, objects))


def _electors(thing: KubernetesObject, pod: Table) -> Iterator[Evidence]:
    for container in (*tables(pod.get("containers")), *tables(pod.get("initContainers"))):
        image = (image_name(container.get("image")) or "").partition("@")[0]
        if _ELECTOR.search(re.sub(r":[^/:]*$", "", image)):
            yield Evidence(place(container.get("image") or container, thing.path), "a leader elector runs beside it")


def _held(thing: KubernetesObject, pod: Table, objects: list[KubernetesObject]) -> Iterator[Evidence]:
    """Leases that bear the workload's name, or that its containers are told the name of."""
    leases = [o for o in objects if o.kind == "Lease" and o.name and o.namespace in ("", thing.namespace)]
    spoken = _spoken(pod) if leases else frozenset()
    for lease in leases:
        rest = lease.name.removeprefix(thing.name)
        if lease.name in spoken or (rest != lease.name and (not rest or _OF_A_LEADER.fullmatch(rest))):
            yield Evidence(place(at(lease.root, "metadata", "name") or lease.root, lease.path), f"Lease {lease.name} is held by one of them")


def _spoken(pod: Table) -> frozenset[str]:
    """The words of commands, arguments and settings; of `--lease=NAME` the name."""
    said: set[str] = set()
    for container in tables(pod.get("containers")):
        for item in (*items(container.get("command")), *items(container.get("args")), *(e.get("value") for e in tables(container.get("env")))):
            if isinstance(item, Scalar):
                said.update(word.rpartition("=")[2] for word in item.text.split())
    return frozenset(said)


def _rights(thing: KubernetesObject, pod: Table, objects: list[KubernetesObject]) -> tuple[Evidence, ...]:
    """The rules that let a pod hold a Lease, through the bindings of its service account."""
    account = text(pod.get("serviceAccountName")) or text(pod.get("serviceAccount"))
    if not account:
        return ()
    granted = {name for binding in objects if binding.kind.endswith("RoleBinding") for name in _granted(binding, account, thing.namespace)}
    roles = (o for o in objects if o.kind in ("Role", "ClusterRole") and (o.kind, o.name) in granted)
    return tuple(evidence for role in roles for evidence in _leases(role))


def _granted(binding: KubernetesObject, account: str, namespace: str) -> Iterator[tuple[str, str]]:
    for subject in tables(binding.root.get("subjects")):
        where = text(subject.get("namespace")) or namespace
        if text(subject.get("kind")) == "ServiceAccount" and text(subject.get("name")) == account and (not namespace or where == namespace):
            yield text(at(binding.root, "roleRef", "kind")) or "", text(at(binding.root, "roleRef", "name")) or ""


def _leases(role: KubernetesObject) -> Iterator[Evidence]:
    for rule in tables(role.root.get("rules")):
        resources = {text(item) for item in items(rule.get("resources"))}
        verbs = {text(item) for item in items(rule.get("verbs"))}
        if "leases" in resources and verbs & _WRITES:
            yield Evidence(place(rule, role.path), f"{role.kind} {role.name} lets it write Leases")
