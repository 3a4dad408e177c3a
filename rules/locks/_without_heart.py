"""Coordinators of tooz whose heart nobody starts: leases of their locks and members end, whoever is alive."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import HIGH, MEDIUM, Found, Op, Operation, System, found

_HELD = (Op.MAKE_LOCK, Op.ACQUIRE, Op.JOIN, Op.RUN_ELECTION)
_LEASED = ("redis", "rediss", "etcd3", "etcd", "memcached", "consul", "kubernetes")  # drivers whose locks and members end without a heartbeat
_BOUND = ("zookeeper", "kazoo", "zake", "file", "ipc", "postgresql", "mysql")  # to a connection, or to nothing


def without_heart(system: System) -> Iterator[Found]:
    """`start()` alone, or with `start_heart=False`, and no heartbeat anywhere else."""
    if any(o.library == "tooz" and not o.in_test for o in system.operations(Op.KEEPALIVE)):
        return
    makes = {o.place: o for o in system.operations(Op.CLIENT) if o.library == "tooz"}
    for start in system.operations(Op.CONNECT):
        if start.library != "tooz" or start.call.rpartition(".")[2] != "start" or _may_beat(start):
            continue
        made = makes.get(start.client) if start.client is not None else None
        driver = _driver(made) if made is not None else ""
        held = next((o for o in system.operations(*_HELD) if o.library == "tooz" and (start.client is None or o.client in (None, start.client))), None)
        if held is None or driver in _BOUND:
            continue
        yield found(
            "The coordinator is started without its heartbeat, and nothing else sends one: its locks and memberships end after their timeout, whoever is still at work",
            at=start,
            because=[(held.place, "it is used for this, which lasts only as long as the heart beats"), *([(made.place, "the coordinator is made here")] if made is not None else [])],
            confidence=HIGH if driver in _LEASED else MEDIUM,
            help="`start(start_heart=True)`, which beats in a thread of its own, or a call of `heartbeat()` more often than the timeout.",
        )


def _may_beat(start: Operation) -> bool:
    heart = start.argument("start_heart")
    return any(a.name in ("*", "**") for a in start.arguments) or (heart is not None and not (heart.literal and heart.value is False))


def _driver(made: Operation) -> str:
    """The scheme of the coordinator's URL, where it is known."""
    return (made.key or "").partition("://")[0].partition("+")[0].lower() if "://" in (made.key or "") else ""
