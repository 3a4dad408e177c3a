"""Paths in a container back to paths in the repository, and names of code to files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from coordlint.finding import Confidence
from coordlint.link.deploy.catalogue import Catalogue, common_depth
from coordlint.link.deploy.images import Copied
from coordlint.link.deploy.programs import Target

MAX_CANDIDATES = 50


@dataclass(frozen=True)
class Layout:
    """Where the repository's files stand in one container; later entries hide earlier ones."""

    catalogue: Catalogue
    placed: tuple[Copied, ...]
    near: str  # a path whose folder is preferred when several files fit
    context: str | None = None  # the build context; None when the image is not built here

    def to_repository(self, path: str) -> Iterator[str]:
        """Where a container path may come from, the surest first."""
        for copied in reversed(self.placed):
            if path == copied.target:
                yield copied.source
            elif path.startswith(copied.target.rstrip("/") + "/"):
                inner = path[len(copied.target.rstrip("/")) + 1 :]
                yield posixpath.join(copied.source, inner) if copied.source else inner

    def script(self, word: str, folder: str) -> str | None:
        """The repository's path of a shell script that a command names."""
        for path in self.to_repository(posixpath.normpath(posixpath.join(folder or "/", word))):
            if path in self.catalogue.scripts:
                return path
        found = self._by_suffix(word.lstrip("./"), self.catalogue.scripts)
        return found[0] if found else None

    def resolve(self, target: Target, folder: str, roots: Iterable[str]) -> tuple[str, Confidence] | None:
        """The Python file that a target names, and how sure that is."""
        match target.kind:
            case "file":
                return self._file(target.name, folder)
            case "module" | "app":
                return self._module(target, folder, roots)
            case "script":
                return self._console(target.name)
            case _:
                return self._alembic(folder)

    def _file(self, name: str, folder: str) -> tuple[str, Confidence] | None:
        absolute = posixpath.normpath(posixpath.join(folder or "/", name))
        for path in self.to_repository(absolute):
            if path in self.catalogue.python_files:
                return path, Confidence.HIGH
            if path + "/__main__.py" in self.catalogue.python_files:
                return path + "/__main__.py", Confidence.HIGH
        return self._by_suffix(name.lstrip("./"), self.catalogue.python_files)

    def _module(self, target: Target, folder: str, roots: Iterable[str]) -> tuple[str, Confidence] | None:
        dotted, _, _ = target.name.replace("/", ".").partition(":")
        shapes = list(_shapes(dotted, target.kind))
        if target.kind == "app" and "." in dotted:
            shapes += _shapes(dotted.rpartition(".")[0], target.kind)  # the last part is the app's name in the module
        for root in (folder, *roots):
            for shape in shapes:
                absolute = posixpath.normpath(posixpath.join(root or "/", shape))
                for path in self.to_repository(absolute):
                    if path in self.catalogue.python_files:
                        return path, Confidence.HIGH
        for shape in shapes:
            found = self._by_suffix(shape, self.catalogue.python_files)
            if found:
                return found
        return None

    def _console(self, name: str) -> tuple[str, Confidence] | None:
        if name not in self.catalogue.console:
            return None
        declared, script = self.catalogue.console[name]
        module = script.value.partition(":")[0].strip()
        for shape in _shapes(module, "module"):
            near = Layout(self.catalogue, (), declared)
            found = near._by_suffix(shape, self.catalogue.python_files)
            if found:
                return found[0], Confidence.HIGH
        return None

    def _alembic(self, folder: str) -> tuple[str, Confidence] | None:
        for shape in ("alembic/env.py", "migrations/env.py", "migration/env.py"):
            for path in self.to_repository(posixpath.normpath(posixpath.join(folder or "/", shape))):
                if path in self.catalogue.python_files:
                    return path, Confidence.HIGH
            found = self._by_suffix(shape, self.catalogue.python_files)
            if found:
                return found
        return None

    def _by_suffix(self, suffix: str, among: Iterable[str]) -> tuple[str, Confidence] | None:
        """The one file whose path ends so; the one in the build context, then the nearest, when there are several."""
        basename = suffix.rpartition("/")[2]
        candidates = [
            path
            for path in self.catalogue.by_basename.get(basename, ())[: MAX_CANDIDATES * 20]
            if (path == suffix or path.endswith("/" + suffix)) and path in among
        ]
        if not candidates or (self.context is None and len(candidates) > MAX_CANDIDATES):
            return None
        if self.context:
            inside = [path for path in candidates if path.startswith(self.context + "/")]
            if not inside:
                return None  # built from a folder that does not hold it: something else of the same name
            candidates = inside
        if len(candidates) == 1:
            return candidates[0], Confidence.MEDIUM
        ranked = sorted(candidates, key=lambda path: (-common_depth(path, self.near), path.count("/"), path))
        first, second = ranked[0], ranked[1]
        is_clear = (common_depth(first, self.near), -first.count("/")) != (
            common_depth(second, self.near),
            -second.count("/"),
        )
        return (first, Confidence.LOW) if is_clear else None


def _shapes(dotted: str, kind: str) -> Iterator[str]:
    """The files that a module's name may mean; an app's package keeps it in `celery` or `app` as often as in itself."""
    path = dotted.strip(".").replace(".", "/")
    if not path:
        return
    if path.endswith("/py"):
        path = path[: -len("/py")]
    if kind == "module":
        yield path + "/__main__.py"
    yield path + ".py"
    if kind == "app":
        yield path + "/celery.py"
    yield path + "/__init__.py"
