"""Fingerprints and the baseline: findings are known again when lines move, and counted when they repeat."""

from pathlib import Path

import msgspec
import pytest

from coordlint import baseline
from coordlint.finding import Confidence, Finding, Severity
from coordlint.fingerprint import fingerprints
from coordlint.source import Place, Span


def finding(line: int = 1, path: str = "a.py", symbol: str = "a.f", resource: str = "acct:{}", code: str = "CL101") -> Finding:
    place = Place(path, Span(line))
    return Finding(code, "n", Severity.ERROR, Confidence.HIGH, f"on {line}", place, symbol, resource, (), "")


def test_a_fingerprint_does_not_change_with_the_line_the_message_or_the_severity() -> None:
    moved = msgspec.structs.replace(finding(90), severity=Severity.INFO, message="else")
    assert fingerprints([finding(1)]) == fingerprints([moved])


@pytest.mark.parametrize(
    "other", [finding(path="b.py"), finding(symbol="a.g"), finding(resource="acct"), finding(code="CL102")]
)
def test_a_fingerprint_changes_with_rule_path_symbol_and_resource(other: Finding) -> None:
    assert fingerprints([finding()]) != fingerprints([other])


def test_repeated_findings_are_told_apart_by_their_occurrence() -> None:
    first, second, third = fingerprints([finding(1), finding(2), finding(3)])
    assert (second, third) == (f"{first}-2", f"{first}-3")


def test_fields_cannot_be_shifted_into_each_other() -> None:
    assert fingerprints([finding(symbol="ab", resource="c")]) != fingerprints([finding(symbol="a", resource="bc")])


def test_known_findings_are_not_new_and_others_are() -> None:
    known = baseline.make([finding(1)])
    matched = baseline.match(known, [finding(7), finding(8, symbol="a.g")])
    assert [f.place.line for f in matched.known] == [7]
    assert [f.place.line for f in matched.new] == [8]
    assert matched.stale == ()


def test_a_second_finding_of_a_known_kind_is_new() -> None:
    matched = baseline.match(baseline.make([finding(1)]), [finding(1), finding(9)])
    assert [f.place.line for f in matched.new] == [9]


def test_what_is_gone_is_stale_by_its_surplus_and_can_be_pruned() -> None:
    known = baseline.make([finding(1), finding(2), finding(3), finding(1, path="b.py")])
    matched = baseline.match(known, [finding(5)])
    assert [(e.path, e.count) for e in matched.stale] == [("a.py", 2), ("b.py", 1)]
    assert baseline.prune(known, matched.stale) == baseline.make([finding(5)])


def test_the_file_is_sorted_counted_and_has_one_entry_a_line(tmp_path: Path) -> None:
    text = baseline.dump(baseline.make([finding(1, path="b.py"), finding(2), finding(3)]))
    head, first, second, end = text.splitlines()
    assert head == '{"version": 1, "findings": ['
    assert '"path":"a.py"' in first and '"count":2' in first and first.endswith(",")
    assert '"path":"b.py"' in second and '"count":1' in second
    assert end == "]}"
    (tmp_path / "b.json").write_text(text)
    assert baseline.dump(baseline.read(tmp_path / "b.json")) == text


def test_the_order_of_findings_does_not_matter() -> None:
    one, two = finding(1), finding(2, path="b.py")
    assert baseline.dump(baseline.make([one, two])) == baseline.dump(baseline.make([two, one]))


def test_an_empty_baseline_is_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(baseline.dump(baseline.make([])))
    assert baseline.read(tmp_path / "b.json").entries == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is no baseline"),
        ('{"version": 1}', "is no baseline"),
        ('{"version": 9, "findings": []}', "version 9 is not known"),
        ('{"version": 1, "findings": [{"path": "a"}]}', "is no baseline"),
        (
            '{"version": 1, "findings": ['
            + ",".join(['{"path":"a","code":"c","symbol":"s","resource":"r","fingerprint":"f"}'] * 2)
            + "]}",
            "f stands there twice",
        ),
    ],
)
def test_a_broken_baseline_is_told(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(baseline.BrokenBaseline, match=problem):
        baseline.read(tmp_path / "b.json")


def test_a_missing_baseline_is_told(tmp_path: Path) -> None:
    with pytest.raises(baseline.BrokenBaseline, match="cannot be read"):
        baseline.read(tmp_path / "none.json")
