r"""What the lock protects happens outside of it: the transaction commits after the release.

Why: until the commit nobody else sees the write. A lock that is released before, because it stands inside the transaction, lets the next holder read the
old row: both have held the lock, one after the other, and one update is lost all the same. The same happens when the statement that saves stands
behind the `with`.

Instead: turn them round: the lock outside, the transaction inside, so that the commit happens before the release. Or leave the lock to the
database: SELECT ... FOR UPDATE in the transaction is released by the commit.

Fine when: each statement commits by itself (autocommit) inside the section; the transaction begins and ends inside; the lock is handed on and
released later, or by the commit itself (`transaction.on_commit(lock.release)`). Where all that is done inside is deleting, and nobody else is known to take the lock, it is a note.

A transaction that Django opens around each request (`ATOMIC_REQUESTS` in the settings) counts like one that is written at the view.

Sources: Django documentation, transaction.atomic; PostgreSQL documentation, transaction isolation.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    INFO,
    WARNING,
    Effect,
    Evidence,
    Found,
    Late,
    Op,
    Operation,
    Scope,
    Section,
    System,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    trail,
)

ENDS = ("__exit__", "__aexit__", "release")


@rule("CL118", severity=WARNING)
def lock_scope_too_small(system: System) -> Iterator[Found]:
    for section in system.critical_sections(scopes=(Scope.DISTRIBUTED, Scope.DB_SESSION, Scope.PROCESS, Scope.HOST)):
        writes = [effect for effect in section.effects if effect.operation.kind == "database" and effect.harmful_when_late]
        if not writes or section.escapes or not section.releases or is_freed_by_commit(system, section):
            continue
        severity = INFO if only_deletes(writes) and not system.rivals(section) else ERROR
        if section.transaction and not any(effect.operation.op is Op.COMMIT for effect in section.effects):
            yield found(
                f"{effect_name(writes[0].operation)} is committed after {lock_name(section.lock)} was released: the transaction around the lock ends later",
                at=section,
                because=distinct([*opened(system, section), *trail(section, writes[0])[::-1]], besides=section.acquired),
                severity=severity,
                confidence=HIGH,
            )
            continue
        commit = commit_behind(system, section)
        if commit is not None:
            yield found(
                f"{effect_name(writes[0].operation)} is committed after {lock_name(section.lock)} was released, in line {commit.place.line}",
                at=section,
                because=[(commit.place, "the commit"), *distinct(trail(section, writes[0]), besides=section.acquired)],
                severity=severity,
                confidence=HIGH,
            )


def opened(system: System, section: Section) -> list[Evidence]:
    """Where the transaction around the lock begins: in this function, or around those who call it."""
    begun = [o.place for o in system.operations(Op.DB_TRANSACTION) if o.symbol == section.symbol and o.place < section.acquired]
    if begun:
        return [Evidence(begun[0], "the transaction begins here")]
    function = system.function(section.symbol)
    if function is not None and any("atomic" in d or "transaction" in d for d in function.decorators):
        return [Evidence(function.place, "the whole function is a transaction")]
    return [Evidence(at, "called here, inside a transaction") for _, at in system.callers(section.symbol)[:1]]


def is_freed_by_commit(system: System, section: Section) -> bool:
    """Whether the lock's own `__exit__` or release leaves it to the commit: `transaction.on_commit(self._release)`."""
    if not any(o.call.endswith("on_commit") for o in system.operations(tests=True)):
        return False
    places = {p for r in section.releases for p in (r.place, r.deed) if p is not None}
    ends = {
        f.symbol for f in system.functions()
        if any(f.place.path == p.path and f.place.line <= p.line <= f.end_line for p in places)
        or (f.symbol.rpartition(".")[2] in ENDS and f.class_name.rpartition(".")[2] in section.lock.via)
    } - {section.symbol}  # fmt: skip
    return any(o.call.endswith("on_commit") for symbol in ends for o in system.operations_in(system.reached_from(symbol)))


def only_deletes(writes: list[Effect]) -> bool:
    """Deleting what somebody else has deleted does nothing: it takes another holder, who writes, to lose anything."""
    return all(effect.operation.late is Late.DELETE for effect in writes)


