"""The whole of a growing prefix or child list is read on a hot path, entry by entry, or only to learn whether there is anything.

Why: the answer grows with the data: listing the children of a znode returns every name in one packet, which fails beyond
1 MiB, and an etcd range without a limit is gathered in the server's memory before it is sent. A request that lists ten
thousand keys to find one waits for all of them, each time. Where the names are listed first and each entry is read by a call of its
own, the round trips grow with the data as well. KEYS of Redis, and `keys(pattern)` of a Django cache in Redis, walk through all keys of the server for each
answer, and nobody else is served meanwhile. Who asks by a recursive read whether a key is there gets all values below it and of every
other key that begins with it, and throws them away.

Instead: read the one key that is meant (build its name from the id), keep the list in the process by a watch, or read in pages
(etcd `limit` with `sort_order`, Consul `keys=` with a separator); to ask whether a key is there, read that key alone. Data that has to be searched belongs in a database.

Fine when: the set is bounded (members, shards, settings, the names of what one user has), watched, or read once at start or by a command.

Sources: Redis documentation, KEYS; ZooKeeper, configuration parameters (jute.maxbuffer); etcd documentation, System limits (request size).
"""

from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
    INFO,
    MEDIUM,
    Found,
    Op,
    Operation,
    Place,
    System,
    backend_name,
    fixed,
    found,
    rule,
    words,
)

_GROWING = frozenset(
    {"id", "uuid", "uid", "user", "job", "task", "request", "order", "session", "message", "event", "file", "filename", "run"}
    | {"account", "customer", "item", "product", "device", "timestamp", "hash", "token", "email", "contact"}
)
_WAITING = frozenset({"queue", "queued", "entry", "backlog", "pending", "inbox", "history"})
_BOUNDED = frozenset(
    {"config", "configuration", "setting", "shard", "member", "node", "host", "broker", "server", "worker", "instance", "service", "peer"}
    | {"leader", "election", "lock", "lease", "barrier", "semaphore", "partition", "topology", "cluster", "flag", "feature", "acl"}
)
_BY_HAND = ("command", "main", "startup", "test")


@rule("CL306", severity=INFO)
def unbounded_range_read(system: System) -> Iterator[Found]:
    watched = {op.key for op in system.operations(Op.WATCH, backend=COORDINATORS) if op.key}
    listings = [o for o in system.operations(Op.LIST, backend=COORDINATORS) if o.key not in watched and not o.argument("limit")]
    told: set[str] = set()
    for listing in sorted(listings, key=lambda o: o.read_each is None):  # the worst of those that list the same
        grown, hot = _grown_by(system, listing), _hot_path(system, listing)
        what, store = f"`{listing.key_text or listing.key}`" if listing.key else "entries", backend_name(listing.backend)
        each = [(listing.read_each, "one round trip for each entry")] if listing.read_each else []
        added = [(grown.place, "keys are added here" if grown.stores else "one of the entries is asked for here")] if grown is not None else []
        if grown is not None and hot is not None and _is_much(listing):
            if not listing.key or listing.key not in told:
                alike = [(o.place, "the same is listed here") for o in listings if o.key == listing.key and o is not listing]
                yield found(
                    f"Lists all of {what} in {store} on a hot path, and there is a key for each {_last_filler(grown)}.",
                    at=listing,
                    because=[*added, *each, hot, *alike[:3]],
                )
            told |= {listing.key or "", listing.symbol}
        elif _only_tested(system, listing):
            told.add(listing.symbol)
            same = [o for o in listings if o.symbol.rpartition(".")[0] == listing.symbol.rpartition(".")[0] and o.key == listing.key and o is not listing]
            yield found(
                f"Asks whether a key is there by reading everything below it from {store}, with the keys that only begin like it.",
                at=listing,
                because=[*((p, "asked for this one") for _, p in system.callers(listing.symbol)[:2]), *((o.place, "whatever single key is meant here, the same is read") for o in same[:2])],
            )
        elif listing.read_each and listing.symbol not in told and _looks_for_one(system, listing, grown):
            told.add(listing.symbol)
            yield found(
                f"Lists {what} in {store} and reads each by a call of its own, in order to find one: the round trips grow with the data.",
                at=listing,
                because=[*each, *added],
            )
    yield from _walked(system)


_BY_NAMES = "Keep their names in a set or a sorted set of their own (SADD, ZADD) and read that in pages; where it must be a pattern, SCAN in steps."


