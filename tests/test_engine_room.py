"""Members that are added to a set, list or hash because a count before said that there was room."""

from __future__ import annotations

import pytest
from systems import system

HEAD = "import redis\nr = redis.Redis()\nMOST = 4\ndef sit(table, player):\n"


def rooms(body: str) -> list[tuple[int, int]]:
    """(line of the count, line of what is added) of one function."""
    return [(o.room.line, o.place.line) for o in system(app=HEAD + body).operations() if o.room is not None]


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("    if r.scard(f't:{table}') >= MOST:\n        return\n    r.sadd(f't:{table}', player)\n", (5, 7)),
        ("    n = r.llen(f't:{table}')\n    if n < MOST:\n        r.rpush(f't:{table}', player)\n", (5, 7)),
        ("    if MOST > r.hlen(f't:{table}'):\n        r.hset(f't:{table}', player, 1)\n", (5, 6)),
        ("    n = r.zcard(f't:{table}')\n    if not n < MOST:\n        raise ValueError\n    r.zadd(f't:{table}', {player: 1})\n", (5, 8)),
    ],
    ids=["left where it is full", "added where there is room", "the bound first", "turned round"],
)
def test_a_count_lets_another_one_in(body: str, lines: tuple[int, int]) -> None:
    assert rooms(body) == [lines]


@pytest.mark.parametrize(
    "body",
    [
        "    if r.scard(f't:{table}') > 0:\n        r.sadd(f't:{table}', player)\n",
        "    if r.scard(f't:{table}') >= MOST:\n        r.sadd(f't:{table}', player)\n",
        "    if r.scard(f't:{table}') < MOST:\n        r.sadd(f'u:{table}', player)\n",
        "    print(r.scard(f't:{table}'))\n    r.sadd(f't:{table}', player)\n",
        "    if r.scard(f't:{table}') >= MOST:\n        r.spop(f't:{table}')\n    r.sadd(f't:{table}', player)\n",
    ],
    ids=["whether there is any", "added where it is full", "another key", "only told", "room is made"],
)
def test_other_counts_let_nobody_in(body: str) -> None:
    assert rooms(body) == []
