"""Parameters for which something else stands in where a caller passes nothing: `ttl or usual()`, `if ttl is None: ttl = usual()`."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.evaluation.values import FALSE, NONE, Parameter, Value, one_of, options
from coordlint.link.code.flow.usage import ends
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written


def unless(value: Value, how: str) -> Value:
    """A value of which it is known here that it is not nothing."""
    return one_of([Parameter(v.symbol, v.name, how) if isinstance(v, Parameter) else v for v in options(value)]) if how else value


def nothing_taken(expr: ir.Conditional) -> tuple[str, str]:
    """For both ways of `x if x is not None else y`: what `x` cannot be there."""
    asked, how, holds = _asks(expr.test)
    if not asked:
        return "", ""
    kept = expr.no if holds else expr.yes
    if written(kept) != asked:
        return "", ""
    return ("", how) if holds else (how, "")


def replaced(scope: Scope, name: str) -> str:
    """Which nothing a parameter no longer is where its function uses it: it gets another value then, or the function is left."""
    for binding in scope.names.get(name, ()):
        match binding.expr:
            case ir.Binary(op="or", values=(ir.Name(id=first), *_)) if first == name and not binding.path:
                return FALSE
            case ir.Conditional() as either if any(nothing_taken(either)) and _asks(either.test)[0] == name:
                return _asks(either.test)[1]
            case _:
                pass
    for s in scope.statements:
        if isinstance(s, ir.If) and len(s.branches) == 1:
            asked, how, holds = _asks(s.branches[0].test)
            if asked == name and holds and (ends(s.branches[0].body) in ("return", "raise", "exit") or _gives(s.branches[0].body, name)):
                return how
    return ""


def _asks(test: ir.Expr) -> tuple[str, str, bool]:
    """What a test asks, whether it is None or whether it is false, and whether it is that where the test holds."""
    holds = False
    while isinstance(test, ir.Unary) and test.op == "not":
        test, holds = test.value, not holds
    match test:
        case ir.Compare(ops=("is" | "is not" | "==" | "!=" as how,), values=(ir.Name() | ir.Attribute() as asked, ir.Const(value=None))):
            return written(asked), NONE, (how in ("is", "==")) is not holds
        case ir.Name() | ir.Attribute():
            return written(test), FALSE, holds
        case _:
            return "", "", False


def _gives(body: tuple[ir.Stmt, ...], name: str) -> bool:
    """Whether a block ends in another value for a name."""
    last = body[-1] if body else None
    return isinstance(last, ir.Assign) and any(isinstance(t, ir.Name) and t.id == name for t in last.targets)
