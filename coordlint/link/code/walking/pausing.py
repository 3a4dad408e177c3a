"""What a loop waits for between two rounds: a sleep, or an event that ends the program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.coordination import Time
from coordlint.link.code.evaluation.values import External, Literal
from coordlint.link.code.flow.usage import calls_in, last_word
from coordlint.link.code.scopes.statements import blocks, expressions
from coordlint.wording import words

if TYPE_CHECKING:
    from coordlint.link.code.walking.walk import Walk

_SLEEPS = ("time.sleep", "asyncio.sleep", "gevent.sleep", "eventlet.sleep", "trio.sleep", "anyio.sleep")
_ENDINGS = frozenset("stop stopped stopping shutdown exit quit done event finished end ended kill killed terminate halt cancel cancelled closing".split())


def pause_of(w: Walk, loop: ir.Loop) -> Time | None:
    """The first pause in a loop's test or body."""
    tests = (loop.test,) if loop.target is None else ()
    for call in (c for expr in (*tests, *_expressions(loop.body)) for c in calls_in(expr)):
        given = _length(w, call)
        if given is None:
            continue
        value = w.ev.value(given, w.scope)
        place = w.scope.place(call.at)
        if isinstance(value, Literal) and isinstance(value.value, int | float):
            return Time("seconds", float(value.value), place, f"{value.value:g} s", float(value.value))
        return Time("unknown", None, place, "not known")
    return None


def _expressions(body: tuple[ir.Stmt, ...]) -> Iterator[ir.Expr]:
    for s in body:
        yield from expressions(s)
        for block in blocks(s):
            yield from _expressions(block)


def _length(w: Walk, call: ir.Call) -> ir.Expr | None:
    """How long a call sleeps, as written; of an event that ends the program, `stop.wait(5)`, how long at most."""
    if isinstance(call.func, ir.Attribute) and call.func.name == "wait" and words(last_word(call.func.base)) & _ENDINGS:
        return call.args[0] if call.args else call.keyword("timeout")
    callee = w.ev.value(call.func, w.scope) if call.args else None
    return call.args[0] if isinstance(callee, External) and callee.name in _SLEEPS else None
