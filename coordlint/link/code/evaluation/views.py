"""What views, forms and serializers find and are handed by their frameworks: `self.get_object()`, the `serializer` of `perform_update`, `form.instance`.

A class says which records it is for (`queryset`, `get_queryset`, `model`, `serializer_class`, the `model` of an inner `Meta`); the framework does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.querying import RECORDS, loaded
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    ClassRef,
    Instance,
    Object,
    Super,
    Value,
    one_of,
    options,
)
from coordlint.link.code.scopes.project import Scope
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

_VIEWS = ("View", "ViewSet", "Mixin")
_FIND = frozenset({"get_object", "aget_object"})
_SERIALIZE = {"get_serializer": "serializer_class", "get_form": "form_class"}
_HANDED = {  # method -> the position of a parameter after self, and what stands there
    "perform_create": (0, "serializer"),
    "perform_update": (0, "serializer"),
    "perform_destroy": (0, "record"),
    "form_valid": (0, "form"),
    "form_invalid": (0, "form"),
    "update": (0, "own record"),
}
_DEEPEST = 6  # subclasses that are asked what a mixin is for


def given(ev: Evaluator, call: ir.Call, scope: Scope) -> Value:
    """What a view gets from the methods of its framework: the record that was asked for, the query, the serializer."""
    if not isinstance(call.func, ir.Attribute) or call.func.name not in _FIND | _SERIALIZE.keys() | {"get_queryset"}:
        return UNKNOWN
    name = call.func.name
    made: list[Value] = []
    for base in options(ev.settle(ev.value(call.func.base, scope))):
        receiver = base.receiver if isinstance(base, Super) else base
        if not isinstance(receiver, Object) or not _is(ev, receiver.symbol, _VIEWS):
            continue
        if name in _SERIALIZE:
            first = Arg("instance", ev.value(call.args[0], scope)) if call.args and name == "get_serializer" else None
            named = [Arg(k.name, ev.value(k.value, scope)) for k in call.keywords if k.name == "instance"]
            args = (*([first] if first is not None else []), *named)
            made += [Object(c.symbol, args, scope.place(call.at)) for c in _classes(ev, receiver.symbol, _SERIALIZE[name])]
            continue
        for query in _queries(ev, receiver.symbol, isinstance(base, Super)):
            made.append(query if name == "get_queryset" else _record(query, scope.place(call.at)))
    return one_of(made)


def handed(ev: Evaluator, scope: Scope, name: str) -> Value:
    """What a framework passes to a method that a class defines for it."""
    if scope.owner is None or scope.function.name not in _HANDED:
        return UNKNOWN
    position, what = _HANDED[scope.function.name]
    params = [p.name for p in scope.params()]
    if params[1 + position : 2 + position] != [name]:
        return UNKNOWN
    owner, place = scope.owner.symbol, scope.place(scope.function.at)
    if what == "own record":  # a serializer's `update(self, instance, validated_data)`
        return one_of([Object(m, None, place, loaded="query") for m in records_of(ev, owner)]) if _is(ev, owner, ("Serializer",)) else UNKNOWN
    if not _is(ev, owner, _VIEWS):
        return UNKNOWN
    if what == "record":
        return found_for(ev, owner, place)
    is_new = scope.function.name == "perform_create"
    old = () if is_new or what == "form" else (Arg("instance", found_for(ev, owner, place)),)
    return one_of([Object(c.symbol, old, place) for c in _classes(ev, owner, f"{what}_class")])


def instance_of(ev: Evaluator, form: Object) -> Value:
    """`serializer.instance`: the record that it was made for."""
    for arg in form.arguments or ():
        if arg.name == "instance" or (arg.name == "0" and _is(ev, form.symbol, ("Serializer",))):
            return arg.value
    return UNKNOWN


def is_for_new(ev: Evaluator, form: Object) -> bool:
    """Whether a form or serializer was made for no record, so that saving it makes one."""
    positional = _is(ev, form.symbol, ("Serializer",))  # of forms, the first argument is the data
    return not any(a.name == "instance" or (a.name == "0" and positional) for a in form.arguments or ())


def records_of(ev: Evaluator, symbol: str) -> list[str]:
    """The records that a form or serializer is for, by its inner `Meta`."""
    for scope in classes.ancestry(ev, symbol)[0]:
        meta = next((c for c in scope.children if c.kind == "class" and c.symbol.endswith(".Meta")), None)
        if meta is not None and "model" in meta.names:
            return [o.symbol for o in options(ev.name("model", meta)) if isinstance(o, ClassRef) and classes.is_record(ev, o.symbol)]
    return []


def found_for(ev: Evaluator, symbol: str, place: Place) -> Value:
    """The record that a view's framework finds for a request."""
    return one_of([_record(q, place) for q in _queries(ev, symbol, False)]) if _is(ev, symbol, _VIEWS) else UNKNOWN


