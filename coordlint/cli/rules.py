"""Commands about the rules themselves: rules, explain."""

from __future__ import annotations

import sys

import click

from coordlint.cli.asking import known_rules
from coordlint.cli.saying import say, style_of
from coordlint.exits import Exit


@click.command()
@click.option("--format", "format_", type=click.Choice(("full", "json")), default="full")
@click.option("--rules", "rule_folders", multiple=True, metavar="DIR", type=click.Path())
def rules(format_: str, rule_folders: tuple[str, ...]) -> int:
    """List the rules: code, name, severity, summary."""
    known = known_rules(rule_folders)
    if format_ == "json":
        from coordlint.fix.known import fixable
        from coordlint.report.json import dump

        say(
            dump(
                [
                    {
                        "code": rule.code,
                        "name": rule.name,
                        "severity": rule.severity.label,
                        "summary": rule.summary,
                        "has_fix": fixable(rule.code) is not None,
                    }
                    for rule in known
                ]
            )
        )
        return Exit.CLEAN
    style = style_of(sys.stdout)
    colours = {"error": "red", "warning": "yellow", "info": "cyan"}
    for rule in known:
        label = rule.severity.label
        say(
            f"{style.paint(rule.code, bold=True)} {style.paint(f'{label:7}', colours[label])} {rule.name}: {rule.summary}\n"
        )
    return Exit.CLEAN


@click.command()
@click.argument("rule")
@click.option("--rules", "rule_folders", multiple=True, metavar="DIR", type=click.Path())
def explain(rule: str, rule_folders: tuple[str, ...]) -> int:
    """Explain a rule, by code or name: what it sees, why it matters, what to do instead, when it is fine.

    `explain decision` shows the flowchart behind the verdicts.
    """
    if rule == "decision":
        from coordlint.decision import flowchart

        say(flowchart())
        return Exit.CLEAN
    from coordlint.codes import expand, unknown

    known = {r.code: r for r in known_rules(rule_folders)}
    names = {code: r.name for code, r in known.items()}
    codes = sorted(expand(rule, names))
    if len(codes) != 1:
        raise click.UsageError(
            f"{rule!r} means {len(codes)} rules: {', '.join(codes)}" if codes else unknown(rule, names)
        )
    found = known[codes[0]]
    style = style_of(sys.stdout)
    from coordlint.fix.known import sentence

    fix = f"\nFix: {said}\n" if (said := sentence(found.code)) else ""
    say(f"{style.paint(f'{found.code} {found.name}', bold=True)} ({found.severity.label})\n\n{found.doc}\n{fix}")
    return Exit.CLEAN
