"""What a coroutine does in the thread of its loop, and what it waits for."""

from __future__ import annotations

import pytest
from systems import system

HEAD = "import asyncio, subprocess, time\n\ndef build():\n    subprocess.run(['make'])\n\nasync def fetch():\n    pass\n\nasync def work():\n    "


@pytest.mark.parametrize("does", ["build()", "subprocess.run(['make'])", "time.sleep(9)", "x = build()"])
def test_what_is_not_waited_for_blocks(does: str) -> None:
    found = system(a=HEAD + does)
    assert [f for f in (9, 10) if any(found.blocks(p) for p in _places(found, f))] == [10]


@pytest.mark.parametrize("does", ["await asyncio.to_thread(build)", "await fetch()", "await asyncio.sleep(9)", "await asyncio.wait_for(asyncio.to_thread(build), 5)"])
def test_what_is_waited_for_does_not(does: str) -> None:
    assert not any(p.line == 10 for p in system(a=HEAD + does)._world.blocking)


def _places(found, line):  # type: ignore[no-untyped-def]
    return [p for p in found._world.blocking if p.line == line]


def test_sleeps_are_noted_with_their_seconds() -> None:
    found = system(a="import time\nREST = 7\ndef rest():\n    time.sleep(REST)\n")
    assert [(symbol, place.line, seconds) for symbol, place, seconds in found.naps()] == [("a.rest", 4, 7.0)]
