r"""A lock taken with SET NX is released by a plain delete, or by a get, a comparison and a delete.

Why: by the time of the release the lease may have run out and the key may belong to somebody else. A plain delete frees that
other holder's lock, a third process enters, and the mistake repeats with every slow run. Reading the value first does not help
when reading and deleting are two commands: the key can change hands between them.

Instead: store a value that only this holder knows (`uuid4().hex`) and delete only if it is still there, in one step: a Lua script
that compares and deletes, `delex(key, ifeq=token)` on a server from 8.4, or the lock object of redis-py, which does it for you.

Fine when: the comparison and the delete are one script or stand between WATCH and MULTI; a library's lock releases itself
(redis-py and python-redis-lock compare the token); the key is a mark and was never meant as a lock; tests and commands with
which an operator frees a stuck lock. Where the lease is counted from the time limit of the task that holds it, nobody is left to release too late. It is a
note where the lease is longer than an hour: who comes too late must have worked for hours; and where something renews it, which has to fail first.

A lease in a row of a database (`claimed_until`, `locked_by`) is given back by an update whose WHERE names who has it. So is a row of a table of locks
with an owner: where one release of the program asks for him, another that goes by the name of the lock alone is a mistake.

So is a lock that is a time of day, taken by GETSET: who finds it taken has already put his own time there, and must not go through a `finally` that deletes it.

Known misses: a delete of a key that is computed in a way that hides that it is the lock's.

Sources: Redis documentation, Distributed Locks (release with a script) and DELEX; Django documentation, cache.add.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    INFO,
    MEDIUM,
    WARNING,
    Found,
    Op,
    Operation,
    Outcome,
    Place,
    Release,
    Section,
    System,
    blind_releases,
    call_name,
    cleared,
    distinct,
    dropped,
    exchanged,
    fixed,
    found,
    freed_untaken,
    handed_back,
    lease_changes,
    lock_name,
    lock_releases,
    rule,
    sounds_like_lock,
    swept,
    takeovers,
    told,
    trail,
    unclaimed,
    words,
)

PLAIN, IN_STEPS = "a plain delete", "a get, a comparison and a delete, in separate steps"
CURES = {
    "redis": "Store a random token as the value and release with a script that deletes the key only while it holds that token, or use redis-py's lock().",
    "memcached": "Read with gets and expire the key with cas, or use a store that can compare and delete in one step.",
    "django-cache": "django-redis: cache.lock(key, timeout=...) compares the owner. Plain cache backends cannot: let the key expire instead of deleting it.",
    "consul": "Release with kv.put(key, value, release=<session>), or delete with cas=<ModifyIndex>.",
    "etcd": "Delete in a transaction that compares the key's create_revision, or let its lease end.",
}

TAKEOVERS = {
    "zookeeper": "Delete with the version that was read (`delete(path, version=stat.version)`): it fails when the node is another's by now.",
    "consul": "Delete with cas=<ModifyIndex> of what was read, or take the key with acquire= alone, which fails while another session holds it.",
    "etcd": "Compare the key's mod_revision in the transaction that replaces it.",
}

LEASES = frozenset({"lease", "ttl", "ex", "px", "timeout", "expire"})  # arguments that say how long a key stays
HOURS = 3600.0  # seconds
ADMIN = frozenset({"force", "forced", "admin", "reset", "purge", "flush"})
ALONE = ("task", "periodic", "consumer")  # nobody stands by and has looked
SERVES = frozenset({"worker", "serve", "server", "daemon", "scheduler", "beat", "pool", "consumer"})  # commands that start what stays
MEMBERS = frozenset({"member", "members", "worker", "workers", "instance", "instances", "service", "services", "nodes", "agents"})


@rule("CL104", severity=ERROR)
def unsafe_release(system: System) -> Iterator[Found]:
    reported: set[Place] = set()
    for section, place, how in [*deletes(system), *deletes_behind_wrappers(system), *by_its_name(system)]:
        if place in reported or section.lock.made in reported:
            continue
        reported |= {place, section.lock.made} if is_wrapped(system, place) else {place}
        forever = section.lock.lifetime.kind == "never"
        quiet = ends_with_its_task(section) or outlives_work(section) or (is_renewed(system, section) and not forever)
        severity = INFO if quiet else WARNING if forever else ERROR
        yield found(
            f"{lock_name(section.lock)} is released by {how}: after its lease{_of(section)} this frees "
            "the lock of whoever holds it by then",
            at=place,
            because=distinct(trail(section), besides=place),
            symbol=section.symbol,
            resource=section.lock.key,
            severity=severity,
            confidence=MEDIUM if forever else HIGH,
            help=CURES.get(section.lock.backend, ""),
        )
    for delete, create in takeovers(system):
        yield found(
            f'{call_name(delete)} removes "{delete.key_text}" whoever holds it, in order to create it anew: another may have taken it since it was looked at',
            at=delete,
            because=[(create.place, "the key is taken here, in a second step")],
            confidence=MEDIUM,
            help=TAKEOVERS.get(delete.backend, ""),
        )
    for drop, claim in unclaimed(system):
        if not is_admin(system, drop) and drop.place not in reported:
            yield found(
                f'"{drop.key_text}" is claimed in a transaction, and deleted here without asking whose it is by now',
                at=drop,
                because=[(claim.place, "claimed here, between WATCH and EXEC")],
                severity=WARNING,
                confidence=MEDIUM,
            )
    for untaken, drop, section in freed_untaken(system):
        if untaken.shown not in reported:
            reported.add(untaken.shown)
            yield found(
                f"`{untaken.name}` is given back here and was never taken by this object: that deletes {lock_name(section.lock)} of whoever holds it",
                at=untaken.shown,
                symbol=untaken.symbol,
                because=[(untaken.place, "the object is made here, and nothing acquires it"), (drop.place, "its release deletes the key and asks nothing")],
                severity=WARNING,
                confidence=MEDIUM,
                help="Leave the release to the object that acquired the lock, and let the release compare a token that only its taker knows.",
            )
    for drop, exchange in exchanged(system):
        if drop.place not in reported and not is_admin(system, drop):
            reported.add(drop.place)
            yield found(
                f'"{drop.key_text}" is deleted without asking whose time stands there: by whoever came too late or found it taken, as well as by the one who has it',
                at=drop,
                because=[(exchange.place, "the time of day is exchanged for one's own here, and judged")],
                severity=WARNING,
                confidence=MEDIUM,
                help=CURES["redis"],
            )
    for freed, look, taken in handed_back(system):
        if freed.place not in reported and not (is_wrapped(system, freed.deed) and is_wrapped(system, freed.place)):
            reported.add(freed.place)
            yield found(
                f"the lock `{freed.given}` is given back by a plain delete: when its lease is over, this frees the lock of whoever holds it by then",
                at=freed.place,
                symbol=freed.symbol,
                because=[(taken, "the lock is taken here"), (look.place, "in two steps, and without a name of its own"), (freed.deed, "what deletes it asks nothing")],
                confidence=MEDIUM,
                help=CURES["redis"],
            )
    for give, lease in blind_releases(system):
        if not is_admin(system, give):
            yield found(
                f"the lease on a row of {give.key} is given back by its id alone: when it has run out, this frees the row of whoever has taken it since",
                at=give,
                because=[(lease.place, "a row is taken here, for a time")],
                severity=WARNING,
                confidence=MEDIUM,
                help="Let WHERE name who has it as well (`claimed_by = :me`, or the `claimed_until` that was written when it was taken), and look at the count.",
            )
    for give, asking in lock_releases(system):
        if not is_admin(system, give) and give.place not in reported:
            reported.add(give.place)
            yield found(
                f"the lock in {give.key} is given back here whoever has it: whoever holds it by now loses it, and the next one enters beside him",
                at=give,
                because=[(asking.place, "the same lock is given back here by its owner alone")],
                confidence=MEDIUM,
                help="Let the condition name the owner as well, as the other release does, and leave the lock alone where nothing matches.",
            )
    for drop, create in dropped(system):
        if drop.place not in reported and not is_admin(system, drop):
            reported.add(drop.place)
            yield found(
                f"`{drop.key_text or drop.key}` is deleted without asking whose it is: when its {'session' if create.ephemeral else 'lease'} is over, that is what another has put there since",
                at=drop,
                because=[(create.place, "it is made here, where nobody else has it")],
                severity=WARNING,
                confidence=MEDIUM,
                help=TAKEOVERS.get(drop.backend, ""),
            )
    for change in lease_changes(system):
        if change.how in ("release", "delete") and change.is_blind and change.write.place not in reported and not is_admin(system, change.write):
            reported.add(change.write.place)
            yield found(
                f"{call_name(change.write)} gives the Lease back without the version that was read: when another has taken it since, this frees the Lease of that one",
                at=change.write,
                because=[(change.look.place, "whose it is was read here")],
                severity=WARNING,
                confidence=MEDIUM,
                help="Send metadata.resourceVersion of what was read along (for a delete, as a precondition), and leave the Lease alone when the API server answers 409.",
            )
    for drop, pattern, section in cleared(system):
        if not is_admin(system, drop) and drop.place not in reported:
            reported.add(drop.place)
            yield found(
                f'{call_name(drop)} frees all locks "{pattern}" whoever holds them: other instances that are at work lose theirs',
                at=drop,
                because=[(section.acquired, f"{lock_name(section.lock)} is taken here")],
                severity=WARNING,
                confidence=MEDIUM,
                help="Let leases end the locks of a process that died; or delete only those whose value names this instance, by a script that compares.",
            )
    for drop, listing in swept(system):
        if not is_admin(system, drop) and drop.place not in reported:
            yield found(
                f"{call_name(drop)} removes what looked left behind when it was listed: a lock that was taken in between goes as well",
                at=drop,
                because=[(listing.place, "the locks are listed here")],
                severity=WARNING,
                confidence=MEDIUM,
            )


def ends_with_its_task(section: Section) -> bool:
    """Whether the lease is counted from the limit at which the holder is killed: nobody is left then to release it."""
    return {"time", "limit"} <= words(told(section.lock.lifetime))


def outlives_work(section: Section) -> bool:
    """Whether the lease is so long that whoever releases late must have worked for hours: a claim, which is given up by its owner."""
    return section.lock.lifetime.kind == "seconds" and (section.lock.lifetime.seconds or 0) > HOURS


def is_renewed(system: System, section: Section) -> bool:
    """Whether something near renews the key, in the section or in a thread beside it: it takes a renewal that fails to lose it."""
    if section.extended or section.lock.model.renews:
        return True
    renewals = system.operations(Op.EXTEND, Op.EXPIRE, Op.WRITE, backend=section.lock.backend)
    beside = {f for place in system.calls_of(section.symbol) for f in system.handed_at(place)}
    return any(o.symbol in beside and (o.op is not Op.WRITE or (o.loop and o.ttl is not None and o.ttl.kind != "never")) for o in renewals)


Freeing = tuple[Section, Place, str]


def deletes(system: System) -> Iterator[Freeing]:
    """The deletes themselves: inside the section, or elsewhere on the same key."""
    for section in by_hand(system):
        for release in section.releases:
            if release.how == "delete" and not is_wrapped(system, release.place) and not is_endless_there(system, section, release):
                freed = next((o for o in system.operations(Op.DELETE) if o.place == release.place), None)
                yield section, release.place, PLAIN if freed is None else how_deleted(system, freed)
        for operation in elsewhere(system, section):
            yield section, operation.place, f"{how_deleted(system, operation)}, in {operation.symbol.rpartition('.')[2]}()"


def is_endless_there(system: System, section: Section, release: Release) -> bool:
    """Whether a test says that the lock was taken without a lease, where it is freed: then it is still its taker's."""
    taken = next((o for o in system.operations() if o.place == section.lock.made), None)
    leases = (a for a in (taken.arguments if taken else ()) if a.name in LEASES)
    return any(set(a.mentions) & set(release.empty) for a in leases)


