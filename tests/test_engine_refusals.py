"""Lua scripts that refuse by what they answer, and whether anybody asks."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.link.code.calls.refusals import refusal
from coordlint.models.schema import Op

TAKE = "if tonumber(redis.call('GET', KEYS[1])) < tonumber(ARGV[1]) then return -1 end return redis.call('DECRBY', KEYS[1], ARGV[1])"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (TAKE, "-1"),
        ("local n = tonumber(redis.call('get', KEYS[1]))\nif n < 1 then\n  return 0\nend\nredis.call('set', KEYS[1], n - 1)\nreturn 1", "0"),
        ("local now = redis.call('get', KEYS[1])\nlocal want = ARGV[1]\nif now == want then redis.call('set', KEYS[1], ARGV[2]) return 1 else return 0 end", "0"),
        ("if redis.call('hget', KEYS[1], 'state') ~= 'open' then return false end\nredis.call('hset', KEYS[1], 'state', 'paid')\nreturn 1", "false"),
        ("local n = redis.call('decr', KEYS[1])\nif n < 0 then redis.call('incr', KEYS[1]) return -1 end\nreturn n", "-1"),
        ("if redis.call('zcard', KEYS[1]) < 5 then redis.call('zadd', KEYS[1], ARGV[1], ARGV[2]) return 1 end return 0", "0"),
    ],
)
def test_a_test_in_front_of_a_change_refuses(text: str, answer: str) -> None:
    assert refusal(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "local best = tonumber(redis.call('get', KEYS[1]))\nif tonumber(ARGV[1]) > best then redis.call('set', KEYS[1], ARGV[1]) return 1 end\nreturn 0",
        "if tonumber(redis.call('get', KEYS[1])) < 1 then return redis.error_reply('empty') end\nredis.call('decr', KEYS[1])\nreturn 1",
        "local n = redis.call('incr', KEYS[1])\nif n == 1 then redis.call('expire', KEYS[1], 60) end\nreturn n",
        "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
        "-- if n < 1 then return 0 end\nredis.call('decr', KEYS[1]) return 1",
    ],
)
def test_other_scripts_do_not(text: str) -> None:
    assert refusal(text) == ""


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("    take(keys=['k'], args=[n])\n", True),
        ("    left = take(keys=['k'], args=[n])\n    print(f'{left} left')\n    return {'left': left}\n", True),
        ("    left = take(keys=['k'], args=[n])\n    if left < 0:\n        raise ValueError\n", False),
        ("    left = take(keys=['k'], args=[n])\n    check(left)\n", False),
        ("    left = take(keys=['k'], args=[n])\n    return left\n", False),
    ],
)
def test_what_is_logged_or_shown_decides_nothing(body: str, told: bool) -> None:
    found = system(a=f"import redis\ntake = redis.Redis().register_script({TAKE!r})\ndef book(n):\n{body}")
    (script,) = (o for o in found.operations(Op.SCRIPT) if o.symbol == "a.book")
    assert (script.refusal, script.only_told) == ("-1", told)
