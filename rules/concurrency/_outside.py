"""What is done outside while a record is in hand: what its flag lets happen once, and what keeps it waiting before it is saved."""

from __future__ import annotations

import re

from coordlint import Late, Mutation, Op, Operation, Place, Rewrite, System, words

from ._worth import DEAR, MONEY, ORDERS

_ACTS = frozenset("submit order purchase buy charge pay send book refund transfer dispatch ship notify publish launch".split())
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
    said = {f for f in behind if words(f.rpartition(".")[2]) & _ACTS}  # by its name it does something to somebody, whatever method it is given
    sent = [o for f in sorted(said) for o in system.operations_in((f, *sorted(system.reached_from(f)))) if o.call.endswith(".request")]
    found = [o for o in (*own, *below) if (o.kind in kinds or (mutation.flag and (o.call.endswith(".post") or o in sent))) and (o.late is not Late.READ or o in sent) and not o.conditional and not o.in_test]
    return min(found, key=lambda o: (o.kind != "payment", o.symbol != mutation.symbol, o.place), default=None)


_SLOW = frozenset({"http", "remote", "payment", "subprocess"})


def waited_for(system: System, rewrite: Rewrite) -> tuple[Place, Operation] | None:
    """The conversation with somebody outside between the read and the save of a row, and where this function begins it."""
    lines = range(rewrite.read.line + 1, rewrite.place.line)
    for o in system.operations_in((rewrite.symbol,)):
        if o.kind in _SLOW and o.place.line in lines:
            return o.place, o
    for f in sorted(system.reached_from(rewrite.symbol)):
        at = next((p for c, p in system.callers(f) if c == rewrite.symbol and p.line in lines), None)
        if at is not None:
            slow = next((o for o in system.operations_in((f, *sorted(system.reached_from(f)))) if o.kind in _SLOW and not o.in_test), None)
            if slow is not None:
                return at, slow
    return None


_KIND = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
# A row that only tells of another one, or says how it is to be.
_TELLING = frozenset("template log logs event history audit setting settings config type category status note comment message notification".split())


def made_with(mutation: Mutation) -> tuple[Place, str] | None:
    """A row that is made when a record changes its state, of which a second one does harm: a payout, an entry of a ledger."""
    for at, symbol in mutation.move.makes if mutation.move is not None else ():
        name = symbol.rpartition(".")[2]
        if words(name) & (DEAR | MONEY | ORDERS) and not words(" ".join(_KIND.findall(name)[-1:])) & _TELLING:
            return at, name
    return None


def counted_with(system: System, mutation: Mutation) -> tuple[Place, str] | None:
    """What is counted up or down when a record changes its state, in the same function or in one that is called there: stock that is given back, a balance."""
    def follows(at: Place) -> bool:
        return at > mutation.read and (mutation.left is None or at.line <= mutation.left)

    behind = [f for f in sorted(system.reached_from(mutation.symbol)) if any(c == mutation.symbol and follows(p) for c, p in system.callers(f))]
    places = {mutation.symbol, *behind}
    rows = [
        (m.place, f"{m.record}.{m.field}")
        for m in system.mutations()
        if m.symbol in places and m.arithmetic and m.type != mutation.type and not m.since and (m.symbol != mutation.symbol or follows(m.place))
    ]
    keys = [
        (o.place, o.key_text or o.key or "a count")
        for o in system.operations_in(places)
        if o.op is Op.INCREMENT and o.key and not o.in_test and (o.symbol != mutation.symbol or follows(o.place))
    ]
    return min((*rows, *keys), key=lambda found: (found[0].path != mutation.place.path, found[0]), default=None)
