"""The recovered architecture against architectures that were written down by hand, before coordlint was run on them.

    python benchmarks/architecture.py TREES [NAME ...] [--verbose]

TREES holds the checkouts, each in a folder owner__name at the commit that its file in architecture/ names. Precision, recall and F1 stand for
each category by itself, because workloads are nearly free:

    workloads     name and file of the first definition
    replicas      the same, and how many there are
    runs          the same, and the Python file of the repository that is started
    coordinators  name, file and backend
    edges         who talks to whom, both by name and file
    unstated      of the edges, those that no `depends_on` or `links` of the repository states (recall only)

What a reader could decide either way is `doubtful` in a label (of runs: `may_run`): found or not, it does not count. Connections to brokers and services that
coordlint tells beyond the labels count against it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

LABELS = Path(__file__).with_name("architecture")
CATEGORIES = ("workloads", "replicas", "runs", "coordinators", "edges", "unstated")
Table = dict[str, Any]
Fact = tuple[Any, ...]


class Score(NamedTuple):
    """Facts that were told and are true, told and not true, true and not told."""

    right: frozenset[Fact]
    wrong: frozenset[Fact]
    missed: frozenset[Fact]


def main() -> None:
    """Prints one line for each repository and category, and the sums."""
    words = [a for a in sys.argv[1:] if not a.startswith("--")]
    if not words:
        raise SystemExit(__doc__)
    trees, names = Path(words[0]), words[1:] or sorted(p.stem for p in LABELS.glob("*.yaml"))
    sums = dict.fromkeys(CATEGORIES, (0, 0, 0))
    print(f"{'repository':34}{'category':14}{'true':>6}{'told':>6}{'precision':>11}{'recall':>9}{'F1':>8}")
    for name in names:
        label = yaml.safe_load((LABELS / f"{name}.yaml").read_text("utf-8"))
        scores = compare(label, inventory(trees / name), stated(trees / name))
        for category, score in scores.items():
            counts = (len(score.right), len(score.wrong), len(score.missed))
            sums[category] = tuple(a + b for a, b in zip(sums[category], counts, strict=True))
            print(row(name, category, *counts))
            if "--verbose" in sys.argv:
                print(*differences(score), sep="\n")
    for category, counts in sums.items():
        print(row("all", category, *counts))


def inventory(tree: Path) -> Table:
    """What coordlint tells of a checkout. Raises RuntimeError when it broke."""
    command = [sys.executable, "-m", "coordlint", "inventory", "--isolated", "--no-cache", "--root", str(tree), "--format", "json", str(tree)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{tree.name}: exit {ran.returncode}: {ran.stderr[-500:]}")
    told: Table = json.loads(ran.stdout)
    return told


def compare(label: Table, told: Table, start_order: frozenset[Fact]) -> dict[str, Score]:
    """Each category of a label against the same of the inventory."""
    doubtful = frozenset(edge(e) for e in label.get("doubtful") or ())
    true_edges, told_edges = frozenset(map(edge, label["edges"])), frozenset(map(edge, told["edges"])) - doubtful
    unstated = frozenset(e for e in true_edges if (e[0], e[2]) not in start_order)
    edges = scored(true_edges, told_edges)
    open_ones = frozenset((w["name"], w["path"]) for w in label["workloads"] if "doubtful" in w)
    open_runs = frozenset((w["name"], w["path"], run) for w in label["workloads"] for run in w.get("may_run") or ())
    return {
        name: scored(*(frozenset(f for f in facts(table) if f[:2] not in open_ones and f not in open_runs) for table in (label, told)))
        for name, facts in (("workloads", workloads), ("replicas", replicas), ("runs", runs))
    } | {
        "coordinators": scored(coordinators(label), coordinators(told)),
        "edges": edges,
        "unstated": Score(unstated & told_edges, frozenset(), unstated - told_edges),
    }


def scored(true: frozenset[Fact], told: frozenset[Fact]) -> Score:
    """The two sets against each other."""
    return Score(true & told, told - true, true - told)


def workloads(table: Table) -> frozenset[Fact]:
    """Name and file."""
    return frozenset((w["name"], w["path"]) for w in table["workloads"])


def replicas(table: Table) -> frozenset[Fact]:
    """Name, file and number; a number that is not known is not told."""
    return frozenset((w["name"], w["path"], w["replicas"]) for w in table["workloads"] if w["replicas"] is not None)


def runs(table: Table) -> frozenset[Fact]:
    """Name, file and Python file; labels list paths, the inventory lists tables."""
    return frozenset(
        (w["name"], w["path"], run if isinstance(run, str) else run["path"]) for w in table["workloads"] for run in w["runs"]
    )


def coordinators(table: Table) -> frozenset[Fact]:
    """Name, file and backend."""
    return frozenset((c["workload"], c["path"], c["backend"]) for c in table["coordinators"])


def edge(table: Table) -> Fact:
    """Who talks to whom."""
    return (table["from"], table["from_path"], table["to"], table["to_path"])


class _Loader(yaml.SafeLoader):
    """YAML whose own tags are only what they stand at."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def stated(tree: Path) -> frozenset[Fact]:
    """Pairs of service names that `depends_on` or `links` of some compose file names; read without coordlint."""
    return frozenset(pair for path in sorted(tree.rglob("*.y*ml")) for pair in _stated_in(path))


def _stated_in(path: Path) -> Iterator[Fact]:
    try:
        document = yaml.load(path.read_text("utf-8"), Loader=_Loader)
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return
    services = document.get("services") if isinstance(document, dict) else None
    for name, service in services.items() if isinstance(services, dict) else ():
        for field in ("depends_on", "links"):
            for other in (service.get(field) or ()) if isinstance(service, dict) else ():
                yield name, str(other).partition(":")[0]


def differences(score: Score) -> Iterator[str]:
    """What was missed, and what was told without being there."""
    yield from (f"    missed  {' '.join(map(str, fact))}" for fact in sorted(score.missed, key=str))
    yield from (f"    wrong   {' '.join(map(str, fact))}" for fact in sorted(score.wrong, key=str))


def row(name: str, category: str, right: int, wrong: int, missed: int) -> str:
    """One line; precision of `unstated` is that of the edges, and not told twice."""
    precision, recall = ratio(right, right + wrong), ratio(right, right + missed)
    f1 = ratio(2 * right, 2 * right + wrong + missed)
    if category == "unstated":
        precision = f1 = None
    return f"{name[:33]:34}{category:14}{right + missed:6}{right + wrong:6}{told(precision):>11}{told(recall):>9}{told(f1):>8}"


def ratio(part: int, whole: int) -> float | None:
    """None of nothing."""
    return part / whole if whole else None


def told(value: float | None) -> str:
    """Three decimals."""
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
