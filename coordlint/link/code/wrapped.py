"""Calls of the project's own wrappers: each stands for the coordination call behind it, as this caller makes it."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint.coordination import Use
from coordlint.link.code.deeds import Deed
from coordlint.link.code.evaluate import last_name
from coordlint.link.code.frameworks import INJECTS
from coordlint.link.code.project import Scope, is_test
from coordlint.link.code.registered import injecting
from coordlint.link.code.roles import as_called
from coordlint.link.code.standing import Standings, is_own
from coordlint.link.code.trace import Trace
from coordlint.link.code.values import shown
from coordlint.source import Place


def wrapped(standings: Standings, traces: list[Trace], seen: set[Place]) -> Iterator[Use]:
    """Every call and decorator that stands for coordination through functions and classes of the project."""
    for t in traces:
        if is_test(t.scope.path):
            continue
        for place, deed in (*_decorating(standings, t.scope, seen), *_injected(standings, t.scope, seen), *_calling(standings, t, seen)):
            if place not in seen:
                seen.add(place)
                key = (shown(deed.key.named) or deed.key.text) if deed.key is not None else None
                yield Use(place, _role(deed, t.scope.symbol), deed.backend, deed.library, t.scope.symbol, key, via=deed.via)


def _role(deed: Deed, symbol: str) -> str:
    if deed.operation is None or deed.operation.role != deed.role:
        return deed.role
    text, named = (deed.key.text, shown(deed.key.named)) if deed.key is not None else (None, "")
    return as_called(deed.operation, symbol, text, named) or deed.role


def _calling(standings: Standings, t: Trace, seen: set[Place]) -> Iterator[tuple[Place, Deed]]:
    for step in t.steps:
        if step.place in seen or step.operation is not None:
            continue
        deed = standings.of_step(t, step)
        if deed is not None and (not is_own(t, step) or standings.is_told_inside(step, deed)):
            yield step.place, deed


def _decorating(standings: Standings, scope: Scope, seen: set[Place]) -> Iterator[tuple[Place, Deed]]:
    for decorator in scope.function.decorators if scope.kind == "function" else ():
        place = scope.place(decorator.at)
        deed = standings.of_decorator(decorator, scope.parent or scope) if place not in seen else None
        if deed is not None:
            yield place, deed


def _injected(standings: Standings, scope: Scope, seen: set[Place]) -> Iterator[tuple[Place, Deed]]:
    """What a framework is told to call before a handler: `dependencies=[Depends(limited)]`. That it hands on a client is no use yet."""
    function = scope.function if scope.kind == "function" else None
    for expr in injecting(function) if function is not None else ():
        for call in standings.calls(expr):
            place = scope.place(call.at)
            if call.args and last_name(call.func) in INJECTS and place not in seen:
                deed = standings.of_given(call.args[0], scope.parent or scope)
                if deed is not None and deed.role != "client":
                    yield place, deed
