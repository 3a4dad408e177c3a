"""Shared state is read, changed and written back with neither lock nor version.

Why: between the read and the write another process can write the same record; the second write then wipes the first
out without a trace. Nothing fails: one of two deposits is missing, one of two edits of a JSON document is gone. It takes no
crash, only two requests at the same time.

Instead: let the store do the arithmetic in one step (`UPDATE ... SET n = n + :d`, Django `F("n") + d`, Redis INCRBY), or write
on condition that nothing has changed: ZooKeeper `set(path, value, version=stat.version)`, etcd `replace` or a transaction on
mod_revision, Consul `put(cas=ModifyIndex)`, Redis WATCH and MULTI or a Lua script, a version column, or SELECT ... FOR UPDATE in the
same transaction. And look at the outcome.

The same happens without arithmetic where a field is found empty and then filled with something that is made for it, such as a payment or a
customer at a provider: two requests both find it empty, both make one, and the record remembers the second. And where a record is found free
and given to whoever asked: both are told that it is theirs. So it is where a state is tested and then set without the row lock that other code
takes for the same records, or with which something is counted, or a payout is made, or a job given to a worker; where an order is set to one state after a look, and to another elsewhere; and
where rows on which somebody works are put back from a list. So it is where
workers look for any record in a state and then set it, and where somebody outside is waited for between reading a row and saving all of its columns: what
others have changed meanwhile is undone. A list in Redis that is read whole and then deleted loses what is put in between. A buffer that is renamed to a name which is always the same, and read and deleted
there, loses a batch: whoever renames next puts his own in the place of one that is not yet read, and whoever has read first deletes what he has not seen.
WATCH in Redis helps only from before the read to EXEC: UNWATCH, RESET or the end of the pipeline's `with` in between give it up, and without MULTI
behind it the client runs each write at once, so that nothing is ever refused.
An object that loads itself from a key and saves itself whole undoes, for as long as somebody holds it, what others have saved since.
Where some functions load and store again under a distributed lock, whatever the store is, one that does the same without it makes the lock useless to all of them.
A record of many keys that is deleted as a whole and written anew one by one is for a while a part of itself, and two writers leave a mixture.
Entries of a sorted set that are read when they are due, put into a queue and taken off are put there twice by two that read them at the same time,
unless only the one goes on whose ZREM answers 1. It is a note where no manifest runs it more than once.

It is a note where names say that little hangs on it: an entry of a cache, the state of a limit (`cached`, `throttle`, `TokenBucket`);
where only scheduled rounds come there; where a loop counts on a record that nobody else changes; for what a process keeps under its own name, and an object under a key that its constructor begins anew; and for rows that are saved whole after a wait.

Fine when: the lock that every writer takes is held from before the read until after the write; a version is compared; the
operation is atomic in the store; an operator's command does it. Counters are reported by their own rule.

Known misses: fields that are set from their old value by other means than arithmetic; records of a mapper that are read and written in different
functions, unless a dependency of the framework reads them; keys of a store whose read and write are more than six calls apart; fields that are
filled with a value of no consequence when it is made twice.

Sources: ZooKeeper, Data Model (versions, conditional updates); Consul KV API (cas); Django documentation, F() expressions (avoiding
race conditions).
"""

from collections import defaultdict
from collections.abc import Iterator

from coordlint import (
    COORDINATORS,
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
    Severity,
    System,
    backend_name,
    found,
    rewritten,
    rule,
    words,
)

from ._drains import drains
from ._lost_rows import lost_rows
from ._unguarded import unguarded
from ._worth import COINS, COPIES, LIMITS, MONEY

_SHARED = (*COORDINATORS, "redis", "memcached", "dynamodb", "django-cache")
# A record that only its owner writes: what fills the key is the process itself.
_OWN = frozenset({"hostname", "gethostname", "host", "pid", "getpid", "me", "my", "self", "node", "worker", "instance", "pod"})


@rule("CL503", severity=WARNING)
def lost_update(system: System) -> Iterator[Found]:
    kept: dict[Place, list[Operation]] = defaultdict(list)
    for write in system.operations(Op.WRITE, Op.SET_ADD, backend=_SHARED, carried=True):
        if write.reads_back is None or write.counts or write.conditional or _in_one_step(system, write):
            continue  # a counter is another rule's matter
        if (write.backend == "django-cache" or write.via) and not write.changes:
            continue  # put back as it was
        if system.is_locked(write) or system.is_by_command(write.symbol):
            continue
        if write.kept is not None:
            kept[write.kept].append(write)
            continue
        rivals = [(o.place, "the same key is written here too") for o in system.same_key(write) if o.stores and (write.key_words or o.key_text == write.key_text)]
        behind = [(write.named_at, "and written here")] if write.named_at not in (None, write.place) else []
        yield found(
            f"Reads `{_key(write)}` from {backend_name(write.backend)}, changes it and writes it back with neither lock nor version: a write "
            "in between is lost.",
            at=write,
            because=[(write.reads_back, "the value that is changed was read here"), *_unwatched(write), *behind, *rivals[:2], *write.origin],
            severity=INFO if (_owned(write) and all(at.path == write.place.path for at, _ in rivals)) or _is_begun_by_itself(system, write) else _weight(write),
            confidence=MEDIUM if write.via or (_owned(write) and not rivals) else HIGH,
        )
    for at, writes in sorted(kept.items()):
        yield _kept(system, at, writes)
    yield from drains(system)
    yield from _unqueued(system)
    yield from _rewrites(system)
    yield from unguarded(system)
    yield from lost_rows(system)


