"""What is done to a store in several steps, between which others can step."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint.coordination import Freed, Operation, Outcome, Section, Untaken
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.system import COORDINATORS, System
from coordlint.telling import sounds_like_lock
from coordlint.wording import words

_BY_HAND = frozenset("force forced admin reset purge flush".split())


def drained(system: System) -> Iterator[tuple[Operation, Operation, Operation]]:
    """A list that is read whole and then deleted in a step of its own, while others put entries in: the delete, the read, a put."""
    for drop in system.operations(Op.DELETE, backend="redis"):
        if drop.atomic or drop.conditional or not drop.key:
            continue
        reads = [o for o in system.operations(Op.LIST, backend="redis") if o.symbol == drop.symbol and o.key_text == drop.key_text and _is_whole(o)]
        puts = [o for o in system.same_key(drop) if o.op is Op.QUEUE_PUT and o.symbol != drop.symbol and not o.in_test]
        if reads and puts and reads[0].place < drop.place:
            yield drop, reads[0], puts[0]


def _is_whole(read: Operation) -> bool:
    """`lrange(key, 0, -1)`, with something done with what it gives, and in no transaction."""
    ends = {a.name: a.value for a in read.arguments}
    is_list = read.call.rpartition(".")[2] == "lrange" and (ends.get("start"), ends.get("end")) == (0, -1)
    return is_list and not read.atomic and read.outcome is not Outcome.DEAD


def moved_aside(system: System) -> Iterator[tuple[Operation, Operation, Operation]]:
    """A buffer that is renamed to a name which is always the same, read there and deleted: the renaming, the read, the delete."""
    for move in system.operations(Op.WRITE, backend="redis"):
        if move.call.rpartition(".")[2] != "rename" or not move.key or move.atomic == "script" or any(words(f) & _ONCE for f in move.fillers):
            continue
        same = [o for o in system.same_key(move) if o.key_text == move.key_text and o.symbol == move.symbol]
        if any(o.place < move.place and o.op in (Op.READ, Op.LIST) for o in same):
            continue  # what was left of the last time is looked for
        drop = next((o for o in same if o.op is Op.DELETE and o.place > move.place and not o.conditional), None)
        reads = (o for o in system.operations(Op.READ, Op.LIST, Op.QUEUE_GET, backend="redis", carried=True, named=True) if o.symbol == move.symbol and o.key == move.key)
        read = next((o for o in reads if move.place < o.place and o.outcome is not Outcome.DEAD), None)
        if drop is not None and read is not None:
            yield move, read, drop


_ONCE = frozenset("uuid hex token nonce random time timestamp now ts pid getpid hostname worker batch run attempt suffix unique id".split())


def handed_on(system: System) -> Iterator[tuple[Operation, Operation, Operation]]:
    """Entries of a sorted set that are read, and then handed on and taken off, whoever took them off: the removal, the read, the handing on."""
    for drop in system.operations(Op.DELETE, backend="redis"):
        if drop.call.rpartition(".")[2] != "zrem" or drop.outcome is not Outcome.DEAD or drop.conditional or drop.atomic == "script" or drop.loop != "for":
            continue
        here = list(system.operations_in([drop.symbol]))
        if any(o.op in (Op.WATCH, Op.SCRIPT, Op.ACQUIRE, Op.CREATE) or (o.op in (Op.COMMIT, Op.TRANSACTION) and o.outcome is Outcome.TESTED) for o in here):
            continue
        read = next((o for o in here if o.op is Op.LIST and o.key_text == drop.key_text and o.key and o.place < drop.place and not o.atomic), None)
        if read is None or read.outcome is Outcome.DEAD:
            continue
        on = next((o for o in here if o.place > read.place and (o.op is Op.QUEUE_PUT or o.kind in ("task", "message")) and o.key_text != drop.key_text), None)
        if on is not None:
            yield drop, read, on


def rewritten(system: System) -> Iterator[tuple[Operation, Operation, Place]]:
    """All keys below one that are deleted, and then written anew one by one: the delete, a write, and where one function does both, maybe through others."""
    for drop in system.operations(Op.DELETE, backend=COORDINATORS):
        if drop.atomic or drop.conditional or not drop.key or not drop.takes_all_below:
            continue
        writes = [w for w in system.operations(Op.WRITE, Op.CREATE, backend=drop.backend) if w.loop == "for" and not w.atomic and _is_below(w, drop)]
        here = next((w for w in writes if w.symbol == drop.symbol and w.place > drop.place), None)
        if here is not None:
            yield drop, here, drop.place
            continue
        ways = dict(system.callers(drop.symbol))
        pairs = ((w, ways[c], then) for w in writes for c, then in system.callers(w.symbol) if c in ways and c not in (drop.symbol, w.symbol))
        both = next(((w, at) for w, at, then in pairs if at.path == then.path and at < then), None)
        if both is not None:
            yield drop, *both


def _is_below(write: Operation, drop: Operation) -> bool:
    return (write.key or "").startswith((drop.key or "").rstrip("/") + "/")


def unclaimed(system: System) -> Iterator[tuple[Operation, Operation]]:
    """A key that is claimed between WATCH and EXEC, and deleted elsewhere by a plain delete that is about a lock: the delete, the claim."""
    watched = {(o.symbol, o.key) for o in system.operations(Op.WATCH, backend="redis") if o.key}
    read = {(o.symbol, o.key) for o in system.operations(Op.READ, backend="redis") if o.key}
    for claim in system.operations(Op.WRITE, Op.CREATE, Op.ACQUIRE, Op.TRANSACTION_STEP, backend="redis"):
        if (claim.symbol, claim.key) not in watched & read:
            continue
        for drop in system.same_key(claim):
            if drop.op is Op.DELETE and drop.symbol != claim.symbol and not (drop.atomic or drop.conditional or drop.in_test) and _is_about_a_lock(drop):
                yield drop, claim


def exchanged(system: System) -> Iterator[tuple[Operation, Operation]]:
    """A lock that is a time of day, exchanged by GETSET and judged by what stood there, and deleted by a plain delete: the delete, the exchange."""
    for taken in exchanges(system):
        for drop in system.same_key(taken):
            if drop.op is Op.DELETE and drop.place.path == taken.place.path and not (drop.atomic or drop.conditional or drop.in_test):
                yield drop, taken


def exchanges(system: System) -> Iterator[Operation]:
    """Locks that are taken by GETSET: who is given nothing, or a time that is over, has it."""
    for write in system.operations(Op.WRITE, backend="redis"):
        if write.call.rpartition(".")[2] == "getset" and write.key and write.outcome is Outcome.TESTED and not write.atomic and _is_about_a_lock(write):
            yield write


def freed_untaken(system: System) -> Iterator[tuple[Untaken, Operation, Section]]:
    """Objects of a lock's class that a function makes, never acquires, and releases by a plain delete, where others release what they took; with the delete and how they take it."""
    alike = {(u.freer, u.symbol) for u in system.untaken()}
    for untaken in system.untaken():
        if all((untaken.freer, caller) in alike for caller, _ in system.callers(untaken.freer)):
            continue  # those who take it hand it on to those who release it
        home = untaken.freer.rpartition(".")[0]
        if not home or _BY_HAND & words(f"{untaken.symbol.rpartition('.')[2]} {untaken.freer.rpartition('.')[2]}"):
            continue
        drop = next((o for o in system.operations_in(system.runs(untaken.freer)) if o.op is Op.DELETE and not (o.atomic or o.conditional)), None)
        taken = (s for s in system.critical_sections(distributed=True) if s.lock.by_hand and drop is not None and s.lock.backend == drop.backend)
        made = {o.place: o for o in system.operations(Op.ACQUIRE)}
        section = next((s for s in taken if s.lock.made in made and made[s.lock.made].symbol.startswith(f"{home}.")), None)
        if drop is not None and section is not None:
            yield untaken, drop, section


