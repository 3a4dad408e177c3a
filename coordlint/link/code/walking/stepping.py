"""One call at a time: what it means, what it takes, gives back or hands on."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_fields

from coordlint import ir
from coordlint.coordination import Operation, Outcome
from coordlint.link.code.calls import queries
from coordlint.link.code.calls.meaning import Meaning, key_of, understand
from coordlint.link.code.calls.operations import describe
from coordlint.link.code.calls.trace import Step
from coordlint.link.code.evaluation import arguments, attributes, dispatching, hooks, injecting
from coordlint.link.code.evaluation.values import (
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Method,
    Object,
    Parameter,
    Partial,
    Unknown,
    Value,
    as_pattern,
    options,
    shown,
)
from coordlint.link.code.flow.outcomes import is_never_sent, is_only_told, outcome_of, outcome_of_count
from coordlint.link.code.flow.usage import bare, last_word, names_in, starts
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.link.code.walking import applying, entering, holding, releasing, requesting, templates
from coordlint.models.schema import Op

if TYPE_CHECKING:
    from coordlint.link.code.walking.walk import Around, Walk



def step(w: Walk, call: ir.Call, s: ir.Stmt, around: Around) -> None:
    """Understands one call and records it."""
    place = w.scope.place(call.at)
    callee = w.ev.settle(w.ev.value(call.func, w.scope))
    made = Step(
        place, call, guards=around.guards, loop=around.loop, each=around.each, pause=around.pause, limit=around.limit, inside=tuple(w.held), deferred=around.deferred, given=around.given,
        transaction=around.transaction,
    )  # fmt: skip
    made.ignored = isinstance(s, ir.Evaluate) and bare(s.value) is call
    functions: list[FunctionRef] = []
    raw = w.ev.value(call.func, w.scope)
    understood = told_elsewhere = applying.is_made_for_callers(w, call, raw)
    by_name: dict[str, ir.Call] = {}  # calls that helpers make which were given a method's name
    for option in _followed(w, options(callee), call, by_name):
        match option:
            case Method() | External() | Instance() | Partial():
                if told_elsewhere:
                    _aside(w, made, option, call, around)
                understood = told_elsewhere or _library(w, made, option, call, s, around) or understood
            case FunctionRef():
                functions.append(option)
            case ClassRef(symbol=symbol):
                understood = True
                init = w.ev.project.scopes.get(f"{symbol}.__init__")
                if init is not None:
                    functions.append(FunctionRef(init.symbol, Object(symbol)))
            case Object():
                called = attributes.attribute(w.ev, option, "__call__")
                functions += [f for f in options(called) if isinstance(f, FunctionRef)]
            case _:
                pass
    hooked = hooks.hooks(w.ev, call, w.scope) if not functions and isinstance(callee, Unknown) else []
    functions += hooked
    if not functions:
        functions += templates.called_back(w, call)
    understood = understood or _statement(w, made, call, s, around, functions)
    entering.stack(w, call, s, around)
    if isinstance(raw, Parameter):
        made.parameter = raw
    passed = _callbacks(w, made, call)
    if passed and functions and not any(_calls_back(w, f, call) for f in functions):
        passed = ()  # kept for later: who calls it then is seen there
        for making in (s for s in w.trace.steps[-len(call.args) - 4 :] if any(s.call is a for a in call.args)):
            making.functions, making.called = (), 0  # `later(partial(work, id))`
    made.functions = tuple(functions) + passed
    made.called = len(functions)
    made.unresolved = not (understood or made.functions or _is_harmless(callee, call))
    w.push(made)
    if made.unresolved:
        releasing.release_by_name(w, call, around)
    releasing.release_later(w, call)
    _put_off(w, made, call, around)
    for a in applying.applied(w, callee, call, s, around):
        inner = replace(made, call=a.call, passed=a.passed, operation=None, functions=(), called=0, guards=a.around.guards, unresolved=False, key=None)
        if _library(w, inner, a.callee, a.call, a.statement, a.around):
            inner.operation = told_via(inner.operation, a.helper)
            w.push(inner)
    for function in functions:
        made.args = () if hooked else arguments.arguments_of(w.ev, function, by_name.get(function.symbol, call), w.scope)
        holding.call_project(w, made, function, made.args, call, s, around)
        _requests(w, made, function, call, s, around)


def _put_off(w: Walk, made: Step, call: ir.Call, around: Around) -> None:
    """`stack.callback(client.delete, key)`: the key is deleted in the end, whatever happens before."""
    if last_word(call.func) not in ("callback", "push_async_callback") or len(call.args) < 2:
        return
    inner = releasing.put_off(call)
    for option in options(w.ev.settle(w.ev.value(inner.func, w.scope))):
        if isinstance(option, Method) and option.model.op is Op.DELETE:
            later = replace(made, call=inner, functions=(), called=0, unresolved=False, outcome=Outcome.DEAD)
            args = arguments.bind(w.ev, option.model.params, inner, w.scope, option.model.variadic)
            meaning = understand(w.ev, option.model, args, option.owner)
            later.operation = describe(w, later, meaning, option.owner, inner, around)
            w.push(later)
            key = key_of(w.ev, meaning)
            if key is not None:
                releasing.free_later(w, key, made.place)


_OPERATORS = {"+": "__add__", "-": "__sub__"}


def augment(w: Walk, s: ir.Augment, around: Around) -> None:
    """`counter += 1` on an object of a library that counts in a store: a call like any other."""
    method = _OPERATORS.get(s.op)
    if method is None or not isinstance(s.target, ir.Name | ir.Attribute):
        return
    for option in options(w.ev.settle(w.ev.value(s.target, w.scope))):
        model = w.ev.models.method(option.type, method) if isinstance(option, Instance) else None
        if isinstance(option, Instance) and model is not None:
            call = ir.Call(ir.Attribute(s.target, method, s.at), (s.value,), (), s.at)
            made = Step(w.scope.place(s.at), call, guards=around.guards, loop=around.loop, each=around.each, inside=tuple(w.held), given=around.given)
            _library(w, made, Method(option, method, model), call, s, around)
            if made.operation is not None:
                path = option.argument("path")
                made.key = as_pattern(path.value) if path is not None else None
                named = {"key": made.key.text, "key_text": shown(made.key.named)} if made.key is not None else {}
                nearby = (c for c in w.ev.project.scopes.values() if c.path == w.scope.path)
                bodies = (c.function.body if c.kind == "function" else c.node.body for c in nearby)
                made.operation = replace_fields(made.operation, outcome=outcome_of_count(s.target, bodies), **named)
            w.push(made)
            return


def _followed(w: Walk, callees: tuple[Value, ...], call: ir.Call, by_name: dict[str, ir.Call]) -> list[Value]:
    """What a call calls: functions that call others by their names give place to these."""
    made: list[Value] = []
    for option in callees:
        found = dispatching.dispatched(w.ev, option, call, w.scope) if isinstance(option, FunctionRef) else None
        targets = [v for v in found[0] if isinstance(v, FunctionRef)] if found is not None else []
        if found is not None and targets:
            by_name.update((t.symbol, found[1]) for t in targets)
        made += targets or [option]
    return made


_PUTS = ("put", "put_nowait")  # into a queue


def _callbacks(w: Walk, made: Step, call: ir.Call) -> tuple[FunctionRef, ...]:
    """Functions that are passed to be called: here and now, or elsewhere and later."""
    if last_word(call.func) in _PUTS:
        return ()  # who takes it out calls it, and nobody here waits for that
    found: list[FunctionRef] = []
    elects = made.operation is not None and made.operation.op is Op.RUN_ELECTION
    for arg in (*call.args, *(k.value for k in call.keywords if k.name in ("target", "func", "function", "callback", "fn"))):
        if isinstance(arg, ir.Name | ir.Attribute) or (isinstance(arg, ir.Call) and last_word(arg.func) == "partial"):
            value = w.ev.value(arg, w.scope)
            passed = w.ev.settle(value) if elects else value  # what leads may have come through a wrapper
            found += [v for v in options(passed) if isinstance(v, FunctionRef)]
    if found and starts(call.func):
        made.deferred = True
    if elects and not found and isinstance(call.func, ir.Attribute):
        found = _leads(w.ev.settle(w.ev.value(call.func.base, w.scope)))
    return tuple(found)


def _leads(election: Value, depth: int = 0) -> list[FunctionRef]:
    """What an election was told to call when it is won: `LeaderElection(Config(..., onstarted_leading=lead)).run()`."""
    found: list[FunctionRef] = []
    for option in options(election):
        for arg in option.arguments if isinstance(option, Instance) else ():
            if "start" in arg.name or arg.name in ("func", "callback"):
                found += [v for v in options(arg.value) if isinstance(v, FunctionRef)]
            elif depth < 2:
                found += _leads(arg.value, depth + 1)
    return found


def _calls_back(w: Walk, function: FunctionRef, call: ir.Call) -> bool:
    """Whether a function of the project calls a function that it is given, or hands it on to a call."""
    scope = w.ev.project.scopes[function.symbol]
    trace = w.tracer.trace(function.symbol)
    if not trace.complete or any(child.kind == "function" and not _is_put_away(scope, child) for child in scope.children):
        return True
    given = arguments.arguments_of(w.ev, function, call, w.scope)
    names = {a.name for a in given if any(isinstance(v, FunctionRef) for v in options(a.value))} or {p.name for p in scope.params()} - {"self", "cls"}
    return any(
        s.parameter is not None or any(names & names_in(a) for a in (*s.call.args, *(k.value for k in s.call.keywords)))
        for s in trace.steps
    )


def _is_put_away(scope: Scope, child: Scope) -> bool:
    """Whether a function does nothing with a function inside it but to put it into a queue."""
    nodes = [n for s in statements(scope.function.body) for e in expressions(s) for n in ir.walk(e)]
    put = {id(a) for n in nodes if isinstance(n, ir.Call) and last_word(n.func) in _PUTS for a in n.args}
    used = [n for n in nodes if isinstance(n, ir.Name) and n.id == child.function.name]
    return bool(used) and all(id(n) in put for n in used)


_HARMLESS_METHODS = frozenset(
    "append add get items keys values pop update setdefault extend split join strip format encode decode startswith endswith replace "
    "lower upper debug info warning warn error exception critical log copy sort index count isoformat strftime total_seconds group "
    "groups match search findall sub discard clear insert popleft appendleft hexdigest digest read readline is_set dict model_dump json "
    "to_dict as_dict fetchone fetchall fetchmany fetchval scalar scalars scalar_one scalar_one_or_none title rstrip lstrip issubset union _replace _asdict difference timestamp date time "
    "desc asc in_ is_ isnot is_not notin_ not_in ilike like label between nullsfirst nullslast".split()  # of columns
)


def _is_harmless(callee: Value, call: ir.Call) -> bool:
    """Calls that reach nothing outside the process: the standard library's own, and methods of plain values."""
    if isinstance(callee, External):
        top = callee.name.partition(".")[0]
        return top in sys.stdlib_module_names or top in ("builtins", "structlog", "loguru")
    if isinstance(callee, Unknown):
        return isinstance(call.func, ir.Attribute) and call.func.name in _HARMLESS_METHODS
    return False


