"""Columns of records that are asked for and set through methods of their class."""

from __future__ import annotations

import pytest
from systems import system

TRIALS = """
from django.db import models
SENT = "sent"
class Trial(models.Model):
    sent = models.BooleanField(default=False)
    state = models.CharField(max_length=9)
    def is_sent(self): return self.sent
    def was_sent(self): return self.state == SENT
    def set_sent(self): self.sent = True
    def mark(self):
        self.state = SENT
        self.save()
    def name(self, text): self.title = text
"""


def moved(body: str) -> list[tuple[str, int, int, bool]]:
    """(field, line of the test, line of the save, whether it is a flag) of one function."""
    found = system(trials=TRIALS, app=f"from trials import Trial\ndef go(pk):\n    t = Trial.objects.get(pk=pk)\n{body}").mutations()
    return [(m.field, m.read.line, m.written.line, m.flag) for m in found if m.moved]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("    if t.sent:\n        return\n    t.set_sent()\n    t.save()\n", ("sent", 4, 7, True)),
        ("    if not t.is_sent():\n        t.sent = True\n        t.save()\n", ("sent", 4, 6, True)),
        ("    if t.was_sent():\n        return\n    t.mark()\n", ("state", 4, 6, False)),
    ],
    ids=["set by a method", "asked by a method", "by a method that saves"],
)
def test_a_method_tests_or_sets_a_column(body: str, told: tuple[str, int, int, bool]) -> None:
    assert moved(body) == [told]


@pytest.mark.parametrize(
    "body",
    [
        "    if t.sent:\n        return\n    t.mark()\n",
        "    if t.is_sent():\n        return\n    t.name('x')\n    t.save()\n",
        "    if t.sent:\n        return\n    t.set_sent()\n",
        "    u = Trial()\n    if t.sent:\n        return\n    u.set_sent()\n    u.save()\n",
    ],
    ids=["another column", "no state", "never saved", "another record"],
)
def test_other_methods_move_nothing(body: str) -> None:
    assert moved(body) == []


@pytest.mark.parametrize("query", ["Note.objects.with_id(7)", "Note.objects(day=3).first()"])
def test_objects_of_a_mapper_that_no_model_describes_are_read(query: str) -> None:
    note = "from mongoengine import Document\nclass Note(Document):\n    def set_sent(self): self.sent = True\n"
    app = f"def go():\n    n = {query}\n    if n.sent:\n        return\n    n.set_sent()\n    n.save()\n"
    assert [m.field for m in system(app=note + app).mutations() if m.moved] == ["sent"]
