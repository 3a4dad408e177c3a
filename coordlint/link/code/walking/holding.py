"""What a call takes and gives back: locks of libraries, locks made by hand, and those of the project's own functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint import ir
from coordlint.coordination import Lock, Outcome, Release
from coordlint.link.code.calls.locks import by_hand_lock, lock_instance, lock_of, takes
from coordlint.link.code.calls.meaning import Meaning, key_of
from coordlint.link.code.calls.trace import NONE, Draft, Step
from coordlint.link.code.evaluation import arguments, attributes, classes
from coordlint.link.code.evaluation.calling import is_symbolic
from coordlint.link.code.evaluation.values import (
    Arg,
    FunctionRef,
    Instance,
    Literal,
    Object,
    Parameter,
    Unknown,
    Value,
    options,
    substitute,
)
from coordlint.link.code.flow.outcomes import outcome_of
from coordlint.link.code.flow.usage import bare
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.walking.handing import asks
from coordlint.link.code.walking.releasing import give_back, release, same_lock
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import words

if TYPE_CHECKING:
    from coordlint.link.code.walking.walk import Around, Walk


_TELLS = frozenset("acquired held locked lock owned leader granted".split())  # in the name of what is asked
_KEYED = ("redis", "memcached", "django-cache", "zookeeper", "etcd", "consul")  # where a delete of a key can free a lock


def note_lock(w: Walk, made: Step, meaning: Meaning, owner: Value | None, call: ir.Call, s: ir.Stmt, around: Around) -> None:
    """What a library call does to locks."""
    subject = written(call.func.base) if isinstance(call.func, ir.Attribute) else ""
    lock = lock_instance(w.ev, owner) if owner is not None else None
    if meaning.op in (Op.ACQUIRE, Op.CREATE):
        if lock is not None and meaning.op is Op.ACQUIRE:
            noun = lock_of(w.ev, lock, meaning, made.place)
            draft = Draft(noun, lock, subject, made.place, "acquire", w.scope, meaning.args, meaning, owner)
            draft.can_fail = _can_fail(noun, meaning)
            _open(w, draft, made, s, around)
        elif takes(w.ev, meaning, owner):
            noun = by_hand_lock(w.ev, meaning, owner, made.place)
            key = key_of(w.ev, meaning)
            draft = Draft(noun, key or Unknown(), subject, made.place, "acquire", w.scope, meaning.args, meaning, owner)
            named = meaning.sql is not None and meaning.sql.kind == "get-lock" and noun.wait.kind != "never"  # answers 0 when the time is over
            draft.can_fail = named or (noun.blocking is False and meaning.model.result != "raises")
            draft.is_raw = noun.by_hand
            _open(w, draft, made, s, around)
    elif meaning.op in (Op.RELEASE, Op.DELETE, Op.FORCE_RELEASE, Op.REVOKE):
        if meaning.op is Op.DELETE and w.ev.models.backend_of(meaning.model.name) not in _KEYED:
            return
        how = "compare-and-delete" if meaning.lua or _is_watched(w, made) else "delete"
        if lock is not None or meaning.sql is not None or (meaning.op is not Op.DELETE and not meaning.lua):
            how = "library"
        target: Value = lock if lock is not None else key_of(w.ev, meaning) or Unknown()
        backend = made.operation.backend if made.operation is not None and lock is None else ""
        given = written(call.args[0]) if made.passed is not None and call.args and isinstance(call.args[0], ir.Name | ir.Attribute) else ""
        release(w, target, subject, made.place, how, around, made.passed, backend, given)
    elif meaning.op is Op.CHECK:
        for d in w.held:
            if d.written == subject:
                d.checked.append(made.place)
    elif meaning.op is Op.EXTEND:
        for d in w.held:
            if d.written == subject or d.is_raw:
                d.extended.append(made.place)
    elif meaning.op is Op.RUN_ELECTION and lock is not None:
        noun = lock_of(w.ev, lock, meaning, made.place)
        draft = Draft(noun, lock, subject, made.place, "callback", w.scope, meaning.args, meaning, owner, can_fail=False)
        draft.steps.append(made)
        draft.releases.append(Release(made.place, "library", True))
        w.trace.drafts.append(draft)
    elif meaning.op is Op.ROW_LOCK:
        noun = by_hand_lock(w.ev, meaning, owner, made.place)
        draft = Draft(noun, owner or Unknown(), subject, made.place, "row-lock", w.scope, meaning.args, meaning, owner, can_fail=False)
        draft.transaction = made.operation is None or not made.operation.commits_alone
        w.trace.drafts.append(draft)
        w.held.append(draft)


def _is_watched(w: Walk, made: Step) -> bool:
    """Whether a delete is part of a MULTI that WATCH guards."""
    if made.operation is None or not made.operation.atomic:
        return False
    return any(s.operation is not None and s.operation.op is Op.WATCH and s.operation.atomic for s in w.trace.steps)


def _can_fail(lock: Lock, meaning: Meaning) -> bool | None:
    """Whether an acquire can come back without the lock and say so only by its result."""
    if meaning.model.result in ("raises", "object", "token", "none", ""):
        return False
    if lock.blocking is False:
        return True
    if lock.wait.kind in ("seconds",) or (lock.wait.kind == "unknown" and lock.wait.place is not None):
        # A library that raises on a timeout is told apart by `raises`.
        return not meaning.model.raises
    return None if lock.blocking is None else False


def _open(w: Walk, draft: Draft, made: Step, s: ir.Stmt, around: Around) -> None:
    draft.loop = around.loop
    draft.transaction = around.transaction
    draft.given = (*draft.given, *around.given)
    draft.limit = draft.limit or around.limit
    draft.tested = made.outcome is Outcome.TESTED
    draft.escapes = made.outcome is Outcome.RETURNED
    draft.is_used = made.outcome is Outcome.USED
    if isinstance(s, ir.Assign):
        draft.names = {written(t) for t in s.targets if not isinstance(t, ir.Sequence)} | {
            written(i) for t in s.targets if isinstance(t, ir.Sequence) for i in t.items
        }
        draft.is_denial = _is_denial(s, draft.names)
    if around.in_handler and any(d.subject == draft.subject for d in w.held):
        return
    if any(d.acquired == draft.acquired and d.lock.made == draft.lock.made and d.lock.type == draft.lock.type for d in w.held):
        return  # the same call on another client that the name may stand for
    w.trace.drafts.append(draft)
    draft.within = tuple(w.held)
    w.held.append(draft)


_DENIED = frozenset({"blocked", "busy", "denied", "refused", "conflict", "conflicts", "failed", "unavailable", "contended"})


def _is_denial(s: ir.Assign, names: set[str]) -> bool:
    """`busy = not lock.acquire()`, or a name that says that a true result is a refusal: `blocked = acquire(...)`."""
    if isinstance(s.value, ir.Unary) and s.value.op == "not":
        return True
    return any(words(name.rpartition(".")[2]) & _DENIED for name in names)


def call_project(
    w: Walk, made: Step, function: FunctionRef, args: tuple[Arg, ...], call: ir.Call, s: ir.Stmt, around: Around
) -> None:
    """What a function of the project leaves held, or releases, for its caller."""
    scope = w.ev.project.scopes[function.symbol]
    if w.ev.is_manager(scope) or made.deferred:
        return
    inner = w.tracer.trace(function.symbol)
    made.outcome = outcome_of(call, s, w.usage)
    if not inner.left and not inner.loose:
        return
    bindings = arguments.bindings(w.ev, function, args)
    opened: list[Draft] = []
    for d in inner.left:
        if is_ruled_out(d, scope, bindings):
            continue
        if not inner.gives_result and ((d.tested and d.skips) or (d.is_raw and not d.raises_when_busy and d.is_used)):
            continue  # it was looked at there, and the caller cannot know: a debounce, not a wrapper
        made.is_wrapped = True
        draft = inherit(w, d, scope, bindings, made.place, function.receiver)
        if any(x.subject == draft.subject for x in opened) and not isinstance(draft.subject, Unknown):
            continue  # one lock, taken on this branch of the wrapper or on that
        opened.append(draft)
        draft.written = _receiver(w, function, call, s)
        fails = d.can_fail
        if fails is None and draft.meaning is not None and draft.lock.blocking is not None:
            fails = _can_fail(draft.lock, draft.meaning)  # the caller, or a default, says whether it waits
        draft.can_fail = (fails is not False if not _is_open(draft) else fails) if inner.gives_result else fails and not d.tested
        if d.tested and d.raises_when_busy:
            draft.can_fail = False  # the wrapper raises: who gets an answer has the lock
        _open(w, draft, made, s, around)
        draft.tested = draft.tested or any(_is_asked_after(w, name) for name in (draft.written, *draft.names))
    if function.symbol.endswith(".__init__") and opened and made.outcome is not Outcome.RETURNED:
        for ending in options(attributes.attribute(w.ev, function.receiver or Unknown(), "__del__")):
            if isinstance(ending, FunctionRef):
                give_back(w, ending, made.place, ends=False)
    for loose in inner.loose:
        made.is_wrapped = True
        subject = substitute(loose.subject, bindings)
        if made.outcome is Outcome.TESTED and asks(scope):
            for d in (d for d in w.held if same_lock(d.subject, subject)):
                d.checked.append(made.place)
            continue
        text = written(call.func.base) if isinstance(call.func, ir.Attribute) else ""
        given = written(call.args[0]) if call.args and isinstance(call.args[0], ir.Name | ir.Attribute) else ""
        release(w, subject, text, made.place, loose.how, around, loose.deed, loose.backend, given)


def _receiver(w: Walk, function: FunctionRef, call: ir.Call, s: ir.Stmt) -> str:
    """The object on which a wrapper is called, as written; the new one, for a constructor."""
    if function.symbol.endswith(".__init__"):
        return written(s.targets[0]) if isinstance(s, ir.Assign) and len(s.targets) == 1 and bare(s.value or call) is call else ""
    return written(call.func.base) if isinstance(call.func, ir.Attribute) else ""


def _is_open(d: Draft) -> bool:
    """Whether a caller still decides if the acquire waits."""
    name = d.meaning.model.blocking if d.meaning is not None else ""
    return bool(name) and any(a.name == name and is_symbolic(a.value) for a in d.args)


def is_ruled_out(d: Draft | Step, scope: Scope, bindings: dict[tuple[str, str], Value]) -> bool:
    """Whether the caller's arguments decide that a function does not come to a lock or a call: `if exclusive: lock.acquire()`."""
    for name, sign in d.given:
        known = bindings.get((scope.symbol, name.removesuffix(NONE)))
        if isinstance(known, Literal) and (known.value is None if name.endswith(NONE) else bool(known.value)) is not sign:
            return True
    return False


