"""Wishes to silence rules, applied after the rules ran: what they silenced, what they did not, what they got wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import msgspec

from coordlint.facts import Suppression
from coordlint.finding import Finding
from coordlint.source import Place


class Silenced(msgspec.Struct, frozen=True):
    """A finding that a suppression silenced."""

    finding: Finding
    by: Suppression


class Outcome(msgspec.Struct, frozen=True):
    """What suppressions did in one run. `unused` and `malformed` carry the words that the report says."""

    kept: tuple[Finding, ...]
    silenced: tuple[Silenced, ...]
    unused: tuple[tuple[Suppression, str], ...]
    malformed: tuple[tuple[Suppression, str], ...]


def suppress(
    findings: Sequence[Finding],
    suppressions: Iterable[Suppression],
    names: Mapping[str, str],
    ran: Iterable[str],
    *,
    require_reason: bool = False,
) -> Outcome:
    """Splits findings into kept and silenced.

    `names` maps every known rule's code to its name, `ran` holds the codes of this run: a suppression of a rule that
    did not run is neither used nor unused.
    """
    wishes = sorted(set(suppressions), key=lambda s: (s.place, s.codes))
    malformed = tuple((s, why) for s in wishes if (why := _problem(s, names, require_reason)))
    broken = {s for s, _ in malformed}
    by_path: dict[str, list[tuple[Suppression, frozenset[str]]]] = {}
    for wish in wishes:
        if wish not in broken:
            by_path.setdefault(wish.place.path, []).append((wish, codes_of(wish, names)))
    kept, silenced = [], []
    used: set[tuple[Suppression, str]] = set()
    for finding in findings:
        hit = _first_hit(finding, by_path)
        if hit is None:
            kept.append(finding)
        else:
            silenced.append(Silenced(finding, hit))
            used.update((wish, finding.code) for wish in _all_hits(finding, by_path))
    active = set(ran)
    unused = tuple(
        (wish, f"{code} ({names[code]})")
        for path in sorted(by_path)
        for wish, codes in by_path[path]
        for code in sorted(codes & active)
        if (wish, code) not in used
    )
    return Outcome(tuple(kept), tuple(silenced), unused, malformed)


def codes_of(wish: Suppression, names: Mapping[str, str]) -> frozenset[str]:
    """The codes that a suppression names, whether it wrote codes or names; unknown words are left out."""
    by_name = {name: code for code, name in names.items()}
    found = (word if word in names else by_name.get(word.lower(), word.upper()) for word in wish.codes)
    return frozenset(code for code in found if code in names)


def _problem(wish: Suppression, names: Mapping[str, str], require_reason: bool) -> str:
    if wish.problem:
        return wish.problem
    known = {*names, *names.values()}
    for word in wish.codes:
        if word not in known and word.upper() not in names and word.lower() not in known:
            near = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
            return f"names an unknown rule {word[:60]!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if require_reason and not wish.reason:
        return "gives no reason, which the configuration asks for"
    return ""


def _all_hits(
    finding: Finding, by_path: Mapping[str, list[tuple[Suppression, frozenset[str]]]]
) -> Iterable[Suppression]:
    """Every suppression that covers a line of a place of the finding's evidence."""
    for place in (finding.place, *(e.place for e in finding.because)):
        for wish, codes in by_path.get(place.path, ()):
            if finding.code in codes and _covers(wish, place):
                yield wish


def _first_hit(
    finding: Finding, by_path: Mapping[str, list[tuple[Suppression, frozenset[str]]]]
) -> Suppression | None:
    return next(iter(_all_hits(finding, by_path)), None)


def _covers(wish: Suppression, place: Place) -> bool:
    last = max(place.span.line, place.span.end_line)
    return wish.first_line <= last and place.span.line <= wish.last_line
