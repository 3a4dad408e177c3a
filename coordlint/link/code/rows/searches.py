"""Queries of rows, as one function writes them: of which class, by which columns, and what they ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from coordlint import ir
from coordlint.link.code.evaluation import classes, columns, fetching
from coordlint.link.code.evaluation.columns import COMPARING, lookup
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import ClassRef, External, FunctionRef, Instance, Value, options
from coordlint.link.code.flow.usage import bare, calls_in, last_word
from coordlint.link.code.rows import uniqueness
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions
from coordlint.source import Place

_ASKING = frozenset("exists first last get count one one_or_none scalar scalar_one scalar_one_or_none all get_or_none find_one find_one_or_none get_by_id".split())
_UPSERTS = frozenset({"get_or_create", "update_or_create"})
_COMPARING_TOO = frozenset({"get", "get_or_none", "exists", "find", "find_one", "find_one_or_none", "objects", "get_or_404", "first_or_404", *_UPSERTS})
_RUNNING = frozenset({"execute", "scalars", "scalar", "exec"})
_LOCKING = frozenset({"select_for_update", "with_for_update"})
_FRESH = frozenset({"uuid1", "uuid4", "now", "utcnow", "token_hex", "token_urlsafe", "token_bytes", "urandom", "get_random_string", "random", "choice", "time"})
_MORE = 4  # assignments of one variable that are joined to a query


class Search(NamedTuple):
    """One query of rows."""

    symbol: str  # their class
    asks: str  # its last step: "exists", "first", "get", "filter" where its rows are looped over
    equal: dict[str, str]  # columns that must equal something, with that as it is written
    changes: frozenset[str]  # columns that an upsert gives new values
    ranged: bool  # columns are held against an order, or joined by "or", as well
    counts: bool
    place: Place
    inner: frozenset[Place]  # the calls of its chain
    overlaps: bool = False  # two columns are held against an order
    among: tuple[tuple[str, ir.Expr], ...] = ()  # columns that must be one of several, with those


def searches(ev: Evaluator, scope: Scope, *, partly: bool = False) -> list[Search]:
    """All queries of a function, in their order; `partly`: with those that a query of the project begins, `Job.objects.open().filter(...)`, by the columns that follow."""
    if not isinstance(scope.node, ir.Function):
        return []
    found: list[Search] = []
    for s in scope.statements:
        inner: set[int] = set()
        for expr in expressions(s):
            for call in reversed(calls_in(expr)):
                if id(call) in inner:
                    continue
                links, root = _chain(call)
                links, root = _stated(links, root)
                inner |= {id(link) for link in links}
                begun = _begun(ev, scope, links, root) if partly else None
                if made := _search(ev, scope, links, root) if begun is None else _search(ev, scope, links[:-1], begun):
                    found.append(made)
    return sorted(found, key=lambda f: f.place)


def about(ev: Evaluator, value: Value) -> str:
    """The class of records that a query or manager is about."""
    for option in options(ev.settle(value)):
        match option:
            case Instance():
                model = option.argument("model")
                several = (model,) if model is not None else option.arguments[:1] if option.type.startswith("sqlalchemy") else ()
                for arg in several:
                    if isinstance(arg.value, ClassRef) and classes.is_record(ev, arg.value.symbol):
                        return arg.value.symbol
                if (of := fetching.about(ev, option)) is not None:
                    return of.symbol
            case ClassRef(symbol=symbol) if classes.is_record(ev, symbol):
                return symbol  # `Job.get_or_none(...)`
            case External(name=name) if name.endswith(".objects") and uniqueness.is_known(name.removesuffix(".objects")):
                return name.removesuffix(".objects")
            case _:
                pass
    return ""


def _begun(ev: Evaluator, scope: Scope, links: list[ir.Call], root: ir.Expr) -> ir.Call | None:
    """The call of the project's own method of a manager that gives a query, which locks nothing, and is then narrowed further."""
    if len(links) < 2 or not isinstance(root, ir.Name | ir.Attribute):
        return None
    called = [ev.project.scopes[f.symbol] for f in options(ev.value(links[-1].func, scope)) if isinstance(f, FunctionRef)]
    if not called or any(last_word(c.func) in _LOCKING for f in called for s in f.statements for e in expressions(s) for c in calls_in(e)):
        return None
    return links[-1] if any(isinstance(v, Instance) for v in options(ev.value(links[-1], scope))) and about(ev, ev.value(links[-1], scope)) else None


