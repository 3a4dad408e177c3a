"""Databases as coordination: rows that are locked, claimed and versioned, and the statements that nobody types."""

from __future__ import annotations

import pytest
from systems import system, uses

from coordlint.models.schema import Op

DJANGO = "from django.db import models\nfrom django.db.models import F, Q\nclass Job(models.Model):\n    state = models.CharField()\n"
ALCHEMY = (
    "from sqlalchemy import select, text, update, func\nfrom sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): pass\n"
    "class Job(Base):\n    __tablename__ = 'jobs'\n"
)


def rows(text: str) -> list[tuple[int, str]]:
    """(line, role) of every use of database rows in one module."""
    return [(int(place.rpartition(":")[2]), role) for place, role, backend in uses(system(a=text)) if backend == "database-row"]


def roles(prelude: str, body: str) -> list[str]:
    return [role for _, role in rows(prelude + body)]


# -- row locks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "def take(session):\n    return session.query(Job).filter(Job.state == 'x').with_for_update().all()\n",
        "def take(session):\n    return session.execute(select(Job).with_for_update()).scalars()\n",
        "def take(self, shard):\n    return (self.db().query(shard).filter(shard.k == 1)).with_for_update().one()\n",
        "async def take(pool):\n    return await pool.fetchrow('SELECT * FROM orders WHERE id = $1 FOR UPDATE', 1)\n",
        "def take(self):\n    self.conn.cursor().execute(f'SELECT * FROM {self.table} WHERE id = %s FOR UPDATE NOWAIT', (1,))\n",
        "SQL = 'SELECT 1 FROM orders FOR UPDATE'\ndef take(db):\n    return db.execute(text(SQL)).first()\n",
        "def take(db):\n    db.execute('LOCK TABLE orders IN EXCLUSIVE MODE')\n",
    ],
    ids=["query of an unknown session", "statement", "table of the caller", "text over a pool", "f-string", "text()", "whole table"],
)  # fmt: skip
def test_rows_that_are_locked_are_a_use_whoever_runs_the_query(body: str) -> None:
    assert roles(ALCHEMY, body) == ["lock"]


def test_a_query_of_many_lines_is_told_at_its_first_line() -> None:
    assert rows(ALCHEMY + "def take(s):\n    return s.execute(\n        select(Job)\n        .where(Job.id == 1)\n        .with_for_update()\n    )\n") == [(8, "lock")]


def test_a_manager_that_locks_behind_a_method_is_found_at_the_caller() -> None:
    found = uses(
        system(
            a=DJANGO
            + "    @classmethod\n    def locked(cls, pk):\n        return cls.objects.select_for_update().get(pk=pk)\ndef run(pk):\n    job = Job.locked(pk)\n    job.save()\n"
        )
    )
    assert ("a.py:7", "lock", "database-row") in found
    assert ("a.py:9", "lock", "database-row") in found


def test_rows_locked_on_an_untyped_manager_are_found() -> None:
    assert roles("from django.db import transaction\n", "def run(view):\n    return view.get_queryset().select_for_update().get(pk=1)\n") == ["lock"]


@pytest.mark.parametrize(
    ("name", "role"), [("dequeue_next", "job-queue"), ("check_schedules", "lock")], ids=["work is shared out", "rows are passed over"]
)
def test_skipping_locked_rows_is_a_queue_where_the_rows_are_work(name: str, role: str) -> None:
    body = "class Plan(Base):\n    __tablename__ = 'plans'\n" + f"def {name}(s):\n    return s.scalars(select(Plan).with_for_update(skip_locked=True)).all()\n"
    assert roles(ALCHEMY, body) == [role]


def test_an_update_that_takes_the_next_free_row_is_a_queue() -> None:
    body = """
def dequeue(conn):
    return conn.fetchrow(
        "UPDATE jobs SET state = 'running' WHERE id = (SELECT id FROM jobs WHERE state = 'new' FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id"
    )
"""
    assert roles("import asyncpg\n", body) == ["job-queue"]


# -- claims --------------------------------------------------------------------------------------------------------------

