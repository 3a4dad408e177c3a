"""Locks, elections or ephemeral nodes hang on a session whose loss nobody notices.

Why: a ZooKeeper session ends on the server, not in the process. kazoo tells of it only through a state listener:
SUSPENDED means that the connection is gone and nothing is certain any more, LOST that the session is over and with it
every lock, every election won and every ephemeral node. kazoo does not interrupt the code that runs under a lock or
inside `Election.run`, so without a listener the old holder works on beside the new one, and a worker lives on although
its registration has vanished. The same holds for an etcd lease: the reply to a keep-alive says how many seconds are
left, and 0 or less means that the lease, with all keys on it, is gone; no exception is raised. And where the renewal does raise, in a
thread whose loop ends with the error and a line in the log, nobody renews from then on, and the work goes on as if it were registered.

Instead: register a listener with `client.add_listener(fn)`, pause at SUSPENDED, stop and give up leadership at LOST, and
register again once CONNECTED. For etcd, look at the remaining time in each keep-alive reply and end the work when it is
not positive. Let a renewing thread try again until the lease must be over, then register anew or end the process. The effects still need a fencing token: a listener can be late.

A listener that takes the lock back and forgets the membership leaves the process at work where nobody finds it: a party is not joined again by itself.

Fine when: nothing lives in the session (only persistent nodes, reads and watches), or a listener stands anywhere in the
project for this client. A renewal's thread may end when it sets a flag, calls somebody or ends the process.

A listener must not block: kazoo calls it in the connection's own thread, and a `stop()` inside waits for that very thread.

A listener that only notes the loss where nobody looks, or that asks ZooKeeper and waits, is there and does not help.

Known misses: code that compares session ids by hand.

Sources: kazoo documentation, Basic Usage (on SUSPENDED pause, on LOST the lock is gone); etcd3 and etcd3gw sources (a refresh
returns the reply and raises nothing for a lease that is gone).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    MEDIUM,
    WARNING,
    Client,
    Found,
    Guard,
    Op,
    Operation,
    Outcome,
    Place,
    Section,
    System,
    backend_name,
    call_name,
    ends_quietly,
    found,
    rule,
)

_HANGS_ON_SESSION = {
    Op.MAKE_LOCK: "a lock of this session",
    Op.ACQUIRE: "a lock of this session",
    Op.MAKE_ELECTION: "an election under this session",
    Op.RUN_ELECTION: "an election under this session",
    Op.JOIN: "a membership of this session",
    Op.PARTITION: "a share of the work held by this session",
}


_LEASED = (*COORDINATORS, "kubernetes-lease")


@rule("CL403", severity=WARNING)
def session_loss_ignored(system: System) -> Iterator[Found]:
    stray = any(op.client is None for op in system.operations(Op.LISTEN, backend="zookeeper"))
    clients = list(system.clients(backend="zookeeper"))
    for client in clients:
        held = _held(system, client, alone=len(clients) == 1)
        if not held or (stray and not client.listeners):
            continue
        if client.unheard is not None:
            yield found(
                f"The session listener keeps to itself what it hears: {len(held)} use(s) hang on the session, and nothing about them looks at what it notes.",
                at=client.unheard,
                symbol=client.symbol,
                because=[(client.listeners[0], "it is registered here"), *held[:3]],
                confidence=MEDIUM,
                help="Let it stop those who lead or hold a lock at SUSPENDED and LOST, and have members registered again at CONNECTED, from a thread of their own.",
            )
        elif client.listeners and set(client.listens_for) == {"LOST"}:
            yield found(
                "The session listener acts on LOST only: from SUSPENDED on, another holder may already be at work.",
                at=client.listeners[0],
                symbol=client.symbol,
                because=[(client.place, "the client it listens to"), *held[:2]],
                confidence=MEDIUM,
            )
        elif not client.listeners:
            yield found(
                f"No listener tells when this ZooKeeper session is suspended or lost, and {len(held)} use(s) hang on it.",
                at=client.place,
                symbol=client.symbol,
                resource=client.hosts,
                because=[*held[:4], *_begins(system, client)],
                severity=INFO if _is_alone(system, client) else WARNING,
            )
    yield from _forgets_the_party(system, clients)
    yield from _tries_again(system)
    yield from _stops_itself(system)
    yield from _waits_for_itself(system)
    for alive in system.operations(Op.KEEPALIVE, backend="etcd"):
        if alive.outcome is Outcome.DEAD and alive.library != "python-etcd":  # its refresh raises EtcdKeyNotFound
            yield found(
                "The reply to an etcd keep-alive is thrown away: an expired lease answers with a TTL of 0, not with an error.",
                at=alive,
                because=[*_leases(system, alive), *alive.origin, *_relying(system, alive)] or [(alive.place, "no variable takes the reply")],
            )
    yield from _ends_quietly(system)


def _ends_quietly(system: System) -> Iterator[Found]:
    """A thread that renews a lease, and that the first failure ends without a word to those who rely on it."""
    told: set[Place] = set()
    acquiring = {op.symbol for op in system.operations(Op.ACQUIRE, Op.CREATE, backend=_LEASED)}
    for alive in system.operations(Op.KEEPALIVE, backend=_LEASED):
        end = ends_quietly(system, alive) if alive.symbol not in acquiring else None  # there it only waits for its turn
        if end is None or end.place in told:
            continue
        told.add(end.place)
        yield found(
            f"The loop that renews {_lease_name(alive)} ends here with the first failure, and only the log is told: the lease runs out while the work goes on.",
            at=end.place,
            symbol=alive.symbol,
            because=[(end.call, "the renewal that fails"), (end.started, "the loop is started here, and nobody asks how it ends")],
            confidence=MEDIUM,
            help="Try again until the lease must be over; then register anew, or tell the one who works that it has to stop.",
        )


def _lease_name(alive: Operation) -> str:
    return f"`{alive.key_text}`" if alive.key_text else f"the {backend_name(alive.backend)} lease"


def _forgets_the_party(system: System, clients: list[Client]) -> Iterator[Found]:
    """A listener that takes care of something, and nobody joins again: the member stays away although the session is back."""
    joins = [op for op in system.operations(Op.JOIN, backend="zookeeper") if op.call.endswith(".join")]
    for join in joins:
        client = next((c for c in clients if c.place == join.client), clients[0] if join.client is None and len(clients) == 1 else None)
        if client is None or not client.listeners or join.loop or any(other.client == join.client for other in joins if other.place != join.place):
            continue
        if system.handed_over(join.symbol):
            continue  # who was given it may well run it again, when the listener says so
        yield found(
            "The party is joined once, and the session listener does not lead back to it: after a lost session this member is gone for good, "
            "while the process goes on.",
            at=join,
            because=[(client.listeners[0], "this listener hears of the loss, and nothing joins again"), (client.place, "the session that the membership lives in")],
            confidence=MEDIUM,
            help="Join again when the connection is back: at CONNECTED after LOST, from a thread that the listener wakes, or in the loop that looks at the state.",
        )


def _tries_again(system: System) -> Iterator[Found]:
    """A loop that takes the end of the session for one more failure, and goes on with what only the lock allowed."""
    kept = [s for s in system.critical_sections(backend="zookeeper") if s.escapes and s.lock.model.session_bound and s.lock.key not in (None, "", "{}")]
    told: set[Place] = set()
    for caller, callee, at in system.tried_again() if kept else ():
        guards = system.guards_at(at)
        swallowing = next((g for g in guards if _is_broad(g) and g.action != "raise"), None)
        if swallowing is None or swallowing.place in told or any(_knows_sessions(g) for g in guards):
            continue
        inside, around = system.runs(callee), system.runs(caller)
        if any(o.op is Op.CHECK and o.backend == "zookeeper" for o in system.operations_in(around)):
            continue
        for write in (o for o in system.operations_in(inside) if o.backend == "zookeeper" and o.stores and not o.guards):
            held = next((s for s in kept if _guards_record(s, write) and s.symbol not in around), None)
            if held is None:
                continue
            told.add(swallowing.place)
            yield found(
                "The end of the ZooKeeper session is caught here like any other failure, and the work is tried again: its lock has gone with the session, "
                "and another may be at work on the same record.",
                at=swallowing.place,
                symbol=caller,
                because=[(at, "this is tried again"), (write.place, f"it writes `{write.key_text or write.key}`"), (held.acquired, "whose lock lives in the session")],
                confidence=MEDIUM,
                help="Catch SessionExpiredError before all others and give the work up: whoever holds the lock now decides what becomes of it.",
            )
            break


_BROAD = frozenset({"*", "Exception", "BaseException"})
_OF_SESSIONS = frozenset({"SessionExpiredError", "ConnectionLoss", "ConnectionClosedError", "KazooException", "ZookeeperError", "SessionLost"})


def _is_broad(guard: Guard) -> bool:
    return any(name.rpartition(".")[2] in _BROAD for name in guard.catches)


def _knows_sessions(guard: Guard) -> bool:
    return any(name.rpartition(".")[2] in _OF_SESSIONS for name in guard.catches)


def _guards_record(section: Section, write: Operation) -> bool:
    """Whether the lock is a node at or below the record: "/jobs/{}/lock" for "/jobs/{}"."""
    key, lock = write.key or "", section.lock.key or ""
    return len(key.strip("/{}")) > 1 and (lock == key or lock.startswith(key + "/"))


def _stops_itself(system: System) -> Iterator[Found]:
    """A listener runs in the thread of the connection, for whose end `stop()` waits."""
    for listen in system.operations(Op.LISTEN, backend="zookeeper"):
        for listener in system.handed_at(listen.place):
            inside = system.runs(listener)
            for close in system.operations(Op.CLOSE, backend="zookeeper"):
                same = close.receiver == listen.receiver or (close.client is not None and close.client == listen.client)
                if close.symbol not in inside or not same or not close.call.endswith((".stop", ".close")):
                    continue
                yield found(
                    f"The session listener stops its own client: {close.receiver or 'the client'} calls it in the connection's thread, for whose end stop() "
                    "waits, and whoever should give up the lock or the leadership afterwards cannot.",
                    at=close,
                    because=[(listen.place, "the listener is registered here")],
                    severity=WARNING if _hangs_on(system, listen) else INFO,
                    confidence=MEDIUM,
                    help="Only set a flag or put a message in the listener; stop the client in the thread that does the work.",
                )
                break


_WAITS = (Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.CAS, Op.DELETE, Op.WATCH, Op.JOIN, Op.ACQUIRE, Op.COMMIT)


def _waits_for_itself(system: System) -> Iterator[Found]:
    """A listener that asks ZooKeeper and waits for the answer, which only the thread that it runs in could read."""
    for listen in system.operations(Op.LISTEN, backend="zookeeper"):
        for listener in system.handed_at(listen.place):
            inside = system.operations_in(system.runs(listener))
            asks = next((o for o in inside if o.backend == "zookeeper" and o.op in _WAITS and not o.call.endswith("_async") and not o.in_test), None)
            if asks is not None and (asks.client is None or listen.client is None or asks.client == listen.client):
                yield found(
                    f"The session listener runs {call_name(asks)} and waits for the answer: kazoo calls it in the connection's thread, which alone could read that answer.",
                    at=asks,
                    because=[*_body(system, listener), (listen.place, "the listener is registered here")],
                    severity=WARNING if _hangs_on(system, listen) else INFO,
                    confidence=MEDIUM,
                    help="Start it from the listener in a thread of its own: client.handler.spawn(fn).",
                )
                break


def _body(system: System, symbol: str) -> list[tuple[Place, str]]:
    function = system.function(symbol)
    return [(function.place, "this is the listener")] if function is not None else []


def _hangs_on(system: System, listen: Operation) -> bool:
    """Whether a lock, an election or an ephemeral node lives in the session that is listened to, as far as is known."""
    clients = list(system.clients(backend="zookeeper"))
    return any(_held(system, c, alone=len(clients) == 1) for c in clients if listen.client in (None, c.place))


def _held(system: System, client: Client, *, alone: bool) -> list[tuple[Place, str]]:
    """What lives and dies with the client's session, each line once."""
    held: dict[tuple[str, int], tuple[Place, str]] = {}
    for op in system.operations(backend="zookeeper"):
        if op.client != client.place and not (alone and op.client is None):
            continue
        what = "an ephemeral node of this session" if _is_ephemeral(op) else _HANGS_ON_SESSION.get(op.op, "")
        if what:
            held.setdefault((op.place.path, op.place.line), (op.place, what))
    return list(held.values())


