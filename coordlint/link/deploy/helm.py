"""Charts, as far as they can be read without rendering them: values fill simple expressions, dependencies are workloads.

Everything here has low confidence: conditions are taken to hold in templates, and not to hold for dependencies unless the
values switch them on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from coordlint.deployment import Coordinator, Key, Replicas, Workload
from coordlint.finding import Confidence, Evidence
from coordlint.link.deploy.catalogue import Catalogue, folder_of, join
from coordlint.link.deploy.roles import role_of
from coordlint.manifest import (
    UNKNOWN,
    HelmFile,
    Items,
    KubernetesObject,
    Node,
    Scalar,
    Table,
    at,
    place,
    tables,
    text,
    truth,
)
from coordlint.models.coordinator_table import coordinator_table

_EXPRESSION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")
_VALUES = re.compile(r"\(?\$?\.Values((?:\.[\w-]+)+)\)?")
_DEFAULT = re.compile(r"default\s+(\"[^\"]*\"|'[^']*'|[\w.-]+)")


def rendered(objects: Iterable[KubernetesObject], catalogue: Catalogue) -> list[KubernetesObject]:
    """The objects, those of templates with their chart's values filled in; what stays open is unknown."""
    made = []
    for thing in objects:
        if not thing.templated:
            made.append(thing)
            continue
        folder = thing.path.split("/templates/")[0] if "/templates/" in thing.path else ""
        chart, values = _chart(catalogue, folder), _values(catalogue, folder)
        name = (text(chart.root.get("name")) if chart else None) or folder.rpartition("/")[2] or "release"
        root = _filled(thing.root, values, name)
        if isinstance(root, Table):
            title = text(at(root, "metadata", "name")) or _component(thing, name)
            made.append(replace(thing, root=root, name=title, namespace=""))
    return made


def helm_dependencies(catalogue: Catalogue) -> list[Coordinator]:
    """Coordinators that charts depend on and their values do not switch off."""
    table = coordinator_table()
    made = []
    for path, chart in sorted(catalogue.helm.items()):
        if chart.what != "chart":
            continue
        values = _values(catalogue, folder_of(path))
        for dependency in tables(chart.root.get("dependencies")):
            name = text(dependency.get("name")) or ""
            model = table.of_image(name)
            if model is None or not _is_on(dependency, values):
                continue
            title = text(dependency.get("alias")) or name
            own = at(values, title)
            called = text(at(own, "fullnameOverride")) or text(at(own, "nameOverride")) or title
            here = place(dependency.get("name") or dependency, path)
            said = (Evidence(here, f"the chart depends on {name}"),)
            workload = Workload(
                key=Key(called, path, "helm-dependency"),
                place=here,
                role=role_of(path),
                replicas=Replicas(None, None),
                names=tuple(dict.fromkeys((called, f"{called}-master", f"{called}-headless"))),
                confidence=Confidence.LOW,
            )
            made.append(
                Coordinator(
                    workload=workload, backend=model.backend, members=None, persistent=None, place=here, evidence=said, is_managed=True
                )
            )
    return made


def _is_on(dependency: Table, values: Table | None) -> bool:
    condition = text(dependency.get("condition"))
    if not condition:
        return True
    return any(truth(at(values, *one.strip().split("."))) is True for one in condition.split(","))


def _chart(catalogue: Catalogue, folder: str) -> HelmFile | None:
    return catalogue.helm.get(join(folder, "Chart.yaml") or "Chart.yaml")


def _values(catalogue: Catalogue, folder: str) -> Table | None:
    file = catalogue.helm.get(join(folder, "values.yaml") or "values.yaml")
    return file.root if file else None


def _component(thing: KubernetesObject, chart: str) -> str:
    """A name for an object whose own is not known: the chart's, or the template file's."""
    stem = thing.path.rpartition("/")[2].rsplit(".", 1)[0]
    return chart if stem in (thing.kind.lower(), "deployment", "statefulset") else f"{chart}-{stem}"


def _filled(node: Node, values: Table | None, chart: str) -> Node:
    if isinstance(node, Scalar):
        if "{{" not in node.text:
            return node
        whole = _EXPRESSION.fullmatch(node.text.strip())
        found = at(values, *_path(whole[1])) if whole and _VALUES.search(whole[1]) else None
        if isinstance(found, (Table, Items)):
            return found
        new = _EXPRESSION.sub(lambda m: _said(m[1], values, chart), node.text)
        return Scalar(new, node.at, True, node.custom, node.path)
    if isinstance(node, Items):
        return Items(tuple(_filled(item, values, chart) for item in node.items), node.at, node.custom, node.path)
    pairs = tuple((key, _filled(value, values, chart)) for key, value in node.entries)
    return Table(pairs, node.at, node.custom, node.path)


def _path(expression: str) -> list[str]:
    match = _VALUES.search(expression)
    return match[1].strip(".").split(".") if match else []


def _said(expression: str, values: Table | None, chart: str) -> str:
    """One expression as text."""
    path = _path(expression)
    if path:
        found = at(values, *path)
        if isinstance(found, Scalar) and found.value is not None and found.text != "":
            return found.text
        default = _DEFAULT.search(expression)
        return default[1].strip("\"'") if default and not default[1].startswith(".") else UNKNOWN
    if re.match(r"\.(Release\.Name|Chart\.Name)\b", expression):
        return chart
    if re.match(r"(include|template)\s+\"[^\"]*(fullname|name)\"", expression):
        return chart
    return UNKNOWN
