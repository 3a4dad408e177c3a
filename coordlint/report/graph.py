"""`coordlint graph`: workloads, coordinators, critical sections and effects as mermaid, dot or JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from coordlint.deployment import Key
from coordlint.report.inventory import edges
from coordlint.report.json import VERSION, dump
from coordlint.report.visible import visible
from coordlint.system import System

MAX_LABEL = 60
LEVELS = ("workloads", "sections", "effects")  # how near one looks: each draws what the one before draws, and more


class Node(msgspec.Struct, frozen=True, order=True):
    """Kind: workload | coordinator | section | effect."""

    id: str
    kind: str
    label: str
    path: str = ""
    line: int = 0


class Edge(msgspec.Struct, frozen=True, order=True):
    """Label: talks to | runs | guards | locks in."""

    source: str
    target: str
    label: str


class Picture(msgspec.Struct, frozen=True):
    """What is drawn: nodes and edges, sorted."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def picture(system: System, level: str = "effects") -> Picture:
    """Workloads and who talks to whom; then the sections that they run, and those that none does; then what these guard."""
    nodes: dict[str, Node] = {}
    drawn: set[Edge] = set()
    coordinators = {c.workload.key: c.backend for c in system.coordinators()}
    for workload in system.workloads():
        kind = "coordinator" if workload.key in coordinators else "workload"
        replicas = workload.replicas.declared
        label = workload.name + (f" x{replicas}" if replicas not in (None, 1) else "")
        if kind == "coordinator" and coordinators[workload.key] != workload.name:
            label += f" ({coordinators[workload.key]})"
        mark = _mark(workload.key)
        nodes[mark] = Node(mark, kind, label, workload.path, workload.place.line)
    names = {(w.name, w.path): _mark(w.key) for w in system.workloads()}
    for edge in edges(system.deployment.connections):
        source, target = (
            names.get((edge["from"], edge["from_path"])),
            names.get((edge["to"], edge["to_path"])),
        )
        if source and target:
            drawn.add(Edge(source, target, "talks to"))
    sections = tuple(system.critical_sections())
    behind = {inner.acquired for s in sections if (inner := system.inner(s)) is not None}  # a wrapper's own, drawn at its callers
    for section in sections if level != "workloads" else ():
        if section.acquired in behind:
            continue
        mark = f"section {section.acquired}"
        key = section.lock.key_text or section.lock.key or "?"
        label = f"{section.symbol.rpartition('.')[2] or section.symbol}: {section.lock.backend} lock {key}"
        nodes[mark] = Node(mark, "section", label, section.acquired.path, section.acquired.line)
        for effect in section.effects if level == "effects" else ():
            told = effect.operation
            target = f"effect {told.place}"
            name = f"{told.call.rpartition('.')[2]} {told.key_text or told.key or told.kind or told.backend}".strip()
            nodes[target] = Node(target, "effect", name, told.place.path, told.place.line)
            drawn.add(Edge(mark, target, "guards"))
        for workload in system.workloads_of(section.symbol):
            drawn.add(Edge(_mark(workload.key), mark, "runs"))
            for key_, backend in coordinators.items():
                if (
                    backend == section.lock.backend
                    and Edge(_mark(workload.key), _mark(key_), "talks to") in drawn
                ):
                    drawn.add(Edge(mark, _mark(key_), "locks in"))
    return Picture(tuple(sorted(nodes.values())), tuple(sorted(drawn)))


def render(system: System, format: str, level: str = "effects") -> str:
    """The picture as "mermaid", "dot" or "json", at one of LEVELS."""
    draw: dict[str, Callable[[Picture], str]] = {"mermaid": mermaid, "dot": dot, "json": json}
    return draw[format](picture(system, level))


def mermaid(drawn: Picture) -> str:
    """A flowchart that GitHub renders."""
    return "\n".join(_mermaid(drawn)) + "\n"


def _mermaid(drawn: Picture) -> Iterator[str]:
    ids = _ids(drawn)
    shapes = {
        "workload": ("[", "]"),
        "coordinator": ("[(", ")]"),
        "section": ("{{", "}}"),
        "effect": ("([", "])"),
    }
    yield "flowchart LR"
    for node in drawn.nodes:
        left, right = shapes[node.kind]
        yield f'  {ids[node.id]}{left}"{mermaid_text(node.label)}"{right}:::{node.kind}'
    for edge in drawn.edges:
        yield f"  {ids[edge.source]} -->|{edge.label}| {ids[edge.target]}"
    yield "  classDef coordinator stroke-width:3px"
    yield "  classDef section stroke-dasharray:4"


def dot(drawn: Picture) -> str:
    """A Graphviz digraph."""
    ids = _ids(drawn)
    shapes = {"workload": "box", "coordinator": "cylinder", "section": "hexagon", "effect": "ellipse"}
    lines = ["digraph coordlint {", "  rankdir=LR;"]
    lines += [f'  {ids[n.id]} [shape={shapes[n.kind]}, label="{_dot_text(n.label)}"];' for n in drawn.nodes]
    lines += [f'  {ids[e.source]} -> {ids[e.target]} [label="{e.label}"];' for e in drawn.edges]
    return "\n".join([*lines, "}"]) + "\n"


def json(drawn: Picture) -> str:
    """Nodes and edges as plain data."""
    ids = _ids(drawn)
    return dump(
        {
            "version": VERSION,
            "nodes": [
                {"id": ids[n.id], "kind": n.kind, "label": n.label, "path": n.path, "line": n.line}
                for n in drawn.nodes
            ],
            "edges": [{"from": ids[e.source], "to": ids[e.target], "label": e.label} for e in drawn.edges],
        }
    )


def _mark(key: Key) -> str:
    return f"workload {key.path} {key.kind} {key.namespace} {key.name}"


def _ids(drawn: Picture) -> dict[str, str]:
    """Short names that every format can write: the kind's first letter and a number."""
    return {node.id: f"{node.kind[0]}{number}" for number, node in enumerate(drawn.nodes, 1)}


def _short(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= MAX_LABEL else shown[: MAX_LABEL - 3] + "..."


def mermaid_text(text: str) -> str:
    """Text inside a label: whatever could end it is written as an entity."""
    return re.sub(r"[^\w .,:/@*?!=+-]", lambda found: f"#{ord(found[0])};", _short(text))


def _dot_text(text: str) -> str:
    return _short(text).replace("\\", "\\\\").replace('"', '\\"')
