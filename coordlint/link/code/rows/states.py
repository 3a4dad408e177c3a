"""The states in which records are when something is done: `if job.state == "idle": take(job)`."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.flow.usage import bare, calls_in
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.source import Place

State = tuple[str, str, Place]  # the field, its value as written, and the call that gave the record


def states(trace: Trace) -> Iterator[tuple[Place, State]]:
    """The calls of a function that are made in a certain state only, each with that."""
    scope = trace.scope
    if scope.kind != "function" or not any(s.functions or s.operation is not None for s in trace.steps):
        return
    given = {name: scope.place(call.at) for s in statements(scope.function.body) for name, call in _named(s)}
    for s in statements(scope.function.body):
        for branch in s.branches if isinstance(s, ir.If) else ():
            asked = [(field, value, given[name]) for name, field, value in _asked(branch.test) if name in given]
            for inner in statements(branch.body) if asked else ():
                for expr in expressions(inner):
                    yield from ((scope.place(call.at), state) for call in calls_in(expr) for state in asked)


def _named(s: ir.Stmt) -> Iterator[tuple[str, ir.Call]]:
    """`job = load(name)`, `job, version = load(name)`."""
    match s:
        case ir.Assign(targets=(ir.Name(id=name) | ir.Sequence(items=(ir.Name(id=name), *_)),), value=value) if value is not None and isinstance(call := bare(value), ir.Call):
            yield name, call
        case _:
            pass


def _asked(test: ir.Expr) -> Iterator[tuple[str, str, str]]:
    match bare(test):
        case ir.Binary(op="and", values=several):
            for one in several:
                yield from _asked(one)
        case ir.Compare(ops=("==" | "is",), values=(ir.Attribute(base=ir.Name(id=name)) | ir.Index(base=ir.Name(id=name)) as left, right)):
            field, value = _field(left), _value(right)
            if field and value:
                yield name, field, value
        case _:
            pass


def _field(expr: ir.Expr) -> str:
    """`job.state`, `job["state"]`: "state"."""
    match expr:
        case ir.Attribute(name=name):
            return name
        case ir.Index(index=ir.Const(value=str(key))):
            return key
        case _:
            return ""


def _value(expr: ir.Expr) -> str:
    """A constant, or a name in capitals: `"idle"`, `State.IDLE`."""
    match expr:
        case ir.Const(value=str(text)):
            return text
        case ir.Attribute() | ir.Name() if (name := written(expr).rpartition(".")[2]).isupper():
            return name
        case _:
            return ""
