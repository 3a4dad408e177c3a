"""Rows that are made because a query found none: what looks, what makes, and whether the database would refuse a second one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from coordlint import ir
from coordlint.contention import Creation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation import calling, classes, views
from coordlint.link.code.evaluation.arguments import given_for
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.values import ClassRef, Object, options
from coordlint.link.code.flow.between import calls_before
from coordlint.link.code.flow.flows import Flow
from coordlint.link.code.flow.usage import bare, calls_in, last_word, names_in
from coordlint.link.code.rows import (
    collected,
    numbering,
    replaying,
    searches,
    spending,
    stated,
    tables,
    uniqueness,
    validating,
)
from coordlint.link.code.rows.searches import Search
from coordlint.link.code.rows.transitions import is_state
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.walking import records, saving
from coordlint.link.code.walking.absent import (
    is_yes_or_no,
    led_by_absence,
    led_by_answer,
    led_by_failure,
    objects,
)
from coordlint.link.code.walking.tracer import Tracer
from coordlint.source import Place

_MAKING = frozenset("create acreate save asave add insert replace".split())
_UNIQUE = ("IntegrityError", "UniqueViolation", "DuplicateKeyError", "UniqueViolationError", "DBDuplicateEntry", "DuplicateEntry")
_FROM = frozenset({"model_validate", "from_orm", "parse_obj", "from_dict", "construct", "model_construct"})
_DUMPS = frozenset({"dict", "model_dump", "to_dict", "dump", "_asdict"})
WHOLE = "**"
DEEPEST = 2  # functions within functions that look or make for their caller


class Made(NamedTuple):
    """A new row, as one function makes it."""

    symbol: str
    given: dict[str, str]  # its columns, as written
    begun: Place  # where it is made; what leads here leads to the row
    stored: Place
    guarded: bool  # the database's refusal is handled
    state: str = ""  # of a row that was there before: what it is put into


class Creations:
    """What each function looks for and makes, for itself and on behalf of its callers; asked for on demand, remembered."""

    def __init__(self, tracer: Tracer, traces: Iterable[Trace] = ()) -> None:
        self._tracer, self._ev = tracer, tracer.ev
        self._tables = tables.Tables(tracer.ev, traces)
        self._searches: dict[str, list[Search]] = {}
        self._made: dict[str, list[Made]] = {}

    def of(self, trace: Trace) -> Iterator[Creation]:
        """The rows that a function makes because it found none."""
        scope = trace.scope
        if scope.kind != "function":
            return
        yield from self._upserts(trace)
        yield from spending.spent(self._ev, trace, lambda: self._tracer.flow(scope.symbol))
        made = [*self.made(scope.symbol), *self._moved(trace), *self._later(scope)]
        if not made:
            return
        looks = [*((s, False) for s in self.searches(scope.symbol)), *self._asked(trace)]
        flow = self._tracer.flow(scope.symbol)
        for row in made:
            led = [(s, how) for s, how in looks if s.symbol == row.symbol and s.place < row.begun and _would_find(s, row) and _leads(flow, s, row.begun, how)]
            if led:
                yield self._creation(trace, led[0][0], row)
        yield from self._numbered(trace, made, flow)

    def _later(self, scope: Scope) -> Iterator[Made]:
        """The rows that a framework makes once this function has let them pass."""
        for model, columns in validating.given(self._ev, scope, self.searches(scope.symbol)):
            yield Made(model, columns, validating.behind(scope), validating.home(scope.owner), False)

    def validated(self) -> Iterator[Creation]:
        """The rows that validators look for by columns which must be unique."""
        for v in validating.validators(self._ev):
            refused = uniqueness.refused_by(self._ev, v.type, v.columns, (), ranged=False)
            yield Creation(validating.home(self._ev.project.scopes[v.symbol]), v.symbol, v.type, v.place, "validator", v.columns, False, refused, False, (), in_test=v.in_test)

    def _creation(self, trace: Trace, look: Search, row: Made) -> Creation:
        step = next((s for s in trace.steps if s.place in look.inner), None)
        equal = tuple(sorted(look.equal))
        table = row.symbol.removeprefix(stated.TABLE) if row.symbol.startswith(stated.TABLE) else ""
        ranged = look.ranged or look.counts
        shared = [*_shared(row), *(uniqueness.all_of(self._ev, row.symbol) if WHOLE in row.given else ())]
        return Creation(
            place=row.stored,
            symbol=trace.scope.symbol,
            type=table or row.symbol,
            table=bool(table),
            look=look.place,
            asks=look.asks,
            columns=equal,
            counts=look.counts,
            refused=self._tables.refused_by(table, equal, shared) if table else uniqueness.refused_by(self._ev, row.symbol, equal, shared, ranged),
            guarded=row.guarded,
            clashes=self._clashes(look, row),
            before=calls_before(self._tracer.flow(trace.scope.symbol), look.place, row.begun),
            answers=replaying.is_answer(self._tracer.flow(trace.scope.symbol), look.place, row.begun),
            leaves=replaying.leaves(self._tracer.flow(trace.scope.symbol), look.place, row.begun),
            state=row.state,
            overlaps=look.overlaps and not look.counts,
            locked=tuple(sorted({d.lock.identity for d in step.held})) if step is not None else (),
            in_test=in_test(trace.scope),
        )

    def _clashes(self, look: Search, row: Made) -> bool:
        """Whether the database surely refuses a second one: columns that are asked for, and that the row gets, are unique."""
        both = {c: t for c, t in look.equal.items() if c in row.given and row.given[c] != "None"}
        return uniqueness.is_refused(self._ev, row.symbol, both)

    def _numbered(self, trace: Trace, made: list[Made], flow: Flow) -> Iterator[Creation]:
        """The rows that get the next number."""
        asked = list(numbering.highest(self._ev, trace.scope, self.searches(trace.scope.symbol)))
        for row in made:
            for most in asked if not row.state else ():
                column = numbering.next_number(most, row.given, row.begun, trace.scope, flow) if most.symbol == row.symbol else ""
                if column and numbering.is_among(most, row.given):
                    look = Search(row.symbol, most.kind, {**most.equal, column: "next"}, frozenset(), False, False, most.place, frozenset((most.place,)))
                    yield replace(self._creation(trace, look, row), numbered=column)
                    break

    def _upserts(self, trace: Trace) -> Iterator[Creation]:
        """`get_or_create` looks and makes in two steps, and leaves it to the database to refuse."""
        if not any(last_word(s.call.func).endswith(("get_or_create", "update_or_create")) for s in trace.steps):
            return
        for look in self.searches(trace.scope.symbol):
            if look.asks in ("get_or_create", "update_or_create") and not look.changes & look.equal.keys():
                step = next((s for s in trace.steps if s.place == look.place), None)
                if step is not None:
                    row = Made(look.symbol, {}, look.place, look.place, _is_guarded(step))
                    yield replace(self._creation(trace, look, row), upsert=True)

    # -- what is looked for --------------------------------------------------------------------------------------------

    def searches(self, symbol: str) -> list[Search]:
        """The queries of a function."""
        if symbol not in self._searches:
            stated_here = [*stated.searches(self._ev, self._tracer.trace(symbol)), *collected.looked_for(self._tracer.trace(symbol))]
            self._searches[symbol] = sorted([*searches.searches(self._ev, self._ev.project.scopes[symbol]), *stated_here], key=lambda f: f.place)
        return self._searches[symbol]

    def _asked(self, trace: Trace) -> Iterator[tuple[Search, bool]]:
        """The queries whose answers functions of the project give, and whether as a yes or no: `if self.is_taken(email): raise`."""
        for step in trace.steps:
            inner = _one(step, self._ev.project.scopes)
            if inner is None or not _answers(inner):
                continue
            made = {row.symbol for row in self.made(inner.symbol)}
            for look in self.searches(inner.symbol):
                told = _gives(self._tracer.flow(inner.symbol), look, inner)
                if told and look.symbol not in made:
                    here = look._replace(equal=_as_here(look.equal, step, inner, trace.scope), place=step.place, inner=frozenset((step.place,)))
                    yield here, told == "yes or no"

    # -- what is made --------------------------------------------------------------------------------------------------

    def made(self, symbol: str, depth: int = 0) -> list[Made]:
        """The rows that a function makes, by itself or through the functions that it calls."""
        if symbol not in self._made:
            self._made[symbol] = []
            trace = self._tracer.trace(symbol)
            if any(last_word(s.call.func) in _MAKING or s.functions or s.operation is not None for s in trace.steps):
                self._made[symbol] = sorted(self._found(trace, depth), key=lambda m: m.begun)
        return self._made[symbol]

    def _found(self, trace: Trace, depth: int) -> Iterator[Made]:
        scope = trace.scope
        for new in (*stated.insertions(self._ev, trace), *collected.inserted(trace)):
            yield Made(stated.TABLE + new.table, new.given, new.step.place, new.step.place, _is_guarded(new.step))
        for step in trace.steps:
            if step.deferred:
                continue
            name = last_word(step.call.func)
            if name in ("create", "acreate") and isinstance(step.call.func, ir.Attribute) and not step.functions:
                if symbol := searches.about(self._ev, self._ev.value(step.call.func.base, scope)):
                    yield Made(symbol, _keywords(step.call, scope), step.place, step.place, _is_guarded(step))
            elif symbol := self._class_of(step.call, name, scope):
                yield from _stored(trace, step, symbol)
            elif (inner := _one(step, self._ev.project.scopes)) is not None and depth < DEEPEST:
                for row in self.made(inner.symbol, depth + 1):
                    given = _as_here(row.given, step, inner, scope)
                    if given:
                        yield row._replace(given=given, begun=step.place, stored=step.place, guarded=row.guarded or _is_guarded(step))

    def _moved(self, trace: Trace) -> Iterator[Made]:
        """Rows that were there, and are put into a state: `seat.status = SOLD` and a save."""
        scope = trace.scope
        for s in scope.statements:
            match s:
                case ir.Assign(targets=(ir.Attribute(base=ir.Name(id=name), name=field),), value=value) if value is not None and is_state(value):
                    place = scope.place(s.at)
                    record = records.loaded(self._ev, name, scope, place)
                    saves = saving.saved(self._ev, trace, name, place, record)
                    if record is not None and saves:
                        yield Made(record.symbol, {field: written(value)}, place, saves[0], False, f"{field} = {written(value)}")
                case _:
                    pass

    def _class_of(self, call: ir.Call, name: str, scope: Scope) -> str:
        """The class of the record that a call makes in memory: `Job(...)`, or `form.save(commit=False)`, `serializer.save(owner=user)`."""
        made = call.func.base if name in _FROM and isinstance(call.func, ir.Attribute) else call.func
        for option in options(self._ev.value(made, scope)):
            if isinstance(option, ClassRef) and classes.is_record(self._ev, option.symbol):
                return option.symbol
        if name == "save" and isinstance(call.func, ir.Attribute):
            for option in options(self._ev.settle(self._ev.value(call.func.base, scope))):
                if isinstance(option, Object) and views.is_for_new(self._ev, option):
                    return validating.model_of(self._ev, option.symbol)
        return ""


def _stored(trace: Trace, made: Step, symbol: str) -> Iterator[Made]:
    """The row of a record that is made in memory: where it is saved or added, with what its attributes are set to on the way."""
    scope, given = trace.scope, _keywords(made.call, trace.scope)
    name = ""
    for s in scope.statements:
        if isinstance(s, ir.Assign) and s.value is not None and bare(s.value) is made.call and len(s.targets) == 1:
            name = written(s.targets[0])
    if not name:  # `session.add(Job(...))`, `Job(...).save()`, `form.save()`
        around = next((s for s in trace.steps if s.place != made.place and last_word(s.call.func) in _MAKING and made.call in _parts(s.call)), None)
        if last_word(made.call.func) in ("save", "asave"):
            around = made
        if around is not None:
            yield Made(symbol, given, made.place, around.place, _is_guarded(around))
        return
    for s in scope.statements:
        if isinstance(s, ir.Assign) and s.value is not None:
            given |= {t.name: written(s.value) for t in s.targets if isinstance(t, ir.Attribute) and written(t.base) == name}
    for step in trace.steps:
        if step.place > made.place and last_word(step.call.func) in _MAKING and name in (written(e) for e in _parts(step.call)):
            yield Made(symbol, given, made.place, step.place, _is_guarded(step))
            return
    if last_word(made.call.func) == "save" and made.call.keyword("commit") is None:
        yield Made(symbol, given, made.place, made.place, _is_guarded(made))


def _parts(call: ir.Call) -> tuple[ir.Expr, ...]:
    """What is saved by `x.save()`, added by `session.add(x)`."""
    return (*((call.func.base,) if isinstance(call.func, ir.Attribute) else ()), *call.args)


def _keywords(call: ir.Call, scope: Scope) -> dict[str, str]:
    """The columns of a new row, as written; behind WHOLE the object that all of its others come from: `Job(**data.dict())`, `Job.model_validate(data)`."""
    given = {name: written(value) for name, value in searches.named(call, scope).items()}
    spread = [k.value for k in call.keywords if not k.name] or (list(call.args[:1]) if last_word(call.func) in _FROM else [])
    for e in spread[:1]:
        whole = e.func.base if isinstance(e, ir.Call) and isinstance(e.func, ir.Attribute) and e.func.name in _DUMPS else e
        if isinstance(whole, ir.Name | ir.Attribute) and written(whole):
            given[WHOLE] = written(whole)
    return given


def _is_guarded(step: Step) -> bool:
    """Whether the refusal of a second row is handled, by its name or with everything else."""
    return any(c.rpartition(".")[2] in _UNIQUE for g in step.guards for c in g.catches)


def _one(step: Step, scopes: dict[str, Scope]) -> Scope | None:
    """The function of the project that a step calls, where it is one and runs here."""
    if not step.called or step.deferred or len({f.symbol for f in step.functions[: step.called]}) != 1:
        return None
    scope = scopes[step.functions[0].symbol]
    return scope if scope.kind == "function" and not scope.function.is_generator else None


def _as_here(texts: dict[str, str], step: Step, inner: Scope, scope: Scope) -> dict[str, str]:
    """What a function writes of its parameters, in its caller's words; what the caller does not name is left out."""
    given = {name: written(expr) for name, expr in given_for(step.args, step.call, scope).items()}
    on_self = isinstance(step.call.func, ir.Attribute) and written(step.call.func.base) == "self"
    here: dict[str, str] = {}
    for column, text in texts.items():
        first, dot, rest = text.partition(".")
        if given.get(first):
            here[column] = given[first] + dot + rest
        elif searches.is_literal(text) or (on_self and first == "self"):
            here[column] = text
    return here


