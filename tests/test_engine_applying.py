"""Calls that are made for somebody: by a thread that is waited for, and by helpers that call what they are given."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Operation, Outcome
from coordlint.models.schema import Op

HEAD = "import asyncio, functools\nimport redis\nfrom kazoo.client import KazooClient\nfrom kazoo.retry import KazooRetry\nr = redis.Redis()\nzk = KazooClient()\n"


def last(text: str) -> Operation:
    """The operation that stands lowest."""
    return max(system(a=HEAD + text).operations(), key=lambda o: (o.place.line, o.op is not Op.RETRY_POLICY))


@pytest.mark.parametrize(
    "call",
    [
        "asyncio.to_thread(r.set, 'door', 1, nx=True)",
        "anyio.to_thread.run_sync(functools.partial(r.set, 'door', 1, nx=True))",
        "loop.run_in_executor(None, functools.partial(r.set, 'door', nx=True), 1)",
        "run_in_threadpool(lambda: r.set('door', 1, nx=True))",
        "sync_to_async(r.set, thread_sensitive=True)('door', 1, nx=True)",
        "asyncio.wait_for(asyncio.to_thread(r.set, 'door', 1, nx=True), 5)",
    ],
)
def test_what_a_thread_does_while_it_is_waited_for_happens_here(call: str) -> None:
    found = last(f"async def take(loop):\n    if not await {call}:\n        return\n")
    assert (found.op, found.key, found.outcome) == (Op.ACQUIRE, "door", Outcome.TESTED)


def test_what_an_executor_does_that_nobody_waits_for_happens_elsewhere() -> None:
    assert "Redis.set" not in last("def take(loop):\n    loop.run_in_executor(None, r.set, 'door', 1)\n").call


@pytest.mark.parametrize("again", ["zk.retry", "KazooRetry()"])
def test_kazoos_retries_do_what_they_are_given(again: str) -> None:
    found = last(f"def join():\n    {again}(zk.create, '/members/me', b'', ephemeral=True)\n")
    assert (found.call, found.key, found.ephemeral, found.outcome) == ("kazoo.client.KazooClient.create", "/members/me", True, Outcome.DEAD)


HELPER = """
def safely(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except redis.ConnectionError:
        return None

def again(function, *args):
    return safely(function, *args)
"""


@pytest.mark.parametrize("helper", ["safely", "again"])
def test_what_a_helper_calls_stands_where_it_is_given_to_it(helper: str) -> None:
    found = last(HELPER + f"def take(door):\n    return {helper}(r.set, door, 1, nx=True)\n")
    assert (found.op, found.symbol, found.key_text, found.outcome, found.via) == (Op.ACQUIRE, "a.take", "{door}", Outcome.RETURNED, (helper,))


def test_the_helpers_handlers_stand_around_it() -> None:
    found = last(HELPER + "def take(door):\n    return safely(r.set, door, 1)\n")
    assert [g.catches for g in found.guards] == [("redis.exceptions.ConnectionError",)] or [g.catches for g in found.guards] == [("redis.ConnectionError",)]


def test_it_stands_nowhere_else() -> None:
    found = system(a=HEAD + HELPER + "def take(door):\n    return safely(r.set, door, 1)\n")
    assert [o.symbol for o in found.operations() if o.call == "redis.Redis.set"] == ["a.take"]


def test_a_helper_that_starts_a_thread_with_it_does_not_do_it_here() -> None:
    text = "from threading import Thread\ndef later(function, *args):\n    Thread(function, *args).start()\ndef take(door):\n    later(r.set, door, 1)\n"
    assert not [o for o in system(a=HEAD + text).operations() if o.symbol == "a.take"]


def test_a_key_is_joined_from_a_list_that_grew() -> None:
    text = (
        "class Paths:\n    def __init__(self, base):\n        self.base = base\n    def of(self, name, group=None):\n        parts = [self.base]\n"
        "        if group:\n            parts.append(group)\n        parts.append(name)\n        return '/'.join(parts)\n"
        "def take(paths: Paths):\n    r.set(paths.of('door'), 1)\n"
    )
    assert last(text).key_text.endswith("/door")


def test_a_release_on_the_way_that_excludes_the_acquire_gives_nothing_back() -> None:
    text = "def run(mine):\n    if mine:\n        r.set('lock:x', 1, nx=True)\n        open('f', 'w')\n    else:\n        r.delete('lock:x')\n"
    assert [s.releases for s in system(a=HEAD + text).critical_sections()] in ([()], [])
