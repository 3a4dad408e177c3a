"""Read-modify-write of stored records, and writes whose value was computed from a read of the same key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from coordlint import ir
from coordlint.contention import Mutation
from coordlint.coordination import Argument, Operation, Outcome
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation import attributes, classes, ownmodel
from coordlint.link.code.evaluation.arguments import bindings
from coordlint.link.code.evaluation.calling import returned
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Literal,
    Object,
    Parameter,
    Pattern,
    Value,
    fill,
    options,
    shown,
)
from coordlint.link.code.flow import inhand
from coordlint.link.code.flow.changing import adds, changes, checked, counted_from
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import calls_in, last_word, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions, statements
from coordlint.link.code.walking import rowversions, saving
from coordlint.link.code.walking.absent import led_by_absence
from coordlint.models.schema import Late, Op
from coordlint.source import Place, Span
from coordlint.wording import words

_WRITES = (Op.WRITE, Op.CREATE, Op.EFFECT, Op.TRANSACTION_STEP)
_PART = re.compile(r"[A-Za-z_]\w*")


def mark_reads(ev: Evaluator, trace: Trace, flow: Callable[[], Flow], of: Callable[[str], Trace]) -> None:
    """Marks the writes of one function whose value comes from a read of the same record; `of` gives a callee's trace."""
    steps = [s for s in trace.steps if s.operation is not None]
    operations = [s.operation for s in steps if s.operation is not None]
    writes = any(is_write(o) and _record_of(o) for o in operations)
    marked = with_reads([*operations, *_wrapped_reads(ev, trace, of)] if writes else operations, flow)[: len(operations)]
    marked = [_with_look(o, marked, flow) for o in marked]
    changed = {m.written: m for m in mutations(ev, trace.scope, trace)}
    for step, operation in zip(steps, marked, strict=True):
        mutation = changed.get(step.place)
        step.operation = operation if mutation is None else _written_back(operation, mutation, flow())


def _with_look(write: Operation, all_: list[Operation], flow: Callable[[], Flow]) -> Operation:
    """A write with the look-up before it that found nothing at the same key, where that led to it."""
    if not is_write(write) or not write.backend or write.reads_back is not None or not _record_of(write):
        return write
    looks = [o for o in all_ if o.op is Op.READ and o.outcome is Outcome.TESTED and o.place < write.place and _is_beside(o, write, flow)]
    absent = next((o.place for o in looks[::-1] if led_by_absence(flow(), o.place, write.place)), None)
    return write if absent is None else msgspec.structs.replace(write, absent=absent)


def _is_beside(look: Operation, write: Operation, flow: Callable[[], Flow]) -> bool:
    """Whether both are about one key of one store, and of a hash about one field."""
    fields = [found.text if (found := field_of(o)) is not None else "" for o in (look, write)]
    same = look.backend == write.backend and look.key == write.key and _record_of(look) == _record_of(write)
    return same and (fields[0] == fields[1] or not all(fields) or _is_part_of_what_was_made(fields[0], fields[1], flow))


def _is_part_of_what_was_made(asked: str, named: str, flow: Callable[[], Flow]) -> bool:
    """Whether one name is the same part of something that was made from the other: `order.id` of `Order(**given)`, and `given["id"]`."""
    old, new = _PART.findall(asked), _PART.findall(named)
    return len(old) > 1 and len(new) > 1 and old[-1] == new[-1] and old[0] in flow().sources({new[0]})


def field_of(operation: Operation) -> Argument | None:
    """The one field of a hash that is read or written."""
    if operation.argument("name") is None:
        return None
    found = operation.argument("key") or operation.argument("field")
    return found if found is not None and (found.value is not None or found.text not in ("", "None")) else None


