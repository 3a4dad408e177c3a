"""What a process does as the leader because a flag said so once, while only another thread would learn that it leads no more."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.contention import Led
from coordlint.coordination import Guard, Operation
from coordlint.guarding import sees_outage
from coordlint.models.schema import Late, Op
from coordlint.source import Place
from coordlint.system import System
from coordlint.wording import words

_LEADERS = frozenset({"leader", "leadership", "master", "primary", "elected", "election"})
_ELECTS = frozenset({"leader", "leadership", "election", "elected"})  # in the name of a class of records
_BEATS = frozenset({"heartbeat", "beat", "expire", "lease", "seen", "ping", "renewed", "until"})
_HOLDS = (Op.ACQUIRE, Op.EXTEND, Op.KEEPALIVE, Op.LEASE, Op.CAS, Op.EXPIRE, Op.CREATE)
_KEEPS = (Op.ACQUIRE, Op.EXTEND, Op.KEEPALIVE, Op.CAS, Op.EXPIRE, Op.WRITE, Op.SCRIPT, Op.EFFECT)
_ROLES = ("leader-election", "lock")
_ASIDE = frozenset("log event audit history metric stat heartbeat beat".split())  # what is only told
DEEPEST = 6  # calls from the look at the flag to what is done
MOST = 400  # functions that are gone through for one look


class Reign(msgspec.Struct, frozen=True):
    """What is done in a loop behind one look at a flag."""

    led: Led
    effect: Operation
    loop: Place
    way: tuple[Place, ...]  # the calls from the function of the look to the effect
    held: Operation  # how the lease is taken or kept that the flag speaks of


class Deaf(msgspec.Struct, frozen=True):
    """A failed renewal that is only noted, while the flag goes on to say that one leads."""

    renewal: Operation
    guard: Guard
    symbol: str  # the function with the handler
    led: Led
    effect: Operation


def is_lead_in_rows(operation: Operation) -> bool:
    """Whether a change of rows is of a leader's lease: what it says speaks of leaders, and of a time or a sign of life."""
    if operation.kind != "database" or operation.late in (Late.READ, Late.UNKNOWN):
        return False
    said = _said(operation)
    columns = words(" ".join(column for column, _ in (*operation.writes, *operation.compares)))
    return bool(said & _LEADERS and said & _BEATS) or bool(words(operation.key or "") & _ELECTS and columns & _BEATS)


def _said(operation: Operation) -> frozenset[str]:
    return words(" ".join(str(a.value) if isinstance(a.value, str) else a.text for a in operation.arguments)) | words(operation.key or "")


def reigns(system: System) -> Iterator[Reign]:
    """One for each look at a flag behind which a loop does what is harmful when late, without looking again."""
    for led in system.led():
        held = _lease(system, led)
        if held is None or held.symbol in system.runs(led.symbol) or _listens(system, held):
            continue  # whoever asks for the lease in the same round knows
        done = next(_effects(system, led), None)
        if done is not None:
            yield Reign(led, *done, held)


def deaf(system: System) -> Iterator[Deaf]:
    """One for each handler that hides from a leader that its lease could not be prolonged."""
    told: set[Place] = set()
    for led in system.led():
        kept = [] if led.timed else [o for o in _holds(system, led) if o.op in _KEEPS and not o.ephemeral]
        effect = next((o for o, _, _ in _effects(system, led, once=True)), None) if kept else None
        if effect is None:
            continue
        for renewal in kept:
            found = _hidden(system, renewal)
            if found is not None and found[0].place not in told and not _listens(system, renewal):
                told.add(found[0].place)
                yield Deaf(renewal, *found, led, effect)


