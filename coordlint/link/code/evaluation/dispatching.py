"""Helpers that call a method by its name: `self._call("get", key)`, where `getattr(self._store, method)(*args)` stands inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from coordlint import ir
from coordlint.link.code.evaluation import attributes
from coordlint.link.code.evaluation.arguments import bindings
from coordlint.link.code.evaluation.values import (
    Arg,
    FunctionRef,
    Literal,
    Method,
    Value,
    options,
    substitute,
)
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions, statements

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

MOST = 4  # objects that are asked for the method: the first, and what stands in for it


class Shape(NamedTuple):
    """A helper that gets a method's name and its arguments."""

    name: str  # the parameter with the method's name
    position: int  # of the name among the arguments of a call
    bases: tuple[ir.Expr, ...]  # whose method it is


def dispatched(ev: Evaluator, function: FunctionRef, call: ir.Call, scope: Scope) -> tuple[tuple[Value, ...], ir.Call] | None:
    """What a call of such a helper calls, and the call that it makes there; None for any other function."""
    shape = shape_of(ev, function.symbol)
    if shape is None or len(call.args) <= shape.position or any(isinstance(a, ir.Starred) for a in call.args[: shape.position + 1]):
        return None
    name = ev.settle(ev.value(call.args[shape.position], scope))
    if not isinstance(name, Literal) or not isinstance(name.value, str):
        return None
    target = ev.project.scopes[function.symbol]
    filled = bindings(ev, function, (Arg(shape.name, name),))
    found: list[Value] = []
    for base in shape.bases:
        known = ev.settle(substitute(ev.value(base, target), filled))
        found += [v for v in options(attributes.attribute(ev, known, name.value)) if isinstance(v, FunctionRef | Method)]
    made = [v for v in found if not (isinstance(v, FunctionRef) and v.symbol in (function.symbol, scope.symbol))]
    rest = ir.Call(call.func, (*call.args[: shape.position], *call.args[shape.position + 1 :]), call.keywords, call.at)
    return (tuple(made[:MOST]), rest) if made else None


def shape_of(ev: Evaluator, symbol: str) -> Shape | None:
    """How a function calls by name, None when it does not."""
    if symbol not in ev.dispatchers:
        ev.dispatchers[symbol] = _shape(ev.project.scopes[symbol])
    return ev.dispatchers[symbol]


def _shape(scope: Scope) -> Shape | None:
    params = [p for p in scope.params() if p.kind == "positional"]
    params = params[1:] if scope.owner is not None else params
    variadic = next((p.name for p in scope.params() if p.kind == "args"), "")
    if not variadic or not params or len(params) > 2:
        return None
    for position, param in enumerate(params):
        named = dict(_named(scope, param.name))
        bases = tuple(base for func, base in named.items() if _is_called(scope, func, variadic))
        if bases and len(params) == position + 1:
            return Shape(param.name, position, bases)
    return None


def _named(scope: Scope, name: str) -> Iterator[tuple[str, ir.Expr]]:
    """Names that stand for what `getattr(base, name)` gives, "" where it is called at once; each with its base."""
    for s in statements(scope.function.body):
        for expr in expressions(s):
            for node in ir.walk(expr):
                match node:
                    case ir.Call(func=ir.Name(id="getattr"), args=(base, ir.Name(id=given), *_)) if given == name:
                        target = s.targets[0] if isinstance(s, ir.Assign) and s.value is node else None
                        yield (target.id if isinstance(target, ir.Name) else f"@{node.at.line}:{node.at.column}"), base
                    case _:
                        pass


def _is_called(scope: Scope, func: str, variadic: str) -> bool:
    """Whether a name, or a getattr at a place, is called with everything that the helper was given."""
    for s in statements(scope.function.body):
        for expr in expressions(s):
            for node in ir.walk(expr):
                if not isinstance(node, ir.Call) or not node.args or not isinstance(node.args[0], ir.Starred):
                    continue
                passes = isinstance(node.args[0].value, ir.Name) and node.args[0].value.id == variadic
                called = node.func.id if isinstance(node.func, ir.Name) else f"@{node.func.at.line}:{node.func.at.column}" if isinstance(node.func, ir.Call) else ""
                if passes and called == func:
                    return True
    return False

