"""Methods that only pass on what they are given: `def put(self, key, value): return self._client.set(key, value)`.

What such a call does hangs on the caller's arguments, so it is told where it is called, inside the handlers of both. That is done for a method only where
each of its callers says what it passes; otherwise it is told inside of it, as for any other function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from coordlint import ir
from coordlint.link.code.evaluation.arguments import bindings
from coordlint.link.code.evaluation.thin import Thin, inlined, thin
from coordlint.link.code.evaluation.values import (
    FunctionRef,
    Method,
    Value,
    options,
    substitute,
)
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.coordination import Guard
    from coordlint.link.code.evaluation.evaluate import Evaluator
    from coordlint.link.code.walking.walk import Walk

DEEPEST = 3  # such methods behind such methods


class Passed(msgspec.Struct, frozen=True):
    """The library's method behind one that only passes on, and what stands around it there."""

    callee: Method
    call: ir.Call  # as the caller's
    guards: tuple[Guard, ...]
    helper: str
    place: Place  # of the library's call


def passed_on(w: Walk, callee: Value, call: ir.Call) -> list[Passed]:
    """The library's methods that a call of such a method calls."""
    own = thin(w.ev, w.scope.symbol)
    if own is not None and own.call is call and is_told_by_callers(w.ev, w.scope.symbol):
        return []  # told further out
    return [Passed(p.callee, ir.Call(call.func, p.call.args, p.call.keywords, call.at), p.guards, p.helper, p.place) for p in _behind(w, callee, call, 0)]


def _behind(w: Walk, callee: Value, call: ir.Call, depth: int) -> list[Passed]:
    made: list[Passed] = []
    for option in options(callee):
        if not isinstance(option, FunctionRef) or option.symbol == w.scope.symbol or option.held or not is_told_by_callers(w.ev, option.symbol):
            continue
        found, here = thin(w.ev, option.symbol), inlined(w.ev, option.symbol, call)
        if found is None or here is None:
            continue
        target = w.ev.project.scopes[option.symbol]
        known = w.ev.settle(substitute(w.ev.value(found.call.func, target), bindings(w.ev, option, ())))
        guards = next((s.guards for s in w.tracer.trace(option.symbol).steps if s.call is found.call), ())
        name = target.function.name
        made += [Passed(v, here, guards, name, target.place(found.call.at)) for v in options(known) if isinstance(v, Method)]
        for p in _behind(w, known, here, depth + 1) if depth < DEEPEST else ():
            made.append(Passed(p.callee, p.call, (*p.guards, *guards), name, p.place))
    return made


def is_told_by_callers(ev: Evaluator, symbol: str) -> bool:
    """Whether what a method does is told where it is called: each call that is known says what it passes."""
    if symbol not in ev.told:
        ev.told[symbol] = False  # for one that leads back to itself
        found, sites = thin(ev, symbol), ev.sites.get(symbol, ())
        ev.told[symbol] = (
            found is not None and bool(sites) and all(_is_direct(s.call) and inlined(ev, symbol, s.call) is not None for s in sites) and _reaches(ev, symbol, found)
        )
    return ev.told[symbol]


def _reaches(ev: Evaluator, symbol: str, found: Thin) -> bool:
    """Whether a library's method stands behind, whose answer is no object that is asked further: no lock, no pipeline."""
    known = options(ev.settle(ev.value(found.call.func, ev.project.scopes[symbol])))
    return any(_is_asked(v, found) if isinstance(v, Method) else isinstance(v, FunctionRef) and is_told_by_callers(ev, v.symbol) for v in known)


def _is_asked(method: Method, found: Thin) -> bool:
    if method.model.returns:
        return False
    if found.passes_all:
        return True
    position = method.model.params.index(method.model.key) if method.model.key in method.model.params else None
    key = found.call.keyword(method.model.key) if method.model.key else None
    if key is None and position is not None and position < len(found.call.args):
        key = found.call.args[position]
    return key is not None and found.mentions(key)


def _is_direct(call: ir.Call) -> bool:
    """Whether a call stands in the program, and is not made later by somebody to whom it was handed over."""
    return (call.at.line, call.at.column) == (call.func.at.line, call.func.at.column)
