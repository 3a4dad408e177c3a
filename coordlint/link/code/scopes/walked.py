"""Which scopes are walked: all of the program's own, and of its tests those that speak to a coordinator themselves.

What tests call, pass and hold says nothing of the program: no rule and no list asks for it. Half of a project can be tests, so they are
not even looked at, but for those that import a coordinator's library: who deploys one for his tests only does use it.
"""

from __future__ import annotations

from collections.abc import Iterable

from coordlint.link.code.scopes.project import Project, Scope, is_test
from coordlint.models import Models
from coordlint.models.index import NO_COORDINATORS


def walked(project: Project, models: Models, told: Iterable[str] = ()) -> list[str]:
    """Functions and top levels of modules by their symbols, sorted. `told` are paths that are walked in any case."""
    libraries = frozenset(name for library in models.libraries if library.backend not in NO_COORDINATORS for name in library.imports)
    paths = {s.path for s in project.scopes.values() if is_test(s.path) and _imports(s, libraries)} | set(told)
    return sorted(s.symbol for s in project.scopes.values() if s.kind in ("function", "module") and (s.path in paths or not is_test(s.path)))


def _imports(scope: Scope, libraries: frozenset[str]) -> bool:
    """Whether a scope imports one of these libraries, or something in it."""
    bound = [*(b for found in scope.names.values() for b in found), *scope.stars]
    dotted = (b.name if b.kind == "import" else b.module for b in bound if b.kind in ("import", "from") and not b.level)
    return any(name in libraries or name.partition(".")[0] in libraries for name in dotted)
