"""Answers that a function keeps in its process: given back from there when they are, made and put there when they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from coordlint import ir
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import statements
from coordlint.source import Place, Span

_LOOKS = frozenset({"get", "peek"})
_ORDER = frozenset({"<", "<=", ">", ">="})
_PUTS = frozenset({"setdefault", "update", "put", "set"})


def kept_answer(scope: Scope) -> Place | None:
    """Where a function gives back what an earlier call of it kept, before it does its work: `if key in kept: return kept[key]`.

    What is kept stands in something that outlives the call: an attribute, a name of the module, an entry of one.
    """
    if scope.kind != "function":
        return None
    body = statements(scope.function.body)
    filled = dict(_fills(scope, body))
    copies = dict(_copies(body))
    for answer in _early(body):
        store = _stands_in(answer.value) if answer.value is not None else ""
        store = copies.get(store, store)
        if filled.get(store, 0) > answer.at.line:
            return scope.place(answer.at)
    return _from_a_block(body, scope.place)


def _from_a_block(body: list[ir.Stmt], at: Callable[[Span], Place]) -> Place | None:
    """Where a function gives the next number of a block that its object keeps: a bound tells whether there is one, and only behind it a new block is drawn."""
    counted = {written(s.target): s.at.line for s in body if isinstance(s, ir.Augment) and isinstance(s.target, ir.Attribute)}
    if not counted:
        return None
    names: dict[str, set[str]] = {store: {store} for store in counted}
    for s in body:
        if isinstance(s, ir.Assign) and isinstance(s.value, ir.Binary | ir.Attribute):
            for store in counted.keys() & {written(n) for n in ir.walk(s.value) if isinstance(n, ir.Attribute)}:
                names[store] |= {target.id for target in s.targets if isinstance(target, ir.Name)}
    answers = [s for s in body if isinstance(s, ir.Return) and s.value is not None]
    for test, first, last in _bounds(body):
        sides = {written(side) for side in test.values if isinstance(side, ir.Name | ir.Attribute)}
        for store, line in counted.items():
            given = next((a for a in answers if a.value is not None and names[store] & {written(n) for n in ir.walk(a.value) if isinstance(n, ir.Name | ir.Attribute)}), None)
            if given is None or not sides & names[store]:
                continue
            is_early = first <= line <= last and first <= given.at.line <= last  # while there is one: counted and given inside
            is_late = line > last and given.at.line > last  # when there is none: drawn inside, counted and given behind
            if is_early or is_late:
                return at(given.at)
    return None


def _bounds(body: list[ir.Stmt]) -> Iterator[tuple[ir.Compare, int, int]]:
    """The comparisons of order on which something is done, with the first and the last line of it."""
    for s in body:
        for branch in s.branches[:1] if isinstance(s, ir.If) else ():
            if isinstance(branch.test, ir.Compare) and all(op in _ORDER for op in branch.test.ops):
                lines = [inner.at.line for inner in statements(branch.body)]
                yield branch.test, min(lines), max(lines)


def made_once(scope: Scope) -> tuple[str, ...]:
    """Attributes and names of the module that a function fills with what a call makes, where a test finds them empty: `if _zk is None: _zk = Client()`."""
    body = statements(scope.function.body)
    shared = {name for s in body if isinstance(s, ir.Global) for name in s.names}
    made: set[str] = set()
    for branch in (b for s in body if isinstance(s, ir.If) for b in s.branches):
        looked = {written(n) for n in ir.walk(branch.test) if isinstance(n, ir.Name | ir.Attribute)}
        for s in statements(branch.body):
            if isinstance(s, ir.Assign) and isinstance(s.value, ir.Call | ir.Await):
                made |= {written(t) for t in s.targets if _outlives(scope, t, shared, entry=False)} & looked
    return tuple(sorted(made))


def _fills(scope: Scope, body: list[ir.Stmt]) -> Iterator[tuple[str, int]]:
    """What outlives the call and is filled, with the line."""
    shared = {name for s in body if isinstance(s, ir.Global) for name in s.names}
    for s in body:
        if isinstance(s, ir.Assign) and s.value is not None and not isinstance(s.value, ir.Const):
            for target in s.targets:
                into = target.base if isinstance(target, ir.Index) else target
                if _outlives(scope, into, shared, entry=into is not target):
                    yield written(into), s.at.line
        elif isinstance(s, ir.Evaluate) and isinstance(s.value, ir.Call) and isinstance(s.value.func, ir.Attribute) and s.value.func.name in _PUTS:
            into = s.value.func.base
            if len(s.value.args) + len(s.value.keywords) >= 1 and _outlives(scope, into, shared, entry=True):
                yield written(into), s.at.line


def _copies(body: list[ir.Stmt]) -> Iterator[tuple[str, str]]:
    """Local names and what they were taken from: `hit = self.kept.get(key)`."""
    for s in body:
        if isinstance(s, ir.Assign) and s.value is not None and (store := _stands_in(s.value)):
            yield from ((target.id, store) for target in s.targets if isinstance(target, ir.Name))


def _outlives(scope: Scope, into: ir.Expr, shared: set[str], entry: bool) -> bool:
    if isinstance(into, ir.Name):
        return into.id in shared or (entry and into.id not in scope.names)
    return isinstance(into, ir.Attribute) and bool(written(into))


def _early(body: list[ir.Stmt]) -> Iterator[ir.Return]:
    """What is returned on a condition."""
    for s in body:
        if isinstance(s, ir.If):
            for branch in s.branches:
                yield from (inner for inner in statements(branch.body) if isinstance(inner, ir.Return))


def _stands_in(value: ir.Expr) -> str:
    """What a value is taken from, as written: "self.kept" of `self.kept[key]`, `self.kept.get(key)`, `self.kept`."""
    match value:
        case ir.Index(base=base) | ir.Await(value=base):
            return _stands_in(base)
        case ir.Call(func=ir.Attribute(base=base, name=name)) if name in _LOOKS:
            return _stands_in(base)
        case ir.Name() | ir.Attribute():
            return written(value)
        case _:
            return ""
