"""Suppressions: what they silence, what they do not, and when they are unused or malformed."""

import pytest

from coordlint.facts import Suppression
from coordlint.finding import Confidence, Evidence, Finding, Severity
from coordlint.source import Place, Span
from coordlint.suppression import Outcome, suppress

NAMES = {"CL101": "lock-without-fencing", "CL104": "unsafe-release"}


def finding(*places: tuple[str, int], code: str = "CL101", end: int = 0) -> Finding:
    first, *rest = (Place(path, Span(line, 1, end)) for path, line in places)
    because = tuple(Evidence(place, "because") for place in rest)
    return Finding(code, NAMES[code], Severity.ERROR, Confidence.HIGH, "m", first, "f", "r", because, "")


def wish(path: str, line: int, *codes: str, last: int = 0, reason: str = "why", problem: str = "") -> Suppression:
    return Suppression(Place(path, Span(line)), codes, reason, line, last or line, problem)


def run(findings: list[Finding], wishes: list[Suppression], ran: str = "CL101 CL104", **options: bool) -> Outcome:
    return suppress(findings, wishes, NAMES, ran.split(), **options)


@pytest.mark.parametrize(
    "wishes",
    [
        wish("a.py", 5, "CL101"),
        wish("a.py", 4, "CL101", last=5),
        wish("b.py", 9, "CL101"),
        wish("a.py", 5, "lock-without-fencing"),
        wish("a.py", 5, "cl101"),
        wish("a.py", 5, "CL104", "CL101"),
    ],
    ids=["its line", "the line above", "a place of its evidence", "by name", "lower case", "one of several"],
)
def test_a_finding_is_silenced_on_any_line_of_any_place_of_its_evidence(wishes: Suppression) -> None:
    outcome = run([finding(("a.py", 5), ("b.py", 9))], [wishes])
    assert outcome.kept == ()
    assert [s.by for s in outcome.silenced] == [wishes]


@pytest.mark.parametrize(
    "wishes",
    [wish("a.py", 6, "CL101"), wish("c.py", 5, "CL101"), wish("a.py", 5, "CL104"), wish("a.py", 3, "CL101", last=4)],
    ids=["the line below", "another file", "another rule", "two lines above"],
)
def test_a_finding_elsewhere_or_of_another_rule_stays(wishes: Suppression) -> None:
    assert len(run([finding(("a.py", 5))], [wishes]).kept) == 1


def test_a_place_of_several_lines_is_silenced_on_each_of_them() -> None:
    assert run([finding(("a.py", 5), end=7)], [wish("a.py", 7, "CL101")]).kept == ()


def test_a_suppression_that_silences_nothing_is_unused_once_for_each_of_its_rules() -> None:
    idle = wish("a.py", 5, "CL101", "CL104")
    outcome = run([finding(("a.py", 5))], [idle])
    assert outcome.unused == ((idle, "CL104 (unsafe-release)"),)


def test_a_rule_that_did_not_run_leaves_its_suppressions_alone() -> None:
    assert run([], [wish("a.py", 5, "CL101")], ran="CL104").unused == ()


def test_two_suppressions_of_one_finding_are_both_used() -> None:
    assert run([finding(("a.py", 5), ("b.py", 9))], [wish("a.py", 5, "CL101"), wish("b.py", 9, "CL101")]).unused == ()


def test_an_unknown_rule_is_malformed_and_silences_nothing() -> None:
    wrong = wish("a.py", 5, "CL101", "CL1011")
    outcome = run([finding(("a.py", 5))], [wrong])
    assert len(outcome.kept) == 1
    assert outcome.malformed == ((wrong, "names an unknown rule 'CL1011'; did you mean 'CL101'?"),)
    assert outcome.unused == ()


def test_a_malformed_comment_never_acts_as_a_blanket_ignore() -> None:
    wrong = wish("a.py", 5, problem="names no rule")
    outcome = run([finding(("a.py", 5))], [wrong])
    assert len(outcome.kept) == 1
    assert outcome.malformed == ((wrong, "names no rule"),)


def test_a_reason_can_be_asked_for() -> None:
    bare = wish("a.py", 5, "CL101", reason="")
    assert run([finding(("a.py", 5))], [bare]).kept == ()
    outcome = run([finding(("a.py", 5))], [bare], require_reason=True)
    assert len(outcome.kept) == 1
    assert outcome.malformed == ((bare, "gives no reason, which the configuration asks for"),)
