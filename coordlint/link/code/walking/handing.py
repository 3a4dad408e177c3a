"""What a function hands on to its callers: locks that they can give back, and no others.

A lock is the caller's when the function returns it or its acquire's result, or takes it and does nothing more. Where the function works
under the lock that it leaves held, the section is its own, and becomes the caller's only when the caller is seen to give it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.calls.trace import Draft, Step, Trace
from coordlint.link.code.evaluation import calling
from coordlint.link.code.evaluation.values import Instance, Object
from coordlint.link.code.flow.usage import ends
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import blocks, statements
from coordlint.models.schema import Late, Op
from coordlint.wording import words

if TYPE_CHECKING:
    from coordlint.link.code.walking.walk import Walk

MOST_HANDED_ON = 8  # locks or releases that one function hands on to its callers
DEEPEST = 6  # functions that a lock may come through
_WORK = (Op.EFFECT, Op.WRITE, Op.CAS, Op.DELETE, Op.QUEUE_PUT, Op.PUBLISH, Op.COMMIT, Op.REGISTER, Op.SQL, Op.INCREMENT)
_WORK_DEPTH = 2  # calls that are looked into to see whether a function works


def hand_on(w: Walk) -> None:
    """Decides, at the end of a walk, which of the locks still held are the callers' now."""
    trace = w.trace
    trace.drafts = [d for d in trace.drafts if not d.provisional or d.releases]
    at_end = {id(d) for d in w.held}
    for d in trace.left:
        d.is_left = not d.releases
        d.is_returned = _is_returned(w, d)
        d.escapes = d.escapes or d.is_returned
        d.does_work = not d.escapes and any(_works(w, s, d, 0) for s in d.steps)
    trace.gives_result = gives_result(w.scope, trace)
    given = [d for d in trace.left if _is_given(w, d, id(d) in at_end)]
    trace.left = given[:MOST_HANDED_ON]
    trace.at_yield = [d for d in trace.at_yield if not d.provisional or d.releases]


def _is_given(w: Walk, d: Draft, at_end: bool) -> bool:
    if d.provisional and d.releases:
        return False
    if d.releases and not at_end and not w.trace.gives_result:
        return False  # an early way out forgot it; on the way to the end it is given back
    if len(d.lock.via) >= DEEPEST:
        return False
    if d.escapes or not isinstance(d.subject, Instance | Object) or not d.written:
        return True  # whoever knows the key can give it back
    root = d.written.partition(".")[0].partition("(")[0]
    if not is_local(w.scope, root):
        return True
    stored = {n for n in w.usage.kept_in({d.written}) if not is_local(w.scope, n.partition(".")[0])}
    return bool(stored) or (w.trace.gives_result and not d.does_work)


def is_local(scope: Scope, name: str) -> bool:
    """Whether a name means something in this function alone."""
    if scope.kind != "function" or name in ("self", "cls"):
        return False
    return name in scope.names and not any(p.name == name for p in scope.params())


def _is_returned(w: Walk, d: Draft) -> bool:
    """Whether what is returned or yielded is the lock, or a container that it was put into."""
    if d.is_raw or not d.written or not isinstance(d.subject, Instance | Object) or not is_local(w.scope, d.written.partition(".")[0]):
        return False
    return bool(w.usage.kept_in({d.written}) & w.usage.returned)


def _works(w: Walk, step: Step, d: Draft | None, depth: int) -> bool:
    """Whether a call does some of what locks are there for: it writes, sends, pays."""
    if step.deferred:
        return False
    made = step.operation
    if made is not None and made.op in _WORK and made.late is not Late.READ:
        is_own = d is not None and made.key is not None and made.key == d.lock.key
        if not is_own and (made.kind or made.backend):
            return True
    if depth >= _WORK_DEPTH:
        return False
    for function in step.functions[: step.called][:4]:
        inner = w.tracer.trace(function.symbol)
        if any(_works(w, s, d, depth + 1) for s in inner.steps[:80]):
            return True
    return False


def gives_result(scope: Scope, made: Trace) -> bool:
    """Whether the return value says if a lock was obtained: its result itself, or True against False or None."""
    if scope.kind != "function" or not made.left:
        return False
    if any(d.escapes for d in made.left):
        return True
    truths: set[bool | None] = set()
    for expr in calling.returned(scope):
        if isinstance(expr, ir.Name) and any(expr.id in d.names for d in made.left):
            return True
        truths.add(_truth(expr))
    if {True, False} <= truths:
        return True
    body = scope.function.body
    if _tries_for_ever(body):
        return False in truths and any(d.tested for d in made.left)  # who gets an answer has the lock
    if ends(body) not in ("return", "raise", "exit") or _returns_nothing(body):
        truths.add(False)
    return (None in truths or len(truths) > 1) and any(d.tested for d in made.left)


_ASKS = frozenset("have has is are own owns owned owner hold holds held still locked leading".split())


def asks(scope: Scope) -> bool:
    """Whether a function tells if a lock is still held, and gives back only one that is lost: `if not self.have_lock(): ...`."""
    return bool(words(scope.function.name) & _ASKS) and {True, False} <= {_truth(expr) for expr in calling.returned(scope)}


def _tries_for_ever(body: tuple[ir.Stmt, ...]) -> bool:
    """Whether a function ends in a loop that only a return that gives something leaves: `while True: if take(): return token`."""
    last = body[-1] if body else None
    forever = isinstance(last, ir.Loop) and last.target is None and isinstance(last.test, ir.Const) and bool(last.test.value)
    return forever and not _returns_nothing(body) and not any(isinstance(s, ir.Jump) and s.kind == "break" for s in statements(body))


def _returns_nothing(body: tuple[ir.Stmt, ...]) -> bool:
    return any((isinstance(s, ir.Return) and s.value is None) or any(_returns_nothing(b) for b in blocks(s)) for s in body)


def _truth(expr: ir.Expr) -> bool | None:
    """Whether a returned value is true; None where that is not known."""
    match expr:
        case ir.Const(value=value):
            return bool(value)
        case ir.Sequence(items=items) if items:
            return any(_truth(i) is not False for i in items)  # (None, None) is a refusal too
        case _:
            return None
