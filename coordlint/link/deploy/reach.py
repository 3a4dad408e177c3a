"""Which Python files a workload's programs reach by imports, and what those say to the deployment."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from coordlint.extract.python_words import read_words
from coordlint.manifest import PythonWords, Setting
from coordlint.source import Source

_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")

MAX_FILES = 3_000
_LOADERS = ("importlib", "pkgutil", "django.utils.module_loading.import_string", "werkzeug.utils.import_string")

MAX_UNREAD = 500  # files that nothing but a workload leads to are read up to here; settings stand near the start


@dataclass
class Words:
    """What Python files say to the deployment; of files that were not chosen to be read only where a workload leads to them."""

    known: Mapping[str, PythonWords]
    unread: Mapping[str, Source]
    _found: dict[str, PythonWords | None] = field(default_factory=dict)

    def get(self, path: str) -> PythonWords | None:
        """The words of a file; None when it has none, or when too many were asked for."""
        if path in self.known:
            return self.known[path]
        if path not in self._found and path in self.unread and len(self._found) < MAX_UNREAD:
            said = read_words(self.unread[path])
            self._found[path] = next((one for one in said if isinstance(one, PythonWords)), None)
        return self._found.get(path)


@dataclass
class Reach:
    """Imports by text, followed from the files that workloads start."""

    words: Words
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

    def plugins(self, files: frozenset[str]) -> frozenset[str]:
        """The modules that the files load by names which settings keep: those of packages that strings name, with what they reach.

        A package that has models is an application rather than a bag of plug-ins, one of settings is a choice among them.
        """
        read = [known for path in sorted(files) if (known := self.words.get(path))]
        if not any(name.startswith(_LOADERS) for known in read for name in known.imports):
            return frozenset()
        found: set[str] = set()
        for name in dict.fromkeys(name for known in read for name in known.named):
            folder = name.replace(".", "/")
            inside = self._folders.get(folder, ())
            if inside and "settings" not in folder and f"{folder}/models.py" not in self.paths and f"{folder}/apps.py" not in self.paths:
                found |= self.files(inside)
        return frozenset(found)

    @cached_property
    def _folders(self) -> Mapping[str, list[str]]:
        """Python files by every folder above them."""
        made: dict[str, list[str]] = {}
        for path in sorted(self.paths):
            parts = path.split("/")[:-1]
            for depth in range(1, len(parts) + 1):
                made.setdefault("/".join(parts[:depth]), []).append(path)
        return made

    def module(self, name: str) -> str | None:
        """The file of a module that the environment names: DJANGO_SETTINGS_MODULE and its like."""
        return self._file(name, "") if _MODULE.fullmatch(name) else None

    def names(self, files: Iterable[str]) -> frozenset[str]:
        """Environment variables that these files may read."""
        return frozenset(name for path in sorted(files) if (known := self.words.get(path)) for name in known.names)

    def hosts(self, files: Iterable[str]) -> Iterator[tuple[str, Setting]]:
        """Addresses that these files hold, with their paths."""
        for path in sorted(files):
            known = self.words.get(path)
            for setting in known.hosts if known else ():
                yield path, setting

    def _from(self, start: str) -> frozenset[str]:
        if start not in self._seen:
            found, todo = {start}, deque((start,))
            while todo and len(found) < MAX_FILES:
                for path in self._imported(todo.popleft()):  # near files first: those far away may stay unread
                    if path not in found:
                        found.add(path)
                        todo.append(path)
            self._seen[start] = frozenset(found)
        return self._seen[start]

    def _imported(self, path: str) -> tuple[str, ...]:
        if path not in self._next:
            known = self.words.get(path)
            found = [self._file(name, path) for name in known.imports] if known else []
            found += [self._script(name, path) for name in known.scripts] if known else []
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

    def _script(self, name: str, path: str) -> str | None:
        """The file that a path in a string means: as much of its end as stands below the folder of the file that says it."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        folder = path.rpartition("/")[0]
        for start in range(len(parts)):
            candidate = "/".join([*([folder] if folder else []), *parts[start:]])
            if candidate in self.paths:
                return candidate
        return None

    def _shape(self, parts: list[str]) -> str | None:
        stem = "/".join(parts)
        if f"{stem}.py" in self.paths:
            return f"{stem}.py"
        package = f"{stem}/__init__.py"
        return package if package in self.paths else None
