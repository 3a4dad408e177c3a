r"""A lease or lock key is extended without checking that it is still ours.

Why: EXPIRE does not ask who holds the key. A holder whose lease ran out and whose key another process took keeps on prolonging the lock of that other
process: it believes to be the holder, the other does too, and neither lock ever ends. SET with a lifetime but without XX or a comparison even writes
its own name over the other's.

Instead: extend with the token compared in the same step: redis-py's `lock.extend()` and `lock.reacquire()`, a script that compares and calls PEXPIRE,
etcd's and Consul's keepalive. When it fails, stop the work.

Fine when: the comparison and the EXPIRE are one script or stand between WATCH and MULTI; the EXPIRE belongs to the acquire itself (then it is
not atomic, which is another finding); it is a leader's, and effects follow (that has a finding of its own, leader-without-fencing); the keepalive's failure ends the work.

A thread that extends a lock and ends with the first failure, with a line in the log and without a word to the one who works, is reported as well;
and one that keeps locks or a sign of life in Redis, and that the first error ends because nothing handles it.

So is a sign of life in a loop that only logs its failures, where others give the work away once it is missing.

So is an extension between pieces of work that fails into the same broad `except` as the work: the loop logs a failed piece, and goes on without the lock.

So is a loop beside the work whose renewal answers that the lease is gone, where that is only logged, or clears a flag that nobody reads who works.

Known misses: renewals of locks whose library answers by an event.

Sources: Redis documentation, Distributed Locks (extending the lock); redis-py documentation, Lock.extend.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Guard,
    Op,
    Outcome,
    Place,
    Section,
    System,
    blind_renewals,
    call_name,
    deaf_renewals,
    ended_by_error,
    ends_quietly,
    found,
    lease_changes,
    led_on,
    lock_name,
    rule,
    told,
    unchecked_renewals,
    unheard_renewals,
    unnoticed,
    words,
)


@rule("CL123", severity=WARNING)
def unsafe_renewal(system: System) -> Iterator[Found]:
    for renewal in unchecked_renewals(system):
        operation, section = renewal.operation, renewal.section
        if led_on(system, renewal) is not None:
            continue  # what a leader does behind it is told as a leader without fencing
        if section is not None:
            yield found(
                f"{call_name(operation)} prolongs {lock_name(section.lock)} whoever holds it: after its lease{_of(section)} it may be another's",
                at=operation,
                because=[(renewal.taken, "the lock is taken here")],
                confidence=HIGH if operation.op is Op.EXPIRE else MEDIUM,
            )
        elif renewal.made is not None:
            yield found(
                f"{call_name(operation)} prolongs the key of {call_name(renewal.made)} whoever holds it: once the lease has run out, that is another's lock",
                at=operation,
                because=[(renewal.taken, "the lock is made here; it knows its token")],
                help="Use the lock's own extend() or reacquire(), which compare the token, and stop the work when they fail.",
            )
    yield from ends_without_a_word(system)
    yield from ends_by_error(system)
    yield from passed_over(system)
    yield from beaten_on(system)
    yield from of_which_nobody_hears(system)
    yield from of_rows(system)
    yield from of_leases(system)
    for silent in unnoticed(system):
        told_of = silent.sign.ttl.told if silent.sign.ttl is not None else "its time"
        yield found(
            f"A sign of life that fails is only noted: once `{silent.sign.key_text or silent.sign.key}` has been missing for {told_of}, the work is given to another, while this process goes on with it",
            at=silent.sign,
            because=[
                (silent.guard.place, "whatever fails is logged here, and the loop goes on"),
                (silent.look.place, "the sign of life is looked for here"),
                (silent.given.place, "and the work is given away"),
            ],
            confidence=MEDIUM,
            help="Note when the last sign of life was written, and stop the work when that is as long ago as it lives.",
        )


def of_leases(system: System) -> Iterator[Found]:
    """Leases of Kubernetes that were one's own when they were read, and are prolonged whoever has taken them since."""
    for change in lease_changes(system):
        if change.how == "renew" and change.is_blind:
            yield found(
                f"{call_name(change.write)} prolongs the Lease without the version that was read: when another has taken it since, it prolongs that one's, and both believe to hold it",
                at=change.write,
                because=[(change.look.place, "whose it is was read here")],
                confidence=MEDIUM,
                help="Send metadata.resourceVersion of what was read along: the API server then answers 409 when the Lease has changed, and that means to stop.",
            )


def passed_over(system: System) -> Iterator[Found]:
    """Extensions between pieces of work whose failure is logged like that of any piece: the next one is done without the lock."""
    extensions = {o.place: o for o in system.operations(Op.EXTEND)}
    for section in system.critical_sections(distributed=True):
        for at in section.extended:
            extension = extensions.get(at)
            if extension is None or extension.outcome is not Outcome.DEAD or not extension.loop or section.checked or section.symbol != extension.symbol:
                continue
            handler = next((g for g in extension.guards if _sees_loss(g)), None)
            done = [*(e.chain[0] if e.chain else e.place for e in section.effects), *section.unresolved]
            if handler is None or not handler.next_lap or not any(d.line != at.line for d in done):
                continue
            yield found(
                f"{call_name(extension)} fails when {lock_name(section.lock)} is gone, and the failure is only logged: the loop goes on with the next piece of "
                "work without the lock",
                at=extension,
                because=[(handler.place, "whatever fails is logged here, and the loop goes on"), (section.acquired, "the lock is taken here")],
                confidence=MEDIUM,
                help="Extend outside of the `try` that is for the work, or catch the error of the lock first, and leave the loop.",
            )


