"""What a function does to coordinators, and how much else it does: the two sides on which a wrapper is told from business."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from coordlint import ir
from coordlint.coordination import Operation
from coordlint.link.code.calls.locks import lock_model
from coordlint.link.code.calls.meaning import understand
from coordlint.link.code.calls.trace import Draft, Step, Trace
from coordlint.link.code.evaluation import calling
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.querying import RECORDS
from coordlint.link.code.evaluation.values import ClassRef, Instance, Method, Pattern, Value, options
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.purposes.role import STORES
from coordlint.link.code.scopes.spelling import written
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import words

LOCAL = "process-local"
PLUMBING = 0.1  # the weight of what only prepares or closes
_WEIGHTS = {
    Op.CLIENT: 0.05, Op.CONNECT: 0.05, Op.LISTEN: 0.05, Op.RETRY_POLICY: 0.05, Op.TRANSACTION: PLUMBING, Op.SCRIPT: 0.5,
    Op.MAKE_LOCK: 0.5, Op.MAKE_QUEUE: 0.5, Op.MAKE_ELECTION: 0.5, Op.EXPIRE: 0.3, Op.RELEASE: 0.8,
    Op.CAS: 1.5,  # what is read before is read for it
}  # fmt: skip
ASKING = 0.3  # the weight of telling whether a lock is held
BESIDE = 0.4  # how much of its weight is left to what is kept besides
MAKING = 0.3  # the weight of making an object that stands for a role
_ASKED = ("acquired", "is_acquired", "locked", "is_locked", "owned", "is_owned", "held", "is_held")
_OUTSIDE = ("http", "payment", "message", "email", "subprocess", "search", "task", "remote")
_WAITING = frozenset(  # tasks, futures and events of the process: how something is run, and not what
    "done cancelled cancel set_result set_exception create_task create_future ensure_future add_done_callback call_soon call_soon_threadsafe "
    "get_running_loop get_event_loop run_until_complete gather wait_for set clear start_soon is_alive".split()
)
_OF_QUERIES = frozenset("or_ and_ not_ exists case cast literal bindparam correlate Q F".split())  # they build a condition
_LOGS = frozenset("log logger logging debug info warning warn error exception critical metric trace print".split())
GENERAL = ("data-store", "occ", "counter", "client", "watch")  # roles that every other one is built from
_LEFT_BEHIND = (Op.QUEUE_PUT, Op.INCREMENT, Op.EXPIRE, Op.TRANSACTION)
_WRITES = re.compile(r"_*(create|update|delete|save|insert|remove|upsert)(_|$)")  # what a helper does elsewhere by one of these is work
_ANY = frozenset(("data", "store"))  # words of a role that say nothing of it
MOST_VIA = 8  # wrappers between a caller and the library that are told
DEEPEST = 3  # calls that are followed to see what else is done


Roles = Callable[[Operation], "str | None"]  # what a library call is used for


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing done to a coordinator: by a library call, or by a call of a wrapper that stands for one."""

    role: str
    backend: str
    library: str
    weight: float  # how much of the function's purpose it is; one for a plain read or write
    operation: Operation | None = None  # the library call behind it; None for what is only made
    key: Pattern | None = None  # with the holes that parameters fill still open
    via: tuple[str, ...] = ()  # the wrappers on the way, outermost first
    inside: bool = False  # done by another method of the same object
    given: tuple[tuple[str, bool], ...] = ()  # parameters of the function around it whose truth decides that it happens
    at: Place | None = None  # of a wrapper: where in it this is done
    is_over: bool = False  # a lock that was taken, worked under and given back in the wrapper
    named_at: Place | None = None  # the caller's argument that names the key
    meant: tuple[str, ...] = ()  # what that argument is elsewhere, where it has no words of its own


def own(step: Step, role_of: Roles) -> Deed | None:
    """What a library call does."""
    operation = step.operation
    role = role_of(operation) if operation is not None else None
    if operation is None or role is None or operation.backend == LOCAL:
        return None
    return Deed(role, operation.backend, operation.library, _WEIGHTS.get(operation.op, 1.0), operation, step.key, given=step.given)


