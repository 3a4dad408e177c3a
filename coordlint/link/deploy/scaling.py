"""How many pods an object has, by its own number and by the autoscalers that point to it."""

from __future__ import annotations

from collections.abc import Iterable

from coordlint.deployment import Replicas
from coordlint.finding import Evidence
from coordlint.manifest import KubernetesObject, at, integer, place, text

SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")


def replicas_of(thing: KubernetesObject, scalers: Iterable[KubernetesObject]) -> Replicas:
    """The number in the object; where it leaves that to an autoscaler, the least that one keeps. The most is the autoscaler's."""
    node = at(thing.root, "spec", "replicas")
    because: list[Evidence] = []
    if thing.kind == "DaemonSet":
        kind = at(thing.root, "kind") or thing.root
        return Replicas(None, None, (Evidence(place(kind, thing.path), "one on every node"),))
    if node is None:
        declared: int | None = 1
    else:
        declared = integer(node)
        because.append(Evidence(place(node, thing.path), f"{declared if declared is not None else 'unknown number of'} replicas"))
    most = declared
    for scaler in scalers:
        target = at(scaler.root, "spec", "scaleTargetRef")
        if text(at(target, "name")) != thing.name or (text(at(target, "kind")) or "Deployment") != thing.kind:
            continue
        least = integer(at(scaler.root, "spec", "minReplicas") or at(scaler.root, "spec", "minReplicaCount"))
        if node is None and declared is not None and least is not None and least > declared:
            declared = least
            because.append(Evidence(place(at(scaler.root, "spec") or scaler.root, scaler.path), f"{scaler.kind} keeps {least} at least"))
        highest = at(scaler.root, "spec", "maxReplicas") or at(scaler.root, "spec", "maxReplicaCount")
        number = integer(highest) if highest else 100 if scaler.kind == "ScaledObject" else None
        if number is not None:
            most = max(most or 0, number)
            because.append(Evidence(place(highest or scaler.root, scaler.path), f"{scaler.kind} scales it up to {number}"))
    return Replicas(declared, most, tuple(because))
