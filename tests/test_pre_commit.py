"""The hooks, through the real pre-commit: installed from this repository, run on a small one, failing and passing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
BAD = """\
import redis
import boto3

r = redis.Redis()
s3 = boto3.client("s3")


def charge(account, amount):
    with r.lock(f"acct:{account}", timeout=30):
        s3.put_object(Bucket="ledger", Key=account, Body=str(amount))
"""
PRE_COMMIT = shutil.which("pre-commit") or shutil.which("pre-commit", path=str(Path(sys.executable).parent))

pytestmark = [
    pytest.mark.skipif(PRE_COMMIT is None, reason="pre-commit is not installed"),
    pytest.mark.skipif(not (HERE / ".git").exists(), reason="try-repo needs a git checkout of coordlint"),
]


def git(root: Path, *arguments: str) -> None:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *settings, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit installs the hook: once for all tests here."""
    return tmp_path_factory.mktemp("pre-commit-home")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "tasks.py").write_text(BAD)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "one")
    return root


def try_repo(root: Path, home: Path, hook: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # What the hook finds must be what pre-commit installed for it, not the checkout that a path in the environment leads to.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") and k not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= {"PRE_COMMIT_HOME": str(home), "PRE_COMMIT_COLOR": "never"}
    command = [str(PRE_COMMIT), "try-repo", str(HERE), hook, "--verbose", *arguments]
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=600, check=False
    )  # fmt: skip


def test_the_hook_fails_on_a_finding_and_passes_when_it_is_mended(repository: Path, home: Path) -> None:
    ran = try_repo(repository, home, "coordlint", "--all-files")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "error CL101" in ran.stdout and "[lock-without-fencing" in ran.stdout
    (repository / "tasks.py").write_text("x = 1\n")
    git(repository, "add", ".")
    ran = try_repo(repository, home, "coordlint", "--all-files")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 file seen, 1 analysed, 0 skipped" in ran.stdout


def test_the_changed_hook_lets_old_findings_pass_and_stops_new_ones(repository: Path, home: Path) -> None:
    (repository / "other.py").write_text("x = 1\n")
    git(repository, "add", ".")
    ran = try_repo(repository, home, "coordlint-changed")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (repository / "other.py").write_text(BAD.replace("acct:", "order:"))  # no rival of the lock in tasks.py
    git(repository, "add", ".")
    ran = try_repo(repository, home, "coordlint-changed")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "other.py:10:" in ran.stdout and "tasks.py:10:" not in ran.stdout
