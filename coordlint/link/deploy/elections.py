"""Evidence that pods elect a leader among themselves: the right to write Leases that their service account is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint.finding import Evidence
from coordlint.manifest import KubernetesObject, Table, at, items, place, tables, text

_WRITES = frozenset(("update", "patch", "*"))


def elections(thing: KubernetesObject, pod: Table, objects: Iterable[KubernetesObject]) -> tuple[Evidence, ...]:
    """The rules that let a pod hold a Lease, through the bindings of its service account."""
    account = text(pod.get("serviceAccountName")) or text(pod.get("serviceAccount"))
    if not account:
        return ()
    objects = list(objects)
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
