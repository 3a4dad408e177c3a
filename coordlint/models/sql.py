"""What a SQL statement does, read from its text. First form: the words that decide."""

from __future__ import annotations

import re

import msgspec

from coordlint.models.schema import Late

LONGEST = 20_000


class SqlMeaning(msgspec.Struct, frozen=True):
    """A statement, understood: its kind, table, and what repeating it late does."""

    kind: str
    table: str = ""
    late: Late = Late.UNKNOWN
    conditional: bool = False
    skip_locked: bool = False
    nowait: bool = False


_LOCKS = (
    ("try-advisory-xact-lock", "pg_try_advisory_xact_lock"),
    ("advisory-xact-lock", "pg_advisory_xact_lock"),
    ("try-advisory-lock", "pg_try_advisory_lock"),
    ("advisory-lock", "pg_advisory_lock"),
    ("advisory-unlock", "pg_advisory_unlock"),
    ("release-lock", "release_lock("),
    ("get-lock", "get_lock("),
)
_TABLE = re.compile(r"\b(?:from|into|update|table)\s+[\"`]?([\w.]+)", re.IGNORECASE)
_ARITHMETIC = re.compile(r"[\"`]?(\w+)[\"`]?\s*=\s*(?:\w+\.)?[\"`]?\1[\"`]?\s*[-+*/|]", re.IGNORECASE)
_VERSION = re.compile(r"\b(version|version_id|rev|revision|etag|fence|fencing_token|lock_version|row_version|epoch)\b[\"`]?\s*(=|<|<=)", re.IGNORECASE)


def classify_sql(text: str) -> SqlMeaning:
    """The meaning of one statement's text; placeholders of any style are allowed."""
    lower = " ".join(text[:LONGEST].lower().split())
    for kind, word in _LOCKS:
        if word in lower:
            return SqlMeaning(kind)
    found = _TABLE.search(lower)
    table = found[1] if found else ""
    verb = lower.lstrip("( ").partition(" ")[0]
    skip, nowait = "skip locked" in lower, "nowait" in lower
    if re.search(r"\bfor (no key )?update\b", lower) or re.search(r"\bfor share\b", lower):
        return SqlMeaning("row-lock", table, Late.READ, False, skip, nowait)
    if lower.startswith("lock table"):
        return SqlMeaning("table-lock", table)
    if verb in ("select", "with"):
        return SqlMeaning("select", table, Late.READ)
    if verb in ("insert", "replace", "merge"):
        conditional = "on conflict" in lower or "ignore into" in lower or "where not exists" in lower
        return SqlMeaning("insert", table, Late.CONDITIONAL if conditional else Late.APPEND, conditional)
    if verb == "update":
        where = lower.partition(" where ")[2]
        if _VERSION.search(where):
            return SqlMeaning("update", table, Late.CONDITIONAL, True)
        settings = lower.partition(" set ")[2].partition(" where ")[0]
        return SqlMeaning("update", table, Late.ACCUMULATE if _ARITHMETIC.search(settings) else Late.OVERWRITE)
    if verb == "delete":
        return SqlMeaning("delete", table, Late.DELETE)
    return SqlMeaning("ddl" if verb in ("create", "alter", "drop", "truncate") else "other", table)
