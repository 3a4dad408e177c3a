"""The parts of one SQL statement: clauses, assignments, comparisons, names. Words in, words or names out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from coordlint.models.sql_words import Word

_COMPARES = frozenset({"=", "<", ">", "<=", ">=", "<>", "!=", "is", "in"})
_EQUALS = frozenset({"=", "is", "in"})
_COMPUTES = frozenset(
    {"+", "-", "*", "/", "||", "concat", "array_append", "array_prepend", "array_cat", "jsonb_insert"}
)
_NO_COLUMN = frozenset(
    {"and", "or", "not", "null", "true", "false", "case", "when", "then", "else", "end", "any", "all"}
)
_ENDS_SET = frozenset({"where", "from", "returning", "order", "limit", "if"})
_COMMA = Word("sign", ",")
_LISTS = (Word("word", "any"), Word("word", "some"))
_VERSION = re.compile(
    r"(?:.*_)?(?:version|ver|rev|revision|etag|fence|fencing|fencing_token|fence_token|lock_token|epoch|generation|"
    r"xmin|term|lock_owner|lease_owner|locked_by|claimed_by|leased_by|updated_at|updated_on|modified_at|modified_on|last_modified)\Z"
)

_STAMP = re.compile(r"updated|modified")  # older than some day is an age, not a version


class Assignment(NamedTuple):
    """`column = value`; whether the value is computed from the column itself, what it reads, and whether it is NULL."""

    column: str
    from_itself: bool
    reads: tuple[str, ...]
    empties: bool = False


def row_lock_flags(statement: Sequence[Word]) -> tuple[bool, bool, bool]:
    """(locks rows, skips locked ones, does not wait), anywhere in the statement."""
    texts = [word.text if word.kind == "word" else "" for word in statement]
    locks = any(
        before == "for" and text in ("update", "share", "no", "key") for before, text in pairwise(texts)
    )
    return locks, locks and has_phrase(texts, "skip", "locked"), locks and "nowait" in texts


def clause(statement: Sequence[Word], start: int, keyword: str) -> list[Word]:
    """What follows the last such keyword of the outermost level."""
    depth, found = 0, -1
    for at in range(start, len(statement)):
        depth = _deeper(depth, statement[at])
        if depth < 0:  # the bracket around this part of a WITH
            return list(statement[found + 1 : at]) if found >= 0 else []
        if depth == 0 and statement[at] == Word("word", keyword):
            found = at
    return list(statement[found + 1 :]) if found >= 0 else []


def assignments(statement: Sequence[Word], start: int) -> tuple[Assignment, ...]:
    """Each `column = ...` behind SET, or behind MySQL's ON DUPLICATE KEY UPDATE."""
    words = clause(statement, start, "set") or clause(statement, start, "update")
    found: list[Assignment] = []
    depth, item = 0, list[Word]()
    for at, word in enumerate((*words, _COMMA)):
        depth = _deeper(depth, word)
        ends = depth < 0 or (
            depth == 0 and word.kind == "word" and word.text in _ENDS_SET and not _is_call(words, at)
        )
        if ends or (depth == 0 and word == _COMMA):
            if (assignment := _assignment(item)) is not None:
                found.append(assignment)
            item = []
            if ends:
                break
        else:
            item.append(word)
    return tuple(found)


def _assignment(item: Sequence[Word]) -> Assignment | None:
    at = next((at for at, word in enumerate(item) if word == Word("sign", "=")), 0)
    if not at or item[at - 1].kind not in ("word", "name"):
        return None
    column, value = item[at - 1].text, item[at + 1 :]
    read = unique(word.text for at, word in enumerate(value) if _is_column(word) and not _is_call(value, at))
    computes = any(word.kind in ("sign", "word") and word.text in _COMPUTES for word in value)
    empties = len(value) == 1 and value[0].text.lower() == "null"
    return Assignment(column, column in read and computes, read, empties)


def has_condition(statement: Sequence[Word], start: int) -> bool:
    """CQL's light-weight transaction: `IF NOT EXISTS` or `IF column = ...`, but not the function IF(...)."""
    words = clause(statement, start, "if")
    return bool(words) and words[0].text != "("


