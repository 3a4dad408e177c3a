"""A Python file by its text alone: what it imports and defines, and to which other files its imports lead. Nothing is parsed."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator, Mapping
from functools import cached_property
from pathlib import PurePosixPath

from coordlint.source import Source


def is_test(path: str) -> bool:
    """Whether a file is there for tests, by its place and name."""
    return _TEST.search(path) is not None


class Module:
    """One file: what it imports, what it defines at its top, and which words each definition uses."""

    def __init__(self, source: Source) -> None:
        self.text = source.text
        place = PurePosixPath(source.path)
        self.is_package = place.name == "__init__.py"
        self.parts = place.parent.parts if self.is_package else place.with_suffix("").parts
        self._attributes: dict[str, frozenset[str]] = {}

    @property
    def defines(self) -> bool:
        """Whether a function or class stands at its top."""
        return _DEFINES.search(self.text) is not None

    @cached_property
    def imports(self) -> list[tuple[str, str, str]]:
        """(dotted module, name in it or "", name it is bound to); relative modules keep their leading dots."""
        return list(_imports(self.text))

    @cached_property
    def bodies(self) -> list[tuple[str, str]]:
        """Top-level names with the text of their definitions; a name may be defined more than once."""
        starts = [(m.start(), m[1] or m[2] or m[3] or "") for m in _TOP.finditer(self.text)]
        ends = [*(start for start, _ in starts), len(self.text)][1:]
        return [(name, self.text[start:end]) for (start, name), end in zip(starts, ends, strict=True)]

    def attributes(self, name: str) -> frozenset[str]:
        """Names that follow `name.` somewhere, through any dotted way."""
        if name not in self._attributes:
            there = f"{name}." in self.text
            self._attributes[name] = frozenset(re.findall(rf"\b{re.escape(name)}\.(?:\w+\.)*(\w+)", self.text)) if there else frozenset()
        return self._attributes[name]

    def touching(self, marks: set[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Names whose definition mentions a mark, an import from one, or another such name; and the words they use."""
        libraries = {mark.removeprefix("from ").removeprefix("import ") for mark in marks}
        bound = {as_ for module, name, as_ in self.imports if any(m in module or m == name for m in libraries)}
        raw = [mark for mark in marks if mark in libraries and mark not in bound]
        words = [
            (name, frozenset(_WORD.findall(body)), any(mark in body for mark in raw))
            for name, body in self.bodies
        ]
        touched = {name for name, _, direct in words if direct}
        while more := {n for n, used, _ in words if n not in touched and (used - {n}) & (bound | touched)}:
            touched |= more
        used = frozenset().union(*(used for name, used, _ in words if name in touched))
        # what is imported from a marked module is handed on by packages and shims
        return frozenset(touched | bound), used


class Finder:
    """Leads import statements to files of the project."""

    def __init__(self, modules: dict[str, Module]) -> None:
        self.modules = modules
        self.by_tail: dict[tuple[str, ...], list[str]] = {}  # paths by the end of their dotted name, in every length
        for path, module in modules.items():
            for start in range(len(module.parts)):
                self.by_tail.setdefault(module.parts[start:], []).append(path)

    def callers(
        self, touching: Mapping[str, frozenset[str]], known: Container[str]
    ) -> dict[str, set[str]]:
        """Files that import a touching name, or a module and then use one of its touching names; with these names."""
        stems = {self.modules[path].parts[-1] for path, names in touching.items() if names and self.modules[path].parts}
        found: dict[str, set[str]] = {}
        for path, module in self.modules.items():
            if path in known or is_test(path) or not any(stem in module.text for stem in stems):
                continue
            for dotted, name, bound in module.imports:
                if self._last(module, dotted, name).isdisjoint(stems):
                    continue
                for target in self.files(path, dotted, name):
                    names = touching.get(target, frozenset())
                    if name in names:
                        found.setdefault(path, set()).add(bound)
                    elif names and (used := names & module.attributes(bound)):
                        found.setdefault(path, set()).update(used)
                    elif name == "*" and names:
                        found.setdefault(path, set()).update(names)
        return found

    def callees(self, path: str, used: frozenset[str]) -> Iterator[str]:
        """Modules of the project that the given words of a file were imported from."""
        module = self.modules[path]
        for dotted, name, bound in module.imports:
            if bound in used or name == "*":
                yield from self.files(path, dotted, name)

    def beside(self, chosen: Collection[str]) -> set[str]:
        """Modules that are not chosen, and that a chosen file imports from."""
        imports = ((path, dotted, name) for path in chosen if not is_test(path) for dotted, name, _ in self.modules[path].imports)
        return {found for path, dotted, name in imports for found in self.files(path, dotted, name) if found not in chosen}

    def hands_on(self, path: str, chosen: Collection[str]) -> bool:
        """Whether a module defines nothing and imports from a chosen one: who imports from it means that."""
        module = self.modules[path]
        return not module.defines and any(found in chosen for dotted, name, _ in module.imports for found in self.files(path, dotted, name))

    def _last(self, module: Module, dotted: str, name: str) -> set[str]:
        tail = dotted.rpartition(".")[2]
        return {tail or (module.parts[-2] if len(module.parts) > 1 else ""), name}

    def files(self, path: str, dotted: str, name: str) -> Iterator[str]:
        """Files that `from dotted import name` (or `import dotted`) can load, the module and the submodule."""
        here = self.modules[path]
        level = len(dotted) - len(dotted.lstrip("."))
        base: tuple[str, ...] = ()
        if level:
            base = here.parts if here.is_package else here.parts[:-1]
            base = base[: len(base) - (level - 1)]
        parts = (*base, *(part for part in dotted.lstrip(".").split(".") if part))
        for tail in (parts, (*parts, name) if name and name != "*" else ()):
            for candidate in self.by_tail.get(tail, ()):
                if candidate != path and (not level or self.modules[candidate].parts == tail):
                    yield candidate


def imported_names(text: str) -> set[str]:
    """Dotted names that a file imports: what decides which models apply."""
    found = set()
    for module, _, plain in _IMPORTED.findall(text):
        if module:
            found.add(module)
        found.update(words[0] for part in plain.split(",") if (words := part.split()))
    return found


_TEST = re.compile(r"(^|/)(tests?|testing)/|(^|/)(test_[^/]*|[^/]*_tests?|conftest)\.py$")
_DEFINES = re.compile(r"^(?:async[ \t]+def|def|class)\b", re.M)
_WORD = re.compile(r"[^\W\d]\w*")
_TOP = re.compile(
    r"^(?:(?:async[ \t]+)?def[ \t]+(\w+)|class[ \t]+(\w+)|(?:async[ \t]+)?(?:with|for|while|if|try)\b"
    r"|(\w+)(?:[ \t]*+:[^=\n]++)?[ \t]*+=[^=])",
    re.M,
)
_STATEMENT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(?:\(((?:[^()#]++|#[^\n]*+)*+)\)|([^\n(;]*))|import[ \t]+([\w., \t]+))",
    re.M,
)
_IMPORTED = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+([^\n#]*)|import[ \t]+([\w., \t]+))", re.M
)
_COMMENT = re.compile(r"#[^\n]*")


def _imports(text: str) -> Iterator[tuple[str, str, str]]:
    if "import" not in text:
        return
    for module, many, few, plain in _STATEMENT.findall(text):
        for part in _COMMENT.sub("", many or few or plain).replace("\\", " ").split(","):
            match part.split():
                case [name, "as", bound]:
                    yield (module, name, bound) if module else (name, "", bound)
                case [name]:
                    yield (module, name, name) if module else (name, "", name.partition(".")[0])
