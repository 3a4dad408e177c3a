"""Calls of functions that happen because another one of the same class or module found nothing, or an old state."""

from __future__ import annotations

import pytest
from systems import system

CREWS = """
OPEN, SHUT = "open", "shut"
STATES = {"open": 1, "shut": 2}

class Crew:
    def __init__(self, name, state):
        self.name, self.state = name, state
    @classmethod
    def find(cls, name): return cls(name, load(name))
    @classmethod
    def found(cls, name): store(name)
    @classmethod
    def named(cls, name, text): store(name, text)
    def is_open(self): return self.state == OPEN
    def is_shut(self): return not self.state != STATES["shut"]
    def open(self):
        self.state = OPEN
        store(self)
    def shut(self):
        self.state = STATES["shut"]
        store(self)
    def paint(self, colour):
        self.colour = colour

def load(name): ...
def store(*things): ...
"""


def pairs(body: str) -> list[tuple[str, str, str, str]]:
    """(what is asked, what is called then, what about, state) of one function."""
    found = system(crews=CREWS, app=f"from crews import Crew, load, store\ndef go(name, other):\n{body}").missed()
    return [(m.asked, m.called, m.subject, m.state) for m in found]


@pytest.mark.parametrize(
    ("body", "pair"),
    [
        ("    if not Crew.find(name):\n        Crew.found(name)\n", ("Crew.find", "Crew.found", "name", "")),
        ("    crew = Crew.find(name)\n    if crew is not None:\n        return\n    Crew.found(name)\n", ("Crew.find", "Crew.found", "name", "")),
        ("    if load(name) is None:\n        store(name, other)\n", ("load", "store", "name", "")),
        ("    crew = Crew.find(name)\n    if crew.is_open():\n        return\n    crew.open()\n", ("crew.is_open", "crew.open", "crew", "state")),
        ("    crew = Crew.find(name)\n    if not crew.is_shut():\n        crew.shut()\n", ("crew.is_shut", "crew.shut", "crew", "state")),
    ],
    ids=["by its name", "behind one that leaves", "functions of a module", "its state", "its state, turned round"],
)
def test_a_call_happens_because_another_found_nothing(body: str, pair: tuple[str, str, str, str]) -> None:
    assert pairs(body) == [pair]


@pytest.mark.parametrize(
    "body",
    [
        "    if Crew.find(name):\n        Crew.found(name)\n",
        "    if not Crew.find(other):\n        Crew.found(name)\n",
        "    if not Crew.find(name):\n        Crew.named(name, 'all the same')\n",
        "    lock(name)\n    if not Crew.find(name):\n        Crew.found(name)\n",
        "    crew = Crew.find(name)\n    if not crew.is_open():\n        return\n    crew.open()\n",
        "    crew = Crew.find(name)\n    if not crew.is_open():\n        crew.paint(name)\n",
        "    crew = Crew(name, other)\n    if not crew.is_open():\n        crew.open()\n",
    ],
    ids=["because it is there", "another one", "the same for all", "something is locked", "a state that keeps nobody out", "no state", "a new one"],
)
def test_other_calls_are_no_pair(body: str) -> None:
    assert pairs(body) == []
