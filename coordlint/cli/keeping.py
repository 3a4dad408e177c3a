"""Commands about what is kept beside a project: its known findings, its suppressions, its cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coordlint.cli.asking import failed, told_problems, understand
from coordlint.cli.options import analysis, judgement, options_of
from coordlint.cli.saying import say, tell
from coordlint.exits import Exit


@click.group()
def baseline() -> None:
    """Known findings that do not fail a run: create, update, prune."""


def _baseline_command(name: str, help_: str) -> None:
    @baseline.command(name, help=help_)
    @click.argument("path", default=".", type=click.Path())
    @click.option(
        "--file",
        "file",
        type=click.Path(),
        help="The baseline; otherwise as configured, or .coordlint-baseline.json.",
    )
    @judgement
    @analysis
    def run(path: str, file: str | None, **given: Any) -> int:
        with told_problems():
            from coordlint import pipeline

            place, told = pipeline.rebaseline(name, options_of((path,), given), file)
        tell(f"{place}: {told}")
        return Exit.CLEAN


_baseline_command("create", "Write today's findings to a new baseline.")
_baseline_command("update", "Rewrite the baseline with today's findings.")
_baseline_command("prune", "Drop the entries that match nothing any more.")


@click.command()
@click.argument("path", default=".", type=click.Path())
@analysis
def suppressions(path: str, **given: Any) -> int:
    """List the comments and annotations that silence rules, with their reasons."""
    understanding = understand(path, given)
    found = sorted((s for f in understanding.facts for s in f.suppressions), key=lambda s: (s.place, s.codes))
    from coordlint.report.visible import visible

    for told in found:
        said = told.problem or told.reason or "no reason given"
        say(f"{visible(str(told.place))}: {visible(', '.join(told.codes)) or '-'}: {visible(said)}\n")
    tell(f"{len(found)} suppression(s)")
    return failed(understanding)


@click.command()
@click.argument("path", default=".", type=click.Path())
def clean(path: str) -> int:
    """Remove the cache of a project."""
    from coordlint.cache import clean as remove
    from coordlint.discovery import project_root

    if not Path(path).exists():
        raise click.UsageError(f"no such file or folder: {path}")
    for folder in remove(project_root([Path(path)])):
        tell(f"removed {folder}")
    return Exit.CLEAN
