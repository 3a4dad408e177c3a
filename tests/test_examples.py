"""How the examples of a rule file are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordlint.examples import BadExample, Example, read_examples
from coordlint.finding import Severity
from coordlint.rulebook import Rule, load_rules
from coordlint.source import Kind


def examples(text: str) -> list[Example]:
    return read_examples(Rule("CL999", "a-rule", Severity.ERROR, "", "", lambda system: iter(()), text, str(Path())))


def test_examples_are_told_apart_by_their_titles() -> None:
    found = examples("=== bad: one\n--- a.py\nx = 1\n=== good: two\n--- a.py\ny = 2\n")
    assert [(e.kind, e.title) for e in found] == [("bad", "one"), ("good", "two")]


def test_a_mark_names_the_line_and_is_taken_out_of_the_file() -> None:
    (found,) = examples("=== bad: one\n--- a.py\nx = 1\ny = 2  # finding: a-rule\n")
    assert found.marks == {("a.py", 2, "a-rule")}
    assert found.files["a.py"] == "x = 1\ny = 2\n"


def test_a_line_can_be_marked_for_several_rules() -> None:
    (found,) = examples("=== bad: one\n--- a.py\nx = 1  # finding: a-rule, another-rule\n")
    assert found.marks == {("a.py", 1, "a-rule"), ("a.py", 1, "another-rule")}


def test_a_known_miss_is_kept_apart() -> None:
    (found,) = examples("=== bad: one\n--- a.py\nx = 1  # todo-finding: a-rule\n")
    assert (found.marks, found.todo) == (frozenset(), {("a.py", 1, "a-rule")})


def test_a_comment_of_the_system_stays_beside_the_mark() -> None:
    (found,) = examples("=== bad: one\n--- a.py\nx = 1  # coordlint: ignore  # finding: a-rule\n")
    assert found.files["a.py"] == "x = 1  # coordlint: ignore\n"


def test_files_get_the_kind_that_discovery_gives_them() -> None:
    text = (
        "=== good: one\n--- a.py\nx = 1\n--- compose.yaml\nservices: {}\n--- notes.md\nwords\n"
        "--- deploy/worker.yaml\napiVersion: v1\nkind: Pod\n"
        "--- chart/Chart.yaml\nname: shop\n--- chart/templates/worker.yaml\nkind: {{ .Values.kind }}\n"
    )
    (found,) = examples(text)
    assert {s.path: s.kind for s in found.sources} == {
        "a.py": Kind.PYTHON,
        "compose.yaml": Kind.COMPOSE,
        "deploy/worker.yaml": Kind.KUBERNETES,
        "chart/Chart.yaml": Kind.HELM,
        "chart/templates/worker.yaml": Kind.HELM,
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\n", 1),
        ("=== bad: one\nx = 1\n", 2),
        ("=== ugly: one\n", 1),
        ("=== bad: one\n--- a.py\nx = 1\n--- a.py\nx = 2\n", 4),
    ],
)
def test_text_that_belongs_nowhere_is_told_with_its_line(text: str, line: int) -> None:
    with pytest.raises(BadExample, match=rf"line {line}:"):
        examples(text)


def test_files_beside_a_rule_hold_more_of_its_examples(tmp_path: Path) -> None:
    for name, title in (("a_rule.rows", "rows"), ("a_rule", "one"), ("a_rule_more", "of another rule")):
        (tmp_path / f"{name}.examples").write_text(f"=== bad: {title}\n--- a.py\nx = 1\n", encoding="utf-8")
    rule = Rule("CL999", "a-rule", Severity.ERROR, "", "", lambda system: iter(()), "=== good: own\n--- a.py\nx = 1\n", str(tmp_path / "a_rule.py"))
    assert [e.title for e in read_examples(rule)] == ["own", "one", "rows"]


def test_a_mistake_in_a_file_beside_a_rule_is_told_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "a_rule.rows.examples").write_text("=== bad: one\nx = 1\n", encoding="utf-8")
    with pytest.raises(BadExample, match=r"a_rule\.rows\.examples, line 2:"):
        read_examples(Rule("CL999", "a-rule", Severity.ERROR, "", "", lambda system: iter(()), "", str(tmp_path / "a_rule.py")))


# The rules that look at manifests: those that only hold there, and those that join them to code.
_OF_MANIFESTS = ("CL113 CL114 CL208 CL209 CL405 CL407 CL408 CL409 CL604 CL605 "
                 "CL701 CL702 CL703 CL704 CL705 CL706 CL707 CL708 CL709 CL710 CL711 CL712 CL713").split()  # fmt: skip


@pytest.mark.parametrize("code", _OF_MANIFESTS)
def test_rules_about_manifests_have_bad_and_good_examples_in_compose_and_in_kubernetes(code: str) -> None:
    (one,) = (rule for rule in load_rules() if rule.code == code)
    kinds = {(example.kind, source.kind) for example in read_examples(one) for source in example.sources}
    assert kinds >= {(kind, syntax) for kind in ("bad", "good") for syntax in (Kind.COMPOSE, Kind.KUBERNETES)}
