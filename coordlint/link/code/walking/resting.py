"""Pauses under a lock whose length is known: `time.sleep(60)`, `for _ in range(30): time.sleep(2)`, here and in what is called."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.calls.trace import Draft, Step
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import External, Literal, options
from coordlint.link.code.flow.flows import within
from coordlint.link.code.flow.usage import ends, last_word
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import statements
from coordlint.link.code.walking.tracer import Tracer
from coordlint.source import Place

SLEEPS = ("time.sleep", "asyncio.sleep", "gevent.sleep", "eventlet.sleep", "trio.sleep", "anyio.sleep")
_SHORT = 4  # statements of a branch that only turns away
DEEPEST = 3  # calls of calls


def rests(tracer: Tracer, d: Draft) -> tuple[tuple[Place, float], ...]:
    """Where the work of a section sleeps, and for how many seconds in all rounds of the loops with a known number around it."""
    found: dict[Place, float] = {}
    for step in d.steps:
        if not step.deferred and step.place > d.acquired and not _is_on_the_side(d.scope, step.place):
            for place, seconds in _rests(tracer, step, d.scope, d.acquired, 0):
                found.setdefault(place, seconds)
    return tuple(sorted(found.items()))


def _rests(tracer: Tracer, step: Step, scope: Scope, since: Place | None, depth: int) -> Iterator[tuple[Place, float]]:
    rounds = _rounds(tracer.ev, scope, step.place, since)
    if (seconds := _seconds(tracer.ev, step, scope)) is not None:
        yield step.place, seconds * rounds
    if len({f.symbol for f in step.functions[: step.called]}) != 1 or depth == DEEPEST:
        return
    inner = tracer.trace(step.functions[0].symbol)
    for s in inner.steps:
        if not s.deferred and not s.given and not _is_on_the_side(inner.scope, s.place):
            for place, seconds in _rests(tracer, s, inner.scope, None, depth + 1):
                yield place, seconds * rounds


def _seconds(ev: Evaluator, step: Step, scope: Scope) -> float | None:
    """How long a call sleeps; None where it is no sleep, or for how long is not known."""
    if last_word(step.call.func) != "sleep" or not step.call.args:
        return None
    if not any(isinstance(o, External) and o.name in SLEEPS for o in options(ev.value(step.call.func, scope))):
        return None
    known = ev.value(step.call.args[0], scope)
    is_number = isinstance(known, Literal) and isinstance(known.value, int | float) and not isinstance(known.value, bool)
    return float(known.value) if is_number and isinstance(known, Literal) and isinstance(known.value, int | float) else None


def _rounds(ev: Evaluator, scope: Scope, place: Place, since: Place | None) -> int:
    """In how many rounds of the loops around it a call is made: those over a range of known length, but for those that take the lock each time."""
    rounds = 1
    for s in scope.statements:
        if not isinstance(s, ir.Loop) or not within(s.body, place) or (since is not None and s.at.line < since.line):
            continue
        if isinstance(s.test, ir.Call) and last_word(s.test.func) == "range" and len(s.test.args) == 1:
            known = ev.value(s.test.args[0], scope)
            if isinstance(known, Literal) and isinstance(known.value, int) and known.value > 0:
                rounds *= known.value
    return rounds


def _is_on_the_side(scope: Scope, place: Place) -> bool:
    """Whether a call stands in a handler, or in a branch that leaves: it is not what the work takes."""
    for s in statements(scope.function.body) if scope.kind == "function" else ():
        if isinstance(s, ir.Try) and any(within(h.body, place) for h in s.handlers):
            return True
        if isinstance(s, ir.If) and any(within(b.body, place) and ends(b.body) in ("return", "raise") for b in s.branches) and len(s.branches[0].body) < _SHORT:
            return True
    return False
