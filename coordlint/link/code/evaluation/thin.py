"""Functions whose only deed is one call with what they are given, and this call as a caller makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from coordlint import ir
from coordlint.link.code.flow.usage import bare, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.source import Span

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

DEEPEST = 20  # levels of an argument


class Thin(NamedTuple):
    """The one call of a function that passes on."""

    call: ir.Call
    params: tuple[str, ...]  # by position, without self
    defaults: dict[str, ir.Expr]
    own: str  # its first parameter, where it is a method: "self"
    passes_all: bool  # `*args` and what it gets beside them, in its order

    def mentions(self, expr: ir.Expr) -> bool:
        """Whether an argument is made of what the caller passes."""
        return bool(names_in(expr) & (set(self.params) | self.defaults.keys()))


def thin(ev: Evaluator, symbol: str) -> Thin | None:
    """The call that a function passes on to; None for any other function."""
    if symbol not in ev.thin:
        ev.thin[symbol] = _thin(ev.project.scopes[symbol])
    return ev.thin[symbol]


def _thin(scope: Scope) -> Thin | None:
    if not isinstance(scope.node, ir.Function) or scope.function.is_generator or any(not _is_plain(d) for d in scope.function.decorators):
        return None
    params = scope.params()
    is_method = scope.owner is not None and not any(isinstance(d, ir.Name) and d.id == "staticmethod" for d in scope.function.decorators)
    own, given = (params[0].name if is_method and params else ""), params[1 if is_method else 0 :]
    variadic = next((p.name for p in given if p.kind == "args"), "")
    extra = next((p.name for p in given if p.kind == "kwargs"), "")
    names = tuple(p.name for p in given if p.kind == "positional")
    defaults = {p.name: p.default for p in given if p.default is not None}
    if variadic:
        found = [c for s in statements(scope.function.body) for e in expressions(s) for c in ir.walk(e) if isinstance(c, ir.Call) and _is_all(c, names, variadic, extra)]
        return Thin(found[0], names, defaults, own, True) if len(found) == 1 and isinstance(found[0].func, ir.Attribute) else None
    call = None if extra else _only_call(scope.function.body)
    if call is None or not isinstance(call.func, ir.Attribute) or _root(call.func) in {"", *[p.name for p in given]} or not _passes(call, {p.name for p in given}):
        return None
    return Thin(call, names, {**{p.name: p.default for p in given if p.kind == "keyword" and p.default is not None}, **defaults}, own, False)


def _root(expr: ir.Expr) -> str:
    """The name that a chain of attributes begins with."""
    while isinstance(expr, ir.Attribute):
        expr = expr.base
    return expr.id if isinstance(expr, ir.Name) else ""


def _is_plain(decorator: ir.Expr) -> bool:
    return isinstance(decorator, ir.Name) and decorator.id in ("staticmethod", "classmethod", "override", "final")


def _only_call(body: tuple[ir.Stmt, ...]) -> ir.Call | None:
    """The call that is all that a body does, maybe inside a `try`."""
    real = [s for s in body if not (isinstance(s, ir.Evaluate) and isinstance(s.value, ir.Const))]
    match real:
        case [ir.Evaluate(value=value)] | [ir.Return(value=value)] if value is not None and isinstance(call := bare(value), ir.Call):
            return call
        case [ir.Try(body=inner, orelse=(), final=())]:
            return _only_call(inner)
        case _:
            return None


def _passes(call: ir.Call, params: set[str]) -> bool:
    """Whether the arguments are what was given, as it was given: nothing is added that would make another call of it."""
    several = [*call.args, *(k.value for k in call.keywords)]
    return bool(several) and all(k.name for k in call.keywords) and all(isinstance(a, ir.Name) and a.id in params for a in several)


def _is_all(call: ir.Call, named: tuple[str, ...], variadic: str, extra: str) -> bool:
    """Whether a call hands over all parameters by their order, and beside them only what is written out."""
    if not call.args or not isinstance(call.args[-1], ir.Starred) or not _is_name(call.args[-1].value, variadic):
        return False
    if len(call.args) - 1 != len(named) or not all(_is_name(a, n) for a, n in zip(call.args, named, strict=False)):
        return False
    spread = [k for k in call.keywords if not k.name]
    if not all(_is_name(k.value, extra) for k in spread) or (extra and not spread):
        return False
    return all(isinstance(k.value, ir.Const) for k in call.keywords if k.name)


def _is_name(expr: ir.Expr, name: str) -> bool:
    return isinstance(expr, ir.Name) and expr.id == name


# -- as a caller makes it ----------------------------------------------------------------------------------------


def inlined(ev: Evaluator, symbol: str, call: ir.Call) -> ir.Call | None:
    """The call that a function passes on to, with a caller's expressions for its parameters; None where the caller does not write them out."""
    key = (symbol, id(call))
    if key not in ev.inlined:
        found = thin(ev, symbol)
        ev.inlined[key] = (call, None if found is None else _inlined(found, call))
    return ev.inlined[key][1]


