"""How locks are given back: by a release, a delete, at the end of a block or of an object, in the next round of a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint import ir
from coordlint.coordination import Release
from coordlint.link.code.calls.locks import lock_instance, says_something
from coordlint.link.code.calls.trace import Draft, Loose
from coordlint.link.code.evaluation import arguments
from coordlint.link.code.evaluation.values import (
    Arg,
    FunctionRef,
    Method,
    Pattern,
    Unknown,
    Value,
    options,
    substitute,
)
from coordlint.link.code.flow.usage import bare, last_word, names_in
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.walking.handing import MOST_HANDED_ON, is_local
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import holes, words

if TYPE_CHECKING:
    from coordlint.link.code.walking.walk import Around, Walk

_LATER = frozenset("callback push push_async_callback push_async_exit addCleanup addAsyncCleanup addfinalizer register call_on_close".split())


def release(w: Walk, subject: Value, text: str, place: Place, how: str, around: Around, deed: Place | None = None, backend: str = "", given: str = "") -> None:
    """Ends the section that this lock holds here, or notes a release for a caller's section. A `backend` frees only its own keys."""
    for d in reversed(w.held):
        if not _is_meant(w, d, subject, text, how) or _is_elsewhere(d, backend):
            continue
        for each in [d, *(x for x in w.held if x is not d and x.acquired == d.acquired and x.written == d.written)]:
            _give_back(each, _released(w, place, how, around, deed))
            each.escapes = each.escapes or is_stored(w, each, text)
            if not around.in_handler:
                w.held.remove(each)
        return
    for d in w.trace.drafts:  # a second way out: a handler or an early return
        if d in w.held or d in w.elsewhere or _is_elsewhere(d, backend):
            continue
        if same_lock(d.subject, subject) and (how != "delete" or d.is_raw):
            _give_back(d, _released(w, place, how, around, deed))
            d.escapes = d.escapes or is_stored(w, d, text)
            return
    _note_loose(w, Loose(subject, text, place, how, around.in_final, deed or place, backend, given))


def _is_elsewhere(d: Draft, backend: str) -> bool:
    """Whether a key of one store cannot be this lock, which is in another."""
    return bool(backend and d.is_raw and d.lock.backend and d.lock.backend != backend)


def is_stored(w: Walk, d: Draft, text: str) -> bool:
    """Whether a lock is given back out of what it was put into, where others find it later too: `self.locks[key].release()`."""
    if not d.written or text == d.written or not is_local(w.scope, d.written.partition(".")[0]):
        return False
    return any(text == n or text.startswith(f"{n}[") for n in w.usage.kept_in({d.written}) if not is_local(w.scope, n.partition(".")[0]))


def same_lock(a: Value, b: Value) -> bool:
    """Whether two values are one lock: the same, or keys that differ only in holes of which one has no name."""
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return False
    if isinstance(a, Pattern) and isinstance(b, Pattern) and a.named != b.named:
        pairs = list(zip(holes(a.named), holes(b.named), strict=False))
        return a.text == b.text and says_something(a) and all(x == y or not x or not y for x, y in pairs)
    return a == b


def _is_meant(w: Walk, d: Draft, subject: Value, text: str, how: str) -> bool:
    """Whether a release is of this lock: the same value, the same name, or a name for what the lock was put into."""
    if how == "delete" and not d.is_raw:
        return False
    if same_lock(d.subject, subject):
        return True
    if d.is_raw or how == "delete" or not text:
        return False
    if text in d.names:
        return True  # what a function of the project took and handed over: `lock = take(name)`
    return d.written == text or (bool(d.written) and text in w.usage.kept_in({d.written}))


def release_by_name(w: Walk, call: ir.Call, around: Around) -> None:
    """`lock.release()` where nobody knows what `lock` is: a name for a held lock, or for what it was put into."""
    if isinstance(call.func, ir.Attribute) and call.func.name in ("release", "unlock"):
        text = written(call.func.base)
        if any(_is_meant(w, d, Unknown(), text, "library") for d in w.held):
            release(w, Unknown(), text, w.scope.place(call.at), "library", around)


def release_next_time(w: Walk, drafts: int, loose: int) -> None:
    """What a loop takes may be given back further up in its body, in the next round."""
    for d in w.trace.drafts[drafts:]:
        for x in w.trace.loose[loose:]:
            if d.how == "acquire" and x.place < d.acquired and same_lock(d.subject, x.subject) and (x.how != "delete" or d.is_raw):
                _give_back(d, Release(x.place, x.how, x.on_error, deed=x.deed))
                d.escapes = True  # what happens in between is the loop's, not this way through it
                w.trace.loose.remove(x)


