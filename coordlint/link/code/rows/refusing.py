"""Functions that refuse a change of state by what they answer, and calls after which the work goes on whatever they said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from coordlint import ir
from coordlint.contention import Refused
from coordlint.coordination import Outcome
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.calling import returned
from coordlint.link.code.flow.usage import calls_in, ends, last_word, names_in
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions
from coordlint.models.schema import Op
from coordlint.source import Place, Span

_HOLDS = frozenset({"==", "!=", "in", "not in", "is", "is not"})
_KEEPS = (Op.COMMIT, Op.FLUSH, Op.EFFECT, Op.WRITE, Op.CAS, Op.SET_ADD)
_DEEPEST = 2  # functions that hand the answer up
_SAVES = frozenset({"save", "commit", "flush", "put", "update", "store", "persist"})


class Refusal(NamedTuple):
    """What a function answers False to."""

    place: Place
    told: str  # what it asks, as written: "job.status"
    needs: frozenset[str]  # parameters without which it never refuses


def refused(traces: Sequence[Trace]) -> Iterator[Refused]:
    """The calls of such functions whose answer is thrown away, and what is called behind them."""
    refusing = {t.scope.symbol: r for t in traces if (r := _refuses(t)) is not None}
    for _ in range(_DEEPEST):  # who only hands the answer up refuses as well
        refusing = {t.scope.symbol: r for t in traces if (r := _handed_up(t, refusing)) is not None} | refusing
    for t in traces:
        if is_test(t.scope.path) or t.scope.kind != "function":
            continue
        for s in t.steps:
            known = _asked(s, refusing)
            behind = _behind(t.scope.function.body, s.call.at) if known is not None and s.ignored else None
            if known is not None and behind:
                at = {c.at for b in behind for e in _all(b) for c in calls_in(e)}
                calls = tuple(step.place for step in t.steps if step.call.at in at)
                yield Refused(s.place, t.scope.symbol, written(s.call.func), known.told, known.place, calls)


def _handed_up(t: Trace, refusing: dict[str, Refusal]) -> Refusal | None:
    """The refusal of a function that answers with what another one said."""
    if t.scope.kind != "function" or is_test(t.scope.path) or len(list(returned(t.scope))) != 1:
        return None
    said = next((known for s in t.steps if s.outcome is Outcome.RETURNED and (known := _asked(s, refusing)) is not None), None)
    return said._replace(needs=frozenset()) if said is not None else None


def _asked(step: Step, refusing: dict[str, Refusal]) -> Refusal | None:
    """The refusal that a call may meet; of a queue, that the entry is another's by now."""
    o = step.operation
    if o is not None and o.op is Op.QUEUE_ACK and o.backend == "zookeeper":
        return Refusal(step.place, "the lock on its entry", frozenset())
    known = refusing.get(step.functions[0].symbol) if step.called == 1 else None
    if known is None or (known.needs and not known.needs & {a.name for a in step.args}):
        return None
    return known


def _refuses(t: Trace) -> Refusal | None:
    """Whether a function answers False and changes nothing where a state is not the one that it should be."""
    if t.scope.kind != "function" or is_test(t.scope.path):
        return None
    own = next((s for s in t.steps if s.outcome is Outcome.RETURNED and s.operation is not None and _says(s)), None)
    if own is not None:
        return Refusal(own.place, "the lock on its entry" if own.operation is not None and own.operation.op is Op.QUEUE_ACK else "the state in WHERE", frozenset())
    said = [e.value if isinstance(e, ir.Const) else None for e in returned(t.scope)]
    if not (True in said and False in said and all(isinstance(v, bool) for v in said)) or not any(_keeps(s) for s in t.steps):
        return None
    return next(_tests(t.scope, t.scope.function.body), None)


def _says(step: Step) -> bool:
    """A claim of a row, or the acknowledgement of a queue's entry, whose answer is handed up."""
    o = step.operation
    return o is not None and ((o.op is Op.CAS and o.backend == "database-row") or (o.op is Op.QUEUE_ACK and o.backend == "zookeeper"))


def _keeps(step: Step) -> bool:
    """Whether a call stores what was changed."""
    return (step.operation is not None and step.operation.op in _KEEPS) or last_word(step.call.func) in _SAVES


def _tests(scope: Scope, body: tuple[ir.Stmt, ...]) -> Iterator[Refusal]:
    """`if job.state != expected: return False`, before `job.state = new`."""
    for s in body:
        for branch in s.branches if isinstance(s, ir.If) else ():
            last = branch.body[-1] if branch.body else None
            refuses = isinstance(last, ir.Return) and isinstance(last.value, ir.Const) and last.value.value is False
            for side in _held(branch.test) if refuses else ():
                if _is_set_later(scope, side, branch.test.at):
                    optional = {p.name for p in scope.params() if isinstance(p.default, ir.Const) and not p.default.value}
                    yield Refusal(scope.place(branch.test.at), side, frozenset(names_in(branch.test) & optional))
        for block in blocks(s):
            yield from _tests(scope, block)


def _held(test: ir.Expr) -> Iterator[str]:
    """The attributes that a test compares: "job.status"."""
    for n in ir.walk(test):
        if isinstance(n, ir.Compare) and _HOLDS & set(n.ops):
            yield from (written(v) for v in n.values if isinstance(v, ir.Attribute) and isinstance(v.base, ir.Name))


def _is_set_later(scope: Scope, attribute: str, after: Span) -> bool:
    """Whether the function gives that attribute a new value further down."""
    return any(isinstance(s, ir.Assign) and s.at.line > after.line and any(written(t) == attribute for t in s.targets) for s in scope.statements)


def _behind(body: tuple[ir.Stmt, ...], at: Span) -> list[ir.Stmt] | None:
    """The statements that follow a call, up to where its block leaves; None where it is not in there, or only after an error."""
    for i, s in enumerate(body):
        if any(c.at == at for e in expressions(s) for c in calls_in(e)):
            return list(body[i + 1 :])
        tried = (s.body, s.orelse) if isinstance(s, ir.Try) else blocks(s)
        for block in tried:
            inner = _behind(block, at)
            if inner is not None:
                if ends(block) in ("return", "raise", "continue", "break"):
                    return inner
                return [*inner, *(b for b in body[i + 1 :] if not _is_of_others(s, at, b))]
    return None


def _is_of_others(s: ir.Stmt, at: Span, later: ir.Stmt) -> bool:
    """Whether a call is about the one that a loop has in hand, and what comes after the loop names nothing that was looped over."""
    if not isinstance(s, ir.Loop) or s.target is None:
        return False
    given = {name for e in _all(s) for c in calls_in(e) if c.at == at for name in names_in(c)}
    over = names_in(s.test) - {"self", "cls"}
    return bool(given & names_in(s.target)) and not any(names_in(e) & over for e in _all(later))


def _all(s: ir.Stmt) -> Iterator[ir.Expr]:
    yield from expressions(s)
    for block in (s.body, s.orelse) if isinstance(s, ir.Try) else blocks(s):
        for inner in block:
            yield from _all(inner)