def _wrapped_reads(ev: Evaluator, trace: Trace, of: Callable[[str], Trace]) -> Iterator[Operation]:
    """`self.load(a)`, where the project's own `load` reads a key that its parameters make up and returns what it read."""
    for step in trace.steps:
        if step.operation is not None or not step.functions or step.deferred or not step.called:
            continue
        function = step.functions[0]
        inner = of(function.symbol)
        reads = [s for s in inner.steps if s.operation is not None and s.operation.op is Op.READ and s.key is not None and "\x00" in s.key.named]
        if not reads or inner.scope.kind != "function":
            continue
        flow, given = Flow(inner.scope), {name: key_value(value) for name, value in bindings(ev, function, step.args).items()}
        for read in reads:
            assert read.operation is not None and read.key is not None
            if _gives_back(inner.scope, read.place, flow):
                key = fill(read.key, given)
                yield msgspec.structs.replace(read.operation, place=step.place, key=key.text, key_text=shown(key.named))


def key_value(value: Value) -> Value:
    """The first alternative that can be a key, as it is taken for the keys of operations."""
    return next((v for v in options(value) if isinstance(v, Pattern | Parameter) or (isinstance(v, Literal) and isinstance(v.value, str))), value)


def _gives_back(scope: Scope, read: Place, flow: Flow) -> bool:
    """Whether what a function returns comes from a read."""
    names = flow.names_of(read)
    return any(names & names_in(e) or any(scope.place(c.at) == read for c in calls_in(e)) for e in returned(scope))


def _written_back(operation: Operation, mutation: Mutation, flow: Flow) -> Operation:
    """The save of a changed record; a commit that flushes one is a write of it."""
    return msgspec.structs.replace(
        operation,
        reads_back=mutation.read,
        is_checked=checked(flow, {f"{mutation.record}.{mutation.field}"}, operation.place),
        kind=operation.kind or "database",
        key=operation.key or mutation.type.rpartition(".")[2],
        late=Late.OVERWRITE if operation.late is Late.UNKNOWN else operation.late,
    )


def with_reads(operations: list[Operation], flow: Callable[[], Flow]) -> list[Operation]:
    """The operations of one function, with the read that a write's value comes from."""
    reads = [o for o in operations if o.op in (Op.READ, Op.DB_READ, Op.LIST) and _record_of(o) and not is_about(o)]
    made: list[Operation] = []
    for o in operations:
        source = next((r for r in reversed(reads) if _feeds_back(r, o, flow)), None) if is_write(o) and _record_of(o) else None
        if source is not None:
            here, fed = flow().towards(o.place), _feeds(source, o, flow())
            names = flow().names_of(source.place)
            o = msgspec.structs.replace(
                o,
                reads_back=source.place,
                through=tuple(sorted(names)),
                is_checked=checked(here, names, o.place),
                is_counted=flow().is_counted(fed),
                adds=adds(here, o.place),
                changes=changes(here, source.place, o.place),
            )
        made.append(o)
    return made


def _feeds_back(read: Operation, write: Operation, flow: Callable[[], Flow]) -> bool:
    """Whether the value that is written comes from this read of the same record, in the branch in which the write stands.

    What was found in the database by means of it is another value.
    """
    if read.backend != write.backend or _record_of(read) != _record_of(write) or read.place.line > write.place.line:
        return False
    if not _is_field(read, write, flow):
        return False
    by_it = flow().records if read.op is not Op.DB_READ else set()
    return bool(_feeds(read, write, flow()) - by_it and _feeds(read, write, flow().towards(write.place)) - by_it)


def _is_field(read: Operation, write: Operation, flow: Callable[[], Flow]) -> bool:
    """Whether what is read of a hash is, or holds, the field of it that is written."""
    fields = [field_of(o) for o in (read, write)]
    if write.op is not Op.SET_ADD or fields[1] is None:
        return True
    if fields[0] is None:
        return flow().looks_up(flow().names_of(read.place), fields[1].value if isinstance(fields[1].value, str) else None)
    return fields[0].text == fields[1].text or bool(set(fields[1].mentions) & flow().names_of(read.place))


def is_write(operation: Operation) -> bool:
    """Whether a value is put in place of another; a field of a hash is one, a member of a set is none."""
    return operation.op in _WRITES or (operation.op is Op.SET_ADD and operation.late is Late.OVERWRITE)


