"""Work that a process does because a flag of its own says that it leads, and loops behind that one look at it.

`self.is_leader` is set by whoever renews the lease, in another thread. A loop that looks at it once and then goes through many things acts on
what was true when it began. Flags are attributes that bear such a name, states that are compared with a leader's, and whatever a function
clears that is called when the leadership is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from coordlint import ir
from coordlint.contention import Led
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Object, options
from coordlint.link.code.flow.usage import bare, calls_in, ends, names_in
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import blocks, expressions, statements
from coordlint.source import Place
from coordlint.wording import words

_LEADS = frozenset("leader leading lead leadership master primary elected".split())
_LOSS = frozenset("lose loses losing lost loss stop stopped stepdown step down demote demoted depose deposed resign revoke revoked".split())
_TERM = frozenset("term epoch fence fencing generation revision incarnation ballot".split())
_CLOCKS = ("monotonic", "time", "now", "utcnow", "perf_counter", "monotonic_ns", "time_ns")
_UNTIL = frozenset("deadline until expires expire expiry renewed elapsed failure failures failed misses missed attempts".split())
_SETS = ("set", "clear")  # of an event
_LEAVES = ("return", "continue", "break", "raise", "exit")

Key = tuple[str, str]
"""A class, and the name of an attribute or method of it."""


@dataclass(frozen=True, slots=True)
class Flag:
    """An attribute that says that one leads."""

    cls: str
    name: str
    set_at: Place
    owners: frozenset[str]  # classes or modules whose lease it speaks of


Flags = Mapping[Key, Flag]
"""Flags, by themselves and by the methods that answer with one."""


def led(ev: Evaluator, traces: Sequence[Trace]) -> Iterator[Led]:
    """For each look at such a flag in a function: the calls behind it, and which of them a loop repeats."""
    several = [t for t in traces if t.scope.kind == "function" and not is_test(t.scope.path)]
    flags = {key: Flag(*key, *told) for key, told in {**_stopped(ev, several), **_named(ev)}.items()}
    if not flags:
        return
    flags |= _asking(several, flags)
    names = {name for _, name in flags}
    asking = _asked_by(ev, several, flags)
    names |= {name for _, name in asking}
    near = [t for t in several if any(isinstance(n, ir.Attribute | ir.Name) and _last(n) in names for s in t.scope.statements for e in expressions(s) for n in ir.walk(e))]
    readers = {t.scope.symbol: _Reader(ev, t.scope, flags, asking) for t in near}
    looks = [(t, look) for t in near for look in _looks(readers[t.scope.symbol], t.scope.function.body)]
    wanted = {flag for _, (_, flag, _) in looks}
    timed = {flag: any(_home(t.scope) in flag.owners and _holds_a_clock(t.scope) for t in several) for flag in wanted}
    asked = {flag: {t.scope.symbol for t in near if readers[t.scope.symbol].mentions((e for s in t.scope.statements for e in _read(s)), flag)} for flag in wanted}
    for t, (test, flag, body) in looks:
        calls = tuple(_behind(readers[t.scope.symbol], body, flag))
        if calls:
            others = frozenset(asked[flag] - {t.scope.symbol})
            yield Led(t.scope.place(test.at), t.scope.symbol, _shown(test, names), flag.owners, flag.set_at, calls, others, timed[flag])


def _last(expr: ir.Expr) -> str:
    return expr.name if isinstance(expr, ir.Attribute) else expr.id if isinstance(expr, ir.Name) else ""


def _shown(test: ir.Expr, names: set[str]) -> str:
    """The flag as the test writes it."""
    return next((text for n in ir.walk(test) if isinstance(n, ir.Attribute) and n.name in names and (text := written(n))), "")


# -- flags -----------------------------------------------------------------------------------------------------------


def _named(ev: Evaluator) -> dict[tuple[str, str], tuple[Place, frozenset[str]]]:
    """Attributes whose name says that one leads, or that are given the state of a leader."""
    found: dict[tuple[str, str], tuple[Place, frozenset[str]]] = {}
    for cls in ev.project.classes():
        if is_test(cls.path):
            continue
        for name, bindings in sorted(cls.attributes.items()):
            made = [(s, b.expr) for s, b in bindings if b.expr is not None]
            is_named = bool(words(name) & _LEADS) and any(_is_yes_or_no(e) for _, e in made)
            true = [(s, e) for s, e in made if (is_named and not _is_no(e)) or _is_leaders(e)]
            if true and (len(made) > 1 or is_named):
                found[cls.symbol, name] = true[0][0].place(true[0][1].at), frozenset((cls.symbol,))
    return found


def _is_yes_or_no(value: ir.Expr) -> bool:
    """`False`, `threading.Event()`: what only says yes or no. A leader's name or address says more."""
    return (isinstance(value, ir.Const) and isinstance(value.value, bool)) or (isinstance(value, ir.Call) and _last(value.func) == "Event")


