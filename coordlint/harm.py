"""How plain the harm is that a stale holder of a lock does: what rules ask before they speak of it as more than a note."""

from __future__ import annotations

from coordlint.coordination import Effect, Operation, Outcome, Section
from coordlint.models.schema import Late, Op
from coordlint.wording import holes, words

UNSEEN = ("task", "message", "http", "remote", "search")  # what the receiver does with a second one stands elsewhere
LONG_LEASE = 600.0  # seconds: no pause of a process lasts so long, only work that itself takes it
MONEY = frozenset("balance billing charge invoice ledger order pay payment payout purchase refund trade transfer wallet withdraw withdrawal".split())


def is_concrete(operation: Operation) -> bool:
    """Whether the harm is plain: a second record, a second count, a lost change. A blind overwrite or delete may be meant to repeat."""
    overwritten = operation.kind == "object-store" and operation.late is not Late.DELETE
    return operation.reads_back is not None or overwritten or operation.late in (Late.APPEND, Late.ACCUMULATE, Late.EXTERNAL)


def is_repeatable(section: Section, operation: Operation) -> bool:
    """Whether a second one may do little harm: a request or a task whose receiver is not seen, a record of work that is skipped when busy."""
    if operation.kind in UNSEEN:
        return True
    return section.skips_when_busy and operation.reads_back is None and operation.late is Late.APPEND


def is_weighty(section: Section, effect: Effect) -> bool:
    """Whether a late or second effect is worth a warning: its harm is plain, and nothing makes it unlikely or small.

    Small: a record beside the lock, in the same store, unless it names money; what is skipped when the lock is busy, and asks
    for no correctness; a request whose receiver is not seen, unless it names money. Unlikely: ownership is asked for again on the way, or the lease outlasts every pause of a process.
    """
    operation = effect.operation
    if operation.kind == "payment":
        return True
    if section.asks_before(effect) or not is_concrete(operation) or is_long(section):
        return False
    if may_differ(section, operation) or (is_beside_lock(section, operation) and not names_money(section, operation)):
        return False
    if operation.kind in UNSEEN:
        return operation.late is Late.EXTERNAL and section.purpose.kind == "correctness" and names_money(section, operation)
    if is_repeatable(section, operation):
        return False
    return not section.skips_when_busy or operation.kind == "email" or section.purpose.kind == "correctness"


def may_differ(section: Section, operation: Operation) -> bool:
    """Whether every holder may write an object of its own: its whole key is a caller's, and the lock is not named for it."""
    if operation.kind != "object-store" or operation.key != "{}" or operation.reads_back is not None:
        return False
    return not set(operation.fillers) & set(holes(section.lock.key_text))


def is_beside_lock(section: Section, operation: Operation) -> bool:
    """Whether the record is in the store that grants the lock: what loses the one loses the other, and one script would do for both."""
    return bool(operation.backend) and operation.backend == section.lock.backend and operation.kind not in ("database", "payment")


def is_decided(section: Section, effect: Effect) -> bool:
    """Whether a conditional update whose outcome is looked at stands above it on the same way: that lets the second one no further."""
    if effect.operation.kind != "database":
        return False
    deciding = (e for e in section.effects if e.operation.op is Op.CAS and e.operation.kind == "database" and e.operation.outcome is Outcome.TESTED)
    return any(e.chain == effect.chain and e.place.path == effect.place.path and e.place < effect.place for e in deciding)


def is_behind_row_lock(section: Section, effect: Effect) -> bool:
    """Whether a row was locked on the same way, before a write to a database: its transaction lets no second one in."""
    if effect.operation.kind != "database":
        return False
    return any(_goes_before(locking, effect) for locking in section.row_locks)


def _goes_before(first: Effect, second: Effect) -> bool:
    """Whether both ways go together until one function in which the first stands above the second."""
    ways = zip((*first.chain, first.place), (*second.chain, second.place), strict=False)
    parted = next(((a, b) for a, b in ways if a != b), None)
    return parted is not None and parted[0].path == parted[1].path and parted[0] < parted[1]


def is_long(section: Section) -> bool:
    """Whether the lease is longer than a process is ever paused."""
    return section.lock.lifetime.kind == "seconds" and (section.lock.lifetime.seconds or 0) >= LONG_LEASE


def names_money(section: Section, operation: Operation) -> bool:
    """Whether the lock's key, the target or the function around it speaks of money."""
    return bool((words(section.lock.key_text) | operation.key_words | operation.symbol_words) & MONEY)
