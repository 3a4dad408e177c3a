"""Calls that are prepared and made later: `functools.partial`, and the providers of a container of dependencies.

`store = providers.Singleton(Store, url=config.url)` is a call of `Store` that the container makes when somebody asks for `store`; a provider that is given to another
one is asked by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint import ir
from coordlint.link.code.evaluation import calling
from coordlint.link.code.evaluation.arguments import arguments_of, bind
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Method,
    Object,
    Partial,
    Result,
    Unknown,
    Value,
    options,
)
from coordlint.link.code.scopes.project import Scope
from coordlint.models.schema import CallModel
from coordlint.source import Span

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

PROVIDERS = ("dependency_injector.providers.", "that_depends.providers.")
FIELDS = ("dataclasses.field", "attr.ib", "attr.field", "attrs.field", "attr.attrib", "pydantic.Field", "pydantic.PrivateAttr")  # of data classes, made by a factory
_PROVIDED = ("dependency_injector.wiring.Provide", "dependency_injector.wiring.Closing")


def produced(ev: Evaluator, factory: ir.Expr, at: Span, scope: Scope) -> Value:
    """What the factory of a field makes: a function or class by its name, a partial of one, or `lambda: Store(url)`."""
    match factory:
        case ir.Lambda(params=(), body=body):
            made = ev.value(body, scope)
            return made if any(isinstance(v, Instance | Object) for v in options(made)) else UNKNOWN  # a text is only what it begins with
        case ir.Name() | ir.Attribute() | ir.Call():
            return calling.result(ev, ir.Call(factory, (), (), at), scope)
        case _:
            return UNKNOWN


def provider(ev: Evaluator, target: Value, call: ir.Call, scope: Scope) -> Value:
    """A provider of what a class or function makes."""
    rest = ir.Call(call.func, call.args[1:], call.keywords, call.at)
    match target:
        case FunctionRef() | ClassRef():
            return Partial(target, _asked(ev, arguments_of(ev, target, rest, scope), call, scope), len(rest.args))
        case External() | Method():
            made = partial(ev, target, call, scope)
            return replace(made, held=_asked(ev, made.held, call, scope)) if isinstance(made, Partial) else made
        case _:
            return UNKNOWN


def _asked(ev: Evaluator, given: tuple[Arg, ...], call: ir.Call, scope: Scope) -> tuple[Arg, ...]:
    """What a provider is given, with the providers among it asked."""
    return tuple(replace(a, value=asked(ev, a.value, call, scope)) for a in given)


def asked(ev: Evaluator, value: Value, at: ir.Expr, scope: Scope) -> Value:
    """What a provider provides."""
    found = next((o for o in options(ev.settle(value)) if isinstance(o, Partial)), None)
    return of_partial(ev, found, ir.Call(at, (), (), at.at), scope) if found is not None else value


def provided(ev: Evaluator, base: Value, index: ir.Expr, scope: Scope) -> Value:
    """`Provide[Container.store]`: what the container's provider provides."""
    is_wired = any(isinstance(o, External) and o.name.startswith(_PROVIDED) for o in options(base))
    return asked(ev, ev.value(index, scope), index, scope) if is_wired else UNKNOWN


def partial(ev: Evaluator, target: Value, call: ir.Call, scope: Scope) -> Value:
    """The held arguments by the target's parameter names."""
    rest = ir.Call(call.func, call.args[1:], call.keywords, call.at)
    if isinstance(target, ClassRef):
        return Partial(target, arguments_of(ev, target, rest, scope), len(rest.args))
    model = target.model if isinstance(target, Method) else ev.models.call(target.name) if isinstance(target, External) else None
    return Partial(target, bind(ev, model.params if model else (), rest, scope), len(rest.args))


def unfolded(ev: Evaluator, value: Partial, call: ir.Call, scope: Scope) -> tuple[CallModel | None, Value | None, tuple[Arg, ...]]:
    """The library call that calling a partial makes: its model, its receiver, all of its arguments."""
    target = value.target
    model = target.model if isinstance(target, Method) else ev.models.call(target.name) if isinstance(target, External) else None
    owner = target.owner if isinstance(target, Method) else None
    params = model.params[value.positions :] if model is not None else ()
    given = bind(ev, params, call, scope)
    names = {a.name for a in given}
    return model, owner, (*[a for a in value.held if a.name not in names], *given)


def of_partial(ev: Evaluator, value: Partial, call: ir.Call, scope: Scope) -> Value:
    place = scope.place(call.at)
    if isinstance(value.target, FunctionRef):
        made = calling.of_function(ev, replace(value.target, held=value.held), (), place)
        return made if not isinstance(made, Unknown) else ev.yields(value.target.symbol)
    if isinstance(value.target, ClassRef):
        return Object(value.target.symbol, value.held, place)
    model, owner, args = unfolded(ev, value, call, scope)
    if model is None:
        return UNKNOWN
    if owner is not None and isinstance(value.target, Method):
        return calling.of_method(ev, owner, value.target.name, model, args, place)
    canonical = ev.models.canonical(value.target.name) if isinstance(value.target, External) else None
    kind = model.returns or (canonical if canonical and ev.models.type(canonical) is not None else "")
    return Instance(kind, model.name, place, args) if kind else Result(model, place)
