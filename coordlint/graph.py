"""The one graph: functions, sections, effects, workloads and coordinators, and what joins them.

Nodes are (kind, identity) pairs; edges carry their kind and the places that prove them. Only System builds and walks it. What rules ask
by the thousand, who calls or imports whom, is answered from its edges of that one kind alone (`Ways`): a check need not wait for the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from coordlint.coordination import Operation, Section
from coordlint.deployment import Deployment
from coordlint.source import Place

if TYPE_CHECKING:
    import networkx as nx

    Graph = nx.MultiDiGraph[tuple[str, Any]]

CALLS, IMPORTS = "calls", "imports"
ACQUIRES, GUARDS, PERFORMS = "acquires", "guards", "performs"
RUNS, CONNECTS, DEPENDS = "runs", "connects-to", "depends-on"


class Ways:
    """The edges of one kind between names, each with the places that prove it, in the order in which they were told."""

    def __init__(self, edges: Iterable[tuple[str, str, Sequence[Place]]]) -> None:
        self.after: dict[str, dict[str, tuple[Place, ...]]] = {}
        for source, target, places in edges:
            known = self.after.setdefault(source, {})
            known[target] = (*known.get(target, ()), *places)
            self.after.setdefault(target, {})
        self.before: dict[str, list[str]] = {node: [] for node in self.after}
        for source, targets in self.after.items():
            for target in targets:
                self.before[target].append(source)

    def __contains__(self, node: str) -> bool:
        return node in self.after

    def reached(self, node: str) -> frozenset[str]:
        """Everything that edges lead to from a node, itself included."""
        return _closed(self.after, node)

    def reaching(self, node: str) -> frozenset[str]:
        """Everything from which edges lead to a node, itself included."""
        return _closed(self.before, node)

    def shortest(self, start: str, end: str) -> list[str]:
        """The nodes of a shortest way, both ends included; empty when there is none. Looked for from both ends, always from the one with fewer open nodes."""
        came: dict[str, str | None] = {start: None}
        leads: dict[str, str | None] = {end: None}
        there, back = [start], [end]
        while there and back:
            forward = len(there) <= len(back)
            level, seen, other, ways = (there, came, leads, self.after) if forward else (back, leads, came, self.before)
            found: list[str] = []
            for node in level:
                for near in ways[node]:
                    if near in seen:
                        continue
                    seen[near] = node
                    found.append(near)
                    if near in other:
                        return [*_traced(came, near)[::-1], *_traced(leads, near)[1:]]
            there, back = (found, back) if forward else (there, found)
        return []


def _closed(ways: Mapping[str, Iterable[str]], node: str) -> frozenset[str]:
    found, todo = {node}, [node]
    while todo:
        for near in ways.get(todo.pop(), ()):
            if near not in found:
                found.add(near)
                todo.append(near)
    return frozenset(found)


def _traced(steps: Mapping[str, str | None], node: str) -> list[str]:
    """From a node back to where a search began."""
    way = [node]
    while (before := steps[way[-1]]) is not None:
        way.append(before)
    return way


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
    import networkx as nx  # it takes longer to load than a small project to judge

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
