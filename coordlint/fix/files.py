"""A file's bytes with changed text: encoding, line ends and mode stay, and what is no plain file of the project is left alone."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path

from coordlint.fix.edits import between
from coordlint.source import Source
from coordlint.sourcetext import Undecodable, encoding_of

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


class CannotWrite(Exception):
    """Why a file is not changed."""


def data_of(root: Path, source: Source) -> bytes:
    """The file's bytes, when they still are what was analysed. Raises CannotWrite."""
    _check_plain(root, source.path)
    try:
        return (root / source.path).read_bytes()
    except OSError as error:
        raise CannotWrite(f"cannot be read: {error.strerror}") from None


def changed(data: bytes, source: Source, text: str) -> bytes:
    """The bytes of the file with this text. Raises CannotWrite."""
    try:
        encoding = encoding_of(data, source.kind)
        raw = data.decode(encoding)
    except (Undecodable, UnicodeError):
        raise CannotWrite("is no text in its encoding any more") from None
    lines = _LINE.findall(raw)
    if raw.encode(encoding) != data or "".join(lines) != raw:
        raise CannotWrite("would not keep its bytes")
    if raw.replace("\r\n", "\n").replace("\r", "\n") != source.text:
        raise CannotWrite("was changed since it was analysed")
    for edit in sorted(between(source.path, source.text, text), key=lambda e: e.place, reverse=True):
        first, last = edit.place.span.line - 1, edit.place.span.end_line - 1
        ends = next((end for n in (first, first - 1, 0) if 0 <= n < len(lines) and (end := _end(lines[n]))), "\n")
        if first and first == len(lines) and not lines[-1].endswith(("\r", "\n")):
            lines[-1] += ends
        lines[first:last] = _LINE.findall(edit.replacement.replace("\n", ends))
    try:
        return "".join(lines).encode(encoding)
    except UnicodeError:
        raise CannotWrite(f"cannot hold the new text in {encoding}") from None


def _end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def write(root: Path, source: Source, old: bytes, new: bytes) -> None:
    """Puts new bytes in the file's place in one step, unless they changed meanwhile. Raises CannotWrite."""
    place = root / source.path
    if data_of(root, source) != old:
        raise CannotWrite("was changed meanwhile")
    if not os.access(place, os.W_OK):
        raise CannotWrite("is read-only")
    made = ""
    try:
        kept = place.lstat()
        number, made = tempfile.mkstemp(prefix=".coordlint-", dir=place.parent)
        with os.fdopen(number, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        Path(made).chmod(stat.S_IMODE(kept.st_mode))
        if hasattr(os, "chown"):
            with contextlib.suppress(OSError):
                os.chown(made, kept.st_uid, kept.st_gid)
        _check_plain(root, source.path)
        Path(made).replace(place)
    except OSError as error:
        if made:
            Path(made).unlink(missing_ok=True)
        raise CannotWrite(f"cannot be written: {error.strerror}") from None


def _check_plain(root: Path, path: str) -> None:
    """Refuses symbolic links on the way, and what is no regular file."""
    place = root
    for part in path.split("/"):
        place = place / part
        if part in ("", ".", "..") or place.is_symlink():
            raise CannotWrite("is reached through a symbolic link")
    if not place.is_file():
        raise CannotWrite("is no plain file any more")