def _kept(system: System, at: Place, writes: list[Operation]) -> Found:
    """An object that was read from a store writes itself back, with all that it held when it was read."""
    first = writes[0]
    home = next((o.symbol for o in system.operations(carried=True, named=True) if o.place == at), "")
    several = [(w.place, "and here" if w is not first else "changed and written back here") for w in writes]
    assert first.reads_back is not None
    return found(
        f"An object that was read from `{_key(first)}` in {backend_name(first.backend)} is changed and writes all of itself back here, with neither lock nor version: "
        "what others have written since it was read is undone.",
        at=at,
        symbol=home,
        because=[(first.reads_back, "it is read here, for example"), *several[:5], *first.origin],
        severity=INFO if _is_begun_by_itself(system, first) else _weight(first),
        confidence=MEDIUM,
        help="Keep the version that was read (etcd mod_revision or prevIndex, ZooKeeper stat.version, Consul ModifyIndex, WATCH in Redis) in the object, write on condition of it, "
        "and read anew where it fails; or write the one field that changed.",
    )


def _is_begun_by_itself(system: System, write: Operation) -> bool:
    """Whether the constructor of its class writes the record anew: each object begins one of its own, and does not take up another's."""
    begin = f"{write.symbol.rpartition('.')[0]}.__init__"
    return any(o.symbol == begin and o.key == write.key and not o.conditional and o.absent is None and o.reads_back is None for o in system.operations(Op.WRITE, backend=write.backend, carried=True))


def _key(write: Operation) -> str:
    return write.key_text or write.key or next((a.text for a in write.arguments if a.name in ("name", "key", "path") and a.text), "a key")


def _is_approximate(write: Operation) -> bool:
    """Whether names say that a write too few or too many does little: an entry of a cache, the state of a limit."""
    named = frozenset(w for name in write.through for w in words(name)) | write.key_words
    return bool(named & COPIES or (write.key_words | words(".".join(write.symbol.split(".")[-3:]))) & LIMITS)


def _weight(write: Operation) -> Severity:
    """Money and promises are worth most; what is gone from a cache can mostly be made again."""
    is_dear = bool(write.key_words & MONEY)
    if write.backend == "django-cache" and not _is_approximate(write):
        return WARNING if is_dear else INFO
    if write.role == "cache" or _is_approximate(write):
        return INFO
    return ERROR if write.key_words & COINS else WARNING


def _in_one_step(system: System, write: Operation) -> bool:
    """Whether the read is part of the same step: MULTI makes the writes one, and nobody looks at the read unless WATCH stands before it."""
    if write.atomic != "pipeline":
        return bool(write.atomic)
    if write.unwatched is not None:
        return False
    inside = [o for o in system.operations(Op.READ, Op.LIST, Op.WATCH) if o.symbol == write.symbol]
    return any(o.op is Op.WATCH for o in inside) or not any(o.place == write.reads_back and not o.atomic for o in inside)


def _unwatched(write: Operation) -> Iterator[tuple[Place, str]]:
    if write.unwatched is not None and write.reads_back is not None:
        yield write.unwatched, "the key is not watched from the read to EXEC: here WATCH is given up, begins too late, or no MULTI follows it"


def _unqueued(system: System) -> Iterator[Found]:
    """A write on condition of what was read under WATCH, which is run at once because no MULTI stands before it."""
    watches = {o.place for o in system.operations(Op.WATCH, backend="redis")}
    for write in system.operations(Op.WRITE, Op.SET_ADD, backend="redis"):
        if write.unwatched not in watches or write.reads_back is not None or write.conditional or system.is_locked(write):
            continue
        here = system.operations_in((write.symbol,))
        look = next((o for o in here if o.op in (Op.READ, Op.LIST) and o.key == write.key and write.unwatched < o.place < write.place and o.outcome is Outcome.TESTED), None)
        if look is not None:
            yield found(
                f"`{_key(write)}` is watched, looked at and written, but no MULTI stands before the write: it is run at once and never refused, whatever others have done since the look.",
                at=write,
                because=[(write.unwatched, "watched here"), (look.place, "and looked at here"), *write.origin],
                confidence=HIGH,
                help="Call multi() after the last read and execute() after the writes, and read again on WatchError; or do it in one script.",
            )


def _rewrites(system: System) -> Iterator[Found]:
    """A record that is deleted with all keys below it, and written anew key by key."""
    for drop, write, at in rewritten(system):
        if not system.is_locked(drop) and not system.is_by_command(drop.symbol):
            deleted = [(drop.place, "deleted here")] if at != drop.place else []
            yield found(
                f"Deletes all below `{drop.key_text or drop.key}` and writes it anew key by key: who reads in between sees a part of it, and two writers "
                "leave a mixture.",
                at=at,
                because=[*deleted, (write.place, "written one by one here"), *drop.origin],
                confidence=MEDIUM,
                help="Keep what belongs together in one value; or do all of it in one transaction; or write first, and then delete what is no longer wanted.",
            )


def _owned(write: Operation) -> bool:
    return any(words(filler) & _OWN for filler in write.fillers)
