"""What is found of each of several things and written down again and again, whether or not it has changed since the last time.

Followed from the writes upwards: which parameter the written value is at each step, up to a loop over things that gives it, and from there to a
loop without an end. What is compared with anything on the way is taken to be written when it has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from coordlint import ir
from coordlint.contention import Restated
from coordlint.coordination import Operation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import External, Object, Result, options
from coordlint.link.code.flow.usage import calls_in, ends, names_in
from coordlint.link.code.loops.endless import paced
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.statements import Body, blocks, expressions, statements
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import words

_QUORUM = ("zookeeper", "etcd", "consul")
_DEEPEST = 6  # calls between a loop and the write
_NEWS = frozenset("changed changes change dirty new news differs differ diff difference modified different stale same equal equals known seen first needs needed once".split())
Callers = Mapping[str, list[tuple[Trace, Step]]]


def restated(ev: Evaluator, traces: Iterable[Trace], kept_up: Mapping[Place, Place]) -> Iterator[Restated]:
    """All of a project's, by the loops that nothing but time paces (calls that such loops repeat, with the loop); a loop's call is told once."""
    walked = [t for t in traces if not is_test(t.scope.path)]
    waiting = {loop for t in walked for loop in paced(t)}
    kept_up = {place: loop for place, loop in kept_up.items() if loop not in waiting}
    writes = [(t, s) for t in walked for s in t.steps if s.operation is not None and _is_plain(s.operation)]
    if not writes or not kept_up:
        return
    callers: dict[str, list[tuple[Trace, Step]]] = {}
    for t in walked:
        for s in t.steps:
            for f in s.functions[: 0 if s.deferred else s.called]:
                callers.setdefault(f.symbol, []).append((t, s))
    readers = _readers(walked, callers)
    told: set[Place] = set()
    for trace, step in writes:
        values = {n for a in (*step.call.args[1:], *(k.value for k in step.call.keywords if k.name in ("value", "val", "data"))) for n in names_in(a)}
        for found in _upwards(ev, trace, step, values, (), callers, readers, kept_up):
            if found.place not in told:
                told.add(found.place)
                yield found


def _is_plain(o: Operation) -> bool:
    """A write that nothing limits, of what stays."""
    return o.op is Op.WRITE and o.backend in _QUORUM and not (o.atomic or o.conditional or o.ephemeral or o.ttl)


def _readers(traces: Iterable[Trace], callers: Callers) -> frozenset[str]:
    """The functions that reach a read of such a store: what they give is known to it already."""
    todo = [t.scope.symbol for t in traces if any(s.operation is not None and s.operation.op in (Op.READ, Op.LIST) and s.operation.backend in _QUORUM for s in t.steps)]
    seen = set(todo)
    while todo:
        for t, _ in callers.get(todo.pop(), ()):
            if t.scope.symbol not in seen:
                seen.add(t.scope.symbol)
                todo.append(t.scope.symbol)
    return frozenset(seen)


def _upwards(
    ev: Evaluator, trace: Trace, step: Step, values: set[str], way: tuple[Place, ...], callers: Callers, readers: frozenset[str], kept_up: Mapping[Place, Place]
) -> Iterator[Restated]:
    scope = trace.scope
    made = _made_of(scope, values)
    loop = _loop(scope, step)
    if loop is not None and made & names_in(loop.target or ir.Const(None, loop.at)):
        again = _repeated(scope.symbol, step.place, callers, kept_up)
        if again is not None and not _asks(loop.body, step) and not _is_from_store(ev, trace, loop, values, readers):
            yield Restated(step.place, scope.symbol, scope.place(loop.at), way[0] if way else step.place, way[:0:-1], again, kept_up[again])
        return
    if len(way) >= _DEEPEST or scope.kind != "function" or _asks(scope.function.body, step):
        return
    params = [p.name for p in scope.params()]
    params = params[1:] if scope.owner is not None and params[:1] in (["self"], ["cls"]) else params
    for caller, call in callers.get(scope.symbol, ()):
        given = {name for at, arg in _given(params, call.call) if at in made for name in names_in(arg)}
        if given and call.place not in way:
            yield from _upwards(ev, caller, call, given, (*way, step.place), callers, readers, kept_up)


def _given(params: list[str], call: ir.Call) -> Iterator[tuple[str, ir.Expr]]:
    yield from zip(params, call.args, strict=False)
    yield from ((k.name, k.value) for k in call.keywords if k.name)


def _made_of(scope: Scope, names: set[str]) -> set[str]:
    """Names, with those that they were made of in the same function."""
    known = {n.partition(".")[0] for n in names} - {"self", "cls"}
    for _ in range(4):
        more = {
            n.partition(".")[0]
            for s in scope.statements
            if isinstance(s, ir.Assign) and s.value is not None and any(isinstance(t, ir.Name) and t.id in known for t in s.targets)
            for n in names_in(s.value)
        }
        if more <= known:
            break
        known |= more
    return known


def _loop(scope: Scope, step: Step) -> ir.Loop | None:
    """The loop over things that makes a call."""
    if step.loop != "for" or step.each is None:
        return None
    return next((s for s in scope.statements if isinstance(s, ir.Loop) and s.target is not None and scope.place(s.at) == step.each), None)


def _repeated(symbol: str, place: Place, callers: Callers, kept_up: Mapping[Place, Place]) -> Place | None:
    """The call on a way to this one that a loop without end repeats."""
    todo, seen = [(symbol, place)], {symbol}
    for _ in range(12):
        if not todo:
            break
        function, at = todo.pop(0)
        if at in kept_up:
            return at
        for t, s in callers.get(function, ()):
            if t.scope.symbol not in seen:
                seen.add(t.scope.symbol)
                todo.append((t.scope.symbol, s.place))
    return None


def _is_from_store(ev: Evaluator, trace: Trace, loop: ir.Loop, values: set[str], readers: frozenset[str]) -> bool:
    """Whether what the loop runs over, or what is written, may come out of such a store; objects of the project may read when they are iterated over."""
    names = _made_of(trace.scope, names_in(loop.test) | values)
    over = [loop.test, *(s.value for s in trace.scope.statements if isinstance(s, ir.Assign) and s.value is not None and any(isinstance(t, ir.Name) and t.id in names for t in s.targets))]
    calls = {trace.scope.place(c.at) for e in over for c in calls_in(e)}
    asked = [s for s in trace.steps if s.place in calls]
    if any(f.symbol in readers for s in asked for f in s.functions) or any(s.operation is not None and s.operation.op is not Op.MAKE for s in asked):
        return True
    return any(isinstance(v, Object | Result) for e in over for v in options(ev.settle(ev.value(e, trace.scope))) if not isinstance(v, External))


def _asks(body: Body, step: Step) -> bool:
    """Whether a comparison, a failure, or a word for what has changed, decides on the way to a call that it is made."""
    asked = False
    for s in body:
        inside = [b for b in blocks(s) if _holds(b, step)]
        if isinstance(s, ir.Try) and any(_holds(h.body, step) for h in s.handlers):
            return True  # only what fails is written
        if inside or any(step.call is c or step.call.at == c.at for e in _written(s) for c in (*calls_in(e), e)):
            if isinstance(s, ir.If):
                asked = asked or any(_compares(b.test) for b in s.branches)
            return asked or any(_asks(b, step) for b in inside)
        if isinstance(s, ir.If):
            asked = asked or any(_compares(b.test) for b in s.branches if ends(b.body))
        elif not isinstance(s, ir.Function | ir.Class):  # `try: ... return`: what follows is for failures
            asked = asked or any(isinstance(x, ir.Return) for b in blocks(s) for x in statements(b))
    return False


def _holds(body: Body, step: Step) -> bool:
    return any(
        any(step.call.at == c.at for e in _written(s) for c in (*calls_in(e), e)) or any(_holds(b, step) for b in blocks(s)) for s in body
    )


def _written(s: ir.Stmt) -> tuple[ir.Expr, ...]:
    """The expressions of a statement, with what it assigns to."""
    return (*expressions(s), *s.targets) if isinstance(s, ir.Assign) else expressions(s)


def _compares(test: ir.Expr) -> bool:
    for node in ir.walk(test):
        if isinstance(node, ir.Compare) and not all(op in ("is", "is not") for op in node.ops):
            return True
        if isinstance(node, ir.Name | ir.Attribute) and words(node.id if isinstance(node, ir.Name) else node.name) & _NEWS:
            return True
    return False
