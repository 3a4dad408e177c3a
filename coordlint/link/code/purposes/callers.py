"""What the callers of general wrappers do, judged again where they stand: there the key, the function and the class are known."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from coordlint import ir
from coordlint.coordination import Argument, Operation
from coordlint.link.code.calls.resource import site
from coordlint.link.code.evaluation.values import shown
from coordlint.link.code.flow.usage import names_in
from coordlint.link.code.purposes.deeds import MOST_VIA, Deed
from coordlint.link.code.purposes.roles import Roles, as_called
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.source import Place
from coordlint.wording import fixed, words

_GENERAL = ("data-store", "config", "cache", "counter")  # what a wrapper is for that may be for more in its callers' hands


class Called(msgspec.Struct, frozen=True):
    """One call of a wrapper, with what it does as if the caller did it himself; None where the wrapper says all that there is to say."""

    place: Place
    symbol: str
    deed: Deed
    here: Operation | None = None

    @property
    def key(self) -> str | None:
        """The resource, for people."""
        return (shown(self.deed.key.named) or self.deed.key.text) if self.deed.key is not None else None


def called(place: Place, scope: Scope, deed: Deed, call: ir.Call | None = None) -> Called:
    """A call of a wrapper; whoever names the key may say what it is for."""
    operation = deed.operation
    if operation is None or operation.role != deed.role or deed.role not in _GENERAL or not _names_key(deed, operation):
        return Called(place, scope.symbol, deed)
    here = msgspec.structs.replace(
        operation,
        place=place,
        symbol=scope.symbol if deed.named_at is not None else operation.symbol,
        key=deed.key.text if deed.key is not None else None,
        key_text=shown(deed.key.named) if deed.key is not None else "",
        meant=deed.meant,
        arguments=(_naming(deed, scope, call), *operation.arguments[1:]),
        receiver=written(call.func.base) if call is not None and isinstance(call.func, ir.Attribute) else "",
        via=deed.via,
    )
    return Called(place, scope.symbol, deed, here)


def judged(operations: Iterable[Operation], calls: Iterable[Called]) -> dict[Place, str]:
    """What each call of a wrapper is for, by its place: judged together with all calls of libraries, one resource having one role."""
    several = list(calls)
    given = {site(c.here): c.deed.role for c in several if c.here is not None}
    roles = Roles((*operations, *(c.here for c in several if c.here is not None)), given)
    within = {c.place: c for c in several}
    told: dict[Place, str] = {}
    for place, c in within.items():
        role, depth = _role(c, roles), 0
        while role == c.deed.role and role in _GENERAL and c.deed.at in within and depth < MOST_VIA:
            c, depth = within[c.deed.at], depth + 1  # a caller who says no more than its wrapper: the wrapper's own call may say it
            role = _role(c, roles)
        told[place] = role
    return told


def _role(c: Called, roles: Roles) -> str:
    if c.here is not None:
        return roles.of(c.here) or c.deed.role
    is_plain = c.deed.operation is not None and c.deed.operation.role == c.deed.role
    return (as_called(c.deed.operation, c.symbol) if c.deed.operation is not None and is_plain else None) or c.deed.role


def _names_key(deed: Deed, operation: Operation) -> bool:
    """Whether a caller has a say in which key it is."""
    own = words(fixed(operation.key_text))
    more = deed.key is not None and not words(fixed(deed.key.text)) <= own
    return more or (not own and deed.named_at is not None)


def _naming(deed: Deed, scope: Scope, call: ir.Call | None) -> Argument:
    """The argument that names the key, as the caller writes it."""
    given = (*call.args, *(k.value for k in call.keywords)) if call is not None else ()
    expr = next((e for e in given if deed.named_at == scope.place(e.at)), None)
    whole = shown(deed.key.named) if deed.key is not None else ""
    text = expr.id if isinstance(expr, ir.Name) else whole
    return Argument("key", text=text, place=deed.named_at, mentions=tuple(sorted(names_in(expr))) if expr is not None else ())