def _record_of(operation: Operation) -> str:
    """The key as far as it is known; within one function, a variable or an attribute that holds it is as good."""
    if operation.key:
        return "" if operation.key_text == "{}" else operation.key_text
    first = operation.arguments[0].text if operation.arguments and operation.backend else ""
    return f"{{{first}}}" if first.replace(".", "_").isidentifier() else ""


_ABOUT = ("ttl", "pttl", "exists", "expiretime", "pexpiretime", "type", "strlen", "touch")


def is_about(read: Operation) -> bool:
    """Reads that tell something about a record and not its value: how long it lives, whether it is there."""
    return read.call.rpartition(".")[2] in _ABOUT


def _feeds(read: Operation, write: Operation, flow: Flow) -> set[str]:
    """The names in a write that hold what a read gave, or what was computed from it."""
    names = flow.names_of(read.place)
    if not names and read.receiver:
        names = flow.spread({read.receiver}) - {read.receiver}  # a cursor: the rows come out of it later
    field = field_of(write)
    values = [a for a in write.arguments if a is not field and (a.text != write.key_text or not a.text)]
    fed = {name for a in values for name in names & set(a.mentions)}
    return fed - flow.replaced(names | {read.receiver}, read.place, write.place)


def mutations(ev: Evaluator, scope: Scope, trace: Trace) -> Iterator[Mutation]:
    """`record.field = f(record.field)` and the save or commit that follows."""
    if scope.kind != "function":
        return
    for target, read, at, arithmetic in assignments(scope.function.body):
        base, _, field = target.rpartition(".")
        place = scope.place(at)
        record = loaded(ev, base, scope, place)
        after = saving.saved(ev, trace, base, place, record) if record is not None else []
        if record is None or not after or is_set_before(scope, target, place) or not classes.may_be_column(ev, record.symbol, field):
            continue
        if inhand.is_made_here(scope.function.body, base, at):
            continue
        held = saving.held(trace, place, after)
        yield Mutation(
            place=place,
            symbol=scope.symbol,
            record=base,
            type=record.symbol,
            field=field,
            read=scope.place(read),
            written=after[0],
            versioned=rowversions.is_guarded(ev, record),
            locked=tuple(sorted({d.lock.identity for d in held})),
            arithmetic=arithmetic,
            progress=arithmetic and inhand.is_progress(scope.function.body, base, at),
            text=arithmetic and inhand.is_text(scope.function.body, at),
            again=arithmetic and inhand.is_put_back(scope.function),
            ends=arithmetic and inhand.is_ended_with(scope.function.body, base, at),
            since=arithmetic and _is_since(scope.function.body, base, at),
            in_test=in_test(scope),
        )


def is_set_before(scope: Scope, target: str, place: Place) -> bool:
    """Whether the function gives an attribute a value of its own first, and then adds to that: `run.total = 0`."""
    before = (s for s in statements(scope.function.body) if isinstance(s, ir.Assign) and s.at.line < place.line)
    return any(isinstance(s.value, ir.Const) and any(written(t) == target for t in s.targets) for s in before)


def loaded(ev: Evaluator, base: str, scope: Scope, before: Place) -> Object | None:
    """The stored record that a name stands for, when it is known to have been read: here, by who hands it in, or anew by a refresh."""
    value = ownmodel.own_row(ev, _value(ev, base, scope), scope)
    record = next((o for o in options(ev.settle(value)) if isinstance(o, Object)), None)
    if record is None or not classes.is_record(ev, record.symbol):
        return None
    if record.loaded:
        return record
    refreshed = scope.kind == "function" and _is_fresh(scope.function.body, base, before.line)
    return msgspec.structs.replace(record, loaded="query") if refreshed or _handed(ev, value) == {"query"} else None


def _is_fresh(body: tuple[ir.Stmt, ...], base: str, line: int, fresh: bool = False) -> bool | None:
    """Whether `base.refresh_from_db()` stands on every way to a line; None when the line is not in here. A refresh with arguments may lock."""
    for s in body:
        inner = tuple(blocks(s))
        for block in inner:
            if (told := _is_fresh(block, base, line, fresh)) is not None:
                return told
        if not inner:
            if s.at.line == line:
                return fresh
            calls = [c for e in expressions(s) for c in calls_in(e) if not c.args and not c.keywords]
            fresh = fresh or any(written(c.func) in (f"{base}.refresh_from_db", f"{base}.arefresh_from_db") for c in calls)
    return None


