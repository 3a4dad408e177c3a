"""One call at a time: what it means, what it takes, gives back or hands on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.coordination import Guard, Lock, Outcome, Release, Time
from coordlint.link import attributes, calling
from coordlint.link.locks import by_hand_lock, lock_instance, lock_model, lock_of, takes
from coordlint.link.meaning import Meaning, key_of, understand
from coordlint.link.operations import describe
from coordlint.link.project import Scope, blocks, expressions
from coordlint.link.texts import written
from coordlint.link.trace import Draft, Loose, Step
from coordlint.link.usage import STARTERS, calls_in, last_word, names_in, outcome_of
from coordlint.link.values import (
    Arg,
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Literal,
    Manager,
    Method,
    Object,
    Parameter,
    Partial,
    Unknown,
    Value,
    options,
    substitute,
)
from coordlint.models.schema import OnBusy, Op
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.walk import Around, Walk

MOST_HANDED_ON = 8  # locks or releases that one function hands on to its callers
_KEYED = ("redis", "memcached", "django-cache", "zookeeper", "etcd", "consul")  # where a delete of a key can free a lock
_SLEEPS = ("time.sleep", "asyncio.sleep", "gevent.sleep", "eventlet.sleep", "trio.sleep", "anyio.sleep")


def step(w: Walk, call: ir.Call, s: ir.Stmt, around: Around) -> None:
    """Understands one call and records it."""
    place = w.scope.place(call.at)
    callee = w.ev.settle(w.ev.value(call.func, w.scope))
    made = Step(place, call, guards=around.guards, loop=around.loop, held=tuple(w.held), deferred=around.deferred)
    functions: list[FunctionRef] = []
    understood = False
    for option in options(callee):
        match option:
            case Method() | External() | Instance() | Partial():
                understood = _library(w, made, option, call, s, around) or understood
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
    raw = w.ev.value(call.func, w.scope)
    if isinstance(raw, Parameter) and not functions:
        made.parameter = raw
    made.functions = tuple(functions) + _callbacks(w, made, call)
    made.unresolved = not (understood or made.functions or _is_harmless(callee, call))
    w.push(made)
    for function in functions:
        made.args = calling.arguments_of(w.ev, function, call, w.scope)
        _project_call(w, made, function, made.args, call, s, around)


def _callbacks(w: Walk, made: Step, call: ir.Call) -> tuple[FunctionRef, ...]:
    """Functions that are passed to be called: here and now, or elsewhere and later."""
    found: list[FunctionRef] = []
    elects = made.operation is not None and made.operation.op is Op.RUN_ELECTION
    for arg in (*call.args, *(k.value for k in call.keywords if k.name in ("target", "func", "function", "callback", "fn"))):
        if isinstance(arg, ir.Name | ir.Attribute):
            value = w.ev.value(arg, w.scope)
            passed = w.ev.settle(value) if elects else value  # what leads may have come through a wrapper
            found += [v for v in options(passed) if isinstance(v, FunctionRef)]
    if found and last_word(call.func) in STARTERS:
        made.deferred = True
    return tuple(found)


_HARMLESS_METHODS = frozenset(
    "append add get items keys values pop update setdefault extend split join strip format encode decode startswith endswith replace "
    "lower upper debug info warning warn error exception critical log copy sort index count isoformat strftime total_seconds group "
    "groups match search findall sub discard clear insert popleft appendleft hexdigest digest read readline is_set dict model_dump json "
    "to_dict as_dict fetchone fetchall fetchmany fetchval scalar scalars scalar_one scalar_one_or_none title rstrip lstrip issubset union difference timestamp date time".split()
)


def _is_harmless(callee: Value, call: ir.Call) -> bool:
    """Calls that reach nothing outside the process: the standard library's own, and methods of plain values."""
    if isinstance(callee, External):
        import sys

        top = callee.name.partition(".")[0]
        return top in sys.stdlib_module_names or top in ("builtins", "structlog", "loguru")
    if isinstance(callee, Unknown):
        return isinstance(call.func, ir.Attribute) and call.func.name in _HARMLESS_METHODS
    return False


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
            held, owner, args = calling.unfolded(w.ev, callee, call, w.scope)
            if held is None:
                return False
            model = held
        case _:
            return False
    if not isinstance(callee, Partial):
        args = calling.bind(w.ev, model.params, call, w.scope, model.variadic)
    meaning = understand(w.ev, model, args, owner)
    made.outcome = outcome_of(call, s, w.usage)
    if made.operation is None:
        made.operation = describe(w, made, meaning, owner, call, around)
    _locking(w, made, meaning, owner, call, s, around)
    return True


