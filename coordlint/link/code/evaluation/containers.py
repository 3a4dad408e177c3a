"""Dicts, lists and their like: what is in them, what was put in later, and what their methods give back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import attributes, called, calling, classes, injecting, outside
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    ClassRef,
    Environment,
    External,
    FunctionRef,
    Instance,
    Items,
    Literal,
    Object,
    Pattern,
    Result,
    Table,
    Unknown,
    Value,
    as_pattern,
    one_of,
    options,
)
from coordlint.link.code.scopes.filling import DEEPEST, Fill
from coordlint.link.code.scopes.project import Scope

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

MOST_ENTRIES = 200
MOST_COMPUTED = 4
_DICTS = ("builtins.dict", "collections.OrderedDict", "collections.UserDict", "weakref.WeakValueDictionary", "weakref.WeakKeyDictionary")
_LISTS = ("builtins.list", "builtins.set", "builtins.tuple", "builtins.frozenset", "collections.deque", "weakref.WeakSet")
_SAME = ("builtins.sorted", "builtins.reversed", "builtins.filter", "itertools.cycle", "itertools.islice", "copy.copy", "copy.deepcopy", "types.MappingProxyType")
_ONE = ("builtins.next", "builtins.min", "builtins.max", "random.choice", "secrets.choice")


def table(ev: Evaluator, keys: tuple[ir.Expr | None, ...], values: tuple[ir.Expr, ...], scope: Scope) -> Value:
    """A dict display."""
    made: list[tuple[str, Value]] = []
    computed: tuple[Value, ...] = ()
    for key, value in list(zip(keys, values, strict=True))[:MOST_ENTRIES]:
        if key is None:
            inner = ev.settle(ev.value(value, scope))
            made.extend(e for option in options(inner) if isinstance(option, Table) for e in option.entries)
            continue
        named = ev.value(key, scope)
        computed = _with_key(computed, named)
        made.append((_key(named), ev.value(value, scope)))
    return Table(tuple(made), computed)


def comprehension(ev: Evaluator, kind: str, element: ir.Expr, scope: Scope) -> Value:
    """What a comprehension makes: one element stands for all of them."""
    if kind == "dictcomp":
        pair = element.items if isinstance(element, ir.Sequence) else ()
        if len(pair) != 2:
            return UNKNOWN
        named = ev.value(pair[0], scope)
        return Table(((_key(named), ev.value(pair[1], scope)),), _with_key((), named))
    return Items("many", (ev.value(element, scope),)) if kind in ("listcomp", "setcomp", "generatorexp") else UNKNOWN


def _key(value: Value) -> str:
    return str(value.value) if isinstance(value, Literal) else ""


def _with_key(computed: tuple[Value, ...], key: Value) -> tuple[Value, ...]:
    """The computed keys of a dict, with one more if it is one, and not one too many."""
    return (*computed, key) if isinstance(key, Pattern) and key not in computed and len(computed) < MOST_COMPUTED else computed


# -- what is put in later ----------------------------------------------------------------------------------------


def filled(ev: Evaluator, base: Value, fills: list[Fill]) -> Value:
    """A container with what the project puts into it; a name that is no container stays what it is."""
    if not any(isinstance(v, Table | Items) for v in options(base)):
        return base
    made: list[Value | _Growing] = [_growing(v) for v in options(base)]
    for fill in fills:
        value = ev.value(fill.value, fill.scope)
        named = [UNKNOWN if key is None else ev.value(key, fill.scope) for key in fill.keys]
        if len(named) == 1 and isinstance(named[0], Pattern):
            for grown in made:
                if isinstance(grown, _Growing):
                    grown.computed = _with_key(grown.computed, named[0])
        if isinstance(value, Unknown):
            for grown in made if len(named) == 1 and isinstance(named[0], Unknown) else ():
                if isinstance(grown, _Growing) and UNKNOWN not in grown.computed:
                    grown.computed = (*grown.computed, UNKNOWN)  # what else is in there is not known either
            continue
        keys = tuple(_key(key) for key in named)
        made = [v.put(ev, keys, value, fill.spreads) if isinstance(v, _Growing) else _growing(_put(ev, v, keys, value, fill.spreads)) for v in made]
    return one_of([v.table if isinstance(v, _Growing) else v for v in made])


class _Growing:
    """A dict while it is filled: some have hundreds of entries, and a new tuple for each of them would be made hundreds of times."""

    __slots__ = ("computed", "entries", "where")

    def __init__(self, table: Table) -> None:
        self.entries = list(table.entries)
        self.computed = table.computed
        self.where: dict[str, list[int]] = {}
        for at, (key, _) in enumerate(self.entries):
            self.where.setdefault(key, []).append(at)

    @property
    def table(self) -> Table:
        return Table(tuple(self.entries), self.computed)

    def put(self, ev: Evaluator, keys: tuple[str, ...], value: Value, spreads: bool) -> Value | _Growing:
        """What it is with one thing more in it: itself, where a key is named."""
        if not keys:
            return _growing(_put(ev, self.table, keys, value, spreads))
        if len(keys) > DEEPEST or len(self.entries) >= MOST_ENTRIES:
            return self
        key, found = keys[0], self.where.get(keys[0])
        after = _below(ev, UNKNOWN if found is None else self.entries[found[0]][1], keys[1:], value, spreads)
        if found is None:
            self.where[key] = [len(self.entries)]
            self.entries.append((key, after))
        for at in found or ():
            self.entries[at] = (key, after)
        return self


def _growing(value: Value) -> Value | _Growing:
    return _Growing(value) if isinstance(value, Table) else value


def _put(ev: Evaluator, base: Value, keys: tuple[str, ...], value: Value, spreads: bool) -> Value:
    if len(keys) > DEEPEST:
        return base
    if not keys:
        return _spread(ev, base, value) if spreads else one_of([base, value])
    match base:
        case Items(items=items):
            inner = one_of(list(items))
            return Items("many", (_below(ev, inner, keys[1:], value, spreads),))
        case Table(entries=entries) if len(entries) < MOST_ENTRIES:
            before = base.get(keys[0])
            after = _below(ev, UNKNOWN if before is None else before, keys[1:], value, spreads)
            kept = tuple((k, after if k == keys[0] else v) for k, v in entries)
            return Table(kept if before is not None else (*kept, (keys[0], after)), base.computed)
        case _:
            return base


def _below(ev: Evaluator, inner: Value, keys: tuple[str, ...], value: Value, spreads: bool) -> Value:
    if not keys and not spreads:
        return one_of([*[v for v in options(inner) if v != Literal(None) and not _is_none(v)], value])
    holds = [v for v in options(inner) if isinstance(v, Table | Items)] or [Table(())]
    rest = [v for v in options(inner) if not isinstance(v, Table | Items | Unknown)]
    return one_of([*rest, *[_put(ev, v, keys, value, spreads) for v in holds]])


def _spread(ev: Evaluator, base: Value, value: Value) -> Value:
    for more in options(ev.settle(value)):
        match base, more:
            case Table(entries=entries), Table(entries=added):
                base = Table((*[e for e in entries if e[0] not in {k for k, _ in added if k}], *added)[:MOST_ENTRIES], base.computed)
            case Items(items=items), Items(items=added_items):
                base = Items("many", (one_of([*items, *added_items]),))
            case _:
                pass
    return base


def _is_none(value: Value) -> bool:
    return isinstance(value, Literal) and value.value is None


# -- what is taken out -------------------------------------------------------------------------------------------


def item(ev: Evaluator, base: Value, index: ir.Expr, scope: Scope) -> Value:
    """`base[index]`."""
    key = ev.value(index, scope)
    made = one_of([_item(ev, option, key) for option in options(ev.settle(base))])
    made = injecting.provided(ev, base, index, scope) if isinstance(made, Unknown) else made
    return outside.item(ev, key.value) if isinstance(made, Unknown) and isinstance(key, Literal) and isinstance(key.value, str) else made


def _item(ev: Evaluator, base: Value, key: Value) -> Value:
    if isinstance(base, External) and (already := ev.models.instance(base.name)) is not None:
        base = Instance(already, call=base.name)
    match base, key:
        case Table(entries=entries), _:
            return entry(base, key) if entries else UNKNOWN
        case Items(kind="many", items=items), _:
            return one_of(list(items))
        case Items(items=items), Literal(value=int(n)) if -len(items) <= n < len(items):
            return items[n]
        case Items(items=items), _ if not isinstance(key, Literal):
            return one_of(list(items))
        case ClassRef(), _:
            return UNKNOWN if any(name.startswith("enum.") for name in classes.ancestry(ev, base.symbol)[1]) else base  # `Repository[Order]` is the class, whatever it holds
        case External(name="sys.modules"), _:
            return called.imported(ev, key)
        case External(name="os.environ"), _:
            return Environment(as_pattern(key).text)
        case External(name=name), Literal(value=str(k)) if name.endswith(".config"):
            return Environment(k)
        case (Result(), _):
            return base
        case Instance(type=type_name), _:
            model = ev.models.type(type_name)
            of = model.item if model is not None else ""
            return Instance(of, place=base.place) if of else UNKNOWN
        case Object(), _:
            method = attributes.attribute(ev, base, "__getitem__")
            return calling.of_function(ev, method, (), None) if isinstance(method, FunctionRef) else UNKNOWN
        case _:
            return UNKNOWN


def entry(base: Table, key: Value) -> Value:
    """What a dict holds under a key: under any, when the key is not known."""
    if not isinstance(key, Literal):
        return one_of([v for _, v in base.entries])
    found = base.get(str(key.value))
    return one_of([v for k, v in base.entries if not k]) if found is None else found


def part(value: Value, position: int) -> Value:
    """One of the values that `a, b = value` binds."""
    match value:
        case Items(kind="many", items=items):
            return one_of(list(items))
        case Items(items=items) if position < len(items):
            return items[position]
        case Result():
            return value
        case Object(loaded=loaded) if loaded and position == 0:
            return value  # get_or_create gives (record, created)
        case _:
            return UNKNOWN


def method_call(ev: Evaluator, call: ir.Call, scope: Scope) -> Value | None:
    """`d.get(key)`, `d.values()`, `queue.pop()` of a container that is known; None when it is none, or does not give anything back."""
    func = call.func
    if not isinstance(func, ir.Attribute) or func.name not in _METHODS:
        return None
    base = ev.settle(ev.value(func.base, scope))
    holds = [v for v in options(base) if isinstance(v, Table | Items)]
    if not holds or any(not isinstance(v, Table | Items | Literal) for v in options(base)):
        return None
    return one_of([_taken(ev, v, func.name, call, scope) for v in holds])


_METHODS = frozenset("get pop setdefault values items keys copy popitem popleft itervalues iteritems iterkeys".split())


def _taken(ev: Evaluator, base: Table | Items, name: str, call: ir.Call, scope: Scope) -> Value:
    match base, name:
        case Table(), "get" | "pop" | "setdefault" if call.args:
            default = ev.value(call.args[1], scope) if len(call.args) > 1 else UNKNOWN
            found = entry(base, ev.value(call.args[0], scope))
            return one_of([found, default])
        case Table(entries=entries), "values" | "itervalues":
            return Items("many", (one_of([v for _, v in entries]),))
        case Table(entries=entries), "items" | "iteritems":
            return Items("many", (Items("tuple", (names(base), one_of([v for _, v in entries]))),))
        case Table(), "keys" | "iterkeys":
            return Items("many", (names(base),))
        case Table(entries=entries), "popitem":
            return Items("tuple", (names(base), one_of([v for _, v in entries])))
        case Items(items=items), "pop" | "popleft" | "get":
            return one_of(list(items))
        case _, "copy":
            return base
        case _:
            return UNKNOWN


def names(table: Table) -> Value:
    """What its keys are; not known where it was begun with what nobody knows."""
    return UNKNOWN if UNKNOWN in table.computed else one_of([*(Literal(k) for k, _ in table.entries if k), *table.computed])


# -- what makes them ---------------------------------------------------------------------------------------------


def made(ev: Evaluator, name: str, call: ir.Call, scope: Scope) -> Value | None:
    """`dict(...)`, `defaultdict(Queue)`, `zip(a, b)`, `map(function, values)`: None when the function makes no container."""
    first = ev.value(call.args[0], scope) if call.args else None
    if name in _DICTS:
        begun = [v for v in options(ev.settle(first)) if isinstance(v, Table)] if first is not None else []
        spread = [e for v in begun for e in v.entries]
        is_open = (first is not None and not begun) or any(UNKNOWN in v.computed for v in begun) or any(not k.name for k in call.keywords)
        return Table((*spread, *[(k.name, ev.value(k.value, scope)) for k in call.keywords if k.name]), (UNKNOWN,) if is_open else ())
    if name == "collections.defaultdict":
        return Table((("", _default(ev, first, call, scope)),))
    if name in _LISTS:
        return Items("many", (UNKNOWN,)) if first is None else _as_items(ev, first)
    if first is None:
        return None
    if name == "builtins.dict.fromkeys":
        return Table((("", ev.value(call.args[1], scope) if len(call.args) > 1 else UNKNOWN),))
    if name in _SAME:
        return ev.value(call.args[-1] if name == "builtins.filter" else call.args[0], scope)
    if name in _ONE:
        return each(ev, first) if len(call.args) == 1 or name == "builtins.next" else one_of([ev.value(a, scope) for a in call.args])
    if name == "builtins.enumerate":
        return Items("many", (Items("tuple", (UNKNOWN, each(ev, first))),))
    if name == "builtins.zip":
        return Items("many", (Items("tuple", tuple(each(ev, ev.value(a, scope)) for a in call.args)),))
    if name in ("itertools.chain", "itertools.chain.from_iterable"):
        several = [each(ev, ev.value(a, scope)) for a in call.args]
        return Items("many", (one_of([each(ev, v) for v in several] if name.endswith("iterable") else several),))
    if name == "builtins.map" and len(call.args) > 1:
        return Items("many", (_applied(ev, first, call.args[0], call, scope),))
    return None


def _default(ev: Evaluator, factory: Value | None, call: ir.Call, scope: Scope) -> Value:
    if factory is None:
        return UNKNOWN
    if isinstance(call.args[0], ir.Lambda):
        return ev.value(call.args[0].body, scope)
    return calling.result(ev, ir.Call(call.args[0], (), (), call.at), scope)


def _applied(ev: Evaluator, function: Value, written: ir.Expr, call: ir.Call, scope: Scope) -> Value:
    if isinstance(written, ir.Lambda):
        return ev.value(written.body, scope)
    return calling.result(ev, ir.Call(written, (), (), call.at), scope)


def _as_items(ev: Evaluator, value: Value) -> Value:
    known = ev.settle(value)
    if isinstance(known, Items):
        return known
    if any(isinstance(v, Table | Items) for v in options(known)):
        return Items("many", (each(ev, known),))
    return value


def each(ev: Evaluator, value: Value) -> Value:
    """What a loop over a value gives, one for all."""
    return one_of([calling.iterated(ev, v) for v in options(ev.settle(value))])

