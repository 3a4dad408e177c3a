"""The story of `coordlint fix`: propose, apply together what can be, judge again, keep only what cured and harmed nothing.

Nothing is written before everything is decided. A fix is refused, with its reason, when its finding is still there
afterwards, when a finding is there that was not, or when a file can no longer be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from coordlint.changes import NoChanges, uncommitted
from coordlint.finding import Edit, Finding, Fix
from coordlint.fix import fixable, propose
from coordlint.fix.edits import applied, disjoint
from coordlint.fix.files import CannotWrite, changed, data_of, write
from coordlint.fix.known import LIFETIME
from coordlint.pipeline import Look, look
from coordlint.project import Options, Project, open_project
from coordlint.report.fixed import Change, Fixed, Outcome, Refused
from coordlint.report.result import Report, Reported
from coordlint.source import Source

ROUNDS = 30  # of fixes that touch each other, or are tried one by one
UNIMPORTANT = ("CL002",)  # a comment that silences nothing any more


class Wish(msgspec.Struct, frozen=True):
    """What the user wants of the fixes."""

    unsafe: bool = False
    allow_dirty: bool = False
    is_diff: bool = False
    lifetime: int = LIFETIME


class _Plan(msgspec.Struct, frozen=True):
    """One fix that may be applied."""

    reported: Reported
    fix: Fix

    @property
    def finding(self) -> Finding:
        return self.reported.finding


def fix(options: Options, wish: Wish) -> Outcome:
    """Decides on the fixes of a project and, unless only the diff is wanted, writes them. Raises as `pipeline.check` does."""
    project = open_project(options)
    before = seen = look(project, options)
    if before.report.failures:
        return Outcome(project.root, (), (), (), (), before.report)
    texts = {source.path: source.text for source in project.discovery.sources}
    closed = _closed(project, wish)
    fixed: list[Fixed] = []
    refused: dict[str, Refused] = {}
    unsafe: dict[str, Finding] = {}
    for _ in range(ROUNDS):
        plans = _plans(seen.report, texts, wish, refused, unsafe, closed)
        if not plans:
            break
        chosen = [plan for plan, free in zip(plans, disjoint([p.fix.edits for p in plans]), strict=True) if free]
        kept, texts, seen = _kept(chosen, texts, seen, lambda new: look(_with(project, new), options), refused)
        fixed += [Fixed(plan.finding, plan.fix) for plan in kept]
        if not kept and len(chosen) == len(plans):
            break
    was = _counted(before.everything)
    changes, unwritten = _written(project, texts, wish)
    lost = [Refused(f.finding, unwritten[_path(f.fix)]) for f in fixed if _path(f.fix) in unwritten]
    done = [f for f in fixed if _path(f.fix) not in unwritten]
    told = sorted([*refused.values(), *lost], key=lambda r: (r.finding.place, r.finding.code))
    revealed = tuple(f for f in seen.everything if _key(f) not in was and f.code not in UNIMPORTANT)
    return Outcome(project.root, changes, tuple(done), tuple(told), tuple(unsafe.values()), before.report, revealed)


def announced(report: Report) -> Report:
    """The report with the cure at each finding whose rule has one. Whether it fits this place is tried by `coordlint fix` only:
    that reads syntax trees and judges the project again, which takes longer than the check."""
    cures = [fixable(r.finding.code) for r in report.findings]
    told = tuple(
        msgspec.structs.replace(r, finding=msgspec.structs.replace(r.finding, fix=Fix(cure.does, cure.safe, ()))) if cure else r
        for r, cure in zip(report.findings, cures, strict=True)
    )
    return msgspec.structs.replace(report, findings=told)


def _plans(
    report: Report,
    texts: Mapping[str, str],
    wish: Wish,
    refused: dict[str, Refused],
    unsafe: dict[str, Finding],
    closed: Callable[[str], str],
) -> list[_Plan]:
    """The fixes that may be tried; what may not be is noted with its reason."""
    open_ = [r for r in report.findings if fixable(r.finding.code) and r.fingerprint not in refused]
    plans = []
    for reported, made in zip(open_, propose([r.finding for r in open_], texts, wish.lifetime), strict=True):
        if isinstance(made, str):
            refused[reported.fingerprint] = Refused(reported.finding, made)
        elif not made.safe and not wish.unsafe:
            unsafe[reported.fingerprint] = reported.finding
        elif reason := closed(_path(made)):
            refused[reported.fingerprint] = Refused(reported.finding, reason)
        else:
            plans.append(_Plan(reported, made))
    return plans


def _kept(
    plans: Sequence[_Plan],
    texts: dict[str, str],
    before: Look,
    judge: Callable[[dict[str, str]], Look],
    refused: dict[str, Refused],
) -> tuple[list[_Plan], dict[str, str], Look]:
    """Those of the fixes that cure and harm nothing, with the texts and the judgement after them. What fails together is tried file by file, then one by one."""
    new = _applied(texts, plans)
    after = judge(new)
    if not (reason := _objection(plans, before, after)):
        return list(plans), new, after
    if len(plans) == 1:
        refused[plans[0].reported.fingerprint] = Refused(plans[0].finding, reason)
        return [], texts, before
    kept: list[_Plan] = []
    state, seen = texts, before
    paths = sorted({_path(p.fix) for p in plans})
    groups = [[p for p in plans if _path(p.fix) == path] for path in paths]
    if len(groups) == 1:
        for plan in plans:  # one that is kept moves the others: they are proposed anew in the next round
            kept, state, seen = _kept([plan], texts, before, judge, refused)
            if kept:
                break
        return kept, state, seen
    for group in groups:
        some, state, seen = _kept(group, state, seen, judge, refused)
        kept += some
    return kept, state, seen


def _applied(texts: dict[str, str], plans: Iterable[_Plan]) -> dict[str, str]:
    edits: dict[str, list[Edit]] = {}
    for plan in plans:
        for edit in plan.fix.edits:
            edits.setdefault(edit.place.path, []).append(edit)
    return {**texts, **{path: applied(texts[path], some) for path, some in edits.items()}}


def _objection(plans: Sequence[_Plan], before: Look, after: Look) -> str:
    """What speaks against the fixes; empty when nothing does."""
    if after.report.failures and not before.report.failures:
        return "the analysis breaks on what it makes"
    unread = {skip.path for skip in after.report.coverage.skipped} - {skip.path for skip in before.report.coverage.skipped}
    if unread:
        return "it makes a file that cannot be read"
    was, now = _counted(before.everything), _counted(after.everything)
    cured = _counted(plan.finding for plan in plans)
    for key, count in cured.items():
        if now[key] > was[key] - count:
            return "the finding is still there afterwards"
    allowed = {*UNIMPORTANT, *(code for plan in plans if (cure := fixable(plan.finding.code)) for code in cure.reveals)}
    for key, count in now.items():
        if count > was[key] and key[0] not in allowed:
            return f"it makes a finding of {key[0]}"
    return ""


def _counted(findings: Iterable[Finding]) -> Counter[tuple[str, str, str]]:
    return Counter(map(_key, findings))


def _key(finding: Finding) -> tuple[str, str, str]:
    """What stays the same while lines move and resources get other names."""
    return finding.code, finding.place.path, finding.symbol


def _with(project: Project, texts: Mapping[str, str]) -> Project:
    """The project as if its files had these texts."""
    sources = tuple(
        s if texts[s.path] == s.text else Source(s.path, s.kind, texts[s.path]) for s in project.discovery.sources
    )
    return msgspec.structs.replace(project, discovery=msgspec.structs.replace(project.discovery, sources=sources))


def _closed(project: Project, wish: Wish) -> Callable[[str], str]:
    """Why a file may not be changed; empty when it may. Git is asked once for each file."""
    sources = {source.path: source for source in project.discovery.sources}
    known: dict[str, str] = {}

    def reason(path: str) -> str:
        if path not in known:
            known[path] = _why_closed(project.root, sources[path], wish)
        return known[path]

    return reason


def _why_closed(root: Path, source: Source, wish: Wish) -> str:
    try:
        changed(data_of(root, source), source, source.text)
        if not wish.is_diff and not wish.allow_dirty and uncommitted(root, [source.path]):
            return "the file has changes that are not committed (--allow-dirty fixes it all the same)"
    except CannotWrite as error:
        return f"the file {error}"
    except NoChanges as error:
        return f"{error} (--allow-dirty fixes it without asking git)"
    return ""


def _written(project: Project, texts: Mapping[str, str], wish: Wish) -> tuple[tuple[Change, ...], dict[str, str]]:
    """The files that changed, written unless only the diff is wanted; and why some could not be."""
    changes, unwritten = [], {}
    for source in project.discovery.sources:
        if texts[source.path] == source.text:
            continue
        try:
            old = data_of(project.root, source)
            change = Change(source, old, changed(old, source, texts[source.path]))
            if not wish.is_diff:
                write(project.root, source, change.old, change.new)
            changes.append(change)
        except CannotWrite as error:
            unwritten[source.path] = f"the file {error}"
    return tuple(changes), unwritten


def _path(made: Fix) -> str:
    return made.edits[0].place.path
