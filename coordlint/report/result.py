"""What a run has to say, before any format: findings, what was silenced, and how much was looked at."""

from __future__ import annotations

import msgspec

from coordlint.baseline import Entry
from coordlint.belief import Beliefs
from coordlint.facts import Suppression
from coordlint.finding import Finding, Severity
from coordlint.source import Place, Skip


class Reported(msgspec.Struct, frozen=True):
    """A finding and the fingerprint by which every format and the baseline know it."""

    finding: Finding
    fingerprint: str


class Hidden(msgspec.Struct, frozen=True):
    """A finding that is not reported. How: "comment" or "baseline"; a comment has its place and reason."""

    finding: Finding
    fingerprint: str
    how: str
    place: Place | None = None
    reason: str = ""


class Coverage(msgspec.Struct, frozen=True):
    """Files in scope, those that were looked at, those that could not be; and what was never in scope, by reason."""

    seen: int
    analysed: int
    skipped: tuple[Skip, ...] = ()
    left_out: dict[str, int] = {}


class Failure(msgspec.Struct, frozen=True, order=True):
    """A rule or worker that broke: the run goes on without it, and does not end as a success."""

    what: str
    message: str


class Verdict(msgspec.Struct, frozen=True):
    """What one rule made of a place: its messages, or the last conditions that it asked before it went on.

    A condition is the file name, line and text in the rule itself. `broke` says how the rule failed, if it did.
    """

    code: str
    name: str
    messages: tuple[str, ...]
    stopped: tuple[tuple[str, int, str], ...] = ()
    broke: str = ""


class Why(msgspec.Struct, frozen=True):
    """One line of a file, what the engine believes about it, and what became of it in the rules."""

    place: Place
    text: str  # the line itself
    beliefs: Beliefs
    verdicts: tuple[Verdict, ...]
    suppressions: tuple[Suppression, ...] = ()


class RuleInfo(msgspec.Struct, frozen=True):
    """What formats tell of a rule."""

    code: str
    name: str
    severity: Severity
    summary: str
    doc: str


class Report(msgspec.Struct, frozen=True):
    """One run. Findings are sorted by place; `texts` holds the files that they point into, for snippets.

    `prefix` leads from the repository's root to the project's ("" when they are the same). `below` counts findings that
    were filtered out by severity or confidence.
    """

    version: str
    findings: tuple[Reported, ...]
    coverage: Coverage
    suppressed: tuple[Hidden, ...] = ()
    stale: tuple[Entry, ...] = ()
    failures: tuple[Failure, ...] = ()
    rules: tuple[RuleInfo, ...] = ()
    below: int = 0
    prefix: str = ""
    notes: tuple[str, ...] = ()
    texts: dict[str, str] = {}

    @property
    def repeatable(self) -> bool:
        """Whether another run over the same files would say the same: not after what depends on the time it took."""
        return not self.failures and not any(skip.passing for skip in self.coverage.skipped)

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(r.finding.severity is severity for r in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Findings by severity label, the worst first."""
        return {s.label: self.count(s) for s in sorted(Severity, reverse=True)}


def coverage_sentence(coverage: Coverage) -> str:
    """The line that every run tells: never silently green."""
    skipped = len({skip.path for skip in coverage.skipped})
    text = f"{plural(coverage.seen, 'file')} seen, {coverage.analysed} analysed, {skipped} skipped"
    if coverage.left_out:
        left = ", ".join(f"{reason} {count}" for reason, count in sorted(coverage.left_out.items()))
        text += f"; left out: {left}"
    return text


def summary_sentence(report: Report) -> str:
    """Findings by severity, and what is not shown."""
    parts = [plural(n, label) for label, n in report.counts.items() if n]
    text = ", ".join(parts) if parts else "no findings"
    by_comment = sum(h.how == "comment" for h in report.suppressed)
    known = len(report.suppressed) - by_comment
    extra = [
        f"{by_comment} suppressed" if by_comment else "",
        f"{known} in the baseline" if known else "",
        f"{report.below} below the chosen severity or confidence" if report.below else "",
    ]
    told = ", ".join(e for e in extra if e)
    return f"{text} ({told})" if told else text


def plural(number: int, noun: str) -> str:
    """`1 file`, `2 files`; infos and warnings are nouns too."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
