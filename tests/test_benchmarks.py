"""The data of benchmarks/ are what its scripts and docs/precision.md take them for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordlint.rulebook import load_rules

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
INCIDENTS: list[dict[str, Any]] = yaml.safe_load((BENCHMARKS / "incidents.yaml").read_text("utf-8"))


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda i: str(i["id"]))
def test_an_incident_names_two_commits_a_place_and_rules_of_the_catalogue(incident: dict[str, Any]) -> None:
    names = {rule.name for rule in load_rules()}
    assert {incident["rule"], *incident.get("also", ())} <= names
    assert incident["before"] != incident["fix"] and all(re.fullmatch(r"[0-9a-f]{40}", incident[side]) for side in ("before", "fix"))
    assert incident["places"] and all(first <= last for _, first, last in incident["places"])


def test_an_incident_is_found_at_first_or_tells_what_was_mended_or_what_is_missed() -> None:
    silent = [i["id"] for i in INCIDENTS if not i["first"]["found"] and ("why_missed" in i) == ("mended" in i)]
    assert silent == []
