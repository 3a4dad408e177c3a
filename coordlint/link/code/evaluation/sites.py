"""Who calls what: the call sites of the project's functions, from which the evaluator knows what parameters are.

Only the sites are kept here. What they pass is evaluated when somebody asks for a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from coordlint import ir
from coordlint.link.code.evaluation.arguments import arguments_of, constructor, passed
from coordlint.link.code.evaluation.values import (
    Arg,
    ClassRef,
    FunctionRef,
    Method,
    Partial,
    Unknown,
    Value,
    options,
)
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions
from coordlint.models.schema import Op

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

ROUNDS = 3  # a callee that is known by what was passed in one round is found in the next
MOST = 40  # calls of one function that are remembered
_LATER = frozenset("delay apply_async si s signature send send_with_options kiq enqueue_job schedule defer".split())
_HANDING = {"submit": 0, "to_thread": 0, "run_in_executor": 1, "call_soon": 0, "call_later": 1, "spawn": 0, "start_soon": 0, "run_sync": 0, "partial": 0, "defer": 0, "deferToThread": 0, "on_commit": 0, "enqueue": 0, "call_at": 1, "add_signal_handler": 1, "do": 0, "finalize": 1}  # fmt: skip
_IN_TUPLE = {"start_new_thread": 0, "apply": 0, "apply_async": 0, "enter": 2, "enterabs": 2}  # arguments come together
_PROVIDING = frozenset({"Singleton", "Factory", "Resource", "ThreadLocalSingleton", "ThreadSafeSingleton", "ContextLocalSingleton", "AsyncSingleton"})
_TARGETS = ("target", "func", "function")


class Site(NamedTuple):
    """One call of a function or class of the project."""

    call: ir.Call
    scope: Scope
    callee: FunctionRef | ClassRef

    def arguments(self, ev: Evaluator) -> tuple[Arg, ...]:
        """What it passes, by parameter."""
        return arguments_of(ev, self.callee, self.call, self.scope)

    def argument(self, ev: Evaluator, name: str) -> Value | None:
        """What it passes for one parameter; the others are not evaluated where the call is plain."""
        return passed(ev, self.callee, self.call, self.scope, name)


def note(ev: Evaluator, walked: Iterable[str]) -> None:
    """Finds all call sites in these scopes, in rounds: what is passed in one tells whose methods are called in the next."""
    names = {s.symbol.rpartition(".")[2].partition("@")[0] for s in ev.project.functions()}
    walked = list(walked)
    for symbol in walked:
        _note_decorated(ev, ev.project.scopes[symbol])
    holders = [c.symbol for c in ev.project.classes() if isinstance(c.node, ir.Class) and any(last_word(b).endswith("Container") for b in c.node.bases)]
    open_calls = [(call, scope) for call, scope in _calls(ev, [*walked, *holders]) if call.args or call.keywords]
    for _ in range(ROUNDS - 1):
        count = len(open_calls)
        open_calls = [(c, s) for c, s in open_calls if not _note(ev, c, s) and _may_be_known(c, names)]
        ev.forget()
        if len(open_calls) == count:
            break


def _calls(ev: Evaluator, walked: Iterable[str]) -> Iterator[tuple[ir.Call, Scope]]:
    for symbol in walked:
        scope = ev.project.scopes[symbol]
        for s in scope.statements:
            for expr in expressions(s):
                yield from _listed(expr, scope)
                for call in ev.inside(expr).calls:
                    yield call, scope
                    yield from _handed(call, scope)


def _may_be_known(call: ir.Call, names: set[str]) -> bool:
    """Whether a call that nobody understood yet may be one of a function of the project."""
    func = call.func
    return not isinstance(func, ir.Attribute) or func.name in names or func.name in _LATER


def _handed(call: ir.Call, scope: Scope) -> Iterator[tuple[ir.Call, Scope]]:
    """The call that somebody else will make: `Thread(target=run, args=(a, b))`, `pool.submit(run, a)`."""
    if last_word(call.func) in _PROVIDING and call.args and isinstance(scope.node, ir.Class):
        yield ir.Call(call.args[0], tuple(_of_provider(a) for a in call.args[1:]), tuple(replace(k, value=_of_provider(k.value)) for k in call.keywords), call.at), scope
        return
    last = last_word(call.func)
    position = 0 if last == "register" and written(call.func) == "atexit.register" else _HANDING.get(last)
    if position is not None and len(call.args) > position + 1:
        yield ir.Call(call.args[position], call.args[position + 1 :], call.keywords, call.at), scope
        return
    given = (call.keyword("args") or call.keyword("argument")) if call.keywords else None
    if given is None:
        at = _IN_TUPLE.get(last)
        if at is not None and len(call.args) > at + 1 and isinstance(together := call.args[at + 1], ir.Sequence):
            yield ir.Call(call.args[at], together.items, (), call.at), scope
        return
    if isinstance(given, ir.Sequence):
        target = next((t for name in _TARGETS if (t := call.keyword(name)) is not None), None)
        for one in (target,) if target is not None else call.args[:2]:  # `add_job(sweep, "interval", args=[store])`, `Timer(30, sweep, args=[store])`
            if isinstance(one, ir.Name | ir.Attribute):
                yield ir.Call(one, given.items, (), call.at), scope


def _of_provider(given: ir.Expr) -> ir.Expr:
    """A provider of the same container is asked: `Factory(Orders, store=store)` makes `Orders(store=store())`."""
    return ir.Call(given, (), (), given.at) if isinstance(given, ir.Name) else given


def _listed(expr: ir.Expr, scope: Scope) -> Iterator[tuple[ir.Call, Scope]]:
    """Calls that a list of work names: `[(sweep, (self,), None)]`, `jobs.append((sweep, (self,), {}))`."""
    several = expr.items if type(expr) is ir.Sequence else expr.args if type(expr) is ir.Call else ()
    for one in several:
        if type(one) is not ir.Sequence:
            continue
        match one:
            case ir.Sequence(kind="tuple", items=(ir.Name() | ir.Attribute() as func, ir.Sequence(items=given), *rest)) if given and len(rest) < 2:
                if all(isinstance(r, ir.Mapping) or (isinstance(r, ir.Const) and r.value is None) for r in rest):
                    yield ir.Call(func, given, (), one.at), scope
            case _:
                pass


def _note(ev: Evaluator, call: ir.Call, scope: Scope) -> bool:
    """Remembers a call of the project's own code; False when nothing is known of what it calls."""
    callee = ev.settle(ev.value(call.func, scope))
    if isinstance(callee, Unknown) and (not isinstance(call.func, ir.Attribute) or call.func.name not in _LATER):
        return False
    if len(call.args) > 1 and any(isinstance(c, Method) and (c.model.applies or c.model.op is Op.RUN_ELECTION) for c in options(callee)):
        return _note(ev, ir.Call(call.args[0], call.args[1:], call.keywords, call.at), scope)  # `election.run(lead, work)` calls `lead(work)`
    found = [c for c in options(callee) if isinstance(c, FunctionRef | ClassRef)]
    found += [c.target for c in options(callee) if isinstance(c, Partial) and isinstance(c.target, ClassRef)]
    if not found and isinstance(call.func, ir.Attribute) and call.func.name in _LATER:
        task = ev.settle(ev.value(call.func.base, scope))
        found = [c for c in options(task) if isinstance(c, FunctionRef)]
    for one in found:
        symbol = one.symbol
        if isinstance(one, ClassRef):
            init = constructor(ev, symbol)
            symbol = init.symbol if init is not None else symbol
        if is_test(scope.path) and not is_test(ev.project.scopes[symbol].path):
            continue  # what tests pass says nothing of the others
        known = ev.sites.setdefault(symbol, [])
        if len(known) < MOST:
            known.append(Site(call, scope, one))
            if isinstance(one, FunctionRef):
                _note_wrappers(ev, call, scope, one)
    return bool(found) or not isinstance(callee, Unknown)


