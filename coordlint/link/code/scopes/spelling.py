"""Expressions as people would write them."""

from __future__ import annotations

from coordlint import ir


def written(expr: ir.Expr) -> str:
    """An expression as people would write it, shortened: for the names in key patterns and messages."""
    if type(expr) is ir.Name:  # nearly all
        return expr.id
    if type(expr) is ir.Attribute:
        inner = written(expr.base)
        return f"{inner}.{expr.name}" if inner else expr.name
    match expr:
        case ir.Call(func=func):
            return f"{written(func)}()"
        case ir.Index(base=base, index=index):
            return f"{written(base)}[{written(index)}]"
        case ir.Const(value=value):
            return repr(value) if isinstance(value, str) else str(value)
        case ir.Await(value=value) | ir.Starred(value=value):
            return written(value)
        case ir.Binary(op=op, values=values) if len(values) < 6:
            parts = [written(v) for v in values]
            return f" {op} ".join(parts) if all(parts) else ""
        case ir.Unary(op="-", value=value):
            return f"-{written(value)}"
        case _:
            return ""
