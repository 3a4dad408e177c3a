"""What a check said, by everything that entered into it: nothing changed, nothing is read, linked or judged again.

An answer is found in two ways. By the *state* of the files: names, sizes, times and inodes of all folders and files that
were looked at, as git does it; a state counts only when it is older than the run that saw it, because what changes within
one tick of the clock looks as if it had not. And by their *content*, when all was read anyway: after a fresh clone, or when
a file was touched. This module imports nothing of the engine, so that an unchanged run never loads it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from coordlint import __version__, sealed

if TYPE_CHECKING:
    from coordlint.project import Project

TICK = 50_000_000  # nanoseconds that two changes may share one time
COARSE_TICK = 2_000_000_000  # on file systems that count seconds
_DECIDING = ("pyproject.toml", "coordlint.toml", ".gitignore", ".git")  # in a folder above: they say what the project is


class Answer(NamedTuple):
    """What is written: each format that was asked for, the line for stderr, and the exit code."""

    texts: dict[str, str]
    told: str
    code: int


class Question(NamedTuple):
    """One way of asking: options, folder and surroundings; `start` is where the project is looked for."""

    key: str
    start: Path
    asked_at: int  # nanoseconds


def question(start: Path, asked: Mapping[str, Any]) -> Question:
    """The question that these options and values put; they must hold all that an answer depends on but the files."""
    here = os.path.realpath(start)
    whole = repr((_stamp(), os.getcwd(), here, sorted(asked.items())))  # noqa: PTH109
    return Question(_digest([whole]), Path(here), time.time_ns())


def recall(asked: Question) -> Answer | None:
    """The answer of an earlier run, when no folder and no file that it looked at has changed."""
    for folder in (asked.start, *asked.start.parents):
        for cache in sealed.folders(folder):
            kept = _kept(cache, asked)
            if kept and kept["state"] and kept["state"] == _state(kept["root"], kept["watched"])[0]:
                return _answer(kept)
    return None


def recall_by_content(asked: Question, project: Project, content: str, further: Sequence[Path]) -> Answer | None:
    """The answer of an earlier run over the same contents; its state is then brought up to date."""
    kept = _kept(project.cache.folder, asked)
    if not kept or kept["content"] != content:
        return None
    found = _answer(kept)
    keep(asked, project, content, found, further)
    return found


def content_of(project: Project, further: Iterable[Path]) -> str:
    """A digest of all that was read: sources, what was skipped or left out, and files named by the configuration."""
    found = project.discovery
    parts = [repr((str(project.root), project.config, sorted(found.left_out.items()), found.skips))]
    for source in found.sources:
        parts += (source.path, source.kind, source.text)
    for place in further:
        try:
            parts.append(place.read_bytes().decode("latin-1"))
        except OSError:
            parts.append("")
    return _digest(parts)


def keep(asked: Question, project: Project, content: str, made: Answer, further: Sequence[Path]) -> None:
    """Keeps an answer for the next run; whatever stands in the way only costs speed."""
    if project.cache.folder is None:
        return
    root = str(project.root)
    watched = [*project.discovery.watched, *map(str, further)]
    for folder in {*project.root.parents, asked.start, *asked.start.parents, project.root}:
        watched += [str(folder / name) for name in _DECIDING]
    watched = sorted(set(watched))
    state, newest = _state(root, watched)
    tick = COARSE_TICK if newest % 1_000_000_000 == 0 else TICK
    told = {
        "root": root, "content": content, "state": state if newest < asked.asked_at - tick else "",
        "watched": watched, "texts": made.texts, "told": made.told, "code": made.code,
    }  # fmt: skip
    try:
        sealed.write(_place(project.cache.folder, asked), json.dumps(told).encode("ascii"))
    except OSError:
        return


def _kept(cache: Path | None, asked: Question) -> dict[str, Any] | None:
    data = None if cache is None else sealed.read(_place(cache, asked))
    try:
        return None if data is None else json.loads(data)
    except ValueError:  # sealed by us, and yet: of a version that wrote otherwise
        return None


def _answer(kept: dict[str, Any]) -> Answer:
    return Answer(kept["texts"], kept["told"], kept["code"])


def _place(cache: Path, asked: Question) -> Path:
    return cache / asked.key[:2] / asked.key[2:]


def _state(root: str, watched: Sequence[str]) -> tuple[str, int]:
    """A digest of what the file system says about paths, and the time of the last change that it tells."""
    told: list[str] = []
    newest = 0
    for path in watched:
        try:
            s = os.lstat(path)
        except (OSError, ValueError):
            told.append("-")
            continue
        if path == root:  # our own cache lies there, and other tools' as well
            told.append("\0".join(sorted(name for name in os.listdir(root) if name != sealed.FOLDER)))  # noqa: PTH208
            continue
        told.append(f"{s.st_mode} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}")
        newest = max(newest, s.st_mtime_ns, s.st_ctime_ns)
        if s.st_mode & 0o170000 == 0o120000:
            told.append(os.path.realpath(path))
    return _digest(told), newest


def _digest(parts: Iterable[str]) -> str:
    digest = sealed.blake2b(digest_size=20)
    for part in parts:
        octets = part.encode("utf-8", "surrogatepass")
        digest.update(len(octets).to_bytes(8, "big"))
        digest.update(octets)
    return digest.hexdigest()


def _stamp() -> str:
    """Changes whenever our own code, Python, or what is installed beside us does."""
    own = [*_folders_of("coordlint"), *_folders_of("coordlint.rules")]
    told = [__version__, sys.version]
    for folder in own:
        for at, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(files):
                s = os.stat(os.path.join(at, name))  # noqa: PTH116, PTH118
                told.append(f"{name} {s.st_size} {s.st_mtime_ns}")
    installed = os.path.dirname(os.path.dirname(sys.modules["click"].__file__ or ""))  # noqa: PTH120
    told.append(str(os.stat(installed or ".").st_mtime_ns))  # noqa: PTH116
    return _digest(told)


def _folders_of(package: str) -> list[str]:
    return list(importlib.import_module(package).__path__)
