"""Rows that get the next number after the highest of those that are there: `MAX(number) + 1`, that of the last row, or how many there are and one more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from coordlint import ir
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import ClassRef, options
from coordlint.link.code.flow.flows import Flow, counts
from coordlint.link.code.flow.usage import bare, calls_in, last_word, names_in
from coordlint.link.code.rows import searches
from coordlint.link.code.rows.searches import Search
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions
from coordlint.source import Place
from coordlint.wording import words

_NAME = re.compile(r"[A-Za-z_][\w.]*")
_ONE_MORE = re.compile(r"\+ 1\b")
_LAST = frozenset({"first", "last", "latest", "scalar", "scalar_one_or_none", "one_or_none"})
_NUMBERED = frozenset("number no num nr code version revision seq sequence serial index idx ticket token counter generation build round".split())
_KEYS = frozenset({"id", "pk"})


class Highest(NamedTuple):
    """A query that answers the highest number there is."""

    symbol: str  # the class of the rows
    kind: str  # "max", "count", or "last": a row that has it
    column: str  # of "max"
    equal: dict[str, str]  # among which rows: columns that must equal something, as written
    place: Place


def highest(ev: Evaluator, scope: Scope, found: Iterable[Search]) -> Iterator[Highest]:
    """The queries of a function that ask for the highest number, count, or give one row."""
    for s in scope.statements:
        for expr in expressions(s):
            calls = calls_in(expr)
            for call in calls:
                told = _maximum(ev, scope, call, calls)
                if told is not None:
                    equal = {c: t for link in calls for c, t in searches.compared(link)[0].items()}
                    yield Highest(told[0], "max", told[1], equal, scope.place(call.at))
    for look in found:
        if look.counts or look.asks in _LAST:
            yield Highest(look.symbol, "count" if look.counts else "last", "", look.equal, look.place)


def next_number(asked: Highest, given: dict[str, str], begun: Place, scope: Scope, flow: Flow) -> str:
    """The column of a new row that gets the number after the highest; "" where none does."""
    values = _values(scope, begun)
    names = flow.names_of(asked.place)
    is_inside = begun.line <= asked.place.line <= begun.span.end_line
    for column, text in {**dict.fromkeys(values, ""), **given}.items():
        value = values.get(column)
        mentioned = names_in(value) if value is not None else set(_NAME.findall(text))
        fed = names & mentioned
        if not (fed or is_inside):
            continue
        added = flow.is_counted(fed) or bool(_ONE_MORE.search(text)) or (value is not None and any(counts(n) for n in ir.walk(value)))
        if added and _is_of(asked, column, flow.sources(mentioned), names):
            return column
    return ""


def _values(scope: Scope, begun: Place) -> dict[str, ir.Expr]:
    """What the columns of a row are given in the function itself: by name, by a table of names, by its attributes."""
    found: dict[str, ir.Expr] = {}
    variable = ""
    for s in scope.statements:
        for e in expressions(s):
            made = next((c for c in calls_in(e) if scope.place(c.at) == begun), None)
            if made is not None:
                found |= searches.named(made, scope)
                if isinstance(s, ir.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ir.Name):
                    variable = s.targets[0].id
        if isinstance(s, ir.Assign) and s.value is not None and variable:
            found |= {t.name: s.value for t in s.targets if isinstance(t, ir.Attribute) and written(t.base) == variable}
    return found


def _is_of(asked: Highest, column: str, sources: set[str], names: set[str]) -> bool:
    """Whether it is that column whose highest number was asked for."""
    if asked.kind == "max":
        return column == asked.column
    if asked.kind == "count":
        return bool(words(column) & _NUMBERED)
    kept = {s.rpartition(".")[2] for s in sources if s.rpartition(".")[0] in names}
    return column in kept or (bool(kept & _KEYS) and bool(words(column) & _NUMBERED))


def is_among(asked: Highest, given: dict[str, str]) -> bool:
    """Whether nothing that is known of both keeps the new row from being one of those among which was asked."""
    new = dict(searches.plain(c, t) for c, t in given.items() if t)
    return all(new.get(c, t) == t for c, t in (searches.plain(*pair) for pair in asked.equal.items() if pair[1]))


def _maximum(ev: Evaluator, scope: Scope, call: ir.Call, around: tuple[ir.Call, ...]) -> tuple[str, str] | None:
    """(class, column) of `func.max(Invoice.number)`, or `Invoice.objects.aggregate(Max("number"))`."""
    if last_word(call.func) not in ("max", "Max", "MAX") or (isinstance(call.func, ir.Name) and call.func.id == "max"):
        return None
    match call.args:
        case (ir.Attribute(base=base, name=column),):
            symbol = next((o.symbol for o in options(ev.value(base, scope)) if isinstance(o, ClassRef) and classes.is_record(ev, o.symbol)), "")
            return (symbol, column) if symbol else None
        case (ir.Const(value=str() as column),):
            outer = next((c for c in around if last_word(c.func) in ("aggregate", "aaggregate") and isinstance(c.func, ir.Attribute)), None)
            if outer is None or not isinstance(outer.func, ir.Attribute):
                return None
            symbol = searches.about(ev, ev.value(bare(outer.func.base), scope))
            return (symbol, column) if symbol else None
        case _:
            return None
