"""What a call of a store or coordinator is used for, as far as the call itself says it."""

from __future__ import annotations

import re

from coordlint.coordination import Operation, Section
from coordlint.link.code.calls.resource import class_name, function_name, is_plumbing, module_name, named
from coordlint.link.code.flow.vocabulary import QUORUM, by_head, by_words
from coordlint.link.code.purposes.evidence import of_counting
from coordlint.models.schema import Op
from coordlint.wording import words

STORES = (*sorted(QUORUM), "redis", "memcached", "django-cache", "hazelcast", "dynamodb", "postgres-advisory", "mysql-get-lock", "database-row", "file-lock", "process-local")  # fmt: skip

_FIXED = {
    Op.CLIENT: "client", Op.CONNECT: "client", Op.LISTEN: "client", Op.RETRY_POLICY: "client",
    Op.MAKE_LOCK: "lock", Op.ACQUIRE: "lock", Op.RELEASE: "lock", Op.EXTEND: "lock", Op.CHECK: "lock",
    Op.FORCE_RELEASE: "lock", Op.LOCK_DECORATOR: "lock", Op.ROW_LOCK: "lock", Op.STAMPEDE: "cache", Op.CACHE: "cache", Op.SESSION: "session",
    Op.MAKE_ELECTION: "leader-election", Op.RUN_ELECTION: "leader-election",
    Op.JOIN: "membership", Op.LEAVE: "membership", Op.LEASE: "membership", Op.KEEPALIVE: "membership", Op.REVOKE: "membership",
    Op.REGISTER: "service-discovery", Op.DEREGISTER: "service-discovery", Op.DISCOVER: "service-discovery",
    Op.BARRIER: "barrier", Op.COUNTER: "counter", Op.INCREMENT: "counter", Op.WATCH: "watch", Op.PUBLISH: "watch", Op.SUBSCRIBE: "watch",
    Op.CAS: "occ", Op.TRANSACTION: "occ", Op.QUEUE_PUT: "job-queue", Op.QUEUE_GET: "job-queue", Op.QUEUE_ACK: "job-queue",
    Op.MAKE_QUEUE: "job-queue", Op.RATE_LIMIT: "rate-limit", Op.PARTITION: "membership",
}  # fmt: skip
_NOTICES = (Op.PUBLISH, Op.SUBSCRIBE)  # LISTEN and NOTIFY of a database
_KEY_VALUE = (Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.DELETE, Op.EXPIRE, Op.SET_ADD, Op.TRANSACTION_STEP, Op.SCRIPT)
_QUEUES = (Op.QUEUE_PUT, Op.QUEUE_GET, Op.QUEUE_ACK)
_MORE_THAN_A_LOCK = ("leader-election", "semaphore", "rate-limit", "data-store", "membership", "session", "cache")
_PREFIX = re.compile(r"root|prefix|base|path|namespace|chroot|dir", re.I)
_WRITES = re.compile(r"(h|m)?set(nx)?$|add$|put|create|write|replace")
_CREATES = re.compile(r"^_*(create|add|insert|put|store|save)(_|$)")
_WORK = frozenset("job task queue work outbox inbox message dequeue enqueue claim deliver delivery worker execution".split())


def is_use(operation: Operation) -> bool:
    """Whether a call is a use of coordination at all."""
    if operation.in_test or (operation.backend not in STORES and not (operation.backend == "other" and operation.op in _NOTICES)):
        return False
    if operation.backend in ("database-row", "other") and _FIXED.get(operation.op) == "client":
        return False  # an engine or a connection: a database is no coordinator until rows are locked
    if operation.backend == "process-local" and operation.op is not Op.MAKE_LOCK:
        return False  # its sections are listed, where they guard more than the process
    return operation.op in _FIXED or operation.op in _KEY_VALUE


def said_by_itself(o: Operation, role: str | None) -> str | None:
    """What a call says by what it does, whatever its resource is for."""
    said = _FIXED.get(o.op)
    if o.backend == "kubernetes-lease" and said in (None, "occ"):
        return of_lease(o) or said  # whatever is done to it, a Lease is held by one
    if o.conditional == "SKIP LOCKED":  # rows that others hold are passed over: whoever comes next takes the next piece of work
        return "job-queue" if words(f"{o.key_text} {named(o)}") & _WORK else "lock"
    if o.backend == "database-row" and said in ("occ", "lock"):
        return said  # whatever its table is called
    if said is None or is_plumbing(o) or (o.op in _QUEUES and o.backend == "redis"):
        return None
    if said in ("lock", "membership") and "leader-election" in (role, by_words(o.key_text, ""), by_words(named(o), "")):
        return "leader-election"
    if said in ("occ", "watch") and by_head(class_name(o)) == "leader-election":
        return "leader-election"  # how an election renews and waits
    if o.op is Op.DISCOVER and o.backend == "tooz":
        return "membership"
    if o.op is Op.INCREMENT:
        return of_counting(o) or said
    if o.op is Op.ACQUIRE and is_by_hand(o):
        plain = "data-store" if role is None and _CREATES.search(function_name(o)) else said
        return role if role in _MORE_THAN_A_LOCK else plain
    if o.op is Op.CAS or (o.op is Op.WATCH and "Pipeline." in o.call):
        return role if role in ("lock", "leader-election") else "occ"
    return said


def of_lease(o: Operation) -> str | None:
    """What a Lease is for, by its name or by what is written around it."""
    around = (by_words(text, "") for text in (o.key_text, named(o), module_name(o)))
    return next((role for role in around if role in ("leader-election", "lock", "semaphore", "membership")), None)


def default(members: list[Operation], around: list[Operation]) -> str:
    """A single node that is read is configuration; many of a kind are data. A cache's server holds a cache.

    `around` are all calls of the same class or function: what takes any key to write and to delete it holds data.
    """
    if any(o.op in _QUEUES for o in members):
        return "job-queue"
    if members[0].backend in QUORUM:
        consul = members[0].backend == "consul"
        if all(o.key == "{}" or (o.key is None and not consul) for o in members):
            keeps = any(o.op is Op.WRITE for o in around) and any(o.op is Op.DELETE for o in around)
            return "config" if consul and not keeps else "data-store"
        entity = any(not _PREFIX.search(filler) for o in members for filler in o.fillers)
        return "config" if not entity and any(o.op in (Op.READ, Op.LIST) for o in members) else "data-store"
    return "cache" if members[0].backend in ("memcached", "django-cache") else "data-store"


def is_by_hand(o: Operation) -> bool:
    """Whether a lock is taken by writing a key: no library says that it is one."""
    return _WRITES.match(o.call.rpartition(".")[2]) is not None


def section_role(section: Section) -> str:
    """What the lock of a section is for."""
    kind = section.lock.model.kind
    if kind == "election" or by_words(section.lock.key_text, "") == "leader-election":
        return "leader-election"
    return "semaphore" if kind == "semaphore" else "lock"
