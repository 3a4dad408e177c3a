"""Edits of a text: made from what it was and is to be, joined where they leave each other alone, and applied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, unified_diff

from coordlint.finding import Edit
from coordlint.source import Place, Span


def between(path: str, old: str, new: str) -> tuple[Edit, ...]:
    """The edits, in whole lines, that make the new text of the old one."""
    before, after = _lines(old), _lines(new)
    first = 0
    while first < min(len(before), len(after)) and before[first] == after[first]:
        first += 1
    last = 0
    while last < min(len(before), len(after)) - first and before[-1 - last] == after[-1 - last]:
        last += 1
    middle, made = before[first : len(before) - last], after[first : len(after) - last]
    steps = SequenceMatcher(None, middle, made, autojunk=False).get_opcodes()
    return tuple(
        Edit(Place(path, Span(first + i1 + 1, 1, first + i2 + 1, 1)), "".join(made[j1:j2]))
        for tag, i1, i2, j1, j2 in steps
        if tag != "equal"
    )


def _lines(text: str) -> list[str]:
    """Lines ended by newlines alone: what else Python takes for a line end stays inside."""
    parts = text.split("\n")
    return [line + "\n" for line in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def disjoint(fixes: Iterable[Sequence[Edit]]) -> list[bool]:
    """For each fix whether it can be applied together with those before it that can."""
    taken: dict[str, list[tuple[tuple[int, int], tuple[int, int]]]] = {}
    told = []
    for edits in fixes:
        ranges = [(e.place.path, _range(e)) for e in edits]
        free = all(_apart(one, other) for path, one in ranges for other in taken.get(path, ()))
        told.append(free)
        if free:
            for path, one in ranges:
                taken.setdefault(path, []).append(one)
    return told


def _range(edit: Edit) -> tuple[tuple[int, int], tuple[int, int]]:
    span = edit.place.span
    return (span.line, span.column), (span.end_line, span.end_column)


def _apart(one: tuple[tuple[int, int], tuple[int, int]], other: tuple[tuple[int, int], tuple[int, int]]) -> bool:
    """Not even touching: two insertions at one place have no order."""
    return one[1] < other[0] or other[1] < one[0]


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text after edits that do not overlap; equal edits count once."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    for edit in sorted(set(edits), key=_range, reverse=True):
        span = edit.place.span
        first, last = starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
        text = text[: min(first, len(text))] + edit.replacement + text[min(last, len(text)) :]
    return text


def diff(path: str, old: str, new: str) -> str:
    """A unified diff as `patch` and `git apply` read it."""
    out = []
    for line in unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}"):
        out.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(out)
