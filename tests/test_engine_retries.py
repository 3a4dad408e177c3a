"""How often something is tried that may fail: loops that end with a success, and decorators that call again."""

from __future__ import annotations

import pytest
from systems import system

from coordlint.models.schema import Op

HEAD = "import itertools, time\nimport redis\nr = redis.Redis()\nTRIES = 4\n"


def tried(text: str, op: Op = Op.ACQUIRE) -> list[str]:
    """What is said of the tries of the one call of this kind, innermost first."""
    found = system(a=HEAD + text)
    calls = list(found.operations(op))
    assert len(calls) == 1
    return [r.told for r in found.retries(calls[0])]


LOOPS = {
    "a count": ("for n in range(3):\n        if {take}:\n            return True\n        time.sleep(1)", "at most 3 times"),
    "a count by a constant": ("for n in range(1, TRIES + 1):\n        if {take}:\n            break", "at most 4 times"),
    "a count that is not known": ("for n in range(limit()):\n        if {take}:\n            return", "a bounded number of times"),
    "for ever": ("while True:\n        if {take}:\n            return\n        time.sleep(1)", "until it succeeds"),
    "until it is there": ("while not {take}:\n        time.sleep(1)", "until it succeeds"),
    "a result that is kept": ("while True:\n        got = {take}\n        if got:\n            break\n        time.sleep(1)", "until it succeeds"),
    "a failure goes on": ("while True:\n        if not {take}:\n            continue\n        return 1", "until it succeeds"),
    "a counter inside": ("n = 0\n    while True:\n        if {take}:\n            return\n        n += 1\n        if n >= 7:\n            raise TimeoutError", "at most 7 times"),
    "a counter in the test": ("n = 0\n    while n < TRIES:\n        if {take}:\n            return\n        n += 1", "at most 4 times"),
    "a counter that goes down": ("left = 5\n    while left:\n        if {take}:\n            return\n        left -= 1", "at most 5 times"),
    "counted without end": ("for n in itertools.count():\n        if {take}:\n            return\n        if n > 8:\n            break", "at most 8 times"),
    "a parameter that goes down": ("while left > 0:\n        if {take}:\n            return\n        left -= 1", "at most 3 times"),
    "a deadline": ("end = time.monotonic() + 30\n    while time.monotonic() < end:\n        if {take}:\n            return", "for at most 30 s"),
    "time that has gone by": ("begin = time.time()\n    while True:\n        if {take}:\n            return\n        if time.time() - begin > 20:\n            raise TimeoutError", "for at most 20 s"),
    "a flag": ("while running:\n        if {take}:\n            return", "until something else ends it"),
}


@pytest.mark.parametrize("kind", LOOPS)
def test_a_loop_that_success_ends_says_how_often_it_tries(kind: str) -> None:
    loop, told = LOOPS[kind]
    assert tried("def take(name, left=3):\n    " + loop.format(take="r.set(name, 1, nx=True, ex=9)") + "\n") == [told]


@pytest.mark.parametrize(
    "loop",
    [
        "for name in names:\n        r.set(name, 1, nx=True)",
        "while True:\n        r.set('x', 1, nx=True)\n        time.sleep(1)",
        "r.set('x', 1, nx=True)\n    while True:\n        time.sleep(1)",
    ],
    ids=["one for each", "again and again", "before a loop"],
)
def test_a_loop_that_goes_on_after_a_success_tries_nothing_again(loop: str) -> None:
    assert tried(f"def take(names):\n    {loop}\n") == []


def test_a_conflict_that_leads_back_into_the_loop_is_a_retry() -> None:
    text = (
        "def bump(key):\n    while True:\n        try:\n            with r.pipeline() as pipe:\n                pipe.watch(key)\n                pipe.multi()\n"
        "                pipe.set(key, 1)\n                pipe.execute()\n                return\n        except redis.WatchError:\n            continue\n"
    )
    found = system(a=HEAD + text)
    assert [[r.told for r in found.retries(o)] for o in found.operations() if o.call.endswith(".execute")] == [["until it succeeds"]]


def test_a_failure_that_leaves_the_loop_is_not_tried_again() -> None:
    text = "def bump(key):\n    while True:\n        try:\n            r.incr(key)\n            return\n        except redis.ConnectionError:\n            raise\n"
    assert tried(text, Op.INCREMENT) == []


