"""Methods that pass on all that they are given: `def put(self, *args, **options): return self._client.set(*args, **options)`.

What they do hangs on the caller's arguments, so it is told where they are called, inside their handlers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from coordlint import ir
from coordlint.link.code.evaluation.arguments import bindings
from coordlint.link.code.evaluation.values import (
    FunctionRef,
    Method,
    Value,
    options,
    substitute,
)
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions, statements

if TYPE_CHECKING:
    from coordlint.coordination import Guard
    from coordlint.link.code.evaluation.evaluate import Evaluator
    from coordlint.link.code.walking.walk import Walk


class Passed(msgspec.Struct, frozen=True):
    """The library's method behind one that only passes on, and what stands around it there."""

    callee: Method
    call: ir.Call  # as the caller's
    guards: tuple[Guard, ...]
    helper: str


def passed_on(w: Walk, callee: Value, call: ir.Call) -> list[Passed]:
    """The library's methods that a call of such a method calls with the same arguments."""
    made: list[Passed] = []
    for option in options(callee):
        if not isinstance(option, FunctionRef) or option.symbol == w.scope.symbol or option.held:
            continue
        inner = handed_over(w.ev, option.symbol)
        if inner is None:
            continue
        target = w.ev.project.scopes[option.symbol]
        known = w.ev.settle(substitute(w.ev.value(inner.func, target), bindings(w.ev, option, ())))
        guards = next((s.guards for s in w.tracer.trace(option.symbol).steps if s.call is inner), ())
        said = {k.name for k in call.keywords}
        fixed = tuple(k for k in inner.keywords if k.name and k.name not in said)
        as_called = ir.Call(call.func, call.args, (*call.keywords, *fixed), call.at)
        made += [Passed(v, as_called, guards, target.function.name) for v in options(known) if isinstance(v, Method)]
    return made


def is_told_by_callers(w: Walk, call: ir.Call) -> bool:
    """Whether a call is the one inside of such a method, and somebody is seen to call it."""
    return handed_over(w.ev, w.scope.symbol) is call and bool(w.ev.sites.get(w.scope.symbol))


def handed_over(ev: Evaluator, symbol: str) -> ir.Call | None:
    """The one call that a function makes with everything that it is given, in its order; None for any other function."""
    if symbol not in ev.passing:
        found = list(_passing(ev.project.scopes[symbol]))
        ev.passing[symbol] = found[0] if len(found) == 1 else None
    return ev.passing[symbol]


def _passing(scope: Scope) -> Iterator[ir.Call]:
    if not isinstance(scope.node, ir.Function):
        return
    params = scope.params()
    named = [p.name for p in params if p.kind == "positional"][0 if scope.owner is None else 1 :]
    variadic = next((p.name for p in params if p.kind == "args"), "")
    extra = next((p.name for p in params if p.kind == "kwargs"), "")
    if not variadic:
        return
    for s in statements(scope.function.body):
        for expr in expressions(s):
            for call in ir.walk(expr):
                if isinstance(call, ir.Call) and isinstance(call.func, ir.Attribute) and _is_all(call, named, variadic, extra):
                    yield call


def _is_all(call: ir.Call, named: list[str], variadic: str, extra: str) -> bool:
    """Whether a call hands over the parameters by their order, and beside them only what is written out."""
    if not call.args or not isinstance(call.args[-1], ir.Starred) or not _is_name(call.args[-1].value, variadic):
        return False
    if len(call.args) - 1 != len(named) or not all(_is_name(a, n) for a, n in zip(call.args, named, strict=False)):
        return False
    spread = [k for k in call.keywords if not k.name]
    if not all(_is_name(k.value, extra) for k in spread) or (extra and not spread):
        return False
    return all(isinstance(k.value, ir.Const) for k in call.keywords if k.name)


def _is_name(expr: ir.Expr, name: str) -> bool:
    return isinstance(expr, ir.Name) and expr.id == name