def _locking(w: Walk, made: Step, meaning: Meaning, owner: Value | None, call: ir.Call, s: ir.Stmt, around: Around) -> None:
    subject = written(call.func.base) if isinstance(call.func, ir.Attribute) else ""
    lock = lock_instance(w.ev, owner) if owner is not None else None
    if meaning.op in (Op.ACQUIRE, Op.CREATE):
        if lock is not None and meaning.op is Op.ACQUIRE:
            noun = lock_of(w.ev, lock, meaning, made.place)
            draft = Draft(noun, lock, subject, made.place, "acquire", w.scope, meaning.args, meaning, owner)
            draft.can_fail = _can_fail(noun, meaning)
            _open(w, draft, made, s, around)
        elif takes(w.ev, meaning, owner):
            noun = by_hand_lock(w.ev, meaning, owner, made.place)
            key = key_of(w.ev, meaning)
            draft = Draft(noun, key or Unknown(), subject, made.place, "acquire", w.scope, meaning.args, meaning, owner)
            draft.can_fail = noun.blocking is False and meaning.model.result != "raises"
            draft.is_raw = noun.by_hand
            _open(w, draft, made, s, around)
    elif meaning.op in (Op.RELEASE, Op.DELETE, Op.FORCE_RELEASE, Op.REVOKE):
        if meaning.op is Op.DELETE and w.ev.models.backend_of(meaning.model.name) not in _KEYED:
            return
        how = "compare-and-delete" if meaning.lua or _is_watched(w, made) else "delete"
        if lock is not None or meaning.sql is not None or (meaning.op is not Op.DELETE and not meaning.lua):
            how = "library"
        target: Value = lock if lock is not None else key_of(w.ev, meaning) or Unknown()
        release(w, target, subject, made.place, how, around)
    elif meaning.op is Op.CHECK:
        for d in w.held:
            if d.written == subject:
                d.checked.append(made.place)
    elif meaning.op is Op.EXTEND:
        for d in w.held:
            if d.written == subject or d.is_raw:
                d.extended.append(made.place)
    elif meaning.op is Op.RUN_ELECTION and lock is not None:
        noun = lock_of(w.ev, lock, meaning, made.place)
        draft = Draft(noun, lock, subject, made.place, "callback", w.scope, meaning.args, meaning, owner, can_fail=False)
        draft.steps.append(made)
        draft.releases.append(Release(made.place, "library", True))
        w.trace.drafts.append(draft)
    elif meaning.op is Op.ROW_LOCK:
        noun = by_hand_lock(w.ev, meaning, owner, made.place)
        draft = Draft(noun, owner or Unknown(), subject, made.place, "row-lock", w.scope, meaning.args, meaning, owner, can_fail=False)
        draft.transaction = True
        w.trace.drafts.append(draft)
        w.held.append(draft)


def _is_watched(w: Walk, made: Step) -> bool:
    """Whether a delete is part of a MULTI that WATCH guards."""
    if made.operation is None or not made.operation.atomic:
        return False
    return any(s.operation is not None and s.operation.op is Op.WATCH and s.operation.atomic for s in w.trace.steps)


def _can_fail(lock: Lock, meaning: Meaning) -> bool | None:
    """Whether an acquire can come back without the lock and say so only by its result."""
    if meaning.model.result in ("raises", "object", "token", "none", ""):
        return False
    if lock.blocking is False:
        return True
    if lock.wait.kind in ("seconds",) or lock.wait.kind == "unknown" and lock.wait.place is not None:
        # A library that raises on a timeout is told apart by `raises`.
        return not meaning.model.raises
    return None if lock.blocking is None else False


