"""Where a record that was changed is stored: by its own `save`, by a function that is given it, or by the commit that its session comes to.

Mappers that keep a unit of work (SQLAlchemy and its like) write whatever was changed when the session is committed. Who commits need not be the
function that changes: a `with` around it, who calls it, or the dependency that gave the request its session.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from coordlint import ir
from coordlint.link.code.calls.trace import Draft, Trace
from coordlint.link.code.evaluation import aliases, classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import (
    Arg,
    FunctionRef,
    Instance,
    Manager,
    Method,
    Object,
    Result,
    Value,
    options,
)
from coordlint.link.code.flow.usage import calls_in, last_word
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions
from coordlint.models.schema import Op
from coordlint.source import Place

_SAVES = ("save", "asave", "commit", "flush")
_SELF_SAVES = ("replace", "save_changes")  # of document mappers, on the record itself
_ANY = "*"
_COMMITS = ("commit", "flush")
_DEEPEST = 3  # functions behind functions that are asked whether they store
_HIGHEST = 4  # callers of callers
_PROVIDERS = ("Depends", "Security", "Provide", "Inject")
_NO_UNIT = ("django", "peewee", "tortoise", "mongoengine", "beanie", "pynamodb", "redis_om", "odmantic", "pony")


class Saved(NamedTuple):
    """A call that stores something."""

    place: Place
    on: str  # the record, as it is written; "" where it commits; _ANY where a function does that, for mappers that keep a unit of work


def saved(ev: Evaluator, trace: Trace, base: str, place: Place, record: Object | None, *, behind: bool = False) -> list[Place]:
    """Where a record that was changed at a place is saved, or its session committed; `behind`: by calls that stand behind that place only."""
    if record is None:
        return []
    if trace.saves is None:
        trace.saves = [(s.place, s.on) for s in _saves(ev, trace)]
    unit = is_unit(ev, record.symbol)
    found = [p for p, on in trace.saves if (on == "" and not (behind and p.line < place.line)) or (on in ((base, _ANY) if unit else (base,)) and p.line >= place.line)]
    if found or not unit:
        return found
    around = _around(ev, trace.scope, place.line)
    return [around] if around is not None else list(_above(ev, trace.scope, frozenset()))[:1]


def held(trace: Trace, place: Place, after: list[Place]) -> list[Draft]:
    """What is held where a record is stored; where that is done by somebody else, what is held while it is changed."""
    at = [s for s in trace.steps if s.place in after]
    return [d for s in at or [s for s in trace.steps if s.place.line <= place.line][-1:] for d in s.held]


def is_unit(ev: Evaluator, symbol: str) -> bool:
    """Whether objects of a class are written when their session is committed, without being told to."""
    libraries = classes.ancestry(ev, symbol)[1]
    return classes.is_record(ev, symbol) and not any(name.startswith(_NO_UNIT) for name in libraries)


def _saves(ev: Evaluator, trace: Trace) -> Iterator[Saved]:
    for step in trace.steps:
        name, text = last_word(step.call.func), written(step.call.func)
        on = text.rpartition(".")[0]
        if name in _COMMITS:
            yield Saved(step.place, "")
        elif name in _SAVES:
            yield Saved(step.place, on)
            yield from (Saved(step.place, one) for one in _given(step.call))  # repository.save(record)
        elif name in _SELF_SAVES:
            yield Saved(step.place, on)
        elif step.functions and not step.deferred and step.called:
            inner = step.functions[0].symbol
            if stores(ev, inner):
                yield Saved(step.place, _ANY)
            else:
                yield from (Saved(step.place, one) for a, one in _by_parameter(step.args, step.call) if _saves_parameter(ev, inner, a))


def _given(call: ir.Call) -> Iterator[str]:
    for e in (*call.args, *(k.value for k in call.keywords)):
        if isinstance(e, ir.Name):
            yield e.id


def _by_parameter(args: tuple[Arg, ...], call: ir.Call) -> Iterator[tuple[str, str]]:
    """What a call of the project's own function passes by parameter: as it is written, names only."""
    names = {e.at: e.id for e in (*call.args, *(k.value for k in call.keywords)) if isinstance(e, ir.Name)}
    for a in args:
        if a.place is not None and a.place.span in names:
            yield a.name, names[a.place.span]


def _calls(scope: Scope) -> Iterator[ir.Call]:
    if scope.kind == "function":
        for s in scope.statements:
            for e in expressions(s):
                yield from calls_in(e)


def stores(ev: Evaluator, symbol: str, depth: int = _DEEPEST) -> bool:
    """Whether a function of the project commits, itself or by a function that it calls."""
    scope = ev.project.scopes.get(symbol)
    if scope is None or scope.kind != "function" or depth == 0:
        return False
    if (symbol, depth) not in ev.storing:
        ev.storing[symbol, depth] = False  # who calls itself
        ev.storing[symbol, depth] = any(last_word(c.func) == "commit" for c in _calls(scope)) or any(
            stores(ev, f.symbol, depth - 1) for c in _calls(scope) for f in options(ev.value(c.func, scope)) if isinstance(f, FunctionRef) and f.symbol != symbol
        )
    return ev.storing[symbol, depth]