def _hidden(system: System, renewal: Operation) -> tuple[Guard, str] | None:
    """The handler that catches what a failing renewal raises, where it does no more than log, in a loop that goes on; with its function."""
    todo = [(renewal.symbol, renewal.place, renewal.guards, bool(renewal.loop))]
    seen: set[str] = set()
    while todo and len(seen) < MOST:
        symbol, place, guards, again = todo.pop(0)
        function = system.function(symbol)
        seen.add(symbol)
        if function is not None and function.in_test:
            continue
        innermost = next((g for g in guards if sees_outage(g, renewal)), None)
        if innermost is not None and innermost.action != "raise":
            repeated = again or system.is_kept_up(place) or any(system.is_kept_up(at) for _, at in system.callers(symbol))
            if (innermost.only_notes or innermost.next_lap) and innermost.gives is None and repeated:
                return innermost, symbol
            continue
        todo += [(caller, at, system.guards_at(at), system.is_kept_up(at)) for caller, at in system.callers(symbol) if caller not in seen]
    return None


def _lease(system: System, led: Led) -> Operation | None:
    """How the class that keeps the flag takes or keeps its lease."""
    return min(_holds(system, led), key=lambda o: (o.late is Late.DELETE, o.place), default=None)


def _holds(system: System, led: Led) -> list[Operation]:
    own = [f.symbol for f in system.functions() if f.symbol.rpartition(".")[0] in led.owners]
    inside = sorted({symbol for f in own for symbol in system.runs(f)})
    return [o for o in system.operations_in(inside) if is_lead_in_rows(o) or _is_held(o)]


def _is_held(o: Operation) -> bool:
    """Whether it takes or keeps a lock or lease that others see, or changes on a condition what speaks of a leader or of a time."""
    if o.backend in ("process-local", "file-lock", "") or o.late is Late.READ:
        return False
    if o.ephemeral and o.op is Op.CREATE and o.key_words & _LEADERS:
        return True
    if (o.backend == "kubernetes-lease" and o.writes) or o.op in (Op.LEASE, Op.KEEPALIVE):
        return True
    return (o.op in _HOLDS and o.role in _ROLES) or (bool(o.conditional) and bool((_said(o) | o.symbol_words) & (_LEADERS | _BEATS)))


def _listens(system: System, held: Operation) -> bool:
    """A session's listener clears the flag at once."""
    return any({"LOST", "CONNECTED"} & set(c.listens_for) and c.unheard is None for c in system.clients(backend=held.backend))


def _effects(system: System, led: Led, *, once: bool = False) -> Iterator[tuple[Operation, Place, tuple[Place, ...]]]:
    """What is done behind a look, with the loop around it and the way there; `once`: also without a loop."""
    found: list[tuple[bool, Operation, Place, tuple[Place, ...]]] = []
    seen: set[tuple[str, bool]] = set()
    todo: list[tuple[tuple[str, ...], Place | None, tuple[Place, ...]]] = []
    for place, loop in led.calls:
        loop = loop or (place if once else None)
        todo.append((system.called_at(led.symbol, place), loop, (place,)))
        if loop is not None:
            found += ((not o.kind or o.kind == "database", o, loop, ()) for o in system.operations_in((led.symbol,)) if o.place == place and harms(o))
    while todo and len(seen) < MOST:
        callees, loop, way = todo.pop(0)
        for callee in callees:
            if (callee, loop is None) in seen or callee in led.asked or len(way) > DEEPEST:
                continue
            seen.add((callee, loop is None))
            for o in system.operations_in((callee,)):
                around = loop or system.lap(o.place)
                if around is not None and harms(o):
                    found.append((not o.kind or o.kind == "database", o, around, way))
            todo += [((further,), loop or system.lap(at), (*way, at)) for further, at in system.calls_from(callee)]
    yield from ((o, loop, way) for _, o, loop, way in sorted(found, key=lambda f: (f[0], len(f[3]), f[1].place)))


def harms(o: Operation) -> bool:
    """Whether it does harm beside a new leader's: what is written into a file here is nobody else's, and what is noted of the work does none."""
    if not o.harmful_late or o.conditional or o.token or o.kind == "file" or o.backend == "process-local" or o.in_test:
        return False
    said = o.key_words | words(o.symbol.rpartition(".")[2])
    return o.role not in ("leader-election", "membership", "metrics", "lock", "client") and not said & _ASIDE and not is_lead_in_rows(o)
