"""Loops whose handlers foresee something, and that an outage ends all the same."""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    MEDIUM,
    Found,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    call_name,
    found,
    halted,
    undone,
)

_BACKENDS = (*COORDINATORS, "tooz")
_ASKS = (Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.DELETE, Op.REGISTER, Op.KEEPALIVE, Op.LEASE, Op.DISCOVER, Op.WATCH)


def in_programs(system: System, told: set[object]) -> Iterator[Found]:
    """Loops that the main program lives by, in which other failures of the client are foreseen."""
    for call in system.operations(*_ASKS, backend=_BACKENDS):
        ends = halted(system, call) if call.symbol not in told else None
        if ends is None:
            continue
        told.add(call.symbol)
        yield found(
            f"An outage of {backend_name(call.backend)} ends the loop that the program lives by: the handler in it goes on after other failures of {call_name(call)} alone.",
            at=call,
            because=[*narrow(call), (ends.entry.place, f"the program runs the loop: {ends.entry.reason}"), *call.origin],
            confidence=MEDIUM,
            help="Catch what an outage raises as well (for Consul, ConsulException and the transport's errors): log it, wait, and go on with what was known last.",
        )


def in_clean_up(system: System, told: set[object]) -> Iterator[Found]:
    """Releases behind an error, outside of the handler that saves the rest of the round."""
    for gone in undone(system, *_BACKENDS, "redis"):
        release = gone.release
        if {release.symbol, gone.started} & told:
            continue
        told |= {release.symbol, gone.started}
        yield found(
            f"An outage of {backend_name(release.backend)} ends a loop in the background: its handler goes on, and then nothing handles the failure of {call_name(release)} in the clean-up.",
            at=release,
            because=[(gone.handled.place, "this fails first"), (gone.guard.place, "and is handled here"), (gone.started, "the loop is started here, and nobody asks how it ends")],
            confidence=MEDIUM,
            help="Let the clean-up handle its own failure: the lease ends by itself when the lock cannot be given back.",
        )


def narrow(call: Operation) -> list[tuple[Place, str]]:
    """The nearest handler, which catches something else."""
    return [(g.place, f"catches {', '.join(g.catches)}: not what an outage raises") for g in call.guards][:1]


