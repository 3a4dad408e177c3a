"""A shell script's text into its simple commands."""

from __future__ import annotations

from coordlint.extract.makefiles import as_shell
from coordlint.facts import Facts
from coordlint.manifest import ShellScript
from coordlint.shellwords import MAX_TEXT, commands
from coordlint.source import Skip, Source


def extract_shell(source: Source) -> Facts:
    """The script's commands; one that is too long to be an entry script is read in part, and told."""
    skips: tuple[Skip, ...] = ()
    if len(source.text) > MAX_TEXT:
        skips = (Skip(source.path, f"only the first {MAX_TEXT} characters were read"),)
    return Facts(
        source.path, source.kind, manifests=(ShellScript(source.path, tuple(commands(as_shell(source.path, source.text)))),), skips=skips
    )
