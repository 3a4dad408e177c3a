"""Rows that get the next number after the highest of those that are there; and rows whose finder is answered with them."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.contention import Creation

DJANGO = """
from django.db import models
class Bill(models.Model):
    shop = models.IntegerField()
    number = models.IntegerField({number})
    code = models.CharField(max_length=9)
"""
MAPPED = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): ...
class Draft(Base):
    __tablename__ = "draft"
    text_id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
"""


def billed(body: str, number: str = "") -> list[Creation]:
    """The rows that one function makes, of Django's."""
    head = "from django.db.models import Max\nfrom bills import Bill\ndef bill(shop):\n"
    return list(system(bills=DJANGO.format(number=number), app=head + body).creations())


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ("    top = Bill.objects.filter(shop=shop).aggregate(Max('number'))['number__max'] or 0\n    Bill.objects.create(shop=shop, number=top + 1)\n", "number"),
        ("    top = Bill.objects.filter(shop=shop).order_by('-number').first()\n    Bill.objects.create(shop=shop, number=top.number + 1 if top else 1)\n", "number"),
        ("    Bill.objects.create(shop=shop, number=Bill.objects.filter(shop=shop).count() + 1)\n", "number"),
        ("    top = Bill.objects.order_by('-id').first()\n    n = top.id + 1\n    Bill.objects.create(shop=shop, code=f'B-{n:04d}')\n", "code"),
        ("    n = Bill.objects.count()\n    bill = Bill(shop=shop)\n    bill.code = f'B-{n + 1:04d}'\n    bill.save()\n", "code"),
    ],
    ids=["the highest", "that of the last one", "how many", "from the key, in a text", "set as an attribute"],
)
def test_a_row_gets_the_next_number(body: str, column: str) -> None:
    assert [(c.type, c.numbered, c.clashes) for c in billed(body)] == [("bills.Bill", column, False)]


@pytest.mark.parametrize(
    "body",
    [
        "    top = Bill.objects.filter(shop=7).order_by('-number').first()\n    Bill.objects.create(shop=8, number=top.number + 1)\n",
        "    top = Bill.objects.filter(shop=shop).order_by('-number').first()\n    Bill.objects.create(shop=shop, number=top.number)\n",
        "    n = Bill.objects.filter(shop=shop).count()\n    Bill.objects.create(shop=n + 1, number=4)\n",
        "    top = Bill.objects.filter(shop=shop).first()\n    Bill.objects.create(shop=shop, number=shop + 1)\n    print(top)\n",
    ],
    ids=["among others", "the same number", "a count in a column that numbers nothing", "from something else"],
)
def test_other_values_are_no_next_number(body: str) -> None:
    assert [c.numbered for c in billed(body) if c.numbered] == []


def test_the_database_refuses_a_number_that_is_unique_with_the_columns_of_the_query() -> None:
    app = (
        "from sqlalchemy import func, select\nfrom drafts import Draft\ndef keep(session, text):\n"
        "    asked = select(func.max(Draft.version)).where(Draft.text_id == text)\n    top = session.scalar(asked)\n    following = (top or 0) + 1\n"
        "    fields = {'text_id': text, 'version': following}\n    session.add(Draft(**fields))\n    session.commit()\n"
    )
    assert [(c.numbered, c.columns, c.clashes) for c in system(drafts=MAPPED, app=app).creations()] == [("version", ("text_id", "version"), True)]


@pytest.mark.parametrize(
    ("body", "answers"),
    [
        ("    old = Bill.objects.filter(number=shop).first()\n    if old:\n        return old.id\n    Bill.objects.create(number=shop)\n", True),
        ("    old = Bill.objects.filter(number=shop).first()\n    if old is None:\n        old = Bill.objects.create(number=shop)\n    return old\n", True),
        ("    old = Bill.objects.filter(number=shop).first()\n    if old:\n        raise ValueError\n    old = Bill.objects.create(number=shop)\n    return old\n", False),
        ("    old = Bill.objects.filter(number=shop).first()\n    if old:\n        return 'taken'\n    Bill.objects.create(number=shop)\n", False),
        ("    if not Bill.objects.filter(number=shop).exists():\n        Bill.objects.create(number=shop)\n", False),
    ],
    ids=["its id is the answer", "it is handed on", "it is refused", "it is told", "nobody wants it"],
)
def test_what_is_found_may_be_the_answer(body: str, answers: bool) -> None:
    assert [(c.clashes, c.answers) for c in billed(body, "unique=True")] == [(True, answers)]
