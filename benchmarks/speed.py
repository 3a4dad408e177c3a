"""How fast `coordlint check` is: against other linters on the same tree, and from ten thousand to five million lines.

    python benchmarks/speed.py [--work DIR] [--runs N] [--tools NAMES] [--scale] [TREE ...]

Without trees it takes the source distributions of nova and cinder. All tools are installed in environments of their own below
DIR, run one after another in rounds of changing order, and compared within each round. Prints markdown; what each run took is
told on stderr.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from contenders import COLD, CONTENDERS, Contender, installed, version
from measuring import Failed, Taken, peak, timed
from trees import fetched, scaled, size, together

PACKAGES = ("nova", "cinder")
TOOLS = ("coordlint", "ruff", "bandit", "fixit", "semgrep")
WORK = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "coordlint-benchmark")  # within no repository: its .gitignore would count
SIZES = (10_000, 100_000, 1_000_000, 5_000_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one table; 0 unless a tool broke."""
    given = _parser().parse_args(arguments)
    work = Path(given.work).resolve()
    names = [name for name in TOOLS if name in {"coordlint", *([] if given.scale else given.tools.split(","))}]
    sources = [Path(tree) for tree in given.trees] or [fetched(name, work) for name in given.fetch.split(",")]
    tree = together(sources, work / "tree")
    tools = installed(names, work)
    if "coordlint" not in tools:
        return 1
    files, lines = size(tree)
    told = ", ".join(f"{tool} {version(tool, work)}" for tool in tools)
    print(f"{', '.join(s.resolve().name for s in sources)}: {files:,} Python files, {lines:,} lines; {os.cpu_count()} processors; {told}; {given.runs} runs.\n")
    try:
        table = growth(tree, given.sizes, work, given.runs) if given.scale else comparison(tree, [c for c in CONTENDERS if c.tool in tools], work, given.runs)
        for row in table:
            print(row, flush=True)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def comparison(tree: Path, contenders: Sequence[Contender], work: Path, runs: int) -> Iterator[str]:
    """Rows of the table of ratios: how many times as long as a cold check by coordlint in the same round."""
    peaks = {}
    for contender in contenders:  # also warms the system's cache of files
        print(f"memory of {contender.name}", file=sys.stderr, flush=True)
        command = contender.command(work, tree)
        contender.before(command, tree)
        peaks[contender.name] = peak(command)
    rounds = [_round(tree, contenders, work, number) for number in range(runs)]
    yield "| | time: least | median | most | CPU time: median | peak memory |"
    yield "|---|---|---|---|---|---|"
    for contender in contenders:
        walls = [taken[contender.name].wall / taken[COLD.name].wall for taken in rounds]
        cpus = [taken[contender.name].cpu / taken[COLD.name].cpu for taken in rounds]
        cells = [_times(min(walls)), _times(statistics.median(walls)), _times(max(walls)), _times(statistics.median(cpus)), _mib(peaks[contender.name])]
        yield f"| {contender.name} | {' | '.join(cells)} |"


def growth(tree: Path, sizes: Sequence[int], work: Path, runs: int) -> Iterator[str]:
    """Rows of the table of sizes; growth is the exponent to the row before: 1 where twice the lines take twice as long."""
    yield "| lines | Python files | time, to the row before | growth | CPU time, to the row before | growth | peak memory |"
    yield "|---|---|---|---|---|---|---|"
    before: tuple[int, Taken] | None = None
    for wanted in sizes:
        made = scaled(tree, wanted, work / "scaled")
        files, lines = size(made)
        command = COLD.command(work, made)
        most = peak(command)
        all_taken = [timed(command) for _ in range(runs)]
        taken = Taken(statistics.median(t.wall for t in all_taken), statistics.median(t.cpu for t in all_taken))
        _tell(f"{lines} lines", taken)
        cells = ["", "", "", ""]
        if before is not None:
            longer = math.log(lines / before[0])
            for at, ratio in enumerate((taken.wall / before[1].wall, taken.cpu / before[1].cpu)):
                cells[2 * at : 2 * at + 2] = [_times(ratio), f"{math.log(ratio) / longer:.2f}"]
        before = (lines, taken)
        yield f"| {lines:,} | {files:,} | {' | '.join(cells)} | {_mib(most)} |"


def _round(tree: Path, contenders: Sequence[Contender], work: Path, number: int) -> dict[str, Taken]:
    """What each contender takes, once; each round begins with another one."""
    shift = number % len(contenders)
    found = {}
    for contender in [*contenders[shift:], *contenders[:shift]]:
        command = contender.command(work, tree)
        contender.before(command, tree)
        found[contender.name] = timed(command)
        _tell(contender.name, found[contender.name])
    return found


def _tell(name: str, taken: Taken) -> None:
    print(f"{name}: {taken.wall:.3f} s, CPU {taken.cpu:.3f} s", file=sys.stderr, flush=True)


def _times(ratio: float) -> str:
    return f"{ratio:.1f} x" if ratio >= 10 else f"{ratio:.2f} x" if ratio >= 0.1 else f"{ratio:.3f} x"


def _mib(most: float | None) -> str:
    return "not known" if most is None else f"{most:.0f} MiB"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="*", metavar="TREE", help="folders with Python; none is written to")
    parser.add_argument("--work", default=str(WORK), metavar="DIR", help=f"where packages, environments and copies are kept: {WORK}")
    parser.add_argument("--runs", type=int, default=5, metavar="N")
    parser.add_argument("--fetch", default=",".join(PACKAGES), metavar="NAMES", help="packages to take when no trees are given")
    parser.add_argument("--tools", default=",".join(TOOLS), metavar="NAMES", help="the linters to compare")
    parser.add_argument("--scale", action="store_true", help="measure coordlint alone, on trees of growing size made of the given ones")
    parser.add_argument("--sizes", type=lambda text: tuple(int(word) for word in text.split(",")), default=SIZES, metavar="LINES", help="with --scale")
    return parser


if __name__ == "__main__":
    sys.exit(main())
