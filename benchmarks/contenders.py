"""The linters that are compared: where each is installed, and how it is asked to look at a tree with all its rules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from measuring import Command

ROOT = Path(__file__).resolve().parents[1]
RULES = Path(__file__).with_name("semgrep.yaml")


@dataclass(frozen=True)
class Contender:
    """`before` is done ahead of each run and not measured; `ends` are the exit codes of a run that did its work."""

    name: str
    tool: str
    words: Callable[[Path], list[str | Path]]
    ends: tuple[int, ...] = (0,)
    before: Callable[[Command, Path], None] = field(default=lambda command, tree: None)

    def command(self, work: Path, tree: Path) -> Command:
        program, *words = self.words(tree)
        return Command([programs(work, self.tool) / program, *words], tree, environment(work), self.ends)


def installed(tools: Iterable[str], work: Path) -> list[str]:
    """Installs tools, each in an environment of its own; those that can be had, with their versions told."""
    found = []
    for tool in tools:
        place = work / "environments" / tool
        python = programs(work, tool) / "python"
        if not place.exists():
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        wanted = str(ROOT) if tool == "coordlint" else tool
        extra = ["--force-reinstall", "--no-deps"] if tool == "coordlint" and (programs(work, tool) / tool).exists() else []
        done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", *extra, wanted], check=False)
        if done.returncode == 0:
            found.append(tool)
        else:
            print(f"{tool} cannot be installed: left out", file=sys.stderr)
    return found


def version(tool: str, work: Path) -> str:
    code = f"import importlib.metadata as m; print(m.version({tool!r}))"
    return subprocess.run([programs(work, tool) / "python", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def programs(work: Path, tool: str) -> Path:
    return work / "environments" / tool / ("Scripts" if os.name == "nt" else "bin")


def environment(work: Path) -> dict[str, str]:
    """Nothing is asked of the network, and nothing kept where a user's own runs keep it."""
    return {
        "XDG_CACHE_HOME": str(work / "user"), "SEMGREP_SEND_METRICS": "off", "SEMGREP_ENABLE_VERSION_CHECK": "0",
        "SEMGREP_SETTINGS_FILE": str(work / "user" / "semgrep.yml"), "PYTHONPATH": "", "NO_COLOR": "1",
    }  # fmt: skip


def check(*options: str) -> Callable[[Path], list[str | Path]]:
    return lambda tree: ["coordlint", "check", "--isolated", "--format", "concise", "--root", tree, *options, tree]


def _remember(command: Command, tree: Path) -> None:
    """A check whose answer the next one may remember."""
    subprocess.run([str(w) for w in command.words], cwd=tree, env={**os.environ, **command.environment}, capture_output=True, check=False)


def _changed(coordinating: bool, line: bytes) -> Callable[[Command, Path], None]:
    """Three files get another line at their end: the first, middle and last of those in which something is coordinated, or of the others."""

    def change(command: Command, tree: Path) -> None:
        _remember(command, tree)
        inventory = [command.words[0], "inventory", "--isolated", "--format", "json", "--root", tree, tree]
        done = subprocess.run([str(w) for w in inventory], env={**os.environ, **command.environment}, capture_output=True, check=True)
        told = {tree / use["path"] for use in json.loads(done.stdout)["uses"]}
        files = sorted(file for file in tree.rglob("*.py") if (file in told) == coordinating) or sorted(tree.rglob("*.py"))
        for file in {files[0], files[len(files) // 2], files[-1]}:
            with file.open("ab") as text:
                text.write(b"\n" + line + b"\n")

    return change


REMARK, CODE = b"# a change", b"def added(one, other):\n    return one + other"
COLD = Contender("coordlint, nothing kept", "coordlint", check("--no-cache"), (0, 1))
CONTENDERS = (
    COLD,
    Contender("coordlint, one process", "coordlint", check("--no-cache", "--jobs", "1"), (0, 1)),
    Contender("coordlint, code added to three files that coordinate", "coordlint", check(), (0, 1), _changed(True, CODE)),
    Contender("coordlint, a remark added to three files that coordinate", "coordlint", check(), (0, 1), _changed(True, REMARK)),
    Contender("coordlint, code added to three other files", "coordlint", check(), (0, 1), _changed(False, CODE)),
    Contender("coordlint, nothing changed", "coordlint", check(), (0, 1), _remember),
    Contender("ruff, all rules, nothing kept", "ruff", lambda tree: ["ruff", "check", "--isolated", "--no-cache", "--select", "ALL", "--exit-zero", "--output-format", "concise", tree]),
    Contender("bandit, all rules", "bandit", lambda tree: ["bandit", "--quiet", "--recursive", "--exit-zero", tree]),
    Contender("fixit, all rules", "fixit", lambda tree: ["fixit", "--quiet", "lint", tree], (0, 1)),
    Contender("semgrep, a dozen local rules", "semgrep", lambda tree: ["semgrep", "scan", "--quiet", "--config", RULES, "--no-git-ignore", "--max-target-bytes", "0", tree]),
)  # fmt: skip
