"""Walks a function in the order of its statements: which calls happen, under which locks, guarded by what.

The walk is one pass. A lock is held from its acquire to its release or to the end of its block; branches on the
result of an acquire say where it is held and where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from coordlint import ir
from coordlint.coordination import Guard, Time
from coordlint.link.code.calls.trace import NONE, Draft, Step, Trace
from coordlint.link.code.evaluation.values import External, Items, Literal, options
from coordlint.link.code.flow.usage import NOTHING, Usage, bare, calls_in, ends, last_word, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions
from coordlint.link.code.walking import entering, handing, handling, pausing, releasing, setting, stepping
from coordlint.models.schema import Op
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator
    from coordlint.link.code.walking.tracer import Tracer


class Around(msgspec.Struct, frozen=True):
    """What stands around a statement."""

    guards: tuple[Guard, ...] = ()
    loop: str = ""
    each: Place | None = None  # the loop over things of unknown number
    pause: Time | None = None
    transaction: bool = False
    atomic: str = ""
    in_final: bool = False
    in_handler: bool = False
    catches_all: bool = False  # in a handler that whatever the body raises comes to
    timed: bool = False  # behind a test of the clock
    given: tuple[tuple[str, bool], ...] = ()  # parameters whose truth decides that this runs
    empty: frozenset[str] = frozenset()  # names that were asked for and hold nothing here: the `else` of `if lease:`
    deferred: bool = False
    limit: Place | None = None  # a `with` that ends what waits inside it: `async with asyncio.timeout(5)`


class Walk:
    """The walk over one scope; `run` gives its trace."""

    def __init__(self, tracer: Tracer, scope: Scope, trace: Trace) -> None:
        self.tracer = tracer
        self.ev = tracer.ev
        self.scope = scope
        self.trace = trace
        self.held: list[Draft] = []
        self.after_loop: list[Draft] = []
        self.before_yield: int | None = None  # how many calls happen before the first yield
        self.elsewhere: list[Draft] = []  # taken on ways that exclude the one that is walked
        self.at_breaks: list[list[Draft]] = []  # what is held at each `break` of the loop that is walked
        self.handled: set[Place] = set()  # releases in handlers: after a success, the lock is still held
        self.body = scope.function.body if isinstance(scope.node, ir.Function) else scope.node.body

    @property
    def usage(self) -> Usage:
        """What the scope does with its names."""
        return self.tracer.usage(self.scope)

    def run(self) -> Trace:
        """Walks the body."""
        self.block(self.body, Around(transaction=self.tracer.is_transaction(self)))
        self.tracer.give_back(self)
        self._leave_function()
        released = {id(d) for d in self.trace.drafts for r in d.releases if r.on_error and r.place not in self.handled}
        self.trace.left = [d for d in self.trace.left if id(d) not in released]
        handing.hand_on(self)
        if self.before_yield is not None:  # a session scope: what its body did is committed behind the yield
            self.trace.yields_in_transaction |= any(_commits(step) for step in self.trace.steps[self.before_yield :])
        self._drop_counters()
        return self.trace

    def _drop_counters(self) -> None:
        """A key that is set if absent and then counted up is a counter, and no lock."""
        counted = {s.operation.key_text for s in self.trace.steps if s.operation is not None and s.operation.op is Op.INCREMENT}
        if counted:
            lists = (self.trace.drafts, self.trace.left, self.trace.at_yield)
            for drafts in lists:
                drafts[:] = [d for d in drafts if not d.is_raw or d.lock.key_text not in counted]

    def _leave_function(self) -> None:
        """What is held where the function can end is handed to its caller; a `with` or `finally` takes it back."""
        for d in self.held:
            if d.how == "acquire" and d not in self.trace.left:
                self.trace.left.append(d)

    # -- statements --------------------------------------------------------------------------------------------

    def block(self, body: tuple[ir.Stmt, ...], around: Around) -> None:
        """The statements of a block, in order."""
        for s in body:
            self.statement(s, around)

    def statement(self, s: ir.Stmt, around: Around) -> None:
        """One statement."""
        if type(s) not in _OF_THEIR_OWN:
            for expr in expressions(s):
                self.calls(expr, s, around)
            if type(s) is ir.Assign:
                setting.assign(self, s, around)
            if self.held:
                stepping.note_names(self, s)
            self._jumps(s)
            return
        match s:
            case ir.Function():
                for d in s.decorators:
                    self.calls(d, s, around)
            case ir.Class():
                for d in s.decorators:
                    self.calls(d, s, around)
                if self.scope.kind != "function":
                    self.block(s.body, around)
            case ir.If():
                self._if(s, around)
            case ir.Loop():
                self._loop(s, around)
            case ir.With():
                self._with(s, around)
            case ir.Try():
                self._try(s, around)
            case ir.Augment():
                for expr in expressions(s):
                    self.calls(expr, s, around)
                stepping.augment(self, s, around)
            case _:
                pass

    def calls(self, expr: ir.Expr, s: ir.Stmt, around: Around) -> None:
        """The calls of an expression, innermost first; a yield shows what is held."""
        found = self.ev.inside(expr)
        if found is NOTHING:
            return
        waits = found.calls if len(found.calls) > 1 else ()  # one around another call
        limits = {id(a): c for c in waits if last_word(c.func) == "wait_for" and len(c.args) + len(c.keywords) > 1 for a in c.args[:1]}
        for call in found.calls:
            inside = replace(around, deferred=True) if id(call) in found.started else around
            limit = limits.get(id(call))
            stepping.step(self, call, s, inside if limit is None else replace(inside, limit=self.scope.place(limit.at)))
        if found.yields:
            self.trace.yields_in_transaction |= around.transaction
            if self.before_yield is None:
                self.before_yield = len(self.trace.steps)
            self.trace.guards_at_yield = self.trace.guards_at_yield or around.guards
            self.trace.at_yield += [d for d in self.held if d not in self.trace.at_yield]
        for made in found.lambdas:
            self.calls(made.body, s, replace(around, deferred=True))

    def _jumps(self, s: ir.Stmt) -> None:
        """A lock that is returned or stored is somebody else's to release."""
        match s:
            case ir.Return() if not self.held:
                pass
            case ir.Return(value=value):
                mentioned = names_in(value) if value is not None else set()
                for draft in self.held:
                    if draft.written in mentioned:
                        draft.escapes = True
                self._leave_function()
            case ir.Jump(kind="break"):
                self.at_breaks.append(list(self.held))
            case _:
                pass

    # -- branches ----------------------------------------------------------------------------------------------

    def _if(self, s: ir.If, around: Around) -> None:
        before = list(self.held)
        denied: list[Draft] = []  # known not to be held in what follows
        granted: list[Draft] = []
        others: list[Draft] = []  # taken inside another branch
        for branch in s.branches:
            known = [(d, list(d.checked)) for d in self.held]
            self.calls(branch.test, s, around)
            verdicts = self._verdicts(branch.test)
            if len(s.branches) == 1 and not s.orelse and releasing.only_gives_back(branch):
                for d, checked in known:
                    d.checked = checked
                verdicts = [(d, sign) for d, sign in verdicts if d.acquired == self.scope.place(bare(branch.test).at) or d.skips or d.raises_when_busy]
            without = [d for d, sign in verdicts if not sign]
            with_ = [d for d, sign in verdicts if sign]
            for d in without:
                self._note_denied(d, branch.body, s)
            for d in with_:
                d.tested = True
                waits = around.loop == "forever" and ends(branch.body) in ("break", "return")
                d.skips = d.skips or not (s.orelse or waits)
            ending = ends(branch.body)
            inside = replace(around, timed=around.timed or _asks_clock(branch.test, self.ev, self.scope), empty=around.empty | _nothing_in(branch.test, True))
            decided = _parameter(branch.test, self.scope)
            with self._without(without + denied + others):
                entering, drafts = list(self.held), len(self.trace.drafts)
                refused = [] if _is_compound(branch.test) else [d for d in without if d not in self.elsewhere]
                self.elsewhere += refused  # who did not get it gives nothing of it back
                self.block(branch.body, inside if decided is None else replace(inside, given=(*around.given, decided)))
                taken = self.trace.drafts[drafts:]
                self.elsewhere = [d for d in self.elsewhere if d not in refused] + taken
                others += taken
                if not (ending or s.orelse or len(s.branches) > 1):
                    releasing.note_chosen(self, entering, branch.test, [d for d, _ in verdicts])
                if ending:  # a release on a way out of the function does not release on the other ways
                    self.held = entering
            around = replace(around, empty=around.empty | _nothing_in(branch.test, False))
            if decided is not None:
                around = replace(around, given=(*around.given, (decided[0], not decided[1])))
            if ending == "break":
                self.after_loop += [d for d in with_ if d not in self.after_loop]
            denied += with_
            granted += with_
        with self._without(denied + others):
            entering = list(self.held)
            self.block(s.orelse, around)
            if ends(s.orelse):
                self.held = entering
        self.elsewhere = [d for d in self.elsewhere if d not in others]
        if not ends(s.orelse):
            for d in granted:
                if d in self.held and d not in before:
                    self.held.remove(d)
                    if around.loop and d not in self.trace.left:
                        self.trace.left.append(d)  # one of several that a loop takes, each kept for the caller

    def _note_denied(self, d: Draft, body: tuple[ir.Stmt, ...], s: ir.If) -> None:
        ending = ends(body)
        d.tested = d.tested or bool(ending) or bool(s.orelse) or len(s.branches) > 1
        d.skips = d.skips or ending in ("return", "continue") or (not ending and bool(s.orelse))
        d.raises_when_busy = d.raises_when_busy or ending in ("raise", "exit")

    def _verdicts(self, test: ir.Expr, sign: bool = True) -> list[tuple[Draft, bool]]:
        """Which acquires a test is about, and whether its being true means that the lock is held."""
        test = bare(test)
        match test:
            case ir.Unary(op="not", value=inner):
                return self._verdicts(inner, not sign)
            case ir.Binary(op="and" | "or", values=values):
                return [v for inner in values for v in self._verdicts(inner, sign)]
            case ir.Compare(ops=(op,), values=(left, right)):
                against = self.ev.value(right, self.scope)
                if isinstance(against, Literal) and op in ("is", "==", "is not", "!="):
                    same = op in ("is", "==")
                    return self._verdicts(left, sign if bool(against.value) == same else not sign)
                return []
            case ir.Call(func=ir.Name(id="any" | "all"), args=(ir.Sequence(items=several),)):
                return [v for inner in several for v in self._verdicts(inner, sign)]
            case ir.Call(func=ir.Name(id="any" | "all"), args=(ir.Comprehension(element=inner),)):
                return self._verdicts(inner, sign)
            case ir.Call(func=ir.Attribute(base=lock, name=asked)) if asked in _ASKS:
                return [(d, sign) for d in self._named(written(lock)) if d.how == "acquire"]
            case ir.Call():
                found = [d for d in self.trace.drafts if d.acquired == self.scope.place(test.at)]
                return [(d, sign) for d in found if d.how == "acquire"]
            case ir.Name() | ir.Attribute():
                name = written(test)
                base = name.rpartition(".")[0]
                found = [d for d in self.trace.drafts if name in d.names]
                if not found and isinstance(test, ir.Attribute) and test.name in _ASKS:
                    found = self._named(base)
                return [(d, sign != d.is_denial) for d in found]
            case _:
                return []

    def _named(self, name: str) -> list[Draft]:
        """The acquires of a lock by its name here, and those of a function that handed it over under this name."""
        return [d for d in self.trace.drafts if d.written == name or name in d.names]

    @contextmanager
    def _without(self, drafts: list[Draft]) -> Iterator[None]:
        absent = [d for d in self.held if d in drafts]
        self.held = [d for d in self.held if d not in drafts]
        yield
        self.held += [d for d in absent if d not in self.held]

    # -- loops -------------------------------------------------------------------------------------------------

    def _loop(self, s: ir.Loop, around: Around) -> None:
        self.calls(s.test, s, around)
        forever = s.target is None and isinstance(s.test, ir.Const) and bool(s.test.value)
        kind = "forever" if forever else "while" if s.target is None else "for"
        waiting = [d for d, sign in self._verdicts(s.test) if not sign] if s.target is None else []
        for d in waiting:  # `while not lock.acquire(): sleep` waits until it has the lock
            d.tested, d.skips = True, False
        each = self.scope.place(s.at) if forever or (kind == "for" and not self._is_counted(s.test)) else around.each
        inside = replace(around, loop=kind, each=each, pause=pausing.pause_of(self, s) or around.pause)
        outer, self.after_loop, self.at_breaks = (self.after_loop, self.at_breaks), [], []
        drafts, loose = len(self.trace.drafts), len(self.trace.loose)
        with self._without(waiting):
            self.block(s.body, inside)
        releasing.release_next_time(self, drafts, loose)
        if forever and self.at_breaks:
            self.held = [d for n, state in enumerate(self.at_breaks) for d in state if all(d not in x for x in self.at_breaks[:n])]
        for d in self.after_loop:
            if d not in self.held and not d.releases:
                self.held.append(d)
        self.after_loop, self.at_breaks = outer
        self.block(s.orelse, around)

    def _is_counted(self, over: ir.Expr) -> bool:
        """Whether a loop's rounds are counted where it stands: over `range()`, or over what is written out; a list that begins empty is filled later."""
        if isinstance(over, ir.Call) and isinstance(over.func, ir.Name) and over.func.id in ("range", "enumerate", "zip", "reversed", "sorted"):
            return over.func.id == "range" or all(self._is_counted(a) for a in over.args)
        known = [v for v in options(self.ev.settle(self.ev.value(over, self.scope))) if isinstance(v, Items)]
        return any(v.items for v in known) and not any(v.kind == "many" for v in known)

    # -- context managers ----------------------------------------------------------------------------------------

    def _with(self, s: ir.With, around: Around) -> None:
        opened: list[Draft] = []
        before = list(self.held)
        inside = around
        for item in s.items:
            self.calls(item.context, s, inside)
            made, inside = entering.enter(self, item, s, inside)
            opened += made
        self.block(s.body, inside)
        stacked = [d for d in self.held if d.how == "with" and d not in before and d not in opened]
        for d in reversed([*opened, *stacked]):  # an ExitStack gives back what was entered into it
            entering.leave(self, d, s)
        for item in s.items:
            entering.close(self, item)

    # -- exceptions ----------------------------------------------------------------------------------------------

    def _try(self, s: ir.Try, around: Around) -> None:
        guards = tuple(handling.guard(self, h, s, around) for h in s.handlers)
        before, known = list(self.held), len(self.trace.drafts)
        self.block(s.body, replace(around, guards=(*guards, *around.guards)))
        self.block(s.orelse, around)
        after, opened = list(self.held), self.trace.drafts[known:]
        for h in s.handlers:
            # A handler runs instead of the rest of the body: what was held before it is held, what failed is not.
            self.held = list(before) + [d for d in after if d not in before]
            self.block(h.body, replace(around, in_handler=True, catches_all=handling.is_broad(h)))
            self._note_handler(h, [d for d in opened if d in after or handling.is_about_locks(h)])
        self.held = after
        self.block(s.final, replace(around, in_final=True))

    def _note_handler(self, h: ir.Handler, opened: list[Draft]) -> None:
        """`except LockError: return` is what a raising acquire does when it is busy; `except LockNotOwnedError` is about a lease that ran out."""
        ending = ends(h.body)
        for d in opened if not handling.is_about_lost_locks(h) else ():
            if d.can_fail is False and not (d.how == "with" and handling.comes_late(h, d.lock)):
                d.skips = d.skips or ending in ("return", "continue", "")

    def push(self, step: Step) -> None:
        """Records a call with what is held around it."""
        self.trace.steps.append(step)
        if not step.deferred:
            for d in step.inside:
                d.steps.append(step)