@pytest.mark.parametrize(
    "loop",
    ["left = float('inf')\n    while left:", "left = float('nan')\n    while left > 0:", "for left in range(10 ** 40):", "for left in range(0, 5, 0):", "for left in range(0, 9, 0.5):"],
)
def test_a_count_that_is_none_has_no_number(loop: str) -> None:
    text = f"def bump(key):\n    {loop}\n        try:\n            r.incr(key)\n            return\n        except redis.ConnectionError:\n            left -= 1\n"
    assert tried(text, Op.INCREMENT) == ["a bounded number of times"]


DECORATORS = {
    "tenacity, tries": ("from tenacity import retry, stop_after_attempt\n@retry(stop=stop_after_attempt(3))", "at most 3 times"),
    "tenacity, tries or time": ("import tenacity\n@tenacity.retry(stop=tenacity.stop_after_delay(60) | tenacity.stop_after_attempt(6))", "at most 6 times"),
    "tenacity, time": ("import tenacity\n@tenacity.retry(stop=tenacity.stop_after_delay(60))", "for at most 60 s"),
    "tenacity, by a name": ("import tenacity\nENOUGH = tenacity.stop_after_attempt(TRIES)\n@tenacity.retry(stop=ENOUGH)", "at most 4 times"),
    "tenacity, no end": ("from tenacity import retry, wait_fixed\n@retry(wait=wait_fixed(2))", "until it succeeds"),
    "tenacity, bare": ("from tenacity import retry\n@retry", "until it succeeds"),
    "backoff, tries": ("import backoff\n@backoff.on_exception(backoff.expo, redis.RedisError, max_tries=8)", "at most 8 times"),
    "backoff, time": ("import backoff\n@backoff.on_exception(backoff.expo, redis.RedisError, max_time=300)", "for at most 300 s"),
    "backoff, no end": ("import backoff\n@backoff.on_predicate(backoff.fibo)", "until it succeeds"),
    "retrying": ("from retrying import retry\n@retry(stop_max_attempt_number=7)", "at most 7 times"),
    "retrying, milliseconds": ("from retrying import retry\n@retry(stop_max_delay=9000)", "for at most 9 s"),
    "retry": ("from retry import retry\n@retry(tries=3, delay=2)", "at most 3 times"),
    "retry, no end": ("from retry import retry\n@retry(tries=-1)", "until it succeeds"),
    "a task": ("from celery import shared_task\n@shared_task(autoretry_for=(OSError,), max_retries=5)", "at most 6 times"),
    "a task, no end": ("from celery import shared_task\n@shared_task(autoretry_for=(OSError,), max_retries=None)", "until it succeeds"),
    "the project's own": (
        "import functools\ndef again(f):\n    @functools.wraps(f)\n    def inner(*a):\n        for n in range(3):\n            try:\n                return f(*a)\n"
        "            except OSError:\n                time.sleep(n)\n    return inner\n@again",
        "at most 3 times",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DECORATORS)
def test_a_decorator_that_calls_again_says_how_often(kind: str) -> None:
    decorator, told = DECORATORS[kind]
    assert tried(f"{decorator}\ndef note(key):\n    r.incr(key)\n", Op.INCREMENT) == [told]


def test_other_decorators_call_nothing_again() -> None:
    assert tried("import functools\n@functools.cache\ndef note(key):\n    r.incr(key)\n", Op.INCREMENT) == []


def test_attempts_of_tenacity_are_a_loop() -> None:
    text = "from tenacity import Retrying, stop_after_attempt\ndef note(key):\n    for attempt in Retrying(stop=stop_after_attempt(2)):\n        with attempt:\n            r.incr(key)\n"
    assert tried(text, Op.INCREMENT) == ["at most 2 times"]


def test_the_loop_of_the_only_caller_counts_as_well() -> None:
    text = "def take(name):\n    return r.set(name, 1, nx=True)\ndef run():\n    while True:\n        if take('x'):\n            return\n"
    assert tried(text) == ["until it succeeds"]
    assert tried(text + "def other():\n    take('y')\n") == []


def test_a_bound_that_callers_and_defaults_say_is_known() -> None:
    text = "def take(name, tries=6):\n    for n in range(tries):\n        if r.set(name, 1, nx=True):\n            return n\n"
    assert tried(text) == ["at most 6 times"]


def test_many_statements_that_may_fail_take_no_time() -> None:
    body = "".join("        try:\n            step()\n        except OSError:\n            continue\n" for _ in range(300))
    assert tried(f"def run():\n    while True:\n{body}        r.incr('x')\n        return\n", Op.INCREMENT) == []
