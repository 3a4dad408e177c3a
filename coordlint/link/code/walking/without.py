"""Whether a wrapper goes on to the work also on the way on which its lock was refused: to the yield, to the function it decorates, to the end of `__enter__`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from coordlint import ir
from coordlint.link.code.calls.trace import Draft
from coordlint.link.code.evaluation.values import Instance
from coordlint.link.code.flow.usage import bare, calls_in, ends, last_word, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions
from coordlint.source import Place

_BEFORE, _MAYBE, _REFUSED, _SURE, _GONE = "before", "maybe", "refused", "sure", "gone"
"""Where a way stands: before the acquire, behind it, where it was refused, where it is held or nobody knows, and nowhere any more."""

_LOGS = frozenset("debug info warning warn error exception critical log msg print echo write sleep format".split())
_MOST = 400  # statements of one function


class Hit(NamedTuple):
    """What is reached without the lock, and whether the answer goes along."""

    place: Place
    tells: bool


def at_yield(scope: Scope, d: Draft) -> Hit | None:
    """The `yield` of a context manager."""
    return _Ways(scope, d, lambda node: isinstance(node, ir.Yield)).first()


def at_calls(scope: Scope, d: Draft, calls: frozenset[Place]) -> Hit | None:
    """A call of the function that a decorator was given."""
    return _Ways(scope, d, lambda node: isinstance(node, ir.Call) and scope.place(node.at) in calls).first()


def at_end(scope: Scope, d: Draft) -> Hit | None:
    """The end of a function that enters."""
    ways = _Ways(scope, d, lambda node: False, ends_count=True)
    return ways.first() or (Hit(d.acquired, False) if ways.state in (_MAYBE, _REFUSED) else None)


def _answers_elsewhere(d: Draft) -> bool:
    """Whether the acquire's answer is fetched in a further step: a row of SQL, the list that a pipeline gives."""
    queued = isinstance(d.owner, Instance) and "pipeline" in d.owner.type.lower()
    return queued or "advisory" in d.lock.backend or d.lock.backend in ("mysql-get-lock", "database-row")


