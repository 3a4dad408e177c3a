"""Configuration is read from a coordinator with no last known value to fall back on.

Why: settings change a few times a week and are read at every start, mostly when many instances restart at once: a roll-out,
a recovery, a scale-up in the evening. If the coordinator does not answer just then, no instance comes up although yesterday's
settings would have done, and a missing key (Consul answers None, etcd (None, None)) ends in an AttributeError far from its cause.
Worse is a handler that answers any failure with nothing, where that is asked whether something is protected: an outage of a few seconds then
switches off what keeps people out.

Instead: catch the failure and use the last known value, kept in memory and in a file for restarts, or a default in the code; say
so in the log. Keep the value fresh by a watch (kazoo DataWatch, etcd watch, Consul blocking query) and not by a read on each use.

Fine when: the failure is handled here or by every caller; the value is kept by a watch; a command for operators reads it.

Sources: kazoo documentation, Basic Usage (DataWatch, connection states); Consul KV API (blocking queries, missing keys).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    Place,
    System,
    WayIn,
    backend_name,
    bypassed,
    found,
    named_settings,
    reads_configuration,
    rule,
    survives_outage,
    way_in,
)

from ._failing_open import failing_open


@rule("CL602", severity=WARNING)
def config_read_without_fallback(system: System) -> Iterator[Found]:
    watched = {op.key for op in system.operations(Op.WATCH, backend=COORDINATORS) if op.key}
    for read in system.operations(Op.READ, Op.LIST, backend=COORDINATORS):
        way = way_in(system, read)
        if way is None or not reads_configuration(system, read, way) or read.key in watched or survives_outage(system, read):
            continue
        named = [o for o in named_settings(system, read) if o.key not in watched and not survives_outage(system, o)]
        if named:
            yield from (_through(system, o, read) for o in named if way_in(system, o) is not None)
            continue
        yield found(
            f"Reads configuration from {backend_name(read.backend)}{_named(read)} with no last known value: an outage {way.harm}.",
            at=read,
            because=[(way.place, way.reason), *_asked(way, read), *read.origin],
            confidence=HIGH if read.key else MEDIUM,
        )
    for bypass in bypassed(system, *COORDINATORS):
        yield found(
            f"The connection to {backend_name(bypass.read.backend)} is made outside of the `try` that has the fallback: an outage {bypass.way.harm}, and the default is never used.",
            at=bypass.at,
            symbol=bypass.read.symbol,
            because=[
                (bypass.guard.place, "the default is given here, for failures of the read alone"),
                *([(bypass.failing.place, "this fails first")] if bypass.failing.place != bypass.at else []),
                (bypass.way.place, bypass.way.reason),
                *((at, "and it is asked from here, while the module is imported") for at in bypass.imported[:3] if bypass.way.when == "import"),
            ],
            confidence=MEDIUM,
            help="Move the connection into the `try`, or let the function that connects be part of what is handled.",
        )
    yield from failing_open(system)


def _through(system: System, named: Operation, read: Operation) -> Found:
    """A call that names what a wrapper reads."""
    way = way_in(system, named)
    return found(
        f"Reads configuration from {backend_name(read.backend)}{_named(named)} with no last known value: an outage {way.harm if way is not None else 'fails it'}.",
        at=named,
        because=[(read.place, "it is read here, and nothing handles the failure"), *([(way.place, way.reason)] if way is not None else []), *read.origin],
        confidence=HIGH,
    )


def _asked(way: WayIn, read: Operation) -> list[tuple[Place, str]]:
    """The line of a module that asks while it is imported."""
    if way.asked is None or way.asked == read.place:
        return []
    return [(way.asked, "and it is asked from here, while the module is imported")]


def _named(read: Operation) -> str:
    return f" (`{read.key_text or read.key}`)" if read.key else ""