def release_later(w: Walk, call: ir.Call) -> None:
    """`stack.callback(lock.release)`: whoever runs it does so after failures as well."""
    if last_word(call.func) not in _LATER or not call.args or not w.held:
        return
    place = w.scope.place(call.at)
    for option in options(w.ev.value(call.args[0], w.scope)):
        if isinstance(option, FunctionRef):
            give_back(w, option, place, arguments.arguments_of(w.ev, option, put_off(call), w.scope), ends=False)
        elif isinstance(option, Method) and option.model.op is Op.RELEASE and isinstance(call.args[0], ir.Attribute):
            for d in w.held:
                if _is_meant(w, d, lock_instance(w.ev, option.owner) or Unknown(), written(call.args[0].base), "library"):
                    _give_back(d, Release(place, "library", True))


def put_off(call: ir.Call) -> ir.Call:
    """The call that a stack is asked to make in the end: `stack.callback(client.delete, key)`."""
    return ir.Call(call.args[0], call.args[1:], call.keywords, call.at)


def free_later(w: Walk, key: Value, place: Place) -> None:
    """A key that a stack is asked to delete in the end, held until then."""
    for d in w.held:
        if d.is_raw and same_lock(d.subject, key):
            _give_back(d, Release(place, "delete", True, deed=place))


def give_back(w: Walk, function: FunctionRef, place: Place, args: tuple[Arg, ...] = (), ends: bool = True) -> None:
    """What a function that always runs in the end gives back of what is held here: `__exit__`, `__del__`, a callback of a stack."""
    bindings = arguments.bindings(w.ev, function, args)
    for x in w.tracer.trace(function.symbol).loose:
        subject = substitute(x.subject, bindings)
        for d in [d for d in w.held if d.how == "acquire" and same_lock(d.subject, subject)]:
            _give_back(d, Release(place, x.how, True, deed=x.deed))
            if ends:
                w.held.remove(d)


_FREES = frozenset("release unlock release_lock free give_back".split())


def only_gives_back(branch: ir.Branch) -> bool:
    """`if lock.owned(): lock.release()`: asked for the sake of the release alone, when the work is done."""
    asked = bare(branch.test)
    about = asked.func if isinstance(asked, ir.Call) else asked
    if not isinstance(about, ir.Attribute) or about.name in _FREES:
        return False
    frees = [bare(s.value) for s in branch.body if isinstance(s, ir.Evaluate)]
    return len(frees) == len(branch.body) == 1 and all(
        isinstance(c, ir.Call) and isinstance(c.func, ir.Attribute) and c.func.name in _FREES and written(c.func.base) == written(about.base) for c in frees
    )


_TELLS = frozenset("acquired held locked lock owned owns leader granted".split())  # in the name of what is asked


def note_chosen(w: Walk, held: list[Draft], test: ir.Expr, asked: list[Draft]) -> None:
    """A release in a branch whose test says nothing of the lock: on the other way the lock is left to its lease, on purpose."""
    said = names_in(test)
    if words(" ".join(said)) & _TELLS:
        return  # a flag that was set by hand
    for d in held:
        if d not in w.held and d not in asked and d.releases and d.written not in said and not d.names & said:
            d.releases[-1] = replace(d.releases[-1], chosen=True)


def _give_back(d: Draft, made: Release) -> None:
    if all(r.place != made.place for r in d.releases):
        d.releases.append(made)


def _released(w: Walk, place: Place, how: str, around: Around, deed: Place | None) -> Release:
    """A release here: after a failure as well, where a `finally` or a handler of everything stands around it."""
    if around.in_handler:
        w.handled.add(place)
    careful = "timed-delete" if how == "delete" and around.timed else how
    on_error = around.in_final or (around.in_handler and around.catches_all)
    return Release(place, careful, on_error, only_on_error=around.in_handler, deed=deed, empty=tuple(sorted(around.empty)))


def _note_loose(w: Walk, made: Loose) -> None:
    """A release for a caller's section; each lock once, and not without end up a long chain of calls."""
    unknown = isinstance(made.subject, Unknown) and not made.written
    known = any(x.subject == made.subject and x.written == made.written and x.given == made.given and (not x.given or x.deed == made.deed) for x in w.trace.loose)
    if not unknown and not known and len(w.trace.loose) < MOST_HANDED_ON:
        w.trace.loose.append(made)
