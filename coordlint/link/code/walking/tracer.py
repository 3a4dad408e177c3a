"""All walks of a project, each made once, callees before callers wherever one asks for the other."""

from __future__ import annotations

from functools import cached_property

import msgspec

from coordlint import ir
from coordlint.coordination import Guard, Lock
from coordlint.link.code.calls.locks import by_hand_lock, lock_model, lock_of
from coordlint.link.code.calls.trace import Draft, Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import (
    Arg,
    Instance,
    Value,
)
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import Usage
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.walking import (
    absent,
    decorating,
    flags,
    fullness,
    noting,
    one_by_one,
    records,
    setting,
    watches,
)
from coordlint.link.code.walking.walk import Walk
from coordlint.source import Place

MOST_OPEN = 60  # calls within calls that one walk may follow


class Tracer:
    """Gives the trace of any scope, and what decorators hold around a function."""

    def __init__(self, ev: Evaluator) -> None:
        self.ev = ev
        self._traces: dict[str, Trace] = {}
        self._flows: dict[str, Flow] = {}
        self._usages: dict[str, Usage] = {}
        self.requests: frozenset[str] = frozenset()  # functions that a framework runs in a database transaction each
        self.templated: set[Place] = set()  # calls of a library's constructor that runs methods of the class that is made
        self._open = 0  # walks that have begun and not ended

    @cached_property
    def setters(self) -> setting.Setters:
        """The setters of properties, which assignments call."""
        return setting.setters(self.ev.project)

    def usage(self, scope: Scope) -> Usage:
        """What a scope does with its names."""
        if scope.symbol not in self._usages:
            body = scope.function.body if isinstance(scope.node, ir.Function) else scope.node.body
            self._usages[scope.symbol] = Usage(body)
        return self._usages[scope.symbol]

    def trace(self, symbol: str) -> Trace:
        """The walk over a function or a module's top level. Recursion sees what is known so far."""
        if symbol in self._traces:
            return self._traces[symbol]
        scope = self.ev.project.scopes[symbol]
        made = self._traces[symbol] = Trace(scope, complete=False)
        if self._open > MOST_OPEN:
            return made
        self._open += 1
        Walk(self, scope, made).run()
        self._open -= 1
        records.mark_reads(self.ev, made, lambda: self.flow(symbol), self.trace)
        watches.mark_unwatched(made)
        flags.mark_flags(self.ev, made, lambda: self.flow(symbol))
        noting.mark_notes(made, lambda: self.flow(symbol))
        absent.mark_misses(made, lambda: self.flow(symbol))
        fullness.mark_room(made, lambda: self.flow(symbol))
        one_by_one.mark_listings(made, lambda: self.flow(symbol), self.trace)
        made.complete = True
        return made

    def flow(self, symbol: str) -> Flow:
        """The data flow of a function."""
        if symbol not in self._flows:
            self._flows[symbol] = Flow(self.ev.project.scopes[symbol])
        return self._flows[symbol]

    def relock(self, d: Draft, subject: Value, args: tuple[Arg, ...], via: tuple[str, ...]) -> Lock:
        """The lock of a section with a caller's arguments filled in."""
        meaning = msgspec.structs.replace(d.meaning, args=args) if d.meaning is not None else None
        if isinstance(subject, Instance) and lock_model(self.ev, subject.type) is not None:
            made = lock_of(self.ev, subject, meaning, d.lock.made, via)
        elif meaning is not None:
            made = by_hand_lock(self.ev, meaning, d.owner, d.lock.made, via)
        else:
            made = msgspec.structs.replace(d.lock, via=via)
        return made

    def renamed(self, lock: Lock, enter: Scope) -> Lock:
        """`__enter__` is called by the name of its class."""
        owner = enter.owner
        if owner is None or not lock.via:
            return lock
        name = owner.symbol.rpartition(".")[2]
        return msgspec.structs.replace(lock, via=(name, *lock.via[1:]))

    def give_back(self, walk: Walk) -> None:
        """Ends what the decorators of a walked function release."""
        decorating.give_back(walk)

    def is_transaction(self, walk: Walk) -> bool:
        """Whether a decorator or a framework puts the whole function into a database transaction."""
        return walk.scope.symbol in self.requests or decorating.in_transaction(walk)

    def opens_transaction(self, symbol: str) -> bool:
        """Whether a generator context manager yields inside a database transaction."""
        return self.trace(symbol).yields_in_transaction

    def guards_at_yield(self, symbol: str) -> tuple[Guard, ...]:
        """The handlers of a generator context manager that see what the body of its `with` raises."""
        return self.trace(symbol).guards_at_yield
