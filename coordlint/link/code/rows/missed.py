"""Things that a class or module of the project keeps by a name: one function of it finds none, so another one is called to make it.

What the two do to which store is asked of the whole project later; here they are only known to belong together.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.contention import Missed
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.calling import returned
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.rows.searches import is_fresh, is_literal
from coordlint.link.code.rows.transitions import is_state
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import statements
from coordlint.link.code.walking.absent import led_by_absence, led_by_answer, led_by_failure
from coordlint.link.code.walking.tracer import Tracer
from coordlint.models.schema import Op
from coordlint.wording import words

_LOCKING = frozenset({"lock", "locked", "acquire", "mutex", "semaphore"})


def missed(tracer: Tracer, trace: Trace) -> Iterator[Missed]:
    """The pairs of one function."""
    if trace.scope.kind != "function":
        return
    calls = [(s, f) for s in trace.steps if (f := _one(s, tracer.ev.project.scopes)) is not None]
    if not calls or any(not s.held and words(last_word(s.call.func)) & _LOCKING for s in trace.steps):
        return
    bases = [_base(s.call) for s, _ in calls]
    for at, (act, maker) in enumerate(calls):
        for look, finder in (calls[before] for before in range(at) if bases[before] == bases[at]):
            if look.place < act.place and finder is not maker and finder.parent is maker.parent:
                pair = _of_one_name(tracer, trace, look, finder, act, maker) or _of_one_object(tracer, trace, calls[:at], look, finder, act, maker)
                if pair is not None:
                    yield pair
                    break
        else:
            yield from _of_one_record(tracer, trace, act, maker)


def _of_one_name(tracer: Tracer, trace: Trace, look: Step, finder: Scope, act: Step, maker: Scope) -> Missed | None:
    """`if Crew.find(name) is None: Crew.open(name)`."""
    subject = _subject(act.call)
    others = [written(e) for e in (*act.call.args[1:], *(k.value for k in act.call.keywords))]
    if others and all(is_literal(text) for text in others):
        return None  # all write the same
    if not subject or subject != _subject(look.call) or not led_by_absence(tracer.flow(trace.scope.symbol), look.place, act.place):
        return None
    return _pair(trace, look, finder, act, maker, subject)


def _of_one_object(tracer: Tracer, trace: Trace, before: list[tuple[Step, Scope]], look: Step, finder: Scope, act: Step, maker: Scope) -> Missed | None:
    """`crew = Crew.find(name)`, `if crew.is_away(): return`, `crew.set_away()`."""
    state, then = _state(finder, maker) if _is_named(look.call) else ("", None)
    flow = tracer.flow(trace.scope.symbol)
    if not state or not (led_by_absence if then else led_by_answer)(flow, look.place, act.place) or (not then and led_by_absence(flow, look.place, act.place)):
        return None  # what is written would not keep the next caller out
    loaded = next((f for s, f in reversed(before) if s.place < look.place and not f.symbol.endswith(".__init__") and _base(act.call) in flow.names_of(s.place)), None)
    return _pair(trace, look, loaded, act, maker, _base(act.call), state) if loaded is not None else None


def _of_one_record(tracer: Tracer, trace: Trace, act: Step, maker: Scope) -> Iterator[Missed]:
    """`if self.key() is None: self.make_key()`: nobody names the record, as there is only one; whether both mean the same is asked of what they do."""
    if maker.parent is not trace.scope.parent or maker is trace.scope:
        return
    flow = tracer.flow(trace.scope.symbol)
    for look in trace.steps:
        finder = _one(look, tracer.ev.project.scopes)
        is_read = look.operation is not None and look.operation.op is Op.READ and bool(look.operation.backend)
        if look.place >= act.place or not (is_read or (finder is not None and finder is not maker and finder.parent is maker.parent)):
            continue
        if led_by_absence(flow, look.place, act.place) or led_by_failure(flow, look.place, act.place):
            yield _pair(trace, look, finder, act, maker, "")
            return


def _pair(trace: Trace, look: Step, finder: Scope | None, act: Step, maker: Scope, subject: str, state: str = "") -> Missed:
    return Missed(
        place=act.place,
        symbol=trace.scope.symbol,
        look=look.place,
        asked=written(look.call.func),
        finder=finder.symbol if finder is not None else "",
        called=written(act.call.func),
        maker=maker.symbol,
        subject=subject,
        locked=tuple(sorted({d.lock.identity for d in look.held})),
        state=state,
        in_test=in_test(trace.scope),
    )


def _one(step: Step, scopes: dict[str, Scope]) -> Scope | None:
    """The function of the project that a step calls here, where it is one."""
    if not step.called or step.deferred or len({f.symbol for f in step.functions[: step.called]}) != 1:
        return None
    scope = scopes[step.functions[0].symbol]
    return scope if scope.kind == "function" else None


def _base(call: ir.Call) -> str:
    return written(call.func.base) if isinstance(call.func, ir.Attribute) else ""


def _subject(call: ir.Call) -> str:
    """The first thing that a call is given: what it is about."""
    first = next(iter(call.args), None) or next((k.value for k in call.keywords if k.name), None)
    text = written(first) if first is not None else ""
    return "" if is_literal(text) or is_fresh(text) else text


def _is_named(call: ir.Call) -> bool:
    """Whether it is a method of an object that the function has a name for."""
    return isinstance(call.func, ir.Attribute) and isinstance(call.func.base, ir.Name) and call.func.base.id not in ("self", "cls")


def _state(asks: Scope, sets: Scope) -> tuple[str, bool | None]:
    """The attribute of their object that one method only asks for and the other gives a state, and what the first answers then."""
    answers = list(returned(asks))
    for s in statements(sets.function.body) if len(answers) == 1 else ():
        if isinstance(s, ir.Assign) and s.value is not None and len(s.targets) == 1 and isinstance(s.targets[0], ir.Attribute) and written(s.targets[0].base) == "self":
            then = _answers(answers[0], written(s.targets[0]), s.value) if is_state(s.value) or _is_of_table(s.value) else None
            if then is not None:
                return s.targets[0].name, then
    return "", None


def _answers(asked: ir.Expr, attribute: str, value: ir.Expr) -> bool | None:
    """What `self.state == OPEN` is where `self.state` has a value; None where that is not seen."""
    match asked:
        case ir.Compare(ops=("==" | "!=" as sign,), values=(left, right)) if written(left) == attribute and written(right):
            return (written(right) == written(value)) == (sign == "==")
        case ir.Attribute() if written(asked) == attribute and isinstance(value, ir.Const):
            return bool(value.value)
        case ir.Unary(op="not", value=inner):
            told = _answers(inner, attribute, value)
            return None if told is None else not told
        case _:
            return None


def _is_of_table(value: ir.Expr) -> bool:
    """`STATES["open"]`: a constant of a table of them."""
    return isinstance(value, ir.Index) and isinstance(value.base, ir.Name) and value.base.id.isupper() and isinstance(value.index, ir.Const)
