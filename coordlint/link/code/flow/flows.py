"""What flows into what inside one function, by names: enough to see a token or a read value reach a write."""

from __future__ import annotations

from collections import defaultdict

from coordlint import ir
from coordlint.link.code.flow.usage import calls_in, ends, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions, statements
from coordlint.source import Place

_LEAVES = ("return", "raise", "exit")


class Flow:
    """Which names are computed from which; the order of statements is not looked at.

    `towards` a call, what happens in the other branches of the decisions around it is left out, and in those that end the function before.
    """

    def __init__(self, scope: Scope, towards: Place | None = None) -> None:
        self.scope = scope
        self._towards = towards
        self._from: dict[str, set[str]] = defaultdict(set)
        self._of_call: dict[Place, set[str]] = {}
        self._counted: set[str] = set()
        self.records: set[str] = set()  # names of rows that a query of the function gave
        self.body = scope.function.body if isinstance(scope.node, ir.Function) else scope.node.body
        self._block(self.body)

    def _block(self, body: tuple[ir.Stmt, ...]) -> None:
        for s in body:
            match s:
                case ir.Assign(targets=targets, value=value) if value is not None:
                    self._flow(value, [n for t in targets for n in _names(t)])
                    if any(counts(node) for node in ir.walk(value)):
                        self._counted |= {n for t in targets for n in _names(t)}
                case ir.Augment(target=target, op=op, value=value):
                    self._flow(value, _names(target))
                    if is_number(value) or (op.startswith("-") and isinstance(value, ir.Name | ir.Attribute)):
                        self._counted |= set(_names(target))
                    self._from[written(target)] |= {written(target)}
                case ir.Loop(target=target, test=test) if target is not None:
                    self._flow(test, _names(target))
                case ir.With(items=items):
                    for item in items:
                        if item.target is not None:
                            self._flow(item.context, _names(item.target))
                case _:
                    pass
            for expr in expressions(s):
                for node in ir.walk(expr):
                    if isinstance(node, ir.Walrus):
                        self._flow(node.value, [node.name])
                    elif isinstance(node, ir.Comprehension):
                        for target, source in zip(node.targets, node.sources, strict=True):
                            self._flow(source, _names(target))
                self._collected(expr)
            inner = blocks(s)
            if self._towards is not None and isinstance(s, ir.If):
                inner = tuple(b for b in inner if within(b, self._towards)) or tuple(b for b in inner if ends(b) not in _LEAVES)
            for block in inner:
                self._block(block)

    def _collected(self, expr: ir.Expr) -> None:
        """`rows.append(x)`, `d.update(x)`: what is put in flows into the collection."""
        for call in calls_in(expr):
            if isinstance(call.func, ir.Attribute) and call.func.name in ("append", "add", "update", "extend", "insert", "setdefault"):
                base = written(call.func.base)
                for arg in call.args:
                    self._from[base] |= names_in(arg)

    def _flow(self, value: ir.Expr, targets: list[str]) -> None:
        mentioned = names_in(value)
        for call in calls_in(value):
            if ".objects." in written(call.func):
                self.records |= set(targets)
            self._of_call.setdefault(self.scope.place(call.at), set()).update(targets)
        for target in targets:
            self._from[target] |= mentioned

    def towards(self, call: Place) -> Flow:
        """The same without what happens in other branches than the one in which a call stands."""
        return Flow(self.scope, call)

    def names_of(self, call: Place) -> set[str]:
        """Every name that a call's result flows into."""
        reached = set(self._of_call.get(call, ()))
        grown = True
        while grown and reached:
            more = {t for t, sources in self._from.items() if t not in reached and sources & reached}
            grown = bool(more)
            reached |= more
        return reached

    def assigned(self, call: Place) -> set[str]:
        """The names to which a call's result is given at once."""
        return set(self._of_call.get(call, ()))

    def within(self, base: str) -> set[str]:
        """The attributes of a name that the function mentions: "app.state"."""
        every = {*self._from, *(n for sources in self._from.values() for n in sources)}
        return {n for n in every if n.startswith(f"{base}.")}

    def replaced(self, names: set[str], read: Place, at: Place) -> set[str]:
        """Which of these names get another value on every way from the read to a call: a miss that is computed anew."""
        last: dict[str, ir.Expr] = {}
        for s in self.before(at):
            if isinstance(s, ir.Assign) and s.value is not None and s.at.line > read.line:
                targets = [i for t in s.targets for i in (t.items if isinstance(t, ir.Sequence) else (t,))]
                last.update((t.id, s.value) for t in targets if isinstance(t, ir.Name))
        return {n for n in names & last.keys() if not names_in(last[n]) & names}

    def _before(self, body: tuple[ir.Stmt, ...], at: Place) -> list[ir.Stmt] | None:
        """The statements that always run before a call, in order; None when the call is not in this body."""
        for position, s in enumerate(body):
            if any(self.scope.place(c.at) == at for expr in expressions(s) for c in calls_in(expr)):
                return list(body[:position])
            for block in blocks(s):
                if (inner := self._before(block, at)) is not None:
                    return [*body[:position], *inner]
        return None

    def before(self, at: Place) -> list[ir.Stmt]:
        """The statements that always run before a call, in order."""
        return self._before(self.body, at) or []

    def looks_up(self, names: set[str], field: str | None) -> bool:
        """Whether an entry of one of these names is asked for by a known name: `crew["mate"]`, `crew.get("mate")`."""
        nodes = (n for s in statements(self.body) for e in expressions(s) for n in ir.walk(e))
        return field is not None and any(_entry(n) == field and names & names_in(n) for n in nodes)

    def is_counted(self, names: set[str]) -> bool:
        """Whether a number is added to one of these names or taken away from it: `n += 1`, `n = int(found) + 1`, `left = found - amount`."""
        return bool(names & self._counted)

    def sources(self, names: set[str]) -> set[str]:
        """These names and all from which they are computed."""
        reached, todo = set(names), list(names)
        while todo:
            more = self._from.get(todo.pop(), set()) - reached
            reached |= more
            todo += more
        return reached

    def spread(self, names: set[str]) -> set[str]:
        """These names and all that is computed from them."""
        reached = set(names)
        grown = True
        while grown and reached:
            more = {t for t, sources in self._from.items() if t not in reached and sources & reached}
            grown = bool(more)
            reached |= more
        return reached


