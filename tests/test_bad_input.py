"""Bad input, through the real command: the message, the exit code, never a traceback.

`test_cli.py` has the same for options and rules; here are files, folders and what a configuration names.
"""

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coordlint.cli import main

NOTHING, BROKEN, USAGE, FINDINGS, CLEAN = 3, 4, 2, 1, 0

LOCKED = b"""\
import boto3
import redis

r = redis.Redis(host="redis", socket_timeout=1)
s3 = boto3.client("s3")


def append(account, line):
    with r.lock(f"acct:{account}", timeout=10, blocking_timeout=5):
        body = s3.get_object(Bucket="ledger", Key=account)["Body"].read()
        s3.put_object(Bucket="ledger", Key=account, Body=body + line)
"""
POD = b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.out)  # type: ignore[no-any-return]

    @property
    def skipped(self) -> dict[str, str]:
        return {skip["path"]: skip["reason"] for skip in self.report["coverage"]["skipped"]}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PRE_COMMIT", "FORCE_COLOR", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


def coordlint(folder: Path, *arguments: str) -> Ran:
    """The command as its entry point runs it, in a folder."""
    out, err, here = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main(arguments)
    finally:
        os.chdir(here)
    ran = Ran(int(ended.value.code or 0), out.getvalue(), err.getvalue())
    assert "Traceback" not in ran.out + ran.err
    assert "internal error" not in ran.err
    return ran