def _is_no(value: ir.Expr) -> bool:
    return isinstance(value, ir.Const) and not value.value


def _is_leaders(value: ir.Expr) -> bool:
    """`State.LEADER`, "leader"."""
    said = value.value if isinstance(value, ir.Const) else _last(value) if isinstance(value, ir.Attribute) else None
    return isinstance(said, str) and said.lower() in ("leader", "master", "primary", "leading")


def _stopped(ev: Evaluator, traces: Sequence[Trace]) -> dict[tuple[str, str], tuple[Place, frozenset[str]]]:
    """Flags that are cleared by what is called when the leadership is lost, and set elsewhere: they stop the work of a leader."""
    by_symbol = {t.scope.symbol: t for t in traces}
    callers: dict[str, set[str]] = {}
    for t in traces:
        for step in t.steps:
            for f in step.functions[: step.called]:
                callers.setdefault(f.symbol, set()).add(_home(t.scope))
    found: dict[tuple[str, str], tuple[Place, frozenset[str]]] = {}
    for t in traces:
        said = words(t.scope.symbol.rpartition(".")[2])
        if not (said & _LEADS and said & _LOSS):
            continue
        inside = [t, *(by_symbol[f.symbol] for step in t.steps for f in step.functions[: step.called] if f.symbol in by_symbol)]
        for one in inside:
            for name in _cleared(one.scope):
                cls = one.scope.owner
                set_at = next((s.place(b.expr.at) for s, b in cls.attributes.get(name, ()) if isinstance(b.expr, ir.Const) and b.expr.value is True), None) if cls else None
                if cls is not None and set_at is not None:
                    found[cls.symbol, name] = set_at, frozenset((_home(t.scope), *callers.get(t.scope.symbol, ())))
    return found


def _holds_a_clock(scope: Scope) -> bool:
    """Whether a function compares the time of a clock, or a time limit: `time.monotonic() - self._renewed > LEASE`."""
    compared = [n for s in scope.statements for e in expressions(s) for n in ir.walk(e) if isinstance(n, ir.Compare)]
    inside = [n for c in compared for n in ir.walk(c)]
    return any((isinstance(n, ir.Call) and _last(n.func) in _CLOCKS) or bool(words(_last(n)) & _UNTIL) for n in inside)


def _home(scope: Scope) -> str:
    return scope.owner.symbol if scope.owner is not None else scope.module


def _cleared(scope: Scope) -> Iterator[str]:
    for s in scope.statements:
        if isinstance(s, ir.Assign) and isinstance(s.value, ir.Const) and s.value.value is False:
            yield from (t.name for t in s.targets if isinstance(t, ir.Attribute) and isinstance(t.base, ir.Name))


def _asking(traces: Sequence[Trace], flags: Flags) -> dict[Key, Flag]:
    """Methods and properties that only answer with a flag of their object: `return self._leads`."""
    found: dict[Key, Flag] = {}
    for t in traces:
        body = t.scope.function.body[-1:]
        owner = t.scope.owner
        if owner is None or len(t.scope.statements) > 2 or not body or not isinstance(body[0], ir.Return) or body[0].value is None:
            continue
        told = bare(body[0].value)
        if isinstance(told, ir.Call) and not told.args and isinstance(told.func, ir.Attribute) and told.func.name == "is_set":
            told = told.func.base
        if isinstance(told, ir.Attribute) and isinstance(told.base, ir.Name) and (owner.symbol, told.name) in flags:
            found[owner.symbol, t.scope.symbol.rpartition(".")[2]] = flags[owner.symbol, told.name]
    return found


def _asked_by(ev: Evaluator, traces: Sequence[Trace], flags: Flags) -> dict[Key, frozenset[Flag]]:
    """Methods of the class itself that look at a flag of theirs, whatever else they look at: who calls one has asked."""
    read: dict[Key, set[Key]] = {}
    flagged = {cls for cls, _ in flags}
    for t in traces:
        if t.scope.owner is not None:
            above = dict.fromkeys((t.scope.owner.symbol, *(c.symbol for c in classes.ancestry(ev, t.scope.owner.symbol)[0])))
            if flagged.isdisjoint(above):
                continue
            names = {n.name for s in t.scope.statements for e in _read(s) for n in ir.walk(e) if isinstance(n, ir.Attribute) and isinstance(n.base, ir.Name)}
            read[t.scope.owner.symbol, t.scope.symbol.rpartition(".")[2]] = {(cls, name) for cls in above for name in names}
    found: dict[Key, frozenset[Flag]] = {}
    for _ in range(3):  # a method that calls one that calls one that looks
        for key, wanted in sorted(read.items()):
            told = frozenset(f for one in wanted for f in (*found.get(one, ()), *((flags[one],) if one in flags else ())))
            if told:
                found[key] = told
    return found


def _read(s: ir.Stmt) -> Iterable[ir.Expr]:
    """What a statement reads: not what it sets."""
    return (s.value,) if isinstance(s, ir.Assign) and s.value is not None else () if isinstance(s, ir.Assign) else expressions(s)


