"""Which functions of a project reach coordination: the others need no judgement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.values import Method, options
from coordlint.link.code.purposes.deeds import Deed, held

Passing = Mapping[str, tuple[str, ...]]


def reaching(
    traces: Mapping[str, Trace], passed: Passing, own: Callable[[Step], Deed | None], further: Iterable[str] = ()
) -> dict[str, list[str]]:
    """Functions that reach coordination, or one of those `further`, each with those that it calls."""
    calls: dict[str, list[str]] = {}
    callers: dict[str, list[str]] = {}
    todo: list[str] = sorted(further)
    for symbol, trace in traces.items():
        if trace.scope.kind != "function":
            continue
        calls[symbol] = list(dict.fromkeys(f.symbol for s in trace.steps for f in s.functions[: s.called]))
        for callee in calls[symbol]:
            callers.setdefault(callee, []).append(symbol)
        if any(own(s) is not None for s in trace.steps) or any(True for _ in held(trace)) or _hands_method(trace, passed):
            todo.append(symbol)
    seen = set(todo)
    while todo:
        for caller in callers.get(todo.pop(), ()):
            if caller not in seen:
                seen.add(caller)
                todo.append(caller)
    return {symbol: calls[symbol] for symbol in calls if symbol in seen}


def _hands_method(trace: Trace, passed: Passing) -> bool:
    """Whether a function hands a library's method to a helper that calls it."""
    return any(
        f.symbol in passed and any(isinstance(v, Method) for a in (*s.args, *f.held) for v in options(a.value))
        for s in trace.steps
        for f in s.functions[: s.called]
    )


def passing(traces: Mapping[str, Trace]) -> dict[str, tuple[str, ...]]:
    """Functions that call one of their parameters, themselves or in a function that stands in them, with the parameters' names."""
    found: dict[str, set[str]] = {}
    for t in traces.values():
        for s in t.steps:
            if s.parameter is not None and not s.deferred:
                found.setdefault(s.parameter.symbol, set()).add(s.parameter.name)
    return {symbol: tuple(sorted(names)) for symbol, names in found.items() if symbol in traces}
