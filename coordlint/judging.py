"""Rules over a System: findings with fingerprints, what suppressions did to them, and what broke."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from coordlint.codes import expand, expand_all
from coordlint.config import Config
from coordlint.facts import Suppression
from coordlint.finding import Finding
from coordlint.fingerprint import fingerprints
from coordlint.ignorefiles import IgnoreRules
from coordlint.project import Options, Project
from coordlint.report.result import Failure, Hidden, Reported
from coordlint.rulebook import Rule
from coordlint.suppression import suppress
from coordlint.system import System

AFTERTHOUGHTS = ("CL002", "CL003")  # rules about suppressions: they run when all others have


class Judged(msgspec.Struct, frozen=True):
    """Findings with their fingerprints, before thresholds and baseline; those that comments silenced; what broke."""

    kept: tuple[Reported, ...]
    silenced: tuple[Hidden, ...]
    failures: tuple[Failure, ...] = ()


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
    final = system.with_suppressions(unused=outcome.unused, malformed=outcome.malformed)
    about = _run(final, second, failures, config, names)
    last = suppress([r.finding for r in about], suppressions, names, {r.code for r in second})
    marks = {id(r.finding): r.fingerprint for r in (*found, *about)}
    kept = [Reported(f, marks[id(f)]) for f in (*outcome.kept, *last.kept)]
    silenced = [
        Hidden(s.finding, marks[id(s.finding)], "comment", s.by.place, s.by.reason)
        for s in (*outcome.silenced, *last.silenced)
    ]
    return Judged(
        tuple(sorted(kept, key=lambda r: order(r.finding))),
        tuple(sorted(silenced, key=lambda h: order(h.finding))),
        tuple(sorted(failures)),
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
            failures.append(Failure(f"rule {rule.code} {rule.name}", told(error)))
            continue
        if (severity := severities.get(rule.code)) is not None:
            made = [msgspec.structs.replace(finding, severity=severity) for finding in made]
        found.extend(finding for finding in made if not ignores(finding))
    found.sort(key=order)
    return [Reported(finding, mark) for finding, mark in zip(found, fingerprints(found), strict=True)]


def _per_file_ignores(config: Config, names: dict[str, str]) -> Callable[[Finding], bool]:
    layers = [
        (IgnoreRules().within("", [pattern]), expand_all(selectors, names)[0])
        for pattern, selectors in config.per_file_ignores
    ]
    return lambda finding: any(
        finding.code in codes and rules.match(finding.place.path) for rules, codes in layers
    )


def order(finding: Finding) -> tuple[object, ...]:
    """By place, then rule."""
    return (finding.place, finding.code, finding.message, finding.because)


def told(error: Exception) -> str:
    """An internal error in one line, with the place in our own code."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{at}"
