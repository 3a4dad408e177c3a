"""Helpers that call what they are given with the rest of what they are given: `retry(client.put, key, value)`.

Who is called, and with what, is known where the helper is called: there the operation stands, inside the helper's handlers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

import msgspec

from coordlint import ir
from coordlint.coordination import Guard
from coordlint.link.code.evaluation import attributes
from coordlint.link.code.evaluation.thin import thin
from coordlint.link.code.evaluation.values import (
    FunctionRef,
    Instance,
    Method,
    Object,
    Parameter,
    Value,
    options,
)
from coordlint.link.code.flow.usage import STARTERS, last_word
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.link.code.walking import passing
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator
    from coordlint.link.code.walking.walk import Around, Walk


class Applied(NamedTuple):
    """The call that a helper makes for its caller."""

    callee: Value
    call: ir.Call
    statement: ir.Stmt  # the statement around it, with this call in place of the helper's
    around: Around
    helper: str = ""  # a function of the project
    passed: Place | None = None  # where its own one call stands, which has the caller's arguments


def applied(w: Walk, callee: Value, call: ir.Call, s: ir.Stmt, around: Around) -> list[Applied]:
    """The library calls that a call of such a helper makes."""
    for option in options(callee):
        position = _position(w.ev, option)
        if position is None or len(call.args) <= position or any(isinstance(a, ir.Starred) for a in call.args[: position + 1]):
            continue
        given = call.args[position]
        targets = [v for v in options(w.ev.settle(w.ev.value(given, w.scope))) if isinstance(v, Method)]
        if not targets or not isinstance(given, ir.Name | ir.Attribute):
            continue
        inner = ir.Call(given, call.args[position + 1 :], call.keywords, call.at)
        seen = msgspec.structs.replace(around, guards=(*_guards(w, option), *around.guards))
        statement = _with(s, call, inner)
        helper = w.ev.project.scopes[option.symbol].function.name if isinstance(option, FunctionRef) else ""
        return [Applied(target, inner, statement, seen, helper) for target in targets] if isinstance(statement, type(s)) else []
    made: list[Applied] = []
    for p in passing.passed_on(w, callee, call):
        statement = _with(s, call, p.call)
        seen = msgspec.structs.replace(around, guards=(*p.guards, *around.guards))
        made += [Applied(p.callee, p.call, statement, seen, p.helper, p.place)] if isinstance(statement, type(s)) else []
    return made


def is_made_for_callers(w: Walk, call: ir.Call, raw: Value) -> bool:
    """Whether a call is the one inside a helper: what it does is told where the helper is called."""
    own = thin(w.ev, w.scope.symbol)
    if own is not None and own.call is call and passing.is_told_by_callers(w.ev, w.scope.symbol):
        return True
    if not isinstance(raw, Parameter) or raw.symbol != w.scope.symbol or not any(isinstance(a, ir.Starred) for a in call.args):
        return False
    return parameter_of(w.ev, w.scope.symbol) == raw.name


def _position(ev: Evaluator, callee: Value) -> int | None:
    """Where among the arguments the function stands that is called; None for what calls nothing that it is given."""
    match callee:
        case Method(model=model):
            return model.params.index(model.applies) if model.applies else None
        case Instance(type=name):
            found = ev.models.method(name, "__call__")
            return found.params.index(found.applies) if found is not None and found.applies else None
        case FunctionRef(symbol=symbol):
            return _of_function(ev, symbol)
        case Object():
            return next((_of_function(ev, f.symbol) for f in options(attributes.attribute(ev, callee, "__call__")) if isinstance(f, FunctionRef)), None)
        case _:
            return None


def _of_function(ev: Evaluator, symbol: str) -> int | None:
    name = parameter_of(ev, symbol)
    return next((n for n, p in enumerate(_positional(ev.project.scopes[symbol])) if p.name == name), None) if name else None


def _positional(scope: Scope) -> list[ir.Param]:
    params = [p for p in scope.params() if p.kind == "positional"]
    return params[1:] if params and params[0].name in ("self", "cls") else params


def parameter_of(ev: Evaluator, symbol: str) -> str:
    """The parameter of a helper that it calls with everything that follows; "" for any other function."""
    if symbol not in ev.appliers:
        ev.appliers[symbol] = _parameter(ev.project.scopes[symbol])
    return ev.appliers[symbol]


def _parameter(scope: Scope) -> str:
    if not isinstance(scope.node, ir.Function):
        return ""
    variadic = next((p.name for p in scope.params() if p.kind == "args"), "")
    params = _positional(scope)
    if not variadic or not params or len(params) > 3:
        return ""
    name = params[-1].name
    nodes = (n for s in statements(scope.function.body) for e in expressions(s) for n in ir.walk(e))
    return name if any(_hands_over(n, name, variadic) for n in nodes if isinstance(n, ir.Call)) else ""


def _hands_over(call: ir.Call, name: str, variadic: str) -> bool:
    """`function(*args)`, or `again(function, *args)`."""
    if last_word(call.func) in STARTERS:
        return False
    rest = call.args
    if not (isinstance(call.func, ir.Name) and call.func.id == name):
        if not (rest and isinstance(rest[0], ir.Name) and rest[0].id == name):
            return False
        rest = rest[1:]
    return bool(rest) and isinstance(rest[0], ir.Starred) and isinstance(rest[0].value, ir.Name) and rest[0].value.id == variadic


def _guards(w: Walk, helper: Value) -> tuple[Guard, ...]:
    """The handlers around the call that the helper makes."""
    if not isinstance(helper, FunctionRef) or helper.symbol == w.scope.symbol:
        return ()
    name = parameter_of(w.ev, helper.symbol)
    steps = w.tracer.trace(helper.symbol).steps
    return next((s.guards for s in steps if s.parameter is not None and s.parameter.name == name), ())


_BLOCKS = get_args(ir.Stmt)
DEEPEST = 60  # levels of an expression in which the call is looked for


def _with(node: object, old: ir.Call, new: ir.Call, depth: int = 0) -> object:
    """The same statement with one call replaced; the blocks inside it stay."""
    if node is old:
        return new
    if depth > DEEPEST:
        return node
    if isinstance(node, tuple):
        made = tuple(n if isinstance(n, _BLOCKS) else _with(n, old, new, depth + 1) for n in node)
        return node if all(a is b for a, b in zip(node, made, strict=True)) else made
    if isinstance(node, msgspec.Struct):
        changed = {f: after for f in node.__struct_fields__ if (after := _with(before := getattr(node, f), old, new, depth + 1)) is not before}
        return msgspec.structs.replace(node, **changed) if changed else node
    return node
