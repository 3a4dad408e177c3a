r"""Work inside a lease that is finite and not renewed can take longer than the lease.

Why: the lease is a promise to others that the holder will be done by then. An HTTP call without a timeout, or with one as long as the lease, a program
that is started without a limit or a sleep breaks the promise on the first slow day: the lock ends, another enters, and both work.

A loop adds up: a call that may take 20 seconds outlasts a lease of five minutes when the loop goes over fifteen things and the partner is slow.

A task whose own time limit lies above the lease states the mistake in figures: it may run for 300 seconds under a lock of 120. A limit that lies
below the lease is a cure, but not in every pool: Celery's gevent pool passes over the soft limit, and eventlet, threads and solo over both.

A coroutine that calls blocking code itself stops the whole event loop, and with it the task that should renew a lease or give a sign of life: a program
of a minute outlasts a lease of fifteen seconds although something renews it.

A coordinator of tooz that is started without its heartbeat (which is the default), and to which nothing else sends one, renews neither its locks nor its memberships.

Instead: bound every step (`timeout=5` on the call) so that their sum stays well below the lease; or renew the lease while the work goes on
(`lock.extend`, `auto_renewal=True`, a watchdog) and check that it is still yours before each effect. A longer lease only makes it rarer.

Fine when: the lease is renewed, by the library or by hand; ownership is checked before the effect; the steps are bounded below the lease;
the task's time limit is the lease or less, and its workers enforce it; the key is never released and so only spaces out the runs.

An extension that sets what remains to a third of the lease or less, between pieces of work, shortens it: `extend(5)` of python-redis-lock and aioredlock
does not add 5 seconds, and redis-py's does not with replace_ttl=True.

It is a note where the limit is that of a task which calls what takes the lock, among other things. And where the lock has one constant key, whoever finds it busy leaves the work out, and nothing inside must not happen twice: then it keeps two runs
apart, and a run that overlaps now and then does what the next one would.

A loop of unknown length around calls that nobody knows is reported only where a sibling shows what is missing: the same wrapper, with renewal.

Known misses: loops are added up only around calls that leave the process and whose timeout is known; time limits of tasks that stand in the worker's configuration. requests has no timeout by default, nor has the receiving of a websocket; httpx has 5 seconds, aiohttp 5 minutes: other clients whose default is not
known are believed to be bounded.

Sources: Redis documentation, Distributed Locks (validity time; extending); requests documentation, Timeouts; Celery documentation, Time limits, and Concurrency with gevent.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    CALLERS_UP,
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Op,
    Operation,
    Place,
    Section,
    Severity,
    System,
    TaskLimit,
    call_name,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    starved,
    time_limit,
    told,
    too_long,
    too_often,
    trail,
    unenforced,
    words,
)

from ._without_heart import without_heart

SHORT = 1 / 3
"""Part of the lease: an extension to less was meant to add, not to cut."""

UNTIL_THE_END = ("tick", "run", "run_forever", "serve", "serve_forever", "loop", "main_loop", "mainloop")
GIVES_BACK = ("close", "stop", "shutdown", "__del__", "terminate", "cleanup")

MOST_TRUSTED = 3600
"""Seconds: who gives a lease of more has thought of how long the work takes."""


@rule("CL109", severity=WARNING)
def work_outlives_lease(system: System) -> Iterator[Found]:
    trusting: dict[Evidence, list[tuple[Section, TaskLimit]]] = {}
    for section in system.critical_sections(distributed=True):
        lease = section.lock.lifetime
        if (short := shortened(system, section)) is not None:
            yield by_its_extension(section, short)
            continue
        if (held := held_for_life(system, section)) is not None:
            yield held
            continue
        if lease.seconds is None or section.lock.model.renews or section.extended or asks_again(system, section):
            continue
        limit = time_limit(system, section.symbol)
        pool = unenforced(system, section.symbol, limit) if limit is not None else None
        if limit is not None and pool is None and limit.seconds <= lease.seconds:
            continue  # it is ended with its lease
        loud = INFO if only_spares_work(section) else WARNING
        is_part = limit is not None and time_limit(system, section.symbol, CALLERS_UP) is None  # the task does this among other things: its limit says little of it
        if slow := slowest(section, lease.seconds, loud):
            yield from slow
        elif not section.renewals and (rest := next(((at, seconds) for at, seconds in section.rests if seconds >= lease.seconds), None)) is not None:
            yield asleep(section, *rest, loud)
        elif section.renewals or lease.kind not in ("seconds", "unknown") or section.escapes or not section.releases:
            continue
        elif limit is not None and limit.seconds > lease.seconds and (section.effects or section.unresolved):
            yield longer_by_its_limit(section, limit, INFO if is_part else loud)
        elif limit is not None and pool is not None and section.unresolved:
            trusting.setdefault(Evidence(pool.place, f"the workers run in the pool {pool.option('--pool', '-P')}"), []).append((section, limit))
        elif section.laps and lease.seconds <= MOST_TRUSTED and (sibling := one_that_renews(system, section)) is not None:
            yield unlike_its_sibling(section, sibling)
        elif section.effects and lease.seconds <= MOST_TRUSTED and (handler := learns_late(system, section)) is not None:
            yield only_told_at_the_end(section, handler)
    for pool_evidence, sections in trusting.items():
        yield without_its_limit(pool_evidence, sections)
    yield from starves_the_loop(system)
    yield from without_heart(system)


def held_for_life(system: System, section: Section) -> Found | None:
    """A lock for a time that an object takes as it is made and gives back when it is closed, while it works until the process ends."""
    home, _, name = section.symbol.rpartition(".")
    lock = section.lock
    is_lease = lock.lifetime.kind not in ("never", "session") and not lock.model.renews and not lock.model.session_bound
    if name != "__init__" or not is_lease or section.how != "acquire" or section.extended or section.renewals or section.checked:
        return None
    own = [f for f in system.functions() if f.symbol.rpartition(".")[0] == home]
    works = next((f for f in own if f.symbol.rpartition(".")[2] in UNTIL_THE_END), None)
    inside = list(system.operations_in([f.symbol for f in own]))
    given = next((o for o in inside if o.op is Op.RELEASE and o.backend == lock.backend and o.symbol.rpartition(".")[2] in GIVES_BACK), None)
    if works is None or given is None or any(o.op in (Op.EXTEND, Op.EXPIRE, Op.KEEPALIVE, Op.CHECK) and o.backend == lock.backend for o in inside):
        return None
    return found(
        f"{lock_name(lock)} is taken once, as its object is made, and nobody renews its lease{_length(section)}, while the object works until the process ends: from then on nothing holds the place",
        at=section,
        because=distinct([Evidence(works.place, "this goes on for as long as the process lives"), Evidence(given.place, "the lock is given back here, at the end"), *trail(section)], besides=section.acquired),
        confidence=MEDIUM,
        help="Renew the lease in each round (`lock.extend`, `lock.reacquire`), well before it ends, and stop the work when that fails.",
    )


def _length(section: Section) -> str:
    return f" of {told(section.lock.lifetime)}" if section.lock.lifetime.seconds is not None else ""


def learns_late(system: System, section: Section) -> Place | None:
    """The handler for a lease that ran out, around all of the work: `except LockNotOwnedError`. Whoever wrote it has seen that the work takes longer: it goes over things of unknown number."""
    if section.how != "with" or section.checked or not (section.laps or any(e.each is not None for e in section.effects)):
        return None
    makes = (o for o in system.operations(Op.MAKE_LOCK, Op.ACQUIRE) if o.place in (section.acquired, section.lock.made) and o.symbol == section.symbol)
    guards = (g for o in makes for g in o.guards)
    return next((g.place for g in guards if any("owned" in words(name.rpartition(".")[2]) for name in g.catches)), None)


def only_told_at_the_end(section: Section, handler: Place) -> Found:
    last = max(section.effects, key=lambda e: (e.harmful_when_late, e.place))
    return found(
        f"the work under {lock_name(section.lock)} has no bound, and its lease of {told(section.lock.lifetime)} is not renewed: that it has run out is learned at the release, when "
        f"{effect_name(last.operation)} is done already",
        at=section,
        because=distinct([Evidence(handler, "a lease that ran out is expected here"), Evidence(last.place, "and this may be done without the lock"), *trail(section)], besides=section.acquired),
        confidence=MEDIUM,
        help="Extend the lease between the steps, and let an extension that fails end the work before anything is stored.",
    )


def starves_the_loop(system: System) -> Iterator[Found]:
    """Code that blocks, in a coroutine: the task that keeps a lease up waits in the same thread until it is done."""
    for stopped in starved(system):
        what = call_name(stopped.beat)
        done = [] if stopped.step == stopped.call else [Evidence(stopped.step, f"{stopped.what} {stopped.why}")]
        yield found(
            f"{stopped.what} {stopped.why} and blocks the event loop: the task that keeps `{stopped.beat.key_text or stopped.beat.key}` up for {stopped.lease:g} s stands still "
            "as long, and the lease ends while the work goes on",
            at=stopped.call,
            symbol=stopped.symbol,
            because=[*done, Evidence(stopped.beat.place, f"{what} has to come again every {stopped.lease:g} s, in the same loop")],
            confidence=MEDIUM,
            help="Do it in a thread (`await asyncio.to_thread(...)`), or with a call that the loop can wait for, and give it a time limit.",
        )


def only_spares_work(section: Section) -> bool:
    """Whether it keeps two runs of one thing apart, of which the second is left out: under one constant key, around nothing that must not happen twice."""
    is_one = bool(section.lock.key) and "{" not in (section.lock.key or "")
    return is_one and section.skips_when_busy and section.purpose.kind != "correctness" and not any(e.operation.kind in ("payment", "email") for e in section.effects)


def shortened(system: System, section: Section) -> Operation | None:
    """An extension between pieces of work that leaves much less than the lease was: it sets what remains, and adds nothing."""
    lease = section.lock.lifetime.seconds
    if lease is None or section.lock.model.renews or not (section.effects or section.unresolved):
        return None
    extensions = [o for o in system.operations(Op.EXTEND) if o.place in section.extended and o.loop and o.symbol == section.symbol]
    if not extensions or any(not _sets(o) or o.ttl is None or o.ttl.seconds is None or o.ttl.seconds > lease * SHORT for o in extensions):
        return None
    return extensions[0]


def _sets(extension: Operation) -> bool:
    """Whether an extension sets the remaining time; redis-py's adds to it unless it is told otherwise."""
    replaces = extension.argument("replace_ttl")
    return extension.library in ("python-redis-lock", "aioredlock") or (replaces is not None and replaces.value is True)


