"""Lease objects of Kubernetes that a program reads, judges and changes by itself, and what it sets without the version that it read."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from coordlint.coordination import Operation
from coordlint.models.schema import Op
from coordlint.system import System

LEASES = "kubernetes-lease"
HOLDER = "holder_identity"
_TIMES = ("renew_time", "acquire_time")
_BEGINS = ("acquire_time", "lease_transitions")
FARTHEST = 3  # calls between a write and the function that has read before


class LeaseChange(msgspec.Struct, frozen=True):
    """A write to a Lease behind a look at it. How: "take" | "renew" | "release" | "delete"."""

    write: Operation
    look: Operation
    how: str
    symbol: str  # the function that looks and writes, itself or through others

    @property
    def is_blind(self) -> bool:
        """Whether it changes the Lease whoever holds it by now."""
        return self.write.op in (Op.WRITE, Op.DELETE) and not self.write.conditional


def lease_changes(system: System) -> Iterator[LeaseChange]:
    """What is written to Leases by those who have read them before."""
    for write in system.operations(Op.WRITE, Op.CAS, Op.DELETE, backend=LEASES):
        how = _how(write)
        found = _look(system, write) if how else None
        if found is not None:
            yield LeaseChange(write, found[0], how, found[1])


def _how(write: Operation) -> str:
    """What a write does with the Lease, by the fields that it sets; "" where nobody knows."""
    if write.op is Op.DELETE:
        options = next((set(a.mentions) for a in write.arguments if a.name in ("body", "preconditions")), set())
        plain = next((m for m in options if m.endswith("V1DeleteOptions")), "")
        return "" if any(not plain.startswith(m) for m in options) else "delete"  # they may say which version is meant
    given = dict(write.writes)
    if HOLDER in given:
        emptied = any(name == HOLDER and how == "null" for name, how in write.writes)
        taken = any(name == HOLDER and how == "=" for name, how in write.writes)
        return "release" if emptied and not taken else "take" if taken and not emptied else ""
    return "renew" if any(name in given for name in _TIMES) else ""


def _look(system: System, write: Operation) -> tuple[Operation, str] | None:
    """The look at the Lease before a write, in its function or in one that calls it, with that function."""
    todo, seen = [(write.symbol, write.place.line)], set[str]()
    for _ in range(FARTHEST):
        for symbol, line in todo:
            seen.add(symbol)
            reads = [o for o in system.operations_in((symbol,)) if _is_read(o, write) and o.place.line < line]
            reads += [o for callee, at in system.calls_from(symbol) if at.line < line for o in system.operations_in(system.runs(callee)) if _is_read(o, write)]
            if reads:
                return reads[-1], symbol
        todo = [(caller, at.line) for symbol, _ in todo for caller, at in system.callers(symbol) if caller not in seen]
    return None


def _is_read(look: Operation, write: Operation) -> bool:
    known = all(o.key not in (None, "", "{}") for o in (look, write))
    return look.op is Op.READ and look.backend == LEASES and not look.in_test and (look.key == write.key or not known)
