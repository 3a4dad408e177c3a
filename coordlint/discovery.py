"""From paths to Sources: which project, which of its files, and what was left out and why.

One walk with `os.scandir`; nothing is imported, executed or followed out of the root. A folder or file that is not the
project's own code is *left out* and counted by reason; a file in scope that cannot be read is a told *skip*.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from coordlint.ignorefiles import IgnoreRules, read_ignore_lines
from coordlint.kinds import Sniffed, is_chart_part, is_env_template, kind_of_name
from coordlint.reading import printable, read
from coordlint.source import Kind, Skip, Source

MAX_DEPTH = 60
_CHARTS = frozenset({"Chart.yaml", "Chart.yaml.template", "Chart.yaml.tmpl", "Chart.yaml.in"})  # a build may fill in the version

_NOT_OURS = {
    "node_modules": "node_modules",
    "bower_components": "node_modules",
    "vendored": "vendored code",
    "third_party": "vendored code",
    "third-party": "vendored code",
    "_vendor": "vendored code",
    "site-packages": "vendored code",
    "Godeps": "vendored code",
    ".git": "version control",
    ".hg": "version control",
    ".svn": "version control",
    ".tox": "virtual environment",
    ".nox": "virtual environment",
    "__pycache__": "cache",
    ".mypy_cache": "cache",
    ".pytest_cache": "cache",
    ".ruff_cache": "cache",
    ".coordlint_cache": "cache",
    ".eggs": "build output",
}
_OF_AN_APP = {
    "models.py",
    "views.py",
    "apps.py",
    "urls.py",
    "migrations",
    "tasks.py",
}  # an app about vendors is ours
_UNCOUNTED = {".git", ".hg", ".svn", "__pycache__", ".coordlint_cache"}


class Discovery(msgspec.Struct, frozen=True):
    """What a project consists of: paths are POSIX and relative to `root`; `left_out` counts folders and files."""

    root: str
    sources: tuple[Source, ...]
    skips: tuple[Skip, ...] = ()
    left_out: dict[str, int] = {}
    watched: tuple[str, ...] = ()  # absolute paths of all that decided: folders, files that were opened, ignore files, links
    strangers: tuple[str, ...] = ()  # absolute paths of files that were opened, and are of no known kind

    @property
    def seen(self) -> int:
        """How many files are in scope, whether they could be read or not."""
        return len({*(s.path for s in self.sources), *(s.path for s in self.skips)})


def project_root(paths: Sequence[Path], *, configured: bool = True) -> Path:
    """The nearest folder above with a coordlint table, else the git root, else the given folder.

    Folders that the git root ignores (a checkout under a build folder, say) are projects of their own.
    """
    start = _common_folder(paths)
    if configured:
        for folder in (start, *start.parents):
            if _has_table(folder):
                return folder
    git = next((f for f in (start, *start.parents) if (f / ".git").exists()), None)
    if git is None or _ignored_below(git, start):
        return start
    return git


def discover(root: Path, exclude: Sequence[str] = ()) -> Discovery:
    """Every source of the project under `root`; `exclude` holds patterns in .gitignore syntax.

    Raises NotADirectoryError or FileNotFoundError when the root is none.
    """
    walk = _Walk(root, exclude)
    found = sorted(walk.files(), key=lambda f: f[0])
    sources, skips, strangers = [], list(walk.skips), []
    for path, place, size, named in found:
        match read(path, place, size, named):
            case Source() as source:
                sources.append(source)
            case Skip() as skip:
                skips.append(skip)
            case str() as reason:
                walk.left_out[reason] += 1
            case None:
                strangers.append(place)
    watched = (*walk.watched, *(place for _, place, _, _ in found))
    return Discovery(str(root), tuple(sources), tuple(sorted(skips)), dict(sorted(walk.left_out.items())), watched, tuple(strangers))


class _Walk:
    """One pass over the folders; collects what it leaves out on the way."""

    def __init__(self, root: Path, exclude: Sequence[str]) -> None:
        self.root = root
        self.excluded = IgnoreRules().within("", exclude)
        self.left_out: Counter[str] = Counter()
        self.skips: list[Skip] = []
        self.watched: list[str] = []

    def files(self) -> Iterator[tuple[str, str, int, Kind | Sniffed]]:
        """(relative path, absolute path, size, what the name says) of each regular file that may matter."""
        todo = [("", str(self.root), _rules_above(self.root), False, 0)]
        while todo:
            prefix, folder, rules, in_chart, depth = todo.pop()
            self.watched.append(folder)
            try:
                with os.scandir(folder) as listing:
                    entries = sorted(listing, key=lambda e: e.name)
            except OSError as error:
                self.skips.append(
                    Skip(printable(prefix.rstrip("/")) or ".", f"folder cannot be listed: {error.strerror}")
                )
                continue
            names = {e.name for e in entries}
            if prefix and (reason := _folder_reason(prefix, names)):
                self.left_out[reason] += 1
                continue
            in_chart = in_chart or not _CHARTS.isdisjoint(names)
            if ".gitignore" in names:
                self.watched.append(os.path.join(folder, ".gitignore"))  # noqa: PTH118
                rules = rules.within(prefix, read_ignore_lines(Path(folder) / ".gitignore"))
            for entry in entries:
                path = prefix + entry.name
                try:
                    if entry.is_symlink():
                        self._count_link(entry)
                    elif entry.is_dir(follow_symlinks=False):
                        if self._enters(entry.name, path, rules):
                            if depth < MAX_DEPTH:
                                todo.append((path + "/", entry.path, rules, in_chart, depth + 1))
                            else:
                                self.skips.append(
                                    Skip(printable(path), f"folders nest deeper than {MAX_DEPTH}")
                                )
                    else:
                        named = Kind.HELM if in_chart and is_chart_part(path) else kind_of_name(path)
                        if named is not Sniffed.NOTHING and self._may_matter(entry, path, rules):
                            yield path, entry.path, entry.stat(follow_symlinks=False).st_size, named
                except OSError as error:
                    self.skips.append(Skip(printable(path), f"cannot be examined: {error.strerror}"))

    def _enters(self, name: str, path: str, rules: IgnoreRules) -> bool:
        if name in _UNCOUNTED:
            return False
        if reason := _NOT_OURS.get(name):
            self.left_out[reason] += 1
            return False
        return not self._is_ignored(path + "/", rules)

    def _may_matter(self, entry: os.DirEntry[str], path: str, rules: IgnoreRules) -> bool:
        if self._is_ignored(path, rules):
            return False
        if entry.is_file(follow_symlinks=False):
            return True
        self.left_out["not a regular file"] += 1  # a pipe or device: opening it could block for ever
        return False

    def _is_ignored(self, path: str, rules: IgnoreRules) -> bool:
        if self.excluded.match(path):
            self.left_out["excluded by configuration"] += 1
            return True
        if rules.match(path) and not is_env_template(path):
            self.left_out["ignored by .gitignore"] += 1
            return True
        return False

    def _count_link(self, entry: os.DirEntry[str]) -> None:
        """A link inside the root leads to a file that is read anyway; one that leaves it is not ours to read."""
        if kind_of_name(entry.name) is Sniffed.NOTHING and not entry.is_dir():
            return
        self.watched.append(entry.path)
        target = os.path.realpath(entry.path)
        inside = target == str(self.root) or target.startswith(str(self.root) + os.sep)
        self.left_out["symbolic link" if inside else "symbolic link out of the project"] += 1


def _folder_reason(prefix: str, names: set[str]) -> str:
    """Why a folder's content is not the project's own, judged by what it holds; empty when it is."""
    if "pyvenv.cfg" in names or "conda-meta" in names:
        return "virtual environment"
    if "CACHEDIR.TAG" in names:
        return "cache"
    name = prefix[:-1].rpartition("/")[2]
    if name in ("vendor", "dist") and not names & _OF_AN_APP:
        return "vendored code" if name == "vendor" else "build output"
    if name == "build" and any(n == "lib" or n.startswith(("bdist.", "temp.", "lib.")) for n in names):
        return "build output"
    return "build output" if name.endswith(".egg-info") else ""


def _rules_above(root: Path) -> IgnoreRules:
    """The .gitignore files between the git root and a project root below it."""
    git = next((f for f in (root, *root.parents) if (f / ".git").exists()), None)
    rules = IgnoreRules()
    if git is None or git == root:
        return rules
    for folder in [f for f in reversed(root.parents) if f == git or git in f.parents]:
        base = root.relative_to(folder).as_posix() + "/"
        rules = rules.above(base, read_ignore_lines(folder / ".gitignore"))
    return rules


def _ignored_below(git: Path, start: Path) -> bool:
    """Whether the git root's ignore files (or a name such as node_modules) leave the folder `start` out."""
    if start == git:
        return False
    rules, prefix, folder = IgnoreRules(), "", git
    for name in start.relative_to(git).parts:
        rules = rules.within(prefix, read_ignore_lines(folder / ".gitignore"))
        prefix, folder = f"{prefix}{name}/", folder / name
        if name in _NOT_OURS or rules.match(prefix):
            return True
    return False


def _has_table(folder: Path) -> bool:
    """Whether the folder's configuration file has a coordlint table; a cheap look, the strict one is in `config`."""
    if (folder / "coordlint.toml").is_file():
        return True
    try:
        text = (folder / "pyproject.toml").read_bytes()
    except OSError:
        return False
    return b"[tool.coordlint" in text or b"tool.coordlint." in text


def _common_folder(paths: Sequence[Path]) -> Path:
    folders = [p if p.is_dir() else p.parent for p in (p.resolve() for p in paths)]
    return Path(os.path.commonpath(folders)) if folders else Path.cwd()
