"""Parts of a text that an object has of its own: the key `{self.kind}/{id}` of a base class, asked of a subclass that says `kind = "orders"`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint.link.code.evaluation import attributes
from coordlint.link.code.evaluation.values import (
    ClassRef,
    Literal,
    Object,
    Pattern,
    Value,
    as_pattern,
    one_of,
    options,
    pieces,
)

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

_OWN = ("self.", "cls.")


def of_receiver(ev: Evaluator, made: Value, receiver: Value | None) -> Value:
    """A value whose texts have the receiver's own parts, where these are known."""
    if not isinstance(receiver, Object | ClassRef) or not any(isinstance(v, Pattern) and _has_own(v) for v in options(made)):
        return made
    return one_of([with_own(ev, v, receiver) if isinstance(v, Pattern) else v for v in options(made)])


def with_own(ev: Evaluator, pattern: Pattern, receiver: Value | None) -> Pattern:
    """A text with the receiver's own parts."""
    if not isinstance(receiver, Object | ClassRef) or not _has_own(pattern):
        return pattern
    asked = Object(receiver.symbol) if isinstance(receiver, Object) else receiver  # `cls()` in a base class may be of any class below
    text, named = "", ""
    for piece, is_hole in pieces(pattern.named):
        own = attributes.attribute(ev, asked, piece.partition(".")[2]) if is_hole and piece.startswith(_OWN) and piece.count(".") == 1 else None
        known = own if isinstance(own, Pattern) or (isinstance(own, Literal) and own.value) else None
        part = as_pattern(known, piece) if known is not None else Pattern("{}" if is_hole else piece, "{" + piece + "}" if is_hole else piece)
        text, named = text + part.text, named + part.named
    return Pattern(text, named)


def _has_own(pattern: Pattern) -> bool:
    return "{self." in pattern.named or "{cls." in pattern.named