def _walked(system: System) -> Iterator[Found]:
    """KEYS on a hot path, for entries of which there are more and more: the server walks through all of its keys, whatever the pattern."""
    told: set[str] = set()
    for listing in system.operations(Op.LIST, backend=("redis", "django-cache")):
        key = listing.key_text or ""
        before = key.partition("*")[0]
        if listing.call.rpartition(".")[2] != "keys" or not key.endswith("*") or key in told or listing.role in ("cache", "lock"):
            continue
        if listing.read_each is not None and before and (not fixed(before) or "{" in before) and (hot := _hot_path(system, listing)) is not None:
            told.add(key)
            yield found(
                f"Asks {backend_name(listing.backend)} for all keys like `{key}` on a hot path, and then for each by a call of its own: KEYS walks through everything that the server holds, and nobody else is served meanwhile.",
                at=listing,
                because=[(listing.read_each, "one round trip for each entry"), hot],
                confidence=MEDIUM,
                help=_BY_NAMES,
            )
            continue
        if not fixed(before) or "{" in before:
            continue
        grown = next((o for o in system.operations(backend=listing.backend) if o.stores and (o.key or "").startswith(before) and "{}" in (o.key or "")), None)
        hot = _hot_path(system, listing)
        if grown is None or hot is None or (grown.ttl is not None and grown.ttl.kind == "seconds"):
            continue
        told.add(key)
        yield found(
            f"Asks {backend_name(listing.backend)} for all keys like `{key}` on a hot path, and there is one for each {_named(grown)}: KEYS walks through everything that the server holds, "
            "and nobody else is served meanwhile.",
            at=listing,
            because=[(grown.place, "keys are added here"), hot],
            confidence=MEDIUM,
            help="Keep their names in a set or a sorted set of their own (SADD, ZADD) and read that in pages; where it must be a pattern, SCAN in steps.",
        )


def _named(grown: Operation) -> str:
    """What fills the key, where that says something."""
    return next((f for f in reversed(grown.fillers) if f.replace(".", "_").isidentifier()), "entry")


def _only_tested(system: System, listing: Operation) -> bool:
    """All values below a key that callers name are read in order to say yes or no."""
    arguments = {a.name for a in listing.arguments if not (a.literal and a.value in (None, False))}
    gets_values = listing.backend in ("etcd", "consul") and not arguments & {"keys", "keys_only", "count_only", "limit", "separator"}
    asked = any(any(e.kind not in _BY_HAND for e in system.entries_reaching(caller)) for caller, _ in system.callers(listing.symbol))
    return listing.presence and gets_values and asked and not fixed(listing.key_text or "").strip("/")


def _looks_for_one(system: System, listing: Operation, grown: Operation | None) -> bool:
    """Entries that become more are searched, and not by a command that somebody runs by hand."""
    entries = system.entries_reaching(listing.symbol)
    if not listing.sought or (entries and all(e.kind in _BY_HAND for e in entries) and not _is_served(system, listing)):
        return False
    named = listing.key_words or listing.symbol_words
    return grown is not None or bool(named & (_GROWING | _WAITING) and not named & _BOUNDED)


def _is_served(system: System, listing: Operation) -> bool:
    """Whether a program that stays runs it, or one that takes work from a queue: its main function is no command."""
    if any(w.kind not in ("job", "cronjob") for w in system.workloads_of(listing.symbol)):
        return True
    takers = {o.symbol for o in system.operations(Op.QUEUE_GET)}
    return any(takers & system.reached_from(e.symbol) for e in system.entries_reaching(listing.symbol) if e.kind in ("command", "main"))


def _is_much(listing: Operation) -> bool:
    """Not the mere names of what one owner has: a page shows them all, and they are few."""
    keys = listing.argument("keys")
    only_names = listing.backend == "zookeeper" or (keys is not None and keys.literal and keys.value is True)
    return "{}" not in (listing.key or "") or listing.read_each is not None or not only_names


def _grown_by(system: System, listing: Operation) -> Operation | None:
    """A lasting key below the listed one that is made for each entity; else one that is asked for by the entity."""
    above = (listing.key or "").rstrip("/")
    if not fixed(above):
        return None
    known = above.count("{}")  # holes that the listing fills as well
    below = [
        o
        for o in system.operations(backend=listing.backend)
        if (o.key or "").startswith(above + "/") and any(words(filler) & _GROWING for filler in o.fillers[known:])
    ]
    made = next((o for o in below if o.stores and not o.ephemeral), None)
    return made or next((o for o in below if o.op in (Op.READ, Op.LIST, Op.DELETE) and not any(b.stores for b in below)), None)


def _last_filler(write: Operation) -> str:
    return next((f for f in reversed(write.fillers) if words(f) & _GROWING), "entity")


def _hot_path(system: System, listing: Operation) -> tuple[Place, str] | None:
    if listing.loop in ("forever", "while"):
        return (listing.pause.place if listing.pause and listing.pause.place else listing.place), "and read again in a loop"
    entry = next((e for e in system.entries_reaching(listing.symbol) if e.kind in ("http", "consumer", "periodic", "task")), None)
    return (entry.place, f"and read from here: {entry.reason}") if entry else None

