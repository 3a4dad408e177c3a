"""Calls of the project's own wrappers: each stands for the coordination call behind it, as this caller makes it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Use
from coordlint.link.code.arguments import bindings
from coordlint.link.code.evaluate import Evaluator
from coordlint.link.code.operations import is_test
from coordlint.link.code.role import role_of
from coordlint.link.code.trace import Step, Trace
from coordlint.link.code.values import fill, shown
from coordlint.models.schema import Op
from coordlint.source import Place


def wrapped(ev: Evaluator, traces: list[Trace], seen: set[Place]) -> Iterator[Use]:
    """Calls of functions of the project that are thin wrappers of one coordination call."""
    thin = {t.scope.symbol: _thin(t) for t in traces}
    for _ in range(2):  # a wrapper of a wrapper
        for t in traces:
            if thin[t.scope.symbol] is None and _is_small(t):
                thin[t.scope.symbol] = next((_handed_on(ev, s, thin) for s in t.steps if _wraps(s, thin)), None)
    for t in traces:
        if is_test(t.scope.path):
            continue
        for step in t.steps:
            if step.place in seen or not _wraps(step, thin):
                continue
            made = _handed_on(ev, step, thin)
            if made is None or made.operation is None:
                continue
            own = msgspec.structs.replace(made.operation, symbol=step.functions[0].symbol)
            role = role_of(own)
            if role not in (None, "client") and own.backend != "process-local":
                name = step.functions[0].symbol.rpartition(".")[2]
                yield Use(step.place, role or "", own.backend, own.library, t.scope.symbol, own.key_text or own.key, via=(name,))
                seen.add(step.place)


def _wraps(step: Step, thin: dict[str, Step | None]) -> bool:
    return any(thin.get(f.symbol) is not None for f in step.functions)


def _handed_on(ev: Evaluator, step: Step, thin: dict[str, Step | None]) -> Step | None:
    """The wrapped call as this caller makes it: its key with the caller's arguments filled in."""
    function = next((f for f in step.functions if thin.get(f.symbol) is not None), None)
    inner = thin.get(function.symbol) if function is not None else None
    if function is None or inner is None or inner.operation is None:
        return None
    key = inner.key
    if key is not None and "\x00" in key.named:
        key = fill(key, bindings(ev, function, step.args))
    operation = inner.operation
    if key is not None:
        operation = msgspec.structs.replace(operation, key=key.text, key_text=shown(key.named))
    return Step(step.place, step.call, operation, key=key)


def _is_small(t: Trace) -> bool:
    return t.scope.kind == "function" and len(t.steps) <= 6


def _thin(t: Trace) -> Step | None:
    """The one coordination call of a function that does little else."""
    if t.scope.kind != "function":
        return None
    found = [s for s in t.steps if s.operation is not None and role_of(s.operation) is not None]
    if not found or len(found) > 3 or len(t.steps) > 14:
        return None
    return next((s for s in found if s.operation is not None and s.operation.op is not Op.CLIENT), found[0])
