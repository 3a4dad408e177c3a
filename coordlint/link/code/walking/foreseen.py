"""What a function knows of a thing before it takes the thing's lock, and does not look at again under it.

Whoever waited for the lock acts on what was true before the other one had it.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.contention import Foreseen
from coordlint.link.code.calls.trace import Draft, Step, Trace
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.flow.flows import within
from coordlint.link.code.flow.usage import calls_in, ends, last_word, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.link.code.walking.absent import led_by_absence
from coordlint.link.code.walking.tracer import Tracer
from coordlint.models.schema import Op
from coordlint.models.schema import Scope as Reach
from coordlint.source import Place
from coordlint.wording import holes, words

_DONE = frozenset(
    "exist exists present absent missing processed delivered sent seen already done completed finished running started registered claimed contains issued uploaded created built".split()
)
_LOOKS = _DONE | frozenset("get find load read fetch select query filter first one status state refresh lookup reload check verify search scan list".split())
_READS = frozenset("get find load read fetch query lookup retrieve".split())
_DEPTH = 3  # calls inside a section that are followed to see whether somebody looks again


def foreseen(tracer: Tracer, trace: Trace) -> Iterator[Foreseen]:
    """One for each lock of a function, at most: the first kind that is seen."""
    if trace.scope.kind != "function" or not trace.drafts:
        return
    for d in trace.drafts:
        about = holes(d.lock.key_text)
        if d.lock.model.scope is not Reach.DISTRIBUTED or d.within or not about or not d.steps or d.scope is not trace.scope:
            continue
        seen = _tested_state(tracer, trace, d, about) or _asked_for(tracer, trace, d, about) or _read_before(tracer, trace, d, about)
        if seen is not None:
            how, what, look, used = seen
            yield Foreseen(acquired=d.acquired, symbol=trace.scope.symbol, how=how, what=what, look=look, used=used, in_test=in_test(trace.scope))


_Seen = tuple[str, str, Place, Place]


def _tested_state(tracer: Tracer, trace: Trace, d: Draft, about: tuple[str, ...]) -> _Seen | None:
    """`if not note.sent:`, `lock(note.id)`, `note.sent = True`: tested before, set under the lock, and the record not loaded again."""
    roots = {name.partition(".")[0] for name in about if "." in name and name.replace(".", "_").isidentifier()} - {"self", "cls"}
    for s in _decisions(trace.scope, d):
        for asked in (n for b in s.branches for n in ir.walk(b.test) if isinstance(n, ir.Attribute)):
            root = written(asked.base)
            if root not in roots or written(asked) in about or _is_looked_at_again(trace.scope, d, root, written(asked)):
                continue
            used = _set_inside(tracer, trace.scope, d, root, asked.name)
            if used is not None:
                return "state", written(asked), trace.scope.place(asked.at), used
    return None


def _asked_for(tracer: Tracer, trace: Trace, d: Draft, about: tuple[str, ...]) -> _Seen | None:
    """`if exists(name): ... else: lock(name)`: asked before the lock of the very thing, and acted upon under it."""
    flow = tracer.flow(trace.scope.symbol)
    for look in trace.steps:
        name = last_word(look.call.func)
        given = {written(a) for a in (*look.call.args, *(k.value for k in look.call.keywords))}
        if look.place >= d.acquired or look.held or not words(name) & _DONE or not given & set(about) or not (look.functions or look.unresolved):
            continue
        if led_by_absence(flow, look.place, d.acquired) and not _looks_again(tracer, d, name):
            return "asked", written(look.call.func) + "()", look.place, d.steps[0].place
    return None


def _read_before(tracer: Tracer, trace: Trace, d: Draft, about: tuple[str, ...]) -> _Seen | None:
    """`old = read(name)`, which takes and gives back the same lock; `lock(name)`, `if new != old`."""
    flow = tracer.flow(trace.scope.symbol)
    for look in trace.steps:
        given = {written(a) for a in (*look.call.args, *(k.value for k in look.call.keywords))}
        name = last_word(look.call.func)
        if look.place >= d.acquired or look.held or look.deferred or not given & set(about) or not words(name) & _READS:
            continue
        if not any(_takes_the_same(tracer, f.symbol, d) for f in look.functions[: look.called]) or any(last_word(s.call.func) == name for s in d.steps):
            continue
        names = flow.assigned(look.place) - _assigned_inside(trace.scope, d)
        used = next((n for s in _inside(trace.scope, d) for e in expressions(s) for n in ir.walk(e) if isinstance(n, ir.Compare) and names_in(n) & names), None)
        if used is not None:
            return "read", ", ".join(sorted(names & names_in(used))), look.place, trace.scope.place(used.at)
    return None


def _takes_the_same(tracer: Tracer, symbol: str, d: Draft) -> bool:
    return any(o.lock.key == d.lock.key and o.lock.backend == d.lock.backend and o.releases for o in tracer.trace(symbol).drafts)


def _decisions(scope: Scope, d: Draft) -> Iterator[ir.If]:
    """The tests that lead to the lock: it stands in a branch, or behind one that leaves."""
    for s in statements(scope.function.body):
        if isinstance(s, ir.If) and s.at.line < d.acquired.line:
            leaves = any(ends(b.body) in ("return", "continue", "raise", "break") for b in s.branches) and d.acquired.line > (s.at.end_line or s.at.line)
            if leaves or any(within(b.body, d.acquired) for b in s.branches) or within(s.orelse, d.acquired):
                yield s


def _inside(scope: Scope, d: Draft) -> Iterator[ir.Stmt]:
    """The statements between the acquire and the last call under it."""
    last = max(s.place.span.end_line or s.place.line for s in d.steps)
    return (s for s in statements(scope.function.body) if d.acquired.line < s.at.line <= last)


def _assigned_inside(scope: Scope, d: Draft) -> set[str]:
    return {written(t) for s in _inside(scope, d) if isinstance(s, ir.Assign) for target in s.targets for t in (target.items if isinstance(target, ir.Sequence) else (target,))}


def _is_looked_at_again(scope: Scope, d: Draft, root: str, asked: str) -> bool:
    """Whether the record is loaded anew under the lock, or the same is tested again."""
    for s in _inside(scope, d):
        if isinstance(s, ir.Assign) and any(root == written(i) for t in s.targets for i in (t.items if isinstance(t, ir.Sequence) else (t,))):
            return True
        if isinstance(s, ir.If) and any(asked in names_in(b.test) for b in s.branches):
            return True
        if any(isinstance(c.func, ir.Attribute) and written(c.func.base) == root and words(c.func.name) & _LOOKS for e in expressions(s) for c in calls_in(e)):
            return True
    return False


def _set_inside(tracer: Tracer, scope: Scope, d: Draft, root: str, attribute: str) -> Place | None:
    """Where the attribute gets another value under the lock: here, by a method of its object, or in a function that is given it."""
    for s in _inside(scope, d):
        if isinstance(s, ir.Assign) and any(written(t) == f"{root}.{attribute}" for t in s.targets):
            return scope.place(s.at)
    for step in d.steps:
        for f in step.functions[: step.called]:
            callee = tracer.ev.project.scopes[f.symbol]
            if callee.kind == "function" and (name := _called_there(step, callee, root)) and _sets(callee, f"{name}.{attribute}"):
                return step.place
    return None


def _called_there(step: Step, callee: Scope, root: str) -> str:
    """What a function calls the object that it is given, or that it is asked of."""
    if isinstance(step.call.func, ir.Attribute) and written(step.call.func.base) == root and callee.owner is not None:
        return callee.params()[0].name if callee.params() else ""
    params = [p.name for p in callee.params() if p.name not in ("self", "cls")]
    named = {k.name: k.value for k in step.call.keywords}
    given = [*zip(params, step.call.args, strict=False), *((n, e) for n, e in named.items() if n in params)]
    return next((name for name, e in given if written(e) == root), "")


def _sets(callee: Scope, target: str) -> bool:
    return any(isinstance(s, ir.Assign) and any(written(t) == target for t in s.targets) for s in statements(callee.function.body))


def _looks_again(tracer: Tracer, d: Draft, name: str) -> bool:
    """Whether somebody looks under the lock: the same function is asked, or another one that reads."""
    todo, seen = [(s, 0) for s in d.steps], set[str]()
    while todo:
        step, depth = todo.pop()
        called = last_word(step.call.func)
        if called == name or words(called) & (_LOOKS if depth == 0 else _DONE) or (step.operation is not None and step.operation.op in (Op.READ, Op.LIST, Op.DB_READ)):
            return True
        for f in step.functions[: step.called] if depth < _DEPTH else ():
            if f.symbol not in seen:
                seen.add(f.symbol)
                todo += [(inner, depth + 1) for inner in tracer.trace(f.symbol).steps]
    return False
