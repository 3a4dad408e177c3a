"""Exception handlers: what they catch, what they do at their end, and whether they are about locks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.coordination import Guard, Lock
from coordlint.link.code.evaluation.values import ClassRef, External
from coordlint.link.code.flow.quiet import behind_notes, gives_up, goes_to_next, only_notes, quiet_end
from coordlint.link.code.flow.usage import ends
from coordlint.link.code.scopes.spelling import written
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.walking.walk import Around, Walk


def guard(w: Walk, h: ir.Handler, s: ir.Try, around: Around) -> Guard:
    """What a handler catches, and what it does at its end."""
    names: list[str] = []
    own: list[bool] = []
    for t in h.types:
        value = w.ev.value(t, w.scope)
        own.append(isinstance(value, ClassRef))
        name = value.name if isinstance(value, External) else written(t)
        names.append(w.ev.models.canonical(name) or name)
    ending = ends(h.body)
    action = {"raise": "raise", "return": "return", "exit": "exit", "continue": "retry", "break": "return"}.get(ending, "swallow")
    if not ending and ends(s.body) in ("return", "break"):
        action = "retry" if around.loop else "return"  # success has left; the failure goes another way
    elif not ending and (s.orelse or any(isinstance(x, ir.Assign | ir.Augment) for x in h.body)):
        action = "return"
    if any(isinstance(x, ir.Raise) for x in h.body):
        action = "raise"
    quiet = quiet_end(w.scope, h, s) if around.loop in ("while", "forever") else None
    goes_on = not ending and action != "raise"
    told = (bool(own) and all(own), only_notes(h), _given(h))
    next_lap = bool(around.loop) and goes_to_next(h)
    return Guard(tuple(names) or ("*",), action, w.scope.place(h.at), _is_nothing(h.body[-1]) if h.body else False, quiet, goes_on, *told, _passes(h), next_lap, _given_up(w, h, s, around))


def _given_up(w: Walk, h: ir.Handler, s: ir.Try, around: Around) -> Place | None:
    """Where a loop that does not pause ends in an exception that no handler of the project is for."""
    last = gives_up(w.scope, h, s) if around.loop and around.pause is None else None
    if last is None or last.value is None:
        return None
    raised = last.value.func if isinstance(last.value, ir.Call) else last.value
    return w.scope.place(last.at) if isinstance(w.ev.value(raised, w.scope), External) else None


def _passes(h: ir.Handler) -> bool:
    """`except Exception as ex: raise ex`, with or without a word to the log before: as if it were not there."""
    match behind_notes(h.body):
        case ir.Raise(value=None):
            return True
        case ir.Raise(value=ir.Name(id=name)):
            return name == h.name
        case _:
            return False


def _given(h: ir.Handler) -> str | None:
    """What stands in place of the answer after a failure, as written."""
    match h.body[-1] if h.body else None:
        case ir.Return(value=None):
            return "None"
        case ir.Return(value=value) | ir.Assign(value=value) if value is not None:
            return _plain(value)
        case _:
            return None


def _plain(value: ir.Expr) -> str | None:
    """A constant, a name, or several of them; None for what is computed."""
    match value:
        case ir.Const(value=known):
            return repr(known)
        case ir.Name(id=name):
            return name
        case ir.Mapping(values=()):
            return "{}"
        case ir.Sequence(items=items):
            parts = [_plain(item) for item in items]
            return ", ".join(p for p in parts if p is not None) or "[]" if None not in parts else None
        case _:
            return None


def _is_nothing(last: ir.Stmt) -> bool:
    """`return []`, `found = {}`."""
    match last:
        case ir.Return(value=ir.Sequence(items=())) | ir.Assign(value=ir.Sequence(items=())):
            return True
        case ir.Return(value=ir.Mapping(values=())) | ir.Assign(value=ir.Mapping(values=())):
            return True
        case _:
            return False


def is_broad(h: ir.Handler) -> bool:
    """Whether a handler catches whatever the work may raise."""
    types = [i for t in h.types for i in (t.items if isinstance(t, ir.Sequence) else (t,))]
    return not types or any(written(t).rpartition(".")[2] in ("Exception", "BaseException") for t in types)


_BUSY = re.compile(r"lock|busy|acquir|mutex|semaphore|quorum", re.IGNORECASE)


_LOST = frozenset({"LockNotOwnedError", "LockNotOwned", "ReleaseUnlockedLock", "ReleaseUnlockedLockError", "ExtendUnlockedLock", "EtcdLockExpired", "LockExpired", "LockExpiredError"})


def is_about_lost_locks(h: ir.Handler) -> bool:
    """Whether all that a handler catches is raised when a lock is given back or prolonged that has run out, and never while it is taken."""
    types = [i for t in h.types for i in (t.items if isinstance(t, ir.Sequence) else (t,))]
    return bool(types) and all(written(t).rpartition(".")[2] in _LOST for t in types)


def is_about_locks(h: ir.Handler) -> bool:
    """Whether a handler is for a lock that could not be had, by the names that it catches."""
    types = [i for t in h.types for i in (t.items if isinstance(t, ir.Sequence) else (t,))]
    return any(_BUSY.search(written(t).rpartition(".")[2]) for t in types)


def comes_late(h: ir.Handler, lock: Lock) -> bool:
    """Whether a handler about locks can only see that one was lost: whoever takes a library's lock and waits without limit never finds it busy."""
    waits = lock.blocking is True and lock.wait.kind == "never" and not lock.via  # a wrapper may raise for reasons of its own
    types = [i for t in h.types for i in (t.items if isinstance(t, ir.Sequence) else (t,))]
    return waits and bool(types) and all(_BUSY.search(written(t).rpartition(".")[2]) for t in types)