def by_its_extension(section: Section, extension: Operation) -> Found:
    remaining = extension.ttl.seconds if extension.ttl is not None else None
    return found(
        f"{call_name(extension)} sets what remains of the lease on {lock_name(section.lock)} to {remaining:g} s, from {told(section.lock.lifetime)}: "
        "from the second round of the loop on the work has only that long",
        at=extension,
        because=[Evidence(section.acquired, "the lock is taken here, for longer")],
        confidence=MEDIUM,
        help="Extend by the whole lease, which was chosen for the work.",
    )


def asks_again(system: System, section: Section) -> bool:
    """Whether the work asks if the lock is still held: what is asked first of all is only whether it was had."""
    known = {o.place: o for o in system.operations(Op.CHECK)}
    done = [*(e.chain[0] if e.chain else e.place for e in (*section.effects, *section.reads)), *section.unresolved]
    for check in section.checked:
        asked = known.get(check)
        if asked is None or check.path != section.path or (asked.loop and asked.loop != section.loop):
            return True
        if any(at.path == check.path and section.acquired.line < at.line < check.line for at in done):
            return True
    return False


def slowest(section: Section, lease: float, loud: Severity) -> list[Found]:
    """A step that may outlast the lease alone, or else one that a loop repeats."""
    reached = [effect for effect in (*section.effects, *section.reads) if not effect.renewed]
    slow = [(effect, why) for effect in reached if (why := too_long(effect.operation, lease))]
    slow = slow or [(effect, why) for effect in reached if (why := too_often(effect, lease))]
    if not slow:
        return []
    effect, why = min(slow, key=lambda pair: pair[0].place)
    said = found(
        f"{effect_name(effect.operation)} {why}, inside a lease of {told(section.lock.lifetime)} on {lock_name(section.lock)} that nobody renews",
        at=effect,
        because=[*distinct([*trail(section, effect), *repeated(effect)], besides=effect.place), *others(slow, effect)],
        severity=loud,
        confidence=MEDIUM,
    )
    return [said]


