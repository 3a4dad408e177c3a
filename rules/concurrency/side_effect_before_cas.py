"""An effect outside happens before the conditional write that decides who may do it.

Why: of two processes that come to the same record, the conditional write lets one through. When the mail is sent or the card is
charged before that write, both have done it by the time one of them is told that it lost; the store stays correct and the
customer pays twice. A retry after a conflict repeats the effect once more.

The same holds for what decides only when it is committed: a row whose state was set in memory, a message published or a stock in Redis raised, and
then the commit; a reservation made at another service, and then the insert of which a unique key refuses the second. When the commit fails, the
message comes again and finds the old state.
So it is with the record that an idempotency key leads to: one that is looked for before the work and made only after it stops the second delivery
that comes later, not the one that comes at the same time.

Instead: claim first, act then: write the new state on condition of the old one, test the outcome, and only the winner goes on. If the
effect can fail, record what is to be done in the same write (an outbox row) and let one worker do it with an idempotency key.

Fine when: the effect carries an idempotency key, only reads, or is undone when the claim fails; it is done first and only then noted, by the one worker of an
outbox: that is at-least-once on purpose.

Known misses: transactions that end with a `with` (Django's `atomic`): there `on_commit` is the cure. Counters are told by what their keys say (stock, seats, balance).

Sources: Stripe API, Idempotent requests; ZooKeeper, Data Model (conditional updates).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Late,
    Op,
    Operation,
    Outcome,
    Place,
    System,
    backend_name,
    call_name,
    effect_name,
    found,
    rule,
    words,
)

from ._early_effects import early_effects
from ._worth import is_record_of_requests

_OUTSIDE = ("payment", "email", "message", "http", "task")
_SENT = ("payment", "email", "http")  # what is told where a function is called that does it
_STORES = (*COORDINATORS, "redis", "memcached", "django-cache", "dynamodb")
_VERSION = frozenset({"version", "revision", "rev", "state", "status", "epoch", "fence"})
_DONE = frozenset({"processed", "handled", "seen", "sent", "done", "delivered"})  # words of keys that say that it was done
_REFUSALS = frozenset({"BadVersionError", "NodeExistsError", "NoNodeError", "ConditionalCheckFailedException", "ClientError", "EtcdCompareFailed", "PreconditionFailed"})


@rule("CL505", severity=WARNING)
def side_effect_before_cas(system: System) -> Iterator[Found]:
    effects = _effects(system)
    told: set[Place] = set()
    for update in system.operations(answered=True):
        before = [(at, e) for at, loop, e in effects.get(update.symbol, ()) if at < update.place and loop == update.loop]
        if not before or not _decides(update):
            continue
        at, effect = before[-1]
        if at in told or any(_decides(o) and o.place < at and o.symbol == update.symbol for o in system.operations(Op.CAS, Op.ACQUIRE, Op.TRANSACTION, answered=True)):
            continue  # claimed before; this one notes how it went
        told.add(at)
        store = backend_name(update.backend) if update.backend else "database"
        yield found(
            f"{effect_name(effect)} happens before the conditional {store} write that decides who may do it.",
            at=at,
            symbol=update.symbol,
            resource=effect.key,
            because=[*([(effect.place, "done here")] if effect.place != at else []), (update.place, f"{_called(update)} decides only here, and its outcome is looked at"), *_behind(system, update)],
            confidence=HIGH if effect.kind in ("payment", "email") and effect.place == at else MEDIUM,
        )
    yield from early_effects(system)
    yield from _late_notes(system)


def _effects(system: System) -> dict[str, list[tuple[Place, str, Operation]]]:
    """What each function does outside: with the call, itself or of a function that does nothing on condition, and the loop around it."""
    made: dict[str, list[tuple[Place, str, Operation]]] = {}
    deciding = {o.symbol for o in system.operations(Op.CAS, Op.ACQUIRE, Op.CREATE, Op.TRANSACTION, answered=True)}
    for operation in system.operations():
        if operation.kind not in _OUTSIDE or operation.late not in (Late.EXTERNAL, Late.APPEND) or operation.conditional:
            continue
        made.setdefault(operation.symbol, []).append((operation.place, operation.loop, operation))
        if operation.kind in _SENT and operation.symbol not in deciding:
            for caller, at in system.callers(operation.symbol):
                if at not in system.started_at(operation.symbol) and not system.is_looped(at):
                    made.setdefault(caller, []).append((at, "", operation))
    return {symbol: sorted(deeds, key=lambda d: (d[0], d[2].place)) for symbol, deeds in made.items()}


def _called(update: Operation) -> str:
    return f"{update.via[0].rpartition('.')[2]}()" if update.via else call_name(update)


def _behind(system: System, update: Operation) -> list[tuple[Place, str]]:
    """Where a function that was called makes the conditional write."""
    made = (o for o in system.operations(update.op) if update.via and o.symbol == update.via[-1] and o.call == update.call)
    return [(o.place, f"with {call_name(o)}") for o in made][:1]


def _late_notes(system: System) -> Iterator[Found]:
    """A record of what was done already, which is looked for before the work, and made on condition only after it."""
    for note in system.operations(Op.ACQUIRE, Op.CREATE, backend=_STORES):
        if not note.notes or not is_record_of_requests(note) or system.is_locked(note):
            continue
        look, work = note.notes
        yield found(
            f"The record `{note.key_text or note.key}` that says that this was done already is made only when it has been done: two deliveries at a time both find none, and both do it.",
            at=note,
            because=[(look, "the record is looked for here"), (work, "the work is done here"), *note.origin],
            confidence=MEDIUM,
            help="Claim the key first (SET NX with an expiry, a row with a unique key), do the work only as the one who made it, and put the result in the same place afterwards.",
        )


def _decides(update: Operation) -> bool:
    """A conditional write whose refusal leads another way: by its answer, or by an exception."""
    is_raised = any(c.rpartition(".")[2] in _REFUSALS and g.action in ("return", "raise", "retry", "exit") for g in update.guards for c in g.catches)
    if is_raised and (update.op is Op.CAS or update.conditional == "ConditionExpression"):
        return True
    if update.outcome not in (Outcome.TESTED, Outcome.RETURNED):
        return False
    if update.op is Op.TRANSACTION:
        return update.conditional == "compare"
    if update.op is Op.ACQUIRE:
        return bool(is_record_of_requests(update) or update.key_words & _DONE) and update.late is Late.CONDITIONAL
    if update.kind == "database":  # of a row's columns, those that say how far its work has come
        return bool(words(update.conditional) & _VERSION)
    return update.op is Op.CAS


EXAMPLES = '''
=== bad: charged, then claimed, with a client of another module
--- shop/store.py
import etcd3

etcd = etcd3.client(host="etcd")
--- shop/pay.py
import stripe

from shop.store import etcd


def pay(order, amount):
    stripe.Charge.create(amount=amount, currency="eur")  # finding: side-effect-before-cas
    if not etcd.replace(f"/orders/{order}", "open", "paid"):
        raise RuntimeError("already paid")

=== bad: the answer to a request is kept on condition, after the work
--- api/once.py
import functools
import json

from redis.asyncio import Redis


def idempotent(store: Redis, name):
    def around(handler):
        @functools.wraps(handler)
        async def once(message):
            key = f"idempotency:{name}:{message['id']}"
            kept = await store.get(key)
            if kept:
                return json.loads(kept)
            answer = await handler(message)
            if not await store.set(key, json.dumps(answer), nx=True, ex=86400):  # finding: side-effect-before-cas
                return json.loads(await store.get(key))
            return answer

        return once

    return around
--- api/pay.py
import stripe
from redis.asyncio import Redis

from api.once import idempotent


@idempotent(Redis(), "pay")
async def pay(message):
    return stripe.Charge.create(amount=message["amount"], currency="eur").id

=== good: the key is claimed before the work
--- api/once.py
import functools
import json

import redis

store = redis.Redis()


def idempotent(handler):
    @functools.wraps(handler)
    def once(message):
        key = f"idempotency:{message['id']}"
        kept = store.get(key)
        if kept:
            return json.loads(kept)
        if not store.set(f"{key}:running", "1", nx=True, ex=60):
            raise RuntimeError("somebody is at it")
        answer = handler(message)
        store.set(key, json.dumps(answer), nx=True, ex=86400)
        return answer

    return once

=== good: what is kept only saves work
--- pages/kept.py
import json

import redis

store = redis.Redis()


def rendered(page, render):
    kept = store.get(f"page:{page}")
    if kept:
        return json.loads(kept)
    made = render(page)
    if not store.set(f"page:{page}", json.dumps(made), nx=True, ex=600):
        return json.loads(store.get(f"page:{page}"))
    return made

=== good: claimed, then charged
--- shop/pay.py
import etcd3
import stripe

etcd = etcd3.client()


def pay(order, amount):
    if not etcd.replace(f"/orders/{order}", "open", "paying"):
        raise RuntimeError("already paid")
    stripe.Charge.create(amount=amount, currency="eur")

=== good: claimed in the database, charged, and then noted
--- shop/orders.py
import stripe

from shop.models import Order


def pay(order, amount):
    if not Order.objects.filter(pk=order, status="open").update(status="paying"):
        return
    stripe.Charge.create(amount=amount, currency="eur")
    if not Order.objects.filter(pk=order, status="paying").update(status="paid"):
        raise RuntimeError("somebody cancelled it")
--- shop/models.py
from django.db import models


class Order(models.Model):
    status = models.CharField(max_length=8)

=== good: with an idempotency key
--- shop/pay.py
import etcd3
import stripe

etcd = etcd3.client()


def pay(order, amount):
    stripe.Charge.create(amount=amount, currency="eur", idempotency_key=order)
    if not etcd.replace(f"/orders/{order}", "open", "paid"):
        raise RuntimeError("already paid")

=== good: it only asked
--- shop/pay.py
import etcd3
import requests

etcd = etcd3.client()


def pay(order):
    price = requests.get(f"https://prices.example/{order}", timeout=3).text
    if not etcd.replace(f"/orders/{order}", "open", price):
        raise RuntimeError("already paid")
'''
