"""Whether a call happens because of what a look-up before it found, or did not find."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from coordlint import ir
from coordlint.coordination import Operation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.flow.flows import Flow, within
from coordlint.link.code.flow.usage import bare, calls_in, ends, last_word, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import words


def led_by_absence(flow: Flow, look: Place, act: Place) -> bool:
    """`if not has(key): put(key)`, `if has(key): ... else: put(key)`, `if has(key): raise` and a put behind it."""
    names = flow.names_of(look)
    return any(isinstance(s, ir.If) and _leads(s, names, look, act, flow) for s in statements(flow.body))


def mark_misses(trace: Trace, flow: Callable[[], Flow]) -> None:
    """Notes at each read of a cache what its function asks or makes elsewhere, where nothing was found: `if value is None: value = compute()`."""
    for step in trace.steps:
        if step.operation is not None and step.operation.op is Op.READ and step.operation.backend in _CACHES:
            acts = [s.place for s in trace.steps if s.place != step.place and _may_stand_for(s, step.operation)]
            good = next((act for act in acts if flow().names_of(step.place) and led_by_absence(flow(), step.place, act)), None)
            if good is None and acts:
                instead = _instead(trace.scope, step.place)
                good = next((act for act in acts if act in instead), None)
            step.operation = msgspec.structs.replace(step.operation, made_good=good)


def _may_stand_for(step: Step, look: Operation) -> bool:
    """Whether a call answers something, or writes what was looked for."""
    o = step.operation
    return (o is not None and o.stores and o.key == look.key) or (not step.ignored and (o is not None or bool(step.functions[: step.called])))


def _instead(scope: Scope, look: Place) -> set[Place]:
    """The calls behind the `or` of `cache.get(key) or compute()`."""
    found: set[Place] = set()
    for s in statements(scope.function.body) if scope.kind == "function" else ():
        for node in (n for expr in expressions(s) for n in ir.walk(expr)):
            if isinstance(node, ir.Binary) and node.op == "or" and any(scope.place(c.at) == look for c in calls_in(node.values[0])):
                found.update(scope.place(c.at) for v in node.values[1:] for c in calls_in(v))
    return found


def led_by_room(flow: Flow, look: Place, act: Place) -> bool:
    """`if count(key) < MOST: add(key)`, or `if count(key) >= MOST: return` and the call behind it."""
    names = flow.names_of(look)
    return any(isinstance(s, ir.If) and _leads(s, names, look, act, flow, _is_full) for s in statements(flow.body))


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


def objects(flow: Flow, look: Place) -> bool:
    """Whether an error is noted where a look-up found something: `if taken: errors.append("taken")`, `self.add_error("name", "taken")`."""
    names = flow.names_of(look)
    branches = [b for s in statements(flow.body) if isinstance(s, ir.If) for b in s.branches if _tells(b.test, names, look, flow) is True]
    noted = [bare(s.value) for b in branches for s in statements(b.body) if isinstance(s, ir.Evaluate)]
    noted += [t for b in branches for s in statements(b.body) if isinstance(s, ir.Assign) for t in s.targets]  # errors["name"] = "taken"
    return any(words(written(n.func if isinstance(n, ir.Call) else n)) & _OBJECTIONS for n in noted)


_OBJECTIONS = frozenset({"error", "errors", "validation"})
_CACHES = ("django-cache", "memcached")
_NOTHING = ("DoesNotExist", "NoResultFound", "NotFound", "NoResultError")


def _types(handler: ir.Handler) -> tuple[ir.Expr, ...]:
    return tuple(i for t in handler.types for i in (t.items if isinstance(t, ir.Sequence) else (t,)))


def _asks(test: ir.Expr, names: set[str], look: Place, flow: Flow) -> bool:
    return bool(names_in(test) & names) or any(flow.scope.place(c.at) == look for c in calls_in(test))


def _leads(s: ir.If, names: set[str], look: Place, act: Place, flow: Flow, tell: Callable[[ir.Expr, set[str], Place, Flow], bool | None] | None = None) -> bool:
    tell = tell or _tells
    is_there = False  # a branch so far was for what is there
    for branch in s.branches:
        tells = tell(branch.test, names, look, flow)
        if within(branch.body, act):
            return tells is False or is_there
        is_there = is_there or tells is True
    if within(s.orelse, act):
        return is_there
    first = s.branches[0]
    leaves = ends(first.body) in ("return", "raise", "continue", "exit") and tell(first.test, names, look, flow) is True
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


def _is_full(test: ir.Expr, names: set[str], look: Place, flow: Flow) -> bool | None:
    """Whether a test is true when there are many (True), when there are few (False); None when it does not compare a count with a bound."""
    match bare(test):
        case ir.Unary(op="not", value=value):
            told = _is_full(value, names, look, flow)
            return None if told is None else not told
        case ir.Compare(ops=(sign,), values=(left, right)) if sign in ("<", "<=", ">", ">="):
            counted = next((at for at, side in enumerate((left, right)) if _is_asked(side, names, look, flow)), None)
            bound = right if counted == 0 else left
            if counted is None or (isinstance(bound, ir.Const) and bound.value in (0, 1)):
                return None  # whether there is any
            return (sign[0] == ">") == (counted == 0)
        case ir.Binary(op="and", values=values):
            return next((told for v in values if (told := _is_full(v, names, look, flow)) is not None), None)
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
