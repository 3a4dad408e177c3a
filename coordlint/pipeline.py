"""The whole story: discover, extract, link, run the rules, suppress, compare with the baseline, report."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from coordlint import __version__
from coordlint import baseline as baselines
from coordlint.cache import Cache, open_cache
from coordlint.changes import Changes, changed_lines
from coordlint.codes import expand, expand_all
from coordlint.config import Config, load_config, profiled
from coordlint.discovery import Discovery, discover, project_root
from coordlint.extraction import Extractor
from coordlint.facts import Facts, Suppression
from coordlint.finding import Confidence, Finding, Severity
from coordlint.fingerprint import fingerprints
from coordlint.ignorefiles import IgnoreRules
from coordlint.link import link
from coordlint.models import Models
from coordlint.report.result import Coverage, Failure, Hidden, Report, Reported, RuleInfo
from coordlint.rulebook import Rule, load_rules
from coordlint.selection import select
from coordlint.source import Kind, Source
from coordlint.suppression import suppress
from coordlint.system import System, World

AFTERTHOUGHTS = ("CL002", "CL003")  # rules about suppressions: they run when all others have


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

    @property
    def names(self) -> dict[str, str]:
        """Code to name of every rule."""
        return {rule.code: rule.name for rule in self.rules}


class Understanding(msgspec.Struct, frozen=True):
    """The project as the engine sees it."""

    project: Project
    facts: tuple[Facts, ...]
    system: System
    failures: tuple[Failure, ...] = ()

    @property
    def coverage(self) -> Coverage:
        """Files seen, analysed and skipped."""
        discovery = self.project.discovery
        skips = sorted({*discovery.skips, *(s for f in self.facts for s in f.skips)})
        return Coverage(
            discovery.seen,
            discovery.seen - len({s.path for s in skips}),
            tuple(skips),
            dict(discovery.left_out),
        )


class Judged(msgspec.Struct, frozen=True):
    """Findings with their fingerprints, before thresholds and baseline; those that comments silenced; what broke."""

    kept: tuple[Reported, ...]
    silenced: tuple[Hidden, ...]
    failures: tuple[Failure, ...] = ()


class _Run(msgspec.Struct, frozen=True):
    """A project that was understood and judged; thresholds and the baseline are still to come."""

    understanding: Understanding
    active: tuple[Rule, ...]
    judged: Judged


def check(options: Options) -> tuple[Report, Config]:
    """One run from paths to report. Raises BadUsage, BadConfig, NothingToAnalyse, ModelsInvalid, BrokenRule."""
    project = open_project(options)
    changes = changed_lines(project.root, options.diff_base) if options.changed or options.diff_base else None
    run = _run_rules(project, options)
    return _report(run, _baseline(project, options), options, changes), project.config


def audit(options: Options) -> tuple[Report, Understanding]:
    """One run, with the system that it judged. Raises as `check` does."""
    project = open_project(options)
    run = _run_rules(project, options)
    return _report(run, _baseline(project, options), options), run.understanding


def rebaseline(action: str, options: Options, file: str | None) -> tuple[Path, str]:
    """Creates, updates or prunes the baseline; its path and what was done, in words.

    Raises as `check` does, and BadUsage when a baseline to create exists already.
    """
    project = open_project(options)
    place = Path(file) if file else project.root / (project.config.baseline or baselines.DEFAULT_NAME)
    if action == "create" and place.exists():
        raise BadUsage(f"{place} exists already: use 'coordlint baseline update'")
    old = baselines.Baseline() if action == "create" else baselines.read(place)
    run = _run_rules(project, options)
    if action == "prune":
        stale = _report(run, old, options).stale
        new, told = baselines.prune(old, stale), f"{len(stale)} stale entries removed"
    else:
        new = baselines.make([r.finding for r in _report(run, baselines.Baseline(), options).findings])
        told = f"{sum(e.count for e in new.entries)} findings in {len(new.entries)} entries"
    place.write_text(baselines.dump(new), encoding="utf-8")
    return place, told


def open_project(options: Options) -> Project:
    """Root, configuration, rules and sources."""
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
    asked = _asked(root, options)
    inside = [
        path
        for path in (*(s.path for s in discovery.sources), *(s.path for s in discovery.skips))
        if asked(path)
    ]
    if not inside:
        raise NothingToAnalyse(
            f"nothing to analyse in {', '.join(options.paths)}: no Python file, manifest, Dockerfile or dependency list"
            + (
                f" (left out: {', '.join(f'{k} {v}' for k, v in discovery.left_out.items())})"
                if discovery.left_out
                else ""
            )
        )
    return Project(
        root, config, rules, discovery, Cache(None) if options.no_cache else open_cache(root), options.jobs
    )


def understand(project: Project) -> Understanding:
    """Sources to facts to one System."""
    extra = tuple(
        (path, (project.root / path).read_text("utf-8", "replace")) for path in project.config.models
    )
    extractor = Extractor(project.cache, project.jobs)
    sources = project.discovery.sources
    facts = select(sources, Models.load((), extra).needles, extractor)
    project.cache.trim()
    untold = [Facts(path=s.path, kind=Kind.OTHER, skips=(s,)) for s in project.discovery.skips]
    read = {f.path for f in facts}
    unread = [Facts(path=s.path, kind=s.kind) for s in sources if s.path not in read]  # workloads may start them
    failures = [Failure(f"analysis of {path}", reason) for path, reason in extractor.failures]
    models = Models.load(imported_names(sources, {f.path for f in facts}), extra)
    try:
        system = link([*facts, *untold, *unread], models)
    except Exception as error:  # an engine that breaks is told; it must not look like a clean project
        failures.append(Failure("linking", _told(error)))
        skips = tuple(sorted(s for f in (*facts, *untold) for s in f.skips))
        system = System(World(skips=skips))
    return Understanding(project, tuple(facts), system, tuple(failures))


def active_rules(project: Project, options: Options) -> tuple[Rule, ...]:
    """The rules that run: what is selected, minus what is ignored; previews only when named or in an audit."""
    config, names = project.config, project.names
    selectors = options.select or config.select
    chosen, _ = expand_all(selectors or ["ALL"], names)
    ignored, _ = expand_all([*config.ignore, *options.ignore], names)
    exact = {code for word in selectors if len(codes := expand(word, names)) == 1 for code in codes}
    wants_previews = config.profile in ("audit", "strict")
    return tuple(
        rule
        for rule in project.rules
        if rule.code in chosen - ignored and (not rule.preview or wants_previews or rule.code in exact)
    )


def judge(
    system: System,
    rules: Sequence[Rule],
    suppressions: Sequence[Suppression],
    names: dict[str, str],
    config: Config,
) -> Judged:
    """Runs the rules; a rule that breaks costs only its own findings. Findings come sorted by place."""
    failures: list[Failure] = []
    first = [rule for rule in rules if rule.code not in AFTERTHOUGHTS]
    found = _run(system, first, failures, config, names)
    outcome = suppress(
        [r.finding for r in found],
        suppressions,
        names,
        {r.code for r in first},
        require_reason=config.require_reason,
    )
    second = [rule for rule in rules if rule.code in AFTERTHOUGHTS]
    told = system.with_suppressions(unused=outcome.unused, malformed=outcome.malformed)
    about = _run(told, second, failures, config, names)
    last = suppress([r.finding for r in about], suppressions, names, {r.code for r in second})
    marks = {id(r.finding): r.fingerprint for r in (*found, *about)}
    kept = [Reported(f, marks[id(f)]) for f in (*outcome.kept, *last.kept)]
    silenced = [
        Hidden(s.finding, marks[id(s.finding)], "comment", s.by.place, s.by.reason)
        for s in (*outcome.silenced, *last.silenced)
    ]
    return Judged(
        tuple(sorted(kept, key=lambda r: _order(r.finding))),
        tuple(sorted(silenced, key=lambda h: _order(h.finding))),
        tuple(sorted(failures)),
    )


def _run_rules(project: Project, options: Options) -> _Run:
    understanding = understand(project)
    active = active_rules(project, options)
    suppressions = [s for facts in understanding.facts for s in facts.suppressions]
    return _Run(
        understanding,
        active,
        judge(understanding.system, active, suppressions, project.names, project.config),
    )


def _run(
    system: System, rules: Iterable[Rule], failures: list[Failure], config: Config, names: dict[str, str]
) -> list[Reported]:
    severities = {code: severity for word, severity in config.severity for code in expand(word, names)}
    ignores = _per_file_ignores(config, names)
    found: list[Finding] = []
    for rule in rules:
        try:
            made = rule.run(system)
        except Exception as error:
            failures.append(Failure(f"rule {rule.code} {rule.name}", _told(error)))
            continue
        if (severity := severities.get(rule.code)) is not None:
            made = [msgspec.structs.replace(finding, severity=severity) for finding in made]
        found.extend(finding for finding in made if not ignores(finding))
    found.sort(key=_order)
    return [Reported(finding, mark) for finding, mark in zip(found, fingerprints(found), strict=True)]


def _report(run: _Run, known: baselines.Baseline, options: Options, changes: Changes | None = None) -> Report:
    """Baseline, thresholds, then the part of the report that was asked for."""
    project, judged, coverage = run.understanding.project, run.judged, run.understanding.coverage
    matched = baselines.match(known, [r.finding for r in judged.kept])
    ran, unread = {rule.code for rule in run.active}, {skip.path for skip in coverage.skipped}
    stale = tuple(e for e in matched.stale if e.code in ran and e.path not in unread)
    marks = {id(r.finding): r for r in judged.kept}
    asked = _asked(project.root, options)

    def wanted(finding: Finding) -> bool:
        return asked(finding.place.path) and (changes is None or changes.touch(finding))

    fresh = [marks[id(f)] for f in matched.new if wanted(f)]
    shown = tuple(
        r
        for r in fresh
        if r.finding.severity >= options.severity and r.finding.confidence >= project.config.min_confidence
    )
    in_baseline = [Hidden(f, marks[id(f)].fingerprint, "baseline") for f in matched.known if wanted(f)]
    hidden = [*(h for h in judged.silenced if wanted(h.finding)), *in_baseline]
    texts = {source.path: source.text for source in project.discovery.sources}
    pointed = sorted(
        {p for r in shown for p in (r.finding.place.path, *(e.place.path for e in r.finding.because))}
    )
    return Report(
        version=__version__,
        findings=shown,
        coverage=coverage,
        suppressed=tuple(sorted(hidden, key=lambda h: _order(h.finding))),
        stale=stale,
        failures=tuple(sorted((*run.understanding.failures, *judged.failures))),
        rules=tuple(RuleInfo(r.code, r.name, r.severity, r.summary, r.doc) for r in run.active),
        below=len(fresh) - len(shown),
        prefix=_prefix(project.root),
        texts={path: texts[path] for path in pointed if path in texts},
    )


def _baseline(project: Project, options: Options) -> baselines.Baseline:
    """The baseline that is named, by option or configuration; an empty one when none is."""
    if options.baseline is not None:
        return baselines.read(Path(options.baseline)) if options.baseline else baselines.Baseline()
    if project.config.baseline:
        return baselines.read(project.root / project.config.baseline)
    place = project.root / baselines.DEFAULT_NAME
    return baselines.read(place) if place.is_file() and not options.isolated else baselines.Baseline()


def _asked(root: Path, options: Options) -> Callable[[str], bool]:
    """Whether a path of the project lies under the paths that were given."""
    wanted = []
    for path in options.paths:
        place = Path(path).resolve()
        if place == root or place in root.parents:
            return lambda _: True
        if place.is_relative_to(root):
            wanted.append(place.relative_to(root).as_posix())
    return lambda path: any(path == w or path.startswith(w + "/") for w in wanted)


def _per_file_ignores(config: Config, names: dict[str, str]) -> Callable[[Finding], bool]:
    layers = [
        (IgnoreRules().within("", [pattern]), expand_all(selectors, names)[0])
        for pattern, selectors in config.per_file_ignores
    ]
    return lambda finding: any(
        finding.code in codes and rules.match(finding.place.path) for rules, codes in layers
    )


_IMPORTED = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+([^\n#]*)|import[ \t]+([\w., \t]+))", re.M
)


def imported_names(sources: Iterable[Source], chosen: set[str]) -> set[str]:
    """Dotted names that the chosen Python files import."""
    return {name for s in sources if s.kind is Kind.PYTHON and s.path in chosen for name in _imported(s.text)}


def _imported(text: str) -> Iterator[str]:
    for module, _, plain in _IMPORTED.findall(text):
        if module:
            yield module
        for part in plain.split(","):
            if words := part.split():
                yield words[0]


def _prefix(root: Path) -> str:
    """From the git root to the project's root, with a final slash; empty when they are one."""
    git = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    return "" if git == root else root.relative_to(git).as_posix() + "/"


def _order(finding: Finding) -> tuple[object, ...]:
    return (finding.place, finding.code, finding.message, finding.because)


def _told(error: Exception) -> str:
    """An internal error in one line, with the place in our own code."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{at}"
