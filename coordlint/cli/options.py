"""Options that several commands share, and what they make together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from coordlint.project import Options

SEVERITIES = ("info", "warning", "error")
CONFIDENCES = ("low", "medium", "high")
PROFILES = ("default", "strict", "audit")


def analysis(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that analyses a project."""
    for option in reversed(
        (
            click.option(
                "--root", type=click.Path(), default="", help="Project root; otherwise found from PATHS."
            ),
            click.option(
                "--isolated", is_flag=True, help="Ignore configuration files and the default baseline."
            ),
            click.option("--no-cache", is_flag=True, help="Neither read nor write the cache."),
            click.option(
                "--jobs", type=click.IntRange(0), default=0, help="Worker processes; 0: one per processor."
            ),
            click.option("--render", type=click.Choice(("helm",)), help="Run Helm on charts, instead of reading them."),
        )
    ):
        command = option(command)
    return command


def judgement(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of every command that runs rules."""
    for option in reversed(
        (
            click.option("--select", multiple=True, metavar="RULES", help="Only these: codes, prefixes or names."),
            click.option("--ignore", multiple=True, metavar="RULES", help="Not these."),
            click.option("--severity", type=click.Choice(SEVERITIES), default="info", help="Report from here up."),
            click.option("--min-confidence", type=click.Choice(CONFIDENCES), help="Report from here up."),
            click.option("--profile", type=click.Choice(PROFILES), help="A set of thresholds."),
            click.option("--rules", "rule_folders", multiple=True, metavar="DIR", type=click.Path(), help="Load further rules (code!) from a folder."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def options_of(paths: Sequence[str], given: dict[str, Any]) -> Options:
    """What was asked, as the project and the pipeline take it; values that a command does not have stay unsaid."""
    from coordlint.config import CONFIDENCES, SEVERITIES
    from coordlint.project import Options

    said = given.get("min_confidence")
    return Options(
        paths=tuple(path for path in paths if path != "-") or (".",),
        rendered=_stdin() if "-" in paths else "",
        render=given.get("render") or "",
        root=given["root"],
        select=_split(given.get("select", ())),
        ignore=_split(given.get("ignore", ())),
        severity=SEVERITIES[given.get("severity", "info")],
        min_confidence=CONFIDENCES[said] if said else None,
        profile=given.get("profile"),
        baseline=given.get("baseline"),
        changed=given.get("changed", False),
        diff_base=given.get("diff_base", ""),
        isolated=given["isolated"],
        no_cache=given["no_cache"],
        jobs=given["jobs"],
        rule_folders=tuple(given.get("rule_folders", ())),
    )


def _stdin() -> str:
    """Rendered manifests: `helm template . | coordlint check -`."""
    from coordlint.rendered import MAX_INPUT

    return sys.stdin.buffer.read(MAX_INPUT + 1).decode("utf-8", "replace")


def _split(words: Sequence[str]) -> tuple[str, ...]:
    """Words of repeated options, each of which may be a list with commas."""
    return tuple(word.strip() for words_ in words for word in words_.split(",") if word.strip())
