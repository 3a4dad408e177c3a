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


def spread(call: ir.Call, name: str) -> ir.Expr | None:
    """What fills a hole by name out of a dictionary: `.format(**locals())`, `.format(**{"id": own})`, `.format_map(vars())`."""
    for given in [k.value for k in call.keywords if not k.name] or call.args[:1]:
        if (found := entry(given, name)) is not None:
            return found
    return None


def entry(given: ir.Expr, name: str) -> ir.Expr | None:
    """What stands under a name in a dictionary that is made where it is used; that of all local names has each under its own."""
    match given:
        case ir.Call(func=ir.Name(id="locals" | "vars"), args=(), at=at):
            return ir.Name(name, at)
        case ir.Call(func=ir.Name(id="dict"), args=()):
            return given.keyword(name)
        case ir.Mapping(keys=keys, values=values):
            return next((v for k, v in zip(keys, values, strict=True) if isinstance(k, ir.Const) and k.value == name), None)
        case _:
            return None
