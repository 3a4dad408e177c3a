"""What a function does with its names: which decide branches, which are returned, read, or passed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from coordlint import ir
from coordlint.coordination import Outcome
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions


class Usage:
    """Names and dotted names of one function, by what happens to them; collected when first asked."""

    def __init__(self, body: tuple[ir.Stmt, ...]) -> None:
        self._body = body

    @cached_property
    def _sets(self) -> _Sets:
        made = _Sets()
        made.block(self._body)
        return made

    @property
    def tested(self) -> set[str]:
        """Names that decide a branch."""
        return self._sets.tested

    @property
    def returned(self) -> set[str]:
        """Names in what is returned."""
        return self._sets.returned

    @property
    def read(self) -> set[str]:
        """Names that are read at all."""
        return self._sets.read

    @property
    def passed(self) -> set[str]:
        """Names that are handed on whole: as an argument, a result or another name's value."""
        return self._sets.passed

    def kept_in(self, names: set[str]) -> set[str]:
        """These names, other names for the same things, and the containers that they were put into."""
        reached = set(names)
        grown = True
        while grown and reached:
            more = {target for source, target in self._sets.moved if source in reached} - reached
            grown = bool(more)
            reached |= more
        return reached

    def taken_from(self, name: str) -> set[str]:
        """Names that get rows of a cursor: `held = cursor.fetchone()[0]`, asked for "cursor.fetchone"."""
        return {target for source, target in self._sets.rows if source == name}

    def outcome(self, name: str) -> Outcome:
        """What becomes of a value that was assigned to a name."""
        if name in self.tested:
            return Outcome.TESTED
        if name in self.returned or name in self._sets.yielded:
            return Outcome.RETURNED
        return Outcome.USED if name in self.read or "." in name else Outcome.DEAD


@dataclass(slots=True)
class _Sets:
    tested: set[str] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    yielded: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    moved: set[tuple[str, str]] = field(default_factory=set)  # (what, where to): `other = what`, `box.append(what)`
    rows: set[tuple[str, str]] = field(default_factory=set)  # (what fetches, where to): `row = cursor.fetchone()`

    def block(self, body: tuple[ir.Stmt, ...]) -> None:
        for s in body:
            match s:
                case ir.If(branches=branches):
                    for b in branches:
                        self.tested |= names_in(b.test)
                case ir.Loop(target=None, test=test) | ir.Assert(test=test):
                    self.tested |= names_in(test)
                case ir.Global(names=names):
                    self.read |= set(names)  # others read it
                case ir.Return(value=value) if value is not None:
                    self.returned |= names_in(value)
                case ir.Assign(targets=targets, value=value) if value is not None:
                    self.moved |= {(what, to) for what in _things(value) for t in targets for to in _places(t)}
                    self.rows |= {(n, to) for n in names_in(value) if n.endswith(_FETCHES) for t in targets for to in _places(t)}
                case ir.Loop(target=target, test=test) if target is not None:
                    self.moved |= {(what, to) for what in _things(test) for to in _places(target)}
                case _:
                    pass
            for expr in expressions(s):
                self._expression(expr, isinstance(s, ir.Assign))
            for block in blocks(s):
                self.block(block)
            if isinstance(s, ir.Function):
                self.block(s.body)  # closures read what they capture

    def _expression(self, expr: ir.Expr, assigns: bool) -> None:
        for node in ir.walk(expr):
            match node:
                case ir.Conditional(test=test):
                    self.tested |= names_in(test)
                case ir.Binary(op="and" | "or", values=values):
                    for v in values[:-1]:
                        self.tested |= names_in(v)
                case ir.Unary(op="not", value=value):
                    self.tested |= names_in(value)
                case ir.Comprehension(tests=tests, targets=targets, sources=sources):
                    for t in tests:
                        self.tested |= names_in(t)
                    for target, source in zip(targets, sources, strict=True):
                        self.moved |= {(what, to) for what in _things(source) for to in _places(target)}
                case ir.Call(func=ir.Attribute(base=base, name=name), args=args) if name in _PUTS:
                    self.moved |= {(what, written(base)) for arg in args for what in _things(arg)}
                case ir.Yield(value=value) if value is not None:
                    self.yielded |= names_in(value)
                case ir.Lambda(body=body):
                    self._expression(body, False)
                case _:
                    pass
        if not (assigns and isinstance(expr, ir.Name)):
            self.read |= names_in(expr)
            nodes = ir.walk(expr)
            bases = {id(n.base) for n in nodes if isinstance(n, ir.Attribute)}
            self.passed |= {n.id for n in nodes if isinstance(n, ir.Name) and id(n) not in bases}


_FETCHES = (".fetchone", ".fetchall", ".fetchval", ".rowcount")
_PUTS = frozenset("append add extend insert setdefault update appendleft put push".split())
_VIEWS = frozenset("values items copy".split())
_ORDERS = frozenset("reversed sorted list tuple set iter enumerate zip".split())


def _things(expr: ir.Expr) -> list[str]:
    """The names whose things an expression is or holds: a name, a display of names, another order of them."""
    match bare(expr):
        case ir.Name() | ir.Attribute() as named:
            text = written(named)
            return [text] if text else []
        case ir.Sequence(items=items):
            return [n for i in items for n in _things(i)]
        case ir.Mapping(values=values):
            return [n for v in values for n in _things(v)]
        case ir.Index(base=base):
            return _things(base)
        case ir.Call(func=ir.Attribute(base=base, name=name)) if name in _VIEWS:
            return _things(base)
        case ir.Call(func=ir.Name(id=name), args=args) if name in _ORDERS:
            return [n for a in args for n in _things(a)]
        case _:
            return []


