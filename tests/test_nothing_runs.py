"""Nothing of the scanned tree is imported, executed or loaded: every door through which it could is watched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_fix_command import ACQUIRE

TRAP = "import pathlib\npathlib.Path(__file__).with_name('SPRUNG').write_text('x')\n"
NAMES = [
    "setup.py", "conftest.py", "sitecustomize.py", "usercustomize.py", "manage.py", "redis.py", "yaml.py", "msgspec.py", "click.py", "ast.py",
    "coordlint/__init__.py", "coordlint/rules/evil.py", "rules/evil.py", "libcst/__init__.py", "older_form.py", "encodings.py",
]  # fmt: skip

# Audit events tell what Python itself does: every code object that runs, every module that is looked for, every process.
WATCHER = """
import json, os, sys
tree = os.path.realpath(os.getcwd())
seen = []
def watch(event, arguments):
    if event == "exec" and str(getattr(arguments[0], "co_filename", "")).startswith(tree):
        seen.append("exec " + arguments[0].co_filename)
    elif event == "import" and arguments[1] and str(arguments[1]).startswith(tree):
        seen.append("import " + arguments[1])
    elif event in ("os.system", "os.exec", "pickle.find_class"):
        seen.append(event)
    elif event == "subprocess.Popen" and str(arguments[0]) != sys.executable:
        seen.append(f"{event} {arguments[0]}")
    elif event == "socket.connect":
        seen.append(event)
sys.addaudithook(watch)
from coordlint.cli import main
try:
    main(json.loads(sys.argv[1]))
except SystemExit as ended:
    print(json.dumps([ended.code, seen]), file=sys.stderr)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "evil"
    (root / ".git" / "hooks").mkdir(parents=True)
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(TRAP)
    (root / "newer.py").write_text("type X = int\nimport redis\nwith redis.Redis().lock('a'):\n    open('b', 'w')\n")
    (root / "pyproject.toml").write_text("[tool.coordlint]\nselect = ['CL']\n[project.entry-points.coordlint]\nevil = 'evil:run'\n")
    (root / "compose.yaml").write_text("services:\n  a: {image: !!python/object/apply:os.system ['touch SPRUNG']}\n")
    (root / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: !!python/name:os.system x}\n")
    (root / "Dockerfile").write_text("FROM a\nRUN touch SPRUNG\nCMD $(touch SPRUNG)\n")
    return root


@pytest.mark.parametrize("command", [("check",), ("audit",), ("inventory",), ("graph",), ("whatif", "--down", "redis"), ("suppressions",), ("why", "newer.py:3")])
def test_no_command_runs_anything_of_the_tree(tree: Path, command: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-P", "-c", WATCHER, json.dumps([*command, "--no-cache"])], cwd=tree, capture_output=True, text=True, timeout=60, check=False)
    code, seen = json.loads(done.stderr.splitlines()[-1])
    assert code in (0, 1, 2), done.stderr
    assert seen == []
    assert not list(tree.rglob("SPRUNG"))


SETTINGS = {
    "filter.evil.clean": "touch SPRUNG; cat", "filter.evil.process": "touch SPRUNG", "filter.evil.required": "true", "diff.evil.textconv": "touch SPRUNG; cat",
    "diff.evil.command": "touch SPRUNG", "diff.external": "touch SPRUNG", "core.fsmonitor": "touch SPRUNG", "core.pager": "touch SPRUNG",
    "alias.diff": "!touch SPRUNG", "core.hooksPath": "hooks", "core.editor": "touch SPRUNG", "gpg.program": "touch SPRUNG",
}  # fmt: skip


@pytest.mark.parametrize("command", [("check", "--changed"), ("check", "--diff-base", "HEAD"), ("fix",)])
def test_git_starts_no_program_that_the_settings_of_a_repository_name(tmp_path: Path, command: tuple[str, ...]) -> None:
    root = tmp_path / "evil"
    root.mkdir()

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=root, check=True, capture_output=True)

    git("init", "-q")
    (root / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    (root / "worker.py").write_text(ACQUIRE)
    git("add", ".")
    git("commit", "-qm", "one")
    (root / "hooks").mkdir()
    for hook in ("post-index-change", "reference-transaction", "fsmonitor-watchman"):
        (root / "hooks" / hook).write_text("#!/bin/sh\ntouch SPRUNG\n")
        (root / "hooks" / hook).chmod(0o755)
    for key, value in SETTINGS.items():
        git("config", key, value)
    (root / "worker.py").write_text(ACQUIRE.replace("nightly", "weekly"))
    done = subprocess.run([sys.executable, "-P", "-m", "coordlint", *command], cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, not list(root.rglob("SPRUNG"))) == (1, True), done.stderr
    assert "CL105" in done.stdout


def test_a_configuration_cannot_name_code(tree: Path) -> None:
    (tree / "pyproject.toml").write_text("[tool.coordlint]\nrules = ['rules']\n")
    done = subprocess.run([sys.executable, "-P", "-m", "coordlint", "check"], cwd=tree, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "rule folders are code" in done.stderr
    assert not list(tree.rglob("SPRUNG"))
