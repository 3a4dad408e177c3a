"""Leases that a task of an event loop keeps up, and what stops that loop for longer than they live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from coordlint.coordination import Operation
from coordlint.duration import too_long
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.system import System

_KEEPS = (Op.WRITE, Op.EXPIRE, Op.EXTEND, Op.KEEPALIVE, Op.SET_ADD, Op.ACQUIRE, Op.SCRIPT)
_LIVES = frozenset("heartbeat beat alive live liveness lease lock leader leadership presence renew keepalive".split())
_FARTHEST = 60  # functions above a step that are looked at

Step = tuple[str, Place, str, Callable[[float], str]]
"""The function and the place, as it is told, and why it outlasts a lease of so many seconds ("" where it does not)."""


class Starved(msgspec.Struct, frozen=True):
    """A call in a coroutine that blocks for longer than a lease which the same loop keeps up."""

    call: Place
    symbol: str
    step: Place
    what: str
    why: str
    beat: Operation
    lease: float  # seconds


def starved(system: System) -> Iterator[Starved]:
    """One for each such call, with the shortest lease that it outlasts."""
    beats = sorted(((o, seconds) for o in system.operations(*_KEEPS) if (seconds := _kept_for(system, o))), key=lambda b: (b[1], b[0].place))
    told: set[Place] = set()
    for symbol, place, what, outlasts in _steps(system) if beats else ():
        for above, at in _coroutines(system, symbol, place):
            hit = next(((o, lease, why) for o, lease in beats if (why := outlasts(lease)) and o.symbol != above and _share_a_loop(system, above, o)), None)
            if hit is not None and at not in told:
                told.add(at)
                yield Starved(at, above, place, what, hit[2], hit[0], hit[1])


def _kept_for(system: System, beat: Operation) -> float | None:
    """How long what a coroutine renews again and again lives without it, in seconds; None for what is no lease."""
    function = system.function(beat.symbol)
    lease = beat.ttl.seconds if beat.ttl is not None and beat.ttl.kind == "seconds" else None
    if function is None or not function.is_async or beat.in_test or not (beat.loop or system.is_kept_up(beat.place) or system.is_called_again(beat.symbol)):
        return None
    return lease if (beat.key_words | beat.symbol_words) & _LIVES else None


def _steps(system: System) -> Iterator[Step]:
    """What may block for long: programs and requests without a limit, and sleeps."""
    for o in system.operations():
        if o.kind and not o.is_async and not o.in_test and not (o.kind == "http" and not o.harmful_late):  # what is only fetched is kept, as a rule
            yield o.symbol, o.place, o.call, partial(too_long, o)
    for symbol, place, seconds in system.naps():
        yield symbol, place, "time.sleep", partial(_sleeps, seconds)


def _sleeps(seconds: float, lease: float) -> str:
    return f"sleeps {seconds:g} s" if seconds >= lease else ""


def _coroutines(system: System, symbol: str, place: Place) -> Iterator[tuple[str, Place]]:
    """The coroutines that make a call in the thread of their loop, with the call in each that leads there."""
    todo, seen = [(symbol, place)], set[str]()
    while todo and len(seen) < _FARTHEST:
        symbol, at = todo.pop(0)
        function = system.function(symbol)
        if function is None or function.in_test:
            continue
        if function.is_async:
            if system.blocks(at):
                yield symbol, at
            continue
        if symbol not in seen:
            seen.add(symbol)
            started = system.started_at(symbol)
            todo += [(caller, above) for caller, above in system.callers(symbol) if above not in started and symbol not in system.handed_at(above)]


def _share_a_loop(system: System, symbol: str, beat: Operation) -> bool:
    """Whether one program runs both: from one entry point, or as a task that starts with the application which serves the other."""
    if _above(system, symbol) & _above(system, beat.symbol):
        return True
    entries, others = system.entries_reaching(symbol), system.entries_reaching(beat.symbol)
    serving = {e.place.path.rpartition("/")[0] for e in entries if e.kind in ("http", "consumer")}
    return bool({e.symbol for e in entries} & {e.symbol for e in others if e.kind != "test"}) or any(e.kind == "startup" and e.place.path.rpartition("/")[0] in serving for e in others)


def _above(system: System, symbol: str) -> frozenset[str]:
    """A function and those of the program that lead to it."""
    found, todo = {symbol}, [symbol]
    while todo and len(found) < _FARTHEST:
        for caller, _ in system.callers(todo.pop(0)):
            function = system.function(caller)
            if caller not in found and not (function is not None and function.in_test):
                found.add(caller)
                todo.append(caller)
    return frozenset(found)
