"""What SQL texts mean."""

import pytest

from coordlint.models import Late, Scope
from coordlint.models.sql import SqlKind, classify_sql


@pytest.mark.parametrize(
    ("text", "kind", "scope", "key"),
    [
        ("SELECT pg_advisory_lock(42)", SqlKind.ADVISORY_LOCK, Scope.DB_SESSION, "42"),
        ("select pg_advisory_lock(%s, %s)", SqlKind.ADVISORY_LOCK, Scope.DB_SESSION, "%s"),
        (
            "SELECT pg_advisory_lock(hashtext(:name))",
            SqlKind.ADVISORY_LOCK,
            Scope.DB_SESSION,
            "hashtext(:name)",
        ),
        (
            "SELECT pg_advisory_lock(hashtext('a, b'), 1)",
            SqlKind.ADVISORY_LOCK,
            Scope.DB_SESSION,
            "hashtext('a, b')",
        ),
        ("SELECT pg_advisory_lock_shared({})", SqlKind.ADVISORY_LOCK, Scope.DB_SESSION, "{}"),
        ("SELECT pg_advisory_xact_lock($1)", SqlKind.ADVISORY_XACT_LOCK, Scope.DB_TRANSACTION, "$1"),
        ("SELECT pg_try_advisory_lock(?)", SqlKind.TRY_ADVISORY_LOCK, Scope.DB_SESSION, "?"),
        (
            "SELECT pg_try_advisory_xact_lock({key})",
            SqlKind.TRY_ADVISORY_XACT_LOCK,
            Scope.DB_TRANSACTION,
            "{key}",
        ),
        ("SELECT pg_advisory_unlock(%(id)s)", SqlKind.ADVISORY_UNLOCK, Scope.DB_SESSION, "%(id)s"),
        ("SELECT pg_advisory_unlock_all()", SqlKind.ADVISORY_UNLOCK, Scope.DB_SESSION, ""),
        ("SELECT GET_LOCK('job', 10)", SqlKind.GET_LOCK, Scope.DB_SESSION, "'job'"),
        ("DO RELEASE_LOCK('job')", SqlKind.RELEASE_LOCK, Scope.DB_SESSION, "'job'"),
        (
            "EXEC sp_getapplock @Resource = 'r', @LockMode = 'Exclusive'",
            SqlKind.GET_LOCK,
            Scope.DB_SESSION,
            "",
        ),
        (
            "WITH l AS (SELECT pg_try_advisory_lock(1) AS ok) SELECT ok FROM l",
            SqlKind.TRY_ADVISORY_LOCK,
            Scope.DB_SESSION,
            "1",
        ),
    ],
)
def test_lock_functions_tell_their_scope_and_key(text: str, kind: SqlKind, scope: Scope, key: str) -> None:
    meaning = classify_sql(text)
    assert (meaning.kind, meaning.scope, meaning.key) == (kind, scope, key)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'pg_advisory_lock(1)'",
        "SELECT 1 -- pg_advisory_lock(1)",
        "SELECT /* pg_advisory_lock(1) */ 1",
        "SELECT $$ pg_advisory_lock(1) $$",
        "SELECT pg_advisory_lock FROM settings",
    ],
)
def test_a_lock_function_that_is_not_called_takes_no_lock(text: str) -> None:
    assert classify_sql(text).kind is SqlKind.SELECT


@pytest.mark.parametrize(
    ("text", "skip_locked", "nowait"),
    [
        ("SELECT * FROM jobs WHERE id = %s FOR UPDATE", False, False),
        ("SELECT * FROM jobs LIMIT 1 FOR UPDATE SKIP LOCKED", True, False),
        ("select id from jobs for no key update nowait", False, True),
        ("SELECT id FROM jobs FOR SHARE", False, False),
        ("(SELECT id FROM jobs FOR KEY SHARE)", False, False),
    ],
)
def test_select_for_update_locks_rows(text: str, skip_locked: bool, nowait: bool) -> None:
    meaning = classify_sql(text)
    assert meaning.kind is SqlKind.ROW_LOCK
    assert (meaning.table, meaning.scope) == ("jobs", Scope.DB_TRANSACTION)
    assert (meaning.skip_locked, meaning.nowait) == (skip_locked, nowait)


@pytest.mark.parametrize("text", ["LOCK TABLE jobs IN EXCLUSIVE MODE", "LOCK TABLES jobs WRITE", "lock jobs"])
def test_lock_table_locks_a_table(text: str) -> None:
    assert (classify_sql(text).kind, classify_sql(text).table) == (SqlKind.TABLE_LOCK, "jobs")


