"""Claims on rows: a write that names the state it expects, and whose count or rows say whether it found it.

`UPDATE jobs SET status = 'running' WHERE id = 7 AND status = 'new'` and a look at the count is compare-and-set. An update that is
filtered by its key alone is an ordinary one, and so is a sweep over many rows whose count is only told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from coordlint import ir
from coordlint.coordination import Outcome
from coordlint.link.code.calls.meaning import Meaning
from coordlint.link.code.evaluation.columns import COMPARING, EMPTIED, EQUAL, assigned, compared, modified
from coordlint.link.code.evaluation.values import ClassRef, Instance, Literal, Table, Value, options
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.models.schema import Late, Op
from coordlint.models.sql_clauses import is_version
from coordlint.wording import words

if TYPE_CHECKING:
    from coordlint.link.code.calls.trace import Step
    from coordlint.link.code.walking.walk import Walk

SKIP_LOCKED = "SKIP LOCKED"
_KEYS = frozenset("id pk uuid uid guid key name slug code token".split())
_COUNTS = ("update", "update_one", "aupdate", "delete", "adelete")
_STATEMENTS = ("sqlalchemy.Update", "sqlalchemy.Delete", "peewee.ModelUpdate", "peewee.ModelDelete")
_INSERTS = ("sqlalchemy.Insert", "peewee.ModelInsert")


class Columns(msgspec.Struct, frozen=True):
    """What a write compares and assigns: columns with their signs, as `columns` gives them."""

    compared: tuple[tuple[str, str], ...]
    assigned: tuple[tuple[str, str], ...]
    table: str = ""
    skips: bool = False  # rows that others have locked are left out
    inserts: bool = False  # does nothing where the row is there already
    returns: bool = False  # its result is the rows that it changed
    given: str = ""  # the parameter by which a caller says what state he expects

    @property
    def expected(self) -> str:
        """The column whose expected state the write names: a version, or one that it changes. "" when it names none."""
        if self.given:
            return self.given
        changed = {column for column, _ in self.assigned}
        for column, sign in self.compared:
            if (column in changed and sign) or (is_version(column) and sign == "="):  # one of several, or "is there one at all", expects none
                return column
        return ""

    @property
    def told(self) -> str:
        """The condition, said shortly."""
        return SKIP_LOCKED if self.skips else f"WHERE {self.expected}" if self.expected else "ON CONFLICT DO NOTHING" if self.inserts else ""

    @property
    def refuses(self) -> bool:
        """Whether doing it late or twice finds nothing to change: what it expects is an exact state, and it counts nothing up."""
        column = self.expected
        exact = bool(self.given) or any(c == column and sign in EQUAL for c, sign in self.compared)
        return bool(column) and exact and not any(how == "+=" and c == column for c, how in self.assigned)


def columns_of(w: Walk, made: Meaning, owner: Value | None, call: ir.Call) -> Columns | None:
    """What a call writes on which condition; None when it is no write, or nothing is known of its columns."""
    if made.sql is not None:
        if made.sql.kind not in ("update", "delete", "insert"):
            return None
        return Columns(
            tuple(made.sql.compares),
            tuple((c, "+=" if c in made.sql.accumulates else EMPTIED if c in made.sql.empties else "=") for c in made.sql.writes),
            made.sql.table, made.sql.skip_locked, made.sql.kind == "insert" and made.sql.ignores, made.sql.returns,
        )  # fmt: skip
    name = made.model.name.rpartition(".")[2]
    if isinstance(owner, Instance) and made.model.effect == "database" and name in _COUNTS and made.late is not Late.APPEND:
        given = tuple((a.name, "=") for a in made.args if a.name.isidentifier()) if name.endswith("update") else ()
        values = next((a.value for a in made.args if a.name == "values"), None)
        tables = tuple((k, "=") for v in options(w.ev.settle(values)) if isinstance(v, Table) for k, _ in v.entries if k) if values is not None else ()
        refined = _refined(w, call.func.base) if isinstance(call.func, ir.Attribute) else ()
        references = _references(w, owner)
        asked = tuple(c for c in (*_noted(owner, "?"), *refined) if c[0] not in references or not is_version(c[0]))
        writes = (*(modified(call) if owner.type.startswith("mongoengine") else assigned(call)), *given, *tables)
        if not any(sign == "=" and c in _KEYS for c, sign in asked):  # many rows of one version, which stays what it is: it says which rows
            asked = tuple(c for c in asked if not is_version(c[0]) or c[1] not in EQUAL or c[0] in {column for column, _ in writes})
        return Columns(asked, writes, _table(owner), given=_given(w))
    statement = statement_of(w, made, owner)
    return None if statement is None else _of_statement(statement, _refined(w, call.args[0]) if made.op is Op.SQL and call.args else ())


def _given(w: Walk) -> str:
    """`conditional_update(model, values, expected_values)`: the condition is the caller's, whoever builds it of what he expects."""
    params = w.scope.params() if w.scope.kind == "function" else ()
    return next((p.name for p in params if "expected" in words(p.name)), "")


