"""Loops in the background: which failures end them without a word to anybody but the log. And listings that are read one by one."""

from __future__ import annotations

import pytest
from systems import system

from coordlint import Op, System, ends_quietly

HEAD = """import logging, threading, time, etcd3
lease = etcd3.client().lease(9)
def start():
    threading.Thread(target=keep).start()
"""


def quiet(found: System) -> list[int]:
    """The lines on which a renewing loop is left in silence."""
    ends = (ends_quietly(found, alive) for alive in found.operations(Op.KEEPALIVE))
    return [end.place.line for end in ends if end is not None]


@pytest.mark.parametrize("leaving", ["break", "return", "return None"])
def test_a_loop_that_a_failure_ends_with_a_line_in_the_log_ends_quietly(leaving: str) -> None:
    body = f"def keep():\n    while True:\n        try:\n            lease.refresh()\n        except Exception as e:\n            logging.error(e)\n            {leaving}\n"
    assert quiet(system(a=HEAD + body)) == [11]


@pytest.mark.parametrize("told", ["gone.set()", "on_loss()", "state['up'] = False", "raise", "time.sleep(1)"])
def test_a_handler_that_does_more_than_log_is_not_quiet(told: str) -> None:
    body = f"def keep():\n    while True:\n        try:\n            lease.refresh()\n        except Exception as e:\n            {told}\n            break\n"
    assert quiet(system(a=HEAD + body)) == []


def test_what_stands_behind_the_loop_may_tell() -> None:
    body = "def keep():\n    while True:\n        try:\n            lease.refresh()\n        except Exception:\n            break\n    gone.set()\n"
    assert quiet(system(a=HEAD + body)) == []


def test_a_loop_that_its_caller_waits_for_ends_in_front_of_him() -> None:
    body = "def keep():\n    while True:\n        try:\n            lease.refresh()\n        except Exception:\n            break\n"
    assert quiet(system(a=HEAD.replace("threading.Thread(target=keep).start()", "keep()") + body)) == []


def searches(found: System) -> list[tuple[int, int, bool]]:
    """(line of a listing, line of the read of each entry, whether one is looked for)."""
    return [(o.place.line, o.read_each.line, o.sought) for o in found.operations(Op.LIST) if o.read_each is not None]


ZK = "from kazoo.client import KazooClient\nzk = KazooClient()\ndef load(path):\n    return zk.get(path)[0]\n"


def test_entries_that_a_comprehension_reads_are_read_one_by_one() -> None:
    body = "def has(what):\n    values = [zk.get(f'/a/{n}')[0] for n in zk.get_children('/a')]\n    return what in values\n"
    assert searches(system(a=ZK + body)) == [(6, 6, True)]


def test_entries_are_read_by_the_projects_own_reader_too() -> None:
    body = "def show():\n    names = zk.get_children('/a')\n    for n in sorted(names):\n        print(load('/a/' + n))\n"
    assert searches(system(a=ZK + body)) == [(6, 8, False)]


def test_one_of_the_names_is_not_each_of_them() -> None:
    body = "def first():\n    names = zk.get_children('/a')\n    for i in range(3):\n        print(i)\n    return load('/a/' + names[0])\n"
    assert searches(system(a=ZK + body)) == []


def test_a_value_that_is_written_into_the_code_is_no_search() -> None:
    body = "def live():\n    return [n for n in zk.get_children('/a') if load('/a/' + n) == b'up']\n"
    assert searches(system(a=ZK + body)) == [(6, 6, False)]


@pytest.mark.parametrize(("starting", "repeated"), [("join()", False), ("while True:\n    join()", True), ("for n in range(9):\n    again()", True)])
def test_what_a_loop_around_a_call_repeats_is_repeated(starting: str, repeated: bool) -> None:
    found = system(a="import consul\nc = consul.Consul()\ndef join():\n    c.agent.service.register('a')\ndef again():\n    join()\n" + starting + "\n")
    assert [found.is_repeated(o) for o in found.operations(Op.REGISTER)] == [repeated]


ROUND = "import etcd3\ndef connect(hosts):\n    for host in hosts:\n        try:\n            c = etcd3.client(host=host)\n            c.status()\n            return c\n        except Exception as e:\n            print(e)\n"


@pytest.mark.parametrize(
    ("behind", "line"),
    [
        ("    raise ConnectionError('no member')\n", 10),
        ("    print('none')\n    raise ConnectionError('no member')\n", 11),
        ("    return None\n", None),
        ("            time.sleep(2)\n    raise ConnectionError('no member')\n", None),
        ("    raise Away()\nclass Away(Exception): pass\n", None),
    ],
)
def test_a_round_over_members_ends_in_an_exception_when_none_answers(behind: str, line: int | None) -> None:
    ends = {g.gives_up.line if g.gives_up else None for o in system(a=ROUND + behind).operations() for g in o.guards}
    assert ends == {line}
