"""Seconds that `coordlint check` takes on real trees: cold, warm, and with one worker.

    python benchmarks/speed.py PATH [PATH ...]
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

RUNS = 3
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "node_modules", "__pycache__", ".coordlint_cache")


def main(paths: Sequence[str]) -> int:
    """Prints one line for each tree; 2 without paths."""
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    print(f"{'tree':30} {'files':>7} {'lines':>9} {'cold s':>8} {'warm s':>8} {'one worker s':>13}")
    for path in map(Path, paths):
        with tempfile.TemporaryDirectory() as work:
            tree = Path(work, "tree")
            shutil.copytree(path, tree, ignore=LEFT_OUT, symlinks=True, ignore_dangling_symlinks=True)
            print(" ".join(measured(path.resolve().name, tree)), flush=True)
    return 0


def measured(name: str, tree: Path) -> Iterator[str]:
    """The cells of a tree's line."""
    python = sorted(tree.rglob("*.py"))
    lines = sum(file.read_bytes().count(b"\n") for file in python if file.is_file())
    cold = statistics.median(seconds(tree, "--no-cache") for _ in range(RUNS))
    seconds(tree)  # fills the cache
    warm = statistics.median(seconds(tree) for _ in range(RUNS))
    alone = statistics.median(seconds(tree, "--no-cache", "--jobs", "1") for _ in range(RUNS))
    yield from (f"{name:30}", f"{len(python):7}", f"{lines:9}", f"{cold:8.2f}", f"{warm:8.2f}", f"{alone:13.2f}")


def seconds(tree: Path, *options: str) -> float:
    """Wall time of one run in a process of its own, its start included. Raises RuntimeError when coordlint broke."""
    command = [sys.executable, "-m", "coordlint", "check", "--format", "concise", "--isolated", "--root", str(tree), *options, str(tree)]
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - begun
    if done.returncode not in (0, 1):
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr[-500:]}")
    return taken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
