"""What becomes of one field of a row inside a function: read out of it, computed with, put back into it."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from coordlint import ir
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.wording import words

_ARITHMETIC = frozenset({"+", "-", "*", "/", "//", "%", "|", "&"})
# What spells a value anew, or takes it out of what it is packed in, and leaves it what it is.
_SPELLS = frozenset("int float str bytes Decimal round abs max min len dumps loads encode decode quantize list dict set tuple sorted copy deepcopy Json Jsonb Fraction".split())
_FETCHES = frozenset("fetchone fetchall fetchmany one one_or_none first all mappings next to_list".split())
_CELLS = frozenset("fetchval scalar scalar_one scalar_one_or_none".split())
_GROWS = frozenset("append add remove discard update pop popitem clear extend insert setdefault sort".split())
_COPIES = frozenset({"dict", "next", "copy", "deepcopy", "cast", "list", "loads"})


class Holds(IntEnum):
    """How much of the field an expression holds, from nothing to a new value that is computed from the old one."""

    NOTHING = 0
    RESULT = 1  # a cursor, or several rows
    ROW = 2
    OLD = 3
    COMPUTED = 4


class Derived:
    """Follows one read through the statements of a function, in their order.

    `source` tells what a call gives; `field` is the column ("" is any), `position` its place in the select list (None where that is not known).
    """

    def __init__(self, source: Callable[[ir.Call], Holds], field: str, position: int | None, only: bool) -> None:
        self._source, self._field, self._position, self._only = source, field, position, only
        self._names: dict[str, Holds] = {}
        self.changed: dict[str, str] = {}  # a row whose field got a new value -> that field

    def follow(self, body: tuple[ir.Stmt, ...], until: int) -> None:
        """Reads the statements that begin before a line."""
        for s in statements(body):
            if s.at.line > until:
                break
            match s:
                case ir.Assign(targets=targets, value=value) if value is not None:
                    for target in targets:
                        self._give(target, value)
                case ir.Augment(target=target, op=op, value=value):
                    self._augment(target, op.rstrip("="), value)
                case ir.Loop(target=target, test=test) if target is not None:
                    self._each(target, test)
                case ir.With(items=items):
                    for item in items:
                        if item.target is not None:
                            self._give(item.target, item.context)
                case _:
                    pass
            for expr in expressions(s):
                for node in ir.walk(expr):
                    if isinstance(node, ir.Walrus):
                        self._names[node.name] = self.holds(node.value)
            self._grown(s)

    def holds(self, expr: ir.Expr) -> Holds:
        """What an expression holds, as far as the function was followed."""
        match bare(expr):
            case ir.Name(id=name):
                return self._names.get(name, Holds.NOTHING)
            case ir.Attribute(base=base, name=name):
                return self._names.get(written(expr)) or self._part(self.holds(base), name)
            case ir.Index(base=base, index=index):
                return self._names.get(written(expr)) or self._entry(self.holds(base), index, base)
            case ir.Binary(op=op, values=values):
                most = max(map(self.holds, values), default=Holds.NOTHING)
                return Holds.COMPUTED if op in _ARITHMETIC and most >= Holds.OLD else most
            case ir.Conditional(yes=yes, no=no):
                return max(self.holds(yes), self.holds(no))
            case ir.Unary(op=op, value=value) if op != "not":
                return self.holds(value)
            case ir.Call() as call:
                return self._call(call)
            case ir.Mapping() as mapping:
                return self._mapping(mapping)
            case ir.Sequence(items=items):
                inner = max(map(self.holds, items), default=Holds.NOTHING)
                return inner if inner >= Holds.OLD else Holds.NOTHING
            case ir.Comprehension(sources=sources, tests=tests) if tests and any(self.holds(s) >= Holds.OLD for s in sources):
                return Holds.COMPUTED
            case _:
                return Holds.NOTHING

    def _call(self, call: ir.Call) -> Holds:
        given = self._source(call)
        if given:
            return given
        name = last_word(call.func)
        base = self.holds(call.func.base) if isinstance(call.func, ir.Attribute) else Holds.NOTHING
        if base is Holds.RESULT and (name in _FETCHES or name in _CELLS):
            return Holds.OLD if name in _CELLS and (self._only or not self._field) else Holds.ROW
        if base is Holds.ROW and name == "get" and call.args:
            return self._entry(base, call.args[0], None)
        inner = max(map(self.holds, call.args), default=Holds.NOTHING)
        if name in _SPELLS or name in _COPIES:
            return max(inner, base if base >= Holds.OLD or name in ("copy", "mappings") else Holds.NOTHING)
        if name[:1].isupper():  # an object made from the row: `Account(**row)`, `Account(balance=row[1])`
            told = [self.holds(k.value) for k in call.keywords if not k.name or self._is(k.name)]
            spread = [self.holds(a.value) for a in call.args if isinstance(a, ir.Starred)]
            return Holds.ROW if any(h >= Holds.ROW for h in (*told, *spread)) else Holds.NOTHING
        return Holds.NOTHING

    def _mapping(self, mapping: ir.Mapping) -> Holds:
        """`{**row, "n": row["n"] + 1}`: a new row."""
        kept = [self.holds(v) for k, v in zip(mapping.keys, mapping.values, strict=True) if k is None]
        own = [self.holds(v) for k, v in zip(mapping.keys, mapping.values, strict=True) if isinstance(k, ir.Const) and self._is(str(k.value))]
        return max((*kept, *own), default=Holds.NOTHING)

    def _is(self, name: str) -> bool:
        return not self._field or name == self._field

    def _part(self, base: Holds, name: str) -> Holds:
        if base is Holds.ROW and self._is(name):
            return Holds.OLD
        return Holds.NOTHING

    def _entry(self, base: Holds, index: ir.Expr, of: ir.Expr | None) -> Holds:
        if base >= Holds.OLD:
            return base
        if base is Holds.NOTHING or not isinstance(index, ir.Const):
            return Holds.NOTHING
        if isinstance(index.value, str):
            if index.value == "Item" and base is Holds.RESULT:
                return Holds.ROW  # in the response of DynamoDB
            return self._part(base, index.value)
        several = of is not None and isinstance(bare(of), ir.Call) and last_word(bare(of).func) in ("fetchall", "fetchmany", "all", "fetch")  # type: ignore[union-attr]
        if base is Holds.RESULT or several:
            return Holds.ROW
        return Holds.OLD if index.value == self._position or (self._only and index.value == 0) else Holds.NOTHING

    def _give(self, target: ir.Expr, value: ir.Expr) -> None:
        if isinstance(target, ir.Sequence):
            self._unpack(target, value)
            return
        held = self.holds(value)
        if isinstance(target, ir.Index | ir.Attribute):
            self._put(target, held)
        elif held or written(target) in self._names:
            name = written(target)
            self._names = {n: h for n, h in self._names.items() if not n.startswith((f"{name}.", f"{name}["))}
            self._names[name] = held

    def _put(self, target: ir.Index | ir.Attribute, held: Holds) -> None:
        """`row["n"] = x`, `row.n = x`; a part of a document that was read changes the document."""
        base = self.holds(target.base)
        name = target.name if isinstance(target, ir.Attribute) else str(target.index.value) if isinstance(target.index, ir.Const) else ""
        if base is Holds.ROW and name and self._is(name):
            self._names[written(target)] = held
            if held is Holds.COMPUTED:
                self.changed[written(target.base)] = name
        elif base >= Holds.OLD:
            self._raise(target.base)

    def _raise(self, expr: ir.Expr) -> None:
        """What an expression names holds a new value from here on."""
        while isinstance(expr, ir.Index) and written(expr) not in self._names and self.holds(expr.base) >= Holds.OLD:
            expr = expr.base
        self._names[written(expr)] = Holds.COMPUTED
        if isinstance(expr, ir.Index | ir.Attribute) and self.holds(expr.base) is Holds.ROW:
            name = expr.name if isinstance(expr, ir.Attribute) else str(expr.index.value) if isinstance(expr.index, ir.Const) else ""
            self.changed[written(expr.base)] = name

    def _unpack(self, target: ir.Sequence, value: ir.Expr) -> None:
        held = self.holds(value)
        inner = bare(value)
        if isinstance(inner, ir.Sequence) and len(inner.items) == len(target.items):
            for one, given in zip(target.items, inner.items, strict=True):
                self._give(one, given)
            return
        for at, one in enumerate(target.items):
            if held in (Holds.RESULT, Holds.ROW) and isinstance(one, ir.Name):
                same = at == self._position if self._position is not None else self._only or words(self._field) <= words(one.id)
                self._names[one.id] = Holds.OLD if same and self._field else Holds.NOTHING

    def _each(self, target: ir.Expr, test: ir.Expr) -> None:
        held = self.holds(test)
        if held in (Holds.RESULT, Holds.ROW):
            if isinstance(target, ir.Sequence):
                self._unpack(target, test)
            else:
                self._names[written(target)] = Holds.ROW

    def _augment(self, target: ir.Expr, op: str, value: ir.Expr) -> None:
        if op in _ARITHMETIC and self.holds(target) >= Holds.OLD:
            self._raise(target)

    def _grown(self, s: ir.Stmt) -> None:
        """`tags.append(x)` where `tags` was read."""
        if isinstance(s, ir.Evaluate):
            call = bare(s.value)
            if isinstance(call, ir.Call) and isinstance(call.func, ir.Attribute) and call.func.name in _GROWS and self.holds(call.func.base) >= Holds.OLD:
                self._raise(call.func.base)
