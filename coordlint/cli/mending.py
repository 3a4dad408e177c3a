"""`coordlint fix`."""

from __future__ import annotations

import sys
from typing import Any

import click

from coordlint.cli.asking import told_problems
from coordlint.cli.options import analysis, judgement, options_of
from coordlint.cli.saying import say, say_bytes, style_of, tell
from coordlint.exits import Exit


@click.command()
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--diff", "is_diff", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--unsafe", is_flag=True, help="Also fixes that change what the program does: read each of them.")
@click.option("--lifetime", type=click.IntRange(1), metavar="SECONDS", help="For locks that have none; 300 unless said.")
@click.option("--allow-dirty", is_flag=True, help="Also change files with uncommitted changes.")
@click.option("--baseline", type=click.Path(), help="Known findings, which are not fixed; '' for none.")
@judgement
@analysis
def fix(paths: tuple[str, ...], is_diff: bool, unsafe: bool, lifetime: int | None, allow_dirty: bool, **given: Any) -> int:
    """Mend what has a mechanical cure. Each fix is tried first: it is kept only if its finding is gone and none is new.

    Exit codes: 0 all that was asked for is mended, or there was nothing; 1 a fix was refused, or with --diff something
    would change; 2 usage or configuration; 3 nothing to analyse; 4 a rule or worker broke, and nothing was changed.
    """
    with told_problems():
        from coordlint import fixing
        from coordlint.fix.known import LIFETIME
        from coordlint.report import fixed as made

        wish = fixing.Wish(unsafe, allow_dirty, is_diff, lifetime or LIFETIME)
        outcome = fixing.fix(options_of(paths, given), wish)
    for failure in outcome.report.failures:
        tell(f"broken: {failure.what}: {failure.message}")
    if is_diff:
        say_bytes(made.diff(outcome.changes, style_of(sys.stdout), terminal=sys.stdout is not None and sys.stdout.isatty()))
    for line in made.lines(outcome, is_diff=is_diff):
        tell(line) if is_diff else say(f"{line}\n")
    tell(made.summary(outcome, is_diff=is_diff))
    if outcome.report.failures:
        return Exit.BROKEN
    return Exit.FINDINGS if outcome.refused or (is_diff and outcome.changes) else Exit.CLEAN
