"""The same bytes, whatever the number of workers, the order of files, the seed of hashes, and the state of the cache."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import run

FIXTURES = Path(__file__).parents[1] / "fixtures" / "err"
SYSTEMS = sorted(p.name for p in FIXTURES.iterdir() if p.is_dir())

# A run in which folders are listed in another order, and every run of any size has workers.
SHUFFLED = """
import os, random, sys
from coordlint import extraction, selection
from coordlint.cli import main
order = random.Random(int(sys.argv.pop(1)))
scan = os.scandir
class Shuffled(list):
    def __enter__(self): return self
    def __exit__(self, *_): pass
def scandir(path):
    with scan(path) as found:
        entries = list(found)
    order.shuffle(entries)
    return Shuffled(entries)
os.scandir = scandir
extraction.POOL_FROM, extraction.CHUNK = 0, 2_000
main(sys.argv[1:])
"""


def shuffled(folder: Path, seed: int, *arguments: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(FIXTURES.parents[1])}
    done = subprocess.run([sys.executable, "-c", SHUFFLED, str(seed), *arguments], cwd=folder, capture_output=True, env=environment, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All systems of the fixtures as one repository, written in an order of its own."""
    root = tmp_path_factory.mktemp("tree")
    (root / ".git").mkdir()
    names = [p for system in SYSTEMS for p in (FIXTURES / system).rglob("*") if p.is_file()]
    random.Random(7).shuffle(names)
    for name in names:
        place = root / name.relative_to(FIXTURES)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(name.read_bytes())
    return root


@pytest.mark.slow
@pytest.mark.parametrize("format", ["json", "sarif"])
def test_reports_are_the_same_bytes_for_any_jobs_order_and_seed(tree: Path, format: str) -> None:
    arguments = ("check", "--profile", "audit", "--no-cache", "--format", format)
    made = {hashlib.sha256(shuffled(tree, seed, *arguments, "--jobs", str(jobs))).hexdigest() for seed, jobs in ((1, 1), (2, 2), (3, 3))}
    assert len(made) == 1


def everything(folder: Path) -> Iterator[str]:
    for format in ("json", "sarif"):
        yield run(folder, "check", "--format", format, "--profile", "audit").out
    yield run(folder, "inventory", "--format", "json").out
    yield run(folder, "graph", "--format", "json").out


@pytest.mark.slow
def test_cold_and_warm_and_without_a_cache_are_the_same_bytes(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    cold, warm = list(everything(tree)), list(everything(tree))
    (tree / "further.py").write_text("x = 1\n")
    run(tree, "check", "--format", "json", "--profile", "audit")
    (tree / "further.py").unlink()
    assert cold == warm == list(everything(tree))
    assert run(tree, "check", "--format", "json", "--profile", "audit", "--no-cache").out == cold[0]
