"""What happens when something goes down: who cannot start, who fails, who degrades and which handler saves them.

The answer is a reading of code and manifests together: an operation on the lost store hits every workload whose program
reaches it, unless a handler on every way to it sees the outage. Confidence is lower where the way from a client to a
server is assumed (one store of that kind and nothing that says otherwise).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from coordlint.coordination import Operation, Section
from coordlint.deployment import Coordinator, Workload
from coordlint.finding import Confidence, Evidence
from coordlint.guarding import sees_outage, survives_outage
from coordlint.models.schema import Op
from coordlint.outage import WayIn, way_in
from coordlint.system import System
from coordlint.workload import Key

_DATABASES = frozenset({"postgres", "mysql"})
_NO_CALL = (Op.CLIENT, Op.CLOSE, Op.LISTEN, Op.RETRY_POLICY, Op.MAKE_LOCK, Op.MAKE_ELECTION, Op.MAKE_QUEUE)  # nothing is asked of the server yet, or any more
_SERVES = {  # by which kinds of entry points a program is entered; programs that are not listed, by any
    **dict.fromkeys(("gunicorn", "uvicorn", "hypercorn", "daphne", "waitress-serve", "uwsgi", "flask", "granian"), ("http",)),
    **dict.fromkeys(("celery-worker", "rq-worker", "dramatiq", "arq", "huey"), ("task", "periodic")),
    "celery-beat": (),
}
_PER = {"http": "request", "task": "task", "periodic": "task", "consumer": "message"}


class Fate(StrEnum):
    """What becomes of a workload, the worst first."""

    NO_START = "cannot start"
    FAILS = "fails"
    DEGRADES = "degrades"
    INDIRECT = "hit through others"
    UNTOUCHED = "untouched"


class Hit(msgspec.Struct, frozen=True):
    """One way in which the outage reaches a program: in words, with its evidence in the order of the sentence."""

    fate: Fate
    message: str
    evidence: tuple[Evidence, ...]
    confidence: Confidence = Confidence.HIGH


class Told(msgspec.Struct, frozen=True):
    """A workload, the worst that happens to it, and all that proves it. `workload` is None for code that no manifest runs."""

    workload: Workload | None
    fate: Fate
    hits: tuple[Hit, ...] = ()


class Outage(msgspec.Struct, frozen=True):
    """What was asked, what is down by that name, and what follows; told from the worst to the untouched."""

    name: str
    down: tuple[Workload, ...]
    backends: tuple[str, ...]
    told: tuple[Told, ...]


class NothingByThatName(Exception):
    """No workload, and no store that code uses, has the name; the message lists those there are."""


def whatif(system: System, name: str) -> Outage:
    """What an outage of a workload, or of a kind of store such as "redis", does. Raises NothingByThatName."""
    down = tuple(w for w in system.workloads() if name.lower() in (w.name.lower(), *(n.lower() for n in w.names)))
    servers = {c.workload.key: c for c in system.coordinators()}
    if down:
        backends = tuple(sorted({servers[w.key].backend for w in down if w.key in servers}))
    else:
        down = tuple(c.workload for c in servers.values() if c.backend == name.lower())
        backends = (name.lower(),)
        if not down and name.lower() not in used_backends(system):
            raise NothingByThatName(_choices(system, name))
    lost = _Lost(system, down, backends)
    direct = {w.key: lost.hits(w) for w in system.workloads() if w.key not in lost.keys}
    told = [Told(w, _worst(hits), tuple(hits)) for w in system.workloads() if (hits := direct.get(w.key)) is not None]
    told = [_through_others(system, t, told) for t in told]
    loose = tuple(lost.in_code_that_nothing_runs())
    if loose:
        told.append(Told(None, _worst(loose), loose))
    order = list(Fate)
    told.sort(key=lambda t: (order.index(t.fate), t.workload is None, t.workload.key if t.workload else Key("", "")))
    return Outage(name, down, backends, tuple(told))


def used_backends(system: System) -> tuple[str, ...]:
    """The stores that code talks to, and those that are deployed."""
    used = {o.backend for o in system.operations() if o.backend and o.backend not in ("process-local", "file-lock", "database-row")}
    return tuple(sorted(used | {c.backend for c in system.coordinators()}))


def _choices(system: System, name: str) -> str:
    known = sorted({w.name for w in system.workloads()} | set(used_backends(system)))
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return f"nothing here is called {name!r}; there is {shown}" if known else f"nothing here is called {name!r}, and nothing is deployed or used"


def _worst(hits: Iterable[Hit]) -> Fate:
    order = list(Fate)
    return min((h.fate for h in hits), key=order.index, default=Fate.UNTOUCHED)


class _Lost:
    """What is down, and how it is missed."""

    def __init__(self, system: System, down: tuple[Workload, ...], backends: tuple[str, ...]) -> None:
        self.system, self.down, self.backends = system, down, backends
        self.keys = frozenset(w.key for w in down)
        held = [s for s in system.critical_sections() if s.lock.backend in backends]
        behind = {inner.acquired for s in held if (inner := system.inner(s)) is not None}  # the wrapper's own, told at its callers
        sections = [_asking(system, s) for s in held if s.acquired not in behind]
        taken = {o.place for o in sections}
        self.calls = [*sections, *(o for o in system.operations() if self._is_call(o) and o.place not in taken)]
        self.peers: list[Coordinator] = [c for c in system.coordinators(*backends) if backends and c.workload.key not in self.keys]
        self._run_by = {symbol: frozenset(w.key for w in system.workloads_of(symbol)) for symbol in sorted({o.symbol for o in self.calls})}
        self._hits: dict[tuple[int, Confidence], Hit] = {}  # by call: what it does is the same for all workloads that run it

    def _is_call(self, o: Operation) -> bool:
        if o.op in _NO_CALL:
            return False
        if o.backend in self.backends or (o.kind == "database" and _DATABASES & set(self.backends)):
            return True
        hosts = {n.lower() for w in self.down for n in w.names}
        return o.kind == "http" and any(f"//{host}:" in (o.key_text or "") or f"//{host}/" in (o.key_text or "") + "/" for host in hosts)

    def hits(self, workload: Workload) -> list[Hit]:
        """Everything that the outage does to one workload."""
        made = list(self._at_start(workload))
        sure = self._talks_to(workload)
        if sure is not None:
            for call in self.calls:
                if workload.key in self._run_by[call.symbol] and self._enters(workload, call):
                    made.append(self._hit(call, sure))
        if not made and (linked := self._connection(workload)):
            message = f"talks to {linked[0]}, in a way that the code read here does not show"
            made.append(Hit(Fate.FAILS, message, linked[1], Confidence.LOW))
        return sorted(_distinct(made), key=lambda h: (list(Fate).index(h.fate), h.evidence[0].place if h.evidence else None, h.message))

    def _enters(self, workload: Workload, call: Operation) -> bool:
        """Whether a program of the workload gets to the call: a web server runs no tasks, a task worker no handlers."""
        kinds: set[str] = set()
        for process in workload.processes:
            if process.program not in _SERVES:
                return True
            kinds.update(_SERVES[process.program])
        entries = {e.kind for e in self.system.entries_reaching(call.symbol)} - {"test", "main", "command"}
        return not workload.processes or not entries or bool(entries & kinds)

    def _at_start(self, workload: Workload) -> Iterator[Hit]:
        names = {w.name for w in self.down if w.path == workload.path} | {n for w in self.down for n in w.names}
        for d in workload.depends_on:
            if d.name not in names:
                continue
            waits = {"healthy": "is healthy", "completed": "has ended well", "init": "answers an init container"}.get(d.condition)
            if waits:
                yield Hit(Fate.NO_START, f"is not started before {d.name} {waits}", (Evidence(d.place, "said here"),))

    def _talks_to(self, workload: Workload) -> Confidence | None:
        """How sure it is that the workload's client means what is down; None when it means another server of the kind."""
        targets = {c.target for c in self.system.deployment.connections_of(workload.key)}
        if targets & self.keys:
            return Confidence.HIGH
        if any(p.workload.key in targets for p in self.peers):
            return None
        return Confidence.MEDIUM if not self.peers else Confidence.LOW

    def _connection(self, workload: Workload) -> tuple[str, tuple[Evidence, ...]] | None:
        for c in self.system.deployment.connections_of(workload.key):
            if c.target in self.keys and c.target is not None and any(e.message != "depends-on" for e in c.evidence):
                return c.target.name, tuple(Evidence(e.place, f"said here ({e.message})") for e in c.evidence[:2])
        return None

    def _hit(self, call: Operation, sure: Confidence) -> Hit:
        known = self._hits.get((id(call), sure))
        if known is None:
            known = self._hits[id(call), sure] = self._made(call, sure)
        return known

    def _made(self, call: Operation, sure: Confidence) -> Hit:
        asks = Evidence(call.place, f"{call.call.rpartition('.')[2]} asks here" + (f' for "{call.key_text}"' if call.key_text else ""))
        if survives_outage(self.system, call):
            guard = next((g for g in self.system.guards_above(call) if sees_outage(g, call)), None)
            saved = (Evidence(guard.place, f"this handler sees the outage, and then: {guard.action}"),) if guard else ()
            return Hit(Fate.DEGRADES, "an outage is seen by a handler", (asks, *saved), sure)
        way = way_in(self.system, call)
        if way is not None:
            return _by_way(way, asks, sure)
        entry = next((e for e in self.system.entries_reaching(call.symbol) if e.kind in _PER), None)
        if entry is None:
            return Hit(Fate.FAILS, "fails where it asks", (asks,), min(sure, Confidence.MEDIUM))
        per = _PER[entry.kind]
        return Hit(Fate.FAILS, f"fails each {per} of {entry.symbol.rpartition('.')[2]}()", (asks, Evidence(entry.place, f"reached from here: {entry.reason}")), sure)

    def in_code_that_nothing_runs(self) -> Iterator[Hit]:
        """Calls in code that no workload of the manifests is known to run."""
        yield from _distinct([self._hit(call, Confidence.MEDIUM) for call in self.calls if not self._run_by[call.symbol]])


