"""A lock is used so that a message or request is handled only once.

Why: a lock keeps two workers from handling the same message at the same time, not one after the other. Brokers deliver again
after a time-out, a lost acknowledgement or a restart, mostly when the lock has long been released or has expired, and the
payment is made a second time. The lock also says nothing about whether the first handling got through.

Instead: remember what has been done where the effect is: insert the message's id under a unique constraint in the same
transaction (INSERT ... ON CONFLICT DO NOTHING and test the row count), or send the id as idempotency key to the payment
provider or the API. No lock is needed then.

A key that remembers what was done, and ends a few seconds or minutes later, remembers it for no longer than the lock did.

Fine when: such a key or constraint is already checked inside; the lock only saves doubled work that does no harm. It is a note for callbacks and webhooks that
a task sends to others: they are sent until they get through.

Sources: Stripe API, Idempotent requests; Redis documentation, Distributed Locks (a lock expires, its holder may go on).
"""

from collections.abc import Iterator

from coordlint import (
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Entry,
    Found,
    Late,
    Op,
    Section,
    System,
    effect_name,
    found,
    is_concrete,
    lock_name,
    names_money,
    rule,
    told,
    words,
)

_ONCE = frozenset({"message", "msg", "event", "request", "webhook", "delivery", "idempotency", "notification", "operation", "callback"})
AGAIN_WITHIN = 3600.0
"""Seconds: Celery with Redis delivers again what was not acknowledged for an hour; RabbitMQ and SQS for half an hour and more, Kafka whenever a group starts over."""
_OUTWARD = frozenset({"callback", "webhook"})
_AGAIN = (Late.APPEND, Late.ACCUMULATE, Late.EXTERNAL)
_CHECKS = frozenset({"processed", "seen", "done", "handled", "duplicate", "dedup", "idempotency"})


@rule("CL210", severity=WARNING)
def lock_for_exactly_once(system: System) -> Iterator[Found]:
    for section in system.critical_sections(distributed=True):
        yield from _soon_forgotten(section)
        entry = _delivered(system, section)
        if not _names_message(section) or _is_recorded(section) or _guards_record(section):
            continue
        effect = next((e for e in section.effects if e.operation.late in _AGAIN and not _conditional(e)), None)
        if effect is None:
            continue
        told = [(entry.place, f"deliveries come in here: {entry.reason}")] if entry else []
        yield found(
            f"{lock_name(section.lock)[:1].upper()}{lock_name(section.lock)[1:]} is to make {effect_name(effect.operation)} happen once, "
            "but a second delivery after the release repeats it.",
            at=section,
            because=[(effect.place, "nothing here remembers that it was done"), *told],
            severity=INFO if _tells_others(section, effect, entry) else WARNING,
            confidence=HIGH if entry else MEDIUM,
        )


def _soon_forgotten(section: Section) -> Iterator[Found]:
    """What was done is remembered under a key that ends before a broker stops delivering again."""
    for mark in section.effects:
        note = mark.operation
        forgets = note.ttl is not None and note.ttl.kind == "seconds" and 0 < (note.ttl.seconds or 0) < AGAIN_WITHIN
        if not forgets or not note.stores or not note.fillers or not (note.key_words & _CHECKS):
            continue
        asked = next((r for r in section.reads if r.operation.key == note.key and r.operation.backend == note.backend), None)
        done = next((e for e in section.effects if e.operation.key != note.key and is_concrete(e.operation) and not _conditional(e)), None)
        if asked is None or done is None or not (names_money(section, done.operation) or section.purpose.kind == "correctness"):
            continue
        yield found(
            f"That {effect_name(done.operation)} was done is remembered for {told(note.ttl) if note.ttl else 'a while'}: a delivery after that does it again.",
            at=section,
            because=[(note.place, f"`{note.key_text or note.key}` is written here, and ends by itself"), (asked.place, "a second delivery asks for it here"), (done.place, "this is then done again")],
            confidence=MEDIUM,
            help="Keep the operation's id where the effect is, and for as long: under a unique constraint, or in the same transaction or script without an expiry.",
        )
        return


def _tells_others(section: Section, effect: Effect, entry: Entry | None) -> bool:
    """Whether a task of our own calls somebody back: such a call is made until it gets through, and its receiver has to know it when it comes twice."""
    said = words(".".join(section.symbol.split(".")[-2:])) | section_words(section)
    return entry is not None and entry.kind == "task" and effect.operation.kind == "http" and bool(said & _OUTWARD)


def section_words(section: Section) -> frozenset[str]:
    return words(section.lock.key_text or "")


def _names_message(section: Section) -> bool:
    """The lock's key is made from the id of a message or request."""
    key = section.lock.key_text or section.lock.key or ""
    return "{}" in (section.lock.key or "") and bool(words(key) & _ONCE)


