"""Text that means harm, or is merely enormous: told with file and line, or read; never a crash, a hang or the machine's memory.

All of it lies in one tree, next to one honest file; one run reads the tree, and each test looks at one file of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import Ran, check, run
from test_bad_input import LOCKED
from test_fix_command import ACQUIRE, MENDED

pytestmark = pytest.mark.slow

DEEP, TERMS = 100_000, 10_000
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
SMALL = 110_000  # characters
MEMORY = 1_200_000_000  # that the run itself may take; each worker has a limit of its own

TOLD = {
    "round brackets": ("a.py", "x = " + "(" * DEEP + ")" * DEEP, 1, "too many nested"),
    "square brackets": ("a.py", "x = " + "[" * DEEP + "]" * DEEP, 1, "too many nested"),
    "curly brackets": ("a.py", "x = " + "{" * DEEP + "}" * DEEP, 1, "too many nested"),
    "brackets that never close": ("a.py", "x = " + "([{" * DEEP, 1, "too many nested"),
    "calls in calls": ("a.py", "x = " + "f(" * DEEP + ")" * DEEP, 1, "too many nested"),
    "patterns in patterns": ("a.py", "match x:\n case " + "[" * DEEP + "]" * DEEP + ": pass\n", 2, "too many nested"),
    "signs before signs": ("a.py", "x = " + "-" * DEEP + "1", 1, "too deeply"),
    "not not": ("a.py", "x = " + "not " * DEEP + "y", 1, "too deeply"),
    "lambdas of lambdas": ("a.py", "x = " + "lambda: " * DEEP + "y", 1, "too deeply"),
    "conditions in conditions": ("a.py", "x = " + "a if b else " * DEEP + "c", 1, "too deeply"),
    "attributes of attributes": ("a.py", "x = a" + ".b" * DEEP, 1, "too deeply"),
    "calls of calls": ("a.py", "x = a" + "()" * DEEP, 1, "too deeply"),
    "items of items": ("a.py", "x = a" + "[0]" * DEEP, 1, "too deeply"),
    "methods of methods": ("a.py", "x = a" + ".b()" * TERMS, 1, "too deeply"),
    "a sum": ("a.py", "x = " + " + ".join(["a"] * TERMS), 1, "too deeply"),
    "a sum of differences": ("a.py", "x = a" + " + a - a" * TERMS, 1, "too deeply"),
    "a power": ("a.py", "x = " + " ** ".join(["a"] * TERMS), 1, "too deeply"),
    "blocks in blocks": ("a.py", "".join(" " * n + "if x:\n" for n in range(2_000)), 101, "indentation"),
    "branches without end": ("a.py", "if a: pass\n" + "elif a: pass\n" * TERMS, 1, "too deeply"),
    "brackets in newer syntax": ("a.py", "type X = " + "(" * DEEP + "int" + ")" * DEEP + "\n", 1, "newer|syntax error"),
    "a sum in newer syntax": ("a.py", "type X = int\nx = " + " + ".join(["1"] * TERMS), 1, "newer|deeply"),
    "a number of many digits": ("a.py", "x = " + "9" * DEEP, 1, "4300 digits"),
    "a line of 50 MB": ("a.py", "x = '" + "a" * 50_000_000 + "'\n", 1, "larger than 5 MB"),
    "a list of two million": ("a.py", "x = [" + "a," * 1_900_000 + "]", 1, "too large|memory"),
    "a notebook": ("a.py", '{\n "cells": [],\n "metadata": {"a": true},\n "nbformat": 4}\n', 1, "notebook"),
    "a merge conflict": ("a.py", "x = 1\n<<<<<<< ours\ny = 1\n=======\ny = 2\n>>>>>>> theirs\n", 2, "merge conflict"),
    "Python 2 with a mistake": ("a.py", "print 'a'\ndef f(:\n", 2, "also as Python 2"),
    "carriage returns alone": ("a.py", "x = 1\rdef f(:\r", 2, "syntax error"),
    "form feeds": ("a.py", "\fx = 1\n\f\ndef f(:\n", 3, "syntax error"),
    "null bytes": ("a.py", "x = 1\ny = '\0'\n", 1, "null bytes"),
    "a YAML line of 50 MB": ("compose.yaml", "services: {a: {image: " + "x" * 50_000_000 + "}}", 1, "larger than 20 MB"),
    "25,000 flow lists": ("p.yaml", POD + "a: " + "[" * 25_000 + "]" * 25_000, 4, "nested deeper"),
    "25,000 flow tables": ("p.yaml", POD + "a: " + "{a: " * 25_000 + "}" * 25_000, 4, "nested deeper"),
    "keys of keys": ("p.yaml", POD + "a:\n  " + "? " * DEEP + "b", 5, "nested deeper"),
    "600,000 keys": ("p.yaml", POD + "a:\n" + "".join(f"  k{n}: 1\n" for n in range(600_000)), 200_001, "nodes"),
    "150,000 duplicate keys": ("compose.yaml", "services:\n" + "  a: {image: b}\n" * 90_000, 3, "duplicate key 'a'"),
    "a hundred thousand broken documents": ("p.yaml", POD + "--- [\n" * DEEP, 5, "not valid YAML"),
    "aliases that multiply": ("p.yaml", POD + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10) if n else 'x'}]\n" for n in range(12)), 10, "aliases"),
    "merge keys that multiply": (
        "p.yaml", POD + "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 30)), 10, "aliases",
    ),
    "brackets in TOML": ("pyproject.toml", "a = " + "[" * DEEP + "]" * DEEP, 1, "too many brackets|TOML"),
}  # fmt: skip

READ = {
    "and and and": ("a.py", "x = " + " and ".join(["a"] * TERMS)),
    "comparisons": ("a.py", "x = " + " < ".join(["a"] * TERMS)),
    "commas": ("a.py", "f(" + ", ".join(["a"] * TERMS) + ")"),
    "Python 2": ("a.py", "import redis\nprint 'a'\n"),
    "Python 2 without end": ("a.py", "try: print 'a', `b`\nexcept E, e: lambda (a, b): 0777\n" * 2_000 + "print 'a'\n" * 20_000),
    "texts side by side": ("a.py", "x = " + " ".join(["'a'"] * DEEP)),
    "names that are all one": ("a.py", " = ".join(f"a{n}" for n in range(TERMS)) + " = 1"),
    "decorators": ("a.py", "@a\n" * TERMS + "def f(): pass\n"),
    "managers": ("a.py", "with " + ", ".join(["a"] * TERMS) + ": pass\n"),
    "functions in functions": ("a.py", "".join(" " * n + f"def f{n}():\n" for n in range(90)) + " " * 90 + "pass\n"),
    "a text of four megabytes": ("a.py", "x = '" + "a" * 3_900_000 + "'\n"),
    "a value as large as the universe": ("a.py", "import redis\nA = 'a' * 10**12\nB = 10**10**10\nredis.Redis().set(A, '%1000000000d' % 1, ex=B)\nredis.Redis().lock(f'{1:>10000000000}')\n"),
    "directives without end": ("a.py", "# coordlint: " * 2_000 + "\n#" + " " * 30_000 + "coordlint:" + " " * 30_000 + "ignore\n"),
    "brackets that no parser reads": ("p.yaml", "a: " + "[" * 25_000),
    "variables in variables": ("compose.yaml", "services:\n  a: {image: '" + "${A:-" * 20_000 + "}" * 20_000 + "'}"),
    "variables that double": ("Dockerfile", "".join(f"ARG A{n}=${{A{n - 1}}}${{A{n - 1}}}\n" for n in range(1, 60)) + "FROM ${A59}\n"),
    "a shell in a shell": ("Dockerfile", "FROM a\nCMD " + "sh -c \"" * 1_000 + "\n"),
    "substitutions in substitutions": ("Dockerfile", "FROM a\nCMD sh -c '" + "$(" * 20_000 + "'\n"),
    "quotes": ("Dockerfile", "FROM a\nCMD " + "\"'" * 50_000 + "\n"),
    "a line continued for ever": ("Dockerfile", "FROM a\nRUN a \\\n" + "b \\\n" * DEEP),
    "a here-document without end": ("Dockerfile", "FROM a\nRUN <<EOF\n" + "x\n" * DEEP),
    "extras": ("requirements.txt", "redis" + "[" * DEEP + "\n" + "a" * DEEP + "==" + "1." * DEEP + "\n"),
    "a lock file of many packages": ("poetry.lock", "".join(f'[[package]]\nname = "p{n}"\n' for n in range(DEEP))),
    "a hundred thousand dependencies": ("Pipfile", "[packages]\n" + "".join(f'p{n} = "*"\n' for n in range(DEEP))),
    "fields found empty": ("a.py", "def create(self):\n" + "".join(f"    if self.f{n} is None: pass\n" for n in range(TERMS)) + "    self.save()\n"),
    "imports that never close": ("a.py", '"""\n' + "from redis import (\n" * DEEP + '"""\n'),
    "variables that are asked for": ("compose.yaml", "services:\n  a: {image: '" + "${A?" * DEEP + "'}"),
    "here-documents in a script": ("run.sh", "#!/bin/sh\ncat <<EOF" + "\n" * DEEP),
    "actions that never close": ("chart/templates/a.yaml", "{{" * DEEP),
}  # fmt: skip


def name_of(case: str, file: str) -> str:
    return f"{case.replace(' ', '-').replace(',', '')}/{file}"


def laid_out(root: Path, largest: int) -> Path:
    (root / ".git").mkdir()
    (root / "tasks.py").write_bytes(LOCKED)
    for case, (file, text, *_) in (TOLD | READ).items():
        if len(text) > largest or (largest < SMALL * 2 and "newer" in case):
            continue
        place = root / name_of(case, file)
        place.parent.mkdir(parents=True)
        place.write_bytes(text.encode())
    chart = root / name_of("actions that never close", "chart/Chart.yaml")
    chart.parent.mkdir(parents=True, exist_ok=True)
    chart.write_text("apiVersion: v2\nname: c\nversion: 1.0.0\n")
    return root


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return check(laid_out(tmp_path_factory.mktemp("hostile"), 10**9))


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smaller ones: what reads them once more in every command need not be waited for."""
    return laid_out(tmp_path_factory.mktemp("smaller"), SMALL)


