"""Flags that say that this process leads: what is done behind one look at them."""

from __future__ import annotations

import pytest
from systems import system

NODE = (
    "import threading, redis\n"
    "r = redis.Redis(host='redis')\n"
    "class Node:\n"
    "    def __init__(self):\n"
    "        self.is_leader = False\n"
    "        self.ready = threading.Event()\n"
    "        self.mode = 'follower'\n"
    "    def leads(self):\n        return self.is_leader\n"
    "    def keep(self):\n"
    "        if r.set('app:leader', 'me', nx=True, ex=9):\n"
    "            self.is_leader = True\n            self.mode = 'leader'\n"
    "node = Node()\n"
)


def looped(body: str) -> list[list[int]]:
    """For each look at a flag the lines of the calls behind it that a loop makes without looking again, counted from the function."""
    before = NODE.count("\n")
    return [[at.line - before for at, loop in look.calls if loop is not None] for look in system(a=NODE + body).led()]


@pytest.mark.parametrize(
    "test",
    ["node.is_leader", "node.is_leader and items", "node.leads()", "node.mode == 'leader'", "node.is_leader is True"],
)
def test_a_loop_behind_one_look_at_the_flag_is_noted(test: str) -> None:
    assert looped(f"def turn(items):\n    if {test}:\n        for i in items:\n            send(i)\n") == [[4]]


@pytest.mark.parametrize("test", ["not node.is_leader", "not items or not node.is_leader", "node.mode != 'leader'"])
def test_leaving_where_the_flag_is_not_set_is_a_look_at_it(test: str) -> None:
    assert looped(f"def turn(items):\n    if {test}:\n        return\n    for i in items:\n        send(i)\n") == [[5]]


@pytest.mark.parametrize(
    "body",
    [
        "def turn(items):\n    if node.is_leader:\n        for i in items:\n            if not node.is_leader:\n                break\n            send(i)\n",
        "def turn(items):\n    if node.is_leader:\n        for i in items:\n            send(i, node.term)\n",
        "def turn(items):\n    if node.is_leader:\n        for i in range(3):\n            send(i)\n",
        "def turn(items):\n    if node.ready.is_set():\n        for i in items:\n            send(i)\n",
        "def turn(items):\n    if not node.is_leader:\n        for i in items:\n            send(i)\n",
    ],
    ids=["looks again in the loop", "sends the term along", "a few times", "a flag of something else", "what a follower does"],
)
def test_other_loops_are_not(body: str) -> None:
    assert [lines for lines in looped(body) if lines] == []


def test_a_method_that_looks_at_the_flag_among_other_things_is_a_look_at_it() -> None:
    more = "import time\nclass Timed(Node):\n    until = 0\n    def still(self):\n        if not self.is_leader or time.time() > self.until:\n            raise RuntimeError\ntimed = Timed()\n"
    asked = "def turn(items):\n    if timed.is_leader:\n        for i in items:\n            timed.still()\n            send(i)\n"
    assert [lines for lines in looped(more + asked) if lines] == []


def test_functions_that_look_themselves_are_told() -> None:
    body = "def turn(items):\n    if node.is_leader:\n        for i in items:\n            send(i)\ndef send(i):\n    if node.leads():\n        print(i)\n"
    looks = system(a=NODE + body).led()
    assert {look.asked for look in looks if look.symbol == "a.turn"} == {frozenset({"a.send", "a.Node.leads"})}
