"""The coordination tax: which coordinators a system carries, how many uses truly need them, and what stops without them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from coordlint.coordination import Use
from coordlint.decision import CAS, CONSUL, PLATFORM, QUORUM, Verdict
from coordlint.system import COORDINATORS, System
from coordlint.whatif import Fate, whatif

_NEEDS = (QUORUM, CONSUL, PLATFORM)


class Tax(msgspec.Struct, frozen=True):
    """What one kind of store costs: how often it runs, what it is used for, and what stops when it stops."""

    backend: str
    deployed: tuple[str, ...]  # the workloads that are it
    uses: int
    needed: int  # uses whose verdict asks for agreement that only a coordination service gives
    instead: tuple[tuple[str, int], ...]  # what the other uses should be, and how many
    stops: tuple[str, ...]  # workloads that cannot start, or fail, without it
    degrades: tuple[str, ...]

    @property
    def is_unneeded(self) -> bool:
        """A quorum store that is run, and needed for nothing."""
        return self.backend in COORDINATORS and not self.needed


def tax(system: System, verdicts: Iterable[tuple[Use, Verdict]]) -> tuple[Tax, ...]:
    """The tax of each store that is used or deployed, quorum stores first."""
    judged = [(u, v) for u, v in verdicts if v.recommended is not None]
    used = {u.backend for u in system.uses()} - {"process-local", "file-lock", "database-row", "other", ""}
    backends = used | {c.backend for c in system.coordinators()}
    made = [_of(system, backend, [(u, v) for u, v in judged if u.backend == backend]) for backend in backends]
    return tuple(sorted(made, key=lambda t: (t.backend not in COORDINATORS, t.backend)))


def _of(system: System, backend: str, judged: list[tuple[Use, Verdict]]) -> Tax:
    others: dict[str, int] = {}
    needed = 0
    for _, verdict in judged:
        if verdict.recommended in _NEEDS or (verdict.recommended is CAS and verdict.gap == "fits"):
            needed += 1
        elif verdict.gap == "more than needed" and verdict.recommended is not None:
            others[verdict.recommended.name] = others.get(verdict.recommended.name, 0) + 1
    told = whatif(system, backend).told
    named = [(t.workload.name, t.fate) for t in told if t.workload is not None]
    return Tax(
        backend,
        tuple(c.workload.name for c in system.coordinators(backend)),
        sum(u.backend == backend for u in system.uses()),
        needed,
        tuple(sorted(others.items())),
        tuple(dict.fromkeys(n for n, f in named if f in (Fate.NO_START, Fate.FAILS))),
        tuple(dict.fromkeys(n for n, f in named if f is Fate.DEGRADES)),
    )
