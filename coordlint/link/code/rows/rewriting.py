"""Rows that are read, changed and saved again by one function: which columns it means to change, and whether it writes all of them."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.contention import Rewrite
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.classes import DJANGO_MODEL, in_test
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.flow.usage import calls_in, last_word
from coordlint.link.code.rows.transitions import is_locked
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.link.code.walking import records, rowversions
from coordlint.source import Place

_SAVES = ("save", "asave")
_CHANGING = frozenset({"append", "extend", "update", "pop", "remove", "insert", "setdefault", "clear"})


def rewrites(ev: Evaluator, scope: Scope, trace: Trace) -> Iterator[Rewrite]:
    """One for each save of a record that the function has read and changed."""
    if scope.kind != "function":
        return
    for step in trace.steps:
        func = step.call.func
        if last_word(func) not in _SAVES or not isinstance(func, ir.Attribute) or not isinstance(func.base, ir.Name):
            continue
        name = func.base.id
        record = records.loaded(ev, name, scope, step.place)
        read = _read(scope, name, step.place) if record is not None else None
        if record is None or read is None:
            continue
        fields, documents = _changed(scope, name, read, step.place)
        if fields:
            yield Rewrite(
                place=step.place,
                symbol=scope.symbol,
                record=name,
                type=record.symbol,
                read=read,
                fields=tuple(sorted(fields)),
                documents=tuple(sorted(documents)),
                whole=not step.call.args and not step.call.keywords and DJANGO_MODEL in classes.ancestry(ev, record.symbol)[1],
                locked=bool(step.held) or is_locked(ev, name, scope) or rowversions.is_versioned(ev, record.symbol),
                in_test=in_test(scope),
            )


def _read(scope: Scope, name: str, save: Place) -> Place | None:
    """Where the record was read last before it is saved: the call that gave it, or that read it anew."""
    found: list[Place] = []
    for s in statements(scope.function.body):
        if s.at.line >= save.line:
            break
        match s:
            case ir.Assign(targets=(ir.Name(id=target),), value=value) if target == name and value is not None:
                found += [scope.place(value.at)]
            case ir.Loop(target=ir.Name(id=target)) if target == name:
                found += [scope.place(s.at)]
            case _:
                found += [scope.place(c.at) for e in expressions(s) for c in calls_in(e) if written(c.func) in (f"{name}.refresh_from_db", f"{name}.arefresh_from_db")]
    return found[-1] if found else None


def _changed(scope: Scope, name: str, read: Place, save: Place) -> tuple[set[str], set[str]]:
    """The attributes that get another value on the way, and those of them that are only changed in a part."""
    fields: set[str] = set()
    documents: set[str] = set()
    for s in statements(scope.function.body):
        if not read.line < s.at.line <= save.line:
            continue
        if isinstance(s, ir.Assign | ir.Augment):
            for target in s.targets if isinstance(s, ir.Assign) else (s.target,):
                fields |= _field(target, name)
                documents |= _field(target.base, name) if isinstance(target, ir.Index) else set()
        for e in expressions(s):
            for call in calls_in(e):
                if isinstance(call.func, ir.Attribute) and call.func.name in _CHANGING:
                    documents |= _field(call.func.base, name)
    return fields | documents, documents - fields


def _field(expr: ir.Expr, name: str) -> set[str]:
    match expr:
        case ir.Attribute(base=ir.Name(id=base), name=field) if base == name:
            return {field}
        case _:
            return set()
