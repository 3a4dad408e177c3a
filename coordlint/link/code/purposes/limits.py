"""Limits that a program sets for all calls of an HTTP library at once, and whether they can work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordlint import ir
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import ClassRef, External, options
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.statements import expressions
from coordlint.retry import DefaultLimit

_TIMES = ("connect", "read", "total", "timeout")
_FALLS_BACK = ("get", "pop", "setdefault")
_ASKS = ("get", "post", "put", "request", "send")


def limits(ev: Evaluator, traces: Sequence[Trace]) -> Iterator[DefaultLimit]:
    """Where the program gives `requests` or `urllib` a time limit of its own."""
    for _, scope, binding in ev.project.outside.get("TimeoutSauce", ()):
        made = next((v for v in options(ev.binding(binding, scope)) if isinstance(v, ClassRef)), None)
        cls = ev.project.scopes.get(made.symbol) if made is not None else None
        if cls is not None and isinstance(cls.node, ir.Class):
            yield DefaultLimit(cls.place(cls.node.at), "requests", not _is_dead(cls))
        elif binding.at is not None:
            yield DefaultLimit(scope.place(binding.at), "requests", True)
    for name in _ASKS:  # `requests.get = partial(requests.get, timeout=3)`, `Session.request = limited`
        for on, scope, binding in ev.project.outside.get(name, ()):
            if binding.at is not None and any(isinstance(v, External) and v.name.partition(".")[0] == "requests" for v in options(ev.value(on, scope))):
                yield DefaultLimit(scope.place(binding.at), "requests", True)
    for cls in ev.project.classes():
        libraries = classes.ancestry(ev, cls.symbol)[1] if not is_test(cls.path) else ()
        if isinstance(cls.node, ir.Class) and any(name.startswith("requests.") for name in libraries) and any("timeout" in w for c in cls.children if c.kind == "function" for w in _said(c)):
            yield DefaultLimit(cls.place(cls.node.at), "requests", True)
    for step in (s for t in traces for s in t.steps if last_word(s.call.func) == "setdefaulttimeout" and s.call.args):
        yield DefaultLimit(step.place, "stdlib-urllib", True)


def _is_dead(cls: Scope) -> bool:
    """Whether what stands in for the limits of `requests` has defaults only: `requests` passes connect and read always, as None where nothing is said."""
    init = next((c for c in cls.children if c.kind == "function" and c.function.name == "__init__"), None)
    if init is None:
        return False
    nodes = [n for s in init.statements for e in expressions(s) for n in ir.walk(e)]
    if any(isinstance(n, ir.Compare | ir.Conditional) or (isinstance(n, ir.Binary) and n.op == "or") for n in nodes) or any(isinstance(s, ir.If) for s in init.statements):
        return False  # it looks at what was passed
    falls_back = any(isinstance(n, ir.Call) and last_word(n.func) in _FALLS_BACK and len(n.args) == 2 and isinstance(n.args[0], ir.Const) and n.args[0].value in _TIMES for n in nodes)
    return falls_back or any(p.name in _TIMES and p.default is not None for p in init.params())


def _said(function: Scope) -> Iterator[str]:
    """The names that a function has to do with, those of its keywords too."""
    yield from (p.name for p in function.params())
    for node in (n for s in function.statements for e in expressions(s) for n in ir.walk(e)):
        if isinstance(node, ir.Name):
            yield node.id
        elif isinstance(node, ir.Attribute):
            yield node.name
        elif isinstance(node, ir.Const) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ir.Call):
            yield from (k.name for k in node.keywords if k.name)
