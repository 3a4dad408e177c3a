"""Leases that are prolonged without a question whose they are, and what a leader does behind such a renewal."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Operation, Section
from coordlint.models.schema import Op
from coordlint.outage import ends_threads
from coordlint.source import Place
from coordlint.system import System
from coordlint.telling import sounds_like_lock
from coordlint.wording import words

_STORES = ("redis", "memcached", "django-cache")
_LEADERS = frozenset("leader leadership master primary election elect elected".split())
_LEADS = _LEADERS | {"scheduler", "beat", "cron", "singleton"}
_PROLONGS = frozenset("renew renewal extend refresh heartbeat keepalive prolong".split())
_HOLDS = frozenset("lock locks locking lease leases mutex beat alive sustain".split())
_WORK = ("job-queue", "data-store", "counter", "config")
_LOOKS = (Op.READ, Op.CHECK)


class Renewal(msgspec.Struct, frozen=True):
    """A command that prolongs the key of a lock, whoever holds it."""

    operation: Operation
    taken: Place  # where the lock is taken, or made
    section: Section | None = None  # of a lock made by hand
    made: Operation | None = None  # a library's lock, which could extend itself


def unchecked_renewals(system: System) -> Iterator[Renewal]:
    """Renewals beside the locks that they prolong, locks made by hand first; each once, however often its lock is taken."""
    told: set[Place] = set()
    for section in system.critical_sections(distributed=True, backend=_STORES):
        if not (sounds_like_lock(section.lock.key_text, section.symbol, *section.lock.via) or words(section.lock.key_text) & _LEADERS):
            continue
        if not section.lock.by_hand or section.lock.key in (None, "", "{}") or system.inner(section) is not None:
            continue
        for operation in system.operations(Op.EXPIRE, Op.WRITE, backend=section.lock.backend):
            if not (operation.key == section.lock.key or _is_handed(system, section, operation)) or _is_checked(system, operation) or _is_part_of_acquire(section, operation):
                continue
            if operation.op is Op.WRITE and (operation.ttl is None or operation.ttl.kind == "never" or _is_shorter(section, operation)):
                continue
            if operation.place not in told:
                told.add(operation.place)
                yield Renewal(operation, section.acquired, section=section)
    makes = list(system.operations(Op.MAKE_LOCK, backend="redis"))
    for expiry in system.operations(Op.EXPIRE, backend="redis"):
        made = None if _is_checked(system, expiry) else next((m for m in makes if _is_its_key(m, expiry)), None)
        if made is not None:
            yield Renewal(expiry, made.place, made=made)


def ended_by_error(system: System) -> Iterator[tuple[Operation, tuple[Place, ...]]]:
    """Renewals of locks, and signs of life, in a thread or task that the first failure of the store ends: with where it is started, and the calls on the way."""
    told: set[Place] = set()
    for renewal in system.operations(Op.EXTEND, Op.EXPIRE, Op.WRITE, backend=_STORES):
        if renewal.in_test or (renewal.op is not Op.EXTEND and not (_ends(renewal) and _is_about_holding(renewal))):
            continue
        way = next(ends_threads(system, renewal), None)
        if way is not None and way[0] not in told:
            told.add(way[0])
            yield renewal, way


def _ends(renewal: Operation) -> bool:
    return renewal.ttl is not None and renewal.ttl.kind in ("seconds", "unknown")


def _is_about_holding(renewal: Operation) -> bool:
    """Whether the words of a key, of its function or of its file are those of a lock, or of a sign of life."""
    said = renewal.key_words | renewal.symbol_words | words(renewal.place.path.rpartition("/")[2].removesuffix(".py"))
    return bool(said & (_PROLONGS | _HOLDS | _LEADERS)) or sounds_like_lock(renewal.key_text)


def _is_handed(system: System, section: Section, operation: Operation) -> bool:
    """Whether a function is given the lock's key, and no other, and prolongs it again and again: `Thread(target=keep, args=(key,))`."""
    if operation.key != "{}" or operation.meant != (section.lock.key_text,):
        return False
    return bool(operation.loop or system.started_at(operation.symbol) or operation.symbol_words & _PROLONGS)


def led_on(system: System, renewal: Renewal) -> Operation | None:
    """What a leader goes on to do behind a renewal that cannot tell it that it was deposed: the first effect that is harmful when late.

    A leader by the words of its lock or of the code that renews it. None for other locks, and where somebody looks at the key before.
    """
    operation = renewal.operation
    if not (operation.key_words | operation.symbol_words) & _LEADS:
        return None
    for symbol in (operation.symbol, *sorted({caller for caller, _ in system.callers(operation.symbol)})):
        inside = list(system.operations_in(system.runs(symbol)))
        if any(o.op in _LOOKS and _is_same_key(o, operation) for o in inside):
            return None
        effects = [o for o in inside if _is_work(o) and not _is_same_key(o, operation) and not _is_sent_with(o, operation)]
        if effects:
            return min(effects, key=lambda o: (o.symbol != symbol, not o.kind, o.place))
    return None


def _is_work(operation: Operation) -> bool:
    """Whether it is what one leads for, and no sign of life or lock of its own; done late, it does harm."""
    return operation.harmful_late and not operation.conditional and not operation.in_test and (bool(operation.kind) or operation.role in (None, *_WORK))


def _is_sent_with(operation: Operation, renewal: Operation) -> bool:
    return renewal.atomic == "pipeline" and operation.atomic == "pipeline" and operation.symbol == renewal.symbol


def _is_same_key(a: Operation, b: Operation) -> bool:
    """The same known key, or an argument of the same name: `self.lock_key` and `self.lock_key`."""
    if a.backend != b.backend:
        return False
    if a.key not in (None, "", "{}") and b.key not in (None, "", "{}"):
        return a.key == b.key
    first, second = (set(op.arguments[0].mentions) if op.arguments else set() for op in (a, b))
    return any("." in name for name in first & second)


def _is_shorter(section: Section, write: Operation) -> bool:
    """Whether what is put in the lock's place ends before the lock would have: it gives up, and prolongs nothing."""
    known = write.ttl.seconds if write.ttl is not None else None
    return known is not None and section.lock.lifetime.seconds is not None and known < section.lock.lifetime.seconds


def _is_checked(system: System, operation: Operation) -> bool:
    """Whether something compares the owner in the same step: a script, or a pipeline that watches. A plain pipeline only sends together."""
    if operation.atomic != "pipeline":
        return bool(operation.atomic or operation.conditional)
    watching = operation.unwatched is None and any(o.symbol == operation.symbol and o.call.endswith("Pipeline.watch") for o in system.operations(Op.WATCH, backend="redis"))
    return watching or bool(operation.conditional)


def _is_its_key(made: Operation, expiry: Operation) -> bool:
    """The same known key; else, in one file, an attribute of the same name that says that it is a lock's."""
    if made.key not in (None, "", "{}"):
        return made.key == expiry.key
    if made.place.path != expiry.place.path or not made.arguments or not expiry.arguments:
        return False
    names = [{m.rpartition(".")[2] for m in op.arguments[0].mentions if "." in m} for op in (made, expiry)]
    return any(sounds_like_lock(name) for name in names[0] & names[1])


def _is_part_of_acquire(section: Section, operation: Operation) -> bool:
    """An EXPIRE right behind the acquire gives the key its lifetime: not atomic, but no renewal."""
    near = 0 <= operation.place.line - section.acquired.line <= 3
    again = bool(operation.loop) and operation.loop != section.loop  # a loop behind the acquire prolongs it each time
    return operation.symbol == section.symbol and not again and (near or section.lock.lifetime.kind == "never")
