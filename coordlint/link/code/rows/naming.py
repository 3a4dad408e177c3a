"""Who names the key of a general wrapper: `store.write(f"orders/{number}", body)` writes as much as the library's call inside.

There the operation stands a second time, under the key that this caller makes of it. And where what a request or message carries becomes
a part of the key, each key says so: nobody then knows how many there will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from coordlint import ir
from coordlint.coordination import Argument, Entry, Operation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.arguments import given_for
from coordlint.link.code.evaluation.values import shown
from coordlint.link.code.flow.drawing import drawn
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import names_in
from coordlint.link.code.flow.vetting import vetted
from coordlint.link.code.rows.carried import Carrying, Touch
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.walking.records import is_write
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import holes

_CARRIES = frozenset("request req flask.request bottle.request self.request self.req self.get_argument self.get_body_argument".split())
_DEFAULTS = ("default", "fallback", "otherwise")
_BRINGING = ("http", "consumer")


def named(
    carrying: Carrying, traces: Iterable[Trace], brought: Mapping[Place, Place], keeping: Mapping[Place, tuple[str, ...]]
) -> Iterator[Operation]:
    """The reads and writes of wrappers, once more at the calls that name their keys."""
    for t in traces:
        if is_test(t.scope.path) or t.scope.kind != "function" or not any(s.functions for s in t.steps):
            continue
        touches = carrying.touches(t.scope.symbol)
        bound = {touch.step.place: bool(e.value) for touch in touches for e in touch.lives if isinstance(e, ir.Const)}
        chosen: dict[tuple[Place, bool, bool], Touch] = {}
        for touch in touches:  # of several writes of one call, the first that is given a value
            at = (touch.step.place, is_write(touch.operation), touch.operation.op is Op.WATCH)
            if touch.via and touch.named_at == touch.step.place and (at not in chosen or (touch.value and not chosen[at].value)):
                chosen[at] = touch
        for (place, writes, _), touch in chosen.items():
            ephemeral = bound.get(place, touch.operation.ephemeral) if writes else touch.operation.ephemeral
            yield msgspec.structs.replace(_as_here(touch, t.scope, brought), keeps=keeping.get(place, ()), ephemeral=ephemeral)


def brought(carrying: Carrying, started: Iterable[Entry]) -> dict[Place, Place]:
    """The calls that name a key, by their places, with the place at which a handler takes a part of that key out of its request."""
    found: dict[Place, Place] = {}
    for entry in started:
        scope = carrying.scope(entry.symbol)
        if entry.kind not in _BRINGING or scope is None or scope.kind != "function":
            continue
        given = _given(scope)
        for touch in carrying.touches(entry.symbol):
            if touch.named_at is not None and "{}" in touch.key.text and _carried(touch, given, carrying.flow(entry.symbol)):
                found.setdefault(touch.named_at, touch.step.place)
    return found


def kept(carrying: Carrying, traces: Iterable[Trace]) -> dict[Place, tuple[str, ...]]:
    """The fields of its own object that a method writes into a store, by the place of the call: a record that keeps itself."""
    found: dict[Place, tuple[str, ...]] = {}
    for t in traces:
        own = next((p.name for p in t.scope.params()), "") if t.scope.kind == "function" and t.scope.owner is not None else ""
        for touch in carrying.touches(t.scope.symbol) if own and any(s.operation is not None or s.functions for s in t.steps) else ():
            if touch.value and is_write(touch.operation) and touch.step.place not in found:
                names = carrying.flow(t.scope.symbol).sources({n for e in touch.value for n in names_in(e)})
                found[touch.step.place] = tuple(sorted(n for n in names if n.startswith(f"{own}.") and n.count(".") == 1))
    return found


def _carried(touch: Touch, given: frozenset[str], flow: Flow) -> bool:
    names = {n for e in touch.naming for n in names_in(e)}
    return bool(flow.sources(names) & given)


def _given(scope: Scope) -> frozenset[str]:
    """What a handler gets of its request: its parameters, but for those that a framework injects."""
    params = (p for p in scope.params() if not isinstance(p.default, ir.Call) and p.name not in ("self", "cls"))
    return frozenset(p.name for p in params) | _CARRIES


def _as_here(touch: Touch, scope: Scope, brought: Mapping[Place, Place]) -> Operation:
    step = touch.step
    key = Argument("key", text=shown(touch.key.named), place=_place(touch.naming, scope), mentions=_names(touch.naming))
    value = Argument("value", text=", ".join(written(e) for e in touch.value), place=_place(touch.value, scope), mentions=_names(touch.value))
    return msgspec.structs.replace(
        touch.operation,
        place=step.place,
        symbol=scope.symbol,
        key=touch.key.text,
        key_text=shown(touch.key.named),
        arguments=((key, value) if touch.value else (key,)) + _instead(step, scope),
        guards=step.guards,
        loop=step.loop or touch.operation.loop,
        outcome=touch.operation.outcome if is_write(touch.operation) else step.outcome,
        transaction=step.transaction,
        receiver=written(step.call.func.base) if isinstance(step.call.func, ir.Attribute) else "",
        via=touch.via,
        brought=brought.get(step.place),
        vetted=vetted(scope),
        drawn=drawn(scope, tuple(n for n in holes(shown(touch.key.named)) if "(" not in n)),  # what is drawn elsewhere is kept there
        role=None,
    )


def _instead(step: Step, scope: Scope) -> tuple[Argument, ...]:
    """What the caller wants in place of an answer: `default="[]"`."""
    given = given_for(step.args, step.call, scope)
    said = ((name, given[name]) for name in _DEFAULTS if name in given)
    return tuple(Argument(name, literal=isinstance(e, ir.Const | ir.Sequence | ir.Mapping), text=written(e), place=scope.place(e.at)) for name, e in said)


def _place(exprs: tuple[ir.Expr, ...], scope: Scope) -> Place | None:
    return scope.place(exprs[0].at) if exprs else None


def _names(exprs: tuple[ir.Expr, ...]) -> tuple[str, ...]:
    return tuple(sorted({n for e in exprs for n in names_in(e)}))
