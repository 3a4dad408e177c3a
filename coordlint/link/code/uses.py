"""The inventory: every use of coordination outside of tests, at the library call and at each call of a wrapper."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint.coordination import Operation, Section, Use
from coordlint.link.code.evaluate import Evaluator
from coordlint.link.code.role import role_of, section_role
from coordlint.link.code.trace import Trace
from coordlint.link.code.wrapped import wrapped
from coordlint.models.schema import Scope


def uses(ev: Evaluator, operations: tuple[Operation, ...], sections: tuple[Section, ...], traces: list[Trace]) -> Iterator[Use]:
    """All uses of a project; a call of a wrapper carries the wrapper's name in `via`."""
    for operation in operations:
        role = role_of(operation)
        if role is not None:
            yield Use(
                operation.place, role, operation.backend, operation.library, operation.symbol, operation.key_text or operation.key,
                options=_options(operation),
            )  # fmt: skip
    seen = {o.place for o in operations if role_of(o)}
    for section in sections:
        if section.acquired in seen or section.in_test or not _reaches_others(section):
            continue
        yield Use(
            section.acquired, section_role(section), section.lock.backend, section.lock.library, section.symbol,
            section.lock.key_text or section.lock.key, via=section.lock.via,
            options=(("lifetime", section.lock.lifetime.told),),
        )  # fmt: skip
        seen.add(section.acquired)
    yield from wrapped(ev, traces, seen)


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
