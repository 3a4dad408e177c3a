"""The formats for people: full and concise."""

import msgspec
import pytest
from reports import CHARGE, FULL, KEEPER, report

from coordlint.finding import Evidence
from coordlint.report import render
from coordlint.report.style import UNICODE, Style
from coordlint.report.visible import visible
from coordlint.source import Place, Span


def test_full_reads_as_one_sentence_over_all_places() -> None:
    assert (
        render(FULL, "full")
        == """\
error[CL101] lock-without-fencing: charge() writes the ledger under a Redis lock that a late holder can no longer hold.
 --> billing/tasks.py:5:9  in billing.tasks.charge
5 | ledger.write(account, 90)
  | ^^^^^^^^^^^^^^^^^^^^^^^^^
 --> billing/tasks.py:4:10
4 | with account_lock(account):
  |      ^^^^^^^^^^^^^^^^^^^^^ the lock is taken here
 --> infra/locks.py:2:9
2 | return client.lock(f'acct:{account}', ttl)
  |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ by this wrapper, whose ttl is None
  = help: Let the row refuse: UPDATE ... WHERE version = <the version read>.
  = more: coordlint explain CL101

warning[CL701] single-member-ensemble: zookeeper runs as one member.
 --> compose file.yaml:3:3  in compose//zookeeper
  = medium confidence; try coordlint fix --diff --unsafe; more: coordlint explain CL701

skipped broken.py:3: syntax error: '(' was never closed
stale baseline entry cc (CL104 in old.py, old.f) matches nothing any more (2 times)
broken rule CL103 lock-without-expiry: KeyError: 'ttl' (x.py:3)
note models: two files
1 error, 1 warning (1 suppressed, 1 in the baseline, 4 below the chosen severity or confidence)
9 files seen, 8 analysed, 1 skipped; left out: virtual environment 1
"""
    )


def test_concise_is_one_line_a_finding() -> None:
    assert (
        render(report(CHARGE, KEEPER), "concise")
        == """\
billing/tasks.py:5:9: error CL101 charge() writes the ledger under a Redis lock that a late holder can no longer hold. [lock-without-fencing; see billing/tasks.py:4, infra/locks.py:2]
compose file.yaml:3:3: warning CL701 zookeeper runs as one member. [single-member-ensemble]
1 error, 1 warning
2 files seen, 2 analysed, 0 skipped
"""
    )


def test_no_findings_still_tells_what_was_looked_at() -> None:
    for format in ("full", "concise"):
        assert render(report(), format) == "no findings\n2 files seen, 2 analysed, 0 skipped\n"


def test_colours_and_drawing_characters_only_when_asked_for() -> None:
    plain = render(FULL, "full")
    assert plain.isascii()
    painted = render(FULL, "full", Style(colour=True, marks=UNICODE))
    assert "\x1b[1;31merror[CL101] lock-without-fencing\x1b[0m" in painted
    assert "━" in painted


@pytest.mark.parametrize("format", ["full", "concise", "github", "markdown"])
def test_no_terminal_obeys_what_a_file_says(format: str) -> None:
    evil = "\x1b]0;owned\x07\r\n::error::x\u202e"
    told = msgspec.structs.replace(
        CHARGE,
        message=evil,
        help=evil,
        symbol=evil,
        place=Place(f"{evil}.py", Span(1)),
        because=(Evidence(Place(f"{evil}.py", Span(1)), evil),),
    )
    text = render(report(told, texts={f"{evil}.py": evil.replace("\r\n", "")}), format)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(text)
    assert not any(line.startswith("::error::x") for line in text.splitlines())


def test_a_mark_stands_under_its_code_behind_tabs_and_wide_characters() -> None:
    told = msgspec.structs.replace(CHARGE, because=(), place=Place("a.py", Span(1, 9, 1, 12)))
    text = render(report(told, texts={"a.py": "\tx = '漢', bad\n"}), "full").splitlines()
    assert text[2] == "1 | x = '漢', bad"
    told = msgspec.structs.replace(told, place=Place("a.py", Span(1, 11, 1, 14)))
    text = render(report(told, texts={"a.py": "\tx = '漢', bad\n"}), "full").splitlines()
    assert text[3] == "  |           ^^^"


def test_a_very_long_line_is_cut() -> None:
    told = msgspec.structs.replace(CHARGE, because=(), place=Place("a.py", Span(1, 1, 1, 5000)))
    lines = render(report(told, texts={"a.py": "x" * 5000}), "full").splitlines()
    assert max(len(line) for line in lines) < 300


def test_visible_escapes_are_readable() -> None:
    assert visible("a\tb\n\x1b\x85\u2066é漢") == "a\\tb\\n\\x1b\\x85\\u2066é漢"