CLAIMS = [
    (DJANGO, "def claim(pk):\n    if not Job.objects.filter(pk=pk, state='new').update(state='running'):\n        return\n"),
    (DJANGO, "def claim(pk):\n    n = Job.objects.filter(pk=pk).filter(Q(state='new') | Q(state='old')).update(state='running')\n    return n == 1\n"),
    (DJANGO, "def claim(pk):\n    return Job.objects.filter(pk=pk).exclude(state='running').update(state='running')\n"),
    (DJANGO, "def claim(ids, low):\n    n = Job.objects.filter(at__gte=low, place__in=ids).update(at=1)\n    done = n == len(ids)\n    if not done:\n        raise ValueError\n"),
    (DJANGO, "class Jobs(models.Manager):\n    def move(self, kind, since):\n        q = self.filter(kind=kind)\n        q = q.filter(at__gte=since)\n        return bool(q.update(at=1))\n"),
    (DJANGO, "def save(pk, v):\n    if Job.objects.filter(pk=pk, version=v).update(name='x', version=v + 1) == 0:\n        raise ValueError\n"),
    (DJANGO, "def take(pk):\n    taken = Job.objects.filter(pk=pk, left__gt=0).update(left=F('left') - 1)\n    if not taken:\n        raise ValueError\n"),
    (ALCHEMY, "def claim(s, i):\n    r = s.execute(update(Job).where(Job.id == i, Job.state == 'new').values(state='running'))\n    return r.rowcount > 0\n"),
    (ALCHEMY, "def claim(s, i):\n    what = {'state': 'running'}\n    st = update(Job).where(Job.id == i).where(Job.state.in_(['new'])).values(**what)\n    r = s.execute(st)\n    if r.rowcount != 1:\n        raise ValueError\n"),
    (ALCHEMY, "def claim(s, i):\n    return s.query(Job).filter(Job.id == i, Job.state == 'new').update({'state': 'running'}) == 1\n"),
    (ALCHEMY, "def claim(s, i):\n    job = s.scalars(update(Job).where(Job.id == i, Job.state == 'new').values(state='r').returning(Job)).first()\n    if job is None:\n        return\n"),
    ("import psycopg2\n", "def claim(cur, i):\n    cur.execute(\"UPDATE jobs SET state = 'r' WHERE id = %s AND state = 'new'\", (i,))\n    return cur.rowcount == 1\n"),
    ("import psycopg2\n", "def claim(cur, i):\n    cur.execute(\"UPDATE jobs SET state = 'r' WHERE id = %s AND state = 'new' RETURNING id\", (i,))\n    row = cur.fetchone()\n    if row is None:\n        return\n"),
    (ALCHEMY, "from sqlalchemy.dialects.postgresql import insert\ndef once(s, k):\n    row = s.scalar(insert(Job).values(k=k).on_conflict_do_nothing().returning(Job.k))\n    if row is None:\n        return False\n"),
    (ALCHEMY, "def claim(s, i):\n    r = s.execute(\n        update(Job).\n        where(Job.state == None).where(Job.id == i).\n        values(state='r').\n        execution_options(synchronize_session=False))\n    if r.rowcount != 1:\n        raise ValueError\n"),
    ("import sqlite3\n", "def once(cur, k):\n    cur.execute('INSERT OR IGNORE INTO seen (k) VALUES (?)', (k,))\n    if cur.rowcount == 0:\n        return\n"),
]  # fmt: skip


@pytest.mark.parametrize(("prelude", "body"), CLAIMS, ids=[body.partition("(")[0].removeprefix("def ") + str(n) for n, (_, body) in enumerate(CLAIMS)])
def test_a_write_that_names_the_state_it_expects_and_is_looked_at_is_optimistic_concurrency(prelude: str, body: str) -> None:
    assert roles(prelude, body) == ["occ"]


