"""Whether a call happens because of what a look-up before it found, or did not find."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flow.flows import Flow, within
from coordlint.link.code.flow.usage import bare, calls_in, ends, last_word, names_in
from coordlint.link.code.scopes.statements import statements
from coordlint.source import Place


def led_by_absence(flow: Flow, look: Place, act: Place) -> bool:
    """`if not has(key): put(key)`, `if has(key): ... else: put(key)`, `if has(key): raise` and a put behind it."""
    names = flow.names_of(look)
    return any(isinstance(s, ir.If) and _leads(s, names, look, act, flow) for s in statements(flow.body))


def led_by_failure(flow: Flow, look: Place, act: Place) -> bool:
    """`try: job = find()`, `except NotFound: make()`; or the handler goes on where a find would have ended the function."""
    for s in statements(flow.body):
        if not isinstance(s, ir.Try) or not within(s.body, look):
            continue
        for handler in s.handlers:
            if any(last_word(t).endswith(_NOTHING) for t in _types(handler)):
                is_left = not ends(handler.body) and bool(ends(s.orelse or s.body))
                if within(handler.body, act) or (is_left and act.line > handler.body[-1].at.line):
                    return True
    return False


def led_by_answer(flow: Flow, look: Place, act: Place) -> bool:
    """Whether an answer, whichever it is, decides that a call is reached: in a branch that asks it, or behind one that leaves."""
    names = flow.names_of(look)
    for s in statements(flow.body):
        if isinstance(s, ir.If):
            for branch in s.branches:
                decides = within(branch.body, act) or within(s.orelse, act) or ends(branch.body) in ("return", "raise", "continue", "exit")
                if decides and _asks(branch.test, names, look, flow) and act.line > branch.test.at.line:
                    return True
    return False


_NOTHING = ("DoesNotExist", "NoResultFound", "NotFound", "NoResultError")


def _types(handler: ir.Handler) -> tuple[ir.Expr, ...]:
    return tuple(i for t in handler.types for i in (t.items if isinstance(t, ir.Sequence) else (t,)))


def _asks(test: ir.Expr, names: set[str], look: Place, flow: Flow) -> bool:
    return bool(names_in(test) & names) or any(flow.scope.place(c.at) == look for c in calls_in(test))


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


def is_yes_or_no(expr: ir.Expr) -> bool:
    """Whether an answer is true or false, and nothing else."""
    match expr:
        case ir.Const(value=bool()) | ir.Compare() | ir.Unary(op="not"):
            return True
        case ir.Conditional(yes=yes, no=no):
            return is_yes_or_no(yes) and is_yes_or_no(no)
        case ir.Call(func=ir.Name(id="bool")):
            return True
        case _:
            return False
