"""Which columns a call of a query compares, and which it writes: keywords, comparisons, `Q` objects, dictionaries."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.evaluation.values import Arg, Literal
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.spelling import written

COMPARING = frozenset("where filter filter_by exclude having".split())
WRITING = frozenset("values update aupdate set".split())
EMPTIED = "null"  # how a column is written that is given no value
EQUAL = frozenset({"=", "in", "is"})
_SIGNS = {"==": "=", "is": "is", "in": "in", "!=": "!=", "is not": "!=", "not in": "!="}
_METHODS = {"in_": "in", "is_": "is", "is_not": "!=", "isnot": "!=", "not_in": "!=", "notin_": "!=", "between": "<"}
_LOOKUPS = {"exact": "=", "iexact": "=", "in": "in", "isnull": "is", "lt": "<", "lte": "<", "gt": "<", "gte": "<", "range": "<", "ne": "!="}
_MOST = 12  # columns of one call that are noted

Column = tuple[str, str]


def noted(call: ir.Call) -> tuple[Arg, ...]:
    """What a step of a query says of its columns, to be kept with the query: "?status" compared, "=status" written."""
    name = last_word(call.func)
    if name in COMPARING:
        return tuple(Arg(f"?{column}", Literal(sign)) for column, sign in list(compared(call))[:_MOST])
    if name in WRITING:
        return tuple(Arg(f"={column}", Literal(sign)) for column, sign in list(assigned(call))[:_MOST])
    return ()


def compared(call: ir.Call) -> Iterator[Column]:
    """(column, sign) of each comparison; the sign is "=", "in", "is", "!=" or "<" for every order."""
    turned = "!=" if last_word(call.func) == "exclude" else ""
    for keyword in call.keywords:
        if keyword.name:
            column, sign = lookup(keyword.name)
            yield column, turned or ("is" if sign == "=" and _is_none(keyword.value) else sign)
        elif isinstance(keyword.value, ir.Mapping):
            for key in keyword.value.keys:
                column, sign = lookup(_named(key))
                if column:
                    yield column, turned or sign
    for arg in call.args:
        for column, sign in _in(arg):
            yield column, turned or sign


def _in(expr: ir.Expr) -> Iterator[Column]:
    """Comparisons of columns, however they are joined: `(A.x == 1) & A.y.in_(z)`, `Q(x=1) | Q(y=2)`."""
    for node in ir.walk(expr):
        match node:
            case ir.Compare(ops=(op,), values=(left, right)):
                side = left if isinstance(left, ir.Attribute) else right
                if isinstance(side, ir.Attribute):
                    yield side.name, "is" if op == "==" and _is_none(right) else _SIGNS.get(op, "<")
            case ir.Call(func=ir.Attribute(base=ir.Attribute(name=column), name=name)) if name in _METHODS:
                yield column, _METHODS[name]
            case ir.Call(func=func, keywords=keywords) if last_word(func) == "Q":
                for k in keywords:
                    if k.name:
                        yield lookup(k.name)
            case _:
                pass


def _is_none(value: ir.Expr) -> bool:
    """Whether a column is held against None: that asks whether it has a value at all, as IS NULL does."""
    return isinstance(value, ir.Const) and value.value is None


def lookup(name: str) -> Column:
    """`status__in` of Django and its like: a column and how it is compared."""
    column, _, how = name.rpartition("__")
    if column and how in _LOOKUPS:
        return column, _LOOKUPS[how]
    return name, "="


def _named(key: ir.Expr | None) -> str:
    """A computed name of a column as it is written: `self.field + "__lt"` is "{self.field}__lt"."""
    match key:
        case ir.Const(value=str(text)):
            return text
        case ir.Attribute(base=base, name=name) if not written(base).startswith(("self", "cls")):
            return name  # `Job.status: "done"`
        case ir.Name() | ir.Attribute():
            return f"{{{written(key)}}}"
        case ir.Binary(op="+", values=values):
            return "".join(_named(v) for v in values)
        case ir.Text(parts=parts):
            return "".join(_named(p) for p in parts)
        case _:
            return ""


def assigned(call: ir.Call) -> Iterator[Column]:
    """(column, "=") of each column that gets a new value; "+=" where it is computed from itself."""
    for keyword in call.keywords:
        if keyword.name:
            yield keyword.name, _how(keyword.name, keyword.value)
        elif isinstance(keyword.value, ir.Mapping):
            yield from _entries(keyword.value)
    for arg in call.args:
        if isinstance(arg, ir.Mapping):
            yield from _entries(arg)


_MODIFIERS = {"set": "=", "set_on_insert": "", "unset": EMPTIED, "inc": "+=", "dec": "+=", "mul": "+=", "min": "+=", "max": "+=", "push": "+=", "add_to_set": "+=", "pull": "+="}
_OPTIONS = frozenset("upsert multi write_concern read_concern full_result array_filters".split())


def modified(call: ir.Call) -> Iterator[Column]:
    """The same for an update of documents: `update(set__state="done", inc__tries=1, unset__owner=True, upsert=True)`."""
    for column, how in assigned(call):
        modifier, _, rest = column.partition("__")
        if rest and modifier in _MODIFIERS:
            if _MODIFIERS[modifier]:
                yield rest, how if _MODIFIERS[modifier] == "=" else _MODIFIERS[modifier]
        elif column not in _OPTIONS:
            yield column, how


def _entries(table: ir.Mapping) -> Iterator[Column]:
    for key, value in zip(table.keys, table.values, strict=True):
        if name := _named(key):
            yield name, _how(name, value)


def _how(column: str, value: ir.Expr) -> str:
    """`F("n") + 1` and `Stock.n - 1` count on; None leaves it empty; anything else is a new value."""
    if _is_none(value):
        return EMPTIED
    if isinstance(value, ir.Binary):
        for node in ir.walk(value):
            if isinstance(node, ir.Attribute) and node.name == column:
                return "+="
            if isinstance(node, ir.Call) and last_word(node.func) == "F" and node.args and node.args[0] == ir.Const(column, node.args[0].at):
                return "+="
    return "="