def _record(query: Instance, place: Place) -> Value:
    about = query.argument("model")
    return Object(about.value.symbol, None, place, loaded=loaded(query)) if about is not None and isinstance(about.value, ClassRef) else UNKNOWN


def _queries(ev: Evaluator, symbol: str, above: bool) -> list[Instance]:
    """The queries that a view's class answers with, or for a mixin those of its subclasses; `above` asks for what it inherits."""
    found = list(_own_queries(ev, symbol, above))
    if not found:
        found = [q for sub in classes.subclasses(ev, symbol)[:_DEEPEST] for q in _own_queries(ev, sub, False)]
    return found


def _own_queries(ev: Evaluator, symbol: str, above: bool) -> Iterator[Instance]:
    chain = classes.ancestry(ev, symbol)[0]
    for scope in chain:
        if "get_queryset" in scope.names and not (above and scope is chain[0]):
            yield from _of_records(ev, ev.returns(f"{scope.symbol}.get_queryset"))
            return
        if "queryset" in scope.names:
            yield from _of_records(ev, ev.name("queryset", scope))
            return
        if "model" in scope.names:
            yield from (_query(o.symbol) for o in options(ev.name("model", scope)) if isinstance(o, ClassRef) and classes.is_record(ev, o.symbol))
            return
    for name in ("serializer_class", "form_class"):
        for c in _classes(ev, symbol, name):
            yield from map(_query, records_of(ev, c.symbol))


def _of_records(ev: Evaluator, value: Value) -> Iterator[Instance]:
    for option in options(ev.settle(value)):
        match option:
            case Instance(type=kind) if kind in RECORDS and (about := option.argument("model")) is not None and isinstance(about.value, ClassRef):
                yield option
            case Object() if (about := option.argument("model")) is not None and isinstance(about.value, ClassRef):
                yield _query(about.value.symbol)  # a query set of the project's own
            case _:
                pass


def _query(model: str) -> Instance:
    return Instance(RECORDS[1], call=f"{model}.objects", arguments=(Arg("model", ClassRef(model)),))


def _classes(ev: Evaluator, symbol: str, name: str) -> list[ClassRef]:
    """The classes that a view names: `serializer_class = OrderSerializer`."""
    for scope in classes.ancestry(ev, symbol)[0]:
        if name in scope.names:
            return [o for o in options(ev.name(name, scope)) if isinstance(o, ClassRef)]
    return []


def _is(ev: Evaluator, symbol: str, endings: tuple[str, ...]) -> bool:
    """Whether a class is of a kind, by the names of the library's classes above it; a mixin by those of its subclasses."""
    above, libraries = classes.ancestry(ev, symbol)
    if any(name.rpartition(".")[2].endswith(endings) for name in libraries):
        return True
    return bool(above) and not libraries and any(_is(ev, sub, endings) for sub in classes.subclasses(ev, symbol)[:_DEEPEST])
