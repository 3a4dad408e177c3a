"""Renewals of a lease whose failure nobody hears who works under it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.contention import Hushed
from coordlint.coordination import Operation
from coordlint.models.schema import Late, Op
from coordlint.source import Place
from coordlint.system import System
from coordlint.wording import words

_HERE = ("process-local", "file-lock", "")
_TAKES = (Op.ACQUIRE, Op.CREATE, Op.CAS, Op.WRITE)
_ASIDE = frozenset("release unlock stop close shutdown exit aexit del resign stepdown cleanup acquire take try elect campaign renew extend heartbeat".split())
_LOOKS = (Op.READ, Op.CHECK)


class Unheard(msgspec.Struct, frozen=True):
    """A loop beside the work that prolongs a lease, and tells nobody when that fails."""

    told: Hushed
    renewal: Operation
    started: Place
    taken: Operation
    by: str  # the function of the same class or module that takes the lease


def unheard_renewals(system: System) -> Iterator[Unheard]:
    """One for each place where such a failure ends."""
    for told in system.hushed():
        started = system.started_at(told.symbol) or system.handed_over(told.symbol)
        renewal = _renewal(system, told) if started else None
        taken = _taken(system, told.symbol) if renewal is not None else None
        if renewal is not None and taken is not None and not _is_asked_elsewhere(system, told.symbol, taken[1]):
            yield Unheard(told, renewal, started[0], taken[1], taken[0])


def _renewal(system: System, told: Hushed) -> Operation | None:
    """What prolongs the lease in a store that others see."""
    inside = [o for callee in told.callees for o in system.operations_in(system.runs(callee))]
    here = [o for o in system.operations_in((told.symbol,)) if o.place == told.renewal]
    meant = [o for o in (*here, *inside) if o.backend not in _HERE and o.late is not Late.READ and o.op not in _LOOKS and not o.in_test]
    return min(meant, key=lambda o: (o.op is not Op.EXTEND, o.op in (Op.CONNECT, Op.CLOSE), o.place), default=None)


def _taken(system: System, symbol: str) -> tuple[str, Operation] | None:
    """How the same class, or the same module, takes what it prolongs, for a time."""
    home = symbol.rpartition(".")[0]
    for f in sorted(f.symbol for f in system.functions() if f.symbol.rpartition(".")[0] == home and f.symbol != symbol and not f.in_test):
        for o in system.operations_in(sorted(system.runs(f) - system.runs(symbol))):
            if o.op in _TAKES and o.backend not in _HERE and (o.op is Op.ACQUIRE or o.conditional) and o.ttl is not None and o.ttl.kind != "never":
                return f, o
    return None


def _is_asked_elsewhere(system: System, symbol: str, taken: Operation) -> bool:
    """Whether anybody asks the store itself whose the lease is."""
    inside, home = system.runs(symbol), symbol.rpartition(".")[0]
    for o in system.operations(*_LOOKS, backend=taken.backend):
        same = (o.key == taken.key and o.key not in (None, "", "{}")) or o.symbol.rpartition(".")[0] == home
        aside = words(o.symbol.rpartition(".")[2]) & _ASIDE
        if same and not aside and o.symbol not in inside and o.symbol != taken.symbol and system.callers(o.symbol):
            return True
    return False
