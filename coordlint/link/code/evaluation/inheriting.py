"""What a subclass of a library's class makes of the arguments of its own constructor: those that it hands up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint import ir
from coordlint.link.code.evaluation.arguments import arguments_of, bind, bindings, constructor
from coordlint.link.code.evaluation.values import (
    Arg,
    External,
    FunctionRef,
    Object,
    Super,
    options,
    substitute,
)
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions, statements

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

DEEPEST = 5  # classes between the object's and the library's


def handed_up(ev: Evaluator, made: Object, library: str, depth: int = 0) -> tuple[Arg, ...]:
    """The arguments of the library's constructor: `super().__init__(path, ttl=ttl)`; those of the object where its class has no such call."""
    given = made.arguments or ()
    init = constructor(ev, made.symbol)
    call = _call_above(ev, init) if init is not None else None
    if init is None or call is None or depth > DEEPEST:
        return given
    known = bindings(ev, FunctionRef(init.symbol, Object(made.symbol)), given)
    above = next((v for v in options(ev.value(call.func, init)) if isinstance(v, FunctionRef)), None)
    if above is not None:
        passed = arguments_of(ev, above, call, init)
        owner = ev.project.scopes[above.symbol].owner
        filled = tuple(replace(a, value=substitute(a.value, known)) for a in passed)
        return handed_up(ev, Object(owner.symbol, filled, made.place), library, depth + 1) if owner is not None else filled
    model = ev.models.call(library)
    by_name = isinstance(call.func, ir.Attribute) and not any(isinstance(v, Super) for v in options(ev.value(call.func.base, init)))
    plain = replace(call, args=call.args[1:]) if by_name else call  # `Lock.__init__(self, path)`
    passed = bind(ev, model.params if model is not None else (), plain, init)
    return tuple(replace(a, value=substitute(a.value, known)) for a in passed)


def given_above(ev: Evaluator, base: Object, above: str) -> tuple[Arg, ...] | None:
    """The arguments that reach the constructor of a class above: `super().__init__(Order, session)`; None where the way there is not seen."""
    made, known = Object(base.symbol, base.arguments or (), base.place), base.arguments or ()
    for _ in range(DEEPEST):
        init = constructor(ev, made.symbol)
        if init is None:
            return None
        if init.symbol == above:
            return known
        call = _call_above(ev, init)
        target = next((v for v in options(ev.value(call.func, init)) if isinstance(v, FunctionRef)), None) if call is not None else None
        if call is None or target is None or (owner := ev.project.scopes[target.symbol].owner) is None:
            return None
        filled = bindings(ev, FunctionRef(init.symbol, Object(made.symbol)), known)
        known = tuple(replace(a, value=substitute(a.value, filled)) for a in arguments_of(ev, target, call, init))
        made = Object(owner.symbol, known, made.place)
    return None


def _call_above(ev: Evaluator, init: Scope) -> ir.Call | None:
    """The call of the constructor above, in a constructor."""
    for s in statements(init.function.body):
        for e in expressions(s):
            for call in ev.inside(e).calls:
                if not isinstance(call.func, ir.Attribute) or call.func.name != "__init__":
                    continue
                if any(isinstance(v, Super | External) for v in options(ev.value(call.func.base, init))):
                    return call
    return None