def comparisons(words: Sequence[Word]) -> Iterator[tuple[str, str]]:
    """(column, sign) wherever a clause compares a column, on either side of the sign."""
    for at, word in enumerate(words):
        if word.text not in _COMPARES or word.kind not in ("sign", "word"):
            continue
        left = words[at - 1] if at else None
        right = words[at + 1] if at + 1 < len(words) else None
        if left is not None and left.text == "not" and at > 1:
            left = words[at - 2]
        if left is not None and _is_column(left):
            yield left.text, "in" if word.text == "=" and right in _LISTS else word.text
        elif word.kind == "sign" and right is not None and _is_column(right):
            yield words[_last_of_name(words, at + 1)].text, word.text


_ORDERS = frozenset({"<", ">", "<=", ">="})


def told_comparisons(words: Sequence[Word]) -> tuple[tuple[str, str], ...]:
    """Comparisons with their signs told simply: "=", "in", "is", "!=", and "<" for every order."""
    return tuple((name, "<" if sign in _ORDERS else "!=" if sign == "<>" else sign) for name, sign in comparisons(words))


def is_version(column: str) -> bool:
    """Whether a column, by its name, tells versions, fences or holders of a row apart."""
    return _VERSION.match(column.lower()) is not None


def _expects(column: str, sign: str, writes: Sequence[str]) -> bool:
    if is_version(column) and (sign == "=" or (sign in _ORDERS and (column in writes or not _STAMP.search(column)))):
        return True
    return column in writes and sign in _EQUALS


def is_conditional(where: Sequence[Word], writes: Sequence[str]) -> bool:
    """Whether WHERE compares a version, a fence, or the old value of a column that is written.

    One of several versions (`= ANY`, `IN`) and what is older than some day choose rows; nobody was expected there.
    """
    return any(
        _expects(column, sign, writes)
        for column, sign in comparisons(where)
    )


def select_list(statement: Sequence[Word], start: int) -> tuple[str, ...]:
    depth, found = 0, list[str]()
    for at in range(start, len(statement)):
        word = statement[at]
        depth = _deeper(depth, word)
        if depth < 0 or (depth == 0 and word == Word("word", "from")):
            break
        after = statement[at + 1] if at + 1 < len(statement) else Word("sign", ",")
        if depth == 0 and (word.text == "*" or _is_column(word)) and after.text in (",", "from"):
            found.append(word.text)
    return unique(found)


def table_after(statement: Sequence[Word], start: int, keyword: str) -> str:
    depth = 0
    for at in range(start, len(statement)):
        depth = _deeper(depth, statement[at])
        if depth == 0 and statement[at] == Word("word", keyword):
            return name_at(statement, at + 1)
    return ""


def name_at(statement: Sequence[Word], at: int) -> str:
    """`schema.table` or `table`; "" where a placeholder or a bracket stands."""
    while at < len(statement) and statement[at].text in (
        "only",
        "table",
        "tables",
        "if",
        "not",
        "exists",
        "ignore",
        "into",
    ):
        at += 1
    if at >= len(statement) or statement[at].kind not in ("word", "name"):
        return ""
    return ".".join(word.text for word in statement[at : _last_of_name(statement, at) + 1 : 2])


def _last_of_name(statement: Sequence[Word], at: int) -> int:
    while (
        at + 2 < len(statement)
        and statement[at + 1].text == "."
        and statement[at + 2].kind in ("word", "name")
    ):
        at += 2
    return at


def _is_column(word: Word) -> bool:
    return word.kind == "name" or (word.kind == "word" and word.text not in _NO_COLUMN)


def _is_call(words: Sequence[Word], at: int) -> bool:
    return at + 1 < len(words) and words[at + 1].text == "("


def _deeper(depth: int, word: Word) -> int:
    if word.kind != "sign" or word.text not in "()":
        return depth
    return depth + 1 if word.text == "(" else depth - 1


def has_phrase(texts: Sequence[str], *phrase: str) -> bool:
    return any(tuple(texts[at : at + len(phrase)]) == phrase for at in range(len(texts)))


def unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
