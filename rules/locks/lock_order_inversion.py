r"""Two locks are taken in both orders: one path takes the first and then the second, another the second and then the first.

Why: when both paths run at once, each can hold its first lock and wait for the other's. With locks that wait without limit they wait for ever; with leases they
wait until one of them runs out, and then both work. The two halves are often files apart, and each is harmless alone.

A transaction takes such locks without a word: each row that it updates is locked until it commits. A loop that counts shared rows up or down one by one,
in whatever order a query or a set gives them, takes the same rows in another order next time, and the database ends one of the two with an error.

Two statements do the same: the items of an order are deleted and then the order, while somebody else has locked the order and goes on to its items.

Instead: one order for all, everywhere, the record before what belongs to it, for example by name; for rows `order_by("pk")` or `sorted(...)` before the loop; or one lock for both; or a try-lock for the second, with everything let go when it fails.

Fine when: the same lock is entered again; the rows are visited in an order that is said, or under a lock; each update commits by itself; one of the acquires does not wait, or waits for a limited time and gives up; one lock is made by the very call that
takes it, so nobody else has it yet.

Known misses: cycles over three or more locks; two locks of one name pattern, such as two accounts, whose order depends on the arguments; rows that are locked in both orders without one FOR UPDATE, or by saving
objects one by one; loops over a collection that a caller passed.

Sources: PostgreSQL documentation, deadlocks; Python documentation, threading.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    RowOrder,
    Scope,
    Section,
    System,
    distinct,
    found,
    lock_name,
    rule,
    trail,
)


@rule("CL112", severity=WARNING)
def lock_order_inversion(system: System) -> Iterator[Found]:
    taken = {section.acquired: section for section in system.critical_sections() if waits(section)}
    orders: dict[tuple[str, str], tuple[Section, Section]] = {}
    for first in taken.values():
        for second in (taken[place] for place in first.nested if place in taken):
            names = first.lock.identity, second.lock.identity
            if is_one_lock(first) and is_one_lock(second) and names[0] != names[1] and not (is_fresh(system, first) or is_fresh(system, second)):
                orders.setdefault(names, (first, second))
    for names, (first, second) in orders.items():
        other = orders.get((names[1], names[0]))
        if other is None or other[0].acquired > first.acquired:
            continue  # told at the later of the two
        yield found(
            f"{lock_name(second.lock)} is taken under {lock_name(first.lock)} here, and elsewhere the other way round",
            at=second,
            because=distinct(
                [*trail(first)[:1], *trail(other[0])[:1], *trail(other[1])[:1]],
                besides=second.acquired,
            ),
            confidence=HIGH,
        )
    yield from rows_in_both_orders(system)
    for sweep, opened in system.sweeps():
        yield found(
            f"Shared rows are updated one by one in the order of `{sweep.over}`, which says none, within one transaction: two at a time can each hold a row that "
            "the other waits for",
            at=sweep.place,
            symbol=sweep.symbol,
            because=[(sweep.loop, "the loop that goes from row to row"), *([] if sweep.transaction else [(opened, "called inside a transaction here")])],
            confidence=MEDIUM,
        )


def rows_in_both_orders(system: System) -> Iterator[Found]:
    """Two related tables: here the rows that belong to a record and then the record, elsewhere the record under FOR UPDATE and then what belongs to it."""
    down = {(o.second, o.first): o for o in reversed(system.row_orders()) if o.said and not o.is_upwards}
    told: dict[tuple[str, str], list[RowOrder]] = {}
    for order in system.row_orders():
        if order.is_upwards and (order.first, order.second) in down:
            told.setdefault((order.first, order.second), []).append(order)
    for (child, parent), here in told.items():
        order, other = here[0], down[child, parent]
        yield found(
            f"Rows of {parent} are locked here after those of {child} in one transaction, and elsewhere the {parent} is locked first and then its {child}: "
            "two at a time on the same record can each wait for the other",
            at=order.second_at,
            symbol=order.symbol,
            because=[
                (order.first_at, f"the rows of {child} are locked here"),
                (other.first_at, f"the other way round: FOR UPDATE on {parent}"),
                (other.second_at, f"and then {child}"),
                *((place, "the same order as here") for place in sorted({more.second_at for more in here} - {order.second_at})[:2]),
            ],
            confidence=MEDIUM,
            help=f"Lock the {parent} first everywhere: SELECT ... FOR UPDATE on it at the begin of this transaction.",
        )


def waits(section: Section) -> bool:
    """Whether the acquire waits without limit: one that gives up lets go of the circle."""
    return bool(section.blocking) and section.wait.kind != "seconds" and section.can_fail is not True


def is_one_lock(section: Section) -> bool:
    """Whether two places that show the same lock do take the same: not where its name is unknown, or has holes."""
    lock = section.lock
    if not lock.identity or lock.model.kind == "semaphore":
        return False
    return lock.model.scope is Scope.PROCESS or (bool(lock.key) and "{" not in (lock.key or "{"))


def is_fresh(system: System, section: Section) -> bool:
    """Whether the function that takes an in-process lock has just made it: each call has one of its own."""
    function, made = system.function(section.symbol), section.lock.made
    if section.lock.model.scope is not Scope.PROCESS:
        return False
    return function is not None and made.path == function.place.path and function.place.line <= made.line <= function.end_line


EXAMPLES = r'''
=== bad: two thread locks, in two modules
--- shop/guards.py
import threading

STOCK = threading.Lock()
ORDERS = threading.Lock()
--- shop/orders.py
from shop.guards import ORDERS, STOCK

def place(order):
    with ORDERS:
        with STOCK:
            order.reserve()
--- shop/stock.py
from shop.guards import ORDERS, STOCK

def correct(item):
    with STOCK:
        with ORDERS:  # finding: lock-order-inversion
            item.correct()

=== bad: over a call, with locks in Redis
--- shop/orders.py
import redis

r = redis.Redis()

def place(order):
    with r.lock("orders", timeout=30):
        reserve(order)

def reserve(order):
    with r.lock("stock", timeout=30):
        order.reserve()

def correct(item):
    with r.lock("stock", timeout=30):
        refresh(item)

def refresh(item):
    with r.lock("orders", timeout=30):  # finding: lock-order-inversion
        item.refresh()

=== bad: stock is counted down row by row in the order of a query, in the transaction of another module
--- shop/models.py
from django.db import models


class Item(models.Model):
    stock = models.IntegerField(default=0)
--- shop/stock.py
from django.db.models import F

from shop.models import Item


def take(order):
    wanted = order.lines.filter(cancelled=False)
    for line in wanted:
        Item.objects.filter(pk=line.item_id).update(stock=F("stock") - line.number)  # finding: lock-order-inversion
--- shop/place.py
from django.db import transaction

from shop.stock import take


def place(order):
    with transaction.atomic():
        take(order)
        order.save()

=== bad: a set of tags
--- blog/tags.py
from django.db import models, transaction
from django.db.models import F


class Tag(models.Model):
    uses = models.IntegerField(default=0)


@transaction.atomic
def count(old, new):
    changed = set(new) - set(old)
    for name in {*changed}:
        Tag.objects.filter(name=name).update(uses=F("uses") + 1)  # finding: lock-order-inversion

=== bad: the items and then their basket, elsewhere the basket and then its items
--- shop/models.py
from django.db import models

class Basket(models.Model):
    total = models.IntegerField()

class Item(models.Model):
    basket = models.ForeignKey(Basket, on_delete=models.CASCADE)
    count = models.IntegerField()
--- shop/locks.py
from shop.models import Basket

def locked_baskets():
    return Basket.objects.order_by("pk").select_for_update(of=["self"])
--- shop/edit.py
from django.db import transaction

from shop.locks import locked_baskets
from shop.models import Item

def double(pk):
    with transaction.atomic():
        basket = locked_baskets().get(pk=pk)
        Item.objects.filter(basket=basket).update(count=2)
--- shop/sweep.py
from django.db import transaction

from shop.models import Basket, Item

def drop_items(pks):
    Item.objects.filter(basket_id__in=pks).delete()

@transaction.atomic
def sweep(pks):
    drop_items(pks)
    Basket.objects.filter(pk__in=pks).delete()  # finding: lock-order-inversion

=== bad: records that are saved one after the other, the item before its basket
--- shop/models.py
from django.db import models

class Basket(models.Model):
    total = models.IntegerField()

class Item(models.Model):
    basket = models.ForeignKey(Basket, on_delete=models.CASCADE)
    count = models.IntegerField()
--- shop/edit.py
from django.db import transaction

from shop.models import Basket, Item

def double(pk):
    with transaction.atomic():
        basket = Basket.objects.select_for_update().get(pk=pk)
        for item in Item.objects.filter(basket=basket):
            item.count = 2
            item.save()
--- shop/move.py
from django.db import transaction

from shop.models import Basket, Item

def move(pk, target):
    with transaction.atomic():
        item = Item.objects.select_for_update().get(pk=pk)
        item.basket_id = target
        item.save()
        basket = Basket.objects.get(pk=target)
        basket.total = basket.total + 1
        basket.save()  # finding: lock-order-inversion

=== good: the basket first, everywhere
--- shop/models.py
from django.db import models

class Basket(models.Model):
    total = models.IntegerField()

class Item(models.Model):
    basket = models.ForeignKey(Basket, on_delete=models.CASCADE)
    count = models.IntegerField()
--- shop/edit.py
from django.db import transaction

from shop.models import Basket, Item

def double(pk):
    with transaction.atomic():
        basket = Basket.objects.select_for_update().get(pk=pk)
        Item.objects.filter(basket=basket).update(count=2)
--- shop/sweep.py
from django.db import transaction

from shop.models import Basket, Item

def sweep(pks):
    with transaction.atomic():
        list(Basket.objects.select_for_update().filter(pk__in=pks).order_by("pk"))
        Item.objects.filter(basket_id__in=pks).delete()
        Basket.objects.filter(pk__in=pks).delete()

=== good: two transactions; the second order without FOR UPDATE; tables that do not belong together
--- shop/models.py
from django.db import models

class Basket(models.Model):
    total = models.IntegerField()

class Item(models.Model):
    basket = models.ForeignKey(Basket, on_delete=models.CASCADE)
    count = models.IntegerField()

class Visit(models.Model):
    count = models.IntegerField()
--- shop/edit.py
from django.db import transaction

from shop.models import Basket, Item, Visit

def double(pk):
    with transaction.atomic():
        basket = Basket.objects.select_for_update().get(pk=pk)
        Visit.objects.filter(pk=pk).update(count=2)

def reset(pk):
    with transaction.atomic():
        Basket.objects.filter(pk=pk).update(total=0)
        Item.objects.filter(basket_id=pk).update(count=0)
--- shop/sweep.py
from django.db import transaction

from shop.models import Basket, Item, Visit

def sweep(pks):
    with transaction.atomic():
        Item.objects.filter(basket_id__in=pks).delete()
    with transaction.atomic():
        Basket.objects.filter(pk__in=pks).delete()

def count(pks):
    with transaction.atomic():
        Visit.objects.filter(pk__in=pks).update(count=1)
        Basket.objects.filter(pk__in=pks).update(total=1)

=== good: rows in the order of their keys
--- shop/stock.py
from django.db import models, transaction
from django.db.models import F


class Item(models.Model):
    stock = models.IntegerField(default=0)


@transaction.atomic
def take(order):
    for line in order.lines.filter(cancelled=False).order_by("item_id"):
        Item.objects.filter(pk=line.item_id).update(stock=F("stock") - line.number)


@transaction.atomic
def give_back(order):
    for pk in sorted({line.item_id for line in order.lines.all()}):
        Item.objects.filter(pk=pk).update(stock=F("stock") + 1)

=== good: each update commits by itself
--- shop/stock.py
from django.db import models
from django.db.models import F


class Item(models.Model):
    stock = models.IntegerField(default=0)


def take(order):
    for line in order.lines.all():
        Item.objects.filter(pk=line.item_id).update(stock=F("stock") - line.number)

=== good: the rows come from a caller, who may have ordered them
--- shop/stock.py
from django.db import models, transaction
from django.db.models import F


class Item(models.Model):
    stock = models.IntegerField(default=0)


@transaction.atomic
def take(lines):
    for line in lines:
        Item.objects.filter(pk=line.item_id).update(stock=F("stock") - line.number)

=== good: the rows are locked in their order before
--- shop/stock.py
from django.db import models, transaction
from django.db.models import F


class Item(models.Model):
    stock = models.IntegerField(default=0)


@transaction.atomic
def take(order):
    lines = order.lines.all()
    list(Item.objects.select_for_update().order_by("pk").filter(line__order=order))
    for line in lines:
        Item.objects.filter(pk=line.item_id).update(stock=F("stock") - line.number)

=== good: one order everywhere
--- shop/orders.py
import threading

STOCK = threading.Lock()
ORDERS = threading.Lock()

def place(order):
    with ORDERS:
        with STOCK:
            order.reserve()

def cancel(order):
    with ORDERS:
        with STOCK:
            order.cancel()

=== good: the same lock is entered again
--- shop/orders.py
import threading

ORDERS = threading.RLock()

def place(order):
    with ORDERS:
        check(order)

def check(order):
    with ORDERS:
        order.check()

=== good: the second is only tried
--- shop/orders.py
import redis

r = redis.Redis()

def place(order):
    with r.lock("orders", timeout=30):
        with r.lock("stock", timeout=30):
            order.reserve()

def correct(item):
    with r.lock("stock", timeout=30):
        second = r.lock("orders", timeout=30)
        if not second.acquire(blocking=False):
            raise RuntimeError("busy")
        try:
            item.correct()
        finally:
            second.release()

=== good: a waiter is a lock of its own, held until somebody else wakes it
--- shop/queueing.py
import threading

MUTEX = threading.Lock()
WAITERS = []
ITEMS = []

def take():
    waiter = None
    while True:
        with MUTEX:
            if ITEMS:
                return ITEMS.pop()
            waiter = threading.Lock()
            waiter.acquire()
            WAITERS.append(waiter)
        waiter.acquire()

def work():
    item = take()
    with MUTEX:
        ITEMS.append(item)
'''
