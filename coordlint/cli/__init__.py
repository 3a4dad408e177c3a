"""The command line: the only place that prints. Results go to stdout, everything else to stderr.

Nothing is imported before a command needs it: not the other commands, and nothing of the engine.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from coordlint.cli.saying import flush, tell
from coordlint.exits import Exit

_FAMILIES = {
    "checking": "check",
    "mending": "fix",
    "looking": "audit graph inventory whatif why",
    "rules": "explain rules",
    "keeping": "baseline clean suppressions",
}
_FAMILY_OF = {command: family for family, commands in _FAMILIES.items() for command in commands.split()}


class _Commands(click.Group):
    """Commands that are loaded when they are asked for; knows what a mistyped one was meant to be."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_FAMILY_OF)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _FAMILY_OF:
            return None
        command: click.Command = getattr(import_module(f"coordlint.cli.{_FAMILY_OF[cmd_name]}"), cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and self.get_command(ctx, name) is None and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, self.list_commands(ctx), n=1, cutoff=0.5)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            path = " It is a path: write 'coordlint check PATH'." if not near and Path(name).exists() else ""
            raise click.UsageError(f"No such command '{name}'.{hint}{path}", ctx)
        return super().resolve_command(ctx, args)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line; always ends the process with an Exit code, never with a traceback."""
    if own_process := arguments is None:
        gc.disable()  # what a run makes is kept until it ends: to look for garbage in it costs a third of the time
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(args=arguments, prog_name="coordlint", standalone_mode=False)
        ended = int(code) if isinstance(code, int) else Exit.CLEAN
    except click.exceptions.Exit as error:
        ended = error.exit_code
    except click.ClickException as error:
        error.show()
        ended = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        tell("interrupted")
        ended = Exit.INTERRUPTED
    except BrokenPipeError:
        ended = Exit.CLEAN
    except Exception as error:
        if os.environ.get("COORDLINT_DEBUG"):
            raise
        tell(f"internal error: {type(error).__name__}: {error}. Set COORDLINT_DEBUG=1 for the traceback.")
        ended = Exit.BROKEN
    flush()
    if own_process:
        gc.freeze()  # the last search, at exit, would find nothing either
    sys.exit(ended)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="coordlint", message="%(prog)s %(version)s")
def cli() -> None:
    """Find the ways in which programs misuse coordination: locks without fencing, consensus as a cache,
    ensembles that cannot hold a quorum. Reads Python, compose files and Kubernetes manifests; runs nothing."""
