"""Threads and tasks whose end somebody looks for: groups that hand a failure on, and those who wait for them or ask how they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.flow.usage import calls_in, last_word, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions
from coordlint.source import Place

_ASKS = frozenset("add_done_callback done exception is_alive result join poll".split())
_WAITS = frozenset("wait gather as_completed wait_for run_until_complete".split())
_GROUPS = ("taskgroup", "nursery", "task_group")


def watched(ev: Evaluator, traces: Iterable[Trace]) -> Iterator[Place]:
    """The calls that start a thread or task of which a failure is heard while it is meant to run."""
    for trace in traces:
        started = [s.place for s in trace.steps if s.deferred]
        if started:
            yield from (at for at in started if _is_watched(ev, trace.scope, at))


def _is_watched(ev: Evaluator, scope: Scope, at: Place) -> bool:
    statement = next((s for s in scope.statements if not isinstance(s, ir.With | ir.Loop | ir.If | ir.Try) and s.at.line <= at.line <= s.at.end_line), None)
    if statement is None:
        return False
    calls = [c for e in expressions(statement) for c in calls_in(e)]
    if any(last_word(c.func) in _WAITS for c in calls) or any(_is_of_group(scope, c) for c in calls):
        return True
    if not isinstance(statement, ir.Assign):
        return False
    names = {written(t) for t in statement.targets}
    among = [scope] if not any(n.startswith("self.") for n in names) or scope.owner is None else [c for c in scope.owner.children if c.kind == "function"]
    return any(_asks(f, names) for f in among)


def _is_of_group(scope: Scope, call: ir.Call) -> bool:
    """`tg.create_task(...)` within `async with TaskGroup() as tg`: the group ends when one of them fails."""
    if not isinstance(call.func, ir.Attribute) or last_word(call.func) not in ("create_task", "start_soon", "start"):
        return False
    name = written(call.func.base)
    items = (i for s in scope.statements if isinstance(s, ir.With) for i in s.items)
    return any(i.target is not None and written(i.target) == name and any(g in written(i.context).lower() for g in _GROUPS) for i in items)


def _asks(scope: Scope, names: set[str]) -> bool:
    """Whether a function asks one of these how it is, or waits for it; to wait for what was just cancelled is to end it."""
    calls = [c for s in scope.statements for e in expressions(s) for c in calls_in(e)]
    on = {last_word(c.func) for c in calls if isinstance(c.func, ir.Attribute) and written(c.func.base) in names}
    if on & _ASKS - {"join"}:
        return True
    if "cancel" in on:
        return False
    waits = any(last_word(c.func) in _WAITS and any(names & set(names_in(a)) for a in c.args) for c in calls)
    return waits or any(isinstance(n, ir.Await) and written(n.value) in names for s in scope.statements for e in expressions(s) for n in ir.walk(e))
