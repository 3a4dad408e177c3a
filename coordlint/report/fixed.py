"""What `coordlint fix` did, or would do: lines for people, and a diff for `git apply`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from coordlint.finding import Finding, Fix
from coordlint.fix.edits import diff as unified
from coordlint.report.result import Report, plural
from coordlint.report.style import Style
from coordlint.report.visible import visible
from coordlint.source import Source


class Fixed(msgspec.Struct, frozen=True):
    """A finding that is cured, as it stood before its round."""

    finding: Finding
    fix: Fix


class Refused(msgspec.Struct, frozen=True):
    """A finding of a rule with a mechanical cure that is not applied, and why."""

    finding: Finding
    reason: str


class Change(msgspec.Struct, frozen=True):
    """A file's bytes before and after."""

    source: Source
    old: bytes
    new: bytes


class Outcome(msgspec.Struct, frozen=True):
    """What was decided. `unsafe` are the findings whose fix waits for `--unsafe`."""

    root: Path
    changes: tuple[Change, ...]
    fixed: tuple[Fixed, ...]
    refused: tuple[Refused, ...]
    unsafe: tuple[Finding, ...]
    report: Report  # as it was before
    revealed: tuple[Finding, ...] = ()  # what is seen only now, at its place afterwards


def diff(changes: Iterable[Change], style: Style, *, terminal: bool) -> bytes:
    """The diff, byte for byte as `git apply` needs it; on a terminal what it could obey is made visible."""
    made = "".join(
        unified(change.source.path.encode("utf-8", "surrogateescape").decode("latin-1"), change.old.decode("latin-1"), change.new.decode("latin-1"))
        for change in changes
    )
    data = made.encode("latin-1")
    if not terminal:
        return data
    shown = (_coloured(line, style) for line in data.decode("utf-8", "replace").split("\n"))
    return "\n".join(shown).encode("utf-8", "backslashreplace")


def _coloured(line: str, style: Style) -> str:
    text = visible(line.rstrip("\r")).replace("\\t", "    ")
    if line.startswith(("+++", "---")):
        return style.paint(text, bold=True)
    return style.paint(text, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], ""))


def lines(outcome: Outcome, *, is_diff: bool) -> Iterator[str]:
    """One line for each fix, and for each that was refused."""
    word = "would fix" if is_diff else "fixed"
    for fixed in outcome.fixed:
        kind = "" if fixed.fix.safe else " (unsafe)"
        yield f"{word} {_named(fixed.finding)}: {fixed.fix.description}{kind}"
    for found in outcome.revealed:
        yield f"seen now {_named(found)}: {visible(found.message)}"
    for refused in outcome.refused:
        yield f"not fixed {_named(refused.finding)}: {visible(refused.reason)}"


def summary(outcome: Outcome, *, is_diff: bool) -> str:
    """The totals, and what further options would do."""
    said = f"{plural(len(outcome.fixed), 'finding')} {'would be ' if is_diff else ''}fixed in {plural(len(outcome.changes), 'file')}"
    if outcome.refused:
        said += f", {len(outcome.refused)} not fixed"
    if outcome.unsafe:
        said += f"; {len(outcome.unsafe)} more with --unsafe"
    return said


def _named(finding: Finding) -> str:
    return f"{visible(str(finding.place))} {finding.code} {finding.name}"
