"""Database transactions that nobody writes where they hold: those of a framework around a request, and those of all callers.

Django's ATOMIC_REQUESTS puts each view into a transaction that ends when it has answered. A function that is only ever called inside
transactions runs inside one as well, whoever opened it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from coordlint import ir
from coordlint.coordination import Entry
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.evaluate import Evaluator, last_name
from coordlint.link.code.evaluation.values import Literal, Table, options
from coordlint.link.code.scopes.project import Scope, is_test

_SETTING = "ATOMIC_REQUESTS"
_OF_DJANGO = ("@api_view", "@action", "@detail_route", "@list_route")  # decorators that make views of Django; all others are of other frameworks


def requests(ev: Evaluator, entries: Iterable[Entry]) -> frozenset[str]:
    """The views that Django runs in a transaction each; none where its settings do not say so, or contradict each other."""
    said = {value for scope in ev.project.settings for value in _said(ev, scope)}
    if said != {True}:
        return frozenset()
    return frozenset(e.symbol for e in entries if e.kind == "http" and _is_view(ev.project.scopes.get(e.symbol), e))


def _said(ev: Evaluator, scope: Scope) -> Iterator[bool]:
    """What a settings module says of each database."""
    if is_test(scope.path) or "DATABASES" not in scope.names:
        return
    for databases in options(ev.settle(ev.name("DATABASES", scope))):
        for _, database in databases.entries if isinstance(databases, Table) else ():
            for one in options(ev.settle(database)):
                told = one.get(_SETTING) if isinstance(one, Table) else None
                for value in options(told) if told is not None else ():
                    if isinstance(value, Literal):
                        yield bool(value.value)


def _is_view(scope: Scope | None, entry: Entry) -> bool:
    if scope is None or scope.kind != "function" or scope.function.is_async:
        return False  # Django refuses to run an asynchronous view in a transaction
    if entry.reason.startswith("@") and not entry.reason.startswith(_OF_DJANGO):
        return False
    owner = scope.owner.node if scope.owner is not None else None
    decorators = (*scope.function.decorators, *(owner.decorators if isinstance(owner, ir.Class) else ()))
    exempt = any("non_atomic_requests" in _names(d) for d in decorators)
    return not exempt and "middleware" not in entry.reason


def _names(decorator: ir.Expr) -> tuple[str, ...]:
    """`@transaction.non_atomic_requests`, or `@method_decorator(transaction.non_atomic_requests, name="dispatch")`."""
    return (last_name(decorator), *(last_name(a) for a in decorator.args)) if isinstance(decorator, ir.Call) else (last_name(decorator),)


# -- who is called inside transactions only ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Called:
    """The calls of one function."""

    callers: set[str] = field(default_factory=set)  # those that are no transaction themselves
    is_called: bool = False
    is_open: bool = False  # called, or handed on, where no transaction can be


def spread(traces: Iterable[Trace], entries: Iterable[Entry]) -> None:
    """Marks what happens in functions that are called inside transactions only."""
    several = [t for t in traces if not is_test(t.scope.path)]
    inside = _always(several, frozenset(e.symbol for e in entries))
    for t in several:
        if t.scope.symbol not in inside:
            continue
        for step in t.steps:
            if not step.deferred:
                step.transaction = True
                if step.operation is not None:
                    step.operation = msgspec.structs.replace(step.operation, transaction=True)
        for draft in t.drafts:
            draft.transaction = True


def _always(traces: list[Trace], outermost: frozenset[str]) -> set[str]:
    called: dict[str, _Called] = {}
    for t in traces:
        for step in t.steps:
            for i, function in enumerate(step.functions):
                known = called.setdefault(function.symbol, _Called())
                known.is_called = True
                if i >= step.called or step.deferred:
                    known.is_open = True  # who calls it then is not seen here
                elif not step.transaction and function.symbol != t.scope.symbol:
                    known.callers.add(t.scope.symbol)
    left = {symbol: set(c.callers) for symbol, c in called.items() if c.is_called and not c.is_open and symbol not in outermost}
    callees: dict[str, list[str]] = {}
    for symbol, callers in left.items():
        for caller in callers:
            callees.setdefault(caller, []).append(symbol)
    todo = [symbol for symbol, callers in left.items() if not callers]
    inside: set[str] = set()
    while todo:
        symbol = todo.pop()
        inside.add(symbol)
        for callee in callees.get(symbol, ()):
            left[callee].discard(symbol)
            if not left[callee] and callee not in inside:
                todo.append(callee)
    return inside
