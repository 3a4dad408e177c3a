"""Correctness or performance: scored evidence for why a lock is held.

The weights are those of log-odds-like points: four or more for correctness, minus three or less for performance, and
"unknown" between. What a section does outweighs what it is called: names alone never reach either end.
"""

from __future__ import annotations

from coordlint import ir
from coordlint.coordination import Effect, Point, Purpose, Section
from coordlint.link.code.evaluation.evaluate import last_name
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import statements
from coordlint.models.schema import Late, Op
from coordlint.models.schema import Scope as Reach
from coordlint.wording import words

CORRECTNESS, PERFORMANCE = 4, -3

_ENTITY = frozenset("account order wallet invoice inventory balance stock seat payment transfer ledger booking reservation payout refund withdrawal cart quota credit".split())
_CHEAP = frozenset("cache warm refresh dedup debounce throttle cleanup gc report prune prefetch stat metric".split())
_STRICT = frozenset("conflict busy concurrent concurrency duplicate".split())


def purpose_of(section: Section, raised: frozenset[str] = frozenset()) -> Purpose:
    """The purpose of a section, with its points; `raised` are words of the exceptions that its function raises itself."""
    return _weighed(section, [*_effects(section), *_acquire(section), *_care(section), *_names(section, raised), *_surroundings(section)])


def _weighed(section: Section, points: list[Point], intent: str = "") -> Purpose:
    score = sum(p.points for p in points)
    if section.unresolved and not any(p.points >= CORRECTNESS for p in points) and score < CORRECTNESS:
        kind = "performance" if score <= PERFORMANCE - 1 else "unknown"
    else:
        kind = "correctness" if score >= CORRECTNESS else "performance" if score <= PERFORMANCE else "unknown"
    return Purpose(kind, tuple(points), intent)


def on_schedule(section: Section) -> Purpose:
    """The purpose of a section in the body of a periodic task: under one constant key it keeps two runs apart, unless money or mail leaves it."""
    leaves = any(e.operation.kind in ("payment", "email") for e in section.effects)
    if leaves or not section.lock.key or "{" in section.lock.key:
        return section.purpose
    return _weighed(section, [*section.purpose.points, Point(-2, "one constant key in a periodic task keeps two runs apart", section.acquired)])


def declared(purpose: Purpose, intent: str) -> Purpose:
    """A purpose with what a comment says it is: "performance-lock" or "correctness-lock".

    The comment decides where the evidence does not; evidence for correctness that it cannot explain away stays.
    """
    kind = intent.removesuffix("-lock")
    outweighed = kind == "performance" and any(p.points >= CORRECTNESS for p in purpose.points)
    return Purpose(purpose.kind if outweighed else kind, purpose.points, declared=intent)


def raised_in(scope: Scope) -> frozenset[str]:
    """Words of the exceptions that a function raises itself: {"account", "busy"} for `raise AccountBusy(...)`."""
    if not isinstance(scope.node, ir.Function):
        return frozenset()
    raised = [s.value for s in statements(scope.node.body) if isinstance(s, ir.Raise) and s.value is not None]
    return frozenset(word for value in raised for word in words(last_name(value)))


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
        elif op.kind in ("object-store", "file", "database", "") and op.reads_back is not None and op.backend not in _CACHES:
            points.append(Point(4, "a record is overwritten with what was computed from reading it", effect.place))
        elif op.kind in ("message", "email", "http", "task") and op.late is not Late.READ and outward < 3:
            outward += 1
            points.append(Point(2 if outward == 1 else 1, f"{'an' if outward == 1 else 'another'} outward {op.kind} call", effect.place))
    states = {(e.operation.backend, e.operation.key_text) for e in section.reads if e.operation.backend and e.operation.key_words}
    state = next((e for e in harmful if e.operation.op is Op.WRITE and (e.operation.backend, e.operation.key_text) in states), None)
    if outward and state is not None and (state.operation.ttl is None or state.operation.ttl.kind == "never"):
        points.append(Point(4, "what is sent hangs on a state that is read and written here", state.place))
    points = _at_most(points, "another outward", 1)
    points = _once(points)
    stores = {e.operation.kind for e in harmful if e.operation.kind and e.operation.late is not Late.READ}
    if len(stores) > 1 and not section.shares_fate:
        points.append(Point(2, "writes to " + " and ".join(sorted(stores)) + " without a common transaction"))
    decided = next((e for e in section.effects if e.conditional and not e.operation.ensures), None)
    if decided is not None:
        points.append(Point(-4, "a write inside is conditional already", decided.place))
    elif section.effects and all(_is_cheap(e) for e in section.effects):
        points.append(Point(-4, "the effects only fill a cache or count", section.effects[0].place))
    elif section.effects and all(_is_repeatable(e) for e in section.effects):
        points.append(Point(-3, "nothing inside does harm when it happens twice", section.effects[0].place))
    return points