def _entry(node: ir.Expr) -> str:
    match node:
        case ir.Index(index=ir.Const(value=str(name))) | ir.Call(func=ir.Attribute(name="get"), args=(ir.Const(value=str(name)), *_)):
            return name
        case _:
            return ""


def counts(node: ir.Expr) -> bool:
    """`a + 1`, `a - b`; adding two names may as well join two texts."""
    if not isinstance(node, ir.Binary) or node.op not in ("+", "-"):
        return False
    return any(is_number(v) for v in node.values) or (node.op == "-" and all(isinstance(v, ir.Name | ir.Attribute) for v in node.values))
def within(body: tuple[ir.Stmt, ...], place: Place) -> bool:
    """Whether a place stands in these statements."""
    at = place.span
    return any((s.at.line, s.at.column) <= (at.line, at.column) < (s.at.end_line, s.at.end_column) for s in statements(body))


def is_number(value: ir.Expr) -> bool:
    """Whether an expression is a number as it stands there."""
    return isinstance(value, ir.Const) and isinstance(value.value, int | float) and not isinstance(value.value, bool)


def _names(target: ir.Expr) -> list[str]:
    match target:
        case ir.Sequence(items=items):
            return [n for i in items for n in _names(i)]
        case ir.Starred(value=value):
            return _names(value)
        case ir.Index(base=base):
            return [written(base)]
        case _:
            return [written(target)]
