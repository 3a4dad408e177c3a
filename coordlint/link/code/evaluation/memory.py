"""Answers that are remembered, and questions that lead back to themselves.

A question may come up again while it is being answered: `d[key] = f(d)`, two functions that call each other. It is cut short
there, and what was made of the cut is kept only until the question at the head of the circle has its answer: else the
answers would depend on who asked first. Answers that hang on call sites are forgotten from round to round.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, TypeVarTuple

from coordlint.link.code.evaluation.values import UNKNOWN, Value

K = TypeVar("K", bound=Hashable)
Ts = TypeVarTuple("Ts")
DEEPEST = 500  # questions that one question may lead to, one below the other: real code comes to some 300, a stack of 1 MiB bears 600
_NEVER = 1 << 30


class Memory(Generic[K]):
    """Answers by question: those that stay, and those that hang on call sites. One for each scope, as keys that name the scope cost most of the memory."""

    __slots__ = ("firm", "loose")

    def __init__(self) -> None:
        self.firm: dict[K, Value] = {}
        self.loose: dict[K, Value] = {}


_Question = tuple[Memory[Any], Hashable]
_Passing = tuple[Value, int, bool]  # an answer of a circle that is not closed yet, the level of the circle's head, and whether it hangs on call sites


class Asking:
    """The questions that are being answered just now, one below the other."""

    def __init__(self) -> None:
        self.hangs = False  # the answer in the making hangs on what callers pass, or was cut short for its depth
        self._level = 0
        self._cut = _NEVER  # the lowest level at which a question came up again
        self._open: dict[_Question, int | _Passing] = {}  # questions that are being answered, with their level, and answers of open circles
        self._passing: dict[int, list[_Question]] = {}  # by the level at which they were cut

    def answer(self, memory: Memory[K], key: K, make: Callable[[*Ts], Value], *args: *Ts) -> Value:
        """The remembered answer, else the one that is made now."""
        known = memory.firm.get(key)
        if known is not None:
            return known
        known = memory.loose.get(key)
        if known is not None:
            self.hangs = True
            return known
        question = (memory, key)
        found = self._open.get(question)
        if found is None:
            if self._level < DEEPEST:
                return self._make(question, make, *args)
            self._cut, self.hangs = 0, True
            return UNKNOWN
        if isinstance(found, int):
            self._cut = min(self._cut, found)
            return UNKNOWN
        known, cut, hangs = found
        self._cut, self.hangs = min(self._cut, cut), self.hangs or hangs
        return known

    def _make(self, question: _Question, make: Callable[[*Ts], Value], *args: *Ts) -> Value:
        level = self._level
        hangs_above, cut_above = self.hangs, self._cut
        self.hangs, self._cut, self._level = False, _NEVER, level + 1
        self._open[question] = level
        try:
            made = make(*args)
        finally:
            del self._open[question]
            self._level = level
        cut, hangs = self._cut, self.hangs
        if level in self._passing:
            self._assumed(level, made == UNKNOWN, cut, hangs)
        if cut < level:
            self._open[question] = (made, cut, hangs)
            self._passing.setdefault(cut, []).append(question)
            self._cut = min(cut, cut_above)
        else:
            self._cut = cut_above
            memory, key = question
            (memory.loose if hangs else memory.firm)[key] = made
        self.hangs = hangs or hangs_above
        return made

    def _assumed(self, level: int, is_right: bool, cut: int, hangs: bool) -> None:
        """A question that was cut short below has its answer. Was it what the cut had assumed, so are the answers made of it, as far as
        its own is: they are of the circle around, where there is one. Else they are asked again."""
        for question in self._passing.pop(level):
            found = self._open.pop(question, None)
            if not is_right or not isinstance(found, tuple):
                continue
            if cut < level:
                self._open[question] = (found[0], cut, hangs or found[2])
                self._passing.setdefault(cut, []).append(question)
            else:
                memory, key = question
                (memory.loose if hangs or found[2] else memory.firm)[key] = found[0]
