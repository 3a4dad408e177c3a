"""YAML into small trees: places, the core schema, and text that means harm."""

from __future__ import annotations

import pytest

from coordlint.extract.yaml_nodes import MAX_DEPTH, parse
from coordlint.manifest import Items, Scalar, Table, at, plain_value, text


def first(source: str) -> Table:
    document = parse(source, "a.yaml").documents[0]
    assert isinstance(document, Table)
    return document


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("no", "no"),
        ("22:22", "22:22"),
        ("1_000", "1_000"),
        ("3.10", 3.1),
        ("0x1F", 31),
        ("true", True),
        ("Null", None),
        ("~", None),
        ("-4", -4),
        (".inf", ".inf"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_a_plain_scalar_means_what_the_core_schema_of_yaml_1_2_says(written: str, means: object) -> None:
    assert plain_value(written) == means


def test_a_value_knows_its_line_and_column() -> None:
    node = at(first("services:\n  web:\n    image: nginx:1.25\n"), "services", "web", "image")
    assert isinstance(node, Scalar)
    assert (node.at.line, node.at.column, node.at.end_column) == (3, 12, 22)


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029"])
def test_only_newlines_are_counted_as_lines(odd: str) -> None:
    node = at(first(f"note: a{odd}b{odd}c\nimage: nginx\n"), "image")
    assert isinstance(node, Scalar)
    assert node.at.line == 2
    assert parse(f"[{odd}0", "a.yaml").problems == parse("[ 0", "a.yaml").problems


def test_a_merge_key_gives_what_is_not_said_and_earlier_sources_win() -> None:
    root = first("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 9}\n")
    made = {key: text(at(root, "c", key)) for key in "xyz"}
    assert made == {"x": "9", "y": "1", "z": "2"}


def test_of_duplicate_keys_the_last_counts_and_is_told_with_its_line() -> None:
    parsed = parse("a: 1\nb: 2\na: 3\n", "a.yaml")
    assert isinstance(parsed.documents[0], Table)
    assert text(parsed.documents[0].get("a")) == "3"
    assert [(p.line, "duplicate key 'a'" in p.reason) for p in parsed.problems] == [(3, True)]


def test_a_broken_document_costs_only_itself() -> None:
    parsed = parse("a: 1\n---\nb: [\n---\nc: 3\n", "a.yaml")
    assert [[k.text for k, _ in d.entries] for d in parsed.documents if isinstance(d, Table)] == [["a"], ["c"]]
    assert [p.line for p in parsed.problems] == [4]


def test_lines_after_a_broken_document_are_counted_from_the_top() -> None:
    document = parse("a: [\n---\nb:\n  c: 3\n", "a.yaml").documents[-1]
    node = at(document, "b", "c")
    assert node is not None and node.at.line == 4


def test_a_tab_is_told_with_its_line() -> None:
    (problem,) = parse("a:\n\tb: 1\n", "a.yaml").problems
    assert problem.line == 2 and "not valid YAML" in problem.reason


def test_json_may_indent_with_tabs() -> None:
    assert isinstance(at(first('{\n\t"a": [1,\n\t\t2]\n}'), "a"), Items)


def test_an_application_tag_is_kept_and_makes_text() -> None:
    node = first("a: !reset null\n").get("a")
    assert isinstance(node, Scalar) and node.custom == "!reset" and node.value == "null"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("open brackets", "[" * 100_000),
        ("brackets", "[" * 100_000 + "]" * 100_000),
        ("dashes", "- " * 100_000 + "x"),
        ("indentation", "\n".join(" " * depth + "a:" for depth in range(3_000))),
    ],
)
def test_nesting_without_end_is_refused(name: str, source: str) -> None:
    parsed = parse(source, name)
    assert parsed.documents == ()
    assert parsed.problems[0].reason == f"nested deeper than {MAX_DEPTH} levels"


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join(['*' + before] * 9)}]" for before, name in zip("abcdefg", "bcdefgh", strict=True)]
    parsed = parse("\n".join(lines), "a.yaml")
    assert parsed.documents == () and "after aliases are followed" in parsed.problems[0].reason


def test_a_merge_key_bomb_is_refused() -> None:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}" for n in range(1, 30)]
    assert "after aliases are followed" in parse("\n".join(lines), "a.yaml").problems[0].reason


def test_an_alias_inside_its_own_anchor_is_refused() -> None:
    assert "inside its own anchor" in parse("a: &a [*a]", "a.yaml").problems[0].reason


def test_an_unknown_alias_and_a_control_character_are_told() -> None:
    assert parse("a: *nowhere", "a.yaml").problems
    assert parse("a: \x00", "a.yaml").problems
