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
    System,
    backend_name,
    found,
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
        yield found(
            f"Reads configuration from {backend_name(read.backend)}{_named(read)} with no last known value: an outage {way.harm}.",
            at=read,
            because=[(way.place, way.reason), *read.origin],
            confidence=HIGH if read.key else MEDIUM,
        )
    yield from failing_open(system)


def _named(read: Operation) -> str:
    return f" (`{read.key_text or read.key}`)" if read.key else ""
