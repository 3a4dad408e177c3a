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

from coordlint.cli.saying import flush, refuse, tell
from coordlint.exits import Exit

_COMMANDS = {
    "audit": ("looking", "Write one report about how a repository coordinates: inventory, workloads, graph, findings, coverage."),
    "baseline": ("keeping", "Known findings that do not fail a run: create, update, prune."),
    "check": ("checking", "Report findings."),
    "clean": ("keeping", "Remove the cache of a project."),
    "explain": ("rules", "Explain a rule, by code or name: what it sees, why it matters, what to do instead, when it is fine."),
    "fix": ("mending", "Mend what has a mechanical cure."),
    "graph": ("looking", "Draw workloads and coordinators, the critical sections in them, and what these guard."),
    "inventory": ("looking", "List every use of coordination, the workloads, the coordinators, and who talks to whom."),
    "rules": ("rules", "List the rules: code, name, severity, summary."),
    "suppressions": ("keeping", "List the comments and annotations that silence rules, with their reasons."),
    "whatif": ("looking", "Tell what happens when something goes down: who cannot start, who fails, who degrades and what saves them."),
    "why": ("looking", "Tell what the engine believes about a line: names, locks, effects, and which rules looked and what stopped them."),
}  # fmt: skip
"""The file of each command in this folder and the first sentence of its help, so that `--help` loads none of them."""


class _Commands(click.Group):
    """Commands that are loaded when they are asked for; knows what a mistyped one was meant to be."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        family, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"coordlint.cli.{family}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])

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
        refuse(error)
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
