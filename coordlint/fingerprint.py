"""What makes a finding the same finding tomorrow: rule, path, enclosing name and resource; never a line number."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from coordlint.finding import Finding


def identity(finding: Finding) -> str:
    """20 hexadecimal digits over rule, path, enclosing qualified name and normalised resource."""
    parts = (finding.code, finding.place.path, finding.symbol, finding.resource)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """One fingerprint for each finding, in order: its identity, and `-2`, `-3` ... for further occurrences of it.

    Give findings in the order of their places: the occurrence index counts in that order.
    """
    seen: Counter[str] = Counter()
    made = []
    for finding in findings:
        same = identity(finding)
        seen[same] += 1
        made.append(same if seen[same] == 1 else f"{same}-{seen[same]}")
    return made
