"""Whether reports are the same bytes for any number of workers, order of files, seed of hashes, with and without a cache, and after edits.

    python benchmarks/determinism.py [--edits N] TREE ...

Each tree is copied, and checked in seven ways: without a cache by one, two and three workers, with folders listed in other orders; with
an empty cache, a full one, one whose verdicts are gone, and files chosen as in a large project. Then files are edited at random, and what a
check says that remembers is compared with what one says that does not. Prints a line for each tree; 1 where anything differed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES = ("# a remark", "", "x = 1", "import redis", "def more(a):\n    return a", "    pass", "'''")
SKIPPED = shutil.ignore_patterns(".coordlint_cache", ".git")

SHUFFLED = ROOT / "tests" / "shuffled.py"
CHUNK = 50_000  # bytes


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="+", type=Path, metavar="TREE")
    parser.add_argument("--edits", type=int, default=4, metavar="N")
    given = parser.parse_args(arguments)
    different = 0
    for tree in given.trees:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "tree")
            shutil.copytree(tree, copy, symlinks=True, ignore=SKIPPED)
            told = [*_same(copy, Path(folder)), *_edited(copy, Path(folder), given.edits)]
        different += len([line for line in told if line.startswith("!")])
        print(f"{tree.name}: {'; '.join(told)}", flush=True)
    return 1 if different else 0


def _same(tree: Path, work: Path) -> Iterator[str]:
    ways = {
        "one worker": (1, 400, "--no-cache", "--jobs", "1"), "two": (2, 400, "--no-cache", "--jobs", "2"), "three": (3, 400, "--no-cache", "--jobs", "3"),
        "empty cache": (4, 400, "--jobs", "2"), "full cache": (5, 400, "--jobs", "2"), "facts only": (6, 400, "--jobs", "1", "--select", "ALL"),
    }  # fmt: skip
    found = {name: report(tree, work, *way) for name, way in ways.items()}
    chosen = {report(tree, work, seed, 0, "--no-cache", "--jobs", str(jobs)) for seed, jobs in ((7, 1), (8, 3))}
    first = found["one worker"]
    wrong = [name for name, one in found.items() if one != first] + (["files chosen"] if len(chosen) > 1 else [])
    yield f"!DIFFERENT: {', '.join(wrong)}" if wrong else f"{len(found) + 2} ways the same, {first[1]} bytes"


def _edited(tree: Path, work: Path, number: int) -> Iterator[str]:
    lot = random.Random(tree.name)
    files = sorted(p for p in tree.rglob("*") if p.is_file() and ".coordlint_cache" not in p.parts and p.suffix in (".py", ".yml", ".yaml", ".txt"))
    stood = wrong = 0
    before = report(tree, work, 1, 0)
    for _ in range(number if files else 0):
        for file in lot.sample(files, min(3, len(files))):
            lines = file.read_bytes().split(b"\n")
            lines.insert(lot.choice((len(lines), lot.randrange(len(lines)))), lot.choice(LINES).encode())
            file.write_bytes(b"\n".join(lines))
        after, whole = report(tree, work, 1, 0), report(tree, work, 1, 0, "--no-cache")
        wrong += after != whole
        stood += after == before
        before = after
    yield f"!{wrong} of {number} edits DIFFERENT" if wrong else f"{number} edits the same, {stood} of them changed no byte"


def report(tree: Path, work: Path, seed: int, small: int, *options: str) -> tuple[str, int]:
    """The JSON and SARIF of a run, in one word, and how long they are."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(work / "user")}
    arguments = ("check", "--isolated", "--profile", "audit", "--format", "json", "--output", f"sarif={work / 'sarif'}", "--root", str(tree), *options, str(tree))
    done = subprocess.run([sys.executable, SHUFFLED, str(seed), str(small), str(CHUNK), *arguments], cwd=work, env=environment, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{tree}: exit code {done.returncode}\n{done.stderr.decode('utf-8', 'replace')[-2000:]}")
    whole = done.stdout + (work / "sarif").read_bytes()
    return hashlib.sha256(whole).hexdigest(), len(whole)


if __name__ == "__main__":
    sys.exit(main())
