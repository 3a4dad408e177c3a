"""Facts merge like a set: in any order, however often, they describe the same system."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from systems import MODELS

from coordlint.discovery import discover
from coordlint.extract import extract
from coordlint.facts import Facts
from coordlint.finding import Finding
from coordlint.link import link
from coordlint.rulebook import load_rules
from coordlint.system import System

SHOP = Path(__file__).parent.parent / "fixtures" / "err" / "shop"
RULES = load_rules()


def facts() -> list[Facts]:
    return [extract(source) for source in discover(SHOP).sources]


def findings(system: System) -> list[Finding]:
    return [finding for rule in RULES for finding in rule.run(system)]


FACTS = facts()
TOLD = findings(link(FACTS, MODELS))


@settings(max_examples=12, deadline=None)
@given(st.permutations(FACTS))
def test_the_order_of_files_changes_no_finding(turned: list[Facts]) -> None:
    assert findings(link(turned, MODELS)) == TOLD


@settings(max_examples=8, deadline=None)
@given(st.lists(st.sampled_from(FACTS), max_size=6))
def test_a_file_that_is_told_twice_changes_no_finding(again: list[Facts]) -> None:
    assert findings(link([*FACTS, *again], MODELS)) == TOLD


def test_the_system_of_these_laws_has_findings_to_lose() -> None:
    assert len(TOLD) > 5