def told_via(operation: Operation | None, helper: str) -> Operation | None:
    """An operation, with the helper that stands between it and who calls it."""
    return operation if operation is None or not helper else replace_fields(operation, via=(helper, *operation.via))


def _aside(w: Walk, made: Step, callee: Value, call: ir.Call, around: Around) -> None:
    """Keeps what a call does that is told where its function is called."""
    if isinstance(callee, Method):
        args = arguments.bind(w.ev, callee.model.params, call, w.scope, callee.model.variadic)
        made.aside = describe(w, made, understand(w.ev, callee.model, args, callee.owner), callee.owner, call, around)


# -- library calls ---------------------------------------------------------------------------------------------------


def _library(w: Walk, made: Step, callee: Value, call: ir.Call, s: ir.Stmt, around: Around) -> bool:
    """A call of a library: an operation, maybe on a lock. False when nobody knows it."""
    owner: Value | None = None
    match callee:
        case Method(owner=of, model=model):
            owner = of
        case Instance(type=type_name):
            found = w.ev.models.method(type_name, "__call__")
            if found is None:
                return False
            model, owner = found, callee
        case External(name=name):
            known = w.ev.models.call(name)
            if known is None:
                return False
            model = known
        case Partial():
            held, owner, args = injecting.unfolded(w.ev, callee, call, w.scope)
            if held is None:
                return False
            model = held
        case _:
            return False
    if not isinstance(callee, Partial):
        args = arguments.bind(w.ev, model.params, call, w.scope, model.variadic)
    meaning = understand(w.ev, model, args, owner)
    asked = requesting.left_open(w, w.ev.value(call.func, w.scope), args, meaning, around.guards) if meaning.model.effect == "http" else None
    if asked is not None:
        made.asks = (asked,)
        meaning = replace_fields(meaning, op=model.op, late=model.late or meaning.late, rest=None)
    _note(w, made, meaning, owner, call, s, around)
    return True


