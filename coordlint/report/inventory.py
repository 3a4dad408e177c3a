"""Every use of coordination, the workloads, the coordinators and who talks to whom: `coordlint inventory`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from coordlint.coordination import Use
from coordlint.deployment import Connection, Coordinator, Workload
from coordlint.report.json import VERSION, coverage, dump
from coordlint.report.result import Coverage, coverage_sentence, plural
from coordlint.report.style import Style
from coordlint.report.visible import visible
from coordlint.system import System


def render_json(system: System, told: Coverage, version: str) -> str:
    """The inventory as one JSON document."""
    return dump(
        {"version": VERSION, "tool": {"name": "coordlint", "version": version}, **tables(system, told)}
    )


def tables(system: System, told: Coverage) -> dict[str, Any]:
    """The four tables, as plain data."""
    return {
        "coverage": coverage(told),
        "uses": [use_table(system, use) for use in system.uses()],
        "workloads": [_workload(w) for w in system.workloads()],
        "coordinators": [_coordinator(c) for c in system.coordinators()],
        "edges": edges(system.deployment.connections),
    }


def edges(connections: Iterable[Connection]) -> list[dict[str, Any]]:
    """Workload to workload, one edge for each pair with all of its evidence; hosts that nobody here provides are none."""
    made: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for connection in connections:
        if connection.target is None or connection.target == connection.source:
            continue
        source, target = connection.source, connection.target
        key = (source.name, source.path, target.name, target.path)
        edge = made.setdefault(
            key,
            {
                "from": key[0],
                "from_path": key[1],
                "to": key[2],
                "to_path": key[3],
                "evidence": [],
                "confidence": 0,
            },
        )
        for evidence in connection.evidence:
            told = {"kind": evidence.message, "path": evidence.place.path, "line": evidence.place.line}
            if told not in edge["evidence"]:
                edge["evidence"].append(told)
        edge["confidence"] = max(edge["confidence"], connection.confidence.value)
    labels = {0: "low", 1: "low", 2: "medium", 3: "high"}
    return [{**made[key], "confidence": labels[made[key]["confidence"]]} for key in sorted(made)]


def workloads_of(system: System, use: Use) -> tuple[str, ...]:
    """Names of the workloads that run the code of a use."""
    return use.workloads or tuple(dict.fromkeys(w.name for w in system.workloads_of(use.symbol)))


def render_text(system: System, told: Coverage, style: Style) -> str:
    """The inventory for people: one line a use, then what runs and what it talks to."""
    return "\n".join(_lines(system, told, style)) + "\n"


def _lines(system: System, told: Coverage, style: Style) -> Iterator[str]:
    uses = system.uses()
    yield style.paint(plural(len(uses), "use") + " of coordination", bold=True)
    for use in uses:
        resource = f" {visible(use.resource)}" if use.resource else ""
        through = f" through {visible(', '.join(use.via))}" if use.via else ""
        options = f" ({', '.join(f'{k}={visible(v)}' for k, v in use.options)})" if use.options else ""
        workloads = workloads_of(system, use)
        runs = f" in {visible(', '.join(workloads))}" if workloads else ""
        yield (
            f"  {visible(str(use.place))}  {style.paint(use.role, 'cyan')} on {use.backend}"
            f"{style.paint(resource, bold=True)}{options}{through}{runs}  {style.paint(visible(use.symbol), 'dim')}"
        )
    coordinators = {c.workload.key: c for c in system.coordinators()}
    yield ""
    yield style.paint(plural(len(system.workloads()), "workload"), bold=True)
    for workload in system.workloads():
        yield f"  {visible(str(workload.place))}  {_workload_line(workload, coordinators.get(workload.key), style)}"
    connections = edges(system.deployment.connections)
    yield ""
    yield style.paint(plural(len(connections), "connection"), bold=True)
    for edge in connections:
        how = ", ".join(dict.fromkeys(e["kind"] for e in edge["evidence"]))
        told_how = f"{visible(how)}; {edge['confidence']} confidence"
        yield f"  {visible(edge['from'])} -> {visible(edge['to'])}  {style.paint(told_how, 'dim')}"
    unknown = system.deployment.unknown
    if unknown:
        yield ""
        yield style.paint("not resolved", bold=True)
        yield from (f"  {visible(str(e.place))}  {visible(e.message)}" for e in unknown)
    yield ""
    yield from (f"skipped {visible(s.path)}:{s.line}: {visible(s.reason)}" for s in told.skipped)
    yield style.paint(coverage_sentence(told), "dim")


def _workload_line(workload: Workload, coordinator: Coordinator | None, style: Style) -> str:
    replicas = "?" if workload.replicas.declared is None else str(workload.replicas.declared)
    parts = [
        f"{style.paint(visible(workload.name), bold=True)} {workload.kind}, {workload.role}, replicas {replicas}"
    ]
    if workload.runs:
        parts.append("runs " + ", ".join(dict.fromkeys(visible(run.path) for run in workload.runs)))
    if coordinator is not None:
        parts.append(f"is {coordinator.backend} ({members_told(coordinator.members)})")
    return "; ".join(parts)


def members_told(members: int | None) -> str:
    """The size of an ensemble in words."""
    return "members not known" if members is None else f"{members} member{'' if members == 1 else 's'}"


def use_table(system: System, use: Use) -> dict[str, Any]:
    """One use, as plain data."""
    return {
        "path": use.place.path,
        "line": use.place.span.line,
        "column": use.place.span.column,
        "role": use.role,
        "backend": use.backend,
        "library": use.library,
        "symbol": use.symbol,
        "resource": use.resource,
        "options": dict(use.options),
        "via": list(use.via),
        "workloads": list(workloads_of(system, use)),
        "verdict": None,
        "confidence": use.confidence,
    }


def _workload(workload: Workload) -> dict[str, Any]:
    return {
        "name": workload.name,
        "kind": workload.kind,
        "path": workload.path,
        "line": workload.place.line,
        "role": str(workload.role),
        "replicas": workload.replicas.declared,
        "most_replicas": workload.replicas.most,
        "image": workload.image,
        "processes": [
            {"program": p.program, "command": list(p.argv), "workers": p.workers} for p in workload.processes
        ],
        "runs": [{"path": run.path, "how": run.how} for run in workload.runs],
    }


def _coordinator(told: Coordinator) -> dict[str, Any]:
    return {
        "workload": told.workload.name,
        "backend": told.backend,
        "path": told.workload.path,
        "line": told.place.line,
        "members": told.members,
        "persistent": told.persistent,
    }
