"""What an outage of a coordinator does to a program: which handler sees it, and whom it hits when none does."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Entry, Guard, Operation
from coordlint.finding import Confidence
from coordlint.guarding import (
    GUARDING_DECORATORS,
    decorators_above,
    is_guarded,
    sees_outage,
    unsaved_requests,
)
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.system import System
from coordlint.waiting import loop_above
from coordlint.wording import words
from coordlint.workload import Workload

_ERROR_HANDLERS = ("errorhandler", "app_errorhandler", "exception_handler")
_AT_START = (Op.CONNECT, Op.REGISTER, Op.READ, Op.LIST)
_CONNECTS = (Op.CONNECT, Op.REGISTER)  # what a program does first, wherever its code stands
_STARTS, _STOPS = ("start", "startup", "on_startup", "init_host"), ("stop", "shutdown", "on_shutdown", "del_host", "close")
_ENDS = (Op.CLOSE, Op.LEAVE, Op.DEREGISTER)
_OF_RECORDS = ("pre_save", "post_save", "pre_delete", "post_delete", "m2m_changed")  # signals that Django sends inside the change
_LOGGED = ("celery", "signals.", "worker_", "beat_", "before_first_request")  # starts of workers that a failing handler does not keep from starting
_HOSTED = frozenset({"service", "server", "mixin", "worker", "daemon", "agent", "manager", "plugin", "extension"})


class WayIn(msgspec.Struct, frozen=True):
    """Whom a failing call hits: `harm` says what happens, `reason` what stands at `place` and proves it.

    `when` is "import", "request", "save", "signal", "start" or "thread".
    """

    place: Place
    reason: str
    harm: str
    when: str
    confidence: Confidence = Confidence.HIGH
    asked: Place | None = None  # of an import: the line of the module that asks


def reads_configuration(system: System, call: Operation, way: WayIn | None) -> bool:
    """Whether a read is of configuration: its key or function says so, or a program reads it in order to start.

    What the program counts or changes there itself is its state.
    """
    if call.op not in (Op.READ, Op.LIST) or _is_state(system, call):
        return False
    imported = way is not None and way.when == "import" and call.op is Op.READ and not call.call.endswith("exists")
    return call.is_configuration or imported or is_only_read(system, call) or bool(named_settings(system, call))


def named_settings(system: System, call: Operation) -> tuple[Operation, ...]:
    """The calls of a wrapper that name what it reads, one for each function, where every one of them names configuration; none for the library's own.

    A function that also sets what it finds missing only sees to it that there is something.
    """
    wrapper = call.symbol.rpartition(".")[2]
    named = [o for o in system.operations(call.op, backend=call.backend, named=True) if o.via[-1:] == (wrapper,) and o.call == call.call and o.place != call.place]
    if call.via or not named or not all(o.is_configuration for o in named):
        return ()
    set_here = {o.symbol for o in system.operations(backend=call.backend, named=True) if o.stores}
    return tuple({o.symbol: o for o in reversed(named) if o.symbol not in set_here}.values())[::-1]


def is_only_read(system: System, call: Operation) -> bool:
    """Whether it reads one key of a coordinator for itself, in which the program itself never changes anything: what operators have set."""
    one = call.key is not None and not any("{" in text for text in ((*call.meant,) or (call.key,)))
    if call.op is not Op.READ or call.role != "config" or not one or call.call.endswith("exists"):
        return False
    changes = (o for o in system.operations(backend=call.backend) if o.stores or o.op in (Op.DELETE, Op.INCREMENT, Op.TRANSACTION, Op.TRANSACTION_STEP))
    return not any(o.key in (call.key, None, "{}") or call.key == "{}" for o in changes)


def _is_state(system: System, read: Operation) -> bool:
    """Whether what is read is written back, here or by another function that reads the same key, or set where it is missing."""
    writes = [o for o in system.same_key(read) if o.stores]
    return any(o.reads_back is not None or o.symbol == read.symbol for o in writes)


def way_in(system: System, call: Operation) -> WayIn | None:
    """Whom the failure hits: an import, a request, the start of a service. None for commands and one-shot programs.

    A way on which nobody sees the failure goes before those on which somebody does.
    """
    return _way_in(system, call, unseen=True) or _way_in(system, call, unseen=False)


def _way_in(system: System, call: Operation, *, unseen: bool) -> WayIn | None:
    module, at = _module_level(system, call, unseen=unseen)
    if module:
        hit = _at_import(system, module, at)
        if hit is not None:
            return hit
    entries = system.entries_reaching(call.symbol)
    requests = unsaved_requests(system, call) if unseen else tuple(e for e in system.entries_waiting(call.symbol) if e.kind == "http")
    if requests and not _has_error_handler(system):
        return request_hit(requests[0])
    saved = next((e for e in entries if e.kind == "signal" and any(signal in e.reason for signal in _OF_RECORDS)), None)
    if saved is not None and not _has_error_handler(system):
        return WayIn(saved.place, f"it runs inside every save: {saved.reason}", "fails every save of the record", "save", Confidence.MEDIUM)
    interrupt = next((e for e in entries if e.kind == "interrupt"), None)
    if interrupt is not None and call.op not in _CONNECTS:
        harm = "breaks off the handler of a signal, and what stands behind the call is not done"
        return WayIn(interrupt.place, f"it handles a signal of the operating system: {interrupt.reason}", harm, "signal", Confidence.MEDIUM)
    if (starts := start_of(system, call.symbol)) is not None:
        return WayIn(starts.place, f"the application runs it when it starts: {starts.reason}", "keeps the application from starting", "start", Confidence.MEDIUM)
    if (call.op in _AT_START and module) or (call.op in _CONNECTS and any(e.kind == "main" for e in entries)) or _sets_up(system, call):
        return _at_start(system, module or call.symbol, call, at)
    if is_only_read(system, call) and (threads := next(_threads(system, call), None)) is not None:
        harm = "ends a thread before it does its work, and the program goes on without it"
        return WayIn(threads[1][0], "the thread is started here, and nobody asks how it ends", harm, "thread", Confidence.MEDIUM)
    return _by_its_host(system, call) if call.op in _CONNECTS and not entries else None


def _sets_up(system: System, call: Operation) -> bool:
    """Whether the main program reads what operators have set before it serves."""
    return is_only_read(system, call) and loop_above(system, call) is None and any(e.kind == "main" for e in system.entries_calling(call.symbol))


def request_hit(entry: Entry) -> WayIn:
    """What a failing call does to a request."""
    return WayIn(entry.place, f"a request comes in here: {entry.reason}", "fails the request", "request")


def start_of(system: System, symbol: str) -> Entry | None:
    """The handler of the application's start that waits for a function; Celery's signals log what fails, and go on."""
    return next((e for e in system.entries_calling(symbol) if e.kind == "startup" and not any(word in e.reason for word in _LOGGED)), None)


def _by_its_host(system: System, call: Operation) -> WayIn | None:
    """The `start()` of a service that also stops: what runs services calls both, and nobody here does."""
    function = system.function(call.symbol)
    if function is None or not function.class_name or call.symbol.rpartition(".")[2] not in _STARTS or system.callers(call.symbol):
        return None
    named = words(function.class_name.rpartition(".")[2])
    ends = [o for o in system.operations(*_ENDS, backend=call.backend) if o.symbol in {f"{function.class_name}.{stop}" for stop in _STOPS}]
    if not ends or not named & _HOSTED:
        return None
    return WayIn(ends[0].place, "the same service takes its leave here", "keeps the service from starting", "start", Confidence.MEDIUM)


def _module_level(system: System, call: Operation, *, unseen: bool) -> tuple[str, Place]:
    """The module whose top-level code makes the call, itself or through functions, and where; ("", ...) for none."""
    todo = [(call.symbol, call.place)]
    own = call.place
    seen: set[str] = set()
    while todo and len(seen) < 40:
        symbol, place = todo.pop(0)
        guards = call.guards if place == own else system.guards_at(place)
        if symbol in seen or (unseen and any(sees_outage(g, call) for g in (*guards, *system.shield(symbol)))):
            continue
        seen.add(symbol)
        if system.function(symbol) is None:
            if not any(_covers(e, place) for e in system.entries("main")):
                return symbol, place
            continue
        todo.extend(system.callers(symbol))
    return "", call.place


def _covers(entry: Entry, place: Place) -> bool:
    return entry.place.path == place.path and entry.place.line <= place.line <= entry.place.span.end_line


def _at_import(system: System, module: str, at: Place) -> WayIn | None:
    importers = system.imported_by(module)
    if importers:
        return WayIn(importers[0], f"this imports {module.rpartition('.')[2]}, whose line {at.line} asks", "makes the import fail", "import", asked=at)
    served = next((e for e in system.entries("http") if e.symbol.startswith(module + ".")), None)
    if served is not None:
        return WayIn(served.place, f"the same module serves requests: {served.reason}", "keeps the application from starting", "import")
    consumes = next((e for e in system.entries("consumer") if e.symbol.startswith(module + ".")), None)
    if consumes is not None:
        return WayIn(consumes.place, f"the same module takes messages: {consumes.reason}", "ends the program when it starts", "start", Confidence.MEDIUM)
    return None


def _at_start(system: System, symbol: str, call: Operation, at: Place) -> WayIn | None:
    for workload in system.workloads_of(symbol):
        if not workload.is_one_shot and not _is_step(workload, at.path):
            run = workload.runs[0].place if workload.runs else workload.place
            return WayIn(run, f"{workload.name} runs this as a service", "ends the program when it starts", "start", Confidence.MEDIUM)
    client = next((c for c in system.clients(backend=call.backend) if c.place == call.client and c.listeners), None)
    if client is not None and (call.op in _CONNECTS or client.place.path == at.path):
        return WayIn(client.listeners[0], "the program stays and listens", "ends the program when it starts", "start", Confidence.MEDIUM)
    return None


def _is_step(workload: Workload, path: str) -> bool:
    """Whether a workload runs a file on its way to something else: `load.py "$HOSTS"`, and then `exec "$@"`."""
    steps = [r.place for r in workload.runs if r.path == path]
    others = [p.place for p in workload.processes if p.place not in steps]
    return bool(steps) and any(o.path != steps[-1].path or o.line > steps[-1].line for o in others)


def _has_error_handler(system: System) -> bool:
    """Whether the application translates exceptions of every request in one place."""
    return any(d.rpartition(".")[2] in _ERROR_HANDLERS for d in system.decorators)


_ABOUT = {"zookeeper": {"zookeeper", "kazoo", "zk"}, "tooz": {"tooz"}}
_ANY_OF_THEM = frozenset({"lock", "coordination", "coordinator"})
_HANDLES = GUARDING_DECORATORS - {"retry", "retrying", "backoff"} | {"wrap", "translate", "convert", "error", "exception", "safe", "guard"}
"""Words of decorators that may turn an exception into another; what is only tried again fails in the end."""


class Unforeseen(msgspec.Struct, frozen=True):
    """The work of a message that an outage breaks off, although a handler on its way is there for failures of the coordinator."""

    entry: Entry
    guard: Guard | None  # that foresees other failures; None where nothing is handled
    way: tuple[Place, ...]  # the calls from the entry to the call that fails, outermost first


def unforeseen(system: System, call: Operation) -> tuple[Unforeseen, ...]:
    """The consumed messages and tasks that a failing call breaks off, by the handlers that stand on the way to it.

    A handler counts that is named for the coordinator or its locks, and does not catch what an outage raises.
    """
    entries = {e.symbol: e for e in system.entries("consumer", "task")}
    found: list[Unforeseen] = []
    todo: list[tuple[str, tuple[Guard, ...], Guard | None, tuple[Place, ...]]] = [(call.symbol, call.guards, None, ())]
    seen: set[str] = set()
    while todo and len(seen) < 40:
        symbol, guards, meant, way = todo.pop(0)
        if symbol in seen or any(sees_outage(g, call) and not _is_meant(g, call) for g in guards) or any(words(d) & _HANDLES for d in decorators_above(system, symbol)):
            continue
        seen.add(symbol)
        meant = meant or next((g for g in guards if _is_meant(g, call)), None)
        if symbol in entries:
            found.append(Unforeseen(entries[symbol], meant, way))
        todo += [(caller, system.guards_at(at), meant, (at, *way)) for caller, at in system.callers(symbol)]
    return tuple(found)


def _is_meant(guard: Guard, call: Operation) -> bool:
    """Whether a handler is there for failures of the coordinator or of its locks by exceptions of the project, which no client raises."""
    about = _ANY_OF_THEM | {call.backend} | _ABOUT.get(call.backend, set())
    return guard.own and guard.action not in ("raise", "retry") and any(words(name.rpartition(".")[2]) & about for name in guard.catches)


class QuietEnd(msgspec.Struct, frozen=True):
    """A function in the background whose loop ends with the first failure of a call, and tells nobody but the log."""

    place: Place  # where the loop is left
    call: Place  # in the loop: the call that fails
    started: Place  # where the function is handed over, to a thread or a task


def ends_quietly(system: System, call: Operation) -> QuietEnd | None:
    """Whether a failure of a call silently ends the loop of a thread or task that goes on making it."""
    todo = [(call.symbol, call.place, call.guards)]
    seen: set[str] = set()
    while todo and len(seen) < 20:
        symbol, place, guards = todo.pop(0)
        if guards:
            innermost = next((g for g in guards if sees_outage(g, call) or _sees_expiry(g)), None)
            started = system.handed_over(symbol)
            if innermost is not None and innermost.quiet_end is not None and started:
                return QuietEnd(innermost.quiet_end, place, started[0])
            if innermost is not None and innermost.action != "raise":
                continue
        if symbol not in seen:
            seen.add(symbol)
            todo += [(caller, at, system.guards_at(at)) for caller, at in system.callers(symbol)]
    return None


def _sees_expiry(guard: Guard) -> bool:
    """Whether a handler catches what a renewal raises when there is nothing left to renew."""
    return any(words(name.rpartition(".")[2]) & {"found", "owned", "lock", "lease", "expired", "session"} for name in guard.catches)


def ends_threads(system: System, call: Operation) -> Iterator[tuple[Place, ...]]:
    """Where threads or tasks are started whose loop goes on making a call, and which the first failure of it ends; each with the calls on the way.

    None when some handler sees the failure, when the call is made once, or when nobody starts it so.
    """
    return (way for again, way in _threads(system, call) if again)


def _threads(system: System, call: Operation) -> Iterator[tuple[bool, tuple[Place, ...]]]:
    """Where threads or tasks are started that the first failure of a call ends, with the calls on the way; and whether a loop there goes on making it."""
    todo: list[tuple[str, tuple[Guard, ...], bool, tuple[Place, ...]]] = [(call.symbol, call.guards, system.is_kept_up(call.place), ())]
    seen: set[tuple[str, bool]] = set()
    while todo and len(seen) < 200:  # a store that a whole program asks through one function
        symbol, guards, again, way = todo.pop(0)
        function = system.function(symbol)
        if (symbol, again) in seen or function is None or any(sees_outage(g, call) for g in (*guards, *system.shield(symbol))) or is_guarded(system, symbol):
            continue
        seen.add((symbol, again))
        started = system.started_at(symbol)
        if started and not system.is_watched(started[0]):
            yield again, (started[0], *way)
        if started and again:
            continue
        todo += [(caller, system.guards_at(at), again or system.is_kept_up(at), (at, *way)) for caller, at in system.callers(symbol) if at not in started]
