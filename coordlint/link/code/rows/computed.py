"""Rows that one statement reads, and another writes back computed: SQL without a mapper, documents of MongoDB, items of DynamoDB."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from coordlint import ir
from coordlint.contention import Mutation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.arguments import given_for
from coordlint.link.code.evaluation.calling import returned
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.flow.derived import Derived, Holds
from coordlint.link.code.flow.usage import last_word, names_in
from coordlint.link.code.rows.documents import documents_read, documents_written
from coordlint.link.code.rows.selected import Change, Look, reads_of, writes_of
from coordlint.link.code.scopes.spelling import written
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import words

_Found = TypeVar("_Found", Look, Change)
_DEEPEST = 3  # calls between a statement and the function that knows both
_NAMES_ROW = frozenset("id uuid pk key rowid guid oid sku code slug name no number email username".split())
_SERIAL = re.compile(r"\bserializable\b|\bbegin\s+(?:immediate|exclusive)\b|^(?:immediate|exclusive)$", re.IGNORECASE)


class _Pair(NamedTuple):
    look: Look
    change: Change


def computed(ev: Evaluator, traces: Iterable[Trace]) -> Iterator[Mutation]:
    """`SELECT n ... WHERE id = ?`, then `UPDATE ... SET n = ? WHERE id = ?` with a value that was computed from the one read."""
    by_symbol = {t.scope.symbol: t for t in traces if t.scope.kind == "function"}
    looks = {symbol: found for symbol, t in by_symbol.items() if (found := [*reads_of(ev, t), *documents_read(t)])}
    changes = {symbol: put for symbol, t in by_symbol.items() if (put := [*writes_of(ev, t), *documents_written(t)])}
    if not looks or not changes:
        return
    _lift(by_symbol, looks, changes)
    for symbol in sorted(looks.keys() & changes.keys()):
        trace = by_symbol[symbol]
        if _is_serial(trace):
            continue
        told: set[Place] = set()
        for change in changes[symbol]:
            mutation = next((m for look in reversed(looks[symbol]) if (m := _mutation(trace, _Pair(look, change)))), None)
            if mutation is not None and mutation.place not in told:
                told.add(mutation.place)
                yield mutation


def _lift(by_symbol: dict[str, Trace], looks: dict[str, list[Look]], changes: dict[str, list[Change]]) -> None:
    """Adds what functions read and write by the functions of the project that they call."""
    callers: dict[str, list[tuple[str, Step]]] = defaultdict(list)
    for symbol, trace in by_symbol.items():
        for step in trace.steps:
            if step.called and not step.deferred:
                callers[step.functions[0].symbol].append((symbol, step))
    new_looks, new_changes = dict(looks), dict(changes)
    for _ in range(_DEEPEST):
        more_looks: dict[str, list[Look]] = defaultdict(list)
        more_changes: dict[str, list[Change]] = defaultdict(list)
        for inner, found in new_looks.items():
            lasting = [(look, answer) for look in found if (answer := _answer(by_symbol[inner], look))] if inner in callers else []
            for symbol, step in callers.get(inner, ()) if lasting else ():
                given = given_for(step.args, step.call, by_symbol[symbol].scope)
                more_looks[symbol] += [look.seen_from(step.place, given, answer) for look, answer in lasting]
        for inner, written_ in new_changes.items():
            for symbol, step in callers.get(inner, ()):
                given = given_for(step.args, step.call, by_symbol[symbol].scope)
                more_changes[symbol] += [lifted for change in written_ if (lifted := _given(change, step, given)) is not None]
        new_looks, new_changes = _news(looks, more_looks), _news(changes, more_changes)
        if not new_looks and not new_changes:
            return


def _news(known: dict[str, list[_Found]], more: dict[str, list[_Found]]) -> dict[str, list[_Found]]:
    fresh: dict[str, list[_Found]] = {}
    for symbol in sorted(more):
        several = known.setdefault(symbol, [])
        fresh[symbol] = [one for one in more[symbol] if one not in several]
        several += fresh[symbol]
    return {symbol: found for symbol, found in fresh.items() if found}


def _answer(trace: Trace, look: Look) -> Holds:
    """Whether a function answers with the row that it reads, with several, or with a field of it."""
    told = [_follow(trace, look, "", e.at.end_line or e.at.line).holds(e) for e in returned(trace.scope)]
    return next((h for h in (Holds.ROW, Holds.OLD, Holds.RESULT) if h in told), Holds.NOTHING)


def _follow(trace: Trace, look: Look, field: str, line: int) -> Derived:
    position = look.columns.index(field) if field in look.columns else None
    derived = Derived(lambda call: look.gives.get(trace.scope.place(call.at), Holds.NOTHING), field, position, len(look.columns) == 1)
    derived.follow(trace.scope.function.body, line)
    return derived


def _given(change: Change, step: Step, given: dict[str, ir.Expr]) -> Change | None:
    """A change as its caller sees it, where the new value is what a parameter says."""
    value = _put_in(change.value, given)
    if value is None:
        return None
    where = {column: (written(given[text]) if text in given else text if text.startswith("self.") else "") for column, text in change.where.items()}
    return change._replace(value=value, where=where, at=step.place, held=(*change.held, *step.held))


def _put_in(value: ir.Expr, given: dict[str, ir.Expr]) -> ir.Expr | None:
    """`qty`, `row.qty`, `row["qty"]` of a parameter, with what is given for that."""
    match value:
        case ir.Name(id=name) if name in given:
            return given[name]
        case ir.Attribute(base=base) | ir.Index(base=base):
            inner = _put_in(base, given)
            return replace(value, base=inner) if inner is not None else None
        case ir.Call(args=(inner,), func=ir.Attribute(name="dumps") | ir.Name(id="str" | "int" | "float" | "Decimal" | "dumps" | "Json")):
            return _put_in(inner, given)
        case _:
            return None


def _mutation(trace: Trace, pair: _Pair) -> Mutation | None:
    look, change = pair
    if look.table != change.table or look.at >= change.at or look.locked or not _is_same_row(pair) or (look.columns and change.field and change.field not in look.columns):
        return None
    derived = _follow(trace, look, change.field, change.at.line)
    field = change.field
    if change.whole:
        name = written(change.value)
        if derived.holds(change.value) is not Holds.ROW or name not in derived.changed:
            return None
        field = derived.changed[name]
    elif derived.holds(change.value) is not Holds.COMPUTED:
        return None
    return Mutation(
        place=change.at,
        symbol=trace.scope.symbol,
        record=look.table.rpartition(".")[2],
        type=look.table,
        field=field,
        read=look.at,
        written=change.at,
        versioned=False,
        locked=tuple(sorted({d.lock.identity for d in change.held})),
        arithmetic=True,
        in_test=in_test(trace.scope),
    )


def _is_same_row(pair: _Pair) -> bool:
    """Whether a row is written back by what it was found by; everything else in WHERE expects something of it, and is a guard."""
    asked, expected = pair.look.where, pair.change.where
    if not expected and asked and not pair.change.whole:
        return False
    for column, value in expected.items():
        if column == pair.change.field:
            return False
        if column in asked:
            if value and asked[column] and value != asked[column]:
                return False
        elif not words(column) & _NAMES_ROW or (value[:1] in "'0123456789" and value):
            return False
    return True


def _is_serial(trace: Trace) -> bool:
    """Whether a function locks rows or tables by itself, or says that its transactions are to run one after another."""
    if any(s.operation is not None and s.operation.op is Op.ROW_LOCK for s in trace.steps):
        return True
    said = (a for s in trace.steps for a in (*s.call.args[:2], *(k.value for k in s.call.keywords)))
    texts = (e for a in said for e in ir.walk(a))
    return any(isinstance(e, ir.Const) and isinstance(e.value, str) and len(e.value) < 200 and _SERIAL.search(e.value.strip()) for e in texts) or any(
        "SERIALIZABLE" in n for s in trace.steps for a in s.call.args for n in names_in(a) if last_word(s.call.func) in ("set_session", "set_isolation_level", "transaction")
    )
