"""Folders that are put on the path although an `__init__.py` stands in them: nobody declares them, but imports give them away."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

_MANY_TIMES = 4  # as many modules go past a package as name it: what they do is how it is run
_ROOT_FILES = ("setup.py", "setup.cfg", "pyproject.toml")  # their folder is put on the path, even when it is a package itself


class Asked(NamedTuple):
    """One import statement: what is asked for, and by which module."""

    importer: str
    is_package: bool
    dotted: str
    level: int


def declared(paths: Iterable[str]) -> set[str]:
    """The folders in which a project says what it is made of."""
    split = (path.rpartition("/") for path in paths)
    return {folder.replace("/", ".") for folder, _, file in split if file in _ROOT_FILES}


def inferred(asked: Iterable[Asked], modules: Container[str], packages: Container[str]) -> set[str]:
    """Outermost packages whose own modules import one another as if the package were not there.

    `src/shop/web.py` says `from shop.stock import take`, and nobody says `import src` or climbs up to it by dots: then the
    `__init__.py` in src is left over, and src is where the path begins. Where somebody does say `import src`, it is a script from
    another time if several times as many modules go past it.
    """
    from_within: dict[str, set[str]] = defaultdict(set)
    real: set[str] = set()
    naming: dict[str, set[str]] = defaultdict(set)
    for one in asked:
        if one.level:
            parts = one.importer.split(".")
            up = one.level - 1 if one.is_package else one.level
            real.add(".".join(parts[: max(len(parts) - up, 0)]))
            continue
        first, dot, _ = one.dotted.partition(".")
        naming[first].add(one.importer)
        if dot and first not in sys.stdlib_module_names and one.dotted not in modules:
            root = _outermost(one.importer, packages)
            if root and f"{root}.{one.dotted}" in modules:
                from_within[root].add(one.importer)
    return {root for root, past in from_within.items() if root not in real and _MANY_TIMES * len(_named_by(root, naming)) <= len(past)}


def _named_by(root: str, naming: Mapping[str, set[str]]) -> set[str]:
    """The modules that import a package by its name, or the folder that it lies in."""
    return naming.get(root.rpartition(".")[2], set()) | naming.get(root.partition(".")[0], set())


def _outermost(module: str, packages: Container[str]) -> str:
    """The package that a module lies in and that lies in no other."""
    parts = module.split(".")
    return next((name for n in range(1, len(parts)) if (name := ".".join(parts[:n])) in packages), "")


def within(dotted: str, importer: str, homes: Iterable[tuple[str, str]], asked: Iterable[Asked]) -> str | None:
    """The one module that a dotted name can mean below a package around the importer, which is on the path in one deployment and a package in another.

    `shop/orders/app.py` and `shop/bills/app.py` say `from registry.client import connect`, and `shop/registry/client.py` is there: what is
    copied to the path's beginning is the inside of `shop`. Not where somebody asks for the first name alone, as for a library, where only
    one folder asks, or where somebody climbs up to the package by dots. `homes` are folders and modules.
    """
    first, dot, _ = dotted.partition(".")
    if not dot or first in sys.stdlib_module_names:
        return None
    found = [(home, module) for home, module in homes if home and f"{importer}.".startswith(f"{home}.")]
    if len(found) != 1:
        return None
    home, module = found[0]
    folders: set[str] = set()
    for one in asked:
        if one.level and one.importer.startswith(f"{home}.") and len(one.importer.split(".")) - one.level + one.is_package <= len(home.split(".")):
            return None
        if not one.level and one.dotted == first:
            return None
        if not one.level and one.dotted == dotted:
            folders.add(one.importer.rpartition(".")[0])
    return module if len(folders) > 1 else None


def shared(a: str, b: str) -> int:
    """How many parts two dotted names have in common at their beginning."""
    count = 0
    for x, y in zip(a.split("."), b.split("."), strict=False):
        if x != y:
            break
        count += 1
    return count
