"""What frameworks' own methods call of the classes that inherit them: `serializer.save()` calls `create`, `form.is_valid()` calls `clean`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.values import FunctionRef, Object, Super, options

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator
    from coordlint.link.code.scopes.project import Scope

MOST = 24  # methods of one class that one call leads to
_SERIALIZER = {
    "is_valid": ("to_internal_value", "validate_*", "validate"),
    "run_validation": ("to_internal_value", "validate_*", "validate"),
    "save": ("create", "update"),
}
_FORM = {"is_valid": ("clean_*", "clean"), "full_clean": ("clean_*", "clean")}
_WTFORM = {"validate": ("validate_*",), "validate_on_submit": ("validate_*",)}
_VIEW = {"create": ("perform_create",), "update": ("perform_update",), "partial_update": ("perform_update",), "destroy": ("perform_destroy",)}
_PROTOCOLS = (  # library, how its class is called, method -> what it calls of the subclass, in this order
    ("rest_framework", "Serializer", _SERIALIZER),
    ("rest_framework", "ViewSet", _VIEW),
    ("rest_framework", "APIView", _VIEW),
    ("django", "Form", _FORM),
    ("django", "Model", {"full_clean": ("clean",)}),
    ("flask_wtf", "Form", _WTFORM),
    ("wtforms", "Form", _WTFORM),
)
_NAMES = frozenset(name for _, _, methods in _PROTOCOLS for name in methods)


def hooks(ev: Evaluator, call: ir.Call, scope: Scope) -> list[FunctionRef]:
    """The methods that a framework calls in place of one that the project does not have, in its order."""
    if not isinstance(call.func, ir.Attribute) or call.func.name not in _NAMES:
        return []
    found: list[FunctionRef] = []
    for base in options(ev.settle(ev.value(call.func.base, scope))):
        match base:
            case Object(symbol=symbol):
                found += _of(ev, symbol, base, call.func.name)
            case Super(symbol=symbol, receiver=Object() as receiver):
                found += _of(ev, symbol, receiver, call.func.name)
            case _:
                pass
    return found if len(found) <= MOST else []


def _of(ev: Evaluator, symbol: str, receiver: Object, name: str) -> list[FunctionRef]:
    above, libraries = classes.ancestry(ev, symbol)
    called = next(
        (m[name] for library, kind, m in _PROTOCOLS if name in m and any(b.partition(".")[0] == library and b.endswith(kind) for b in libraries)), ()
    )
    own = classes.ancestry(ev, receiver.symbol)[0] or above
    made: list[FunctionRef] = []
    for wanted in called:
        for c in own:
            several = sorted(n for n in c.names if n.startswith(wanted[:-1])) if wanted.endswith("*") else [wanted] if wanted in c.names else []
            symbols = [f"{c.symbol}.{n}" for n in several]
            made += [FunctionRef(s, receiver) for s in symbols if s in ev.project.scopes and ev.project.scopes[s].kind == "function"]
            if several and not wanted.endswith("*"):
                break  # the nearest overrides those above
    return list({m.symbol: m for m in made}.values())  # by symbol: a receiver may hold what has no hash