def _commits(step: Step) -> bool:
    return step.operation is not None and step.operation.op is Op.COMMIT and step.operation.backend == "database-row"


_OF_THEIR_OWN = frozenset((ir.Function, ir.Class, ir.If, ir.Loop, ir.With, ir.Try, ir.Augment))
_ASKS = frozenset(("acquired", "is_acquired", "locked", "is_locked", "owned", "is_owned"))  # what a lock is asked in order to know whether it is held
_CLOCKS = frozenset("time monotonic perf_counter now utcnow time_ns monotonic_ns localtime".split())


def _asks_clock(test: ir.Expr, ev: Evaluator, scope: Scope) -> bool:
    """Whether a test compares the time of day with something: is there still time left?"""
    for node in ir.walk(test):
        if type(node) is ir.Compare:
            for call in calls_in(node):
                callee = ev.value(call.func, scope)
                name = callee.name if isinstance(callee, External) else ""
                if name.partition(".")[0] in ("time", "datetime", "django") and name.rpartition(".")[2] in _CLOCKS:
                    return True
    return False


def _nothing_in(test: ir.Expr, holds: bool) -> frozenset[str]:
    """The name that holds nothing where a test is true, or where it is not."""
    while isinstance(test, ir.Unary) and test.op == "not":
        test, holds = test.value, not holds
    return frozenset((test.id,)) if isinstance(test, ir.Name) and not holds else frozenset()


def _parameter(test: ir.Expr, scope: Scope) -> tuple[str, bool] | None:
    """The parameter whose truth a test asks for, and whether it must be true; None for other tests and rebound names.

    For `x is None` it is "x is None" that must be true, or must not.
    """
    sign, asks = True, ""
    while isinstance(test, ir.Unary) and test.op == "not":
        test, sign = test.value, not sign
    match test:
        case ir.Compare(ops=("is" | "is not" as how,), values=(ir.Name() as asked, ir.Const(value=None))):
            test, sign, asks = asked, sign is (how == "is"), NONE
        case _:
            pass
    if scope.kind != "function" or not isinstance(test, ir.Name) or test.id in scope.names:
        return None
    return (test.id + asks, sign) if any(p.name == test.id for p in scope.params()) else None


def _is_compound(test: ir.Expr) -> bool:
    """Whether a test is about more than one thing: `if late or not got:` comes here with the lock as well."""
    test = bare(test)
    while isinstance(test, ir.Unary):
        test = bare(test.value)
    return isinstance(test, ir.Binary) and test.op in ("and", "or")
