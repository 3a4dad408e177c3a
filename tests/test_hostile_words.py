"""What a repository says stays text: names, keys, reasons and paths that carry markup or escape sequences, through every command.

A page of markdown shows them, a terminal prints them, a diagram labels its boxes with them, and none of them obeys.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from test_bad_input import coordlint

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) ![p](//evil) **b** @team `id` | $(id) {{7*7}} \"q\" 'q'"
ESCAPES = "\x1b[31m\x1b]0;title\x07\x9b2J\u202egpj.exe\u2066\x08\r\x00"
CODE = f"""
import redis
from kazoo.client import KazooClient
r = redis.Redis(host={EVIL + "redis"!r}, socket_timeout=1)
zk = KazooClient(hosts="zk:2181")

def charge(account):  # {EVIL}
    with r.lock({EVIL + ESCAPES!r} + account, timeout=10, blocking_timeout=5):
        zk.set({"/" + EVIL + ESCAPES!r}, b"x")
        open({EVIL + ESCAPES!r}, "w").write(account)

def silent(account):
    # coordlint: ignore[CL101] {EVIL}
    with r.lock("other", timeout=10):
        zk.set("/other", b"x")
# coordlint: ignore[{EVIL}]
# coordlint: {EVIL}
"""
KNOWN = {"path": EVIL + ESCAPES, "code": "CL101", "symbol": EVIL + ESCAPES, "resource": EVIL + ESCAPES, "fingerprint": "0123456789abcdef0123", "count": 1}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "evil"
    (root / ".git").mkdir(parents=True)
    (root / "<b>|[x](y) `z`.py").write_text(CODE)
    named = json.dumps(EVIL + ESCAPES)
    service = {"image": "redis:7", "ports": ["6379:6379"], "environment": {EVIL: EVIL + ESCAPES}, "command": ["redis-server", EVIL]}
    services = {EVIL: service, "zk": {"image": "zookeeper:3.9"}, EVIL + "2": {"build": ".", "command": f"python app.py {EVIL}", "environment": {"REDIS_URL": "redis://zk:2181"}}}
    (root / "compose.yaml").write_text(json.dumps({"services": services, "name": EVIL + ESCAPES}))
    (root / "pod.yaml").write_text(
        f"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: {named}, namespace: {named}, annotations: {{coordlint.dev/ignore: {named}}}}}\n"
        f"spec: {{replicas: 2, serviceName: {named}, template: {{spec: {{containers: [{{name: {named}, image: 'zookeeper:3.9'}}]}}}}}}\n"
    )
    (root / "broken.yaml").write_text(f"apiVersion: v1\nkind: Pod\n{EVIL}: [\n")
    (root / "known.json").write_text(json.dumps({"version": 1, "findings": [KNOWN]}))
    return root


COMMANDS = [
    *(("check", "--profile", "audit", "--format", format) for format in ("full", "concise", "json", "sarif", "github", "markdown")),
    *(("graph", "--level", level, "--format", format) for level in ("workloads", "effects") for format in ("mermaid", "dot", "json")),
    ("inventory",), ("inventory", "-v"), ("inventory", "--format", "json"), ("audit",), ("suppressions",),
    ("whatif", "--down", "redis"), ("whatif", "--down", EVIL), ("whatif", "--down", EVIL + "\x1b[31m"),
    ("why", "<b>|[x](y) `z`.py:8"), ("why", "<b>|[x](y) `z`.py:9"), ("explain", EVIL + ESCAPES), ("check", "--select", EVIL + ESCAPES),
    ("check", "--baseline", "known.json"), ("baseline", "prune", "--file", "known.json"), ("fix", "--diff", "--allow-dirty"), ("check", ESCAPES.replace("\0", "")),
]  # fmt: skip


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: " ".join(a)[:40].encode("unicode_escape").decode())
def test_no_command_prints_what_a_terminal_obeys(project: Path, arguments: tuple[str, ...]) -> None:
    ran = coordlint(project, *arguments, "--no-cache") if arguments[0] not in ("explain",) else coordlint(project, *arguments)
    assert ran.code in (0, 1, 2, 4), ran.err
    assert not {c for c in ran.out + ran.err if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066"}


def spoken(page: str) -> str:
    """What of a markdown page is neither in a fence nor in a code span: there, markup would count."""
    page = re.sub(r"^(```+)[^\n]*\n.*?^\1$", "", page, flags=re.M | re.S)
    page = re.sub(r"\\.", "", page)
    return re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", page)


@pytest.mark.parametrize("arguments", [("check", "--profile", "audit", "--format", "markdown"), ("audit",)])
def test_markdown_holds_no_markup_of_the_repository(project: Path, arguments: tuple[str, ...]) -> None:
    page = coordlint(project, *arguments, "--no-cache").out
    assert "script" in page, "nothing of the repository is on the page"
    left = spoken(page)
    assert not re.search(r"<(script|img|b)\b|\]\(|!\[|\*\*b|@team|\{\{", left), left


@pytest.mark.parametrize("arguments", [("check", "--profile", "audit", "--format", "markdown"), ("audit",)])
def test_every_row_of_a_table_has_the_cells_of_its_head(project: Path, arguments: tuple[str, ...]) -> None:
    page = re.sub(r"\\.", "", coordlint(project, *arguments, "--no-cache").out)
    tables = re.findall(r"^\|.*\n(?:\|.*\n)+", page, re.M)
    assert tables
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_a_fence_is_closed_by_ourselves_alone(project: Path) -> None:
    page = coordlint(project, "audit", "--no-cache").out
    assert len(re.findall(r"^```", page, re.M)) % 2 == 0
    for drawn in re.findall(r"^```mermaid\n(.*?)^```$", page, re.M | re.S):
        assert "```" not in drawn


def test_a_diagram_holds_no_markup_and_no_open_quote(project: Path) -> None:
    mermaid = coordlint(project, "graph", "--level", "effects", "--no-cache").out
    assert "script" in mermaid
    assert not re.search(r"<(?!br/?>)[a-z]|javascript:|\bclick\b", mermaid)
    assert all(line.count('"') % 2 == 0 for line in mermaid.splitlines())
    dot = coordlint(project, "graph", "--level", "effects", "--format", "dot", "--no-cache").out
    assert all(re.sub(r"\\.", "", line).count('"') % 2 == 0 for line in dot.splitlines())


def test_a_log_of_github_gets_its_own_commands_only(project: Path) -> None:
    (project / "::error::x.py").write_text(CODE.replace("charge", "charge_again"))
    log = coordlint(project, "check", "--profile", "audit", "--format", "github", "--no-cache").out
    assert all(re.match(r"::(error|warning|notice|group|endgroup)[ :]", line) for line in log.splitlines() if line.startswith("::"))
    assert log.count("\n::error::") == 0
