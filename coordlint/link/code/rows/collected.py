"""Documents of MongoDB that are looked for and made: in which collection, by which fields, and what its indexes refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.rows.searches import Search, is_fresh
from coordlint.link.code.rows.stated import TABLE, Inserted
from coordlint.link.code.rows.uniqueness import Group
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written

_LOOKS = frozenset({"find_one", "count_documents", "find"})
_KEY = "_id"  # of every document, and unique in each collection


def looked_for(trace: Trace) -> Iterator[Search]:
    """`users.find_one({"email": email})`, `users.count_documents({"email": email})`."""
    for step in _asked(trace, _LOOKS):
        filter_ = _document(trace.scope, step, 0, "filter")
        equal = {} if filter_ is None else _fields(filter_)
        if filter_ is None or not equal or _KEY in equal or any(is_fresh(v) for v in equal.values()):
            continue
        name = last_word(step.call.func)
        ranged = any(not isinstance(k, ir.Const) or str(k.value).startswith("$") or isinstance(v, ir.Mapping) for k, v in zip(filter_.keys, filter_.values, strict=True))
        plain = {k: v for k, v in equal.items() if v}
        asks = {"find": "filter", "count_documents": "count"}.get(name, name)
        yield Search(TABLE + _collection(trace.scope, step), asks, plain, frozenset(), ranged, asks == "count", step.place, frozenset((step.place,)))


def inserted(trace: Trace) -> Iterator[Inserted]:
    """`users.insert_one({"email": email, ...})`."""
    for step in _asked(trace, frozenset({"insert_one"})):
        made = _document(trace.scope, step, 0, "document")
        if made is not None:
            yield Inserted(_collection(trace.scope, step), _fields(made), step)


def indexes(traces: Iterable[Trace]) -> Iterator[tuple[str, Group]]:
    """What `users.create_index("email", unique=True)` and its like keep unique, by collection; an empty group for what is not understood."""
    for trace in traces:
        for step in trace.steps:
            name = last_word(step.call.func)
            if name in ("create_indexes", "createIndex") or (name in ("create_index", "ensure_index") and _is_unique(step.call)):
                yield _collection(trace.scope, step), _indexed(step.call) if name != "create_indexes" else frozenset()


def _is_unique(call: ir.Call) -> bool:
    return isinstance(said := call.keyword("unique"), ir.Const) and said.value is True


def _indexed(call: ir.Call) -> Group:
    """`"email"`, `[("email", 1), ("tenant", 1)]`."""
    if call.keyword("partialFilterExpression") is not None or not call.args:
        return frozenset()
    match call.args[0]:
        case ir.Const(value=str(field)):
            return frozenset({field})
        case ir.Sequence(items=items):
            fields = [i.items[0] if isinstance(i, ir.Sequence) and i.items else i for i in items]
            return frozenset(str(f.value) for f in fields if isinstance(f, ir.Const)) if all(isinstance(f, ir.Const) for f in fields) else frozenset()
        case _:
            return frozenset()


def _asked(trace: Trace, names: frozenset[str]) -> Iterator[Step]:
    for step in trace.steps:
        o = step.operation
        if o is not None and o.backend == "database-row" and "Collection" in o.call and last_word(step.call.func) in names and not step.deferred:
            yield step


def _document(scope: Scope, step: Step, position: int, name: str) -> ir.Mapping | None:
    """A document as it is written, in the call or under a name."""
    given = step.call.keyword(name) or (step.call.args[position] if position < len(step.call.args) else None)
    given = bare(given) if given is not None else None
    if isinstance(given, ir.Name):
        told = [s.value for s in scope.statements if isinstance(s, ir.Assign) and any(isinstance(t, ir.Name) and t.id == given.id for t in s.targets)]
        given = told[0] if len(told) == 1 else None
    return given if isinstance(given, ir.Mapping) else None


def _fields(document: ir.Mapping) -> dict[str, str]:
    return {str(k.value): written(v) for k, v in zip(document.keys, document.values, strict=True) if isinstance(k, ir.Const) and not isinstance(v, ir.Mapping)}


def _collection(scope: Scope, step: Step) -> str:
    """The last name by which a collection is asked: "users" of `db.users`, `db["users"]`, and of a variable that is that."""
    base = step.call.func.base if isinstance(step.call.func, ir.Attribute) else step.call.func
    if isinstance(base, ir.Name) and (home := scope.sees(base.id)) is not None:
        told = [b.expr for b in home.names.get(base.id, ()) if b.expr is not None]
        base = bare(told[0]) if len(told) == 1 and isinstance(bare(told[0]), ir.Attribute | ir.Index) else base
    match base:
        case ir.Index(index=ir.Const(value=str(name))) | ir.Attribute(name=name) | ir.Name(id=name):
            return name.lower()
        case _:
            return written(base).lower()