@pytest.mark.parametrize(
    ("prelude", "body"),
    [
        (DJANGO, "def save(pk):\n    if not Job.objects.filter(pk=pk).update(state='x'):\n        raise ValueError\n"),
        (DJANGO, "def save(pk):\n    Job.objects.filter(pk=pk, state='new').update(state='x')\n"),
        (DJANGO, "def save(pk, user):\n    if not Job.objects.filter(pk=pk, owner=user).update(state='x'):\n        raise ValueError\n"),
        (DJANGO, "def seen(user):\n    n = Job.objects.filter(user=user, seen=False).update(seen=True)\n    return n\n"),
        (DJANGO, "def sweep(since):\n    n = Job.objects.filter(state='r', at__lt=since).update(state='dead')\n    if n:\n        print(n)\n"),
        (DJANGO, "def make(name):\n    job, created = Job.objects.get_or_create(name=name)\n    if created:\n        print(job)\n"),
        (ALCHEMY, "def save(s, i):\n    return s.execute(update(Job).where(Job.id == i).values(state='x')).rowcount > 0\n"),
        (ALCHEMY, "def read(s, i):\n    return s.execute(select(Job).where(Job.id == i)).scalar_one_or_none()\n"),
        ("import psycopg2\n", "def save(cur, i):\n    cur.execute('UPDATE jobs SET a = %s WHERE id = %s', (1, i))\n    return cur.rowcount == 1\n"),
        ("import psycopg2\n", "def next(cur, i):\n    cur.execute(\"UPDATE jobs SET state = 'r' WHERE id = %s AND state = 'n'\", (i,))\n    cur.execute('SELECT 1')\n    return cur.fetchone()\n"),
        ("import psycopg2\n", "def fill(cur, many):\n    cur.execute('INSERT INTO a (b) VALUES (%s) ON CONFLICT DO NOTHING', many)\n    return cur.rowcount\n"),
        (ALCHEMY, "from sqlalchemy.dialects.postgresql import insert\ndef make(s):\n    row = s.execute(insert(Job).on_conflict_do_nothing().returning(Job)).scalar()\n    if not row:\n        row = s.scalar(select(Job))\n    return row\n"),
        (DJANGO, "def move(ids):\n    n = Job.objects.filter(pk__in=ids, state='new').update(state='x')\n    return n\n"),
    ],
    ids=["key alone", "nobody looks", "key and owner", "a count that is told", "sweep", "get_or_create", "statement by key", "read",
         "text by key", "rows of another statement", "how many were new",
         "the row itself is wanted", "many rows"],
)  # fmt: skip
def test_ordinary_reads_and_updates_are_no_use(prelude: str, body: str) -> None:
    assert roles(prelude, body) == []


def test_a_claim_does_no_harm_when_it_comes_late() -> None:
    found = system(a=CLAIMS[0][0] + CLAIMS[0][1]).operations(Op.CAS)
    assert [(o.key, o.conditional, str(o.late)) for o in found] == [("Job", "WHERE state", "conditional")]


def test_a_column_that_only_sounds_like_a_version_promises_no_refusal_that_somebody_must_look_at() -> None:
    found = system(a=DJANGO + "def undo(pk, v):\n    Job.objects.filter(pk=pk, version_removed=v).update(version_removed=None)\n").operations(Op.EFFECT)
    assert [o.conditional for o in found] == ["the statement's own condition"]


def test_a_decrement_that_is_guarded_is_a_claim_that_still_counts() -> None:
    found = system(a=CLAIMS[6][0] + CLAIMS[6][1]).operations(Op.CAS)
    assert [str(o.late) for o in found] == ["overwrite"]


def test_a_package_of_the_project_that_is_named_like_the_library_does_not_hide_it() -> None:
    found = uses(
        system(
            {
                "app/__init__.py": "",
                "app/db/__init__.py": "",
                "app/db/sqlalchemy/__init__.py": "",
                "app/db/sqlalchemy/models.py": "import sqlalchemy as sa\nclass Node:\n    __tablename__ = 'nodes'\n",
                "app/db/sqlalchemy/api.py": "import sqlalchemy as sa\nfrom app.db.sqlalchemy import models\ndef reserve(s, i, tag):\n"
                "    r = s.execute(sa.update(models.Node).where(models.Node.id == i, models.Node.holder == None).values(holder=tag))\n"
                "    if r.rowcount != 1:\n        raise ValueError\n",
            }
        )
    )
    assert found == [("app/db/sqlalchemy/api.py:4", "occ", "database-row")]


# -- versions that the mapper keeps ----------------------------------------------------------------------------------------


def test_a_version_column_is_a_use_where_it_is_named_and_where_a_refusal_is_handled() -> None:
    found = rows(
        ALCHEMY
        + "    __mapper_args__ = {'version_id_col': 1}\nfrom sqlalchemy.orm.exc import StaleDataError\ndef save(s):\n"
        + "    try:\n        s.commit()\n    except StaleDataError:\n        raise ValueError\n"
    )
    assert found == [(6, "occ"), (11, "occ")]


def test_mapper_arguments_without_a_version_are_no_use() -> None:
    assert rows(ALCHEMY + "    __mapper_args__ = {'polymorphic_on': 'kind'}\n") == []


# -- fields that are filled once -----------------------------------------------------------------------------------------

HOUSE = "from django.db import models, transaction\nimport cloud\nclass House(models.Model):\n    meter = models.CharField(null=True)\n"


def filled(body: str, prelude: str = HOUSE) -> list[tuple[str, str, bool]]:
    """(field, what made its value, whether a lock or row lock is held) of every field that is filled once."""
    return [(f"{m.record}.{m.field}", m.maker, bool(m.locked or m.versioned)) for m in system(a=prelude + body).mutations() if m.maker]


