"""What decorators hold around a function, and what they give back when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.coordination import Guard, Release
from coordlint.link.code.calls.locks import lock_instance, lock_of
from coordlint.link.code.calls.trace import Draft, Step, Trace
from coordlint.link.code.evaluation import arguments, attributes, classes
from coordlint.link.code.evaluation.evaluate import last_name
from coordlint.link.code.evaluation.values import (
    Arg,
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Manager,
    Method,
    Object,
    Parameter,
    Table,
    Unknown,
    Value,
    options,
)
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.walking import entering, holding, releasing, without
from coordlint.link.code.walking.walk import Around, Walk
from coordlint.models.schema import CallModel, Op
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.walking.tracer import Tracer


def decorated(tracer: Tracer, scope: Scope) -> list[Draft]:
    """What the decorators of a function hold while it runs; a decorator may be applied by a call as well."""
    around = scope.parent or scope
    return [d for expr in _decorators(scope) for d in _held_by(tracer, expr, scope, around)]


def _decorators(scope: Scope) -> Iterator[ir.Expr]:
    """`@locked`, and `run = locked(run)` behind the function."""
    yield from scope.function.decorators
    around, name = scope.parent, scope.function.name
    for b in around.names.get(name, ()) if around is not None else ():
        if b.kind == "value" and isinstance(b.expr, ir.Call) and any(isinstance(a, ir.Name) and a.id == name for a in b.expr.args):
            yield b.expr.func


def is_decorated(scope: Scope) -> bool:
    """Whether anything may stand around a function."""
    return next(_decorators(scope), None) is not None


def _held_by(tracer: Tracer, decorator: ir.Expr, scope: Scope, around: Scope) -> list[Draft]:
    place = scope.place(decorator.at)
    walk = Walk(tracer, scope, Trace(scope))
    found = _by_library(tracer, decorator, scope, around)
    if found:
        return found
    value = tracer.ev.value(decorator, around)
    for option in options(value):
        if _is_context(tracer, option):
            drafts = entering.opened_by(walk, option, ir.Item(decorator, None), place, "")
            for d in drafts:
                d.how = "decorator"
            return drafts
    for outer, args in _applied(tracer, decorator, value, around):
        return _around_param(tracer, walk, outer, args, scope, decorator)
    return []


def _is_context(tracer: Tracer, value: Value) -> bool:
    """A context manager that can be used as a decorator."""
    if isinstance(value, Object):
        known = attributes.attribute(tracer.ev, value, "__call__"), attributes.attribute(tracer.ev, value, "__enter__")
        return isinstance(known[0], Unknown) and not isinstance(known[1], Unknown)
    return isinstance(value, Manager) or (isinstance(value, Instance) and lock_instance(tracer.ev, value) is not None)


def _applied(tracer: Tracer, decorator: ir.Expr, value: Value, around: Scope) -> Iterator[tuple[FunctionRef, tuple[Arg, ...]]]:
    """The functions of the project that a decorator runs, with the arguments that it is given."""
    ev = tracer.ev
    if isinstance(decorator, ir.Call):
        for option in options(ev.value(decorator.func, around)):
            if isinstance(option, FunctionRef):
                yield option, arguments.arguments_of(ev, option, decorator, around)
            elif isinstance(option, ClassRef) and f"{option.symbol}.__call__" in ev.project.scopes:
                args = arguments.arguments_of(ev, option, decorator, around)
                yield FunctionRef(f"{option.symbol}.__call__", Object(option.symbol, args)), ()
        return
    for option in options(value):
        if isinstance(option, FunctionRef):
            yield option, ()
        elif isinstance(option, ClassRef) and f"{option.symbol}.__call__" in ev.project.scopes:
            yield FunctionRef(f"{option.symbol}.__call__", Object(option.symbol)), ()


def _by_library(tracer: Tracer, decorator: ir.Expr, scope: Scope, around: Scope) -> list[Draft]:
    """`@synchronized("x", external=True)`, `@app.task(base=QueueOnce)`: a library holds a lock while the function runs."""
    ev = tracer.ev
    place = scope.place(decorator.at)
    func = decorator.func if isinstance(decorator, ir.Call) else decorator
    for option in options(ev.value(func, around)):
        match option:
            case Method(model=known):
                model: CallModel | None = known
            case External(name=name):
                model = ev.models.call(name)
            case Instance(type=name):  # what a library made to decorate with: `synchronized_with_prefix("shop-")`
                model = ev.models.method(name, "__call__")
            case _:
                model = None
        if model is None or not model.lock or model.op is not Op.LOCK_DECORATOR or model.returns:
            continue
        args = arguments.bind(ev, model.params, decorator, around, model.variadic) if isinstance(decorator, ir.Call) else ()
        made = Instance(model.lock, model.name, place, args)
        if lock_instance(ev, made) is not None:
            return [_held(tracer, made, scope, decorator, args)]
    base = decorator.keyword("base") if isinstance(decorator, ir.Call) else None
    if base is not None and isinstance(decorator, ir.Call):
        for option in options(ev.value(base, around)):
            if isinstance(option, ClassRef) and (drafts := _around_run(tracer, option.symbol, scope, place)):
                return drafts
            found = _once(tracer, option)
            if found:
                draft = _held(tracer, Instance(found, found, place, _said_of_once(tracer, found, option, decorator, around)), scope, decorator, ())
                draft.skips = True
                return [draft]
    return []


def _once(tracer: Tracer, base: Value) -> str:
    """The library's class of tasks that run once at a time, if that is what a base class is."""
    ev = tracer.ev
    known = classes.ancestry(ev, base.symbol)[1] if isinstance(base, ClassRef) else (base.name,) if isinstance(base, External) else ()
    for name in known:
        model = ev.models.call(name)
        if model is not None and model.op is Op.TASK_DEDUP and model.lock:
            return model.lock
    return ""


