"""Clients of coordinators and stores: where they are made, how long they wait, who listens to their sessions."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.coordination import Argument, Client, Operation
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import FunctionRef, Instance, Literal, Method, options
from coordlint.link.code.purposes.listening import is_heard
from coordlint.link.code.scopes.statements import expressions
from coordlint.models.schema import Op
from coordlint.source import Place

_STATES = frozenset(("LOST", "SUSPENDED", "CONNECTED"))
_POOL = ("connection_pool", "pool")
DEEPEST = 2  # calls from a listener to what looks at the state


def clients(ev: Evaluator, operations: tuple[Operation, ...], traces: list[Trace]) -> Iterator[Client]:
    """Every place that makes a client."""
    listeners = _listeners(ev, traces)
    unheard = {place: _unheard(ev, [*found, *(listeners.get(None, []) if place is not None else [])]) for place, found in listeners.items()}
    pools = _pools(ev, traces)
    for o in operations:
        if o.op is not Op.CLIENT or not o.backend:
            continue
        model = ev.models.call(o.call)
        kind = model.returns if model is not None and model.returns else o.call
        found = listeners.get(o.place, []) + listeners.get(None, [])
        hosts = o.argument("hosts") or o.argument("host") or o.argument("url")
        typed = ev.models.type(kind)
        yield Client(
            place=o.place,
            symbol=o.symbol,
            type=kind,
            library=o.library,
            backend=o.backend,
            topology=typed.topology if typed is not None else "",
            arguments=(*o.arguments, *_set_later(ev, o)),
            timeouts=tuple(a for a in o.arguments if model is not None and a.name in model.timeouts and not (a.literal and a.value is None)),
            listeners=tuple(sorted(p for p, _, _ in found)),
            listens_for=tuple(sorted({s for _, states, _ in found for s in states})),
            unheard=unheard.get(o.place, unheard.get(None)),
            at_import=o.symbol in ev.project.modules,
            hosts=(str(hosts.value) if hosts.literal else hosts.text) if hosts is not None else None,
            in_test=o.in_test,
            pool=pools.get(o.place),
        )


def _pools(ev: Evaluator, traces: list[Trace]) -> dict[Place, Place]:
    """Where the pool of connections that a client is given is made, by the place of the client."""
    found: dict[Place, Place] = {}
    for trace, step in ((t, s) for t in traces for s in t.steps if s.operation is not None and s.operation.op is Op.CLIENT):
        for given in (k.value for k in step.call.keywords if k.name in _POOL):
            made = [v.place for v in options(ev.settle(ev.value(given, trace.scope))) if isinstance(v, Instance)]
            found.update((step.place, place) for place in made if place is not None)
    return found


def _set_later(ev: Evaluator, made: Operation) -> Iterator[Argument]:
    """What is set on a client after it was made, by the name of a parameter: `client.default_noreply = False`; in its own file on any."""
    model = ev.models.call(made.call)
    for name in (*model.params, *model.keywords) if model is not None else ():
        if "_" not in name or made.argument(name) is not None:
            continue
        for on, scope, binding in ev.project.outside.get(name, ()):
            if scope.path != made.place.path and not any(isinstance(v, Instance) and v.place == made.place for v in options(ev.settle(ev.value(on, scope)))):
                continue
            value = ev.settle(ev.binding(binding, scope, name))
            if isinstance(value, Literal):
                yield Argument(name, value.value if isinstance(value.value, bool | int | float | str) else None, literal=True)


_Listener = tuple[Place, frozenset[str], tuple[FunctionRef, ...]]
"""Where it is registered, the states that it tests, and what is called."""


def _unheard(ev: Evaluator, listeners: list[_Listener]) -> Place | None:
    """The first of these listeners where nobody hears any of them."""
    functions = [f for _, _, called in listeners for f in called]
    if any(not called for _, _, called in listeners) or is_heard(ev, functions):
        return None
    return min(ev.project.scopes[f.symbol].place(ev.project.scopes[f.symbol].function.at) for f in functions)


def _listeners(ev: Evaluator, traces: list[Trace]) -> dict[Place | None, list[_Listener]]:
    """Session listeners by the place where their client was made; None when that is not known."""
    found: dict[Place | None, list[_Listener]] = {}
    for t in traces:
        for step in t.steps:
            if step.operation is not None and step.operation.op is Op.LISTEN:
                called = tuple(v for arg in step.call.args for v in options(ev.value(arg, t.scope)) if isinstance(v, FunctionRef))
                states = frozenset(state for f in called for state in _states(ev, f))
                found.setdefault(step.operation.client, []).append((step.place, states, called))
        found_by_decorator(ev, t, found)
    return found


def found_by_decorator(ev: Evaluator, t: Trace, found: dict[Place | None, list[_Listener]]) -> None:
    """`@client.add_listener` above a function."""
    if t.scope.kind != "function":
        return
    for decorator in t.scope.function.decorators:
        for value in options(ev.value(decorator, t.scope.parent or t.scope)):
            if isinstance(value, Method) and value.model.op is Op.LISTEN:
                place = value.owner.place if isinstance(value.owner, Instance) else None
                here = FunctionRef(t.scope.symbol)
                found.setdefault(place, []).append((t.scope.place(decorator.at), _states(ev, here), (here,)))


def _states(ev: Evaluator, listener: FunctionRef, depth: int = 0) -> frozenset[str]:
    """The session states that a listener names, itself or in functions that it calls."""
    scope = ev.project.scopes[listener.symbol]
    named: set[str] = set()
    for s in scope.statements:
        for expr in expressions(s):
            for node in ir.walk(expr):
                if isinstance(node, ir.Attribute) and node.name in _STATES:
                    named.add(node.name)
                elif isinstance(node, ir.Const) and node.value in _STATES:
                    named.add(str(node.value))
                elif isinstance(node, ir.Call) and depth < DEEPEST:
                    called = (v for v in options(ev.value(node.func, scope)) if isinstance(v, FunctionRef) and v.symbol in ev.project.scopes)
                    named |= {state for v in called for state in _states(ev, v, depth + 1)}
    return frozenset(named)


