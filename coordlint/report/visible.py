"""Text from hostile files made safe to show: control and direction characters become visible escapes."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """One line that no terminal obeys: newlines, tabs, escapes and bidirectional marks stand as \\n, \\x1b, \\u202e."""
    return _UNSAFE.sub(_escape, text)


def width(text: str) -> int:
    """Columns that a text takes on a terminal; East Asian wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def uri(path: str) -> str:
    """A relative URI reference for a POSIX path; bytes that are no UTF-8 come as they are."""
    try:
        octets = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character that no file system gave, but a report may have
        octets = path.encode("utf-8", "surrogatepass")
    return quote(octets, safe="/-._~!$&'()*+,;=@")


def markdown(text: str) -> str:
    """Text that markdown shows as it is: no markup, no links, no table cells, no HTML, no mentions."""
    return (
        re.sub(r"([\\`*_{}\[\]<>()#+!|~@&$-])", r"\\\1", visible(text))
        .replace("\\-", "-")
        .replace("\\(", "(")
        .replace("\\)", ")")
    )


def code(text: str) -> str:
    """An inline code span that holds the text, whatever back-ticks it has."""
    shown = visible(text)
    fence = "`"
    while fence in shown:
        fence += "`"
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _escape(found: re.Match[str]) -> str:
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\x1b"}
    char = found[0]
    return known.get(char) or (f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}")
