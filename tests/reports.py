"""A report with everything in it, for the tests of the formats."""

from coordlint.baseline import Entry
from coordlint.finding import Confidence, Edit, Evidence, Finding, Fix, Severity
from coordlint.fingerprint import fingerprints
from coordlint.report.result import Coverage, Failure, Hidden, Report, Reported, RuleInfo
from coordlint.source import Place, Skip, Span

TASKS = "import redis\n\ndef charge(account):\n    with account_lock(account):\n        ledger.write(account, 90)\n"
LOCKS = "def account_lock(account, ttl=None):\n\treturn client.lock(f'acct:{account}', ttl)\n"

CHARGE = Finding(
    code="CL101",
    name="lock-without-fencing",
    severity=Severity.ERROR,
    confidence=Confidence.HIGH,
    message="charge() writes the ledger under a Redis lock that a late holder can no longer hold.",
    place=Place("billing/tasks.py", Span(5, 9, 5, 34)),
    symbol="billing.tasks.charge",
    resource="acct:{}",
    because=(
        Evidence(Place("billing/tasks.py", Span(4, 10, 4, 31)), "the lock is taken here"),
        Evidence(Place("infra/locks.py", Span(2, 9, 2, 47)), "by this wrapper, whose ttl is None"),
    ),
    help="Let the row refuse: UPDATE ... WHERE version = <the version read>.",
)
KEEPER = Finding(
    code="CL701",
    name="single-member-ensemble",
    severity=Severity.WARNING,
    confidence=Confidence.MEDIUM,
    message="zookeeper runs as one member.",
    place=Place("compose file.yaml", Span(3, 3, 6, 12)),
    symbol="compose//zookeeper",
    resource="zookeeper",
    because=(),
    help="",
    fix=Fix("run three", False, (Edit(Place("compose file.yaml", Span(4, 5, 4, 9)), "three"),)),
)
SILENT = Finding(
    code="CL104",
    name="unsafe-release",
    severity=Severity.ERROR,
    confidence=Confidence.HIGH,
    message="The lock is released by a plain delete.",
    place=Place("a.py", Span(1)),
    symbol="a",
    resource="k",
    because=(),
    help="",
)


def report(*findings: Finding, **fields: object) -> Report:
    """A report of these findings and nothing else, unless given."""
    told = tuple(Reported(f, mark) for f, mark in zip(findings, fingerprints(findings), strict=True))
    return Report(version="0.1.0", findings=told, **{"coverage": Coverage(2, 2), **fields})  # type: ignore[arg-type]


FULL = report(
    CHARGE,
    KEEPER,
    coverage=Coverage(
        9, 8, (Skip("broken.py", "syntax error: '(' was never closed", 3),), {"virtual environment": 1}
    ),
    suppressed=(
        Hidden(SILENT, "aa", "comment", Place("a.py", Span(1)), "only in tests"),
        Hidden(SILENT, "bb", "baseline"),
    ),
    stale=(Entry("old.py", "CL104", "old.f", "k", "cc", 2),),
    failures=(Failure("rule CL103 lock-without-expiry", "KeyError: 'ttl' (x.py:3)"),),
    rules=(
        RuleInfo(
            "CL101",
            "lock-without-fencing",
            Severity.ERROR,
            "A lock without a fence.",
            "A lock without a fence.\n\nWhy: late.",
        ),
        RuleInfo("CL701", "single-member-ensemble", Severity.WARNING, "One member", "One member"),
    ),
    below=4,
    notes=("models: two files",),
    texts={"billing/tasks.py": TASKS, "infra/locks.py": LOCKS},
)
