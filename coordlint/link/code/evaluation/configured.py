"""Settings that are read by name with a default: `app.config.get("LEASE", 300)`.

What object the settings are is often hidden behind a framework. That a word names a setting, and what holds where nobody sets it, is
written at the call all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation.values import Environment, Literal, Value, options
from coordlint.link.code.scopes.project import Scope
from coordlint.wording import words

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

_SETTINGS = frozenset("config conf cfg configuration setting".split())
_READING = ("get", "value", "get_int")


def read(ev: Evaluator, call: ir.Call, scope: Scope) -> Value | None:
    """A setting with its default; None when the call reads none, or the default is no constant."""
    func = call.func
    if not isinstance(func, ir.Attribute) or func.name not in _READING or not call.args:
        return None
    name, base = call.args[0], func.base
    said = base.name if isinstance(base, ir.Attribute) else base.id if isinstance(base, ir.Name) else ""
    if not isinstance(name, ir.Const) or not isinstance(name.value, str) or not words(said) & _SETTINGS:
        return None
    given = call.args[1] if len(call.args) > 1 else call.keyword("default")
    default = ev.settle(ev.value(given, scope)) if given is not None else None
    known = [v for v in options(default) if isinstance(v, Literal) and v.value is not None] if default is not None else []
    return Environment(name.value, known[0]) if len(known) == 1 else None
