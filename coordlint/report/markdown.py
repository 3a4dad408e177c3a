"""`--format markdown`: the findings for a step summary or an issue, and the building blocks of the audit report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from coordlint.finding import Finding
from coordlint.report.result import Report, Reported, coverage_sentence, summary_sentence
from coordlint.report.visible import code, markdown


def render(report: Report) -> str:
    """The whole report as a markdown document."""
    return "\n".join(["# coordlint", "", *findings(report), "", *coverage(report)]) + "\n"


def findings(report: Report, level: int = 2) -> Iterator[str]:
    """The findings, one section each, the worst first."""
    yield f"{'#' * level} Findings"
    yield ""
    yield markdown(summary_sentence(report)) + "."
    for reported in sorted(report.findings, key=lambda r: -r.finding.severity):
        yield ""
        yield from _finding(reported, level + 1)


def coverage(report: Report, level: int = 2) -> Iterator[str]:
    """What was looked at, what was not, and what broke."""
    yield f"{'#' * level} Coverage"
    yield ""
    yield markdown(coverage_sentence(report.coverage)) + "."
    if report.coverage.skipped:
        yield ""
        yield from table(
            ("skipped", "reason"),
            ((code(f"{s.path}:{s.line}"), markdown(s.reason)) for s in report.coverage.skipped),
        )
    for entry in report.stale:
        yield f"- stale baseline entry {code(entry.fingerprint)}: {entry.code} in {code(entry.path)}"
    for failure in report.failures:
        yield f"- broken: {markdown(failure.what)}: {markdown(failure.message)}"
    for note in report.notes:
        yield f"- {markdown(note)}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; cells are markdown already."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') if cell.startswith('`') else cell for cell in row)} |"


def _finding(reported: Reported, level: int) -> Iterator[str]:
    told: Finding = reported.finding
    yield f"{'#' * level} {told.severity.label} {told.code} {told.name}"
    yield ""
    yield (
        f"{code(str(told.place))}"
        + (f" in {code(told.symbol)}" if told.symbol else "")
        + f": {markdown(told.message)}"
    )
    if told.because:
        yield ""
        yield from (f"- {code(str(e.place))}: {markdown(e.message)}" for e in told.because)
    if told.help:
        yield ""
        yield f"**Instead:** {markdown(told.help)}"
    yield ""
    yield f"Confidence {told.confidence.label}, fingerprint {code(reported.fingerprint)}."
