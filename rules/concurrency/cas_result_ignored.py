"""A conditional update whose outcome nobody looks at.

Why: compare-and-set protects the data only by refusing: when another writer was first, nothing is written. A program
that does not look at the refusal goes on as if its value were stored, so an order counts as paid, a slot as claimed or a
counter as raised although the store still holds the other value. Most APIs refuse quietly: etcd's `replace` and Consul's
`kv.put(cas=...)` answer False, an etcd transaction answers (False, ...), a Lua script what its refusing branch returns, memcached's `cas` False or None, an UPDATE with a
version in its WHERE clause reports a row count of 0, a function of the program returns False when the state has changed, kazoo's `queue.consume()` when the entry is no longer one's own, and a kazoo transaction returns exceptions in its result list
instead of raising them. Where the API does raise, an empty `except` does the same.

Instead: test the answer and read again, retry with a bound, or tell the caller: `if not etcd.replace(k, old, new): raise
Conflict`, `if cursor.rowcount == 0: raise Conflict`. An ORM can do it by itself: SQLAlchemy's `version_id_col` raises
StaleDataError.

Fine when: the call raises by itself (kazoo `set(version=...)`, DynamoDB, S3) and the exception is not swallowed; the write
only makes sure that something exists, and whoever was first is as good; the transaction's failure branch does the work.

Sources: Consul KV API (cas answers true or false); kazoo source, TransactionRequest.commit; etcd3, py-consul and pymemcache
sources; SQLAlchemy documentation, Configuring a version counter.
"""

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    MEDIUM,
    WARNING,
    Found,
    Guard,
    Op,
    Operation,
    Outcome,
    Place,
    Refused,
    System,
    backend_name,
    call_name,
    effect_name,
    found,
    rule,
    words,
)

_ANSWERS = ("etcd", "consul", "memcached", "django-cache")  # these refuse by their answer, the others by raising
_RAISING = ("python-etcd",)
_REFUSALS = frozenset(
    {"BadVersionError", "ConditionalCheckFailedException", "ClientError", "PreconditionFailed", "PreconditionFailedError"}
    | {"StaleDataError", "WatchError", "RolledBackError", "EtcdCompareFailed"}
)
_VERSION = frozenset({"version", "revision", "rev", "etag", "mod", "generation", "seq", "epoch", "match"})
_INITIAL = frozenset({"init", "initial", "initialize", "initialise", "default", "ensure", "empty", "bootstrap", "setup", "prepare"})
_UNIQUE = frozenset({"uuid", "token", "hash", "digest"})
_ABSENT = frozenset({"create", "absent"})
_DRAWS = frozenset({"incr", "increment", "inc", "next", "sequence", "counter"})  # names of functions that bring a number forward by compare-and-swap


