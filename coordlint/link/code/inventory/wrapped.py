"""Calls of the project's own wrappers: each stands for the coordination call behind it, as this caller makes it."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint.coordination import Operation, Use
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.entrances.frameworks import INJECTS
from coordlint.link.code.entrances.registered import injecting
from coordlint.link.code.evaluation.evaluate import last_name
from coordlint.link.code.inventory.reigning import Reigns
from coordlint.link.code.inventory.standing import Standings, is_own
from coordlint.link.code.purposes.callers import Called, called, judged
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.source import Place


def wrapped(standings: Standings, operations: tuple[Operation, ...], traces: list[Trace], seen: set[Place]) -> Iterator[Use]:
    """Every call and decorator that stands for coordination through functions and classes of the project."""
    found: list[Called] = []
    reigns = standings.reigns
    for t in traces:
        if is_test(t.scope.path):
            continue
        for c in (*_decorating(standings, t.scope, seen), *_injected(standings, t.scope, seen), *_calling(standings, reigns, t, seen)):
            if c.place not in seen:
                seen.add(c.place)
                found.append(c)
    roles = judged(operations, found)
    for c in found:
        yield Use(c.place, roles[c.place], c.deed.backend, c.deed.library, c.symbol, c.key, via=c.deed.via)


def _calling(standings: Standings, reigns: Reigns, t: Trace, seen: set[Place]) -> Iterator[Called]:
    for step in t.steps:
        if step.place in seen or step.operation is not None:
            continue
        deed = standings.of_step(t, step)
        if deed is not None and (not is_own(t, step) or standings.is_told_inside(step, deed)):
            yield called(step.place, t.scope, reigns.seen(t, step, deed), step.call)


def _decorating(standings: Standings, scope: Scope, seen: set[Place]) -> Iterator[Called]:
    for decorator in scope.function.decorators if scope.kind == "function" else ():
        place = scope.place(decorator.at)
        deed = standings.of_decorator(decorator, scope.parent or scope) if place not in seen else None
        if deed is not None:
            yield called(place, scope, deed)


def _injected(standings: Standings, scope: Scope, seen: set[Place]) -> Iterator[Called]:
    """What a framework is told to call before a handler: `dependencies=[Depends(limited)]`. That it hands on a client is no use yet."""
    function = scope.function if scope.kind == "function" else None
    for expr in injecting(function) if function is not None else ():
        for call in standings.calls(expr):
            place = scope.place(call.at)
            if call.args and last_name(call.func) in INJECTS and place not in seen:
                deed = standings.of_given(call.args[0], scope.parent or scope)
                if deed is not None and deed.role != "client":
                    yield called(place, scope, deed)
