"""A look-up decides whether to create or change a record, and nothing keeps the answer true until then.

Why: two requests that look at the same time both find nothing and both create the record: two accounts for one address, a coupon
used twice, a wallet whose first deposit the second creator overwrites. It takes no load, only a double click or a retry by the
client while the first request is still running.

Instead: let the store decide in one step: a unique constraint and its error handled (Django `get_or_create` over unique fields, SQL
INSERT ... ON CONFLICT DO NOTHING with the row count tested), Redis SET with nx=True or HSETNX, ZooKeeper `create` and NodeExistsError,
etcd `put_if_not_exists`. To spend from a balance: UPDATE ... WHERE balance >= :amount, and test the row count.

Fine when: a unique constraint's error is handled, the step is get_or_create or an upsert, or a lock is held around both.

Known misses: a look-up in one function and the creation in another; constraints that the database has and the code does not show
(so this is a preview).

Sources: Django documentation, get_or_create (atomic only with unique fields); CWE-367 (time-of-check time-of-use).
"""

import re
from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    LOW,
    MEDIUM,
    WARNING,
    Creation,
    Found,
    Late,
    Mutation,
    Op,
    Operation,
    Outcome,
    System,
    backend_name,
    call_name,
    effect_name,
    found,
    rule,
    words,
)

from ._once import done_once
from ._worth import DEAR, ORDERS

_CREATES = (Late.APPEND, Late.OVERWRITE, Late.ADD_MEMBER)
_NEW = re.compile(r"\buuid[14]\(|\btoken_(?:hex|bytes|urlsafe)\(")
_SET_UP = frozenset({"setup", "init", "initialize", "initialise", "install", "migrate", "upgrade", "bootstrap", "seed"})
_CACHED = frozenset({"cache", "cached", "memo", "tmp", "temp"})
_WORTH = DEAR | ORDERS | frozenset({"account", "email", "mail", "username", "phone", "membership", "vote", "enrollment", "enrolment", "seat", "slot"})
_ONLY_ONE = (
    "Declare the columns unique (a unique constraint, for ranges one of exclusion), and handle the error of the second one: then the database decides in one step. Where no "
    "constraint can say it, lock a row that both must pass (SELECT ... FOR UPDATE on the parent) before the query."
)
_LIMIT = "Lock a row that both must pass (SELECT ... FOR UPDATE on the parent) before counting, or count in the parent by UPDATE ... WHERE n < :most and test the row count."


@rule("CL507", severity=WARNING, preview=True)
def check_then_act(system: System) -> Iterator[Found]:
    checks: dict[str, list[Operation]] = {}
    for check in system.operations(Op.READ, Op.DB_READ):
        if check.outcome is Outcome.TESTED and check.key and check.backend not in COORDINATORS:
            checks.setdefault(check.symbol, []).append(check)
    for act in system.operations(Op.WRITE, Op.EFFECT, Op.CREATE, Op.SET_ADD):
        first = _decided_by(act, checks.get(act.symbol, []))
        if first is None or act.conditional or act.atomic or act.reads_back or system.is_locked(act) or _expires(system, act):
            continue
        yield found(
            f"{call_name(first)} decides whether `{act.key_text or act.key}` is created in {backend_name(act.backend)}: two callers at a time both do it.",
            at=first,
            because=[(act.place, "the answer may be old by the time it is used here"), *act.origin],
            confidence=MEDIUM,
        )
    for row in system.creations():
        if not (row.refused or row.guarded or row.locked or system.is_locked(row) or _is_prepared(row)) and _matters(system, row):
            yield _made_twice(system, row)
    for mutation in system.mutations():
        effect = done_once(system, mutation)
        if effect is not None and not (mutation.versioned or mutation.locked or system.is_locked(mutation) or _is_alone(system, mutation.symbol)):
            yield _done_twice(mutation, effect)
    for act in system.operations(Op.WRITE, backend=COORDINATORS, carried=True):
        if act.absent is None or act.conditional or act.atomic or act.ttl or _is_constant(act) or _is_setting_up(act) or system.is_locked(act):
            continue
        yield found(
            f"`{act.key_text}` is looked up in {backend_name(act.backend)} and then written because it was not there, with no condition on the write: two "
            "callers at a time both write it, and the first is lost.",
            at=act.absent,
            symbol=act.symbol,
            because=[(act.place, "the answer may be old by the time it is written here"), *act.origin],
            confidence=MEDIUM,
        )


