"""The one graph: functions, sections, effects, workloads and coordinators, and what joins them.

Nodes are (kind, identity) pairs; edges carry their kind and the places that prove them. Only the linker builds it and
only System walks it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import networkx as nx

from coordlint.coordination import Operation, Section
from coordlint.deployment import Deployment
from coordlint.source import Place

Node = tuple[str, Any]
if TYPE_CHECKING:
    Graph = nx.MultiDiGraph[Node]
else:
    Graph = nx.MultiDiGraph  # takes no parameters when it runs

CALLS, IMPORTS = "calls", "imports"
ACQUIRES, GUARDS, PERFORMS = "acquires", "guards", "performs"
RUNS, CONNECTS, DEPENDS = "runs", "connects-to", "depends-on"


def build(
    *,
    calls: Iterable[tuple[str, str, Place]],
    imports: Iterable[tuple[str, str]],
    operations: Iterable[Operation],
    sections: Iterable[Section],
    deployment: Deployment,
    modules: dict[str, str],
) -> Graph:
    """The graph of a system; equal inputs in any order give equal graphs."""
    graph: Graph = nx.MultiDiGraph()
    for caller, callee, place in calls:
        graph.add_edge(("function", caller), ("function", callee), CALLS, places=_more(graph, caller, callee, place))
    for importer, imported in imports:
        graph.add_edge(("module", importer), ("module", imported), IMPORTS)
    for operation in operations:
        if operation.kind or operation.backend:
            graph.add_edge(("function", operation.symbol), ("effect", operation.place), PERFORMS)
    for section in sections:
        graph.add_edge(("function", section.symbol), ("section", section.acquired), ACQUIRES)
        for effect in section.effects:
            graph.add_edge(("section", section.acquired), ("effect", effect.place), GUARDS)
    _add_deployment(graph, deployment, {path: name for name, path in modules.items()})
    return graph


def _more(graph: Graph, caller: str, callee: str, place: Place) -> tuple[Place, ...]:
    known = graph.get_edge_data(("function", caller), ("function", callee), CALLS)
    return (*known["places"], place) if known else (place,)


def _add_deployment(graph: Graph, deployment: Deployment, names: dict[str, str]) -> None:
    servers = {c.workload.key for c in deployment.coordinators}
    for workload in deployment.workloads:
        node = ("coordinator" if workload.key in servers else "workload", workload.key)
        graph.add_node(node)
        for run in workload.runs:
            if run.path in names:
                graph.add_edge(node, ("module", names[run.path]), RUNS)
        for dependency in workload.depends_on:
            for other in deployment.workloads:
                if other.name == dependency.name and other.path == workload.path:
                    graph.add_edge(node, ("coordinator" if other.key in servers else "workload", other.key), DEPENDS)
    for connection in deployment.connections:
        if connection.target is not None:
            source = "coordinator" if connection.source in servers else "workload"
            target = "coordinator" if connection.target in servers else "workload"
            graph.add_edge((source, connection.source), (target, connection.target), CONNECTS)
