"""Servers that a program starts itself, with as many worker processes as it says: `uvicorn.run("shop.web:app", workers=4)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.coordination import Served
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Environment, Literal, Parameter, Value, options
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.models.schema import Op
from coordlint.source import Place


def served(ev: Evaluator, traces: Iterable[Trace]) -> Iterator[Served]:
    """The modules of the project that are served so, by more than one process."""
    for trace in traces:
        for step in trace.steps:
            if step.operation is None or step.operation.op is not Op.SERVE or is_test(trace.scope.path):
                continue
            asked = ev.settle(ev.value(step.call.args[0], trace.scope)) if step.call.args else None
            dotted = asked.value.partition(":")[0] if isinstance(asked, Literal) and isinstance(asked.value, str) else ""
            module = ev.project.find_module(dotted, trace.scope) if dotted else None
            most, place = _workers(ev, step, trace.scope)
            if module is not None and most > 1:
                yield Served(step.place, module, most, place)


def _workers(ev: Evaluator, step: Step, scope: Scope) -> tuple[int, Place]:
    """As many as it may be told to start, by what is written; and where that is written."""
    given = step.call.keyword("workers")
    said = [known for v in options(ev.value(given, scope)) if (known := _number(ev, v)) is not None] if given is not None else []
    most = max(said, key=lambda s: int(s.value or 0), default=None)
    return (int(most.value or 0), most.place or step.place) if most is not None else (1, step.place)


def _number(ev: Evaluator, value: Value) -> Literal | None:
    if isinstance(value, Environment):
        value = value.default or value
    elif isinstance(value, Parameter):
        found = _option(ev, value)
        value = found if found is not None else ev.settle(value)
    return value if isinstance(value, Literal) and type(value.value) is int else None


def _option(ev: Evaluator, parameter: Parameter) -> Literal | None:
    """The default of a command's option: `@click.option("--workers", default=4)`, `workers: int = typer.Option(4)`."""
    scope = ev.project.scopes.get(parameter.symbol)
    if scope is None or not isinstance(scope.node, ir.Function):
        return None
    for d in scope.node.decorators:
        if isinstance(d, ir.Call) and last_word(d.func) == "option" and any(_names(a, parameter.name) for a in d.args):
            return _constant(d.keyword("default"), scope)
    default = next((p.default for p in scope.params() if p.name == parameter.name), None)
    if isinstance(default, ir.Call) and last_word(default.func) == "Option":
        return _constant(default.args[0] if default.args else default.keyword("default"), scope)
    return _constant(default, scope)


def _names(expr: ir.Expr, name: str) -> bool:
    return isinstance(expr, ir.Const) and isinstance(expr.value, str) and expr.value.lstrip("-").replace("-", "_") == name


def _constant(expr: ir.Expr | None, scope: Scope) -> Literal | None:
    return Literal(expr.value, scope.place(expr.at)) if isinstance(expr, ir.Const) else None
