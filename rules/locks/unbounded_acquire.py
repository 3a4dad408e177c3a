r"""A request handler, a task or a coroutine waits for a lock without limit.

Why: when the holder is slow, or the lock is stuck, everybody who waits holds a thread, a database connection and a place in the queue. A web server
runs out of workers, a task queue of slots, and one stuck lock becomes an outage of all that needs the same pool.

Instead: bound the wait below what the caller is willing to wait (`blocking_timeout=5`, `acquire(timeout=5)`) and answer "busy": an error with
a hint to retry, or the task put back into the queue.

It is a note where nobody outside is held up: a worker's task or a message waits for its turn, and the lock ends with its lease or its session; or
a request that only fills a cache waits for another one that fills it.

A synchronous call in a coroutine that locks rows is worse: while another transaction holds them, the event loop stands still, and with it every
other request, maybe the one that would give the rows back.

Fine when: a command or a one-shot script waits for its turn; the limit comes from configuration, or stands around the wait (`asyncio.timeout(5)`); the lock belongs to a transaction with a lock
timeout; a standby waits to become leader.

Known misses: a limit that the server sets by itself (lock_timeout in Postgres's configuration).

A function that calls itself while it holds a `threading.Lock` waits for itself: the request never ends, and neither does any other that comes by.

Sources: redis-py and kazoo documentation of acquire; AWS Builders' Library, Timeouts, retries and backoff with jitter.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    INFO,
    MEDIUM,
    WARNING,
    Entry,
    Found,
    OnBusy,
    Place,
    Scope,
    Section,
    System,
    distinct,
    found,
    lock_name,
    rule,
    told,
    trail,
)

WAITED_FOR = {
    "http": "a request handler",
    "task": "a task",
    "periodic": "a periodic task",
    "consumer": "a message consumer",
}


@rule("CL111", severity=WARNING)
def unbounded_acquire(system: System) -> Iterator[Found]:
    for section in system.critical_sections(scopes=(Scope.DISTRIBUTED, Scope.DB_SESSION)):
        if section.lock.model.kind == "election" or section.skips_when_busy or section.escapes or not waits_for_ever(section):
            continue
        inner = system.inner(section)
        if inner is not None and waits_for_ever(inner) and waiting(system, inner):
            continue  # told where the wrapper takes it
        entries = waiting(system, section)
        if not entries and not section.is_async:
            continue
        who = WAITED_FOR[entries[0].kind] if entries else "a coroutine"
        yield found(
            f"{who} waits for {lock_name(section.lock)} without limit",
            at=section,
            because=[*distinct(trail(section), besides=section.acquired), *(told_entry(entry) for entry in entries[:2])],
            severity=WARNING if holds_up(system, section) else INFO,
            confidence=MEDIUM,
            help="Give the acquire a limit (blocking_timeout=, acquire(timeout=)) and answer 'busy' when it passes.",
        )
    yield from row_locks_in_coroutines(system)
    yield from taken_again(system)


def taken_again(system: System) -> Iterator[Found]:
    """A lock of the process that its function takes again, by calling itself while it holds it: it waits for itself for ever, and everybody behind it."""
    for section in system.critical_sections(scopes=(Scope.PROCESS,)):
        function, entries = system.function(section.symbol), waiting(system, section)
        if section.again is None or section.lock.type != "threading.Lock" or section.wait.kind == "seconds" or function is None or not entries:
            continue
        if function.place.line <= section.lock.made.line <= function.end_line and function.place.path == section.lock.made.path:
            continue  # each call has a lock of its own
        yield found(
            f"{WAITED_FOR[entries[0].kind]} waits for {lock_name(section.lock)} for ever where it comes here a second time: the lock is not reentrant, and held by the same thread",
            at=section,
            because=[(section.again, "the function calls itself here while it holds the lock"), *(told_entry(entry) for entry in entries[:1])],
            confidence=MEDIUM,
            help="Do it again in a loop, or call a function that expects the lock to be held; an RLock hides what is wrong with the order.",
        )


def row_locks_in_coroutines(system: System) -> Iterator[Found]:
    """Rows that a synchronous call locks in a coroutine: while another transaction holds them, the event loop stands still."""
    for section in system.critical_sections(scopes=(Scope.DB_TRANSACTION,)):
        if section.how != "row-lock" or not section.is_async or section.blocking is not True or not stops_the_loop(system, section):
            continue
        entries = waiting(system, section)
        if not entries or is_limited_by_the_server(system, section):
            continue
        yield found(
            f"a coroutine waits for {lock_name(section.lock)} with a synchronous call: as long as another transaction holds it, the event loop serves nobody",
            at=section,
            because=[told_entry(entry) for entry in entries[:2]],
            confidence=MEDIUM,
            help="Make the handler a plain function, which runs in a thread, or await an asynchronous session; and bound the wait: with_for_update(nowait=True) or SET LOCAL lock_timeout.",
        )


_RUNS = frozenset({"execute", "exec", "scalars", "scalar", "get", "get_one", "first", "one", "one_or_none", "all", "refresh"})


def stops_the_loop(system: System, section: Section) -> bool:
    """Whether the statement that locks is run by a call that is not awaited."""
    runs = [o for o in system.operations_in((section.symbol,)) if o.backend == "database-row" and o.call.rpartition(".")[2] in _RUNS and not o.call.startswith("sqlalchemy.Select.")]
    near = [o for o in runs if o.place.line >= section.acquired.line - 1]
    return bool(near) and not any(o.is_async for o in runs)


def is_limited_by_the_server(system: System, section: Section) -> bool:
    """Whether a statement of the function, or how the engine is made, ends the wait: lock_timeout, statement_timeout."""
    said = [a.text or str(a.value) for o in system.operations_in((section.symbol,)) for a in o.arguments]
    said += [a.text or str(a.value) for o in system.operations() if "engine" in o.call or o.call.endswith("connect") for a in o.arguments]
    return any("_timeout" in text or text.startswith("sqlite") for text in said)


def waiting(system: System, section: Section) -> list[Entry]:
    """The entry points whose callers wait with the section."""
    return [entry for entry in system.entries_reaching(section.symbol) if entry.kind in WAITED_FOR]


def holds_up(system: System, section: Section) -> bool:
    """Whether somebody is waiting outside, or the lock may be stuck for good. A worker that waits for its turn is what such a lock is for."""
    if section.lock.lifetime.kind == "never":
        return True
    asked = any(entry.kind == "http" for entry in system.entries_calling(section.symbol))
    return asked and not (section.lock.lifetime.kind == "seconds" and fills_cache(section))


def fills_cache(section: Section) -> bool:
    """Whether nothing is done but to fill a cache: who comes next finds the entry, or the lease has ended."""
    return bool(section.effects) and all(e.operation.backend == "django-cache" or e.operation.role == "cache" for e in section.effects)


def waits_for_ever(section: Section) -> bool:
    if section.blocking is False or section.lock.blocking is not True or section.wait.kind == "seconds":
        return False
    if section.wait.kind == "never" or section.lock.wait.kind == "never":
        return True
    return section.how == "with" and section.on_busy is OnBusy.BLOCKS and section.wait.place is None and told(section.wait) == "not known"


def told_entry(entry: Entry) -> tuple[Place, str]:
    return entry.place, f"reached from {entry.symbol.rpartition('.')[2]}() ({entry.reason})"
