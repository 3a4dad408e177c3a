"""Tables that serve as queues: workers take their rows, and whoever puts a row in uses a queue."""

from __future__ import annotations

import pytest
from systems import system

MODELS = """import sqlalchemy as sa
from sqlalchemy.orm import Session, declarative_base
Base = declarative_base()
class Made:
    @classmethod
    def create(cls, **given):
        row = cls(**given)
        session.add(row)
        return row
class {cls}(Base, Made):
    __tablename__ = "{table}"
    id = sa.Column(sa.Integer, primary_key=True)
    state = sa.Column(sa.Integer)
class Bed(Base):
    __tablename__ = "bed"
    id = sa.Column(sa.Integer, primary_key=True)
"""
TAKE = "def take(session: Session, it):\n    done = session.execute(\"UPDATE {table} SET state = 2 WHERE id = :id AND state = 1\", {{}})\n    return done.rowcount > 0\n"


def queued(body: str, cls: str = "WateringJob", table: str = "watering_job", take: str = TAKE) -> list[str]:
    """What is called where a queue is used, line by line."""
    text = MODELS.format(cls=cls, table=table) + take.format(table=table) + body
    lines = text.splitlines()
    found = sorted(u.place.line for u in system({"garden.py": text}).uses() if (u.role, u.backend) == ("job-queue", "database-row"))
    return [lines[line - 1].strip() for line in found]


def test_making_a_row_of_work_puts_it_into_a_queue_where_workers_take_such_rows() -> None:
    assert queued("def water(bed):\n    WateringJob.create(bed=bed)\n") == ["WateringJob.create(bed=bed)"]


def test_a_row_that_is_added_to_a_session_is_put_as_well() -> None:
    assert queued("def water(session, bed):\n    row = WateringJob(bed=bed)\n    session.add(row)\n") == ["session.add(row)"]


def test_rows_of_work_that_nobody_takes_are_rows() -> None:
    assert queued("def water(bed):\n    WateringJob.create(bed=bed)\n", take="") == []


def test_rows_that_change_their_state_are_no_work_unless_they_are_called_so() -> None:
    assert queued("def plant(bed):\n    Plant.create(bed=bed)\n", cls="Plant", table="plant") == []


def test_a_row_that_is_locked_and_then_deleted_is_taken() -> None:
    take = "def take(session: Session):\n    row = session.query({0}).with_for_update().first()\n    work(row)\n    session.delete(row)\n"
    body = "def water(bed):\n    WateringQueue.create(bed=bed)\n"
    assert queued(body, "WateringQueue", "waterings", take.format("WateringQueue")) == ["session.delete(row)", "WateringQueue.create(bed=bed)"]


def test_a_row_that_is_locked_and_kept_is_not_taken() -> None:
    take = "def take(session: Session):\n    row = session.query(WateringQueue).with_for_update().first()\n    row.state = 2\n"
    assert queued("def water(bed):\n    WateringQueue.create(bed=bed)\n", "WateringQueue", "waterings", take) == []


def test_who_calls_a_function_that_only_puts_rows_uses_the_queue() -> None:
    body = "def later(bed):\n    WateringJob.create(bed=bed)\ndef walk(bed):\n    later(bed)\n"
    assert queued(body) == ["WateringJob.create(bed=bed)", "later(bed)"]


@pytest.mark.parametrize("more", ["bed.dry = True", "session.query(Bed).filter(Bed.id == 1).all()"])
def test_a_function_that_changes_a_record_or_reads_another_table_and_puts_a_row_is_business(more: str) -> None:
    body = f"session = Session()\ndef notice(bed):\n    {more}\n    WateringJob.create(bed=bed)\ndef walk(bed):\n    notice(bed)\n"
    assert queued(body) == ["WateringJob.create(bed=bed)"]
