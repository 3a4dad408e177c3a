"""What becomes of a value between its read and its write: counted, changed, or only handed on."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flows import Flow, is_number
from coordlint.link.code.statements import expressions, statements
from coordlint.link.code.texts import written
from coordlint.link.code.usage import calls_in, last_word, names_in
from coordlint.source import Place

_CHANGES = frozenset("append add remove discard update pop popitem clear extend insert setdefault sort".split())
_SPELLINGS = frozenset("str bytes repr int float encode format dumps".split())
_READINGS = frozenset("loads load decode json safe_load list dict set tuple bool len print".split())


def adds(flow: Flow, write: Place) -> bool:
    """Whether a call is given a number that was just counted up or down: `n = int(n) + 1; set(key, str(n))`."""
    calls = (c for s in statements(flow.body) for e in expressions(s) for c in calls_in(e))
    given = next((c.args for c in calls if flow.scope.place(c.at) == write), ())
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


def changes(flow: Flow, read: Place, write: Place) -> bool:
    """Whether what a read gave is changed in place before a write, or another value computed from it."""
    names = flow.names_of(read)
    for s in statements(flow.body):
        if not read.line <= s.at.line <= (write.span.end_line or write.line):
            continue
        match s:
            case ir.Assign(targets=targets) if any(isinstance(t, ir.Index | ir.Attribute) and written(t.base) in names for t in targets):
                return True
            case ir.Assign(value=ir.Call() as call) if _is_computed(call, names):
                return True
            case ir.Augment(target=target) if written(target.base if isinstance(target, ir.Index) else target) in names:
                return True
            case ir.Delete(targets=targets) if any(isinstance(t, ir.Index) and written(t.base) in names for t in targets):
                return True
            case _:
                pass
        if any(_is_change(n, names) for e in expressions(s) for n in ir.walk(e)):
            return True
    return False


def _is_computed(call: ir.Call, names: set[str]) -> bool:
    """`crew = merged(crew, others)`, `task = task._replace(state=x)`: another value, of this one and something else."""
    if last_word(call.func) in _SPELLINGS | _READINGS:
        return False
    given = (*call.args, *(k.value for k in call.keywords))
    base = call.func.base if isinstance(call.func, ir.Attribute) else None
    of_it = any(names_in(e) & names for e in given) or (base is not None and bool(names_in(base) & names))
    return of_it and any(not names_in(e) & names for e in given) and len(given) + (base is not None) > 1


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
    """A value without what only spells it for a store: `bytes(str(n), "utf-8")`, `str(n).encode()`, `json.dumps(n)`."""
    while isinstance(value, ir.Call) and last_word(value.func) in _SPELLINGS:
        base = value.func.base if isinstance(value.func, ir.Attribute) and last_word(value.func) == "encode" else None
        if base is None and not value.args:
            return value
        value = base if base is not None else value.args[0]
    return value


def _is_counted(value: ir.Expr) -> bool:
    """`int(data) + 1`: a number added to another value."""
    return isinstance(value, ir.Binary) and value.op in ("+", "-") and any(is_number(v) for v in value.values) and len(value.values) == 2