_CACHES = ("memcached", "django-cache")  # what stands there may be gone at any time: nothing rests on it


def _at_most(points: list[Point], reason: str, most: int) -> list[Point]:
    """No more than so many points whose reason begins alike."""
    alike = [p for p in points if p.reason.startswith(reason)]
    return [p for p in points if p not in alike[most:]]


def _once(points: list[Point]) -> list[Point]:
    """The same reason counts once."""
    seen: dict[str, Point] = {}
    for p in points:
        seen.setdefault(p.reason, p)
    return list(seen.values())


def _is_cheap(effect: Effect) -> bool:
    op = effect.operation
    return op.reads_back is None and op.backend in ("redis", "memcached", "django-cache") and op.op in (Op.WRITE, Op.DELETE, Op.EXPIRE, Op.SET_ADD)


def _is_repeatable(effect: Effect) -> bool:
    """Adding a member that is there, or deleting what is gone. Overwriting is not: a late one destroys what is newer."""
    return effect.operation.reads_back is None and effect.operation.late in (Late.ADD_MEMBER, Late.DELETE)


def _acquire(section: Section) -> list[Point]:
    if section.lock.model.stampede_only:
        return [Point(-5, "the library's lock is against stampedes: it lets everybody in after a while", section.acquired)]
    if section.skips_when_busy:
        return [Point(-3, "a busy lock means that the work is skipped", section.acquired)]
    if section.raises_when_busy and not section.lock.via:  # what a wrapper raises may be caught here
        return [Point(2, "a busy lock is an error for the caller", section.acquired)]
    if section.can_fail is not True and section.wait.kind == "never" and section.lock.model.scope in (Reach.DISTRIBUTED, Reach.DB_SESSION):
        return [Point(2, "the acquire waits without limit", section.acquired)]
    return []


def _care(section: Section) -> list[Point]:
    """Whether the code looks after its lock, or leaves it to its expiry."""
    looked = sorted((*section.checked, *section.extended))
    if looked:
        return [Point(1, "the lock is renewed, or asked for again, while it is held", looked[0])]
    left = section.lock.by_hand and not section.releases and section.skips_when_busy and section.lock.lifetime.kind == "seconds"
    return [Point(-2, "the key is left to expire", section.acquired)] if left else []


def _surroundings(section: Section) -> list[Point]:
    folders = section.acquired.path.split("/")[:-1]
    aside = section.in_test or "migrations" in folders or folders[-2:] == ["management", "commands"]
    return [Point(-1, "it stands in a test, a migration or a command", section.acquired)] if aside else []


def _names(section: Section, raised: frozenset[str]) -> list[Point]:
    named = words(section.lock.key_text) | words(section.symbol.rpartition(".")[2])
    entity, cheap = named & _ENTITY, named & _CHEAP
    if entity and not cheap and "{" in section.lock.key_text:
        return [Point(2, f"the key names one {sorted(entity)[0]}", section.acquired)]
    if cheap and not entity:
        return [Point(-2, f"it is called {sorted(cheap)[0]}", section.acquired)]
    strict = (named | raised) & _STRICT
    return [Point(1, f"it speaks of a conflict: {sorted(strict)[0]}", section.acquired)] if strict else []
