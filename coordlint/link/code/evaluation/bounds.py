"""How often a loop runs, and how often a decorator calls its function again, as far as the code says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation.values import Environment, External, Literal, Parameter, Value, options
from coordlint.link.code.flow.usage import bare, ends, last_word
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks
from coordlint.retry import Retry
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

_CLOCKS = frozenset("time monotonic perf_counter now utcnow time_ns monotonic_ns".split())
_RETRYING = frozenset("Retrying AsyncRetrying".split())
_BEYOND = 1e15
_CELERY_TRIES = 3  # Task.max_retries
_DEEPEST = 4  # blocks within a loop that are looked into for a way out


# -- loops -------------------------------------------------------------------------------------------------------------


def of_loop(ev: Evaluator, loop: ir.Loop, scope: Scope) -> Retry:
    """What bounds a loop that runs until something succeeds."""
    place = scope.place(loop.at)
    if loop.target is not None:
        return _of_source(ev, loop, scope, place)
    counters = frozenset(_counters(loop.body))
    told = _of_test(ev, loop.test, counters, scope, place) or _way_out(ev, loop.body, counters, scope, place, 0)
    if told is not None:
        return told
    test = bare(loop.test)
    is_flag = isinstance(test, ir.Name | ir.Attribute) or (isinstance(test, ir.Unary) and isinstance(test.value, ir.Name | ir.Attribute))
    return Retry("unknown" if is_flag else "forever", place)


def _of_source(ev: Evaluator, loop: ir.Loop, scope: Scope, place: Place) -> Retry:
    """`for attempt in range(5)`, `for attempt in Retrying(stop=stop_after_attempt(5))`, `for n in itertools.count()`."""
    call = loop.test
    if not isinstance(call, ir.Call):
        return Retry("times", place)
    callee = ev.value(call.func, scope)
    name = callee.name if isinstance(callee, External) else ""
    if name == "builtins.range" and 0 < len(call.args) < 4:
        numbers = [number(ev, a, scope) for a in call.args]
        first, stop, step = (0.0, numbers[0], 1.0) if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else 1.0)
        begin, end, by = whole(first), whole(stop), whole(step)
        if begin is None or end is None or not by:
            return Retry("times", place)
        return Retry("times", place, len(range(begin, end, by)))
    if name == "itertools.count":
        return _way_out(ev, loop.body, frozenset(_named(loop.target)), scope, place, 0) or Retry("forever", place)
    if last_word(call.func) in _RETRYING:
        return _of_tenacity(ev, call, scope, place)
    return Retry("times", place)


def _named(target: ir.Expr | None) -> Iterator[str]:
    if isinstance(target, ir.Name):
        yield target.id


def _counters(body: tuple[ir.Stmt, ...]) -> Iterator[str]:
    """Names that each round counts up or down: `tries += 1`, `left = left - 1`."""
    for s in body:
        match s:
            case ir.Augment(target=target, op="+" | "-"):
                yield written(target)
            case ir.Assign(targets=(target,), value=ir.Binary(op="+" | "-", values=(first, *_))) if written(first) == written(target):
                yield written(target)
            case _:
                pass
        for block in blocks(s) if not isinstance(s, ir.Loop) else ():
            yield from _counters(block)


def _way_out(ev: Evaluator, body: tuple[ir.Stmt, ...], counters: frozenset[str], scope: Scope, place: Place, depth: int) -> Retry | None:
    """`if tries > 5: raise`, `if time.time() > deadline: break`: a test in the loop that ends it."""
    for s in body:
        if isinstance(s, ir.If):
            for branch in s.branches:
                if ends(branch.body) in ("raise", "return", "break", "exit") and (told := _of_test(ev, branch.test, counters, scope, place)) is not None:
                    return told
            if s.orelse and ends(s.orelse) in ("raise", "return", "break", "exit"):
                told = _of_test(ev, s.branches[-1].test, counters, scope, place)
                if told is not None:
                    return told
        if depth < _DEEPEST and not isinstance(s, ir.Loop):
            for block in blocks(s):
                found = _way_out(ev, block, counters, scope, place, depth + 1)
                if found is not None:
                    return found
    return None


def _of_test(ev: Evaluator, test: ir.Expr, counters: frozenset[str], scope: Scope, place: Place) -> Retry | None:
    """What a test says of tries or of time; of several that are joined, the first."""
    test = bare(test)
    match test:
        case ir.Binary(op="and" | "or", values=values):
            return next((told for v in values if (told := _of_test(ev, v, counters, scope, place)) is not None), None)
        case ir.Unary(op="not", value=inner):
            return _of_test(ev, inner, counters, scope, place)
        case ir.Compare(values=(left, right)):
            for counted, limit in ((left, right), (right, left)):
                if written(counted) in counters:
                    return _counted(ev, written(counted), limit, scope, place)
            if _asks_clock(left) or _asks_clock(right):
                return Retry("seconds", place, seconds=_seconds(ev, test, scope))
            return None
        case ir.Name() | ir.Attribute() if written(test) in counters:
            return _counted(ev, written(test), None, scope, place)
        case _:
            return None


def _counted(ev: Evaluator, name: str, limit: ir.Expr | None, scope: Scope, place: Place) -> Retry:
    """From where a counter begins to where it ends: the larger of the two, where both are known."""
    begins = [number(ev, b.expr, scope) for b in scope.names.get(name, ()) if b.expr is not None and b.kind == "value" and not isinstance(b.expr, ir.Binary)]
    if not begins and any(p.name == name for p in scope.params() if scope.kind == "function"):
        begins = [one_number(ev.settle(Parameter(scope.symbol, name)))]
    ends_at = number(ev, limit, scope) if limit is not None else 0.0
    if len(begins) > 1 or None in begins or ends_at is None:
        return Retry("times", place)
    most = max([ends_at, *(n for n in begins if n is not None)])
    return Retry("times", place, whole(most) if most > 0 else None)


def whole(number: float | None) -> int | None:
    """A count, as far as it is one: no infinity, and nothing beyond what loops are counted to."""
    return int(number) if number is not None and abs(number) < _BEYOND else None


def _asks_clock(expr: ir.Expr) -> bool:
    return any(isinstance(n, ir.Call) and last_word(n.func) in _CLOCKS for n in ir.walk(expr))


def _seconds(ev: Evaluator, test: ir.Compare, scope: Scope) -> float | None:
    """`time.time() - start > 30`, or `time.time() > deadline` where `deadline = time.time() + 30`."""
    other = [v for v in test.values if not _asks_clock(v)]
    if len(other) != 1:
        return None
    clock = next(v for v in test.values if _asks_clock(v))
    if isinstance(clock, ir.Binary):
        return number(ev, other[0], scope)
    made = [b.expr for b in scope.names.get(other[0].id, ())] if isinstance(other[0], ir.Name) else [other[0]]
    if len(made) != 1 or not isinstance(made[0], ir.Binary) or made[0].op != "+" or not any(_asks_clock(v) for v in made[0].values):
        return None
    added = [number(ev, v, scope) for v in made[0].values if not _asks_clock(v)]
    return added[0] if len(added) == 1 else None


def number(ev: Evaluator, expr: ir.Expr, scope: Scope) -> float | None:
    """The one number that an expression is, callers, defaults and settings included; None where it is not known or there are several."""
    return one_number(ev.settle(ev.value(expr, scope)))


def one_number(value: Value) -> float | None:
    found: set[float] = set()
    for option in options(value):
        known = option.default if isinstance(option, Environment) else option
        if not isinstance(known, Literal) or isinstance(known.value, bool) or not isinstance(known.value, int | float):
            return None
        found.add(float(known.value))
    return found.pop() if len(found) == 1 else None


# -- decorators --------------------------------------------------------------------------------------------------------


def of_decorator(ev: Evaluator, decorator: ir.Expr, scope: Scope) -> Retry | None:
    """What a library's decorator does when its function fails; None for all other decorators."""
    around = scope.parent or scope
    call = decorator if isinstance(decorator, ir.Call) else None
    callee = ev.value(call.func if call is not None else decorator, around)
    name = callee.name if isinstance(callee, External) else ""
    library, last = name.partition(".")[0], name.rpartition(".")[2]
    place = scope.place(decorator.at)
    match library, last:
        case "tenacity", "retry":
            return _of_tenacity(ev, call, around, place)
        case "backoff", "on_exception" | "on_predicate":
            return _by_names(ev, call, around, place, "max_tries", "max_time")
        case "retrying", "retry":
            return _by_names(ev, call, around, place, "stop_max_attempt_number", "stop_max_delay", 0.001)
        case "retry" | "retry2" | "reretry", "retry":
            return _by_names(ev, call, around, place, "tries", "")
        case "celery", _ if call is not None and call.keyword("autoretry_for") is not None:
            return _of_task(ev, call, around, place)
        case _:
            given = call.keyword("autoretry_for") if call is not None else None
            return _of_task(ev, call, around, place) if given is not None and call is not None else None