def check(folder: Path, *arguments: str) -> Ran:
    return coordlint(folder, "check", "--no-cache", "--format", "json", *arguments)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one finding, which no bad neighbour may cost."""
    root = tmp_path / "ledger"
    (root / ".git").mkdir(parents=True)
    (root / "tasks.py").write_bytes(LOCKED)
    return root


def put(root: Path, name: str, content: bytes) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)


BOMB = POD + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b"x" if n == 0 else b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(12))

PROGRAM = b"\x7fELF\x02\x01\x01" + bytes(9) + bytes(range(256)) * 40
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40

TOLD = [
    ("a syntax error", "app.py", b"def f(:\n", "syntax error"),
    ("indentation that does not fit", "app.py", b"x = 1\n  y = 2\n", "syntax error: unexpected indent"),
    ("latin-1 that is not declared", "app.py", b"x = '\xff'\n", "not UTF-8: byte 0xff on line 1"),
    ("an encoding that does not exist", "app.py", b"# coding: klingon\n", "unknown encoding: klingon"),
    ("UTF-16", "app.py", "x = 1\n".encode("utf-16"), "UTF-16"),
    ("ASCII that is none", "app.py", b"# coding: ascii\nx = '\xc3\xa9'\n", "not ASCII: byte 0xc3 on line 2"),
    ("an encoding of no text", "app.py", b"# coding: rot13\nx = 1\n", "no text encoding"),
    ("UTF-16 in a cookie alone", "app.py", b"# coding: utf-16\nx = 1\n", "not UTF-16"),
    ("a program that is called Python", "app.py", PROGRAM, "not UTF-8"),
    ("a picture that is called a manifest", "compose.yaml", PICTURE, "not UTF-8"),
    ("a picture that is called a Dockerfile", "Dockerfile", PICTURE, "not UTF-8"),
    ("a picture that is called requirements", "requirements.txt", PICTURE, "not UTF-8"),
    ("a picture that is called a script", "run.sh", PICTURE, "not UTF-8"),
    ("a picture that is called settings", ".env", PICTURE, "not UTF-8"),
    ("a null byte", "app.py", b"x = 1\x00\n", "null bytes"),
    ("brackets ten thousand deep", "app.py", b"x = " + b"(" * 10_000 + b")" * 10_000, "too many nested parentheses|too deeply"),
    ("a sum of two hundred thousand terms", "app.py", b"x = " + b"+".join([b"1"] * 200_000), "too deeply"),
    ("a list that is not closed", "compose.yaml", b"services:\n  a: [\n", "not valid YAML"),
    ("a tab as indentation", "pod.yaml", b"apiVersion: v1\nkind: Pod\nmetadata:\n\tname: a\n", "not valid YAML"),
    ("YAML that is not UTF-8", "pod.yaml", POD + b"# \xff\n", "not UTF-8"),
    ("flow collections thirty thousand deep", "pod.yaml", POD + b"a: " + b"[" * 30_000, "nested|opened|deep"),
    ("aliases that multiply", "pod.yaml", BOMB, "aliases"),
    ("an alias inside its own anchor", "compose.yaml", b"services:\n  a: &a\n    image: x\n    <<: *a\n", "its own anchor"),
    ("template braces outside a chart", "pod.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {{ .Values.name }}\n", "key"),
    ("the same key twice", "compose.yaml", b"services:\n  a: {image: x}\n  a: {image: y}\n", "duplicate key 'a'"),
    ("unknown tags", "compose.yaml", b"services:\n  a:\n    image: !secret x\n", "unknown tag !secret"),
    ("services that extend each other", "compose.yaml", b"services:\n  a: {extends: {service: b}}\n  b: {extends: {service: a}}\n", "extends itself"),
    ("a Dockerfile without FROM", "Dockerfile", b"RUN echo\n", "no FROM"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "reason"), [case[1:] for case in TOLD], ids=[case[0] for case in TOLD])
def test_a_file_that_cannot_be_read_is_told_with_its_reason(project: Path, name: str, content: bytes, reason: str) -> None:
    put(project, name, content)
    ran = check(project)
    assert list(ran.skipped) == [name]
    assert any(words in ran.skipped[name] for words in reason.split("|")), ran.skipped[name]
    assert {f["code"] for f in ran.report["findings"]} == {"CL001", "CL101"}
    assert ran.code == FINDINGS
    assert "1 skipped" in ran.err
    assert check(project, "--strict").code == BROKEN


READ = [
    ("a byte order mark", "app.py", b"\xef\xbb\xbfx = 1\n"),
    ("a declared encoding", "app.py", b'# -*- coding: latin-1 -*-\nx = "\xff"\n'),
    ("nothing at all", "app.py", b""),
    ("Windows line ends", "app.py", b"def f():\r\n    return 1\r\n"),
    ("no final line end", "compose.yaml", b"services: {a: {image: x}}"),
    ("a variable that is not set", "compose.yaml", b"services:\n  a: {image: $MISSING, deploy: {replicas: '${N}'}}\n"),
    ("services of the wrong type", "compose.yaml", b"services:\n  a: 3\n  b: [x]\n  c:\n"),
    ("a pod of the wrong types", "pod.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: 3\nspec: {containers: {a: b}}\n"),
    ("requirements that include themselves", "requirements.txt", b"-r requirements.txt\nredis==\n"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), [case[1:] for case in READ], ids=[case[0] for case in READ])
def test_a_file_that_is_merely_odd_is_read(project: Path, name: str, content: bytes) -> None:
    put(project, name, content)
    ran = check(project)
    assert ran.skipped == {}
    assert "CL101" in {f["code"] for f in ran.report["findings"]}
    assert ran.report["coverage"]["analysed"] == 2
    assert coordlint(project, "inventory", "--no-cache").code == CLEAN


def test_a_helm_template_is_neither_an_error_nor_a_manifest_of_its_own(project: Path) -> None:
    put(project, "chart/Chart.yaml", b"apiVersion: v2\nname: c\nversion: 1.0.0\n")
    put(project, "chart/values.yaml", b"replicas: 2\n")
    put(
        project,
        "chart/templates/zk.yaml",
        b"{{- if .Values.on }}\napiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: {{ .Release.Name }}-zk\n"
        b"spec:\n  replicas: {{ .Values.replicas }}\n{{- end }}\n",
    )
    ran = check(project)
    assert ran.skipped == {}
    assert {f["code"] for f in ran.report["findings"]} == {"CL101"}


def test_many_bad_files_cost_no_other_files_findings(project: Path) -> None:
    for number, (_, name, content, _) in enumerate(TOLD):
        put(project, f"bad{number}/{name}", content)
    ran = check(project)
    assert len(ran.skipped) == len(TOLD)
    assert [f["path"] for f in ran.report["findings"] if f["code"] == "CL101"] == ["tasks.py"]


@pytest.mark.parametrize("command", ["check", "inventory", "audit", "graph", "suppressions"])
def test_every_command_tells_a_missing_path_and_an_empty_folder(tmp_path: Path, command: str) -> None:
    (tmp_path / "empty").mkdir()
    missing = coordlint(tmp_path, command, "nowhere")
    assert (missing.code, missing.out) == (USAGE, "")
    assert "no such file or folder: nowhere" in missing.err
    empty = coordlint(tmp_path, command, "empty")
    assert (empty.code, empty.out) == (NOTHING, "")
    assert "nothing to analyse" in empty.err


def test_a_folder_without_anything_to_read_is_not_green(tmp_path: Path) -> None:
    put(tmp_path, "docs/index.md", b"# hello\n")
    put(tmp_path, "data.bin", bytes(range(256)))
    assert check(tmp_path, "--exit-zero").code == NOTHING


def test_links_are_not_followed_out_of_the_project_nor_in_circles(project: Path, tmp_path: Path) -> None:
    put(tmp_path, "elsewhere/secret.py", LOCKED)
    (project / "out").symlink_to(tmp_path / "elsewhere")
    (project / "out.py").symlink_to(tmp_path / "elsewhere" / "secret.py")
    (project / "circle").symlink_to(project)
    ran = check(project)
    assert {f["path"] for f in ran.report["findings"] if f["code"] == "CL101"} == {"tasks.py"}
    assert ran.report["coverage"]["analysed"] == 1


def test_what_is_no_file_is_not_waited_for(project: Path) -> None:
    os.mkfifo(project / "pipe.py")
    assert check(project).code == FINDINGS


def test_names_that_are_odd_stay_one_line(project: Path) -> None:
    put(project, "a\nb\x1b[31m.py", b"def f(:\n")
    ran = coordlint(project, "check", "--no-cache", "--format", "concise")
    assert ran.code == FINDINGS
    assert "\x1b" not in ran.out
    assert len([line for line in ran.out.splitlines() if "CL001" in line]) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tool.coordlint\n", "pyproject.toml:1: is no TOML"),
        ("[tool.coordlint]\nselect = ['CL999']\n", "pyproject.toml:2: unknown rule 'CL999'"),
        ("[tool.coordlint]\nmodels = ['missing.yaml']\n", "pyproject.toml:2: 'missing.yaml' does not exist"),
        ("[tool.coordlint]\nmodels = ['../x.yaml']\n", "pyproject.toml:2: '../x.yaml' lies outside the project"),
        ("[tool]\ncoordlint = 3\n", "tool.coordlint must be a table"),
    ],
)
def test_a_broken_configuration_names_its_line(project: Path, text: str, told: str) -> None:
    put(project, "pyproject.toml", text.encode())
    ran = check(project)
    assert (ran.code, ran.out) == (USAGE, "")
    assert told in ran.err


def test_a_broken_model_names_its_file_and_line(project: Path) -> None:
    put(project, "pyproject.toml", b"[tool.coordlint]\nmodels = ['ours.yaml']\n")
    put(project, "ours.yaml", b"library: ours\ntypos: {}\n")
    ran = check(project)
    assert (ran.code, ran.out) == (USAGE, "")
    assert "ours.yaml" in ran.err and "typos" in ran.err
