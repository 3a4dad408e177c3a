"""Names that hold a new id each time: `key_id = str(uuid.uuid4())`. Keys that they fill are others after each start, or at each call."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.project import Scope

_DRAWN = frozenset({"uuid1", "uuid4", "token_hex", "token_urlsafe"})
_SPELLS = frozenset({"str", "repr", "hex", "encode", "decode", "format", "replace", "lower", "upper"})


def drawn(scope: Scope, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these names that have no other value, here, in the class around, or in the module."""
    return tuple(name for name in names if _DRAWN & set(name.replace("()", "").split(".")) or ((values := _values(scope, name)) and all(_is_drawn(v) for v in values)))


def _values(scope: Scope, name: str) -> list[ir.Expr | None]:
    base, _, field = name.rpartition(".")
    if base in ("self", "cls"):
        home = scope.owner
        found = [] if home is None else [b for _, b in home.attributes.get(field, ())] + home.names.get(field, [])
    else:
        seen = scope.sees(name) if name.isidentifier() else None
        found = [] if seen is None or any(p.name == name for p in seen.params()) else seen.names.get(name, [])
    return [b.expr if b.kind == "value" and not b.path else None for b in found]


def _is_drawn(value: ir.Expr | None) -> bool:
    match value:
        case ir.Call(func=func, args=args):
            if last_word(func) in _DRAWN:
                return True
            inside = (*args, func.base) if isinstance(func, ir.Attribute) else args
            return last_word(func) in _SPELLS and any(_is_drawn(a) for a in inside)
        case ir.Attribute(base=base, name="hex" | "int" | "bytes" | "urn") | ir.Index(base=base):
            return _is_drawn(base)
        case ir.Text(parts=parts) | ir.Binary(op="+" | "%", values=parts):
            return any(_is_drawn(p) for p in parts)
        case _:
            return False
