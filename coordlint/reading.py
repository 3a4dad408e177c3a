"""One file off the disk: its text and kind, or why it is not read. Never through a link, never blocking, never all of what is too large."""

from __future__ import annotations

import os
import stat

from coordlint.kinds import HEAD_BYTES, PYTHON_LIMIT, YAML_LIMIT, Sniffed, is_generated, kind_of
from coordlint.source import Kind, Skip, Source
from coordlint.sourcetext import Undecodable, decode

LARGE = 300_000  # characters; such a file is never analysed in the process that was started, nor one with
LONG_LINE = 20_000  # characters in a line


def read(path: str, place: str, size: int, named: Kind | Sniffed) -> Source | Skip | str | None:
    """The source, or why not: a told skip, or the reason for which it is left out; None when it is no kind of ours."""
    shown = printable(path)
    limit = PYTHON_LIMIT if named is Kind.PYTHON else YAML_LIMIT
    if size > limit:
        if isinstance(named, Kind):
            return Skip(shown, f"larger than {limit // 1_000_000} MB ({size / 1e6:.1f} MB)")
        return None
    try:
        data = read_regular(place, named)
    except OSError as error:
        return Skip(shown, f"cannot be read: {error.strerror}")
    if data is None:
        return None
    kind = kind_of(named, data)
    if kind is None:
        return None
    if is_generated(path, kind, data):
        return "generated code"
    try:
        return Source(shown, kind, decode(data, kind))
    except Undecodable as problem:
        return Skip(shown, str(problem), problem.line)


def read_regular(place: str, named: Kind | Sniffed) -> bytes | None:
    """The bytes of a regular file, never through a link, never blocking; None when its head shows that it is not ours."""
    descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        if isinstance(named, Sniffed):
            head = file.read(HEAD_BYTES)
            if not named.plausible(head):
                return None
            return head + file.read() if len(head) == HEAD_BYTES else head
        return file.read()


def is_risky(source: Source) -> bool:
    """Whether analysing this file could take long or much: then it is done where it can be killed."""
    size = len(source.text)
    return size > LARGE or (size > LONG_LINE and any(len(line) > LONG_LINE for line in source.text.split("\n")))


def printable(path: str) -> str:
    """The path as text that every report can carry: bytes that are no UTF-8 stand as \\xNN."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    return path