def by_its_name(system: System) -> Iterator[Freeing]:
    """Deletes of a role's key, which ends with no name of its own, by another method of the class, through the project's own delete function."""
    for section in sorted(by_hand(system), key=lambda s: (len(s.lock.via), s.acquired)):
        home, _, here = section.symbol.rpartition(".")
        if not section.tested or (section.lock.key or "}").endswith("}"):
            continue
        inside = {release.place for release in section.releases}
        for freed in system.freed(section.lock.key):
            owner, _, there = freed.symbol.rpartition(".")
            deletes_it = any(o.place in (freed.deed, freed.place) and o.backend == section.lock.backend for o in system.operations(Op.DELETE))
            if owner == home and there != here and freed.place not in inside and deletes_it and ADMIN.isdisjoint(words(there)):
                yield section, freed.place, f"a plain delete that {there}() asks for"


def deletes_behind_wrappers(system: System) -> Iterator[Freeing]:
    """Calls of the project's own release functions: the delete inside, where it is found, else the call."""
    covered = {section.lock.made for section, _, _ in deletes(system)}
    for section in by_hand(system):
        for release in section.releases:
            if release.how == "delete" and section.lock.made not in covered and is_wrapped(system, release.place):
                yield section, release.deed or release.place, PLAIN


def by_hand(system: System) -> Iterator[Section]:
    """Locks that no library releases; where the key is not known, the code must at least call it a lock."""
    for section in system.critical_sections(distributed=True):
        is_named = bool(words(fixed(section.lock.key_text)))
        if section.releases and all(r.only_on_error for r in section.releases) and not is_called_lock(section):
            continue  # a mark that stays after a success, and is taken back after a failure
        if words(fixed(section.lock.key_text)) & MEMBERS and not is_called_lock(section):
            continue  # its own registration, under its own name
        if section.lock.by_hand and (is_named or sounds_like_lock(section.symbol, *section.lock.via)):
            yield section


