"""Records that a function reads or writes for its callers, and what a caller makes of the two together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec

from coordlint import ir
from coordlint.coordination import Argument, Operation, Outcome
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.arguments import bindings, given_for
from coordlint.link.code.evaluation.calling import returned
from coordlint.link.code.evaluation.values import (
    Environment,
    FunctionRef,
    Literal,
    Parameter,
    Pattern,
    Value,
    as_pattern,
    fill,
    options,
    pieces,
    shown,
)
from coordlint.link.code.flow.changing import adds, changes
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import calls_in, last_word, names_in
from coordlint.link.code.flow.vetting import vetted
from coordlint.link.code.flow.vocabulary import QUORUM
from coordlint.link.code.rows.selfkept import (
    SELF,
    alters,
    alters_self,
    asked_of,
    expr_of,
    fills_self,
    is_of_one_shape,
    keeps_self,
    of_self,
)
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.link.code.walking.absent import is_yes_or_no, led_by_absence
from coordlint.link.code.walking.holding import is_ruled_out
from coordlint.link.code.walking.records import field_of, is_about, is_write, key_value
from coordlint.link.code.walking.tracer import Tracer
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.wording import fixed, words

DEEPEST = 6  # wrappers in wrappers
MOST = 60  # records of one function
_LOCKING = frozenset({"lock", "locked", "acquire", "mutex", "semaphore"})
_CONDITIONS = frozenset("cas version expected expected_value expected_version prev prev_value prevValue prev_index prevIndex mod_revision acquire if_match nx".split())
_ON_RECORDS = (Op.READ, Op.LIST, Op.WRITE, Op.CREATE, Op.SET_ADD, Op.DELETE, Op.WATCH)
_ASIDE = (Op.DELETE, Op.WATCH)  # neither give a value nor take one


class Touch(msgspec.Struct, frozen=True):
    """One record that a call reads or writes: by itself, or inside the functions of the project that it enters."""

    operation: Operation
    step: Step
    key: Pattern  # with the holes that parameters of this function fill
    naming: tuple[ir.Expr, ...]  # the arguments from which the key is made, here
    value: tuple[ir.Expr, ...]  # what is written, here
    tells: str  # of a read: "value", or "presence" where the answer is yes or no
    via: tuple[str, ...] = ()
    named_at: Place | None = None  # the call that says most of the key's words: the library's, or that of a wrapper
    of: str = ""  # the object of whose attributes the key is made, as written here: "self", "app"
    field: tuple[ir.Expr, ...] = ()  # of a hash: the expression of the one field, here
    lives: tuple[ir.Expr, ...] = ()  # of a write: what says that it ends with a session or lease, here: `ephemeral=True`
    alters: bool = False  # of a write: a method on the way changes the object that is written


class Carrying:
    """What each function does to records on behalf of whoever calls it; asked for on demand, remembered."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._touches: dict[str, tuple[Touch, ...]] = {}

    def pairs(self, trace: Trace) -> Iterator[Operation]:
        """The reads and writes of one record that meet in a function, where at least one of them is behind a function of the project."""
        if trace.scope.kind != "function" or not any(s.functions for s in trace.steps):
            return
        touches = self.touches(trace.scope.symbol)
        reads = [t for t in touches if not is_write(t.operation) and t.operation.op not in _ASIDE]
        if not reads:  # of nearly all functions: their flow is not worth its time and memory
            return
        told: dict[Place, Operation] = {}
        whole = self._tracer.flow(trace.scope.symbol)
        for write in touches:
            meets = [r for r in reads if is_write(write.operation) and (r.via or write.via) and (write.value or not write.via) and r.step.place < write.step.place and _is_same(r, write, whole)]
            if not meets or _asks_for_lock(trace, write.step.place):
                continue
            flow = self._tracer.flow(trace.scope.symbol).towards(write.step.place)
            source = next((r.step for r in reversed(meets) if r.tells in ("value", SELF) and _feeds(r, write, flow)), None)
            absent = next((r.step for r in reversed(meets) if led_by_absence(flow, r.step.place, write.step.place)), None) if source is None else None
            for touch in (*meets, write):
                before = told.get(touch.step.place)
                is_behind = touch.via or (touch is write and (source or absent) is not None and touch.operation.reads_back is None)
                if is_behind and (before is None or (before.reads_back is None and source is not None and touch is write)):
                    here = self._as_here(touch, trace.scope, write, source, flow)
                    told[touch.step.place] = msgspec.structs.replace(here, absent=absent.place) if touch is write and absent is not None else here
        yield from told.values()

    def _as_here(self, touch: Touch, scope: Scope, write: Touch, read: Step | None, flow: Flow) -> Operation:
        """The operation as the caller does it."""
        is_read = touch is not write
        step = touch.step
        if not touch.via:
            if read is None:
                return touch.operation
            told = {"through": tuple(sorted(flow.names_of(read.place))), "adds": adds(flow, step.place), "changes": changes(flow, read.place, step.place)}
            return msgspec.structs.replace(touch.operation, reads_back=read.place, **told)
        alters_on_the_way = touch.of and read is not None and alters(flow, touch.of, read.place.line, step.place.line)
        return msgspec.structs.replace(
            touch.operation,
            place=step.place,
            symbol=scope.symbol,
            key=write.key.text,
            key_text=shown(write.key.named),
            arguments=tuple(Argument("value", text=written(e), place=scope.place(e.at), mentions=tuple(sorted(names_in(e)))) for e in touch.value),
            reads_back=None if is_read or read is None else read.place,
            through=() if is_read or read is None else tuple(sorted(flow.names_of(read.place))),
            adds=not is_read and read is not None and adds(flow, step.place),
            changes=not is_read and read is not None and (touch.alters or changes(flow, read.place, step.place) or alters_on_the_way),
            kept=touch.named_at if touch.of in {written(e) for e in touch.value} and not is_read else None,
            named_at=touch.named_at,
            outcome=(Outcome.TESTED if _decides(step, scope, flow) else step.outcome) if is_read else step.outcome,
            guards=step.guards,
            loop=step.loop,
            transaction=step.transaction,
            vetted=vetted(scope),
            in_test=is_test(scope.path),
            via=touch.via,
            role=None,
        )

    def scope(self, symbol: str) -> Scope | None:
        """The scope of a symbol."""
        return self._tracer.ev.project.scopes.get(symbol)

    def flow(self, symbol: str) -> Flow:
        """The data flow of a function."""
        return self._tracer.flow(symbol)

    def touches(self, symbol: str) -> tuple[Touch, ...]:
        """Every record that a function reads or writes, by its own calls and those of the functions that it calls; recursion adds none."""
        if symbol not in self._touches:
            self._touches[symbol] = ()
            self._touches[symbol] = tuple(islice(self._found(symbol), MOST))
        return self._touches[symbol]

    def _found(self, symbol: str) -> Iterator[Touch]:
        trace = self._tracer.trace(symbol)
        for step in trace.steps:
            if step.operation is not None:
                touch = _own(step, step.operation, trace.scope, self._tracer.flow(symbol))
                if touch is not None:
                    yield msgspec.structs.replace(touch, named_at=step.place)
            elif not step.deferred:
                meant = [c for c in _meant(step) if self._tracer.ev.project.scopes[c.symbol].kind == "function"]
                known = [found for callee in meant if (found := list(self._inside(step, callee, trace.scope)))]
                yield from min(known, key=lambda found: found[0].operation.backend not in QUORUM, default=[])

    def _inside(self, step: Step, callee: FunctionRef, scope: Scope) -> Iterator[Touch]:
        """What the function that a step calls does to records that its caller names."""
        inner = self._tracer.ev.project.scopes[callee.symbol]
        touches = [t for t in self.touches(callee.symbol) if len(t.via) < DEEPEST]
        if not touches:
            return
        flow = self._tracer.flow(callee.symbol)
        passed = bindings(self._tracer.ev, callee, step.args)
        given = {name: key_value(_unless_set(value)) for name, value in passed.items()}
        exprs = given_for(step.args, step.call, scope)
        here = self._tracer.flow(scope.symbol)
        asked = asked_of(step, inner, here) if any(t.of for t in touches) else ""
        for touch in touches:
            if is_ruled_out(touch.step, inner, passed):
                continue
            naming = [p.name for p in inner.params() if p.name in exprs and _reaches(p.name, touch.naming, flow)]
            of = asked + touch.of.removeprefix(SELF) if asked and not naming and _is_own(touch.of) else ""
            if not naming and "{" in touch.key.named and not of:
                continue  # a default, a local variable or gathered arguments: not named here
            via = (callee.symbol.rpartition(".")[2], *touch.via)
            key = fill(_named_here(touch.key, [_text(exprs[n], given.get((callee.symbol, n))) for n in naming]), given)
            made_of = tuple(exprs[n] for n in naming)
            named_at = step.place if _says_more(key, touch.key) else touch.named_at
            field = tuple(exprs[p.name] for p in inner.params() if p.name in exprs and _reaches(p.name, touch.field, flow)) or touch.field
            made = Touch(touch.operation, step, key, made_of, (), "", via, named_at, of or of_self(made_of, scope, here), field, _passed_on(touch.lives, inner, exprs))
            if is_write(touch.operation):
                if exprs.keys() & _CONDITIONS or any(k.name in _CONDITIONS for k in step.call.keywords):
                    continue  # on condition of what the caller names
                carried = [exprs[p.name] for p in inner.params() if p.name in exprs and _reaches(p.name, touch.value, flow)]
                carried += [expr_of(step, of)] if of and keeps_self(touch.value, inner, flow) else []
                if carried or naming:
                    alters_it = touch.alters or (bool(of) and alters_self(inner, flow, whatever=any(written(e) == touch.of for e in touch.value)))
                    yield msgspec.structs.replace(made, value=tuple(carried), alters=alters_it)
            elif touch.operation.op in _ASIDE:
                yield made
            elif tells := _tells(inner, touch, flow):
                yield msgspec.structs.replace(made, tells=tells)


