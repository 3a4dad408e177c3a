"""Charts, as far as they can be read without rendering them: values fill simple expressions, dependencies are workloads.

Everything here has low confidence: conditions are taken to hold in templates, and not to hold for dependencies unless the
values switch them on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from coordlint.deployment import Coordinator, Key, Replicas, Workload
from coordlint.extract.kubernetes import read_object
from coordlint.finding import Confidence, Evidence
from coordlint.link.deploy.catalogue import Catalogue, folder_of, join
from coordlint.link.deploy.patching import strategic
from coordlint.link.deploy.roles import role_of
from coordlint.link.deploy.template_words import NOT_KNOWN, Value
from coordlint.link.deploy.templates import Read, Templates
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

MAX_CHARTS = 8
_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
_EXPRESSION = re.compile(r"\{\{((?:[^{}]|\{(?!\{)|\}(?!\}))*+)\}\}")
_VALUES = re.compile(r"\(?\$?\.Values((?:\.[\w-]+)+)\)?")
_DEFAULT = re.compile(r"default\s+(\"[^\"]*\"|'[^']*'|[\w.-]+)")


def rendered(objects: Iterable[KubernetesObject], catalogue: Catalogue) -> list[KubernetesObject]:
    """The objects, those of templates as their chart's values make them; what stays open is unknown."""
    made = [thing for thing in objects if not thing.templated]
    softened: dict[str, list[KubernetesObject]] = {}
    for thing in objects:
        if thing.templated:
            softened.setdefault(thing.path, []).append(thing)
    charts: dict[str, Templates] = {}
    for path in sorted({*catalogue.templates, *softened}):
        folder = path.rpartition("/templates/")[0] if "/templates/" in path else ""
        values, name = _values(catalogue, folder), _chart_name(catalogue, folder)
        if folder not in charts:
            inside = f"{folder}/templates/" if folder else "templates/"
            texts = {p: t.text for p, t in catalogue.templates.items() if p.startswith(inside)}
            charts[folder] = Templates(texts, _top(catalogue, folder, values, name))
        documents = [] if path.endswith(".tpl") else charts[folder].read(path)
        if documents:
            made += _followed(documents, path, name)
        else:
            made += (one for thing in softened.get(path, ()) if (one := _from_softened(thing, values, name)))
    return made


def _followed(documents: Iterable[Read], path: str, chart: str) -> Iterator[KubernetesObject]:
    for document in documents:
        thing = read_object(document.tree, path, templated=True)
        if thing is None or (document.switch and thing.kind in _SCALERS):
            continue
        title = thing.name if thing.name and UNKNOWN not in thing.name else _component(thing, chart)
        yield replace(thing, name=title, namespace="", switch=document.switch)


def _from_softened(thing: KubernetesObject, values: Table | None, chart: str) -> KubernetesObject | None:
    root = _filled(thing.root, values, chart)
    if not isinstance(root, Table):
        return None
    return replace(thing, root=root, name=text(at(root, "metadata", "name")) or _component(thing, chart), namespace="")


def _top(catalogue: Catalogue, folder: str, values: Table | None, name: str) -> dict[str, Value]:
    """What `.` and `$` mean at the top of a chart's templates."""
    chart = _chart(catalogue, folder)
    about: dict[str, Value] = {key.text.capitalize(): value for key, value in chart.root.entries} if chart else {}
    if (version := about.get("Appversion")) is not None:
        about["AppVersion"] = version
    return {"Values": values if values is not None else NOT_KNOWN, "Chart": {**about, "Name": name}, "Release": {"Name": name, "Service": "Helm"}}


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


def _chart_name(catalogue: Catalogue, folder: str) -> str:
    chart = _chart(catalogue, folder)
    return (text(chart.root.get("name")) if chart else None) or folder.rpartition("/")[2] or "release"


def _values(catalogue: Catalogue, folder: str, depth: int = 0) -> Table | None:
    """A chart's values; for one that lies in another's `charts` folder, with what the other says of it laid over them."""
    file = next((f for n in ("values.yaml", "values.yml") if (f := catalogue.helm.get(join(folder, n) or n))), None)
    own = file.root if file else None
    parent, inside, name = folder.rpartition("/charts/") if "/charts/" in folder else ("", folder.startswith("charts/"), folder[7:])
    if not inside or depth > MAX_CHARTS or _chart(catalogue, parent) is None:
        return own
    above = _values(catalogue, parent, depth + 1)
    said = [t for t in (at(above, name), _alone("global", above)) if isinstance(t, Table)]
    for one in said:
        merged = strategic(own, one) if own is not None else one
        own = merged if isinstance(merged, Table) else own
    return own


def _alone(name: str, table: Table | None) -> Table | None:
    """The one entry of a table that subcharts share."""
    pairs = tuple(e for e in table.entries if e[0].text == name) if table is not None else ()
    return Table(pairs, table.at) if table is not None and pairs else None


def _component(thing: KubernetesObject, chart: str) -> str:
    """A name for an object whose own is not known: the chart's, or the template file's."""
    stem = thing.path.rpartition("/")[2].rsplit(".", 1)[0]
    return chart if stem in (thing.kind.lower(), "deployment", "statefulset") else f"{chart}-{stem}"


def _filled(node: Node, values: Table | None, chart: str) -> Node:
    if isinstance(node, Scalar):
        if "{{" not in node.text:
            return node
        whole = _EXPRESSION.fullmatch(node.text.strip())
        found = at(values, *_path(_inside(whole))) if whole and _VALUES.search(whole[1]) else None
        if isinstance(found, (Table, Items)):
            return found
        new = _EXPRESSION.sub(lambda m: _said(_inside(m), values, chart), node.text)
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


def _inside(action: re.Match[str]) -> str:
    """What stands between the braces of an action, without the signs that trim the space around it."""
    return action[1].removeprefix("-").removesuffix("-").strip()
