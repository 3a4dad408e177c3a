"""From walks to critical sections: the effects inside, near and far, and what protects them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from coordlint import ir
from coordlint.coordination import Effect, Guard, Lock, Operation, Section, Time
from coordlint.link.code.calls.operations import LIMITED
from coordlint.link.code.calls.trace import Draft, Step
from coordlint.link.code.evaluation import arguments
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.values import FunctionRef
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.walking import decorating, holding, without
from coordlint.link.code.walking.again import called_again
from coordlint.link.code.walking.handed import handed
from coordlint.link.code.walking.purpose import purpose_of, raised_in
from coordlint.link.code.walking.resting import rests
from coordlint.link.code.walking.tracer import Tracer
from coordlint.models.schema import Late, OnBusy, Op, Scope
from coordlint.source import Place
from coordlint.wording import words

DEEPEST = 4  # calls that an effect may be away from its section
REIGN = 4  # more of them below an election: all that the leader does hangs on it
MOST = 80  # effects of one function that are looked at
LAPS_BELOW = 2  # calls from a section to a loop that counts as its own

_LOCKISH = frozenset("lock locked mutex lease leader leadership semaphore running inprogress progress busy exclusive guard singleton master claim acquire".split())
_TIMES = frozenset("created since started updated seen timestamp".split())
_EFFECTS = (Op.EFFECT, Op.WRITE, Op.CREATE, Op.CAS, Op.DELETE, Op.INCREMENT, Op.QUEUE_PUT, Op.PUBLISH, Op.COMMIT, Op.SET_ADD, Op.TRANSACTION_STEP, Op.REGISTER)  # fmt: skip
_READS = (Op.READ, Op.LIST, Op.DB_READ, Op.QUEUE_GET)


@dataclass(frozen=True, slots=True)
class Reached:
    """An operation that a function performs, and the calls that lead to it."""

    operation: Operation
    chain: tuple[Place, ...]
    guards: tuple[Guard, ...] = ()
    each: Place | None = None  # a loop over things of unknown number, on the way to it
    is_sure: bool = True  # no call on the way has several functions that it may mean


class Sections:
    """Builds sections from the drafts of all traces."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.ev = tracer.ev
        self._reach: dict[tuple[str, int], tuple[Reached, ...]] = {}
        self._unresolved: dict[str, tuple[Place, ...]] = {}
        self.calls: set[Place] = set()  # calls of the project's functions that stand in a section which keeps others out
        self._chosen: dict[str, dict[Place, Step]] = {}  # of a function: the calls that hang on the truth of its parameters

    def of(self, symbol: str) -> list[Section]:
        """The sections that a function takes, and those that its decorators hold around it."""
        scope = self.ev.project.scopes[symbol]
        trace = self.tracer.trace(symbol)
        made = [self._section(d) for d in trace.drafts if self._is_lock(d)]
        if isinstance(scope.node, ir.Function):
            for d in decorating.decorated(self.tracer, scope):
                d.steps = list(trace.steps)
                d.scope = scope
                if self._is_lock(d):
                    made.append(self._section(d))
        return made

    def _is_lock(self, d: Draft) -> bool:
        """A conditional write is a lock when its key is deleted again, or when it is called one."""
        if not d.is_raw:
            return True
        if not (d.tested or d.is_used or d.names) and words(d.lock.key_text) & _TIMES:
            return False  # since when: a first value, and nobody asks whether it was the first
        if any(r.how in ("delete", "timed-delete", "compare-and-delete", "library") for r in d.releases):
            return True
        if d.is_used and not d.releases:
            return False  # whoever gets the answer decides about something else
        if d.lock.via and d.can_fail and not (d.releases or d.tested or d.escapes):
            return False  # a wrapper was asked, and what it says is not looked at here: nothing here depends on the lock
        named = words(d.lock.key_text) | words(".".join(d.scope.symbol.split(".")[-2:])) | words(" ".join(d.lock.via)) | words(d.written)
        return bool(named & _LOCKISH)

    def _section(self, d: Draft) -> Section:
        symbol = d.scope.symbol
        if not d.lock.shared:
            self.calls |= {step.place for step in d.steps if step.functions and not step.deferred}
        reached, unresolved, tokens = self._inside(d)
        reached = [r for r in reached if r.operation.place.path not in self.ev.siblings.get(d.lock.made.path, ())]
        beyond = handed(self.tracer, d)
        tokens |= beyond.tokens
        renewals, renewed = self._renewed(d)
        effects = tuple(self._effect(d, r, tokens, renewed) for r in reached if r.operation.op in _EFFECTS or _is_unsafe_sql(r.operation) or _lets_others_go(r.operation))
        reads = tuple(Effect(r.operation, r.chain, each=r.each) for r in reached if r.operation.op in _READS)
        scope = d.lock.model.scope
        fails = d.can_fail
        lock = _limited(d)
        made = Section(
            lock=lock,
            symbol=symbol,
            acquired=d.acquired,
            how=d.how,
            blocking=d.lock.blocking,
            wait=lock.wait,
            can_fail=fails,
            tested=(d.tested or beyond.tested) if fails and not (d.is_returned and not d.tested) else None,
            on_busy=d.lock.model.on_busy if d.how in ("with", "decorator") else OnBusy.RAISES if fails is False else OnBusy.BLOCKS,
            skips_when_busy=d.skips,
            raises_when_busy=d.raises_when_busy,
            releases=tuple(d.releases),
            escapes=d.escapes or d.is_left,
            effects=effects,
            reads=reads,
            row_locks=tuple(Effect(r.operation, r.chain) for r in reached if r.operation.op is Op.ROW_LOCK or r.operation.row_lock is not None),
            token_taken=d.token_taken,
            checked=(*d.checked, *beyond.checked),
            extended=(*d.extended, *beyond.extended),
            renewals=renewals,
            unresolved=unresolved,
            laps=self._laps(d),
            rests=rests(self.tracer, d) if d.lock.lifetime.kind == "seconds" else (),
            shares_fate=scope is Scope.DB_TRANSACTION and all(e.operation.kind in ("database", "") for e in effects),
            transaction=d.transaction,
            nested=self._nested(d),
            loop=d.loop,
            in_test=in_test(d.scope),
            is_async=isinstance(d.scope.node, ir.Function) and d.scope.function.is_async,
            bound_use=d.bound_use,
            without=d.without or _goes_on(d, effects),
            again=called_again(d),
        )
        certain = msgspec.structs.replace(made, effects=tuple(e for e in effects if e.is_sure))
        return msgspec.structs.replace(made, purpose=purpose_of(certain, raised_in(d.scope)))

    def _renewed(self, d: Draft) -> tuple[tuple[Place, ...], frozenset[Place]]:
        """Where functions that are called under a lease renew it, by the library or through one that is named for it; and all calls of these functions."""
        renewals: list[Place] = []
        around: set[Place] = set()
        todo = [(f.symbol, 1) for step in d.steps if not step.deferred for f in _called(step)] if d.lock.lifetime.kind == "seconds" else []
        seen: set[str] = set()
        while todo:
            symbol, depth = todo.pop()
            if symbol in seen or symbol not in self.ev.project.scopes:
                continue
            seen.add(symbol)
            steps = [s for s in self.tracer.trace(symbol).steps if not s.deferred]
            here = [s.place for s in steps if _renews(s, d.lock.library)]
            renewals += here
            around |= {s.place for s in steps} if here else set()
            if depth < DEEPEST:
                todo += [(f.symbol, depth + 1) for s in steps for f in _called(s)]
        return tuple(sorted(renewals)), frozenset(around)

    def _nested(self, d: Draft) -> tuple[Place, ...]:
        """Where further locks are taken while this one is held, here and in what is called."""
        found = {other.acquired for other in self.tracer.trace(d.scope.symbol).drafts if d in other.within}
        todo = [(f.symbol, 1) for step in d.steps if not step.deferred for f in _called(step)]
        seen: set[str] = set()
        while todo:
            symbol, depth = todo.pop()
            if symbol in seen or symbol not in self.ev.project.scopes:
                continue
            seen.add(symbol)
            trace = self.tracer.trace(symbol)
            found |= {other.acquired for other in trace.drafts}
            if depth < DEEPEST:
                todo += [(f.symbol, depth + 1) for step in trace.steps if not step.deferred for f in _called(step)]
        return tuple(sorted(found - {d.acquired}))[:MOST]

    def _inside(self, d: Draft) -> tuple[list[Reached], tuple[Place, ...], frozenset[Place]]:
        """What happens in a section, which calls are not known, and which call sites a token flows into."""
        found: dict[Place, Reached] = {}
        unknown: list[Place] = []
        tokens: set[Place] = set()
        names = self.tracer.flow(d.scope.symbol).spread(d.token_names) if d.token_names else set()
        fenced = set(d.lock.model.token_names)
        released = {r.place for r in d.releases if r.how != "with"} if d.how != "callback" else set()
        for step in d.steps:
            if fenced or names:
                mentioned = step.mentions
                if names & mentioned or fenced & {m.rpartition(".")[2] for m in mentioned if "." in m}:
                    tokens.add(step.place)
            if step.place == d.acquired and d.how != "callback":
                continue
            if step.place in released:
                continue
            each = step.each if step.each is not None and step.each > d.acquired else None  # not the loop that takes the lock each time
            if step.operation is not None:
                found.setdefault(step.place, Reached(step.operation, (), each=each))
            if step.deferred:
                continue
            for function in step.functions:
                for r in self._reached(step, function, 1 - REIGN if d.lock.model.kind == "election" else 1):
                    chained = Reached(_within(r.operation, step), (step.place, *r.chain), each=each or r.each, is_sure=r.is_sure and _is_sure(step))
                    found.setdefault(r.operation.place, chained)
                unknown += self.unresolved(function.symbol)
            if step.unresolved:
                unknown.append(step.place)
        return list(found.values())[:MOST], tuple(sorted(set(unknown)))[:20], frozenset(tokens)

    def _effect(self, d: Draft, r: Reached, tokens: frozenset[Place], renewed: frozenset[Place]) -> Effect:
        outermost = r.chain[0] if r.chain else r.operation.place
        way = {*r.chain, r.operation.place}
        return Effect(
            r.operation, r.chain, token=outermost in tokens, conditional=r.operation.conditional, each=r.each, is_sure=r.is_sure, renewed=bool(way & renewed)
        )

    def reach(self, symbol: str, depth: int = 0) -> tuple[Reached, ...]:
        """The operations that a function performs, itself or through calls; bounded in depth and number."""
        if (symbol, depth) in self._reach:
            return self._reach[symbol, depth]
        if depth > DEEPEST or symbol not in self.ev.project.scopes:
            return ()
        found: dict[Place, Reached] = {}
        for step in self.tracer.trace(symbol).steps:
            if step.operation is not None:
                found.setdefault(step.operation.place, Reached(step.operation, (), each=step.each))
            if step.deferred:
                continue
            for function in _called(step):
                for r in self._reached(step, function, depth + 1):
                    if len(r.chain) < DEEPEST - min(depth, 0):
                        chained = Reached(_within(r.operation, step), (step.place, *r.chain), each=step.each or r.each, is_sure=r.is_sure and _is_sure(step))
                        found.setdefault(r.operation.place, chained)
        made = self._reach[symbol, depth] = tuple(found.values())[:MOST]
        return made

    def _reached(self, step: Step, function: FunctionRef, depth: int) -> Iterator[Reached]:
        """What one call reaches: without the branches that its arguments, or the defaults that stand in for them, rule out."""
        if function.symbol not in self._chosen and function.symbol in self.ev.project.scopes:
            steps = self.tracer.trace(function.symbol).steps
            always = {s.place for s in steps if not s.given}
            self._chosen[function.symbol] = {s.place: s for s in steps if s.given and s.place not in always}
        chosen = self._chosen.get(function.symbol)
        found = self.reach(function.symbol, depth)
        if not chosen or step.called != 1 or function is not step.functions[0] or any(a.name in ("*", "**") for a in step.args):
            yield from found
            return
        scope, bindings = self.ev.project.scopes[function.symbol], arguments.bindings(self.ev, function, step.args)
        for r in found:
            first = chosen.get(r.chain[0] if r.chain else r.operation.place)
            if first is None or not holding.is_ruled_out(first, scope, bindings):
                yield r

    def _laps(self, d: Draft) -> tuple[Place, ...]:
        """Loops under the lock whose rounds nobody can count, around calls that nobody knows; here, or in what this file calls for it."""
        found = {s.each for s in d.steps if s.each is not None and s.each > d.acquired and self._is_open(s)}
        todo = [f.symbol for step in d.steps if not step.deferred for f in _called(step)]
        for _ in range(LAPS_BELOW):
            steps = [s for symbol in todo if symbol in self.ev.project.scopes for s in self.tracer.trace(symbol).steps if s.place.path == d.acquired.path]
            found |= {s.each for s in steps if s.each is not None and self._is_open(s)}
            todo = sorted({f.symbol for s in steps if not s.deferred for f in _called(s)})
        return tuple(sorted(found))[:5]

    def _is_open(self, step: Step) -> bool:
        return step.unresolved or any(self.unresolved(f.symbol) for f in _called(step) if not step.deferred)

    def unresolved(self, symbol: str) -> tuple[Place, ...]:
        """Calls of a function that nobody knows."""
        if symbol not in self._unresolved:
            self._unresolved[symbol] = ()
            steps = self.tracer.trace(symbol).steps
            self._unresolved[symbol] = tuple(s.place for s in steps if s.unresolved)[:5]
        return self._unresolved[symbol]