def _handed_on(w: Walk, d: Draft, scope: Scope, bindings: dict[tuple[str, str], Value]) -> Iterator[tuple[str, bool]]:
    """The parameters of this function that it passes on as those which decide whether the lock is taken: `put(key, overwrite)`."""
    for name, sign in d.given:
        asks = NONE if name.endswith(NONE) else ""
        passed = bindings.get((scope.symbol, name.removesuffix(NONE)))
        if isinstance(passed, Parameter) and passed.symbol == w.scope.symbol:
            yield passed.name + asks, sign


def _is_asked_after(w: Walk, receiver: str) -> bool:
    """`jobs.acquire_locks()` and then `if jobs.acquired_locks:`: the object tells what the call did."""
    asked = (name.removeprefix(f"{receiver}.") for name in w.usage.tested if receiver and name.startswith(f"{receiver}."))
    return any(words(name) & _TELLS for name in asked)


def inherit(w: Walk, d: Draft, scope: Scope, bindings: dict[tuple[str, str], Value], place: Place, receiver: Value | None = None) -> Draft:
    """A section that a wrapper opens for its caller: the same lock, with the caller's arguments filled in.

    Where the wrapper is a method of the lock, `receiver` is the lock, and says how it was made.
    """
    subject = substitute(d.subject, bindings)
    if isinstance(subject, Instance) and subject.subclass and not subject.arguments and isinstance(receiver, Object) and receiver.arguments is not None:
        above = {c.symbol for c in classes.ancestry(w.ev, receiver.symbol)[0]}
        subject = (lock_instance(w.ev, receiver) if subject.subclass in above else None) or subject
    via = (scope.function.name, *d.lock.via)
    args = tuple(replace(a, value=substitute(a.value, bindings)) for a in d.args)
    lock = w.tracer.relock(d, subject, args, via)
    made = Draft(lock, subject, d.written, place, "acquire", w.scope, args, d.meaning, d.owner)
    made.is_raw = d.is_raw
    made.skips, made.raises_when_busy = False, d.raises_when_busy
    made.can_fail, made.tested = d.can_fail, d.tested
    made.extended, made.limit = list(d.extended), d.limit
    made.provisional = d.does_work or d.provisional
    made.given = tuple(_handed_on(w, d, scope, bindings))
    return made
