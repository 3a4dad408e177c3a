"""Comments that speak to coordlint: `# coordlint: ignore[CL101] reason`, `performance-lock`, `correctness-lock`.

Exact for Python (the tokenizer) and YAML (the scanner): text inside strings and block scalars is never a comment. Files
without the word `coordlint:` cost one search.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

from coordlint.facts import Intent, Suppression
from coordlint.source import Kind, Place, Source, Span

INTENTS = ("performance-lock", "correctness-lock")
MAX_FLOW_OPENERS = 5_000  # the C scanner of YAML recurses; far more openers than any real manifest has

_DIRECTIVE = re.compile(r"#\s*coordlint:\s*(?P<said>.*)$")
_IGNORE = re.compile(r"ignore\s*\[(?P<codes>[^\]]*)\](?P<reason>.*)$")
_HEREDOC = re.compile(r"<<-?\s*([\"']?)(\w+)\1")


class _Comment:
    """A comment that speaks to us: where it stands, whether it has its line to itself, and what it says."""

    __slots__ = ("alone", "column", "line", "said", "width")

    def __init__(self, line: int, column: int, text: str, *, alone: bool) -> None:
        found = _DIRECTIVE.search(text)
        self.said = found["said"].strip() if found else ""
        self.line = line
        self.column = column + (found.start() if found else 0)
        self.width = len(text) - (found.start() if found else 0)
        self.alone = alone


def read_comments(source: Source, *, python2: bool = False) -> tuple[tuple[Suppression, ...], tuple[Intent, ...]]:
    """The suppressions (malformed ones with their problem) and declared intents in a file's comments."""
    if "coordlint:" not in source.text:
        return (), ()
    lines = source.text.split("\n")
    suppressions: list[Suppression] = []
    intents: list[Intent] = []
    for comment in _line_comments(lines) if python2 else _comments(source, lines):
        last = _line_below(lines, comment.line) if comment.alone else comment.line
        place = Place(
            source.path, Span(comment.line, comment.column, comment.line, comment.column + comment.width)
        )
        word = comment.said.split(None, 1)[0] if comment.said else ""
        if word.rstrip(":,.") in INTENTS:
            # an intent speaks about the line below it: that is where the lock is taken
            at = place if not comment.alone else Place(source.path, Span(last))
            intents.append(Intent(at, word.rstrip(":,.")))
        else:
            suppressions.append(read_suppression(comment.said, place, comment.line, last))
    return tuple(suppressions), tuple(intents)


def read_suppression(said: str, place: Place, first_line: int, last_line: int) -> Suppression:
    """What `ignore[CODES] reason` means; anything else comes back with its problem and silences nothing."""
    found = _IGNORE.match(said)
    if found is None:
        return Suppression(place, (), "", first_line, last_line, _problem(said))
    codes = tuple(code for part in found["codes"].split(",") if (code := part.strip()))
    reason = found["reason"].strip().lstrip(":-–—").strip()
    problem = "" if codes else "names no rule: write ignore[CODE] reason"
    return Suppression(place, codes, reason, first_line, last_line, problem)


def _problem(said: str) -> str:
    word = re.split(r"[\s\[=(:]", said, maxsplit=1)[0]
    if word == "ignore":
        return "bracket is not closed" if "[" in said else "names no rule: write ignore[CODE] reason"
    from difflib import get_close_matches

    near = get_close_matches(word, ["ignore", *INTENTS], n=1, cutoff=0.6)
    shown = word[:40]
    return f"says {shown!r}, which is no word of coordlint's" + (
        f"; did you mean {near[0]!r}?" if near else ""
    )


def _comments(source: Source, lines: list[str]) -> Iterator[_Comment]:
    match source.kind:
        case Kind.PYTHON:
            return _python_comments(source.text)
        case Kind.COMPOSE | Kind.KUBERNETES:
            return _yaml_comments(source.text, lines)
        case Kind.DOCKERFILE:
            return _dockerfile_comments(lines)
        case _:
            return _line_comments(lines)


def _python_comments(text: str) -> Iterator[_Comment]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and _DIRECTIVE.search(token.string):
                row, column = token.start
                alone = not token.line[:column].strip()
                yield _Comment(row, column + 1, token.string, alone=alone)
    except (tokenize.TokenError, SyntaxError):
        return  # the file does not parse either; its skip is told by the extractor


def _yaml_comments(text: str, lines: list[str]) -> Iterator[_Comment]:
    """Candidates by line, minus those that stand inside a scalar."""
    candidates = list(_line_comments(lines, quotes=False))
    if not candidates:
        return
    scalars = _yaml_scalars(text)
    for comment in candidates:
        at = (comment.line, comment.column)
        if not any(start <= at < end for start, end in scalars):
            yield comment


def _yaml_scalars(text: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Start and end (line, column, from 1) of every scalar, as far as the scanner gets."""
    if text.count("[") + text.count("{") > MAX_FLOW_OPENERS:
        return []
    import yaml  # Python's comments need none

    from coordlint.extract.yaml_nodes import with_lines_of_editors

    spans = []
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for token in yaml.scan(with_lines_of_editors(text), Loader=loader):
            if isinstance(token, yaml.ScalarToken):
                start, end = token.start_mark, token.end_mark
                spans.append(((start.line + 1, start.column + 1), (end.line + 1, end.column + 1)))
    except yaml.YAMLError:
        pass
    return spans


def _dockerfile_comments(lines: list[str]) -> Iterator[_Comment]:
    """Whole lines only: Dockerfiles have no trailing comments; here-documents have none at all."""
    ends: list[str] = []
    for number, line in enumerate(lines, 1):
        if ends:
            if line.strip() == ends[0]:
                ends.pop(0)
            continue
        stripped = line.lstrip()
        if not stripped.startswith("#"):
            ends = (
                [word for _, word in _HEREDOC.findall(line)]
                if re.match(r"(?i)\s*(RUN|COPY|ADD)\b", line)
                else []
            )
        elif _DIRECTIVE.match(stripped):
            yield _Comment(number, len(line) - len(stripped) + 1, stripped, alone=True)


def _line_comments(lines: list[str], *, quotes: bool = True) -> Iterator[_Comment]:
    """`#` at the start of a line or after a blank; with `quotes`, not after an odd number of quotation marks."""
    for number, line in enumerate(lines, 1):
        if "coordlint:" not in line:
            continue
        for found in _DIRECTIVE.finditer(line):
            before = line[: found.start()]
            if before and not before[-1].isspace():
                continue
            if quotes and (before.count('"') % 2 or before.count("'") % 2):
                continue
            yield _Comment(number, found.start() + 1, line[found.start() :], alone=not before.strip())
            break


def _line_below(lines: list[str], number: int) -> int:
    """The first line under a comment line that is no comment line itself."""
    below = number + 1
    while below <= len(lines) and lines[below - 1].lstrip().startswith("#"):
        below += 1
    return min(below, max(len(lines), number))
