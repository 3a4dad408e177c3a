"""System: one graph of code and deployment, behind the questions that rules may ask.

The graph engine stays inside: rules see nouns (`coordination`, `deployment`) and question verbs only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import networkx as nx

from coordlint.coordination import (
    Client,
    Effect,
    Entry,
    Freed,
    FunctionInfo,
    Guard,
    Mutation,
    Operation,
    Section,
    Suggestion,
    Swap,
    Sweep,
    Use,
)
from coordlint.deployment import Coordinator, Deployment, Workload
from coordlint.facts import Requirement, Suppression
from coordlint.graph import CALLS, IMPORTS, Graph, build
from coordlint.models.schema import Op, Scope
from coordlint.retry import Retry
from coordlint.source import Place, Skip, Span

COORDINATORS = ("zookeeper", "etcd", "consul")  # quorum stores: small, linearizable, expensive to write


@dataclass(frozen=True)
class World:
    """What the linker knows, before anybody asks. Calls are (caller, callee, call site) triples."""

    functions: Mapping[str, FunctionInfo] = field(default_factory=dict)
    operations: tuple[Operation, ...] = ()
    carried: tuple[Operation, ...] = ()  # what calls of the project's functions do to a record that their caller also reads or writes
    sections: tuple[Section, ...] = ()
    clients: tuple[Client, ...] = ()
    mutations: tuple[Mutation, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    swaps: tuple[Swap, ...] = ()
    in_transaction: frozenset[Place] = frozenset()  # calls of the project's functions that stand in a database transaction
    freed: tuple[Freed, ...] = ()
    in_section: frozenset[Place] = frozenset()  # calls of the project's functions that stand in a critical section
    uses: tuple[Use, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    entries: tuple[Entry, ...] = ()
    calls: tuple[tuple[str, str, Place], ...] = ()
    handed: frozenset[tuple[str, Place]] = frozenset()  # functions that are passed at a call, and not what is called
    call_guards: Mapping[Place, tuple[Guard, ...]] = field(default_factory=dict)
    started: frozenset[tuple[str, Place]] = frozenset()  # functions that a call starts beside its own: threads, tasks
    kept_up: frozenset[Place] = frozenset()  # calls that a loop repeats which has no end but that it is told to stop
    looped: frozenset[Place] = frozenset()  # calls of the project's functions that a loop repeats
    retried: Mapping[Place, Retry] = field(default_factory=dict)  # calls that a loop makes again until they succeed
    retried_functions: Mapping[str, Retry] = field(default_factory=dict)  # functions that a decorator calls again
    unheeded: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)  # calls that throw away the yes or no of a taker
    modules: Mapping[str, str] = field(default_factory=dict)  # dotted module name -> path
    imports: tuple[tuple[str, str], ...] = ()  # importing module, imported module
    requirements: tuple[Requirement, ...] = ()
    deployment: Deployment = field(default_factory=Deployment)
    skips: tuple[Skip, ...] = ()
    python2: frozenset[str] = frozenset()
    unused_suppressions: tuple[tuple[Suppression, str], ...] = ()
    malformed_suppressions: tuple[tuple[Suppression, str], ...] = ()


class System:
    """The questions that rules may ask. Every answer is sorted by place."""

    def __init__(self, world: World) -> None:
        self._world = world

    # -- code ------------------------------------------------------------------------------------------------

    def operations(
        self,
        *ops: Op,
        backend: str | Iterable[str] | None = None,
        kind: str | None = None,
        tests: bool = False,
        carried: bool = False,
    ) -> Iterator[Operation]:
        """Library calls by what they do, on which backend, with which kind of effect; test code only when asked.

        `carried`: also the calls of the project's own wrappers that read or write a record which their caller writes or reads.
        """
        backends = _names(backend)
        for op in self._with_carried if carried else self._world.operations:
            if (
                (not ops or op.op in ops)
                and (backends is None or op.backend in backends)
                and (kind is None or op.kind == kind)
                and (tests or not op.in_test)
            ):
                yield op

    @cached_property
    def _with_carried(self) -> tuple[Operation, ...]:
        return tuple(sorted((*self._world.operations, *self._world.carried), key=lambda o: (o.place, o.call)))

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

    def mutations(self, *, tests: bool = False) -> Iterator[Mutation]:
        """Read-modify-write of one stored record."""
        return (m for m in self._world.mutations if tests or not m.in_test)

    def swaps(self) -> tuple[Swap, ...]:
        """Calls of the project's own compare-and-swap that are made again until one wins."""
        return self._world.swaps

    def sweeps(self, *, tests: bool = False) -> Iterator[tuple[Sweep, Place]]:
        """Loops that count shared rows one by one within a transaction, with where that was opened or entered."""
        for sweep in self._world.sweeps:
            opened = sweep.loop if sweep.transaction else self._transaction_around(sweep.symbol, frozenset())
            if opened is not None and (tests or not sweep.in_test) and not self._is_locked(sweep.symbol, frozenset()):
                yield sweep, opened

    def _transaction_around(self, symbol: str, seen: frozenset[str]) -> Place | None:
        """A call on some way to a function that stands in a transaction."""
        if symbol in seen or len(seen) > 4:
            return None
        calls = [(c, p) for c, p in self.callers(symbol) if not getattr(self.function(c), "in_test", False)]
        direct = next((p for _, p in calls if p in self._world.in_transaction), None)
        if direct is not None:
            return direct
        return next((p for p in (self._transaction_around(c, seen | {symbol}) for c, _ in calls) if p is not None), None)

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

    # -- calls -----------------------------------------------------------------------------------------------

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

    def _only(self, kind: str) -> nx.DiGraph[str]:
        """The part of the graph whose edges are of one kind, by the nodes' identities."""
        part: nx.DiGraph[str] = nx.DiGraph()
        part.add_edges_from((s[1], t[1], data) for s, t, key, data in self._graph.edges(keys=True, data=True) if key == kind)
        return part

    def relations(self, *kinds: str) -> Iterator[tuple[str, str, str]]:
        """Edges of these kinds as (source, kind, target), sorted."""
        found = {(f"{s[0]} {s[1]}", key, f"{t[0]} {t[1]}") for s, t, key in self._graph.edges(keys=True) if not kinds or key in kinds}
        return iter(sorted(found))

    @cached_property
    def _calls(self) -> nx.DiGraph[str]:
        return self._only(CALLS)

    def callers(self, symbol: str) -> tuple[tuple[str, Place], ...]:
        """Who calls a function directly, and where."""
        if symbol not in self._calls:
            return ()
        if symbol not in self._callers:
            found = [(c, p) for c in self._calls.predecessors(symbol) for p in self._calls.edges[c, symbol]["places"]]
            self._callers[symbol] = tuple(sorted(found, key=lambda pair: pair[1]))
        return self._callers[symbol]

    @cached_property
    def _callers(self) -> dict[str, tuple[tuple[str, Place], ...]]:
        return {}

    def calls_of(self, symbol: str) -> tuple[Place, ...]:
        """The calls of the project's functions that a function makes, and those that it passes functions to."""
        if symbol not in self._calls:
            return ()
        return tuple(sorted({p for callee in self._calls.successors(symbol) for p in self._calls.edges[symbol, callee]["places"]}))

    def unheeded(self, symbol: str) -> tuple[Place, ...]:
        """The calls of a function that throw its answer away, where it takes something and answers True or False."""
        return self._world.unheeded.get(symbol, ())

    def happens_before(self, section: Section, effect: Effect) -> bool:
        """Whether the function that takes the lock has made the call that leads to an effect before it takes it.

        What happens without the lock as well is not what the lock is for: a note of progress, the look into a cache.
        """
        if not effect.chain or section.symbol not in self._calls:
            return False
        for callee in self._calls.successors(section.symbol):
            places = self._calls.edges[section.symbol, callee]["places"]
            here = effect.chain[0] in places and effect.operation.symbol in self.reached_from(callee)
            if here and any(p.path == section.acquired.path and p < section.acquired for p in places):
                return True
        return False

    def reached_from(self, symbol: str) -> frozenset[str]:
        """Every function that a function reaches by calls, itself included."""
        if symbol not in self._calls:
            return frozenset((symbol,))
        return frozenset(nx.descendants(self._calls, symbol)) | {symbol}

    def handed_at(self, place: Place) -> tuple[str, ...]:
        """The functions that are passed to a call: callbacks, listeners, targets of threads."""
        return self._handed.get(place, ())

    @cached_property
    def _handed(self) -> dict[Place, tuple[str, ...]]:
        table: dict[Place, tuple[str, ...]] = {}
        for symbol, at in sorted(self._world.handed):
            table[at] = (*table.get(at, ()), symbol)
        return table

    def is_repeated(self, operation: Operation) -> bool:
        """Whether a loop stands around an operation, here or around a call on some way to it."""
        todo, seen = [operation.symbol], set[str]()
        while todo and not operation.loop:
            symbol = todo.pop()
            if symbol not in seen:
                seen.add(symbol)
                if any(at in self._world.looped for _, at in self.callers(symbol)):
                    return True
                todo += [caller for caller, _ in self.callers(symbol)]
        return bool(operation.loop)

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

    def handed_over(self, symbol: str) -> tuple[Place, ...]:
        """The calls to which a function is passed: whoever starts it as a thread, or keeps it as a callback."""
        return tuple(sorted(at for passed, at in self._world.handed if passed == symbol))

    def started_at(self, symbol: str) -> tuple[Place, ...]:
        """The calls that start a function as a thread or a task."""
        return tuple(sorted(at for started, at in self._world.started if started == symbol))

    def is_kept_up(self, call: Place) -> bool:
        """Whether a loop goes on making a call that has no end but that it is told to stop."""
        return call in self._world.kept_up

    def runs(self, symbol: str) -> frozenset[str]:
        """Every function that runs inside a call of this one, itself included: what is handed to others is left out."""
        found, todo = {symbol}, [symbol]
        while todo:
            current = todo.pop()
            for callee in self._calls.successors(current) if current in self._calls else ():
                places = self._calls.edges[current, callee]["places"]
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
            above = {symbol}
            if symbol in self._calls:
                above |= nx.ancestors(self._calls, symbol)
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

    def is_asked_by_most(self, backend: str) -> bool:
        """Whether at least a third of the HTTP handlers, and three of them, use a backend: it is what the program is built on."""
        if backend not in self._asked:
            symbols = {o.symbol for o in self.operations(backend=backend)}
            asking = {e.symbol for symbol in symbols for e in self.entries_reaching(symbol) if e.kind == "http"}
            self._asked[backend] = len(asking) >= 3 and 3 * len(asking) >= len({e.symbol for e in self.entries("http")})
        return self._asked[backend]

    @cached_property
    def _asked(self) -> dict[str, bool]:
        return {}

    @cached_property
    def _reaching(self) -> dict[str, tuple[Entry, ...]]:
        return {}

    def guards_above(self, operation: Operation) -> tuple[Guard, ...]:
        """Handlers around an operation: its own, and those that stand around every call chain's nearest call site.

        A caller's handler counts only when every known caller has one; tests are no callers.
        """
        return operation.guards + self._guards_of(operation.symbol, frozenset())

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
            here = self._world.call_guards.get(place, ()) or self._guards_of(caller, seen | {symbol})
            if not here:
                return ()
            found.extend(here)
        return tuple(dict.fromkeys(found))

    def _used_by(self, symbol: str) -> list[tuple[str, Place]]:
        """The callers of a function but for tests."""
        return [(c, p) for c, p in self.callers(symbol) if not getattr(self.function(c), "in_test", False)]

    def is_locked(self, what: Operation | Mutation) -> bool:
        """Whether some lock is held around it on every known way to it; tests are no way."""
        places, sites = self._under_lock
        place = what.written if isinstance(what, Mutation) else what.place
        return place in places or place in sites or self._is_locked(what.symbol, frozenset())

    def _is_locked(self, symbol: str, seen: frozenset[str]) -> bool:
        _, sites = self._under_lock
        if symbol in seen or len(seen) > 6:
            return False
        callers = self._used_by(symbol)
        return bool(callers) and all(p in sites or self._is_locked(c, seen | {symbol}) for c, p in callers)

    @cached_property
    def _under_lock(self) -> tuple[frozenset[Place], frozenset[Place]]:
        """Operations that stand in a section themselves, and the call sites that do."""
        effects = [e for s in self._world.sections for e in (*s.effects, *s.reads)]
        return frozenset(e.place for e in effects if not e.chain), self._world.in_section

    # -- deployment ------------------------------------------------------------------------------------------

    @property
    def deployment(self) -> Deployment:
        """Workloads, coordinators and connections, as the manifests tell them."""
        return self._world.deployment

    def workloads(self) -> tuple[Workload, ...]:
        """Everything that runs."""
        return self._world.deployment.workloads

    def coordinators(self, *backends: str) -> tuple[Coordinator, ...]:
        """The coordinators and stores among the workloads."""
        return self._world.deployment.coordinators_of(*backends)

    def workloads_of(self, symbol: str) -> tuple[Workload, ...]:
        """The workloads that run a function: those whose programs import its module, directly or not."""
        module = self._module_of(symbol)
        if module is None:
            return ()
        if module not in self._running:
            self._running[module] = tuple(w for w, started in self._started if any(module in self._reachable(m) for m in started))
        return self._running[module]

    @cached_property
    def _started(self) -> list[tuple[Workload, list[str]]]:
        """The workloads, with the modules that their programs start with."""
        return [(w, sorted({self._paths.get(run.path, "") for run in w.runs} - {""})) for w in self.workloads()]

    @cached_property
    def _running(self) -> dict[str, tuple[Workload, ...]]:
        return {}

    def _reachable(self, module: str) -> frozenset[str]:
        if module not in self._reachable_modules:
            imported = nx.descendants(self._imports, module) if module in self._imports else set()
            self._reachable_modules[module] = frozenset(imported) | {module}
        return self._reachable_modules[module]

    @cached_property
    def _reachable_modules(self) -> dict[str, frozenset[str]]:
        return {}

    @cached_property
    def _imports(self) -> nx.DiGraph[str]:
        return self._only(IMPORTS)

    @cached_property
    def _paths(self) -> dict[str, str]:
        return {path: module for module, path in self._world.modules.items()}

    def imported_by(self, symbol: str) -> tuple[Place, ...]:
        """The files (at their first line) that import the module of a symbol directly; tests are left out."""
        module = self._module_of(symbol)
        if module is None or module not in self._imports:
            return ()
        tests = self._test_files
        importers = (self._world.modules.get(m) for m in self._imports.predecessors(module) if m != module)
        return tuple(sorted(Place(path, Span(1)) for path in importers if path and path not in tests))

    @cached_property
    def _test_files(self) -> frozenset[str]:
        return frozenset(f.place.path for f in self._world.functions.values() if f.in_test)

    def _module_of(self, symbol: str) -> str | None:
        name = symbol
        while name and name not in self._world.modules:
            name = name.rpartition(".")[0]
        return name or None

    # -- the project -----------------------------------------------------------------------------------------

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

    def with_suppressions(
        self, *, unused: tuple[tuple[Suppression, str], ...], malformed: tuple[tuple[Suppression, str], ...]
    ) -> System:
        """The same system, once it is known what its suppressions did."""
        return System(replace(self._world, unused_suppressions=unused, malformed_suppressions=malformed))

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
