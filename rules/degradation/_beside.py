"""Requests that fail with a store although the database holds or decides all that counts."""

from collections.abc import Iterator

from coordlint import MEDIUM, Found, System, backend_name, beside_database, call_name, early_calls, found


def failing_beside(system: System, told: set[object]) -> Iterator[Found]:
    """Calls of Redis after a new record was stored for good, or before a locked row decides without them."""
    for beside in beside_database(system, "redis"):
        call, way = beside.call, [(at, "and asks from here") for at in beside.way[:-1] if at.path != beside.call.place.path]
        if {call.symbol, call.place} & told:
            continue
        told |= {call.symbol, call.place}
        if beside.stored is not None and beside.committed is not None:
            kept = "this is done" if beside.committed is beside.stored else "and committed before the call"
            yield found(
                f"An outage of {backend_name(call.backend)} fails a request whose new record is stored already: nothing handles the failure of {call_name(call)}.",
                at=call,
                because=[
                    (beside.stored.place, "the record is made here"),
                    *([(beside.committed.place, kept)] if beside.committed is not beside.stored else []),
                    *way[-2:],
                    (beside.entry.place, f"the request comes in here: {beside.entry.reason}; who gets an error sends it again, and makes a second record"),
                    *call.origin,
                ],
                confidence=MEDIUM,
                help="Catch the failure behind the commit and answer as stored; let a sweep over the table, or an outbox row in the same transaction, do later what the store was to be told.",
            )
        elif beside.decides is not None:
            yield found(
                f"An outage of {backend_name(call.backend)} fails a request that the database alone decides: nothing handles the failure of {call_name(call)}, and nobody tests its answer.",
                at=call,
                because=[
                    (beside.decides.place, "the row that decides is locked and looked at here"),
                    *way[-2:],
                    (beside.entry.place, f"the request comes in here: {beside.entry.reason}"),
                    *call.origin,
                ],
                confidence=MEDIUM,
                help="Catch the failure, log it and go on to the database; or let the answer decide, so that the row is spared the crowd.",
            )


def ended_at_start(system: System, told: set[object]) -> Iterator[Found]:
    """Applications that ask Redis while they start, beside a Redis in compose for which nothing waits, and that nobody starts again."""
    for early in early_calls(system, "redis"):
        call = early.call
        if early.handled or call.op == "connect" or {call.symbol, early.starts} & told:
            continue
        told |= {call.symbol, early.starts}
        yield found(
            f"An outage of {backend_name(call.backend)} keeps {early.workload.name} from starting: nothing handles the failure of {call_name(call)}.",
            at=call,
            because=[
                (early.starts, f"the application runs it when it starts: {early.reason}"),
                (early.workload.place, f"{early.workload.name} does not wait for {early.store.workload.name}, and nothing starts it again"),
                (early.store.workload.place, f"{early.store.workload.name} is defined here"),
                *call.origin,
            ],
            confidence=MEDIUM,
        )
