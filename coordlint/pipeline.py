"""The whole story: discover, extract, link, run the rules, suppress, compare with the baseline, report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from coordlint import __version__
from coordlint import baseline as baselines
from coordlint.changes import Changes, changed_lines
from coordlint.config import Config
from coordlint.extraction import Extractor
from coordlint.facts import Facts
from coordlint.finding import Finding
from coordlint.grounds import Grounds, grounds
from coordlint.intents import checked
from coordlint.judging import Judged, active_rules, judge, order, told
from coordlint.leads import imported_names
from coordlint.link import link, link_at
from coordlint.models import Models
from coordlint.project import (
    BASELINE,
    BadUsage,
    Options,
    Project,
    asked_for,
    baseline_place,
    open_project,
    prefix_of,
)
from coordlint.rendered import rendered_facts
from coordlint.report.result import Coverage, Failure, Hidden, Report, RuleInfo, Why
from coordlint.rulebook import Rule
from coordlint.selection import Choice, select
from coordlint.source import Kind, Place, Source, Span, Unread, put_away
from coordlint.system import System, World
from coordlint.watching import watched


class Gathered(msgspec.Struct, frozen=True):
    """The facts of the files that can matter, those of all files, and the models that apply to them."""

    facts: tuple[Facts, ...]
    everything: tuple[Facts, ...]
    models: Models
    failures: tuple[Failure, ...]
    unread: Unread  # files that were not chosen
    choice: Choice | None = None  # None where all were
    imports: dict[str, set[str]] = {}  # of each Python file that was read


class Understanding(msgspec.Struct, frozen=True):
    """The project as the engine sees it."""

    project: Project
    read: Gathered
    system: System
    failures: tuple[Failure, ...] = ()

    @property
    def facts(self) -> tuple[Facts, ...]:
        """Those of the files that were read."""
        return self.read.facts

    @property
    def coverage(self) -> Coverage:
        """Files seen, analysed and skipped."""
        discovery = self.project.discovery
        skips = sorted({*discovery.skips, *(s for f in self.facts for s in f.skips), *self.system.deployment.skips}, key=lambda s: (s.path, s.line, s.reason))
        return Coverage(
            discovery.seen,
            discovery.seen - len({s.path for s in skips}),
            tuple(skips),
            dict(discovery.left_out),
        )


class _Run(msgspec.Struct, frozen=True):
    """A project that was understood and judged; thresholds and the baseline are still to come."""

    understanding: Understanding
    active: tuple[Rule, ...]
    judged: Judged


def check(paths: Iterable[str | Path] = (".",), **options: Any) -> Report:
    """Analyses the project that the paths lie in and reports on them; `options` as the fields of Options.

    Raises BadUsage, BadConfig, NothingToAnalyse, BrokenBaseline, NoChanges, ModelsInvalid, BrokenRule.
    """
    return run(Options(paths=tuple(str(path) for path in paths), **options))[0]


def run(options: Options) -> tuple[Report, Config]:
    """One run from paths to report, with the configuration that it followed. Raises as `check` does."""
    project = open_project(options)
    return judged(project, options), project.config


def judged(project: Project, options: Options) -> Report:
    """The report on a project that was opened. Raises as `check` does."""
    changes = changed_lines(project.root, options.diff_base) if options.changed or options.diff_base else None
    done = _run_rules(project, options)
    return _report(done, _baseline(project, options), options, changes)


def judged_on_grounds(project: Project, options: Options) -> tuple[Report, Grounds]:
    """The report, and what it rests on: what would have to change for another one. Raises as `check` does."""
    done = _run_rules(project, options)
    report = _report(done, _baseline(project, options), options)
    read = done.understanding.read
    return report, grounds(project, read.choice, read.imports, read.unread.asked, report)


def audit(options: Options) -> tuple[Report, Understanding]:
    """One run, with the system that it judged. Raises as `check` does."""
    project = open_project(options)
    done = _run_rules(project, options)
    return _report(done, _baseline(project, options), options), done.understanding


class Look(msgspec.Struct, frozen=True):
    """A project as it would be judged: the report that was asked for, and all that was found, silenced or below thresholds too."""

    report: Report
    everything: tuple[Finding, ...]


def look(project: Project, options: Options) -> Look:
    """A project that is open already, perhaps with other texts than on the disk. Every rule runs; `options` limit the report.

    Raises as `check` does.
    """
    done = _run_rules(project, msgspec.structs.replace(options, select=(), ignore=()))
    chosen = {rule.code for rule in active_rules(project, options)}
    report = _report(done, _baseline(project, options), options)
    report = msgspec.structs.replace(report, findings=tuple(r for r in report.findings if r.finding.code in chosen))
    return Look(report, (*(r.finding for r in done.judged.kept), *(h.finding for h in done.judged.silenced)))


def rebaseline(action: str, options: Options, file: str | None) -> tuple[Path, str]:
    """Creates, updates or prunes the baseline; its path and what was done, in words.

    Raises as `check` does, and BadUsage when a baseline to create exists already.
    """
    project = open_project(options)
    place = Path(file) if file else project.root / (project.config.baseline or BASELINE)
    if place.is_symlink():
        raise BadUsage(f"{place} is a symbolic link: a repository must not choose what is overwritten")
    if action == "create" and place.exists():
        raise BadUsage(f"{place} exists already: use 'coordlint baseline update'")
    old = baselines.Baseline() if action == "create" else baselines.read(place)
    judged = _run_rules(project, options)
    if action == "prune":
        stale = _report(judged, old, options).stale
        new, done = baselines.prune(old, stale), f"{len(stale)} stale entries removed"
    else:
        new = baselines.make([r.finding for r in _report(judged, baselines.Baseline(), options).findings])
        done = f"{sum(e.count for e in new.entries)} findings in {len(new.entries)} entries"
    place.write_text(baselines.dump(new), encoding="utf-8")
    return place, done


def understand(project: Project) -> Understanding:
    """Sources to facts to one System."""
    read = gathered(project)
    failures = list(read.failures)
    try:
        system = link(read.everything, read.models, read.unread)
    except Exception as error:  # an engine that breaks is told; it must not look like a clean project
        failures.append(Failure("linking", told(error)))
        skips = tuple(sorted(s for f in read.everything for s in f.skips))
        system = System(World(skips=skips))
    return Understanding(project, read, system, tuple(failures))


def why(options: Options, path: str, line: int) -> tuple[Why, Understanding]:
    """What is believed about a line, what the rules made of it, and the system around it. Raises as `check` does, and BadUsage for no such line."""
    at = Path(path).resolve()
    if not at.is_file():
        raise BadUsage(f"no such file: {path}")
    project = open_project(msgspec.structs.replace(options, paths=(str(at.parent),)))
    inside = at.relative_to(project.root).as_posix() if at.is_relative_to(project.root) else path
    source = next((s for s in project.discovery.sources if s.path == inside), None)
    if source is None:
        skipped = next((s.reason for s in project.discovery.skips if s.path == inside), "it is left out, or of no known kind")
        raise BadUsage(f"{path}: not analysed: {skipped}")
    if not 1 <= line <= source.text.count("\n") + 1:
        raise BadUsage(f"{path}:{line}: no such line; the file has {source.text.count(chr(10)) + 1}")
    read = gathered(project, always=(source,))
    system, beliefs = link_at(read.everything, read.models, inside, line, read.unread)
    verdicts = watched(system, active_rules(project, options), inside, line)
    wishes = tuple(w for f in read.facts if f.path == inside for w in f.suppressions if w.first_line <= line <= w.last_line)
    understanding = Understanding(project, read, system, read.failures)
    return Why(Place(inside, Span(line)), source.text.split("\n")[line - 1], beliefs, verdicts, wishes), understanding


def gathered(project: Project, always: tuple[Source, ...] = ()) -> Gathered:
    """Sources to facts; the files in `always` are read even when nothing in them sounds like coordination."""
    extra = tuple(
        (path, (project.root / path).read_text("utf-8", "replace")) for path in project.config.models
    )
    extractor = Extractor(project.cache, project.jobs)
    sources = project.discovery.sources
    chosen, choice = select(sources, Models.load((), extra).needles, extractor, kept=project.cache.folder is not None)
    facts = list(chosen)
    read = {f.path for f in facts}
    facts += extractor([s for s in always if s.path not in read])
    project.cache.trim()
    untold = [Facts(path=s.path, kind=Kind.OTHER, skips=(s,)) for s in project.discovery.skips]
    read = {f.path for f in facts}
    if project.rendered:
        facts = rendered_facts(project.rendered, facts)
    left = tuple(s for s in sources if s.path not in read)  # workloads may start them
    unread = [Facts(path=s.path, kind=s.kind) for s in left]
    failures = tuple(Failure(f"analysis of {path}", reason) for path, reason in extractor.failures)
    imports = {s.path: imported_names(s.text) for s in sources if s.kind is Kind.PYTHON and s.path in read}
    models = Models.load({name for names in imports.values() for name in names}, extra)
    if choice is not None:  # of a large project: what was read is facts now, and the rest is seldom looked into
        put_away(sources)
    return Gathered(tuple(facts), (*facts, *untold, *unread), models, failures, Unread(left), choice, imports)


def _run_rules(project: Project, options: Options) -> _Run:
    understanding = understand(project)
    active = active_rules(project, options)
    suppressions = [s for facts in understanding.facts for s in facts.suppressions]
    return _Run(
        understanding,
        active,
        judge(understanding.system, active, suppressions, project.names, project.config),
    )


def _report(run: _Run, known: baselines.Baseline, options: Options, changes: Changes | None = None) -> Report:
    """Baseline, thresholds, then the part of the report that was asked for."""
    project, judged, coverage = run.understanding.project, run.judged, run.understanding.coverage
    matched = baselines.match(known, [r.finding for r in judged.kept])
    ran, unread = {rule.code for rule in run.active}, {skip.path for skip in coverage.skipped}
    stale = tuple(e for e in matched.stale if e.code in ran and e.path not in unread)
    marks = {id(r.finding): r for r in judged.kept}
    asked = asked_for(project.root, options)

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
    intents = [i for f in run.understanding.facts for i in f.intents if asked(i.place.path)]
    pointed = {p for r in shown for p in (r.finding.place.path, *(e.place.path for e in r.finding.because))}
    return Report(
        version=__version__,
        findings=shown,
        coverage=coverage,
        suppressed=tuple(sorted(hidden, key=lambda h: order(h.finding))),
        stale=stale,
        failures=tuple(sorted((*run.understanding.failures, *judged.failures))),
        rules=tuple(RuleInfo(r.code, r.name, r.severity, r.summary, r.doc) for r in run.active),
        below=len(fresh) - len(shown),
        prefix=prefix_of(project.root),
        texts={source.path: source.text for source in sorted(project.discovery.sources, key=lambda s: s.path) if source.path in pointed},
        notes=() if run.understanding.failures else tuple(checked(run.understanding.system, intents)),
    )


def _baseline(project: Project, options: Options) -> baselines.Baseline:
    """The baseline that is named, by option or configuration; an empty one when none is."""
    place = baseline_place(project, options)
    named = options.baseline is not None or project.config.baseline
    if place is None or not (named or place.is_file()):
        return baselines.Baseline()
    return baselines.read(place)
