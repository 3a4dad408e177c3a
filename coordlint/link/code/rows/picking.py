"""Rows that are looked for by their state, and then put into another: `job = first(state=NEW)`, `job.state = RUNNING`, a save."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.contention import Mutation
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.flow.between import calls_ahead, calls_until
from coordlint.link.code.flow.usage import bare, calls_in
from coordlint.link.code.rows import searches
from coordlint.link.code.rows.searches import Search, is_literal
from coordlint.link.code.rows.transitions import is_flag, is_locked, is_state
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import statements
from coordlint.link.code.walking import records, rowversions, saving

_ANY = frozenset({"first", "last", "earliest", "latest", "scalar", "scalar_one_or_none", "one_or_none"})


def picked(ev: Evaluator, scope: Scope, trace: Trace) -> Iterator[Mutation]:
    """One for each field by which rows are chosen, and which they then get anew."""
    if not isinstance(scope.node, ir.Function) or not any(s.call.func for s in trace.steps):
        return
    moved = [s for s in statements(scope.node.body) if isinstance(s, ir.Assign) and _field(s) and is_state(s.value)]
    if not moved:
        return
    chosen = dict(_chosen(scope, searches.searches(ev, scope, partly=True)))
    for s in moved:
        name, field = _field(s)
        look, is_one = chosen.get(name, (None, False))
        place = scope.place(s.at)
        if look is None or place < look.place or not (field in look.equal or (not is_one and field in dict(look.among))) or look.equal.get(field) == written(s.value or s.targets[0]):
            continue
        record = records.loaded(ev, name, scope, place)
        saves = saving.saved(ev, trace, name, place, record, behind=True)
        if record is None or not saves or is_locked(ev, name, scope):
            continue
        held = [*saving.held(trace, place, saves), *(d for t in trace.steps if t.place in look.inner for d in t.held)]
        yield Mutation(
            place=place,
            symbol=scope.symbol,
            record=name,
            type=record.symbol,
            field=field,
            read=look.place,
            written=saves[0],
            versioned=rowversions.is_versioned(ev, record.symbol),
            locked=tuple(sorted({d.lock.identity for d in held})),
            arithmetic=False,
            in_test=in_test(scope),
            moved=True,
            until=calls_until(scope, s, saves[0]),
            ahead=calls_ahead(scope, look.place, s),
            flag=is_flag(s.value),
            picked=is_one and look.asks in _ANY and _is_any(look) and not _is_undone(s.value),
        )


def _field(s: ir.Assign) -> tuple[str, str]:
    match s.targets:
        case (ir.Attribute(base=ir.Name(id=name), name=field),):
            return name, field
        case _:
            return "", ""


def _is_any(look: Search) -> bool:
    """Whether a query takes any row in that state, and names neither the row nor whose it is."""
    return all(is_literal(text) for text in look.equal.values())


def _is_undone(value: ir.Expr | None) -> bool:
    """`default = False`: what was given is taken away."""
    return isinstance(value, ir.Const) and value.value is False


def _chosen(scope: Scope, looks: list[Search]) -> Iterator[tuple[str, tuple[Search, bool]]]:
    """The names that stand for rows of a query: the one that it gives, or each of them in a loop."""
    queries: dict[str, Search] = {}
    for s in statements(scope.function.body):
        match s:
            case ir.Assign(targets=(ir.Name(id=name),), value=value) if value is not None:
                look = _of(scope, value, looks)
                if look is not None:
                    queries[name] = look
                    yield name, (look, True)
            case ir.Loop(target=ir.Name(id=name), test=test):
                source = bare(test)
                look = queries.get(source.id) if isinstance(source, ir.Name) else _of(scope, test, looks)
                if look is not None:
                    yield name, (look, False)
            case _:
                pass


def _of(scope: Scope, expr: ir.Expr, looks: list[Search]) -> Search | None:
    places = {scope.place(c.at) for c in calls_in(expr)}
    return next((look for look in looks if look.place in places), None)
