"""Verdicts of the decision flowchart and the coordination tax, as plain data and as tables of the audit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from coordlint.coordination import Use
from coordlint.decision import Approach, Verdict
from coordlint.report.markdown import table
from coordlint.report.visible import code, markdown
from coordlint.tax import Tax


def verdict_table(verdict: Verdict) -> dict[str, Any]:
    """One verdict with its answers and their evidence."""
    return {
        "gap": verdict.gap,
        "recommended": _approach(verdict.recommended),
        "does": _approach(verdict.does),
        "advice": verdict.advice,
        "answers": [
            {
                "question": a.question,
                "answer": a.answer,
                "why": a.why,
                "because": [{"path": e.place.path, "line": e.place.line, "message": e.message} for e in a.evidence],
            }
            for a in verdict.answers
        ],
    }


def _approach(approach: Approach | None) -> dict[str, str] | None:
    if approach is None:
        return None
    return {
        "name": approach.name,
        "consistency": approach.consistency,
        "complexity": approach.complexity,
        "latency": approach.latency,
        "new_failure": approach.new_failure,
    }


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """A verdict for people, with the questions that led to it."""
    if verdict.answers:
        better = verdict.recommended.name if verdict.recommended is not None else "nothing yet"
        yield f"verdict: {verdict.gap}; the flowchart says {better}. {verdict.advice}"
        yield from (f"  {a.question} {a.answer}: {a.why}" for a in verdict.answers)


def verdicts_section(judged: list[tuple[Use, Verdict]]) -> Iterator[str]:
    """The uses whose cost and need are apart, or that could not be decided."""
    yield "## Verdicts"
    yield ""
    apart = [(u, v) for u, v in judged if v.answers and v.gap != "fits"]
    fits = sum(v.gap == "fits" for _, v in judged)
    yield f"{fits} uses are what the flowchart recommends (`coordlint explain decision`); {len(apart)} are not, or are not decided."
    if not apart:
        return
    yield ""
    yield from table(
        ("place", "use", "verdict", "recommended", "advice", "why"),
        (
            (
                code(str(u.place)),
                f"{u.role} on {u.backend}",
                v.gap,
                markdown(v.recommended.name) if v.recommended is not None else "",
                markdown(v.advice),
                markdown(f"{v.answers[-1].question} {v.answers[-1].answer}: {v.answers[-1].why}"),
            )
            for u, v in apart
        ),
    )


def tax_table(tax: Tax) -> dict[str, Any]:
    """What one kind of store costs."""
    return {
        "backend": tax.backend,
        "deployed": list(tax.deployed),
        "uses": tax.uses,
        "needed": tax.needed,
        "instead": dict(tax.instead),
        "stops": list(tax.stops),
        "degrades": list(tax.degrades),
        "unneeded": tax.is_unneeded,
    }


def tax_section(taxes: tuple[Tax, ...]) -> Iterator[str]:
    """Which coordinators are carried, for how many uses that need them, and what stops when each stops."""
    yield "## The coordination tax"
    yield ""
    if not taxes:
        yield "None: no coordinator and no store is used or deployed."
        return
    yield from table(
        ("store", "deployed as", "uses", "need agreement", "could be", "stops without it", "degrades without it"),
        (
            (
                t.backend,
                ", ".join(code(name) for name in t.deployed),
                str(t.uses),
                f"{t.needed}{' (nothing needs this quorum)' if t.is_unneeded else ''}",
                ", ".join(f"{markdown(name)} {count}" for name, count in t.instead),
                ", ".join(code(name) for name in t.stops),
                ", ".join(code(name) for name in t.degrades),
            )
            for t in taxes
        ),
    )
