"""Calls of the project's own compare-and-swap that a loop makes again until one wins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from coordlint import ir
from coordlint.contention import Swap
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.flow.usage import calls_in, last_word
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.retry import Retry
from coordlint.source import Place

_NAMES = frozenset("conditional_update compare_and_swap compare_and_set compare_and_exchange compare_and_update check_and_set update_if_unchanged cas".split())
_PAUSES = ("sleep", "wait", "backoff", "back_off", "delay", "pause")


def swaps(traces: Iterable[Trace], again: Mapping[Place, Retry]) -> Iterator[Swap]:
    """By what the function is called: what it is given is put in place of what is expected there, or nothing is done."""
    for t in traces:
        if t.scope.kind != "function" or is_test(t.scope.path):
            continue
        for step in t.steps:
            if step.operation is None and step.functions and step.place in again and last_word(step.call.func).lstrip("_") in _NAMES:
                yield Swap(step.place, t.scope.symbol, written(step.call.func), again[step.place], _pauses(t.scope, again[step.place].place))


def _pauses(scope: Scope, loop: Place) -> bool:
    """Whether a round of the loop waits before the next."""
    inside = next((s.body for s in statements(scope.function.body) if isinstance(s, ir.Loop) and scope.place(s.at) == loop), ())
    return any(last_word(c.func).strip("_").endswith(_PAUSES) for s in statements(inside) for e in expressions(s) for c in calls_in(e))
