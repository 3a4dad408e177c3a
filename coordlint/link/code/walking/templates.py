"""Classes of libraries that call what their subclasses define: a constructor that sets up, a `run` that is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.values import External, FunctionRef, Object, Super, options
from coordlint.link.code.scopes.statements import expressions

if TYPE_CHECKING:
    from coordlint.link.code.walking.walk import Walk

# The class, its method that is called by the subclass, what that calls in turn; and the argument by which it is told not to.
_TEMPLATES: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "celery.beat.Scheduler": {"__init__": (("setup_schedule",), "lazy")},
    "celery.beat.PersistentScheduler": {"__init__": (("setup_schedule",), "lazy")},
    "django_celery_beat.schedulers.DatabaseScheduler": {"__init__": (("setup_schedule",), "lazy")},
    "socketserver.BaseRequestHandler": {"__init__": (("setup", "handle", "finish"), "")},
    "socketserver.StreamRequestHandler": {"__init__": (("setup", "handle", "finish"), "")},
}


def called_back(w: Walk, call: ir.Call) -> list[FunctionRef]:
    """The methods of its own class that a call of the constructor above runs: `super().__init__(app)`."""
    owner = w.scope.owner
    if owner is None or not isinstance(call.func, ir.Attribute) or not any(call.func.name in t for t in _TEMPLATES.values()):
        return []
    above = next((n for v in options(w.ev.value(call.func.base, w.scope)) for n in _libraries(w, v, owner.symbol) if n in _TEMPLATES), None)
    methods, switch = _TEMPLATES.get(above or "", {}).get(call.func.name, ((), ""))
    if switch and _mentions(w, switch):
        return []  # it may be told not to
    found = []
    for name in methods:
        home = next((c for c in classes.ancestry(w.ev, owner.symbol)[0] if f"{c.symbol}.{name}" in w.ev.project.scopes), None)
        if home is not None:
            found.append(FunctionRef(f"{home.symbol}.{name}", Object(owner.symbol)))
    if found:
        w.tracer.templated.add(w.scope.place(call.at))
    return found


def _libraries(w: Walk, base: object, owner: str) -> tuple[str, ...]:
    match base:
        case Super():
            return classes.ancestry(w.ev, owner)[1]
        case External(name=name):
            return (name,)
        case _:
            return ()


def _mentions(w: Walk, word: str) -> bool:
    """Whether the function says something of an argument: `lazy=True`, `kwargs["lazy"]`, `kwargs.setdefault("lazy", True)`."""
    for node in (n for s in w.scope.statements for e in expressions(s) for n in ir.walk(e)):
        if isinstance(node, ir.Const) and node.value == word:
            return True
        if isinstance(node, ir.Call) and any(k.name == word for k in node.keywords):
            return True
    return any(p.name == word for p in w.scope.params())
