"""The command line: the only file that prints. Results go to stdout, everything else to stderr.

Nothing heavy is imported before a command needs it: `coordlint --help` loads click and this file.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from coordlint.exits import Exit, status

if TYPE_CHECKING:
    from coordlint.config import Config
    from coordlint.pipeline import Understanding
    from coordlint.project import Options
    from coordlint.report.result import Report
    from coordlint.report.style import Style
    from coordlint.rulebook import Rule
    from coordlint.verdicts import Answer

FORMATS = ("full", "concise", "json", "sarif", "github", "markdown")
SEVERITIES = ("info", "warning", "error")
CONFIDENCES = ("low", "medium", "high")
LEVELS = ("workloads", "sections", "effects")
PROFILES = ("default", "strict", "audit")


class _Commands(click.Group):
    """A group that knows what a mistyped command was meant to be."""

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
        _tell("interrupted")
        ended = Exit.INTERRUPTED
    except BrokenPipeError:
        ended = Exit.CLEAN
    except Exception as error:
        if os.environ.get("COORDLINT_DEBUG"):
            raise
        _tell(f"internal error: {type(error).__name__}: {error}. Set COORDLINT_DEBUG=1 for the traceback.")
        ended = Exit.BROKEN
    _flush()
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


def _analysis(command: Callable[..., Any]) -> Callable[..., Any]:
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


def _judgement(command: Callable[..., Any]) -> Callable[..., Any]:
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


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--format", "format_", type=click.Choice(FORMATS), help="full; concise under pre-commit.")
@click.option(
    "--output", multiple=True, metavar="FORMAT=PATH", help="Also write a report to a file; repeatable."
)
@_judgement
@click.option("--fail-on", type=click.Choice([*SEVERITIES, "never"]), help="Exit 1 from this severity up.")
@click.option("--strict", is_flag=True, help="Exit 4 when a file could not be analysed.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even with findings.")
@click.option("--changed", is_flag=True, help="Only findings that touch lines changed since the last commit.")
@click.option(
    "--diff-base", default="", metavar="REF", help="Only findings that touch lines changed since REF."
)
@click.option("--baseline", type=click.Path(), help="Known findings; '' for none.")
@click.option("--allow-stale", is_flag=True, help="Baseline entries that match nothing do not fail.")
@_analysis
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
    _say(answer.texts["said"])
    for name, path in files:
        _write(path, answer.texts[name])
    if format_ == "github" and _summary_file():
        _step_summary(answer.texts["markdown"])
    if format_ not in ("full", "concise"):
        _tell(answer.told)
    return answer.code


def _answer(paths: tuple[str, ...], format_: str, plain: list[str], given: dict[str, Any]) -> Answer:
    """What a check says: from an earlier run over the same files, or by a run of its own."""
    from coordlint import verdicts

    style = _style(sys.stdout)
    asked = None
    outside = "-" in paths or given["render"]  # what comes from elsewhere is no file that could be looked at again
    if not (outside or given["no_cache"] or given["rule_folders"] or given["changed"] or given["diff_base"]):
        start = Path(given["root"] or _common_folder(paths))
        without = {k: v for k, v in given.items() if k != "jobs"}
        asked = verdicts.question(start, {**without, "paths": paths, "say": (format_, plain, repr(style))})
        if known := verdicts.recall(asked):
            return known
    with _told_problems():
        from coordlint.pipeline import judged
        from coordlint.project import open_project

        options = _options(paths, given)
        project = open_project(options)
        if asked is None:
            return _made(judged(project, options), project.config, format_, plain, style, given)
        from coordlint.project import further_files

        further = further_files(project, options)
        content = verdicts.content_of(project, further)
        if known := verdicts.recall_by_content(asked, project, content, further):
            return known
        report = judged(project, options)
    made = _made(report, project.config, format_, plain, style, given)
    if report.repeatable:
        verdicts.keep(asked, project, content, made, further)
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


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("--diff", "is_diff", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--unsafe", is_flag=True, help="Also fixes that change what the program does: read each of them.")
@click.option("--lifetime", type=click.IntRange(1), metavar="SECONDS", help="For locks that have none; 300 unless said.")
@click.option("--allow-dirty", is_flag=True, help="Also change files with uncommitted changes.")
@click.option("--baseline", type=click.Path(), help="Known findings, which are not fixed; '' for none.")
@_judgement
@_analysis
def fix(paths: tuple[str, ...], is_diff: bool, unsafe: bool, lifetime: int | None, allow_dirty: bool, **given: Any) -> int:
    """Mend what has a mechanical cure. Each fix is tried first: it is kept only if its finding is gone and none is new.

    Exit codes: 0 all that was asked for is mended, or there was nothing; 1 a fix was refused, or with --diff something
    would change; 2 usage or configuration; 3 nothing to analyse; 4 a rule or worker broke, and nothing was changed.
    """
    with _told_problems():
        from coordlint import fixing
        from coordlint.fix.known import LIFETIME
        from coordlint.report import fixed as made

        wish = fixing.Wish(unsafe, allow_dirty, is_diff, lifetime or LIFETIME)
        outcome = fixing.fix(_options(paths, given), wish)
    for failure in outcome.report.failures:
        _tell(f"broken: {failure.what}: {failure.message}")
    if is_diff:
        _say_bytes(made.diff(outcome.changes, _style(sys.stdout), terminal=sys.stdout is not None and sys.stdout.isatty()))
    for line in made.lines(outcome, is_diff=is_diff):
        _tell(line) if is_diff else _say(f"{line}\n")
    _tell(made.summary(outcome, is_diff=is_diff))
    if outcome.report.failures:
        return Exit.BROKEN
    return Exit.FINDINGS if outcome.refused or (is_diff and outcome.changes) else Exit.CLEAN


@cli.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--format", "format_", type=click.Choice(("full", "json")), default="full")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Only uses of this role, such as lock; repeatable.")
@click.option("--backend", "backends", multiple=True, metavar="BACKEND", help="Only uses of this backend, such as redis; repeatable.")
@click.option("--verbose", "-v", is_flag=True, help="Also what is held, what happens inside, who reaches it, and what is not known.")
@_analysis
def inventory(path: str, format_: str, roles: tuple[str, ...], backends: tuple[str, ...], verbose: bool, **given: Any) -> int:
    """List every use of coordination, the workloads, the coordinators, and who talks to whom."""
    understanding = _understand(path, given)
    from coordlint import __version__
    from coordlint.report import inventory as made

    wanted = made.Wanted(roles, backends)
    if format_ == "json":
        _say(made.render_json(understanding.system, understanding.coverage, __version__, wanted))
    else:
        _say(made.render_text(understanding.system, understanding.coverage, _style(sys.stdout), wanted, verbose=verbose))
    return _failed(understanding)


@cli.command()
@click.argument("place", metavar="FILE:LINE")
@click.option("--format", "format_", type=click.Choice(("full", "json")), default="full")
@_judgement
@_analysis
def why(place: str, format_: str, **given: Any) -> int:
    """Tell what the engine believes about a line: names, locks, effects, and which rules looked and what stopped them."""
    path, _, line = place.rpartition(":")
    if not path or not line.isdecimal():
        raise click.UsageError(f"say FILE:LINE, for example app/tasks.py:41, not {place!r}")
    with _told_problems():
        from coordlint import pipeline

        answer, understanding = pipeline.why(_options((path,), given), path, int(line))
    from coordlint.report import why as made

    told = made.tables(answer, understanding.system)
    _say(made.render_json(told) if format_ == "json" else made.render_text(told, _style(sys.stdout)))
    return _failed(understanding)


@cli.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--format", "format_", type=click.Choice(("markdown",)), default="markdown")
@click.option("--output", "-o", "target", type=click.Path(), help="Write to a file.")
@_judgement
@_analysis
def audit(path: str, format_: str, target: str | None, **given: Any) -> int:
    """Write one report about how a repository coordinates: inventory, workloads, graph, findings, coverage."""
    given["profile"] = given["profile"] or "audit"
    with _told_problems():
        from coordlint import pipeline
        from coordlint.report import audit as made

        report, understanding = pipeline.audit(_options((path,), given))
    text = made.render(report, understanding.system, understanding.project.root.name)
    if target:
        _write(Path(target), text)
        _tell(f"wrote {target}")
    else:
        _say(text)
    return Exit.BROKEN if report.failures else Exit.CLEAN


@cli.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--format", "format_", type=click.Choice(("mermaid", "dot", "json")), default="mermaid")
@click.option(
    "--level", type=click.Choice(LEVELS), help="How near to look; sections, and in JSON effects."
)
@_analysis
def graph(path: str, format_: str, level: str | None, **given: Any) -> int:
    """Draw workloads and coordinators, the critical sections in them, and what these guard."""
    understanding = _understand(path, given)
    from coordlint.report import graph as made

    _say(made.render(understanding.system, format_, level or ("effects" if format_ == "json" else "sections")))
    return _failed(understanding)


@cli.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--down", "down", required=True, metavar="NAME", help="A workload, or a kind of store such as redis.")
@click.option("--format", "format_", type=click.Choice(("full", "json", "mermaid")), default="full")
@_analysis
def whatif(path: str, down: str, format_: str, **given: Any) -> int:
    """Tell what happens when something goes down: who cannot start, who fails, who degrades and what saves them."""
    understanding = _understand(path, given)
    from coordlint import whatif as asked
    from coordlint.report import whatif as made

    try:
        outage = asked.whatif(understanding.system, down)
    except asked.NothingByThatName as error:
        raise click.UsageError(str(error)) from None
    _say(made.render(outage, format_, _style(sys.stdout)))
    return _failed(understanding)


@cli.command()
@click.argument("path", default=".", type=click.Path())
@_analysis
def suppressions(path: str, **given: Any) -> int:
    """List the comments and annotations that silence rules, with their reasons."""
    understanding = _understand(path, given)
    found = sorted((s for f in understanding.facts for s in f.suppressions), key=lambda s: (s.place, s.codes))
    from coordlint.report.visible import visible

    for told in found:
        said = told.problem or told.reason or "no reason given"
        _say(f"{visible(str(told.place))}: {visible(', '.join(told.codes)) or '-'}: {visible(said)}\n")
    _tell(f"{len(found)} suppression(s)")
    return _failed(understanding)


@cli.command()
@click.option("--format", "format_", type=click.Choice(("full", "json")), default="full")
@click.option("--rules", "rule_folders", multiple=True, metavar="DIR", type=click.Path())
def rules(format_: str, rule_folders: tuple[str, ...]) -> int:
    """List the rules: code, name, severity, summary."""
    known = _rules(rule_folders)
    if format_ == "json":
        from coordlint.fix.known import fixable
        from coordlint.report.json import dump

        _say(
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
    style = _style(sys.stdout)
    colours = {"error": "red", "warning": "yellow", "info": "cyan"}
    for rule in known:
        label = rule.severity.label
        _say(
            f"{style.paint(rule.code, bold=True)} {style.paint(f'{label:7}', colours[label])} {rule.name}: {rule.summary}\n"
        )
    return Exit.CLEAN


@cli.command()
@click.argument("rule")
@click.option("--rules", "rule_folders", multiple=True, metavar="DIR", type=click.Path())
def explain(rule: str, rule_folders: tuple[str, ...]) -> int:
    """Explain a rule, by code or name: what it sees, why it matters, what to do instead, when it is fine.

    `explain decision` shows the flowchart behind the verdicts.
    """
    if rule == "decision":
        from coordlint.decision import flowchart

        _say(flowchart())
        return Exit.CLEAN
    from coordlint.codes import expand, unknown

    known = {r.code: r for r in _rules(rule_folders)}
    names = {code: r.name for code, r in known.items()}
    codes = sorted(expand(rule, names))
    if len(codes) != 1:
        raise click.UsageError(
            f"{rule!r} means {len(codes)} rules: {', '.join(codes)}" if codes else unknown(rule, names)
        )
    found = known[codes[0]]
    style = _style(sys.stdout)
    from coordlint.fix.known import sentence

    fix = f"\nFix: {said}\n" if (said := sentence(found.code)) else ""
    _say(f"{style.paint(f'{found.code} {found.name}', bold=True)} ({found.severity.label})\n\n{found.doc}\n{fix}")
    return Exit.CLEAN


@cli.group()
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
    @_judgement
    @_analysis
    def run(path: str, file: str | None, **given: Any) -> int:
        with _told_problems():
            from coordlint import pipeline

            place, told = pipeline.rebaseline(name, _options((path,), given), file)
        _tell(f"{place}: {told}")
        return Exit.CLEAN


_baseline_command("create", "Write today's findings to a new baseline.")
_baseline_command("update", "Rewrite the baseline with today's findings.")
_baseline_command("prune", "Drop the entries that match nothing any more.")


@cli.command()
@click.argument("path", default=".", type=click.Path())
def clean(path: str) -> int:
    """Remove the cache of a project."""
    from coordlint.cache import clean as remove
    from coordlint.discovery import project_root

    if not Path(path).exists():
        raise click.UsageError(f"no such file or folder: {path}")
    for folder in remove(project_root([Path(path)])):
        _tell(f"removed {folder}")
    return Exit.CLEAN


# -- what the commands share --------------------------------------------------------------------------------------


def _options(paths: Sequence[str], given: dict[str, Any]) -> Options:
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
    return tuple(word.strip() for words_ in words for word in words_.split(",") if word.strip())


@contextlib.contextmanager
def _told_problems() -> Iterator[None]:
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
        _tell(str(error))
        raise click.exceptions.Exit(Exit.NOTHING) from None
    except (BadConfig, BadUsage, BrokenBaseline, BrokenRule, ModelsInvalid, NoChanges) as error:
        for line in str(error).splitlines():
            _tell(f"error: {line}")
        raise click.exceptions.Exit(Exit.USAGE) from None


def _understand(path: str, given: dict[str, Any]) -> Understanding:
    with _told_problems():
        from coordlint import pipeline
        from coordlint.project import open_project

        return pipeline.understand(open_project(_options((path,), given)))


def _failed(understanding: Understanding) -> int:
    for failure in understanding.failures:
        _tell(f"broken: {failure.what}: {failure.message}")
    return Exit.BROKEN if understanding.failures else Exit.CLEAN


def _rules(folders: tuple[str, ...]) -> list[Rule]:
    with _told_problems():
        from coordlint.rulebook import load_rules

        return load_rules([Path(folder) for folder in folders])


def _render(report: Report, format_: str, style: Style | None) -> str:
    from coordlint.report import render

    return render(report, format_, style)


def _style(stream: Any) -> Style:
    from coordlint.report.style import style_for

    terminal = bool(getattr(stream, "isatty", lambda: False)())
    return style_for(terminal, getattr(stream, "encoding", "") or "", os.environ)


def _output(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if name not in FORMATS or not path:
        raise click.UsageError(f"--output takes FORMAT=PATH with one of {', '.join(FORMATS)}, not {text!r}")
    if not Path(path).parent.is_dir():
        raise click.UsageError(f"--output {text}: no such folder: {Path(path).parent}")
    return name, Path(path)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise click.UsageError(f"{path}: cannot be written: {error.strerror}") from None


def _summary_file() -> str:
    return os.environ.get("GITHUB_STEP_SUMMARY") or ""


def _step_summary(text: str) -> None:
    try:
        with Path(_summary_file()).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        _tell(f"the step summary cannot be written: {error.strerror}")


def _say(text: str) -> None:
    """To stdout. A reader that went away is no error of ours: the exit code still tells the result."""
    if sys.stdout is None:  # closed before we began
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # a full disk: what was said is not to be had
        _tell(f"the output cannot be written: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(Exit.BROKEN) from None


def _say_bytes(data: bytes) -> None:
    """To stdout, unchanged."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        return _say(data.decode("utf-8", "replace"))
    try:
        buffer.write(data)
        buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"coordlint: {text}\n")
        sys.stderr.flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