def beaten_on(system: System) -> Iterator[Found]:
    """Extensions in a thread or task beside the work, whose failure is only logged: nobody tells the work that its lock is gone."""
    sections = list(system.critical_sections(distributed=True))
    for extension in system.operations(Op.EXTEND):
        handler = next((g for g in extension.guards if _sees_loss(g)), None)
        if extension.outcome is not Outcome.DEAD or extension.loop not in ("while", "forever") or handler is None or not (handler.next_lap and handler.only_notes):
            continue
        for start in system.started_at(extension.symbol):
            section = next((s for s in sections if s.lock.library == extension.library and s.acquired < start and s.effects and not s.checked and _is_in(system, s.symbol, start)), None)
            if section is not None:
                yield found(
                    f"{call_name(extension)} fails when {lock_name(section.lock)} is gone, and the failure is only logged: the work that it is extended for goes on without the lock",
                    at=extension,
                    because=[(handler.place, "whatever fails is logged here, and the loop goes on"), (start, "it runs beside the work from here on"), (section.acquired, "the lock is taken here")],
                    confidence=MEDIUM,
                    help="Set an event when the extension fails, and let the work look at it before each effect (or cancel the work).",
                )
                break


def _is_in(system: System, symbol: str, place: Place) -> bool:
    function = system.function(symbol)
    return function is not None and function.place.path == place.path and function.place.line <= place.line <= function.end_line


def _sees_loss(guard: Guard) -> bool:
    """Whether a handler catches what an extension raises: everything, or an error that names the lock."""
    names = {name.rpartition(".")[2] for name in guard.catches}
    return bool(names & {"*", "Exception", "BaseException"}) or any(words(name) & {"lock", "acquired", "owned", "redlock", "lease"} for name in names)


def of_rows(system: System) -> Iterator[Found]:
    """Leases in rows: prolonged whoever has the row, or prolonged in vain without anybody who stops the work."""
    for renewal, taken in blind_renewals(system):
        yield found(
            f"the lease on a row of {renewal.key} is prolonged by its id alone: once it has run out, that is another's",
            at=renewal,
            because=[(taken.place, "a row is taken here")],
            confidence=MEDIUM,
            help="Let WHERE name who has it (`claimed_by = :me`), and stop the work when the count is 0.",
        )
    for renewal, taken in deaf_renewals(system):
        noted = next(g.place for g in renewal.guards if g.only_notes)
        yield found(
            f"a renewal of the lease on a row of {renewal.key} that fails is only noted, for ever: with the database away for longer than the lease the work "
            "goes on beside the next owner's",
            at=renewal,
            because=[(noted, "whatever fails is logged here, and the loop goes on"), (taken.place, "the row is taken here, for a time")],
            confidence=MEDIUM,
            help="Note when the last renewal went well, and stop the work when that is as long ago as the lease.",
        )


def ends_without_a_word(system: System) -> Iterator[Found]:
    """A thread that extends a lock, and that the first failure ends while the work under the lock goes on."""
    for extension in system.operations(Op.EXTEND):
        end = ends_quietly(system, extension)
        if end is not None:
            yield found(
                f"The loop that extends the lock by {call_name(extension)} ends here with the first failure, and only the log is told: the lock ends while "
                "the work under it goes on",
                at=end.place,
                symbol=extension.symbol,
                because=[(end.call, "the renewal that fails"), (end.started, "the loop is started here, and nobody asks how it ends")],
                confidence=MEDIUM,
                help="Set a flag that the work looks at before each effect, or end the process; and try again while the lease still runs.",
            )


def ends_by_error(system: System) -> Iterator[Found]:
    """A thread that keeps locks or a sign of life, and that the first error of the store ends while the work goes on."""
    for renewal, (started, *way) in ended_by_error(system):
        yield found(
            f"The first error of the store ends the loop in the background that keeps up what {call_name(renewal)} writes: nothing handles it, nobody is told, and the lease ends "
            "while the work goes on",
            at=renewal,
            because=[(started, "the loop is started here, and nobody asks how it ends"), *((at, "and renews from here") for at in way[-3:])],
            confidence=MEDIUM,
            help="Handle the error inside the loop: try again while the lease still runs, and when it is over tell the work to stop, or end the process.",
        )


def of_which_nobody_hears(system: System) -> Iterator[Found]:
    """Renewals in a loop beside the work whose failure is told from success, and then kept from everybody who works."""
    for silent in unheard_renewals(system):
        if silent.told.flag:
            then = f"only changes `{silent.told.flag}`, which nobody reads who works under the lease"
        else:
            then = "only ends this loop, and the log is told" if silent.told.ends else "is only logged, and the loop goes on"
        yield found(
            f"A renewal that fails {then}: the lease taken by {call_name(silent.taken)} ends, another takes it, and the work here goes on beside the next holder's",
            at=silent.told.place,
            symbol=silent.told.symbol,
            because=[
                (silent.told.renewal, "the renewal that answers whether the lease is still held"),
                (silent.started, "its loop is started here, beside the work"),
                (silent.taken.place, "the lease is taken here"),
            ],
            confidence=MEDIUM,
            help="Stop the work when the renewal fails: end the process, cancel the tasks that were started under the lease, or clear a flag that each of them looks at before each effect.",
        )


def _of(section: Section) -> str:
    """How long the lease is, where the code says it."""
    return f" of {told(section.lock.lifetime)}" if section.lock.lifetime.seconds is not None else ""
