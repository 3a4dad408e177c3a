"""Renewals whose failure reaches nobody who works under the lease: it is only logged, or clears a flag that no worker reads.

`ok = await lease.extend()` in a loop of its own, and then `if not ok:` with a line in the log, or with `self._leads = False; break` where nothing
but the class's own `release` ever looks at that attribute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordlint import ir
from coordlint.contention import Chosen, Hushed
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.flow.quiet import is_quiet, leaves_quietly
from coordlint.link.code.flow.usage import bare, calls_in, ends, last_word
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.wording import words

_PROLONGS = frozenset("renew renewal renewed extend refresh heartbeat beat keepalive prolong reacquire touch".split())
_TAKES = frozenset("acquire acquired lock elect election lead leader leadership campaign claim obtain become master primary".split())
_FALSE_OPS = {"==": (False, 0, None), "is": (False, None), "!=": (True, 1), "is not": (True,), "<": (1,)}
_ASIDE = frozenset(  # who reads a flag to give back, to tell, or to take again does not stop any work
    "take obtain claim become release stop close shutdown exit aexit del resign stepdown cleanup disconnect teardown acquire start try elect campaign status repr str info stat metric health "
    "describe debug renew heartbeat keepalive extend".split()
)


def hushed(traces: Sequence[Trace]) -> Iterator[Hushed]:
    """One for each place in a loop where a renewal that failed is told from one that did not, and nobody who works hears of it."""
    several = [t for t in traces if t.scope.kind == "function" and not is_test(t.scope.path)]
    for t in several:
        steps = {s.place: s for s in t.steps}
        for loop in (s for s in t.scope.statements if isinstance(s, ir.Loop) and s.target is None):
            body = statements(loop.body)
            for s in (s for s in body if isinstance(s, ir.If)):
                found = _failed(s)
                call = _call(found[0], body, s) if found is not None else None
                step = steps.get(t.scope.place(call.at)) if call is not None else None
                if found is None or step is None or not _prolongs(step):
                    continue
                flags = [_cleared(one) for one in statements(found[1])]
                quiet = all(flag or is_quiet(one) for one, flag in zip(statements(found[1]), flags, strict=True))
                names = sorted({flag for flag in flags if flag})
                leaves = ends(found[1]) in ("break", "return") or bool(names)
                if not quiet or (leaves and not leaves_quietly(t.scope, loop)) or any(_is_heard(several, name, t.scope) for name in names):
                    continue
                callees = tuple(f.symbol for f in step.functions[: step.called])
                yield Hushed(t.scope.place(s.branches[0].test.at), t.scope.symbol, step.place, callees, names[0] if names else "", leaves)


def chosen(traces: Sequence[Trace]) -> Iterator[Chosen]:
    """Where a function tests what a call said that takes a lock or asks to lead."""
    for t in traces:
        if t.scope.kind != "function" or is_test(t.scope.path):
            continue
        asked = {name: call for s in t.scope.statements if isinstance(s, ir.Assign) and s.value is not None for name, call in _answers(s)}
        for s in (s for s in t.scope.statements if isinstance(s, ir.If)):
            test = s.branches[0].test
            inside = [c for c in calls_in(test) if words(last_word(c.func)) & _TAKES]
            inside += [asked[n.id] for n in ir.walk(test) if isinstance(n, ir.Name) and n.id in asked]
            yield from (Chosen(t.scope.symbol, t.scope.place(c.at), t.scope.place(test.at)) for c in inside)


def _answers(s: ir.Assign) -> Iterator[tuple[str, ir.Call]]:
    value = bare(s.value) if s.value is not None else None
    if isinstance(value, ir.Call) and words(last_word(value.func)) & _TAKES:
        yield from ((target.id, value) for target in s.targets if isinstance(target, ir.Name))


def _failed(s: ir.If) -> tuple[ir.Expr, tuple[ir.Stmt, ...]] | None:
    """What an `if` asks, and what is done where the answer is no."""
    if len(s.branches) != 1:
        return None
    test = bare(s.branches[0].test)
    if isinstance(test, ir.Unary) and test.op == "not":
        return bare(test.value), s.branches[0].body
    if isinstance(test, ir.Compare) and len(test.ops) == 1 and isinstance(against := test.values[1], ir.Const):
        refuses = any(against.value is v or (type(against.value) is type(v) and against.value == v) for v in _FALSE_OPS.get(test.ops[0], ()))
        return (bare(test.values[0]), s.branches[0].body) if refuses else None
    return (test, s.orelse) if s.orelse else None


def _call(asked: ir.Expr, body: Sequence[ir.Stmt], before: ir.If) -> ir.Call | None:
    """The call whose answer is asked for, here or by the name that it was given in this round."""
    if isinstance(asked, ir.Call):
        return asked
    if isinstance(asked, ir.Walrus):
        value = bare(asked.value)
        return value if isinstance(value, ir.Call) else None
    if not isinstance(asked, ir.Name):
        return None
    found = None
    for s in body:
        if s is before:
            break
        if isinstance(s, ir.Assign) and s.value is not None and any(isinstance(t, ir.Name) and t.id == asked.id for t in s.targets):
            value = bare(s.value)
            found = value if isinstance(value, ir.Call) else None
    return found


def _prolongs(step: Step) -> bool:
    return bool(words(last_word(step.call.func)) & _PROLONGS) or any(words(f.symbol.rpartition(".")[2]) & _PROLONGS for f in step.functions[: step.called])


def _cleared(s: ir.Stmt) -> str:
    """The attribute that a statement sets to no, or the event that it sets or clears; "" for others."""
    if isinstance(s, ir.Assign) and isinstance(s.value, ir.Const) and not s.value.value:
        return next((t.name for t in s.targets if isinstance(t, ir.Attribute)), "")
    call = bare(s.value) if isinstance(s, ir.Evaluate) else None
    is_event = isinstance(call, ir.Call) and isinstance(call.func, ir.Attribute) and call.func.name in ("set", "clear") and not call.args
    if is_event and isinstance(call, ir.Call) and isinstance(call.func, ir.Attribute) and isinstance(call.func.base, ir.Attribute):
        return call.func.base.name
    return ""


def _is_heard(traces: Sequence[Trace], flag: str, own: Scope) -> bool:
    """Whether anybody but who gives back, tells or takes again reads an attribute, or a method that answers with it."""
    names = {flag}
    for _ in range(3):
        more: set[str] = set()
        for t in traces:
            if t.scope is own or not any(n in names for s in t.scope.statements for n in _reads(s)):
                continue
            name = t.scope.symbol.rpartition(".")[2]
            if _only_answers(t.scope):
                more.add(name)
            elif not words(name) & _ASIDE:
                return True
        if more <= names:
            return False
        names |= more
    return False


def _reads(s: ir.Stmt) -> Iterator[str]:
    """The attributes that a statement reads, also through `is_set()`; not those that it sets."""
    read = (s.value,) if isinstance(s, ir.Assign) and s.value is not None else () if isinstance(s, ir.Assign) else expressions(s)
    for e in read:
        call = bare(e)
        is_set = isinstance(s, ir.Evaluate) and isinstance(call, ir.Call) and last_word(call.func) in ("set", "clear")
        if not is_set and not is_quiet(s):
            yield from (n.name for n in ir.walk(e) if isinstance(n, ir.Attribute))


def _only_answers(scope: Scope) -> bool:
    body = scope.function.body[-1:]
    return len(scope.statements) <= 2 and bool(body) and isinstance(body[0], ir.Return)
