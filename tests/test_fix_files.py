"""What a fix leaves alone: encodings, line ends, modes, links, files that changed meanwhile; and what must not stop it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from coordlint.finding import Confidence, Finding, Severity
from coordlint.fix import propose
from coordlint.fix.edits import applied, between, diff, disjoint
from coordlint.fix.files import CannotWrite, changed, data_of, write
from coordlint.source import Kind, Place, Source, Span
from coordlint.sourcetext import decode


def source_of(data: bytes, path: str = "a.py", kind: Kind = Kind.PYTHON) -> Source:
    return Source(path, kind, decode(data, kind))


def finding(code: str, line: int, column: int = 1, path: str = "a.py") -> Finding:
    place = Place(path, Span(line, column))
    return Finding(code, "", Severity.ERROR, Confidence.HIGH, "", place, "", "", (), "")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\r\nb\r\nc\r\n", b"a\r\nX\r\nc\r\n"),
        (b"a\nb\nc", b"a\nX\nc"),
        (b"\xef\xbb\xbfa\nb\nc\n", b"\xef\xbb\xbfa\nX\nc\n"),
        (b"a\rb\rc\r", b"a\rX\rc\r"),
        (b"# coding: latin-1 \xe9\nb\nc\n", b"# coding: latin-1 \xe9\nX\nc\n"),
        (b"a\r\nb\nc\r\n", b"a\r\nX\nc\r\n"),
    ],
    ids=["crlf", "no newline at the end", "byte order mark", "cr", "cookie", "mixed"],
)
def test_line_ends_and_encodings_stay_as_they_are(data: bytes, expected: bytes) -> None:
    source = source_of(data)
    lines = source.text.split("\n")
    lines[1] = "X"
    assert changed(data, source, "\n".join(lines)) == expected


def test_a_line_put_in_gets_the_line_end_of_its_neighbour() -> None:
    data = b"a\r\nb\r\n"
    assert changed(data, source_of(data), "a\nX\nb\n") == b"a\r\nX\r\nb\r\n"


def test_a_line_behind_an_end_without_newline_stands_on_its_own_line() -> None:
    data = b"a\r\nb"
    assert changed(data, source_of(data), "a\nb\nX\n") == b"a\r\nb\r\nX\r\n"


def test_text_that_the_encoding_cannot_hold_is_refused() -> None:
    data = b"# coding: ascii\nb\n"
    with pytest.raises(CannotWrite, match="ascii"):
        changed(data, source_of(data), "# coding: ascii\n\u00e9\n")


def test_a_file_that_changed_since_it_was_analysed_is_refused() -> None:
    with pytest.raises(CannotWrite, match="changed since"):
        changed(b"other\n", source_of(b"a\n"), "b\n")


def test_a_write_keeps_the_mode_and_leaves_no_other_file(tmp_path: Path) -> None:
    place = tmp_path / "a.py"
    place.write_bytes(b"a\n")
    place.chmod(0o751)
    write(tmp_path, source_of(b"a\n"), b"a\n", b"b\n")
    assert place.read_bytes() == b"b\n"
    assert stat.S_IMODE(place.stat().st_mode) == 0o751
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"somebody else's\n")
    with pytest.raises(CannotWrite, match="meanwhile"):
        write(tmp_path, source_of(b"a\n"), b"a\n", b"b\n")
    assert (tmp_path / "a.py").read_bytes() == b"somebody else's\n"


@pytest.mark.parametrize("link", ["file", "folder"])
def test_nothing_is_written_through_a_symbolic_link(tmp_path: Path, link: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "a.py").write_bytes(b"a\n")
    if link == "file":
        (root / "sub").mkdir()
        (root / "sub" / "a.py").symlink_to(outside / "a.py")
    else:
        (root / "sub").symlink_to(outside)
    with pytest.raises(CannotWrite, match="symbolic link"):
        write(root, source_of(b"a\n", "sub/a.py"), b"a\n", b"b\n")
    assert (outside / "a.py").read_bytes() == b"a\n"


@pytest.mark.parametrize("path", ["../a.py", "sub/../../a.py", "/a.py"])
def test_no_path_leads_out_of_the_root(tmp_path: Path, path: str) -> None:
    (tmp_path / "a.py").write_bytes(b"a\n")
    (tmp_path / "root").mkdir()
    with pytest.raises(CannotWrite):
        data_of(tmp_path / "root", source_of(b"a\n", path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.py")
    with pytest.raises(CannotWrite, match="plain file"):
        data_of(tmp_path, source_of(b"a\n"))


def test_edits_make_the_new_text_of_the_old_one() -> None:
    old, new = "a\nb\nc\nd\n", "a\nB\nB\nc\ne\nd"
    assert applied(old, between("a.py", old, new)) == new


def test_fixes_that_touch_each_other_wait_for_the_next_round() -> None:
    old = "a\nb\nc\nd\ne\nf\n"
    one, near, far = (between("a.py", old, old.replace(x, x.upper())) for x in "bcf")
    assert disjoint([one, near, far]) == [True, False, True]


def test_a_diff_tells_of_a_missing_newline() -> None:
    assert diff("a.py", "a\nb", "a\nc").endswith("-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n")


def test_a_file_that_breaks_the_reader_costs_only_its_own_fix() -> None:
    bomb = "x = " + "[" * 3000 + "]" * 3000 + "\ncache.lock('a', 30)\n"
    texts = {"a.py": bomb, "b.py": "cache.lock('a', 30)\n", "c.py": "def (\n"}
    broken, fixed, refused = propose([finding("CL116", 2), finding("CL116", 1, path="b.py"), finding("CL116", 1, path="c.py")], texts)
    assert isinstance(broken, str) and broken
    assert not isinstance(fixed, str) and fixed.edits[0].replacement == "cache.lock('a', timeout=30)\n"
    assert refused == "libcst cannot parse the file"


def test_a_sum_of_thousands_of_terms_is_no_reason_to_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coordlint.fix.asking.SECONDS", 1)
    text = "cache.lock('a', 30)\nx = " + " + ".join("a" for _ in range(30_000)) + "\n"
    (told,) = propose([finding("CL116", 1)], {"a.py": text})
    assert isinstance(told, str) and told


def test_a_template_is_left_alone() -> None:
    text = "kind: CronJob\nmetadata:\n  name: a\nspec:\n  schedule: {{ .Values.when }}\n"
    (told,) = propose([finding("CL408", 3, path="a.yaml")], {"a.yaml": text})
    assert told == "it is a template"
