"""`coordlint fix` as people run it: what is written, what is refused, what is told, how it ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ACQUIRE = """\
import redis

r = redis.Redis()


def work(job):
    if not r.setnx("lock:nightly", "1"):
        return
    r.expire("lock:nightly", 30)  
    try:
        job.run()
    finally:
        r.delete("lock:nightly")
"""
MENDED = ACQUIRE.replace('r.setnx("lock:nightly", "1")', 'r.set("lock:nightly", "1", nx=True, ex=30)').replace(
    '    r.expire("lock:nightly", 30)  \n', ""
)
FOREVER = 'import redis\n\nr = redis.Redis()\n\n\ndef work(job):\n    with r.lock("job"):\n        job.run()\n'


def git(root: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=root, check=True, capture_output=True
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed repository with a lock that is taken in two steps."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "worker.py").write_text(ACQUIRE)
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    monkeypatch.chdir(root)
    return root


def fix(run, *arguments: str):
    return run("fix", "--no-cache", *arguments)


def test_a_safe_fix_is_written_and_told(project: Path, run) -> None:
    ran = fix(run)
    assert (project / "worker.py").read_text() == MENDED
    assert ran.out.startswith("fixed worker.py:7 CL105 non-atomic-acquire: take the key in one command")
    assert "1 finding fixed in 1 file" in ran.err
    assert ran.code == 0
    assert fix(run).code == 0, "nothing is left to do"


def test_a_diff_can_be_applied_and_writes_nothing(project: Path, run) -> None:
    ran = fix(run, "--diff")
    assert ran.code == 1
    assert (project / "worker.py").read_text() == ACQUIRE
    subprocess.run(["git", "apply"], cwd=project, input=ran.out.encode(), check=True)
    assert (project / "worker.py").read_text() == MENDED
    git(project, "commit", "-qam", "second")
    clean = fix(run, "--diff")
    assert (clean.code, clean.out) == (0, "")


def test_the_diff_of_a_file_with_carriage_returns_can_be_applied(project: Path, run) -> None:
    (project / "worker.py").write_bytes(ACQUIRE.replace("\n", "\r\n").encode())
    git(project, "config", "core.autocrlf", "false")
    git(project, "commit", "-qam", "second")
    fix(run)
    assert (project / "worker.py").read_bytes() == MENDED.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("state", ["changed", "staged", "untracked"])
def test_a_file_that_git_shows_as_dirty_is_left_alone_unless_told(project: Path, run, state: str) -> None:
    text = ACQUIRE + "\nX = 1\n"
    if state == "untracked":
        git(project, "rm", "-q", "--cached", "worker.py")
        git(project, "commit", "-qm", "second")
    (project / "worker.py").write_text(text)
    if state == "staged":
        git(project, "add", ".")
    ran = fix(run)
    assert ran.code == 1
    assert "not fixed worker.py:7 CL105 non-atomic-acquire: the file has changes that are not committed (--allow-dirty" in ran.out
    assert (project / "worker.py").read_text() == text
    assert fix(run, "--diff").out, "a diff harms nobody"
    assert fix(run, "--allow-dirty").code == 0
    assert (project / "worker.py").read_text() == MENDED + "\nX = 1\n"


def test_where_git_cannot_be_asked_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "worker.py").write_text(ACQUIRE)
    monkeypatch.chdir(tmp_path)
    ran = fix(run)
    assert ran.code == 1 and "without asking git" in ran.out
    assert (tmp_path / "worker.py").read_text() == ACQUIRE


def test_without_any_repository_a_fix_is_written(tmp_path: Path, run) -> None:
    (tmp_path / "worker.py").write_text(ACQUIRE)
    assert fix(run, "--root", str(tmp_path), str(tmp_path)).code == 0
    assert (tmp_path / "worker.py").read_text() == MENDED


def test_unsafe_fixes_wait_and_are_counted(project: Path, run) -> None:
    (project / "worker.py").write_text(FOREVER)
    git(project, "commit", "-qam", "second")
    ran = fix(run)
    assert (ran.code, ran.out) == (0, "")
    assert "1 more with --unsafe" in ran.err
    assert (project / "worker.py").read_text() == FOREVER
    assert fix(run, "--unsafe", "--lifetime", "45").code == 0
    assert 'r.lock("job", timeout=45)' in (project / "worker.py").read_text()


@pytest.mark.parametrize("arguments", [["--select", "CL103"], ["--ignore", "CL105"], ["--select", "unsafe-release"]])
def test_only_selected_rules_are_fixed(project: Path, run, arguments: list[str]) -> None:
    ran = fix(run, *arguments)
    assert (ran.code, ran.out) == (0, "")
    assert (project / "worker.py").read_text() == ACQUIRE


def test_only_the_given_paths_are_fixed(project: Path, run) -> None:
    for name in ("one", "two"):
        (project / name).mkdir()
        (project / name / "jobs.py").write_text(ACQUIRE.replace("nightly", name))
    git(project, "add", ".")
    git(project, "commit", "-qm", "second")
    assert fix(run, "one").code == 0
    assert "setnx" not in (project / "one" / "jobs.py").read_text()
    assert "setnx" in (project / "two" / "jobs.py").read_text()


def test_a_suppressed_finding_is_not_fixed(project: Path, run) -> None:
    text = ACQUIRE.replace('"1"):', '"1"):  # coordlint: ignore[CL105] the server is too old for SET NX')
    (project / "worker.py").write_text(text)
    git(project, "commit", "-qam", "second")
    assert fix(run).out == ""
    assert (project / "worker.py").read_text() == text


def test_a_finding_of_the_baseline_is_not_fixed(project: Path, run) -> None:
    run("baseline", "create", "--no-cache")
    assert fix(run).out == ""
    assert fix(run, "--baseline", "").code == 0
    assert (project / "worker.py").read_text() == MENDED


def test_fixes_of_one_file_that_touch_each_other_are_all_made(project: Path, run) -> None:
    text = """\
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=shop")


