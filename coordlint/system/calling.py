"""Who calls what, from which entry point, and how often."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from coordlint.coordination import (
    Effect,
    Entry,
    Multiplied,
    Operation,
    Section,
    Time,
)
from coordlint.graph import Ways, build
from coordlint.retry import Retry
from coordlint.source import Place
from coordlint.system.seen import Seen

if TYPE_CHECKING:
    from coordlint.graph import Graph


_FARTHEST = 30  # functions above a call that are looked at


class Calling(Seen):
    """The questions about calls."""

    @cached_property
    def _graph(self) -> Graph:
        world = self._world
        return build(
            calls=world.calls,
            imports=world.imports,
            operations=world.operations,
            sections=world.sections,
            deployment=world.deployment,
            modules=dict(world.modules),
        )

    def relations(self, *kinds: str) -> Iterator[tuple[str, str, str]]:
        """Edges of these kinds as (source, kind, target), sorted."""
        found = {(f"{s[0]} {s[1]}", key, f"{t[0]} {t[1]}") for s, t, key in self._graph.edges(keys=True) if not kinds or key in kinds}
        return iter(sorted(found))

    @cached_property
    def _calls(self) -> Ways:
        return Ways((caller, callee, (at,)) for caller, callee, at in self._world.calls)

    def callers(self, symbol: str) -> tuple[tuple[str, Place], ...]:
        """Who calls a function directly, and where."""
        if symbol not in self._calls:
            return ()
        if symbol not in self._callers:
            found = [(c, p) for c in self._calls.before[symbol] for p in self._calls.after[c][symbol]]
            self._callers[symbol] = tuple(sorted(found, key=lambda pair: pair[1]))
        return self._callers[symbol]

    @cached_property
    def _callers(self) -> dict[str, tuple[tuple[str, Place], ...]]:
        return {}

    def calls_of(self, symbol: str) -> tuple[Place, ...]:
        """The calls of the project's functions that a function makes, and those that it passes functions to."""
        if symbol not in self._calls:
            return ()
        return tuple(sorted({p for places in self._calls.after[symbol].values() for p in places}))

    def called_at(self, symbol: str, place: Place) -> tuple[str, ...]:
        """The functions that a call in a function runs, not those that it hands over or starts beside itself."""
        return tuple(callee for callee, at in self.calls_from(symbol) if at == place)

    def calls_from(self, symbol: str) -> tuple[tuple[str, Place], ...]:
        """The functions that a function runs, with the calls."""
        pairs = ((callee, at) for callee, places in self._calls.after.get(symbol, {}).items() for at in places)
        return tuple(sorted((pair for pair in pairs if pair not in self._world.handed and pair not in self._world.started), key=lambda pair: (pair[1], pair[0])))

    def is_looped(self, call: Place) -> bool:
        """Whether a loop repeats a call of a function."""
        return call in self._world.looped

    def pauses(self, write: Operation) -> tuple[Time, ...]:
        """The pauses between two rounds of the loops that make a call: the one around it, or those around the calls of its function, and of theirs."""
        if write.loop:
            return (write.pause,) if write.pause is not None and write.loop in ("forever", "while") else ()
        found: dict[Place, Time] = {}
        todo, seen = [write.symbol], {write.symbol}
        for symbol in todo:
            for caller, at in self.callers(symbol):
                if at in self._world.pauses:
                    found[at] = self._world.pauses[at]
                elif at not in self._world.looped and caller not in seen and len(todo) < _FARTHEST and at not in self.started_at(symbol):
                    seen.add(caller)
                    todo.append(caller)
        return tuple(found[at] for at in sorted(found))

    def unheeded(self, symbol: str) -> tuple[Place, ...]:
        """The calls of a function that throw its answer away, where that says whether something was taken or swapped."""
        return self._world.unheeded.get(symbol, ())

    def happens_before(self, section: Section, effect: Effect) -> bool:
        """Whether the function that takes the lock has made the call that leads to an effect before it takes it.

        What happens without the lock as well is not what the lock is for: a note of progress, the look into a cache.
        """
        if not effect.chain or section.symbol not in self._calls:
            return False
        for callee, places in self._calls.after[section.symbol].items():
            here = effect.chain[0] in places and effect.operation.symbol in self.reached_from(callee)
            if here and any(p.path == section.acquired.path and p < section.acquired for p in places):
                return True
        return False

    def reached_from(self, symbol: str) -> frozenset[str]:
        """Every function that a function reaches by calls, itself included."""
        return self._calls.reached(symbol)

    def way(self, entry: str, symbol: str) -> tuple[Place, ...]:
        """The call sites that lead from one function to another, on a shortest way; empty when it is the same or there is none."""
        if entry == symbol or entry not in self._calls or symbol not in self._calls:
            return ()
        steps = self._calls.shortest(entry, symbol)  # of several the first, in the order of the calls
        return tuple(min(self._calls.after[a][b]) for a, b in itertools.pairwise(steps))

    def handed_at(self, place: Place) -> tuple[str, ...]:
        """The functions that are passed to a call: callbacks, listeners, targets of threads."""
        return self._handed.get(place, ())

    @cached_property
    def _handed(self) -> dict[Place, tuple[str, ...]]:
        table: dict[Place, tuple[str, ...]] = {}
        for symbol, at in sorted(self._world.handed):
            table[at] = (*table.get(at, ()), symbol)
        return table

    def multiplied(self, symbol: str) -> Multiplied | None:
        """The launch of several processes that all run a function: it, or a method of its class or of one that calls it, is what they are given."""
        for launch in self._world.multiplied:
            if launch.symbol not in self._launched:
                own = {f for f in self._world.functions if f == launch.symbol or f.startswith(f"{launch.symbol}.")}
                self._launched[launch.symbol] = frozenset().union(*(self.reached_from(f) for f in own))
            if symbol in self._launched[launch.symbol]:
                return launch
        return None

    @cached_property
    def _launched(self) -> dict[str, frozenset[str]]:
        return {}

    def is_repeated(self, operation: Operation) -> bool:
        """Whether a loop stands around an operation, here or around a call on some way to it."""
        return bool(operation.loop) or self.is_called_again(operation.symbol)

    def is_called_again(self, symbol: str) -> bool:
        """Whether a loop stands around a call on some way to a function."""
        todo, seen = [symbol], set[str]()
        while todo:
            symbol = todo.pop()
            if symbol not in seen:
                seen.add(symbol)
                if any(at in self._world.looped for _, at in self.callers(symbol)):
                    return True
                todo += [caller for caller, _ in self.callers(symbol)]
        return False

    def retries(self, what: Operation | Section) -> tuple[Retry, ...]:
        """What makes a call again until it succeeds, innermost first: a loop, a decorator, those of a caller where there is one only."""
        place, symbol = what.acquired if isinstance(what, Section) else what.place, what.symbol
        found: list[Retry] = []
        seen: set[str] = set()
        while symbol not in seen:
            seen.add(symbol)
            found += [r for r in (self._world.retried.get(place), self._world.retried_functions.get(symbol)) if r is not None]
            callers = [(c, p) for c, p in self.callers(symbol) if not getattr(self.function(c), "in_test", False)]
            if len(callers) != 1:
                break
            symbol, place = callers[0]
        return tuple(found)

    def repeats(self, symbol: str) -> tuple[Retry, ...]:
        """What a decorator of a function says of how often it is tried."""
        found = self._world.retried_functions.get(symbol)
        return (found,) if found is not None else ()

    def tried_again(self) -> Iterator[tuple[str, str, Place]]:
        """Calls of the project's functions that a loop makes again when they fail: (caller, callee, place)."""
        return ((caller, callee, at) for caller, callee, at in self._world.calls if at in self._world.retried and (callee, at) not in self._world.handed)

    def handed_over(self, symbol: str) -> tuple[Place, ...]:
        """The calls to which a function is passed: whoever starts it as a thread, or keeps it as a callback."""
        return tuple(sorted(at for passed, at in self._world.handed if passed == symbol))

    def runs(self, symbol: str) -> frozenset[str]:
        """Every function that runs inside a call of this one, itself included: what is handed to others is left out."""
        found, todo = {symbol}, [symbol]
        while todo:
            current = todo.pop()
            for callee, places in self._calls.after.get(current, {}).items():
                if callee not in found and any((callee, p) not in self._world.handed for p in places):
                    found.add(callee)
                    todo.append(callee)
        return frozenset(found)

    def entries(self, *kinds: str) -> tuple[Entry, ...]:
        """Functions that something outside calls."""
        return tuple(e for e in self._world.entries if not kinds or e.kind in kinds)

    def entries_reaching(self, symbol: str) -> tuple[Entry, ...]:
        """The entry points from which a function can run."""
        if symbol not in self._reaching:
            above = self._calls.reaching(symbol)
            self._reaching[symbol] = tuple(e for e in self._world.entries if e.symbol in above)
        return self._reaching[symbol]

    def entries_calling(self, symbol: str) -> tuple[Entry, ...]:
        """Those of them that wait for the function: on the way nobody only hands it to somebody else, who calls it then or there."""
        above, todo = {symbol}, [symbol]
        while todo:
            callee = todo.pop()
            more = {caller for caller, at in self.callers(callee) if caller not in above and callee not in self.handed_at(at)}
            above |= more
            todo += sorted(more)
        return tuple(e for e in self.entries_reaching(symbol) if e.symbol in above)

    def entries_waiting(self, symbol: str) -> tuple[Entry, ...]:
        """The entry points that wait for a function: what a thread, a timer or a task of its own does happens beside them."""
        above, todo = {symbol}, [symbol]
        while todo:
            callee = todo.pop()
            more = {caller for caller, at in self.callers(callee) if caller not in above and (callee, at) not in self._world.started}
            above |= more
            todo += sorted(more)
        return tuple(e for e in self.entries_reaching(symbol) if e.symbol in above)

    def is_by_command(self, symbol: str) -> bool:
        """Whether only operators' commands lead there: nobody else does the same at the same time."""
        kinds = {entry.kind for entry in self.entries_reaching(symbol)} - {"test", "import"}
        return "command" in kinds and kinds <= {"command", "main"}

    def is_asked_by_most(self, backend: str) -> bool:
        """Whether at least a third of the HTTP handlers, and three of them, use a backend: it is what the program is built on."""
        asking = self._asking(backend)
        return len(asking) >= 3 and 3 * len(asking) >= len({e.symbol for e in self.entries("http")})

    def is_asked_by_all(self, backend: str) -> bool:
        """Whether all HTTP handlers, and three of them at least, use a backend: without it there is nothing to serve.

        Where handlers also write there, single pages that use nothing at all do not count: the frame of an editor for what is in it.
        """
        asking = self._asking(backend)
        others = {e.symbol for e in self.entries("http")} - asking
        if len(asking) < 3 or len(asking) < 3 * len(others):
            return False
        return not others or (self._is_edited(backend, asking) and not any(o.backend or o.kind for s in others for o in self.operations_in(self.reached_from(s))))

    def _is_edited(self, backend: str, handlers: frozenset[str]) -> bool:
        """Whether two of the handlers store something in a backend."""
        writing = (any(o.backend == backend and o.stores for o in self.operations_in(self.reached_from(s))) for s in handlers)
        return sum(writing) > 1

    def _asking(self, backend: str) -> frozenset[str]:
        """The HTTP handlers that use a backend."""
        if backend not in self._asked:
            symbols = {o.symbol for o in self.operations(backend=backend)}
            self._asked[backend] = frozenset(e.symbol for symbol in symbols for e in self.entries_reaching(symbol) if e.kind == "http")
        return self._asked[backend]

    @cached_property
    def _asked(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _reaching(self) -> dict[str, tuple[Entry, ...]]:
        return {}