def _inlined(found: Thin, call: ir.Call) -> ir.Call | None:
    if found.passes_all:
        said = {k.name for k in call.keywords}
        fixed = tuple(k for k in found.call.keywords if k.name and k.name not in said)
        return ir.Call(_replaced(found.call.func, _receiver(found, call), call.at), call.args, (*call.keywords, *fixed), call.at)
    if any(isinstance(a, ir.Starred) for a in call.args) or not all(k.name for k in call.keywords) or len(call.args) > len(found.params):
        return None
    given: dict[str, ir.Expr] = {**dict(zip(found.params, call.args, strict=False)), **{k.name: k.value for k in call.keywords}}
    left_out = {n for n, d in found.defaults.items() if n not in given and isinstance(d, ir.Const)}
    if not all(n in given or n in left_out for n in found.params):
        return None
    known = {**{n: found.defaults[n] for n in left_out}, **given, **_receiver(found, call)}
    keywords = tuple(ir.Keyword(k.name, _replaced(k.value, known, call.at)) for k in found.call.keywords if not _is_nothing(k.value, found, left_out))
    args = found.call.args
    while args and _is_nothing(args[-1], found, left_out):
        args = args[:-1]
    return ir.Call(_replaced(found.call.func, known, call.at), tuple(_replaced(a, known, call.at) for a in args), keywords, call.at)


def _is_nothing(expr: ir.Expr, found: Thin, left_out: set[str]) -> bool:
    """`None` that a caller did not say: the library's default is the same."""
    return isinstance(expr, ir.Name) and expr.id in left_out and isinstance(default := found.defaults[expr.id], ir.Const) and default.value is None


def _receiver(found: Thin, call: ir.Call) -> dict[str, ir.Expr]:
    return {found.own: call.func.base} if found.own and isinstance(call.func, ir.Attribute) else {}


def _replaced(expr: ir.Expr, known: dict[str, ir.Expr], at: Span) -> ir.Expr:
    """An expression with others for its names, which stands where the caller's call stands."""
    made = _copy(expr, known, at, 0)
    assert isinstance(made, msgspec.Struct)
    return made  # type: ignore[return-value]


def _copy(node: object, known: dict[str, ir.Expr], at: Span, depth: int) -> object:
    if isinstance(node, ir.Name) and node.id in known:
        return known[node.id]
    if depth > DEEPEST or isinstance(node, Span):
        return node
    if isinstance(node, tuple) and not hasattr(node, "_fields"):
        return tuple(_copy(n, known, at, depth + 1) for n in node)
    if isinstance(node, msgspec.Struct):
        changed = {f: _copy(getattr(node, f), known, at, depth + 1) for f in node.__struct_fields__ if f != "at"}
        return msgspec.structs.replace(node, **changed, **({"at": at} if "at" in node.__struct_fields__ else {}))
    return node
