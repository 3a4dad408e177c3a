"""Methods of stored records that count in their own row: whether the row was read, and not locked, is their callers' matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.contention import Mutation
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Object, Value, options
from coordlint.link.code.flow import inhand
from coordlint.link.code.flow.usage import last_word, names_in
from coordlint.link.code.rows.once import NOT_YET_STORED
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.walking import records, rowversions, saving
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import words

Asked = dict[str, list[tuple[Value | None, Place]]]  # method -> of what it is asked, and where
_NUMBERS = frozenset({"integer", "int", "float", "decimal", "numeric", "number"})
_WRAPPING = frozenset({"property", "cached_property", "classmethod", "staticmethod", "hybrid_property", "validates"})


def own_rows(ev: Evaluator, traces: Iterable[Trace]) -> Iterator[Mutation]:
    """`self.uses += 1` and `self.save()` in a method of a mapped class."""
    traces = list(traces)
    counting = [t for t in traces if _may_count(ev, t.scope)]
    if not counting:
        return
    asked: Asked = defaultdict(list)
    for t in traces:
        if not in_test(t.scope):
            for s in t.steps:
                for f in s.functions[: s.called]:
                    asked[f.symbol].append((f.receiver, s.place))
    for t in counting:
        yield from _counted(ev, t, asked)


def _may_count(ev: Evaluator, scope: Scope) -> bool:
    """Whether a function is a method of a stored record that adds to an attribute of its own."""
    if scope.kind != "function" or scope.owner is None or scope.function.name in NOT_YET_STORED:
        return False
    if not any(target.startswith("self.") for target, *_ in records.assignments(scope.function.body)):
        return False
    return not any(last_word(d) in _WRAPPING for d in scope.function.decorators) and classes.is_record(ev, scope.owner.symbol)


def _counted(ev: Evaluator, trace: Trace, asked: Asked) -> Iterator[Mutation]:
    scope = trace.scope
    assert scope.owner is not None
    if any(s.operation is not None and s.operation.op is Op.ROW_LOCK for s in trace.steps):
        return
    callers = [(option, at) for value, at in asked.get(scope.symbol, ()) if value is not None for option in options(value)]
    read = [at for value, at in callers if isinstance(value, Object) and value.loaded == "query"]
    if any(isinstance(value, Object) and value.loaded == "locked" for value, _ in callers):
        return
    if callers and not read and all(isinstance(value, Object) and value.arguments is not None for value, _ in callers):
        return  # of rows that were only made there
    for target, _, at, arithmetic in records.assignments(scope.function.body):
        base, _, field = target.rpartition(".")
        place = scope.place(at)
        saves = saving.saved(ev, trace, "self", place, Object(scope.owner.symbol), behind=True)
        refreshed = records.loaded(ev, "self", scope, place)
        if base != "self" or not saves or not _is_number(ev, scope.owner.symbol, field) or refreshed is not None or records.is_set_before(scope, target, place):
            continue
        held = saving.held(trace, place, saves)
        yield Mutation(
            place=place,
            symbol=scope.symbol,
            record="self",
            type=scope.owner.symbol,
            field=field,
            read=read[0] if read else place,
            written=saves[0],
            versioned=rowversions.is_versioned(ev, scope.owner.symbol),
            locked=tuple(sorted({d.lock.identity for d in held})),
            arithmetic=arithmetic,
            in_test=in_test(scope),
            own=True,
            progress=arithmetic and inhand.is_progress(scope.function.body, base, at),
            unread=not read,
        )


def _is_number(ev: Evaluator, symbol: str, field: str) -> bool:
    """Whether a class declares a column of numbers: `n = models.IntegerField()`, `n = Column(BigInteger)`, `n: Mapped[int]`."""
    found = [b for scope in classes.ancestry(ev, symbol)[0] for b in scope.names.get(field, ())]
    told = [e for b in found for e in ((b.expr.func, *b.expr.args) if isinstance(b.expr, ir.Call) else ())] + [b.annotation for b in found if b.annotation is not None]
    said = {w for e in told for name in names_in(e) for w in words(name)}
    return bool(said & _NUMBERS)
