"""What a leader starts beside itself: loops that never look at the leadership again, while its renewal may hang for longer than its lease."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Client, Operation
from coordlint.models.schema import Op
from coordlint.reigning import harms
from coordlint.source import Place
from coordlint.system import System
from coordlint.unheard import Unheard, unheard_renewals
from coordlint.wording import words

_LEADERS = frozenset("leader leadership master primary election elect elected elector".split())
_FLEETING = ("redis", "etcd", "consul")
FARTHEST = 3  # calls between the lease and the function that starts the work


class Delegated(msgspec.Struct, frozen=True):
    """A loop that is started because this process leads."""

    start: Place
    symbol: str  # the function that starts it
    work: Operation  # what the loop does
    taken: Operation  # the lease
    client: Client | None  # whose calls may hang
    unheard: Unheard | None = None  # else: the renewal whose failure reaches nobody
    chosen: Place | None = None  # where what the acquire said is looked at, once


def delegated(system: System) -> Iterator[Delegated]:
    """One for each loop that is started behind a lease which is renewed elsewhere, through a client without a time limit."""
    clients = {c.place: c for c in system.clients(backend=_FLEETING)}
    told: set[Place] = set()
    for taken in system.operations(Op.ACQUIRE, Op.CREATE, backend=_FLEETING):
        client = clients.get(taken.client) if taken.client is not None else None
        leads = bool((taken.key_words | words(".".join(taken.symbol.split(".")[-3:]))) & _LEADERS)
        if client is None or client.timeouts or not leads or taken.ttl is None or taken.ttl.kind == "never":
            continue
        for above, at in _above(system, taken):
            for symbol, start in system.starts_in(above):
                work = _loops(system, symbol, taken) if start.line > at.line and start not in told else None
                if work is not None:
                    told.add(start)
                    yield Delegated(start, above, work, taken, client)


def never_told(system: System) -> Iterator[Delegated]:
    """Loops that are started because this process was chosen once, where a renewal that fails reaches nobody; one for each function that starts some."""
    tests = {(c.symbol, c.call): c.test for c in reversed(system.chosen())}
    told: set[tuple[str, Place]] = set()
    for silent in unheard_renewals(system):
        if not (silent.taken.key_words | words(".".join(silent.told.symbol.split(".")[-3:]))) & _LEADERS:
            continue
        own = {silent.told.symbol, *system.runs(silent.told.symbol)}
        for above, at in _above(system, silent.taken, silent.by):
            for symbol, start in system.starts_in(above):
                work = _loops(system, symbol, silent.taken) if start.line > at.line and symbol not in own and (above, at) not in told else None
                if work is not None:
                    told.add((above, at))
                    yield Delegated(start, above, work, silent.taken, None, silent, tests.get((above, at)))


def _above(system: System, taken: Operation, by: str = "") -> Iterator[tuple[str, Place]]:
    """The functions that take the lease, with the call in each that does; by a method of its own class, only those that call it."""
    todo, seen = [(by or taken.symbol, taken.place)], {by or taken.symbol}
    for _ in range(FARTHEST):
        yield from todo
        todo = [(caller, at) for symbol, _ in todo for caller, at in system.callers(symbol) if caller not in seen and not getattr(system.function(caller), "in_test", False)]
        seen |= {symbol for symbol, _ in todo}


def _loops(system: System, symbol: str, taken: Operation) -> Operation | None:
    """What a function does again and again that is harmful when late, where nothing in it asks for the lease or for a flag that says so."""
    inside = system.runs(symbol)
    done = list(system.operations_in(inside))
    looks = {s for led in system.led() for s in (led.symbol, *led.asked)}
    if looks & inside or any(o.backend == taken.backend and o.key == taken.key for o in done):
        return None
    again = (o for o in done if harms(o) and (o.loop in ("forever", "while") or _is_repeated(system, o, inside)))
    return min(again, key=lambda o: (not o.kind or o.kind == "database", o.op is Op.DELETE, o.place), default=None)


def _is_repeated(system: System, o: Operation, inside: frozenset[str]) -> bool:
    """Whether a loop without an end makes the call, or one on the way to it in these functions."""
    return system.is_kept_up(o.place) or any(system.is_kept_up(at) for symbol in inside if o.symbol in system.runs(symbol) for callee, at in system.calls_from(symbol) if o.symbol in system.runs(callee))