@pytest.mark.parametrize("case", TOLD)
def test_what_cannot_be_read_is_told_with_file_and_line(ran: Ran, case: str) -> None:
    file, _, line, reason = TOLD[case]
    told = ran.skipped[name_of(case, file)]
    assert told[0] == line, told
    assert any(words in told[1] for words in reason.split("|")), told
    assert len(told[1]) < 300


@pytest.mark.parametrize("case", READ)
def test_what_is_merely_large_is_read(ran: Ran, case: str) -> None:
    name = name_of(case, READ[case][0])
    assert ran.skipped.get(name, (0, "read in part"))[1].endswith(("read in part", "no mapping"))


def test_nothing_of_it_costs_the_honest_file_its_finding(ran: Ran) -> None:
    assert ran.code == 1
    assert "CL101" in ran.codes("tasks.py")
    assert ran.report["failures"] == []
    assert set(ran.skipped) >= {name_of(case, file) for case, (file, *_) in TOLD.items()}


def test_it_takes_a_bounded_amount_of_memory(ran: Ran) -> None:
    assert ran.peak < MEMORY, f"{ran.peak / 1e6:.0f} MB"


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--format", "sarif", "--jobs", "2"),
        ("check", "--format", "full"),
        ("check", "--strict", "--format", "markdown"),
        ("audit",),
        ("inventory", "-v"),
        ("graph", "--format", "dot", "--level", "effects"),
        ("whatif", "--down", "redis"),
        ("suppressions",),
        ("fix", "--diff"),
        ("explain", "CL101"),
        ("why", "tasks.py:9"),
        ("why", "directives-without-end/a.py:1"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_every_command_survives_it(tree: Path, arguments: tuple[str, ...]) -> None:
    done = run(tree, *arguments)
    expected = {"check": 4 if "--strict" in arguments else 1}.get(arguments[0], 0)
    assert done.code == expected, done.err[-800:]
    assert "\x1b" not in done.out and done.peak < MEMORY


def test_a_baseline_of_it_is_made_brought_up_to_date_and_pruned(tree: Path) -> None:
    known = tree / "known.json"
    known.unlink(missing_ok=True)
    texts = []
    for action in ("create", "update", "prune"):
        done = run(tree, "baseline", action, "--file", known.name)
        assert done.code == 0, done.err[-800:]
        texts.append(known.read_text())
    assert "tasks.py" in texts[0] and len(set(texts)) == 1
    known.unlink()


def test_fixing_it_mends_the_honest_file_and_touches_no_other(tree: Path) -> None:
    honest = tree / "worker.py"
    honest.write_text(ACQUIRE)
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file() and ".coordlint_cache" not in path.parts}
    done = run(tree, "fix", "--allow-dirty")
    after = {path: path.read_bytes() for path in before}
    honest.unlink()
    assert after.pop(honest) == MENDED.encode(), done.err[-800:]
    del before[honest]
    assert after == before
