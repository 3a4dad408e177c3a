"""A lock, or what taking it gave, that is handed on to other functions: what they do with it counts as done here."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.coordination import Section
from coordlint.duration import time_limit

START = "import redis, pglock\nr = redis.Redis()\n"


def section(text: str) -> Section:
    (found,) = system(a=START + text).critical_sections()
    return found


RENEWED = "def run(xs):\n    with r.lock('x', timeout=9) as l:\n        {call}\n"


@pytest.mark.parametrize(
    ("call", "helper"),
    [
        ("each(l, xs)", "def each(lock, xs):\n    for x in xs:\n        lock.extend(9)\n"),
        ("each(xs, held=l)", "def each(xs, held):\n    held.reacquire()\n"),
        ("each(l)", "def each(k):\n    deeper(k)\ndef deeper(lock):\n    lock.extend(9)\n"),
    ],
    ids=["by place", "by name", "through another"],
)
def test_a_function_that_is_given_the_lock_may_renew_it(call: str, helper: str) -> None:
    assert len(section(RENEWED.format(call=call) + helper).extended) == 1


def test_a_function_that_is_given_something_else_renews_nothing_of_this_lock() -> None:
    assert section(RENEWED.format(call="each(xs)") + "def each(lock):\n    lock.extend(9)\n").extended == ()


def test_a_function_that_is_given_the_lock_may_ask_whether_it_is_held() -> None:
    assert len(section(RENEWED.format(call="go(l)") + "def go(lock):\n    if not lock.owned():\n        raise Late\n").checked) == 1


GOT = "def run():\n    with pglock.advisory('x', timeout=0) as got:\n        post({given})\ndef post(ok):\n    if ok:\n        open('f', 'w')\n"


@pytest.mark.parametrize(("given", "tested"), [("got", True), ("1", False)])
def test_a_function_that_is_given_the_result_may_test_it(given: str, tested: bool) -> None:
    assert section(GOT.format(given=given)).tested is tested


def test_a_token_that_another_function_takes_from_the_lock_fences_what_it_writes() -> None:
    text = "import psycopg2\nfrom kazoo.client import KazooClient\nzk = KazooClient()\ndb = psycopg2.connect('')\ndef run(a):\n    lock = zk.Lock('/a')\n    with lock:\n        pay(a, lock)\n"
    helper = "def pay(a, held):\n    n = held.node\n    db.cursor().execute('UPDATE t SET n = %s WHERE a = %s', (n, a))\n"
    (found,) = system(a=text + helper).critical_sections()
    assert [e.token for e in found.effects] == [True]


def test_a_listener_may_leave_the_states_to_a_function_that_it_calls() -> None:
    text = "from kazoo.client import KazooClient, KazooState\nzk = KazooClient()\ndef on(state):\n    look(state)\ndef look(s):\n    if s == KazooState.LOST:\n        pass\nzk.add_listener(on)\n"
    (client,) = system(a=text).clients()
    assert client.listens_for == ("LOST",)


def test_a_client_may_be_told_in_another_module() -> None:
    later = "from a import client\nclient.default_noreply = False\n"
    found = system(a="from pymemcache.client.base import Client\nclient = Client('m:11211')\nother = Client('n:11211')\n", b=later).clients()
    assert [[a.value for a in c.arguments if a.name == "default_noreply"] for c in found] == [[False], []]


TASK = "from celery import shared_task\n@shared_task(time_limit=60)\ndef slow():\n    work()\n@shared_task(time_limit=5)\ndef quick():\n    work()\n"


def test_what_only_limited_tasks_call_is_limited_by_the_longest_of_them() -> None:
    work = "def work():\n    pass\n"
    limit = time_limit(system(a=TASK + work), "a.work")
    assert limit is not None and limit.seconds == 60
    assert time_limit(system(a=TASK + work + "def by_hand():\n    work()\n"), "a.work") is None


def test_a_loop_two_calls_below_a_section_is_a_loop_under_its_lock() -> None:
    text = "from archive import put\ndef run(xs):\n    with r.lock('x', timeout=9):\n        one(xs)\ndef one(xs):\n    two(xs)\ndef two(xs):\n    for x in xs:\n        put(x)\n"
    assert [place.line for place in section(text).laps] == [10]
