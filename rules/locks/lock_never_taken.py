r"""A lock is built and never taken: a lock object that nobody acquires or enters, a row lock whose query never runs.

Why: `lock = client.lock("x")` makes an object and asks the server nothing; `select_for_update()` makes a query that has not run. The code below reads as if
it were protected, and passes every test that has one process.

And Django drops FOR UPDATE where it asks for a sum, a maximum or a count: the rows are
computed with, and none is locked. `update()` and `delete()` drop it as well, in Django
and SQLAlchemy: what runs is the plain UPDATE, and what was looked at before it
was looked at without a lock.

Instead: `with lock:`, or `lock.acquire()` with its result tested; evaluate the query (`.get()`, `list(...)`) inside `transaction.atomic()`. For the
maximum of rows that are still to come, lock the row above them (`Board.objects.select_for_update().get(...)`) or `pg_advisory_xact_lock`.

Fine when: the lock is returned, stored or passed on, so that somebody else can take it.

An UPDATE that names in its filter what it may change (`filter(pk=pk, status="open")`), or
that counts with F(), needs no lock, and is left alone.

Known misses: a context manager of the project that is called without `with`; `select_for_update()` outside of a
transaction, which Django itself refuses.

Sources: redis-py and kazoo documentation, Lock; Django documentation, select_for_update and lazy querysets.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ERROR, MEDIUM, Found, Op, Operation, Outcome, System, call_name, found, rule, words

LAZY = ("select_for_update", "with_for_update")
CHANGING = ("update", "aupdate", "delete", "adelete")  # and these are statements of their own, which have no FOR UPDATE
_NAMES_ROWS = ("id", "pk", "uuid")
COMPUTING = ("aggregate", "aaggregate", "count", "acount")  # Django asks for these without FOR UPDATE


@rule("CL122", severity=ERROR)
def lock_never_taken(system: System) -> Iterator[Found]:
    taken = {section.lock.made for section in system.critical_sections(tests=True)}
    for made in system.operations(Op.MAKE_LOCK):
        function = system.function(made.symbol)
        if made.outcome is not Outcome.DEAD or made.place in taken or function is None:
            continue  # at the top of a module, everybody may take it
        name = f' "{made.key_text or made.key}"' if made.key else ""
        yield found(
            f"{call_name(made)} builds the lock{name}, and nothing acquires or enters it: what follows runs without a lock",
            at=made,
            because=[(function.place, "in this function the lock is not taken")],
        )
    yield from only_asked(system)
    yield from never_evaluated(system)
    yield from aggregated(system)
    yield from only_changed(system)


def only_asked(system: System) -> Iterator[Found]:
    """Locks that are asked about and given back, and never taken; those that stand in a `with` beside another."""
    for lock in system.untaken():
        if lock.freer:
            continue  # of what it frees, unsafe-release tells
        if lock.between:
            yield found(
                f"`with` enters one lock where `{lock.between}` joins two: `{lock.name}` is not taken, because a lock object is true and that is all it is asked",
                at=lock.place,
                symbol=lock.symbol,
                because=[(lock.shown, f"`{lock.name}` is only asked whether it is something")],
                help="Put a comma between them: `with first, second:`.",
            )
            continue
        yield found(
            f"`{lock.name}` is asked who owns it and given back, and nothing takes it: what stands in between runs without a lock",
            at=lock.place,
            symbol=lock.symbol,
            because=[(lock.shown, "the release of what was not taken")],
            help="Take it before the work, and look whether it was obtained: `if not lock.acquire(): return`.",
        )


def never_evaluated(system: System) -> Iterator[Found]:
    """Row locks whose query is built and dropped: a query runs when its rows are asked for."""
    told: set[tuple[str, int]] = set()
    for query in system.operations(Op.ROW_LOCK, Op.DB_STATEMENT):
        function = system.function(query.symbol)
        locks = query.row_lock if query.op is Op.DB_STATEMENT else query.place if query.call.rpartition(".")[2] in LAZY else None
        if query.outcome is not Outcome.DEAD or locks is None or function is None or (query.place.path, query.place.line) in told:
            continue
        told.add((query.place.path, query.place.line))
        made = [] if locks.path == query.place.path and locks.line == query.place.line else [(locks, "the query is told to lock its rows here")]
        yield found(
            "Builds a query that locks rows, and nothing asks for its rows: no row is locked",
            at=query,
            because=[*made, (function.place, "in this function the query is not evaluated")],
            help="Evaluate it inside the transaction: list(query), query.get(), or iterate over it.",
        )


def aggregated(system: System) -> Iterator[Found]:
    """Row locks that the last step of a query takes off again."""
    for read in system.operations(Op.DB_READ):
        last = read.call.rpartition(".")[2]
        if read.row_lock is None or last not in COMPUTING or not read.call.startswith("django."):
            continue
        if any(o.row_lock == read.row_lock and o.symbol == read.symbol and o.call.rpartition(".")[2] not in COMPUTING for o in system.operations(Op.DB_READ)):
            continue  # the same query is also asked for its rows
        told_to = [] if read.row_lock.line == read.place.line else [(read.row_lock, "the query is told to lock its rows here")]
        function = system.function(read.symbol)
        yield found(
            f"{call_name(read)} is asked for without FOR UPDATE, whatever the query says before it: no row is locked",
            at=read,
            because=[*told_to, *([(function.place, "in this function")] if function is not None and not told_to else [])],
            help="Lock a row that is there: that of the parent, or the rows themselves by list(query) before the sum; or take pg_advisory_xact_lock.",
        )


def only_changed(system: System) -> Iterator[Found]:
    """Row locks asked for on a query that is only changed or deleted: no row is ever selected with a lock."""
    for change in system.operations():
        how = change.call.rpartition(".")[2]
        if change.row_lock is None or how not in CHANGING or not _is_plain(change):
            continue
        if any(o.row_lock == change.row_lock and o.place != change.place and o.call.rpartition(".")[2] not in (*LAZY, *CHANGING) and o.op is Op.DB_READ for o in system.operations()):
            continue  # its rows are asked for somewhere
        function = system.function(change.symbol)
        told_to = [(change.row_lock, "the query is told to lock its rows here")] if change.row_lock.line != change.place.line else []
        yield found(
            f"FOR UPDATE is asked for on a query that is only {'deleted' if 'delete' in how else 'updated'}: no row is selected with a lock, and a plain statement is all that runs",
            at=change,
            because=[*told_to, *([(function.place, "in this function")] if function is not None and not told_to else [])],
            confidence=MEDIUM,
            help="Select the row with the lock first (`.get()`), look at its state, then change it; or name the state that is expected in the filter and look at the number of rows.",
        )


def _is_plain(change: Operation) -> bool:
    """Whether it changes rows by their identity alone, whatever state they are in, to what does not count on the old."""
    named = bool(change.compares) and all(c in _NAMES_ROWS or words(c) <= {*_NAMES_ROWS, *words(change.key or "")} for c, _ in change.compares)
    return named and all(by != "+=" for _, by in change.writes)
