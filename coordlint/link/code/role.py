"""What a call of a store or coordinator is used for: the role that the inventory gives it."""

from __future__ import annotations

from coordlint.coordination import Operation, Section
from coordlint.models.schema import Op
from coordlint.wording import fixed as fixed_part
from coordlint.wording import words

QUORUM = ("zookeeper", "etcd", "consul")
STORES = (*QUORUM, "redis", "memcached", "django-cache", "hazelcast", "dynamodb", "kubernetes-lease", "postgres-advisory", "mysql-get-lock", "database-row", "tooz", "file-lock", "process-local")  # fmt: skip

_FIXED = {
    Op.CLIENT: "client", Op.CONNECT: "client", Op.LISTEN: "client", Op.RETRY_POLICY: "client",
    Op.MAKE_LOCK: "lock", Op.ACQUIRE: "lock", Op.RELEASE: "lock", Op.EXTEND: "lock", Op.CHECK: "lock",
    Op.FORCE_RELEASE: "lock", Op.LOCK_DECORATOR: "lock", Op.ROW_LOCK: "lock", Op.STAMPEDE: "cache", Op.CACHE: "cache", Op.SESSION: "session",
    Op.MAKE_ELECTION: "leader-election", Op.RUN_ELECTION: "leader-election",
    Op.JOIN: "membership", Op.LEAVE: "membership", Op.LEASE: "membership", Op.KEEPALIVE: "membership", Op.REVOKE: "membership",
    Op.REGISTER: "service-discovery", Op.DEREGISTER: "service-discovery", Op.DISCOVER: "service-discovery",
    Op.BARRIER: "barrier", Op.COUNTER: "counter", Op.INCREMENT: "counter", Op.WATCH: "watch", Op.PUBLISH: "watch", Op.SUBSCRIBE: "watch", Op.CAS: "occ", Op.TRANSACTION: "occ",
    Op.QUEUE_PUT: "job-queue", Op.QUEUE_GET: "job-queue", Op.QUEUE_ACK: "job-queue", Op.MAKE_QUEUE: "job-queue",
    Op.RATE_LIMIT: "rate-limit", Op.PARTITION: "membership",
}  # fmt: skip
_KEY_VALUE = (Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.DELETE, Op.EXPIRE, Op.SET_ADD, Op.TRANSACTION_STEP, Op.SCRIPT)

_BY_WORD = (
    ("leader-election", frozenset("leader election elect elector leadership candidate".split())),
    ("lock", frozenset("lock mutex".split())),
    ("service-discovery", frozenset("service discovery endpoint provider registry upstream".split())),
    ("membership", frozenset("member membership node worker instance heartbeat alive peer host pod rank".split())),
    ("session", frozenset("session cookie jwt".split())),
    ("rate-limit", frozenset("rate ratelimit limit throttle quota".split())),
    ("metrics", frozenset("metric measurement stat qps".split())),
    ("job-queue", frozenset("queue job task".split())),
    ("cache", frozenset("cache cached memo".split())),
    ("config", frozenset("config configuration setting feature flag option".split())),
)


def role_of(operation: Operation) -> str | None:
    """What a call is used for; None when it is no use of coordination."""
    if operation.backend not in STORES or operation.in_test:
        return None
    fixed = _FIXED.get(operation.op)
    if fixed == "client" and operation.backend == "database-row":
        return None  # an engine or a connection: a database is no coordinator until rows are locked
    if operation.backend == "process-local" and operation.op is not Op.MAKE_LOCK:
        return None  # its sections are listed, where they guard more than the process
    if fixed in ("lock", "membership") and _named(operation, "leader-election"):
        return "leader-election"
    if fixed is not None:
        return fixed
    if operation.op not in _KEY_VALUE:
        return None
    return _by_key(operation.key_text, operation) or _by_name(operation)


def _by_key(key: str, operation: Operation) -> str | None:
    """The key says it best: by its words, or by being made for a session."""
    named = words(fixed_part(key))
    for role, vocabulary in _BY_WORD:
        if named & vocabulary:
            return role
    return "membership" if operation.ephemeral else None


def _by_name(operation: Operation) -> str:
    """The function's name, and else what the store is for: one constant key is configuration, many are data."""
    named = words(operation.symbol.rpartition(".")[2])
    if operation.symbol_words & dict(_BY_WORD)["leader-election"]:
        return "leader-election"
    for role, vocabulary in _BY_WORD:
        if named & vocabulary:
            return role
    if operation.backend in QUORUM:
        entity = "{" in (operation.key or "").removeprefix("{}")  # a key that is wholly the caller's says nothing
        return "config" if not entity and operation.op in (Op.READ, Op.LIST) else "data-store"
    return "cache" if operation.backend in ("memcached", "django-cache") else "data-store"


def _named(operation: Operation, role: str) -> bool:
    vocabulary = dict(_BY_WORD)[role]
    return bool((words(operation.key_text) | operation.symbol_words) & vocabulary)


def section_role(section: Section) -> str:
    """What the lock of a section is for."""
    kind = section.lock.model.kind
    if kind == "election" or words(section.lock.key_text) & dict(_BY_WORD)["leader-election"]:
        return "leader-election"
    return "semaphore" if kind == "semaphore" else "lock"
