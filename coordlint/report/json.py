"""`--format json`: version 1 of the fields that other programs read."""

from __future__ import annotations

import json
from typing import Any

from coordlint.finding import Edit, Evidence, Finding, Fix
from coordlint.report.result import Coverage, Hidden, Report
from coordlint.source import Place

VERSION = 1


def render(report: Report) -> str:
    """The whole report as one JSON document with a final newline; ASCII only, so that no encoding can break it."""
    return dump(
        {
            "version": VERSION,
            "tool": {"name": "coordlint", "version": report.version},
            "coverage": coverage(report.coverage),
            "findings": [{**finding(r.finding), "fingerprint": r.fingerprint} for r in report.findings],
            "suppressed": [_hidden(h) for h in report.suppressed],
            "stale": [
                {
                    "fingerprint": e.fingerprint,
                    "code": e.code,
                    "path": e.path,
                    "symbol": e.symbol,
                    "count": e.count,
                }
                for e in report.stale
            ],
            "failures": [{"what": f.what, "message": f.message} for f in report.failures],
            "notes": list(report.notes),
            "summary": {
                **report.counts,
                "total": len(report.findings),
                "suppressed": len(report.suppressed),
                "below_threshold": report.below,
                "stale": len(report.stale),
            },
        }
    )


def dump(value: object) -> str:
    """Two-space indented ASCII JSON."""
    return json.dumps(value, indent=2) + "\n"


def coverage(told: Coverage) -> dict[str, Any]:
    """Files seen, analysed and skipped with their reasons."""
    return {
        "seen": told.seen,
        "analysed": told.analysed,
        "skipped": [{"path": s.path, "line": s.line, "reason": s.reason} for s in told.skipped],
        "left_out": dict(told.left_out),
    }


def finding(told: Finding) -> dict[str, Any]:
    """One finding; `because` keeps its order, it reads as the rest of the sentence."""
    return {
        "code": told.code,
        "name": told.name,
        "severity": told.severity.label,
        "confidence": told.confidence.label,
        "message": told.message,
        **_place(told.place),
        "symbol": told.symbol,
        "resource": told.resource,
        "because": [_evidence(e) for e in told.because],
        "help": told.help,
        "fix": _fix(told.fix),
    }


def _hidden(hidden: Hidden) -> dict[str, Any]:
    by: dict[str, Any] = {"how": hidden.how, "reason": hidden.reason}
    if hidden.place is not None:
        by |= {"path": hidden.place.path, "line": hidden.place.line}
    return {**finding(hidden.finding), "fingerprint": hidden.fingerprint, "suppressed_by": by}


def _place(place: Place) -> dict[str, Any]:
    span = place.span
    end_line = span.end_line or span.line
    return {
        "path": place.path,
        "line": span.line,
        "column": span.column,
        "end_line": end_line,
        "end_column": span.end_column or span.column,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    where = _place(evidence.place)
    return {
        "path": where["path"],
        "line": where["line"],
        "column": where["column"],
        "message": evidence.message,
    }


def _fix(fix: Fix | None) -> dict[str, Any] | None:
    if fix is None:
        return None
    return {"description": fix.description, "safe": fix.safe, "edits": [_edit(e) for e in fix.edits]}


def _edit(edit: Edit) -> dict[str, Any]:
    return {**_place(edit.place), "replacement": edit.replacement}
