r"""The result of an acquire that can fail is not tested: the work goes on whether the lock was obtained or not.

Why: an acquire that does not wait, or waits for a limited time, says "no" by its return value. `lock.acquire(blocking=False)`,
`acquire(timeout=5)`, `set(key, value, nx=True)`, `cache.add`, Consul's `kv.put(acquire=...)` and `Redlock.lock()` all do. Whoever does not
look has no lock at all when it matters, which is when somebody else holds it; and the release that follows may free theirs.
A claim that is queued in a pipeline has no answer before `execute()`: where nothing executes it, it is not even asked for.

Instead: `if not lock.acquire(timeout=5): return` (or raise), and only then the work, with the release in `finally`.

Fine when: the library raises when it fails (kazoo's acquire with a timeout raises LockTimeout); the acquire waits without limit and
returns only with the lock; the result is returned or stored for somebody who looks; `set(nx=True)` gives a key its first value and is no lock. It is a note for a mark that is also read, where a lock is held around it.

Known misses: a result that is stored, and read for nothing but a log line.

Sources: redis-py, etcd3, py-consul, redlock-py documentation of the calls; Django documentation, cache.add.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Evidence,
    Found,
    Op,
    Operation,
    Outcome,
    Place,
    Section,
    System,
    call_name,
    distinct,
    effect_name,
    found,
    lock_name,
    rule,
    sounds_like_lock,
    told,
    trail,
)

ONCE = frozenset({"idempotency", "idempotent", "dedup", "once", "nonce"})
_CACHES = ("redis", "memcached", "django-cache")
TAKES = (Op.ACQUIRE, Op.CREATE, Op.WRITE)


@rule("CL106", severity=ERROR)
def ignored_acquire_result(system: System) -> Iterator[Found]:
    acquires = list(system.operations(Op.ACQUIRE, Op.CREATE))
    outcomes = {operation.place: operation.outcome for operation in acquires}
    queued = {operation.place for operation in acquires if operation.atomic == "pipeline" and not _is_sent_and_forgotten(system, operation)}
    seen: set[Place] = set()
    told: set[tuple[Place, str]] = set()
    for section in sorted(system.critical_sections(), key=lambda s: not s.effects):
        if section.how in ("with", "decorator", "row-lock") or section.can_fail is not True or (section.tested is not False and not goes_on(section)):
            continue
        if section.acquired in queued:
            continue  # the answer comes with the others, to whoever executes the pipeline
        outcome = outcomes.get(section.acquired)
        if (outcome is Outcome.TESTED and not goes_on(section)) or outcome is Outcome.RETURNED or (outcome is None and section.escapes):
            continue
        is_kept_unread = outcome is Outcome.USED and system.is_unread(section.acquired)
        if outcome is Outcome.USED and not section.releases and not is_kept_unread:
            continue  # stored or passed on: somebody else may look
        if (section.checked and not is_kept_unread) or (section.lock.by_hand and not is_meant_as_lock(system, section)):
            continue
        seen.add(section.acquired)
        if (section.acquired, lock_name(section.lock)) in told:
            continue  # one call, in another of the sections that it opens
        told.add((section.acquired, lock_name(section.lock)))
        yield found(
            f"{refusal(section)}: what follows runs without it when it is taken",
            at=section,
            because=distinct([*what_follows(section), *trail(section)], besides=section.acquired),
            severity=ERROR if section.effects else WARNING,
            confidence=HIGH if section.effects else MEDIUM,
        )
    for mark in system.operations(Op.ACQUIRE, Op.CREATE, backend=_CACHES, answered=True):
        if mark.place in seen:
            continue
        if mark.outcome is Outcome.DEAD and not mark.atomic and not ONCE.isdisjoint(mark.key_words):
            seen.add(mark.place)
            yield found(
                f"nobody looks whether {call_name(mark)} could set \"{mark.key_text or mark.key}\": the second request goes on like the first",
                at=mark,
                severity=ERROR if not is_looked_up(system, mark) else INFO if system.is_locked(mark) or is_inside(system, mark) else WARNING,
                because=[*mark.origin, (mark.place, "the answer says whether the key was there already")],
                confidence=MEDIUM,
                help="Test the answer, and stop when the key was there: `if not r.set(key, value, nx=True, ex=...): return`.",
            )

    yield from never_sent(system)
    for create in system.operations(Op.CREATE, Op.ACQUIRE, backend=("etcd", "zookeeper", "consul", *_CACHES)):
        by_name = create.backend in _CACHES and is_taker_of_a_lock(system, create)
        takes = by_name or (create.backend not in _CACHES and (create.ephemeral or create.op is Op.ACQUIRE))
        for place in system.unheeded(create.symbol) if takes else ():
            if place in seen:
                continue
            yield found(
                f"nobody looks whether {create.symbol.rpartition('.')[2]}() could take \"{create.key_text or create.key}\": it answers False where another "
                "holds the key, and what follows goes on as after a success",
                at=place,
                symbol=caller_at(system, create.symbol, place),
                severity=WARNING,
                because=[(create.place, "the key is taken here, or is not"), *create.origin],
                confidence=MEDIUM,
                help="Test the answer, and stop or try again where it is False; log success only after it is True.",
            )


def _is_sent_and_forgotten(system: System, queued: Operation) -> bool:
    """Whether the pipeline in which a claim waits is executed in the same function, and nobody looks at what came back."""
    sent = [o for o in system.operations(Op.COMMIT) if o.symbol == queued.symbol and o.backend == queued.backend and o.place > queued.place]
    return bool(sent) and all(o.outcome is Outcome.DEAD for o in sent)


def never_sent(system: System) -> Iterator[Found]:
    """A lock key that is written in a pipeline which nobody executes: the command never leaves the process."""
    for pipeline in system.operations(Op.TRANSACTION, backend="redis"):
        if pipeline.outcome is not Outcome.DEAD:
            continue
        queued = [o for o in system.operations(*TAKES, backend="redis") if o.symbol == pipeline.symbol and o.atomic == "pipeline"]
        for write in queued:
            if write.place > pipeline.place and claims(system, write):
                yield found(
                    f'{call_name(write)} of "{write.key_text or write.key}" waits in a pipeline that is never executed: the key is not written and '
                    "everybody finds it free",
                    at=write,
                    because=[(pipeline.place, "the pipeline is made here, and execute() is called nowhere in the function")],
                    help="Call pipe.execute() and look at its result.",
                )
                break


def claims(system: System, write: Operation) -> bool:
    """Whether a write takes something: conditional, after a look whether it is free, or by its name."""
    if write.op is not Op.WRITE or sounds_like_lock(write.key_text, write.key, write.symbol.rpartition(".")[2]):
        return True
    return any(o.op is Op.READ and o.outcome is Outcome.TESTED and o.symbol == write.symbol for o in system.same_key(write))


def is_taker_of_a_lock(system: System, create: Operation) -> bool:
    """Whether a function does nothing but try for a key that is called a lock, or whose class is."""
    function = system.function(create.symbol)
    named = (create.key_text, create.symbol.rpartition(".")[2], function.class_name.rpartition(".")[2] if function is not None else "")
    return sounds_like_lock(*named) and all(o.op is not Op.WRITE for o in system.operations_in((create.symbol,)))


def caller_at(system: System, symbol: str, place: Place) -> str:
    """The function in which a call stands."""
    return next((caller for caller, at in system.callers(symbol) if at == place), "")


def is_looked_up(system: System, mark: Operation) -> bool:
    """Whether the project also reads the key: the mark may have been looked for before it was set."""
    return any(read.key == mark.key for read in system.operations(Op.READ, backend=mark.backend))


def is_inside(system: System, mark: Operation) -> bool:
    """Whether a lock that the same function has taken above is held: something behind the mark happens under it."""
    sections = (s for s in system.critical_sections(distributed=True) if s.symbol == mark.symbol and s.acquired < mark.place and s.path == mark.place.path)
    return any(e.operation.symbol == mark.symbol and e.place > mark.place for s in sections for e in s.effects)


def is_meant_as_lock(system: System, section: Section) -> bool:
    """SET NX also gives a key its first value; a lock is released, or named like one, or says that a thing is done once."""
    lock = section.lock
    if lock.backend in ("consul", "etcd", "zookeeper"):
        return True
    if any(o.key == lock.key for o in system.operations(Op.INCREMENT, backend=lock.backend) if lock.key is not None):
        return False
    if lock.via and not any(release.on_error for release in section.releases):  # a wrapper that may do several things
        return sounds_like_lock(lock.key_text, *lock.via)
    return bool(section.releases) or sounds_like_lock(lock.key_text, lock.key, section.symbol.rpartition(".")[2])


def refusal(section: Section) -> str:
    if section.tested:
        return f"that {lock_name(section.lock)} was not obtained ({how_it_fails(section)}) is noted, and ends nothing"
    return f"nobody looks whether {lock_name(section.lock)} was obtained ({how_it_fails(section)})"


def goes_on(section: Section) -> bool:
    """Whether a refusal is only noted, before something that others see; a lock around the filling of a cache only spares repeated computing."""
    lasting = (e for e in section.effects if e.harmful_when_late and e.operation.role != "cache" and (e.operation.ttl is None or e.operation.ttl.kind == "never"))
    return section.without is not None and section.purpose.kind != "performance" and any(lasting)


def how_it_fails(section: Section) -> str:
    if section.wait.kind == "seconds" and section.wait.seconds:
        return f"it gives up after {told(section.wait)}"
    return "it does not wait"


def what_follows(section: Section) -> list[Evidence]:
    effects = [Evidence(e.place, f"{effect_name(e.operation)} runs all the same") for e in section.effects[:2]]
    releases = [Evidence(r.place, "and this frees the lock, whoever holds it") for r in section.releases[:1] if section.lock.by_hand]
    return [*effects, *releases]
