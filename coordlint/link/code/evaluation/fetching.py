"""Rows that come out of a call, whatever the mapper: `session.scalars(select(Job)).first()`, `Job.get_by_id(7)`, `await Job.filter(id=7).first()`.

What is known is the class that is asked, or the statement that names it; the steps in between are only looked through for a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import classes, columns, querying
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    ClassRef,
    FunctionRef,
    Instance,
    Literal,
    Object,
    Unknown,
    Value,
    options,
)
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.scopes.project import Scope

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

ROWS, SCALARS = "sqlalchemy.Result", "sqlalchemy.ScalarResult"  # what a statement that was run gives
QUERIES = frozenset({ROWS, SCALARS, "peewee.ModelSelect", "tortoise.queryset.QuerySet"})
_RUN = {"execute": ROWS, "stream": ROWS, "scalars": SCALARS, "stream_scalars": SCALARS, "exec": SCALARS}
_ONE = frozenset({"scalar", "scalar_one", "scalar_one_or_none"})
_FIRST = frozenset({"first", "one", "one_or_none", "fetchone", "get", "last"})
_SAME = frozenset({"all", "unique", "fetchall", "partitions", "yield_per", "columns"})
_BY_CLASS = frozenset(
    "get get_or_none get_by_id find_one find_by_id find_one_or_none get_or_404 get_for_update first first_or_none last latest earliest one one_or_none with_id".split()
)
_OF_CLASS = frozenset({"get", "get_one", "get_or_404", "find_one"})  # asked of a session, with the class first
_LOCKS = frozenset({"select_for_update", "with_for_update", "for_update", "get_for_update"})
_LINKS = 12  # steps of a query that are gone back


def fetched(ev: Evaluator, call: ir.Call, scope: Scope) -> Value:
    """The row, or the rows, that a call gives; UNKNOWN where it gives anything else."""
    if not isinstance(call.func, ir.Attribute):
        return UNKNOWN
    name, base = call.func.name, call.func.base
    if (name in _RUN or name == "scalar") and call.args and (of := _stated(ev, call.args[0], scope)) is not None:
        return _row(of, scope, call) if name == "scalar" else Instance(_RUN[name], f"sqlalchemy.{name}", scope.place(call.at), (Arg("model", ClassRef(of.symbol)), *_lock(of)))
    if name in _ONE | _FIRST | _SAME | {"scalars"}:
        made = next((o for o in options(ev.value(base, scope)) if isinstance(o, Instance) and o.type in (ROWS, SCALARS)), None)
        if made is not None:
            return _taken(made, name, call, scope)
    if name in _OF_CLASS and call.args and isinstance(base, ir.Name | ir.Attribute) and (symbol := _class(ev, call.args[0], scope)):
        locks = next((k.value for k in call.keywords if k.name == "with_for_update"), None)
        return Object(symbol, None, scope.place(call.at), loaded="locked" if locks is not None and not _is_false(locks) else "query")
    if name == "objects" and (symbol := _class(ev, base, scope)):
        kind = classes.DOCUMENTS if classes.is_document(ev, symbol) else querying.RECORDS[1]
        asked = [Arg(f"?{column}", Literal(sign)) for column, sign in columns.compared(call)]
        return Instance(kind, f"{symbol}.objects", scope.place(call.at), (Arg("model", ClassRef(symbol)), *asked))  # `Job.objects(state="open")`
    if name in _BY_CLASS and not isinstance(ev.value(call.func, scope), FunctionRef):
        return _asked(ev, call, scope)
    return UNKNOWN


def _is_false(expr: ir.Expr) -> bool:
    return isinstance(expr, ir.Const) and not expr.value


def _stated(ev: Evaluator, expr: ir.Expr, scope: Scope) -> Object | None:
    """The record that a SELECT gives first: `select(Job).where(...)`."""
    for option in options(ev.settle(ev.value(expr, scope))):
        if isinstance(option, Instance) and option.type == "sqlalchemy.Select":
            first = next((a.value for a in option.arguments if a.name in ("0", "entities", "*entities")), None)
            if isinstance(first, ClassRef) and classes.is_record(ev, first.symbol):
                return Object(first.symbol, loaded=querying.loaded(option))
    return None


def _lock(of: Object) -> tuple[Arg, ...]:
    return (Arg("with_for_update()", Literal(True)),) if of.loaded == "locked" else ()


def _row(of: Object, scope: Scope, call: ir.Call) -> Object:
    return Object(of.symbol, None, scope.place(call.at), loaded=of.loaded)


def _taken(rows: Instance, name: str, call: ir.Call, scope: Scope) -> Value:
    """What one step makes of rows: of `execute` they hold the record first, and only `scalars` and `scalar_one` give it."""
    of = rows.argument("model")
    if of is None or not isinstance(of.value, ClassRef):
        return UNKNOWN
    if name in _SAME:
        return rows
    if name == "scalars":
        return Instance(SCALARS, rows.call, rows.place, rows.arguments)
    if name in _ONE or (name in _FIRST and rows.type == SCALARS):
        return _row(Object(of.value.symbol, loaded=querying.loaded(rows)), scope, call)
    return UNKNOWN


def iterated(ev: Evaluator, rows: Instance) -> Value:
    """One of the rows that a query gives when it is looped over."""
    found = None if rows.type == ROWS else about(ev, rows)
    return UNKNOWN if found is None else Object(found.symbol, None, rows.place, loaded=found.loaded or "query")


def _class(ev: Evaluator, expr: ir.Expr, scope: Scope) -> str:
    return next((o.symbol for o in options(ev.settle(ev.value(expr, scope))) if isinstance(o, ClassRef) and classes.is_record(ev, o.symbol)), "")


def _asked(ev: Evaluator, call: ir.Call, scope: Scope) -> Value:
    """`Job.filter(...).order_by(...).first()`: the record of the class that the chain begins with, or of the query that it goes on from."""
    names = {last_word(call.func)}
    expr: ir.Expr = call
    for _ in range(_LINKS):
        expr = bare(expr)
        expr = expr.func.base if isinstance(expr, ir.Call) and isinstance(expr.func, ir.Attribute) else expr.base if isinstance(expr, ir.Attribute) else ir.Other((), expr.at)
        if isinstance(expr, ir.Other):
            return UNKNOWN
        if isinstance(expr, ir.Attribute | ir.Call):
            names.add(last_word(expr.func if isinstance(expr, ir.Call) else expr))
        value = ev.value(expr, scope)
        if isinstance(value, Unknown):
            continue
        if (found := about(ev, value)) is not None:
            locked = found.loaded == "locked" or bool(names & _LOCKS)
            return Object(found.symbol, None, scope.place(call.at), loaded="locked" if locked else "query")
    return UNKNOWN


def about(ev: Evaluator, value: Value) -> Object | None:
    """The class of records that is asked: itself, or by a query of it."""
    for option in options(ev.settle(value)):
        if isinstance(option, ClassRef) and classes.is_record(ev, option.symbol):
            return Object(option.symbol)
        marks: tuple[Arg, ...] = ()
        asked: Value | None = option
        while isinstance(asked, Instance):
            marks = (*marks, *asked.arguments)
            model = asked.argument("model")
            symbol = model.value.symbol if model is not None and isinstance(model.value, ClassRef) else asked.subclass
            if symbol and classes.is_record(ev, symbol):
                return Object(symbol, loaded="locked" if any(m.name.removesuffix("()") in _LOCKS for m in marks) else "")
            asked = asked.owner
    return None