# -- looks -----------------------------------------------------------------------------------------------------------


class _Reader:
    """Which flag a test of one function is about."""

    def __init__(self, ev: Evaluator, scope: Scope, flags: Flags, asking: Mapping[Key, frozenset[Flag]]) -> None:
        self.ev = ev
        self.scope = scope
        self.flags = flags
        self.asking = asking
        self.names = {name for _, name in flags}

    def says(self, test: ir.Expr) -> tuple[Flag, bool] | None:
        """The flag, and whether a true test means that one leads; for `a and not flag`, `a or not flag` that leaving it means it."""
        test = bare(test)
        match test:
            case ir.Unary(op="not", value=value):
                inner = self.says(value)
                return (inner[0], not inner[1]) if inner is not None else None
            case ir.Binary(op="and" | "or" as op, values=values):
                told = [t for v in values if (t := self.says(v)) is not None]
                return next((t for t in told if op == "and" or not t[1]), None)
            case ir.Compare(ops=("==" | "is" | "!=" | "is not" as op,), values=(left, right)):
                flag = self.flag(left) if _is_leaders(right) or (isinstance(right, ir.Const) and right.value is True) else None
                return (flag, op in ("==", "is")) if flag is not None else None
            case ir.Call(func=ir.Attribute(base=base, name="is_set"), args=()):
                flag = self.flag(base)
            case ir.Call(func=func, args=()):
                flag = self.flag(func)
            case _:
                flag = self.flag(test)
        return (flag, True) if flag is not None else None

    def flag(self, expr: ir.Expr) -> Flag | None:
        """The flag that an attribute is, or answers with."""
        if not isinstance(expr, ir.Attribute) or expr.name not in self.names:
            return None
        return next((self.flags[key] for key in self._keys(expr) if key in self.flags), None)

    def mentions(self, exprs: Iterable[ir.Expr], flag: Flag) -> bool:
        """Whether the flag is looked at, here or by a method of its class that is called or handed on."""
        attributes = [n for e in exprs for n in ir.walk(e) if isinstance(n, ir.Attribute)]
        asking = {name for _, name in self.asking} | self.names
        near = [key for n in attributes if n.name in asking for key in self._keys(n)]
        return any(self.flags.get(key) == flag or flag in self.asking.get(key, ()) for key in near)

    def _keys(self, expr: ir.Attribute) -> Iterator[Key]:
        """The class of the object and those above it, with the attribute's name."""
        for value in options(self.ev.settle(self.ev.value(expr.base, self.scope))):
            if isinstance(value, Object):
                above, _ = classes.ancestry(self.ev, value.symbol)
                yield from ((symbol, expr.name) for symbol in dict.fromkeys((value.symbol, *(c.symbol for c in above))))


def _looks(reader: _Reader, body: tuple[ir.Stmt, ...]) -> Iterator[tuple[ir.Expr, Flag, tuple[ir.Stmt, ...]]]:
    """Each test of a flag, with the statements that are done because it was set."""
    for i, s in enumerate(body):
        if isinstance(s, ir.If):
            for branch in s.branches:
                told = reader.says(branch.test)
                if told is not None and told[1]:
                    yield branch.test, told[0], branch.body
                elif told is not None and ends(branch.body) in _LEAVES:
                    yield branch.test, told[0], body[i + 1 :]
                elif told is not None and len(s.branches) == 1 and s.orelse:
                    yield branch.test, told[0], s.orelse
        elif isinstance(s, ir.Loop) and s.target is None and (told := reader.says(s.test)) is not None and told[1]:
            yield s.test, told[0], s.body
        for block in blocks(s):
            yield from _looks(reader, block)


def _behind(reader: _Reader, body: tuple[ir.Stmt, ...], flag: Flag, loop: Place | None = None) -> Iterator[tuple[Place, Place | None]]:
    """The calls of a block with the loop around each, up to where the flag is looked at again; those that send the term along are left out."""
    for s in body:
        if not isinstance(s, ir.Assign | ir.Loop) and reader.mentions(expressions(s), flag):
            return
        if isinstance(s, ir.Loop):
            inner = tuple(statements(s.body))
            if reader.mentions([s.test, *(e for one in inner for e in expressions(one))], flag):
                continue
        for call in (c for e in expressions(s) for c in calls_in(e)):
            if not any(words(name) & _TERM for name in names_in(call)):
                yield reader.scope.place(call.at), loop
        for block in blocks(s):
            yield from _behind(reader, block, flag, reader.scope.place(s.at) if isinstance(s, ir.Loop) and not _is_short(s) else loop)


def _is_short(loop: ir.Loop) -> bool:
    """A loop over a few things that are written in it."""
    return isinstance(loop.test, ir.Sequence) or (isinstance(loop.test, ir.Call) and _last(loop.test.func) == "range")
