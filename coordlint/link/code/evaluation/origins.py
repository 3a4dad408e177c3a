"""Which library stands behind an expression: `app` in `@app.route` is, or was made by, "flask.Flask".

The evaluator knows types that the models describe. Frameworks need no model: their names alone say who calls a function.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.evaluation import calling, classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import (
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Method,
    ModuleRef,
    Object,
    Value,
    options,
)
from coordlint.link.code.scopes.project import Binding, Scope

DEEPEST = 8  # names and calls that one question follows
MOST = 6  # bindings of a name that are looked at

Names = tuple[str, ...]


def origins(ev: Evaluator, expr: ir.Expr, scope: Scope, depth: int = 0) -> Names:
    """Dotted names of libraries: what the expression is, or else what made it, `flask.Flask.route` for `app.route`."""
    if depth > DEEPEST:
        return ()
    value = ev.value(expr, scope)
    found = _distinct(name for v in options(ev.settle(value)) for name in _named(ev, v))
    if found:
        return found
    match expr:
        case ir.Call(func=func):
            made = [r for v in options(ev.value(func, scope)) if isinstance(v, FunctionRef) for r in _returned(ev, v, depth)]
            return _distinct(made) or origins(ev, func, scope, depth + 1)
        case ir.Await(value=inner):
            return origins(ev, inner, scope, depth + 1)
        case ir.Name(id=name):
            return _bound(ev, name, scope, depth + 1)
        case ir.Attribute(base=base, name=name):
            inside = _distinct(n for v in options(ev.settle(ev.value(base, scope))) for n in _member(ev, v, name, depth + 1))
            return inside or tuple(f"{o}.{name}" for o in origins(ev, base, scope, depth + 1))
        case _:
            return ()


def _distinct(names: Iterator[str] | list[str]) -> Names:
    return tuple(dict.fromkeys(names))[:MOST]


def _named(ev: Evaluator, value: Value) -> Names:
    match value:
        case External(name=name):
            return () if name.startswith("builtins.") else (name,)
        case Instance(type=name):
            return (name,)
        case Method(model=model):
            return (model.name,)
        case ClassRef(symbol=symbol) | Object(symbol=symbol):
            return classes.ancestry(ev, symbol)[1]
        case _:
            return ()


def _returned(ev: Evaluator, function: FunctionRef, depth: int) -> Iterator[str]:
    scope = ev.project.scopes[function.symbol]
    if depth < DEEPEST and isinstance(scope.node, ir.Function):
        for expr in tuple(calling.returned(scope))[:MOST]:
            yield from origins(ev, expr, scope, depth + 1)


def _member(ev: Evaluator, base: Value, name: str, depth: int) -> Iterator[str]:
    """What a name of a module, or an attribute of a class of the project, is bound to."""
    match base:
        case ModuleRef(name=module):
            yield from _bound(ev, name, ev.project.modules[module], depth) if module in ev.project.modules else ()
        case Object(symbol=symbol) | ClassRef(symbol=symbol):
            for owner in classes.ancestry(ev, symbol)[0]:
                set_in = [*owner.attributes.get(name, ()), *((owner, b) for b in owner.names.get(name, ()))]
                for scope, binding in set_in[:MOST]:
                    yield from _binding(ev, binding, scope, depth)


def _bound(ev: Evaluator, name: str, scope: Scope, depth: int) -> Names:
    """What made the object that a bare name stands for."""
    around: Scope | None = scope
    while around is not None and depth <= DEEPEST:
        param = next((p for p in around.params() if p.name == name), None)
        if param is not None:
            return () if param.annotation is None else origins(ev, param.annotation, around.parent or around, depth)
        if name in around.names:
            return _distinct(n for b in around.names[name][:MOST] for n in _binding(ev, b, around, depth))
        around = around.parent
    return ()


def _binding(ev: Evaluator, b: Binding, scope: Scope, depth: int) -> Iterator[str]:
    if b.kind in ("value", "item", "entered") and b.expr is not None and not b.path:
        yield from origins(ev, b.expr, scope, depth + 1)
    elif b.kind == "from":
        module = ev.project.find_module(b.module, scope, b.level)
        if module is not None and depth < DEEPEST:
            yield from _bound(ev, b.name, ev.project.modules[module], depth + 1)