def held(trace: Trace) -> Iterator[Deed]:
    """Locks that a function enters without a call of its own: `with self._lock:`."""
    called = {s.place for s in trace.steps if s.operation is not None or s.functions}
    for d in trace.drafts:
        if d.how == "with" and d.acquired not in called and d.lock.backend not in ("", LOCAL):
            key = None if d.lock.key is None else Pattern(d.lock.key, d.lock.key_text)
            yield Deed("lock", d.lock.backend, d.lock.library, 1.0, None, key, given=d.given)


def asked(ev: Evaluator, trace: Trace) -> Iterator[Deed]:
    """What a function tells of a lock that it asks without a call: `return self._lock.acquired`."""
    for expr in calling.returned(trace.scope) if trace.scope.kind == "function" else ():
        if isinstance(expr, ir.Attribute) and expr.name in _ASKED:
            for held_by in options(ev.settle(ev.value(expr.base, trace.scope))):
                backend = ev.models.backend_of(held_by.type) if isinstance(held_by, Instance) and lock_model(ev, held_by.type) is not None else ""
                if isinstance(held_by, Instance) and backend not in ("", LOCAL):
                    library = ev.models.library_of(held_by.type)
                    yield Deed("lock", backend, library.library if library is not None else "", ASKING)


def locked_files(trace: Trace) -> frozenset[str]:
    """The files that a function locks, as written: reading and writing these is what the lock is for."""
    locks = (s.call.args[0] for s in trace.steps if s.operation is not None and s.operation.backend == "file-lock" and s.call.args)
    return frozenset(written(f).removesuffix(".fileno()") for f in locks) - {""}


def is_of(step: Step, names: frozenset[str]) -> bool:
    """Whether a call is a method of one of these, as written."""
    return isinstance(step.call.func, ir.Attribute) and written(step.call.func.base) in names


def hands_on(trace: Trace) -> bool:
    """Whether a lock that others see stays held when the function ends or yields."""
    return any(_is_shared(d) for d in (*trace.left, *trace.at_yield))


def closes(trace: Trace) -> bool:
    """Whether a function takes a lock itself and gives it back, for work of its own."""
    return any(_is_shared(d) and d.releases and any(not s.is_wrapped for s in d.steps if s.place != d.acquired) for d in trace.drafts)


def _is_shared(d: Draft) -> bool:
    return d.lock.backend != LOCAL


def made_class(ev: Evaluator, func: Value) -> str | None:
    """The class of the project of which a call makes an object."""
    return next((v.symbol for v in options(ev.settle(func)) if isinstance(v, ClassRef)), None)


def of_method(ev: Evaluator, method: Method, step: Step, symbol: str, roles: Roles) -> Deed | None:
    """What a library's method does that is passed to be called."""
    meaning = understand(ev, method.model, (), method.owner)
    library = ev.models.library_of(method.model.name)
    owner: Value | None = method.owner
    backend = ""
    while isinstance(owner, Instance) and not backend:
        backend, owner = ev.models.backend_of(owner.type), owner.owner
    name = library.library if library is not None else ""
    operation = Operation(step.place, symbol, meaning.op, method.model.name, name, backend or ev.models.backend_of(method.model.name))
    role = roles(operation)
    if role is None or operation.backend == LOCAL:
        return None
    return Deed(role, operation.backend, name, _WEIGHTS.get(operation.op, 1.0), operation)