def _would_find(look: Search, row: Made) -> bool:
    """Whether the query would have found the new row: nothing that is known of both differs, and they share what the function was asked for."""
    asked = dict(searches.plain(c, t) for c, t in look.equal.items() if t)
    given = dict(searches.plain(c, t) for c, t in row.given.items() if t and c != WHOLE)
    if whole := row.given.get(WHOLE):
        given = {c: t for c, t in asked.items() if t in (f"{whole}.{c}", f"{whole}['{c}']")} | given
    both = asked.keys() & given.keys()
    if row.state:  # the others of the kind that are in the state already
        return bool(both) and len(asked) > 1 and not asked.keys() & {"id", "pk"} and all(asked[c] == given[c] for c in both)
    return any(not searches.is_literal(asked[c]) for c in both) and all(asked[c] == given[c] for c in both)


def _shared(row: Made) -> list[str]:
    """The columns of a new row that another one may get alike: all but those that are empty, or made anew each time."""
    return [c for c, text in row.given.items() if text != "None" and c != WHOLE and not searches.is_fresh(text)]


def _leads(flow: Flow, look: Search, act: Place, answered: bool) -> bool:
    if answered or look.counts:
        return led_by_answer(flow, look.place, act)
    return led_by_absence(flow, look.place, act) or led_by_failure(flow, look.place, act) or (act == validating.behind(flow.scope) and objects(flow, look.place))


def _answers(inner: Scope) -> bool:
    """Whether a function gives back something."""
    return any(not (isinstance(e, ir.Const) and e.value is None) for e in calling.returned(inner))


def _gives(flow: Flow, look: Search, inner: Scope) -> str:
    """What a function answers of what a query found: a "yes or no", the "rows" or one of them, or nothing of it."""
    names = flow.names_of(look.place)
    answers = list(calling.returned(inner))
    if all(is_yes_or_no(e) or (isinstance(bare(e), ir.Call) and look.asks == "exists") for e in answers):
        return "yes or no"
    found = any(names & names_in(e) or any(inner.place(c.at) in look.inner for c in calls_in(e)) for e in answers)
    return "rows" if found else ""