@pytest.mark.parametrize(
    "body",
    [
        "    if house.meter is None:\n        house.meter = cloud.api().create_meter()['id']\n",
        "    if house.meter:\n        return house.meter\n    made = cloud.api().create_meter()\n    house.meter = made.id\n",
        "    if house.meter is not None and house.old:\n        house.old = False\n    else:\n        house.meter = cloud.api().create_meter().id\n",
        "    if house.old or not house.meter:\n        with open('log') as log:\n            house.meter = cloud.api().create_meter().id\n",
    ],
    ids=["found empty", "found filled and left", "the other branch", "one of two reasons"],
)
def test_a_field_that_is_found_empty_and_then_filled_is_a_change_of_its_record(body: str) -> None:
    assert filled("def meter(pk):\n    house = House.objects.get(pk=pk)\n" + body) == [("house.meter", "cloud.api().create_meter", False)]


def test_a_row_that_was_locked_before_its_field_is_found_empty_is_seen_as_such() -> None:
    body = "def meter(pk):\n    house = House.objects.select_for_update().get(pk=pk)\n    if not house.meter:\n        house.meter = cloud.api().create_meter().id\n"
    assert filled(body) == [("house.meter", "cloud.api().create_meter", True)]


@pytest.mark.parametrize(
    "body",
    [
        "def meter(pk):\n    house = House()\n    if not house.meter:\n        house.meter = cloud.api().create_meter().id\n",
        "def meter(pk):\n    house = House.objects.get(pk=pk)\n    if house.meter:\n        house.meter = cloud.api().create_meter().id\n",
        "class Box:\n    def meter(self):\n        if self.meter is None:\n            self.meter = cloud.api().create_meter().id\n",
        "def create_meter():\n    pass\ndef meter(pk):\n    house = House.objects.get(pk=pk)\n    if not house.meter:\n        house.meter = create_meter().id\n",
    ],
    ids=["a new record", "replaced, not filled", "no record", "made by a function of the project"],
)
def test_fields_that_nobody_else_fills_or_that_are_not_empty_are_no_such_change(body: str) -> None:
    assert filled(body) == []


# -- rows that a loop counts one by one ------------------------------------------------------------------------------------

COUNT = "        Job.objects.filter(pk=line.job_id).update(state=F('state') + 1)\n"


def sweeps(body: str) -> list[str]:
    """What the loops run over that count shared rows inside a transaction."""
    return [sweep.over for sweep, _ in system(a="from django.db import transaction\n" + DJANGO + body).sweeps()]


@pytest.mark.parametrize(
    ("before", "over"),
    [
        ("", "order.lines.all()"),
        ("", "order.lines.filter(open=True).values('job_id')"),
        ("    lines = set(order)\n", "lines"),
        ("    lines = order.lines.exclude(open=False)\n    lines = list(lines.select_related('job'))\n", "lines"),
    ],
    ids=["all rows", "a query", "a set", "a query of a query"],
)
def test_a_loop_that_counts_rows_in_the_order_of_a_query_or_a_set_has_none(before: str, over: str) -> None:
    assert len(sweeps(f"@transaction.atomic\ndef f(order):\n{before}    for line in {over}:\n{COUNT}")) == 1


@pytest.mark.parametrize(
    ("before", "over"),
    [
        ("", "order.lines.order_by('job_id')"),
        ("", "sorted(order.lines.all())"),
        ("", "order"),
        ("", "order.filter(open=True)"),
        ("    lines = list(order.lines.all())\n    lines.sort()\n", "lines"),
        ("    lines = order.lines.order_by('job_id')\n", "lines.filter(open=True)"),
    ],
    ids=["ordered", "sorted", "a parameter", "a query that came in", "sorted later", "a query of an ordered one"],
)
def test_a_loop_whose_order_is_said_or_not_known_is_none(before: str, over: str) -> None:
    assert sweeps(f"@transaction.atomic\ndef f(order):\n{before}    for line in {over}:\n{COUNT}") == []


def test_rows_that_are_counted_outside_transactions_are_let_go_one_by_one() -> None:
    body = f"def f(order):\n    for line in order.lines.all():\n{COUNT}"
    assert sweeps(body) == []
    assert sweeps(body + "def g(order):\n    with transaction.atomic():\n        f(order)\n") == ["order.lines.all()"]


