"""What goes with a change of a record's state."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.contention import Move

MODELS = """from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import Session, declarative_base
Base = declarative_base()
class Job(Base):
    __tablename__ = 'jobs'
    id = Column(Integer, primary_key=True)
    state = Column(String)
    worker = Column(String)
class Refund(Base):
    __tablename__ = 'refunds'
    id = Column(Integer, primary_key=True)
    job = Column(Integer)
BUSY = ('running', 'sending')
"""


def move(body: str) -> Move:
    (found,) = [m.move for m in system(a=MODELS + f"def act(db: Session, id, me):\n{body}    db.commit()\n").mutations() if m.move is not None]
    return found


ONE = "    job = db.query(Job).filter(Job.id == id).first()\n    if job.state != 'new':\n        return\n"


def test_the_old_state_is_the_tested_one_and_the_new_one_is_what_is_set() -> None:
    found = move(ONE + "    job.state = 'running'\n")
    assert (found.old, found.into, found.owner, found.makes, found.each) == (("NEW",), "RUNNING", "", (), False)


def test_the_field_that_gets_a_name_in_the_same_block_says_whose_the_record_is() -> None:
    assert move(ONE + "    job.worker = me\n    job.state = 'running'\n").owner == "worker"


def test_a_field_that_is_set_before_the_state_is_asked_for_says_nothing() -> None:
    body = "    job = db.query(Job).filter(Job.id == id).first()\n    job.worker = me\n    if job.state == 'new':\n        job.state = 'running'\n"
    assert move(body).owner == ""


@pytest.mark.parametrize("query", ["db.query(Job).filter(Job.state.in_(BUSY)).all()", "db.query(Job).filter(Job.state.in_(['running', 'sending']))"])
def test_states_that_a_query_lists_are_the_old_ones_of_each_row(query: str) -> None:
    found = move(f"    for job in {query}:\n        job.state = 'new'\n")
    assert found.old == ("RUNNING", "SENDING")
    assert found.each


def test_rows_that_are_made_on_the_same_way_are_known_by_their_class() -> None:
    found = move(ONE + "    job.state = 'undone'\n    db.add(Refund(job=job.id))\n")
    assert [symbol for _, symbol in found.makes] == ["a.Refund"]


def test_rows_of_another_way_are_not_made_with_it() -> None:
    body = "    job = db.query(Job).filter(Job.id == id).first()\n    if job.state == 'new':\n        job.state = 'undone'\n    else:\n        db.add(Refund(job=job.id))\n"
    assert move(body).makes == ()


def test_the_place_is_where_the_state_is_set_first_on_a_way_that_goes_on() -> None:
    found = move(ONE + "    if me:\n        job.state = 'refused'\n        db.commit()\n        return\n    job.state = 'running'\n    if id:\n        job.state = 'sending'\n    print(id)\n")
    assert found.begun is not None and found.begun.line == 22
