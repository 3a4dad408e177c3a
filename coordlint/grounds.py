"""What a verdict rests on, file by file, and whether it stands when files have other texts.

Most files do not coordinate. They enter into a verdict in few ways: the choice of files asked each text whether it can matter
(`selection`), the deployment asked some for their words, and their paths are names that imports and commands may lead to. A chosen file
enters by its facts, by the names that it imports, by what it says to the choice, and by those lines that a report shows of it. When all
of that is as it was, the verdict is, to the byte. Whatever else changes lets nothing stand: then everything is linked and judged again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from coordlint.cache import Cache, encode
from coordlint.leads import imported_names
from coordlint.reading import is_risky
from coordlint.sealed import digest
from coordlint.selection import Choice, stays
from coordlint.source import Kind, Source

if TYPE_CHECKING:
    from coordlint.facts import Facts
    from coordlint.project import Project
    from coordlint.report.result import Report


class Grounds(msgspec.Struct, frozen=True):
    """What would have to change for another verdict; of Python files that were not chosen, only that they are none of the rest."""

    choice: Choice | None  # None where all Python files were read
    imports: dict[str, str]  # Python files that were read, and the names that each imports, in one word
    heard: frozenset[str]  # files that were not read, and looked into after all: for the words that the deployment asks for
    shown: dict[str, tuple[tuple[int, ...], str]]  # files that findings point into: which lines, and their text in one word


def grounds(project: Project, choice: Choice | None, imports: Mapping[str, Collection[str]], heard: frozenset[str], report: Report) -> Grounds:
    """The grounds of a report on a project."""
    lines: dict[str, set[int]] = {}
    for told in report.findings:
        for place in (told.finding.place, *(e.place for e in told.finding.because)):
            lines.setdefault(place.path, set()).add(place.line)
    texts = {s.path: s.text for s in project.discovery.sources if s.path in lines}
    shown = {path: (tuple(sorted(wanted)), _lines(texts[path], wanted)) for path, wanted in lines.items() if path in texts}
    return Grounds(choice, {path: digest(sorted(names)) for path, names in imports.items()}, heard, shown)


def stand(known: Grounds, before: Mapping[str, str], after: Iterable[Source], cache: Cache) -> bool:
    """Whether the verdict is the same when these sources take the place of those of their paths.

    `before` are the keys of all sources in the cache of facts; the facts of files that were read lie there.
    """
    changed = list(after)
    python = [s for s in changed if s.kind is Kind.PYTHON]
    if any(s.path in known.heard for s in changed) or not (known.choice is None or stays(known.choice, python)):
        return False
    return all(_says_the_same(known, before[s.path], s, cache) for s in changed if s.kind is not Kind.PYTHON or s.path in known.imports)


def _says_the_same(known: Grounds, key: str, source: Source, cache: Cache) -> bool:
    """Whether a file that was read says what it said, and looks the same where a report shows it."""
    path = source.path
    if path in known.imports and known.imports[path] != digest(sorted(imported_names(source.text))):
        return False
    if path in known.shown and known.shown[path][1] != _lines(source.text, known.shown[path][0]):
        return False
    data = cache.data(key)
    try:
        same = data is not None and encode(_facts(source, cache)) == data
    except Exception:  # then it is told with the whole run
        return False
    if same and data is not None:
        cache.put(cache.key(source), data)  # that is what the next change of this file is compared with
    return same


def _facts(source: Source, cache: Cache) -> Facts:
    """What a file says; one that could take long or much is read where it can be killed."""
    if is_risky(source):
        from coordlint.extraction import Extractor

        return Extractor(cache, 1)([source])[0]
    from coordlint.extract import extract

    return extract(source)


def _lines(text: str, numbers: Iterable[int]) -> str:
    lines = text.split("\n")
    return digest(lines[number - 1] if 0 < number <= len(lines) else "" for number in sorted(numbers))
