"""Reads that have a fallback which an outage never reaches: the connection is made before the `try` that would give it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from coordlint.coordination import Guard, Operation
from coordlint.guarding import is_guarded, sees_outage, survives_outage
from coordlint.models.schema import Op
from coordlint.outage import WayIn, reads_configuration, way_in
from coordlint.source import Place
from coordlint.system import System

_ASKS = (Op.CONNECT, Op.READ, Op.LIST)
_FARTHEST = 20  # functions below a call that are looked at


class Bypassed(msgspec.Struct, frozen=True):
    """A read of configuration, the handler that gives a default in its place, and the connection that fails before it is reached."""

    read: Operation
    guard: Guard
    at: Place  # where the connection is made, outside of the handler
    failing: Operation  # what fails there
    way: WayIn
    imported: tuple[Place, ...] = ()  # lines of modules that ask while they are imported


def bypassed(system: System, *backends: str) -> Iterator[Bypassed]:
    """One for each function whose handler gives a default for its read, and that connects outside of it."""
    told: set[str] = set()
    for read in system.operations(Op.READ, Op.LIST, backend=backends):
        guard = next((g for g in read.guards if sees_outage(g, read)), None)
        if guard is None or guard.action not in ("return", "swallow") or read.symbol in told or is_guarded(system, read.symbol):
            continue
        before = next(((at, failing) for at, failing in _connections(system, read) if at.path == read.place.path and at < read.place), None)
        if before is None:
            continue
        at, failing = before
        open_read = replace(read, guards=(), place=at)
        way = way_in(system, open_read)
        if way is not None and reads_configuration(system, read, way) and not survives_outage(system, open_read):
            told.add(read.symbol)
            yield Bypassed(read, guard, at, failing, way, _imported(system, read.symbol))


def _imported(system: System, symbol: str) -> tuple[Place, ...]:
    """The lines outside of all functions that call a function, itself or through others."""
    todo, seen, found = [symbol], set[str](), list[Place]()
    mains = system.entries("main")
    while todo and len(seen) < _FARTHEST:
        symbol = todo.pop(0)
        if symbol in seen:
            continue
        seen.add(symbol)
        for caller, at in system.callers(symbol):
            if system.function(caller) is not None:
                todo.append(caller)
            elif not any(e.place.path == at.path and e.place.line <= at.line <= e.place.span.end_line for e in mains):
                found.append(at)
    return tuple(dict.fromkeys(found))


def _connections(system: System, read: Operation) -> Iterator[tuple[Place, Operation]]:
    """The calls in the function of a read that connect, themselves or in another function, where nobody sees the failure."""
    for o in system.operations_in((read.symbol,)):
        if o.op is Op.CONNECT and o.backend == read.backend and not any(sees_outage(g, o) for g in o.guards):
            yield o.place, o
    for callee, at in system.calls_from(read.symbol):
        if any(sees_outage(g, read) for g in system.guards_at(at)):
            continue
        failing = _failing(system, callee, read.backend)
        if failing is not None:
            yield at, failing


def _failing(system: System, symbol: str, backend: str) -> Operation | None:
    """What a function that makes a client asks the coordinator in order to do so, and does not handle."""
    todo, seen = [symbol], set[str]()
    while todo and len(seen) < _FARTHEST:
        symbol = todo.pop(0)
        if symbol in seen or is_guarded(system, symbol):
            continue
        seen.add(symbol)
        inside = [o for o in system.operations_in((symbol,)) if o.backend == backend]
        if any(o.op is Op.CONNECT or o.role == "client" for o in inside):
            found = next((o for o in inside if o.op in _ASKS and not any(sees_outage(g, o) for g in o.guards)), None)
            if found is not None:
                return found
        todo += [callee for callee, at in system.calls_from(symbol) if not any(sees_outage(g, inside[0]) for g in system.guards_at(at) if inside)]
    return None