def _guards_record(section: Section) -> bool:
    """Whether it is a record's lock, which is read, changed and written back under it: `event.seats -= 1`, for the event of a calendar."""
    named = words(section.lock.key_text or "")
    return any(e.operation.reads_back is not None and words(e.operation.key or "") & named for e in section.effects)


def _delivered(system: System, section: Section) -> Entry | None:
    kinds = ("consumer", "task", "http")
    return next((e for e in system.entries_reaching(section.symbol) if e.kind in kinds), None)


def _is_recorded(section: Section) -> bool:
    """Something inside already remembers: a conditional write, or a record of what was seen."""
    if any(_conditional(e) for e in section.effects):
        return True
    looked = [*section.reads, *section.effects]
    return any((e.operation.key_words | e.operation.symbol_words) & _CHECKS for e in looked if e.operation.op is not Op.ACQUIRE)


def _conditional(effect: Effect) -> bool:
    return bool(effect.conditional or effect.operation.conditional)


EXAMPLES = '''
=== bad: a lock on the message's id around a charge, taken by a helper of another module
--- pay/locks.py
import redis

r = redis.Redis()


def message_lock(message_id):
    return r.lock(f"message:{message_id}", timeout=60, blocking_timeout=1)
--- pay/consumer.py
import stripe
from celery import Celery

from pay.locks import message_lock

app = Celery("pay")


@app.task
def on_order(message_id, amount):
    with message_lock(message_id):  # finding: lock-for-exactly-once
        stripe.Charge.create(amount=amount, currency="eur")

=== bad: the key that remembers the transfer ends soon after the lock
--- purse/store.py
import redis

r = redis.Redis()
--- purse/transfer.py
from purse.store import r

LEASE = 10


def transfer(transfer_id, purse, amount):
    with r.lock(f"purse:{purse}:lock", timeout=LEASE, blocking_timeout=5):  # finding: lock-for-exactly-once
        if r.get(f"done:{transfer_id}"):
            return
        balance = int(r.get(f"purse:{purse}:balance"))
        r.set(f"purse:{purse}:balance", balance - amount)
        r.set(f"done:{transfer_id}", "1", ex=LEASE + 5)

=== good: it is remembered for a month
--- purse/transfer.py
import redis

r = redis.Redis()


def transfer(transfer_id, purse, amount):
    with r.lock(f"purse:{purse}:lock", timeout=10, blocking_timeout=5):
        if r.get(f"done:{transfer_id}"):
            return
        balance = int(r.get(f"purse:{purse}:balance"))
        r.set(f"purse:{purse}:balance", balance - amount)
        r.set(f"done:{transfer_id}", "1", ex=30 * 24 * 3600)

=== good: the lock of an event with seats, and not of a message
--- hall/models.py
from sqlalchemy import Column, Integer
from sqlalchemy.orm import declarative_base

Base = declarative_base()

class Event(Base):
    __tablename__ = "events"
    id = Column(Integer, primary_key=True)
    seats = Column(Integer)

class Booking(Base):
    __tablename__ = "bookings"
    id = Column(Integer, primary_key=True)
    event_id = Column(Integer)
--- hall/book.py
import redis
from sqlalchemy.orm import Session

from hall.models import Booking, Event

r = redis.Redis()

def book(db: Session, event_id):
    with r.lock(f"lock:event:{event_id}", timeout=10):
        event = db.query(Event).filter(Event.id == event_id).first()
        db.add(Booking(event_id=event_id))
        event.seats -= 1
        db.commit()

=== good: an idempotency key is sent
--- pay/consumer.py
import redis
import stripe
from celery import Celery

app = Celery("pay")
r = redis.Redis()


@app.task
def on_order(message_id, amount):
    with r.lock(f"message:{message_id}", timeout=60, blocking_timeout=1):
        stripe.Charge.create(amount=amount, currency="eur", idempotency_key=message_id)

=== good: a table of processed messages
--- pay/consumer.py
import redis
from celery import Celery
from sqlalchemy import create_engine, text

app = Celery("pay")
r = redis.Redis()
engine = create_engine("postgresql://db/pay")


@app.task
def on_order(message_id, amount):
    with r.lock(f"message:{message_id}", timeout=60, blocking_timeout=1):
        with engine.begin() as db:
            if db.execute(text("SELECT 1 FROM processed WHERE id = :i"), {"i": message_id}).first():
                return
            db.execute(text("INSERT INTO processed (id) VALUES (:i)"), {"i": message_id})
            db.execute(text("UPDATE account SET balance = balance - :a"), {"a": amount})

=== good: a lock on an account is no dedup of messages
--- pay/account.py
import redis
import stripe

r = redis.Redis()


def charge(account, amount):
    with r.lock(f"account:{account}", timeout=60, blocking_timeout=1):
        stripe.Charge.create(amount=amount, currency="eur")
'''