_RENEWING = frozenset({"refresh", "renew", "extend", "prolong", "reacquire"})
_LEASES = frozenset({"lock", "lease"})


def _renews(step: Step, library: str) -> bool:
    """`lock.extend(30)`, or a call of a function that says as much: `refresh_locks(locks)`."""
    if step.operation is not None and step.operation.op is Op.EXTEND:
        return step.operation.library == library
    said = words(last_word(step.call.func))
    return bool(said & _RENEWING and said & _LEASES)


def _goes_on(d: Draft, effects: tuple[Effect, ...]) -> Place | None:
    """The first effect that is reached as well where the function's own acquire was refused: that is only noted."""
    if d.how != "acquire":
        return None
    hit = without.at_calls(d.scope, d, frozenset(e.chain[0] if e.chain else e.place for e in effects))
    return hit.place if hit is not None else None


def _limited(d: Draft) -> Lock:
    """The lock, waited for no longer than the limit allows that stands around its acquire."""
    if d.limit is None or d.lock.wait.kind == "seconds":
        return d.lock
    return msgspec.structs.replace(d.lock, wait=Time("unknown", None, d.limit, "as long as the limit around it"))


def _within(operation: Operation, step: Step) -> Operation:
    """An operation behind a call that somebody ends when it takes too long: `await wait_for(fetch(), 5)`."""
    if step.limit is None or not operation.is_async or operation.argument("timeout") is not None:
        return operation
    return msgspec.structs.replace(operation, arguments=(*operation.arguments, LIMITED))


def _called(step: Step) -> tuple[FunctionRef, ...]:
    return step.functions[:4]


def _is_sure(step: Step) -> bool:
    """Whether a call means one function: `item.save()`, where `item` may be of two classes, means neither for certain."""
    return len({f.symbol for f in step.functions[: step.called]}) < 2


def _is_unsafe_sql(operation: Operation) -> bool:
    """A statement whose text is not known may write."""
    return operation.op is Op.SQL and operation.late not in (Late.READ,)


def _lets_others_go(operation: Operation) -> bool:
    """The barrier that others wait at is taken away."""
    return operation.op is Op.BARRIER and operation.late is Late.DELETE
