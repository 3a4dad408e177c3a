"""What git says has changed: the lines of each file, against a commit. Git runs without hooks, pagers or drivers."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec

from coordlint.finding import Finding
from coordlint.source import Place

SECONDS = 30
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")


class NoChanges(Exception):
    """Git cannot tell what changed: why."""


class Changes(msgspec.Struct, frozen=True):
    """Changed line ranges (first, last) by path relative to the root; a new file has all of its lines."""

    lines: dict[str, tuple[tuple[int, int], ...]]

    def touch(self, finding: Finding) -> bool:
        """Whether a line of any place of the finding's evidence changed."""
        return any(self._touches(place) for place in (finding.place, *(e.place for e in finding.because)))

    def _touches(self, place: Place) -> bool:
        last = max(place.span.line, place.span.end_line)
        return any(first <= last and place.span.line <= end for first, end in self.lines.get(place.path, ()))


def changed_lines(root: Path, base: str = "") -> Changes:
    """Lines that differ from `base` (since the branches parted), or from the last commit; untracked files included.

    Raises NoChanges.
    """
    commit = _commit(root, base)
    diff = _git(root, "diff", "--unified=0", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames",
                "--relative", "--ignore-submodules", "--src-prefix=a/", "--dst-prefix=b/", commit, "--")  # fmt: skip
    found: dict[str, list[tuple[int, int]]] = {}
    path = ""
    for line in diff.split(b"\n"):
        if line.startswith(b"+++ "):
            path = _unquoted(line[4:])
        elif path and (hunk := _HUNK.match(line)):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            # a pure deletion leaves its neighbours: what stood between them is gone
            found.setdefault(path, []).append(
                (first, first + count - 1) if count else (max(first, 1), first + 1)
            )
    for name in _git(root, "ls-files", "--others", "--exclude-standard", "-z").split(b"\0"):
        if name:
            found[os.fsdecode(name)] = [(1, 2**31)]
    return Changes({path: tuple(ranges) for path, ranges in sorted(found.items())})


def uncommitted(root: Path, paths: Iterable[str]) -> set[str]:
    """Which of the paths git shows as changed or untracked; none where there is no repository.

    Each is asked for in its own folder: it may lie in a repository within the repository. Raises NoChanges.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return set()
    found = set()
    for path in paths:
        place = root / path
        status = _git(place.parent, "--literal-pathspecs", "status", "--porcelain=v1", "-z", "--untracked-files=all", "--", place.name)
        if status:
            found.add(path)
    return found


def _commit(root: Path, base: str) -> str:
    """The commit to compare with: where this branch left `base`, else the last one, else nothing at all."""
    if not base:
        try:
            return _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
        except NoChanges:
            _git(root, "rev-parse", "--git-dir")
            return _EMPTY_TREE
    named = (
        _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
        .decode()
        .strip()
    )
    try:
        return _git(root, "merge-base", named, "HEAD").decode().split()[0]
    except (NoChanges, IndexError):
        return named


def _git(root: Path, *arguments: str) -> bytes:
    """What git says, with every program off that the repository's own settings name. Raises NoChanges."""
    environment = {}
    if arguments[0] in ("diff", "--literal-pathspecs"):  # these look into files, through what the settings call filters
        names = _asked(root, {}, "config", "--null", "--name-only", "--get-regexp", r"^filter\.", may_fail=True).decode("utf-8", "surrogateescape")
        filters = sorted({name.rpartition(".")[0] for name in names.split("\0") if name})
        off = [(f"{name}.{key}", value) for name in filters for key, value in (("clean", ""), ("process", ""), ("required", "false"))]
        count = os.environ.get("GIT_CONFIG_COUNT", "")
        first = int(count) if count.isdecimal() else 0  # what the user's environment says of settings stays
        environment = {f"GIT_CONFIG_{what}_{n}": text for n, pair in enumerate(off, first) for what, text in zip(("KEY", "VALUE"), pair, strict=True)}
        environment["GIT_CONFIG_COUNT"] = str(first + len(off))
    return _asked(root, environment, *arguments)


def _asked(root: Path, further: dict[str, str], *arguments: str, may_fail: bool = False) -> bytes:
    safe = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=true"]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat", "LC_ALL": "C", **further}
    try:
        done = subprocess.run(
            ["git", *safe, *arguments], cwd=root, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoChanges(f"git cannot be run: {error}") from None
    if done.returncode and not may_fail:
        told = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise NoChanges(f"git {arguments[0]}: {told or 'no such revision'}")
    return done.stdout


def _unquoted(name: bytes) -> str:
    """A path of a diff header; empty for /dev/null. Unusual bytes stand quoted as in C."""
    name = name.rstrip(b"\t\r")
    if name.startswith(b'"') and name.endswith(b'"'):
        inner = name[1:-1].decode("ascii", "replace")
        name = inner.encode().decode("unicode_escape").encode("latin-1")
    return os.fsdecode(name[2:]) if name.startswith(b"b/") else ""
