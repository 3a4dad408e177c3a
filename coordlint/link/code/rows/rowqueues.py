"""Tables that serve as queues: rows of work that one of several workers takes, and where such rows are put."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.coordination import Operation
from coordlint.link.code.calls.claims import SKIP_LOCKED
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import ClassRef, Object, Pattern, options
from coordlint.link.code.purposes.deeds import Deed
from coordlint.link.code.rows import rowclaims
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.statements import statements
from coordlint.models.schema import Late, Op
from coordlint.source import Place
from coordlint.wording import words

_WORK = frozenset("job task queue outbox inbox journal".split())
_VERSIONS = frozenset("version revision rev etag epoch fence".split())  # a row that was changed meanwhile is no row that was taken
_PUTS = re.compile(r"_*(create|add|insert|enqueue|put|push|schedule|submit|get_or_create)(_|$)")


def row_queues(ev: Evaluator, traces: Iterable[Trace]) -> dict[Place, Deed]:
    """Where rows of work are put into a table from which workers take them, where rows that were taken are deleted, and where leases of rows change hands."""
    several = [t for t in traces if not is_test(t.scope.path)]
    leases = {s.place: deed for t in several for s in t.steps if (deed := rowclaims.claimed(t, s)) is not None}
    claimed = {o.key for t in several for s in t.steps if (o := s.operation) is not None and o.key and _is_taken(ev, t, s, o)}
    tables = {scope.symbol: name for scope in ev.project.classes() if (name := _queue(ev, scope, claimed)) is not None} if claimed else {}
    puts = {s.place: deed for t in several for s in t.steps if (deed := _put(ev, t, s, tables)) is not None} if tables else {}
    return {**puts, **leases}


def elsewhere(trace: Trace, deeds: Iterable[Deed]) -> float:
    """What a function that only puts rows of work does to other rows: who changes a record, or reads another table, is business."""
    several = list(deeds)
    if not several or any(d.operation is not None or (d.role, d.backend) != ("job-queue", "database-row") for d in several):
        return 0.0
    tables = {d.key.text for d in several if d.key is not None}
    read = {o.key for s in trace.steps if (o := s.operation) is not None and o.key and o.op in (Op.DB_READ, Op.DB_STATEMENT)}
    own = trace.scope.params()[:1] if trace.scope.owner is not None else ()
    changed = _changed(trace.scope.function.body) - {p.name for p in own}
    return 2.0 * (len(read - tables) + len(changed))


def _changed(body: tuple[ir.Stmt, ...]) -> set[str]:
    """Names of things whose attributes are set."""
    targets = [t for s in statements(body) if isinstance(s, ir.Assign) for t in s.targets]
    return {t.base.id for t in targets if isinstance(t, ir.Attribute) and isinstance(t.base, ir.Name)}


def _is_taken(ev: Evaluator, t: Trace, s: Step, o: Operation) -> bool:
    """A row whose state is changed from the one that it must have, that others pass over, or that is locked and then deleted."""
    if o.backend != "database-row":
        return False
    if o.conditional == SKIP_LOCKED:
        return True
    if o.op is Op.CAS:
        return not words(o.conditional) & _VERSIONS
    return o.op is Op.ROW_LOCK and any(o.key == symbol.rpartition(".")[2] for later in t.steps for symbol in _given(ev, t, later, "delete"))


def _queue(ev: Evaluator, scope: Scope, claimed: set[str]) -> str | None:
    """The table of a class, where its name says work and its rows are taken."""
    name = scope.symbol.rpartition(".")[2]
    if not words(name) & _WORK or not classes.is_record(ev, scope.symbol):
        return None
    table = next((b.expr.value for b in scope.names.get("__tablename__", ()) if isinstance(b.expr, ir.Const)), None)
    return name if name in claimed or table in claimed else None


def _put(ev: Evaluator, t: Trace, s: Step, tables: dict[str, str]) -> Deed | None:
    o = s.operation
    name = next((tables[symbol] for way in ("add", "delete") for symbol in _given(ev, t, s, way) if symbol in tables), None)
    if o is not None and name is None and o.late is Late.APPEND and o.key in tables.values():
        name = o.key  # Job.objects.create(...)
    for f in s.functions[: s.called]:  # a method that all records have: `Job.create(...)`
        if isinstance(f.receiver, ClassRef) and f.receiver.symbol in tables and _PUTS.match(f.symbol.rpartition(".")[2]):
            name = tables[f.receiver.symbol]
    if name is None:
        return None
    return Deed("job-queue", "database-row", o.library if o is not None else "", 1.0, None, Pattern(name, name))


def _given(ev: Evaluator, t: Trace, s: Step, way: str) -> Iterator[str]:
    """The classes of the records that a session is given: `session.add(job)`."""
    func = s.call.func
    if isinstance(func, ir.Attribute) and func.name == way and len(s.call.args) == 1:
        yield from (v.symbol for v in options(ev.settle(ev.value(s.call.args[0], t.scope))) if isinstance(v, Object))
