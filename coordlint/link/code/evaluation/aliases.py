"""Names that stand for a type which is written out elsewhere: `Store = Annotated[Redis, Depends(connect)]`, `Clients = dict[str, Redis]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation.values import UNKNOWN, ModuleRef, Value, options
from coordlint.link.code.scopes.project import Scope

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

DEEPEST = 4  # modules through which a name is handed on


def aliased(ev: Evaluator, annotation: ir.Name | ir.Attribute, scope: Scope) -> tuple[ir.Expr, Scope] | None:
    """The type that a name stands for, with where it is written; None when the name stands for none."""
    if isinstance(annotation, ir.Name):
        around: Scope | None = scope
        while around is not None and annotation.id not in around.names:
            around = around.parent
        return _bound(ev, annotation.id, around, 0)
    modules = (v for v in options(ev.value(annotation.base, scope)) if isinstance(v, ModuleRef))
    return next((found for m in modules if (found := _bound(ev, annotation.name, ev.project.modules.get(m.name), 0)) is not None), None)


def _bound(ev: Evaluator, name: str, scope: Scope | None, depth: int) -> tuple[ir.Expr, Scope] | None:
    bindings = scope.names.get(name, ()) if scope is not None else ()
    if scope is None or len(bindings) != 1 or depth > DEEPEST:
        return None
    b = bindings[0]
    where = b.within or scope
    if b.kind == "value" and not b.path and isinstance(b.expr, ir.Index | ir.Binary):
        return b.expr, where
    if b.kind != "from":
        return None
    known = not b.level and ev.models.is_module(b.module)
    found = ev.project.find_module(b.module, where, b.level, known)
    return _bound(ev, b.name, ev.project.modules[found], depth + 1) if found is not None else None


def of_alias(ev: Evaluator, annotation: ir.Name | ir.Attribute, scope: Scope) -> Value:
    """An object of the type that a name stands for."""
    found = aliased(ev, annotation, scope)
    return ev.annotated(*found) if found is not None else UNKNOWN
