"""Assignments that are calls: `thing.state = value` runs the setter of the property `state`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.calls.trace import Step
from coordlint.link.code.evaluation import arguments, classes
from coordlint.link.code.evaluation.values import FunctionRef, Object, options
from coordlint.link.code.scopes.project import Project, Scope
from coordlint.link.code.walking import holding

if TYPE_CHECKING:
    from coordlint.link.code.walking.walk import Around, Walk

Setters = dict[str, dict[str, str]]  # by the property's name: the class that declares it, with the symbol of what an assignment runs


def setters(project: Project) -> Setters:
    """The setters of all properties of the project's classes."""
    found: Setters = {}
    for function in project.functions():
        for d in function.function.decorators if function.owner is not None else ():
            if isinstance(d, ir.Attribute) and d.name == "setter" and function.owner is not None:
                found.setdefault(function.function.name, {})[function.owner.symbol] = function.symbol
    for cls in project.classes():
        for name, bindings in cls.names.items():
            for b in bindings:
                setter = _second(b.expr)
                if setter is not None and f"{cls.symbol}.{setter}" in project.scopes:
                    found.setdefault(name, {})[cls.symbol] = f"{cls.symbol}.{setter}"
    return found


def _second(made: ir.Expr | None) -> str | None:
    """The setter's name in `state = property(get_state, set_state)`."""
    if not isinstance(made, ir.Call) or not isinstance(made.func, ir.Name) or made.func.id != "property":
        return None
    given = made.args[1] if len(made.args) > 1 else made.keyword("fset")
    return given.id if isinstance(given, ir.Name) else None


def assign(w: Walk, s: ir.Assign, around: Around) -> None:
    """The setters that an assignment runs, each recorded as a call."""
    for target in s.targets:
        if not isinstance(target, ir.Attribute) or s.value is None or target.name not in w.tracer.setters:
            continue
        functions = tuple(_run(w, target))
        if not functions or any(f.symbol == w.scope.symbol for f in functions):
            continue
        call = ir.Call(target, (s.value,), (), target.at)
        made = Step(
            w.scope.place(target.at), call, guards=around.guards, loop=around.loop, each=around.each, limit=around.limit, inside=tuple(w.held),
            deferred=around.deferred, given=around.given, transaction=around.transaction, ignored=True, functions=functions, called=len(functions),
        )  # fmt: skip
        w.push(made)
        for function in functions:
            made.args = arguments.arguments_of(w.ev, function, call, w.scope)
            holding.call_project(w, made, function, made.args, call, s, around)


def _run(w: Walk, target: ir.Attribute) -> Iterator[FunctionRef]:
    """What the classes of the object have under the name, the nearest declaration first."""
    declared = w.tracer.setters[target.name]
    for option in options(w.ev.settle(w.ev.value(target.base, w.scope))):
        if isinstance(option, Object):
            nearest: Scope | None = next((c for c in classes.ancestry(w.ev, option.symbol)[0] if target.name in c.names), None)
            if nearest is not None and nearest.symbol in declared:
                yield FunctionRef(declared[nearest.symbol], option)
