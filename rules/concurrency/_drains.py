"""Buffers in Redis that are emptied in several steps, by whoever comes."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Operation,
    Place,
    System,
    drained,
    found,
    handed_on,
    many_instances,
    many_processes,
    moved_aside,
)

_AT_ONCE = ("http", "consumer", "task")  # entry points that several run at a time


def drains(system: System) -> Iterator[Found]:
    """One finding for each buffer and way of emptying it."""
    yield from _read_and_deleted(system)
    yield from _moved_aside(system)
    yield from _hands_on(system)


def _read_and_deleted(system: System) -> Iterator[Found]:
    """A list that is read whole and then deleted in a step of its own, while others put entries in."""
    for drop, read, put in drained(system):
        if not system.is_locked(drop) and not system.is_by_command(drop.symbol):
            yield found(
                f"Reads the list `{drop.key_text or drop.key}` to its end and deletes it in a second step: what is put in between is lost.",
                at=drop,
                because=[(read.place, "the list is read here"), (put.place, "and filled here"), *drop.origin],
                help="Do both in one transaction (MULTI), take the entries with LPOP and a count, or LTRIM by the number that was read.",
            )


def _moved_aside(system: System) -> Iterator[Found]:
    """A buffer that is renamed before it is read, always to the same name."""
    told: set[tuple[str, str]] = set()
    for move, read, drop in moved_aside(system):
        home = move.symbol.rpartition(".")[0]
        if system.is_locked(move) or system.is_by_command(move.symbol) or (home, move.key or "") in told or (move.symbol, "") in told:
            continue
        told |= {(home, move.key or ""), (move.symbol, "")}
        several = _several(system, move)
        yield found(
            f"Moves a buffer to `{move.key_text}`, which is always the same name, reads it there and deletes it: whoever does so meanwhile, or after a crash in between, puts his own "
            "batch in the place of the one that is not yet done, and one of the two deletes the other's.",
            at=move,
            because=[(read.place, "the batch is read here"), (drop.place, "and deleted here, whosever it is by now"), *several, *move.origin],
            severity=WARNING if several else INFO,
            confidence=MEDIUM,
            help="Give each batch a name of its own (RENAME to `buffer:<uuid>`, and look for those that were left), or take entries with LPOP and a count, or hold a lock from the "
            "RENAME to the delete; RENAMENX refuses where the last batch is not done.",
        )


def _several(system: System, move: Operation) -> list[tuple[Place, str]]:
    """Why two may do it at a time: it is asked for by requests or messages, by several programs, or runs more than once."""
    entries = system.entries_reaching(move.symbol)
    asked = next((e for e in entries if e.kind in _AT_ONCE), None)
    if asked is not None:
        return [(asked.place, f"done from here: {asked.reason}")]
    for workload in system.workloads_of(move.symbol):
        many = many_instances(workload) or many_processes(workload)
        if many is not None:
            return [(many.place, many.message)]
    return []


def _hands_on(system: System) -> Iterator[Found]:
    """Entries that are due are read, and each is handed on by everybody who has read it."""
    for drop, read, on in handed_on(system):
        if system.is_locked(drop) or system.is_by_command(drop.symbol):
            continue
        many = next((e for w in system.workloads_of(drop.symbol) if (e := many_instances(w)) is not None), None)
        yield found(
            f"Hands on what is due in `{drop.key_text or drop.key}` without looking whether it was the one to take it off: two that read the same entry both do.",
            at=drop,
            because=[(read.place, "the entries are read here"), (on.place, "and handed on here"), *(((many.place, many.message),) if many else ()), *drop.origin],
            severity=WARNING if many else INFO,
            confidence=MEDIUM,
            help="Take it off first, and hand it on only where ZREM answers 1; or do both in one script; or take entries with ZPOPMIN.",
        )
