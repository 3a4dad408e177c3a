"""Which Python files a workload's programs reach by imports, and what those say to the deployment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from coordlint.manifest import PythonWords, Setting

MAX_FILES = 3_000


@dataclass
class Reach:
    """Imports by text, followed from the files that workloads start."""

    words: Mapping[str, PythonWords]
    paths: frozenset[str]
    by_name: Mapping[str, str]  # dotted name -> path, where one is known by its package
    _seen: dict[str, frozenset[str]] = field(default_factory=dict)
    _next: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def files(self, starts: Iterable[str]) -> frozenset[str]:
        """The files that are reached, those of the start included."""
        found: set[str] = set()
        for start in starts:
            found |= self._from(start)
        return frozenset(found)

    def names(self, files: Iterable[str]) -> frozenset[str]:
        """Environment variables that these files may read."""
        return frozenset(name for path in files if path in self.words for name in self.words[path].names)

    def hosts(self, files: Iterable[str]) -> Iterator[tuple[str, Setting]]:
        """Addresses that these files hold, with their paths."""
        for path in sorted(files):
            if path in self.words:
                for setting in self.words[path].hosts:
                    yield path, setting

    def _from(self, start: str) -> frozenset[str]:
        if start not in self._seen:
            found, todo = {start}, [start]
            while todo and len(found) < MAX_FILES:
                for path in self._imported(todo.pop()):
                    if path not in found:
                        found.add(path)
                        todo.append(path)
            self._seen[start] = frozenset(found)
        return self._seen[start]

    def _imported(self, path: str) -> tuple[str, ...]:
        if path not in self._next:
            known = self.words.get(path)
            found = (self._file(name, path) for name in known.imports) if known else ()
            self._next[path] = tuple(dict.fromkeys(f for f in found if f and f != path))
        return self._next[path]

    def _file(self, name: str, path: str) -> str | None:
        """The file of a module name: beside or above the importing file first, then by its package's name."""
        bare = name.lstrip(".")
        level = len(name) - len(bare)
        folders = path.split("/")[:-1]
        inner = bare.split(".") if bare else []
        if level:
            base = folders[: len(folders) - (level - 1)] if level > 1 else folders
            return self._shape([*base, *inner])
        for depth in range(len(folders), -1, -1):
            found = self._shape([*folders[:depth], *inner])
            if found is not None:
                return found
        return self.by_name.get(bare)

    def _shape(self, parts: list[str]) -> str | None:
        stem = "/".join(parts)
        if f"{stem}.py" in self.paths:
            return f"{stem}.py"
        package = f"{stem}/__init__.py"
        return package if package in self.paths else None
