"""Every use of coordination, the workloads, the coordinators and who talks to whom: `coordlint inventory`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from coordlint.coordination import Entry, Operation, Section, Use
from coordlint.decision import Verdict, decide, verdicts
from coordlint.deployment import Connection, Coordinator, Workload
from coordlint.report.certainty import certainty
from coordlint.report.held import effect_table, entry_table, section_table
from coordlint.report.json import VERSION, coverage, dump
from coordlint.report.result import Coverage, coverage_sentence, plural
from coordlint.report.style import Style
from coordlint.report.suggested import suggestion_lines, suggestion_table
from coordlint.report.verdicts import tax_table, verdict_lines, verdict_table
from coordlint.report.visible import visible
from coordlint.source import Place
from coordlint.system import System
from coordlint.tax import tax
from coordlint.telling import effect_name
from coordlint.telling import told as told_time

MOST = 20  # entry points of one use that are listed


class Wanted(NamedTuple):
    """Which uses are asked for; empty means all."""

    roles: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()

    def has(self, use: Use) -> bool:
        """Whether a use is asked for."""
        return (not self.roles or use.role in self.roles) and (not self.backends or use.backend in self.backends)


ALL = Wanted()


def render_json(system: System, told: Coverage, version: str, wanted: Wanted = ALL) -> str:
    """The inventory as one JSON document."""
    return dump(
        {"version": VERSION, "tool": {"name": "coordlint", "version": version}, **tables(system, told, wanted)}
    )


def tables(system: System, told: Coverage, wanted: Wanted = ALL) -> dict[str, Any]:
    """The four tables, as plain data."""
    around = Around(system)
    return {
        "coverage": coverage(told),
        "uses": [around.table(use) for use in system.uses() if wanted.has(use)],
        "workloads": [_workload(w) for w in system.workloads()],
        "coordinators": [_coordinator(c) for c in system.coordinators()],
        "edges": edges(system.deployment.connections),
        "unresolved": [{"path": e.place.path, "line": e.place.line, "message": e.message} for e in system.deployment.unknown],
        "tax": [tax_table(t) for t in tax(system, verdicts(system))],
        "suggested_models": [suggestion_table(s) for s in system.suggestions()],
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


class Around:
    """What a system knows around its uses: the operation or section that stands at the same place, and who reaches it."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._operations: dict[Place, list[Operation]] = {}
        self._sections: dict[Place, list[Section]] = {}
        for operation in system.operations():
            self._operations.setdefault(operation.place, []).append(operation)
        for section in system.critical_sections():
            self._sections.setdefault(section.acquired, []).append(section)

    def operation(self, use: Use) -> Operation | None:
        """The library call that the use is; None for a call of a wrapper."""
        return next((o for o in self._operations.get(use.place, ()) if o.backend == use.backend and o.symbol == use.symbol), None)

    def section(self, use: Use) -> Section | None:
        """The critical section that begins at the use; a lock's section for a lock's use."""
        found = self._sections.get(use.place, ())
        return next((s for s in found if s.lock.backend == use.backend), None)

    def entries(self, use: Use) -> tuple[Entry, ...]:
        """The entry points from which the use is reached; tests are none."""
        return tuple(e for e in self._system.entries_reaching(use.symbol) if e.kind != "test")

    def certainty(self, use: Use) -> tuple[str, tuple[str, ...]]:
        """How sure it is, and what is not known."""
        return certainty(use, self.operation(use), self.section(use))

    def verdict(self, use: Use) -> Verdict:
        """What the decision flowchart says of it."""
        return decide(self._system, use, self.section(use))

    def table(self, use: Use) -> dict[str, Any]:
        """One use with everything around it, as plain data."""
        section = self.section(use)
        confidence, unknown = self.certainty(use)
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
            "workloads": list(workloads_of(self._system, use)),
            "verdict": verdict_table(self.verdict(use)),
            "confidence": confidence,
            "unknown": list(unknown),
            "section": None if section is None else section_table(section),
            "effects": [] if section is None else [effect_table(e) for e in section.effects],
            "entry_points": [entry_table(e) for e in self.entries(use)[:MOST]],
        }


def render_text(system: System, told: Coverage, style: Style, wanted: Wanted = ALL, *, verbose: bool = False) -> str:
    """The inventory for people: one line a use, then what runs and what it talks to."""
    return "\n".join(_lines(system, told, style, wanted, verbose)) + "\n"


def _lines(system: System, told: Coverage, style: Style, wanted: Wanted, verbose: bool) -> Iterator[str]:
    around = Around(system)
    uses = [use for use in system.uses() if wanted.has(use)]
    yield style.paint(plural(len(uses), "use") + " of coordination", bold=True)
    for use in uses:
        yield _use_line(system, around, use, style)
        if verbose:
            yield from (f"      {line}" for line in _details(around, use))
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
    yield from suggestion_lines(system.suggestions(), style)
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


def _use_line(system: System, around: Around, use: Use, style: Style) -> str:
    resource = f" {visible(use.resource)}" if use.resource else ""
    through = f" through {visible(', '.join(use.via))}" if use.via else ""
    options = f" ({', '.join(f'{k}={visible(v)}' for k, v in use.options)})" if use.options else ""
    workloads = workloads_of(system, use)
    runs = f" in {visible(', '.join(workloads))}" if workloads else ""
    confidence, _ = around.certainty(use)
    doubt = "" if confidence == "high" else f"  {style.paint(f'{confidence} confidence', 'yellow')}"
    return (
        f"  {visible(str(use.place))}  {style.paint(use.role, 'cyan')} on {use.backend}"
        f"{style.paint(resource, bold=True)}{options}{through}{runs}  {style.paint(visible(use.symbol), 'dim')}{doubt}"
    )


def _details(around: Around, use: Use) -> Iterator[str]:
    section = around.section(use)
    if section is not None:
        ends = ", ".join(dict.fromkeys(r.how for r in section.releases)) or ("elsewhere" if section.escapes else "nowhere that is seen")
        yield f"held: {section.how}, lifetime {told_time(section.lock.lifetime)}, wait {told_time(section.wait)}, released by {ends}"
        for effect in section.effects[:MOST]:
            far = f" through {', '.join(visible(str(p)) for p in effect.chain)}" if effect.chain else ""
            checked = f", {effect.conditional}" if effect.conditional else ""
            yield f"  {visible(effect_name(effect.operation))} at {visible(str(effect.place))}{far} ({effect.operation.late} when late{checked})"
        purpose = section.purpose
        yield f"purpose: {purpose.kind} ({purpose.score:+d}){f', declared {purpose.declared}' if purpose.declared else ''}"
        yield from (f"  {p.points:+d} {visible(p.reason)}{f' ({visible(str(p.place))})' if p.place else ''}" for p in purpose.points)
    yield from (visible(line) for line in verdict_lines(around.verdict(use)))
    entries = around.entries(use)
    if entries:
        named = [f"{e.kind} {visible(e.route or e.symbol)}" for e in entries[:5]]
        yield f"reached from {', '.join(named)}{f' and {len(entries) - 5} more' if len(entries) > 5 else ''}"
    _, unknown = around.certainty(use)
    yield from (f"not known: {visible(sentence)}" for sentence in unknown)


def use_table(system: System, use: Use) -> dict[str, Any]:
    """One use, as plain data."""
    return Around(system).table(use)


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
        "elections": [{"path": e.place.path, "line": e.place.line, "message": e.message} for e in workload.elections],
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
