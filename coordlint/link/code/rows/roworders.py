"""In which order a transaction locks rows of two related tables: by SELECT ... FOR UPDATE, and by what it changes or deletes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from coordlint import ir
from coordlint.contention import RowOrder
from coordlint.coordination import Operation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.evaluate import Evaluator, last_name
from coordlint.link.code.evaluation.values import Object, options
from coordlint.link.code.flow.usage import calls_in
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.models.schema import Late, Op
from coordlint.source import Place

DEEPEST = 3  # calls that are followed into
MOST = 80  # locks of one transaction that are looked at
_FOREIGN = frozenset("ForeignKey OneToOneField ParentalKey ForeignKeyField".split())
_TAKES = (Late.OVERWRITE, Late.DELETE, Late.ACCUMULATE)
_ONCE = ("migrations", "management", "alembic", "scripts")  # folders of what runs alone
_Locked = tuple[str, Place, bool]  # table, where, by FOR UPDATE


def row_orders(ev: Evaluator, traces: Iterable[Trace]) -> Iterator[RowOrder]:
    """Each pair of related tables that one transaction locks, in its order; by the names of the classes."""
    several = {t.scope.symbol: t for t in traces if not is_test(t.scope.path)}
    related = _related(ev)
    for t in several.values() if related else ():
        if t.scope.kind != "function" or set(t.scope.path.split("/")) & set(_ONCE):
            continue
        for within in _transactions(t):
            first: dict[str, _Locked] = {}
            for locked in _locked(ev, several, t, within, frozenset()):
                first.setdefault(locked[0], locked)
            rows = list(first.values())[:MOST]
            for i, one in enumerate(rows):
                for two in rows[i + 1 :]:
                    if {(one[0], two[0]), (two[0], one[0])} & related:
                        yield RowOrder(one[0], two[0], one[1], two[1], t.scope.symbol, said=one[2], is_upwards=(one[0], two[0]) in related)


def _transactions(t: Trace) -> Iterator[frozenset[Place] | None]:
    """The calls inside each `with` that opens a transaction; None, for all, where the whole function is one."""
    inside = {s.place: s.transaction for s in t.steps}
    if inside and all(inside.values()):
        yield None
        return
    done: set[Place] = set()
    for s in statements(t.scope.function.body):
        if not isinstance(s, ir.With) or any(inside.get(t.scope.place(i.context.at), True) for i in s.items):
            continue
        places = frozenset(t.scope.place(c.at) for x in statements(s.body) for e in expressions(x) for c in calls_in(e))
        if places - done and any(inside.get(p) for p in places):
            done |= places
            yield places


def _locked(ev: Evaluator, several: Mapping[str, Trace], t: Trace, within: frozenset[Place] | None, seen: frozenset[str]) -> Iterator[_Locked]:
    """The tables of which rows are locked, in the order of the calls."""
    for step in t.steps:
        if (within is not None and step.place not in within) or step.deferred:
            continue
        if step.operation is not None:
            yield from _of(step.operation, step.operation.key or _saved(ev, step, t.scope))
        elif step.called == 1 and len(seen) < DEEPEST and (inner := several.get(step.functions[0].symbol)) is not None and inner.scope.symbol not in seen:
            yield from _locked(ev, several, inner, None, seen | {t.scope.symbol})


def _saved(ev: Evaluator, step: Step, scope: Scope) -> str:
    """The class of a record that is saved or deleted by its own method; one that is new is nobody else's yet."""
    called = last_name(step.call.func)
    if called not in ("save", "asave", "delete", "adelete") or not isinstance(step.call.func, ir.Attribute):
        return ""
    found = {v for v in options(ev.settle(ev.value(step.call.func.base, scope))) if isinstance(v, Object) and (v.loaded or "delete" in called)}
    return next(iter(found)).symbol.rpartition(".")[2] if len(found) == 1 else ""


def _of(operation: Operation, key: str) -> Iterator[_Locked]:
    if not key or not key.isidentifier():
        return
    if operation.row_lock is not None and operation.op in (Op.DB_READ, Op.DB_STATEMENT):
        yield key, operation.place, True
    elif operation.kind == "database" and operation.late in _TAKES:
        yield key, operation.place, False


# -- which tables belong together ----------------------------------------------------------------------------------


def _related(ev: Evaluator) -> frozenset[tuple[str, str]]:
    """(child, parent) by the names of their classes, where one row of the one names one of the other; names of one record's class only."""
    named: dict[str, list[Scope]] = {}
    for c in ev.project.classes():
        if not is_test(c.path) and classes.is_record(ev, c.symbol):
            named.setdefault(c.symbol.rpartition(".")[2], []).append(c)
    tables = {str(b.expr.value): name for name, found in named.items() for b in found[0].names.get("__tablename__", ()) if isinstance(b.expr, ir.Const)}
    pairs = {(name, parent) for name, found in named.items() if len(found) == 1 for parent in _parents(found[0], tables)}
    return frozenset((child, parent) for child, parent in pairs if child != parent and len(named.get(parent, ())) == 1)


def _parents(scope: Scope, tables: Mapping[str, str]) -> Iterator[str]:
    """The classes whose rows a class names in its columns."""
    for found in scope.names.values():
        for b in found:
            for call in calls_in(b.expr) if b.kind == "value" and isinstance(b.expr, ir.Call) else ():
                if last_name(call.func) in _FOREIGN:
                    yield from _named(call.args[0] if call.args else call.keyword("to"), tables)


def _named(expr: ir.Expr | None, tables: Mapping[str, str]) -> Iterator[str]:
    match expr:
        case ir.Const(value=str(text)):
            yield tables.get(text.partition(".")[0], text.rpartition(".")[2])
        case ir.Name() | ir.Attribute():
            yield last_name(expr)
        case _:
            return
