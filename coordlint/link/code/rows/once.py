"""Fields of records that are filled once: found empty, and then given something that was made for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from coordlint import ir
from coordlint.contention import Mutation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Literal, Object, Value, options
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import bare, ends, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks
from coordlint.link.code.walking import records, rowversions, saving
from coordlint.models.schema import Late
from coordlint.source import Span

Empty = Mapping[str, Span]  # "user.account" -> where it was found empty
NOT_YET_STORED = frozenset("__init__ __post_init__ __new__ __enter__ save asave clean full_clean validate create update perform_create".split())


def fillings(ev: Evaluator, scope: Scope, trace: Trace) -> Iterator[Mutation]:
    """`if record.field is None: record.field = make(...)`, in whichever order the branches stand."""
    if scope.kind != "function" or not trace.steps or scope.symbol.rpartition(".")[2] in NOT_YET_STORED:
        return
    filled = list(_filled(scope.function.body, {}))
    if not filled:
        return
    flow = Flow(scope)
    for assigned, test in filled:
        target = assigned.targets[0]
        base, _, field = written(target).rpartition(".")
        maker = _maker(trace, flow, scope, assigned, test)
        if maker is None:
            yield from _claims(ev, scope, trace, assigned, test)
            continue
        record = _record(ev, base, field, scope)
        if record is None or assigned.value is None:
            continue
        yield Mutation(
            place=scope.place(assigned.at),
            symbol=scope.symbol,
            record=base,
            type=record.symbol if isinstance(record, Object) else "",
            field=field,
            read=scope.place(test),
            written=maker.place,
            versioned=isinstance(record, Object) and record.loaded == "locked",
            locked=tuple(sorted({d.lock.identity for d in maker.held})),
            arithmetic=False,
            in_test=in_test(scope),
            maker=written(maker.call.func),
            made=maker.operation.key_text if maker.operation is not None else "",
            keeps_part=_is_part(assigned.value, flow.names_of(maker.place)),
        )


def _claims(ev: Evaluator, scope: Scope, trace: Trace, assigned: ir.Assign, test: Span) -> Iterator[Mutation]:
    """`if job.assignee is None: job.assignee = worker` and a save: a record that was read is given to somebody who is named, and not made here."""
    base, _, field = written(assigned.targets[0]).rpartition(".")
    place = scope.place(assigned.at)
    record = records.loaded(ev, base, scope, place)
    saves = saving.saved(ev, trace, base, place, record)
    if record is None or not saves or not isinstance(assigned.value, ir.Name | ir.Attribute):
        return
    held = saving.held(trace, place, saves)
    yield Mutation(
        place=place,
        symbol=scope.symbol,
        record=base,
        type=record.symbol,
        field=field,
        read=scope.place(test),
        written=saves[0],
        versioned=rowversions.is_guarded(ev, record),
        locked=tuple(sorted({d.lock.identity for d in held})),
        arithmetic=False,
        in_test=in_test(scope),
        claimed=True,
    )


def _filled(body: tuple[ir.Stmt, ...], empty: Empty) -> Iterator[tuple[ir.Assign, Span]]:
    """Assignments to attributes that were found empty on the way to them, with that test."""
    known = dict(empty)
    for s in body:
        match s:
            case ir.Assign(targets=(ir.Attribute() as target,), value=value) if value is not None:
                if written(target) in known:
                    yield s, known[written(target)]
            case ir.If(branches=branches, orelse=orelse):
                otherwise = dict(known)
                for branch in branches:
                    yield from _filled(branch.body, {**otherwise, **_found(branch.test, empty=True)})
                    otherwise |= _found(branch.test, empty=False)
                yield from _filled(orelse, otherwise)
                if len(branches) == 1 and ends(branches[0].body):
                    known = otherwise
                continue
            case _:
                pass
        for block in blocks(s):
            yield from _filled(block, known)


def _found(test: ir.Expr, *, empty: bool) -> dict[str, Span]:
    """The attributes whose being empty (or filled) leads into the branch of a test."""
    match bare(test):
        case ir.Binary(op="and" | "or", values=values):
            return {name: at for v in values for name, at in _found(v, empty=empty).items()}
        case ir.Unary(op="not", value=value):
            return _found(value, empty=not empty)
        case ir.Compare(ops=("is" | "==",), values=(ir.Attribute() as tested, ir.Const(value=None | ""))) if empty:
            return _named(tested)
        case ir.Compare(ops=("is not" | "!=",), values=(ir.Attribute() as tested, ir.Const(value=None | ""))) if not empty:
            return _named(tested)
        case ir.Attribute() as tested if not empty:
            return _named(tested)
        case _:
            return {}


def _named(tested: ir.Attribute) -> dict[str, Span]:
    text = written(tested)
    return {text: tested.at} if text and isinstance(tested.base, ir.Name) else {}


def _maker(trace: Trace, flow: Flow, scope: Scope, assigned: ir.Assign, test: Span) -> Step | None:
    """The call between test and assignment whose result the field gets, or a part of it; None where the store refuses a second one."""
    target, end = written(assigned.targets[0]), assigned.at.end_line or assigned.at.line
    between = [s for s in trace.steps if s.place.path == scope.path and test.line <= s.place.line <= end and not s.deferred]
    if any(s.operation is not None and (s.operation.conditional or s.operation.atomic) for s in between):
        return None
    for step in reversed(between):
        if target not in flow.names_of(step.place):
            continue
        if _makes(step) and not any(_is_refusal(g.catches) for g in step.guards):
            return step
    return None


def _makes(step: Step) -> bool:
    """A new row, something outside that cannot be taken back, or what says `create` and is not of this project."""
    if step.operation is not None:
        return step.operation.late in (Late.APPEND, Late.EXTERNAL)
    name = written(step.call.func).rpartition(".")[2]
    return not step.functions and isinstance(step.call.func, ir.Attribute) and name.lower().startswith(("create_", "provision", "allocate"))


def _is_refusal(catches: tuple[str, ...]) -> bool:
    return any(c.rpartition(".")[2] in ("IntegrityError", "UniqueViolation", "DuplicateKeyError", "AlreadyExists") for c in catches)


def _is_part(value: ir.Expr, made: set[str]) -> bool:
    """Whether a field keeps the name or number of what was made: `made.id`, `made["name"]`, `made.get("id")`."""
    return any(isinstance(n, ir.Attribute | ir.Index) and names_in(n.base) & made for n in ir.walk(value))


def _hands_on(ev: Evaluator, symbol: str, field: str) -> bool:
    """Whether a class sets this field on what it stands for: `self.model.payment = payment` in its setter."""
    setters = [s for c in classes.ancestry(ev, symbol)[0] for s in c.children if s.kind == "function" and s.function.name == field]
    targets = {written(t) for s in setters for a in s.function.body if isinstance(a, ir.Assign) for t in a.targets}
    return any(t.startswith("self.") and t.endswith(f".{field}") and t.count(".") == 2 for t in targets)


def _record(ev: Evaluator, base: str, field: str, scope: Scope) -> Value | None:
    """The record: one that was read, `self` of a mapped class, or one that nothing is known of; None for what is no record, or new."""
    if base == "self":
        owner = scope.owner
        return Object(owner.symbol) if owner is not None and classes.is_record(ev, owner.symbol) else None
    value = ev.settle(ev.name(base, scope))
    seen = [v for v in options(value) if not (isinstance(v, Literal) and v.value is None)]
    objects = [v for v in seen if isinstance(v, Object) and not _hands_on(ev, v.symbol, field)]
    if objects and not any(o.loaded and classes.is_record(ev, o.symbol) for o in objects):
        handed = all(o.arguments is None for o in objects)  # a parameter of this class, not one made here
        return objects[0] if handed and classes.is_record(ev, objects[0].symbol) else None
    return next((o for o in objects if o.loaded), value)
