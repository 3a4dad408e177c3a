"""What happens when something goes down, as text, JSON and mermaid: `coordlint whatif --down NAME`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coordlint.report.graph import mermaid_text
from coordlint.report.json import VERSION, dump
from coordlint.report.result import plural
from coordlint.report.style import Style
from coordlint.report.visible import visible
from coordlint.whatif import Fate, Hit, Outage, Told

MOST = 5  # hits of one workload that are told to people; JSON has them all
_COLOURS = {Fate.NO_START: "red", Fate.FAILS: "red", Fate.DEGRADES: "yellow", Fate.INDIRECT: "yellow", Fate.UNTOUCHED: "green"}


def render(outage: Outage, format: str, style: Style) -> str:
    """The answer as "full", "json" or "mermaid"."""
    if format == "json":
        return dump(tables(outage))
    return "\n".join(_mermaid(outage) if format == "mermaid" else _lines(outage, style)) + "\n"


def tables(outage: Outage) -> dict[str, Any]:
    """The answer as plain data."""
    return {
        "version": VERSION,
        "asked": outage.name,
        "down": [{"name": w.name, "kind": w.kind, "path": w.path, "line": w.place.line} for w in outage.down],
        "backends": list(outage.backends),
        "workloads": [
            {
                "name": t.workload.name if t.workload else None,
                "path": t.workload.path if t.workload else None,
                "fate": str(t.fate),
                "hits": [_hit(h) for h in t.hits],
            }
            for t in outage.told
        ],
    }


def _hit(hit: Hit) -> dict[str, Any]:
    return {
        "fate": str(hit.fate),
        "message": hit.message,
        "confidence": hit.confidence.label,
        "because": [{"path": e.place.path, "line": e.place.line, "message": e.message} for e in hit.evidence],
    }


def _name(told: Told, all_told: tuple[Told, ...]) -> str:
    """The workload's name, with its file where several have it."""
    if told.workload is None:
        return "code that no manifest runs"
    same = sum(t.workload is not None and t.workload.name == told.workload.name for t in all_told)
    return visible(f"{told.workload.name} ({told.workload.path})" if same > 1 else told.workload.name)


def _lines(outage: Outage, style: Style) -> Iterator[str]:
    down = ", ".join(f"{visible(w.name)} ({visible(str(w.place))})" for w in outage.down) or f"{outage.name}, which no manifest here runs"
    yield style.paint(f"When {visible(outage.name)} is down", bold=True) + f": {down}"
    for fate in Fate:
        group = [t for t in outage.told if t.fate is fate]
        if not group:
            continue
        yield ""
        yield style.paint(f"{fate} ({len(group)})", _COLOURS[fate], bold=True)
        if fate is Fate.UNTOUCHED:
            yield "  " + ", ".join(_name(t, outage.told) for t in group)
            continue
        for t in group:
            yield f"  {style.paint(_name(t, outage.told), bold=True)}"
            yield from (f"    {line}" for line in _hits(t, style))


def _hits(told: Told, style: Style) -> Iterator[str]:
    for hit in told.hits[:MOST]:
        unsure = "" if hit.confidence.label == "high" else style.paint(f" ({hit.confidence.label} confidence)", "dim")
        yield visible(hit.message) + unsure
        yield from (f"  {visible(str(e.place))}  {visible(e.message)}" for e in hit.evidence)
    if len(told.hits) > MOST:
        yield f"and {plural(len(told.hits) - MOST, 'more place')}"


def _mermaid(outage: Outage) -> Iterator[str]:
    """What is down in the middle, an arrow to everybody that it hits, labelled with what happens."""
    yield "flowchart LR"
    yield f'  down[("{mermaid_text(outage.name)} is down")]:::down'
    hit = [t for t in outage.told if t.fate is not Fate.UNTOUCHED]
    for number, t in enumerate(hit, 1):
        kind = str(t.fate).replace(" ", "_")
        yield f'  w{number}["{mermaid_text(_name(t, outage.told))}"]:::{kind}'
        yield f'  down -->|"{mermaid_text(str(t.fate))}"| w{number}'
    yield "  classDef down fill:#555,color:#fff"
    yield "  classDef cannot_start fill:#f99"
    yield "  classDef fails fill:#f99"
    yield "  classDef degrades fill:#fe9"
    yield "  classDef hit_through_others fill:#fe9"
