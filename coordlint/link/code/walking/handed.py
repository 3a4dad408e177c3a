"""What functions do with a lock, or with what taking it gave, when it is handed on to them: renew it, ask it, test it, take its token."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from coordlint import ir
from coordlint.link.code.calls.trace import Draft, Step
from coordlint.link.code.evaluation.values import Instance
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.models.schema import Op
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.walking.tracer import Tracer

DEEPEST = 3  # functions that hand it on to each other


class Handed(NamedTuple):
    """Places in other functions; `tokens` are the call sites through which the lock's token goes."""

    extended: tuple[Place, ...] = ()
    checked: tuple[Place, ...] = ()
    tested: bool = False
    tokens: frozenset[Place] = frozenset()


def handed(tracer: Tracer, d: Draft) -> Handed:
    """What becomes of the lock of a section in the functions that are given it inside."""
    extended: list[Place] = []
    checked: list[Place] = []
    tokens: set[Place] = set()
    tested = False
    names = {d.written, *d.names} - {""}
    todo = [(step, names, d.names, step.place, 1) for step in d.steps if not step.deferred and step.functions] if names else []
    while todo:
        step, names, results, outermost, depth = todo.pop()
        for scope, parameter, name in _given(tracer, step, names):
            tested = tested or (name in results and parameter in tracer.usage(scope).tested)
            for place, attribute in _asked(scope, parameter):
                op = _op(tracer, d, attribute)
                extended += [place] if op is Op.EXTEND else []
                checked += [place] if op is Op.CHECK else []
                if attribute in d.lock.model.token_names:
                    tokens.add(outermost)
            if depth < DEEPEST:
                todo += [(s, {parameter}, {parameter} if name in results else set(), outermost, depth + 1) for s in tracer.trace(scope.symbol).steps if s.functions and not s.deferred]
    return Handed(tuple(sorted(set(extended))), tuple(sorted(set(checked))), tested, frozenset(tokens))


def _given(tracer: Tracer, step: Step, names: Collection[str]) -> Iterator[tuple[Scope, str, str]]:
    """The called functions that one of the names is passed to, with the parameter that gets it."""
    passed = [(n, written(a)) for n, a in enumerate(step.call.args)]
    named = [(k.name, written(k.value)) for k in step.call.keywords]
    if not any(name in names for _, name in (*passed, *named)):
        return
    for function in step.functions[: step.called]:
        scope = tracer.ev.project.scopes.get(function.symbol)
        if scope is None or scope.kind != "function":
            continue
        params = [p.name for p in scope.params()]
        params = params[1:] if scope.owner is not None and params[:1] in (["self"], ["cls"]) else params
        for number, name in passed:
            if name in names and number < len(params):
                yield scope, params[number], name
        for key, name in named:
            if name in names and key in params:
                yield scope, key, name


def _asked(scope: Scope, name: str) -> Iterator[tuple[Place, str]]:
    for s in statements(scope.function.body):
        for expr in expressions(s):
            for node in ir.walk(expr):
                if isinstance(node, ir.Attribute) and isinstance(node.base, ir.Name) and node.base.id == name:
                    yield scope.place(node.at), node.name


def _op(tracer: Tracer, d: Draft, method: str) -> Op | None:
    model = tracer.ev.models.method(d.subject.type, method) if isinstance(d.subject, Instance) else None
    return None if model is None else model.op
