"""Wrappers that go on where their lock was refused, and those that do not."""

from __future__ import annotations

import pytest
from systems import system

TOP = "import contextlib, logging, redis\nr = redis.Redis()\nlog = logging.getLogger(__name__)\n"
USE = "def work():\n    with held('x'):\n        open('f', 'w')\n"


def reached(body: str) -> int | None:
    """The line of the wrapper that is reached without the lock, counted from its first statement."""
    text = f"{TOP}@contextlib.contextmanager\ndef held(name):\n{body}{USE}"
    found = [s for s in system(a=text).critical_sections() if s.symbol == "a.work"]
    assert found
    return next((s.without.line - 5 for s in found if s.without is not None), None)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("    got = r.lock(name).acquire(blocking=False)\n    yield\n", 2),
        ("    got = r.lock(name).acquire(blocking=False)\n    if not got:\n        log.warning('busy')\n    yield\n", 4),
        ("    l = r.lock(name)\n    got = False\n    try:\n        got = l.acquire(blocking=False)\n    except Exception:\n        got = False\n    try:\n        yield\n    finally:\n        if got: l.release()\n", 8),
        ("    if r.lock(name).acquire(blocking=False):\n        yield\n    else:\n        log.info('busy')\n        yield\n", 5),
    ],
)  # fmt: skip
def test_a_yield_that_a_refusal_comes_to(body: str, line: int) -> None:
    assert reached(body) == line


@pytest.mark.parametrize(
    "body",
    [
        "    got = r.lock(name).acquire(blocking=False)\n    if not got:\n        raise RuntimeError\n    yield\n",
        "    if not r.lock(name).acquire(blocking=False):\n        log.info('busy')\n        return\n    yield\n",
        "    got = r.lock(name).acquire(blocking=False)\n    assert got\n    yield\n",
        "    if r.lock(name).acquire(blocking=False):\n        yield\n",
        "    got = r.lock(name).acquire(blocking=False)\n    if not got:\n        give_up(name)\n    yield\n",
        "    got = r.lock(name).acquire(blocking=False)\n    check(got)\n    yield\n",
        "    while not r.lock(name).acquire(blocking=False):\n        pass\n    yield\n",
        "    r.lock(name).acquire()\n    yield\n",
        "    got = r.lock(name).acquire(blocking=False)\n    while not got:\n        got = r.lock(name).acquire(blocking=False)\n    yield\n",
    ],
)
def test_a_yield_that_none_comes_to_as_far_as_is_known(body: str) -> None:
    assert reached(body) is None


def test_a_wrapper_around_a_wrapper_that_raises_does_not_go_on() -> None:
    text = (
        f"{TOP}@contextlib.contextmanager\ndef held(name):\n    if not r.lock(name).acquire(blocking=False):\n        raise RuntimeError\n    yield\n"
        "@contextlib.contextmanager\ndef outer():\n    with held('y'):\n        yield\ndef work():\n    with outer():\n        open('f', 'w')\n"
    )
    assert [s.without for s in system(a=text).critical_sections()] == [None] * 3
