"""What becomes of a value between its read and its write: counted, changed, or only handed on."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flow.flows import Flow, is_number, within
from coordlint.link.code.flow.usage import calls_in, ends, last_word, names_in
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.source import Place, Span
from coordlint.wording import words

_CHANGES = frozenset("append add remove discard update pop popitem clear extend insert setdefault sort".split())
_SPELLINGS = frozenset("str bytes repr int float encode format dumps".split())
_MAKING = frozenset("replace merge merged update updated add added remove removed append apply applied evolve with without extend patch union difference".split())


def adds(flow: Flow, write: Place) -> bool:
    """Whether a call is given a number that was just counted up or down: `n = int(n) + 1; set(key, str(n))`."""
    given = _call(flow, write)
    names = {n.id for arg in given for n in ir.walk(_plain(arg)) if isinstance(n, ir.Name)}
    for s in reversed(flow.before(write)):
        match s:
            case ir.Assign(targets=(ir.Name(id=name),), value=value) if value is not None and name in names:
                names = (names - {name}) | {n.id for n in ir.walk(_plain(value)) if isinstance(n, ir.Name)}
                if _is_counted(_plain(value)):
                    return True
            case ir.Augment(target=ir.Name(id=name), op="+" | "-", value=value) if name in names and is_number(value):
                return True
            case _:
                pass
    return any(_is_counted(_plain(arg)) for arg in given)


def _call(flow: Flow, at: Place) -> tuple[ir.Expr, ...]:
    calls = (c for s in statements(flow.body) for e in expressions(s) for c in calls_in(e))
    return next(((*c.args, *(k.value for k in c.keywords)) for c in calls if flow.scope.place(c.at) == at), ())


def _given(flow: Flow, at: Place) -> set[str]:
    return {n for arg in _call(flow, at) for n in names_in(arg)}


def changes(flow: Flow, read: Place, write: Place) -> bool:
    """Whether what a read gave is changed in place before a write, or another value computed from it."""
    names = flow.names_of(read) & flow.sources(_given(flow, write))
    for s in statements(flow.body):
        if not read.line <= s.at.line <= (write.span.end_line or write.line):
            continue
        match s:
            case ir.Assign(targets=targets) if any(isinstance(t, ir.Index | ir.Attribute) and _root(t) in names for t in targets):
                return True
            case ir.Assign(targets=targets, value=ir.Call() as call) if _is_computed(call, names) and any(written(t) in names for t in targets):
                return True
            case ir.Augment(target=target) if (_root(target) if isinstance(target, ir.Index) else written(target)) in names:
                return True
            case ir.Delete(targets=targets) if any(isinstance(t, ir.Index) and _root(t) in names for t in targets):
                return True
            case _:
                pass
        if any(_is_change(n, names) for e in expressions(s) for n in ir.walk(e)):
            return True
    return False


def checked(flow: Flow, names: set[str], write: Place) -> bool:
    """Whether a comparison with one of these names refuses a write, or the write stands behind it: `if left < 0: raise`."""
    for s in statements(flow.body):
        for branch in s.branches if isinstance(s, ir.If) and s.at.line <= write.line else ():
            asked = [n for n in ir.walk(branch.test) if isinstance(n, ir.Compare) and not any(isinstance(v, ir.Const) and v.value is None for v in n.values)]
            if any(names & names_in(n) for n in asked) and (ends(branch.body) in ("raise", "return", "continue", "exit") or within(branch.body, write)):
                return True
    return False


def counted_from(body: tuple[ir.Stmt, ...], target: str, name: str, at: Span) -> Span | None:
    """Where an attribute is read from which the variable that it is set to is counted: `now = order.total`, `then = now + price`, `order.total = then`."""
    before = [s for s in statements(body) if isinstance(s, ir.Assign | ir.Augment) and s.at < at and s.value is not None]
    holds: set[str] = {target}  # what is the attribute's old value, or follows from it
    counted: set[str] = set()
    read: Span | None = None
    for s in before:
        assert s.value is not None
        targets = s.targets if isinstance(s, ir.Assign) else (s.target,)
        into = {t.id for t in targets if isinstance(t, ir.Name)}
        if not into or (not names_in(s.value) & holds and not (isinstance(s, ir.Augment) and into & holds)):
            continue
        if target in names_in(s.value):
            read = read or s.value.at
        sums = [n for n in ir.walk(s.value) if isinstance(n, ir.Binary) and n.op in ("+", "-", "*", "/") and any(names_in(v) & holds for v in n.values)]
        if any(_is_of_database(n) for n in sums):
            continue
        if sums or names_in(s.value) & counted or (isinstance(s, ir.Augment) and s.op in ("+", "-", "*", "/")):
            counted |= into
        holds |= into
    return read if name in counted else None


def _is_of_database(value: ir.Expr) -> bool:
    """`F("n") + 1` is computed by the database."""
    return any(isinstance(n, ir.Call) and last_word(n.func) == "F" for n in ir.walk(value))


def _is_computed(call: ir.Call, names: set[str]) -> bool:
    """`crew = merged(crew, others)`, `task = task._replace(state=x)`: another value, of this one and something else."""
    if not words(last_word(call.func)) & _MAKING:
        return False
    base = (call.func.base,) if isinstance(call.func, ir.Attribute) else ()
    return any(names_in(e) & names for e in (*call.args, *(k.value for k in call.keywords), *base))


def _root(target: ir.Expr) -> str:
    """What is changed by an assignment to a part of it: `crew` in `crew["mate"][0] = x`."""
    while isinstance(target, ir.Index):
        target = target.base
    return written(target.base) if isinstance(target, ir.Attribute) else written(target)


def _is_change(expr: ir.Expr, names: set[str]) -> bool:
    """`seats.remove(x)`, `seats + [x]`, `[s for s in seats if s != x]`, `{**seats, x: y}`."""
    match expr:
        case ir.Call(func=ir.Attribute(base=base, name=name)) if name in _CHANGES:
            return written(base) in names
        case ir.Binary(op="+" | "-" | "|" | "&", values=values):
            return any(isinstance(v, ir.Name) and v.id in names for v in values)
        case ir.Comprehension(sources=sources, tests=tests):
            return bool(tests) and any(names_in(s) & names for s in sources)
        case ir.Mapping(values=values):
            return any(isinstance(v, ir.Name | ir.Starred) and names_in(v) & names for v in values)
        case _:
            return False


def _plain(value: ir.Expr) -> ir.Expr:
    """A value without what only spells it for a store: `bytes(str(n), "utf-8")`, `str(n).encode()`, `str.encode(str(n))`, `f"{n}"`, `b"%d" % n`."""
    while (inside := _spelt(value)) is not None:
        value = inside
    return value


def _spelt(value: ir.Expr) -> ir.Expr | None:
    """What a spelling is made of; None where it is none, or of several things."""
    match value:
        case ir.Text(parts=(only,)) | ir.Binary(op="%", values=(ir.Const(value=str()), only)):
            return None if isinstance(only, ir.Const | ir.Sequence | ir.Mapping) else only
        case ir.Call(func=ir.Attribute(base=ir.Name(id="str" | "bytes"), name="encode" | "decode"), args=(first, *_)):
            return first
        case ir.Call(func=ir.Attribute(base=base, name="encode" | "to_bytes")):
            return base
        case ir.Call(func=func, args=args) if last_word(func) == "pack" and len(args) == 2:
            return args[1]
        case ir.Call(func=func, args=(first, *_)) if last_word(func) in _SPELLINGS:
            return first
        case _:
            return None


def _is_counted(value: ir.Expr) -> bool:
    """`int(data) + 1`: a number added to another value."""
    return isinstance(value, ir.Binary) and value.op in ("+", "-") and any(is_number(v) for v in value.values) and len(value.values) == 2
