"""Which functions of a project stand for one use of coordination, and which merely use it on the way.

A wrapper's calls are uses of coordination where they stand; calls of business functions are not. The judgement goes bottom-up over the
call graph: a function whose calls of libraries and of other wrappers are most of what it does is a wrapper itself, whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from coordlint import ir
from coordlint.link.code.calls.meant import meant
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.arguments import arguments_of, bindings
from coordlint.link.code.evaluation.attributes import attribute
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.own_parts import with_own
from coordlint.link.code.evaluation.values import (
    Arg,
    ClassRef,
    FunctionRef,
    Instance,
    Literal,
    Method,
    Object,
    Parameter,
    Value,
    fill,
    hole_of,
    options,
    pieces,
)
from coordlint.link.code.inventory.abstraction import Abstractions
from coordlint.link.code.inventory.reigning import Reigns
from coordlint.link.code.purposes import reaching
from coordlint.link.code.purposes.by_name import is_same, says_role, tells_belief
from coordlint.link.code.purposes.deeds import (
    ASKING,
    DEEPEST,
    GENERAL,
    MAKING,
    MOST_VIA,
    Deed,
    Loads,
    Roles,
    asked,
    builds_query,
    claims_rows,
    closes,
    hands_on,
    held,
    is_of,
    locked_files,
    made_class,
    main_deed,
    of_method,
    own,
    reads,
    tables,
)
from coordlint.link.code.rows.rowqueues import elsewhere
from coordlint.link.code.scopes.bottom_up import bottom_up
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.models.schema import Op
from coordlint.source import Place

SLACK = 0.75  # other work that a wrapper may do in any case
SHARE = 0.25  # and for each deed
MEMBER = 1.0  # how much more of it a member of an abstraction may do
CHOOSING = 2.0  # how much more of it who gives nothing but a client: which server, which pool
LINES = 100  # lines of code that count as much as one call of something unknown
WIDEST = 10  # library calls that a wrapper of wrappers may reach
_AMBIENT = frozenset(("cache", "config", "metrics", "client"))  # what any function may look into on its way
_NEVER = ("__init__", "__new__", "__del__", "main")


@dataclass(slots=True)
class _Sum:
    """What one function comes to."""

    deeds: list[Deed]
    other: float = 0.0
    is_direct: bool = True  # it calls libraries, and no wrapper or business that does

    @property
    def room(self) -> float:
        return SLACK + SHARE * sum(d.weight for d in self.deeds)


class Standings:
    """The wrappers of a project."""

    def __init__(self, ev: Evaluator, traces: Iterable[Trace], entries: frozenset[str], roles: Roles, rows: Mapping[Place, Deed] | None = None) -> None:
        self._ev = ev
        self._roles = roles
        self._rows = rows or {}  # what is done to tables that serve as queues
        self._entries = entries
        self._traces = {t.scope.symbol: t for t in traces if not is_test(t.scope.path)}
        self._loads = Loads(self._traces)
        self._passing = reaching.passing(self._traces)
        self._calls = reaching.reaching(self._traces, self._passing, self._own, self._asking())
        self._reached: dict[str, frozenset[tuple[Place, str]]] = {}
        order = list(bottom_up(self._calls))
        for component in order:
            self._reach(component)
        self._functions: dict[str, Deed] = {}
        self._arounds: dict[str, Deed | None] = {}  # of decorators; asked for once all functions are judged
        self._classes = Abstractions(ev, self._traces, roles)
        for _ in range(2):  # what a class is for is known from its members, and lets more of them be wrappers
            self._functions = {}
            for component in order:
                for symbol in component:
                    made = self._judged(self._traces[symbol])
                    if made is not None:
                        self._functions[symbol] = made
            self._classes.learn(self._functions, self._entries, lambda symbol: symbol in self._calls or self._loads.of(symbol) >= 1)
            order = self._with_makers() or order
        self.reigns = Reigns(ev.project.scopes, self._functions, self._traces.values())  # the locks that are held for as long as a process lives

    def of_step(self, trace: Trace, step: Step) -> Deed | None:
        """What a call stands for, with the caller's arguments filled in; None when it calls no wrapper."""
        func = self._ev.value(step.call.func, trace.scope)
        if isinstance(func, Parameter):
            return None  # what a caller passes is the caller's deed
        cls = made_class(self._ev, func)
        if cls is not None:
            return self._classes.made(cls)
        called = step.functions[: step.called]
        found = [f for f in called if f.symbol in self._functions]
        if found and 2 * len(found) >= len(called):
            deeds = [d for f in found if (d := self._handed_on(f, step, trace)) is not None]
            return replace(deeds[0], inside=is_own(trace, step)) if deeds else None
        return self._through(called[0], step, trace.scope.symbol) if called and called[0].symbol in self._passing else None

    def of_given(self, given: ir.Expr, around: Scope) -> Deed | None:
        """What a function does that is handed over by its name, or the objects of a class do when they are called."""
        for option in options(self._ev.settle(self._ev.value(given, around))):
            symbol = f"{option.symbol}.__call__" if isinstance(option, ClassRef | Object) else option.symbol if isinstance(option, FunctionRef) else ""
            if symbol in self._functions:
                return self._filled(self._functions[symbol], FunctionRef(symbol), (), self._ev.project.scopes[symbol].function.name)
        return None

    def calls(self, expr: ir.Expr) -> tuple[ir.Call, ...]:
        """The calls in an expression."""
        return self._ev.inside(expr).calls

    def of_decorator(self, decorator: ir.Expr, around: Scope) -> Deed | None:
        """What a decorator of the project does around each call."""
        func = decorator.func if isinstance(decorator, ir.Call) else decorator
        for option in options(self._ev.settle(self._ev.value(func, around))):
            outer = self._of_object(option) or option
            if isinstance(option, ClassRef):
                outer = FunctionRef(f"{option.symbol}.__call__", Object(option.symbol))
            if not isinstance(outer, FunctionRef) or outer.symbol not in self._traces:
                continue
            if outer.symbol not in self._arounds:
                self._arounds[outer.symbol] = self._around(self._traces[outer.symbol])
            deed = self._arounds[outer.symbol]
            if deed is not None and isinstance(option, FunctionRef | ClassRef | Object):
                if outer is not option and not isinstance(option, ClassRef):
                    return self._filled(deed, outer, (), option.symbol.rpartition(".")[2])
                args = arguments_of(self._ev, option, decorator, around) if isinstance(decorator, ir.Call) else ()
                return self._filled(deed, outer, args, option.symbol.rpartition(".")[2])
        return None

    def _of_object(self, decorator: Value) -> FunctionRef | None:
        """The `__call__` of an object that decorates, or that a function makes for it: `@guarded("name")`."""
        made = self._ev.returns(decorator.symbol) if isinstance(decorator, FunctionRef) else decorator
        for option in options(made):
            called = attribute(self._ev, option, "__call__") if isinstance(option, Object) else None
            if isinstance(called, FunctionRef) and called.symbol in self._traces:
                return called
        return None

    def is_told_inside(self, step: Step, deed: Deed) -> bool:
        """Whether a method's call of another of its own object is told: where the helper reaches outside of the object itself."""
        called = [f.symbol for f in step.functions[: step.called]]
        known = (self._functions.get(symbol) for symbol in called)
        is_handed = not deed.inside and any(symbol in self._passing for symbol in called)
        return deed.role != "client" and (is_handed or any(d is not None and not d.inside for d in known))

    # -- which functions matter --------------------------------------------------------------------------------------

    def _asking(self) -> frozenset[str]:
        return frozenset(symbol for symbol, t in self._traces.items() if any(True for _ in asked(self._ev, t)))

    def _with_makers(self) -> list[tuple[str, ...]]:
        """A new order, where functions matter as well that only make an object which stands for a role, and give it."""
        made = {t.scope.symbol for t in self._traces.values() if t.scope.kind == "function" and (self._makes(t) or any(self._believed(t)))}
        if made <= self._calls.keys():
            return []
        self._calls = reaching.reaching(self._traces, self._passing, self._own, made | self._asking())
        self._reached.update((symbol, frozenset()) for symbol in self._calls if symbol not in self._reached)
        return list(bottom_up(self._calls))

    def _makes(self, trace: Trace) -> bool:
        made = (made_class(self._ev, self._ev.value(s.call.func, trace.scope)) for s in trace.steps if s.operation is None and not s.unresolved)
        return any(cls is not None and self._classes.of(cls) is not None for cls in made) and self._gives(trace.scope.symbol)

    def _believed(self, trace: Trace) -> Iterator[Deed]:
        """What a method of an election tells without asking anybody: whether its object leads."""
        purpose = self._classes.of(trace.scope.owner.symbol) if trace.scope.owner is not None else None
        if purpose is not None and purpose.role == "leader-election" and tells_belief(trace.scope):
            yield Deed(purpose.role, purpose.backend, purpose.library, ASKING)

    def _own(self, step: Step) -> Deed | None:
        return self._rows.get(step.place) or own(step, self._roles)

    def _reach(self, component: tuple[str, ...]) -> None:
        """The places and roles of the library calls behind functions that call each other."""
        found: set[tuple[Place, str]] = set()
        for symbol in component:
            found |= {(s.place, d.role) for s in self._traces[symbol].steps if (d := self._own(s)) is not None}
            for callee in self._calls[symbol]:
                found |= self._reached.get(callee, frozenset())
        made = frozenset(sorted(found)[: 4 * WIDEST])
        for symbol in component:
            self._reached[symbol] = made

    # -- functions ---------------------------------------------------------------------------------------------------

    def _judged(self, trace: Trace) -> Deed | None:
        """What a function stands for; None for business."""
        scope = trace.scope
        if scope.symbol in self._entries or scope.function.name in _NEVER:
            return None
        done = self._sum(trace)
        is_member = scope.owner is not None and self._classes.of(scope.owner.symbol) is not None
        other = done.other + _lines(scope) + elsewhere(trace, done.deeds)
        makes = bool(done.deeds) and all(d.role == "client" for d in done.deeds) and self._gives(scope.symbol)
        if other > done.room + (MEMBER if is_member or trace.at_yield or says_role(scope, done.deeds) else 0.0) + (CHOOSING if makes else 0.0):
            return None
        reached = self._reached[scope.symbol]
        if not done.is_direct and (len(reached) > WIDEST * (2 if is_member else 1) or len({r for _, r in reached} - set(GENERAL)) > 2):
            return None  # it conducts several uses: that is business
        deed = self._main(trace, done.deeds)
        if deed is not None and deed.role == "client" and other > 1.0 and not self._gives(scope.symbol):
            return None
        return deed

    def _sum(self, trace: Trace) -> _Sum:
        done = _Sum([*held(trace), *asked(self._ev, trace), *self._believed(trace)])
        claimed, locked, asks = tables(trace), locked_files(trace), claims_rows(trace)
        other: dict[tuple[str, ...], float] = {}  # a helper that is called again does no other work
        for step in trace.steps:
            if (step.deferred and (step.operation is None or step.operation.op is not Op.PUBLISH)) or (claimed and reads(step, claimed)) or (locked and step.operation is None and is_of(step, locked)):
                continue
            if asks and builds_query(self._ev, trace, step):
                continue
            direct = self._own(step)
            deed = direct or self.of_step(trace, step)
            if deed is not None:
                done.deeds.append(replace(deed, at=step.place))
                done.is_direct &= direct is not None or _is_nested(trace, step)
            elif is_same(trace, step):
                continue
            elif any(self._conducts(f.symbol, claimed) for f in step.functions[: step.called]):
                done.other += 1.0  # business that coordinates somewhere
                done.is_direct = False
            else:
                load = self._loads.step(step)
                called = tuple(f.symbol for f in step.functions[: step.called]) if claimed else ()
                done.other += load - min(other.get(called, 0.0), load) if called else load
                other[called] = load
        return done

    def _conducts(self, symbol: str, claimed: frozenset[str]) -> bool:
        """Whether a function coordinates on the way; for who claims a row, looking into a cache or a setting is none of it, for nobody connecting."""
        roles = {role for _, role in self._reached[symbol]} if symbol in self._calls else set()
        around = _AMBIENT | {"lock"} if "cache" in roles else _AMBIENT  # a cache may lock what it fills
        return symbol in self._calls and roles != {"client"} and not (bool(claimed) and roles <= around)

    def _around(self, trace: Trace) -> Deed | None:
        """What a decorator and the functions in it do together."""
        within = [self._traces[symbol] for symbol in self._calls if symbol.startswith(f"{trace.scope.symbol}.")]
        if not within and trace.scope.symbol not in self._calls:
            return None
        done = self._sum(trace)
        for t in within:
            more = self._sum(t)
            done.deeds += more.deeds
            done.other += more.other
        done.deeds = [replace(d, inside=False) for d in done.deeds]
        if done.other + _lines(trace.scope) > done.room + MEMBER:
            return None
        return self._main(trace, done.deeds)

    def _gives(self, symbol: str) -> bool:
        """Whether a function returns a client, or an object that stands for one."""
        gives = self._ev.yields if self._ev.is_manager(self._ev.project.scopes[symbol]) else self._ev.returns
        made = options(gives(symbol))
        return any(isinstance(v, Instance) or (isinstance(v, Object) and self._classes.of(v.symbol) is not None) for v in made)

    def _main(self, trace: Trace, deeds: list[Deed]) -> Deed | None:
        """What a function is for: a lock that it hands on, or else what it does under its locks."""
        locks = 2.0 if hands_on(trace) else 0.2 if any(d.role not in ("lock", "client") for d in deeds) else 1.0
        weighed = [replace(d, weight=d.weight * locks) if d.role == "lock" else d for d in deeds]
        owner = trace.scope.owner
        deed = main_deed(weighed, trace.scope.function.name, owner.symbol.rpartition(".")[2] if owner is not None else "")
        if deed is None or deed.role != "lock" or hands_on(trace):
            return deed
        is_over = closes(trace)
        if deed.is_over and not is_over:
            return None  # what it calls is done with its lock: for who calls this function, none of it is left
        return replace(deed, is_over=is_over)

    def _handed_on(self, function: FunctionRef, step: Step, trace: Trace) -> Deed | None:
        """What a call of a wrapper does; None where its arguments say that it does not come to that: `load(id, lock=False)`."""
        scope, deed = self._ev.project.scopes[function.symbol], self._functions[function.symbol]
        given = list(step.given)
        filled = bindings(self._ev, function, step.args) if deed.given else {}
        for name, sign in deed.given:
            known = filled.get((function.symbol, name))
            written = next((a for a in step.args if a.name == name), None)
            is_said = isinstance(known, Literal) and (written is None or written.place == known.place)  # `flag or False` says nothing
            if is_said and isinstance(known, Literal) and bool(known.value) is not sign:
                return None
            if isinstance(known, Parameter) and known.symbol == trace.scope.symbol:
                given.append((known.name, sign))
        return replace(self._filled(deed, function, step.args, scope.function.name), given=tuple(given))

    def _filled(self, deed: Deed, function: FunctionRef, args: tuple[Arg, ...], name: str) -> Deed:
        """The deed as this caller makes it: its key with the caller's arguments filled in."""
        key, named_at, means = deed.key, None, deed.meant
        key = with_own(self._ev, key, function.receiver) if key is not None else None
        if key is not None and "\x00" in key.named:
            open_holes = {h.strip("\x00").split("\x01")[1] for h, is_hole in pieces(key.named) if is_hole and h.startswith(hole_of(function.symbol))}
            naming = next((a for a in args if a.name in open_holes), None)
            named_at = naming.place if naming is not None else None
            key = fill(key, bindings(self._ev, function, args))
            means = meant(self._ev, naming, None, self._ev.project.scopes[function.symbol]) if key.text == "{}" else ()
        weight = deed.weight if deed.role == "client" else min(max(deed.weight, MAKING), 1.0)
        return replace(deed, key=key, via=(name, *deed.via)[:MOST_VIA], weight=weight, named_at=named_at, meant=means)

    def _through(self, function: FunctionRef, step: Step, symbol: str) -> Deed | None:
        """A helper that calls what it is given: `retry(store.get, key)` is what `store.get(key)` is."""
        return self._given(function, bindings(self._ev, function, step.args), step, symbol, 0)

    def _given(self, function: FunctionRef, given: Mapping[tuple[str, str], Value], step: Step, symbol: str, depth: int) -> Deed | None:
        """What a helper calls; a helper may be given another one, with what that calls: `check(partial(retry, store.get), key)`."""
        name = self._ev.project.scopes[function.symbol].function.name
        for parameter in self._passing[function.symbol]:
            for option in options(self._ev.settle(given.get((function.symbol, parameter), Parameter("", "")))):
                deed = None
                if isinstance(option, Method):
                    deed = of_method(self._ev, option, step, symbol, self._roles)
                elif isinstance(option, FunctionRef) and option.symbol in self._functions:
                    known = self._functions[option.symbol]
                    deed = replace(known, via=(self._ev.project.scopes[option.symbol].function.name, *known.via))
                elif isinstance(option, FunctionRef) and option.symbol in self._passing and option.held and depth < DEEPEST:
                    deed = self._given(option, bindings(self._ev, option, ()), step, symbol, depth + 1)
                if deed is not None:
                    return replace(deed, via=(name, *deed.via)[:MOST_VIA])
        return None


def is_own(trace: Trace, step: Step) -> bool:
    """Whether a method calls another of its own object: `self._push(...)`."""
    params = trace.scope.params()
    func = step.call.func
    if trace.scope.owner is None or not params or not isinstance(func, ir.Attribute) or not isinstance(func.base, ir.Name):
        return False
    return func.base.id == params[0].name


def _is_nested(trace: Trace, step: Step) -> bool:
    """Whether a call is of a function that stands in this one."""
    return all(f.symbol.startswith(f"{trace.scope.symbol}.") for f in step.functions[: step.called])


def _lines(scope: Scope) -> float:
    return (scope.function.end - scope.function.at.line) / LINES
