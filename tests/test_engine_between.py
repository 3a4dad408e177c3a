"""What happens after a row got its new state in memory, and before that is saved."""

from __future__ import annotations

from systems import system

MODELS = """
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
Session = sessionmaker(bind=create_engine("postgresql://db/x"))
class Base(DeclarativeBase):
    pass
class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
"""


def lines(body: str) -> list[int]:
    """The lines of the calls between the change and the save, counted from the first line of the body."""
    text = "from models import Job, Session\ndef work(n):\n    db = Session()\n    job = db.get(Job, n)\n" + body
    (moved,) = system(a=text, models=MODELS).mutations()
    return sorted({p.line - 4 for p in moved.until})


def test_calls_behind_the_change_and_before_the_commit() -> None:
    assert lines("    a()\n    if job.state == 'new':\n        b()\n        job.state = 'run'\n        c()\n    d()\n    db.commit()\n    e()\n") == [5, 6]


def test_calls_on_other_ways_and_on_ways_that_leave_are_none_of_them() -> None:
    assert lines("    if job.state == 'new':\n        job.state = 'run'\n    else:\n        a()\n    if n:\n        b()\n        return\n    c()\n    db.commit()\n") == [8]


def test_handlers_are_none_of_them() -> None:
    assert lines("    if job.state != 'new':\n        return\n    job.state = 'run'\n    try:\n        a()\n    except OSError:\n        b()\n    db.commit()\n") == [5]