def _is_about_a_lock(drop: Operation) -> bool:
    return sounds_like_lock(drop.key_text, drop.symbol.rpartition(".")[2], *(m for a in drop.arguments[:1] for m in a.mentions))


def handed_back(system: System) -> Iterator[tuple[Freed, Operation, Place]]:
    """A lock of a store of the project, taken by a look and a set and given back by its general delete: the delete, the look, the call that takes."""
    for look in system.operations(Op.READ, backend="redis"):
        home, _, _ = look.symbol.rpartition(".")
        sets = any(o.op is Op.WRITE and o.symbol == look.symbol and o.place > look.place and not o.conditional for o in system.same_key(look))
        if look.atomic or look.outcome is not Outcome.TESTED or not sets:
            continue
        for taker in sorted({look.symbol, *(c for c, _ in system.callers(look.symbol))}):
            if taker.rpartition(".")[0] != home or not sounds_like_lock(taker.rpartition(".")[2]):
                continue
            for user, at in system.callers(taker):
                for freed in system.freed_in(user):
                    if freed.place > at and freed.place.path == at.path and sounds_like_lock(freed.given) and _is_plain(system, freed, home):
                        yield freed, look, at


def _is_plain(system: System, freed: Freed, home: str) -> bool:
    """Whether the delete behind it stands in the same class, in what is called there, and asks nothing."""
    deletes = [o for o in system.operations(Op.DELETE) if o.place in (freed.deed, freed.place) and not (o.atomic or o.conditional)]
    asked = [o.symbol for o in deletes if o.symbol.rpartition(".")[0] == home] + [f"{home}.{name}" for o in deletes if o.place == freed.place for name in o.via[:1]]
    return any(at == freed.place for symbol in asked for _, at in system.callers(symbol))


