"""All walks of a project, each made once, callees before callers wherever one asks for the other."""

from __future__ import annotations

import msgspec

from coordlint import ir
from coordlint.coordination import Guard, Lock
from coordlint.link.code import arguments, entering, holding, records
from coordlint.link.code.evaluate import Evaluator
from coordlint.link.code.flows import Flow
from coordlint.link.code.locks import by_hand_lock, lock_instance, lock_model, lock_of
from coordlint.link.code.project import Scope
from coordlint.link.code.trace import Draft, Trace
from coordlint.link.code.usage import Usage
from coordlint.link.code.values import (
    Arg,
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Manager,
    Method,
    Object,
    Parameter,
    Value,
    options,
)
from coordlint.link.code.walk import Walk
from coordlint.models.schema import Op

MOST_OPEN = 60  # calls within calls that one walk may follow


class Tracer:
    """Gives the trace of any scope, and what decorators hold around a function."""

    def __init__(self, ev: Evaluator) -> None:
        self.ev = ev
        self._traces: dict[str, Trace] = {}
        self._flows: dict[str, Flow] = {}
        self._usages: dict[str, Usage] = {}
        self._open = 0  # walks that have begun and not ended

    def usage(self, scope: Scope) -> Usage:
        """What a scope does with its names."""
        if scope.symbol not in self._usages:
            body = scope.function.body if isinstance(scope.node, ir.Function) else scope.node.body
            self._usages[scope.symbol] = Usage(body)
        return self._usages[scope.symbol]

    def trace(self, symbol: str) -> Trace:
        """The walk over a function or a module's top level. Recursion sees what is known so far."""
        if symbol in self._traces:
            return self._traces[symbol]
        scope = self.ev.project.scopes[symbol]
        made = self._traces[symbol] = Trace(scope, complete=False)
        if self._open > MOST_OPEN:
            return made
        self._open += 1
        Walk(self, scope, made).run()
        self._open -= 1
        records.mark_reads(self.ev, made, lambda: self.flow(symbol), self.trace)
        made.complete = True
        return made

    def flow(self, symbol: str) -> Flow:
        """The data flow of a function."""
        if symbol not in self._flows:
            self._flows[symbol] = Flow(self.ev.project.scopes[symbol])
        return self._flows[symbol]

    def relock(self, d: Draft, subject: Value, args: tuple[Arg, ...], via: tuple[str, ...]) -> Lock:
        """The lock of a section with a caller's arguments filled in."""
        meaning = msgspec.structs.replace(d.meaning, args=args) if d.meaning is not None else None
        if isinstance(subject, Instance) and lock_model(self.ev, subject.type) is not None:
            made = lock_of(self.ev, subject, meaning, d.lock.made, via)
        elif meaning is not None:
            made = by_hand_lock(self.ev, meaning, d.owner, d.lock.made, via)
        else:
            made = msgspec.structs.replace(d.lock, via=via)
        return made

    def renamed(self, lock: Lock, enter: Scope) -> Lock:
        """`__enter__` is called by the name of its class."""
        owner = enter.owner
        if owner is None or not lock.via:
            return lock
        name = owner.symbol.rpartition(".")[2]
        return msgspec.structs.replace(lock, via=(name, *lock.via[1:]))

    def opens_transaction(self, symbol: str) -> bool:
        """Whether a generator context manager yields inside a database transaction."""
        return self.trace(symbol).yields_in_transaction

    def guards_at_yield(self, symbol: str) -> tuple[Guard, ...]:
        """The handlers of a generator context manager that see what the body of its `with` raises."""
        return self.trace(symbol).guards_at_yield

    # -- decorators ------------------------------------------------------------------------------------------------

    def decorated(self, scope: Scope) -> list[Draft]:
        """What the decorators of a function hold while it runs."""
        made: list[Draft] = []
        for decorator in scope.function.decorators:
            around = scope.parent or scope
            made += self._held_by(self.ev.value(decorator, around), decorator, scope, around)
        return made

    def _held_by(self, value: Value, decorator: ir.Expr, scope: Scope, around: Scope) -> list[Draft]:
        place = scope.place(decorator.at)
        walk = Walk(self, scope, Trace(scope))
        found = self._by_library(decorator, scope, around)
        if found:
            return found
        for option in options(value):
            if isinstance(option, Manager) or (isinstance(option, Instance) and lock_instance(self.ev, option)):
                item = ir.Item(decorator, None)
                drafts = entering.opened_by(walk, option, item, place, "")
                for d in drafts:
                    d.how = "decorator"
                return drafts
        if isinstance(decorator, ir.Call):
            outer = self.ev.value(decorator.func, around)
            for option in options(outer):
                if isinstance(option, FunctionRef):
                    args = arguments.arguments_of(self.ev, option, decorator, around)
                    return self._around_param(walk, option, args, scope, decorator)
                target = self._decorator_class(option)
                if target is not None:
                    args = arguments.arguments_of(self.ev, option, decorator, around)  # type: ignore[arg-type]
                    return self._around_param(walk, FunctionRef(target, Object(option.symbol, args)), (), scope, decorator)  # type: ignore[union-attr]
            return []
        for option in options(value):
            if isinstance(option, FunctionRef):
                return self._around_param(walk, option, (), scope, decorator)
        return []

    def _decorator_class(self, value: Value) -> str | None:
        if isinstance(value, ClassRef):
            symbol = f"{value.symbol}.__call__"
            return symbol if symbol in self.ev.project.scopes else None
        return None

    def _by_library(self, decorator: ir.Expr, scope: Scope, around: Scope) -> list[Draft]:
        """`@synchronized("x", external=True)`: a library's decorator that holds a lock."""
        func = decorator.func if isinstance(decorator, ir.Call) else decorator
        for option in options(self.ev.value(func, around)):
            model = option.model if isinstance(option, Method) else self.ev.models.call(option.name) if isinstance(option, External) else None
            if model is None or not model.lock or model.op is not Op.LOCK_DECORATOR:
                continue
            args = arguments.bind(self.ev, model.params, decorator, around, model.variadic) if isinstance(decorator, ir.Call) else ()
            place = scope.place(decorator.at)
            made = Instance(model.lock, model.name, place, args)
            if lock_instance(self.ev, made) is None:
                continue
            draft = Draft(lock_of(self.ev, made, None, place), made, "", place, "decorator", scope, args, can_fail=False)
            return [draft]
        return []

    def _around_param(self, walk: Walk, outer: FunctionRef, args: tuple[Arg, ...], scope: Scope, decorator: ir.Expr) -> list[Draft]:
        """What a decorator of the project holds where it calls the function that it was given."""
        bindings = arguments.bindings(self.ev, outer, args)
        place = scope.place(decorator.at)
        source = self.ev.project.scopes[outer.symbol]
        for inner in [source, *_nested(source)]:
            trace = self.trace(inner.symbol)
            for step in trace.steps:
                if step.parameter is None or not step.held or not _is_enclosing(step.parameter, inner):
                    continue
                drafts = []
                for d in step.held:
                    if d.provisional and not d.releases:
                        continue
                    draft = holding.inherit(walk, d, source, bindings, place)
                    draft.how = "decorator"
                    draft.releases = [entering.replace_release(r, place) if d.how == "with" else r for r in d.releases]
                    draft.tested, draft.can_fail, draft.skips, draft.provisional = d.tested, d.can_fail, d.skips, False
                    drafts.append(draft)
                return drafts
        return []


def _nested(scope: Scope) -> list[Scope]:
    found: list[Scope] = []
    for child in scope.children:
        if child.kind == "function":
            found += [child, *_nested(child)]
        elif child.kind == "class":
            found += _nested(child)
    return found


def _is_enclosing(parameter: Parameter, inner: Scope) -> bool:
    """Whether a parameter belongs to the function itself or to one around it: the decorated function."""
    around: Scope | None = inner
    while around is not None:
        if around.symbol == parameter.symbol:
            return True
        around = around.parent
    return False
