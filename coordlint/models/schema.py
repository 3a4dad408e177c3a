"""The types that a models file is loaded into: what the calls of one library mean.

A models file describes *types* (clients, locks, elections) and *calls* (methods, functions, constructors). The
linker asks three questions of it: what is this object, what does this call do, and which argument says so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Op(StrEnum):
    """What a call does, in the field's words."""

    # objects
    MAKE = "make"  # builds an object, nothing happens yet
    CLIENT = "client"  # makes a client of a coordinator or store
    CONNECT = "connect"  # opens the session, may block or raise when the store is away
    CLOSE = "close"  # ends the session, or one watch of it
    LISTEN = "listen"  # registers a session-state listener
    RETRY_POLICY = "retry-policy"
    # locks
    MAKE_LOCK = "make-lock"  # builds a lock object, nothing is held yet
    ACQUIRE = "acquire"
    RELEASE = "release"
    EXTEND = "extend"
    CHECK = "check"  # asks whether the lock is (still) held
    FORCE_RELEASE = "force-release"
    LOCK_DECORATOR = "lock-decorator"  # decorating a function holds the lock while it runs
    ROW_LOCK = "row-lock"  # SELECT ... FOR UPDATE in a transaction
    STAMPEDE = "stampede"  # compute-once cache guards
    # key-value
    READ = "read"
    LIST = "list"
    WRITE = "write"
    CREATE = "create"  # fails or answers False when the key exists
    CAS = "cas"  # conditional on a version or a previous value
    DELETE = "delete"
    EXPIRE = "expire"  # sets a time to live on an existing key
    INCREMENT = "increment"
    WATCH = "watch"
    TRANSACTION = "transaction"
    TRANSACTION_STEP = "transaction-step"
    SCRIPT = "script"
    PUBLISH = "publish"  # pub/sub of the store
    SUBSCRIBE = "subscribe"
    REPLICATION_WAIT = "replication-wait"
    SET_ADD = "set-add"  # adds a member to a set or hash: repeatable
    # leases, membership, leadership
    LEASE = "lease"  # grants a lease or session
    KEEPALIVE = "keepalive"
    REVOKE = "revoke"
    MAKE_ELECTION = "make-election"
    RUN_ELECTION = "run-election"
    JOIN = "join"
    LEAVE = "leave"
    REGISTER = "register"
    DEREGISTER = "deregister"
    DISCOVER = "discover"
    BARRIER = "barrier"
    COUNTER = "counter"
    PARTITION = "partition"
    # queues and schedules
    MAKE_QUEUE = "make-queue"
    QUEUE_PUT = "queue-put"
    QUEUE_GET = "queue-get"
    QUEUE_ACK = "queue-ack"
    RATE_LIMIT = "rate-limit"
    CACHE = "cache"  # decorating keeps what a function or view returns
    SESSION = "session"  # keeps the sessions of users
    SCHEDULER = "scheduler"
    SCHEDULE = "schedule"
    SCHEDULER_START = "scheduler-start"
    WORKERS = "workers"  # starts processes of which each runs what it is given
    TASK_DEDUP = "task-dedup"
    SERVE = "serve"  # runs an application as a server, maybe in several processes
    TASK = "task"  # decorating makes a function a job that workers run
    # effects outside the coordinator
    EFFECT = "effect"
    DB_READ = "db-read"
    DB_TRANSACTION = "db-transaction"  # opens or is a database transaction
    COMMIT = "commit"
    FLUSH = "flush"  # sends what is waiting; the transaction stays open
    ROLLBACK = "rollback"
    DB_STATEMENT = "db-statement"  # builds a statement that does nothing until it is executed
    RAW_COMMAND = "raw-command"  # execute_command("SET", ...): meaning is in the arguments
    SQL = "sql"  # meaning is in the SQL text, which `key` names


class Scope(StrEnum):
    """How far a lock excludes others."""

    DISTRIBUTED = "distributed"
    DB_SESSION = "db-session"
    DB_TRANSACTION = "db-transaction"
    HOST = "host"
    PROCESS = "process"


class OnBusy(StrEnum):
    """What `with lock:` does when the lock cannot be had."""

    RAISES = "raises"
    BLOCKS = "blocks"
    ENTERS = "enters"  # runs the body although nobody granted the lock
    YIELDS_FALSE = "yields-false"  # binds False and runs the body


class Late(StrEnum):
    """What a write does when a stale holder performs it late, or twice."""

    READ = "read"
    OVERWRITE = "overwrite"
    APPEND = "append"
    ACCUMULATE = "accumulate"
    ADD_MEMBER = "add-member"
    CONDITIONAL = "conditional"
    DELETE = "delete"
    EXTERNAL = "external"  # cannot be undone: mail, payment, remote call
    UNKNOWN = "unknown"


class Duration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter that carries a time, and its unit: "s", "ms", "timedelta", "unix-s" or "unix-ms"."""

    param: str
    unit: str = "s"
    none: float | None = None  # what None means, in the unit; null: without end
    forever: tuple[float, ...] = ()  # numbers that mean without end, as 0 does for memcached


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An argument that changes what the call does: `redis.set(nx=True)` is an acquire, not a write.

    `is_` holds one of: "truthy" (given and not a false constant), "given" (passed at all and not None), or a literal.
    """

    param: str
    op: Op | None = None
    is_: Any = msgspec.field(default="truthy", name="is")
    late: Late | None = None
    on_busy: OnBusy | None = None
    scope: Scope | None = None  # of the lock that the call makes or holds


class LockModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a type of lock guarantees."""

    scope: Scope
    kind: str = "lock"  # lock | semaphore | read-lock | write-lock | election
    on_busy: OnBusy = OnBusy.RAISES
    binds: str = "self"  # what `with lock as x` binds: self | none | bool | other
    renews: bool = False  # a watchdog, heartbeat or session keeps the lease alive
    renews_if: str = ""  # parameter of the constructor that turns renewal on
    session_bound: bool = False  # ends with the session of its holder: no time to live of its own
    reentrant: bool = False
    checks_owner: bool = True  # release compares the owner
    token: str = ""  # how to obtain a fencing token; empty: the lock offers none
    token_names: tuple[str, ...] = ()  # attributes that carry it: `lock.node`, `meta.create_revision`
    stampede_only: bool = False
    enters_before: tuple[int, int] | None = None  # before this version of the library, `with` runs the body also when its limited wait is over
    note: str = ""


class TypeModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A class of a library. `name` is filled in by the loader from the mapping key."""

    name: str = ""
    role: str = ""  # client | lock | election | pipeline | lease | session | store | queue | exception | other
    backend: str = ""  # overrides the library's
    aliases: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    topology: str = ""  # "" | sentinel | cluster | proxy
    lock: LockModel | None = None
    attributes: dict[str, str] = {}  # attribute name -> type name (py-consul's `c.kv` -> consul.api.kv.KV); "*" for all others
    item: str = ""  # type name of `x[...]` (django.core.cache.caches["default"])
    iterates: str = ""  # type name of the loop variable in `for v in x` (a pub/sub, a queue, a query)
    is_async: bool = False
    virtual: bool = False  # no such class: a lock that is only a key, a row or a convention
    note: str = ""

    def __hash__(self) -> int:
        """Tables have no hash; values of the evaluator, which carry models, must have one."""
        return hash((self.name, self.role, self.aliases))


class CallModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call and its meaning. `name` is filled in by the loader: "Type.method", "module.function" or a class."""

    op: Op
    name: str = ""
    params: tuple[str, ...] = ()  # positional order, without self; may end before the real list does
    variadic: str = ""  # the last of `params`, when it takes every further positional argument (`*names`)
    keywords: tuple[str, ...] = ()  # given by name only: keyword-only parameters and those inside **kwargs
    defaults: dict[str, Any] = {}
    key: str = ""  # parameter with the resource's name or key
    value: str = ""  # parameter with the value that is written
    ttl: Duration | None = None
    ttls: tuple[Duration, ...] = ()  # further ways to give it: `set(px=...)` besides `set(ex=...)`
    wait: Duration | None = None  # how long an acquire waits
    blocking: str = ""  # parameter that turns waiting off
    timeouts: tuple[str, ...] = ()  # parameters of a client or an HTTP call that bound every round trip
    result: str = ""  # bool | none-or-true | object | token | raises | awaitable-bool ...: what failure looks like
    returns: str = ""  # type name of the result; "self" for fluent calls
    applies: str = ""  # parameter with a function that it calls with all further arguments
    yields: str = ""  # type name bound by `with ... as x` when it is not `returns`
    raises: tuple[str, ...] = ()
    when: tuple[When, ...] = ()
    conditions: tuple[str, ...] = ()  # parameters that make the effect conditional (IfMatch, version, idempotency_key)
    effect: str = ""  # database | object-store | payment | http | message | file | email | subprocess | search | task | remote
    late: Late | None = None
    ephemeral: str = ""  # parameter that binds the key to a session or lease
    backend_in: tuple[str, ...] = ()  # parameters whose value names the store: an address, a class, a dictionary of settings
    backend_settings: tuple[str, ...] = ()  # settings of the project, and keys of such a dictionary, that name it
    backend_calls: tuple[str, ...] = ()  # calls, made once anywhere in the project, whose own `backend_in` names it
    is_async: bool = False
    aliases: tuple[str, ...] = ()
    lock: str = ""  # decorators and functions that hold a lock: the lock's type name
    signature: str = ""  # copied by introspection, for the test that compares
    verified: str = ""  # introspected | source | documentation
    note: str = ""

    def __hash__(self) -> int:
        """As for types."""
        return hash((self.name, self.op, self.params))


class Library(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One models file."""

    library: str
    package: str  # the distribution's name on the package index; "" for the standard library
    imports: tuple[str, ...]  # import names, dotted for namespace packages
    needles: tuple[str, ...] | None = None  # words that select a source file; None: the import names
    backend: str = ""
    checked: str = ""  # version that the facts were read from
    unmaintained: str = ""  # since when, and why
    collides: str = ""  # how to tell it from a library of the same import name
    install: str = ""  # extra pins that introspection needs ("protobuf<3.21"); "-" when it cannot be installed
    sources: tuple[str, ...] = ()
    instances: dict[str, str] = {}  # module-level objects: dotted name -> type name
    types: dict[str, TypeModel] = {}
    calls: dict[str, CallModel] = {}