# -- advisory locks and notices --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "backend", "resource"),
    [
        ("def up(op):\n    op.execute('SELECT pg_advisory_xact_lock(42)')\n", "postgres-advisory", "42"),
        ("def take(db, n):\n    return db.execute(text('SELECT pg_try_advisory_lock(:n)'), {'n': n}).scalar()\n", "postgres-advisory", "{n}"),
        ("def take(db):\n    db.execute(select(func.pg_advisory_xact_lock(7)))\n", "postgres-advisory", "7"),
        ("def take(cur):\n    cur.execute(\"SELECT GET_LOCK('nightly', 10)\")\n", "mysql-get-lock", "nightly"),
    ],
    ids=["migration", "bound parameter", "func", "MySQL"],
)
def test_an_advisory_lock_is_a_lock_with_its_key(body: str, backend: str, resource: str) -> None:
    found = system(a=ALCHEMY + body).uses()
    assert [(u.role, u.backend, u.resource) for u in found] == [("lock", backend, resource)]


@pytest.mark.parametrize("statement", ["LISTEN jobs", "NOTIFY jobs", "SELECT pg_notify('jobs', %s)"])
def test_listening_and_notifying_is_a_watch(statement: str) -> None:
    found = system(a=f'import psycopg2\ndef run(cur):\n    cur.execute("{statement}", ("x",))\n').uses()
    assert [(u.role, u.backend, u.resource) for u in found] == [("watch", "other", "jobs")]


def test_texts_that_only_look_like_statements_are_no_use() -> None:
    assert system(a="import psycopg2\ndef run(ex):\n    ex.execute('lock the door')\n    ex.execute('select all')\n    ex.fetch('listen')\n").uses() == ()


# -- the one function that runs all statements ------------------------------------------------------------------------------

LAYER = (
    "import psycopg2\nclass Store:\n    def __init__(self):\n        self.db = psycopg2.connect('dbname=x')\n"
    "    def run(self, sql, params=()):\n        cursor = self.db.cursor()\n        cursor.execute(sql, params)\n        return cursor\n"
    "store = Store()\n"
    "def beat(me):\n    store.run('UPDATE nodes SET last_seen = now() WHERE id = %s', (me,))\n"
    "def reap():\n    store.run('DELETE FROM carts WHERE made < now()')\n"
)


def test_a_statement_that_goes_through_a_function_of_the_project_is_done_where_it_is_written() -> None:
    found = {(o.symbol, o.key, o.writes) for o in system(a=LAYER).operations(kind="database")}
    assert {("a.beat", "nodes", (("last_seen", "="),)), ("a.reap", "carts", ())} <= found


def test_what_such_a_function_itself_does_is_not_one_of_the_statements_it_is_given() -> None:
    assert {o.key for o in system(a=LAYER).operations() if o.symbol == "a.Store.run"} <= {None, "{}", "dbname=x"}


def test_a_function_that_is_given_a_text_and_runs_another_is_no_such_function() -> None:
    body = LAYER.replace("cursor.execute(sql, params)", "cursor.execute('SELECT 1')")
    assert [o for o in system(a=body).operations(kind="database") if o.symbol in ("a.beat", "a.reap")] == []


# -- sessions that nobody types ------------------------------------------------------------------------------------------

PAID = "import redis\nfrom sqlalchemy import select\n" + ALCHEMY + "    paid = Column(Integer)\nr = redis.Redis()\n"


@pytest.mark.parametrize(
    "body",
    [
        "def pay(db, n):\n    with r.lock('pay', timeout=9):\n        job = db.query(Job).filter_by(id=1).first()\n        job.paid += n\n        db.commit()\n",
        "def pay(db, n):\n    with r.lock('pay', timeout=9):\n        job = db.get(Job, 1)\n        job.paid += n\n        db.commit()\n",
        "def pay(db, n):\n    with r.lock('pay', timeout=9):\n        job = db.execute(select(Job).where(Job.id == 1)).scalar_one()\n        job.paid += n\n        db.commit()\n",
        "class Till:\n    def __init__(self, db):\n        self.db = db\n    def pay(self, n):\n        with r.lock('pay', timeout=9):\n            job = self.db.query(Job).get(1)\n            job.paid += n\n            self.db.commit()\n",
    ],
    ids=["query", "get", "statement", "attribute"],
)
def test_what_is_asked_for_rows_of_a_class_is_a_session_and_commits(body: str) -> None:
    (section,) = system(a=PAID + body).critical_sections()
    assert Op.COMMIT in [e.operation.op for e in section.effects]


@pytest.mark.parametrize("ask", ["db.query('select 1')", "db.query(SQL)", "db.get(KEY, 1)", "db.get(Job)", "db.execute(SQL)"])
def test_a_client_that_is_asked_for_anything_else_is_no_session(ask: str) -> None:
    (section,) = system(a=PAID + f"def pay(db):\n    with r.lock('pay', timeout=9):\n        x = {ask}\n        db.commit()\n").critical_sections()
    assert Op.COMMIT not in [e.operation.op for e in section.effects]