def is_called_lock(section: Section) -> bool:
    return sounds_like_lock(section.lock.key_text, section.symbol, *section.lock.via)


def is_wrapped(system: System, place: Place) -> bool:
    """Whether a release stands in a function that is called here."""
    return all(operation.place != place for operation in system.operations(Op.DELETE))


def elsewhere(system: System, section: Section) -> Iterator[Operation]:
    """Deletes of the same key in another function, where key or function say that it is a lock."""
    if section.lock.key is None or (not words(fixed(section.lock.key_text)) and is_released_by_owner(system, section)):
        return
    inside = {release.place for release in section.releases}
    for operation in system.operations(Op.DELETE, backend=section.lock.backend):
        if not is_same_key(system, section, operation) or operation.place in inside or operation.symbol == section.symbol:
            continue
        if operation.atomic or operation.conditional or is_admin(system, operation):
            continue
        if sounds_like_lock(operation.key_text, operation.key, section.symbol, operation.symbol):
            yield operation


def how_deleted(system: System, delete: Operation) -> str:
    """In steps, where the same function reads the key before and tests what it got."""
    reads = (o for o in system.same_key(delete) if o.op is Op.READ and o.symbol == delete.symbol and o.place.line < delete.place.line)
    return IN_STEPS if any(o.outcome is Outcome.TESTED for o in reads) else PLAIN