def _is_own(of: str) -> bool:
    return of == SELF or of.startswith(f"{SELF}.")


def _unless_set(value: Value) -> Value:
    """What a setting is where nobody sets it: as good a name for a key as any."""
    if isinstance(value, Environment) and value.default is not None:
        return next((v for v in options(value.default) if isinstance(v, Literal) and isinstance(v.value, str)), value)
    return value


def _says_more(key: Pattern, before: Pattern) -> bool:
    """Whether a caller names more of a key: by words, or by what the object that is asked has of its own."""
    own = "{cls." in key.named or "{self." in key.named
    return words(fixed(key.text)) > words(fixed(before.text)) or (own and before.text == "{}" and "{\x00" in before.named)


def _asks_for_lock(trace: Trace, write: Place) -> bool:
    """Whether the function calls before what has the name of a lock: one of the project that nobody follows."""
    return any(s.place < write and not s.held and words(last_word(s.call.func)) & _LOCKING for s in trace.steps)


def _meant(step: Step) -> tuple[FunctionRef, ...]:
    """The function that a step calls, of whatever objects, or those of one name in modules that stand in for each other; else none."""
    called = step.functions[: step.called]
    if len({f.symbol for f in called}) == 1:
        return called[:1]
    are_alike = len({f.symbol.rpartition(".")[2] for f in called}) == 1 and all(f.receiver is None for f in called)
    return called if called and are_alike else ()


