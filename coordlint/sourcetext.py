"""Bytes to text: encodings as each kind of file declares them, newlines made one."""

from __future__ import annotations

import codecs
import re

from coordlint.source import Kind

_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Undecodable(Exception):
    """The bytes are not text in the encoding that they declare; `line` is where the first bad byte stands."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


def decode(data: bytes, kind: Kind) -> str:
    """The text of a file, lines ended by newlines alone. Python: byte order mark, then PEP 263 cookie, then UTF-8.

    Raises Undecodable.
    """
    encoding = encoding_of(data, kind)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Undecodable(
            f"not {_spoken(encoding)}: byte 0x{data[error.start]:02x} on line {line}", line
        ) from None
    except UnicodeError as error:
        raise Undecodable(f"not {_spoken(encoding)}: {error}") from None
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def encoding_of(data: bytes, kind: Kind) -> str:
    """The codec that reads the bytes, byte order mark included. Raises Undecodable."""
    mark = next((name for bom, name in _MARKS if data.startswith(bom)), None)
    if kind is not Kind.PYTHON:
        return mark or "utf-8"
    if mark not in (None, "utf-8-sig"):
        raise Undecodable(f"encoded as {mark.upper()}, which Python does not read" if mark else "")
    name = _cookie(data)
    if name is None or mark:
        return mark or "utf-8"
    try:
        info = codecs.lookup(name)
    except LookupError:
        raise Undecodable(f"declares an unknown encoding: {name[:40]}") from None
    if not getattr(info, "_is_text_encoding", True):
        raise Undecodable(f"declares {name[:40]}, which is no text encoding")
    return info.name


def _cookie(data: bytes) -> str | None:
    """The encoding declared in the first two lines of Python source."""
    if b"coding" not in data[:400]:
        return None
    first, _, rest = data.partition(b"\n")
    for line in (first, rest.partition(b"\n")[0]):
        if found := _COOKIE.match(line):
            return found[1].decode("ascii", "replace")
        if line.strip() and not line.lstrip().startswith(b"#"):
            return None
    return None


def _spoken(encoding: str) -> str:
    return encoding.removesuffix("-sig").upper()