def _open(w: Walk, draft: Draft, made: Step, s: ir.Stmt, around: Around) -> None:
    draft.loop = around.loop
    draft.transaction = around.transaction
    draft.tested = made.outcome is Outcome.TESTED
    draft.escapes = made.outcome is Outcome.RETURNED
    draft.is_used = made.outcome is Outcome.USED
    if isinstance(s, ir.Assign):
        draft.names = {written(t) for t in s.targets if not isinstance(t, ir.Sequence)} | {
            written(i) for t in s.targets if isinstance(t, ir.Sequence) for i in t.items
        }
    if around.in_handler and any(d.subject == draft.subject for d in w.held):
        return
    w.trace.drafts.append(draft)
    draft.within = tuple(w.held)
    w.held.append(draft)


def release(w: Walk, subject: Value, text: str, place: Place, how: str, around: Around) -> None:
    """Ends the section that this lock holds here, or notes a release for a caller's section."""
    for d in reversed(w.held):
        same = d.subject == subject and not isinstance(subject, Unknown)
        if not same and (not text or d.written != text or d.is_raw or how == "delete"):
            continue
        if how == "delete" and not d.is_raw:
            continue
        d.releases.append(Release(place, how, around.in_final))
        if not around.in_handler:
            w.held.remove(d)
        return
    for d in w.trace.drafts:  # a second way out: a handler or an early return
        if d not in w.held and d.subject == subject and not isinstance(subject, Unknown) and (how != "delete" or d.is_raw):
            d.releases.append(Release(place, how, around.in_final))
            return
    _note_loose(w, Loose(subject, text, place, how, around.in_final))


def _note_loose(w: Walk, made: Loose) -> None:
    """A release for a caller's section; each lock once, and not without end up a long chain of calls."""
    unknown = isinstance(made.subject, Unknown) and not made.written
    known = any(x.subject == made.subject and x.written == made.written for x in w.trace.loose)
    if not unknown and not known and len(w.trace.loose) < MOST_HANDED_ON:
        w.trace.loose.append(made)


# -- calls of the project's own functions -------------------------------------------------------------------------------


def _project_call(
    w: Walk, made: Step, function: FunctionRef, args: tuple[Arg, ...], call: ir.Call, s: ir.Stmt, around: Around
) -> None:
    """What a function of the project leaves held, or releases, for its caller."""
    scope = w.ev.project.scopes[function.symbol]
    if w.ev.is_manager(scope) or made.deferred:
        return
    inner = w.tracer.trace(function.symbol)
    if not inner.left and not inner.loose:
        return
    bindings = calling.bindings(w.ev, function, args)
    for d in inner.left:
        if not inner.gives_result and ((d.tested and d.skips) or (d.is_raw and not d.raises_when_busy and d.is_used)):
            continue  # it was looked at there, and the caller cannot know: a debounce, not a wrapper
        made.is_wrapped = True
        draft = inherit(w, d, scope, bindings, made.place)
        draft.written = written(call.func.base) if isinstance(call.func, ir.Attribute) else ""
        draft.can_fail = (d.can_fail or d.can_fail is None) if inner.gives_result else d.can_fail and not d.tested
        _open(w, draft, made, s, around)
    for loose in inner.loose:
        made.is_wrapped = True
        subject = substitute(loose.subject, bindings)
        text = written(call.func.base) if isinstance(call.func, ir.Attribute) else ""
        release(w, subject, text, made.place, loose.how, around)


def inherit(w: Walk, d: Draft, scope: Scope, bindings: dict[tuple[str, str], Value], place: Place) -> Draft:
    """A section that a wrapper opens for its caller: the same lock, with the caller's arguments filled in."""
    subject = substitute(d.subject, bindings)
    via = (scope.function.name, *d.lock.via)
    args = tuple(replace(a, value=substitute(a.value, bindings)) for a in d.args)
    lock = w.tracer.relock(d, subject, args, via)
    made = Draft(lock, subject, d.written, place, "acquire", w.scope, args, d.meaning, d.owner)
    made.is_raw = d.is_raw
    made.skips, made.raises_when_busy = False, d.raises_when_busy
    made.can_fail, made.tested = d.can_fail, d.tested
    made.extended = list(d.extended)
    return made


