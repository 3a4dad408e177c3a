"""`--format full` and `concise`: for people.

A finding in full is one sentence over several places: the message, the line it is about, then each piece of evidence
with its own line and the words that join it on, then what to do.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint.finding import Finding, Severity
from coordlint.report.result import Report, Reported, coverage_sentence, plural, summary_sentence
from coordlint.report.style import Style
from coordlint.report.visible import visible, width
from coordlint.source import Place, Span

MAX_SNIPPET = 160
TAB = "    "

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def render_full(report: Report, style: Style) -> str:
    """Every finding with its places, then what was not looked at, then the totals."""
    blocks = ["\n".join(_finding(report, r, style)) for r in report.findings]
    return "\n\n".join([*blocks, "\n".join(_tail(report, style))]) + "\n"


def render_concise(report: Report, style: Style) -> str:
    """One line for each finding, then what was not looked at, then the totals."""
    lines = []
    for reported in report.findings:
        told = reported.finding
        place = f"{visible(told.place.path)}:{told.place.span.line}:{told.place.span.column}"
        head = style.paint(f"{told.code}", _COLOURS[told.severity], bold=True)
        also = ", ".join(dict.fromkeys(visible(str(e.place)) for e in told.because))
        lines.append(
            f"{style.paint(place, bold=True)}: {told.severity.label} {head} {visible(told.message)}"
            + (style.paint(f" [{told.name}; see {also}]" if also else f" [{told.name}]", "dim"))
        )
    return "\n".join([*lines, *_tail(report, style)]) + "\n"


def _finding(report: Report, reported: Reported, style: Style) -> Iterator[str]:
    told = reported.finding
    colour = _COLOURS[told.severity]
    gutter = max(len(str(place.line)) for place in (told.place, *(e.place for e in told.because)))
    yield (
        style.paint(f"{told.severity.label}[{told.code}] {told.name}", colour, bold=True)
        + ": "
        + style.paint(visible(told.message), bold=True)
    )
    after = f"  in {visible(told.symbol)}" if told.symbol else ""
    yield from _head(told.place, gutter, style, after)
    yield from _line(report, told.place, gutter, style)
    yield from _marks(report, told.place, gutter, style, colour, "")
    above = told.place
    for evidence in told.because:
        if (above.path, above.line) != (evidence.place.path, evidence.place.line):
            yield from _head(evidence.place, gutter, style, "")
            yield from _line(report, evidence.place, gutter, style)
        yield from _marks(report, evidence.place, gutter, style, "blue", visible(evidence.message))
        above = evidence.place
    bar = " " * gutter + " " + style.paint(style.marks.end, "blue")
    if told.help:
        yield f"{bar} {style.paint('help:', 'green', bold=True)} {visible(told.help)}"
    yield f"{bar} {style.paint(_footer(told), 'dim')}"


def _footer(told: Finding) -> str:
    sure = "" if told.confidence.label == "high" else f"{told.confidence.label} confidence; "
    fix = "" if told.fix is None else f"try coordlint fix --diff{'' if told.fix.safe else ' --unsafe'}; "
    return f"{sure}{fix}more: coordlint explain {told.code}"


def _head(place: Place, gutter: int, style: Style, after: str) -> Iterator[str]:
    where = f"{visible(place.path)}:{place.span.line}:{place.span.column}"
    yield (
        " " * gutter
        + style.paint(style.marks.arrow, "blue")
        + " "
        + style.paint(where, bold=True)
        + style.paint(after, "dim")
    )


def _line(report: Report, place: Place, gutter: int, style: Style) -> Iterator[str]:
    snippet = _snippet(report.texts.get(place.path, ""), place)
    if snippet is not None:
        yield style.paint(f"{place.span.line:>{gutter}} {style.marks.side}", "blue") + " " + snippet[0]


def _marks(report: Report, place: Place, gutter: int, style: Style, colour: str, label: str) -> Iterator[str]:
    """Marks under the span with the label beside them; the label alone where there is no text to mark."""
    side = " " * gutter + " " + style.paint(style.marks.side, "blue")
    said = style.paint(label, colour)
    snippet = _snippet(report.texts.get(place.path, ""), place)
    if snippet is None:
        if label:
            yield f"{side} {said}"
        return
    _, start, length = snippet
    yield f"{side} {' ' * start}{style.paint(style.marks.under * length, colour, bold=True)}" + (
        f" {said}" if label else ""
    )


def _snippet(text: str, place: Place) -> tuple[str, int, int] | None:
    """The first line of a place as shown, where its marks start and how many there are; None when there is no text."""
    lines = text.split("\n")
    span = place.span
    if not text or span.line > len(lines):
        return None
    line = lines[span.line - 1].rstrip()
    if not line.strip():
        return None
    begin = min(max(span.column - 1, len(line) - len(line.lstrip())), len(line))
    end = (
        span.end_column - 1
        if span.end_line in (0, span.line) and span.end_column > span.column
        else len(line)
    )
    shown = [_shown(part) for part in (line[:begin], line[begin:end], line[end:])]
    indent = len(shown[0]) - len(shown[0].lstrip(" ")) if shown[0].strip() else len(shown[0])
    shown[0] = shown[0][indent:]
    code = "".join(shown)
    start, length = width(shown[0]), max(width(shown[1]), 1)
    if len(code) > MAX_SNIPPET:
        code = code[:MAX_SNIPPET] + "..."
        start, length = min(start, MAX_SNIPPET), min(length, max(MAX_SNIPPET - start, 1))
    return code, start, length


def _shown(part: str) -> str:
    return visible(part.replace("\t", TAB))


def _tail(report: Report, style: Style) -> Iterator[str]:
    told = {r.finding.place for r in report.findings if r.finding.code == "CL001"}
    for skip in report.coverage.skipped:
        if Place(skip.path, Span(skip.line)) in told:
            continue
        yield f"{style.paint('skipped', 'yellow')} {visible(skip.path)}:{skip.line}: {visible(skip.reason)}"
    for entry in report.stale:
        yield (
            f"{style.paint('stale', 'yellow')} baseline entry {entry.fingerprint} ({entry.code} in {visible(entry.path)}, "
            f"{visible(entry.symbol)}) matches nothing any more ({plural(entry.count, 'time')})"
        )
    for failure in report.failures:
        yield f"{style.paint('broken', 'red', bold=True)} {visible(failure.what)}: {visible(failure.message)}"
    for note in report.notes:
        yield f"{style.paint('note', 'cyan')} {visible(note)}"
    yield style.paint(summary_sentence(report), bold=True)
    yield style.paint(coverage_sentence(report.coverage), "dim")
