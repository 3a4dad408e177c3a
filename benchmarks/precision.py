"""Precision by rule and severity, counted from the judgements in judgements.yaml.

Strict: a debatable finding counts as wrong. "now" leaves out what has been mended since it was seen.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import yaml

JUDGEMENTS = Path(__file__).with_name("judgements.yaml")
VERDICTS = ("right", "debatable", "wrong")
Counts = dict[str, int]


def main() -> None:
    """Prints one line for each rule and severity, and the sums."""
    judged = [f for r in yaml.safe_load(JUDGEMENTS.read_text("utf-8")) for f in r["findings"]]
    table: dict[tuple[str, str], list[dict[str, object]]] = defaultdict(list)
    for finding in judged:
        table[finding["severity"], finding["rule"]].append(finding)
    print(f"{'severity':<9}{'rule':<7}{'right':>6}{'debat.':>7}{'wrong':>6}{'strict':>8}   now: {'right':>5}{'debat.':>7}{'wrong':>6}{'strict':>8}")
    for (severity, rule), findings in sorted(table.items()):
        print(line(severity, rule, findings))
    for severity in sorted({s for s, _ in table}):
        print(line(severity, "all", [f for f in judged if f["severity"] == severity]))


def line(severity: str, rule: str, findings: list[dict[str, object]]) -> str:
    """One row: the verdicts when they were seen, and those that are still told."""
    before, now = count(findings), count([f for f in findings if not f["mended"]])
    return f"{severity:<9}{rule:<7}" + shown(before) + "        " + shown(now)


def count(findings: list[dict[str, object]]) -> Counts:
    return {v: sum(f["verdict"] == v for f in findings) for v in VERDICTS}


def shown(counts: Counts) -> str:
    total = sum(counts.values())
    strict = f"{counts['right'] / total:.0%}" if total else "-"
    return f"{counts['right']:>6}{counts['debatable']:>7}{counts['wrong']:>6}{strict:>8}"


if __name__ == "__main__":
    main()
