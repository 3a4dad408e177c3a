"""Whether a call happens because a look-up before it found nothing."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flows import Flow, within
from coordlint.link.code.statements import statements
from coordlint.link.code.usage import bare, calls_in, ends, names_in
from coordlint.source import Place


def led_by_absence(flow: Flow, look: Place, act: Place) -> bool:
    """`if not has(key): put(key)`, `if has(key): ... else: put(key)`, `if has(key): raise` and a put behind it."""
    names = flow.names_of(look)
    return any(isinstance(s, ir.If) and _leads(s, names, look, act, flow) for s in statements(flow.body))


def _leads(s: ir.If, names: set[str], look: Place, act: Place, flow: Flow) -> bool:
    is_there = False  # a branch so far was for what is there
    for branch in s.branches:
        tells = _tells(branch.test, names, look, flow)
        if within(branch.body, act):
            return tells is False or is_there
        is_there = is_there or tells is True
    if within(s.orelse, act):
        return is_there
    first = s.branches[0]
    leaves = ends(first.body) in ("return", "raise", "continue") and _tells(first.test, names, look, flow) is True
    return leaves and act.line > first.body[-1].at.line


def _tells(test: ir.Expr, names: set[str], look: Place, flow: Flow) -> bool | None:
    """Whether a test is true when something is there (True), when nothing is (False); None when it does not ask that."""
    match bare(test):
        case ir.Unary(op="not", value=value):
            told = _tells(value, names, look, flow)
            return None if told is None else not told
        case ir.Compare(ops=("is" | "==",), values=(asked, ir.Const(value=None))):
            return False if _is_asked(asked, names, look, flow) else None
        case ir.Compare(ops=("is not" | "!=",), values=(asked, ir.Const(value=None))):
            return True if _is_asked(asked, names, look, flow) else None
        case ir.Binary(op="and", values=values):
            return next((told for v in values if (told := _tells(v, names, look, flow)) is not None), None)
        case ir.Name() | ir.Attribute() | ir.Call() | ir.Index() as asked:
            return True if _is_asked(asked, names, look, flow) else None
        case _:
            return None


def _is_asked(expr: ir.Expr, names: set[str], look: Place, flow: Flow) -> bool:
    expr = bare(expr)
    if isinstance(expr, ir.Call):
        return flow.scope.place(expr.at) == look
    calls = any(flow.scope.place(c.at) == look for c in calls_in(expr))
    return calls or bool(names_in(expr) & names and isinstance(expr, ir.Name))
