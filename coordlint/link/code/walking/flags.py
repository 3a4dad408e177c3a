"""Flags that say that something runs: which of their values turn a caller away, and whether an error passes by the write that takes them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from coordlint import ir
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Literal, options
from coordlint.link.code.flow.flows import Flow, within
from coordlint.link.code.flow.usage import bare, calls_in, ends
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import statements
from coordlint.models.schema import Op
from coordlint.source import Place

_STORES = ("redis", "django-cache", "memcached")
ANY = "*"  # every value but an empty one


def mark_flags(ev: Evaluator, trace: Trace, flow: Callable[[], Flow]) -> None:
    """Notes at each look at a key which values turn the caller away, and at each write, and each release of a lock, whether it is made after an error as well."""
    if trace.scope.kind != "function":
        return
    for step in trace.steps:
        o = step.operation
        if o is not None and o.op in (Op.RELEASE, Op.REVOKE) and _is_after_errors(flow().body, step.place):
            step.operation = msgspec.structs.replace(o, on_error=True)
        if o is None or o.backend not in _STORES or not o.key:
            continue
        if o.op is Op.READ:
            refuses = tuple(sorted(set(_refusals(ev, flow(), step.place))))
            step.operation = msgspec.structs.replace(o, refuses=refuses) if refuses else o
        elif o.op in (Op.WRITE, Op.DELETE) and _is_after_errors(flow().body, step.place):
            step.operation = msgspec.structs.replace(o, on_error=True)


def _refusals(ev: Evaluator, flow: Flow, look: Place) -> Iterator[tuple[str, ...]]:
    """The values for which a branch leaves: `if status in (BUSY, STOPPING): raise`, `if store.get("busy"): return`."""
    names = flow.names_of(look)
    for s in statements(flow.body):
        for branch in s.branches if isinstance(s, ir.If) else ():
            if branch.test.at.line >= look.line and ends(branch.body) in ("raise", "return"):
                values = tuple(sorted(set(_values(ev, branch.test, names, look, flow))))
                if values:
                    yield values


def _values(ev: Evaluator, test: ir.Expr, names: set[str], look: Place, flow: Flow) -> Iterator[str]:
    match bare(test):
        case ir.Binary(op="and", values=several):
            for one in several:
                yield from _values(ev, one, names, look, flow)
        case ir.Compare(ops=("==" | "in" | "is",), values=(left, right)) if _is_it(left, names, look, flow):
            given = right.items if isinstance(right, ir.Sequence) else (right,)
            yield from (value for g in given for value in _constant(ev, g, flow) if value)
        case expr if _is_it(expr, names, look, flow):
            yield ANY
        case _:
            pass


def _is_it(expr: ir.Expr, names: set[str], look: Place, flow: Flow) -> bool:
    expr = bare(expr)
    if isinstance(expr, ir.Name):
        return expr.id in names
    return isinstance(expr, ir.Call) and any(flow.scope.place(c.at) == look for c in calls_in(expr))


def _constant(ev: Evaluator, expr: ir.Expr, flow: Flow) -> Iterator[str]:
    """What a constant is, and the name in capitals that stands for it, which may be of another package: `"busy"`, `Status.BUSY`."""
    for option in options(ev.settle(ev.value(expr, flow.scope))):
        if isinstance(option, Literal) and option.value is not None:
            yield str(int(option.value)) if isinstance(option.value, bool) else str(option.value)
    if isinstance(expr, ir.Attribute | ir.Name) and (name := written(expr).rpartition(".")[2]).isupper():
        yield name


def _is_after_errors(body: tuple[ir.Stmt, ...], at: Place) -> bool:
    """Whether a place stands in a `finally` or a handler."""
    tries = (s for s in statements(body) if isinstance(s, ir.Try))
    return any(within(s.final, at) or any(within(h.body, at) for h in s.handlers) for s in tries)
