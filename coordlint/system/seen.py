"""What stands in the project: operations, sections, clients, uses, suppressions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from coordlint.contention import (
    Chosen,
    Creation,
    Foreseen,
    Hushed,
    Led,
    Misread,
    Missed,
    Mutation,
    Refused,
    Restated,
    Rework,
    Rewrite,
    RowOrder,
    Swap,
)
from coordlint.coordination import (
    Client,
    Effect,
    Freed,
    FunctionInfo,
    Operation,
    Section,
    Suggestion,
    Untaken,
    Use,
)
from coordlint.facts import Requirement, Suppression
from coordlint.models.schema import Op, Scope
from coordlint.retry import DefaultLimit
from coordlint.source import Place, Skip
from coordlint.system.world import World


class Seen:
    """The questions about single places. Every answer is sorted by place."""

    def __init__(self, world: World) -> None:
        self._world = world

    def operations(
        self,
        *ops: Op,
        backend: str | Iterable[str] | None = None,
        kind: str | None = None,
        tests: bool = False,
        carried: bool = False,
        named: bool = False,
        answered: bool = False,
    ) -> Iterator[Operation]:
        """Library calls by what they do, on which backend, with which kind of effect; test code only when asked.

        `carried`: also the calls of the project's own wrappers that read or write a record which their caller writes or reads.
        `named`: also the calls of the project's own wrappers that say under which key they read or write.
        `answered`: also the calls of the project's own functions that answer whether they could take or write something on condition.
        """
        backends = _names(backend)
        for op in self._with(carried, named, answered):
            if (
                (not ops or op.op in ops)
                and (backends is None or op.backend in backends)
                and (kind is None or op.kind == kind)
                and (tests or not op.in_test)
            ):
                yield op

    def _with(self, carried: bool, named: bool, answered: bool) -> tuple[Operation, ...]:
        if (carried, named, answered) not in self._several:
            more = (*(self._world.carried if carried else ()), *(self._world.named if named else ()), *(self._world.answered if answered else ()))
            self._several[carried, named, answered] = tuple(sorted((*self._world.operations, *more), key=lambda o: (o.place, o.call))) if more else self._world.operations
        return self._several[carried, named, answered]

    @cached_property
    def _several(self) -> dict[tuple[bool, bool, bool], tuple[Operation, ...]]:
        return {}

    def operations_in(self, symbols: Iterable[str]) -> Iterator[Operation]:
        """The operations that stand in these functions."""
        return (o for symbol in sorted(symbols) for o in self._by_symbol.get(symbol, ()))

    @cached_property
    def _by_symbol(self) -> dict[str, list[Operation]]:
        table: dict[str, list[Operation]] = {}
        for operation in self._world.operations:
            table.setdefault(operation.symbol, []).append(operation)
        return table

    def critical_sections(
        self,
        *,
        distributed: bool | None = None,
        backend: str | Iterable[str] | None = None,
        scopes: Iterable[Scope] | None = None,
        tests: bool = False,
    ) -> Iterator[Section]:
        """What runs under a lock. `distributed=True`: locks that span machines and are not row locks of a database."""
        wanted = None if scopes is None else frozenset(scopes)
        backends = _names(backend)
        for section in self._world.sections:
            scope = section.lock.model.scope
            if distributed is not None and distributed != (scope in (Scope.DISTRIBUTED, Scope.DB_SESSION)):
                continue
            if wanted is not None and scope not in wanted:
                continue
            if backends is not None and section.lock.backend not in backends:
                continue
            if tests or not section.in_test:
                yield section

    def clients(self, *, backend: str | Iterable[str] | None = None, tests: bool = False) -> Iterator[Client]:
        """Where clients of coordinators and stores are made."""
        backends = _names(backend)
        for client in self._world.clients:
            if (backends is None or client.backend in backends) and (tests or not client.in_test):
                yield client

    def untaken(self) -> Iterator[Untaken]:
        """Locks that a function makes, or names in a `with`, and does not take."""
        return (lock for lock in self._world.untaken if not lock.in_test)

    def mutations(self, *, tests: bool = False) -> Iterator[Mutation]:
        """Read-modify-write of one stored record."""
        return (m for m in self._world.mutations if tests or not m.in_test)

    def creations(self, *, tests: bool = False) -> Iterator[Creation]:
        """Rows that are made because a query before found none, or not too many."""
        return (c for c in self._world.creations if tests or not c.in_test)
    def reworks(self, *, tests: bool = False) -> Iterator[Rework]:
        """What functions load and store again by functions of the project."""
        return (w for w in self._world.reworks if tests or not w.in_test)

    def foreseen(self, section: Section) -> tuple[Foreseen, ...]:
        """What was known before a section's lock was taken, and is acted upon under it without a second look."""
        return tuple(f for f in self._world.foreseen if f.acquired == section.acquired and f.symbol == section.symbol)

    def missed(self, *, tests: bool = False) -> Iterator[Missed]:
        """Calls of functions of the project that happen because another one found nothing, or another state."""
        return (m for m in self._world.missed if tests or not m.in_test)

    def misread(self) -> tuple[Misread, ...]:
        """Times of Leases that are treated as text."""
        return self._world.misread

    def row_orders(self) -> tuple[RowOrder, ...]:
        """In which order transactions lock rows of two related tables."""
        return self._world.row_orders

    def rewrites(self, *, tests: bool = False) -> Iterator[Rewrite]:
        """Rows that one function reads, changes and saves again."""
        return (r for r in self._world.rewrites if tests or not r.in_test)

    def refused(self) -> tuple[Refused, ...]:
        """Calls whose refusal nobody hears."""
        return self._world.refused

    def swaps(self) -> tuple[Swap, ...]:
        """Calls of the project's own compare-and-swap that are made again until one wins."""
        return self._world.swaps

    def templated(self) -> tuple[Place, ...]:
        """Calls of a library's constructor that runs methods of the class that is made, before that is complete."""
        return tuple(sorted(self._world.templated))

    def restated(self) -> tuple[Restated, ...]:
        """What is found of each of several things and written down in every round, whether or not it is new."""
        return self._world.restated

    def led(self) -> tuple[Led, ...]:
        """Looks at flags that say that this process leads, with what is done behind each."""
        return self._world.led

    def hushed(self) -> tuple[Hushed, ...]:
        """Failed renewals of which nobody hears who works."""
        return self._world.hushed

    def chosen(self) -> tuple[Chosen, ...]:
        """Tests of what calls said that take locks, or ask to lead."""
        return self._world.chosen

    def is_unread(self, acquire: Place) -> bool:
        """Whether the answer of an acquire is kept in an attribute that nobody reads."""
        return acquire in self._world.unread

    def functions(self) -> Iterator[FunctionInfo]:
        """Every function that was read."""
        return iter(self._world.functions.values())

    @cached_property
    def decorators(self) -> frozenset[str]:
        """The names of all decorators that stand at functions."""
        return frozenset(d for f in self._world.functions.values() for d in f.decorators)

    def function(self, symbol: str) -> FunctionInfo | None:
        """One function by its qualified name."""
        return self._world.functions.get(symbol)

    def uses(self) -> tuple[Use, ...]:
        """Every use of coordination, for the inventory."""
        return self._world.uses

    def suggestions(self) -> tuple[Suggestion, ...]:
        """Models that would tell what wrappers do which could not be followed, those with most callers first."""
        return self._world.suggestions

    def rivals(self, section: Section) -> tuple[Section, ...]:
        """Other sections that take the same lock; a wrapper is no rival of those who call it."""
        same, made = section.lock.identity, section.lock.made
        if section.lock.via and not section.lock.key:
            return ()  # a wrapper that builds many locks: which one this is, nobody can tell
        return tuple(
            s
            for s in self._world.sections
            if same
            and s.lock.identity == same
            and s.acquired not in (section.acquired, made)
            and s.lock.made != section.acquired
        )

    def is_under_another(self, section: Section, effect: Effect) -> bool:
        """Whether a lock that is taken inside, for correctness too, is nearer to an effect: what happens there hangs on that one."""
        nearer = (s for place in section.nested for s in self._by_acquired.get(place, ()) if s.purpose.kind == "correctness")
        return any(e.place == effect.place for s in nearer for e in s.effects)

    @cached_property
    def _by_acquired(self) -> dict[Place, list[Section]]:
        table: dict[Place, list[Section]] = {}
        for section in self._world.sections:
            if section.lock.model.scope is Scope.DISTRIBUTED:
                table.setdefault(section.acquired, []).append(section)
        return table

    def inner(self, section: Section) -> Section | None:
        """The section inside the wrapper that hands its lock on to this one; None when it is taken here."""
        via, known = section.lock.via, self._by_made.get(section.lock.made, ())
        for s in known:
            if via and s.lock.via == via[1:] and via[0] in s.symbol.split("."):
                return s
        return next((s for s in known if via and s is not section and s.acquired == section.lock.made), None)  # through wrappers that only pass it on

    @cached_property
    def _by_made(self) -> dict[Place, list[Section]]:
        table: dict[Place, list[Section]] = {}
        for section in self._world.sections:
            table.setdefault(section.lock.made, []).append(section)
        return table

    def freed(self, key: str | None) -> tuple[Freed, ...]:
        """Deletes of a key, elsewhere than where they are asked for."""
        return tuple(f for f in self._world.freed if key and f.key == key)

    def freed_in(self, symbol: str) -> tuple[Freed, ...]:
        """The keys that a function deletes through others, in its order."""
        return tuple(sorted((f for f in self._world.freed if f.symbol == symbol), key=lambda f: (f.place, f.deed)))

    def same_key(self, operation: Operation) -> tuple[Operation, ...]:
        """Other operations on the same backend and the same known key."""
        return tuple(
            o
            for o in self._by_key.get((operation.backend, operation.key or ""), ())
            if operation.key and o.place != operation.place
        )

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], list[Operation]]:
        table: dict[tuple[str, str], list[Operation]] = {}
        for operation in self._world.operations:
            if operation.key:
                table.setdefault((operation.backend, operation.key), []).append(operation)
        return table

    def starts_in(self, symbol: str) -> tuple[tuple[str, Place], ...]:
        """The functions that a function starts beside itself, as tasks and threads, with where."""
        around = self.function(symbol)
        inside = (p for p in self._world.started if around is not None and p[1].path == around.place.path and around.place.line < p[1].line <= around.end_line)
        return tuple(sorted(inside, key=lambda p: (p[1], p[0])))

    def started_at(self, symbol: str) -> tuple[Place, ...]:
        """The calls that start a function as a thread or a task."""
        return tuple(sorted(at for started, at in self._world.started if started == symbol))

    def is_watched(self, start: Place) -> bool:
        """Whether somebody hears how the thread or task ends that a call starts."""
        return start in self._world.watched

    def is_kept_up(self, call: Place) -> bool:
        """Whether a loop goes on making a call that has no end but that it is told to stop."""
        return call in self._world.kept_up

    def is_limited(self, call: Place) -> bool:
        """Whether something ends a call when it takes too long: `await wait_for(call(), 5)`, `with gevent.Timeout(5)`."""
        return call in self._world.limited

    def default_limits(self, library: str) -> tuple[DefaultLimit, ...]:
        """What the program sets for all calls of an HTTP library at once."""
        return tuple(d for d in self._world.default_limits if d.library == library)

    def kept_up_by(self, call: Place) -> Place | None:
        """That loop."""
        return self._world.kept_up.get(call)

    def blocks(self, call: Place) -> bool:
        """Whether a coroutine makes a call in the thread of its loop, which waits until it is done."""
        return call in self._world.blocking

    def naps(self) -> tuple[tuple[str, Place, float], ...]:
        """Sleeps of a known number of seconds, with their functions."""
        return self._world.naps

    def lap(self, call: Place) -> Place | None:
        """The loop over things of unknown number, or without an end of its own, that makes a call."""
        return self._world.laps.get(call)

    def states_at(self, calls: Iterable[Place], of: str) -> frozenset[tuple[str, str]]:
        """The fields of a record that were tested on the way through these calls, each with the value that it has there; `of` is its key."""
        tested = [state for call in calls for state in self._world.states.get(call, ())]
        reads = {o.place for o in self.operations(Op.READ, Op.LIST, carried=True, named=True) if o.key == of} if tested else set()
        return frozenset((field, value) for field, value, given in tested if given in reads)

    def rush(self, call: Place) -> Place | None:
        """The loop that does nothing but make a call, the same each time, whose answer nobody looks at."""
        return self._world.rushed.get(call)

    def requires(self, *packages: str) -> Requirement | None:
        """The first declared dependency among these distributions."""
        return next((r for r in self._world.requirements if r.name in packages), None)

    def requirements(self) -> tuple[Requirement, ...]:
        """All declared dependencies."""
        return self._world.requirements

    def skips(self) -> tuple[Skip, ...]:
        """Files in scope that could not be analysed, and why."""
        return self._world.skips

    def is_python2(self, path: str) -> bool:
        """Whether a file is written in Python 2."""
        return path in self._world.python2

    def unused_suppressions(self) -> tuple[tuple[Suppression, str], ...]:
        """Suppressions that silenced nothing in this run, each with the rule that they name."""
        return self._world.unused_suppressions

    def malformed_suppressions(self) -> tuple[tuple[Suppression, str], ...]:
        """Suppressions that cannot act, each with the reason."""
        return self._world.malformed_suppressions


def _names(given: str | Iterable[str] | None) -> frozenset[str] | None:
    if given is None:
        return None
    return frozenset((given,)) if isinstance(given, str) else frozenset(given)
