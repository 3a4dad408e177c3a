"""What `with` holds: locks, the project's own context managers, transactions and suppressed exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint import ir
from coordlint.coordination import Guard, Release
from coordlint.link.code.calls.locks import lock_instance, lock_model, lock_of
from coordlint.link.code.calls.trace import Draft, Step
from coordlint.link.code.evaluation import arguments, attributes
from coordlint.link.code.evaluation.values import (
    External,
    FunctionRef,
    Instance,
    Literal,
    Manager,
    Method,
    Object,
    Unknown,
    Value,
    options,
)
from coordlint.link.code.flow.usage import last_word, names_in
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions, statements
from coordlint.link.code.walking import without
from coordlint.link.code.walking.holding import inherit
from coordlint.link.code.walking.releasing import give_back
from coordlint.models.schema import OnBusy, Op
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.walking.walk import Around, Walk


def enter(w: Walk, item: ir.Item, s: ir.Stmt, around: Around) -> tuple[list[Draft], Around]:
    """What `with item:` holds, and what stands around its body."""
    value = w.ev.settle(w.ev.value(item.context, w.scope))
    place = w.scope.place(item.context.at)
    name = written(item.target) if item.target is not None else ""
    opened: list[Draft] = []
    body = s.body if isinstance(s, ir.With) else w.body
    for option in options(value):
        if isinstance(option, Object):
            _note_protocol(w, option, item, around)
        made = opened_by(w, option, item, place, name)
        for d in made if isinstance(option, Instance) and isinstance(item.target, ir.Name) else ():
            d.bound_use = _asked_of(w, body, name)
        opened += made
        around = _surround(w, option, item, around)
        if opened:
            break
    for d in opened:
        d.limit = d.limit or around.limit
        d.loop = around.loop
        d.transaction = d.transaction or around.transaction
        bound = names_in(item.target) if item.target is not None else set()
        d.names |= bound
        d.tested = d.tested or bool(bound & w.usage.tested)
        if isinstance(item.context, ir.Name | ir.Attribute):
            d.written = written(item.context)
            d.tested = d.tested or _is_checked(body, d.written, name)
        elif name:
            d.written = name
            d.tested = d.tested or _is_checked(body, name, name)
        if d.without is not None and (_asks_any(body, {*bound, d.written} - {""}) or bound & w.usage.tested):
            d.without = None
        if d not in w.trace.drafts:
            w.trace.drafts.append(d)
        if d not in w.held:
            d.within = tuple(w.held)
            w.held.append(d)
    return opened, around


def _asked_of(w: Walk, body: tuple[ir.Stmt, ...], name: str) -> Place | None:
    """The first attribute that a block asks of a name which it never sets."""
    first = None
    for s in statements(body):
        if isinstance(s, ir.Assign) and any(written(t) == name for t in s.targets):
            return None
        for expr in expressions(s):
            for node in ir.walk(expr) if first is None else ():
                if isinstance(node, ir.Attribute) and isinstance(node.base, ir.Name) and node.base.id == name:
                    first = w.scope.place(node.at)
                    break
    return first


def stack(w: Walk, call: ir.Call, s: ir.Stmt, around: Around) -> None:
    """`stack.enter_context(lock)`: held to the end of the `with` that the stack belongs to."""
    if last_word(call.func) in ("enter_context", "enter_async_context") and len(call.args) == 1:
        target = s.targets[0] if isinstance(s, ir.Assign) and len(s.targets) == 1 else None
        enter(w, ir.Item(call.args[0], target), s, around)


def _note_protocol(w: Walk, value: Object, item: ir.Item, around: Around) -> None:
    """Entering and leaving an object of the project calls its methods."""
    place = w.scope.place(item.context.at)
    for name in ("__enter__", "__aenter__", "__exit__", "__aexit__"):
        found = tuple(f for f in options(attributes.attribute(w.ev, value, name)) if isinstance(f, FunctionRef))
        if found:
            call = ir.Call(ir.Attribute(item.context, name, item.context.at), (), (), item.context.at)
            w.push(Step(place, call, functions=found, guards=around.guards, loop=around.loop, each=around.each, inside=tuple(w.held)))


def opened_by(w: Walk, value: Value, item: ir.Item, place: Place, name: str) -> list[Draft]:
    """The sections that entering one value opens."""
    match value:
        case Manager(symbol=symbol, arguments=args, receiver=receiver):
            scope = w.ev.project.scopes[symbol]
            inner = w.tracer.trace(symbol)
            bindings = arguments.bindings(w.ev, FunctionRef(symbol, receiver), args)
            made = [inherit(w, d, scope, bindings, place) for d in inner.at_yield]
            for d, source in zip(made, inner.at_yield, strict=True):
                d.how, d.provisional = "with", False
                d.transaction = source.transaction
                d.releases = [replace_release(r, place) for r in source.releases] or [Release(place, "with", True)]
                hit = without.at_yield(scope, source)
                d.without = hit.place if hit is not None else source.without
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
            if library is not None and isinstance(attributes.attribute(w.ev, value, "__enter__"), Unknown):
                return opened_by(w, library, item, place, name)
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
            bindings = arguments.bindings(w.ev, function, ())
            scope = w.ev.project.scopes[function.symbol]
            for d in inner.left:
                draft = inherit(w, d, scope, bindings, place, value)
                draft.lock = w.tracer.renamed(draft.lock, scope)
                draft.how, draft.provisional = "with", False
                draft.releases = _exits(w, value, ending, place)
                hit = without.at_end(scope, d)
                draft.without = hit.place if hit is not None else d.without
                found.append(draft)
    return found


def close(w: Walk, item: ir.Item) -> None:
    """The end of a `with` over an object that took its lock when it was made, or when a method was called inside."""
    if not any(d.how == "acquire" for d in w.held):
        return
    for option in options(w.ev.settle(w.ev.value(item.context, w.scope))):
        for name in ("__exit__", "__aexit__", "close", "aclose") if isinstance(option, Object) else ():
            for function in options(attributes.attribute(w.ev, option, name)):
                if isinstance(function, FunctionRef):
                    give_back(w, function, w.scope.place(item.context.at))
                    return


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
            if isinstance(option, External) and option.name in _LIMITS and not _is_none(w, item.context):
                return replace(around, limit=w.scope.place(item.context.at))
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


# What ends the wait of everything inside it, wherever that waits.
_LIMITS = frozenset(
    "asyncio.timeout asyncio.timeout_at async_timeout.timeout async_timeout.timeout_at anyio.fail_after anyio.move_on_after trio.fail_after "
    "trio.fail_at trio.move_on_after trio.move_on_at gevent.Timeout eventlet.Timeout eventlet.timeout.Timeout".split()
)


def _is_none(w: Walk, call: ir.Call) -> bool:
    """`timeout(None)` limits nothing."""
    given = [w.ev.settle(w.ev.value(a, w.scope)) for a in (*call.args, *(k.value for k in call.keywords))]
    return not given or (isinstance(given[0], Literal) and given[0].value is None)


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
            if (name and name in found) or any(f"{lock}.{a}" in found or (name and f"{name}.{a}" in found) for a in asked):
                return True
        if any(_is_checked(b, lock, name) for b in blocks(s)):
            return True
    return False


def _asks_any(body: tuple[ir.Stmt, ...], names: set[str]) -> bool:
    """Whether a test in a block is about one of these names, or an attribute of one."""
    for s in statements(body):
        tests = [b.test for b in s.branches] if isinstance(s, ir.If) else [s.test] if isinstance(s, ir.Assert | ir.Loop) else []
        if any(said == n or said.startswith(f"{n}.") for t in tests for said in names_in(t) for n in names):
            return True
    return False


def leave(w: Walk, d: Draft, s: ir.With) -> None:
    """The end of a `with`."""
    if d in w.held:
        w.held.remove(d)
    if d.how == "acquire":
        d.releases.append(Release(d.acquired, "with", True))