def post():
    if not r.setnx("lock:invoices", "1"):
        return
    r.expire("lock:invoices", 600)
    # one at a time
    db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    r.delete("lock:invoices")
"""
    (project / "worker.py").write_text(text)
    git(project, "commit", "-qam", "second")
    assert fix(run).code == 0
    assert (project / "worker.py").read_text().partition("def post")[2] == """():
    if not r.set("lock:invoices", "1", nx=True, ex=600):
        return
    try:
        # one at a time
        db.cursor().execute("INSERT INTO invoices (state) VALUES ('open')")
    finally:
        r.delete("lock:invoices")
"""


def test_a_fix_that_makes_another_finding_is_refused(project: Path, run) -> None:
    text = (
        "import subprocess\n\nimport redis\n\nr = redis.Redis()\n\n\ndef work():\n"
        '    with r.lock("job"):\n        subprocess.run(["job"], timeout=3600)\n'
    )
    (project / "worker.py").write_text(text)
    git(project, "commit", "-qam", "second")
    ran = fix(run, "--unsafe", "--lifetime", "10")
    assert ran.code == 1
    assert "it makes a finding of CL109" in ran.out
    assert (project / "worker.py").read_text() == text


def test_a_broken_rule_changes_nothing(project: Path, run, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "broken.py").write_text(
        '"""Breaks."""\nfrom coordlint import ERROR, rule\n\n\n@rule("XX100", severity=ERROR)\ndef broken(system):\n    yield from 1 / 0\n'
    )
    ran = fix(run, "--rules", str(tmp_path / "rules"))
    assert ran.code == 4
    assert "broken: rule XX100" in ran.err
    assert (project / "worker.py").read_text() == ACQUIRE


def test_reports_tell_which_findings_may_be_fixed(project: Path, run) -> None:
    assert "try coordlint fix --diff;" in run("check", "--no-cache").out
    told = next(f for f in run("check", "--no-cache", "--format", "json").json["findings"] if f["code"] == "CL105")
    assert (told["fix"]["safe"], told["fix"]["edits"]) == (True, []), "edits are made and tried by `coordlint fix`"


def test_wrong_usage_ends_with_two_and_an_empty_folder_with_three(project: Path, run, tmp_path: Path) -> None:
    assert fix(run, "--select", "CL999").code == 2
    assert fix(run, "missing").code == 2
    assert fix(run, "--lifetime", "0").code == 2
    (tmp_path / "empty").mkdir()
    assert fix(run, "--root", str(tmp_path / "empty"), str(tmp_path / "empty")).code == 3


def test_a_store_behind_a_lock_is_not_made_to_forget(project: Path, run) -> None:
    store = """\
import redis

r = redis.Redis()


def put(key, value, overwrite=True):
    if not overwrite:
        return r.set(key, value, nx=True)
    return r.set(key, value)


def drop(key):
    r.delete(key)
"""
    (project / "store.py").write_text(store)
    (project / "worker.py").write_text(
        "from store import drop, put\n\n\ndef work(job):\n    if not put('lock:job', '1', overwrite=False):\n        return\n"
        "    try:\n        job.run()\n    finally:\n        drop('lock:job')\n"
    )
    git(project, "add", ".")
    git(project, "commit", "-qm", "second")
    ran = fix(run, "--unsafe", "--select", "CL103")
    assert (project / "store.py").read_text() == store
    assert ran.code == 1 and "not fixed worker.py:5 CL103" in ran.out
