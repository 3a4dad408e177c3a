"""Shared rows that a loop counts up or down one by one, in the order of something that has none."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.contention import Sweep
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.columns import assigned
from coordlint.link.code.flow.usage import bare, calls_in, last_word, names_in
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements

_QUERIES = frozenset("filter filter_by exclude all values_list annotate select_related prefetch_related".split())
_ORDERED = frozenset("order_by sorted sort earliest latest in_bulk".split())
_SAME_ORDER = frozenset("list tuple enumerate iter iterator items keys values".split())
_UNORDERED = frozenset("set frozenset dict defaultdict Counter".split())


def sweeps(trace: Trace) -> Iterator[Sweep]:
    """One for each loop whose updates are not under a lock."""
    scope = trace.scope
    if scope.kind != "function":
        return
    for loop in scope.statements:
        if not isinstance(loop, ir.Loop) or loop.target is None or loop.is_async:
            continue
        step = next((s for s in _updates(trace, loop) if not s.held), None)
        if step is not None and not _commits(loop) and _has_no_order(loop.test, scope):
            yield Sweep(
                place=step.place,
                symbol=scope.symbol,
                over=written(bare(loop.test)),
                loop=scope.place(loop.at),
                transaction=step.transaction or _of_a_session(step.call),
                in_test=is_test(scope.path),
            )


def _updates(trace: Trace, loop: ir.Loop) -> list[Step]:
    """Calls in the body that count a column of the row which the loop has come to: `update(n=F("n") - 1)`."""
    places = {trace.scope.place(c.at) for s in statements(loop.body) for e in expressions(s) for c in calls_in(e)}
    assert loop.target is not None
    named = names_in(loop.target)
    return [
        s
        for s in trace.steps
        if s.place in places and last_word(s.call.func) in ("update", "values") and any(how == "+=" for _, how in assigned(s.call)) and _chooses(s.call, named)
    ]


def _chooses(call: ir.Call, named: set[str]) -> bool:
    """Whether the rows are chosen by what the loop has come to: `filter(pk=item.pk).update(...)`."""
    return isinstance(call.func, ir.Attribute) and any(
        last_word(c.func) in ("filter", "filter_by", "where") and names_in(c) & named for c in calls_in(call.func.base)
    )


def _commits(loop: ir.Loop) -> bool:
    return any(last_word(c.func) == "commit" for s in statements(loop.body) for e in expressions(s) for c in calls_in(e))


def _of_a_session(call: ir.Call) -> bool:
    """SQLAlchemy begins a transaction by itself."""
    return any(last_word(c.func) in ("query", "where", "filter_by") for c in calls_in(call.func))


def _has_no_order(source: ir.Expr, scope: Scope, depth: int = 0) -> bool:
    """A query without order, a set, or a table that was filled on the way; what is not known has its order."""
    source = bare(source)
    match source:
        case ir.Sequence(kind="set") | ir.Mapping() | ir.Comprehension(kind="set" | "dict"):
            return True
        case ir.Name(id=name):
            values = [
                s.value
                for s in scope.statements
                if isinstance(s, ir.Assign) and s.value is not None and any(isinstance(t, ir.Name) and t.id == name for t in s.targets)
            ]
            sorts = any(written(c.func) == f"{name}.sort" for s in scope.statements for e in expressions(s) for c in calls_in(e))
            return bool(values) and not sorts and depth < 4 and all(_has_no_order(v, scope, depth + 1) for v in values)
        case ir.Call(func=func):
            chain = {last_word(c.func) for c in calls_in(source)}
            if chain & _ORDERED:
                return False
            word = last_word(func)
            if isinstance(func, ir.Name):
                return word in _UNORDERED or (word in _SAME_ORDER and bool(source.args) and _has_no_order(source.args[0], scope, depth + 1))
            if chain & _QUERIES:
                root = _root(source)
                return root is None or not _may_be_ordered(root, scope)
            if word in _SAME_ORDER and isinstance(func, ir.Attribute):
                return _has_no_order(func.base, scope, depth + 1)
            return word in _UNORDERED
        case _:
            return False


def _root(expr: ir.Expr) -> ir.Name | None:
    """The variable that a chain of calls goes on from: `rows.filter(...)`, not `order.rows.all()`."""
    while isinstance(expr, ir.Call) and isinstance(expr.func, ir.Attribute):
        expr = expr.func.base
    return expr if isinstance(expr, ir.Name) else None


def _may_be_ordered(root: ir.Name, scope: Scope) -> bool:
    """Whether a query that a chain goes on from was ordered before, or came in from a caller, who may have ordered it."""
    if any(root.id == p.name for p in scope.function.params):
        return True
    values = [
        s.value
        for s in scope.statements
        if isinstance(s, ir.Assign) and s.value is not None and any(isinstance(t, ir.Name) and t.id == root.id for t in s.targets)
    ]
    return not values or any(last_word(c.func) in _ORDERED for v in values for c in calls_in(v))
