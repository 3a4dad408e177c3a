"""Workflow commands and markdown, as GitHub reads them."""

import msgspec
from reports import CHARGE, FULL, KEEPER, report

from coordlint.report import render
from coordlint.source import Place, Span


def test_each_finding_is_one_command_the_worst_first() -> None:
    lines = render(report(KEEPER, CHARGE), "github").splitlines()
    assert lines == [
        "::error file=billing/tasks.py,line=5,col=9,endLine=5,endColumn=34,title=CL101 lock-without-fencing::"
        "charge() writes the ledger under a Redis lock that a late holder can no longer hold."
        "%0Abilling/tasks.py:4: the lock is taken here%0Ainfra/locks.py:2: by this wrapper, whose ttl is None"
        "%0AHelp: Let the row refuse: UPDATE ... WHERE version = <the version read>.",
        "::warning file=compose file.yaml,line=3,col=3,title=CL701 single-member-ensemble::zookeeper runs as one member.",
        " 1 error, 1 warning",
        " 2 files seen, 2 analysed, 0 skipped",
    ]


def test_paths_start_at_the_repository_and_separators_are_escaped() -> None:
    told = msgspec.structs.replace(KEEPER, place=Place("a,b:c%.yaml", Span(1)), message="100% :: sure")
    (line, *_) = render(report(told, prefix="shop/"), "github").splitlines()
    assert line.startswith("::warning file=shop/a%2Cb%3Ac%25.yaml,line=1,")
    assert line.endswith("::100%25 :: sure")


def test_skips_stale_entries_and_failures_are_told() -> None:
    text = render(FULL, "github")
    assert "::notice file=broken.py,line=3,title=not analysed::syntax error: '(' was never closed" in text
    assert "::warning title=stale baseline entry::CL104 in old.py old.f: cc" in text
    assert "::error title=coordlint broke::rule CL103 lock-without-expiry: KeyError: 'ttl' (x.py:3)" in text


def test_markdown_shows_text_as_it_is() -> None:
    told = msgspec.structs.replace(
        CHARGE,
        message="`x` <b> @team [a](http://b) | #1 **bold**",
        place=Place("a`b|c.py", Span(1)),
        because=(),
    )
    text = render(report(told), "markdown")
    assert "\\`x\\` \\<b\\> \\@team \\[a\\](http://b) \\| \\#1 \\*\\*bold\\*\\*" in text
    assert "``a`b|c.py:1``" in text


def test_markdown_has_findings_and_coverage() -> None:
    text = render(FULL, "markdown")
    assert "### error CL101 lock-without-fencing" in text
    assert "- `infra/locks.py:2`: by this wrapper, whose ttl is None" in text
    assert "| `broken.py:3` | syntax error: '(' was never closed |" in text
