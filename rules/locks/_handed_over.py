"""Work that is only queued under a lock, and done when the lock is given back."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    MEDIUM,
    Evidence,
    Found,
    Op,
    Operation,
    Section,
    System,
    distinct,
    found,
    lock_name,
    trail,
)

_QUEUES = frozenset({"delay", "apply_async", "send_task", "s", "si", "signature", "chunks", "enqueue", "enqueue_call", "send", "send_with_options", "kiq", "defer"})


def queued_under(system: System, section: Section) -> Iterator[Found]:
    """One finding for a section that hands to workers what is otherwise done under the same lock."""
    if section.escapes or not section.releases or not section.lock.identity:
        return
    same = [s for s in system.critical_sections(distributed=True) if s.lock.identity == section.lock.identity]
    done = {e.place: e for s in same if s.symbol != section.symbol for e in s.effects if e.operation.harmful_late and (e.operation.key or e.operation.kind) and e.operation.role not in ("lock", "metrics", "cache")}
    puts = list(_queued(system, section)) if done else []
    if any(_gives_back(system, section, task) for put in puts for task in _named(system, put)):
        return  # the lock is handed on to them
    for put in puts:
        for task in _named(system, put):
            reached = (task, *sorted(system.reached_from(task)))
            if any(s.symbol in reached for s in system.critical_sections(distributed=True)):
                continue  # it takes a lock by itself
            work = next((o for o in system.operations_in(reached) if o.place in done), None)
            if work is None:
                continue
            yield found(
                f"{task.rpartition('.')[2]}() is only queued under {lock_name(section.lock)}: its workers do what others do under this lock when it was given back long ago",
                at=section,
                because=distinct([Evidence(put.place, "queued here"), Evidence(work.place, "and this is done then, without the lock"), *trail(section)], besides=section.acquired),
                severity=ERROR,
                confidence=MEDIUM,
                help="Take the lock in the task, around what it protects, or hand it on to the last of them and give it back there; a lock around the queueing protects the queueing alone.",
            )
            return


def _gives_back(system: System, section: Section, task: str) -> bool:
    return any(o.op is Op.DELETE and o.key == section.lock.key for o in system.operations_in((task, *system.reached_from(task))))


def _queued(system: System, section: Section) -> Iterator[Operation]:
    """The calls between the acquire and the last thing that is seen under it, which put a task into a queue."""
    inside = [*(e.chain[0] if e.chain else e.place for e in section.effects), *section.unresolved]
    last = max((p.span.end_line or p.line for p in inside if p.path == section.path), default=section.acquired.line)
    for o in system.operations_in((section.symbol,)):
        if o.place.path == section.path and section.acquired.line < o.place.line <= last and o.call.rpartition(".")[2] in _QUEUES and (o.kind == "task" or o.library == "celery"):
            yield o


def _named(system: System, put: Operation) -> list[str]:
    """The task that is put: the function that the call is asked of."""
    name = put.receiver.rpartition(".")[2]
    return [e.symbol for e in system.entries("task") if name and e.symbol.rpartition(".")[2] == name][:1]