def _refined(w: Walk, query: ir.Expr) -> tuple[tuple[str, str], ...]:
    """What `query = query.filter(...)` adds under the same name: the evaluator does not follow the order of statements."""
    if not isinstance(query, ir.Name):
        return ()
    found: list[tuple[str, str]] = []
    for s in statements(w.body):
        if isinstance(s, ir.Assign) and any(isinstance(t, ir.Name) and t.id == query.id for t in s.targets):
            step = s.value
            steps: list[ir.Call] = []
            while isinstance(step, ir.Call) and isinstance(step.func, ir.Attribute):
                steps.append(step)
                step = step.func.base
            if isinstance(step, ir.Name) and step.id == query.id:
                found += [c for one in steps if last_word(one.func) in COMPARING for c in compared(one)]
    return tuple(found)


def statement_of(w: Walk, made: Meaning, owner: Value | None) -> Instance | None:
    """The statement that a call executes: the argument of `session.execute`, or the receiver of `query.execute()`."""
    given = [a.value for a in made.args[:1]] if made.op is Op.SQL else [owner] if made.model.name.endswith(".execute") and owner else []
    for value in given:
        for option in options(w.ev.settle(value)):
            if isinstance(option, Instance) and any(w.ev.models.is_subtype(option.type, t) for t in (*_STATEMENTS, *_INSERTS)):
                return option
    return None


def _of_statement(made: Instance, refined: tuple[tuple[str, str], ...]) -> Columns:
    ignores = made.argument("on_conflict_do_nothing()") is not None or made.argument("on_conflict_ignore()") is not None
    given = tuple((a.name.partition(".")[2], "=") for a in made.arguments if a.name.startswith(("values.", "set.")))
    plain = tuple((c, sign) for c, sign in given if c.isidentifier())
    tables = tuple((k, "=") for a in made.arguments if a.name.startswith("values.") and isinstance(a.value, Table) for k, _ in a.value.entries if k)
    inserts = made.type.endswith("Insert")
    return Columns(() if inserts else (*_noted(made, "?"), *refined), (*_noted(made, "="), *plain, *tables), _table(made), inserts=inserts and ignores, returns=made.argument("returning()") is not None)


def _noted(made: Instance, sign: str) -> tuple[tuple[str, str], ...]:
    """What the steps of a query said of its columns."""
    found = []
    for arg in made.arguments:
        column = arg.name.partition(".")[2] or arg.name  # the first step of a query is no step of another
        if column.startswith(sign) and isinstance(arg.value, Literal):
            found.append((column[1:], str(arg.value.value)))
    return tuple(found)


def _table(made: Instance) -> str:
    return next((v.symbol.rpartition(".")[2] for a in made.arguments[:2] for v in options(a.value) if isinstance(v, ClassRef)), "")


_REFERENCES = frozenset("ForeignKey OneToOneField ManyToManyField ForeignKeyField relationship".split())


def _references(w: Walk, made: Instance) -> set[str]:
    """The columns of a query's records that point to other records: such a `release_version` counts no changes of the row."""
    classes = [w.ev.project.scopes[v.symbol] for a in made.arguments[:2] for v in options(a.value) if isinstance(v, ClassRef) and v.symbol in w.ev.project.scopes]
    return {
        name
        for scope in classes
        for name, bindings in scope.names.items()
        if is_version(name) and any(isinstance(b.expr, ir.Call) and last_word(b.expr.func) in _REFERENCES for b in bindings)
    }


# -- whether anybody looks ---------------------------------------------------------------------------------------------