def _requests(w: Walk, made: Step, function: FunctionRef, call: ir.Call, s: ir.Stmt, around: Around) -> None:
    """What a function that sends requests to where it is told sends for this call: told here where that is known here."""
    told, further = requesting.asked_behind(w, function, made.args, around.guards)
    made.asks = (*made.asks, *further)
    for asked, meaning, owner in told:
        seen = replace_fields(around, guards=asked.guards)
        inner = replace(made, operation=None, functions=(), called=0, guards=asked.guards, unresolved=False, key=None, asks=())
        _note(w, inner, meaning, owner, call, s, seen)
        for helper in reversed(asked.via):
            inner.operation = told_via(inner.operation, helper)
        w.push(inner)


def _statement(w: Walk, made: Step, call: ir.Call, s: ir.Stmt, around: Around, functions: list[FunctionRef]) -> bool:
    """A statement that coordinates, executed by somebody whom nothing types, or by the function through which the project executes all of them."""
    is_run = bool(functions) and bool(call.args) and all(queries.is_runner(w.tracer.trace(f.symbol)) for f in functions)
    if functions and not is_run:
        return False
    model = queries.model_of(w.ev, call, w.scope, is_run=is_run)
    if model is None:
        return False
    args = arguments.bind(w.ev, model.params, call, w.scope)
    meaning = understand(w.ev, model, args, None)
    made.outcome = outcome_of(call, s, w.usage)
    told = describe(w, made, meaning, None, call, around)
    if told.op not in queries.COORDINATES and not is_run:
        return False
    made.operation = told_via(told, functions[0].symbol.rpartition(".")[2]) if is_run else told
    holding.note_lock(w, made, meaning, None, call, s, around)
    return True


