"""Who goes on waiting for a call that is not answered: a loop that is meant to go on, and whether something ends the wait."""

from __future__ import annotations

from coordlint.coordination import Operation
from coordlint.source import Place
from coordlint.system import System

_FARTHEST = 60  # functions above a call that are looked at


def loop_above(system: System, call: Operation) -> Place | None:
    """Where a loop without an end, or a function that has itself called again later, goes on making a call: the call in the loop."""
    todo = [(call.symbol, call.place)]
    seen: set[str] = set()
    while todo and len(seen) < _FARTHEST:
        symbol, at = todo.pop(0)
        if system.is_kept_up(at):
            return at
        if symbol in seen:
            continue
        seen.add(symbol)
        for caller, place in system.callers(symbol):
            if caller == symbol and symbol in system.handed_at(place):
                return place
            todo.append((caller, place))
    return None


def is_ended(system: System, call: Operation) -> bool:
    """Whether something else ends a call that takes too long: here, or on every way to it outside of tests."""
    return system.is_limited(call.place) or _is_ended(system, call.symbol, frozenset())


def _is_ended(system: System, symbol: str, seen: frozenset[str]) -> bool:
    if symbol in seen or len(seen) > 6:
        return False
    above = [(caller, at) for caller, at in system.callers(symbol) if not getattr(system.function(caller), "in_test", False)]
    return bool(above) and all(system.is_limited(at) or _is_ended(system, caller, seen | {symbol}) for caller, at in above)
