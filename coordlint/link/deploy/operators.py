"""Custom resources through which operators run coordinators."""

from __future__ import annotations

from coordlint.deployment import Coordinator, Key, Replicas, Workload
from coordlint.finding import Evidence
from coordlint.link.deploy.catalogue import Catalogue
from coordlint.link.deploy.roles import role_of
from coordlint.manifest import at, integer, place
from coordlint.models.coordinator_table import coordinator_table


def operator_coordinators(catalogue: Catalogue) -> list[Coordinator]:
    """One coordinator for each resource of the table's kinds; storage and spread are the operator's business."""
    table = coordinator_table()
    made = []
    for thing in catalogue.objects:
        known = table.of_resource(thing.kind, thing.api_version)
        if known is None or not thing.name or at(thing.root, *known.members[:-1]) is None:
            continue
        node = at(thing.root, *known.members)
        members = integer(node)
        here = place(at(thing.root, "metadata", "name") or thing.root, thing.path)
        said = (Evidence(place(node, thing.path), f"{members} members"),) if node is not None else ()
        names = (thing.name, f"{thing.name}-client", f"{thing.name}-headless", f"{thing.name}-{known.backend}")
        workload = Workload(
            key=Key(thing.name, thing.path, thing.kind.lower(), thing.namespace),
            place=here,
            role=role_of(thing.path, thing.namespace),
            replicas=Replicas(members, members, said),
            names=tuple(name.lower() for name in names),
        )
        made.append(
            Coordinator(
                workload=workload,
                backend=known.backend,
                members=members,
                persistent=None,
                place=here,
                evidence=(Evidence(here, f"{thing.kind} resource of an operator"),),
                is_managed=True,
            )
        )
    return made
