"""Marks in a store that say that an event, a message or a request was dealt with, set before that is done."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Operation, Outcome
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.system import System
from coordlint.wording import words

_STORES = ("redis", "django-cache", "memcached")
_CLAIMS = (Op.CREATE, Op.ACQUIRE, Op.SET_ADD)
_WITHDRAWS = (Op.DELETE, Op.RELEASE, Op.FORCE_RELEASE)
_SOON = 3600.0
"""Seconds: a mark that ends earlier keeps a burst down; whoever tries again later comes through."""

_MOST = 40  # functions that are asked for the work

_DONE = frozenset("processed handled consumed done completed delivered seen dedup dedupe deduplicate deduplication idempotency idempotent idempotence idem".split())
_OF = frozenset("event events webhook webhooks message messages msg delivery deliveries callback callbacks notification ipn".split())
_BRIEF = frozenset(
    "cooldown throttle throttled throttling rate limit limiter ratelimit debounce debounced alert alerts alerted warn warned warning remind reminder reminders notify notified "
    "lock locked mutex lease running busy progress cache cached nonce jti replay blacklist revoked presence online visit view views metric metrics heartbeat".split()
)
_RECORDS = ("database", "payment", "task", "message", "object-store")
_LASTING = (Op.EFFECT, Op.WRITE, Op.CREATE, Op.INCREMENT, Op.QUEUE_PUT, Op.PUBLISH, Op.COMMIT)
_CALLED = ("http", "task", "consumer", "periodic")


class Mark(msgspec.Struct, frozen=True):
    """A claim that whoever comes again is turned away by, and the work that it stands before."""

    claim: Operation
    work: Operation
    way: tuple[Place, ...] = ()  # the calls that lead from the function that claims, or its caller, to the work


def is_mark(system: System, operation: Operation) -> bool:
    """Whether a key says that something was dealt with: by its words, or those of the name that holds it; and is no limit, notice or lock."""
    named = {w for a in operation.arguments if a.name in ("key", "name", "") for m in a.mentions for w in words(m)}
    said = operation.key_words | named
    if (said | operation.symbol_words) & _BRIEF:
        return False
    return bool(said & _DONE) or bool(said & _OF and _is_served(system, operation))


def _is_served(system: System, operation: Operation) -> bool:
    return any(e.kind in _CALLED for e in system.entries_reaching(operation.symbol))


def lost_marks(system: System) -> Iterator[Mark]:
    """Marks that are set on condition, before work that leaves a record and may fail, and that nobody takes back."""
    asked = [o for o in system.operations(*_CLAIMS, backend=_STORES) if o.outcome in (Outcome.TESTED, Outcome.RETURNED) and not o.notes and not o.atomic]
    claims = (*asked, *_through_wrappers(system), *(write for _, write in two_steps(system)))
    for claim in sorted({o.place: o for o in claims}.values(), key=lambda o: o.place):
        if not claim.key or not is_mark(system, claim) or ends_soon(system, claim) or is_withdrawn(system, claim):
            continue
        found = _work_after(system, claim)
        if found is not None and not _is_answered(system, claim, found):
            yield found


def _through_wrappers(system: System) -> Iterator[Operation]:
    """Claims by a function of the project, under the key that its caller names."""
    made = {o.place: o for o in system.operations(*_CLAIMS, backend=_STORES)}
    for section in system.critical_sections(distributed=True, backend=_STORES):
        deed = made.get(section.lock.made)
        if deed is not None and section.lock.via and section.lock.by_hand and section.tested and not section.releases:
            yield msgspec.structs.replace(deed, place=section.acquired, symbol=section.symbol, key=section.lock.key, key_text=section.lock.key_text, outcome=Outcome.TESTED)


def two_steps(system: System) -> Iterator[tuple[Operation, Operation]]:
    """Marks that are looked for, and then set in a second step, before the work: the look, which turns away who finds one, and the write."""
    for look in system.operations(Op.READ, backend=_STORES):
        if look.atomic or not look.refuses or look.outcome is not Outcome.TESTED or not is_mark(system, look):
            continue
        same = sorted((o for o in system.same_key(look) if o.symbol == look.symbol), key=lambda o: o.place)
        for write in same if not any(o.op in (Op.CREATE, Op.ACQUIRE) or o.conditional for o in same) else ():
            if write.op not in (Op.WRITE, Op.SET_ADD) or write.place <= look.place or write.atomic or write.conditional or write.on_error:
                continue
            if not _works_between(system, look, write) and _work_after(system, write) is not None:
                yield look, write
            break


def _works_between(system: System, look: Operation, write: Operation) -> bool:
    """Whether the work is done between the two: then the mark notes that it was done."""
    first = _below(system, write, write.symbol, look.place)
    at = (first.way[0] if first.way else first.work.place) if first is not None else None
    return at is not None and at < write.place


def ends_soon(system: System, claim: Operation) -> bool:
    """Whether a mark ends by itself before what failed is likely to be tried again."""
    times = [claim.ttl, *(o.ttl for o in system.same_key(claim) if o.op is Op.EXPIRE)]
    return any(t is not None and t.seconds is not None and t.seconds < _SOON for t in times)


def is_withdrawn(system: System, claim: Operation) -> bool:
    """Whether anything takes the mark away again, or writes over it what went wrong: under its key, or beside it under a key that nobody knows."""
    if system.freed(claim.key) or any(o.op in _WITHDRAWS or (o.stores and o.on_error) for o in system.same_key(claim)):
        return True
    near = {claim.symbol, *(caller for caller, _ in system.callers(claim.symbol))}
    beside = (o for o in system.operations_in(sorted(near)) if o.backend == claim.backend and o.op in _WITHDRAWS)
    return any(o.key is None or not o.key_words for o in beside)


def _work_after(system: System, claim: Operation) -> Mark | None:
    """The first work that is done behind the claim: in its function, in what that decorates, or in a caller who asks it."""
    if claim.outcome is not Outcome.RETURNED and (found := _below(system, claim, claim.symbol, claim.place) or _decorated(system, claim)) is not None:
        return found
    todo, seen = [claim.symbol], {claim.symbol}
    while todo and len(seen) < _MOST:
        asked = todo.pop(0)
        heedless = system.unheeded(asked)
        for caller, at in system.callers(asked):
            if at in heedless or caller in seen or getattr(system.function(caller), "in_test", True):
                continue
            seen.add(caller)
            if (found := _below(system, claim, caller, at)) is not None:
                return found
            if len(system.calls_from(caller)) == 1 and not any(system.operations_in((caller,))):
                todo.append(caller)  # it only asks, under a key of its own
    return None


def _decorated(system: System, claim: Operation) -> Mark | None:
    """The work of a function whose decorator claims before it calls it."""
    value = claim.argument("value")
    if claim.op is Op.WRITE and (value is None or not value.literal):
        return None  # maybe the answer, which is kept behind the call
    makers = set(claim.symbol.split(".")[:-1])
    for function in system.functions() if "." in claim.symbol else ():
        if function.in_test or not makers & {name.rpartition(".")[2] for name in function.followed}:
            continue
        reached = sorted((o for o in system.operations_in(sorted(system.reached_from(function.symbol))) if _is_work(claim, o)), key=lambda o: o.place)
        if reached:
            return Mark(claim, reached[0], (function.place, *system.way(function.symbol, reached[0].symbol)))
    return None


def _below(system: System, claim: Operation, symbol: str, after: Place) -> Mark | None:
    here = sorted((o for o in system.operations_in((symbol,)) if o.place.path == after.path and o.place > after and _is_work(claim, o)), key=lambda o: o.place)
    if here:
        return Mark(claim, here[0])
    for callee, at in system.calls_from(symbol):
        if at.path != after.path or at <= after:
            continue
        reached = sorted((o for o in system.operations_in(sorted(system.reached_from(callee))) if _is_work(claim, o)), key=lambda o: o.place)
        if reached:
            return Mark(claim, reached[0], (at, *system.way(callee, reached[0].symbol)))
    return None


def _is_work(claim: Operation, o: Operation) -> bool:
    """Whether an operation leaves a record that somebody misses; marks of the same store are none."""
    return (o.kind in _RECORDS or (o.op is Op.COMMIT and o.backend == "database-row")) and o.op in _LASTING and not o.in_test and not o.on_error


def _is_answered(system: System, claim: Operation, mark: Mark) -> bool:
    """Whether a handler around the work writes down what failed, for somebody to do it again."""
    first = mark.way[0] if mark.way else mark.work.place
    handlers = [g.place for g in system.guards_at(first)]
    if not handlers:
        return False
    around = sorted({o.symbol for o in (claim, mark.work)} | {caller for caller, _ in system.callers(claim.symbol)})
    return any(o.on_error and (o.stores or o.op in (Op.QUEUE_PUT, Op.EFFECT)) for o in system.operations_in(around))