def _saves_parameter(ev: Evaluator, symbol: str, name: str) -> bool:
    scope = ev.project.scopes.get(symbol)
    return scope is not None and any(last_word(c.func) in (*_SAVES, *_SELF_SAVES) and written(c.func).rpartition(".")[0] == name for c in _calls(scope))


# -- commits elsewhere -----------------------------------------------------------------------------------------------


def _around(ev: Evaluator, scope: Scope, line: int) -> Place | None:
    """The `with` around a line that commits what was changed in it."""
    found: Place | None = None
    todo: list[tuple[ir.Stmt, ...]] = [scope.function.body] if scope.kind == "function" else []
    while todo:
        for s in todo.pop():
            inner = blocks(s)
            if not any(b and b[0].at.line <= line for b in inner):
                continue
            if isinstance(s, ir.With) and s.at.line <= line <= _last(s.body):
                found = next((scope.place(i.context.at) for i in s.items if any(_commits(ev, v) for v in options(ev.settle(ev.value(i.context, scope))))), found)
            todo.extend(inner)
    return found


def _last(body: tuple[ir.Stmt, ...]) -> int:
    """The last line on which a statement of a block begins."""
    last = 0
    todo = [body]
    while todo:
        for s in todo.pop():
            last = max(last, s.at.line)
            todo.extend(blocks(s))
    return last


def _commits(ev: Evaluator, manager: Value) -> bool:
    """Whether leaving a `with` over something commits."""
    match manager:
        case Result(model=model):
            return model.op is Op.DB_TRANSACTION
        case Instance(call=call):
            made_by = ev.models.call(call)
            return made_by is not None and made_by.op is Op.DB_TRANSACTION
        case Method(model=model):
            return model.op is Op.DB_TRANSACTION
        case Manager(symbol=symbol):
            return stores(ev, symbol) or _begins(ev, symbol)
        case Object(symbol=symbol):
            above = classes.ancestry(ev, symbol)[0]
            return any(stores(ev, f"{c.symbol}.{name}") for c in above for name in ("__exit__", "__aexit__"))
        case _:
            return False


def _begins(ev: Evaluator, symbol: str) -> bool:
    """Whether a generator yields inside a transaction: `with Session.begin() as s: yield s`."""
    scope = ev.project.scopes[symbol]
    at = next((e.at.line for s in scope.statements for e in expressions(s) for n in ir.walk(e) if isinstance(n, ir.Yield)), 0)
    return bool(at) and _around(ev, scope, at) is not None


def _above(ev: Evaluator, scope: Scope, seen: frozenset[str]) -> Iterator[Place]:
    """Where what a function has changed is committed after it: by a dependency of the framework, a decorator, or who calls it."""
    if scope.symbol in seen or len(seen) > _HIGHEST or scope.kind != "function":
        return
    yield from _provided(ev, scope)
    for d in scope.function.decorators:
        if any(isinstance(v, FunctionRef) and _wraps_in_commit(ev, v.symbol) for v in options(ev.value(d.func if isinstance(d, ir.Call) else d, scope.parent or scope))):
            yield scope.place(d.at)
    for site in ev.sites.get(scope.symbol, ())[:8]:
        after = next((site.scope.place(c.at) for c in _calls(site.scope) if c.at.line > site.call.at.line and last_word(c.func) == "commit"), None)
        after = after or _around(ev, site.scope, site.call.at.line)
        if after is not None:
            yield after
        else:
            yield from _above(ev, site.scope, seen | {scope.symbol})


def _wraps_in_commit(ev: Evaluator, symbol: str) -> bool:
    """Whether a decorator of the project commits after what it is put around."""
    scope = ev.project.scopes.get(symbol)
    return scope is not None and any(last_word(c.func) == "commit" for inner in (scope, *scope.children, *(g for f in scope.children for g in f.children)) for c in _calls(inner))


def _provided(ev: Evaluator, scope: Scope, depth: int = _DEEPEST) -> Iterator[Place]:
    """Where a dependency commits that the framework runs to its end when the request is answered: `yield session` and then `commit`."""
    for p in scope.params():
        for said, where in _said(ev, p, scope.parent or scope):
            for c in calls_in(said):
                if last_word(c.func) in _PROVIDERS and c.args and depth:
                    for f in options(ev.value(c.args[0], where)):
                        if isinstance(f, FunctionRef) and (given := ev.project.scopes.get(f.symbol)) is not None and given.kind == "function":
                            if given.function.is_generator and (stores(ev, f.symbol) or _begins(ev, f.symbol)):
                                yield given.place(given.node.at) if isinstance(given.node, ir.Function) else scope.place(c.at)
                            else:
                                yield from _provided(ev, given, depth - 1)


def _said(ev: Evaluator, param: ir.Param, around: Scope) -> Iterator[tuple[ir.Expr, Scope]]:
    """What a parameter has for a default and as its annotation, also by the name of a type that is written out elsewhere."""
    for said in (param.default, param.annotation):
        if said is not None:
            yield said, around
    if isinstance(param.annotation, ir.Name | ir.Attribute) and (found := aliases.aliased(ev, param.annotation, around)) is not None:
        yield found