def _asking(system: System, section: Section) -> Operation:
    """The acquire of a section as a call to the store."""
    lock = section.lock
    return Operation(
        section.acquired, section.symbol, Op.ACQUIRE, f"{lock.type}.acquire", lock.library, lock.backend,
        key=lock.key, key_text=lock.key_text, guards=system.guards_at(section.acquired),
    )  # fmt: skip


def _by_way(way: WayIn, asks: Evidence, sure: Confidence) -> Hit:
    fate = Fate.FAILS if way.when in ("request", "save") else Fate.NO_START
    return Hit(fate, way.harm, (asks, Evidence(way.place, way.reason)), min(sure, way.confidence))


def _distinct(hits: list[Hit]) -> list[Hit]:
    """One hit for each place that asks."""
    seen: dict[object, Hit] = {}
    for hit in hits:
        seen.setdefault(hit.evidence[0].place if hit.evidence else hit.message, hit)
    return list(seen.values())


def _through_others(system: System, told: Told, all_told: list[Told]) -> Told:
    """An untouched workload that talks to one that is hit, or waits for it, is hit through it: one step only."""
    if told.fate is not Fate.UNTOUCHED or told.workload is None:
        return told
    bad = {t.workload.key: t for t in all_told if t.workload is not None and t.fate in (Fate.NO_START, Fate.FAILS)}
    for c in system.deployment.connections_of(told.workload.key):
        if c.target in bad and c.target is not None:
            fate = bad[c.target].fate
            evidence = tuple(Evidence(e.place, f"it talks to {c.target.name} ({e.message})") for e in c.evidence[:1])
            return Told(told.workload, Fate.INDIRECT, (Hit(Fate.INDIRECT, f"talks to {c.target.name}, which {fate}", evidence, c.confidence),))
    return told
