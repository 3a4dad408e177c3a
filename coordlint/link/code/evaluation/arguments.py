"""Arguments by parameter name: of library calls, of the project's functions, constructors and dataclasses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint import ir
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    ClassRef,
    FunctionRef,
    Items,
    Literal,
    Object,
    OneOf,
    Table,
    Unknown,
    Value,
    options,
)
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator
    from coordlint.source import Place


def bindings(ev: Evaluator, callee: FunctionRef, args: tuple[Arg, ...]) -> dict[tuple[str, str], Value]:
    """What each parameter of a function is at one call: the argument, else the default."""
    scope = ev.project.scopes[callee.symbol]
    made: dict[tuple[str, str], Value] = {}
    for param in scope.params():
        if param.default is not None:
            made[callee.symbol, param.name] = ev.value(param.default, scope.parent or scope)
        elif param.kind == "kwargs":
            made[callee.symbol, param.name] = Table(())
    typed = {p.name: p.annotation for p in scope.params() if p.annotation is not None}
    for arg in (*callee.held, *args):
        known = not isinstance(ev.settle(arg.value), Unknown) or arg.name not in typed
        made[callee.symbol, arg.name] = arg.value if known else _promised(ev, arg.value, typed[arg.name], scope)
    receiver = callee.receiver
    if isinstance(receiver, Object) and receiver.arguments is not None:
        init = constructor(ev, receiver.symbol)
        if init is not None:
            if not any(a.name in ("*", "**") for a in receiver.arguments):
                made.update(((init.symbol, p.name), ev.value(p.default, init.parent or init)) for p in init.params() if p.default is not None)
            made.update(((init.symbol, a.name), a.value) for a in receiver.arguments)
    return made


def _promised(ev: Evaluator, given: Value, annotation: ir.Expr, scope: Scope) -> Value:
    """An argument of which nothing is known is what the parameter's annotation promises."""
    made = ev.annotated(annotation, scope.parent or scope)
    return given if isinstance(made, Unknown | Literal) else made


def constructor(ev: Evaluator, symbol: str) -> Scope | None:
    """The project's own constructor of a class, maybe inherited."""
    for scope in classes.ancestry(ev, symbol)[0]:
        for name in ("__init__", "__new__"):
            made = ev.project.scopes.get(f"{scope.symbol}.{name}")
            if made is not None and made.kind == "function":
                return made
    return None


def arguments_of(ev: Evaluator, callee: FunctionRef | ClassRef, call: ir.Call, scope: Scope) -> tuple[Arg, ...]:
    """The arguments of a call by the parameter names of a function or constructor of the project."""
    target, names = _signature(ev, callee)
    if target is None:
        return bind(ev, names, call, scope)
    params = target.params()
    variadic = next((p.name for p in params if p.kind == "args"), "")
    extra = next((p.name for p in params if p.kind == "kwargs"), "")
    known = frozenset(p.name for p in params)
    made = bind(ev, (*names, variadic) if variadic else names, call, scope, variadic)
    if not extra:
        return made
    inside = tuple(a for a in made if a.name in known)
    outside = tuple((a.name, a.value) for a in made if a.name not in known and a.name != "**")
    passed = [v.entries for a in made if a.name == "**" for v in options(a.value) if isinstance(v, Table)]
    return (*inside, Arg(extra, Table((*outside, *(e for entries in passed for e in entries)))))


def _signature(ev: Evaluator, callee: FunctionRef | ClassRef) -> tuple[Scope | None, tuple[str, ...]]:
    """The function that a call enters, and the parameters that positions stand for; a class without a constructor has fields."""
    is_class = type(callee) is ClassRef
    key = (callee.symbol, is_class, type(callee) is FunctionRef and callee.receiver is not None)
    if key not in ev.signatures:
        ev.signatures[key] = _parameters(ev, callee)
    target, names = ev.signatures[key]
    if isinstance(callee, ClassRef) or not callee.held:
        return target, names
    held = {a.name for a in callee.held}  # by functools.partial
    return target, tuple(name for name in names if name not in held)


def _parameters(ev: Evaluator, callee: FunctionRef | ClassRef) -> tuple[Scope | None, tuple[str, ...]]:
    if isinstance(callee, ClassRef):
        target = constructor(ev, callee.symbol)
        if target is None:
            return None, _fields(ev, callee.symbol)
        skip = 1
    else:
        target = ev.project.scopes[callee.symbol]
        is_method = target.owner is not None and not ev.is_decorated(target, "staticmethod")
        skip = 1 if (is_method and callee.receiver is not None) or is_bound_task(target) else 0
    return target, tuple([p.name for p in target.params() if p.kind == "positional"][skip:])


def is_bound_task(target: Scope) -> bool:
    """Whether a decorator passes the task itself first: `@app.task(bind=True)`."""
    return any(
        isinstance(d, ir.Call) and isinstance(bound := d.keyword("bind"), ir.Const) and bound.value is True
        for d in target.function.decorators
    )