@rule("CL501", severity=ERROR)
def cas_result_ignored(system: System) -> Iterator[Found]:
    for update in system.operations(Op.CAS):
        if update.backend in _ANSWERS and update.library not in _RAISING and update.outcome is Outcome.DEAD:
            yield _ignored(system, update, "answers False when another writer was first")
        elif (guard := _swallowing(update)) is not None:
            yield _swallowed(update, guard)
    for create in system.operations(Op.CREATE, backend="etcd"):
        if create.outcome is Outcome.DEAD and create.call.endswith(".create") and create.library not in _RAISING and _matters(create) and not _is_drawn(system, create):
            yield found(
                f"Nobody looks at the outcome of {call_name(create)} on `{create.key_text or create.key}`: when the key is there already it answers False, and this value is lost.",
                at=create,
                because=[(_condition(create), "the value that is not stored then"), *((o.place, "the old one is read here") for o in system.same_key(create) if o.op is Op.READ)],
                severity=WARNING,
                confidence=MEDIUM,
                help="Test the answer and replace the old value where it differs, or write with put() if the last one is to win.",
            )
    yield from _scripts(system)
    yield from _goes_on(system)
    for update in system.operations(Op.CAS, Op.SCRIPT):
        if update.outcome is Outcome.RETURNED and (update.refusal or (update.backend in _ANSWERS and update.library not in _RAISING)):
            for place in system.unheeded(update.symbol):
                yield _handed_up(system, update, place)
    for transaction in system.operations(Op.TRANSACTION, backend="etcd", answered=True):
        if transaction.outcome is Outcome.DEAD and _compares(transaction):
            yield _ignored(system, transaction, "answers (False, ...) when a comparison fails")
    for commit in system.operations(Op.COMMIT, backend="zookeeper"):
        checks = [s for s in system.operations(Op.TRANSACTION_STEP, backend="zookeeper") if _guards(s, commit)]
        if commit.outcome is Outcome.DEAD and checks:
            yield found(
                "The results of a ZooKeeper transaction are thrown away: commit() returns a failed check as an exception in "
                "its list and raises nothing.",
                at=commit,
                because=[(checks[0].place, "this step is refused when the version has changed")],
            )
    for write in system.operations():
        if write.op in (Op.CAS, Op.TRANSACTION) or not words(write.conditional) & _VERSION:
            continue
        if write.conditional.startswith("unique constraint"):
            continue  # the database refuses by an exception, which nobody overlooks
        if (write.kind == "database" or write.backend == "database-row") and write.outcome is Outcome.DEAD:
            yield _ignored(system, write, "matches no row when another writer was first, and says so only by its row count")
        elif (guard := _swallowing(write)) is not None and _compares_version(write):
            yield _swallowed(write, guard)


def _scripts(system: System) -> Iterator[Found]:
    """Lua scripts that refuse by what they answer, where nobody decides by it, here or behind."""
    for script in system.operations(Op.SCRIPT):
        if not script.refusal or not script.only_told:
            continue
        behind = [o for o in system.operations_in((script.symbol,)) if o.place > script.place and o.harmful_late and o.kind]
        if script.outcome is Outcome.DEAD or behind:
            yield found(
                f"The script on `{script.key_text or script.key}` answers {script.refusal} when it changes nothing, and nobody looks: "
                + ("the program goes on as if it had." if behind else "what was refused counts as done."),
                at=script,
                because=[*((o.place, f"{effect_name(o)} follows either way") for o in behind[:1]), *script.origin] or [(script.place, "its answer decides nothing")],
                severity=ERROR if behind else WARNING,
                confidence=HIGH if behind else MEDIUM,
                help=f"Test the answer, and stop where it is {script.refusal}: nothing was taken, so that nothing is to be given back either.",
            )


_OUTWARD = frozenset({"http", "subprocess", "payment", "message", "email", "object-store", "remote", "task", "file"})


def _goes_on(system: System) -> Iterator[Found]:
    """Changes of state that may be refused, where nobody looks and the work goes on as if it had been let in."""
    for refused in system.refused():
        work = _work(system, refused)
        if work is not None:
            yield found(
                f"Nobody looks whether {refused.called}() was refused: it answers False when {refused.told} is no longer what it should be, and the work goes on all the same: "
                f"{effect_name(work)}.",
                at=refused.place,
                symbol=refused.symbol,
                because=[(work.place, "this is done either way")] if refused.test == refused.place else [(refused.test, "it is refused here"), (work.place, "this is done either way")],
                confidence=MEDIUM,
                help="Test the answer, and stop where it is False: somebody else has it.",
            )


def _work(system: System, refused: Refused) -> Operation | None:
    """What is done to the outside, or to a store, by the calls behind it."""
    found: list[Operation] = []
    for place in refused.behind:
        near = [o for o in system.operations_in((refused.symbol,)) if o.place == place]
        called = {s for f in (*system.called_at(refused.symbol, place), *system.handed_at(place)) for s in system.runs(f)}
        for o in (*near, *system.operations_in(called)):
            if o.harmful_late and not o.conditional and not o.in_test and (o.kind in _OUTWARD or (not o.kind and o.backend and o.role not in ("lock", "leader-election", "metrics", "client"))):
                found.append(o)
    return min(found, key=lambda o: o.kind == "file", default=None)


