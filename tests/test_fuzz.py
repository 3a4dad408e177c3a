"""What fuzzing found once holds, and what it is fuzzed with is worth it: programs that coordinate, and end in every report."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from coordlint.examples import Example
from coordlint.extract import extract
from coordlint.link import link
from coordlint.models import Models

FUZZ = Path(__file__).with_name("fuzz")
sys.path.insert(0, str(FUZZ))

from programs import composed, joined  # noqa: E402
from targets import TARGETS  # noqa: E402
from trees import Lot, changed  # noqa: E402

CORPUS = sorted((FUZZ / "corpus").glob("*.txt"))


def drawn(number: int) -> bytes:
    return random.Random(number).randbytes(600)


@pytest.mark.parametrize("place", CORPUS, ids=lambda p: p.stem)
def test_what_broke_once_does_not_break_again(place: Path) -> None:
    TARGETS[place.name.partition("-")[0]](place.read_bytes().decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("number", range(20))
def test_composed_programs_say_the_same_in_any_order_and_break_nothing(number: int) -> None:
    TARGETS["programs"](joined(composed(drawn(number))))


def test_composed_programs_are_programs_and_coordinate() -> None:
    uses, held = 0, 0
    for number in range(30):
        facts = [extract(source) for source in Example("good", "composed", composed(drawn(number))).sources]
        assert sum(bool(f.skips) for f in facts) <= 1
        system = link(facts, Models.load())
        uses += bool(system.uses())
        held += bool(list(system.critical_sections()))
    assert uses >= 15 and held >= 5


def test_changed_programs_are_programs_again_and_others() -> None:
    donor = composed(drawn(1))["app.py"]
    made = {changed(donor, Lot(drawn(number)), [donor]) for number in range(40)}
    assert len(made) > 25
    for text in made:
        compile(text, "app.py", "exec", flags=0x400)  # PyCF_ONLY_AST: it is read, and never run


def test_where_nothing_is_drawn_the_plainest_program_stands() -> None:
    assert composed(b"") == {"app.py": "import redis\nr = redis.Redis(r)\ndef r(r):\n    r\n"}
