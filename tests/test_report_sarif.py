"""SARIF: the OASIS schema, and what GitHub's code scanning asks for beyond it."""

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from reports import CHARGE, FULL, KEEPER, report

from coordlint.finding import Evidence, Finding
from coordlint.report import render
from coordlint.report.result import Report
from coordlint.source import Place, Skip, Span

# The schema is OASIS's own text and is not shipped here: CI fetches it, or name your copy in SARIF_SCHEMA.
SCHEMA = Path(os.environ.get("SARIF_SCHEMA") or Path(__file__).parent / "data" / "sarif-schema-2.1.0.json")


def run(told: Report) -> dict[str, Any]:
    (only,) = json.loads(render(told, "sarif"))["runs"]
    return only  # type: ignore[no-any-return]


def odd() -> Finding:
    """Everything that has to be escaped."""
    return msgspec.structs.replace(
        CHARGE,
        message="a [link](1) and \\ and {0}",
        place=Place("a b/ü#?%[1].py", Span(1, 1, 3, 4)),
        because=(Evidence(Place("x.py", Span(2)), "see [here](2)"),),
        symbol="",
    )


@pytest.mark.skipif(not SCHEMA.is_file(), reason=f"no SARIF schema at {SCHEMA.name}: set SARIF_SCHEMA")
@pytest.mark.parametrize(
    "told", [FULL, report(), report(odd())], ids=["everything", "nothing", "odd characters"]
)
def test_the_oasis_schema_accepts_it(told: Report) -> None:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft4Validator(schema).validate(json.loads(render(told, "sarif")))


def locations(told: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for result in told["results"]:
        found += [*result["locations"], *result.get("relatedLocations", [])]
        found += [
            s["location"]
            for f in result.get("codeFlows", [])
            for t in f["threadFlows"]
            for s in t["locations"]
        ]
    return [location["physicalLocation"] for location in found]


def test_every_uri_is_relative_and_escaped() -> None:
    told = run(report(odd(), KEEPER))
    uris = {place["artifactLocation"]["uri"] for place in locations(told)}
    assert uris == {"a%20b/%C3%BC%23%3F%25%5B1%5D.py", "compose%20file.yaml", "x.py"}


def test_uris_start_at_the_root_of_the_repository() -> None:
    told = run(report(KEEPER, prefix="services/shop/"))
    assert locations(told)[0]["artifactLocation"]["uri"] == "services/shop/compose%20file.yaml"


def test_every_region_is_on_one_line() -> None:
    text = {"a b/ü#?%[1].py": "first line\nsecond\nthird\n"}
    told = run(report(odd(), KEEPER, texts=text))
    regions = [place["region"] for place in locations(told)]
    assert all(region.get("endLine", region["startLine"]) == region["startLine"] for region in regions)
    assert regions[0] == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 11}


def test_the_message_links_to_each_related_location() -> None:
    (result,) = run(report(CHARGE))["results"]
    ids = [location["id"] for location in result["relatedLocations"]]
    links = re.findall(r"(?<!\\)\[[^\]]*\]\((\d+)\)", result["message"]["text"])
    assert [int(link) for link in links] == ids == [1, 2]


def test_brackets_of_a_message_are_no_links() -> None:
    (result,) = run(report(odd()))["results"]
    assert re.findall(r"(?<!\\)\[[^\]]*\]\((\d+)\)", result["message"]["text"]) == ["1"]
    assert result["message"]["text"].startswith("a \\[link\\](1) and \\\\")


def test_the_evidence_is_a_code_flow_in_its_order() -> None:
    (result,) = run(report(CHARGE))["results"]
    (flow,) = result["codeFlows"]
    steps = [
        step["location"]["physicalLocation"]["region"]["startLine"]
        for step in flow["threadFlows"][0]["locations"]
    ]
    assert steps == [5, 4, 2]


def test_rules_levels_and_fingerprints() -> None:
    told = run(FULL)
    rules = told["tool"]["driver"]["rules"]
    assert [(r["id"], r["name"], r["defaultConfiguration"]["level"]) for r in rules] == [
        ("CL101", "lock-without-fencing", "error"),
        ("CL701", "single-member-ensemble", "warning"),
    ]
    assert rules[0]["help"]["text"] == "A lock without a fence.\n\nWhy: late."
    first, second = told["results"]
    assert (first["ruleIndex"], first["level"], second["ruleIndex"], second["level"]) == (
        0,
        "error",
        1,
        "warning",
    )
    assert first["partialFingerprints"] == {"coordlint/v1": FULL.findings[0].fingerprint}


def test_skipped_files_and_broken_rules_are_notifications() -> None:
    (invocation,) = run(FULL)["invocations"]
    assert invocation["executionSuccessful"] is False
    notes = invocation["toolExecutionNotifications"]
    assert [note["level"] for note in notes] == ["warning", "error", "note"]
    assert notes[0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 3}
    assert run(report())["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_a_skip_alone_is_no_failed_execution() -> None:
    told = run(report(coverage=msgspec.structs.replace(FULL.coverage, skipped=(Skip("a.py", "why"),))))
    assert told["invocations"][0]["executionSuccessful"] is True


def test_a_finding_of_a_rule_that_is_not_listed_brings_its_rule() -> None:
    told = run(report(CHARGE))
    assert [rule["id"] for rule in told["tool"]["driver"]["rules"]] == ["CL101"]
