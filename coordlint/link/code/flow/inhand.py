"""Records that a function has in hand: those that it has made itself, and those on which it counts round by round how far it has come."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flow.usage import bare, calls_in, last_word
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions, statements
from coordlint.source import Span

_MAKES = frozenset({"create", "acreate"})
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
