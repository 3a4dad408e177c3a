"""What a check said, by everything that entered into it: nothing changed, nothing is read, linked or judged again.

An answer is found by the *state* of the files: names, sizes, times and inodes of all folders and files that
were looked at, as git does it; a state counts only when it is older than the run that saw it, because what changes within
one tick of the clock looks as if it had not. What changed is then asked whether it matters (`recalling`). This module imports nothing
of the engine, so that an unchanged run never loads it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from coordlint import __version__, sealed
from coordlint.sealed import digest

TICK = 50_000_000  # nanoseconds that two changes may share one time
COARSE_TICK = 2_000_000_000  # on file systems that count seconds
DECIDING = ("pyproject.toml", "coordlint.toml", ".gitignore", ".git")  # in a folder above: they say what the project is
_GIT = os.sep + ".git"


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
    return Question(digest([whole]), Path(here), time.time_ns())


class Before(NamedTuple):
    """An answer to the question, and what the file system says now: something has changed since, or may have."""

    cache: Path
    kept: dict[str, Any]
    stamps: list[str]  # of what is watched, in its order
    newest: int


def recall(asked: Question) -> Answer | Before | None:
    """The answer of an earlier run, when no folder and no file that it looked at has changed; else what is left of it."""
    before = None
    for folder in (asked.start, *asked.start.parents):
        for cache in sealed.folders(folder):
            if (kept := kept_in(cache, asked)) and kept["state"]:
                stamps, newest = _stamps(kept["root"], kept["watched"])
                if kept["state"] == digest(stamps):
                    return answer(kept)
                before = before or Before(cache, kept, stamps, newest)
    return before


def seen(root: Path, start: Path, further: Iterable[str]) -> tuple[list[str], list[str], int]:
    """All paths that decide, what the file system says of each, and the time of the last change that it tells."""
    folders = {*root.parents, start, *start.parents, root}
    watched = sorted({*further, *(str(folder / name) for folder in folders for name in DECIDING)})
    stamps, newest = _stamps(str(root), watched)
    return watched, stamps, newest


def keep(cache: Path, asked: Question, told: dict[str, Any], stamps: Sequence[str], newest: int) -> None:
    """Keeps an answer for the next run, with its state when that can be believed. Raises OSError."""
    tick = COARSE_TICK if newest % 1_000_000_000 == 0 else TICK
    told["state"] = digest(stamps) if newest < asked.asked_at - tick else ""
    sealed.write(_place(cache, asked), json.dumps(told).encode("ascii"))


def is_folder(stamp: str) -> bool:
    """Whether a stamp is that of a folder."""
    mode = stamp.partition(" ")[0]
    return mode.isdigit() and int(mode) & 0o170000 == 0o040000


def listing(folder: str) -> str:
    """What lies in a folder, by name and sort, in one word, our own cache left out; "" when it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(f"{e.name}\0{_sort(e)}" for e in entries if e.name != sealed.FOLDER)
    except OSError:
        return ""
    return digest(found)


def _sort(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    return "folder" if entry.is_dir(follow_symlinks=False) else "file" if entry.is_file(follow_symlinks=False) else "other"


def kept_in(cache: Path | None, asked: Question) -> dict[str, Any] | None:
    """What a cache holds of this question."""
    data = None if cache is None else sealed.read(_place(cache, asked))
    try:
        return None if data is None else json.loads(data)
    except ValueError:  # sealed by us, and yet: of a version that wrote otherwise
        return None


def answer(kept: dict[str, Any]) -> Answer:
    """The answer that was kept."""
    return Answer(kept["texts"], kept["told"], kept["code"])


def _place(cache: Path, asked: Question) -> Path:
    return cache / asked.key[:2] / asked.key[2:]


def _stamps(root: str, watched: Sequence[str]) -> tuple[list[str], int]:
    """What the file system says about each path, and the time of the last change that it tells."""
    told: list[str] = []
    newest = 0
    for path in watched:
        try:
            s = os.lstat(path)
        except (OSError, ValueError):
            told.append("-")
            continue
        if path == root:  # our own cache lies there, and other tools' as well
            told.append(listing(root))
            continue
        if path.endswith(_GIT):  # every commit touches it; that it is there makes a project
            told.append("+" if os.path.exists(path) else "-")  # noqa: PTH110
            continue
        newest = max(newest, s.st_mtime_ns, s.st_ctime_ns)
        link = os.path.realpath(path) if s.st_mode & 0o170000 == 0o120000 else ""
        told.append(f"{s.st_mode} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino} {link}")
    return told, newest


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
    return digest(told)


def _folders_of(package: str) -> list[str]:
    return list(importlib.import_module(package).__path__)
