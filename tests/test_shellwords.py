"""Shell text into simple commands."""

from __future__ import annotations

import pytest

from coordlint.shellwords import commands, expand, words


def said(text: str) -> list[tuple[str, ...]]:
    return [command.words for command in commands(text) if command.words]


def test_operators_separate_commands_and_quotes_hold_words_together() -> None:
    assert said("a && exec b 'c d' | e; f & g") == [("a",), ("exec", "b", "c d"), ("e",), ("f",), ("g",)]


def test_a_line_that_is_continued_is_one_command_at_its_first_line() -> None:
    (command,) = commands("\nexec gunicorn \\\n  -w 4 \\\n  app:app\n")
    assert (command.words, command.line) == (("exec", "gunicorn", "-w", "4", "app:app"), 2)


def test_redirections_comments_and_here_documents_are_no_words() -> None:
    assert said("run >> log 2>&1 # say what\ncat <<END > f\nhello; world\nEND\nnext") == [("run",), ("cat",), ("next",)]


def test_assignments_stand_beside_the_command() -> None:
    first, second = commands("A=1 B='x y' run\nexport C=3")
    assert (first.words, first.assigned) == (("run",), (("A", "1"), ("B", "x y")))
    assert (second.words, second.assigned) == ((), (("C", "3"),))


def test_branches_of_a_case_carry_their_patterns() -> None:
    found = commands('case "$1" in\n web|www) serve;;\n *) exec "$@";;\nesac\nafter')
    assert [(c.words[0], c.branch, c.subject) for c in found] == [
        ("serve", ("web", "www"), "$1"),
        ("exec", ("*",), "$1"),
        ("after", (), ""),
    ]


def test_commands_of_a_function_carry_its_name() -> None:
    found = commands("start() {\n  serve\n}\nfunction stop {\n  halt\n}\nstart")
    assert [(c.words[0], c.function) for c in found] == [("serve", "start"), ("halt", "stop"), ("start", "")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("$SET/x", "s/x"),
        ("${SET:+yes}", "yes"),
        ("${A:+yes}", ""),
        ("${SET:?needed}", "s"),
        ("$$HOME", "$HOME"),
        ("${A:-${SET:-x}}", "s"),
        ("${A:-http://h:{1}}", "http://h:{1}"),
        ("$A", None),
        ("${A?needed}", None),
        ("${SET%%.*}", None),
    ],
)
def test_variables_are_filled_in_or_unknown(text: str, value: str | None) -> None:
    assert expand(text, {"SET": "s", "EMPTY": ""}) == value


def test_expansion_that_nests_without_end_is_unknown() -> None:
    assert expand("${A:-" * 50 + "x" + "}" * 50, {}) is None


def test_a_command_string_is_split_as_compose_splits_it() -> None:
    assert words("""sh -c "a && b" 'c d'""") == ("sh", "-c", "a && b", "c d")