def _begins(system: System, client: Client) -> list[tuple[Place, str]]:
    return [(o.place, "its session begins here") for o in system.operations(Op.CONNECT, backend="zookeeper") if o.client == client.place][:1]


def _is_alone(system: System, client: Client) -> bool:
    """Whether a file of its own does nothing but to ask ZooKeeper, and nobody else calls it: an exercise, whose session guards nothing."""
    here = client.place.path
    inside = {op.symbol for op in system.operations() if op.place.path == here}
    works = any(op.place.path == here and op.backend != "zookeeper" and (op.kind or op.backend) for op in system.operations())
    called = any(at.path != here for symbol in inside for _, at in system.callers(symbol))
    holding = [s for s in system.critical_sections(backend="zookeeper") if s.path == here]
    return not (works or called) and not any(s.effects or s.unresolved for s in holding)


def _is_ephemeral(op: Operation) -> bool:
    return op.stores and op.ephemeral is True


def _relying(system: System, alive: Operation) -> list[tuple[Place, str]]:
    """Who has the lease renewed through a function of the project, in other files, one for each: what is renewed is theirs."""
    files: dict[str, Place] = {}
    for caller, place in system.callers(alive.symbol):
        if place.path != alive.place.path and not getattr(system.function(caller), "in_test", False):
            files.setdefault(place.path, place)
    return [(place, "renewed for this one, which takes silence for success") for place in sorted(files.values())[:3]]


def _leases(system: System, alive: Operation) -> list[tuple[Place, str]]:
    """Keys that end with a lease: those of the same file; else the only one there is, for which lease it was else is a guess."""
    keys = [op for op in system.operations(backend="etcd") if op.stores and op.ephemeral]
    near = [op for op in keys if op.place.path == alive.place.path] or (keys if len(keys) == 1 else [])
    return [(op.place, "this key ends with its lease") for op in near[:2]]
