r"""A lock is acquired, work is done and the lock is released, but an exception in between skips the release.

Why: the release stands behind the work like any other statement. The first exception leaves the lock taken: until its lease ends where it has
one, for ever where it has none, and for a thread lock until the process is restarted. The failure that follows, everybody waiting, is far from its cause.
So it is with a flag in a store that turns away whoever finds it set ("running") and that the work sets back as its last step; and with a mark that says
that an event, a message or a request was dealt with, when it is set before the work: the delivery that comes again because the first one failed is turned away, and the work is lost.

Instead: `with lock:`, or `try:` right behind the acquire and the release in `finally:`.

Fine when: `with`, `try ... finally` or an ExitStack release it; the lock is handed on and released elsewhere; nothing releases it at all,
because a short lease is meant to run out (a debounce); a mark is deleted or written over where the work fails, is set behind the work, ends within an hour, or is about a notice; a lease of a minute at most ends a lock that nobody waits for and that only saves work; something else than the lock decides whether it is released early; the
release stands in an `except` as well as behind the work; a lock of one process, in a command that the exception ends.

It is a note where a lease of a minute at most ends a lock for which nobody waits.

Known misses: code between acquire and release that cannot raise is not told from code that can, beyond what is known to do nothing outside.

Sources: Python documentation, threading, "Using locks in the with statement"; redis-py documentation, Lock.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Op,
    Operation,
    Place,
    Scope,
    Section,
    System,
    distinct,
    effect_name,
    found,
    lock_name,
    lost_marks,
    rule,
    running_flags,
    told,
    trail,
)

MOST_CALLERS = 40
SHORT = 60.0  # seconds
EVERYTHING = frozenset({"Exception", "BaseException", "builtins.Exception", "builtins.BaseException", "*"})


@rule("CL108", severity=WARNING)
def lock_not_released_on_error(system: System) -> Iterator[Found]:
    reported: set[Place] = set()
    for section in system.critical_sections():
        if section.how != "acquire" or section.escapes or section.shares_fate or not section.releases:
            continue
        is_handled = any(release.on_error or release.only_on_error for release in section.releases)
        if section.releases[-1].chosen or heals_itself(section):
            continue
        risky = outside_of_its_handler(system, section) if is_handled else what_can_raise(system, section)
        if not risky or section.acquired in reported or ends_its_process(system, section):
            continue
        reported.add(section.acquired)  # an attribute that may hold one of several locks
        last = section.releases[-1]
        yield found(
            f"an exception between acquire and release leaves {lock_name(section.lock)} taken ({how_long(section)})",
            at=section,
            because=distinct([*risky[:2], Evidence(last.place, "and then this release is not reached"), *trail(section)], besides=section.acquired),
            severity=WARNING if (section.effects or section.reads) and not ends_soon(section) else INFO,
            confidence=HIGH if section.effects or section.reads else MEDIUM,
        )
    yield from flags_left_set(system)
    yield from marks_left_set(system)


def flags_left_set(system: System) -> Iterator[Found]:
    """A flag that keeps a second one from starting, taken back only where nothing goes wrong."""
    for flag in running_flags(system):
        ends = [o for o in (flag.ends, *system.same_key(flag.ends)) if o.symbol == flag.ends.symbol and o.op in (Op.WRITE, Op.DELETE)]
        before = [p for p in system.calls_of(flag.ends.symbol) if p < flag.ends.place and (flag.ends.symbol != flag.begins.symbol or p > flag.begins.place)]
        if not before or any(o.on_error for o in ends) or flag.begins.ttl is None or flag.begins.ttl.kind != "never":
            continue
        yield found(
            f'an exception before this leaves the flag "{flag.ends.key_text or flag.ends.key}" set: who asks next is turned away although nothing runs',
            at=flag.ends,
            because=[(before[0], "what is called here may raise"), (flag.begins.place, "set here"), (flag.look.place, "who finds it set is turned away here")],
            confidence=MEDIUM,
            help="Set it back in a `finally`, and let it expire for the case that the process is killed.",
        )


def marks_left_set(system: System) -> Iterator[Found]:
    """A mark that something was dealt with, which is set before the work and stays when the work fails."""
    for mark in lost_marks(system):
        claim, at = mark.claim, mark.way[0] if mark.way else mark.work.place
        steps = [Evidence(at, f"this may fail: {effect_name(mark.work)} is not done then")] + ([Evidence(mark.work.place, f"{effect_name(mark.work)} is lost")] if mark.way else [])
        yield found(
            f'"{claim.key_text or claim.key}" is marked as dealt with before the work is done, and nothing takes the mark back when the work fails: who tries again '
            f"is turned away ({_until(claim)})",
            at=claim,
            because=[*distinct(steps, besides=claim.place), *claim.origin],
            confidence=MEDIUM,
            help="Delete the mark where the work fails and raise again; or mark it as begun for a short time first, and as done for long only behind the work; "
            "or keep the mark in the transaction of the work (a unique column).",
        )


def _until(claim: Operation) -> str:
    return f"for {told(claim.ttl)}" if claim.ttl is not None and claim.ttl.seconds is not None else "for ever" if claim.ttl is None or claim.ttl.kind == "never" else "until it expires"


def heals_itself(section: Section) -> bool:
    """A short lease of a lock that nobody waits for, and that only saves work: whoever comes a minute later finds it gone."""
    return ends_soon(section) and section.purpose.kind == "performance"


def ends_soon(section: Section) -> bool:
    """A lease of a minute at most, for which nobody waits: who comes meanwhile leaves the work undone once."""
    lease = section.lock.lifetime.seconds
    return lease is not None and lease <= SHORT and section.skips_when_busy


def what_can_raise(system: System, section: Section) -> list[Evidence]:
    """The calls inside that leave the process, and so fail now and then; those whose body is not known as well."""
    reached = [e for e in (*section.effects, *section.reads) if not is_caught(system, section, e)]
    known = [Evidence(e.place, f"{effect_name(e.operation)} can raise") for e in reached]
    if not known and (section.effects or section.reads):
        return []
    return known or [Evidence(place, "this call can raise") for place in section.unresolved]


def outside_of_its_handler(system: System, section: Section) -> list[Evidence]:
    """The calls that stand before or behind the `try` whose handler gives the lock back; none where a `finally` does, or where that is not clear."""
    held = [(e.chain[0] if e.chain else e.place, e) for e in (*section.effects, *section.reads)]
    held = [(at, e) for at, e in held if at.path == section.path and at.line > section.acquired.line and not is_caught(system, section, e)]
    handlers = {g.place for at, _ in held for g in system.guards_at(at) if g.place.path == section.path}
    giving: set[Place] = set()
    if all(release.on_error or release.only_on_error for release in section.releases):
        return []
    for release in section.releases:
        fails = release.on_error or release.only_on_error
        above = max((h for h in handlers if h.line < release.place.line), default=None) if fails else None
        if release.chosen or (fails and above is None):
            return []
        giving |= {above} if above is not None else set()
    last = max(release.place for release in section.releases)
    bare = [(at, e) for at, e in held if at < last and not giving & {g.place for g in system.guards_at(at)} and not any(h.line < at.line <= r.place.line for h in giving for r in section.releases if r.on_error or r.only_on_error)]
    return [Evidence(at, f"{effect_name(e.operation)} can raise, outside of the `try`") for at, e in bare]


def is_caught(system: System, section: Section, effect: Effect) -> bool:
    """Whether a handler of everything stands around it and not around the release: what it raises ends before the release."""
    around = system.guards_at(effect.chain[0] if effect.chain else effect.place)
    ends_behind = system.guards_at(section.releases[-1].place)
    return any(g.goes_on and EVERYTHING & set(g.catches) and g not in ends_behind for g in around)


def ends_its_process(system: System, section: Section) -> bool:
    """Whether the lock goes with its process, or with the process's session: only commands come here, and nobody on the way handles what is raised."""
    if section.lock.model.scope is not Scope.PROCESS and not section.lock.model.session_bound:
        return False
    ends = ("command",) if section.lock.model.scope is Scope.PROCESS else ("command", "main")
    entries = system.entries_reaching(section.symbol)
    return bool(entries) and all(e.kind in ends for e in entries) and not is_survived(system, section.symbol)


def is_survived(system: System, symbol: str) -> bool:
    """Whether a handler of everything stands around a call on some way to a function."""
    todo, seen = [symbol], {symbol}
    while todo and len(seen) < MOST_CALLERS:
        for caller, at in system.callers(todo.pop()):
            if any(g.action not in ("raise", "exit") and EVERYTHING & set(g.catches) for g in system.guards_at(at)):
                return True
            if caller not in seen:
                seen.add(caller)
                todo.append(caller)
    return bool(todo)


def how_long(section: Section) -> str:
    match section.lock.lifetime.kind:
        case "seconds":
            return f"until its lease of {told(section.lock.lifetime)} ends"
        case "never":
            return "for ever"
        case "session":
            return "as long as its session or process lives"
        case _:
            return "until its lease ends, if it has one"