@pytest.mark.parametrize(
    ("text", "late", "conditional"),
    [
        ("UPDATE accounts SET balance = %s WHERE id = %s", Late.OVERWRITE, False),
        ("UPDATE accounts SET balance = balance + %s WHERE id = %s", Late.ACCUMULATE, False),
        ("UPDATE accounts a SET balance = a.balance - :amount WHERE id = :id", Late.ACCUMULATE, False),
        ("UPDATE accounts SET balance = :b WHERE id = :id AND version = :v", Late.CONDITIONAL, True),
        (
            "UPDATE accounts SET balance = ?, version = version + 1 WHERE id = ? AND version = ?",
            Late.CONDITIONAL,
            True,
        ),
        ("UPDATE accounts SET balance = $1 WHERE id = $2 AND fence < $3", Late.CONDITIONAL, True),
        ("UPDATE accounts SET balance = $1 WHERE id = $2 AND $3 > lock_version", Late.CONDITIONAL, True),
        ('UPDATE "accounts" SET "balance" = %(b)s WHERE "row_version" = %(v)s', Late.CONDITIONAL, True),
        ("UPDATE jobs SET status = 'done' WHERE id = 1 AND status = 'running'", Late.CONDITIONAL, True),
        ("UPDATE jobs SET worker = %s WHERE id = %s AND worker IS NULL", Late.CONDITIONAL, True),
        ("UPDATE jobs SET state = 'x' WHERE state IN ('a', 'b')", Late.CONDITIONAL, True),
        # an invariant does not stop the second time
        ("UPDATE accounts SET balance = balance - 5 WHERE id = 1 AND balance >= 5", Late.ACCUMULATE, False),
        # a version that is written and not compared protects nothing
        ("UPDATE accounts SET balance = 1, version = version + 1 WHERE id = 1", Late.ACCUMULATE, False),
        ("UPDATE users SET name = IF(name = 'x', 'y', 'z') WHERE id = 1", Late.OVERWRITE, False),
        ("UPDATE users SET email = 'b' WHERE id = 1 IF email = 'a'", Late.CONDITIONAL, True),
    ],
)
def test_an_update_is_judged_by_what_it_compares_and_computes(
    text: str, late: Late, conditional: bool
) -> None:
    meaning = classify_sql(text)
    assert meaning.kind is SqlKind.UPDATE
    assert (meaning.late, meaning.conditional) == (late, conditional)


def test_an_update_names_its_columns() -> None:
    meaning = classify_sql(
        "UPDATE shop.stock SET amount = amount - :n, seen = now(), note = %s WHERE sku = :s AND v > 1"
    )
    assert meaning.table == "shop.stock"
    assert meaning.writes == ("amount", "seen", "note")
    assert meaning.accumulates == ("amount",)
    assert meaning.reads == ("amount",)
    assert meaning.where == ("sku", "v")


@pytest.mark.parametrize(
    ("text", "late", "conditional"),
    [
        ("INSERT INTO t (a) VALUES (%s)", Late.APPEND, False),
        ("INSERT INTO t (a) VALUES (:a) ON CONFLICT DO NOTHING", Late.CONDITIONAL, True),
        ("INSERT INTO t (a) VALUES (:a) ON CONFLICT (a) DO NOTHING RETURNING id", Late.CONDITIONAL, True),
        ("INSERT IGNORE INTO t (a) VALUES (%s)", Late.CONDITIONAL, True),
        ("INSERT OR IGNORE INTO t VALUES (?)", Late.CONDITIONAL, True),
        ("INSERT INTO t (a) VALUES ('x') IF NOT EXISTS", Late.CONDITIONAL, True),
        ("INSERT INTO t (a) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM t)", Late.CONDITIONAL, True),
        (
            "INSERT INTO t (a, b) VALUES (1, 2) ON CONFLICT (a) DO UPDATE SET b = excluded.b",
            Late.OVERWRITE,
            False,
        ),
        (
            "INSERT INTO t (a, n) VALUES (1, 1) ON CONFLICT (a) DO UPDATE SET n = t.n + 1",
            Late.ACCUMULATE,
            False,
        ),
        (
            "INSERT INTO t (a, b, version) VALUES (1, 2, 3) ON CONFLICT (a) DO UPDATE SET b = excluded.b "
            "WHERE t.version < excluded.version",
            Late.CONDITIONAL,
            True,
        ),
        ("INSERT INTO t (a, n) VALUES (1, 1) ON DUPLICATE KEY UPDATE n = n + 1", Late.ACCUMULATE, False),
        ("REPLACE INTO t VALUES (1)", Late.OVERWRITE, False),
        ("INSERT OR REPLACE INTO t VALUES (1)", Late.OVERWRITE, False),
    ],
)
def test_an_insert_is_judged_by_what_it_does_with_an_existing_row(
    text: str, late: Late, conditional: bool
) -> None:
    meaning = classify_sql(text)
    assert (meaning.kind, meaning.table) == (SqlKind.INSERT, "t")
    assert (meaning.late, meaning.conditional) == (late, conditional)


