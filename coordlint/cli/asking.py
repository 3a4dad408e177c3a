"""Asking the engine: what a user can mend becomes a message and an exit code."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coordlint.cli.options import options_of
from coordlint.cli.saying import tell
from coordlint.exits import Exit

if TYPE_CHECKING:
    from coordlint.pipeline import Understanding
    from coordlint.rulebook import Rule


@contextlib.contextmanager
def told_problems() -> Iterator[None]:
    """Turns what a user can mend into a message and an exit code."""
    from coordlint.baseline import BrokenBaseline
    from coordlint.changes import NoChanges
    from coordlint.config import BadConfig
    from coordlint.models import ModelsInvalid
    from coordlint.project import BadUsage, NothingToAnalyse
    from coordlint.rulebook import BrokenRule

    try:
        yield
    except NothingToAnalyse as error:
        tell(str(error))
        raise click.exceptions.Exit(Exit.NOTHING) from None
    except (BadConfig, BadUsage, BrokenBaseline, BrokenRule, ModelsInvalid, NoChanges) as error:
        for line in str(error).splitlines():
            tell(f"error: {line}")
        raise click.exceptions.Exit(Exit.USAGE) from None


def understand(path: str, given: dict[str, Any]) -> Understanding:
    """All that is understood of the project around a path, without judging it."""
    with told_problems():
        from coordlint import pipeline
        from coordlint.project import open_project

        return pipeline.understand(open_project(options_of((path,), given)))


def failed(understanding: Understanding) -> int:
    """Tells what broke, and how the command ends."""
    for failure in understanding.failures:
        tell(f"broken: {failure.what}: {failure.message}")
    return Exit.BROKEN if understanding.failures else Exit.CLEAN


def known_rules(folders: tuple[str, ...]) -> list[Rule]:
    with told_problems():
        from coordlint.rulebook import load_rules

        return load_rules([Path(folder) for folder in folders])
