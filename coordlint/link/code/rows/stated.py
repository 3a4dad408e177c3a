"""Rows that are looked for and made by statements of SQL: which table, by which columns, with what in the place of their placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from coordlint import ir
from coordlint.link.code.calls.meaning import sql_text
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.rows.searches import Search, is_fresh
from coordlint.link.code.scopes.spelling import written
from coordlint.models.schema import Late, Op
from coordlint.models.sql import SqlKind, classify_sql

TABLE = "table:"  # before the name of a table, where rows of no class are meant
_HOLE = r"%s|\?|\$\d+|:\w+|%\(\w+\)s|\{[^{}]*\}"
_VALUE = rf"(?:{_HOLE}|'[^']*'|\d+)"
PLACEHOLDER = re.compile(_HOLE)
_EQUAL = re.compile(rf"(?<!\w)(\w{{1,64}})[\"`]? ?= ?({_VALUE})")
_WHERE = re.compile(r"\bwhere\b", re.IGNORECASE)
_OR = re.compile(r"\bor\b|[<>]|\bbetween\b|\blike\b", re.IGNORECASE)
_COUNT = re.compile(r"\bselect count ?\(", re.IGNORECASE)
_INSERT = re.compile(r"\binsert\b[^()]{1,200}\(([^()]*)\) ?values ?\(([^()]*(?:\([^()]*\)[^()]*)*)\)", re.IGNORECASE)
_FETCHING = frozenset({"fetchone", "fetchall", "fetchval", "fetchrow", "first", "one_or_none", "scalar", "scalar_one_or_none", "scalars", "mappings", "all"})
_LONGEST = 4000  # characters of a statement that are read


class Inserted(NamedTuple):
    """A row, as one statement makes it."""

    table: str
    given: dict[str, str]
    step: Step


def searches(ev: Evaluator, trace: Trace) -> Iterator[Search]:
    """The SELECTs of a function that hold columns of one table equal to something."""
    for step in trace.steps:
        o = step.operation
        if o is None or o.op is not Op.DB_READ or o.backend or not o.key or step.deferred:
            continue
        text, values = statement(ev, trace, step)
        where = _WHERE.search(text)
        if where is None or classify_sql(text).kind is not SqlKind.SELECT:
            continue
        equal = {column: value for column, value in filled(text, where.end(), values) if column}
        if not equal or any(is_fresh(v) for v in equal.values()):
            continue
        asked = fetched(trace, step)
        counts = _COUNT.search(text) is not None
        yield Search(TABLE + o.key, last_word(asked.call.func), equal, frozenset(), bool(_OR.search(text, where.end())), counts, asked.place, frozenset((step.place, asked.place)))


def insertions(ev: Evaluator, trace: Trace) -> Iterator[Inserted]:
    """The plain INSERTs of a function: those that do not say what happens to a row that is there already."""
    for step in trace.steps:
        o = step.operation
        if o is None or o.op is not Op.EFFECT or o.kind != "database" or o.late is not Late.APPEND or o.conditional or not o.key or step.deferred:
            continue
        text, values = statement(ev, trace, step)
        told = _INSERT.search(text)
        if told is None:
            continue
        columns = [c.strip(' \t\n"`') for c in told[1].split(",")]
        start = told.start(2)
        given = {}
        for column, part in zip(columns, _parts(told[2]), strict=False):
            found = PLACEHOLDER.fullmatch(part.strip())
            if found is not None:
                given[column] = _value(text, start + told[2].index(part) + part.index(found[0]), found[0], values)
            elif part.strip()[:1] in "'0123456789":
                given[column] = part.strip()
        yield Inserted(o.key, given, step)


def _parts(listed: str) -> list[str]:
    """`%s, now(), 'a'`: what stands between the commas of the outermost level."""
    parts, depth = [""], 0
    for sign in listed:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def statement(ev: Evaluator, trace: Trace, step: Step) -> tuple[str, list[ir.Expr]]:
    """The text of a call's statement, and the arguments behind it."""
    for at, given in enumerate(step.call.args[:2]):
        text = " ".join(sql_text(ev, ev.value(given, trace.scope))[:_LONGEST].split())
        if _WORDS.match(text):
            return text, [*step.call.args[at + 1 :], *(k.value for k in step.call.keywords if k.name in _PARAMETERS)]
    return "", []


_WORDS = re.compile(r"\W{0,40}(?:select|insert|update|with)\b", re.IGNORECASE)
_PARAMETERS = frozenset({"params", "parameters", "vars", "args", "values"})


def filled(text: str, start: int, values: list[ir.Expr]) -> Iterator[tuple[str, str]]:
    for found in _EQUAL.finditer(text, start):
        value = found[2]
        yield found[1], _value(text, found.start(2), value, values) if PLACEHOLDER.fullmatch(value) else value


def _value(text: str, at: int, hole: str, values: list[ir.Expr]) -> str:
    """What is given for a placeholder, as it is written; "" where that is not seen."""
    if hole[0] == "{":
        return hole[1:-1]
    given = filling(text, at, hole, values)
    return written(given) if given is not None else ""


def filling(text: str, at: int, hole: str, values: list[ir.Expr]) -> ir.Expr | None:
    """The expression that is given for a placeholder which stands at a position of a statement; None where that is not seen."""
    given = bare(values[0]) if values else None
    if hole[0] == "$":
        number = int(hole[1:]) - 1
        return values[number] if 0 <= number < len(values) else None
    if hole[0] == ":" or hole.startswith("%("):
        name = hole[1:] if hole[0] == ":" else hole[2:-2]
        pairs = zip(given.keys, given.values, strict=True) if isinstance(given, ir.Mapping) else ()
        return next((v for k, v in pairs if isinstance(k, ir.Const) and k.value == name), None)
    number = sum(1 for f in PLACEHOLDER.finditer(text, 0, at) if f[0] in ("%s", "?"))
    several = given.items if isinstance(given, ir.Sequence) else tuple(values)
    return several[number] if number < len(several) else None


def fetched(trace: Trace, step: Step) -> Step:
    """The call that gives the rows of a statement: of the cursor that ran it, or of what it answered."""
    if not isinstance(step.call.func, ir.Attribute) or last_word(step.call.func) not in ("execute", "exec", "executemany"):
        return step
    base = written(step.call.func.base)
    names = Flow(trace.scope).names_of(step.place) if trace.scope.kind == "function" else set()
    for after in trace.steps:
        func = after.call.func
        if after.place > step.place and isinstance(func, ir.Attribute) and func.name in _FETCHING:
            root = written(func.base)
            if root == base or root in names or bare(func.base) is step.call:
                return after
        if after.place > step.place and after.operation is not None and after.operation.op in (Op.DB_READ, Op.EFFECT) and isinstance(func, ir.Attribute) and written(func.base) == base:
            break
    return step
