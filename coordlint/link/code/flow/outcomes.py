"""What becomes of a call's result: tested, returned, used in another way, or dead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.coordination import Outcome
from coordlint.link.code.flow.usage import Usage, bare, calls_in, last_word, names_in
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements


def outcome_of(call: ir.Call, s: ir.Stmt, usage: Usage) -> Outcome:
    """What the statement around a call does with its result."""
    match s:
        case ir.Evaluate(value=value) if bare(value) is call:
            return _left_on_receiver(call, usage)
        case ir.Loop(target=target, test=test, body=body) if target is not None and bare(test) is call and _is_idle(body):
            return Outcome.USED if last_word(call.func) in _LAZY | _LOCKING else Outcome.DEAD
        case ir.Return(value=value) if value is not None and _shows(value, call):
            return Outcome.RETURNED
        case ir.If() | ir.Assert():
            return Outcome.TESTED
        case ir.Loop(target=None):
            return Outcome.TESTED
        case ir.Assign(targets=targets, value=value) if value is not None and _shows(value, call):
            if _is_test_inside(value, call):
                return Outcome.TESTED
            made = [usage.outcome(n) for t in targets if not isinstance(t, ir.Index) for n in _targets(t)]
            return min(made, key=_ORDER.index) if made else Outcome.USED
        case _:
            for expr in expressions(s):
                if _is_test_inside(expr, call):
                    return Outcome.TESTED
            return Outcome.USED


_SHOWS = frozenset("print debug info warning warn error exception critical log".split())


def outcome_of_count(counter: ir.Expr, bodies: Iterable[tuple[ir.Stmt, ...]]) -> Outcome:
    """What becomes of a number that an object counts up: dead where these bodies only print it and write it to the log."""
    name = written(counter)
    for s in (s for body in bodies for s in statements(body)):
        made = s.targets if isinstance(s, ir.Assign) else (s.target,) if isinstance(s, ir.Augment) else ()
        for expr in (e for e in expressions(s) if e not in made):
            shown = {id(n) for call in calls_in(expr) if last_word(call.func) in _SHOWS for a in call.args for n in ir.walk(a)}
            if any(id(n) not in shown and isinstance(n, ir.Name | ir.Attribute) and written(n) == name for n in ir.walk(expr)):
                return Outcome.USED
    return Outcome.DEAD


def is_never_sent(call: ir.Call, s: ir.Stmt, usage: Usage) -> bool:
    """Whether a pipeline that this statement makes is neither executed in the function nor handed on."""
    match s:
        case ir.Assign(targets=(ir.Name(id=name),), value=value) if value is not None and bare(value) is call:
            pass
        case ir.With(items=items):
            named = [i.target.id for i in items if bare(i.context) is call and isinstance(i.target, ir.Name)]
            if not named:
                return False
            name = named[0]
        case _:
            return False
    sent = any(n.startswith(f"{name}.") and n.endswith((".execute", ".execute_transaction", ".exec")) for n in usage.read)
    return not sent and name not in usage.passed


def _is_idle(body: tuple[ir.Stmt, ...]) -> bool:
    """`for reply in client.refresh(lease): pass` looks at nothing."""
    return all(isinstance(s, ir.Jump) for s in body)


def _left_on_receiver(call: ir.Call, usage: Usage) -> Outcome:
    """A cursor keeps the outcome of its statement: `cursor.rowcount`, or the rows of RETURNING."""
    if isinstance(call.func, ir.Attribute):
        base = written(call.func.base)
        for name in (f"{base}.rowcount", f"{base}.fetchone", f"{base}.fetchall", f"{base}.fetchval"):
            if name in usage.tested or name in usage.returned or name in usage.read:
                return min([usage.outcome(name), *map(usage.outcome, usage.taken_from(name))], key=_ORDER.index)
    return Outcome.DEAD


_ORDER = [Outcome.TESTED, Outcome.RETURNED, Outcome.USED, Outcome.DEAD]


def _targets(target: ir.Expr) -> list[str]:
    if isinstance(target, ir.Sequence):
        return [n for item in target.items for n in _targets(item)]
    return [written(target)]


def _shows(value: ir.Expr, call: ir.Call) -> bool:
    """Whether a value is the call's result, or a truth computed from it."""
    value = bare(value)
    if value is call or _is_lazy(value, call):
        return True
    match value:
        case ir.Compare(values=several) | ir.Binary(op="and" | "or", values=several) | ir.Sequence(items=several):
            return any(_shows(v, call) for v in several)
        case ir.Unary(op="not", value=inner):
            return _shows(inner, call)
        case ir.Index(base=ir.Call(func=func)) if last_word(func) in _LAZY | _LOCKING:
            return False  # an index of a query runs it
        case ir.Attribute(base=base) | ir.Index(base=base):
            return _shows(base, call)
        case ir.Conditional(yes=yes, no=no):
            return _shows(yes, call) or _shows(no, call)
        case _:
            return False


