"""What stands around a place: handlers, locks and transactions, here and in every caller."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from coordlint.contention import Creation, Missed, Mutation, Rework, Rewrite, Sweep
from coordlint.coordination import (
    Guard,
    Operation,
)
from coordlint.source import Place
from coordlint.system.calling import Calling

_MOST_CALLERS = 60  # functions on the ways to a place that are looked at


class Around(Calling):
    """The questions about what a place is under."""

    def sweeps(self, *, tests: bool = False) -> Iterator[tuple[Sweep, Place]]:
        """Loops that count shared rows one by one within a transaction, with where that was opened or entered."""
        for sweep in self._world.sweeps:
            opened = sweep.loop if sweep.transaction else self._transaction_around(sweep.symbol, frozenset())
            if opened is not None and (tests or not sweep.in_test) and not self._is_locked(sweep.symbol, frozenset()):
                yield sweep, opened

    def is_in_transaction(self, call: Place) -> bool:
        """Whether a call of the project's own function stands in a database transaction, in its own function."""
        return call in self._world.in_transaction

    def _transaction_around(self, symbol: str, seen: frozenset[str]) -> Place | None:
        """A call on some way to a function that stands in a transaction."""
        if symbol in seen or len(seen) > 4:
            return None
        calls = [(c, p) for c, p in self.callers(symbol) if not getattr(self.function(c), "in_test", False)]
        direct = next((p for _, p in calls if p in self._world.in_transaction), None)
        if direct is not None:
            return direct
        return next((p for p in (self._transaction_around(c, seen | {symbol}) for c, _ in calls) if p is not None), None)

    def guards_above(self, operation: Operation) -> tuple[Guard, ...]:
        """Handlers around an operation: its own, and those that stand around every call chain's nearest call site.

        A caller's handler counts only when every known caller has one; tests are no callers.
        """
        return operation.guards + self.shield(operation.symbol) + self._guards_of(operation.symbol, frozenset())

    def shield(self, symbol: str) -> tuple[Guard, ...]:
        """The handlers that decorators of the project have around a function, and around those that it is defined in."""
        found: tuple[Guard, ...] = ()
        while symbol:
            function = self.function(symbol)
            found += function.shield if function is not None else ()
            symbol = symbol.rpartition(".")[0]
        return found

    def guards_at(self, place: Place) -> tuple[Guard, ...]:
        """Handlers around a call, in its own function."""
        return self._own_guards.get(place) or self._world.call_guards.get(place, ())

    @cached_property
    def _own_guards(self) -> dict[Place, tuple[Guard, ...]]:
        table: dict[Place, tuple[Guard, ...]] = {}
        for operation in self._world.operations:
            table.setdefault(operation.place, operation.guards)
        return table

    def _guards_of(self, symbol: str, seen: frozenset[str]) -> tuple[Guard, ...]:
        if symbol in seen or len(seen) > 6:
            return ()
        found: list[Guard] = []
        for caller, place in self._used_by(symbol):
            here = self._world.call_guards.get(place, ()) or self.shield(caller) or self._guards_of(caller, seen | {symbol})
            if not here:
                return ()
            found.extend(here)
        return tuple(dict.fromkeys(found))

    def _used_by(self, symbol: str) -> list[tuple[str, Place]]:
        """The callers of a function but for tests."""
        return [(c, p) for c, p in self.callers(symbol) if not getattr(self.function(c), "in_test", False)]

    def is_locked(self, what: Operation | Mutation | Creation | Missed | Rewrite | Rework) -> bool:
        """Whether some lock is held around it on every known way to it; tests are no way."""
        places, sites = self._under_lock
        place = what.written if isinstance(what, Mutation) else what.look if isinstance(what, Creation | Missed) else what.place
        return place in places or place in sites or self._is_locked(what.symbol, frozenset())

    def held_around(self, what: Rework) -> tuple[Place, str] | None:
        """A distributed lock that is held around it on some way to it: where it is taken, and its key; None where there is none on any."""
        guarded, todo, seen = self._world.guarded, [(what.symbol, what.place)], {what.symbol}
        while todo:
            symbol, place = todo.pop(0)
            if place in guarded:
                return guarded[place]
            if len(seen) < _MOST_CALLERS:
                more = [(c, p) for c, p in self._used_by(symbol)]
                if any(p in guarded for _, p in more):
                    return next(guarded[p] for _, p in more if p in guarded)
                todo += [(c, p) for c, p in more if c not in seen]
                seen |= {c for c, _ in more}
        return None

    def _is_locked(self, symbol: str, seen: frozenset[str]) -> bool:
        _, sites = self._under_lock
        if symbol in seen or len(seen) > 6:
            return False
        callers = self._used_by(symbol)
        return bool(callers) and all(p in sites or self._is_locked(c, seen | {symbol}) for c, p in callers)

    @cached_property
    def _under_lock(self) -> tuple[frozenset[Place], frozenset[Place]]:
        """Operations that stand in a section themselves, and the call sites that do."""
        effects = [e for s in self._world.sections if not s.lock.shared for e in (*s.effects, *s.reads)]
        return frozenset(e.place for e in effects if not e.chain), self._world.in_section