# -- with ------------------------------------------------------------------------------------------------------------


def enter(w: Walk, item: ir.Item, s: ir.With, around: Around) -> tuple[list[Draft], Around]:
    """What `with item:` holds, and what stands around its body."""
    value = w.ev.settle(w.ev.value(item.context, w.scope))
    place = w.scope.place(item.context.at)
    name = written(item.target) if item.target is not None else ""
    opened: list[Draft] = []
    for option in options(value):
        if isinstance(option, Object):
            _note_protocol(w, option, item, around)
        opened += _entered(w, option, item, place, name)
        around = _surround(w, option, item, around)
        if opened:
            break
    for d in opened:
        d.loop = around.loop
        d.transaction = d.transaction or around.transaction
        if name:
            d.names.add(name)
            d.tested = d.tested or name in w.usage.tested
        if isinstance(item.context, ir.Name | ir.Attribute):
            d.written = written(item.context)
            d.tested = d.tested or _is_checked(s.body, d.written, name)
        elif name:
            d.written = name
            d.tested = d.tested or _is_checked(s.body, name, name)
        if d not in w.trace.drafts:
            w.trace.drafts.append(d)
        if d not in w.held:
            d.within = tuple(w.held)
            w.held.append(d)
    return opened, around


def _note_protocol(w: Walk, value: Object, item: ir.Item, around: Around) -> None:
    """Entering and leaving an object of the project calls its methods."""
    place = w.scope.place(item.context.at)
    for name in ("__enter__", "__aenter__", "__exit__", "__aexit__"):
        found = tuple(f for f in options(attributes.attribute(w.ev, value, name)) if isinstance(f, FunctionRef))
        if found:
            call = ir.Call(ir.Attribute(item.context, name, item.context.at), (), (), item.context.at)
            w.push(Step(place, call, functions=found, guards=around.guards, loop=around.loop, held=tuple(w.held)))


def _entered(w: Walk, value: Value, item: ir.Item, place: Place, name: str) -> list[Draft]:
    match value:
        case Manager(symbol=symbol, arguments=args, receiver=receiver):
            scope = w.ev.project.scopes[symbol]
            inner = w.tracer.trace(symbol)
            bindings = calling.bindings(w.ev, FunctionRef(symbol, receiver), args)
            made = [inherit(w, d, scope, bindings, place) for d in inner.at_yield]
            for d, source in zip(made, inner.at_yield, strict=True):
                d.how = "with"
                d.transaction = source.transaction
                d.releases = [replace_release(r, place) for r in source.releases] or [Release(place, "with", True)]
            return made
        case Instance() if lock_model(w.ev, value.type) is not None:
            already = [d for d in w.held if d.subject == value and d.acquired.path == place.path and d.acquired.line == place.line]
            if already:
                return already
            lock = lock_of(w.ev, value, None, place)
            draft = Draft(lock, value, "", place, "with", w.scope)
            draft.can_fail = lock.model.on_busy in (OnBusy.ENTERS, OnBusy.YIELDS_FALSE)
            draft.releases.append(Release(place, "with", True))
            return [draft]
        case Object():
            library = lock_instance(w.ev, value)
            if library is not None and attributes.attribute(w.ev, value, "__enter__") == Unknown():
                return _entered(w, library, item, place, name)
            return _entered_object(w, value, place)
        case _:
            return []


def replace_release(r: Release, place: Place) -> Release:
    """A release inside a context manager happens at the end of the caller's `with`."""
    return Release(r.place, r.how, True)


def _entered_object(w: Walk, value: Object, place: Place) -> list[Draft]:
    """A class of the project whose `__enter__` takes what its `__exit__` gives back."""
    found: list[Draft] = []
    for name, ending in (("__enter__", "__exit__"), ("__aenter__", "__aexit__")):
        method = attributes.attribute(w.ev, value, name)
        for function in options(method):
            if not isinstance(function, FunctionRef):
                continue
            inner = w.tracer.trace(function.symbol)
            bindings = calling.bindings(w.ev, function, ())
            scope = w.ev.project.scopes[function.symbol]
            for d in inner.left:
                draft = inherit(w, d, scope, bindings, place)
                draft.lock = w.tracer.renamed(draft.lock, scope)
                draft.how = "with"
                draft.releases = _exits(w, value, ending, place)
                found.append(draft)
    return found


