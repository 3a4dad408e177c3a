"""Ignore rules in .gitignore syntax, gathered folder by folder; the deepest word wins, as in git."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

MAX_IGNORE_BYTES = 1_000_000
MAX_STARS = 4  # that may have to be tried against each other, each in a part of the path of its own
MAX_FOLDERS = 3  # `**/` within a pattern: each may stand for any number of folders, so they multiply
_STAR = "[^/]*"
_ANY_FOLDERS = ".+"
_BETWEEN_STARS = re.compile(r"\[\^/\]\*((?:(?!\[\^/\]\*)[^/()])++)(?=\[\^/\]\*)")


@dataclass(frozen=True, slots=True)
class _Layer:
    """The patterns of one file; `base` is the folder they speak about, `above` lies below them (a path to prepend)."""

    base: str
    above: str
    spec: GitIgnoreSpec


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """An immutable stack of ignore files, outermost first."""

    layers: tuple[_Layer, ...] = ()

    def within(self, folder: str, lines: Sequence[str]) -> IgnoreRules:
        """These rules and those of an ignore file in `folder` ("" or a path that ends in a slash)."""
        return self._with(folder, "", lines)

    def above(self, prefix: str, lines: Sequence[str]) -> IgnoreRules:
        """These rules and those of a folder above the root, from which the root is reached by `prefix`."""
        return self._with("", prefix, lines)

    def match(self, path: str) -> bool:
        """Whether a path relative to the root is ignored; folders end in a slash."""
        for layer in reversed(self.layers):
            if path.startswith(layer.base):
                verdict = layer.spec.check_file(layer.above + path[len(layer.base) :]).include
                if verdict is not None:
                    return verdict
        return False

    def _with(self, base: str, above: str, lines: Sequence[str]) -> IgnoreRules:
        spec = _spec(lines)
        return IgnoreRules((*self.layers, _Layer(base, above, spec))) if spec else self


def read_ignore_lines(path: Path) -> tuple[str, ...]:
    """The lines of an ignore file; none when it is missing, no regular file, or absurdly large."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_IGNORE_BYTES:
            return ()
        return tuple(path.read_text("utf-8", "replace").splitlines())
    except OSError:
        return ()


def _spec(lines: Iterable[str]) -> GitIgnoreSpec | None:
    """Compiled patterns; a line that pathspec refuses is dropped, as git drops it."""
    wanted = [line for line in lines if line.strip() and not line.startswith("#")]
    if not wanted:
        return None
    try:
        return _compiled(wanted)
    except (ValueError, re.error):
        return _compiled([line for line in wanted if _compiles(line)])


def _compiles(line: str) -> bool:
    try:
        _compiled([line])
    except (ValueError, re.error):
        return False
    return True


def _compiled(lines: list[str]) -> GitIgnoreSpec:
    """Raises ValueError or re.error for a line that is no pattern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd brackets in somebody else's pattern are not ours to report
        return _tamed(GitIgnoreSpec.from_lines(lines))


def _tamed(spec: GitIgnoreSpec) -> GitIgnoreSpec:
    """The same patterns without back-tracking: `*a*a*a*b` would take hours on a long name that a repository may hold.

    Within one part of a path, the first place where a star's text fits is as good as any later one, so only the last
    star has to try them all. A pattern that still has several stars in a row to try is dropped, and so is one with many `**`.
    """
    patterns = []
    for pattern in spec.patterns:
        if pattern.regex is not None and pattern.regex.pattern.count(_ANY_FOLDERS) > MAX_FOLDERS:
            continue
        if pattern.regex is not None and pattern.regex.pattern.count(_STAR) > 1:
            text = _BETWEEN_STARS.sub(r"(?>[^/]*?\1)", pattern.regex.pattern)
            if text.count(_STAR) - text.count(_STAR + "?") > MAX_STARS:
                continue
            pattern = type(pattern)(re.compile(text), pattern.include)
        patterns.append(pattern)
    return GitIgnoreSpec(patterns)