def swept(system: System) -> Iterator[tuple[Operation, Operation]]:
    """Locks that are listed, looked at, and then deleted one by one: the delete, the listing."""
    for listing in system.operations(Op.LIST, backend="redis"):
        if "*" not in (listing.key or "") or not sounds_like_lock(listing.key_text, listing.symbol.rpartition(".")[2]):
            continue
        near = [o for o in system.operations(Op.READ, Op.DELETE, backend="redis") if o.symbol == listing.symbol and o.place.line >= listing.place.line]
        reads = [o for o in near if o.op is Op.READ and o.outcome is not Outcome.DEAD]
        drop = next((o for o in near if o.op is Op.DELETE and o.loop == "for" and not (o.atomic or o.conditional)), None)
        if reads and drop is not None:
            yield drop, listing


def cleared(system: System) -> Iterator[tuple[Operation, str, Section]]:
    """Locks that are deleted by a pattern, whoever holds them: the delete, the pattern, and a section that takes such a lock."""
    taken = [s for s in system.critical_sections(distributed=True, backend=("redis", "django-cache")) if s.lock.key]
    for drop in system.operations(Op.DELETE, backend=("redis", "django-cache")) if taken else ():
        patterns = [k for k in (drop.key or "", *drop.meant) if "*" in k and sounds_like_lock(k.partition("*")[0])]
        if not patterns or drop.conditional or drop.atomic or any(o.op is Op.READ and o.outcome is not Outcome.DEAD for o in system.operations_in((drop.symbol,))):
            continue
        start = patterns[0].partition("*")[0]
        section = next((s for s in taken if (s.lock.key or "").startswith(start) and s.lock.backend == drop.backend and s.symbol != drop.symbol), None)
        if section is not None:
            yield drop, patterns[0], section


def takeovers(system: System) -> Iterator[tuple[Operation, Operation]]:
    """A lock's or leader's key that is deleted without a version and then created by the same function."""
    for delete in system.operations(Op.DELETE, backend=("zookeeper", "etcd", "consul")):
        if delete.conditional or any(delete.argument(name) is not None for name in ("version", "cas")) or not _is_held(delete):
            continue
        for create in system.same_key(delete):
            takes = create.op is Op.ACQUIRE or (create.stores and create.ephemeral)
            if takes and create.symbol == delete.symbol and create.place.line > delete.place.line:
                yield delete, create
                break


def dropped(system: System) -> Iterator[tuple[Operation, Operation]]:
    """A name that one at a time has for a while, made where it is absent, and deleted later whoever has it by then: the delete, the creation."""
    drops = [o for o in system.operations(Op.DELETE, backend=_QUORUM, named=True) if not (o.conditional or o.atomic or (o.takes_all_below and o.backend == "zookeeper"))]
    told: set[str] = set()
    for create in system.operations(Op.CREATE, backend=_QUORUM) if drops else ():
        name = (create.key or "").rstrip("/")
        is_one = bool(name.rpartition("/")[2].strip("{}")) and "{}" not in name.rpartition("/")[2]
        is_lease = create.ephemeral is True or (create.ttl is not None and create.ttl.kind != "never")
        numbered = create.argument("sequence") or create.argument("sequential")
        if not is_one or not is_lease or numbered is not None or create.in_test or name in told or not _competes(create):
            continue
        same = [d for d in drops if (d.key or "").rstrip("/") == name and not any(d.argument(a) is not None for a in ("version", "cas", "prevValue", "prevIndex"))]
        last = max((o.place.line for o in system.same_key(create) if o.op is Op.CREATE and o.symbol == create.symbol), default=0)
        late = [d for d in same if d.symbol != create.symbol or d.place.line > max(create.place.line, last)]
        if late:
            told.add(name)
            yield min(late, key=lambda d: (d.symbol != create.symbol, d.place)), create


_QUORUM = ("zookeeper", "etcd", "consul")


def _competes(create: Operation) -> bool:
    """Whether somebody looks if another was first: by the answer, or by the error."""
    refusals = {name.rpartition(".")[2] for g in create.guards for name in g.catches}
    return create.outcome in (Outcome.TESTED, Outcome.RETURNED) or bool(refusals & {"NodeExistsError", "EtcdAlreadyExist", "EtcdKeyAlreadyExists", "AlreadyExists"})


def _is_held(operation: Operation) -> bool:
    return sounds_like_lock(operation.key_text) or bool(operation.key_words & {"leader", "leadership", "master", "primary"})