def _chain(call: ir.Call) -> tuple[list[ir.Call], ir.Expr]:
    """`a.b().c().d()`: its calls, the last first, and what they start from."""
    links: list[ir.Call] = []
    expr: ir.Expr = call
    while True:
        expr = bare(expr)
        if isinstance(expr, ir.Call) and isinstance(expr.func, ir.Attribute):
            links.append(expr)
            expr = expr.func.base
        elif isinstance(expr, ir.Call):
            return [*links, expr], expr  # select(Job)
        else:
            return links, expr


def _stated(links: list[ir.Call], root: ir.Expr) -> tuple[list[ir.Call], ir.Expr]:
    """`session.execute(select(Job).where(...)).scalar()`: the steps of the statement are those of the query."""
    run = next((link for link in links if last_word(link.func) in _RUNNING and link.args), None)
    if run is None:
        return links, root
    statement = bare(run.args[0])
    more, of = _chain(statement) if isinstance(statement, ir.Call) else ([], statement)
    return [*links, *more], of


def _later(scope: Scope, run: ir.Call) -> str:
    """What is asked of an answer that was kept first: `found = session.execute(...)`, `found.scalar_one_or_none()`."""
    names = {t.id for s in scope.statements if isinstance(s, ir.Assign) and s.value is not None and bare(s.value) is run for t in s.targets if isinstance(t, ir.Name)}
    calls = (c for s in scope.statements if names for e in expressions(s) for c in calls_in(e) if isinstance(c.func, ir.Attribute) and c.func.name in _ASKING)
    return next((c.func.name for c in calls if isinstance(c.func, ir.Attribute) and _chain(c)[1] in [ir.Name(n, _chain(c)[1].at) for n in names]), "")


def _search(ev: Evaluator, scope: Scope, links: list[ir.Call], root: ir.Expr) -> Search | None:
    names = [last_word(link.func) for link in links]
    asks = next((n for name in names if (n := name.removeprefix("a") if name[:1] == "a" and name[1:] in _ASKING | _UPSERTS else name) in _ASKING | _UPSERTS), "")
    if asks == "" and not set(names) & COMPARING:
        return None
    if links and isinstance(root, ir.Name | ir.Attribute) and isinstance(ev.value(links[-1].func, scope), FunctionRef):
        return None  # a function of the project, whatever its name
    symbol = next((s for e in (root, *links[::-1]) if (s := about(ev, ev.value(e, scope)))), "")
    if not symbol:
        return None
    asks = asks or _later(scope, links[0])
    links = [*links, *_earlier(scope, root)]
    equal: dict[str, str] = {}
    ranged = False
    for link in links:
        of_link, more = compared(link)
        equal |= of_link
        ranged = ranged or more
    if any(is_fresh(text) for text in equal.values()) or any(last_word(link.func) in _LOCKING for link in links):
        return None  # nobody else looks for that; or what it finds is locked, and another rule's matter
    counts = asks == "count" or any(last_word(link.func) == "count" for link in links)
    places = frozenset(scope.place(link.at) for link in links)
    changes = frozenset(key.value for link in links for key in _defaults(link) if isinstance(key, ir.Const) and isinstance(key.value, str))
    among = tuple(pair for link in links if last_word(link.func) in COMPARING for pair in _among(link))
    return Search(symbol, asks or names[0], equal, changes, ranged, counts, scope.place(links[0].at), places, overlapping(links), among)


def _among(link: ir.Call) -> Iterator[tuple[str, ir.Expr]]:
    """The columns that a step of a query holds to be one of several: `state__in=OPEN`, `Job.state.in_(open)`."""
    if last_word(link.func) == "exclude":
        return
    for k in link.keywords:
        if k.name and k.name.endswith("__in"):
            yield k.name.removesuffix("__in"), k.value
    for arg in link.args:
        match arg:
            case ir.Call(func=ir.Attribute(base=ir.Attribute(name=column), name="in_"), args=(several, *_)):
                yield column, several
            case _:
                pass


def is_fresh(text: str) -> bool:
    """Whether a value is made anew each time: `uuid4()`, `now()`."""
    return bool(_FRESH & set(text.replace("()", "").split(".")))


def is_literal(text: str) -> bool:
    """Whether a value, as it is written, is a constant or the name of one."""
    return bool(text) and (text[0] in "'\"-0123456789" or text in ("True", "False", "None") or text.rpartition(".")[2].isupper())


