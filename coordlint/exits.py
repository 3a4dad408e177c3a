"""Exit codes: what a run tells its caller, the same for every format."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordlint.finding import Severity
    from coordlint.report.result import Report


class Exit(IntEnum):
    """The exit codes of every command."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    NOTHING = 3
    BROKEN = 4
    INTERRUPTED = 130


def status(
    report: Report,
    fail_on: Severity | None,
    *,
    strict: bool = False,
    exit_zero: bool = False,
    allow_stale: bool = False,
) -> Exit:
    """How a check ends. What broke outweighs what was found; `exit_zero` forgives findings, never breakage.

    `fail_on` None: findings never fail; stale baseline entries still do, unless allowed.
    """
    if report.failures or (strict and report.coverage.skipped):
        return Exit.BROKEN
    fails = fail_on is not None and any(r.finding.severity >= fail_on for r in report.findings)
    if report.stale and not allow_stale:
        fails = True
    return Exit.FINDINGS if fails and not exit_zero else Exit.CLEAN
