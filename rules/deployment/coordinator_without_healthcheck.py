r"""Something waits for a coordinator's container to start, and not for the coordinator to answer.

Why: a started container is not a ready server: ZooKeeper and etcd elect a leader first, Consul as well, and a client that connects meanwhile gets an
error. What does not retry, dies in a loop or runs without its lock; it depends on the machine's speed which. In Kubernetes, a Service
sends clients to a pod without a readiness probe as soon as its process exists.

Instead: a healthcheck on the coordinator (`zkServer.sh status` or srvr, `etcdctl endpoint health`, `consul members`, `redis-cli ping`) and
`depends_on: {name: {condition: service_healthy}}`; a readinessProbe in Kubernetes; and in the client retries with back-off, because the
coordinator will restart one day without it.

Fine when: the client retries with back-off, so that the order does not matter (kazoo tries for the timeout of `start`, 15 s where nobody says more, whatever its
`connection_retry`); what the container runs waits first, by `wait-for-it`, dockerize, docker-compose-wait's `WAIT_HOSTS` or a loop over `nc`; the service waits
until another one is done that has worked with the store itself, or for one that waits for its health; the manifest belongs to tests. It is information for a
coordinator in compose without a restart policy: what no crash and no reboot brings back is there to try things with. It is information as well for a store
with a healthcheck whose client is started again when it fails: a little later the store answers.

A service that states no order at all is told where its code is seen to ask the store at its start, nothing handles that, and nothing starts it again.

Known misses: clients that connect by themselves when they are first asked.

Sources: Compose specification, depends_on (service_started, service_healthy); Kubernetes documentation, Liveness, Readiness and Startup Probes.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    MEDIUM,
    WARNING,
    Dependency,
    EarlyCall,
    Ensemble,
    Evidence,
    Found,
    Op,
    Operation,
    System,
    Workload,
    backend_name,
    call_name,
    early_calls,
    finds_it_ready,
    found,
    lock_held_in,
    loop_above,
    rule,
)

LONG_START = 60.0  # seconds
RETRYING = ("connection_retry", "retry", "retry_on_error", "retries", "max_retries", "connect_retries")


@rule("CL709", severity=WARNING)
def coordinator_without_healthcheck(system: System) -> Iterator[Found]:
    early: dict[object, list[EarlyCall]] = {}
    for asked in early_calls(system, *COORDINATORS, "redis"):
        early.setdefault(asked.store.workload.key, []).append(asked)
    for ensemble in system.deployment.ensembles(*COORDINATORS, "redis"):
        if not ensemble.is_ours_to_run or ensemble.role == "test" or retries(system, ensemble):
            continue
        matters = ensemble.backend != "redis" or holds_locks(system, ensemble)
        if ensemble.first.workload.kind == "compose":
            ordered = list(started_only(system, ensemble)) if matters else []
            unordered = [asked for key in ensemble.keys for asked in early.get(key, ())]
            yield from ordered or ([asked_at_start(ensemble, unordered)] if unordered else [])
        elif not matters:
            continue
        elif not any(probe.kind in ("readiness", "liveness") for probe in ensemble.first.workload.probes):
            workload = ensemble.first.workload
            yield found(
                f"{backend_name(ensemble.backend)} ({workload.name}) has neither readiness nor liveness probe",
                at=workload.place,
                because=ensemble.shown,
                symbol=workload.symbol,
                resource=ensemble.backend,
                severity=workload.role.softened(WARNING),
            )


def asked_at_start(ensemble: Ensemble, early: list[EarlyCall]) -> Found:
    """Services that ask it while they start, end when it does not answer, and state no order at all; one finding for all of them."""
    asked = early[0]
    others = len({e.workload.key for e in early}) - 1
    more = f" (and {others} more)" if others else ""
    checked = any(not p.is_disabled for c in ensemble.coordinators for p in c.workload.probes)
    missing = "does not wait for its healthcheck" if checked else "waits for it in no way, and it has no healthcheck"
    return found(
        f"{asked.workload.name}{more} asks {backend_name(ensemble.backend)} ({ensemble.name}) in order to start, {missing}; nothing starts it again",
        at=ensemble.first.workload.place,
        because=[
            (asked.workload.place, f"{asked.workload.name} is started here, in any order"),
            (asked.call.place, f"{call_name(asked.call)} fails until the store answers"),
            (asked.starts, f"and is done at the start: {asked.reason}"),
            *((e.workload.place, f"{e.workload.name} as well") for e in early[1:4] if e.workload.key != asked.workload.key),
        ],
        symbol=ensemble.first.workload.symbol,
        resource=ensemble.backend,
        severity=ensemble.first.workload.role.softened(WARNING),
        confidence=MEDIUM,
    )


def started_only(system: System, ensemble: Ensemble) -> Iterator[Found]:
    """Compose services that wait for no more than the start; one finding for each job whose end others wait for, and one for all the rest."""
    waiting = [
        (workload, dependency)
        for workload in system.workloads()
        for dependency in workload.depends_on
        if dependency.condition == "started" and workload.path == ensemble.first.workload.path
        for member in ensemble.coordinators
        if dependency.name == member.workload.name and workload.key not in ensemble.keys and not finds_it_ready(system, workload, ensemble)
    ]
    relied = {w.name: relying(system, w) for w, _ in waiting}
    for name in sorted(name for name, others in relied.items() if others):
        job = [(w, d) for w, d in waiting if w.name == name]
        yield start_only(ensemble, job, [Evidence(d.place, f"{w.name} is started when it has succeeded") for w, d in relied[name][:4]])
    rest = [(w, d) for w, d in waiting if not relied[w.name]]
    if rest:
        yield start_only(ensemble, rest, [Evidence(d.place, f"{w.name} as well") for w, d in rest[1:4] if w.key != rest[0][0].key])


def start_only(ensemble: Ensemble, waiting: list[tuple[Workload, Dependency]], more_places: list[Evidence]) -> Found:
    """Services that wait for the start only, told at the first."""
    workload, dependency = waiting[0]
    checked = [p for c in ensemble.coordinators for p in c.workload.probes if not p.is_disabled]
    others = len({w.key for w, _ in waiting}) - 1
    more = f" (and {others} more)" if others else ""
    missing = "waits for its start only" if checked else "waits for its start only, and it has no healthcheck"
    because = [Evidence(ensemble.first.place, f"{ensemble.first.workload.name} is defined here")]
    because += [Evidence(p.place, "its healthcheck is not waited for") for p in checked[:1]]
    return found(
        f"{workload.name}{more} depends on {backend_name(ensemble.backend)} ({ensemble.name}) and {missing}",
        at=dependency.place,
        because=[*because, *more_places],
        symbol=workload.symbol,
        resource=ensemble.backend,
        severity=ensemble.softened(INFO if checked and comes_back(workload) else WARNING),
        confidence=MEDIUM,
    )


def relying(system: System, job: Workload) -> list[tuple[Workload, Dependency]]:
    """The services that are started only when a job beside them has succeeded."""
    return [(w, d) for w in system.workloads() if w.path == job.path for d in w.depends_on if d.name == job.name and d.condition == "completed"]


def comes_back(workload: Workload) -> bool:
    """Whether little happens when it starts too early: what fails is started again, and finds the store answering a little later."""
    return not workload.is_unattended


def holds_locks(system: System, ensemble: Ensemble) -> bool:
    """Whether code takes a lock there."""
    return any(lock_held_in(system, coordinator) is not None for coordinator in ensemble.coordinators)


def retries(system: System, ensemble: Ensemble) -> bool:
    """Whether every client of the backend in code is made with a retry policy, and connects without a limit of its own."""
    clients = list(system.clients(backend=ensemble.backend))
    if not clients or not all(any(a.name in RETRYING for a in client.arguments) for client in clients):
        return False
    return ensemble.backend != "zookeeper" or not any(gives_up(system, call) for call in system.operations(Op.CONNECT, backend="zookeeper"))


def gives_up(system: System, call: Operation) -> bool:
    """Whether kazoo's `start` ends with an error when its timeout has passed, whatever the client retries, and nobody calls it again."""
    said = call.argument("timeout")
    is_short = said is None or (isinstance(said.value, int | float) and said.value < LONG_START)
    return call.call == "kazoo.client.KazooClient.start" and is_short and not call.loop and loop_above(system, call) is None