def commit_behind(system: System, section: Section) -> Operation | None:
    """The commit that follows the section in the same function, when there is none inside it."""
    if any(effect.operation.op is Op.COMMIT for effect in section.effects):
        return None
    last = max(place.line for place in (*(e.place for e in section.effects if not e.chain), section.acquired))
    behind = [
        o for o in system.operations(Op.COMMIT)
        if o.symbol == section.symbol and o.kind in ("", "database") and o.backend == "database-row" and o.place.line > last
    ]  # fmt: skip
    return behind[0] if behind else None


EXAMPLES = r'''
=== bad: the lock stands inside the transaction
--- bank/locks.py
import redis

client = redis.Redis(host="redis")

def account_lock(pk):
    return client.lock(f"account:{pk}", timeout=10)
--- bank/services.py
from django.db import transaction

from bank.locks import account_lock
from bank.models import Account

def deposit(pk, amount):
    with transaction.atomic():
        with account_lock(pk):  # finding: lock-scope-too-small
            account = Account.objects.get(pk=pk)
            account.balance += amount
            account.save()
--- bank/models.py
from django.db import models

class Account(models.Model):
    balance = models.IntegerField()

=== good: a lock of the project that the commit gives back
--- bank/locks.py
import redis
from django.db import transaction

client = redis.Redis(host="redis")

class Held:
    def __init__(self, name):
        self.lock = client.lock(name, timeout=10)

    def __enter__(self):
        self.lock.acquire()
        return self

    def __exit__(self, *why):
        self.free()

    def free(self):
        transaction.on_commit(self.drop)

    def drop(self):
        self.lock.release()
--- bank/services.py
from django.db import transaction

from bank.locks import Held
from bank.models import Account

@transaction.atomic
def deposit(pk, amount):
    with Held(f"account:{pk}"):
        account = Account.objects.get(pk=pk)
        account.balance += amount
        account.save()
--- bank/models.py
from django.db import models

class Account(models.Model):
    balance = models.IntegerField()

=== bad: the commit stands behind the with
--- bank.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=bank")

def deposit(pk, amount):
    cur = db.cursor()
    with r.lock(f"account:{pk}", timeout=10):  # finding: lock-scope-too-small
        cur.execute("SELECT balance FROM accounts WHERE id = %s", (pk,))
        balance = cur.fetchone()[0]
        cur.execute("UPDATE accounts SET balance = %s WHERE id = %s", (balance + amount, pk))
    db.commit()

=== bad: each request is a transaction
--- bank/settings.py
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "ATOMIC_REQUESTS": True}}
--- bank/urls.py
from django.urls import path

from bank import views

urlpatterns = [path("deposit/", views.deposit)]
--- bank/views.py
import redis

from bank.models import Account

r = redis.Redis(host="redis")

def deposit(request):
    with r.lock(f"account:{request.user.pk}", timeout=10):  # finding: lock-scope-too-small
        account = Account.objects.get(pk=request.user.pk)
        account.balance += int(request.POST["amount"])
        account.save()
--- bank/models.py
from django.db import models

class Account(models.Model):
    balance = models.IntegerField()

=== good: the transaction stands inside the lock
--- bank/services.py
import redis
from django.db import transaction

from bank.models import Account

r = redis.Redis()

def deposit(pk, amount):
    with r.lock(f"account:{pk}", timeout=10):
        with transaction.atomic():
            account = Account.objects.get(pk=pk)
            account.balance += amount
            account.save()
--- bank/models.py
from django.db import models

class Account(models.Model):
    balance = models.IntegerField()

=== good: the commit stands inside
--- bank.py
import psycopg2
import redis

r = redis.Redis()
db = psycopg2.connect("dbname=bank")

def deposit(pk, amount):
    cur = db.cursor()
    with r.lock(f"account:{pk}", timeout=10):
        cur.execute("UPDATE accounts SET balance = balance + %s WHERE id = %s", (amount, pk))
        db.commit()

=== good: autocommit inside the section
--- bank/services.py
import redis

from bank.models import Account

r = redis.Redis()

def deposit(pk, amount):
    with r.lock(f"account:{pk}", timeout=10):
        account = Account.objects.get(pk=pk)
        account.balance += amount
        account.save()
--- bank/models.py
from django.db import models

class Account(models.Model):
    balance = models.IntegerField()

=== good: a row lock ends with the transaction
--- bank/services.py
from django.db import transaction

from bank.models import Account

def deposit(pk, amount):
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=pk)
        account.balance += amount
        account.save()
--- bank/models.py
from django.db import models

class Account(models.Model):
    balance = models.IntegerField()
'''