def named(call: ir.Call, scope: Scope) -> dict[str, ir.Expr]:
    """What a call gives by name, also by a table that stands in the function: `Job(**{"name": x})`, `Job(**fields)`."""
    found: dict[str, ir.Expr] = {}
    for k in call.keywords:
        if k.name:
            found[k.name] = k.value
            continue
        tables = [k.value]
        if isinstance(k.value, ir.Name):
            tables = [s.value for s in scope.statements if isinstance(s, ir.Assign) and s.value is not None and any(written(t) == k.value.id for t in s.targets)]
        if len(tables) == 1 and isinstance(tables[0], ir.Mapping):
            pairs = zip(tables[0].keys, tables[0].values, strict=True)
            found |= {key.value: value for key, value in pairs if isinstance(key, ir.Const) and isinstance(key.value, str)}
    return found


def plain(column: str, text: str) -> tuple[str, str]:
    """A column and its value without the endings that say the same: `user_id=user.id` is `user=user`."""
    for ending in (".id", ".pk", "_id"):
        text = text.removesuffix(ending)
    return column.removesuffix("_id"), text


def _defaults(link: ir.Call) -> tuple[ir.Expr | None, ...]:
    """The columns that `update_or_create(..., defaults={...})` gives new values."""
    given = link.keyword("defaults")
    return given.keys if isinstance(given, ir.Mapping) else ()


def _earlier(scope: Scope, root: ir.Expr) -> list[ir.Call]:
    """The steps that were kept in a variable before: `query = query.filter(...)`."""
    if not isinstance(root, ir.Name):
        return []
    found: list[ir.Call] = []
    for s in scope.statements:
        if isinstance(s, ir.Assign) and s.value is not None and any(isinstance(t, ir.Name) and t.id == root.id for t in s.targets):
            value = bare(s.value)
            found += _chain(value)[0] if isinstance(value, ir.Call) else []
    return found[: _MORE * 4]


def _joined(condition: ir.Expr) -> list[ir.Expr]:
    """The parts of `(A.x == 1) & (A.y == z)`, `and_(A.x == 1, A.y == z)`."""
    match condition:
        case ir.Binary(op="&", values=values):
            return [part for v in values for part in _joined(v)]
        case ir.Call(func=func, args=args) if last_word(func) == "and_":
            return [part for a in args for part in _joined(a)]
        case _:
            return [condition]


def compared(link: ir.Call) -> tuple[dict[str, str], bool]:
    """The columns that a step of a query holds equal to something, and whether it compares in other ways as well."""
    name = last_word(link.func)
    if name == "exclude":
        return {}, False
    if name not in COMPARING and name.removeprefix("a") not in _COMPARING_TOO:
        return {}, False
    equal: dict[str, str] = {}
    ranged = _named(link, equal)
    for arg in [part for a in link.args for part in _joined(a)]:
        match arg:
            case ir.Compare(ops=("==",), values=(ir.Attribute(name=column), value)):
                equal[column] = written(value)
            case ir.Mapping(keys=keys, values=values):  # of documents: find_one({"email": email})
                equal |= {k.value: written(v) for k, v in zip(keys, values, strict=True) if isinstance(k, ir.Const) and isinstance(k.value, str)}
            case ir.Call(func=func) if last_word(func) == "Q":
                ranged = _named(arg, equal) or ranged
            case ir.Const() | ir.Name() | ir.Unary() | ir.Call(func=ir.Attribute(name="is_" | "is_not" | "isnot" | "in_")):
                pass  # get(7), ~Q(id=mine)
            case _:
                ranged = True
    return equal, ranged


def _named(call: ir.Call, equal: dict[str, str]) -> bool:
    """Notes the columns that keywords hold equal to something; whether they compare in other ways as well."""
    ranged = False
    for keyword in call.keywords:
        if keyword.name and keyword.name != "defaults":
            column, sign = lookup(keyword.name)
            if sign == "=":
                equal[column] = written(keyword.value)
            elif sign == "<":
                ranged = True
    return ranged


def overlapping(links: list[ir.Call]) -> bool:
    """Whether a query asks for rows whose time or room overlaps with another: two columns are held against an order."""
    return len({c for link in links if last_word(link.func) in COMPARING for c, sign in columns.compared(link) if sign == "<"}) > 1
