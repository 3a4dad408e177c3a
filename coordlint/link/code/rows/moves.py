"""What goes with a change of state: what it was before, whom the record is given to, which rows are made because of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from coordlint import ir
from coordlint.contention import Move, Mutation
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Items, Literal, options
from coordlint.link.code.flow.between import alongside
from coordlint.link.code.flow.usage import bare, calls_in
from coordlint.link.code.rows import uniqueness
from coordlint.link.code.rows.creations import Creations
from coordlint.link.code.rows.searches import is_literal
from coordlint.link.code.rows.transitions import is_state
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import Body, blocks, expressions, statements
from coordlint.source import Span


def with_moves(ev: Evaluator, making: Creations, mutations: Iterable[Mutation]) -> Iterator[Mutation]:
    """The same changes of rows; those of states with what goes with them."""
    for m in mutations:
        scope = ev.project.scopes.get(m.symbol)
        if not m.moved or scope is None or not isinstance(scope.node, ir.Function):
            yield m
            continue
        changed = next((s for s in statements(scope.node.body) if isinstance(s, ir.Assign) and scope.place(s.at) == m.place), None)
        yield replace(m, move=_move(ev, making, scope, m, changed)) if changed is not None else m


def _move(ev: Evaluator, making: Creations, scope: Scope, m: Mutation, changed: ir.Assign) -> Move:
    body = scope.function.body
    same = [s for s in statements(body) if isinstance(s, ir.Assign) and written(s.targets[0]) == written(changed.targets[0]) and m.read < scope.place(s.at) and is_state(s.value)]
    around = [s for one in (same or [changed]) for s in statements(tuple(alongside(body, one)))]
    within = {scope.place(c.at) for s in around for e in expressions(s) for c in calls_in(e)}
    makes = [
        (row.begun, row.symbol)
        for row in making.made(m.symbol)
        if row.begun in within and row.begun > m.read and not row.guarded and not row.state and uniqueness.refused_by(ev, row.symbol, row.given, (), False) == ""
    ]
    return Move(
        into=state_of(changed.value),
        old=tuple(sorted(set(_tested(ev, body, m.read.span, scope)) | set(_asked(ev, making, scope, m)))),
        owner=next((f for s in _block(body, changed) if (f := _given(s, m.record)) and f != m.field), ""),
        makes=tuple(makes),
        begun=min((scope.place(s.at) for s in same if changed in statements(tuple(alongside(body, s)))), default=m.place),
        each=any(isinstance(s, ir.Loop) and isinstance(s.target, ir.Name) and s.target.id == m.record and changed in statements(s.body) for s in statements(body)),
    )


def state_of(value: ir.Expr | None) -> str:
    """A state without the name of its enumeration and in capitals: `Status.DONE.value`, `"done"`."""
    match value:
        case ir.Const(value=known):
            return str(known).upper()
        case ir.Attribute(base=base, name="value"):
            return state_of(base)
        case ir.Attribute(name=name) | ir.Name(id=name):
            return name.upper()
        case _:
            return ""


def _states(ev: Evaluator, value: ir.Expr | None, scope: Scope) -> Iterator[str]:
    """One state, or several that are listed here or elsewhere."""
    match value:
        case ir.Sequence(items=items):
            for item in items:
                yield from _states(ev, item, scope)
        case ir.Name() | ir.Attribute():
            listed = [v.items for v in options(ev.settle(ev.value(value, scope))) if isinstance(v, Items)]
            yield from (str(one.value).upper() for items in listed for item in items for one in options(item) if isinstance(one, Literal))
            if not listed and is_state(value):
                yield state_of(value)
        case _ if value is not None and is_state(value):
            yield state_of(value)
        case _:
            pass


def _tested(ev: Evaluator, body: Body, test: Span, scope: Scope) -> Iterator[str]:
    """The states that a test holds an attribute against: `if job.status == RUNNING`."""
    for s in statements(body):
        for e in expressions(s):
            for node in ir.walk(e):
                match node:
                    case ir.Compare(ops=("==" | "!=" | "in" | "not in",), values=(ir.Attribute(at=at), state)) if at == test:
                        yield from _states(ev, state, scope)
                    case _:
                        pass


def _asked(ev: Evaluator, making: Creations, scope: Scope, m: Mutation) -> Iterator[str]:
    """The states by which a query chose the rows: `.where(Job.status.in_(states))`, `filter(status=RUNNING)`."""
    look = next((look for look in making.searches(m.symbol) if look.place == m.read), None)
    if look is not None:
        said = look.equal.get(m.field, "").removesuffix(".value")
        if is_literal(said):
            yield said.rpartition(".")[2].strip("'\"").upper()
        for column, several in look.among:
            if column == m.field:
                yield from _states(ev, bare(several), scope)


def _block(body: Body, changed: ir.Stmt) -> Body:
    """The innermost block with a statement."""
    for s in body:
        if s is changed:
            return body
        for block in blocks(s):
            if found := _block(block, changed):
                return found
    return ()


def _given(s: ir.Stmt, record: str) -> str:
    """The field of a record that is given a name: `job.worker = me`."""
    match s:
        case ir.Assign(targets=(ir.Attribute(base=ir.Name(id=base), name=field),), value=ir.Name() | ir.Attribute() as value) if base == record and not is_state(value) and written(value):
            return field
        case _:
            return ""