def _made_twice(system: System, row: Creation) -> Found:
    name = row.type.rpartition(".")[2]
    by = ", ".join(row.columns)
    breaks = "from then on the query raises, because it finds two" if row.asks in _ONE else "both think it the only one"
    if row.state:
        told = f"A query by {by} decides whether one more {name} gets `{row.state}`, and nothing keeps that unique: two callers at a time both find none, and both get it."
    elif row.counts:
        told = f"How many rows of {name} there are for {by} decides whether one more is made: two callers at a time both make it."
    elif row.upsert:
        told = f"{row.asks} looks for a {name} by {by}, which nothing keeps unique: two callers at a time both make one, and {breaks}."
    else:
        told = f"A query by {by} decides whether a {name} is made, and nothing keeps that unique: two callers at a time both make one, and {breaks}."
    return found(
        told,
        at=row.look,
        symbol=row.symbol,
        resource=row.type,
        because=[(row.place, "looked for and made in two steps" if row.upsert else "the answer may be old by the time the row is stored here")],
        severity=WARNING if _worth(row) else INFO,
        confidence=LOW if row.refused is None or not system.entries_reaching(row.symbol) else MEDIUM,
        help=_LIMIT if row.counts else _ONLY_ONE,
    )


_ONE = frozenset({"get", "one", "one_or_none", "scalar_one", "scalar_one_or_none", "get_or_none", "get_or_create", "update_or_create"})
_ALONE = frozenset({"command", "main", "import", "periodic", "test"})


def _matters(system: System, row: Creation) -> bool:
    """Whether two may come there at a time, and a second row does harm: its name says so, or what asks for one breaks when it finds two."""
    kinds = {entry.kind for entry in system.entries_reaching(row.symbol)}
    if _is_alone(system, row.symbol):
        return False
    return _worth(row) or (row.asks in _ONE and not row.upsert and not (kinds and kinds <= _ALONE | {"task"}))


def _is_alone(system: System, symbol: str) -> bool:
    """Whether only commands, scripts and schedules lead there, which take turns."""
    kinds = {entry.kind for entry in system.entries_reaching(symbol)}
    return bool(kinds) and kinds <= _ALONE


def _done_twice(mutation: Mutation, effect: Operation) -> Found:
    return found(
        f"`{mutation.record}.{mutation.field}` is tested and then set, with neither row lock nor condition, to do it once: two at a time both pass, and {effect_name(effect)} is done twice.",
        at=mutation.read,
        symbol=mutation.symbol,
        resource=f"{mutation.type}.{mutation.field}",
        because=[(mutation.written, "the record is saved here"), (effect.place, "done here")],
        severity=WARNING if effect.kind == "payment" else INFO,
        confidence=MEDIUM,
        help="Set it by an update that expects the old state and test the row count (UPDATE ... WHERE NOT sent), or lock the row (SELECT ... FOR UPDATE) from the test to the commit.",
    )


def _worth(row: Creation) -> bool:
    return bool(words(f"{row.type.rpartition('.')[2]} {' '.join(row.columns)}") & _WORTH)


def _is_prepared(row: Creation) -> bool:
    """Whether it stands in code that runs once: a migration, a part of setting up."""
    return bool(words(row.symbol) & _SET_UP or "/migrations/" in row.place.path or "/versions/" in row.place.path)


def _is_constant(act: Operation) -> bool:
    """Whether all write the same: a flag."""
    given = [a.text.rpartition(".")[2] for a in act.arguments if a.name not in ("key", "path", "name")]
    return all(not text or text.isupper() or text[0] in "\"'0123456789" for text in given)


def _is_setting_up(act: Operation) -> bool:
    """Whether it stands in code that runs once."""
    return bool(words(act.symbol) & _SET_UP)


def _expires(system: System, act: Operation) -> bool:
    """A key that gets a time to live in a step of its own is filled again when it has ended, like one that is set with it."""
    return any(o.op is Op.EXPIRE and o.symbol == act.symbol for o in system.same_key(act))


def _decided_by(act: Operation, checks: list[Operation]) -> Operation | None:
    """The look-up of the same record before a creation; a fill of a cache is none."""
    if act.late not in _CREATES or (act.ttl is not None and act.ttl.kind == "seconds") or act.key_words & _CACHED:
        return None
    if _NEW.search(act.key_text or act.key or ""):
        return None  # a name that nobody else comes upon
    if act.backend != "redis":
        return None  # rows of databases are asked for with their columns
    for check in checks:
        same = check.backend == act.backend and check.key == act.key and check.key_text == act.key_text
        if same and check.place < act.place:
            return check
    return None


