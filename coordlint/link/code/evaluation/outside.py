"""Attributes and items that are set on an object from outside of its class: `app.redis = Redis()`, `app["redis"] = Redis()`.

Where the object is known, it is the same object by its type. Where it is not, only the name joins the place that sets with
the place that reads: it must say what it is, and everything that is set under it must be of one type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import containers
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Items,
    ModuleRef,
    Object,
    Table,
    Unknown,
    Value,
    one_of,
    options,
)
from coordlint.link.code.scopes.project import Binding, Scope
from coordlint.wording import words

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

_TELLING = frozenset("redis zk zookeeper kazoo etcd consul lock locks mutex cache memcache coordinator valkey election leader".split())
MOST = 20  # assignments of one name that are looked at


def attribute(ev: Evaluator, base: Value, name: str, *, may_guess: bool = True) -> Value:
    """What other code sets as an attribute of a value, where the value itself says nothing of it; by the name alone only where one may guess."""
    if kinds := _kinds(ev, base, name):
        made = ev.answer(ev.outside, (name, kinds), _set_on, ev, name, kinds)
        if not isinstance(made, Unknown):
            return made
    is_typed = any(isinstance(v, Object | Instance | ClassRef | ModuleRef) for v in options(base))
    return _by_name(ev, name, is_typed) if may_guess else UNKNOWN


def is_set(ev: Evaluator, base: Value, name: str) -> bool:
    """Whether other code sets an attribute of a value's kind."""
    return any(True for _ in _fitting(ev, name, _kinds(ev, base, name)))


def _kinds(ev: Evaluator, base: Value, name: str) -> frozenset[str]:
    """What a value may be, where anybody sets that attribute of something."""
    return frozenset(k for v in options(base) if (k := _kind(v))) if name in ev.project.outside else frozenset()


def _set_on(ev: Evaluator, name: str, kinds: frozenset[str]) -> Value:
    """What is set as an attribute of things of these kinds, with what is put into it."""
    made = one_of([ev.settle(ev.binding(b, scope, name)) for b, scope in list(_fitting(ev, name, kinds))])
    return containers.filled(ev, made, [fill for _, fill in ev.project.outside_fills.get(name, ())])


def _fitting(ev: Evaluator, name: str, kinds: frozenset[str]) -> Iterator[tuple[Binding, Scope]]:
    for on, scope, b in ev.project.outside.get(name, ())[:MOST] if kinds else ():
        if kinds & {_kind(v) for v in options(ev.settle(ev.value(on, scope)))}:
            yield b, scope


def _by_name(ev: Evaluator, name: str, is_typed: bool) -> Value:
    said = words(name)
    is_telling, is_long = bool(said & _TELLING), len(said) > 1 and not is_typed
    found = ev.project.outside.get(name, ())[:MOST]
    inside = () if is_typed else ev.project.setters(name)[:MOST]
    if not (is_telling or is_long) or not (found or (inside and is_telling and is_long)):
        return UNKNOWN
    values = [ev.settle(ev.binding(b, scope, name)) for _, scope, b in found]
    return _agreed([*values, *[ev.settle(ev.binding(b, scope, name)) for scope, b in inside]])


def item(ev: Evaluator, key: str) -> Value:
    """What is set as an item of some object under a key that says what it is."""
    if key not in ev.project.outside_items or not words(key) & _TELLING:
        return UNKNOWN
    return _agreed([ev.settle(ev.value(expr, scope)) for expr, scope in ev.project.outside_items[key][:MOST]])


def of_application(ev: Evaluator, base: ir.Expr, name: str) -> Value:
    """What is kept under a name in the application that frameworks hand to every request: `app.state.pool = create_pool()` and `request.app.state.pool`, `app["pool"] = pool` and `request.app["pool"]`."""
    held = _holder(base)
    if not held:
        return UNKNOWN
    found = [(scope, b) for on, scope, b in ev.project.outside.get(name, ())[:MOST] if _holder(on) == held]
    return _agreed([ev.settle(ev.binding(b, scope, name)) for scope, b in found])


def _holder(base: ir.Expr) -> str:
    """Whether an expression is spelled as the application of a framework, or its state: "app", "state"."""
    match base:
        case ir.Attribute(base=ir.Attribute(name="app" | "application") | ir.Name(id="app" | "application"), name="state"):
            return "state"
        case ir.Attribute(name="app" | "application") | ir.Name(id="app" | "application" | "current_app"):
            return "app"
        case _:
            return ""


_KEEPING = ("extensions", "config", "ctx")  # dicts that an application of a framework has for what belongs to it


def item_of_application(ev: Evaluator, base: ir.Expr, key: ir.Expr) -> Value:
    """The same for what is kept as an item."""
    kept = base.base if isinstance(base, ir.Attribute) and base.name in _KEEPING else base
    if _holder(kept) != "app" or not isinstance(key, ir.Const) or not isinstance(key.value, str):
        return UNKNOWN
    return _agreed([ev.settle(ev.value(expr, scope)) for expr, scope in ev.project.outside_items.get(key.value, ())[:MOST]])


def _agreed(values: list[Value]) -> Value:
    """What values are, when all that are known are of one type."""
    known = [v for value in values for v in options(value) if _types(v)]
    types = {t for v in known for t in _types(v)}
    return known[0] if len(types) == 1 and all(not isinstance(v, Table | Items) for v in known) else one_of(known) if len(types) == 1 else UNKNOWN


def _types(value: Value) -> frozenset[str]:
    """The types of objects that a value is, or holds."""
    match value:
        case Instance(type=name):
            return frozenset((name,))
        case Object(symbol=symbol):
            return frozenset((symbol,))
        case Items(items=items):
            return frozenset(t for v in items for o in options(v) for t in _types(o))
        case Table(entries=entries):
            return frozenset(t for _, v in entries for o in options(v) for t in _types(o))
        case _:
            return frozenset()


def _kind(value: Value) -> str:
    match value:
        case Instance(type=name) | External(name=name) | ModuleRef(name=name):
            return name
        case Object(symbol=symbol) | FunctionRef(symbol=symbol):
            return symbol
        case ClassRef(symbol=symbol):
            return f"class {symbol}"
        case _:
            return ""