def _exits(w: Walk, value: Object, ending: str, place: Place) -> list[Release]:
    for function in options(attributes.attribute(w.ev, value, ending)):
        if isinstance(function, FunctionRef):
            inner = w.tracer.trace(function.symbol)
            return [Release(x.place, x.how, True) for x in inner.loose] or [Release(place, "with", True)]
    return [Release(place, "with", True)]


def _surround(w: Walk, value: Value, item: ir.Item, around: Around) -> Around:
    """Transactions, pipelines, and handlers that see what the body raises."""
    if isinstance(value, Manager):
        around = replace(around, guards=(*w.tracer.guards_at_yield(value.symbol), *around.guards))
    match value:
        case Instance(type=type_name, arguments=args):
            model = w.ev.models.type(type_name)
            if model is not None and model.role == "pipeline":
                plain = any(a.name == "transaction" and isinstance(a.value, Literal) and a.value.value is False for a in args)
                return around if plain else replace(around, atomic="pipeline")
            if model is not None and model.role == "transaction":
                return replace(around, transaction=True)
        case _:
            pass
    if isinstance(item.context, ir.Call):
        func = w.ev.value(item.context.func, w.scope)
        for option in options(func):
            if option == External("contextlib.suppress"):
                names = tuple(_exception(w, a) for a in item.context.args)
                guard = Guard(names or ("*",), "swallow", w.scope.place(item.context.at))
                return replace(around, guards=(guard, *around.guards))
            found = option.model if isinstance(option, Method) else w.ev.models.call(option.name) if isinstance(option, External) else None
            if found is not None and found.op is Op.DB_TRANSACTION:
                return replace(around, transaction=True)
    if isinstance(value, Manager) and w.tracer.opens_transaction(value.symbol):
        return replace(around, transaction=True)
    return around


def _exception(w: Walk, expr: ir.Expr) -> str:
    value = w.ev.value(expr, w.scope)
    name = value.name if isinstance(value, External) else written(expr)
    return w.ev.models.canonical(name) or name


def _is_checked(body: tuple[ir.Stmt, ...], lock: str, name: str) -> bool:
    """Whether the body asks the lock (or what `as` bound) whether it is held, in a test or an assert."""
    asked = ("is_acquired", "acquired", "locked", "is_locked", "owned", "is_held")
    for s in body:
        tests = [b.test for b in s.branches] if isinstance(s, ir.If) else [s.test] if isinstance(s, ir.Assert) else []
        for test in tests:
            found = names_in(test)
            if name and name in found or any(f"{lock}.{a}" in found or (name and f"{name}.{a}" in found) for a in asked):
                return True
        if any(_is_checked(b, lock, name) for b in blocks(s)):
            return True
    return False


def leave(w: Walk, d: Draft, s: ir.With) -> None:
    """The end of a `with`."""
    if d in w.held:
        w.held.remove(d)
    if d.how == "acquire":
        d.releases.append(Release(d.acquired, "with", True))


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


def pause_of(w: Walk, body: tuple[ir.Stmt, ...]) -> Time | None:
    """The sleep in a loop's body."""
    for s in body:
        for expr in expressions(s):
            for call in calls_in(expr):
                callee = w.ev.value(call.func, w.scope)
                if isinstance(callee, External) and callee.name in _SLEEPS and call.args:
                    value = w.ev.value(call.args[0], w.scope)
                    place = w.scope.place(call.at)
                    if isinstance(value, Literal) and isinstance(value.value, int | float):
                        return Time("seconds", float(value.value), place, f"{value.value:g} s", float(value.value))
                    return Time("unknown", None, place, "not known")
        for block in blocks(s):
            found = pause_of(w, block)
            if found is not None:
                return found
    return None
