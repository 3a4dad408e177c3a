"""Whatever a repository holds: readers of comments never raise, and no format is broken by what it carries."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import CHARGE, report

from coordlint.extract.comments import read_comments
from coordlint.finding import Evidence, Finding
from coordlint.report import FORMATS, render
from coordlint.source import Kind, Place, Source, Span
from coordlint.sourcetext import Undecodable, decode

SNIPPETS = [
    "# coordlint: ",
    "ignore[",
    "CL101",
    "]",
    "'",
    '"',
    '"""',
    "\n",
    "\t",
    "|",
    "- ",
    "a: ",
    "{",
    "[",
    "\\",
    "<<EOF",
    " ",
]
texts = st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=5), max_size=30).map("".join)
kinds = st.sampled_from(list(Kind))


@given(texts, kinds)
@settings(max_examples=300, deadline=None)
def test_reading_comments_never_raises_and_stays_within_the_file(text: str, kind: Kind) -> None:
    suppressions, intents = read_comments(Source("a", kind, text))
    lines = text.count("\n") + 1
    for told in suppressions:
        assert 1 <= told.first_line <= told.last_line <= lines
        assert bool(told.problem) != bool(told.codes)
    assert all(1 <= intent.place.line <= lines for intent in intents)


@given(st.binary(max_size=200), kinds)
@settings(max_examples=300, deadline=None)
def test_decoding_gives_text_or_a_reason(data: bytes, kind: Kind) -> None:
    try:
        text = decode(data, kind)
    except Undecodable as problem:
        assert str(problem) and problem.line >= 1
    else:
        assert "\r" not in text


def hostile(text: str, line: int) -> Finding:
    place = Place(text + ".py", Span(line, 3, line + 1, 2))
    return msgspec.structs.replace(
        CHARGE,
        message=text,
        help=text,
        symbol=text,
        resource=text,
        place=place,
        because=(Evidence(place, text),),
    )


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 4), st.sampled_from(FORMATS))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_a_format(text: str, line: int, format: str) -> None:
    rendered = render(report(hostile(text, line), texts={text + ".py": text}), format)
    assert rendered.endswith("\n")
    assert not {chr(c) for c in range(32) if chr(c) != "\n"} & set(rendered)
    if format in ("json", "sarif"):
        json.loads(rendered)
    if format == "github":
        assert sum(line.startswith("::") for line in rendered.splitlines()) == 1
    if format in ("full", "concise", "github"):
        rendered.encode("utf-8")
