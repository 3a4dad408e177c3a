"""Calls of what a caller passes: `factory(*args)`, `import_module(name)`. They are known once the caller's arguments are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import attributes, calling
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    Called,
    ClassRef,
    External,
    FunctionRef,
    Items,
    Literal,
    Method,
    ModuleRef,
    Object,
    OneOf,
    Parameter,
    Table,
    Unknown,
    Value,
    one_of,
    options,
)
from coordlint.link.code.scopes.project import Scope

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

IMPORT = External("importlib.import_module")
IMPORTS = (IMPORT.name, "builtins.__import__", "django.utils.module_loading.import_string")
DEEPEST = 6  # calls of calls that are followed


def imported(ev: Evaluator, name: Value, member: bool = False) -> Value:
    """The module (or, for `member`, the object in it) that a text names; a call to come when a caller gives the text."""
    match name:
        case OneOf(options=several):
            return one_of([imported(ev, v, member) for v in several])
        case Literal(value=str(dotted)) if dotted.replace(".", "").replace("_", "").isalnum():
            if dotted in ev.project.modules:
                return ModuleRef(dotted)
            module, _, last = dotted.rpartition(".")
            if member and module in ev.project.modules:
                return attributes.attribute(ev, ModuleRef(module), last)
            return External(dotted)
        case Parameter():
            return Called(External(IMPORTS[2]) if member else IMPORT, (Arg("0", name),))
        case _:
            return UNKNOWN


def filled(ev: Evaluator, value: Value) -> Value:
    """A value whose calls to come are made, as far as what they call is known by now."""
    if not any(isinstance(v, Called) for v in options(value)):
        return value
    return one_of([_made(ev, v) if isinstance(v, Called) else v for v in options(value)])


def decorated(ev: Evaluator, call: ir.Call, scope: Scope) -> Value | None:
    """`periodic(spacing=5)(sweep)`: what a library's decorator gives is the function, as it is where it stands above the function."""
    if not isinstance(call.func, ir.Call) or len(call.args) != 1 or call.keywords:
        return None
    given = ev.value(call.args[0], scope)
    return given if isinstance(given, FunctionRef) and isinstance(ev.value(call.func.func, scope), External) else None


def settled(ev: Evaluator, value: Called) -> Value:
    """What a call to come gives for the callers that are known."""
    target = ev.settle(value.target)
    if isinstance(target, Unknown):
        return UNKNOWN
    args = tuple(Arg(a.name, ev.settle(a.value), a.place) for a in value.args)
    made = filled(ev, one_of([Called(t, args, value.place) for t in options(target)]))
    return one_of([v for v in options(made) if not isinstance(v, Called)])


def _made(ev: Evaluator, value: Called) -> Value:
    if ev.calls_of_calls > DEEPEST:
        ev.hangs = True
        return UNKNOWN
    ev.calls_of_calls += 1
    try:
        return one_of([_call(ev, target, value) for target in options(value.target)])
    finally:
        ev.calls_of_calls -= 1


def _call(ev: Evaluator, target: Value, value: Called) -> Value:
    match target:
        case Parameter() | Called():
            return Called(target, value.args, value.place)
        case External(name=name) if name in IMPORTS:
            return imported(ev, value.args[0].value, member=name == IMPORTS[2]) if value.args else UNKNOWN
        case External(name=name):
            return calling.of_library(ev, name, value.args, value.place)
        case Method(owner=owner, name=name, model=model):
            return calling.of_method(ev, owner, name, model, named(value.args, model.params), value.place)
        case FunctionRef():
            return calling.of_function(ev, target, named(value.args, _parameters(ev, target)), value.place)
        case ClassRef(symbol=symbol):
            init = ev.project.scopes.get(f"{symbol}.__init__")
            known = _parameters(ev, FunctionRef(init.symbol, Object(symbol))) if init is not None else ()
            return Object(symbol, named(value.args, known), value.place)
        case _:
            return UNKNOWN


def _parameters(ev: Evaluator, function: FunctionRef) -> tuple[str, ...]:
    scope = ev.project.scopes[function.symbol]
    names = tuple(p.name for p in scope.params() if p.kind == "positional")
    is_method = scope.owner is not None and not ev.is_decorated(scope, "staticmethod")
    return names[1:] if is_method and function.receiver is not None else names


def named(args: tuple[Arg, ...], params: tuple[str, ...]) -> tuple[Arg, ...]:
    """Positional arguments by the names of the parameters; `*args` and `**kwargs` are spread where they are known."""
    made: list[Arg] = []
    position = 0
    for arg in args:
        several = [arg.value]
        if arg.name == "**":
            made += [Arg(k, v, arg.place) for k, v in arg.value.entries if k] if isinstance(arg.value, Table) else [arg]
            continue
        if arg.name == "*":
            if not isinstance(arg.value, Items) or arg.value.kind == "many":
                made.append(arg)
                position += 100
                continue
            several = list(arg.value.items)
        elif not arg.name.isdigit():
            made.append(arg)
            continue
        for one in several:
            made.append(Arg(params[position] if position < len(params) else str(position), one, arg.place))
            position += 1
    return tuple(made)
