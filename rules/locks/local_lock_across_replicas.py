r"""A thread, asyncio, process or file lock guards a shared effect in a workload that runs more than once.

Why: such a lock excludes the threads of one process, or at most the processes of one host. Where a manifest starts three replicas, or
the web server forks four workers, or the program itself as many as its settings say, each has a lock of its own, and the read and the write under it interleave with those of the others.
It works on the developer's machine, where there is one. Celery
and Dramatiq start a process for each processor where nobody says otherwise.

Instead: let the store decide: an atomic UPDATE, a version in the WHERE clause, SELECT ... FOR UPDATE in the transaction, a unique
constraint. Only if there is no such store, a distributed lock with a token that the target checks.

Fine when: the lock protects what lives in the process (a dict, a connection, a counter); the workload runs once, or the code runs only
under an election or a distributed lock; a file lock lies on a volume that all instances share; a semaphore, which only says how much a process does at once.

Known misses: replicas that are set outside the repository. That Celery's workers have one process is known from the command line and the environment only,
not from a setting in Python.

Sources: Python documentation of threading, asyncio and multiprocessing; Kubernetes documentation, Deployments.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Op,
    Place,
    Scope,
    Section,
    System,
    Workload,
    cure_for,
    distinct,
    effect_name,
    found,
    many_instances,
    many_processes,
    rule,
    trail,
)

STORES = ("redis", "memcached", "zookeeper", "etcd", "consul", "dynamodb")
SHARED = ("database", "object-store", "payment")
_CONCURRENCY = ("CELERY_WORKER_CONCURRENCY", "CELERYD_CONCURRENCY", "CELERY_CONCURRENCY", "CELERYD_POOL", "CELERY_WORKER_POOL")
REACH = {Scope.PROCESS: "the threads of one process", Scope.HOST: "the processes of one host"}


@rule("CL113", severity=ERROR)
def local_lock_across_replicas(system: System) -> Iterator[Found]:
    truly_guarded = guarded_by_more(system)
    for section in system.critical_sections(scopes=(Scope.PROCESS, Scope.HOST)):
        shared = [effect for effect in section.effects if is_shared(effect) and effect.place not in truly_guarded]
        if not shared or section.lock.model.kind == "semaphore" or is_leader_only(system, section):
            continue
        many = next((e for w in system.workloads_of(section.symbol) if (e := runs_more_than_once(system, section, w)) is not None), None)
        many = many or served(system, section)
        offered = None if many is not None else starts_more_than_one(system, section)
        many = many or offered
        if many is None:
            continue
        worst = min(shared, key=lambda effect: (effect.operation.kind != "payment", effect.place))
        compound = bool(section.reads) or worst.operation.reads_back is not None or worst.operation.kind == "payment"
        yield found(
            f"{effect_name(worst.operation)} is guarded by a {section.lock.type.rpartition('.')[2]} that excludes only "
            f"{REACH[section.lock.model.scope]}, and {many.message}",
            at=section,
            because=[*distinct(trail(section, worst), besides=section.acquired), many],
            severity=ERROR if compound and offered is None else WARNING,
            confidence=HIGH if compound and offered is None else MEDIUM,
            help=cure_for(worst.operation),
        )


def is_shared(effect: Effect) -> bool:
    """Whether other instances see the effect, and it would do harm beside theirs."""
    operation = effect.operation
    if not effect.harmful_when_late or effect.conditional or operation.conditional:
        return False
    if operation.backend in STORES:
        return operation.role != "cache" and operation.op in (Op.WRITE, Op.DELETE, Op.EFFECT) and (operation.ttl is None or operation.ttl.kind == "never")
    return operation.kind in SHARED


def guarded_by_more(system: System) -> set[Place]:
    """Effects that a distributed lock or a database transaction guards as well."""
    wider = system.critical_sections(scopes=(Scope.DISTRIBUTED, Scope.DB_SESSION, Scope.DB_TRANSACTION))
    return {effect.place for section in wider for effect in section.effects}


def is_leader_only(system: System, section: Section) -> bool:
    """The code runs under an election, and so in one instance at a time."""
    elections = (s for s in system.critical_sections(distributed=True) if s.lock.model.kind == "election")
    return any(section.symbol in system.reached_from(election.symbol) for election in elections)


def runs_more_than_once(system: System, section: Section, workload: Workload) -> Evidence | None:
    """The evidence that a workload has more instances than the lock reaches."""
    if section.lock.model.scope is Scope.HOST:
        return None if shares_file(section, workload) else many_instances(workload)
    return many_instances(workload) or many_processes(workload) or one_for_each_processor(workload, system.programs_running(workload, section.symbol))


def one_for_each_processor(workload: Workload, programs: frozenset[str]) -> Evidence | None:
    """Workers of tasks whose number nobody says: celery and dramatiq fork one for each processor of the machine; of the programs that run the code."""
    for process in workload.started(*programs & {"celery-worker", "dramatiq"}):
        said = process.option("-c", "--concurrency", "-p", "--processes") is not None or process.option("-P", "--pool") not in (None, "prefork", "processes")
        if process.workers is None and not said and workload.variable(*_CONCURRENCY) is None:
            return Evidence(process.place, f"{workload.name} starts a {process.program} process for each processor")
    return None


def starts_more_than_one(system: System, section: Section) -> Evidence | None:
    """The evidence that the program itself starts the code in several processes, as many as a setting says."""
    launch = system.multiplied(section.symbol) if section.lock.model.scope is Scope.PROCESS else None
    if launch is None:
        return None
    return Evidence(launch.place, f"{launch.symbol.rpartition('.')[2]} is started in several processes ({launch.told})")


def served(system: System, section: Section) -> Evidence | None:
    """A program of the project that starts the server with several processes, where the lock reaches one."""
    if section.lock.model.scope is Scope.HOST:
        return None
    return next((Evidence(s.told, f"{s.module.rpartition('.')[2]} is served by {s.workers} processes") for s in system.served_with(section.symbol)), None)


def shares_file(section: Section, workload: Workload) -> bool:
    """Whether the lock file can lie on a volume that the instances share; any shared volume, when its path is not known."""
    shared = [m for m in workload.mounts if m.kind in ("claim", "named", "bind", "host-path")]
    path = section.lock.key or ""
    if not path.startswith("/"):
        return bool(shared)
    return any(path == m.target or path.startswith(m.target.rstrip("/") + "/") for m in shared)
