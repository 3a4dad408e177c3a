"""Handlers that leave a loop for good and tell nobody but the log: a thread that ends there is missed by no one."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.flow.usage import bare, ends, last_word
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import statements
from coordlint.source import Place
from coordlint.wording import words

_TO_THE_LOG = frozenset("log logger logging print warn warning warnings traceback pprint echo".split())


def quiet_end(scope: Scope, handler: ir.Handler, around: ir.Try) -> Place | None:
    """Where a handler leaves the function's loop, when neither it nor anything behind the loop does more than log."""
    if scope.kind != "function" or ends(handler.body) not in ("break", "return") or not all(is_quiet(s) for s in statements(handler.body)):
        return None
    body = scope.function.body
    loop = next((s for s in statements(body) if isinstance(s, ir.Loop) and any(t is around for t in statements(s.body))), None)
    if loop is None or loop.target is not None:
        return None
    last = handler.body[-1]
    if not all(is_quiet(s) for s in _behind(body, loop)):
        return None
    return scope.place(last.at)


def only_notes(handler: ir.Handler) -> bool:
    """Whether a handler does no more than log, and what follows goes on as before."""
    return all(is_quiet(s) for s in statements(handler.body)) and not ends(handler.body)


def behind_notes(body: tuple[ir.Stmt, ...]) -> ir.Stmt | None:
    """The first statement that does more than log."""
    return next((s for s in body if not (isinstance(s, ir.Evaluate) and is_quiet(s))), None)


def goes_to_next(handler: ir.Handler) -> bool:
    """Whether a handler in a loop does no more than log and pause, and the loop goes on with its next lap."""
    return all(is_quiet(s) or _pauses(s) for s in statements(handler.body)) and ends(handler.body) in ("", "continue")


def gives_up(scope: Scope, handler: ir.Handler, around: ir.Try) -> ir.Raise | None:
    """The `raise` behind the loop of a handler that only goes on to the next lap: what happens when no lap succeeds."""
    if scope.kind != "function" or not goes_to_next(handler):
        return None
    for block in _blocks(scope.function.body):
        for loop, following in zip(block, (*block[1:], None), strict=True):
            if isinstance(loop, ir.Loop) and any(t is around for t in loop.body):
                if any(_pauses(s) for s in statements(loop.body)):
                    return None
                last = next((s for s in (*loop.orelse, *block[block.index(loop) + 1 :]) if not is_quiet(s)), following)
                return last if isinstance(last, ir.Raise) else None
    return None


def _blocks(body: tuple[ir.Stmt, ...]) -> Iterator[tuple[ir.Stmt, ...]]:
    """A body, and the bodies of the statements in it."""
    yield body
    for s in statements(body):
        match s:
            case ir.With(body=inner) | ir.Try(body=inner) | ir.Loop(body=inner):
                yield inner
            case ir.If(branches=branches):
                yield from (b.body for b in branches)
            case _:
                pass


def _behind(body: tuple[ir.Stmt, ...], loop: ir.Loop) -> Iterator[ir.Stmt]:
    """What can run after a loop, in its function: the statements further down, and those of a `finally` around it."""
    inside = {id(s) for s in statements(loop.body)}
    for s in statements(body):
        if id(s) not in inside and s is not loop and s.at.line > loop.at.line:
            yield s


def _pauses(s: ir.Stmt) -> bool:
    call = bare(s.value) if isinstance(s, ir.Evaluate) else None
    return isinstance(call, ir.Call) and last_word(call.func) == "sleep"


def leaves_quietly(scope: Scope, loop: ir.Loop) -> bool:
    """Whether nothing behind a loop of a function does more than log."""
    return all(is_quiet(s) for s in _behind(scope.function.body, loop))


def is_quiet(s: ir.Stmt) -> bool:
    """Whether a statement does no more than log, or leave."""
    match s:
        case ir.Jump() | ir.Return(value=None | ir.Const()):
            return True
        case ir.Evaluate(value=value):
            call = bare(value)
            return isinstance(call, ir.Const) or (isinstance(call, ir.Call) and bool(words(written(call.func)) & _TO_THE_LOG))
        case _:
            return False
