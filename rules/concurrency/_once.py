"""What a record's flag is there for: something outside that is to happen once."""

from __future__ import annotations

from coordlint import Late, Mutation, Operation, System

_OUTSIDE = frozenset({"payment", "email", "message"})


def done_once(system: System, mutation: Mutation) -> Operation | None:
    """What cannot be taken back, and is done behind the test of a flag in the same function, or in functions that are called there.

    A state is tested for many reasons, so that behind one only a payment counts.
    """
    if not mutation.moved:
        return None
    kinds = _OUTSIDE if mutation.flag else {"payment"}
    own = [o for o in system.operations_in((mutation.symbol,)) if o.place > mutation.read]
    behind = [f for f in sorted(system.reached_from(mutation.symbol)) if any(c == mutation.symbol and p > mutation.read for c, p in system.callers(f))]
    below = [o for f in behind for o in system.operations_in((f, *sorted(system.reached_from(f))))]
    found = [o for o in (*own, *below) if (o.kind in kinds or (mutation.flag and o.call.endswith(".post"))) and o.late is not Late.READ and not o.conditional and not o.in_test]
    return min(found, key=lambda o: (o.kind != "payment", o.symbol != mutation.symbol, o.place), default=None)
