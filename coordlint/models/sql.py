"""What an SQL text does: the lock it takes, the table it writes, whether the write is safe when it comes late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

import msgspec

from coordlint.models.schema import Late, Scope
from coordlint.models.sql_clauses import (
    assignments,
    clause,
    comparisons,
    has_condition,
    has_phrase,
    is_conditional,
    name_at,
    row_lock_flags,
    select_list,
    table_after,
    told_comparisons,
    unique,
)
from coordlint.models.sql_words import Word, words


class SqlKind(StrEnum):
    """What a statement is, in order of what matters most to a reader of a critical section."""

    ADVISORY_LOCK = "advisory-lock"
    ADVISORY_XACT_LOCK = "advisory-xact-lock"
    TRY_ADVISORY_LOCK = "try-advisory-lock"
    TRY_ADVISORY_XACT_LOCK = "try-advisory-xact-lock"
    ADVISORY_UNLOCK = "advisory-unlock"
    GET_LOCK = "get-lock"  # MySQL's named lock, SQL Server's application lock
    RELEASE_LOCK = "release-lock"
    TABLE_LOCK = "table-lock"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    ROW_LOCK = "row-lock"  # SELECT ... FOR UPDATE or SHARE
    SELECT = "select"
    DDL = "ddl"
    LISTEN = "listen"
    NOTIFY = "notify"
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    OTHER = "other"


class SqlMeaning(msgspec.Struct, frozen=True):
    """One text. Names are lower-case unless quoted; a table that a placeholder names is ""."""

    kind: SqlKind
    table: str = ""
    late: Late = Late.UNKNOWN
    conditional: bool = (
        False  # a version, fence or old value in WHERE; DO NOTHING or IF NOT EXISTS for an insert
    )
    scope: Scope | None = None  # of a lock
    key: str = ""  # the first argument of a lock function, as it stands there
    skip_locked: bool = False
    nowait: bool = False
    reads: tuple[str, ...] = ()  # columns of a select list, or on the right of SET
    writes: tuple[str, ...] = ()  # columns on the left of SET
    accumulates: tuple[str, ...] = ()  # of these, the ones computed from themselves: c = c + 1
    empties: tuple[str, ...] = ()  # and those that are set to NULL
    where: tuple[str, ...] = ()  # columns that WHERE compares
    compares: tuple[tuple[str, str], ...] = ()  # the same with how: "=", "in", "is", "!=", or "<" for every order
    ignores: bool = False  # an insert that does nothing where the row is there already
    returns: bool = False  # RETURNING: the rows that it changed are its result


_LOCK_FUNCTIONS = {
    "pg_advisory_lock": (SqlKind.ADVISORY_LOCK, Scope.DB_SESSION),
    "pg_advisory_lock_shared": (SqlKind.ADVISORY_LOCK, Scope.DB_SESSION),
    "pg_advisory_xact_lock": (SqlKind.ADVISORY_XACT_LOCK, Scope.DB_TRANSACTION),
    "pg_advisory_xact_lock_shared": (SqlKind.ADVISORY_XACT_LOCK, Scope.DB_TRANSACTION),
    "pg_try_advisory_lock": (SqlKind.TRY_ADVISORY_LOCK, Scope.DB_SESSION),
    "pg_try_advisory_lock_shared": (SqlKind.TRY_ADVISORY_LOCK, Scope.DB_SESSION),
    "pg_try_advisory_xact_lock": (SqlKind.TRY_ADVISORY_XACT_LOCK, Scope.DB_TRANSACTION),
    "pg_try_advisory_xact_lock_shared": (SqlKind.TRY_ADVISORY_XACT_LOCK, Scope.DB_TRANSACTION),
    "pg_advisory_unlock": (SqlKind.ADVISORY_UNLOCK, Scope.DB_SESSION),
    "pg_advisory_unlock_shared": (SqlKind.ADVISORY_UNLOCK, Scope.DB_SESSION),
    "pg_advisory_unlock_all": (SqlKind.ADVISORY_UNLOCK, Scope.DB_SESSION),
    "get_lock": (SqlKind.GET_LOCK, Scope.DB_SESSION),
    "release_lock": (SqlKind.RELEASE_LOCK, Scope.DB_SESSION),
    "release_all_locks": (SqlKind.RELEASE_LOCK, Scope.DB_SESSION),
}
_PROCEDURES = {"sp_getapplock": SqlKind.GET_LOCK, "sp_releaseapplock": SqlKind.RELEASE_LOCK}
_VERBS = {
    "select": SqlKind.SELECT,
    "insert": SqlKind.INSERT,
    "replace": SqlKind.INSERT,
    "merge": SqlKind.UPDATE,
    "update": SqlKind.UPDATE,
    "delete": SqlKind.DELETE,
    "lock": SqlKind.TABLE_LOCK,
    "listen": SqlKind.LISTEN,
    "notify": SqlKind.NOTIFY,
    "begin": SqlKind.BEGIN,
    "start": SqlKind.BEGIN,
    "commit": SqlKind.COMMIT,
    "end": SqlKind.COMMIT,
    "rollback": SqlKind.ROLLBACK,
    **dict.fromkeys(
        ("create", "alter", "drop", "truncate", "grant", "revoke", "comment", "reindex"), SqlKind.DDL
    ),
}
_HARMLESS = frozenset(
    {"set", "reset", "show", "use", "explain", "analyze", "describe", "pragma", "vacuum", "savepoint", "release"}
    | {"values", "unlisten", "deallocate", "discard", "checkpoint", "begin", "start", "commit", "end", "rollback", "listen"}
)
_CTE_VERBS = frozenset({"select", "insert", "update", "delete", "merge"})
_RANK = {kind: rank for rank, kind in enumerate(SqlKind)}


def classify_sql(text: str) -> SqlMeaning:
    """Reads a text of one or more statements; of several, the one that matters most to a critical section.

    Placeholders (%s, %(name)s, :name, ?, $1, {...}) may stand anywhere. Never raises; linear in the text.
    """
    meanings = [_meaning(statement) for statement in _statements(words(text))]
    return min(meanings, key=lambda meaning: _RANK[meaning.kind], default=SqlMeaning(SqlKind.OTHER))


def _statements(found: Sequence[Word]) -> Iterator[list[Word]]:
    statement: list[Word] = []
    for word in found:
        if word == Word("sign", ";"):
            if statement:
                yield statement
            statement = []
        else:
            statement.append(word)
    if statement:
        yield statement


def _meaning(statement: list[Word]) -> SqlMeaning:
    if (lock := _lock_function(statement)) is not None:
        return lock
    start = _verb_at(statement)
    kind = (
        _VERBS.get(statement[start].text, SqlKind.OTHER) if statement[start].kind == "word" else SqlKind.OTHER
    )
    flags = row_lock_flags(statement)
    match kind:
        case SqlKind.SELECT:
            return _select(statement, start, flags)
        case SqlKind.INSERT:
            return _insert(statement, start)
        case SqlKind.UPDATE:
            return _update(statement, start, flags)
        case SqlKind.DELETE:
            return _delete(statement, start, flags)
        case SqlKind.LISTEN | SqlKind.NOTIFY:
            return SqlMeaning(kind, late=Late.READ, key=name_at(statement, start + 1))
        case SqlKind.TABLE_LOCK:
            return SqlMeaning(kind, table=name_at(statement, start + 1), scope=Scope.DB_TRANSACTION)
        case SqlKind.DDL:
            late = Late.DELETE if statement[start].text in ("drop", "truncate") else Late.UNKNOWN
            return SqlMeaning(kind, table=table_after(statement, start, "table"), late=late)
        case _:
            return SqlMeaning(kind, late=Late.READ if statement[start].text in _HARMLESS else Late.UNKNOWN)


def _lock_function(statement: Sequence[Word]) -> SqlMeaning | None:
    for at, (word, after) in enumerate(pairwise(statement)):
        if word.kind != "word":
            continue
        if word.text == "pg_notify" and after.text == "(":
            return SqlMeaning(SqlKind.NOTIFY, key=_first_argument(statement, at + 2))
        if (known := _LOCK_FUNCTIONS.get(word.text)) is not None and after.text == "(":
            return SqlMeaning(known[0], scope=known[1], key=_first_argument(statement, at + 2))
        if (procedure := _PROCEDURES.get(word.text)) is not None:
            return SqlMeaning(procedure, scope=Scope.DB_SESSION)
    return None


def _first_argument(statement: Sequence[Word], at: int) -> str:
    depth, parts = 0, list[str]()
    for word in statement[at:]:
        if word.kind == "sign" and word.text in "()":
            depth += 1 if word.text == "(" else -1
        if depth < 0 or (depth == 0 and word == Word("sign", ",")):
            break
        parts.append(f"'{word.text}'" if word.kind == "string" else word.text)
    return "".join(parts)


def _verb_at(statement: Sequence[Word]) -> int:
    """Where the verb stands: behind brackets, and for WITH the first write among its parts, else its select."""
    start = 0
    while start < len(statement) - 1 and statement[start].text == "(":
        start += 1
    if statement[start] != Word("word", "with"):
        return start
    verbs = [
        at
        for at, (before, word) in enumerate(pairwise(statement), 1)
        if word.kind == "word" and word.text in _CTE_VERBS and before.text in "()"
    ]
    return next((at for at in verbs if statement[at].text != "select"), verbs[-1] if verbs else start)


def _select(statement: list[Word], start: int, flags: tuple[bool, bool, bool]) -> SqlMeaning:
    row_lock, skip_locked, nowait = flags
    return SqlMeaning(
        SqlKind.ROW_LOCK if row_lock else SqlKind.SELECT,
        table=table_after(statement, start, "from"),
        late=Late.READ,
        scope=Scope.DB_TRANSACTION if row_lock else None,
        skip_locked=skip_locked,
        nowait=nowait,
        reads=select_list(statement, start + 1),
        where=unique(name for name, _ in comparisons(clause(statement, start, "where"))),
    )


def _insert(statement: list[Word], start: int) -> SqlMeaning:
    texts = [word.text if word.kind == "word" else "" for word in statement[start:]]
    table = table_after(statement, start, "into") or name_at(statement, start + 1)
    replaces = texts[0] == "replace" or texts[1:3] == ["or", "replace"]
    ignores = (
        "ignore" in texts[1:4]
        or has_phrase(texts, "do", "nothing")
        or has_phrase(texts, "if", "not", "exists")
    )
    refuses = ignores  # the database decides; NOT EXISTS is asked before, and two may be told that it is not there
    ignores = ignores or has_phrase(texts, "where", "not", "exists")
    upserts = has_phrase(texts, "do", "update") or has_phrase(texts, "key", "update")
    sets = assignments(statement, start) if upserts else ()
    accumulates = tuple(each.column for each in sets if each.from_itself)
    checked = upserts and is_conditional(clause(statement, start, "where"), ())
    late = Late.APPEND
    if ignores or checked:
        late = Late.CONDITIONAL
    elif accumulates:
        late = Late.ACCUMULATE
    elif upserts or replaces:
        late = Late.OVERWRITE
    return SqlMeaning(
        SqlKind.INSERT,
        table=table,
        late=late,
        conditional=ignores or checked,
        writes=tuple(each.column for each in sets),
        accumulates=accumulates,
        ignores=refuses,
        returns=_returns(statement),
    )


def _update(statement: list[Word], start: int, flags: tuple[bool, bool, bool]) -> SqlMeaning:
    if statement[start].text == "merge":
        return SqlMeaning(SqlKind.UPDATE, table=table_after(statement, start, "into"), late=Late.OVERWRITE)
    sets = assignments(statement, start)
    writes = tuple(each.column for each in sets)
    accumulates = tuple(each.column for each in sets if each.from_itself)
    where = clause(statement, start, "where")
    conditional = is_conditional(where, writes) or has_condition(statement, start)
    late = Late.CONDITIONAL if conditional else Late.ACCUMULATE if accumulates else Late.OVERWRITE
    return SqlMeaning(
        SqlKind.UPDATE,
        table=name_at(statement, start + 1),
        late=late,
        conditional=conditional,
        skip_locked=flags[1],
        nowait=flags[2],
        reads=unique(column for each in sets for column in each.reads),
        writes=writes,
        accumulates=accumulates,
        empties=tuple(each.column for each in sets if each.empties),
        where=unique(name for name, _ in comparisons(where)),
        compares=told_comparisons(where),
        returns=_returns(statement),
    )


def _delete(statement: list[Word], start: int, flags: tuple[bool, bool, bool]) -> SqlMeaning:
    where = clause(statement, start, "where")
    conditional = is_conditional(where, ())
    return SqlMeaning(
        SqlKind.DELETE,
        table=table_after(statement, start, "from") or name_at(statement, start + 1),
        late=Late.CONDITIONAL if conditional else Late.DELETE,
        conditional=conditional,
        skip_locked=flags[1],
        where=unique(name for name, _ in comparisons(where)),
        compares=told_comparisons(where),
        returns=_returns(statement),
    )


def _returns(statement: Sequence[Word]) -> bool:
    return Word("word", "returning") in statement
