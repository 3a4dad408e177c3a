"""Recall and precision of `coordlint inventory` against uses that were written down by hand, before it was run.

    python benchmarks/inventory.py TREES [NAME ...] [--verbose]

TREES holds the checkouts, each in a folder owner__name at the commit that its file in inventory/ names. A use counts as found
when it stands within one line of the label; as right when its role and backend are the label's as well. Uses marked `minor` are
what a second reader could leave out: they do not count for recall, and are no wrong finding.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

LABELS = Path(__file__).with_name("inventory")
NEAR = 1  # lines between a label and the use that answers it
Table = dict[str, Any]


def main() -> None:
    """Prints one line for each repository, and the sums."""
    words = [a for a in sys.argv[1:] if not a.startswith("--")]
    if not words:
        raise SystemExit(__doc__)
    trees, names = Path(words[0]), words[1:] or sorted(p.stem for p in LABELS.glob("*.yaml"))
    total: Counter[str] = Counter()
    print(f"{'repository':46}{'labels':>7}{'found':>7}{'right':>7}{'wrapped':>9}{'right':>7}{'told':>7}{'known':>7}{'right':>7}")
    for name in names:
        label = yaml.safe_load((LABELS / f"{name}.yaml").read_text("utf-8"))
        told = inventory(trees / name)
        counts = compare(label, told)
        total.update(counts)
        print(row(name, counts))
        if "--verbose" in sys.argv:
            print("\n".join(differences(label, told)))
    print(row("all", total))


def inventory(tree: Path) -> list[Table]:
    """The uses that coordlint tells for a checkout. Raises RuntimeError when it broke."""
    command = [sys.executable, "-m", "coordlint", "inventory", "--isolated", "--no-cache", "--root", str(tree), "--format", "json", str(tree)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"{tree.name}: exit {ran.returncode}: {ran.stderr[-500:]}")
    return list(json.loads(ran.stdout)["uses"])


def compare(label: Table, told: list[Table]) -> Counter[str]:
    """What was found of the labels, and what of that which was told is known."""
    main_uses = [u for u in label["uses"] if u["level"] != "minor"]
    counts: Counter[str] = Counter()
    for use in main_uses:
        near = [t for t in told if is_near(t, use)]
        right = any(agrees(t, use) for t in near)
        wrapped = use["level"] == "via-wrapper"
        counts.update(labels=1, found=bool(near), right=right, wrapped=wrapped, wrapped_right=wrapped and right)
    for use in judged(label, told):
        known = [u for u in label["uses"] if is_near(use, u)]
        counts.update(told=1, known=bool(known), known_right=any(agrees(use, u) or u["level"] == "minor" for u in known))
    return counts


def judged(label: Table, told: list[Table]) -> Iterator[Table]:
    """One use for each line and role in the files that were read whole."""
    files, seen = label["labelled_files"], set()
    for use in told:
        spot = (use["path"], use["line"], use["role"], use["backend"])
        if spot not in seen and use["path"].endswith(".py") and (files == "all" or use["path"] in files):
            seen.add(spot)
            yield use


def is_near(told: Table, use: Table) -> bool:
    """Whether the two stand at the same place."""
    return bool(told["path"] == use["path"] and abs(told["line"] - use["line"]) <= NEAR)


def agrees(told: Table, use: Table) -> bool:
    """Whether the two say the same of it; a label may name several answers that a reader could give."""
    return all(told[field] in (use[field] if isinstance(use[field], list) else [use[field]]) for field in ("role", "backend"))


def differences(label: Table, told: list[Table]) -> Iterator[str]:
    """What was missed, called by another name, or told without being there."""
    for use in label["uses"]:
        near = [t for t in told if is_near(t, use)]
        if use["level"] != "minor" and not any(agrees(t, use) for t in near):
            instead = ", ".join(sorted({f"{t['role']}/{t['backend']}" for t in near})) or "nothing"
            yield f"  missed {use['path']}:{use['line']} {use['role']}/{use['backend']} {use['level']} {use.get('function', '')}: told {instead}"
    for use in judged(label, told):
        if not any(is_near(use, u) for u in label["uses"]):
            yield f"  unknown {use['path']}:{use['line']} {use['role']}/{use['backend']} via {','.join(use['via'])} {use['symbol']}"


def row(name: str, c: Counter[str]) -> str:
    """Recall by site, recall with role and backend, the same behind wrappers; then precision by site and in full."""
    return (
        f"{name[:45]:46}{c['labels']:7}{percent(c['found'], c['labels'])}{percent(c['right'], c['labels'])}{c['wrapped']:9}"
        f"{percent(c['wrapped_right'], c['wrapped'])}{c['told']:7}{percent(c['known'], c['told'])}{percent(c['known_right'], c['told'])}"
    )


def percent(part: int, whole: int) -> str:
    """Seven characters."""
    return f"{100 * part / whole:6.1f}%" if whole else "      -"


if __name__ == "__main__":
    main()
