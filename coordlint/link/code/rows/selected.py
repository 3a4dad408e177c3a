"""What statements of SQL read of a row, and what they put into it: columns, and the row by its WHERE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from coordlint import ir
from coordlint.link.code.calls.trace import Draft, Step, Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.flow.derived import Holds
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.rows.stated import PLACEHOLDER, fetched, filled, filling, statement
from coordlint.link.code.scopes.spelling import written
from coordlint.models.schema import Late, Op
from coordlint.models.sql import SqlKind, classify_sql
from coordlint.source import Place

_WHERE = re.compile(r"\bwhere\b", re.IGNORECASE)
_SET = re.compile(r"\bset\b", re.IGNORECASE)
_AGGREGATE = re.compile(r"\b(?:count|sum|max|min|avg) ?\(", re.IGNORECASE)
_ROWS = frozenset("fetchone fetchrow fetch_one first one one_or_none".split())
_CELLS = frozenset("fetchval fetch_val scalar scalar_one scalar_one_or_none".split())
_NOT_EQUAL = frozenset({"!=", "<", "like", "between", "is"})


class Look(NamedTuple):
    """A row that is read, as the function sees it."""

    table: str
    columns: tuple[str, ...]  # of the select list; empty where it is not known
    where: dict[str, str]
    at: Place
    gives: dict[Place, Holds]  # the calls of the function that answer with it
    locked: bool

    def seen_from(self, at: Place, given: dict[str, ir.Expr], answer: Holds) -> Look:
        """The same, as a caller of the function sees it: by what it gives for the parameters, and what is answered."""
        where = {column: (written(given[text]) if text in given else text if text.startswith("self.") else "") for column, text in self.where.items()}
        return self._replace(where=where, at=at, gives={at: answer})


class Change(NamedTuple):
    """A field that gets a new value."""

    table: str
    field: str  # "" where the whole row is put back
    value: ir.Expr
    where: dict[str, str]
    at: Place
    held: tuple[Draft, ...]
    whole: bool = False


def reads_of(ev: Evaluator, trace: Trace) -> Iterator[Look]:
    """The SELECTs of a function on one table."""
    for step in trace.steps:
        o = step.operation
        if o is None or o.op is not Op.DB_READ or o.backend or not o.key or step.deferred:
            continue
        text, values = statement(ev, trace, step)
        sql = classify_sql(text)
        if sql.kind is not SqlKind.SELECT or _AGGREGATE.search(text):
            continue
        where = _where(text, values)
        answer = fetched(trace, step)
        gives = {step.place: _holds(last_word(step.call.func), sql.reads)}
        gives[answer.place] = _holds(last_word(answer.call.func), sql.reads)
        yield Look(o.key, sql.reads, where, step.place, gives, bool(step.held))


def _holds(name: str, columns: tuple[str, ...]) -> Holds:
    if name in _CELLS:
        return Holds.OLD if len(columns) == 1 else Holds.NOTHING
    return Holds.ROW if name in _ROWS else Holds.RESULT


def _where(text: str, values: list[ir.Expr]) -> dict[str, str]:
    found = _WHERE.search(text)
    return dict(filled(text, found.end(), values)) if found is not None else {}


def writes_of(ev: Evaluator, trace: Trace) -> Iterator[Change]:
    """The UPDATEs of a function that set a column to what the program gives, and expect nothing of the row."""
    for step in trace.steps:
        o = step.operation
        if o is None or o.op is not Op.EFFECT or o.kind != "database" or o.late is not Late.OVERWRITE or o.conditional or o.backend or not o.key or step.deferred:
            continue
        yield from _set(o.key, *statement(ev, trace, step), step)


def _set(table: str, text: str, values: list[ir.Expr], step: Step) -> Iterator[Change]:
    sql, start = classify_sql(text), _SET.search(text)
    if sql.kind is not SqlKind.UPDATE or sql.conditional or start is None:
        return
    where = _where(text, values)
    if any(sign in _NOT_EQUAL for _, sign in sql.compares) or set(sql.where) - where.keys():
        return
    end = found.start() if (found := _WHERE.search(text)) is not None else len(text)
    for column in sql.writes:
        if column in sql.accumulates:
            continue
        for hole in re.finditer(rf"\b{re.escape(column)}[\"`]? ?= ?({PLACEHOLDER.pattern})(?= ?(?:,|$|where\b|::))", text[: end + 5], re.IGNORECASE):
            if hole.start() < start.end():
                continue
            value = filling(text, hole.start(1), hole[1], values) if hole[1][0] != "{" else None
            if value is not None:
                yield Change(table, column, value, where, step.place, step.held)