def _note(w: Walk, made: Step, meaning: Meaning, owner: Value | None, call: ir.Call, s: ir.Stmt, around: Around) -> None:
    """Records what a call of a library does."""
    made.outcome = outcome_of(call, s, w.usage)
    if meaning.op is Op.TRANSACTION and is_never_sent(call, s, w.usage):
        made.outcome = Outcome.DEAD
    if made.operation is None:
        made.operation = describe(w, made, meaning, owner, call, around)
        if made.operation.backend == "database-row" and not made.operation.is_async and _is_awaited(call, s):
            made.operation = replace_fields(made.operation, is_async=True)
        if meaning.refusal and meaning.op is Op.SCRIPT and w.scope.kind == "function":
            made.operation = replace_fields(made.operation, refusal=meaning.refusal, only_told=is_only_told(call, s, w.scope.function.body))
        elif meaning.op in (Op.DISCOVER, Op.LIST) and w.scope.kind == "function" and is_only_told(call, s, w.scope.function.body):
            made.operation = replace_fields(made.operation, only_told=True)
    holding.note_lock(w, made, meaning, owner, call, s, around)


def _is_awaited(call: ir.Call, s: ir.Stmt) -> bool:
    """`await session.scalar(query)`: whoever is asked answers asynchronously, whatever it is."""
    return any(isinstance(n, ir.Await) and n.value is call for expr in expressions(s) for n in ir.walk(expr))


# -- names -----------------------------------------------------------------------------------------------------------


def note_names(w: Walk, s: ir.Stmt) -> None:
    """Where a fencing token is taken from a held lock, and to which names it goes."""
    if not isinstance(s, ir.Assign) or s.value is None:
        return
    mentioned = names_in(s.value)
    lasts = {m.rpartition(".")[2] for m in mentioned}
    for d in w.held:
        tokens = set(d.lock.model.token_names)
        bare = {n.id for n in ir.walk(s.value) if isinstance(n, ir.Name)}
        subscripts = {str(n.index.value) for n in ir.walk(s.value) if isinstance(n, ir.Index) and isinstance(n.index, ir.Const)}
        if tokens & (lasts | subscripts) or d.token_names & (mentioned | bare):
            d.token_taken = d.token_taken or w.scope.place(s.at)
            d.token_names |= {written(t) for t in s.targets}