def is_released_by_owner(system: System, section: Section) -> bool:
    """Whether those who take the lock through this function give it back by comparing: what deletes beside it is for something else."""
    same = [s for s in system.critical_sections(distributed=True) if s.lock.made == section.lock.made]
    return any(release.how != "delete" for s in same for release in s.releases)


def is_same_key(system: System, section: Section, operation: Operation) -> bool:
    """The same pattern; where that says nothing ("{}"), the same name in the same class or module."""
    if operation.key != section.lock.key:
        return False
    near = operation.symbol.rpartition(".")[0] == section.symbol.rpartition(".")[0]
    if words(fixed(section.lock.key_text)) or not near:
        return bool(words(fixed(section.lock.key_text)))
    taken = next((o for o in system.operations() if o.place == section.lock.made), None)
    return operation.key_text == section.lock.key_text and (taken is None or bool(key_names(taken) & key_names(operation)) or not key_names(taken))


def key_names(operation: Operation) -> frozenset[str]:
    """The names in the argument that is the key: what fills a hole may have one name in the helper that all keys are made with."""
    return frozenset(m for a in operation.arguments if a.text == operation.key_text for m in a.mentions if m not in ("self", "cls"))


def is_admin(system: System, operation: Operation) -> bool:
    """Reached from commands only, or called so and by no work that runs by itself: an operator frees a lock by hand."""
    entries = [entry for entry in system.entries_reaching(operation.symbol) if entry.kind != "test"]
    if not ADMIN.isdisjoint(operation.symbol_words):
        return not any(e.kind in ALONE for e in entries)
    return bool(entries) and all(e.kind == "command" and SERVES.isdisjoint(words(e.symbol.rpartition(".")[2])) for e in entries)


def _of(section: Section) -> str:
    """How long the lease is, where the code says it."""
    return f" ({told(section.lock.lifetime)})" if section.lock.lifetime.seconds is not None else ""
