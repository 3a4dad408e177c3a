"""Members that are added to a set, list or hash of a store because it was counted before, and was not full."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from coordlint.coordination import Operation
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.walking.absent import led_by_room
from coordlint.models.schema import Op

_COUNTS = frozenset({"scard", "zcard", "llen", "hlen"})


def mark_room(trace: Trace, flow: Callable[[], Flow]) -> None:
    """Marks what one function adds under a key whose members it has counted."""
    counted = [s.operation for s in trace.steps if s.operation is not None and s.operation.call.rpartition(".")[2] in _COUNTS]
    for step in trace.steps if counted else ():
        o = step.operation
        if o is not None and o.op in (Op.SET_ADD, Op.QUEUE_PUT):
            room = next((c for c in reversed(counted) if _is_before(c, o) and led_by_room(flow(), c.place, o.place)), None)
            if room is not None:
                step.operation = msgspec.structs.replace(o, room=room.place)


def _is_before(count: Operation, add: Operation) -> bool:
    return count.place < add.place and count.backend == add.backend and count.key_text == add.key_text and add.key_text not in ("", "{}")
