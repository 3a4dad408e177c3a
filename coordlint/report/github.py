"""`--format github`: workflow commands that GitHub shows beside the lines of a pull request.

GitHub shows ten annotations of each kind per step; the step summary (markdown, written by the command line) has all.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint.finding import Finding, Severity
from coordlint.report.result import Report, coverage_sentence, summary_sentence
from coordlint.report.visible import visible
from coordlint.source import Place, Span

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report) -> str:
    """One workflow command a line, the worst findings first so that the cap hides the least."""
    worst_first = sorted(report.findings, key=lambda r: -r.finding.severity)
    lines = [_annotation(report, r.finding) for r in worst_first]
    return "\n".join([*lines, *_rest(report)]) + "\n"


def _annotation(report: Report, told: Finding) -> str:
    span = told.place.span
    fields = {"file": report.prefix + told.place.path, "line": str(span.line), "col": str(span.column)}
    if span.end_line in (0, span.line) and span.end_column > span.column:
        fields |= {"endLine": str(span.line), "endColumn": str(span.end_column)}
    fields["title"] = f"{told.code} {told.name}"
    lines = [told.message, *(f"{e.place}: {e.message}" for e in told.because)]
    if told.help:
        lines.append(f"Help: {told.help}")
    message = "%0A".join(_data(visible(line)) for line in lines)
    return (
        f"::{_COMMANDS[told.severity]} {','.join(f'{k}={_field(v)}' for k, v in fields.items())}::{message}"
    )


def _rest(report: Report) -> Iterator[str]:
    told = {r.finding.place for r in report.findings if r.finding.code == "CL001"}
    for skip in report.coverage.skipped:
        if Place(skip.path, Span(skip.line)) in told:
            continue
        fields = f"file={_field(report.prefix + skip.path)},line={skip.line},title=not analysed"
        yield f"::notice {fields}::{_data(visible(skip.reason))}"
    for entry in report.stale:
        yield f"::warning title=stale baseline entry::{_data(visible(f'{entry.code} in {entry.path} {entry.symbol}: {entry.fingerprint}'))}"
    for failure in report.failures:
        yield f"::error title=coordlint broke::{_data(visible(f'{failure.what}: {failure.message}'))}"
    for note in report.notes:
        yield f"::notice title=coordlint::{_data(visible(note))}"
    # a leading blank keeps plain text from being read as a command
    yield f" {_data(summary_sentence(report))}"
    yield f" {_data(coverage_sentence(report.coverage))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _field(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")
