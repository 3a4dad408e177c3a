"""The inventory: every use of coordination outside of tests, at the library call and at each call of a wrapper."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint.coordination import Entry, Operation, Section, Use
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.entrances.frameworks import INJECTS
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.inventory.standing import Standings
from coordlint.link.code.inventory.wrapped import wrapped
from coordlint.link.code.purposes.role import section_role
from coordlint.link.code.purposes.roles import role_of
from coordlint.link.code.rows.rowqueues import row_queues
from coordlint.link.code.walking import rowversions
from coordlint.models.schema import Scope
from coordlint.source import Place


def uses(
    ev: Evaluator, operations: tuple[Operation, ...], sections: tuple[Section, ...], traces: list[Trace], entries: tuple[Entry, ...]
) -> Iterator[Use]:
    """All uses of a project; a call of a wrapper carries the wrappers between it and the library in `via`."""
    roles = role_of
    coordinating = {o.backend for o in operations if roles(o) not in (None, "client")}
    seen: set[Place] = set()
    rows = row_queues(ev, traces)
    for operation in operations:
        role = roles(operation)
        if role is None or operation.place in rows or (operation.backend == "kubernetes-lease" and operation.backend not in coordinating):
            continue  # a client of the cluster that is asked for no lease
        seen.add(operation.place)
        yield Use(
            operation.place, role, operation.backend, operation.library, operation.symbol, operation.key_text or operation.key,
            options=_options(operation), via=operation.via,
        )  # fmt: skip
    for t in traces:
        for step in t.steps:
            if step.place in rows and step.place not in seen:
                seen.add(step.place)
                row = rows[step.place]
                yield Use(step.place, row.role, row.backend, row.library, t.scope.symbol, row.key.text if row.key is not None else None)
    standings = Standings(ev, traces, _outermost(entries), roles, rows)
    calls = _calls(sections, traces)
    reigns = standings.reigns
    for section in sorted(sections, key=lambda s: (s.acquired, s.lock.backend == "process-local")):
        if section.acquired in seen or section.in_test or not _reaches_others(section):
            continue
        role = section_role(section)
        if section.how == "acquire" and section.lock.via:
            deed = standings.of_step(*calls[section.acquired]) if section.acquired in calls else None
            if deed is None:
                continue  # business that ends with a lock held: its callers take no lock
            role = role if deed.role == "client" else reigns.seen(*calls[section.acquired], deed).role
        yield Use(
            section.acquired, role, section.lock.backend, section.lock.library, section.symbol,
            section.lock.key_text or section.lock.key, via=section.lock.via,
            options=(("lifetime", section.lock.lifetime.told),),
        )  # fmt: skip
        seen.add(section.acquired)
    yield from wrapped(standings, operations, traces, seen)
    yield from rowversions.versions(ev, traces)


def _calls(sections: tuple[Section, ...], traces: list[Trace]) -> dict[Place, tuple[Trace, Step]]:
    """The calls by which functions of the project hand locks on to their callers."""
    handing = {s.acquired for s in sections if s.lock.via}
    symbols = {s.symbol for s in sections if s.lock.via}
    return {step.place: (t, step) for t in traces if t.scope.symbol in symbols for step in t.steps if step.place in handing and step.functions}


def _outermost(entries: tuple[Entry, ...]) -> frozenset[str]:
    """What only something outside calls; a dependency of a handler is a part of the handler."""
    return frozenset(e.symbol for e in entries if e.kind != "import" and e.reason.partition("(")[0] not in INJECTS)


def _reaches_others(section: Section) -> bool:
    """A lock of one process is a use of coordination only where it guards what other processes see."""
    return section.lock.model.scope is not Scope.PROCESS or any(e.operation.kind or e.operation.backend for e in section.effects)


def _options(operation: Operation) -> tuple[tuple[str, str], ...]:
    made = []
    if operation.ttl is not None and operation.ttl.kind != "unknown":
        made.append(("ttl", operation.ttl.told))
    if operation.ephemeral is not None:
        made.append(("ephemeral", "yes" if operation.ephemeral else "no"))
    if operation.conditional:
        made.append(("condition", operation.conditional))
    return tuple(made)
