"""Which rules looked at a place, and which line of theirs let it go: what `coordlint why` says about rules.

Rules are plain generators, and stay so: nothing in them is written for this. They are run once more over a System that
notes which noun it hands out, under a line tracer that sees the rule's own files only: its module, and the modules beside
it that are parts of rules (`_rows.py`). The last condition that ran between a noun of the place and the next noun is what
stopped the rule.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import CO_GENERATOR
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from coordlint.report.result import Verdict
from coordlint.rulebook import Rule
from coordlint.source import Place
from coordlint.system import System

DEEPEST = 4  # nouns within nouns in which places are looked for

Line = tuple[bool, str, int]
"""Whether it stands where findings are told (the rule's function, or one that tells some of them for it), file, number."""


def watched(system: System, rules: tuple[Rule, ...], path: str, line: int) -> tuple[Verdict, ...]:
    """The verdicts of all rules that were handed something at this line, by code."""
    made = (_watch(system, rule, path, line) for rule in rules)
    return tuple(verdict for verdict in made if verdict is not None)


def stands_at(noun: Any, path: str, line: int, depth: int = 0) -> bool:
    """Whether one of the places of a noun, or of the nouns in it, covers the line."""
    match noun:
        case Place():
            return noun.path == path and noun.line <= line <= max(noun.line, noun.span.end_line)
        case msgspec.Struct() if depth < DEEPEST:
            return any(stands_at(getattr(noun, name), path, line, depth + 1) for name in noun.__struct_fields__)
        case tuple() | frozenset() if depth < DEEPEST:
            return any(stands_at(part, path, line, depth + 1) for part in noun)
        case _:
            return False


class _Watch:
    """The state of one rule's run: whether the noun in hand is of the place, and the rule's lines since it was handed out."""

    def __init__(self, rule: Rule, path: str, line: int) -> None:
        own = Path(rule.check.__code__.co_filename)
        self.files = frozenset(str(p) for p in (own, *own.parent.glob("_*.py")))
        self.path, self.line = path, line
        self.looked = self.in_hand = False
        self.lines: list[Line] = []
        self.last: list[Line] = []

    def hand_out(self, noun: Any) -> None:
        self.put_down()
        self.in_hand = stands_at(noun, self.path, self.line)
        self.looked |= self.in_hand
        self.lines = []

    def put_down(self) -> None:
        if self.in_hand:
            self.last = self.lines
        self.in_hand = False

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in self.files:
            return None
        if event == "line" and self.in_hand:
            self.lines.append((bool(frame.f_code.co_flags & CO_GENERATOR), frame.f_code.co_filename, frame.f_lineno))
        return self.trace


class _Watched(System):
    """A System whose answers tell a watch which noun is in hand."""

    def __init__(self, system: System, watch: _Watch) -> None:
        super().__init__(system._world)
        self._watch = watch

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found) or not _is_called_by_rule(self._watch):
            return found
        return self._telling(found)

    def _telling(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        watch = self._watch

        def asked(*args: Any, **given: Any) -> Any:
            answer = ask(*args, **given)
            if isinstance(answer, tuple):
                return _Handed(answer, watch)
            return _each(answer, watch) if isinstance(answer, Iterator) else answer

        return asked


class _Handed(tuple[Any, ...]):
    """A tuple that tells when its members are taken one by one."""

    watch: _Watch

    def __new__(cls, items: tuple[Any, ...], watch: _Watch) -> _Handed:
        made = super().__new__(cls, items)
        made.watch = watch
        return made

    def __iter__(self) -> Iterator[Any]:
        return _each(super().__iter__(), self.watch)


def _each(answer: Iterator[Any], watch: _Watch) -> Iterator[Any]:
    for noun in answer:
        if not watch.in_hand or stands_at(noun, watch.path, watch.line):
            watch.hand_out(noun)  # what is asked about the noun in hand does not take its place
            yield noun
            watch.put_down()
        else:
            yield noun


def _is_called_by_rule(watch: _Watch) -> bool:
    """Whether the question comes from the rule itself: what System asks of itself is not handed to anybody."""
    return sys._getframe(2).f_code.co_filename in watch.files


def _watch(system: System, rule: Rule, path: str, line: int) -> Verdict | None:
    watch, messages = _Watch(rule, path, line), []
    with _traced(watch.trace):
        try:
            for found in rule.check(_Watched(system, watch)):
                if any(stands_at(p, path, line) for p in (found.place, *(e.place for e in found.because))):
                    messages.append(found.message)
        except Exception as error:  # told as the rule's failure, as in a check
            return Verdict(rule.code, rule.name, (), broke=f"{type(error).__name__}: {error}")
    if not watch.looked and not messages:
        return None
    stopped = () if messages else _conditions(watch)
    return Verdict(rule.code, rule.name, tuple(dict.fromkeys(messages)), stopped)


@contextmanager
def _traced(trace: Callable[[FrameType, str, Any], Any]) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def _conditions(watch: _Watch) -> tuple[tuple[str, int, str], ...]:
    """The rule's last condition about the noun, and after it the line on which its last helper made up its mind."""
    own = [(file, n) for is_own, file, n in watch.last if is_own and _decides(_text(file, n))]
    helping = [(file, n) for is_own, file, n in watch.last if not is_own]
    kept = [*own[-1:], *[(file, n) for file, n in helping[-1:] if _text(file, n).startswith(("return", "if"))]]
    return tuple((Path(file).name, n, _text(file, n)) for file, n in kept)


def _text(file: str, line: int) -> str:
    return linecache.getline(file, line).strip()


def _decides(text: str) -> bool:
    return text.startswith(("if ", "elif ", "while ")) or " if " in text
