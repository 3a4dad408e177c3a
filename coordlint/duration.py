"""How long work may take: the limits that stand at a call, around a loop, and on the task that does it."""

from __future__ import annotations

import math

import msgspec

from coordlint.coordination import Effect, Operation, Section
from coordlint.models.schema import Late, Op
from coordlint.source import Place
from coordlint.system import System
from coordlint.workload import Process

MANY = 50
"""Slow answers in a row; where it takes more, a loop is believed to end in time."""
SHORT = 15
"""Seconds: a lease that a slow answer or two of a broker use up, among unknown many."""
MAILED = 120
"""Seconds: a lease that some dozens of mails use up, each with a connection of its own."""
FEW = 3
"""Seconds: a lease that some hundred statements of a database use up, or one of them that waits for a row."""
UNBOUNDED_BY_DEFAULT = ("requests", "stdlib-subprocess", "urllib3", "stdlib-urllib", "stdlib-email", "websockets", "kubernetes")
CALLERS_UP = 2  # calls between a task and the function that its limit ends as well
_OUTWARD = ("http", "subprocess", "email", "remote")
_SENT = ("task", "message", "email")
_LIMITS = ("soft_time_limit", "time_limit", "timeout")
_UNENFORCED = {"gevent": ("soft_time_limit",), "eventlet": _LIMITS, "threads": _LIMITS, "solo": _LIMITS}
"""Celery's pools that do not end a task at its limit, and the limits that they pass over."""


class TaskLimit(msgspec.Struct, frozen=True):
    """How long a task may run, by what its decorator says."""

    name: str
    seconds: float
    place: Place


def too_long(operation: Operation, lease: float) -> str:
    """Why a step may outlast the lease; "" when it is bounded below it, or its bound is not known."""
    if operation.kind not in _OUTWARD:
        return ""
    if operation.library == "stdlib-sockets":
        return "reads until the other side has sent everything" if operation.loop in ("while", "forever") else ""
    given = operation.argument("timeout") or operation.argument("_request_timeout")
    if given is None or (given.literal and given.value is None):
        return "has no time limit" if operation.library in UNBOUNDED_BY_DEFAULT else ""
    if given.literal and isinstance(given.value, int | float) and given.value >= lease:
        return f"may take {given.value:g} s" + (f", which is the default of {operation.library}" if given.place is None else "")
    return ""


def too_often(effect: Effect, lease: float) -> str:
    """Why a bounded step may outlast the lease when a loop does it for each of unknown many; "" when that takes very many."""
    given = effect.operation.argument("timeout")
    if effect.each is not None and effect.operation.kind in _SENT and effect.operation.late is not Late.READ and lease <= SHORT:
        return "waits for a broker for each that the loop goes over"
    if effect.each is not None and effect.operation.kind == "email" and lease <= MAILED:
        return "waits for the mail server for each that the loop goes over"
    if effect.each is not None and effect.operation.kind == "database" and effect.operation.late is not Late.READ and lease <= FEW:
        return "writes to the database for each that the loop goes over"
    if effect.each is None or not too_long(effect.operation, 0) or given is None or not isinstance(given.value, int | float):
        return ""
    rounds = max(math.ceil(lease / given.value), 1) if given.value > 0 else MANY
    return f"may take {given.value:g} s for each that the loop goes over, and {rounds} such answers are enough" if rounds < MANY else ""


def is_outlasted(section: Section) -> bool:
    """Whether a lease of seconds is not renewed, and a step inside outlasts it without any pause of the process: the lease is what is wrong, before its token is."""
    lease = section.lock.lifetime.seconds
    if lease is None or lease > SHORT or section.lock.model.renews or section.extended or section.renewals:
        return False
    return any(too_long(e.operation, lease) or too_often(e, lease) for e in (*section.effects, *section.reads) if not e.renewed)


def time_limit(system: System, symbol: str, depth: int = 0) -> TaskLimit | None:
    """The limit that a task decorator sets on a function; of several, the one that ends it first. Without one: the longest of those that
    all its callers have."""
    found: list[TaskLimit] = []
    for task in system.operations(Op.TASK):
        given = [a for name in _LIMITS if (a := task.argument(name)) is not None and isinstance(a.value, int | float) and not isinstance(a.value, bool)]
        if given and _decorates(system, task, symbol):
            scale = 0.001 if task.library == "dramatiq" else 1
            found += [TaskLimit(a.name, float(a.value or 0) * scale, a.place or task.place) for a in given]
    if found or depth == CALLERS_UP:
        return min(found, key=lambda limit: (limit.seconds, limit.name), default=None)
    above = [time_limit(system, caller, depth + 1) for caller in sorted({caller for caller, _ in system.callers(symbol)} - {symbol})]
    known = [limit for limit in above if limit is not None]
    return max(known, key=lambda limit: (limit.seconds, limit.name)) if known and len(known) == len(above) else None


def unenforced(system: System, symbol: str, limit: TaskLimit) -> Process | None:
    """A worker of Celery that runs the function in a pool that does not end tasks at this limit."""
    for workload in system.workloads_of(symbol):
        for process in workload.started("celery-worker"):
            if limit.name in _UNENFORCED.get(process.option("--pool", "-P") or "", ()):
                return process
    return None


def _decorates(system: System, task: Operation, symbol: str) -> bool:
    """Whether a task decorator stands on this function: no other function begins between the two."""
    function = system.function(symbol)
    if function is None or task.place.path != function.place.path or task.place.line > function.place.line:
        return False
    starts = (f.place.line for f in system.functions() if f.place.path == task.place.path)
    return not any(task.place.line < line < function.place.line for line in starts)