_LOCKING = frozenset(("select_for_update", "with_for_update"))
_LAZY = frozenset(
    "filter exclude order_by values_list values select_related prefetch_related only defer all distinct using annotate where join options limit".split()
)


def _is_lazy(value: ir.Expr, call: ir.Call) -> bool:
    """Whether a value is a query that was only refined after the call: nothing has run yet."""
    while isinstance(value, ir.Call) and isinstance(value.func, ir.Attribute) and value.func.name in _LAZY:
        value = value.func.base
        if value is call:
            return True
    return False


def _is_test_inside(expr: ir.Expr, call: ir.Call) -> bool:
    for node in ir.walk(expr):
        match node:
            case ir.Conditional(test=test) if any(n is call for n in ir.walk(test)):
                return True
            case ir.Binary(op="and" | "or", values=values) if any(n is call for v in values[:-1] for n in ir.walk(v)):
                return True
            case _:
                pass
    return False


_TOLD = frozenset("print debug info warning warn error exception critical log dumps append".split())


def is_only_told(call: ir.Call, s: ir.Stmt, body: tuple[ir.Stmt, ...]) -> bool:
    """Whether an answer is only logged, or put into what somebody outside reads: nothing here is decided by it."""
    match s:
        case ir.Evaluate(value=value):
            return bare(value) is call or _is_shown(value, call)
        case ir.Loop(target=target, test=over, body=shown) if target is not None and bare(over) is call:
            return all(isinstance(i, ir.Evaluate) and isinstance(c := bare(i.value), ir.Call) and last_word(c.func) in _TOLD - {"append"} for i in shown)
        case ir.Assign(targets=(ir.Name(id=name),), value=value) if value is not None and bare(value) is call:
            return all(_tells(expr, name, isinstance(other, ir.Return)) for other in statements(body) for expr in expressions(other) if not _is_target(other, expr))
        case _:
            return False


def _is_shown(value: ir.Expr, call: ir.Call) -> bool:
    """Whether a call stands inside of one that prints or logs."""
    teller = bare(value)
    if not isinstance(teller, ir.Call) or last_word(teller.func) not in _TOLD - {"append", "dumps"}:
        return False
    return any(node is call for a in teller.args for node in ir.walk(a))


def _is_target(s: ir.Stmt, expr: ir.Expr) -> bool:
    return isinstance(s, ir.Assign) and any(t is expr for t in s.targets)


def _tells(expr: ir.Expr, name: str, is_answer: bool) -> bool:
    """Whether each mention of a name in an expression stands in a log, a text or an entry of a message."""
    if name not in names_in(expr):
        return True
    shown = {id(n) for part in _shown(expr) for n in ir.walk(part)}
    return all(id(n) in shown for n in ir.walk(expr) if isinstance(n, ir.Name) and n.id == name) and not (is_answer and written(bare(expr)) == name)


def _shown(expr: ir.Expr) -> Iterator[ir.Expr]:
    for node in ir.walk(expr):
        match node:
            case ir.Mapping(values=values):
                yield from values
            case ir.Text(parts=parts):
                yield from parts
            case ir.Call(func=func, args=args) if last_word(func) in _TOLD:
                yield from args
            case _:
                pass
