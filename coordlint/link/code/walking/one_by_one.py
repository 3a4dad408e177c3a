"""Listings of which little is wanted: whose entries are then read one after the other, and those that only tell whether there is anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from coordlint import ir
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.calling import returned
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import calls_in, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.models.schema import Op
from coordlint.source import Place

_READS = (Op.READ, Op.LIST)


def mark_listings(trace: Trace, flow: Callable[[], Flow], of: Callable[[str], Trace]) -> None:
    """Notes at each listing where its entries are read one by one, and whether they are held against something."""
    if trace.scope.kind != "function":
        return
    for step in trace.steps:
        if step.operation is None or step.operation.op is not Op.LIST or not step.operation.backend:
            continue
        read = next(_reads_of_each(trace, step, flow(), of), None)
        if read is not None:
            sought = _is_compared(trace.scope, flow().names_of(step.place) | flow().names_of(read), read)
            step.operation = msgspec.structs.replace(step.operation, read_each=read, sought=sought)
        elif _is_only_tested(trace.scope, flow().names_of(step.place) - {"_"}):
            step.operation = msgspec.structs.replace(step.operation, presence=True)


def _reads_of_each(trace: Trace, listing: Step, flow: Flow, of: Callable[[str], Trace]) -> Iterator[Place]:
    """Calls that read a key which a loop over the listed names makes up."""
    listed = flow.names_of(listing.place)
    for names, inside in _rounds(trace.scope, listing.place, listed):
        names = flow.spread(names)
        for step in trace.steps:
            if step.place in inside and step is not listing and _reads(step, listing, of) and any(names & names_in(a) for a in step.call.args[:2]):
                yield step.place


def _reads(step: Step, listing: Step, of: Callable[[str], Trace]) -> bool:
    """Whether a call reads the store that was listed, itself or in the project's function that it calls."""
    assert listing.operation is not None
    backend = listing.operation.backend
    if step.operation is not None:
        return step.operation.op in _READS and step.operation.backend == backend
    if step.called != 1 or step.deferred:
        return False
    inner = (s.operation for s in of(step.functions[0].symbol).steps)
    return any(o is not None and o.op is Op.READ and o.backend == backend for o in inner)


def _rounds(scope: Scope, listing: Place, listed: set[str]) -> Iterator[tuple[set[str], set[Place]]]:
    """The loops over what was listed: the names they give each entry, and the calls in them."""

    def is_listed(source: ir.Expr) -> bool:
        return bool(listed & names_in(source)) or any(scope.place(c.at) == listing for c in calls_in(source))

    for s in statements(scope.function.body):
        if isinstance(s, ir.Loop) and s.target is not None and is_listed(s.test):
            calls = (c for inner in statements(s.body) for e in expressions(inner) for c in calls_in(e))
            yield names_in(s.target), {scope.place(c.at) for c in calls}
        for expr in expressions(s):
            for node in ir.walk(expr):
                if isinstance(node, ir.Comprehension) and any(is_listed(source) for source in node.sources):
                    named = {n for t, source in zip(node.targets, node.sources, strict=True) if is_listed(source) for n in names_in(t)}
                    yield named, {scope.place(c.at) for e in (node.element, *node.tests) for c in calls_in(e)}


def _is_compared(scope: Scope, names: set[str], read: Place) -> bool:
    """Whether what was listed or read is held against a value that is not written here: `value == wanted`, `wanted in values`."""
    for s in statements(scope.function.body):
        for expr in expressions(s):
            for node in ir.walk(expr):
                if not isinstance(node, ir.Compare) or not {"==", "in", "not in"} & set(node.ops):
                    continue
                ours = [v for v in node.values if names & names_in(v) or any(scope.place(c.at) == read for c in calls_in(v))]
                if ours and any(v not in ours and names_in(v) for v in node.values):
                    return True
    return False


def _is_only_tested(scope: Scope, names: set[str]) -> bool:
    """Whether a function answers by yes or no, and of what was listed only whether it is empty: `return True if found else False`."""
    answers = list(returned(scope))
    if not names or not any(_asks_for_any(a, names) for a in answers) or not all(_asks_for_any(a, names) or _is_said(a) for a in answers):
        return False
    for s in statements(scope.function.body):
        if isinstance(s, ir.Loop) and s.target is not None and names & names_in(s.test):
            return False
        nodes = (n for e in expressions(s) for n in ir.walk(e))
        if any(isinstance(n, ir.Index | ir.Attribute) and isinstance(n.base, ir.Name) and n.base.id in names for n in nodes):
            return False
    return True


def _is_said(answer: ir.Expr) -> bool:
    return isinstance(answer, ir.Const) and isinstance(answer.value, bool)


def _asks_for_any(answer: ir.Expr, names: set[str]) -> bool:
    match answer:
        case ir.Conditional(test=test, yes=yes, no=no):
            return _is_said(yes) and _is_said(no) and bool(names & names_in(test))
        case ir.Call(func=ir.Name(id="bool"), args=(ir.Name(id=name),)) | ir.Unary(op="not", value=ir.Name(id=name)):
            return name in names
        case ir.Compare(values=(ir.Call(func=ir.Name(id="len"), args=(ir.Name(id=name),)), ir.Const(value=0))) | ir.Compare(values=(ir.Name(id=name), ir.Const(value=None))):
            return name in names
        case _:
            return False
