"""`--format sarif`: SARIF 2.1.0 as the OASIS schema has it and as GitHub's code scanning reads it.

URIs are relative to the repository's root; the primary region is small and on one line; evidence stands as related
locations that the message links to, and in its order as a code flow; skipped files are notifications of the run.
"""

from __future__ import annotations

from typing import Any

from coordlint.finding import Confidence, Finding, Fix, Severity
from coordlint.report.json import dump
from coordlint.report.result import Report, Reported, RuleInfo
from coordlint.report.visible import uri
from coordlint.source import Place

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
BASE = "%SRCROOT%"
FINGERPRINT = "coordlint/v1"

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEM = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
_RANKS = {Confidence.HIGH: 90.0, Confidence.MEDIUM: 60.0, Confidence.LOW: 30.0}


def render(report: Report) -> str:
    """The report as one SARIF log."""
    rules = _rules(report)
    index = {rule.code: number for number, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "coordlint",
                "version": report.version,
                "semanticVersion": report.version,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {BASE: {"description": {"text": "The root of the repository."}}},
        "invocations": [
            {
                "executionSuccessful": not report.failures,
                "toolExecutionNotifications": _notifications(report),
            }
        ],
        "results": [_result(report, reported, index) for reported in report.findings],
        "properties": {
            "coverage": {
                "seen": report.coverage.seen,
                "analysed": report.coverage.analysed,
                "skipped": len({s.path for s in report.coverage.skipped}),
                "leftOut": dict(report.coverage.left_out),
            },
            "suppressed": len(report.suppressed),
        },
    }
    return dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rules(report: Report) -> list[RuleInfo]:
    """Every rule of the run, and those of findings that it does not know (there are none in a whole run)."""
    known = {rule.code: rule for rule in report.rules}
    for reported in report.findings:
        told = reported.finding
        known.setdefault(told.code, RuleInfo(told.code, told.name, told.severity, told.name, ""))
    return [known[code] for code in sorted(known)]


def _rule(rule: RuleInfo) -> dict[str, Any]:
    text = rule.doc or rule.summary
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": _sentence(rule.summary)},
        "fullDescription": {"text": _sentence(rule.summary)},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["coordination", rule.name], "problem.severity": _PROBLEM[rule.severity]},
    }


def _result(report: Report, reported: Reported, index: dict[str, int]) -> dict[str, Any]:
    told = reported.finding
    result: dict[str, Any] = {
        "ruleId": told.code,
        "ruleIndex": index[told.code],
        "level": _LEVELS[told.severity],
        "rank": _RANKS[told.confidence],
        "message": {"text": _message(told)},
        "locations": [_location(report, told.place, symbol=told.symbol)],
        "partialFingerprints": {FINGERPRINT: reported.fingerprint},
        "properties": {"confidence": told.confidence.label, "resource": told.resource},
    }
    if told.because:
        result["relatedLocations"] = [
            {"id": number, **_location(report, e.place, message=e.message)}
            for number, e in enumerate(told.because, 1)
        ]
        steps = [(told.place, told.message), *((e.place, e.message) for e in told.because)]
        flow = [{"location": _location(report, place, message=text)} for place, text in steps]
        result["codeFlows"] = [{"threadFlows": [{"locations": flow}]}]
    if told.fix is not None and told.fix.edits:
        result["fixes"] = [_fix(report, told.fix)]
    return result


def _message(told: Finding) -> str:
    """The sentence, then each piece of evidence as a link to its related location, then the cure."""
    parts = [_plain(told.message)]
    parts += [
        f"- {_plain(e.message)} ([{_plain(str(e.place))}]({number}))"
        for number, e in enumerate(told.because, 1)
    ]
    if told.help:
        parts.append(_plain(told.help))
    return "\n".join(parts)


def _plain(text: str) -> str:
    """Brackets and backslashes would be links in a SARIF message."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _location(report: Report, place: Place, *, message: str = "", symbol: str = "") -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": uri(report.prefix + place.path), "uriBaseId": BASE},
            "region": _region(report, place),
        }
    }
    if message:
        location["message"] = {"text": _plain(message)}
    if symbol:
        location["logicalLocations"] = [{"fullyQualifiedName": symbol}]
    return location


def _region(report: Report, place: Place) -> dict[str, int]:
    """At most the first line of the place."""
    span = place.span
    region = {"startLine": max(span.line, 1), "startColumn": max(span.column, 1)}
    if span.end_line in (0, span.line):
        end = span.end_column
    else:
        lines = report.texts.get(place.path, "").split("\n")
        end = len(lines[span.line - 1].rstrip()) + 1 if span.line <= len(lines) else 0
    if end > region["startColumn"]:
        region |= {"endLine": region["startLine"], "endColumn": end}
    return region


def _fix(report: Report, fix: Fix) -> dict[str, Any]:
    """The edits by file; regions end before their end column."""
    changes = []
    for path in dict.fromkeys(edit.place.path for edit in fix.edits):
        spans = [(e.place.span, e.replacement) for e in fix.edits if e.place.path == path]
        replacements = [
            {
                "deletedRegion": {"startLine": s.line, "startColumn": s.column, "endLine": s.end_line, "endColumn": s.end_column},
                "insertedContent": {"text": text},
            }
            for s, text in spans
        ]
        changes.append({"artifactLocation": {"uri": uri(report.prefix + path), "uriBaseId": BASE}, "replacements": replacements})
    kind = "" if fix.safe else " (unsafe: it changes what the program does)"
    return {"description": {"text": _plain(fix.description + kind)}, "artifactChanges": changes}


def _notifications(report: Report) -> list[dict[str, Any]]:
    skipped = [
        {
            "level": "warning",
            "message": {"text": f"{s.path} was not analysed: {s.reason}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": uri(report.prefix + s.path), "uriBaseId": BASE},
                        "region": {"startLine": max(s.line, 1)},
                    }
                }
            ],
        }
        for s in report.coverage.skipped
    ]
    broken = [{"level": "error", "message": {"text": f"{f.what}: {f.message}"}} for f in report.failures]
    notes = [{"level": "note", "message": {"text": note}} for note in report.notes]
    return [*skipped, *broken, *notes]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
