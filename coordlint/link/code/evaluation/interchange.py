"""Modules that stand in for each other, of which the configuration chooses one: `{"zk": "app.backend.zk", "redis": "app.backend.redis"}`.

Who chooses is often hidden behind a parser of options. An attribute that nobody knows and that bears the name of the package of such
modules, spelled out somewhere and with at least three functions in common, is one of them.
"""

from __future__ import annotations

from coordlint.link.code.evaluation.values import External, ModuleRef, Unknown, Value, one_of, options
from coordlint.link.code.scopes.project import Project

COMMON = 3  # functions by the same names that make an interface
MOST = 5  # modules of one package


def chosen(project: Project) -> dict[str, Value]:
    """What attributes of these names are."""
    found: dict[str, set[str]] = {}
    for module in sorted(project.spelled):
        packages: dict[str, set[str]] = {}
        for dotted in project.spelled[module] & project.modules.keys():
            packages.setdefault(dotted.rpartition(".")[0], set()).add(dotted)
        for package, modules in packages.items():
            if package and 2 <= len(modules) <= MOST and len(_common(project, modules)) >= COMMON:
                found.setdefault(package.rpartition(".")[2], set()).update(modules)
    return {name: one_of([ModuleRef(m) for m in sorted(modules)]) for name, modules in found.items() if len(modules) <= MOST}


def siblings(project: Project, chosen: dict[str, Value]) -> dict[str, frozenset[str]]:
    """The files of the modules that stand in for one, by its file: where the one is chosen, nothing of theirs runs."""
    found: dict[str, frozenset[str]] = {}
    for value in chosen.values():
        paths = frozenset(project.modules[m.name].path for m in options(value) if isinstance(m, ModuleRef))
        found |= {path: paths - {path} for path in paths}
    return found


def is_nobodys(value: Value) -> bool:
    """Whether nobody knows a value, or the name that it was asked of."""
    return isinstance(value, Unknown) or (isinstance(value, External) and value.name.startswith("builtins.") and value.name.count(".") > 1)


def _common(project: Project, modules: set[str]) -> set[str]:
    """The functions that all of them define, but for private ones."""
    defined = [{c.symbol.rpartition(".")[2] for c in project.modules[m].children if c.kind == "function"} for m in sorted(modules)]
    return {name for name in set.intersection(*defined) if not name.startswith("_")}
