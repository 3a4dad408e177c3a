"""Session listeners that nobody hears: what they note stays with them, and they call nothing that the work under the session could notice."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import (
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Method,
    Value,
    options,
)
from coordlint.link.code.flow.usage import bare, calls_in, last_word
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions
from coordlint.models.schema import Op
from coordlint.wording import words

_TO_THE_LOG = frozenset("log logger logging print warn warning warnings metrics counter gauge".split())
_PLAIN = frozenset("get items keys values pop append add discard remove clear copy format join split lower upper sleep time monotonic".split())
_NOTES = frozenset("set clear put put_nowait notify notify_all release cancel append add appendleft".split())  # of an event, a queue, a condition
_MOST = 30  # functions behind a listener


def is_heard(ev: Evaluator, listeners: Iterable[FunctionRef]) -> bool:
    """Whether anything outside could learn from a listener that the session is gone. In doubt it could."""
    inside: dict[str, Scope] = {}
    todo = [f.symbol for f in listeners]
    noted: set[str] = set()
    while todo:
        scope = ev.project.scopes.get(todo.pop())
        if scope is None or scope.symbol in inside:
            continue
        inside[scope.symbol] = scope
        if len(inside) > _MOST or _leaves(scope):
            return True
        noted |= set(_noted(scope))
        for call in (c for s in scope.statements for e in expressions(s) for c in calls_in(e)):
            called = list(_called(ev, call, scope))
            if any(_tells(v, call) for v in called) or (not called and not _is_plain(call, noted)):
                return True
            todo += [v.symbol for v in called if isinstance(v, FunctionRef)]
    return not inside or any(not name.startswith("_") or _is_read(ev, name, inside) for name in noted)  # what is public others may read


def _called(ev: Evaluator, call: ir.Call, scope: Scope) -> Iterator[Value]:
    """What a call means, as far as it is known, and what it is handed to be called."""
    handed = () if words(last_word(call.func)) & {"watch"} else (*call.args, *(k.value for k in call.keywords))  # what a watch calls hears of changes
    for expr in (call.func, *handed):
        found = options(ev.settle(ev.value(expr, scope)))
        yield from (v for v in found if isinstance(v, FunctionRef) or (expr is call.func and isinstance(v, Method | External | Instance | ClassRef)))


def _tells(value: Value, call: ir.Call) -> bool:
    """Whether what is called is outside of the project and may tell somebody: only what watches, reads and logs does not."""
    match value:
        case FunctionRef() | Instance():
            return False
        case Method(model=model):
            return model.op not in (Op.READ, Op.LIST, Op.WATCH, Op.MAKE, Op.MAKE_LOCK, Op.LISTEN)
        case External(name=name):
            known = name.startswith(("builtins.", "logging.", "time.")) and "exit" not in name
            return not (known or words(name.rpartition(".")[2]) & {"watch"} or words(written(call.func)) & _TO_THE_LOG)
        case _:
            return True


def _is_plain(call: ir.Call, noted: set[str]) -> bool:
    """Whether a call that nobody knows is of a log, of a container, or of a builtin; or notes something on an attribute, which is looked for."""
    func = call.func
    if words(written(func)) & _TO_THE_LOG:
        return True
    if isinstance(func, ir.Name):
        return hasattr(builtins, func.id) and func.id not in ("exit", "quit", "setattr", "exec", "eval")
    if not isinstance(func, ir.Attribute):
        return False
    holder = last_word(bare(func.base))
    return func.name in _PLAIN or (func.name in _NOTES and holder in noted)


def _leaves(scope: Scope) -> bool:
    """Whether a function raises, or changes what is global or an entry of something."""
    for s in scope.statements:
        if isinstance(s, ir.Raise | ir.Global) or (isinstance(s, ir.Assign | ir.Augment) and any(not isinstance(t, ir.Name | ir.Attribute | ir.Sequence) for t in _targets(s))):
            return True
    return False


def _targets(s: ir.Assign | ir.Augment) -> tuple[ir.Expr, ...]:
    return s.targets if isinstance(s, ir.Assign) else (s.target,)


def _noted(scope: Scope) -> Iterator[str]:
    """Names of attributes that a function sets, or of events and queues that it uses."""
    for s in scope.statements:
        if isinstance(s, ir.Assign | ir.Augment):
            yield from (t.name for t in _targets(s) if isinstance(t, ir.Attribute))
        for call in (c for e in expressions(s) for c in calls_in(e)):
            if isinstance(call.func, ir.Attribute) and call.func.name in _NOTES and (name := last_word(bare(call.func.base))):
                yield name


def _is_read(ev: Evaluator, name: str, inside: dict[str, Scope]) -> bool:
    """Whether a function besides these looks at an attribute of that name."""
    for scope in ev.project.functions():
        if scope.symbol in inside or is_test(scope.path):
            continue
        for s in scope.statements:
            given = s.targets if isinstance(s, ir.Assign) else ()
            for e in expressions(s):
                if any(last_word(n) == name for n in ir.walk(e) if isinstance(n, ir.Attribute | ir.Name) and not any(n is t for t in given)):
                    return True
    return False
