"""Calls of a store that stand beside a database which has decided already, or decides alone: their outage should cost no request."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Entry, Operation, Outcome
from coordlint.guarding import open_ways, sees_outage
from coordlint.models.schema import Late, Op
from coordlint.source import Place
from coordlint.system import System

_TELLS = (Op.WRITE, Op.CREATE, Op.INCREMENT, Op.SET_ADD, Op.QUEUE_PUT, Op.SCRIPT)
_OF_WORK = ("counter", "job-queue", "data-store", "membership", "task")  # what else is kept there may well be lost: caches, sessions, figures


class Beside(msgspec.Struct, frozen=True):
    """A call of a store in a request, which fails the request although the database is all that counts.

    `stored` and `committed`: what the database holds for good before the call. Else `decides`: the locked row, or the conditional write,
    by which the database decides after it.
    """

    call: Operation
    entry: Entry
    way: tuple[Place, ...]  # the calls from the entry to the failing one, outermost first
    stored: Operation | None = None
    committed: Operation | None = None
    decides: Operation | None = None


def beside_database(system: System, *backends: str) -> Iterator[Beside]:
    """The unguarded calls of these stores that a request makes after a new record is stored, or before the database decides without them."""
    handlers = {e.symbol: e for e in system.entries("http")}
    for call in system.operations(*_TELLS, Op.EFFECT, backend=backends):
        if (call.role not in _OF_WORK and call.kind != "task") or call.transaction or call.atomic == "transaction":
            continue
        ways = list(open_ways(system, call, handlers)) if handlers else []
        late = ((e, _last(system, call, way, symbols), symbols) for e, way, symbols in ways)
        after = next((Beside(call, e, way, *made) for e, way, symbols in late if (made := _stored(system, way, symbols))), None)
        if after is not None:
            yield after
        elif ways and call.outcome not in (Outcome.TESTED,) and (decides := _decides(system, call)) is not None:
            yield Beside(call, ways[0][0], ways[0][1], decides=decides)


def _last(system: System, call: Operation, way: tuple[Place, ...], symbols: tuple[str, ...]) -> tuple[Place, ...]:
    """The same way by the last call of each function on it where nobody sees the failure: one that asks twice may do so before and after."""
    places = list(way)
    for i, callee in enumerate(symbols[1:]):
        places[i] = max((at for caller, at in system.callers(callee) if caller == symbols[i] and not any(sees_outage(g, call) for g in system.guards_at(at))), default=way[i])
    return tuple(places)


def _stored(system: System, way: tuple[Place, ...], symbols: tuple[str, ...]) -> tuple[Operation, Operation] | None:
    """The new record that was stored before the call on a way, and what made it last: nearest to the call first."""
    if any(system.is_in_transaction(at) for at in way):
        return None  # a failure rolls it back
    for symbol, at in reversed(list(zip(symbols, way, strict=True))):
        before = [o for o in system.operations_in({symbol}) if o.place < at and not o.loop]
        rolled = [o for o in before if o.op is Op.ROLLBACK]
        made = [o for o in before if o.kind == "database" and o.op is Op.EFFECT and o.late is Late.APPEND and not o.transaction and not o.conditional]
        for commit in reversed([o for o in before if o.op is Op.COMMIT]):
            stored = next((o for o in reversed(made) if o.place < commit.place), None)
            if stored is not None and not any(commit.place < r.place for r in rolled if not r.guards):
                return stored, commit
        if made and made[-1].call.startswith("django."):
            return made[-1], made[-1]  # each statement is stored at once, where nobody opens a transaction
    return None


def _decides(system: System, call: Operation) -> Operation | None:
    """The locked row behind a call, by which its function decides; what the store answers decides nothing."""
    behind = [o for o in system.operations_in({call.symbol}) if o.place > call.place]
    locks = [o for o in behind if o.op is Op.ROW_LOCK]
    tested = [o for o in behind if o.op is Op.DB_READ and o.outcome is Outcome.TESTED]
    stored = any(o.op is Op.COMMIT for o in behind)
    return next((lock for lock in locks if stored and any(lock.place.line <= t.place.line <= lock.place.line + 6 for t in tested)), None)
