"""Who waits for the answers of a client: requests, tasks and messages, and loops that keep a lease or say that a process is alive."""

from collections.abc import Iterator
from typing import NamedTuple

from coordlint import COORDINATORS, Client, Entry, Op, Operation, Place, System, is_ended, is_rare, loop_above

_COORDINATES = (Op.MAKE_LOCK, Op.ACQUIRE, Op.EXTEND, Op.KEEPALIVE, Op.LOCK_DECORATOR, Op.CAS, Op.LEASE)
_QUEUES = (Op.QUEUE_PUT, Op.QUEUE_GET)  # of work
_ASKS = (Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.DELETE, Op.INCREMENT, Op.DISCOVER, Op.REGISTER)  # of a coordinator, whatever for
_DECIDES = (Op.SCRIPT,)  # that takes only where enough is left, or counts only so far
_KEEPS = (Op.EXTEND, Op.KEEPALIVE, Op.LEASE)  # a lease
_SAYS = (*_KEEPS, Op.ACQUIRE, Op.CAS, Op.WRITE, Op.CREATE, Op.EXPIRE, Op.SET_ADD)  # that this process leads, or is there
_WAITED_FOR = ("http", "task", "periodic", "consumer")
_ADDRESS = ("url", "host", "hosts", "port")


class Waiter(NamedTuple):
    """A call, and who waits for its answer."""

    call: Operation
    place: Place
    reason: str
    named: str
    use: str = "it is used to coordinate here"


def waiters(system: System, client: Client) -> Iterator[Waiter]:
    """Who waits on a client: where it coordinates first, then where it counts or keeps what can be made again."""
    here = {c.place for c in system.clients() if c.symbol == client.symbol and c.type == client.type and "." in c.symbol} | {client.place}
    calls = [o for o in system.operations() if o.client in here and not is_ended(system, o)]
    yield from (w for o in calls if coordinates(o, client.backend) for w in waiting_for(system, o))
    for call in calls:
        if call.op in _KEEPS or (call.op in _SAYS and call.role in ("leader-election", "membership")):
            loop = loop_above(system, call)
            if loop is not None:
                what = "leadership" if call.role == "leader-election" else "membership" if call.role == "membership" else "lease"
                yield Waiter(call, loop, f"a loop keeps up the {what} from here", f"loop that keeps up a {what}")
    for call in calls:
        if call.backend == "redis" and call.kind == "task":
            yield from (w._replace(use="work is put into a queue there") for w in waiting_for(system, call))
        elif call.role == "rate-limit":
            yield from (w._replace(use="each one is counted there, before it is let in") for w in waiting_for(system, call) if w.named == "request")
    if _coordinates_elsewhere(system, client):
        for call in calls:
            if call.role in ("cache", "session", "counter"):
                yield from (w._replace(use="it is asked here, and the same store coordinates elsewhere") for w in waiting_for(system, call) if w.named == "request")


def coordinates(call: Operation, backend: str) -> bool:
    """Whether a call is there for coordination, or asks a coordinator for anything."""
    if call.op in _QUEUES:
        return call.role == "job-queue"
    if call.op in _DECIDES:
        return bool(call.conditional) and call.role not in ("cache", "session", "metrics")
    return call.op in _COORDINATES or (backend in COORDINATORS and call.op in _ASKS)


def waiting_for(system: System, call: Operation) -> Iterator[Waiter]:
    """The requests, tasks and messages in which a call is made; pages for operators wait for themselves."""
    for entry in system.entries_reaching(call.symbol):
        if entry.kind in _WAITED_FOR and not is_rare(entry):
            yield Waiter(call, entry.place, f"and runs from here: {entry.reason}", _named(entry))


def _coordinates_elsewhere(system: System, client: Client) -> bool:
    """Whether another client of the same store, by its address as written, is used to coordinate."""
    address = _address(client)
    others = {c.place for c in system.clients(backend=client.backend) if c.place != client.place and address and _address(c) == address}
    return any(o.client in others and coordinates(o, client.backend) for o in system.operations(*_COORDINATES, *_QUEUES, *_DECIDES))


def _address(client: Client) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((a.name, a.text or str(a.value)) for a in client.arguments if a.name in _ADDRESS))


def _named(entry: Entry) -> str:
    return {"http": "request", "periodic": "periodic task"}.get(entry.kind, entry.kind)