def passed(ev: Evaluator, callee: FunctionRef | ClassRef, call: ir.Call, scope: Scope, name: str) -> Value | None:
    """What a call passes for one parameter; in a plain call the other arguments are not evaluated."""
    target, names = _signature(ev, callee)
    if target is not None and name not in names and any(p.name == name and p.kind in ("args", "kwargs") for p in target.params()):
        return next((a.value for a in arguments_of(ev, callee, call, scope) if a.name == name), None)
    if not _is_plain(call):
        return _spread(ev, names, call, scope, name)
    keyword = call.keyword(name)
    if keyword is not None:
        return ev.value(keyword, scope)
    position = names.index(name) if name in names else len(call.args)
    return ev.value(call.args[position], scope) if position < len(call.args) else None


def _is_plain(call: ir.Call) -> bool:
    """Whether all that a call passes is written out."""
    for a in call.args:
        if type(a) is ir.Starred:
            return False
    return all(k.name for k in call.keywords) if call.keywords else True


def _spread(ev: Evaluator, names: tuple[str, ...], call: ir.Call, scope: Scope, name: str) -> Value | None:
    """What `f(*args, **more)` passes for a parameter, as far as it is known what was gathered."""
    given: list[Value] = []
    for arg in call.args:
        if not isinstance(arg, ir.Starred):
            given.append(ev.value(arg, scope))
            continue
        inner = ev.settle(ev.value(arg.value, scope))
        if isinstance(inner, Unknown | OneOf) or (isinstance(inner, Items) and inner.kind == "many"):
            break
        given += inner.items if isinstance(inner, Items) else (inner,)
    position = names.index(name) if name in names else len(given)
    if position < len(given):
        return given[position]
    keyword = call.keyword(name)
    if keyword is not None:
        return ev.value(keyword, scope)
    several = [v for k in call.keywords if not k.name for v in options(ev.settle(ev.value(k.value, scope))) if isinstance(v, Table)]
    return next((v for t in several if (v := t.get(name)) is not None), None)


def _fields(ev: Evaluator, symbol: str) -> tuple[str, ...]:
    """The annotated names of a class without a constructor: dataclasses, pydantic models, named tuples."""
    names: list[str] = []
    for scope in reversed(classes.ancestry(ev, symbol)[0]):
        names += [n for n, found in scope.names.items() if any(b.annotation is not None for b in found)]
    return tuple(dict.fromkeys(names))


def bind(ev: Evaluator, params: tuple[str, ...], call: ir.Call, scope: Scope, variadic: str = "") -> tuple[Arg, ...]:
    """Arguments by parameter name; positions that no name is known for are called "0", "1" ..."""
    made: list[Arg] = []
    position = 0
    rest: list[Value] = []
    for arg in call.args:
        value = ev.value(arg, scope)
        if type(arg) is ir.Starred:
            inner = ev.value(arg.value, scope)
            given = inner.items if isinstance(inner, Items) and inner.kind != "many" else None
            if given is None and variadic and position == len(params) - 1 and arg is call.args[-1]:
                made.append(Arg(variadic, inner, scope.place(arg.at)))  # `*rest` is handed on whole
                continue
            if given is None:
                made.append(Arg("*", inner, scope.place(arg.at)))
                position += 100  # positions after an unknown number are not known
                continue
            values = list(given)
        else:
            values = [_as_written(value, arg)]
        for one in values:
            name = params[position] if position < len(params) else str(position)
            if variadic and position >= len(params) - 1:
                name = variadic
                rest.append(one)
                if len(rest) > 1:
                    continue
            made.append(Arg(name, one, scope.place(arg.at)))
            position += 1
    if len(rest) > 1:
        made = [replace(a, value=Items("tuple", tuple(rest))) if a.name == variadic else a for a in made]
    for keyword in call.keywords:
        value = _as_written(ev.value(keyword.value, scope), keyword.value)
        if keyword.name:
            made.append(Arg(keyword.name, value, scope.place(keyword.value.at)))
        elif isinstance(value, Table):
            made += _spread_out(value, scope.place(keyword.value.at))
        else:
            made.append(Arg("**", value, scope.place(keyword.value.at)))
    return tuple(made)


def _spread_out(table: Table, place: Place | None) -> list[Arg]:
    """The arguments that `**table` gives; where some of its keys are not known, anything else may be among them."""
    known = [Arg(k, v, place) for k, v in table.entries if k]
    is_open = bool(table.computed) or len(known) < len(table.entries)
    return [*known, Arg("**", UNKNOWN, place)] if is_open else known


def _as_written(value: Value, expr: ir.Expr) -> Value:
    """What nothing is known of keeps the caller's words, for the names in keys: "account.id"."""
    return Unknown(written(expr)) if type(value) is Unknown else value


def expanded(args: tuple[Arg, ...]) -> tuple[Arg, ...]:
    """Arguments with `**kwargs` spread out, where substitution has made them known."""
    made: list[Arg] = []
    for arg in args:
        if arg.name == "**" and isinstance(arg.value, Table):
            made += _spread_out(arg.value, arg.place)
        else:
            made.append(arg)
    return tuple(made)


def given_for(args: tuple[Arg, ...], call: ir.Call, scope: Scope) -> dict[str, ir.Expr]:
    """The expressions that a call gives for parameters."""
    at = {scope.place(e.at): e for e in (*call.args, *(k.value for k in call.keywords))}
    return {a.name: at[a.place] for a in args if a.place in at}
