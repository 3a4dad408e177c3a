"""Times of a Lease that are taken for text: the clients of Kubernetes hand them over as `datetime`, of which no text function makes anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordlint import ir
from coordlint.contention import Misread
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import FunctionRef, options
from coordlint.link.code.flow.usage import bare, calls_in, last_word, names_in
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.models.schema import Op
from coordlint.source import Place

_TYPED = ("kubernetes", "kubernetes-asyncio")  # libraries whose Leases have attributes; the text of a response is text
_TIMES = ("renew_time", "acquire_time")
_DEEPEST = 3  # calls from the function that treats a time as text to the one that reads
_PARSES = frozenset("strptime fromisoformat isoparse parse parse_datetime parse_date parse_time".split())
_TEXTS = frozenset("replace rstrip strip split removesuffix endswith partition".split())
_CATCHES = frozenset({"TypeError", "AttributeError", "Exception", "BaseException"})


def misread(ev: Evaluator, traces: Sequence[Trace]) -> Iterator[Misread]:
    """Each call that makes text of the time of a Lease that was read here, or in the function that is handed the time."""
    looks = {t.scope.symbol: look for t in traces if (look := _look(t)) is not None}
    for _ in range(_DEEPEST if looks else 0):  # functions that ask functions that read
        asked = {t.scope.symbol: found for t in traces if (found := next((looks[f.symbol] for s in t.steps for f in s.functions[: s.called] if f.symbol in looks), None))}
        looks = asked | looks
    for t in traces if looks else ():
        look = looks.get(t.scope.symbol)
        if look is None or is_test(t.scope.path):
            continue
        names = _holding(t.scope)
        yield from _parsed(t.scope, names, look, t.scope.symbol)
        for call in (c for s in t.scope.statements for e in expressions(s) for c in calls_in(e)):
            for given, name in _handed(ev, call, t.scope, names):
                yield from _parsed(given, {name}, look, t.scope.symbol)


def _look(t: Trace) -> Place | None:
    """Where a function reads a Lease whose parts have types."""
    reads = (s.operation for s in t.steps if s.operation is not None and s.operation.op is Op.READ and s.operation.backend == "kubernetes-lease")
    return next((o.place for o in reads if o.library in _TYPED and not o.call.endswith("call_api")), None)


def _holding(scope: Scope) -> set[str]:
    """Names, with dots, that stand for a time of a Lease: `spec.renew_time`, and `last` of `last = spec.renew_time or ""`."""
    found = {n for s in scope.statements for e in expressions(s) for n in names_in(e) if n.rpartition(".")[2] in _TIMES and "." in n}
    for s in scope.statements:
        if isinstance(s, ir.Assign) and s.value is not None:
            value = bare(s.value)
            first = bare(value.values[0]) if isinstance(value, ir.Binary) and value.op == "or" else value
            if written(first) in found:
                found |= {t.id for t in s.targets if isinstance(t, ir.Name)}
    return found


def _handed(ev: Evaluator, call: ir.Call, scope: Scope, names: set[str]) -> Iterator[tuple[Scope, str]]:
    """The functions of the project that are given such a time, with the parameter."""
    passed = [(i, None, a) for i, a in enumerate(call.args)] + [(0, k.name, k.value) for k in call.keywords]
    wanted = [(i, name) for i, name, value in passed if written(bare(value)) in names]
    if not wanted:
        return
    for one in options(ev.settle(ev.value(call.func, scope))):
        callee = ev.project.scopes[one.symbol] if isinstance(one, FunctionRef) else None
        if callee is None or callee.kind != "function":
            continue
        params = [p.name for p in callee.params() if p.name not in ("self", "cls")]
        yield from ((callee, name or params[i]) for i, name in wanted if name in params or (name is None and i < len(params)))


def _parsed(scope: Scope, names: set[str], look: Place, symbol: str) -> Iterator[Misread]:
    """The first call of a function that parses such a name; none where it asks what type it has, or makes text of it first."""
    body = scope.statements
    if any(last_word(c.func) in ("isinstance", "hasattr", "type") and any(written(a) in names for a in c.args) for s in body for e in expressions(s) for c in calls_in(e)):
        return
    for s in body:
        for call in (c for e in expressions(s) for c in calls_in(e)):
            if _is_text_of(call, names):
                yield Misread(scope.place(call.at), symbol, look, *_answer(scope, s))
                return


def _is_text_of(call: ir.Call, names: set[str]) -> bool:
    func = call.func
    if isinstance(func, ir.Attribute) and func.name in _TEXTS and written(func.base) in names:
        return bool(call.args) and isinstance(call.args[0], ir.Const) and isinstance(call.args[0].value, str)
    return last_word(func) in _PARSES and any(written(bare(a)) in names for a in call.args[:1])


def _answer(scope: Scope, at: ir.Stmt) -> tuple[Place | None, str]:
    """The handler that the failure ends in, and what it answers then."""
    for s in scope.statements:
        if isinstance(s, ir.Try) and any(inner is at for inner in statements(s.body)):
            for h in s.handlers:
                types = [i for t in h.types for i in (t.items if isinstance(t, ir.Sequence) else (t,))]
                if not types or any(written(t).rpartition(".")[2] in _CATCHES for t in types):
                    last = h.body[-1] if h.body else None
                    value = last.value if isinstance(last, ir.Return) else None
                    return scope.place(h.at), repr(value.value) if isinstance(value, ir.Const) else ""
    return None, ""
