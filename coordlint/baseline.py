"""The baseline: known findings that do not fail a run. Sorted, counted, one entry a line; no line numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from coordlint.finding import Finding
from coordlint.fingerprint import identity

VERSION = 1


class Entry(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """`count` findings of one identity; the fields beside the fingerprint are for the reader of a diff."""

    path: str
    code: str
    symbol: str
    resource: str
    fingerprint: str
    count: int = 1


class Baseline(msgspec.Struct, frozen=True):
    """All entries, sorted."""

    entries: tuple[Entry, ...] = ()


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    findings: tuple[Entry, ...]


class BrokenBaseline(Exception):
    """The file is no baseline: why."""


class Match(msgspec.Struct, frozen=True):
    """New findings, known ones, and entries (with the surplus count) that nothing matches any more."""

    new: tuple[Finding, ...]
    known: tuple[Finding, ...]
    stale: tuple[Entry, ...]


def make(findings: Iterable[Finding]) -> Baseline:
    """A baseline of these findings."""
    by_identity: dict[str, list[Finding]] = {}
    for finding in findings:
        by_identity.setdefault(identity(finding), []).append(finding)
    entries = (
        Entry(first.place.path, first.code, first.symbol, first.resource, mark, len(same))
        for mark, same in by_identity.items()
        for first in same[:1]
    )
    return Baseline(tuple(sorted(entries)))


def match(baseline: Baseline, findings: Sequence[Finding]) -> Match:
    """Splits findings into known and new: of each identity the first `count`, in the order given, are known."""
    left = Counter({entry.fingerprint: entry.count for entry in baseline.entries})
    new, known = [], []
    for finding in findings:
        mark = identity(finding)
        if left[mark] > 0:
            left[mark] -= 1
            known.append(finding)
        else:
            new.append(finding)
    stale = tuple(
        msgspec.structs.replace(entry, count=left[entry.fingerprint])
        for entry in baseline.entries
        if left[entry.fingerprint] > 0
    )
    return Match(tuple(new), tuple(known), stale)


def prune(baseline: Baseline, stale: Iterable[Entry]) -> Baseline:
    """The baseline without what is stale."""
    surplus = {entry.fingerprint: entry.count for entry in stale}
    kept = (
        msgspec.structs.replace(entry, count=entry.count - surplus.get(entry.fingerprint, 0))
        for entry in baseline.entries
    )
    return Baseline(tuple(entry for entry in kept if entry.count > 0))


def read(path: Path) -> Baseline:
    """Raises BrokenBaseline when the file is missing or is not one of ours."""
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise BrokenBaseline(f"{path.name}: cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BrokenBaseline(f"{path.name}: is no baseline: {error}") from None
    if file.version != VERSION:
        raise BrokenBaseline(
            f"{path.name}: version {file.version} is not known to this coordlint (it writes {VERSION})"
        )
    marks = Counter(entry.fingerprint for entry in file.findings)
    if twice := [mark for mark, count in marks.items() if count > 1]:
        raise BrokenBaseline(f"{path.name}: {twice[0]} stands there twice")
    return Baseline(tuple(sorted(file.findings)))


def dump(baseline: Baseline) -> str:
    """The text of the file: one entry a line, so that merges conflict only where findings do."""
    lines = [msgspec.json.encode(entry).decode() for entry in baseline.entries]
    body = "\n" + ",\n".join(lines) + "\n" if lines else ""
    return f'{{"version": {VERSION}, "findings": [{body}]}}\n'
