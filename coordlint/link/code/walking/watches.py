"""Whether the WATCH of a transaction still stands where the transaction writes.

UNWATCH, RESET, an EXEC and the end of its `with` give it up; without MULTI behind it every command is run at once, and nothing is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint import ir
from coordlint.coordination import Operation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.flow.usage import calls_in, ends
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions
from coordlint.models.schema import Op
from coordlint.source import Place

_GIVES_UP = ("unwatch", "reset", "discard", "execute")
_READS = (Op.READ, Op.LIST)
Event = ir.Call | ir.With  # a call that was made, or a `with` that was left, on the way


def mark_unwatched(trace: Trace) -> None:
    """Notes at each write of a transaction where the WATCH before it was given up, or that it began only after the read."""
    if trace.scope.kind != "function":
        return
    watches = [s for s in trace.steps if s.operation is not None and _is_watch(s.operation)]
    for step in trace.steps if watches else ():
        o = step.operation
        if o is not None and o.atomic == "pipeline" and o.op not in (*_READS, Op.WATCH, Op.COMMIT) and any(_pipe(w) == _pipe(step) for w in watches):
            given_up = _given_up(trace, step) or _unqueued(trace, step)
            if given_up is not None:
                step.operation = msgspec.structs.replace(o, unwatched=given_up)


def _is_watch(o: Operation) -> bool:
    return o.op is Op.WATCH and o.call.rpartition(".")[2] == "watch" and o.backend == "redis"


def _pipe(step: Step) -> str:
    """What a command is sent through, as written."""
    return written(step.call.func.base) if isinstance(step.call.func, ir.Attribute) else ""


def _given_up(trace: Trace, write: Step) -> Place | None:
    """Where the last WATCH on the way to a write ends before it; the WATCH itself where the value had been read already."""
    pipe, scope = _pipe(write), trace.scope
    began: Place | None = None
    ended: Place | None = None
    for event in _on_the_way(scope, scope.function.body, write.place) or ():
        if isinstance(event, ir.With):
            if began is not None and any(isinstance(i.target, ir.Name) and i.target.id == pipe for i in event.items):
                ended = scope.place(event.at)
        elif isinstance(event.func, ir.Attribute) and written(event.func.base) == pipe:
            if event.func.name == "watch":
                began, ended = scope.place(event.at), None
            elif event.func.name in _GIVES_UP and began is not None:
                ended = ended or scope.place(event.at)
    return ended or (began if began is not None and _is_late(trace, write, began) else None)


def _unqueued(trace: Trace, write: Step) -> Place | None:
    """The last WATCH of the same key before a write, where this function never says MULTI and nobody else is handed the pipeline to say it."""
    pipe = _pipe(write)
    calls = list(_calls(trace.scope.function.body))
    handed = any(isinstance(n, ir.Name) and n.id == pipe for c in calls for a in (*c.args, *(k.value for k in c.keywords)) for n in ir.walk(a))
    if not pipe.isidentifier() or handed or any(isinstance(c.func, ir.Attribute) and c.func.name in ("multi", "transaction") for c in calls):
        return None
    assert write.operation is not None
    key = write.operation.key
    before = [o.place for s in trace.steps if (o := s.operation) is not None and _is_watch(o) and _pipe(s) == pipe and o.key == key and key and o.place < write.place]
    return max(before, default=None)


def _calls(body: tuple[ir.Stmt, ...]) -> Iterator[ir.Call]:
    for s in body:
        yield from (c for e in expressions(s) for c in calls_in(e))
        for block in blocks(s):
            yield from _calls(block)
        if isinstance(s, ir.Function):
            yield from _calls(s.body)


def _is_late(trace: Trace, write: Step, began: Place) -> bool:
    """Whether the value was read before the WATCH began, and by nobody after it."""
    assert write.operation is not None
    read = write.operation.reads_back
    after = (s for s in trace.steps if began < s.place < write.place)
    return read is not None and read < began and not any(s.functions or (s.operation is not None and s.operation.op in _READS) for s in after)


def _on_the_way(scope: Scope, body: tuple[ir.Stmt, ...], at: Place) -> list[Event] | None:
    """What always happens before a call, in order; None when the call is not in this body."""
    passed: list[Event] = []
    for s in body:
        calls = [c for e in expressions(s) for c in calls_in(e)]
        if any(scope.place(c.at) == at for c in calls):
            return [*passed, *(c for c in calls if scope.place(c.at) < at)]
        for block in blocks(s):
            inner = _on_the_way(scope, block, at)
            if inner is not None:
                started = _through(s.body) if isinstance(s, ir.Try) and block is s.orelse else ()
                return [*passed, *calls, *started, *inner]
        passed.extend(_through((s,)))
    return None


def _through(body: tuple[ir.Stmt, ...]) -> Iterator[Event]:
    """What happens in statements that are passed without an error and without a choice."""
    for s in body:
        yield from (c for e in expressions(s) for c in calls_in(e))
        if isinstance(s, ir.With):
            yield from _through(s.body)
            yield s
        elif isinstance(s, ir.Try):
            if not ends(s.orelse or s.body):
                yield from _through((*s.body, *s.orelse))
            yield from _through(s.final)