def _handed(ev: Evaluator, value: Value) -> set[str]:
    """How the records were read that callers pass for a parameter, or that a framework gives by its default: `key: Key = Depends(current_key)`."""
    passed = [p for v in options(value) if isinstance(v, Parameter) for p in (ev.default_of(v), ev.passed(v.symbol, v.name))]
    return {o.loaded for p in passed for o in options(ev.settle(p)) if isinstance(o, Object) and o.loaded}


def _value(ev: Evaluator, base: str, scope: Scope) -> Value:
    """What a name is, or an attribute of it: `line.product`."""
    first, *rest = base.split(".")
    if not all(part.isidentifier() for part in (first, *rest)):
        return UNKNOWN
    value = ev.name(first, scope)
    for part in rest[:3]:
        value = attributes.attribute(ev, ev.settle(value), part)
    return value


def assignments(body: tuple[ir.Stmt, ...], whole: tuple[ir.Stmt, ...] = ()) -> Iterator[tuple[str, Span, Span, bool]]:
    """Attributes that are computed from themselves: as written, where it is read, where it stands, whether by arithmetic.

    `whole` is the function's body, of which `body` is a block.
    """
    for s in body:
        match s:
            case ir.Augment(target=ir.Attribute() as target, value=value) if not _is_expression(value):
                yield written(target), target.at, s.at, True
            case ir.Assign(targets=(ir.Attribute() as target,), value=ir.Binary() | ir.Call() | ir.Conditional() | ir.Sequence() | ir.Mapping() as value):
                if _is_computed(value, written(target)):
                    yield written(target), value.at, s.at, True
            case ir.Assign(targets=(ir.Attribute() as target,), value=ir.Name(id=name)):
                read = counted_from(whole or body, written(target), name, s.at)
                if read is not None:
                    yield written(target), read, s.at, True
            case _:
                pass
        for block in blocks(s):
            yield from assignments(block, whole or body)


_WHEN = frozenset("modified updated changed last since at date time timestamp seen".split())


def _is_since(body: tuple[ir.Stmt, ...], base: str, at: Span) -> bool:
    """Whether what is added comes from a time that the same record keeps: `days = today - record.updated`, `record.days += days`."""
    inside = list(statements(body))
    added = next((s.value for s in inside if isinstance(s, ir.Augment) and s.at == at), None)
    if added is None:
        return False
    names = names_in(added)
    names |= {n for s in inside if isinstance(s, ir.Assign) and s.value is not None and s.at < at for t in s.targets if written(t) in names for n in names_in(s.value)}
    return any(n.startswith(f"{base}.") and words(n.removeprefix(f"{base}.").partition(".")[0]) & _WHEN for n in names)


_SHAPED = frozenset("max min int float round abs Decimal sum str".split())


def _is_computed(value: ir.Expr, old: str) -> bool:
    """Whether a value is computed from an old one: `old - n`, `max(0, old - n)`, `[*old, x]`, `{**old, key: x}`."""
    if _is_expression(value):
        return False
    match value:
        case ir.Binary(op="+" | "-" | "*" | "/"):
            return old in names_in(value)
        case ir.Call(func=func, args=args) if last_word(func) in _SHAPED:
            return any(_is_computed(a, old) for a in args)
        case ir.Conditional(yes=yes, no=no):
            return _is_computed(yes, old) or _is_computed(no, old)
        case ir.Sequence(items=items):
            return any(isinstance(i, ir.Starred) and written(i.value) == old for i in items)
        case ir.Mapping(keys=keys, values=values):
            return any(k is None and written(v.value if isinstance(v, ir.Starred) else v) == old for k, v in zip(keys, values, strict=True))
        case _:
            return False


def _is_expression(value: ir.Expr) -> bool:
    """`F("n") + 1` is computed by the database."""
    return any(isinstance(n, ir.Call) and written(n.func).rpartition(".")[2] == "F" for n in ir.walk(value))