def _places(target: ir.Expr) -> list[str]:
    match target:
        case ir.Sequence(items=items):
            return [n for i in items for n in _places(i)]
        case ir.Starred(value=value) | ir.Index(base=value):
            return _places(value)
        case _:
            return [written(target)]


def names_in(expr: ir.Expr) -> set[str]:
    """Bare and dotted names that occur in an expression."""
    found: set[str] = set()
    for node in ir.walk(expr):
        if type(node) is ir.Name:
            found.add(node.id)
        elif type(node) is ir.Attribute:
            text = written(node)
            if text:
                found.add(text)
    return found


def bare(expr: ir.Expr) -> ir.Expr:
    """An expression without `await`, `bool(...)` and parentheses-like wrappers around it."""
    while True:
        if type(expr) is ir.Name or type(expr) is ir.Attribute:
            return expr
        if isinstance(expr, ir.Await | ir.Walrus | ir.Starred):
            expr = expr.value
        elif isinstance(expr, ir.Call) and type(expr.func) is ir.Name and expr.func.id == "bool" and len(expr.args) == 1:
            expr = expr.args[0]
        else:
            return expr


_NONE_STARTED: frozenset[int] = frozenset()  # one for all: an empty set takes 216 bytes


class Inside(NamedTuple):
    """What an expression does, in order: calls (innermost first), yields and lambdas."""

    calls: tuple[ir.Call, ...] = ()
    yields: bool = False
    lambdas: tuple[ir.Lambda, ...] = ()
    started: frozenset[int] = _NONE_STARTED  # ids of calls that are handed to something that runs them beside this code


NOTHING = Inside()
STARTERS = frozenset("Thread Process Timer submit apply_async create_task ensure_future start_soon run_in_executor on_commit add_job defer delay after_commit call_soon call_later spawn greenlet start_new_thread add_callback".split())  # fmt: skip


def inside(expr: ir.Expr) -> Inside:
    """The calls, yields and lambdas of an expression; bodies of lambdas are left out."""
    calls: list[ir.Call] = []
    lambdas: list[ir.Lambda] = []
    yields = False
    todo = [expr]
    while todo:  # each node before its parts, from the right to the left: turned round, it is the order in which calls happen
        node = todo.pop()
        while type(node) is ir.Attribute:
            node = node.base
        if type(node) is ir.Name or type(node) is ir.Const:
            continue
        if type(node) is ir.Call:
            calls.append(node)
            todo.append(node.func)
            todo += node.args
            todo += [k.value for k in node.keywords]
        elif isinstance(node, ir.Lambda):
            lambdas.append(node)
        else:
            yields = yields or isinstance(node, ir.Yield)
            todo += ir.parts(node)
    if not (calls or yields or lambdas):
        return NOTHING
    started = [id(a) for c in calls if starts(c.func) for a in c.args if isinstance(a, ir.Call)] if len(calls) > 1 else ()
    return Inside(tuple(calls[::-1]), yields, tuple(lambdas[::-1]), frozenset(started) if started else _NONE_STARTED)


def starts(func: ir.Expr) -> bool:
    """Whether what is called runs its arguments beside the caller: `Thread`, `ForkProcess`, `loop.create_task`."""
    word = last_word(func)
    return word in STARTERS or word.endswith(("Thread", "Process"))


def calls_in(expr: ir.Expr) -> tuple[ir.Call, ...]:
    """The calls of an expression in the order in which they happen; bodies of lambdas are left out."""
    return inside(expr).calls


def last_word(func: ir.Expr) -> str:
    """The last name of what is called."""
    return func.name if type(func) is ir.Attribute else func.id if type(func) is ir.Name else ""


def ends(body: tuple[ir.Stmt, ...]) -> str:
    """How a block ends: "raise", "return", "continue", "break", "exit", or "" when it goes on."""
    if not body:
        return ""
    last = body[-1]
    match last:
        case ir.Raise():
            return "raise"
        case ir.Return():
            return "return"
        case ir.Jump(kind="continue" | "break" as kind):
            return kind
        case ir.Evaluate(value=value):
            name = written(bare(value)).removesuffix("()")
            if name.endswith(".abort") and isinstance(call := bare(value), ir.Call) and call.args:
                return "exit"  # `flask.abort(409)`; a transaction's abort is given nothing
            return "exit" if name in ("sys.exit", "exit", "os._exit", "quit", "os.abort", "abort", "self.fail", "pytest.fail") else ""
        case ir.If(branches=branches, orelse=orelse) if orelse:
            found = {ends(b.body) for b in branches} | {ends(orelse)}
            return "" if "" in found else sorted(found)[0]
        case ir.With(body=inner):
            return ends(inner)
        case ir.Try(body=inner, handlers=handlers, orelse=orelse, final=final):
            if ends(final):
                return ends(final)
            found = {ends(orelse or inner)} | {ends(h.body) for h in handlers}
            return "" if "" in found else sorted(found)[0]
        case _:
            return ""
