"""Calls that name no limit, of libraries where each call has its own: `requests` and `urllib` to a coordinator, Leases of Kubernetes."""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    Found,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    call_name,
    found,
    is_ended,
    loop_above,
)

from ._waiters import Waiter, waiting_for

_HTTP = ("requests", "stdlib-urllib")
_HOLDS = (Op.ACQUIRE, Op.CREATE, Op.CAS, Op.EXTEND, Op.KEEPALIVE, Op.LEASE)  # who may go on; the loop around it has no other way to know
_BACKENDS = (*COORDINATORS, "kubernetes-lease")


def silent_requests(system: System) -> Iterator[Found]:
    """Plain HTTP to a coordinator: one finding for what requests wait for in a file, and one for what its loops do."""
    asked: dict[str, list[tuple[Operation, Waiter]]] = {}
    looped: dict[str, list[tuple[Operation, Place]]] = {}
    for call in system.operations(backend=_BACKENDS):
        if call.library not in _HTTP or call.op is Op.WATCH or _has_limit(call) or is_ended(system, call):
            continue
        waiter = next(waiting_for(system, call), None)
        loop = loop_above(system, call)
        if loop is not None:
            looped.setdefault(call.place.path, []).append((call, loop))
        elif waiter is not None:
            asked.setdefault(call.place.path, []).append((call, waiter))
    for path in sorted(asked.keys() | looped.keys()):
        library = (asked.get(path) or looped[path])[0][0].library
        limits = system.default_limits(library)
        if any(limit.works for limit in limits):
            continue
        dead = next((limit.place for limit in limits if limit.place.path == path), limits[0].place if limits else None)
        if path in asked:
            call, waiter = asked[path][0]
            also = [(o.place, "the same goes for this call") for o, _ in asked[path][1:4]]
            yield _told(call, [(waiter.place, waiter.reason), *also], dead, f"When {backend_name(call.backend)} does not answer, a {waiter.named} hangs for ever")
        if path in looped:
            call, loop = min(looped[path], key=lambda pair: (pair[0].op not in _HOLDS, pair[0].place))
            yield _told(call, [(loop, "a loop goes on making it from here")], None if path in asked else dead, f"When {backend_name(call.backend)} does not answer, a loop hangs and never comes round again")


def _told(call: Operation, because: list[tuple[Place, str]], dead: Place | None, harm: str) -> Found:
    if dead is not None:
        return found(
            f"{harm}: the default of this limit is never used, because requests always passes connect and read, and {call_name(call)} says no timeout.",
            at=dead,
            symbol=call.symbol,
            because=[(call.place, "this call is made with no timeout of its own"), *because],
            confidence=HIGH,
            help="Pass `timeout=` at each call, or through one session whose adapter puts it in where it is None.",
        )
    return found(
        f"{harm}: {call_name(call)} says no timeout, and the library has none.",
        at=call,
        because=because,
        confidence=MEDIUM,
        help="Pass `timeout=` (connect and read, in seconds), well below the lease or the patience of who asks, and handle what it raises.",
    )


def _has_limit(call: Operation) -> bool:
    given = call.argument("timeout")
    if given is not None and not (given.literal and given.value is None):
        return True
    return any(a.name in ("**", "kwargs", "") for a in call.arguments)


def silent_leases(system: System) -> Iterator[Found]:
    """Leases of Kubernetes on which a leadership hangs, asked for with no `_request_timeout`."""
    for client in system.clients(backend="kubernetes-lease"):
        calls = [o for o in system.operations(backend="kubernetes-lease") if o.client == client.place and o.library == "kubernetes"]
        if any(o.argument("_request_timeout") is not None or a.name == "**" for o in calls for a in (*o.arguments, *client.arguments)):
            continue
        keeping = ((o, loop) for o in calls if o.op is not Op.CLIENT and (loop := loop_above(system, o)) is not None and not is_ended(system, o))
        call, loop = next(keeping, (None, None))
        if call is None or loop is None:
            continue
        yield found(
            "No call of this Kubernetes client says how long it waits, and a leadership is kept up by it: when the API server does not answer, the loop hangs with the leadership still believed.",
            at=client.place,
            symbol=client.symbol,
            because=[(call.place, "the Lease is asked for here"), (loop, "in a loop, from here")],
            confidence=MEDIUM,
            help="Pass `_request_timeout=` well below the renew deadline, call it outside of the event loop, and stop leading by your own clock when the lease runs out.",
        )
