"""What a program starts several times by itself: the service that it hands to a launcher of worker processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.coordination import Multiplied
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.arguments import bind
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import (
    ClassRef,
    FunctionRef,
    Literal,
    Object,
    Parameter,
    Value,
    options,
)
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.models.schema import Op


def multiplied(ev: Evaluator, traces: Iterable[Trace]) -> Iterator[Multiplied]:
    """Classes and functions of the project of which several processes are started, each with the call that says how many."""
    for t in traces:
        for s in t.steps if not is_test(t.scope.path) else ():
            if s.operation is not None and s.operation.op is Op.WORKERS:
                yield from _started(ev, t.scope, s)


def _started(ev: Evaluator, scope: Scope, step: Step) -> Iterator[Multiplied]:
    """A launch, here or, where a function only passes on what it is given, at each of its calls."""
    operation = step.operation
    model = ev.models.call(operation.call) if operation is not None else None
    if model is None:
        return
    given = {a.name: a.value for a in bind(ev, model.params, step.call, scope)}
    what, count = given.get(model.key), given.get(model.value)
    if not isinstance(what, Parameter):
        yield from _several(ev, what, count, _said(step.call, model.value, 1), scope, step.call)
        return
    for site in ev.sites.get(what.symbol, ()):
        if not is_test(site.scope.path):
            passed = site.argument(ev, count.name) if isinstance(count, Parameter) else count
            said = _said(site.call, count.name if isinstance(count, Parameter) else model.value, 1)
            yield from _several(ev, site.argument(ev, what.name), passed, said, site.scope, site.call)


def _several(ev: Evaluator, what: Value | None, count: Value | None, said: str, scope: Scope, call: ir.Call) -> Iterator[Multiplied]:
    if what is None or count is None:
        return  # not passed: one
    known = [v.value for v in options(ev.settle(count)) if isinstance(v, Literal)]
    if known and not any(isinstance(n, int) and n > 1 for n in known):
        return
    for value in options(ev.settle(what)):
        if isinstance(value, Object | ClassRef | FunctionRef):
            yield Multiplied(scope.place(call.at), value.symbol, said or "workers")


def _said(call: ir.Call, name: str, position: int) -> str:
    """The number of processes, as the call writes it."""
    expr = call.keyword(name) or (call.args[position] if len(call.args) > position else None)
    return f"{name}={written(expr)}" if expr is not None else ""
