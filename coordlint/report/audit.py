"""`coordlint audit`: one self-contained markdown page about how a repository coordinates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from coordlint.coordination import Use
from coordlint.decision import verdicts
from coordlint.report import graph
from coordlint.report.inventory import Around, edges, members_told, workloads_of
from coordlint.report.markdown import coverage, findings, table
from coordlint.report.result import Report, plural
from coordlint.report.verdicts import tax_section, verdicts_section
from coordlint.report.visible import code, markdown
from coordlint.system import System
from coordlint.tax import tax
from coordlint.telling import effect_name, told

MOST = 5  # effects of one section that are named


def render(report: Report, system: System, name: str) -> str:
    """Inventory, verdicts, the tax, sections, deployment, graph, findings, coverage."""
    around = Around(system)
    judged = list(verdicts(system))
    parts = [
        _head(report, system, name),
        _uses(system, around),
        verdicts_section(judged),
        tax_section(tax(system, judged)),
        _sections(system, around),
        _workloads(system),
        _graph(system),
        findings(report),
        coverage(report),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _head(report: Report, system: System, name: str) -> Iterator[str]:
    yield f"# How {markdown(name)} coordinates"
    yield ""
    by_backend = Counter(use.backend for use in system.uses())
    ranked = sorted(by_backend.items(), key=lambda pair: (-pair[1], pair[0]))
    told = f" ({', '.join(f'{backend} {count}' for backend, count in ranked)})" if ranked else ""
    yield (
        f"{plural(len(system.uses()), 'use')} of coordination{told}; {plural(len(system.workloads()), 'workload')}, "
        f"{len(system.coordinators())} of them coordinators or stores; {plural(len(report.findings), 'finding')}."
    )


def _uses(system: System, around: Around) -> Iterator[str]:
    yield "## Uses of coordination"
    yield ""
    if not system.uses():
        yield "None."
        return
    yield from table(
        ("place", "role", "backend", "resource", "through", "reached from", "workloads", "confidence"),
        (
            (
                code(str(use.place)),
                use.role,
                use.backend,
                code(use.resource) if use.resource else "not known",
                ", ".join(code(via) for via in use.via),
                _kinds(around, use),
                ", ".join(code(w) for w in workloads_of(system, use)),
                around.certainty(use)[0],
            )
            for use in system.uses()
        ),
    )


def _kinds(around: Around, use: Use) -> str:
    """Entry points by kind: "http 3, task 1"."""
    counted = Counter(e.kind for e in around.entries(use))
    return ", ".join(f"{kind} {counted[kind]}" for kind in sorted(counted))


def _sections(system: System, around: Around) -> Iterator[str]:
    """What is held: each lock's section with its effects and the evidence for its purpose."""
    yield "## Critical sections"
    yield ""
    held = [(use, section) for use in system.uses() if (section := around.section(use)) is not None]
    if not held:
        yield "None."
        return
    rows = []
    for use, section in held:
        effects = [f"{code(effect_name(e.operation))} ({e.operation.late} when late)" for e in section.effects]
        more = [f"and {len(effects) - MOST} more"] if len(effects) > MOST else []
        points = ", ".join(f"{p.points:+d} {markdown(p.reason)}" for p in section.purpose.points)
        rows.append(
            (
                code(str(use.place)),
                code(use.resource) if use.resource else "not known",
                markdown(told(section.lock.lifetime)),
                markdown(told(section.wait)),
                ", ".join([*effects[:MOST], *more]),
                f"{section.purpose.kind} ({section.purpose.score:+d}{f': {points}' if points else ''})",
                ", ".join(markdown(doubt) for doubt in around.certainty(use)[1]),
            )
        )
    yield from table(("place", "lock", "lifetime", "wait", "effects", "purpose", "not known"), rows)


def _workloads(system: System) -> Iterator[str]:
    yield "## Workloads"
    yield ""
    if not system.workloads():
        yield "No compose file or Kubernetes manifest was found."
        return
    coordinators = {c.workload.key: c for c in system.coordinators()}
    rows = []
    for workload in system.workloads():
        known = coordinators.get(workload.key)
        members = (
            ""
            if known is None
            else f"{known.backend}, {members_told(known.members)}"
        )
        replicas = workload.replicas.declared
        rows.append(
            (
                code(workload.name),
                code(str(workload.place)),
                workload.kind,
                str(workload.role),
                "?" if replicas is None else str(replicas),
                ", ".join(dict.fromkeys(code(run.path) for run in workload.runs)),
                members,
            )
        )
    yield from table(("name", "place", "kind", "role", "replicas", "runs", "coordinator"), rows)
    talks = edges(system.deployment.connections)
    if talks:
        yield ""
        yield from table(
            ("from", "to", "how", "confidence"),
            (
                (
                    code(edge["from"]),
                    code(edge["to"]),
                    ", ".join(
                        dict.fromkeys(code(f"{e['kind']} {e['path']}:{e['line']}") for e in edge["evidence"])
                    ),
                    edge["confidence"],
                )
                for edge in talks
            ),
        )


def _graph(system: System) -> Iterator[str]:
    yield "## Graph"
    yield ""
    yield "```mermaid"
    yield graph.mermaid(graph.picture(system)).rstrip("\n")
    yield "```"
