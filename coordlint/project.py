"""What a run is asked for, and the project that it is about: root, configuration, rules, sources, cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from coordlint.cache import Cache, open_cache
from coordlint.codes import expand_all
from coordlint.config import Config, load_config, profiled
from coordlint.discovery import Discovery, discover, project_root
from coordlint.finding import Confidence, Severity
from coordlint.rendered import helm_program, render_charts
from coordlint.rulebook import Rule, load_rules
from coordlint.source import Skip


class Options(msgspec.Struct, frozen=True):
    """What one run is asked for; None means: as the configuration says."""

    paths: tuple[str, ...] = (".",)
    root: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Severity = Severity.INFO
    min_confidence: Confidence | None = None
    profile: str | None = None
    baseline: str | None = None
    changed: bool = False
    diff_base: str = ""
    isolated: bool = False
    no_cache: bool = False
    jobs: int = 0
    rule_folders: tuple[str, ...] = ()
    rendered: str = ""  # what `helm template` has written
    render: str = ""  # "helm": render the charts with the program

BASELINE = ".coordlint-baseline.json"


class BadUsage(Exception):
    """What the user asked for cannot be done; one message a line."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class NothingToAnalyse(Exception):
    """The project, or the part of it that was asked for, holds no file of a known kind."""


class Project(msgspec.Struct, frozen=True):
    """What is analysed and under which rules."""

    root: Path
    config: Config
    rules: tuple[Rule, ...]
    discovery: Discovery
    cache: Cache
    jobs: int = 0
    rendered: str = ""

    @property
    def names(self) -> dict[str, str]:
        """Code to name of every rule."""
        return {rule.code: rule.name for rule in self.rules}


def open_project(options: Options) -> Project:
    """Root, configuration, rules and sources."""
    if lacking := [folder for folder in options.rule_folders if not Path(folder).is_dir()]:
        raise BadUsage(*(f"--rules {folder}: no such folder" for folder in lacking))
    rules = tuple(load_rules([Path(folder) for folder in options.rule_folders]))
    names = {rule.code: rule.name for rule in rules}
    _, problems = expand_all([*options.select, *options.ignore], names)
    paths = [Path(path) for path in options.paths]
    problems += [f"no such file or folder: {path}" for path in paths if not path.exists()]
    if options.root and not Path(options.root).is_dir():
        problems.append(f"no such folder: {options.root}")
    if problems:
        raise BadUsage(*problems)
    root = (
        Path(options.root).resolve() if options.root else project_root(paths, configured=not options.isolated)
    )
    config = Config() if options.isolated else load_config(root, names)
    if options.profile:
        config = profiled(config, options.profile)
    if options.min_confidence is not None:
        config = msgspec.structs.replace(config, min_confidence=options.min_confidence)
    discovery = discover(root, config.exclude)
    asked = asked_for(root, options)
    inside = [
        path
        for path in (*(s.path for s in discovery.sources), *(s.path for s in discovery.skips))
        if asked(path)
    ]
    rendered = options.rendered
    if options.render:
        rendered, told = _rendered(root, discovery, rendered)
        discovery = msgspec.structs.replace(discovery, skips=tuple(sorted((*discovery.skips, *told))))
    if not inside and not rendered:
        raise NothingToAnalyse(
            f"nothing to analyse in {', '.join(options.paths)}: no Python file, manifest, Dockerfile or dependency list"
            + (
                f" (left out: {', '.join(f'{k} {v}' for k, v in discovery.left_out.items())})"
                if discovery.left_out
                else ""
            )
        )
    return Project(
        root, config, rules, discovery, Cache(None) if options.no_cache else open_cache(root), options.jobs, rendered
    )


def _rendered(root: Path, discovery: Discovery, given: str) -> tuple[str, list[Skip]]:
    """What Helm makes of the charts, after what was given already. Raises BadUsage when there is no Helm."""
    program = helm_program()
    if program is None:
        raise BadUsage("--render=helm: the program 'helm' is not installed here; without the option, charts are read as they stand")
    made, skips = render_charts(root, discovery.sources, program)
    return "\n---\n".join(part for part in (given, made) if part), skips


def baseline_place(project: Project, options: Options) -> Path | None:
    """Where the baseline lies, or would lie; None when none is wanted."""
    if options.baseline is not None:
        return Path(options.baseline) if options.baseline else None
    if project.config.baseline:
        return project.root / project.config.baseline
    return None if options.isolated else project.root / BASELINE


def further_files(project: Project, options: Options) -> tuple[Path, ...]:
    """Files that are no sources and yet decide: models of the configuration, and the baseline."""
    place = baseline_place(project, options)
    return (*(project.root / path for path in project.config.models), *(() if place is None else (place,)))


def asked_for(root: Path, options: Options) -> Callable[[str], bool]:
    """Whether a path of the project lies under the paths that were given."""
    wanted = []
    for path in options.paths:
        place = Path(path).resolve()
        if place == root or place in root.parents:
            return lambda _: True
        if place.is_relative_to(root):
            wanted.append(place.relative_to(root).as_posix())
    return lambda path: any(path == w or path.startswith(w + "/") for w in wanted)


def prefix_of(root: Path) -> str:
    """From the git root to the project's root, with a final slash; empty when they are one."""
    git = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    return "" if git == root else root.relative_to(git).as_posix() + "/"