def decides(w: Walk, step: Step, columns: Columns) -> bool:
    """Whether the outcome of a conditional write decides what happens, and the write is about rows that were picked."""
    if not (columns.expected or columns.inserts or columns.skips):
        return False
    looked = _looked_at(w, step, columns)
    if looked is None or columns.skips:
        return looked is not None
    if columns.inserts:
        return _is_truth(w, step) or _turns_away(w, step)
    return _is_picked(columns) or _is_truth(w, step)


_ROWS = ("fetchone", "fetchall", "fetchmany", "fetchval")


def _looked_at(w: Walk, step: Step, columns: Columns) -> Outcome | None:
    """Whether the count or the rows decide a branch, or are the function's answer; None when nobody looks."""
    if w.scope.kind != "function":
        return step.outcome if step.outcome is Outcome.TESTED else None
    flow = w.tracer.flow(w.scope.symbol)
    names = flow.names_of(step.place)
    base = written(step.call.func.base) if isinstance(step.call.func, ir.Attribute) else ""
    kept = [f"{base}.{name}" for name in ("rowcount", *_ROWS)]
    if not names and any(name in w.usage.read for name in kept):  # a cursor keeps what came of its last statement
        telling = set(kept) if columns.returns else {kept[0]}
        names = telling | flow.spread(telling)
    elif step.outcome in (Outcome.TESTED, Outcome.RETURNED):
        return step.outcome
    return Outcome.TESTED if names & w.usage.tested else Outcome.RETURNED if names & w.usage.returned else None


def _is_picked(columns: Columns) -> bool:
    """Whether the condition names one row by a key."""
    own = f"{columns.table.rpartition('.')[2].rstrip('s').lower()}_id"
    return any(sign == "=" and (c.lower() in _KEYS or c.lower() == own or c.lower().endswith("uuid")) for c, sign in columns.compared)


def _is_truth(w: Walk, step: Step) -> bool:
    """Whether the count is asked as a yes or no, or compared with how many rows there should be."""
    names = w.tracer.flow(w.scope.symbol).names_of(step.place) if w.scope.kind == "function" else set()
    base = written(step.call.func.base) if isinstance(step.call.func, ir.Attribute) else ""
    counted = names | {f"{name}.rowcount" for name in (*names, base)}
    for s in statements(w.body):
        for expr in expressions(s):
            for node in ir.walk(expr):
                match node:
                    case ir.Call(func=ir.Name(id="bool"), args=(arg,)) if _is_count(arg, step.call, counted):
                        return True
                    case ir.Compare(values=values) if any(_is_count(v, step.call, counted) for v in values):
                        if any(_is_whole(v) for v in values) or isinstance(s, ir.Return):
                            return True
                    case _:
                        pass
    return False


def _turns_away(w: Walk, step: Step) -> bool:
    """Whether the function ends where the row was there already; one that reads it then wanted the row, and claimed nothing."""
    if w.scope.kind != "function":
        return False
    flow = w.tracer.flow(w.scope.symbol)
    base = written(step.call.func.base) if isinstance(step.call.func, ir.Attribute) else ""
    names = flow.names_of(step.place) or flow.spread({f"{base}.{name}" for name in ("rowcount", *_ROWS)})
    counted = flow.spread({f"{name}.rowcount" for name in (*names, base)})
    if counted & w.usage.tested:
        return True
    return any(_is_missing(b.test, names) and _leaves(b.body) for s in statements(w.body) if isinstance(s, ir.If) for b in s.branches)


def _is_missing(test: ir.Expr, names: set[str]) -> bool:
    match test:
        case ir.Unary(op="not", value=value) | ir.Compare(ops=("is" | "==",), values=(value, ir.Const(value=None))):
            return written(bare(value)) in names
        case _:
            return False


def _leaves(body: tuple[ir.Stmt, ...]) -> bool:
    last = body[-1] if body else None
    nothing = isinstance(last, ir.Return) and (last.value is None or isinstance(last.value, ir.Const))
    return nothing or isinstance(last, ir.Raise) or (isinstance(last, ir.Jump) and last.kind == "continue")


def _is_count(expr: ir.Expr, call: ir.Call, names: set[str]) -> bool:
    return any(n is call for n in ir.walk(expr)) if isinstance(expr, ir.Call | ir.Await) else written(expr) in names


def _is_whole(expr: ir.Expr) -> bool:
    """`1`, or `len(ids)`."""
    return (isinstance(expr, ir.Const) and expr.value == 1) or (isinstance(expr, ir.Call) and last_word(expr.func) == "len")
