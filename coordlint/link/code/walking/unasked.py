"""Answers of calls that take a lock, kept in an attribute that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordlint import ir
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.flow.usage import bare
from coordlint.link.code.scopes.project import Project, Scope, is_test
from coordlint.link.code.scopes.statements import expressions
from coordlint.models.schema import Op
from coordlint.source import Place

_TAKES = (Op.ACQUIRE, Op.CREATE)


def unread(project: Project, traces: Sequence[Trace]) -> Iterator[Place]:
    """The calls whose answer goes into an attribute, `self._had = lock.acquire(blocking=False)`, of a name that is read nowhere in the project."""
    kept: dict[str, list[Place]] = {}
    for t in traces:
        takes = {s.place for s in t.steps if s.operation is not None and s.operation.op in _TAKES} if not is_test(t.scope.path) else set()
        for s in t.scope.statements if takes else ():
            value = bare(s.value) if isinstance(s, ir.Assign) and s.value is not None else None
            if isinstance(s, ir.Assign) and isinstance(value, ir.Call) and t.scope.place(value.at) in takes and all(isinstance(x, ir.Attribute) for x in s.targets):
                kept.setdefault(" ".join(x.name for x in s.targets if isinstance(x, ir.Attribute)), []).append(t.scope.place(value.at))
    if not kept:
        return
    read = {name for scope in (*project.functions(), *project.modules.values()) for name in _read(scope)}
    yield from (place for names, places in sorted(kept.items()) if read.isdisjoint(names.split()) for place in places)


def _read(scope: Scope) -> Iterator[str]:
    """The attributes that a scope reads, and the texts by which it might."""
    for s in scope.statements:
        targets = {id(t) for t in s.targets} if isinstance(s, ir.Assign) else set()
        for node in (n for e in expressions(s) for n in ir.walk(e)):
            if isinstance(node, ir.Attribute) and id(node) not in targets:
                yield node.name
            elif isinstance(node, ir.Const) and isinstance(node.value, str) and node.value.isidentifier():
                yield node.value
