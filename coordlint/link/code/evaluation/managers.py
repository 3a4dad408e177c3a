"""Managers and query sets of Django that a project defines itself: `objects = Orders.from_queryset(OpenOrders)()`.

An object of such a class is asked like the library's own; which model it is for is known where a model keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.values import (
    Arg,
    ClassRef,
    FunctionRef,
    Instance,
    Object,
    Partial,
    Value,
    one_of,
    options,
)

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

MANAGER, QUERY_SET = "django.db.models.Manager", "django.db.models.QuerySet"
_MADE_FROM = "from_queryset"


def of_model(ev: Evaluator, model: str, value: Value) -> Value:
    """What a class keeps, where that is a manager and the class a model: it asks for rows of that model."""
    if not any(_is_query(ev, v) for v in options(value)) or not classes.is_record(ev, model):
        return value
    return one_of([_about(v, model) if _is_query(ev, v) else v for v in options(value)])


def made_by(ev: Evaluator, callee: FunctionRef, made: Value) -> Value:
    """What a method of such a manager gives: rows of the model that it is for."""
    about = callee.receiver.argument("model") if isinstance(callee.receiver, Object) else None
    if about is None or not isinstance(about.value, ClassRef):
        return made
    return one_of([_about(v, about.value.symbol) if _is_query(ev, v) and _asks(v) else v for v in options(made)])


def class_of(ev: Evaluator, symbol: str, name: str) -> Value | None:
    """`OpenOrders.as_manager`, which makes an object that is asked like the query set."""
    return Partial(ClassRef(symbol), (), 0) if name == "as_manager" and _is_kind(ev, symbol) else None


def joined(name: str, first: Value | None) -> Value | None:
    """`Manager.from_queryset(OpenOrders)`: a class whose objects are asked like the query set."""
    owner, _, method = name.rpartition(".")
    is_made = method == _MADE_FROM and owner.startswith("django.db.models.") and isinstance(first, ClassRef)
    return first if is_made else None


def _is_query(ev: Evaluator, value: Value) -> bool:
    match value:
        case Instance(type=kind):
            return kind in (MANAGER, QUERY_SET)
        case Object(symbol=symbol):
            return _is_kind(ev, symbol)
        case _:
            return False


def _is_kind(ev: Evaluator, symbol: str) -> bool:
    return any(ev.models.canonical(name) in (MANAGER, QUERY_SET) for name in classes.ancestry(ev, symbol)[1])


def _asks(value: Value) -> bool:
    return isinstance(value, Instance | Object) and value.argument("model") is None


def _about(value: Value, model: str) -> Value:
    """The same, for rows of a model."""
    about = Arg("model", ClassRef(model))
    match value:
        case Instance(arguments=arguments) if value.argument("model") is None:
            return replace(value, arguments=(*arguments, about))
        case Object(arguments=arguments) if value.argument("model") is None:
            return replace(value, arguments=(*(arguments or ()), about))
        case _:
            return value


