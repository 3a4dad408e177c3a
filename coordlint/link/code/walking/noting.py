"""Calls whose result is noted under a key only after they were made: whoever asks for the note meanwhile makes them too."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from coordlint.coordination import Operation, Outcome
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import last_word, names_in
from coordlint.link.code.walking.absent import led_by_absence
from coordlint.models.schema import Op

_NOTES = (Op.WRITE, Op.CREATE, Op.ACQUIRE)
_NEXT = ("get_response", "call_next")  # how middleware calls what it stands around


def mark_notes(trace: Trace, flow: Callable[[], Flow]) -> None:
    """Notes at each write of what a call gave, which a look-up at the same key had led to, both the call and the look-up."""
    steps = trace.steps if trace.scope.kind == "function" else ()
    looks = [s for s in steps if s.operation is not None and s.operation.op is Op.READ and s.operation.backend and s.operation.outcome is Outcome.TESTED]
    for step in steps if looks else ():
        o = step.operation
        if o is None or o.op not in _NOTES or not o.key or o.atomic:
            continue
        look = next((s for s in reversed(looks) if s.place < step.place and _same_key(s.operation, o)), None)
        work = None if look is None else next((s for s in steps if look.place < s.place < step.place and _is_work(s) and _gives(s, look, step, flow())), None)
        if look is not None and work is not None and not _is_claimed(trace, work):
            step.operation = msgspec.structs.replace(o, notes=(look.place, work.place))


def _same_key(look: Operation | None, note: Operation) -> bool:
    return look is not None and look.key == note.key and look.backend == note.backend


def _is_work(step: Step) -> bool:
    """Whether a call does something that it was given to do, or that the project does."""
    return not step.ignored and (step.parameter is not None or bool(step.functions[: step.called]) or last_word(step.call.func) in _NEXT)


def _gives(work: Step, look: Step, note: Step, flow: Flow) -> bool:
    """Whether the look-up found nothing where the call is made, and what the call gives is noted."""
    given = flow.names_of(work.place)
    return bool(given & {n for a in (*note.call.args, *(k.value for k in note.call.keywords)) for n in names_in(a)}) and led_by_absence(flow, look.place, work.place)


def _is_claimed(trace: Trace, work: Step) -> bool:
    """Whether something was taken before the call is made."""
    before = (s.operation for s in trace.steps if s.place < work.place)
    return bool(work.held) or any(o is not None and o.op in (Op.ACQUIRE, Op.CREATE, Op.CAS) for o in before)
