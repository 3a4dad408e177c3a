"""Which calls a loop goes on making: not those after which it is left."""

from __future__ import annotations

from systems import system


def kept_up(body: str) -> list[int]:
    found = system(a=f"def run(q, ask, tell):\n{body}")
    return [line for line in range(2, 12) if any(found.is_kept_up(p) for p in found._world.kept_up if p.line == line)]


def test_a_call_that_stands_before_the_way_out_is_made_once() -> None:
    assert kept_up("    while True:\n        ask()\n        if q:\n            tell()\n            break\n") == [3]


def test_so_is_one_deeper_in_a_block_that_ends_so() -> None:
    assert kept_up("    while True:\n        ask()\n        if q:\n            if ask:\n                tell()\n            return\n") == [3]


def test_a_call_before_a_condition_to_leave_is_made_again() -> None:
    assert kept_up("    while True:\n        tell()\n        if ask():\n            break\n") == [3, 4]
