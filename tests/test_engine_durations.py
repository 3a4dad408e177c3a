"""How long work under a lock can take: loops whose rounds nobody can count, and limits on tasks."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Section
from coordlint.duration import time_limit
from coordlint.source import Place, Span
from coordlint.workload import Process

HEAD = "import redis\nfrom carrier import send\nr = redis.Redis()\n"


def section(text: str) -> Section:
    (found,) = system(a=HEAD + text).critical_sections()
    return found


def test_a_loop_over_what_is_read_cannot_be_counted() -> None:
    assert [p.line for p in section("def run(parcels):\n    with r.lock('x'):\n        for p in parcels():\n            send(p)\n").laps] == [6]


def test_a_loop_without_an_end_cannot_be_counted_either() -> None:
    assert [p.line for p in section("def run():\n    with r.lock('x'):\n        while True:\n            send(1)\n").laps] == [6]


@pytest.mark.parametrize("head", ["for p in range(3):", "for p in ('north', 'south'):"])
def test_a_loop_over_what_is_written_out_is_counted(head: str) -> None:
    assert section(f"def run():\n    with r.lock('x'):\n        {head}\n            send(p)\n").laps == ()


def test_a_loop_over_a_list_that_begins_empty_and_is_filled_cannot_be_counted() -> None:
    text = "def run(parcels):\n    due = []\n    for p in parcels():\n        due.append(p)\n    with r.lock('x'):\n        for p in due:\n            send(p)\n"
    assert [p.line for p in section(text).laps] == [9]


def test_the_loop_that_takes_the_lock_each_time_is_not_inside() -> None:
    assert section("def run(parcels):\n    for p in parcels():\n        with r.lock('x'):\n            send(p)\n").laps == ()


def test_a_loop_in_a_function_that_is_called_counts() -> None:
    assert [p.line for p in section("def run():\n    with r.lock('x'):\n        every()\n\ndef every():\n    for p in send():\n        send(p)\n").laps] == [9]


def test_a_loop_around_known_calls_only_is_no_such_loop() -> None:
    assert section("def run(parcels):\n    with r.lock('x'):\n        for p in parcels():\n            print(p)\n").laps == ()


def test_of_two_limits_the_first_ends_a_task() -> None:
    found = system(a="from celery import shared_task\n@shared_task(soft_time_limit=50, time_limit=60)\ndef run():\n    pass\n")
    limit = time_limit(found, "a.run")
    assert limit is not None and (limit.name, limit.seconds) == ("soft_time_limit", 50)


def test_the_limit_of_a_task_is_not_that_of_the_next_function() -> None:
    found = system(a="from celery import shared_task\n@shared_task(time_limit=60)\ndef run():\n    pass\n\ndef other():\n    pass\n")
    assert time_limit(found, "a.other") is None


@pytest.mark.parametrize(
    ("argv", "told"),
    [(("celery", "-P", "gevent"), "gevent"), (("celery", "--pool=gevent"), "gevent"), (("celery", "--pooling"), None), (("celery", "--pool"), "")],
)
def test_an_option_is_read_in_either_form(argv: tuple[str, ...], told: str | None) -> None:
    assert Process("celery-worker", argv, Place("compose.yaml", Span(1))).option("--pool", "-P") == told


def limits(text: str) -> list[str]:
    """What each request and each wait under the lock has for a limit."""
    head = "import aiohttp\nimport asyncio\nimport websockets\nimport redis.asyncio as redis\nr = redis.Redis()\n"
    (found,) = system(a=head + text).critical_sections()
    told = [e.operation for e in (*found.effects, *found.reads) if e.operation.kind in ("http", "remote")]
    return [str(given.value if given.literal else "some") if (given := o.argument("timeout")) is not None else "none" for o in told]


UNDER = "async def run():\n    async with r.lock('x', timeout=60):\n        "


def test_a_session_of_aiohttp_waits_for_five_minutes_unless_it_is_told() -> None:
    assert limits(UNDER + "async with aiohttp.ClientSession() as s:\n            await s.post('http://a/')\n") == ["300"]
    assert limits(UNDER + "async with aiohttp.ClientSession(timeout=7) as s:\n            await s.post('http://a/')\n") == ["7"]
    assert limits(UNDER + "async with aiohttp.ClientSession(timeout=7) as s:\n            await s.post('http://a/', timeout=2)\n") == ["2"]


def test_a_websocket_waits_without_a_limit_unless_somebody_ends_it() -> None:
    assert limits(UNDER + "async with websockets.connect('ws://a/') as w:\n            await w.recv()\n") == ["none"]
    assert limits(UNDER + "async with websockets.connect('ws://a/') as w:\n            await asyncio.wait_for(w.recv(), 5)\n") == ["some"]


def test_who_waits_for_a_function_ends_what_it_waits_for() -> None:
    asking = "async def ask():\n    async with websockets.connect('ws://a/') as w:\n        return await w.recv()\n\n"
    assert limits(asking + UNDER + "await asyncio.wait_for(ask(), 5)\n") == ["some"]
    assert limits(asking + UNDER + "await ask()\n") == ["none"]
