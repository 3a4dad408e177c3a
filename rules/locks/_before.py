"""Decisions that were made before a lock was taken, and hold under it."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    MEDIUM,
    WARNING,
    Evidence,
    Foreseen,
    Found,
    Op,
    Operation,
    Place,
    Section,
    System,
    distinct,
    found,
    lock_name,
    trail,
)

_AGAIN = "Look again under the lock, before anything is done: read the value or the state anew, and stop where somebody else was first. The look before the lock may stay, to save the wait."


def looked_before(system: System, section: Section) -> Iterator[Found]:
    """One finding for each section: what is known of stores first, and then what the text shows."""
    stale = _known(system, section)
    if stale is not None:
        write, seen = stale
        told = "read" if write.reads_back is not None else "looked at"
        yield found(
            f"`{write.key_text or write.key}` is {told} before {lock_name(section.lock)} is taken and written under it: what the holder before has written meanwhile is overwritten",
            at=section,
            because=distinct([Evidence(seen, f"{told} here, without the lock"), Evidence(write.place, "written here, under it"), *trail(section)], besides=section.acquired),
            severity=ERROR if write.reads_back is not None else WARNING,
            confidence=MEDIUM,
            help=_AGAIN,
        )
        return
    if section.blocking is False or not (section.effects or section.unresolved):
        return  # whoever comes second does not wait, but goes away
    for before in system.foreseen(section)[:1]:
        yield found(
            _message(section, before),
            at=section,
            because=distinct([Evidence(before.look, "known from here, before the lock"), Evidence(before.used, "acted upon here, under it"), *trail(section)], besides=section.acquired),
            severity=ERROR if before.how == "read" else WARNING,
            confidence=MEDIUM,
            help=_AGAIN,
        )


def _message(section: Section, before: Foreseen) -> str:
    lock = lock_name(section.lock)
    if before.how == "read":
        return f"`{before.what}` was read under an earlier hold of {lock}, which was given back, and is believed under this one: what others have written in between is overwritten or mixed"
    if before.how == "state":
        return f"`{before.what}` is tested before {lock} is taken, set under it, and not looked at again: whoever waited for the lock does the same a second time"
    return f"`{before.what}` is asked before {lock} is taken, and not again under it: whoever waited for the lock does what the one before him has done"


def _known(system: System, section: Section) -> tuple[Operation, Place] | None:
    """A write under the lock of what was read, or found missing, before it in the same function; and that place."""
    inside = [r.operation for r in section.reads]
    for effect in section.effects:
        write = effect.operation
        seen = write.reads_back or write.absent
        if seen is None or effect.chain or write.symbol != section.symbol or write.conditional or not (seen.path == section.path and seen.line < section.acquired.line):
            continue
        if write.op not in (Op.WRITE, Op.CREATE, Op.SET_ADD) or not write.key or any(r.key == write.key and r.op in (Op.READ, Op.LIST) for r in inside):
            continue
        if any(seen in {r.place for r in other.reads} for other in system.critical_sections(distributed=True) if write.place in {e.place for e in other.effects}):
            continue  # a wider lock holds around both
        return write, seen
    return None
