"""The inventory: every use of coordination outside of tests, at the library call and at each call of a wrapper."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Operation, Section, Use
from coordlint.link.code.arguments import bindings
from coordlint.link.code.evaluate import Evaluator
from coordlint.link.code.operations import is_test
from coordlint.link.code.trace import Step, Trace
from coordlint.link.code.values import fill, shown
from coordlint.models.schema import Op, Scope
from coordlint.source import Place
from coordlint.wording import fixed as fixed_part
from coordlint.wording import words

QUORUM = ("zookeeper", "etcd", "consul")
STORES = (*QUORUM, "redis", "memcached", "django-cache", "hazelcast", "dynamodb", "kubernetes-lease", "postgres-advisory", "mysql-get-lock", "database-row", "tooz", "file-lock", "process-local")  # fmt: skip

_FIXED = {
    Op.CLIENT: "client", Op.CONNECT: "client", Op.LISTEN: "client", Op.RETRY_POLICY: "client",
    Op.MAKE_LOCK: "lock", Op.ACQUIRE: "lock", Op.RELEASE: "lock", Op.EXTEND: "lock", Op.CHECK: "lock",
    Op.FORCE_RELEASE: "lock", Op.LOCK_DECORATOR: "lock", Op.ROW_LOCK: "lock", Op.STAMPEDE: "cache",
    Op.MAKE_ELECTION: "leader-election", Op.RUN_ELECTION: "leader-election",
    Op.JOIN: "membership", Op.LEAVE: "membership", Op.LEASE: "membership", Op.KEEPALIVE: "membership", Op.REVOKE: "membership",
    Op.REGISTER: "service-discovery", Op.DEREGISTER: "service-discovery", Op.DISCOVER: "service-discovery",
    Op.BARRIER: "barrier", Op.COUNTER: "counter", Op.INCREMENT: "counter", Op.WATCH: "watch", Op.CAS: "occ", Op.TRANSACTION: "occ",
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


def uses(ev: Evaluator, operations: tuple[Operation, ...], sections: tuple[Section, ...], traces: list[Trace]) -> Iterator[Use]:
    """All uses of a project; a call of a wrapper carries the wrapper's name in `via`."""
    for operation in operations:
        role = role_of(operation)
        if role is not None:
            yield Use(
                operation.place, role, operation.backend, operation.library, operation.symbol, operation.key_text or operation.key,
                options=_options(operation),
            )  # fmt: skip
    seen = {o.place for o in operations if role_of(o)}
    for section in sections:
        if section.acquired in seen or section.in_test or not _reaches_others(section):
            continue
        yield Use(
            section.acquired, _section_role(section), section.lock.backend, section.lock.library, section.symbol,
            section.lock.key_text or section.lock.key, via=section.lock.via,
            options=(("lifetime", section.lock.lifetime.told),),
        )  # fmt: skip
        seen.add(section.acquired)
    yield from _wrapped(ev, traces, seen)


def _reaches_others(section: Section) -> bool:
    """A lock of one process is a use of coordination only where it guards what other processes see."""
    return section.lock.model.scope is not Scope.PROCESS or any(e.operation.kind or e.operation.backend for e in section.effects)


def _section_role(section: Section) -> str:
    kind = section.lock.model.kind
    if kind == "election" or words(section.lock.key_text) & dict(_BY_WORD)["leader-election"]:
        return "leader-election"
    return "semaphore" if kind == "semaphore" else "lock"


def _options(operation: Operation) -> tuple[tuple[str, str], ...]:
    made = []
    if operation.ttl is not None and operation.ttl.kind != "unknown":
        made.append(("ttl", operation.ttl.told))
    if operation.ephemeral is not None:
        made.append(("ephemeral", "yes" if operation.ephemeral else "no"))
    if operation.conditional:
        made.append(("condition", operation.conditional))
    return tuple(made)


def _wrapped(ev: Evaluator, traces: list[Trace], seen: set[Place]) -> Iterator[Use]:
    """Calls of functions of the project that are thin wrappers of one coordination call."""
    thin = {t.scope.symbol: _thin(t) for t in traces}
    for _ in range(2):  # a wrapper of a wrapper
        for t in traces:
            if thin[t.scope.symbol] is None and _is_small(t):
                thin[t.scope.symbol] = next((_handed_on(ev, s, thin) for s in t.steps if _wraps(s, thin)), None)
    for t in traces:
        if is_test(t.scope.path):
            continue
        for step in t.steps:
            if step.place in seen or not _wraps(step, thin):
                continue
            made = _handed_on(ev, step, thin)
            if made is None or made.operation is None:
                continue
            own = msgspec.structs.replace(made.operation, symbol=step.functions[0].symbol)
            role = role_of(own)
            if role not in (None, "client") and own.backend != "process-local":
                name = step.functions[0].symbol.rpartition(".")[2]
                yield Use(step.place, role or "", own.backend, own.library, t.scope.symbol, own.key_text or own.key, via=(name,))
                seen.add(step.place)


def _wraps(step: Step, thin: dict[str, Step | None]) -> bool:
    return any(thin.get(f.symbol) is not None for f in step.functions)


def _handed_on(ev: Evaluator, step: Step, thin: dict[str, Step | None]) -> Step | None:
    """The wrapped call as this caller makes it: its key with the caller's arguments filled in."""
    function = next((f for f in step.functions if thin.get(f.symbol) is not None), None)
    inner = thin.get(function.symbol) if function is not None else None
    if function is None or inner is None or inner.operation is None:
        return None
    key = inner.key
    if key is not None and "\x00" in key.named:
        key = fill(key, bindings(ev, function, step.args))
    operation = inner.operation
    if key is not None:
        operation = msgspec.structs.replace(operation, key=key.text, key_text=shown(key.named))
    return Step(step.place, step.call, operation, key=key)


def _is_small(t: Trace) -> bool:
    return t.scope.kind == "function" and len(t.steps) <= 6


def _thin(t: Trace) -> Step | None:
    """The one coordination call of a function that does little else."""
    if t.scope.kind != "function":
        return None
    found = [s for s in t.steps if s.operation is not None and role_of(s.operation) is not None]
    if not found or len(found) > 3 or len(t.steps) > 14:
        return None
    return next((s for s in found if s.operation is not None and s.operation.op is not Op.CLIENT), found[0])
