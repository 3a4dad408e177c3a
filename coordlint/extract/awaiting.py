"""Calls that are made in a thread and waited for: `await asyncio.to_thread(f, x)` is `f(x)`, as far as meaning goes."""

from __future__ import annotations

from coordlint import ir

_IN_THREAD = {"to_thread": 0, "run_in_threadpool": 0, "run_in_executor": 1}  # where the function stands among the arguments
_ASYNC = ("sync_to_async", "database_sync_to_async")  # these make a function of a function
_AROUND = ("wait_for", "shield")


def awaited(value: ir.Expr) -> ir.Expr:
    """What is really called by an expression that is awaited; the expression itself when nothing runs elsewhere."""
    if not isinstance(value, ir.Call):
        return value
    name = _last(value.func)
    if name in _AROUND and value.args:
        inner = awaited(value.args[0])
        return value if inner is value.args[0] else ir.Call(value.func, (inner, *value.args[1:]), value.keywords, value.at)
    if isinstance(value.func, ir.Call) and _last(value.func.func) in _ASYNC and value.func.args:
        return _called(value.func.args[0], value.args, value.keywords, value)
    position = 0 if name == "run_sync" and isinstance(value.func, ir.Attribute) and _last(value.func.base) == "to_thread" else _IN_THREAD.get(name)
    if position is None or len(value.args) <= position or any(isinstance(a, ir.Starred) for a in value.args[: position + 1]):
        return value
    return _called(value.args[position], value.args[position + 1 :], () if name == "run_sync" else value.keywords, value)


def _called(function: ir.Expr, args: tuple[ir.Expr, ...], keywords: tuple[ir.Keyword, ...], whole: ir.Call) -> ir.Expr:
    match function:
        case ir.Lambda(params=(), body=body) if not args and not keywords:
            return body
        case ir.Call(func=made, args=(inner, *held), keywords=given) if _last(made) == "partial" and not isinstance(inner, ir.Starred):
            return ir.Call(inner, (*held, *args), (*given, *keywords), whole.at)
        case ir.Name() | ir.Attribute():
            return ir.Call(function, args, keywords, whole.at)
        case _:
            return whole


def _last(func: ir.Expr) -> str:
    return func.name if isinstance(func, ir.Attribute) else func.id if isinstance(func, ir.Name) else ""