class _Ways:
    def __init__(self, scope: Scope, d: Draft, wanted: Callable[[ir.Expr], bool], *, ends_count: bool = False) -> None:
        self.scope, self.d, self.wanted, self.ends_count = scope, d, wanted, ends_count
        self.hits: list[Hit] = []
        self.left = _MOST
        self.state = _BEFORE

    def first(self) -> Hit | None:
        """The first thing that is wanted and reached without the lock."""
        if self.d.how != "acquire" or self.d.can_fail is not True or self.d.loop or not isinstance(self.scope.node, ir.Function) or _answers_elsewhere(self.d):
            return None
        self.state = self.block(self.scope.function.body, _BEFORE)
        return self.hits[0] if self.hits and self.left > 0 else None

    def block(self, body: tuple[ir.Stmt, ...], state: str) -> str:
        """How a way that comes to a block leaves it."""
        for s in body:
            self.left -= 1
            if state == _GONE or self.left <= 0:
                return state
            state = self.statement(s, state)
        return state

    def statement(self, s: ir.Stmt, state: str) -> str:
        """How a way that comes to a statement leaves it."""
        match s:
            case ir.Function() | ir.Class():
                return state
            case ir.If():
                return self._if(s, state)
            case ir.Loop(test=test, body=body):
                state = self.expression(test, state)
                if self._is_about(test) or any(self._takes(e) for x in body for e in expressions(x)):
                    return _SURE
                self.block(body, state)
                return state
            case ir.With(items=items, body=body):
                for item in items:
                    state = self.expression(item.context, state)
                return self.block(body, state)
            case ir.Try(body=body, orelse=orelse, final=final):
                behind = self.block(orelse, self.block(body, state))
                if behind == _GONE and not ends(s.final) and any(not ends(h.body) for h in s.handlers):
                    behind = _SURE  # a handler goes on, and nobody knows from where
                return self.block(final, behind) if ends(final) else behind
            case ir.Assert(test=test):
                state = self.expression(test, state)
                return _SURE if self._is_about(test) else state
            case ir.Return(value=value):
                state = self.expression(value, state) if value is not None else state
                if self.ends_count and state in (_MAYBE, _REFUSED):
                    self.hits.append(Hit(self.scope.place(s.at), self._tells(value)))
                return _GONE
            case ir.Raise() | ir.Jump():
                return _GONE
            case ir.Assign() if state == _REFUSED:
                return _SURE  # what is noted here may be asked later
            case _:
                for expr in expressions(s):
                    state = self.expression(expr, state)
                return state

    def expression(self, expr: ir.Expr, state: str) -> str:
        """Notes what an expression comes to, and whether somebody else is asked."""
        for node in ir.walk(expr):
            if state in (_MAYBE, _REFUSED) and self.wanted(node) and not self._chooses(expr):
                self.hits.append(Hit(self.scope.place(node.at), self._tells(node.value if isinstance(node, ir.Yield) else None)))
        if self._takes(expr):
            return _MAYBE if state == _BEFORE and isinstance(bare(expr), ir.Call) and self.scope.place(bare(expr).at) == self.d.acquired else _SURE
        others = [c for c in calls_in(expr) if last_word(c.func) not in _LOGS and not self.wanted(c)]
        if (state == _REFUSED and others) or (state == _MAYBE and any(names_in(a) & self.d.names for c in others for a in c.args)):
            return _SURE  # it may raise
        return state

    def _if(self, s: ir.If, state: str) -> str:
        behind: list[str] = []
        for branch in s.branches:
            if self._takes(branch.test):
                state = _MAYBE
            sign = self._verdict(branch.test) if state == _MAYBE else None
            if state == _MAYBE and sign is None and self._is_about(branch.test):
                behind.append(self.block(branch.body, _SURE))
                state = _SURE
                continue
            behind.append(self.block(branch.body, state if sign is None else _SURE if sign else _REFUSED))
            state = state if sign is None else _REFUSED if sign else _SURE
        behind.append(self.block(s.orelse, state))
        left = [b for b in behind if b != _GONE]
        return _GONE if not left else _MAYBE if {_MAYBE, _REFUSED} & set(left) else left[-1]

    def _verdict(self, test: ir.Expr) -> bool | None:
        """Whether a test that is true means that the lock is held; None where it is about something else as well, or not about it."""
        test = bare(test)
        match test:
            case ir.Unary(op="not", value=inner):
                found = self._verdict(inner)
                return None if found is None else not found
            case ir.Compare(ops=("is" | "==",), values=(left, ir.Const(value=False | None))):
                found = self._verdict(left)
                return None if found is None else not found
            case ir.Call() if self.scope.place(test.at) == self.d.acquired:
                return not self.d.is_denial
            case ir.Name() | ir.Attribute() if written(test) in self.d.names:
                return not self.d.is_denial
            case _:
                return None

    def _is_about(self, expr: ir.Expr) -> bool:
        said = names_in(expr)
        return bool(said & self.d.names) or self._takes(expr) or bool(self.d.written and any(n.startswith(f"{self.d.written}.") for n in said))

    def _takes(self, expr: ir.Expr) -> bool:
        return any(self.scope.place(c.at) == self.d.acquired for c in calls_in(expr))

    def _chooses(self, expr: ir.Expr) -> bool:
        """Whether an expression asks for itself: `work() if got else None`."""
        return any(isinstance(node, ir.Conditional | ir.Binary) and self._is_about(node) for node in ir.walk(expr))

    def _tells(self, value: ir.Expr | None) -> bool:
        if value is None:
            return False
        return bool(names_in(value) & self.d.names) or (isinstance(bare(value), ir.Const) and not getattr(bare(value), "value", True)) or written(value) in ("self", self.d.written)
