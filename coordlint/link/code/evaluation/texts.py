"""Text and numbers: concatenation, formatting, conversion, constant arithmetic, durations."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation.defaulting import unless
from coordlint.link.code.evaluation.values import (
    FALSE,
    UNKNOWN,
    Arg,
    Environment,
    External,
    Items,
    Literal,
    Parameter,
    Pattern,
    Unknown,
    Value,
    as_pattern,
    hole,
    one_of,
    options,
)
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import entry, spread, written

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

LONGEST = 4000  # characters of a pattern that are kept

_UNCHANGED = frozenset("encode decode strip rstrip lstrip lower upper title replace removeprefix removesuffix".split())
_DIGESTS = ("hexdigest", "digest")
_HASHES = ("hashlib.", "xxhash.", "_hashlib.")
_DIVIDING = ("split", "rsplit", "partition", "rpartition")
_MOST_DIVIDED = 300  # characters of a text that is taken apart
_PERCENT = re.compile(r"%(?:\((\w+)\))?[#0\- +]?\d*(?:\.\d+)?[sdrifxXaeg]")
_BRACES = re.compile(r"\{(\w*+)[^{}]*+\}")


def combined(ev: Evaluator, expr: ir.Text | ir.Binary, scope: Scope) -> Value:
    """An f-string, or operands joined by an operator."""
    if isinstance(expr, ir.Text):
        return _joined([_piece(ev, p, scope) for p in expr.parts])
    values = [ev.value(v, scope) for v in expr.values]
    if expr.op in _COMPUTING and (own := _from_process(values)) is not None:
        return own
    match expr.op:
        case "or":
            return one_of([*(unless(v, FALSE) for v in values[:-1] if not _is_nothing(ev, v)), values[-1]])
        case "and":
            return values[-1]
        case "%" if _is_text(values[0]):
            return _percent(as_pattern(values[0]), expr.values[1:], ev, scope)
        case "+" if any(_is_text(v) for v in values) or any(_is_passed_text(ev, v) for v in values):
            return _joined([_piece(ev, v, scope) for v in expr.values])
        case "+" | "-" | "*" | "/" | "//" | "**":
            return _arithmetic(expr.op, [ev.settle(v) for v in values])
        case "|":
            return one_of(values)
        case _:
            return UNKNOWN


def _is_passed_text(ev: Evaluator, value: Value) -> bool:
    """Whether all that is known to be passed for a parameter, or stands in a setting, is text: `self.base + path`."""
    given = [v.default if isinstance(v, Environment) and v.default is not None else v for v in options(ev.settle(value))] if isinstance(value, Parameter | Environment) else []
    return bool(given) and all(_is_text(v) for v in given)


def _is_nothing(ev: Evaluator, value: Value) -> bool:
    """Whether what stands before an `or` is false in any case: the default of a parameter that nobody passes."""
    given = options(ev.settle(value)) if isinstance(value, Parameter) else (value,)
    return all(isinstance(v, Literal) and not v.value for v in given)


def _from_process(values: list[Value]) -> Pattern | None:
    """A number that differs between processes stays one, whatever is computed from it."""
    if not isinstance(values[0], Pattern) or values[0].named.strip("{}") not in PER_PROCESS.values():
        return None
    return values[0] if all(v is values[0] or isinstance(v, Literal | Unknown) for v in values) else None


_FRESH = ("{uuid1()}", "{uuid4()}", "{token_hex()}", "{token_urlsafe()}")
_COMPUTING = ("+", "-", "*", "//", "%", "&", "^", ">>")
PER_PROCESS = {
    "builtins.hash": "hash()",
    "builtins.id": "id()",
    "uuid.uuid1": "uuid1()",
    "uuid.uuid4": "uuid4()",
    "os.getpid": "getpid()",
    "threading.get_ident": "get_ident()",
    "secrets.token_hex": "token_hex()",
    "secrets.token_urlsafe": "token_urlsafe()",
}
"""Functions of the standard library whose result no other process gets, and how a key pattern shows them."""


def _is_text(value: Value) -> bool:
    return isinstance(value, Pattern) or (isinstance(value, Literal) and isinstance(value.value, str))


def _piece(ev: Evaluator, expr: ir.Expr, scope: Scope) -> Pattern:
    value = ev.value(expr, scope)
    known = [v for v in options(value) if not isinstance(v, Unknown)]
    if len(known) == 1 and isinstance(known[0], Pattern) and known[0].named in _FRESH and not isinstance(expr, ir.Call):
        return as_pattern(UNKNOWN, written(expr))  # a new id that has a name is, as a rule, that of a new record
    if len(known) == 1:
        return as_pattern(known[0], _name_of(expr))
    texts = [v for v in known if isinstance(v, Parameter)]
    return as_pattern(texts[0] if texts else UNKNOWN, _name_of(expr))


def _name_of(expr: ir.Expr) -> str:
    """What fills a hole, as written; a conversion to text is not part of its name."""
    if isinstance(expr, ir.Call) and isinstance(expr.func, ir.Name) and expr.func.id in ("str", "int", "repr", "bytes") and len(expr.args) == 1:
        return _name_of(expr.args[0])
    return written(expr)


def _joined(parts: list[Pattern]) -> Value:
    text = "".join(p.text for p in parts)[:LONGEST]
    named = "".join(p.named for p in parts)[:LONGEST]
    return Literal(text) if "{" not in named else Pattern(text, named)


def _percent(form: Pattern, given: tuple[ir.Expr, ...], ev: Evaluator, scope: Scope) -> Value:
    first = given[0]
    several = list(first.items) if isinstance(first, ir.Sequence) else [first]
    queue = iter(several)

    def fill(match: re.Match[str]) -> Pattern:
        expr = entry(first, match[1]) if match[1] else next(queue, None)
        return Pattern("{}", "{" + (match[1] or "") + "}") if expr is None else _piece(ev, expr, scope)

    return _filled(form, _PERCENT, fill)


def _filled(form: Pattern, holes: re.Pattern[str], fill: Callable[[re.Match[str]], Pattern]) -> Value:
    """Replaces the holes of a template that was written as one literal text."""
    parts: list[Pattern] = []
    at = 0
    source = form.named if "{\x00" not in form.named else form.text
    for match in holes.finditer(source):
        before = source[at : match.start()]
        parts += [Pattern(before, before), fill(match)]
        at = match.end()
    rest = source[at:]
    return _joined([*parts, Pattern(rest, rest)])


def method_call(ev: Evaluator, call: ir.Call, scope: Scope) -> Value | None:
    """`"a{}".format(x)`, `":".join(parts)`, `key.encode()`: None when it is not a method of text."""
    if not isinstance(call.func, ir.Attribute):
        return None
    name = call.func.name
    if name in _DIGESTS:
        return _digested(ev, call.func.base, scope)
    if name not in _UNCHANGED and name not in _DIVIDING and name not in ("format", "format_map", "join", "total_seconds"):
        return None
    base = ev.value(call.func.base, scope)
    if name in _DIVIDING:
        parts = [_divided(v.value, name, call) for v in options(ev.settle(base)) if isinstance(v, Literal) and isinstance(v.value, str)]
        return one_of([p for p in parts if p is not None]) if any(parts) else None
    if name in ("format", "format_map") and isinstance(base, Literal) and isinstance(base.value, str):
        return _format(base.value, call, ev, scope)
    if name == "join" and _is_text(base) and call.args:
        return _join(as_pattern(base), call.args[0], ev, scope)
    if name == "total_seconds" and isinstance(base, Literal):
        return Literal(base.value, base.place)
    known = [v for v in options(base) if _is_text(v) or isinstance(v, Parameter | Environment)]
    if name in _UNCHANGED and known:
        return one_of(list(known))
    return None


def _digested(ev: Evaluator, made: ir.Expr, scope: Scope) -> Value | None:
    """`sha256(key.encode()).hexdigest()`: as different, and as much the same, as what it is a digest of, whose words tell what it is about."""
    if not isinstance(made, ir.Call) or not made.args or isinstance(made.args[0], ir.Starred):
        return None
    if not any(isinstance(v, External) and v.name.startswith(_HASHES) for v in options(ev.value(made.func, scope))):
        return None
    known = [v for v in options(ev.value(made.args[0], scope)) if _is_text(v) or isinstance(v, Parameter | Environment)]
    return one_of(known) if known else Pattern("{}", "{" + _name_of(made.args[0]) + "}")


def _divided(text: str, how: str, call: ir.Call) -> Value | None:
    """The parts of a known text: `path.rpartition(".")`; None where it is not written by what."""
    by = [a.value for a in call.args if isinstance(a, ir.Const)]
    if len(by) < len(call.args) or call.keywords or not by or not isinstance(by[0], str) or not by[0] or len(text) > _MOST_DIVIDED:
        return None
    most = by[1] if len(by) > 1 else -1
    if how in ("partition", "rpartition"):
        return Items("tuple", tuple(Literal(part) for part in (text.partition(by[0]) if how == "partition" else text.rpartition(by[0]))))
    if not isinstance(most, int):
        return None
    return Items("list", tuple(Literal(part) for part in (text.split(by[0], most) if how == "split" else text.rsplit(by[0], most))))


def _format(form: str, call: ir.Call, ev: Evaluator, scope: Scope) -> Value:
    queue = iter(call.args)

    def fill(match: re.Match[str]) -> Pattern:
        name = match[1]
        if name.isdigit():
            expr = call.args[int(name)] if int(name) < len(call.args) else None
        else:
            expr = (call.keyword(name) or spread(call, name)) if name else next(queue, None)
        return Pattern("{}", "{" + name + "}") if expr is None else _piece(ev, expr, scope)

    return _filled(Pattern(form, form), _BRACES, fill)


def _join(separator: Pattern, given: ir.Expr, ev: Evaluator, scope: Scope) -> Value:
    """`":".join([prefix, *parts])`: what is written out piece by piece, and what was gathered as a whole."""
    parts: list[Pattern] = []
    for item in _grown(given, scope) or _listed(given):
        parts += [separator, _gathered(separator, item.value, ev, scope) if isinstance(item, ir.Starred) else _piece(ev, item, scope)]
    return _joined(parts[1:])


def _grown(given: ir.Expr, scope: Scope) -> tuple[ir.Expr, ...]:
    """The items of a list that this function begins, and that grows by one at a time: what only some calls add is left out."""
    if not isinstance(given, ir.Name) or not isinstance(scope.node, ir.Function):
        return ()
    items: list[ir.Expr] = []
    begun = False
    for s in scope.function.body:
        match s:
            case ir.Assign(targets=(ir.Name(id=name),), value=ir.Sequence(kind="list", items=first)) if name == given.id:
                if begun:
                    return ()
                begun, items = True, list(first)
            case ir.Assign(targets=targets) if any(isinstance(t, ir.Name) and t.id == given.id for t in targets):
                return ()
            case ir.Evaluate(value=ir.Call(func=ir.Attribute(base=ir.Name(id=name), name="append"), args=(added,))) if name == given.id:
                items.append(added)
            case _:
                pass
    return tuple(items) if begun else ()


def _listed(given: ir.Expr) -> tuple[ir.Expr, ...]:
    """The items of a list that is made where it is joined; what is a list already is a starred one."""
    match given:
        case ir.Sequence(items=items):
            return items
        case ir.Binary(op="+", values=values):
            return tuple(item for v in values for item in _listed(v))
        case ir.Call(func=ir.Name(id="list" | "tuple"), args=(inner,)):
            return _listed(inner)
        case ir.Call(func=ir.Name(id="map" | "filter"), args=(ir.Name(id="str") | ir.Const(value=None), inner)):
            return _listed(inner)
        case ir.Starred():
            return (given,)
        case _:
            return (ir.Starred(given, given.at),)


def _gathered(separator: Pattern, rest: ir.Expr, ev: Evaluator, scope: Scope) -> Pattern:
    """All that was gathered, joined: `*parts` of this function is filled in at its callers."""
    known = ev.value(rest, scope)
    if isinstance(known, Parameter) and any(p.name == known.name and p.kind == "args" for p in scope.params()):
        return hole(known, separator.text)
    return Pattern("{}", "{" + written(rest) + "}")


def joined_path(ev: Evaluator, given: tuple[ir.Expr, ...], scope: Scope) -> Value:
    """`os.path.join(a, b)`."""
    parts: list[Pattern] = []
    for item in given:
        parts += [Pattern("/", "/"), _piece(ev, item, scope)]
    return _joined(parts[1:])


def converted(value: Value, kind: str) -> Value:
    """`int(x)`, `str(x)`: constants are converted, everything else passes through."""
    if isinstance(value, Literal) and kind in ("int", "float") and isinstance(value.value, str | int | float):
        try:
            number = float(value.value)
        except ValueError:
            return UNKNOWN
        return Literal(int(number) if kind == "int" and abs(number) < 1e15 else number, value.place)
    if isinstance(value, Environment) and value.default is not None:
        return Environment(value.name, converted(value.default, kind))
    return value


def negated(value: Value) -> Value:
    """`-x` of a number."""
    if isinstance(value, Literal) and isinstance(value.value, int | float) and not isinstance(value.value, bool):
        return Literal(-value.value, value.place)
    return UNKNOWN


def _arithmetic(op: str, values: list[Value]) -> Value:
    setting = next((v for v in values if isinstance(v, Environment) and isinstance(v.default, Literal)), None)
    if setting is not None:  # the sum has a default where its one setting has one
        made = _arithmetic(op, [v.default if v is setting and v.default is not None else v for v in values])
        return Environment(setting.name, made) if isinstance(made, Literal) else UNKNOWN
    numbers: list[float] = []
    unit = ""
    for v in values:
        if not isinstance(v, Literal) or isinstance(v.value, bool) or not isinstance(v.value, int | float):
            return UNKNOWN
        numbers.append(v.value)
        unit = unit or v.unit
    total = numbers[0]
    for n in numbers[1:]:
        if (op in ("/", "//") and n == 0) or (op == "**" and (abs(n) > 64 or abs(total) > 1e6)):
            return UNKNOWN
        total = {"+": total + n, "-": total - n, "*": total * n}.get(op) or (
            total / n if op == "/" else total // n if op == "//" else total**n if op == "**" else 0.0
        )
    if isinstance(total, complex) or abs(total) > 1e18:
        return UNKNOWN
    first = values[0]
    return Literal(total, first.place if isinstance(first, Literal) else None, unit)


_SECONDS = {"days": 86400.0, "seconds": 1.0, "microseconds": 1e-6, "milliseconds": 1e-3, "minutes": 60.0, "hours": 3600.0, "weeks": 604800.0}  # fmt: skip


def timedelta(args: tuple[Arg, ...]) -> Value:
    """A timedelta as seconds, when all of its parts are known."""
    total = 0.0
    for arg in args:
        value = arg.value
        if arg.name not in _SECONDS or not isinstance(value, Literal) or not isinstance(value.value, int | float):
            return UNKNOWN
        total += value.value * _SECONDS[arg.name]
    return Literal(total, args[0].place if args else None, unit="s")
