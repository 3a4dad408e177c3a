"""Which of the deployed stores hold the locks that code takes: code and manifests read together."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint.coordination import Section
from coordlint.deployment import Coordinator, Key
from coordlint.system import System


def lock_stores(system: System, backend: str) -> Iterator[tuple[tuple[Coordinator, ...], Section]]:
    """For each lock of a backend, the coordinators that may hold it: those that the programs which run it talk to.

    One coordinator where that is clear, several where it is not; every coordinator of the backend when no manifest tells
    what runs the code. Locks that no coordinator here can hold are left out.
    """
    everyone = {c.workload.key: c for c in system.coordinators(backend)}
    if not everyone:
        return
    for section in system.critical_sections(distributed=True, backend=backend):
        found: dict[Key, Coordinator] = {}
        workloads = system.workloads_of(section.symbol)
        for workload in workloads:
            for connection in system.deployment.connections_of(workload.key):
                if connection.target in everyone:
                    found[connection.target] = everyone[connection.target]
        if not workloads:
            found = everyone
        if found:
            yield tuple(sorted(found.values(), key=lambda c: c.place)), section


def lock_held_in(system: System, coordinator: Coordinator, *, correctness: bool = False) -> Section | None:
    """The first lock that a store holds for sure, or that any one of several stores like it holds."""
    for stores, section in lock_stores(system, coordinator.backend):
        if correctness and section.purpose.kind != "correctness":
            continue
        keys = {store.workload.key for store in stores}
        if coordinator.workload.key in keys and len({key.name for key in keys}) == 1:
            return section
    return None
