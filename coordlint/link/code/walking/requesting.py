"""Functions that send a request to where their callers say: `def get(path): return requests.get(f"{BASE}/v1/{path}").json()`.

What such a request asks a coordinator to do hangs on the path, and so it is told where the path is known: at the caller of
the generic layers, inside the handlers of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint.link.code.calls.meaning import Meaning, understand
from coordlint.link.code.calls.trace import Asked
from coordlint.link.code.evaluation.arguments import bindings, expanded
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.own_parts import of_receiver
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    External,
    FunctionRef,
    Literal,
    Method,
    Parameter,
    Pattern,
    Value,
    as_pattern,
    fill,
    hole_of,
    one_of,
    options,
    pieces,
    substitute,
    transform,
)
from coordlint.models.schema import CallModel, Op
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.coordination import Guard
    from coordlint.link.code.evaluation.evaluate import Evaluator
    from coordlint.link.code.scopes.project import Scope
    from coordlint.link.code.walking.walk import Walk

_OPTIONS = ("params", "**")  # beside the URL: `?acquire=`, `?recurse`, `?cas=`
_BY_OPTIONS = (Op.READ, Op.WRITE, Op.DELETE)


def left_open(w: Walk, callee: Value, args: tuple[Arg, ...], meaning: Meaning, guards: tuple[Guard, ...]) -> Asked | None:
    """A request of this function whose path or method only its callers say; None for any other call."""
    if meaning.model.effect != "http" or w.scope.kind != "function" or in_test(w.scope):
        return None
    return _open(w, Asked(callee, args, guards, ()))


def asked_behind(w: Walk, function: FunctionRef, args: tuple[Arg, ...], guards: tuple[Guard, ...]) -> tuple[list[tuple[Asked, Meaning, Value | None]], list[Asked]]:
    """What the requests are that a function sends for this call of it: those that are known here, and those that are told further out."""
    if function.symbol == w.scope.symbol:
        return [], []
    told: list[tuple[Asked, Meaning, Value | None]] = []
    further: list[Asked] = []
    given: dict[tuple[str, str], Value] | None = None
    said = {a.name: a.place for a in args}
    for s in w.tracer.trace(function.symbol).steps:
        for asked in s.asks:
            given = bindings(w.ev, function, args) if given is None else given
            helper = w.ev.project.scopes[function.symbol].function.name
            sent = _sent(w.ev, substitute(asked.callee, given), given)
            if sent is None:
                continue
            made = Asked(
                sent,
                expanded(tuple(_as_here(w.ev, a, function, given, said) for a in asked.args)),
                (*asked.guards, *guards),
                (helper, *asked.via),
            )
            still = _open(w, made)
            if still is not None:
                further.append(still)
            else:
                told += [(made, m, owner) for m, owner in understood(w.ev, made, w.scope.symbol) if m.rest is not None]
    return (told[:1] if len({m.op for _, m, _ in told}) == 1 else []), further


_VERBS = frozenset(("get", "head", "put", "post", "delete", "patch"))


def _sent(ev: Evaluator, callee: Value, given: Mapping[tuple[str, str], Value]) -> Value | None:
    """The library's call that is made where a caller names the method: one of the branches of `if method == "PUT"`; None where it is another one."""
    said = {str(v.value).lower() for value in given.values() for v in options(value) if isinstance(v, Literal)} & _VERBS
    several = options(ev.settle(callee))
    if len(said) != 1 or not all(_verb(v) in _VERBS for v in several):
        return callee
    chosen = [v for v in several if _verb(v) in said]
    return one_of(chosen) if chosen else None


def _verb(callee: Value) -> str:
    name = callee.name if isinstance(callee, External | Method) else ""
    return name.rpartition(".")[2]


