"""SQL text -> words, in one pass and linear time. No dialect: quoting, comments and placeholders of all common ones."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_SQL = 50_000  # characters; what stands behind is not read

_NEXT = re.compile(
    r"(?P<space>[\s\ufeff]+)"
    r"|(?P<placeholder>%\([^()\s]{1,80}\)s|%s|\$[0-9]+|\{[^{}]{0,80}\}|\?|:[A-Za-z_]\w*|@[A-Za-z_]\w*)"
    r"|(?P<word>[A-Za-z_][\w$]*)"
    r"|(?P<number>[0-9][\w.]*)"
    r"|(?P<sign>::|<=|>=|<>|!=|\|\||:=|.)",
    re.DOTALL,
)
_DOLLAR = re.compile(r"\$[A-Za-z_]*\$")
_CLOSERS = {"'": "'", '"': '"', "`": "`"}


class Word(NamedTuple):
    """One word of SQL. `text` is lower-case unless quoted; kinds: word, name, string, number, placeholder, sign."""

    kind: str
    text: str


def words(sql: str) -> list[Word]:
    """The words of a text, without space and comments. What is not closed goes to the end."""
    text = sql[:MAX_SQL]
    found: list[Word] = []
    at = 0
    while at < len(text):
        end = _skipped(text, at)
        if end is not None:
            at = end
            continue
        word, at = _quoted(text, at) or _plain(text, at)
        if word is not None:
            found.append(word)
    return found


def _skipped(text: str, at: int) -> int | None:
    """The end of a comment that begins here."""
    if text.startswith("--", at):
        return _behind(text, "\n", at)
    if text.startswith("/*", at):
        return _behind(text, "*/", at + 2)
    return None


def _quoted(text: str, at: int) -> tuple[Word, int] | None:
    opener = text[at]
    if opener == "$" and (dollar := _DOLLAR.match(text, at)) is not None:
        end = _behind(text, dollar[0], dollar.end())
        return Word("string", text[dollar.end() : end - len(dollar[0])]), end
    if opener not in _CLOSERS:
        return None
    end = at + 1
    while (end := _behind(text, opener, end)) < len(text) and text[end] == opener:  # doubled: the sign itself
        end += 1
    body = text[at + 1 : end - 1 if text.endswith(opener, at + 1, end) else end]
    return Word("string" if opener == "'" else "name", body), end


def _plain(text: str, at: int) -> tuple[Word | None, int]:
    match = _NEXT.match(text, at)
    if match is None or match.lastgroup is None:  # cannot be: `.` takes everything
        return None, at + 1
    if match.lastgroup == "space":
        return None, match.end()
    kept = match[0] if match.lastgroup == "placeholder" else match[0].lower()
    return Word(match.lastgroup, kept), match.end()


def _behind(text: str, closer: str, at: int) -> int:
    end = text.find(closer, at)
    return len(text) if end < 0 else end + len(closer)
