"""Folders and moments that mean harm: what is no file, what vanishes, what is full, killed, interrupted, or done twice at once."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import check, ended, run, start
from test_bad_input import LOCKED

from coordlint import discovery, reading, sealed

pytestmark = pytest.mark.slow
MANY = LOCKED + b"# filler\n" * 10_000


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    root = tmp_path / "ledger"
    (root / ".git").mkdir(parents=True)
    (root / "tasks.py").write_bytes(LOCKED)
    return root


def descendants(marker: str) -> list[int]:
    """Processes that have the marker in their environment: those of a run, wherever they hang."""
    found = []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker.encode() in place.read_bytes():
                found.append(int(place.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def gone(marker: str) -> bool:
    """Whether all processes of a run end within seconds."""
    for _ in range(100):
        if not descendants(marker):
            return True
        time.sleep(0.1)
    return False


def test_pipes_devices_and_sockets_are_left_out_and_counted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(project / "pipe.py")
    monkeypatch.chdir(project)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.yaml")
        (project / "zero.py").symlink_to("/dev/zero")
        (project / "compose.yaml").symlink_to("/dev/stdin")
        ran = check(project)
    assert ran.code == 1 and ran.report["coverage"]["left_out"] == {"not a regular file": 2, "symbolic link out of the project": 2}


def test_links_in_circles_and_out_of_the_root_are_not_followed(project: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_bytes(LOCKED)
    for name, target in {"a": "b", "b": "a", "self": ".", "out.py": "../secret.py", "up": "..", "gone.py": "nowhere"}.items():
        (project / name).symlink_to(target)
    ran = check(project)
    assert (ran.code, ran.report["coverage"]["seen"]) == (1, 1)
    assert ran.report["coverage"]["left_out"]["symbolic link out of the project"] >= 1


NAMES = ["with space.py", "quo'te\".py", "new\nline.py", "tab\t.py", "esc\x1b[31m.py", "-rf.py", "ü☃.py", "<b>&.py", "`id`$(id).py", "\u202egpj.py", "[x](y).py", "%25.py"]


@pytest.mark.parametrize("format", ["full", "concise", "json", "sarif", "github", "markdown"])
def test_odd_names_stay_text_in_every_format(project: Path, format: str) -> None:
    (project / "tasks.py").unlink()
    for name in NAMES:
        (project / name).write_bytes(LOCKED)
    (project / os.fsdecode(b"\xff\xfe.py")).write_bytes(LOCKED)
    ran = run(project, "check", "--format", format)
    assert ran.code == 1
    assert not {c for c in ran.out if (ord(c) < 32 and c != "\n") or c in "\x7f\u202e"}
    if format == "json":
        found = {f["path"] for f in ran.report["findings"]}
        assert found == {*NAMES, "\\xff\\xfe.py"}
    if format == "sarif":
        json.loads(ran.out)
    if format == "markdown":  # what stands in a code span is text
        assert "<b>" not in re.sub(r"`[^`\n]*`", "", ran.out)


def test_a_hundred_thousand_files_are_seen(project: Path) -> None:
    for folder in range(100):
        (project / f"p{folder}").mkdir()
        for number in range(1000):
            (project / f"p{folder}" / f"m{number}.{'py' if number % 50 == 0 else 'txt'}").touch()
    ran = check(project)
    assert (ran.code, ran.report["coverage"]["seen"]) == (1, 2001)
    assert ran.peak < 400_000_000


def test_folders_without_end_are_told(project: Path) -> None:
    deep = project
    for _ in range(discovery.MAX_DEPTH + 5):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "far.py").write_bytes(LOCKED)
    assert [reason for _, reason in check(project).skipped.values()] == [f"folders nest deeper than {discovery.MAX_DEPTH}"]


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EIO])
def test_a_file_that_vanishes_or_refuses_is_a_told_skip(project: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuses(place: str, _: object) -> bytes:
        if place.endswith("bad.py"):
            raise OSError(number, os.strerror(number))
        return Path(place).read_bytes()

    (project / "bad.py").write_bytes(LOCKED)
    monkeypatch.setattr(reading, "read_regular", refuses)
    found = discovery.discover(project)
    assert [(s.path, s.reason) for s in found.skips] == [("bad.py", f"cannot be read: {os.strerror(number)}")]
    assert [s.path for s in found.sources] == ["tasks.py"]


def test_a_full_disk_costs_the_cache_and_nothing_else(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from test_bad_input import coordlint

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    first = coordlint(project, "check", "--no-cache")
    monkeypatch.setattr(sealed, "write", full)
    assert coordlint(project, "check") == first


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [("check",), ("inventory",), ("audit",), ("rules",), ("graph",)])
def test_a_full_disk_under_the_output_is_told(project: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "coordlint", *arguments], cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (4, False)
    assert "cannot be written: No space left on device" in done.stderr


def test_a_tree_that_cannot_be_written_to_is_read(project: Path, tmp_path: Path) -> None:
    (project / ".coordlint_cache").write_text("in the way, as on a read-only disk")
    runs = [check(project) for _ in range(2)]
    assert runs[0].code == 1 and runs[0].out == runs[1].out
    assert list((tmp_path / "user" / "coordlint").rglob("CACHEDIR.TAG"))
    assert check(project, XDG_CACHE_HOME="/proc/nowhere").code == 1


def large(project: Path) -> Path:
    for number in range(40):
        (project / f"m{number}.py").write_bytes(MANY)
    return project


def workers_of(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def begun(process: subprocess.Popen[bytes]) -> list[int]:
    for _ in range(600):
        if workers := workers_of(process.pid):
            return workers
        time.sleep(0.01)
    return []


FORMAT = ("check", "--no-cache", "--jobs", "2", "--format", "concise")


def test_a_killed_worker_costs_nothing(project: Path) -> None:
    whole = run(large(project), *FORMAT)
    process = start(project, *FORMAT)
    for worker in begun(process)[:1]:
        os.kill(worker, signal.SIGKILL)
    ran = ended(process)
    assert (ran.code, ran.out) == (whole.code, whole.out)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_an_interrupted_run_leaves_no_process_behind(project: Path, number: int, code: int) -> None:
    marker = f"coordlint-test-{os.getpid()}-{number}"
    process = start(large(project), *FORMAT, MARKER=marker)
    assert begun(process)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"Traceback" not in out + err
    assert gone(marker)


def test_two_runs_at_once_on_one_cache_say_the_same(project: Path) -> None:
    large(project)
    arguments = ("check", "--format", "concise", "--jobs", "2")
    runs = [ended(process) for process in [start(project, *arguments) for _ in range(3)]]
    assert len({(ran.code, ran.out) for ran in runs}) == 1
    assert run(project, *arguments).out == runs[0].out
