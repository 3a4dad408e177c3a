r"""SELECT ... FOR UPDATE before an insert of the row that may not exist yet, and no unique constraint that catches the race.

Why: FOR UPDATE locks the rows that it finds. When there is none, it locks nothing: two transactions both see no row, both insert, and the table has two. The
code reads as if the first had locked out the second. (Under MySQL's default isolation the gap is locked, and the two deadlock instead.)

Instead: a unique constraint and an insert that handles its refusal (`INSERT ... ON CONFLICT`, `get_or_create` on a unique field, IntegrityError), and only
then the row lock; or lock a row that exists for certain, such as the parent.

Fine when: a unique constraint stands and its error is handled; get_or_create; the inserted row belongs to another table than the locked one.

Known misses: a unique constraint that exists and whose error nobody handles is not told from none: it makes an error of the race, not a second row.

Sources: PostgreSQL documentation, explicit locking and INSERT ON CONFLICT; Django documentation, select_for_update and get_or_create.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    MEDIUM,
    WARNING,
    Effect,
    Found,
    Late,
    Section,
    System,
    distinct,
    effect_name,
    found,
    rule,
    trail,
)


@rule("CL120", severity=WARNING)
def row_lock_on_missing_row(system: System) -> Iterator[Found]:
    for section in system.critical_sections():
        insert = next((e for e in section.effects if section.how == "row-lock" and may_race(section, e)), None)
        if insert is None or is_only_computed(section):
            continue
        yield found(
            f"FOR UPDATE locks no row that is not there: two transactions can both come to {effect_name(insert.operation)}",
            at=section,
            because=distinct(trail(section, insert)[::-1], besides=section.acquired),
            confidence=MEDIUM,
        )


def may_race(section: Section, effect: Effect) -> bool:
    """An insert into the table whose row was looked for, that nothing refuses."""
    operation = effect.operation
    if operation.kind != "database" or operation.late is not Late.APPEND or effect.conditional or operation.conditional:
        return False
    return operation.key is not None and operation.key in tables(section)


def is_only_computed(section: Section) -> bool:
    """The query asks for a sum or a count, for which Django takes the lock off again: told as one that is never taken."""
    asked = [r.operation for r in section.reads if r.operation.row_lock is not None and r.operation.row_lock == section.acquired]
    return any(o.call.startswith("django.") and o.call.rpartition(".")[2] in ("aggregate", "aaggregate", "count", "acount") for o in asked)


def tables(section: Section) -> set[str]:
    """The table or model that the locking query reads: as its own key, or that of the read in the same statement."""
    same = (read.operation.key for read in section.reads if read.place.line == section.acquired.line)
    return {key for key in (section.lock.key, *same) if key}


EXAMPLES = r'''
=== bad: look for the row with a lock, insert it when it is missing
--- stock/models.py
from django.db import models

class Stock(models.Model):
    item = models.CharField(max_length=40)
    count = models.IntegerField(default=0)
--- stock/services.py
from django.db import transaction

from stock.models import Stock

def add(item, count):
    with transaction.atomic():
        row = Stock.objects.select_for_update().filter(item=item).first()  # finding: row-lock-on-missing-row
        if row is None:
            Stock.objects.create(item=item, count=count)
        else:
            row.count += count
            row.save()

=== bad: in SQL
--- stock.py
import psycopg2

db = psycopg2.connect("dbname=stock")

def add(item, count):
    with db:
        cur = db.cursor()
        cur.execute("SELECT count FROM stock WHERE item = %s FOR UPDATE", (item,))  # finding: row-lock-on-missing-row
        if cur.fetchone() is None:
            cur.execute("INSERT INTO stock (item, count) VALUES (%s, %s)", (item, count))

=== good: the record is made on the way that locks none
--- desk/models.py
from django.db import models

class Visit(models.Model):
    guest = models.CharField(max_length=40)
    done = models.BooleanField(default=False)
--- desk/services.py
from django.db import transaction

from desk.models import Visit

def arrive(guest, known):
    with transaction.atomic():
        if known:
            visit = Visit.objects.select_for_update().get(guest=guest)
        else:
            visit = Visit.objects.create(guest=guest)
        visit.done = True
        visit.save()

=== good: the constraint refuses, and the refusal is handled
--- stock.py
import psycopg2

db = psycopg2.connect("dbname=stock")

def add(item, count):
    with db:
        cur = db.cursor()
        cur.execute("SELECT count FROM stock WHERE item = %s FOR UPDATE", (item,))
        if cur.fetchone() is None:
            cur.execute("INSERT INTO stock (item, count) VALUES (%s, %s) ON CONFLICT DO NOTHING", (item, count))

=== good: get_or_create
--- stock/models.py
from django.db import models

class Stock(models.Model):
    item = models.CharField(max_length=40, unique=True)
    count = models.IntegerField(default=0)
--- stock/services.py
from django.db import transaction

from stock.models import Stock

def add(item, count):
    with transaction.atomic():
        row, created = Stock.objects.select_for_update().get_or_create(item=item)
        row.count += count
        row.save()

=== good: the parent is locked, a child is inserted
--- stock.py
import psycopg2

db = psycopg2.connect("dbname=stock")

def book(item, count):
    with db:
        cur = db.cursor()
        cur.execute("SELECT count FROM stock WHERE item = %s FOR UPDATE", (item,))
        if cur.fetchone()[0] >= count:
            cur.execute("INSERT INTO bookings (item, count) VALUES (%s, %s)", (item, count))
'''
