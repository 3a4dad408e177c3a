"""Loops that a program lives by, whose handler foresees some failures of the coordinator's client and not that of an outage."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Entry, Guard, Operation
from coordlint.guarding import is_guarded, sees_outage
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.system import System

_FARTHEST = 40  # functions above a call that are looked at


class Halted(msgspec.Struct, frozen=True):
    """A loop that goes on after what its handler catches, and that an outage ends together with the program."""

    guard: Guard
    entry: Entry  # the main program that runs it


def halted(system: System, call: Operation) -> Halted | None:
    """The handler in the same round that goes on after other failures of the client, where the main program waits for the loop; else None."""
    guard = next((g for g in call.guards if _foresees(g, call)), None)
    if guard is None or not system.is_kept_up(call.place) or any(sees_outage(g, call) for g in call.guards):
        return None
    return next((Halted(guard, entry) for entry in _mains(system, call)), None)


class Undone(msgspec.Struct, frozen=True):
    """A loop in the background whose handler goes on after an outage, and whose clean-up asks the same coordinator again."""

    release: Operation
    handled: Operation  # what the handler saves
    guard: Guard
    started: Place


def undone(system: System, *backends: str) -> Iterator[Undone]:
    """One for each release behind an error that nobody handles, in a round whose work is handled."""
    for release in system.operations(Op.RELEASE, Op.REVOKE, backend=backends):
        started = system.started_at(release.symbol)
        if not release.on_error or not started or not system.is_kept_up(release.place) or any(sees_outage(g, release) for g in (*release.guards, *system.shield(release.symbol))):
            continue
        if is_guarded(system, release.symbol):
            continue
        for o in system.operations_in((release.symbol,)):
            guard = next((g for g in o.guards if sees_outage(g, o)), None)
            if o.op is not Op.MAKE_LOCK and o.backend == release.backend and o.place < release.place and guard is not None and guard.goes_on:
                yield Undone(release, o, guard, started[0])
                break


def _foresees(guard: Guard, call: Operation) -> bool:
    """Whether a handler is for failures of this client, and what it does leaves the loop running."""
    library = call.call.partition(".")[0]
    return guard.action in ("swallow", "retry") and guard.quiet_end is None and any(name.partition(".")[0] == library for name in guard.catches)


def _mains(system: System, call: Operation) -> Iterator[Entry]:
    """The main programs that reach a call by ways on which nobody sees its failure."""
    mains = {e.symbol: e for e in system.entries("main")}
    todo, seen = [call.symbol], set[str]()
    while todo and len(seen) < _FARTHEST:
        symbol = todo.pop(0)
        if symbol in seen or is_guarded(system, symbol) or any(sees_outage(g, call) for g in system.shield(symbol)):
            continue
        seen.add(symbol)
        if symbol in mains and _serves(system, symbol):
            yield mains[symbol]
        elsewhere = system.started_at(symbol)
        todo += [caller for caller, at in system.callers(symbol) if at not in elsewhere and not any(sees_outage(g, call) for g in system.guards_at(at))]


def _serves(system: System, symbol: str) -> bool:
    workloads = system.workloads_of(symbol)
    return not workloads or any(not w.is_one_shot for w in workloads)
