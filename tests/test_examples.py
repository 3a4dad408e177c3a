"""How the examples of a rule file are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordlint.examples import BadExample, Example, read_examples
from coordlint.finding import Severity
from coordlint.rulebook import Rule
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