def _own(step: Step, operation: Operation, scope: Scope, flow: Flow) -> Touch | None:
    """A library call on one record of a store."""
    if not operation.backend or step.key is None or operation.op not in _ON_RECORDS or (operation.op is Op.SET_ADD and not is_write(operation)):
        return None
    calls = (*step.call.args, *(k.value for k in step.call.keywords))
    asked = operation.argument("url") or (operation.arguments[0] if operation.arguments else None)
    first = asked.place if asked is not None else None
    naming = tuple(e for e in calls if first is not None and first.span == e.at)
    value = tuple(e for e in calls if e not in naming) if is_write(operation) else ()
    tells = "presence" if is_about(operation) else "value"
    field = field_of(operation)
    of_hash = tuple(e for e in calls if field is not None and field.place == scope.place(e.at))
    bound = operation.argument("ephemeral") or operation.argument("lease")
    lives = tuple(e for e in calls if bound is not None and bound.place == scope.place(e.at))
    return Touch(operation, step, _by_parameter(step.key, naming, scope, flow), naming, value, tells, of=of_self(naming, scope, flow), field=of_hash, lives=lives)


def _passed_on(lives: tuple[ir.Expr, ...], inner: Scope, given: Mapping[str, ir.Expr]) -> tuple[ir.Expr, ...]:
    """What a caller says in place of a parameter that a function hands on: its default, where it says nothing."""
    said = (next((given.get(p.name, p.default) for p in inner.params() if isinstance(e, ir.Name) and p.name == e.id), e) for e in lives)
    return tuple(e for e in said if e is not None)