def _said_of_once(tracer: Tracer, kind: str, base: Value, decorator: ir.Call, around: Scope) -> tuple[Arg, ...]:
    """What is said of a task's lock: beside its base, in the options that its library has of its own, or by the class that is its base."""
    ev = tracer.ev
    model = ev.models.call(kind)
    names = model.keywords if model is not None else ()
    said: list[Arg] = []
    for k in decorator.keywords:
        value = ev.value(k.value, around)
        if k.name in names:
            said.append(Arg(k.name, value, around.place(decorator.at)))
        elif isinstance(value, Table):  # `once={"timeout": 60}`
            said += [Arg(name, v, around.place(decorator.at)) for name, v in value.entries if name in names]
    told = {a.name for a in said}
    for name in names:
        if name not in told and isinstance(base, ClassRef) and any(name in c.names for c in classes.ancestry(ev, base.symbol)[0]):
            said.append(Arg(name, attributes.attribute(ev, base, name), around.place(decorator.at)))
    return tuple(said)


def _held(tracer: Tracer, made: Instance, scope: Scope, decorator: ir.Expr, args: tuple[Arg, ...]) -> Draft:
    place = scope.place(decorator.at)
    draft = Draft(lock_of(tracer.ev, made, None, place), made, "", place, "decorator", scope, args, can_fail=False)
    draft.releases.append(Release(place, "library", True))
    return draft


def _around_run(tracer: Tracer, base: str, scope: Scope, place: Place) -> list[Draft]:
    """What the base class of a task holds where its `__call__` runs the task: `super().__call__(...)`, `self.run(...)`."""
    home = next((c for c in classes.ancestry(tracer.ev, base)[0] if f"{c.symbol}.__call__" in tracer.ev.project.scopes), None)
    if home is None:
        return []
    source = tracer.ev.project.scopes[f"{home.symbol}.__call__"]
    calls = [(source, step) for step in tracer.trace(source.symbol).steps if _runs_task(step.call)]
    return _around_calls(tracer, Walk(tracer, scope, Trace(scope)), FunctionRef(source.symbol, Object(base)), (), calls, place)


def _runs_task(call: ir.Call) -> bool:
    match call.func:
        case ir.Attribute(base=ir.Name(id="self"), name="run") | ir.Attribute(base=ir.Call(func=ir.Name(id="super")), name="__call__" | "run"):
            return True
        case ir.Attribute(base=base, name="__call__") if call.args:
            return last_name(base).endswith("Task") and isinstance(call.args[0], ir.Name) and call.args[0].id == "self"
        case _:
            return False


def _around_param(
    tracer: Tracer, walk: Walk, outer: FunctionRef, args: tuple[Arg, ...], scope: Scope, decorator: ir.Expr
) -> list[Draft]:
    """What a decorator of the project holds where it calls the function that it was given."""
    source = tracer.ev.project.scopes[outer.symbol]
    return _around_calls(tracer, walk, outer, args, list(_calls_of_it(tracer, source)), scope.place(decorator.at))


