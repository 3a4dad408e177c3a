r"""Two sections that change the same record take locks of different names, or a lock is released under another name than it was taken.

Why: a lock excludes only those who ask for the same name. Where one function locks `account:7` and the other `acct:7`, both change account 7 at once, and each
of them looks right by itself. A release under another name leaves the lock taken until it expires, and may free somebody else's.

Instead: one function that makes the name from the record's id, used by everybody who locks; or a row lock, which has no name to get wrong.

Fine when: the sections change different records, or each changes only those in a state in which the other leaves them; one lock stands around both. It is a note where a lock is named after something else than
the record, as the lock for a worker's turn is: the two may pick their records so that they never meet.

Known misses: records whose name is computed differently in the two places.

Sources: Redis documentation, Distributed Locks; PostgreSQL documentation, explicit locking.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Effect,
    Found,
    Op,
    Section,
    System,
    call_name,
    found,
    holes,
    lock_name,
    rule,
    sounds_like_lock,
    words,
)


@rule("CL119", severity=WARNING)
def mismatched_lock_key(system: System) -> Iterator[Found]:
    sections = [s for s in system.critical_sections(distributed=True) if s.lock.key and system.inner(s) is None]
    for section in sections:
        for other in sections:
            record = same_record(section, other)
            if record is not None and in_other_states(system, section, other, record):
                continue
            if record is not None and not is_shared_lock(sections, section, other):
                yield found(
                    f'"{record}" is changed under {lock_name(section.lock)} here and under {lock_name(other.lock)} elsewhere: they do not '
                    "exclude each other",
                    at=section,
                    because=[(other.acquired, f"{lock_name(other.lock)} is taken here for the same record")],
                    severity=INFO if is_about_another(section, record) or is_about_another(other, record) else WARNING,
                    confidence=MEDIUM,
                )
    known = {section.lock.key for section in sections}
    for section in sections:
        if section.releases or not section.lock.by_hand:
            continue
        for operation in system.operations(Op.DELETE, backend=section.lock.backend):
            is_near = operation.symbol == section.symbol and operation.place.line > section.acquired.line
            if not is_near or operation.key in known or not operation.key or not is_slip(section, operation.key):
                continue
            yield found(
                f'{call_name(operation)} frees "{operation.key_text}", and the lock was taken as "{section.lock.key_text}"',
                at=operation,
                because=[(section.acquired, f"{lock_name(section.lock)} is taken here")],
                confidence=HIGH,
            )


def same_record(section: Section, other: Section) -> str | None:
    """A record that both compute anew from what they read, under locks of different names; told once, at the later section."""
    if section.lock.key == other.lock.key or section.lock.backend != other.lock.backend or section.acquired <= other.acquired:
        return None
    records = {effect.operation.key for effect in other.effects if is_change(effect)}
    return next((e.operation.key for e in section.effects if is_change(e) and e.operation.key in records), None)


def in_other_states(system: System, one: Section, two: Section, record: str) -> bool:
    """Whether each changes only such records as the other does not: those that are idle, and those in progress."""
    return all(
        any(field == other and value != elsewhere for field, value in here for other, elsewhere in there)
        for here in found_in(system, one, record)
        for there in found_in(system, two, record)
    )


def found_in(system: System, section: Section, record: str) -> list[frozenset[tuple[str, str]]]:
    """The state in which each change of a record finds it, as far as it was tested on the way."""
    return [system.states_at((*e.chain, e.place), record) for e in section.effects if is_change(e) and e.operation.key == record]


def is_about_another(section: Section, record: str) -> bool:
    """Whether what fills the lock's name is not what fills the record's, here: the lock is somebody's turn, and not the record's own."""
    named = set(holes(section.lock.key_text))
    changes = [e for e in section.effects if is_change(e) and e.operation.key == record and not e.chain]
    return bool(named) and bool(changes) and all(named.isdisjoint(e.operation.fillers) for e in changes)


def is_change(effect: Effect) -> bool:
    return effect.operation.reads_back is not None and bool(effect.operation.key) and not effect.conditional


def is_shared_lock(sections: list[Section], one: Section, two: Section) -> bool:
    """Whether some lock stands around both changes."""
    return bool(locks_around(sections, one) & locks_around(sections, two))


def locks_around(sections: list[Section], one: Section) -> set[str | None]:
    changes = {effect.place for effect in one.effects if is_change(effect)}
    return {s.lock.key for s in sections if changes & {effect.place for effect in s.effects}}


def is_slip(section: Section, key: str) -> bool:
    """Whether a freed key looks like the taken one: a lock by its name, and a word in common."""
    taken = section.lock.key or ""
    return sounds_like_lock(key) and sounds_like_lock(taken) and bool((words(key) & words(taken)) - {"lock"})


EXAMPLES = r'''
=== bad: two names for the lock of one account, in two modules
--- bank/deposit.py
import redis

r = redis.Redis()

def deposit(pk, amount):
    with r.lock(f"account:{pk}", timeout=10):
        balance = int(r.get(f"balance:{pk}"))
        r.set(f"balance:{pk}", balance + amount)
--- bank/withdraw.py
import redis

r = redis.Redis()

def withdraw(pk, amount):
    with r.lock(f"acct:{pk}", timeout=10):  # finding: mismatched-lock-key
        balance = int(r.get(f"balance:{pk}"))
        r.set(f"balance:{pk}", balance - amount)

=== bad: taken under one name, freed under another
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if not r.set("lock:invoices:run", "1", nx=True, ex=600):
        return
    try:
        job.run()
    finally:
        r.delete("lock:invoices")  # finding: mismatched-lock-key

=== bad: the type of an event says nothing of the state of the record
--- work/store.py
import json

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def load(name):
    return json.loads(zk.get(f"/work/{name}")[0])
--- work/take.py
import json

from work.store import load, zk


def take(name, me, event):
    with zk.Lock(f"/locks/take/{name}", me):
        piece = load(name)
        if event["type"] == "take":
            zk.set(f"/work/{name}", json.dumps({**piece, "by": me}).encode())


def give_back(name, me, event):
    with zk.Lock(f"/locks/back/{name}", me):  # finding: mismatched-lock-key
        piece = load(name)
        if event["type"] == "back":
            zk.set(f"/work/{name}", json.dumps({**piece, "by": ""}).encode())

=== good: one takes those that are idle, the other those that are taken
--- work/store.py
import json

from kazoo.client import KazooClient

zk = KazooClient(hosts="zk:2181")


def load(name):
    return json.loads(zk.get(f"/work/{name}")[0])
--- work/take.py
import json

from work.store import load, zk


def take(name, me):
    with zk.Lock(f"/locks/take/{name}", me):
        piece = load(name)
        if piece["state"] == "idle":
            zk.set(f"/work/{name}", json.dumps({**piece, "state": "taken", "by": me}).encode())


def inherit(dead, me):
    with zk.Lock(f"/locks/inherit/{dead}", me):
        for name in zk.get_children("/work"):
            piece = load(name)
            if piece["by"] == dead and piece["state"] == "taken":
                zk.set(f"/work/{name}", json.dumps({**piece, "by": me}).encode())

=== good: one name
--- bank.py
import redis

r = redis.Redis()

def deposit(pk, amount):
    with r.lock(f"account:{pk}", timeout=10):
        balance = int(r.get(f"balance:{pk}"))
        r.set(f"balance:{pk}", balance + amount)

def withdraw(pk, amount):
    with r.lock(f"account:{pk}", timeout=10):
        balance = int(r.get(f"balance:{pk}"))
        r.set(f"balance:{pk}", balance - amount)

=== good: different records
--- bank.py
import redis

r = redis.Redis()

def deposit(pk, amount):
    with r.lock(f"account:{pk}", timeout=10):
        balance = int(r.get(f"balance:{pk}"))
        r.set(f"balance:{pk}", balance + amount)

def count(pk):
    with r.lock(f"visits:{pk}", timeout=10):
        visits = int(r.get(f"count:{pk}"))
        r.set(f"count:{pk}", visits + 1)

=== good: one lock stands around both
--- bank.py
import redis

r = redis.Redis()

def deposit(pk, amount):
    with r.lock("bank", timeout=10):
        with r.lock(f"account:{pk}", timeout=10):
            balance = int(r.get(f"balance:{pk}"))
            r.set(f"balance:{pk}", balance + amount)

def withdraw(pk, amount):
    with r.lock("bank", timeout=10):
        with r.lock(f"acct:{pk}", timeout=10):
            balance = int(r.get(f"balance:{pk}"))
            r.set(f"balance:{pk}", balance - amount)

=== good: another key is deleted on the way
--- worker.py
import redis

r = redis.Redis()

def work(job):
    if not r.set("lock:invoices", "1", nx=True, ex=600):
        return
    try:
        job.run()
        r.delete("cache:invoices")
    finally:
        r.delete("lock:invoices")
'''
