"""Leases that are kept in the columns of rows: who holds a row, and until when.

`UPDATE jobs SET locked_by = :me, locked_until = :later WHERE id = 7 AND locked_by IS NULL` takes a lock, the same with `locked_by = :me` in the
condition renews it, and `SET locked_by = NULL` gives it back. What is taken by passing over the rows that others have locked, a few at a
time and the oldest first, is a queue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coordlint import ir
from coordlint.coordination import Operation
from coordlint.link.code.calls.claims import SKIP_LOCKED
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.values import Pattern
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.purposes.deeds import Deed
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.models.schema import Op
from coordlint.models.sql import classify_sql
from coordlint.wording import words

_LEASE = re.compile(
    r"^((claimed|leased|locked|reserved)_(by|at|until|till|expires?(_at)?)|(lease|lock|claim|reservation)_(owner|holder|until|token|expir\w*|expires?_at|expiry))$"
)
_KEPT = re.compile(r"(updated|modified|changed)_(at|on|time|date)$|^(id|pk|uuid)$|_(id|pk|uuid|key)$")
_RUNS = frozenset("execute exec scalar scalars fetch fetchrow fetchval fetch_one fetch_all first one all update aupdate get_or_none executemany run_sql".split())
_STATEMENT = re.compile(r"\b(select|insert|update|delete|merge|replace)\b", re.I)
_LEADERS = frozenset("leader leadership master primary election elected".split())
_BEATS = frozenset("heartbeat beat expire expires lease seen ping renewed until alive".split())
_ALIVE = frozenset("heartbeat beat seen ping alive".split())
_MEMBERS = frozenset("node member worker instance agent host server replica runner peer controller broker executor scheduler process".split())
_WORK = frozenset("job task run execution message step".split())
DEEPEST = 3  # names that are followed from a call back to the query that it runs


def claimed(t: Trace, s: Step) -> Deed | None:
    """What a statement does to the lease in its rows; what it takes as the next piece of work."""
    o = s.operation
    if o is None or is_test(t.scope.path) or not (o.kind == "database" or o.backend == "database-row"):
        return None
    role = _as_queue(t, s, o) or _as_sign_of_life(s, o) or _as_lease(t, s, o)
    return None if role is None else Deed(role, "database-row", o.library, 1.0, None, Pattern(o.key, o.key_text or o.key) if o.key else None)


def _as_queue(t: Trace, s: Step, o: Operation) -> str | None:
    if o.conditional != SKIP_LOCKED:
        return None
    said = {call.func.name for call in _chain(s.call, t.scope) if isinstance(call.func, ir.Attribute)}
    return "job-queue" if {"limit", "order_by"} <= said else None


def _as_lease(t: Trace, s: Step, o: Operation) -> str | None:
    if last_word(s.call.func) not in _RUNS:
        return None
    written, asked = _columns(t.scope, s.call, o)
    lease = {name: is_null for name, is_null in written.items() if _LEASE.match(name)}
    if not lease:
        return None
    if not all(lease.values()):
        return "lock" if o.op in (Op.CAS, Op.DB_STATEMENT, Op.SQL, Op.EFFECT) else None  # taken, or kept
    others = {name for name in asked if not _KEPT.search(name)}
    return "lock" if not others or (any(_LEASE.match(name) for name in others) and len(others) == 1) else None  # given back by who has it


def _as_sign_of_life(s: Step, o: Operation) -> str | None:
    """Statements about rows that say who leads, or who is there, and until or since when: the columns and the table say it."""
    text = next((a.value for a in o.arguments if isinstance(a.value, str) and _STATEMENT.search(a.value)), "")
    if o.key is None or (last_word(s.call.func) not in _RUNS and not o.call.startswith("sql.") and not o.writes):
        return None
    table, said = words(o.key), words(" ".join((text, *(column for column, _ in (*o.writes, *o.compares)))))
    if not text and table.isdisjoint(_MEMBERS | {"leader", "leadership", "election"}):
        return None  # "master" and "primary" say much else in the name of a class
    if not said & _BEATS:
        return None
    if table & _WORK:
        return None
    if table & _LEADERS:
        return "leader-election"
    return "membership" if table & _MEMBERS and said & _ALIVE else None


def _columns(scope: Scope, call: ir.Call, o: Operation) -> tuple[dict[str, bool], set[str]]:
    """The columns that a statement sets, with whether it sets them to nothing, and those that its condition names."""
    texts = (*(a.value for a in o.arguments), *(a.value for step in _chain(call, scope) for a in step.args if isinstance(a, ir.Const)))
    text = next((t for t in texts if isinstance(t, str) and "update" in t.lower()), None)
    if text is not None:
        sql = classify_sql(text)
        nulls = {name for name in sql.writes if re.search(rf"\b{re.escape(name)}\s*=\s*null\b", text, re.I)}
        return {name: name in nulls for name in sql.writes}, {name for name, _ in sql.compares}
    written: dict[str, bool] = {}
    asked: set[str] = set()
    for step in _chain(call, scope):
        name = step.func.name if isinstance(step.func, ir.Attribute) else ""
        if name in ("values", "update"):
            written.update((k.name, isinstance(k.value, ir.Const) and k.value.value is None) for k in step.keywords if k.name)
        elif name in ("where", "filter", "filter_by", "exclude"):
            asked |= {k.name.partition("__")[0] for k in step.keywords if k.name}
            asked |= {n.name for a in step.args for n in ir.walk(a) if isinstance(n, ir.Attribute) and isinstance(n.base, ir.Name) and n.base.id[:1].isupper()}
    return written, asked


def _chain(expr: ir.Expr, scope: Scope, depth: int = 0) -> Iterator[ir.Call]:
    """The calls that make up a query, through the names that hold its parts."""
    expr = bare(expr)
    if isinstance(expr, ir.Name) and depth < DEEPEST:
        for b in scope.names.get(expr.id, ()):
            if b.kind == "value" and b.expr is not None:
                yield from _chain(b.expr, scope, depth + 1)
    elif isinstance(expr, ir.Call):
        yield expr
        if isinstance(expr.func, ir.Attribute):
            yield from _chain(expr.func.base, scope, depth)
        for arg in expr.args[:1]:
            yield from _chain(arg, scope, depth)