def understood(ev: Evaluator, asked: Asked, own: str) -> list[tuple[Meaning, Value | None]]:
    """What a request means with the arguments that it has by now, and who sends it."""
    args = tuple(replace(a, value=_filled(ev, a.value, own)) for a in asked.args)
    made: list[tuple[Meaning, Value | None]] = []
    for option in options(ev.settle(asked.callee)):
        model, owner = _model(ev, option)
        if model is not None and model.effect == "http":
            made.append((understand(ev, model, args, owner), owner))
    return made


def _model(ev: Evaluator, callee: Value) -> tuple[CallModel | None, Value | None]:
    match callee:
        case Method(owner=owner, model=model):
            return model, owner
        case External(name=name):
            return ev.models.call(name), None
        case _:
            return None, None


def _open(w: Walk, asked: Asked) -> Asked | None:
    """The request, where its callers are to say what it is: what they pass is in its URL or method, and without that it is nobody's."""
    if not w.ev.sites.get(w.scope.symbol):
        return None
    own = w.scope
    several = [asked.callee, *(a.value for a in asked.args if a.name in ("url", "method"))]
    asks_more = any(isinstance(a.value, Parameter) and _hangs(a.value, own) for a in asked.args if a.name in _OPTIONS)
    if not asks_more and not any(_hangs(v, own) for v in several):
        return None
    nothing: dict[tuple[str, str], Value] = {(own.symbol, p.name): UNKNOWN for p in own.params()}
    blank = Asked(asked.callee, tuple(replace(a, value=substitute(a.value, nothing)) for a in asked.args), (), ())
    method = next((a.value for a in asked.args if a.name == "method"), None)
    if _hangs(asked.callee, own) or (method is not None and _hangs(method, own)):
        return asked
    known = [m for m, _ in understood(w.ev, blank, own.symbol) if m.rest is not None]
    return None if known and not (asks_more and all(m.op in _BY_OPTIONS for m in known)) else asked


def _as_here(ev: Evaluator, arg: Arg, function: FunctionRef, given: Mapping[tuple[str, str], Value], said: Mapping[str, Place | None]) -> Arg:
    """An argument of the library's call as a caller makes it, and where the caller says it."""
    at = next((said[name] for name in _given(arg.value, function.symbol) if said.get(name) is not None), arg.place)
    return replace(arg, value=of_receiver(ev, substitute(arg.value, given), function.receiver), place=at)


def _hangs(value: Value, scope: Scope) -> bool:
    """Whether a value is made of what a function is given."""
    return bool(_given(value, scope.symbol))


def _given(value: Value, symbol: str) -> list[str]:
    """The parameters of a function of which a value is made."""
    found: list[str] = []

    def look(v: Value) -> Value | None:
        if isinstance(v, Parameter) and v.symbol == symbol:
            found.append(v.name)
        elif isinstance(v, Pattern) and (begins := hole_of(symbol)) in v.named:
            found.extend(piece.removeprefix(begins).partition("\x01")[0].strip("\x00") for piece, is_hole in pieces(v.named) if is_hole and piece.startswith(begins))
        return None

    transform(value, look)
    return found


def _filled(ev: Evaluator, value: Value, own: str) -> Value:
    """Texts with what is known of constructors' and other functions' parameters in their holes: `self.base + path`."""

    def change(v: Value) -> Value | None:
        if not isinstance(v, Pattern) or "\x00" not in v.named:
            return None
        known: dict[tuple[str, str], Value] = {}
        for piece, is_hole in pieces(v.named):
            if is_hole and piece.startswith("\x00") and "\x01" in piece:
                symbol, name, *_ = piece.strip("\x00").split("\x01")
                key = (symbol.replace("\x02", "{").replace("\x03", "}"), name)
                said = options(ev.settle(Parameter(*key))) if key[0] != own else ()
                if len(said) == 1 and "/" in as_pattern(said[0]).text:
                    known[key] = said[0]
        return fill(v, known) if known else None

    return transform(value, change)


__all__ = ["asked_behind", "left_open", "understood"]