def _of_tenacity(ev: Evaluator, call: ir.Call | None, scope: Scope, place: Place) -> Retry:
    """`stop_after_attempt(5) | stop_after_delay(30)`; without `stop` it never does."""
    stop = call.keyword("stop") if call is not None else None
    if stop is None:
        return Retry("forever", place)
    for node in ir.walk(_followed(stop, scope)):
        if isinstance(node, ir.Call) and last_word(node.func) == "stop_after_attempt":
            most = number(ev, node.args[0], scope) if node.args else None
            return Retry("times", place, whole(most))
    for node in ir.walk(_followed(stop, scope)):
        if isinstance(node, ir.Call) and last_word(node.func) in ("stop_after_delay", "stop_before_delay"):
            return Retry("seconds", place, seconds=number(ev, node.args[0], scope) if node.args else None)
    return Retry("forever" if last_word(stop) == "stop_never" else "unknown", place)


def _followed(expr: ir.Expr, scope: Scope) -> ir.Expr:
    """What a name in the same module stands for, where it is bound once."""
    around: Scope | None = scope
    while isinstance(expr, ir.Name) and around is not None:
        found = around.names.get(expr.id, ())
        if found:
            return found[0].expr if len(found) == 1 and found[0].expr is not None else expr
        around = around.parent
    return expr


