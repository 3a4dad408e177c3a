"""Nothing changed, nothing read again: the same bytes; and whatever changes is noticed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_bad_input import LOCKED, Ran, coordlint

from coordlint import pipeline, verdicts

COMPOSE = b"services:\n  redis:\n    image: redis:7\n"


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    for name in ("PRE_COMMIT", "FORCE_COLOR", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(verdicts, "TICK", 0)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "ledger"
    (root / ".git").mkdir(parents=True)
    (root / "tasks.py").write_bytes(LOCKED)
    (root / "compose.yaml").write_bytes(COMPOSE)
    (root / "notes.yaml").write_bytes(b"a: 1\n")
    (root / "deploy").mkdir()
    settle()
    return root


def settle() -> None:
    """A tick of the clock of the file system passes."""
    time.sleep(0.02)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each run that had to judge."""
    times: list[str] = []
    for name in ("judged", "judged_on_grounds"):
        judge: Callable[..., object] = getattr(pipeline, name)

        def counted(*given: object, judge: Callable[..., object] = judge) -> object:
            times.append("judged")
            return judge(*given)

        monkeypatch.setattr(pipeline, name, counted)
    return times


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each run that had to read the project."""
    from coordlint import project as home

    times: list[str] = []
    open_project: Callable[..., object] = home.open_project

    def counted(*given: object) -> object:
        times.append("opened")
        return open_project(*given)

    monkeypatch.setattr(home, "open_project", counted)
    return times


def check(root: Path, *arguments: str) -> Ran:
    return coordlint(root, "check", "--format", "json", *arguments)


def test_an_unchanged_project_is_neither_read_nor_judged_again(project: Path, judged: list[str], opened: list[str]) -> None:
    runs = [check(project) for _ in range(3)]
    assert len({(ran.code, ran.out, ran.err) for ran in runs}) == 1
    assert (judged, opened) == (["judged"], ["opened"])
    assert check(project, "--no-cache").out == runs[0].out


def touched(project: Path) -> None:
    os.utime(project / "tasks.py")


def copied(project: Path) -> None:
    copy = project.with_name("copy")
    shutil.copytree(project, copy)
    shutil.rmtree(project)
    copy.rename(project)


@pytest.mark.parametrize("change", [touched, copied])
def test_a_file_that_was_only_touched_is_read_but_not_judged_again(project: Path, judged: list[str], change: Callable[[Path], None]) -> None:
    first = check(project)
    change(project)
    settle()
    assert check(project) == first
    assert judged == ["judged"]


def put(name: str, content: bytes) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        (project / name).write_bytes(content)

    return change


CHANGES = {
    "a file's text": put("tasks.py", LOCKED.replace(b"timeout=10", b"timeout=20")),
    "a text of the same length": put("tasks.py", LOCKED.replace(b"acct", b"accu")),
    "a new file": put("deploy/more.py", LOCKED),
    "a new file at the top": put("more.py", LOCKED),
    "a file that becomes a manifest": put("notes.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"),
    "an ignore file": put(".gitignore", b"tasks.py\n"),
    "a configuration": put("pyproject.toml", b"[tool.coordlint]\nignore = ['CL101']\n"),
    "a baseline": put(".coordlint-baseline.json", b'{"version": 1, "findings": []}'),
    "a file that is gone": lambda project: (project / "compose.yaml").unlink(),
    "a file that becomes a link": lambda project: (
        (project / "tasks.py").rename(project / "deploy" / "t.txt"), (project / "tasks.py").symlink_to("deploy/t.txt"))[0],
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_changes_is_noticed_even_under_the_old_time(project: Path, judged: list[str], change: Callable[[Path], object]) -> None:
    check(project)
    before = (project / "tasks.py").stat()
    change(project)
    if (project / "tasks.py").is_file() and not (project / "tasks.py").is_symlink():
        os.utime(project / "tasks.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    settle()
    again = coordlint(project, "check", "--format", "json")
    assert (again.code, again.out, again.err) == (lambda r: (r.code, r.out, r.err))(check(project, "--no-cache"))
    assert len(judged) == 3 or again.code == 2


def test_other_options_are_another_question(project: Path, judged: list[str]) -> None:
    codes = [check(project, *extra).code for extra in ((), ("--ignore", "CL101"), ("--exit-zero",), ())]
    assert codes == [1, 0, 0, 1] and len(judged) == 3


def test_reports_to_files_are_written_again(project: Path, tmp_path: Path, judged: list[str]) -> None:
    for _ in range(2):
        check(project, "--output", f"sarif={tmp_path}/a.sarif")
        written = (tmp_path / "a.sarif").read_bytes()
        (tmp_path / "a.sarif").unlink()
    assert written.startswith(b"{") and judged == ["judged"]


def test_a_change_within_the_tick_of_the_clock_is_not_trusted(project: Path, judged: list[str], opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "TICK", 3_600 * 10**9)
    check(project)
    check(project)
    assert (judged, opened) == (["judged"], ["opened", "opened"])


def entries(project: Path) -> list[Path]:
    return sorted(p for p in (project / ".coordlint_cache").glob("??/*") if p.is_file())


@pytest.mark.parametrize("harm", [lambda _: b"", lambda d: d[:-1], lambda d: d[:20] + b"\0" + d[21:], lambda d: b"x" * len(d), lambda d: d * 2])
def test_a_damaged_cache_is_made_anew(project: Path, harm: Callable[[bytes], bytes], judged: list[str]) -> None:
    first = check(project)
    for entry in entries(project):
        entry.write_bytes(harm(entry.read_bytes()))
    assert check(project) == first and len(judged) == 2


def test_a_cache_that_somebody_else_wrote_is_not_believed(project: Path, tmp_path: Path, judged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = check(project)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    assert check(project) == first and len(judged) == 2


def test_an_entry_under_another_name_is_not_believed(project: Path, judged: list[str]) -> None:
    check(project)
    kept = {entry: entry.read_bytes() for entry in entries(project)}
    for entry, other in zip(kept, [*list(kept)[1:], next(iter(kept))], strict=True):
        entry.write_bytes(kept[other])
    check(project)
    assert len(judged) == 2


def test_a_cache_that_cannot_be_kept_only_costs_speed(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = check(project, "--no-cache")
    shutil.rmtree(project / ".coordlint_cache", ignore_errors=True)
    (project / ".coordlint_cache").write_text("a file where the folder should be")
    (tmp_path / "nowhere").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nowhere"))
    assert (check(project).code, check(project).out) == (first.code, first.out)


def test_clean_removes_all_of_it(project: Path) -> None:
    check(project)
    assert (project / ".coordlint_cache" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    assert coordlint(project, "clean").code == 0
    assert not (project / ".coordlint_cache").exists()
