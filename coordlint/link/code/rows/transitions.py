"""Fields of stored records that are found in one state and then put into another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from coordlint import ir
from coordlint.contention import Mutation
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Object, options
from coordlint.link.code.flow.between import calls_ahead, calls_until
from coordlint.link.code.flow.usage import bare, ends, last_word
from coordlint.link.code.rows.setters import Methods
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, statements
from coordlint.link.code.walking import records, rowversions, saving
from coordlint.source import Place, Span

Tested = Mapping[str, Span]  # "booking.status" -> where it was held against a state


def transitions(ev: Evaluator, scope: Scope, trace: Trace) -> Iterator[Mutation]:
    """`if order.state == OPEN: order.state = PAID` and a save, of a record that was read and not locked."""
    if scope.kind != "function":
        return
    methods = Methods(ev, trace)
    last: dict[tuple[str, str], Mutation] = {}  # one for each field: where the function has come furthest
    for assigned, test, is_saved in _moved(scope.function.body, {}, methods):
        base, _, field = written(assigned.targets[0]).rpartition(".")
        place = scope.place(assigned.at)
        record = records.loaded(ev, base, scope, place) if not is_locked(ev, base, scope) else None
        saves = saving.saved(ev, trace, base, place, record, behind=True) or ([place] if is_saved else [])
        if record is None or not saves:
            continue
        held = saving.held(trace, place, saves)
        last[base, field] = Mutation(
            place=place,
            symbol=scope.symbol,
            record=base,
            type=record.symbol,
            field=field,
            read=scope.place(test),
            written=saves[0],
            versioned=rowversions.is_versioned(ev, record.symbol),
            locked=tuple(sorted({d.lock.identity for d in held})),
            arithmetic=False,
            in_test=is_test(scope.path),
            moved=True,
            flag=is_flag(assigned.value),
            until=calls_until(scope, assigned, saves[0]),
            ahead=calls_ahead(scope, scope.place(test), assigned),
            left=_left(scope.function.body, written(assigned.targets[0]), assigned.at.line, methods),
            absorbed=isinstance(assigned.value, ir.Const) and isinstance(assigned.value.value, bool) and _is_narrow(trace, saves[0]),
        )
    yield from last.values()
    for moved in last.values():
        yield from _given(scope, moved)


def _given(scope: Scope, moved: Mutation) -> Iterator[Mutation]:
    """Who gets what was found free by its state: `if task.state != FREE: return`, `task.state = TAKEN`, `task.taken_by = user`."""
    for s in scope.statements:
        match s:
            case ir.Assign(targets=(ir.Attribute(base=ir.Name(id=base), name=field),), value=ir.Name() | ir.Attribute() as value) if base == moved.record:
                place = scope.place(s.at)
                if field != moved.field and not is_state(value) and moved.read.line < place.line <= moved.written.line:
                    yield replace(moved, place=place, field=field, moved=False, flag=False, until=(), absorbed=False, claimed=True)
            case _:
                pass


def _left(body: tuple[ir.Stmt, ...], target: str, line: int, methods: Methods) -> int | None:
    """The last line of the innermost branch around a line that the state decides about, or that leaves the function: what stands behind it is done without regard
    to the state, or not at all."""
    for s in body:
        asked: dict[str, Span] = {}
        tests = [b.test for b in s.branches] if isinstance(s, ir.If) else []
        for number, block in enumerate(blocks(s)):
            if number < len(tests):
                asked |= _asked(tests[number], methods)
            if block and block[0].at.line <= line <= max(i.at.end_line for i in statements(block)):
                is_bound = target in asked or ends(block) in ("return", "raise")
                return _left(block, target, line, methods) or (max(i.at.end_line for i in statements(block)) if is_bound else None)
    return None


def is_locked(ev: Evaluator, base: str, scope: Scope) -> bool:
    """Whether a record of this name was ever read with its row locked."""
    known = options(ev.settle(ev.name(base, scope))) if base.isidentifier() else ()
    return any(isinstance(o, Object) and o.loaded == "locked" for o in known)


def _moved(body: tuple[ir.Stmt, ...], tested: Tested, methods: Methods) -> Iterator[tuple[ir.Assign, Span, bool]]:
    """Assignments of a state to an attribute whose state decided the way to them, with that test, and whether they are saved with it."""
    known = dict(tested)
    for s in body:
        match s:
            case ir.Assign(targets=(ir.Attribute() as target,), value=value) if (is_state(value) or is_flag(value)) and written(target) in known:
                yield s, known[written(target)], False
            case ir.Evaluate():
                for a in methods.assignments(s):
                    if (is_state(a.value) or is_flag(a.value)) and written(a.targets[0]) in known:
                        yield a, known[written(a.targets[0])], methods.saves(s)
            case ir.If(branches=branches, orelse=orelse):
                here = dict(known)
                for branch in branches:
                    here |= _asked(branch.test, methods)
                    yield from _moved(branch.body, here, methods)
                yield from _moved(orelse, here, methods)
                if any(ends(b.body) in ("return", "raise", "continue", "exit") for b in branches):
                    known = here
                continue
            case _:
                pass
        for block in blocks(s):
            yield from _moved(block, known, methods)


def _asked(test: ir.Expr, methods: Methods) -> dict[str, Span]:
    """The attributes that a test holds against a state, or asks whether they are set."""
    match bare(test):
        case ir.Binary(op="and" | "or", values=values):
            return {name: at for v in values for name, at in _asked(v, methods).items()}
        case ir.Unary(op="not", value=value):
            return _asked(value, methods)
        case ir.Compare(ops=("==" | "!=" | "in" | "not in",), values=(ir.Attribute() as asked, state)) if is_state(state):
            return _named(asked)
        case ir.Compare(ops=("is" | "is not",), values=(ir.Attribute() as asked, ir.Const(value=None))) | (ir.Attribute() as asked):
            return _named(asked)
        case ir.Call() as call:
            said = methods.asked(call)
            return _asked(said, methods) if said is not None else {}
        case _:
            return {}


def _named(asked: ir.Attribute) -> dict[str, Span]:
    return {written(asked): asked.at} if isinstance(asked.base, ir.Name) else {}


def _is_narrow(trace: Trace, save: Place) -> bool:
    """Whether a save writes some of the columns only."""
    return any(s.place == save and s.call.keyword("update_fields") is not None for s in trace.steps)


def is_flag(value: ir.Expr | None) -> bool:
    """`True`, or the time at which it was done: `timezone.now()`."""
    match value:
        case ir.Const(value=True):
            return True
        case ir.Call(func=func):
            return last_word(func) in ("now", "utcnow", "today", "localtime")
        case _:
            return False


def is_state(value: ir.Expr | None) -> bool:
    """A constant, the member of an enumeration, or several."""
    match value:
        case ir.Const(value=known):
            return known is not None
        case ir.Sequence(items=items):
            return all(is_state(i) for i in items)
        case ir.Attribute(name=name) | ir.Name(id=name):
            return name.isupper() or (isinstance(value, ir.Attribute) and name == "value" and is_state(value.base))
        case _:
            return False
