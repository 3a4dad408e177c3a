"""Rows that statements of SQL look for and make: by which columns, with what in their placeholders, and what a schema refuses."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.contention import Creation
from coordlint.link.code.rows.tables import declared

HEAD = "import psycopg2\ndb = psycopg2.connect('dbname=hall')\ncur = db.cursor()\n"


def made(body: str, schema: str = "") -> list[Creation]:
    """The rows that one function makes because it found none."""
    return list(system(app=f"{HEAD}def book(seat, guest):\n{body}\ndef init():\n    cur.execute('''{schema}''')\n").creations())


@pytest.mark.parametrize(
    "body",
    [
        "    cur.execute('SELECT id FROM seats WHERE seat = %s', (seat,))\n    if cur.fetchone():\n        return\n    cur.execute('INSERT INTO seats (seat, guest) VALUES (%s, %s)', (seat, guest))\n",
        "    cur.execute('SELECT id FROM seats WHERE seat = %(s)s', {'s': seat})\n    row = cur.fetchone()\n    if row is None:\n"
        "        cur.execute('INSERT INTO seats (guest, seat) VALUES (%(g)s, %(s)s)', {'g': guest, 's': seat})\n",
        "    cur.execute(f'SELECT id FROM seats WHERE seat = {seat}')\n    if not cur.fetchall():\n        cur.execute(f'INSERT INTO seats (seat, at) VALUES ({seat}, now())')\n",
        "    cur.execute('SELECT count(*) FROM seats WHERE seat = %s', [seat])\n    if cur.fetchone()[0] > 0:\n        return\n    cur.execute('INSERT INTO seats (seat) VALUES (%s)', [seat])\n",
    ],
    ids=["by place", "by name", "written in", "counted"],
)
def test_a_statement_makes_what_another_looked_for(body: str) -> None:
    assert [(c.type, c.table, c.columns, c.refused) for c in made(body)] == [("seats", True, ("seat",), None)]


@pytest.mark.parametrize(
    "body",
    [
        "    cur.execute('SELECT id FROM seats WHERE seat = %s', (seat,))\n    if cur.fetchone():\n        cur.execute('INSERT INTO seats (seat) VALUES (%s)', (seat,))\n",
        "    cur.execute('SELECT id FROM seats WHERE seat = %s', (seat,))\n    if cur.fetchone():\n        return\n    cur.execute('INSERT INTO seats (seat) VALUES (%s)', (guest,))\n",
        "    cur.execute('SELECT id FROM halls WHERE seat = %s', (seat,))\n    if cur.fetchone():\n        return\n    cur.execute('INSERT INTO seats (seat) VALUES (%s)', (seat,))\n",
        "    cur.execute('SELECT id FROM seats WHERE seat = %s', (seat,))\n    if cur.fetchone():\n        return\n"
        "    cur.execute('INSERT INTO seats (seat) VALUES (%s) ON CONFLICT DO NOTHING', (seat,))\n",
        "    cur.execute('SELECT id FROM seats WHERE seat = %s FOR UPDATE', (seat,))\n    if cur.fetchone():\n        return\n    cur.execute('INSERT INTO seats (seat) VALUES (%s)', (seat,))\n",
    ],
    ids=["made because it is there", "another value", "another table", "the statement decides", "locked"],
)
def test_other_statements_lead_to_nothing(body: str) -> None:
    assert made(body) == []


LOOKS = "    cur.execute('SELECT id FROM seats WHERE seat_id = %s', (seat,))\n    if cur.fetchone():\n        return\n    cur.execute('INSERT INTO seats (seat_id) VALUES (%s)', (seat,))\n"


@pytest.mark.parametrize(
    ("schema", "refused"),
    [
        ("CREATE TABLE seats (id INT PRIMARY KEY, seat_id INT UNIQUE)", "seat"),
        ("CREATE TABLE IF NOT EXISTS public.seats (id INT, seat_id INT, PRIMARY KEY (seat_id))", "seat"),
        ("CREATE TABLE seats (id INT, seat_id INT); CREATE UNIQUE INDEX one ON seats (seat_id)", "seat"),
        ("CREATE TABLE seats (id INT, seat_id INT); CREATE UNIQUE INDEX one ON seats (seat_id) WHERE gone IS NULL", "a constraint"),
        ("CREATE TABLE seats (id INT PRIMARY KEY, seat_id INT)", ""),
        ("CREATE TABLE halls (id INT PRIMARY KEY, seat_id INT UNIQUE)", None),
    ],
)
def test_the_schema_of_the_program_refuses_the_second(schema: str, refused: str | None) -> None:
    assert [c.refused for c in made(LOOKS, schema)] == [refused]


def test_a_class_that_maps_the_table_says_what_is_unique() -> None:
    models = (
        "from sqlalchemy import Column, Integer\nfrom sqlalchemy.orm import declarative_base\nBase = declarative_base()\n"
        "class Seat(Base):\n    __tablename__ = 'seats'\n    id = Column(Integer, primary_key=True)\n    seat_id = Column(Integer, unique=True)\n"
    )
    assert [c.refused for c in system(models=models, app=f"{HEAD}def book(seat):\n{LOOKS}").creations()] == ["seat"]


def test_columns_of_a_table_are_unique_alone_or_together() -> None:
    schema = "create table a (x varchar(20) not null unique, y int, z decimal(4, 2), constraint c unique (y, z), exclude using gist (x with =))"
    assert declared(schema) == {"a": [frozenset({"x"}), frozenset({"y", "z"}), frozenset()]}
