"""An outage of the coordinator becomes a crash: at import, at start-up, in a request or of a thread that nobody misses.

Why: a quorum store stops answering when it loses its majority, during an election, and when the network between it and the
program breaks; kazoo's `start()` then raises after 15 s, etcd and Consul clients raise at the call. A call at module level
makes the import fail, so that the process cannot even start to say what is wrong, and every replica that restarts during
the outage stays away. A call in a request handler turns an outage of the registry into an outage of the product, although
the addresses or settings that it asks for were known a second ago; in a signal that Django sends it fails the save of the record.
Where a record is committed first, or a locked row of the database decides, a request that fails with the store is worse than one that is late: it is
sent again, and the record made twice.
Where the work of a message has a handler that notes its failure, an outage that passes it by leaves the work as if it still ran. A handler of a
signal that fails does not do what stands behind the call. A thread whose loop asks the coordinator ends with the first failure that nothing handles: the program runs on, and its addresses,
its leases or its work stay as they were.

Instead: connect in a function that retries with back-off; keep the last known value (in memory, and in a file for
restarts) and serve from it, with a log line, while the coordinator is away; let a background watch refresh it. Catch what
the client really raises: kazoo's `start()` raises KazooTimeoutError, which is not a KazooException.

Fine when: the failure is handled here or by every caller; the program is a command or a one-shot job, whose caller sees the
exit code; a lock that cannot be taken refuses the work on purpose.
A request is left alone where all handlers ask the coordinator (single pages of an editor that ask nobody aside): without it there is nothing to serve. But a client that is kept before it is connected, and stays
half made when that fails, is told there too. It is a note for a request where a third of all handlers, and three at least, ask the coordinator: it is what the program is built on; and where
the handler does nothing else. It is one as well where only a program in a folder of examples is seen to ask.

Known misses: consumers that end with the first error; error handlers of a framework that are registered by configuration.
Configuration reads and look-ups of instances have rules of their own.

Sources: kazoo source, KazooClient.start and KazooTimeoutError; etcd documentation, FAQ (without a majority nothing is written).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    Place,
    System,
    WayIn,
    backend_name,
    call_name,
    ends_threads,
    found,
    is_example,
    open_ways,
    reads_configuration,
    request_hit,
    rule,
    sees_outage,
    survives_outage,
    unforeseen,
    unsaved_requests,
    way_in,
)

from ._beside import ended_at_start, failing_beside
from ._foreseen import in_clean_up, in_programs, narrow

_BACKENDS = (*COORDINATORS, "tooz")
_ROUND_TRIPS = (Op.CONNECT, Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.DELETE, Op.REGISTER)
_KEPT = (Op.KEEPALIVE, Op.LEASE, Op.DISCOVER, Op.WATCH)  # what a loop goes on asking


@rule("CL601", severity=WARNING)
def unguarded_coordination_call(system: System) -> Iterator[Found]:
    told: set[object] = set()
    saving: dict[str, list[tuple[Operation, WayIn]]] = {}
    calls = [(call, way) for call in system.operations(*_ROUND_TRIPS, backend=_BACKENDS) if (way := way_in(system, call)) is not None]
    interrupted = [(call, way) for call, way in calls if way.when == "signal"]
    for call, first in calls:
        if first.when == "signal" or call.symbol in told or survives_outage(system, call) or reads_configuration(system, call, first):
            continue  # the reading of configuration has a rule and a cure of its own
        way = _not_told(system, call, first, told)
        if way is None:
            continue  # one finding for each function and for each way in
        told |= {call.symbol, (way.place, way.harm)}
        if way.when == "save":
            saving.setdefault(call.place.path, []).append((call, way))
            continue
        yield found(
            f"An outage of {backend_name(call.backend)} {way.harm}: nothing handles the failure of {call_name(call)}.",
            at=call,
            because=[(way.place, way.reason), *_asked(system, call, way), *narrow(call), *_tried(system, call), *_half_made(system, call), *call.origin],
            severity=INFO if is_example(way.place.path) or (way.when == "request" and not _half_made(system, call) and (system.is_asked_by_most(call.backend) or is_all_that_is_asked(system, call, way))) else WARNING,
            confidence=way.confidence,
        )
    yield from _in_threads(system, told)
    yield from in_programs(system, told)
    yield from in_clean_up(system, told)
    yield from _of_messages(system, told)
    yield from failing_beside(system, told)
    yield from ended_at_start(system, told)
    for call, way in interrupted:
        if {call.symbol, (way.place, way.harm)} & told or survives_outage(system, call):
            continue
        told |= {call.symbol, (way.place, way.harm)}
        yield found(
            f"An outage of {backend_name(call.backend)} {way.harm}: nothing handles the failure of {call_name(call)}.",
            at=call,
            because=[(way.place, way.reason), *_asked(system, call, way), *call.origin],
            confidence=way.confidence,
            help="Only set a flag in the handler of the signal, first of all; do the rest where the program ends, and log its failure.",
        )
    for calls in saving.values():  # the handlers of one module are told once, those that catch nothing first
        calls.sort(key=lambda c: bool(c[0].guards))
        call, way = calls[0]
        alike = [(other.place, "the same goes for what is done here") for other, _ in calls[1:4]]
        yield found(
            f"An outage of {backend_name(call.backend)} {way.harm}: nothing handles the failure of {call_name(call)}.",
            at=call,
            because=[(way.place, way.reason), *alike, *call.origin],
            confidence=way.confidence,
        )


def _not_told(system: System, call: Operation, way: WayIn, told: set[object]) -> WayIn | None:
    """Whom it hits, but for who was told of another call; None as well where every request is saved, and only who else asks is not."""
    if way.when != "request":
        return None if (way.place, way.harm) in told else way
    if system.is_asked_by_all(call.backend) and not _half_made(system, call):
        return None
    first = next((e for e in system.entries_reaching(call.symbol) if e.kind == "http"), None)
    hit = [request_hit(e) for e in unsaved_requests(system, call)]
    if not hit or first is None or (first.place, way.harm) in told:
        return None
    told.add((first.place, way.harm))
    return next((w for w in hit if (w.place, w.harm) not in told), hit[0])


def _half_made(system: System, call: Operation) -> list[tuple[Place, str]]:
    """A client that is kept for all requests before it is connected: when that fails it stays as it is, and nobody tries again."""
    function = system.function(call.symbol)
    if call.op is not Op.CONNECT or call.client is None or function is None or call.receiver not in function.made_once or call.guards:
        return []
    is_first = call.client.path == call.place.path and function.place.line <= call.client.line < call.place.line
    return [(call.client, f"`{call.receiver}` is set before it is connected: after a failure the next request finds it there, and does not connect it again")] if is_first else []


def _tried(system: System, call: Operation) -> list[tuple[Place, str]]:
    """A decorator that makes the call a few times, which an outage outlasts."""
    return [(r.place, f"it is tried {r.told}, and then it fails") for r in system.repeats(call.symbol)]


def _asked(system: System, call: Operation, way: WayIn) -> list[tuple[Place, str]]:
    """The calls that lead from the handler to a call in another file."""
    entry = next((e for e in system.entries_reaching(call.symbol) if e.place == way.place), None)
    if entry is None:
        return _connected(system, call)
    unseen = next((places[:-1] for _, places, _ in open_ways(system, call, {entry.symbol: entry})), None)
    sites = unseen if unseen is not None else system.way(entry.symbol, call.symbol)
    asked = [(at, "and asks from here") for at in sites[-4:] if at.path != call.place.path]
    return asked + [(at, told) for at, told in _connected(system, call) if at not in dict(asked)]


def _connected(system: System, call: Operation) -> list[tuple[Place, str]]:
    """Who wants a client of a function that makes and tries one, where none of them handles its failure."""
    callers = [at for _, at in system.callers(call.symbol) if not is_example(at.path) and not any(sees_outage(g, call) for g in system.guards_at(at))]
    makes = any(o.op is Op.CONNECT or o.role == "client" for o in system.operations_in((call.symbol,)))
    return [(at, "it is wanted here, and nothing handles its failure") for at in callers[:3]] if makes and len(callers) > 1 else []


def is_all_that_is_asked(system: System, call: Operation, way: WayIn) -> bool:
    """Whether the handler stands right here and does nothing else: a request for what only the coordinator knows can but fail."""
    is_handler = any(e.symbol == call.symbol and e.place == way.place for e in system.entries_reaching(call.symbol))
    return is_handler and all(o.backend == call.backend for o in system.operations() if o.symbol == call.symbol)


def _in_threads(system: System, told: set[object]) -> Iterator[Found]:
    """Loops in the background that the first failure ends, while the program goes on without them."""
    calls = [c for c in system.operations(*_ROUND_TRIPS, *_KEPT, backend=_BACKENDS) if not survives_outage(system, c)]
    asking = [(call, ended) for call in calls for ended in ends_threads(system, call)]
    asking.sort(key=lambda pair: (not any(map(system.is_kept_up, pair[1][1:] or (pair[0].place,))), len(pair[1])))  # what the thread's own loop asks says most
    for call, ended in asking:
        if {call.symbol, ended[0]} & told:
            continue
        started, *way = ended
        told |= {call.symbol, started}
        yield found(
            f"An outage of {backend_name(call.backend)} ends a loop in the background: nothing handles the failure of {call_name(call)}, and the program goes on without it.",
            at=call,
            because=[(started, "the loop is started here, and nobody asks how it ends"), *((at, "and asks here") for at in way[-4:]), *narrow(call), *call.origin],
            confidence=MEDIUM,
            help="Handle the failure inside the loop: log it, wait, try again; or end the whole program, so that whoever runs it starts it anew.",
        )


def _of_messages(system: System, told: set[object]) -> Iterator[Found]:
    """Messages whose work has a handler for failures of the coordinator, which an outage passes by: what the handler would note is never noted."""
    ways = [(call, way) for call in system.operations(*_ROUND_TRIPS, backend=_BACKENDS) if not call.in_test for way in unforeseen(system, call)]
    for call, way in ways:
        if way.guard is None or {way.entry.place, call.symbol} & told:
            continue
        told |= {way.entry.place, call.symbol}
        sections = [s for s in system.critical_sections(backend=call.backend) if any(e.place == call.place for e in (*s.reads, *s.effects))]
        others = {w.way[0]: None for _, w in ways if w.entry == way.entry and w.guard is None and w.way}
        yield found(
            f"An outage of {backend_name(call.backend)} breaks off the work of a message: {call_name(call)} then raises something else than what is handled on the way.",
            at=call,
            because=[
                (way.guard.place, f"catches {', '.join(way.guard.catches)}: exceptions of the project, and an outage raises the client's own"),
                *((s.acquired, "the lock around it is taken from the same store") for s in sections[:1]),
                *((at, "nothing at all handles the failure of what is asked here") for at in list(others)[:2]),
                (way.entry.place, f"a message comes in here: {way.entry.reason}"),
                *call.origin,
            ],
            confidence=MEDIUM,
            help="Catch what the client raises as well, or turn it into the exception that the handler knows, in the one place that talks to the store.",
        )
