"""Declared intents, checked against the code: a comment that the evidence contradicts, or that stands at no lock, is told as a note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint.coordination import Section
from coordlint.facts import Intent
from coordlint.system import System
from coordlint.telling import lock_name


def checked(system: System, intents: Iterable[Intent]) -> Iterator[str]:
    """One sentence for each intent that the code does not bear out."""
    sections: dict[tuple[str, int], list[Section]] = {}
    for section in system.critical_sections(tests=True):
        sections.setdefault((section.acquired.path, section.acquired.line), []).append(section)
    for intent in sorted(intents, key=lambda i: (i.place, i.intent)):
        found = sections.get((intent.place.path, intent.place.line), [])
        if not found:
            yield f"{intent.place}: {intent.intent} is declared, but no lock is seen to be taken here"
        for section in found:
            yield from _contradicted(section, intent)


def _contradicted(section: Section, intent: Intent) -> Iterator[str]:
    purpose = section.purpose
    sign = 1 if intent.intent.startswith("performance") else -1
    against = sorted((p for p in purpose.points if p.points * sign > 0), key=lambda p: (-p.points * sign, p.reason))
    outweighed = purpose.kind != intent.intent.removesuffix("-lock")
    if not against or (not outweighed and purpose.score * sign < (4 if sign > 0 else 3)):
        return
    because = "; ".join(f"{p.points:+d} {p.reason}{f' ({p.place})' if p.place else ''}" for p in against[:3])
    other = "correctness" if sign > 0 else "performance"
    kept = f"it is judged as a {purpose.kind} lock all the same" if outweighed else "the comment is believed"
    yield f"{intent.place}: {intent.intent} is declared for {lock_name(section.lock)}, but the code speaks for {other}: {because}; {kept}"
