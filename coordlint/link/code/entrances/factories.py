"""Application factories: functions that make a web application and give it back, which a server calls once when it starts."""

from __future__ import annotations

from coordlint import ir
from coordlint.coordination import Entry
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.origins import origins
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.scopes.project import Scope

_MADE = frozenset({"Flask", "FastAPI", "Starlette", "Quart", "Sanic", "Application"})
_BY = frozenset({"flask", "fastapi", "starlette", "quart", "sanic", "aiohttp"})


def factory(ev: Evaluator, scope: Scope) -> Entry | None:
    """The entry of a function at the top of a module that gives back the application that it has made."""
    if scope.owner is not None or scope.parent is None or scope.parent.kind != "module":
        return None
    given = {s.value.id for s in scope.statements if isinstance(s, ir.Return) and isinstance(s.value, ir.Name)}
    for name in sorted(given):
        for binding in scope.names.get(name, ()):
            made = bare(binding.expr) if binding.expr is not None else None
            if isinstance(made, ir.Call) and last_word(made.func) in _MADE and any(o.partition(".")[0] in _BY for o in origins(ev, made.func, scope)):
                return Entry(scope.symbol, "startup", scope.place(scope.function.at), f"{scope.function.name}() makes the application")
    return None
