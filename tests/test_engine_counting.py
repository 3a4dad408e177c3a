"""`counter += 1` on an object that counts in a store is a call, and what becomes of the number is known."""

from __future__ import annotations

from systems import system

from coordlint import Op


def counted(code: str) -> list[str]:
    return [f"{o.key} {o.loop} {o.outcome}" for o in system({"tally.py": code}).operations(Op.INCREMENT)]


START = "from kazoo.client import KazooClient\nzk = KazooClient(hosts='zk:2181')\n"


def test_a_number_that_is_only_printed_is_used_by_nobody() -> None:
    code = START + "def main(work):\n    rounds = zk.Counter('/rounds')\n    while True:\n        work()\n        rounds += 1\n        print(f'round {rounds.value}')\n"
    assert counted(code) == ["/rounds forever dead"]


def test_a_number_that_decides_is_used() -> None:
    code = START + "def main(work):\n    rounds = zk.Counter('/rounds')\n    while rounds.value < 7:\n        work()\n        rounds += 1\n"
    assert counted(code) == ["/rounds while used"]


def test_a_number_that_another_function_asks_for_is_used() -> None:
    code = START + "rounds = zk.Counter('/rounds')\ndef main(work):\n    global rounds\n    while True:\n        rounds += 1\ndef left():\n    return 9 - rounds.value\n"
    assert counted(code) == ["/rounds forever used"]


def test_a_plain_number_is_no_counter() -> None:
    assert counted(START + "def main():\n    n = 0\n    while True:\n        n += 1\n") == []
