"""Objects that stand before another one, and have what that has: `def __getattr__(self, name): return getattr(self._client, name)`.

What they give may be the other's method itself, or a function around it that logs, counts, or tries again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import attributes, classes
from coordlint.link.code.evaluation.values import UNKNOWN, Object, Value, one_of
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator


def forwarded(ev: Evaluator, base: Object, name: str) -> Value:
    """What the object behind a proxy has under a name."""
    found = classes.member(ev, base.symbol, "__getattr__")
    if found is None or name.startswith("__") or (proxy := ev.project.scopes.get(f"{found[0].symbol}.__getattr__")) is None:
        return UNKNOWN
    if (proxy.symbol, name) in ev.forwarding:
        return UNKNOWN  # proxies that hold each other
    ev.forwarding.add((proxy.symbol, name))
    made = [attributes.attribute(ev, attributes.filled(ev, ev.value(behind, scope), base, proxy), name) for behind, scope in _behind(proxy)]
    ev.forwarding.discard((proxy.symbol, name))
    return one_of(made)


def _behind(proxy: Scope) -> Iterator[tuple[ir.Expr, Scope]]:
    """Whose attribute a proxy gets, in itself or in the function that it gives back."""
    params = proxy.params() if proxy.kind == "function" else ()
    for scope in (proxy, *[c for c in proxy.children if c.kind == "function"]) if params else ():
        for node in (n for s in scope.statements for e in expressions(s) for n in ir.walk(e)):
            match node:
                case ir.Call(func=ir.Name(id="getattr"), args=(behind, ir.Name(id=given), *_)) if given == params[-1].name:
                    yield behind, scope
                case _:
                    pass