class Loads:
    """How much else a function does: calls that nobody knows, and effects on the outside that are no coordination."""

    def __init__(self, traces: dict[str, Trace]) -> None:
        self._traces = traces
        self._known: dict[str, float] = {}

    def of(self, symbol: str, depth: int = 0) -> float:
        """The work of a function that has nothing to do with coordination; two and more is as good as any amount."""
        if symbol in self._known:
            return self._known[symbol]
        trace = self._traces.get(symbol)
        if trace is None or depth > DEEPEST:
            return 0.5
        self._known[symbol] = 0.5  # of a function that calls itself
        total = 0.0
        for step in trace.steps:
            total += self.step(step, depth)
            if total >= 2:
                break
        self._known[symbol] = min(total, 2.0)
        return self._known[symbol]

    def step(self, step: Step, depth: int = 0) -> float:
        """The work of one call that is no deed."""
        operation = step.operation
        if operation is not None:
            if operation.backend in STORES and not (operation.kind == "database" and operation.op is Op.EFFECT):
                return 0.0  # pipelines, pings, closing
            return 2.0 if operation.kind in _OUTSIDE else 1.0 if operation.kind == "database" else 0.25
        if step.parameter is not None:
            return 0.0  # what a caller passes is the caller's work
        if step.called:
            return min(self.of(f.symbol, depth + 1) for f in step.functions[: step.called]) / 2
        if not step.unresolved or _is_logging(step) or last_word(step.call.func) in _WAITING | _OF_QUERIES:
            return 0.0
        return 2.0 if depth and _WRITES.match(last_word(step.call.func)) else 0.5


def _is_logging(step: Step) -> bool:
    return bool(words(written(step.call.func)) & _LOGS)


def tables(trace: Trace) -> frozenset[str]:
    """The tables whose rows a function locks or claims: reading these is part of it."""
    claims = (s.operation for s in trace.steps if s.operation is not None and s.operation.backend == "database-row")
    return frozenset(o.key for o in claims if o.op in (Op.ROW_LOCK, Op.CAS) and o.key)


def reads(step: Step, known: frozenset[str]) -> bool:
    """Whether a call reads one of these tables."""
    o = step.operation
    return o is not None and o.kind == "database" and o.key in known and o.op in (Op.DB_READ, Op.DB_STATEMENT)


def builds_query(ev: Evaluator, trace: Trace, step: Step) -> bool:
    """Whether a helper of the project only gives the query that a claim is made with."""
    made = options(ev.value(step.call, trace.scope)) if step.called and step.operation is None else ()
    return any(isinstance(v, Instance) and v.type in RECORDS for v in made)


def claims_rows(trace: Trace) -> bool:
    """Whether a function claims rows by a conditional update of its own."""
    return any(s.operation is not None and s.operation.op is Op.CAS and s.operation.backend == "database-row" for s in trace.steps)


def main_deed(deeds: Iterable[Deed], *names: str) -> Deed | None:
    """The deed that says best what several are for: by weight, and by what the names around them say."""
    score: dict[tuple[str, str], float] = {}
    first: dict[tuple[str, str], Deed] = {}
    given: dict[tuple[str, str], set[tuple[tuple[str, bool], ...]]] = {}
    for deed in deeds:
        kind = (deed.role, deed.backend)
        given.setdefault(kind, set()).add(deed.given)
        score[kind] = score.get(kind, 0.0) + deed.weight
        if kind not in first or (first[kind].weight, first[kind].key is not None) < (deed.weight, deed.key is not None):
            first[kind] = replace(deed, inside=deed.inside and (kind not in first or first[kind].inside))
        elif not deed.inside:
            first[kind] = replace(first[kind], inside=False)
    tells = any(role == "watch" and d.operation is not None and d.operation.op is Op.PUBLISH for (role, _), d in first.items())
    for kind in score:
        kept = first[kind].operation
        if tells and kept is not None and kept.op in _LEFT_BEHIND and kind[0] in (*GENERAL, "cache"):
            score[kind] *= BESIDE  # who tells others what happened also appends it for those who come later
        score[kind] *= 3.0 ** sum(bool(words(n) & (words(kind[0]) - _ANY)) for n in names)
    best = max(sorted(score), key=lambda kind: score[kind], default=None)
    if best is None:
        return None
    return first[best] if len(given[best]) == 1 else replace(first[best], given=())