def asleep(section: Section, at: Place, seconds: float, loud: Severity) -> Found:
    """Pauses that alone last longer than the lease."""
    return found(
        f"the work under {lock_name(section.lock)} sleeps for {seconds:g} s here, and the lease ends after {told(section.lock.lifetime)} without renewal",
        at=at,
        symbol=section.symbol,
        because=[*distinct(trail(section), besides=at)],
        severity=loud,
        confidence=MEDIUM,
    )


def longer_by_its_limit(section: Section, limit: TaskLimit, loud: Severity) -> Found:
    """A task that may run longer than its lock lasts, by the limit on the task itself."""
    return found(
        f"the task may run for {limit.seconds:g} s ({limit.name}), and {lock_name(section.lock)} ends after {told(section.lock.lifetime)} without renewal: "
        "a second worker then works beside it",
        at=section,
        because=[Evidence(limit.place, f"the task's time limit, {limit.seconds:g} s"), *distinct(trail(section), besides=section.acquired)],
        severity=loud,
        confidence=MEDIUM,
        help=f"Let the task end before its lock does ({limit.name} below the lease), or renew the lease while it works.",
    )


def without_its_limit(pool: Evidence, sections: list[tuple[Section, TaskLimit]]) -> Found:
    """Tasks that would be ended with their leases, by workers that do not end tasks: one cause, one finding."""
    section, limit = sections[0]
    return found(
        f"{lock_name(section.lock)} ends after {told(section.lock.lifetime)} without renewal, and what should end the task by then ({limit.name}) is not "
        "enforced by the pool that its workers run in",
        at=section,
        because=[
            pool,
            Evidence(limit.place, f"the task's time limit, {limit.seconds:g} s"),
            *(Evidence(other.acquired, f"{lock_name(other.lock)} is left to its task's limit as well") for other, _ in sections[1:8]),
        ],
        confidence=MEDIUM,
        help="Renew the lease while the task works, or bound its steps by timeouts of their own; or run these tasks in the prefork pool, which ends them.",
    )


def one_that_renews(system: System, section: Section) -> Section | None:
    """Another section that takes the same kind of lock in the same way and has it renewed."""
    same = (s for s in system.critical_sections(distributed=True) if s.lock.made == section.lock.made and s.lock.via[:1] == section.lock.via[:1] != ())
    return next((s for s in same if s.lock.model.renews and s.symbol != section.symbol), None)


def unlike_its_sibling(section: Section, sibling: Section) -> Found:
    return found(
        f"the work under {lock_name(section.lock)} loops over things of unknown number, and its lease of {told(section.lock.lifetime)} is not renewed, "
        f"as that of {lock_name(sibling.lock)} is",
        at=section,
        because=[
            Evidence(section.laps[0], "this loop runs under the lock"),
            *distinct(trail(section), besides=section.acquired),
        ],
        confidence=MEDIUM,
    )


def repeated(effect: Effect) -> list[Evidence]:
    return [Evidence(effect.each, "this loop does it for things of unknown number")] if effect.each is not None else []


def others(slow: list[tuple[Effect, str]], first: Effect) -> list[Evidence]:
    return [Evidence(effect.place, f"{effect_name(effect.operation)} {why} as well") for effect, why in slow if effect is not first][:2]
