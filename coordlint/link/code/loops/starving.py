"""What stands still with an event loop: coroutines that call what blocks themselves, where a thread could do it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordlint import ir
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import External, Literal, options
from coordlint.link.code.flow.usage import calls_in, last_word
from coordlint.link.code.scopes.project import is_test
from coordlint.link.code.scopes.statements import expressions
from coordlint.source import Place


def blocking(traces: Sequence[Trace]) -> Iterator[Place]:
    """The calls that a coroutine makes and does not wait for: what they call runs in the loop's own thread, unless it is a coroutine itself."""
    for t in traces:
        if is_test(t.scope.path) or not _is_coroutine(t):
            continue
        said = [n for s in t.scope.statements for e in expressions(s) for n in ir.walk(e)]
        awaited = {c.at for n in said if isinstance(n, ir.Await) for c in calls_in(n)}
        yield from (t.scope.place(n.at) for n in said if isinstance(n, ir.Call) and last_word(n.func) == "sleep" and n.at not in awaited)
        yield from (s.place for s in t.steps if not s.deferred and (s.functions or s.operation is not None) and s.call.at not in awaited)


def naps(ev: Evaluator, traces: Sequence[Trace]) -> Iterator[tuple[str, Place, float]]:
    """Each `time.sleep` of a known number of seconds, with its function."""
    for t in traces:
        if is_test(t.scope.path) or t.scope.kind != "function":
            continue
        for call in (c for s in t.scope.statements for e in expressions(s) for c in calls_in(e) if last_word(c.func) == "sleep" and c.args):
            if any(isinstance(v, External) and v.name == "time.sleep" for v in options(ev.value(call.func, t.scope))):
                told = ev.settle(ev.value(call.args[0], t.scope))
                if isinstance(told, Literal) and isinstance(told.value, int | float):
                    yield t.scope.symbol, t.scope.place(call.at), float(told.value)


def _is_coroutine(t: Trace) -> bool:
    return t.scope.kind == "function" and t.scope.function.is_async
