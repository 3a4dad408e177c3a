"""Leases in the columns of rows: who takes, keeps and gives back a row holds a lock; who takes the oldest free ones reads a queue."""

from __future__ import annotations

import pytest
from systems import system

MODELS = """import sqlalchemy as sa
from sqlalchemy import select, update
from sqlalchemy.orm import Session, declarative_base
Base = declarative_base()
class Parcel(Base):
    __tablename__ = "parcel"
    id = sa.Column(sa.Integer, primary_key=True)
    state = sa.Column(sa.String)
    locked_by = sa.Column(sa.String)
    locked_until = sa.Column(sa.DateTime)
"""


def told(body: str) -> list[str]:
    """The roles of what is done to rows, in order."""
    found = system({"depot.py": MODELS + body}).uses()
    return [u.role for u in sorted(found, key=lambda u: u.place) if u.backend == "database-row"]


@pytest.mark.parametrize(
    ("condition", "values", "roles"),
    [
        ("Parcel.id == it, Parcel.locked_by.is_(None)", "locked_by=me, locked_until=later, state='packing'", ["lock"]),
        ("Parcel.id == it, Parcel.locked_by == me", "locked_until=later", ["lock"]),
        ("Parcel.id == it, Parcel.locked_by == me", "locked_by=None, locked_until=None", ["lock"]),
        ("Parcel.id == it", "locked_until=None", ["lock"]),
        ("Parcel.id == it, Parcel.state == 'new', Parcel.locked_until < now", "locked_by=None, state='lost'", []),
        ("Parcel.id == it", "state='sent'", []),
    ],
    ids=["taken", "renewed", "given-back-by-its-holder", "given-back", "moved-on-by-others", "no-lease"],
)
def test_a_lease_in_a_row_is_a_lock(condition: str, values: str, roles: list[str]) -> None:
    body = f"def f(session: Session, it, me, now, later):\n    session.execute(update(Parcel).where({condition}).values({values}))\n"
    assert told(body) == roles


def test_the_statement_may_have_a_name_before_it_is_run() -> None:
    body = "def f(session: Session, it, later):\n    change = update(Parcel).where(Parcel.id.in_(it)).values(locked_until=later)\n    session.execute(change)\n"
    assert told(body) == ["lock"]


def test_a_lease_may_be_taken_in_sql() -> None:
    body = "def f(session: Session, it, me):\n    session.execute(sa.text(\"UPDATE parcel SET locked_by = :me WHERE id = :it AND locked_by IS NULL\"), {'me': me, 'it': it})\n"
    assert told(body) == ["lock"]


@pytest.mark.parametrize(("more", "role"), [(".order_by(Parcel.id).limit(10)", "job-queue"), ("", "lock")])
def test_the_oldest_rows_that_nobody_has_locked_are_a_queue(more: str, role: str) -> None:
    body = f"def f(session: Session):\n    query = select(Parcel.id).where(Parcel.state == 'new'){more}.with_for_update(skip_locked=True)\n    return session.execute(query)\n"
    assert told(body) == [role]


def test_who_calls_it_uses_the_lock() -> None:
    body = (
        "def let_go(session: Session, it, me):\n    session.execute(update(Parcel).where(Parcel.id == it, Parcel.locked_by == me).values(locked_by=None))\n"
        "def pack(session: Session, it, me):\n    print(it)\n    let_go(session, it, me)\n"
    )
    assert told(body) == ["lock", "lock"]


@pytest.mark.parametrize(
    ("statement", "roles"),
    [
        ("UPDATE leader_lease SET expires_at = now() WHERE owner = %s", ["leader-election"]),
        ("SELECT owner FROM leader_lease WHERE expires_at > now()", ["leader-election"]),
        ("UPDATE cluster_nodes SET last_heartbeat = now() WHERE name = %s", ["membership"]),
        ("DELETE FROM cluster_nodes WHERE last_heartbeat < now()", ["membership"]),
        ("UPDATE team SET leader = %s WHERE id = 1", []),
        ("UPDATE worker_jobs SET heartbeat_at = now() WHERE id = 1", []),
        ("UPDATE sessions SET last_seen = now() WHERE id = 1", []),
        ("SELECT name FROM cluster_nodes", []),
    ],
)
def test_rows_that_say_who_leads_or_who_is_there_are_uses_by_their_table_and_columns(statement: str, roles: list[str]) -> None:
    body = f"import psycopg2\ndb = psycopg2.connect('dbname=x')\ndef f(me):\n    cursor = db.cursor()\n    cursor.execute('{statement}', (me,))\n"
    assert [u.role for u in system(a=body).uses() if u.backend == "database-row" and u.symbol == "a.f"] == roles


def test_who_calls_what_renews_a_leadership_in_rows_uses_the_election() -> None:
    body = (
        "import psycopg2\nclass Reign:\n    def __init__(self, me):\n        self.me = me\n        self.db = psycopg2.connect('dbname=x')\n"
        "    def renew(self):\n        cursor = self.db.cursor()\n"
        "        cursor.execute('UPDATE leader SET until = now() WHERE owner = %s', (self.me,))\n        return cursor.rowcount == 1\n"
        "def keep():\n    reign = Reign('a')\n    while reign.renew():\n        pass\n"
    )
    found = {(u.place.line, u.role) for u in system(a=body).uses() if u.backend == "database-row"}
    assert {(8, "leader-election"), (12, "leader-election")} <= found


def test_records_of_an_election_and_heartbeats_of_members_are_uses_too() -> None:
    body = (
        "from django.db import models\nclass ShardLeader(models.Model):\n    owner = models.CharField()\n    lease_expires = models.DateTimeField()\n"
        "class Node(models.Model):\n    last_heartbeat = models.DateTimeField()\nclass MasterKey(models.Model):\n    expires = models.DateTimeField()\n"
        "def win(me, now, later):\n    return ShardLeader.objects.filter(lease_expires__lt=now).update(owner=me, lease_expires=later)\n"
        "def beat(me, now):\n    Node.objects.filter(pk=me).update(last_heartbeat=now)\n"
        "def prolong(pk, later):\n    MasterKey.objects.filter(pk=pk).update(expires=later)\n"
    )
    found = {u.symbol: u.role for u in system(a=body).uses() if u.backend == "database-row"}
    assert (found.get("a.win"), found.get("a.beat"), found.get("a.prolong")) == ("leader-election", "membership", None)