def _handed_up(system: System, update: Operation, place: Place) -> Found:
    name = update.symbol.rpartition(".")[2]
    return found(
        f"Nobody looks whether {name}() could change `{update.key_text or update.key}`: it answers {update.refusal or 'False'} when another writer was first.",
        at=place,
        symbol=next((caller for caller, at in system.callers(update.symbol) if at == place), ""),
        because=[(update.place, "the answer comes from here"), *update.origin],
        severity=WARNING,
        confidence=MEDIUM,
    )


def _matters(create: Operation) -> bool:
    """A value that the caller gives, which is not what the key says already, under a key that is written again for the same thing."""
    value = create.argument("value")
    if value is None or value.literal or not value.mentions or (create.symbol_words | words(value.text)) & _INITIAL:
        return False
    known = {word for filler in create.fillers for word in (filler, filler.rpartition(".")[2])}
    return "{}" in (create.key or "") and value.text not in known and not words(" ".join(create.fillers)) & _UNIQUE


def _is_drawn(system: System, create: Operation) -> bool:
    """Under the next number of a counter of the same function, which nobody else gets: `seq = self.increment(...)`."""
    before = {callee for callee, at in system.calls_from(create.symbol) if at < create.place}
    inside = (o for callee in before for o in system.operations_in((callee,)))
    here = (o for o in system.operations_in((create.symbol,)) if o.place < create.place)
    return any(o.op is Op.INCREMENT or o.is_counted or o.counts or (o.op is Op.CAS and o.symbol != create.symbol and words(o.symbol.rpartition(".")[2]) & _DRAWS) for o in (*here, *inside))


def _ignored(system: System, update: Operation, how: str) -> Found:
    rivals = [o for o in system.same_key(update) if o.stores]
    because = [(o.place, "another writer of the same key") for o in rivals[:2]]
    on = f" on `{update.key_text or update.key}`" if update.key else ""
    return found(
        f"Nobody looks at the outcome of {call_name(update)}{on}: it {how}.",
        at=update,
        because=[*because, *update.origin] or [(_condition(update), "the condition that may not hold")],
        confidence=HIGH if update.key or update.kind == "database" else MEDIUM,
    )


def _swallowed(update: Operation, guard: Guard) -> Found:
    store = backend_name(update.backend) if update.backend else update.kind
    return found(
        f"The refusal of a conditional {store} write ({call_name(update)}) is swallowed: the program goes on as if it were stored.",
        at=update,
        because=[(guard.place, f"`except {', '.join(guard.catches)}` goes on")],
    )


def _swallowing(update: Operation) -> Guard | None:
    """The handler that catches the refusal first, when it simply goes on and no loop tries again."""
    for guard in update.guards:
        if any(name.rpartition(".")[2] in _REFUSALS for name in guard.catches):
            return guard if guard.action == "swallow" and not update.loop else None
    return None


def _compares(transaction: Operation) -> bool:
    """A transaction that compares more than absence, and does nothing by itself when the comparison fails."""
    compare, failure = transaction.argument("compare"), transaction.argument("failure")
    if compare is None or (failure is not None and failure.mentions):
        return False
    said = words(" ".join((compare.text, *compare.mentions)))
    return bool(compare.mentions) and not said & _ABSENT


def _compares_version(write: Operation) -> bool:
    """Not merely "create once", where losing means that somebody else made the same thing."""
    condition = write.argument("ConditionExpression")
    if condition is not None:
        return "attribute_not_exists" not in f"{condition.value} {condition.text}"
    return write.argument("IfNoneMatch") is None


def _guards(step: Operation, commit: Operation) -> bool:
    return step.symbol == commit.symbol and step.place < commit.place and bool(step.conditional or step.call.endswith(".check"))


def _condition(update: Operation) -> Place:
    named = [a for a in update.arguments if a.name in ("compare", "cas", "version", "initial_value", "sql", "statement")]
    return next((a.place for a in (*named, *update.arguments) if a.place), update.place)
