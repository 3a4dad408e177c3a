"""A conditional update is tried again in a loop without bound and without back-off.

Why: when many writers meet on one record, all but one of them lose each round and try again at once, so the load grows with
the square of the writers, and on a quorum store every try is a round of consensus. A loop without a bound also turns a
condition that can never hold (a deleted key, a version read from a stale replica) into a process that spins for ever.

Instead: bound the tries and pause longer after each (`for attempt in range(5): ... time.sleep(0.05 * 2**attempt)`, or tenacity with
`stop_after_attempt` and `wait_random_exponential`), and tell the caller when the last one fails. A hot record may need another
shape: one atomic operation, a queue, or one counter per writer.

Fine when: the loop counts its tries, has a deadline, or waits between them.

Known misses: loops whose condition is a variable.

Sources: ZooKeeper, Data Model (conditional updates); redis-py source, Redis.transaction, which loops on WatchError.
"""

from collections.abc import Iterator

from coordlint import (
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Guard,
    Op,
    Operation,
    Outcome,
    Place,
    System,
    backend_name,
    call_name,
    found,
    rule,
)

_CONFLICTS = frozenset({"WatchError", "BadVersionError", "StaleDataError", "ConditionalCheckFailedException", "PreconditionFailed"})


@rule("CL502", severity=WARNING)
def cas_retry_unbounded(system: System) -> Iterator[Found]:
    for update in system.operations(Op.CAS, Op.TRANSACTION, Op.COMMIT):
        if update.loop != "forever" or update.pause is not None:
            continue
        if any(r.is_bounded for r in system.retries(update)[:1]):
            continue  # `while True` that counts its rounds, or looks at the clock
        again = _tried_again(update)
        if again is not None:
            yield found(
                f"Tries a conditional {backend_name(update.backend)} write ({call_name(update)}) again for ever and without a pause.",
                at=update,
                severity=INFO if update.backend == "redis" else WARNING,  # one server, and each round lets one through
                because=[again, *update.origin],
            )
    for swap in system.swaps():
        if not swap.retry.is_bounded and not swap.pauses:
            yield found(
                f"Tries a conditional write ({swap.call}) again for ever and without a pause.",
                at=swap.place,
                symbol=swap.symbol,
                because=[(swap.retry.place, "only success leaves the loop")],
                confidence=MEDIUM,
            )


def _tried_again(update: Operation) -> tuple[Place, str] | None:
    """What shows that the loop is there for the sake of the conflict."""
    guard = next((g for g in update.guards if _catches_conflict(g)), None)
    if guard is not None and guard.action in ("retry", "swallow"):
        return guard.place, "a conflict leads back into the loop"
    if update.op is not Op.COMMIT and update.outcome is Outcome.TESTED and update.backend and update.kind != "database":
        return update.place, "only success leaves the loop"
    return None


def _catches_conflict(guard: Guard) -> bool:
    return any(name.rpartition(".")[2] in _CONFLICTS for name in guard.catches)


EXAMPLES = '''
=== bad: WATCH, for ever, through a client of another module
--- shop/store.py
import redis

r = redis.Redis(host="redis")
--- shop/stock.py
import redis

from shop.store import r


def take(sku):
    with r.pipeline() as pipe:
        while True:
            try:
                pipe.watch(sku)
                left = int(pipe.get(sku))
                pipe.multi()
                pipe.set(sku, left - 1)
                pipe.execute()  # finding: cas-retry-unbounded
                return left - 1
            except redis.WatchError:
                continue

=== bad: etcd replace until it works
--- app/counter.py
import etcd3

etcd = etcd3.client()


def bump(key):
    while True:
        old, _ = etcd.get(key)
        if etcd.replace(key, old, str(int(old) + 1)):  # finding: cas-retry-unbounded
            return

=== bad: the project's own compare-and-swap, in another module, whose expected value is only guessed
--- mill/rows.py
def compare_and_set(table, key, values, expected):
    query = "UPDATE " + table + " SET " + assigned(values) + " WHERE id = :id AND " + compared(expected)
    return engine().run(query, id=key) == 1
--- mill/tally.py
from mill import rows


def grind(sack, known):
    while True:
        done = rows.compare_and_set("sacks", sack, {"ground": known + 1}, {"ground": known})  # finding: cas-retry-unbounded
        if done:
            return known + 1
        known += 1

=== good: the same a few times, and with a pause
--- mill/rows.py
def compare_and_set(table, key, values, expected):
    query = "UPDATE " + table + " SET " + assigned(values) + " WHERE id = :id AND " + compared(expected)
    return engine().run(query, id=key) == 1
--- mill/tally.py
import time

from mill import rows


def grind(sack, known):
    for _ in range(5):
        if rows.compare_and_set("sacks", sack, {"ground": known + 1}, {"ground": known}):
            return True
    return False


def bag(sack):
    while True:
        known = rows.read("sacks", sack)
        if rows.compare_and_set("sacks", sack, {"bagged": known + 1}, {"bagged": known}):
            return
        time.sleep(0.05)

=== good: five tries with a growing pause
--- app/counter.py
import time

import etcd3

etcd = etcd3.client()


def bump(key):
    for attempt in range(5):
        old, _ = etcd.get(key)
        if etcd.replace(key, old, str(int(old) + 1)):
            return
        time.sleep(0.05 * 2**attempt)
    raise RuntimeError("busy")

=== good: for ever, with a pause
--- app/claim.py
import time

import etcd3

etcd = etcd3.client()


def claim(key, me):
    while True:
        if etcd.replace(key, "free", me):
            return
        time.sleep(1)

=== good: the loop counts inside
--- app/claim.py
import etcd3

etcd = etcd3.client()


def claim(key, me):
    tries = 0
    while True:
        if etcd.replace(key, "free", me):
            return True
        tries += 1
        if tries >= 5:
            raise RuntimeError("busy")

=== good: the loop has a deadline
--- app/claim.py
import time

import etcd3

etcd = etcd3.client()


def claim(key, me):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if etcd.replace(key, "free", me):
            return True
    return False

=== good: a policy of tenacity
--- app/claim.py
import etcd3
from tenacity import retry, stop_after_attempt, wait_random_exponential

etcd = etcd3.client()


@retry(stop=stop_after_attempt(5), wait=wait_random_exponential())
def claim(key, me):
    if not etcd.replace(key, "free", me):
        raise RuntimeError("busy")
'''
