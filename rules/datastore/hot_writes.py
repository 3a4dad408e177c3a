"""A coordinator is written to in a tight loop, at an interval below a second, or in each round of a loop for each of many things.

Why: each write is a round of consensus with a disk flush on a majority of members, and the members do them one after another. One process that writes ten times a second takes a visible share of what the ensemble
can do at all, fills etcd's revision history until compaction, and wakes every watcher of the key each time.

Instead: write when something changes; keep liveness in a lease that is renewed each third of its time to live; put counters,
positions and progress in Redis, a database or a metrics system.

A loop over things of unknown number that pauses for a fraction of a second between two writes knows that they are many. One that does nothing but
make the same write, in order to bring a sequence forward, leaves a node behind for each round.

A loop without end that looks at many things, and writes down what it sees of each whether or not that has changed, costs a round of consensus for each
thing in each round; nearly all of them write what is there already, and wake the watchers for nothing.

Fine when: the loop waits a second or more, or for an event, a message or a command that it is given; what is written is compared with what was there; the key goes with a lease; it tries a conditional write again until it succeeds; it writes a few different keys.

Known misses: loops that are paced by a queue or a socket.

Sources: etcd documentation, Hardware recommendations (disk latency of a write); ZooKeeper, Best Practices.
"""

from collections import defaultdict
from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    Place,
    Restated,
    System,
    Time,
    backend_name,
    found,
    rule,
)

_MOST = 4  # other places that a finding names


@rule("CL305", severity=WARNING)
def hot_writes(system: System) -> Iterator[Found]:
    for write in system.operations(backend=COORDINATORS):
        if not write.stores or write.op is Op.CAS:
            continue
        yield from _rushed(system, write)
        pause = _interval(system, write)
        if pause is None or pause.place is None:
            continue
        yield found(
            f"Writes to {backend_name(write.backend)} every {pause.told}{_named(write)}.",
            at=write,
            because=[(pause.place, "the only pause in the loop"), *write.origin],
        )
    yield from _restated(system)


def _restated(system: System) -> Iterator[Found]:
    """What a loop sees of each thing is written in every round, as if it were new; once for each loop without end, whatever it writes."""
    plain = {o.place: o for o in reversed(tuple(system.operations(Op.WRITE)))}
    told: dict[Place, list[Restated]] = defaultdict(list)
    for again in system.restated():
        if again.write in plain:
            told[again.keeper].append(again)
    for again, *others in told.values():
        write = plain[again.write]
        yield found(
            f"Writes what it sees of each thing to {backend_name(write.backend)} in every round of a loop without end, whether or not it has changed.",
            at=again.place,
            symbol=again.symbol,
            because=[
                (again.loop, "once for each of these"),
                *((at, "the value goes on from here") for at in again.way),
                (write.place, "written here, and nothing on the way asks what was there"),
                *([(again.round, "the loop without end starts it here")] if again.round != again.place else []),
                *((other.place, "and the same loop writes here, likewise") for other in others[:_MOST]),
                *write.origin,
            ],
            confidence=MEDIUM,
            help="Keep the last value in memory, or read it, and write only when it differs.",
        )


def _rushed(system: System, write: Operation) -> Iterator[Found]:
    """The same write, again and again, by a loop that does nothing else: here, or around the call of a function that writes it."""
    if "{}" in (write.key or "{}"):
        return
    for place in (write.place, *(at for caller, at in system.callers(write.symbol) if caller != write.symbol and not write.loop)):
        loop = system.rush(place)
        if loop is not None:
            yield found(
                f"Writes to {backend_name(write.backend)} in each round of a loop that does nothing else{_named(write)}.",
                at=place,
                because=[(loop, "nothing waits in this loop, and nobody looks at what it gets"), (write.place, "what is written does not change"), *write.origin],
                confidence=MEDIUM,
                help="Start the number where it is needed: write the first value once, or keep an offset beside the sequence.",
            )
            return


def _interval(system: System, write: Operation) -> Time | None:
    """The pause between two writes, when it is known and shorter than a second."""
    known = (write.pause,) if write.loop == "for" and _is_one_of_many(system, write) else system.pauses(write)
    return next((p for p in known if p is not None and p.kind == "seconds" and p.seconds is not None and p.seconds < 1), None)


def _is_one_of_many(system: System, write: Operation) -> bool:
    """Whether a loop over things of unknown number makes it, a key for each; not one that tries again."""
    return write.loop == "for" and system.lap(write.place) is not None and bool(write.fillers) and not system.retries(write)


def _named(write: Operation) -> str:
    return f": `{write.key_text or write.key}`" if write.key else ""
