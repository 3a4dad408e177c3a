"""`coordlint check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coordlint.cli.asking import told_problems
from coordlint.cli.options import SEVERITIES, analysis, judgement, options_of
from coordlint.cli.saying import say, style_of, tell, write
from coordlint.exits import status

if TYPE_CHECKING:
    from coordlint.config import Config
    from coordlint.report.result import Report
    from coordlint.report.style import Style
    from coordlint.verdicts import Answer

FORMATS = ("full", "concise", "json", "sarif", "github", "markdown")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--format", "format_", type=click.Choice(FORMATS), help="full; concise under pre-commit.")
@click.option(
    "--output", multiple=True, metavar="FORMAT=PATH", help="Also write a report to a file; repeatable."
)
@judgement
@click.option("--fail-on", type=click.Choice([*SEVERITIES, "never"]), help="Exit 1 from this severity up.")
@click.option("--strict", is_flag=True, help="Exit 4 when a file could not be analysed.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even with findings.")
@click.option("--changed", is_flag=True, help="Only findings that touch lines changed since the last commit.")
@click.option(
    "--diff-base", default="", metavar="REF", help="Only findings that touch lines changed since REF."
)
@click.option("--baseline", type=click.Path(), help="Known findings; '' for none.")
@click.option("--allow-stale", is_flag=True, help="Baseline entries that match nothing do not fail.")
@analysis
def check(paths: tuple[str, ...], format_: str | None, output: tuple[str, ...], **given: Any) -> int:
    """Report findings. PATHS filter the report, never the analysis, which always covers the whole project.

    `helm template . | coordlint check -` takes what Helm has rendered in the place of the charts' templates.

    Exit codes: 0 clean; 1 findings; 2 usage or configuration; 3 nothing to analyse; 4 a rule or worker broke, or with
    --strict a file was skipped.
    """
    files = [_output(text) for text in output]
    format_ = format_ or ("concise" if os.environ.get("PRE_COMMIT") else "full")
    plain = {name for name, _ in files} | ({"markdown"} if format_ == "github" and _summary_file() else set())
    answer = _answer(paths, format_, sorted(plain), given)
    say(answer.texts["said"])
    for name, path in files:
        write(path, answer.texts[name])
    if format_ == "github" and _summary_file():
        _step_summary(answer.texts["markdown"])
    if format_ not in ("full", "concise"):
        tell(answer.told)
    return answer.code


def _answer(paths: tuple[str, ...], format_: str, plain: list[str], given: dict[str, Any]) -> Answer:
    """What a check says: from an earlier run over the same files, or by a run of its own."""
    from coordlint import verdicts

    style = style_of(sys.stdout)
    asked = None
    outside = "-" in paths or given["render"]  # what comes from elsewhere is no file that could be looked at again
    if not (outside or given["no_cache"] or given["rule_folders"] or given["changed"] or given["diff_base"]):
        start = Path(given["root"] or _common_folder(paths))
        without = {k: v for k, v in given.items() if k != "jobs"}
        asked = verdicts.question(start, {**without, "paths": paths, "say": (format_, plain, repr(style))})
        known = verdicts.recall(asked)
        if isinstance(known, verdicts.Before):
            from coordlint.recalling import recall_changed

            known = recall_changed(asked, known)
        if known:
            return known
    with told_problems():
        from coordlint.pipeline import judged, judged_on_grounds
        from coordlint.project import open_project

        options = options_of(paths, given)
        project = open_project(options)
        if asked is None:
            return _made(judged(project, options), project.config, format_, plain, style, given)
        from coordlint import recalling
        from coordlint.project import further_files

        further = further_files(project, options)
        contents = recalling.contents_of(project, further)
        if known := recalling.recall_by_content(asked, project, contents, further):
            return known
        report, grounds = judged_on_grounds(project, options)
    made = _made(report, project.config, format_, plain, style, given)
    if report.repeatable:
        recalling.keep(asked, project, contents, made, further, grounds)
    return made


def _made(report: Report, config: Config, format_: str, plain: list[str], style: Style, given: dict[str, Any]) -> Answer:
    from coordlint.config import SEVERITIES as SEVERITY_OF
    from coordlint.report.result import coverage_sentence, summary_sentence
    from coordlint.verdicts import Answer

    said = given["fail_on"]
    code = status(
        report,
        config.fail_on if said is None else SEVERITY_OF.get(said),
        strict=given["strict"],
        exit_zero=given["exit_zero"],
        allow_stale=given["allow_stale"],
    )
    if {format_, *plain} & {"full", "json"}:
        from coordlint.fixing import announced

        report = announced(report)
    texts = {name: _render(report, name, None) for name in plain} | {"said": _render(report, format_, style)}
    return Answer(texts, f"{summary_sentence(report)}; {coverage_sentence(report.coverage)}", int(code))


def _common_folder(paths: Sequence[str]) -> str:
    """Where a project is looked for: as `discovery.project_root` does."""
    places = [os.path.realpath(path) for path in paths or (".",)]
    try:
        return os.path.commonpath([place if Path(place).is_dir() else str(Path(place).parent) for place in places])
    except ValueError:  # on two drives
        return "."


def _render(report: Report, format_: str, style: Style | None) -> str:
    from coordlint.report import render

    return render(report, format_, style)


def _output(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if name not in FORMATS or not path:
        raise click.UsageError(f"--output takes FORMAT=PATH with one of {', '.join(FORMATS)}, not {text!r}")
    if not Path(path).parent.is_dir():
        raise click.UsageError(f"--output {text}: no such folder: {Path(path).parent}")
    return name, Path(path)


def _summary_file() -> str:
    return os.environ.get("GITHUB_STEP_SUMMARY") or ""


def _step_summary(text: str) -> None:
    try:
        with Path(_summary_file()).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        tell(f"the step summary cannot be written: {error.strerror}")
