"""Which columns of a class of records the database keeps unique: what refuses a second row of the same values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import classes
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.spelling import written

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator
    from coordlint.link.code.scopes.project import Scope

Group = frozenset[str]
_IDENTITY = frozenset({"id", "pk", "uuid", "guid", "uid"})
# Records of libraries that programs search and make themselves: what is unique there.
_OF_LIBRARIES: dict[str, tuple[Group, ...]] = {
    "django.contrib.auth.models.User": (frozenset({"username"}),),
    "django.contrib.auth.models.Group": (frozenset({"name"}),),
}
_WHOLE = ("Model", "DeclarativeBase", "DeclarativeBaseNoMeta", "SQLModel", "DeclarativeMeta", "Document")  # of libraries that bring no columns of their own


def is_known(symbol: str) -> bool:
    """Whether a library's class of records is known by its columns."""
    return symbol in _OF_LIBRARIES


def refused_by(ev: Evaluator, symbol: str, equal: Iterable[str], others: Iterable[str], ranged: bool) -> str | None:
    """The unique columns by which the database refuses a second row that is equal in these, or may; "" where none do, None for a class with unknown columns.

    `others` are columns that both rows get as well, maybe with the same values.

    `ranged` asks for rows that overlap, which only a constraint of exclusion refuses.
    """
    given = {_plain(c) for c in equal}
    if given & {"id", "pk"}:
        return "the primary key"
    if symbol in _OF_LIBRARIES:
        found, whole = list(_OF_LIBRARIES[symbol]), True
    else:
        above, libraries = classes.ancestry(ev, symbol)
        if not above:
            return None
        found = [g for scope in above for g in groups(scope)]
        whole = all(name.rpartition(".")[2] in _WHOLE for name in libraries)
    covering = next((g for g in found if g and g <= given), None) if not ranged else None
    if covering is not None:
        return ", ".join(sorted(covering))
    both = given | {_plain(c) for c in others}
    perhaps = next((g for g in found if not g or (g & given and not g <= _IDENTITY) or (g <= both and not g <= _IDENTITY)), None)
    if perhaps is not None:  # columns that are not all known, or that the two rows may share as well
        return ", ".join(sorted(perhaps)) or "a constraint"
    return "" if whole else None


def is_refused(ev: Evaluator, symbol: str, equal: Iterable[str]) -> bool:
    """Whether it is seen that the database refuses a second row that is equal in these columns."""
    given = {_plain(c) for c in equal}
    found = _OF_LIBRARIES[symbol] if symbol in _OF_LIBRARIES else [g for scope in classes.ancestry(ev, symbol)[0] for g in groups(scope)]
    return any(g and g <= given for g in found)


def all_of(ev: Evaluator, symbol: str) -> list[str]:
    """All columns that are part of what a class declares unique."""
    return sorted({c for scope in classes.ancestry(ev, symbol)[0] for g in groups(scope) for c in g - _IDENTITY})


def groups(scope: Scope) -> Iterator[Group]:
    """The columns, alone or together, that a class declares unique; an empty group for a constraint that is not understood, or holds on a condition."""
    for name, bindings in scope.names.items():
        for b in bindings:
            if isinstance(b.expr, ir.Call) and _is_unique(b.expr):
                together = b.expr.keyword("unique_with")  # of documents
                yield frozenset((_plain(name),)) if together is None else frozenset()
            elif b.annotation is not None and any(isinstance(n, ir.Call) and _is_unique(n) for n in ir.walk(b.annotation)):
                yield frozenset((_plain(name),))  # `email: Indexed(str, unique=True)`
    meta = next((c for c in scope.children if c.kind == "class" and c.symbol.endswith(".Meta")), None)
    if meta is not None:
        for name in ("unique_together", "constraints", "indexes"):
            for b in meta.names.get(name, ()):
                yield from _declared(name, b.expr)
    for b in scope.names.get("meta", ()):
        if isinstance(b.expr, ir.Mapping) and any(isinstance(k, ir.Const) and k.value == "unique" for k in _keys(b.expr)):
            yield frozenset()  # indexes of documents
    for settings in (c for c in scope.children if c.kind == "class" and c.symbol.endswith(".Settings")):
        if "indexes" in settings.names:
            yield frozenset()
    for b in scope.names.get("__table_args__", ()):
        yield from _declared("__table_args__", b.expr)
    if "__table__" in scope.names:
        yield frozenset()


def _keys(table: ir.Expr) -> list[ir.Expr]:
    return [k for n in ir.walk(table) if isinstance(n, ir.Mapping) for k in n.keys if k is not None]


def _is_unique(column: ir.Call) -> bool:
    """`CharField(unique=True)`, `Column(primary_key=True)`, `OneToOneField(...)`; a column may be given inside: `mapped_column(...)`."""
    if last_word(column.func) == "OneToOneField":
        return True
    marks = (column.keyword("unique"), column.keyword("primary_key"), column.keyword("pk"))
    return any(isinstance(m, ir.Const) and m.value is True for m in marks) or column.keyword("unique_with") is not None


def _declared(where: str, expr: ir.Expr | None) -> Iterator[Group]:
    """The groups of `unique_together`, `constraints`, or `__table_args__`."""
    if not isinstance(expr, ir.Sequence):
        if isinstance(expr, ir.Mapping) and where == "__table_args__":
            return  # options of the table only
        yield frozenset()
        return
    if where == "unique_together":
        several = (expr,) if any(isinstance(i, ir.Const) for i in expr.items) else expr.items
        for group in several:
            yield _columns(group.items if isinstance(group, ir.Sequence) else ())
        return
    for made in expr.items:
        match made:
            case ir.Call(func=func) if last_word(func) in ("UniqueConstraint", "PrimaryKeyConstraint"):
                fields = made.keyword("fields")
                named = fields.items if isinstance(fields, ir.Sequence) else made.args
                yield frozenset() if made.keyword("condition") is not None else _columns(named)
            case ir.Call(func=func) if last_word(func) == "Index" and isinstance(made.keyword("unique"), ir.Const):
                partial = any(k.name.endswith("_where") for k in made.keywords)
                yield frozenset() if partial else _columns(made.args[1:])
            case ir.Call(func=func) if last_word(func) in ("ExclusionConstraint", "ExcludeConstraint"):
                yield frozenset()
            case ir.Sequence(items=(ir.Sequence(items=fields), ir.Const(value=True))):
                yield _columns(fields)  # peewee: indexes = ((("a", "b"), True),)
            case ir.Call() | ir.Mapping() | ir.Sequence():
                pass  # checks, plain indexes, options
            case _:
                yield frozenset()


def _columns(named: Iterable[ir.Expr]) -> Group:
    """The columns of a constraint; none when one of them is not a plain name."""
    found = []
    for one in named:
        if isinstance(one, ir.Const) and isinstance(one.value, str):
            found.append(_plain(one.value))
        elif isinstance(one, ir.Name | ir.Attribute):
            found.append(_plain(written(one).rpartition(".")[2]))
        else:
            return frozenset()
    return frozenset(found)


def _plain(column: str) -> str:
    """`user_id` and `user` are one column; of `user__email` it is the first part that stands in the table."""
    first = column.partition("__")[0]
    return first.removesuffix("_id") or first