def _by_parameter(key: Pattern, naming: tuple[ir.Expr, ...], scope: Scope, flow: Flow) -> Pattern:
    """A key that is computed in a way that nobody follows is known by the one parameter that it is computed from."""
    if key.text != "{}" or "\x00" in key.named or scope.kind != "function":
        return key
    sources = flow.sources({n for e in naming for n in names_in(e)})
    params = [p.name for p in scope.params() if p.name in sources and p.name not in ("self", "cls")]
    return as_pattern(Parameter(scope.symbol, params[0])) if len(params) == 1 else key


def _named_here(key: Pattern, given: list[str]) -> Pattern:
    """A key with what its function computed in its own ways from what it was given: it is known by that."""
    named = ""
    given = [g for g in given if g not in key.named] or given
    for piece, is_hole in pieces(key.named):
        named += piece if not is_hole else "{" + piece + "}" if piece.startswith("\x00") else ", ".join(given)
    return Pattern("".join("{}" if is_hole else piece for piece, is_hole in pieces(named)), named)


def _text(expr: ir.Expr, value: Value | None) -> str:
    """An argument as far as it is known, else as it is written."""
    known = as_pattern(value).named if isinstance(value, Pattern | Literal | Parameter) else ""
    return known if known.strip("{}") else "{" + written(expr) + "}"


def _reaches(param: str, value: tuple[ir.Expr, ...], flow: Flow) -> bool:
    reached = flow.spread({param})
    return any(names_in(e) & reached for e in value)


def _tells(inner: Scope, touch: Touch, flow: Flow) -> str:
    """What a function answers of what it has read: its value, or yes and no; "self" where it puts that into its own object."""
    answers = list(returned(inner))
    names = flow.names_of(touch.step.place)
    made = [e for e in answers if names & names_in(e) or any(inner.place(c.at) == touch.step.place for c in calls_in(e))]
    decided = _decides(touch.step, inner, flow)
    if answers and all(is_yes_or_no(e) for e in answers):
        return "presence" if made or decided else ""
    if not made and touch.tells != "presence" and touch.of == SELF and fills_self(inner, touch.step, flow):
        return "value" if inner.function.name == "__init__" else SELF
    return touch.tells if made else ""


def _names(read: Touch, flow: Flow) -> set[str]:
    """The names in a function that hold what was read."""
    names = flow.names_of(read.step.place)
    return names if read.tells != SELF else names | flow.spread({read.of}) | flow.within(read.of)


def _is_same(read: Touch, write: Touch, flow: Flow) -> bool:
    """Whether both are the same record, as far as this function names it; an object that was read writes itself where it was."""
    if read.operation.backend != write.operation.backend:
        return False
    names = _names(read, flow)
    if write.of and write.of in names and write.of != read.of:
        return is_of_one_shape(read.key, write.key)
    if read.key.named != write.key.named or "{}" in read.key.named or ("{" in read.key.named and read.of != write.of):
        return False
    fields = [" ".join(map(written, t.field)) for t in (read, write)]
    return fields[0] == fields[1] or not fields[1] or any(names_in(e) & names for e in write.field)


def _feeds(read: Touch, write: Touch, flow: Flow) -> bool:
    names = _names(read, flow)
    fed = {n for e in write.value for n in names & names_in(e)}
    return bool(fed and fed - flow.replaced(names, read.step.place, write.step.place))


def _decides(step: Step, scope: Scope, flow: Flow) -> bool:
    """Whether a call's answer decides a branch."""
    names = flow.names_of(step.place)
    for s in statements(scope.function.body):
        tests = expressions(s) if isinstance(s, ir.If | ir.Assert) else ()
        if any(names & names_in(t) or any(scope.place(c.at) == step.place for c in calls_in(t)) for t in tests):
            return True
    return False
