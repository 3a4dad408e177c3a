"""What the engine believes about one line: every name, attribute and call on it, and the function around it."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.belief import Belief, Beliefs, Summary
from coordlint.link.code.evaluation import calling
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.spoken import spoken
from coordlint.link.code.evaluation.values import options
from coordlint.link.code.scopes.project import Project, Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.link.code.walking.tracer import Tracer

MOST = 40  # expressions of one line that are told


def beliefs(ev: Evaluator, tracer: Tracer, path: str, line: int) -> Beliefs:
    """What is believed about a line; nothing where the file was not read as Python."""
    scope = innermost(ev.project, path, line)
    if scope is None:
        return Beliefs()
    found: dict[str, Belief] = {}
    for around in _scopes_at(ev.project, path, line):
        body = around.function.body if around.kind == "function" else around.node.body
        for s in statements(body):
            for expr in (e for top in expressions(s) for e in ir.walk(top)):
                if not isinstance(expr, ir.Name | ir.Attribute | ir.Call | ir.Index) or expr.at.line != line:
                    continue
                text = written(expr)
                if text and text not in found:
                    found[text] = Belief(around.place(expr.at), text, _told(ev, expr, around))
    told = sorted(found.values(), key=lambda b: (b.place, b.text))[:MOST]
    return Beliefs(tuple(told), _summary(ev, tracer, scope) if scope.kind == "function" else None)


def _told(ev: Evaluator, expr: ir.Expr, scope: Scope) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t for v in options(ev.settle(ev.value(expr, scope))) if (t := spoken(v))))


def innermost(project: Project, path: str, line: int) -> Scope | None:
    """The smallest function, else the class or module, that holds a line."""
    around = list(_scopes_at(project, path, line))
    return min(around, key=lambda s: (s.kind != "function", _length(s), s.symbol), default=None)


def _scopes_at(project: Project, path: str, line: int) -> Iterator[Scope]:
    for scope in project.scopes.values():
        if scope.path != path:
            continue
        if scope.kind == "module" or (isinstance(scope.node, ir.Function | ir.Class) and _first(scope) <= line <= scope.node.end):
            yield scope


def _first(scope: Scope) -> int:
    """The first line of a function or class, its decorators included."""
    assert isinstance(scope.node, ir.Function | ir.Class)
    return min([scope.node.at.line, *(d.at.line for d in scope.node.decorators)])


def _length(scope: Scope) -> int:
    return scope.node.end - scope.node.at.line if isinstance(scope.node, ir.Function | ir.Class) else 10**9


def _summary(ev: Evaluator, tracer: Tracer, scope: Scope) -> Summary:
    trace = tracer.trace(scope.symbol)
    left = {id(d) for d in trace.left}
    takes = [(d.acquired, d.lock.type + (", left to the caller" if id(d) in left else "")) for d in trace.drafts]
    given = {t: None for expr in calling.returned(scope) for t in _told(ev, expr, scope)}
    return Summary(
        symbol=scope.symbol,
        place=scope.place(scope.function.at),
        returns=tuple(given),
        takes=tuple(takes),
        releases=tuple(loose.place for loose in trace.loose),
        unresolved=tuple(s.place for s in trace.steps if s.unresolved),
        passed=tuple(_passed(ev, scope)),
    )


def _passed(ev: Evaluator, scope: Scope) -> Iterator[tuple[str, tuple[str, ...]]]:
    sites = [site.arguments(ev) for site in ev.sites.get(scope.symbol, ())]
    for param in scope.params():
        seen = {t: None for site in sites for a in site if a.name == param.name for v in options(a.value) if (t := spoken(v))}
        if seen:
            yield param.name, tuple(seen)[:6]