EXAMPLES = '''
=== bad: a wallet is made when it is not there, with a client of another module
--- shop/store.py
import redis

r = redis.Redis(host="redis")
--- shop/wallet.py
from shop.store import r


def open_wallet(user):
    if not r.exists(f"wallet:{user}"):  # finding: check-then-act
        r.hset(f"wallet:{user}", mapping={"balance": 0})

=== bad: a payment is recorded when none is there
--- shop/pay.py
from django.db import models


class Payment(models.Model):
    order = models.IntegerField()


def record(order):
    if not Payment.objects.filter(order=order).exists():  # finding: check-then-act
        Payment.objects.create(order=order)

=== bad: a store that promises to refuse a second one, behind a client of another module
--- depot/store.py
import consul

client = consul.Consul(host="consul")


def has(name):
    _, entry = client.kv.get(f"depot/{name}")
    return entry is not None


def add(name, text):
    if has(name):  # finding: check-then-act
        raise KeyError(name)
    client.kv.put(f"depot/{name}", text)

=== bad: the first member of a list writes it, through the functions of a store
--- depot/store.py
import etcd3

client = etcd3.client()


def fetch(name):
    return client.get(f"/depot/{name}")[0]


def put(name, text):
    client.put(f"/depot/{name}", text)
--- depot/crews.py
import json

from depot import store


def sign_on(ship, sailor):
    known = store.fetch(ship)  # finding: check-then-act
    if known is None:
        store.put(ship, json.dumps([sailor]))

=== good: all write the same flag, a part of setting up, what is there is written again
--- depot/store.py
import etcd3

client = etcd3.client()


def has(name):
    return client.get(f"/depot/{name}")[0] is not None


def put(name, text):
    client.put(f"/depot/{name}", text)
--- depot/crews.py
from depot import store

CLOSED = "closed"


def close(ship):
    if not store.has(ship):
        store.put(ship, CLOSED)


def setup(ship, crew):
    if not store.has(ship):
        store.put(ship, crew)


def rename(ship, crew):
    if store.has(ship):
        store.put(ship, crew)

=== good: a lock is held around the look-up and the write
--- depot/store.py
import etcd3

client = etcd3.client()


def has(name):
    return client.get(f"/depot/{name}")[0] is not None


def put(name, text):
    client.put(f"/depot/{name}", text)
--- depot/crews.py
from depot import store


def open_ship(ship, crew):
    with store.client.lock(f"ship-{ship}"):
        if not store.has(ship):
            store.put(ship, crew)

=== good: the key ends by itself, whoever fills it
--- tables.py
import redis

r = redis.Redis()


def remember(key, tables):
    if tables or r.exists(key):
        r.set(key, tables)
        r.expire(key, 600)

=== good: the error of the unique constraint is handled
--- shop/pay.py
from django.db import IntegrityError, models


class Payment(models.Model):
    order = models.IntegerField(unique=True)


def record(order):
    if not Payment.objects.filter(order=order).exists():
        try:
            Payment.objects.create(order=order)
        except IntegrityError:
            pass

=== good: get_or_create
--- shop/pay.py
from django.db import models


class Payment(models.Model):
    order = models.IntegerField(unique=True)


def record(order):
    return Payment.objects.get_or_create(order=order)

=== good: the store decides
--- shop/wallet.py
import redis

r = redis.Redis()


def open_wallet(user):
    if not r.set(f"wallet:{user}", 0, nx=True):
        raise RuntimeError("there already")

=== good: a cache is filled
--- shop/pages.py
import redis

r = redis.Redis()


def page(name, render):
    if not r.exists(f"page:{name}"):
        r.set(f"page:{name}", render(name), ex=60)

=== good: a name that is new each time, so that nobody else looks it up
--- shop/flush.py
import uuid

import redis

r = redis.Redis()


def flush(write):
    for key in r.scan_iter("pulls:*"):
        if ":taken:" in key:
            mine = key
            counted = r.hgetall(mine)
        else:
            mine = f"{key}:taken:{uuid.uuid4().hex}"
            r.rename(key, mine)
            counted = r.hgetall(mine)
        if not counted:
            continue
        write(counted)

=== good: a lock is held around both
--- shop/wallet.py
import redis

r = redis.Redis()


def open_wallet(user):
    with r.lock(f"lock:{user}", timeout=10, blocking_timeout=2):
        if not r.exists(f"wallet:{user}"):
            r.hset(f"wallet:{user}", mapping={"balance": 0})

=== good: a script
--- shop/wallet.py
import redis

r = redis.Redis()
OPEN = r.register_script("if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], 'balance', 0) end")


def open_wallet(user):
    OPEN(keys=[f"wallet:{user}"])
'''
