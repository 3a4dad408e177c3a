"""What stands around a use, as plain data: the section that begins there, what happens inside, who reaches it."""

from __future__ import annotations

from typing import Any

from coordlint.coordination import Effect, Entry, Section, Time
from coordlint.source import Place
from coordlint.telling import effect_name, told


def place_table(place: Place) -> dict[str, Any]:
    """Path and line."""
    return {"path": place.path, "line": place.line}


def section_table(section: Section) -> dict[str, Any]:
    """A critical section without its effects."""
    return {
        "acquired": place_table(section.acquired),
        "how": section.how,
        "lifetime": _time(section.lock.lifetime),
        "wait": _time(section.wait),
        "releases": [{**place_table(r.place), "how": r.how, "on_error": r.on_error} for r in section.releases],
        "escapes": section.escapes,
        "skips_when_busy": section.skips_when_busy,
        "result_tested": section.tested,
        "shares_fate": section.shares_fate,
        "token": section.token_taken is not None,
        "purpose": {
            "kind": section.purpose.kind,
            "score": section.purpose.score,
            "declared": section.purpose.declared or None,
            "points": [
                {"points": p.points, "reason": p.reason, **(place_table(p.place) if p.place else {"path": None, "line": None})}
                for p in section.purpose.points
            ],
        },
    }


def _time(time: Time) -> dict[str, Any]:
    return {"kind": time.kind, "seconds": time.seconds, "told": told(time)}


def effect_table(effect: Effect) -> dict[str, Any]:
    """Something that happens inside, and the calls that lead to it."""
    operation = effect.operation
    return {
        "name": effect_name(operation),
        **place_table(effect.place),
        "kind": operation.kind or operation.backend or None,
        "late": str(operation.late),
        "condition": effect.conditional or operation.conditional or None,
        "token": effect.token or operation.token,
        "through": [place_table(p) for p in effect.chain],
    }


def entry_table(entry: Entry) -> dict[str, Any]:
    """An entry point."""
    return {"kind": entry.kind, "symbol": entry.symbol, **place_table(entry.place), "route": entry.route or None, "because": entry.reason}
