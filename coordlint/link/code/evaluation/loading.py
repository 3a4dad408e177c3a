"""Plug-ins that are loaded by a name which only a setting knows: of them nothing is known but the class that asks for one of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint.link.code.evaluation.values import External, options
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions, statements

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

_LOADERS = ("stevedore.driver.DriverManager", "stevedore.DriverManager", "pkg_resources.load_entry_point")


def loads_plugin(ev: Evaluator, scope: Scope) -> bool:
    """Whether a class method has a plug-in loaded by its name: `Store.get_driver("sql")` gives a class of stores, whichever it is."""
    if not ev.is_decorated(scope, "classmethod"):
        return False
    calls = (c for s in statements(scope.function.body) for e in expressions(s) for c in ev.inside(e).calls)
    return any(isinstance(v, External) and v.name in _LOADERS for c in calls for v in options(ev.value(c.func, scope)))
