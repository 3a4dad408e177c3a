"""What the engine believes about one place: the answer to `coordlint why`. All frozen, for reading by people."""

from __future__ import annotations

import msgspec

from coordlint.source import Place


class Belief(msgspec.Struct, frozen=True):
    """One expression at the place, as written, and what it can be. Empty `told` alternatives mean: not known."""

    place: Place
    text: str
    told: tuple[str, ...]  # the alternatives, in words: "redis.lock.Lock, made at app.py:3"


class Summary(msgspec.Struct, frozen=True):
    """A function as its callers see it, in words. Each list is in the order of the code."""

    symbol: str
    place: Place
    returns: tuple[str, ...] = ()  # what it can give back
    takes: tuple[tuple[Place, str], ...] = ()  # locks that it takes, and leaves to its caller where said
    releases: tuple[Place, ...] = ()  # locks of others that it releases
    unresolved: tuple[Place, ...] = ()  # calls that nobody knows
    passed: tuple[tuple[str, tuple[str, ...]], ...] = ()  # its parameters, and what callers pass for them


class Beliefs(msgspec.Struct, frozen=True):
    """All that is believed about a line of code; empty where the line holds no code that was read."""

    expressions: tuple[Belief, ...] = ()
    function: Summary | None = None
