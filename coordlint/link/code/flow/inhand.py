"""Records that a function has in hand: those that it has made itself, and those on which it counts round by round how far it has come."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flow.usage import bare, calls_in, last_word
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions, statements
from coordlint.source import Span
from coordlint.wording import words

_MAKES = frozenset({"create", "acreate"})
_QUEUES = frozenset({"apply_async", "delay", "send", "send_with_options", "schedule", "enqueue", "kiq", "defer", "defer_async"})
_STATES = frozenset({"status", "state"})
_TIMES = frozenset({"time", "date", "on"})
_ENDED = frozenset("success succeeded successful done complete completed finish finished failed failure ended end closed".split())
_REFRESHES = frozenset({"refresh_from_db", "arefresh_from_db", "refresh"})


def is_made_here(body: tuple[ir.Stmt, ...], base: str, at: Span) -> bool:
    """Whether the name was given last what `Job.objects.create(...)` made: a row that nobody else has found yet."""
    given = [s.value for s in statements(body) if isinstance(s, ir.Assign) and s.at.line < at.line and any(written(t) == base for t in s.targets)]
    last = bare(given[-1]) if given and given[-1] is not None else None
    return isinstance(last, ir.Call) and last_word(last.func) in _MAKES


def is_progress(body: tuple[ir.Stmt, ...], base: str, at: Span) -> bool:
    """Whether a record that was read before a loop is counted on in it, and not read anew there: `job.done += 1` for each thing that is done."""
    for s in body:
        if isinstance(s, ir.Loop) and s.at.line < at.line <= max((i.at.end_line for i in statements(s.body)), default=0):
            inside = list(statements(s.body))
            named = [written(t) for i in inside if isinstance(i, ir.Assign) for t in i.targets] + ([written(s.target)] if s.target is not None else [])
            anew = any(last_word(c.func) in _REFRESHES for i in inside for e in expressions(i) for c in calls_in(e))
            if base not in named and not anew:
                return True
        if any(is_progress(block, base, at) for block in blocks(s)):
            return True
    return False


def is_text(body: tuple[ir.Stmt, ...], at: Span) -> bool:
    """Whether a text is added to what was there: `run.note += "\\n" + note`."""
    added = (s.value for s in statements(body) if isinstance(s, ir.Assign | ir.Augment) and s.at.line == at.line and s.value is not None)
    return any(isinstance(n, ir.Text) or (isinstance(n, ir.Const) and isinstance(n.value, str)) for value in added for n in _terms(value))


def _terms(value: ir.Expr) -> tuple[ir.Expr, ...]:
    return value.values if isinstance(value, ir.Binary) and value.op == "+" else (value,)


def is_put_back(function: ir.Function) -> bool:
    """Whether a function puts itself into a queue again: `poll.apply_async(...)` in `poll`, `self.retry()` aside, which is for failures."""
    calls = (c.func for s in statements(function.body) for e in expressions(s) for c in calls_in(e))
    return any(isinstance(f, ir.Attribute) and f.name in _QUEUES and last_word(f.base) == function.name for f in calls)


def is_ended_with(body: tuple[ir.Stmt, ...], base: str, at: Span) -> bool:
    """Whether the record is given its last state, or the time of its end, beside the count: in the same block or one around it, so that whoever counts is who ends it."""
    if not any(s.at.line <= at.line <= s.at.end_line for i in body for s in statements((i,))):
        return False
    if any(is_ended_with(block, base, at) for s in body for block in blocks(s)):
        return True
    beside = [(written(t), s.value) for s in body if isinstance(s, ir.Assign) for t in s.targets if written(t).rpartition(".")[0] == base]
    return any(_is_end(name.rpartition(".")[2], value) for name, value in beside)


def _is_end(field: str, value: ir.Expr | None) -> bool:
    said = words(field)
    if said & _ENDED and ("at" in said or said & _TIMES):
        return True
    return bool(said & _STATES) and value is not None and bool(_last(value) & _ENDED)


def _last(value: ir.Expr) -> frozenset[str]:
    """The words of a state as it is written: `Status.DONE`, `"done"`."""
    return words(value.value) if isinstance(value, ir.Const) and isinstance(value.value, str) else words(last_word(value))
