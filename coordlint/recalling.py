"""Answers of earlier runs over almost the same files: what changed is looked at alone, and where the verdict stands it is told again.

Either the file system says which files changed, and only these are read; or all were read anyway (after a fresh clone, or where files came
or went) and are compared by their content.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from coordlint import sealed, verdicts
from coordlint.cache import Cache
from coordlint.grounds import Grounds, stand
from coordlint.kinds import is_chart_part, kind_of_name
from coordlint.reading import read
from coordlint.sealed import digest
from coordlint.source import Kind, Source
from coordlint.verdicts import Answer, Before, Question

if TYPE_CHECKING:
    from coordlint.project import Project

FOLDER, SOURCE, STRANGER, OTHER = "d", "s", "n", "x"  # what a watched path is; of no known kind: a stranger


class Contents(msgspec.Struct, frozen=True):
    """All that was read, in words: each source by its key in the cache of facts, and everything else in one."""

    rest: str
    sources: dict[str, tuple[Kind, str]]

    @property
    def word(self) -> str:
        """The whole in one word."""
        return digest([self.rest, *(f"{path}\0{kind}\0{key}" for path, (kind, key) in self.sources.items())])


class Record(msgspec.Struct, frozen=True):
    """What is kept beside an answer, for the time when something has changed."""

    word: str  # of the contents: the answer that it belongs to
    contents: Contents
    grounds: Grounds
    sorts: str  # of the watched paths, a letter each
    stamps: list[str]
    listings: dict[str, str]


def contents_of(project: Project, further: Iterable[Path]) -> Contents:
    """Sources, what was skipped or left out, and files named by the configuration."""
    found = project.discovery
    parts = [repr((str(project.root), project.config, sorted(found.left_out.items()), found.skips))]
    for place in further:
        try:
            parts.append(place.read_bytes().decode("latin-1"))
        except OSError:
            parts.append("")
    return Contents(digest(parts), {s.path: (s.kind, project.cache.key(s)) for s in found.sources})


def keep(asked: Question, project: Project, contents: Contents, made: Answer, further: Sequence[Path], grounds: Grounds) -> None:
    """Keeps an answer for the next run, and what it rests on; whatever stands in the way only costs speed."""
    cache, found = project.cache.folder, project.discovery
    if cache is None:
        return
    watched, stamps, newest = verdicts.seen(project.root, asked.start, [*found.watched, *map(str, further)])
    read_, strangers = {os.path.join(project.root, path) for path in contents.sources}, frozenset(found.strangers)  # noqa: PTH118
    deciding = frozenset(map(str, further))

    def sort(path: str, stamp: str) -> str:
        if path in deciding or os.path.basename(path) in verdicts.DECIDING:  # noqa: PTH119
            return OTHER
        return SOURCE if path in read_ else STRANGER if path in strangers else FOLDER if verdicts.is_folder(stamp) else OTHER

    sorts = [sort(path, stamp) for path, stamp in zip(watched, stamps, strict=True)]
    listings = {path: verdicts.listing(path) for path, one in zip(watched, sorts, strict=True) if one == FOLDER}
    told = {"root": str(project.root), "content": contents.word, "watched": watched, "texts": made.texts, "told": made.told, "code": made.code}
    _keep(cache, asked, told, Record(contents.word, contents, grounds, "".join(sorts), stamps, listings), newest)


def recall_changed(asked: Question, before: Before) -> Answer | None:
    """The answer, when the files that the file system says have changed leave it standing; only these are read."""
    record = _record(before.cache, asked, before.kept["content"])
    if record is None or len(record.stamps) != len(before.stamps):
        return None
    cache = Cache(before.cache)
    sources: list[Source] = []
    for path, sort, old, new in zip(before.kept["watched"], record.sorts, record.stamps, before.stamps, strict=True):
        if old == new or (sort == FOLDER and verdicts.listing(path) == record.listings[path] != ""):
            continue
        source = _same_kind(path, sort, before.kept["root"], record)
        if source is None:
            return None
        sources += source
    answer, contents = _standing(before.kept, record, sources, cache)
    if answer is not None:
        told = {**before.kept, "content": contents.word}
        again = msgspec.structs.replace(record, word=contents.word, contents=contents, stamps=before.stamps)
        _keep(before.cache, asked, told, again, before.newest)
    return answer


def recall_by_content(asked: Question, project: Project, contents: Contents, further: Sequence[Path]) -> Answer | None:
    """The answer, when what was read is what an earlier run read, or differs in nothing that it rests on."""
    kept = verdicts.kept_in(project.cache.folder, asked)
    record = _record(project.cache.folder, asked, kept["content"]) if kept else None
    if kept is None or record is None or contents.rest != record.contents.rest or list(contents.sources) != list(record.contents.sources):
        return None
    changed = {path for path, said in contents.sources.items() if said != record.contents.sources[path]}
    if any(contents.sources[path][0] != record.contents.sources[path][0] for path in changed):
        return None
    answer, _ = _standing(kept, record, [s for s in project.discovery.sources if s.path in changed], project.cache)
    if answer is not None:
        keep(asked, project, contents, answer, further, record.grounds)
    return answer


def _same_kind(path: str, sort: str, root: str, record: Record) -> list[Source] | None:
    """What a file says now, nothing when it is still of no known kind; None when its kind, or its being read, is another."""
    inside = path[len(root) :].lstrip(os.sep).replace(os.sep, "/")
    if sort not in (SOURCE, STRANGER) or (sort == STRANGER and is_chart_part(inside)):
        return None
    kind = record.contents.sources[inside][0] if sort == SOURCE else None
    try:
        found = read(inside, path, os.lstat(path).st_size, Kind.HELM if kind is Kind.HELM else kind_of_name(inside))
    except OSError:
        return None
    if sort == STRANGER:
        return [] if found is None else None
    return [found] if isinstance(found, Source) and found.kind is kind else None


def _standing(kept: dict[str, Any], record: Record, sources: Sequence[Source], cache: Cache) -> tuple[Answer | None, Contents]:
    """The answer where it stands, and the contents with the new sources in their places."""
    before = {path: key for path, (_, key) in record.contents.sources.items()}
    after = {**record.contents.sources, **{s.path: (s.kind, cache.key(s)) for s in sources}}
    other = [s for s in sources if after[s.path][1] != before[s.path]]
    stands = stand(record.grounds, before, other, cache)
    return verdicts.answer(kept) if stands else None, Contents(record.contents.rest, after)


def _keep(cache: Path, asked: Question, told: dict[str, Any], record: Record, newest: int) -> None:
    try:
        with contextlib.suppress(UnicodeEncodeError):  # folders with names that are no text
            sealed.write(_place(cache, asked), msgspec.json.encode(record))
        verdicts.keep(cache, asked, told, record.stamps, newest)
    except OSError:
        return


def _record(cache: Path | None, asked: Question, word: str) -> Record | None:
    data = None if cache is None else sealed.read(_place(cache, asked))
    try:
        record = None if data is None else msgspec.json.decode(data, type=Record)
    except msgspec.DecodeError:
        return None
    return record if record is not None and record.word == word else None


def _place(cache: Path, asked: Question) -> Path:
    return cache / asked.key[:2] / f"{asked.key[2:]}.grounds"