def _by_names(ev: Evaluator, call: ir.Call | None, scope: Scope, place: Place, tries: str, time: str, unit: float = 1.0) -> Retry:
    """Libraries that are told a number of tries, a time, or neither: then they never stop."""
    given = call.keyword(tries) if call is not None else None
    if given is not None:
        most = number(ev, given, scope)
        if most is not None and most < 0:
            return Retry("forever", place)
        is_none = isinstance(given, ir.Const) and given.value is None
        if not is_none:
            return Retry("times", place, whole(most))
    limit = call.keyword(time) if call is not None and time else None
    if limit is not None:
        seconds = number(ev, limit, scope)
        return Retry("seconds", place, seconds=seconds * unit if seconds is not None else None)
    is_spread = call is not None and any(not k.name for k in call.keywords)
    return Retry("unknown" if is_spread else "forever", place)


def _of_task(ev: Evaluator, call: ir.Call, scope: Scope, place: Place) -> Retry:
    """A task of Celery that is sent again when it fails: max_retries come after the first try; None means no end."""
    given = call.keyword("max_retries")
    for keyword in call.keywords:
        if keyword.name == "retry_kwargs" and isinstance(keyword.value, ir.Mapping):
            given = given or next((v for k, v in zip(keyword.value.keys, keyword.value.values, strict=True) if isinstance(k, ir.Const) and k.value == "max_retries"), None)
    if given is None:
        return Retry("times", place, _CELERY_TRIES + 1)
    if isinstance(given, ir.Const) and given.value is None:
        return Retry("forever", place)
    most = whole(number(ev, given, scope))
    return Retry("times", place, most + 1 if most is not None else None)