def _note_decorated(ev: Evaluator, target: Scope) -> None:
    """What a decorator of the project passes to the function under it: `return f(client, *args)` in the wrapper that it puts around."""
    if target.kind != "function":
        return
    for decorator in [d for expr in target.function.decorators for d in options(ev.value(expr, target.parent or target)) if isinstance(d, FunctionRef)]:
        around = ev.project.scopes[decorator.symbol]
        given = next((p.name for p in around.params()[: 1 if around.owner is None else 2][-1:]), "")
        for inner in (c for c in around.children if c.kind == "function" and given):
            for call in (c for s in inner.statements for e in expressions(s) for c in ev.inside(e).calls):
                if isinstance(call.func, ir.Name) and call.func.id == given and (call.args or call.keywords):
                    ev.sites.setdefault(target.symbol, []).append(Site(call, inner, FunctionRef(target.symbol)))


def _note_wrappers(ev: Evaluator, call: ir.Call, scope: Scope, callee: FunctionRef) -> None:
    """A call of a decorated function is one of the function that the decorator puts around it."""
    target = ev.project.scopes[callee.symbol]
    if not target.function.decorators:
        return
    if target.owner is not None and callee.receiver is not None and isinstance(call.func, ir.Attribute):
        call = ir.Call(call.func, (call.func.base, *call.args), call.keywords, call.at)
    decorators = [d for expr in target.function.decorators for d in options(ev.value(expr, target.parent or target))]
    for wrapper in [w for d in decorators if isinstance(d, FunctionRef) for w in options(ev.returns(d.symbol))]:
        if isinstance(wrapper, FunctionRef) and wrapper.symbol != callee.symbol:
            known = ev.sites.setdefault(wrapper.symbol, [])
            if len(known) < MOST:
                known.append(Site(call, scope, FunctionRef(wrapper.symbol)))
