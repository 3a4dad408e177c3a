"""What a program asks of a store in order to start, and whether what starts it waits until that store can answer."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Entry, Operation
from coordlint.deployment import Coordinator, Ensemble
from coordlint.guarding import is_guarded, sees_outage
from coordlint.models.schema import Op
from coordlint.outage import is_only_read, start_of
from coordlint.source import Place
from coordlint.system import System
from coordlint.waiting import loop_above
from coordlint.wording import words
from coordlint.workload import Workload

_ASKS = (
    Op.CONNECT, Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.CAS, Op.DELETE, Op.INCREMENT, Op.SET_ADD, Op.REGISTER, Op.QUEUE_PUT, Op.SCRIPT, Op.TRANSACTION,
)  # fmt: skip
_GIVES_UP = ("raise", "exit")
_WAITS = frozenset({"wait", "waits", "waiting", "wait4", "wait4ports", "dockerize", "until", "waitforit"})


class EarlyCall(msgspec.Struct, frozen=True):
    """A compose service that asks a store while it starts, that ends when nobody answers, and that nobody starts again."""

    call: Operation
    starts: Place  # the handler of the start, or the guard of the main program, or the line of the module
    reason: str
    workload: Workload
    store: Coordinator
    handled: bool  # a handler tells what is wrong, and ends the program all the same


def early_calls(system: System, *backends: str) -> Iterator[EarlyCall]:
    """The calls of stores that stand in compose beside the program, which waits for them in no way."""
    stores = [c for c in system.coordinators(*backends) if c.workload.kind == "compose"]
    for call in system.operations(*_ASKS, backend={c.backend for c in stores}) if stores else ():
        way = at_start(system, call)
        ends = ending(system, call) if way is not None else None
        if way is None or ends is None:
            continue
        for workload in system.workloads_of(way.symbol):
            store = _store_of(system, workload, [c for c in stores if c.backend == call.backend])
            if store is not None and ends_for_good(workload) and not _is_waited_for(store, workload):
                yield EarlyCall(call, way.place, way.reason, workload, store, bool(ends))


def ends_for_good(workload: Workload) -> bool:
    """Whether nobody starts a service again that ends."""
    return workload.kind == "compose" and workload.is_unattended and not workload.is_one_shot and not workload.is_optional


def ending(system: System, call: Operation) -> str | None:
    """What a failing call does to the program around it: "" where nothing handles it, "raise" where a handler ends it all the same; else None."""
    if is_guarded(system, call.symbol):
        return None
    seen = [g for g in system.guards_above(call) if sees_outage(g, call)]
    if any(g.action not in _GIVES_UP for g in seen):
        return None
    return "raise" if seen else ""


def at_start(system: System, call: Operation) -> Entry | None:
    """The handler of the application's start that waits for a call, or the main program, where that connects, registers or is set up before all else."""
    if system.function(call.symbol) is None:
        return None
    started = start_of(system, call.symbol)
    begins = call.op in (Op.CONNECT, Op.REGISTER) or is_only_read(system, call)
    if started is None and begins and not call.loop and loop_above(system, call) is None:
        started = next((e for e in system.entries_calling(call.symbol) if e.kind == "main"), None)
    return started


def _store_of(system: System, workload: Workload, stores: list[Coordinator]) -> Coordinator | None:
    """The one store of a kind that a program can mean: what it is seen to talk to, or the only one in its file."""
    near = [c for c in stores if c.workload.path == workload.path and c.workload.key != workload.key]
    talked = {connection.target for connection in system.deployment.connections_of(workload.key)}
    meant = [c for c in near if c.workload.key in talked] or near
    return meant[0] if len(meant) == 1 and not meant[0].workload.is_optional else None


def _is_waited_for(store: Coordinator, workload: Workload) -> bool:
    """Whether the order of starting names the store, on whatever condition, or what is started waits for something by itself."""
    commands = [workload.command, *(p.argv for p in workload.processes), *((p.program,) for p in workload.processes)]
    waits = bool(workload.waits) or any(_WAITS & words(word) for command in commands for word in command)
    return waits or any(d.name == store.workload.name or _WAITS & words(d.name) for d in workload.depends_on)


def finds_it_ready(system: System, workload: Workload, ensemble: Ensemble) -> bool:
    """Whether a service begins after the store answers, though it states an order only: its start waits for the store, or what it is
    started after has waited for the store's health, or was done with its own work there."""
    return _waits_itself(system, workload, ensemble) or _comes_after(system, workload, ensemble)


def _waits_itself(system: System, workload: Workload, ensemble: Ensemble) -> bool:
    """Whether a command of its start waits for a member, or for somebody who is not known."""
    for waiting in workload.waits:
        hosts = waiting.message.split()
        known = {w.key for host in hosts for w in system.deployment.resolve(host, workload.key)}
        if not known or known & set(ensemble.keys):
            return True
    return False


def _comes_after(system: System, workload: Workload, ensemble: Ensemble) -> bool:
    """Whether the order of starting leads to the store's health over other services."""
    beside = {w.name: w for w in system.workloads() if w.path == workload.path and w.kind == "compose"}
    members = {c.workload.name for c in ensemble.coordinators}
    todo = list(workload.depends_on)
    seen = {workload.name, *members}
    while todo:
        awaited = todo.pop()
        other = beside.get(awaited.name)
        if other is None or awaited.name in seen or awaited.condition == "ignored":
            continue
        seen.add(awaited.name)
        if any(d.condition == "healthy" and d.name in members for d in other.depends_on):
            return True
        if awaited.condition == "completed" and _talks_to(system, other, ensemble):
            return True
        if awaited.condition in ("completed", "healthy") and _waits_itself(system, other, ensemble):
            return True
        todo += other.depends_on
    return False


def _talks_to(system: System, workload: Workload, ensemble: Ensemble) -> bool:
    """Whether anything but an order of starting says that it connects there."""
    connections = [c for c in system.deployment.connections_of(workload.key) if c.target in ensemble.keys]
    return any(e.message != "depends-on" for c in connections for e in c.evidence)
