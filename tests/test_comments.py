"""Comments that speak to coordlint: exact in Python, YAML and Dockerfiles, never inside strings."""

import pytest

from coordlint.extract.comments import read_comments
from coordlint.facts import Suppression
from coordlint.source import Kind, Source


def read(text: str, kind: Kind = Kind.PYTHON) -> tuple[Suppression, ...]:
    return read_comments(Source("a", kind, text))[0]


def lines(text: str, kind: Kind) -> list[tuple[int, int]]:
    return [(s.first_line, s.last_line) for s in read(text, kind)]


def test_a_trailing_comment_speaks_about_its_own_line() -> None:
    (told,) = read("a = 1\nb = 2  # coordlint: ignore[CL101] the ledger refuses late writes\n")
    assert told.codes == ("CL101",)
    assert told.reason == "the ledger refuses late writes"
    assert (told.first_line, told.last_line) == (2, 2)
    assert (told.place.span.line, told.place.span.column) == (2, 8)
    assert told.problem == ""


def test_a_comment_on_its_own_line_speaks_about_the_line_below() -> None:
    assert lines("# coordlint: ignore[CL101] why\n# more of why\na = 1\nb = 2\n", Kind.PYTHON) == [(1, 3)]


def test_several_rules_by_code_and_name_and_a_reason_after_a_dash() -> None:
    (told,) = read("a = 1  # type: ignore  # coordlint:ignore[CL101, unsafe-release] - why\n")
    assert told.codes == ("CL101", "unsafe-release")
    assert told.reason == "why"


def test_text_inside_python_strings_is_no_comment() -> None:
    text = 'a = "# coordlint: ignore[CL101]"\nb = """\n# coordlint: ignore[CL102]\n"""\nc = f"{a}# coordlint: ignore[CL103]"\n'
    assert read(text) == ()


def test_python_that_breaks_off_keeps_the_comments_before() -> None:
    assert [s.codes for s in read("a = 1  # coordlint: ignore[CL101]\nb = (\n")] == [("CL101",)]


YAML = """\
# coordlint: ignore[CL701] first
services:
  web:
    image: web  # coordlint: ignore[CL702] second
    command: "echo # coordlint: ignore[CL703] in quotes"
    entrypoint: |
      # coordlint: ignore[CL704] in a block scalar
      exec web
    environment:
      A: 'it''s # coordlint: ignore[CL705] quoted'
      B: x#coordlint: ignore
    # coordlint: ignore[CL706] third
    restart: always
"""


def test_yaml_comments_are_found_and_scalars_are_not() -> None:
    assert [(s.codes, s.first_line, s.last_line) for s in read(YAML, Kind.COMPOSE)] == [
        (("CL701",), 1, 2),
        (("CL702",), 4, 4),
        (("CL706",), 12, 13),
    ]


def test_yaml_with_absurd_nesting_does_not_reach_the_recursive_scanner() -> None:
    text = "# coordlint: ignore[CL701] why\na: " + "[" * 50_000
    assert [s.codes for s in read(text, Kind.KUBERNETES)] == [("CL701",)]


DOCKERFILE = """\
# coordlint: ignore[CL701] first
FROM redis
RUN echo hello # coordlint: ignore[CL702] an argument of echo
RUN <<END
# coordlint: ignore[CL703] in a here-document
END
  # coordlint: ignore[CL704] second
CMD run
"""


def test_dockerfile_comments_are_whole_lines_outside_here_documents() -> None:
    found = [(s.codes, s.first_line, s.last_line) for s in read(DOCKERFILE, Kind.DOCKERFILE)]
    assert found == [(("CL701",), 1, 2), (("CL704",), 7, 8)]


def test_requirements_have_comments_after_a_blank() -> None:
    assert lines("redis  # coordlint: ignore[CL209] why\nx#coordlint: ignore\n", Kind.REQUIREMENTS) == [(1, 1)]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("ignore", "names no rule: write ignore[CODE] reason"),
        ("ignore[]", "names no rule: write ignore[CODE] reason"),
        ("ignore[ , ]", "names no rule: write ignore[CODE] reason"),
        ("ignore[CL101 why", "bracket is not closed"),
        ("ignroe[CL101] why", "says 'ignroe', which is no word of coordlint's; did you mean 'ignore'?"),
        ("performence-lock", "says 'performence-lock', which is no word of coordlint's; did you mean 'performance-lock'?"),
        ("", "says '', which is no word of coordlint's"),
    ],
)
def test_a_malformed_comment_keeps_its_problem_and_no_codes(said: str, problem: str) -> None:
    (told,) = read(f"a = 1  # coordlint: {said}\n")
    assert (told.codes, told.problem) == ((), problem)


def test_an_intent_stands_on_the_line_where_the_lock_is_taken() -> None:
    text = "# coordlint: performance-lock\nwith lock:\n    pass\nwith other:  # coordlint: correctness-lock, money\n    pass\n"
    suppressions, intents = read_comments(Source("a.py", Kind.PYTHON, text))
    assert suppressions == ()
    assert [(i.intent, i.place.line) for i in intents] == [("performance-lock", 2), ("correctness-lock", 4)]
