"""What is loaded and stored under a lock by some, and without it by others."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import MEDIUM, Found, Rework, System, found, words

from ._worth import SET_UP


def unguarded(system: System) -> Iterator[Found]:
    """One finding for each function that leaves out the lock which others hold around the same pair."""
    everywhere = list(system.reworks())
    held = {(w.loader, w.saver): (w, lock) for w in reversed(everywhere) if (lock := system.held_around(w)) is not None}
    held = {pair: of for pair, of in held.items() if _is_one_store(system, *pair)}
    left_out = [w for w in everywhere if (w.loader, w.saver) in held and system.held_around(w) is None and not _is_alone(system, w)]
    by_themselves = {(w.symbol, w.loader, w.saver) for w in left_out}
    told: set[str] = set()
    for work in left_out:
        callers = [c for c, _ in system.callers(work.symbol)]
        if work.symbol in told or (callers and all((c, work.loader, work.saver) in by_themselves for c in callers)):
            continue  # it is told of whoever calls it
        told.add(work.symbol)
        there, (taken, key) = held[work.loader, work.saver]
        loader, saver = (name.rpartition(".")[2] for name in (work.loader, work.saver))
        yield found(
            f"Loads by {loader}() and stores by {saver}() without the lock `{key}` under which others do the same: of two that do so at a time, one is overwritten, and the lock of the others does not help.",
            at=work.place,
            symbol=work.symbol,
            because=[(work.look, "loaded here"), (there.place, "stored here as well"), (taken, "under this lock")],
            confidence=MEDIUM,
            help="Take the same lock from before the load until after the store.",
        )


def _is_one_store(system: System, loader: str, saver: str) -> bool:
    """Whether both may be about the same store, as far as their stores are known: what is read from etcd and written to a file is a copy."""
    read, written = ({o.backend or o.kind for o in system.operations_in((f, *system.reached_from(f))) if o.backend or o.kind} for f in (loader, saver))
    return not read or not written or bool(read & written)


def _is_alone(system: System, work: Rework) -> bool:
    """Whether it is done once, or by one hand."""
    return bool(words(work.symbol) & SET_UP) or system.is_locked(work) or system.is_by_command(work.symbol)