def _around_calls(tracer: Tracer, walk: Walk, outer: FunctionRef, args: tuple[Arg, ...], calls: list[tuple[Scope, Step]], place: Place) -> list[Draft]:
    bindings = arguments.bindings(tracer.ev, outer, args)
    source = tracer.ev.project.scopes[outer.symbol]
    for inner, step in calls:
        drafts = []
        for d in step.inside:
            if d.provisional and not d.releases:
                continue
            draft = holding.inherit(walk, d, source, bindings, place)
            draft.how = "decorator"
            draft.releases = [entering.replace_release(r, place) if d.how == "with" else r for r in d.releases]
            draft.tested, draft.can_fail, draft.skips, draft.provisional = d.tested, d.can_fail, d.skips, False
            hit = without.at_calls(inner, d, frozenset(s.place for _, s in calls))
            draft.without = hit.place if hit is not None else d.without
            drafts.append(draft)
        if drafts:
            return drafts
    return []


def _calls_of_it(tracer: Tracer, source: Scope) -> Iterator[tuple[Scope, Step]]:
    """Where a decorator calls the function that it was given."""
    for inner in [source, *_nested(source)]:
        for step in tracer.trace(inner.symbol).steps:
            if step.parameter is not None and _is_enclosing(step.parameter, inner):
                yield inner, step


def _nested(scope: Scope) -> list[Scope]:
    found: list[Scope] = []
    for child in scope.children:
        if child.kind == "function":
            found += [child, *_nested(child)]
        elif child.kind == "class":
            found += _nested(child)
    return found


def _is_enclosing(parameter: Parameter, inner: Scope) -> bool:
    """Whether a parameter belongs to the function itself, to one around it, or to what made its object: the decorated function."""
    around: Scope | None = inner
    while around is not None:
        if parameter.symbol in (around.symbol, f"{around.symbol}.__init__"):
            return True
        around = around.parent
    return False


def shield(tracer: Tracer, scope: Scope) -> tuple[tuple[str, ...], tuple[Guard, ...]]:
    """The decorators of the project that call a function in sight, and the handlers of those that have one around every call of it.

    One that tries, mends something and then tries again without a handler lets the second failure through.
    """
    followed: list[str] = []
    guards: list[Guard] = []
    around = scope.parent or scope
    for decorator in scope.function.decorators:
        for outer, _ in _applied(tracer, decorator, tracer.ev.value(decorator, around), around):
            calls = [step for _, step in _calls_of_it(tracer, tracer.ev.project.scopes[outer.symbol])]
            if calls:
                followed.append(last_name(decorator))
            if calls and all(step.guards for step in calls):
                guards += (g for step in calls for g in step.guards)
    return tuple(dict.fromkeys(followed)), tuple(dict.fromkeys(guards))


def in_transaction(w: Walk) -> bool:
    """`@transaction.atomic`: the function runs inside a database transaction."""
    decorators = w.scope.function.decorators if isinstance(w.scope.node, ir.Function) else ()
    for decorator in decorators:
        around = w.scope.parent or w.scope
        func = decorator.func if isinstance(decorator, ir.Call) else decorator
        for option in options(w.ev.value(func, around)):
            model = option.model if isinstance(option, Method) else w.ev.models.call(option.name) if isinstance(option, External) else None
            if model is not None and model.op is Op.DB_TRANSACTION:
                return True
    return False


# -- what decorators give back ---------------------------------------------------------------------------------------


def give_back(w: Walk) -> None:
    """Ends what a function leaves held where its decorators release it: `try: return fn(node) finally: node.release()`."""
    if not isinstance(w.scope.node, ir.Function) or not any(d.how == "acquire" for d in w.trace.drafts):
        return
    around = w.scope.parent or w.scope
    for decorator in w.scope.function.decorators:
        for outer, _ in _applied(w.tracer, decorator, w.ev.value(decorator, around), around):
            source = w.ev.project.scopes[outer.symbol]
            for inner, call in _calls_of_it(w.tracer, source):
                _release_after(w, inner, call, decorator)
                break


def _release_after(w: Walk, inner: Scope, call: Step, decorator: ir.Expr) -> None:
    place = w.scope.place(decorator.at)
    own = [p.name for p in w.scope.params() if p.kind == "positional"]
    passed = {a.id: own[i] for i, a in enumerate(call.call.args) if isinstance(a, ir.Name) and i < len(own)}
    trace = w.tracer.trace(inner.symbol)
    for x in trace.loose:
        if not isinstance(x.subject, Parameter):
            releasing.release(w, x.subject, passed.get(x.written, x.written), place, x.how, Around(in_final=True), x.deed)
    for step in trace.steps:
        func = step.call.func
        if step.functions or not isinstance(func, ir.Attribute) or not isinstance(func.base, ir.Name) or func.base.id not in passed:
            continue
        name = passed[func.base.id]
        for option in options(attributes.attribute(w.ev, w.ev.name(name, w.scope), func.name)):
            if isinstance(option, FunctionRef):
                for x in w.tracer.trace(option.symbol).loose:
                    releasing.release(w, x.subject, name, place, x.how, Around(in_final=True), x.deed)
