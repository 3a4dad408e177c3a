"""Answers that are remembered, and questions that lead back to themselves.

A question may come up again while it is being answered: `d[key] = f(d)`, two functions that call each other. It is cut short
there, and what was made of the cut is kept only until the question at the head of the circle has its answer: else the
answers would depend on who asked first. Answers that hang on call sites are forgotten from round to round.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, ParamSpec, TypeVar

from coordlint.link.code.values import UNKNOWN, Value

K = TypeVar("K", bound=Hashable)
P = ParamSpec("P")
DEEPEST = 500  # questions that one question may lead to, one below the other: real code comes to some 300, a stack of 1 MiB bears 600
_NEVER = 1 << 30


@dataclass(slots=True)
class Memory(Generic[K]):
    """Answers by question: those that stay, those that hang on call sites, those of circles that are not closed yet."""

    firm: dict[K, Value] = field(default_factory=dict)
    loose: dict[K, Value] = field(default_factory=dict)
    passing: dict[K, tuple[Value, int, bool]] = field(default_factory=dict)  # with the level of the head of the circle
    active: dict[K, int] = field(default_factory=dict)  # questions that are being answered, with their level

    def end(self, key: K, keep: bool) -> None:
        """An answer of a circle stays, or is dropped."""
        passing = self.passing.pop(key, None)
        if passing is not None and keep:
            (self.loose if passing[2] else self.firm)[key] = passing[0]


class Asking:
    """The questions that are being answered just now, one below the other."""

    def __init__(self) -> None:
        self.hangs = False  # the answer in the making hangs on what callers pass, or was cut short for its depth
        self._level = 0
        self._cut = _NEVER  # the lowest level at which a question came up again
        self._passing: list[tuple[int, Callable[[bool], object]]] = []

    def answer(self, memory: Memory[K], key: K, make: Callable[P, Value], *args: P.args, **kwargs: P.kwargs) -> Value:
        """The remembered answer, else the one that is made now."""
        known = memory.firm.get(key)
        if known is not None:
            return known
        known = memory.loose.get(key)
        if known is not None:
            self.hangs = True
            return known
        if (passing := memory.passing.get(key)) is not None:
            known, cut, hangs = passing
            self._cut, self.hangs = min(self._cut, cut), self.hangs or hangs
            return known
        level = memory.active.get(key)
        if level is not None:
            self._cut = min(self._cut, level)
            return UNKNOWN
        if self._level >= DEEPEST:
            self._cut, self.hangs = 0, True
            return UNKNOWN
        return self._make(memory, key, make, *args, **kwargs)

    @property
    def is_deep(self) -> bool:
        """Whether the next new question would be cut short for its depth."""
        return self._level >= DEEPEST

    def _make(self, memory: Memory[K], key: K, make: Callable[P, Value], *args: P.args, **kwargs: P.kwargs) -> Value:
        level = self._level
        hangs_above, cut_above = self.hangs, self._cut
        self.hangs, self._cut, self._level = False, _NEVER, level + 1
        memory.active[key] = level
        try:
            made = make(*args, **kwargs)
        finally:
            del memory.active[key]
            self._level = level
        if self._cut < level:
            memory.passing[key] = (made, self._cut, self.hangs)
            self._passing.append((self._cut, lambda keep: memory.end(key, keep)))
        else:
            if self._cut == level:
                self._close(level, made == UNKNOWN)
            self._cut = _NEVER
            (memory.loose if self.hangs else memory.firm)[key] = made
        self.hangs, self._cut = self.hangs or hangs_above, min(self._cut, cut_above)
        return made

    def _close(self, level: int, is_settled: bool) -> None:
        """The head of a circle has its answer. Was it what the cut had assumed, so are the answers made of it; else they are asked again."""
        kept = []
        for cut, end in self._passing:
            if cut >= level:
                end(is_settled)
            else:
                kept.append((cut, end))
        self._passing = kept
