"""What a command loads before it answers: help and an unchanged check load next to nothing. No timings: modules are counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from test_bad_input import LOCKED

from coordlint import cli, verdicts

HEAVY = ("networkx", "libcst", "yaml", "rich", "msgspec", "pathspec", "ast", "dataclasses", "tempfile", "difflib", "multiprocessing", "subprocess")

# `ast` and others may come with click itself: what counts is what is loaded on top of it.
PROGRAM = """
import json, sys
import click
before = set(sys.modules)
from coordlint.cli import main
try:
    main(sys.argv[1:])
finally:
    sys.stderr.write("\\n" + json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "ledger" / ".git").mkdir(parents=True)
    (tmp_path / "ledger" / "tasks.py").write_bytes(LOCKED)
    return tmp_path / "ledger"


def loaded(folder: Path, *arguments: str) -> tuple[str, set[str]]:
    """What a command says, and the modules that it loaded besides click and what click needs."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder.parent / "user")}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout, set(json.loads(done.stderr.splitlines()[-1]))


def ours(modules: set[str]) -> set[str]:
    return {m for m in modules if m.split(".")[0] == "coordlint"}


def test_help_loads_the_command_line_and_none_of_its_commands(project: Path) -> None:
    said, modules = loaded(project, "--help")
    assert "Commands:" in said
    assert ours(modules) == {"coordlint", "coordlint.cli", "coordlint.cli.saying", "coordlint.exits"}
    assert modules.isdisjoint(HEAVY)


def test_help_of_a_command_loads_that_family_of_commands_only(project: Path) -> None:
    said, modules = loaded(project, "check", "--help")
    assert "Exit codes" in said
    shared = {"coordlint", "coordlint.cli", "coordlint.cli.saying", "coordlint.cli.asking", "coordlint.cli.options", "coordlint.exits"}
    assert ours(modules) == {*shared, "coordlint.cli.checking"}
    assert modules.isdisjoint(HEAVY)


def test_an_unchanged_check_answers_from_memory_without_the_engine(project: Path) -> None:
    time.sleep(2 * verdicts.TICK / 1e9)  # what was written just now is not believed to be unchanged
    first, engine = loaded(project, "check", "--format", "concise")
    again, modules = loaded(project, "check", "--format", "concise")
    assert "tasks.py" in first and again == first
    assert "coordlint.pipeline" in engine
    assert {m for m in ours(modules) if not m.startswith("coordlint.cli")} == {
        "coordlint", "coordlint.exits", "coordlint.report", "coordlint.rules", "coordlint.report.style", "coordlint.sealed", "coordlint.verdicts",
    }  # fmt: skip
    assert modules.isdisjoint(HEAVY) and "hashlib" not in modules


def test_a_check_after_an_edit_that_does_not_matter_loads_neither_linker_nor_rules(project: Path) -> None:
    time.sleep(2 * verdicts.TICK / 1e9)
    first, _ = loaded(project, "check", "--format", "concise")
    with (project / "tasks.py").open("ab") as file:
        file.write(b"# a remark\n")
    again, modules = loaded(project, "check", "--format", "concise")
    assert again == first
    assert {"coordlint.recalling", "coordlint.extract.python"} <= modules
    assert modules.isdisjoint({"networkx", "libcst", "rich", "yaml", "coordlint.pipeline", "coordlint.link", "coordlint.models", "multiprocessing"})


@pytest.mark.parametrize("name", cli.cli.list_commands(click.Context(cli.cli)))
def test_help_says_of_each_command_the_first_sentence_of_its_own_help(name: str, run) -> None:
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command is not None and command.name == name and command.help
    first = command.help.partition("\n\n")[0].replace("\n", " ").partition(". ")[0].rstrip(".") + "."
    listed = " ".join(run("--help").out.partition("Commands:")[2].split())
    assert f"{name} {first}" in listed
