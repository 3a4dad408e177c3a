"""Optimistic concurrency that a database's mapper does: version columns, and refusals that are handled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.coordination import Use
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation import calling, classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Object
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.source import Place, Span

_STALE = ("StaleDataError", "RecordModifiedError")  # what a mapper raises when another writer was first


def versions(ev: Evaluator, traces: Iterable[Trace]) -> Iterator[Use]:
    """Optimistic concurrency that the mapper does: where a class names its version column, and where a refusal is handled."""
    for scope in ev.project.classes():
        at = _version_declared(ev, scope)
        if at is not None and not is_test(scope.path):
            name = scope.symbol.rpartition(".")[2]
            yield Use(scope.place(at), "occ", "database-row", "sqlalchemy", scope.symbol, name, options=(("condition", "version_id_col"),))
    seen: set[Place] = set()
    for trace in traces:
        for guard in (g for s in trace.steps for g in s.guards):
            if guard.place not in seen and not is_test(trace.scope.path) and any(c.rpartition(".")[2] in _STALE for c in guard.catches):
                seen.add(guard.place)
                yield Use(guard.place, "occ", "database-row", "sqlalchemy", trace.scope.symbol, None)


def _version_declared(ev: Evaluator, scope: Scope) -> Span | None:
    """The `__mapper_args__` of a class that name a version column: an attribute, or a method that gives them."""
    for b in scope.names.get("__mapper_args__", ()):
        given = [(b.expr, b.at)] if b.expr is not None else []
        if b.target is not None and b.target.kind == "function":
            given = [(expr, expr.at) for expr in calling.returned(b.target)]
        for expr, at in given:
            keys = expr.keys if isinstance(expr, ir.Mapping) else ()
            if any(isinstance(k, ir.Const) and k.value == "version_id_col" for k in keys):
                return at or expr.at
    return None


def is_versioned(ev: Evaluator, symbol: str) -> bool:
    """Whether the mapper compares a version column of this class when it writes."""
    return any(_version_declared(ev, scope) is not None or _has_version(scope) for scope in classes.ancestry(ev, symbol)[0])


def _has_version(scope: Scope) -> bool:
    """`version = VersionAttribute()`, `IntegerVersionField()` of mappers that compare it by themselves, or `class Settings: use_revision = True`."""
    made = (b.expr for found in scope.names.values() for b in found)
    if any(isinstance(e, ir.Call) and last_word(e.func).endswith(("VersionAttribute", "VersionField")) for e in made):
        return True
    settings = next((c for c in scope.children if c.symbol.endswith(".Settings")), None)
    said = settings.names.get("use_revision", ()) if settings is not None else ()
    return any(isinstance(b.expr, ir.Const) and b.expr.value is True for b in said)


def is_guarded(ev: Evaluator, record: Object) -> bool:
    """Whether a record that was read cannot be written over another's change: its row is locked, or the mapper compares a version."""
    return record.loaded == "locked" or is_versioned(ev, record.symbol)
