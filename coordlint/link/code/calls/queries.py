"""Statements that go to a database through an object that nothing types: known by what they say.

Connections and cursors come from pools, proxies and request objects. A text that locks rows, takes an advisory lock, listens on a
channel or claims a row says so itself, whoever executes it. Other statements stay unknown: what they are part of is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.calls.meaning import sql_text
from coordlint.link.code.evaluation.values import Instance, options
from coordlint.link.code.flow.usage import last_word, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.models.schema import CallModel, Op
from coordlint.models.sql import SqlKind, classify_sql
from coordlint.wording import words

if TYPE_CHECKING:
    from coordlint.link.code.calls.trace import Trace
    from coordlint.link.code.evaluation.evaluate import Evaluator

_EXECUTING = frozenset(
    "execute executemany execute_sql exec_driver_sql exec raw fetch fetchrow fetchval fetch_one fetch_all fetch_val scalar scalars fetchone fetchall".split()
)
_LOCKING = frozenset(SqlKind) - {
    SqlKind.SELECT, SqlKind.INSERT, SqlKind.UPDATE, SqlKind.DELETE, SqlKind.DDL, SqlKind.BEGIN, SqlKind.COMMIT, SqlKind.ROLLBACK, SqlKind.OTHER,
}  # fmt: skip
_NAMED = (SqlKind.TABLE_LOCK, SqlKind.LISTEN, SqlKind.NOTIFY)
_TEXTS = frozenset("sql query statement stmt text command q".split())
_ROWS = (SqlKind.SELECT, SqlKind.INSERT, SqlKind.UPDATE, SqlKind.DELETE)
_WRITING = (SqlKind.INSERT, SqlKind.UPDATE, SqlKind.DELETE)
_STATEMENTS = ("sqlalchemy.Update", "sqlalchemy.Delete", "sqlalchemy.Insert")
COORDINATES = (Op.ROW_LOCK, Op.ACQUIRE, Op.RELEASE, Op.CAS, Op.SUBSCRIBE, Op.PUBLISH)


def is_runner(trace: Trace) -> bool:
    """Whether a function of the project executes the text that it is given first: the one that all statements of a program go through."""
    named = [p.name for p in trace.scope.params() if p.name not in ("self", "cls")][:1]
    if not named or words(named[0]).isdisjoint(_TEXTS):
        return False
    return any(
        last_word(s.call.func) in _EXECUTING and s.call.args and named[0] in names_in(s.call.args[0])
        for s in trace.steps
    )


def model_of(ev: Evaluator, call: ir.Call, scope: Scope, *, is_run: bool = False) -> CallModel | None:
    """The execution of a statement that may coordinate, as a model; None for all other calls. `is_run`: what is called is known to execute it."""
    if is_run and call.args:
        text = sql_text(ev, ev.value(call.args[0], scope))
        told = classify_sql(text) if text else None
        return CallModel(op=Op.SQL, name=f"sql.{last_word(call.func)}", params=("statement", "params"), key="statement") if told and told.kind in _ROWS else None
    if not isinstance(call.func, ir.Attribute) or call.func.name not in _EXECUTING or not call.args:
        return None
    value = ev.value(call.args[0], scope)
    text = sql_text(ev, value)
    told = classify_sql(text) if text else None
    kind = told.kind if told is not None else None
    if told is not None and kind in _NAMED and (not told.key if kind is not SqlKind.TABLE_LOCK else "table" not in text.lower()):
        return None  # a word that begins like a statement
    if kind in _LOCKING or kind in _WRITING or any(_is_statement(ev, option) for option in options(ev.settle(value))):
        return CallModel(op=Op.SQL, name=f"sql.{call.func.name}", params=("statement", "params"), key="statement")
    return None


def is_read_otherwise(scope: Scope, name: str) -> bool:
    """Whether a function asks for the rows of a query that it holds in a variable: `rows[0]`, `for row in rows`, `list(rows)`, `return rows`."""
    for s in statements(scope.function.body if isinstance(scope.node, ir.Function) else scope.node.body):
        asked: list[ir.Expr] = [s.test] if isinstance(s, ir.Loop) else [s.value] if isinstance(s, ir.Return) and s.value is not None else []
        for node in (n for expr in expressions(s) for n in ir.walk(expr)):
            match node:
                case ir.Index(base=base):
                    asked.append(base)
                case ir.Call(args=args, keywords=keywords):
                    asked += [*args, *(k.value for k in keywords)]
                case ir.Comprehension(sources=sources):
                    asked += sources
                case _:
                    pass
        if any(isinstance(a, ir.Name) and a.id == name for a in asked):
            return True
    return False


def _is_statement(ev: Evaluator, value: object) -> bool:
    return isinstance(value, Instance) and any(ev.models.is_subtype(value.type, name) for name in _STATEMENTS)
