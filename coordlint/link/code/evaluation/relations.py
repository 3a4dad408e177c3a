"""Rows behind rows: `line.product` is the product that a row of `line` names, read from the store when somebody asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.values import ClassRef, Object, options
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.project import Binding, Scope

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

_TO_ONE = frozenset("ForeignKey OneToOneField ForeignKeyField ParentalKey ReferenceField relationship Relationship TreeForeignKey".split())
_SEVERAL = frozenset({"list", "List", "set", "Set", "Sequence", "DynamicMapped", "WriteOnlyMapped", "ReverseRelation"})


def related(ev: Evaluator, base: Object, name: str) -> Object | None:
    """The one row that an attribute of a stored row leads to."""
    if not base.loaded:
        return None
    for scope in classes.ancestry(ev, base.symbol)[0]:
        for b in scope.names.get(name, ()):
            if isinstance(b.expr, ir.Call) and last_word(b.expr.func) in _TO_ONE and not _is_several(b):
                symbol = _target(ev, b, b.expr, scope)
                return Object(symbol, None, base.place, loaded="query") if symbol else None
    return None


def _is_several(b: Binding) -> bool:
    """Whether an attribute leads to several rows, as it is annotated: `Mapped[list[Line]]`."""
    if isinstance(b.expr, ir.Call) and isinstance(many := b.expr.keyword("uselist"), ir.Const) and many.value is True:
        return True
    return b.annotation is not None and any(isinstance(n, ir.Name | ir.Attribute) and last_word(n) in _SEVERAL for n in ir.walk(b.annotation))


def _target(ev: Evaluator, b: Binding, call: ir.Call, scope: Scope) -> str:
    """The class of the rows that are meant: named, or written out, or annotated: `Mapped["Product"]`."""
    is_plain = last_word(call.func) in ("relationship", "Relationship")
    if is_plain and b.annotation is None:
        return ""  # one row or several: that is said by the other side
    said = next((k.value for k in call.keywords if k.name in ("to", "model", "argument", "document_type")), call.args[0] if call.args else None)
    annotated = [n for n in ir.walk(b.annotation) if isinstance(n, ir.Name | ir.Const)] if b.annotation is not None else []
    for expr in ([said] if said is not None else []) + annotated:
        if isinstance(expr, ir.Const):
            last = expr.value.rpartition(".")[2] if isinstance(expr.value, str) else ""
            found = [c.symbol for c in ev.project.classes() if last and c.symbol.rpartition(".")[2] == last and classes.is_record(ev, c.symbol)]
            if len(found) == 1:
                return found[0]
            continue
        for option in options(ev.value(expr, scope)):
            if isinstance(option, ClassRef) and classes.is_record(ev, option.symbol):
                return option.symbol
    return ""
