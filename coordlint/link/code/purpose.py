"""Correctness or performance: scored evidence for why a lock is held.

The weights are those of log-odds-like points: four or more for correctness, minus three or less for performance, and
"unknown" between. What a section does outweighs what it is called: names alone never reach either end.
"""

from __future__ import annotations

from coordlint.coordination import Effect, Point, Purpose, Section
from coordlint.models.schema import Late, Op, Scope
from coordlint.wording import words

CORRECTNESS, PERFORMANCE = 4, -3

_ENTITY = frozenset("account order wallet invoice inventory balance stock seat payment transfer ledger booking reservation payout refund withdrawal cart quota credit".split())
_CHEAP = frozenset("cache warm refresh dedup debounce throttle cleanup gc report prune prefetch stat metric".split())
_STRICT = frozenset("conflict busy concurrent concurrency duplicate".split())


def purpose_of(section: Section) -> Purpose:
    """The purpose of a section, with its points."""
    points = [*_effects(section), *_acquire(section), *_names(section)]
    score = sum(p.points for p in points)
    if section.unresolved and not any(p.points >= CORRECTNESS for p in points) and score < CORRECTNESS:
        kind = "performance" if score <= PERFORMANCE - 1 else "unknown"
    else:
        kind = "correctness" if score >= CORRECTNESS else "performance" if score <= PERFORMANCE else "unknown"
    return Purpose(kind, tuple(points))


def declared(purpose: Purpose, intent: str) -> Purpose:
    """A purpose with what a comment says it is: "performance-lock" or "correctness-lock".

    The comment decides where the evidence does not; evidence for correctness that it cannot explain away stays.
    """
    kind = intent.removesuffix("-lock")
    contradicted = kind == "performance" and any(p.points >= CORRECTNESS for p in purpose.points)
    return Purpose(purpose.kind if contradicted else kind, purpose.points, declared=intent)


def _effects(section: Section) -> list[Point]:
    points: list[Point] = []
    outward = 0
    harmful = [e for e in section.effects if not e.conditional]
    for effect in harmful:
        op = effect.operation
        if op.kind == "payment":
            points.append(Point(5, "a payment without an idempotency key", effect.place))
        elif op.kind == "database" and op.late in (Late.ACCUMULATE, Late.APPEND):
            points.append(Point(4, "a database write that is not safe to repeat", effect.place))
        elif op.kind in ("object-store", "file", "database", "") and op.reads_back is not None:
            points.append(Point(4, "a record is overwritten with what was computed from reading it", effect.place))
        elif op.kind in ("message", "email", "http", "task") and op.late is not Late.READ and outward < 3:
            outward += 1
            points.append(Point(2 if outward == 1 else 1, f"an outward {op.kind} call", effect.place))
    points = _once(points)
    stores = {e.operation.kind for e in harmful if e.operation.kind and e.operation.late is not Late.READ}
    if len(stores) > 1 and not section.shares_fate:
        points.append(Point(2, "writes to " + " and ".join(sorted(stores)) + " without a common transaction"))
    if any(e.conditional for e in section.effects):
        points.append(Point(-4, "a write inside is conditional already"))
    elif section.effects and all(_is_cheap(e) for e in section.effects):
        points.append(Point(-4, "the effects only fill a cache or count"))
    return points


def _once(points: list[Point]) -> list[Point]:
    """The same reason counts once."""
    seen: dict[str, Point] = {}
    for p in points:
        seen.setdefault(p.reason, p)
    return list(seen.values())


def _is_cheap(effect: Effect) -> bool:
    op = effect.operation
    return op.reads_back is None and op.backend in ("redis", "memcached", "django-cache") and op.op in (Op.WRITE, Op.DELETE, Op.EXPIRE, Op.SET_ADD)


def _acquire(section: Section) -> list[Point]:
    if section.skips_when_busy:
        return [Point(-3, "a busy lock means that the work is skipped", section.acquired)]
    if section.wait.kind == "never" and section.lock.model.scope in (Scope.DISTRIBUTED, Scope.DB_SESSION):
        return [Point(2, "the acquire waits without limit", section.acquired)]
    return []


def _names(section: Section) -> list[Point]:
    named = words(section.lock.key_text) | words(section.symbol.rpartition(".")[2])
    entity, cheap = named & _ENTITY, named & _CHEAP
    if entity and not cheap and "{" in section.lock.key_text:
        return [Point(2, f"the key names one {sorted(entity)[0]}", section.acquired)]
    if cheap and not entity:
        return [Point(-2, f"it is called {sorted(cheap)[0]}", section.acquired)]
    return [Point(1, "it is named after a conflict", section.acquired)] if named & _STRICT else []
