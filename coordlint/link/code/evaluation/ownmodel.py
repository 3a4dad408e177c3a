"""Rows of "my own model": `select(self.model)` in a repository's base, whose class the receiver of each call says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import attributes, classes, inheriting
from coordlint.link.code.evaluation.values import (
    Arg,
    ClassRef,
    Instance,
    Items,
    Literal,
    Object,
    Parameter,
    Result,
    Unknown,
    Value,
    one_of,
    options,
)
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.project import Scope

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

ROW = "sqlalchemy.OwnRow"  # one row of it, which only a caller can name
_ASKS = frozenset({"select", "query"})
_BY_KEY = frozenset({"get", "get_one"})
_ONE = frozenset("first one one_or_none scalar scalar_one scalar_one_or_none fetchone get".split())
_LOCKS = frozenset({"with_for_update", "select_for_update"})
_MAPPERS = ("sqlalchemy", "sqlmodel", "flask_sqlalchemy")
_LINKS = 12  # steps that are gone back, through calls and names


def row(call: ir.Call, scope: Scope, found: Value) -> Value | None:
    """What `(await session.execute(select(self.model).where(...))).scalars().first()` and `session.get(self.model, id)` give; None for all else.

    `found` is what is known of the call without that.
    """
    if not isinstance(call.func, ir.Attribute) or call.func.name not in _ONE | _BY_KEY or not (isinstance(found, Unknown | Result) or (isinstance(found, Object) and found.loaded)):
        return None
    if call.func.name in _BY_KEY and len(call.args) > 1 and (own := _own(call.args[0])):
        if isinstance(found, Result) and not found.model.name.startswith(_MAPPERS):
            return None
        locks = any(k.name == "with_for_update" and not (isinstance(k.value, ir.Const) and not k.value.value) for k in call.keywords)
        return _row(own, locks, call, scope)
    names: set[str] = set()
    own = _asked(call, scope, names, _LINKS)
    return _row(own, bool(names & _LOCKS), call, scope) if own else None


def _row(own: str, locks: bool, call: ir.Call, scope: Scope) -> Instance:
    marks = (Arg("with_for_update()", Literal(True)),) if locks else ()
    return Instance(ROW, own, scope.place(call.at), marks)


def _own(expr: ir.Expr) -> str:
    match expr:
        case ir.Attribute(base=ir.Name(id="self" | "cls"), name=name):
            return name
        case _:
            return ""


def _asked(expr: ir.Expr | None, scope: Scope, names: set[str], left: int) -> str:
    """The attribute that a chain of steps asks for rows: back through calls, their statement, and what names were given."""
    if expr is None or left <= 0:
        return ""
    match expr:
        case ir.Call(func=func, args=args):
            names.add(last_word(func))
            if last_word(func) in _ASKS and args:
                return _own(args[0]) if len(args) == 1 else ""
            through = _asked(func.base, scope, names, left - 1) if isinstance(func, ir.Attribute) else ""
            return through or (_asked(args[0], scope, names, left - 1) if args else "")
        case ir.Await(value=value) | ir.Attribute(base=value):
            return _asked(value, scope, names, left - 1)
        case ir.Name(id=name):
            given = [s.value for s in scope.statements if isinstance(s, ir.Assign) and any(isinstance(t, ir.Name) and t.id == name for t in s.targets)]
            found = {own for value in given[:4] if (own := _asked(value, scope, names, left - 1))}
            return next(iter(found)) if len(found) == 1 else ""
        case _:
            return ""


def settled(ev: Evaluator, value: Value, receiver: Value | None) -> Value:
    """What a method answers, where its receiver says whose rows they are."""
    match value:
        case Items(kind="many", items=(one,)) if isinstance(one, Instance) and one.type == ROW:
            return Items("many", (settled(ev, one, receiver),))
        case Instance(type=kind, call=own) if kind == ROW and isinstance(receiver, Object | ClassRef):
            symbol = _class(ev, own, receiver)
            return Object(symbol, None, value.place, loaded="locked" if value.arguments else "query") if symbol else value
        case _:
            return value


def own_row(ev: Evaluator, value: Value, scope: Scope) -> Value:
    """The same, as a method of the class itself sees it."""
    if scope.owner is None or not any(isinstance(v, Instance) and v.type == ROW for v in options(value)):
        return value
    return one_of([settled(ev, v, Object(scope.owner.symbol)) for v in options(value)])


def _class(ev: Evaluator, own: str, receiver: Object | ClassRef) -> str:
    """The one class of records that an object or class has under a name, that its constructor hands up, or in which it is generic."""
    found: list[Value] = [v for v in options(attributes.attribute(ev, receiver, own)) if isinstance(v, ClassRef | Parameter)]
    if isinstance(receiver, Object):
        found = [_handed(ev, v, receiver) if isinstance(v, Parameter) else v for v in found]
    known = list(dict.fromkeys(v.symbol for v in found if isinstance(v, ClassRef) and classes.is_record(ev, v.symbol)))
    if len(known) != 1:
        known = list(dict.fromkeys(_generic(ev, receiver.symbol)))
    return known[0] if len(known) == 1 else ""


def _handed(ev: Evaluator, model: Parameter, receiver: Object) -> Value:
    """What reaches the constructor that keeps the model: `super().__init__(Order, session)`; else what all who make one pass."""
    given = inheriting.given_above(ev, receiver, model.symbol)
    passed = next((ev.settle(a.value) for a in given or () if a.name == model.name), None)
    return passed if isinstance(passed, ClassRef) else ev.settle(model)


def _generic(ev: Evaluator, symbol: str) -> list[str]:
    """`class Orders(Repository[Order])`: the records in the brackets."""
    found: list[str] = []
    for scope in classes.ancestry(ev, symbol)[0]:
        for base in scope.node.bases if isinstance(scope.node, ir.Class) else ():
            if isinstance(base, ir.Index):
                inner = base.index.items if isinstance(base.index, ir.Sequence) else (base.index,)
                known = [v for e in inner for v in options(ev.settle(ev.value(e, scope.parent or scope)))]
                found += [v.symbol for v in known if isinstance(v, ClassRef) and classes.is_record(ev, v.symbol)]
    return found