def test_a_delete_is_conditional_only_with_a_version_or_an_owner() -> None:
    assert classify_sql("DELETE FROM locks WHERE name = %s").late is Late.DELETE
    assert classify_sql("DELETE FROM locks WHERE name = %s AND locked_by = %s").late is Late.CONDITIONAL


def test_a_select_names_the_columns_it_reads() -> None:
    meaning = classify_sql("SELECT a.balance, version, count(*) FROM accounts a WHERE a.id = :id")
    assert (meaning.kind, meaning.table, meaning.late) == (SqlKind.SELECT, "accounts", Late.READ)
    assert meaning.reads == ("balance", "version")
    assert meaning.where == ("id",)


def test_a_writing_part_of_with_is_the_meaning() -> None:
    text = "WITH next AS (SELECT id FROM jobs LIMIT 1 FOR UPDATE SKIP LOCKED) UPDATE jobs SET state = 'run' FROM next WHERE jobs.id = next.id"
    meaning = classify_sql(text)
    assert (meaning.kind, meaning.table, meaning.skip_locked) == (SqlKind.UPDATE, "jobs", True)

    moved = classify_sql("WITH gone AS (DELETE FROM inbox WHERE id = 1 RETURNING *) SELECT * FROM gone")
    assert (moved.kind, moved.table) == (SqlKind.DELETE, "inbox")


def test_of_several_statements_the_lock_or_write_counts() -> None:
    assert classify_sql("BEGIN; SELECT 1; UPDATE t SET a = 1; COMMIT").kind is SqlKind.UPDATE
    assert classify_sql("SET lock_timeout = '1s'; SELECT pg_advisory_lock(1);").kind is SqlKind.ADVISORY_LOCK


@pytest.mark.parametrize(
    ("text", "kind", "late"),
    [
        ("CREATE TABLE IF NOT EXISTS t (a int)", SqlKind.DDL, Late.UNKNOWN),
        ("TRUNCATE TABLE t", SqlKind.DDL, Late.DELETE),
        ("BEGIN", SqlKind.BEGIN, Late.READ),
        ("START TRANSACTION", SqlKind.BEGIN, Late.READ),
        ("COMMIT", SqlKind.COMMIT, Late.READ),
        ("ROLLBACK TO SAVEPOINT a", SqlKind.ROLLBACK, Late.READ),
        ("LISTEN events", SqlKind.LISTEN, Late.READ),
        ("SET search_path TO x", SqlKind.OTHER, Late.READ),
        ("CALL settle(%s)", SqlKind.OTHER, Late.UNKNOWN),
    ],
)
def test_other_statements(text: str, kind: SqlKind, late: Late) -> None:
    assert (classify_sql(text).kind, classify_sql(text).late) == (kind, late)


def test_a_table_that_a_placeholder_names_is_unknown() -> None:
    meaning = classify_sql("UPDATE {table} SET n = n + 1 WHERE id = {}")
    assert (meaning.table, meaning.accumulates, meaning.late) == ("", ("n",), Late.ACCUMULATE)
    assert classify_sql("SELECT * FROM {}").table == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "(((",
        ")",
        "'",
        '"',
        "/*",
        "--",
        "$$",
        "$a$",
        "WITH",
        "UPDATE",
        "UPDATE t SET",
        "SELECT ,",
        "{",
        "INSERT",
        "%",
        ":",
        "a='",
        "\x00",
    ],
)
def test_broken_text_is_no_error(text: str) -> None:
    classify_sql(text)


@pytest.mark.parametrize(
    "piece",
    [
        "/*",
        "$a",
        "'",
        "(",
        "for update ",
        "{",
        "with a as (",
        "set a=a+",
        "$$",
        "%(",
        "-- ",
        "pg_advisory_lock",
        "do ",
    ],
)
def test_a_long_text_is_read_in_linear_steps(piece: str) -> None:
    """A quadratic scan of these 200,000 characters would not come back within the test run's patience."""
    classify_sql(piece * (200_000 // len(piece)))
