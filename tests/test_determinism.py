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

FIXTURES = Path(__file__).parents[1] / "fixtures"

SHUFFLED = Path(__file__).with_name("shuffled.py")
CHUNK = 2_000  # bytes


def shuffled(folder: Path, seed: int, small: int, *arguments: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(FIXTURES.parent)}
    done = subprocess.run([sys.executable, SHUFFLED, str(seed), str(small), str(CHUNK), *arguments], cwd=folder, capture_output=True, env=environment, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All systems of the fixtures as one repository, written in an order of its own."""
    root = tmp_path_factory.mktemp("tree")
    (root / ".git").mkdir()
    names = [p for sort in ("err", "ok") for p in (FIXTURES / sort).rglob("*") if p.is_file()]
    random.Random(7).shuffle(names)
    for name in names:
        place = root / name.relative_to(FIXTURES)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(name.read_bytes())
    return root


@pytest.mark.slow
@pytest.mark.parametrize("small", [0, 400], ids=["files are chosen", "all files are read"])
@pytest.mark.parametrize("format", ["json", "sarif"])
def test_reports_are_the_same_bytes_for_any_jobs_order_seed_and_cache(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, small: int) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arguments = ("check", "--profile", "audit", "--format", format)
    ways = [(1, 1, "--no-cache"), (2, 2, "--no-cache"), (3, 3, "--no-cache"), (4, 2), (5, 3)]  # without a cache, then with an empty and a full one
    made = {hashlib.sha256(shuffled(tree, seed, small, *arguments, *cache, "--jobs", str(jobs))).hexdigest() for seed, jobs, *cache in ways}
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
