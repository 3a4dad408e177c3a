"""Registrations with a Consul agent that are made once, when the program starts, and may be gone a moment later."""

from collections.abc import Iterator

from coordlint import MEDIUM, Found, Op, Operation, Place, System, found, sees_outage

_ENTRIES = ("http", "task", "periodic", "consumer", "signal")
_TAKEN_OUT = ("deregister_critical_service_after", "=")
_HELP = "Register again from time to time (registering twice does no harm), and run the agent with a data directory."


def in_agents(system: System) -> Iterator[Found]:
    """What an agent forgets, or takes out by itself, or was never told because it was away."""
    agents = system.coordinators("consul")
    forgets = bool(agents) and all(a.is_development_mode for a in agents)
    for registration in system.operations(Op.REGISTER, backend="consul"):
        if system.is_repeated(registration) or any(e.kind in _ENTRIES for e in system.entries_reaching(registration.symbol)):
            continue
        called = [(at, "it is called here, and not again once it has succeeded") for _, at in system.callers(registration.symbol)]
        if forgets:
            yield found(
                "Registers once, in a Consul agent in development mode, which keeps nothing: after its restart nobody is registered.",
                at=registration,
                because=[(agents[0].place, "the agent runs in development mode, and all of its state is in memory"), *called[:1]],
                confidence=MEDIUM,
                help=_HELP,
            )
            continue
        if not _serves(system, registration):
            continue
        if _TAKEN_OUT in registration.writes:
            yield found(
                "Registers once with Consul, which takes out by itself an instance whose check fails for a while: nothing enters it again when it is back.",
                at=registration,
                because=[*called[:2]] or [(registration.place, "it is registered here, while the program starts")],
                confidence=MEDIUM,
                help=_HELP,
            )
        elif (unheard := _only_noted(system, registration)) is not None:
            yield found(
                "Tries once to register with Consul, and only notes a failure: an instance that starts while Consul is away stays unknown for as long as it runs.",
                at=registration,
                because=[(unheard, "the failure is only logged here, and the program goes on"), *called[:1]],
                confidence=MEDIUM,
                help=_HELP,
            )


def _serves(system: System, registration: Operation) -> bool:
    """Whether a program that goes on makes it: its start, or a workload that is no job."""
    if any(e.kind == "startup" for e in system.entries_calling(registration.symbol)):
        return True
    return any(not w.is_one_shot for w in system.workloads_of(registration.symbol))


def _only_noted(system: System, registration: Operation) -> Place | None:
    """The handler that sees the failure and does no more than log."""
    seen = [g for g in system.guards_above(registration) if sees_outage(g, registration)]
    return seen[0].place if seen and seen[0].only_notes and seen[0].action in ("swallow", "return") and seen[0].quiet_end is None else None
