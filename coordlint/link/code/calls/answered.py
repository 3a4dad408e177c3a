"""Calls of the project's functions that hand up whether something was taken, or written on condition: what the caller does with that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from coordlint.coordination import Operation, Outcome
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.arguments import bindings
from coordlint.link.code.evaluation.values import Environment, Literal, Parameter, Pattern, fill, shown
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.models.schema import Op

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

DEEPEST = 3  # functions between the call of the library and whoever decides by its answer
_DECIDES = (Op.ACQUIRE, Op.CREATE, Op.CAS, Op.TRANSACTION)


class Handed(NamedTuple):
    """What a function does on condition and leaves to its caller, under a key whose holes its caller may fill."""

    operation: Operation
    key: Pattern | None


def answered(ev: Evaluator, traces: Sequence[Trace]) -> Iterator[Operation]:
    """The conditional writes behind calls of the project's functions, as their callers make them: there, with what becomes of the answer there."""
    handed = {t.scope.symbol: found for t in traces if t.scope.kind == "function" and (found := list(_of_its_own(t)))}
    for _ in range(DEEPEST):
        above: dict[str, list[Handed]] = {}
        for trace in traces if handed else ():
            for made in _asked(ev, trace, handed):
                yield made.operation
                if made.operation.outcome is Outcome.RETURNED:
                    above.setdefault(made.operation.symbol, []).append(made)
        handed = above


def _of_its_own(trace: Trace) -> Iterator[Handed]:
    """By its answer, or by what the library raises."""
    for step in trace.steps:
        o = step.operation
        if o is None or step.deferred or o.op not in _DECIDES or not o.backend:
            continue
        if o.outcome is Outcome.RETURNED or (o.op is Op.CAS and o.backend == "zookeeper" and not o.guards):
            yield Handed(o, step.key)


def _asked(ev: Evaluator, trace: Trace, handed: Mapping[str, list[Handed]]) -> Iterator[Handed]:
    for step in trace.steps:
        callee = step.functions[0] if step.called == 1 and not step.deferred else None
        if callee is None or callee.symbol == trace.scope.symbol or callee.symbol not in handed:
            continue
        given = {name: value for name, value in bindings(ev, callee, step.args).items() if isinstance(value, Literal | Pattern | Parameter | Environment)}
        for o, key in handed[callee.symbol]:
            key = fill(key, given) if key is not None else None
            yield Handed(_as_here(o, step, trace.scope, key), key)


def _as_here(o: Operation, step: Step, scope: Scope, key: Pattern | None) -> Operation:
    return msgspec.structs.replace(
        o,
        place=step.place,
        symbol=scope.symbol,
        key=key.text if key is not None else o.key,
        key_text=shown(key.named) if key is not None else o.key_text,
        outcome=step.outcome,
        guards=(*o.guards, *step.guards),
        loop=step.loop,
        via=(step.functions[0].symbol, *o.via),
        in_test=is_test(scope.path),
        role=None,
    )
