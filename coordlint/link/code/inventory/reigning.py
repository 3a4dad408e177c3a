"""Locks that are held for as long as a process lives: tried again and again, asked for before work, and never given back for it.

Whoever has such a lock leads, whatever it is called. What tells it is how the class around the lock is used from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.purposes.deeds import Deed
from coordlint.link.code.scopes.project import Scope
from coordlint.wording import spelled

_ASKS = frozenset("have has is hold own".split())
_GIVES_BACK = frozenset("release unlock give free yield drop abandon resign".split())


class Reigns:
    """The classes whose lock is a reign, by how others use it."""

    def __init__(self, scopes: Mapping[str, Scope], functions: Mapping[str, Deed], traces: Iterable[Trace]) -> None:
        self._scopes = scopes
        self._functions = functions
        tried: set[str] = set()
        asked: set[str] = set()
        given_back: set[str] = set()
        for t in traces:
            for step in t.steps:
                owner, name = self._lock_of(t, step)
                first = spelled(name)[:1]
                if not owner or not first:
                    continue
                if first[0] in _ASKS:
                    asked.add(owner)
                elif first[0] in _GIVES_BACK:
                    given_back.add(owner)
                elif step.loop in ("while", "forever"):
                    tried.add(owner)
        self._classes = (tried & asked) - given_back

    def seen(self, trace: Trace, step: Step, deed: Deed) -> Deed:
        """What a call stands for: of such a lock, from outside of its class, the election."""
        owner, _ = self._lock_of(trace, step)
        return replace(deed, role="leader-election") if deed.role == "lock" and owner in self._classes else deed

    def _lock_of(self, trace: Trace, step: Step) -> tuple[str, str]:
        """The class whose lock a call from outside is about, and the method's name; "" where it is about none."""
        for f in step.functions[: step.called]:
            owner = self._scopes[f.symbol].owner
            deed = self._functions.get(f.symbol)
            if deed is not None and deed.role == "lock" and owner is not None:
                inside = trace.scope.owner is not None and trace.scope.owner.symbol == owner.symbol
                return ("", "") if inside else (owner.symbol, f.symbol.rpartition(".")[2])
        return "", ""
