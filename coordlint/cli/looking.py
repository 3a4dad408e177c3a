"""Commands that show what is understood of a project, without judging it: inventory, why, audit, graph, whatif."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from coordlint.cli.asking import failed, told_problems, understand
from coordlint.cli.options import analysis, judgement, options_of
from coordlint.cli.saying import say, style_of, tell, write
from coordlint.exits import Exit

LEVELS = ("workloads", "sections", "effects")


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--format", "format_", type=click.Choice(("full", "json")), default="full")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Only uses of this role, such as lock; repeatable.")
@click.option("--backend", "backends", multiple=True, metavar="BACKEND", help="Only uses of this backend, such as redis; repeatable.")
@click.option("--verbose", "-v", is_flag=True, help="Also what is held, what happens inside, who reaches it, and what is not known.")
@analysis
def inventory(path: str, format_: str, roles: tuple[str, ...], backends: tuple[str, ...], verbose: bool, **given: Any) -> int:
    """List every use of coordination, the workloads, the coordinators, and who talks to whom."""
    understanding = understand(path, given)
    from coordlint import __version__
    from coordlint.report import inventory as made

    wanted = made.Wanted(roles, backends)
    if format_ == "json":
        say(made.render_json(understanding.system, understanding.coverage, __version__, wanted))
    else:
        say(made.render_text(understanding.system, understanding.coverage, style_of(sys.stdout), wanted, verbose=verbose))
    return failed(understanding)


@click.command()
@click.argument("place", metavar="FILE:LINE")
@click.option("--format", "format_", type=click.Choice(("full", "json")), default="full")
@judgement
@analysis
def why(place: str, format_: str, **given: Any) -> int:
    """Tell what the engine believes about a line: names, locks, effects, and which rules looked and what stopped them."""
    path, _, line = place.rpartition(":")
    if not path or not line.isdecimal():
        raise click.UsageError(f"say FILE:LINE, for example app/tasks.py:41, not {place!r}")
    with told_problems():
        from coordlint import pipeline

        answer, understanding = pipeline.why(options_of((path,), given), path, int(line))
    from coordlint.report import why as made

    told = made.tables(answer, understanding.system)
    say(made.render_json(told) if format_ == "json" else made.render_text(told, style_of(sys.stdout)))
    return failed(understanding)


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--format", "format_", type=click.Choice(("markdown",)), default="markdown")
@click.option("--output", "-o", "target", type=click.Path(), help="Write to a file.")
@judgement
@analysis
def audit(path: str, format_: str, target: str | None, **given: Any) -> int:
    """Write one report about how a repository coordinates: inventory, workloads, graph, findings, coverage."""
    given["profile"] = given["profile"] or "audit"
    with told_problems():
        from coordlint import pipeline
        from coordlint.report import audit as made

        report, understanding = pipeline.audit(options_of((path,), given))
    text = made.render(report, understanding.system, understanding.project.root.name)
    if target:
        write(Path(target), text)
        tell(f"wrote {target}")
    else:
        say(text)
    return Exit.BROKEN if report.failures else Exit.CLEAN


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--format", "format_", type=click.Choice(("mermaid", "dot", "json")), default="mermaid")
@click.option(
    "--level", type=click.Choice(LEVELS), help="How near to look; sections, and in JSON effects."
)
@analysis
def graph(path: str, format_: str, level: str | None, **given: Any) -> int:
    """Draw workloads and coordinators, the critical sections in them, and what these guard."""
    understanding = understand(path, given)
    from coordlint.report import graph as made

    say(made.render(understanding.system, format_, level or ("effects" if format_ == "json" else "sections")))
    return failed(understanding)


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--down", "down", required=True, metavar="NAME", help="A workload, or a kind of store such as redis.")
@click.option("--format", "format_", type=click.Choice(("full", "json", "mermaid")), default="full")
@analysis
def whatif(path: str, down: str, format_: str, **given: Any) -> int:
    """Tell what happens when something goes down: who cannot start, who fails, who degrades and what saves them."""
    understanding = understand(path, given)
    from coordlint import whatif as asked
    from coordlint.report import whatif as made

    try:
        outage = asked.whatif(understanding.system, down)
    except asked.NothingByThatName as error:
        raise click.UsageError(str(error)) from None
    say(made.render(outage, format_, style_of(sys.stdout)))
    return failed(understanding)
