"""What a key is that nobody writes where it is used: the pattern by which it was listed, or what callers pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import (
    Arg,
    Environment,
    Instance,
    Literal,
    Parameter,
    Pattern,
    Value,
    as_pattern,
    options,
    shown,
)
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import statements
from coordlint.wording import fixed, words

_LISTS = re.compile(r"(^|_)(scan|keys|list|find|match|glob)(_|$|iter)")
_SAME = frozenset("list set sorted tuple reversed iter zip enumerate decode str".split())
_PUTS = ("append", "extend", "add", "update")
_PATTERNS = ("match", "pattern", "prefix")
MOST = 8  # texts that one key is known to be
MOST_SITES = 40  # of a helper with more callers nobody says what its key is
MOST_HANDS = 3  # functions that hand a key on to the one that uses it
DEEPEST = 6  # names that are followed from a loop back to what it goes through


def meant(ev: Evaluator, given: Arg | None, expr: ir.Expr | None, scope: Scope) -> tuple[str, ...]:
    """Texts that a key may be, where it has no words of its own; sorted, and () where it has."""
    if given is None or any(isinstance(v, Literal | Pattern) and _says(as_pattern(v)) for v in options(given.value)):
        return ()
    found = [p for v in options(given.value) for p in (_passed(ev, v) if isinstance(v, Parameter) else _texts(v))]
    if not found and expr is not None:
        found = list(_listed(ev, expr, scope))
    return tuple(sorted({shown(p.named) for p in found if _says(p)}))[:MOST]


def _says(pattern: Pattern) -> bool:
    return bool(words(fixed(shown(pattern.named))))


def _texts(value: Value) -> Iterator[Pattern]:
    """A text; of a setting what holds where nobody sets it; of what came from a listing, the pattern that was asked for."""
    if isinstance(value, Environment) and value.default is not None:
        yield from (as_pattern(v) for v in options(value.default) if isinstance(v, Literal) and isinstance(v.value, str))
    elif isinstance(value, Pattern) or (isinstance(value, Literal) and isinstance(value.value, str)):
        yield as_pattern(value)
    elif isinstance(value, Instance):
        yield from (as_pattern(p) for a in value.arguments if a.name in _PATTERNS for p in options(a.value) if isinstance(p, Literal | Pattern))


def _passed(ev: Evaluator, parameter: Parameter, depth: int = 0) -> Iterable[Pattern]:
    """What callers pass, also through functions that only hand it on; nothing where one of them is not known: it stands for any key."""
    sites = ev.sites.get(parameter.symbol, ())
    if len(sites) > MOST_SITES or depth > MOST_HANDS:
        return ()
    made: list[Pattern] = []
    for v in (v for site in sites for v in options(site.argument(ev, parameter.name) or parameter)):
        found = list(_passed(ev, v, depth + 1)) if isinstance(v, Parameter) and v != parameter else list(_texts(v))
        if isinstance(v, Parameter) and not found:
            return ()
        made += found
        if len(made) > MOST_SITES:  # here, not at the end: callers of callers of callers multiply
            return ()
    return made if all(_says(p) for p in made) else ()


def _listed(ev: Evaluator, expr: ir.Expr, scope: Scope) -> Iterator[Pattern]:
    """`for key in self._scan("jobs:*")`: what has come from a listing is like what was asked for, whoever lists.

    Each name is followed once: names that are bound to each other many times have as many ways through them as powers of that.
    """
    level, followed = [bare(expr)], set[str]()
    for _ in range(DEEPEST + 1):
        for e in level:
            yield from _asked(ev, e, scope)
        names = {e.id for e in level if isinstance(e, ir.Name)} - followed
        followed |= names
        level = [bare(further) for further in (*_sources(names, scope), *(part for e in level for part in _parts(e)))]


def _asked(ev: Evaluator, expr: ir.Expr, scope: Scope) -> Iterator[Pattern]:
    """The patterns that a listing is asked for."""
    if not isinstance(expr, ir.Call) or last_word(expr.func) in _SAME or _LISTS.search(last_word(expr.func)) is None:
        return
    for arg in (*expr.args, *(k.value for k in expr.keywords)):
        for v in options(ev.settle(ev.value(arg, scope))):
            yield from (p for p in _texts(v) if "*" in p.text or p.text.endswith((":", "/")))


def _parts(expr: ir.Expr) -> tuple[ir.Expr, ...]:
    """What an expression takes its items from."""
    match expr:
        case ir.Index(base=base):
            return (base,)
        case ir.Binary(values=several) | ir.Sequence(items=several):
            return several
        case ir.Call(func=func, args=args) if last_word(func) in _SAME:
            return args or ((func.base,) if isinstance(func, ir.Attribute) else ())
    return ()


def _sources(names: set[str], scope: Scope) -> Iterator[ir.Expr]:
    """What names are bound to, go through, or are filled with."""
    yield from (b.expr for name in sorted(names) for b in scope.names.get(name, ()) if b.expr is not None)
    for s in statements(scope.function.body) if names and scope.kind == "function" else ():
        match bare(s.value) if isinstance(s, ir.Evaluate) else None:
            case ir.Call(func=ir.Attribute(base=ir.Name(id=filled), name=how), args=args) if filled in names and how in _PUTS:
                yield from args
