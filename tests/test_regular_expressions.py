"""No text makes a regular expression of ours back-track for ever: each one is pumped at each of its repetitions.

The patterns are read out of the source, so a new one is tested as soon as it is written. What is called on a pattern
(`search`, `match` ...) is read as well, because `\\s+x` is harmless for one and quadratic for the other.
"""

from __future__ import annotations

import ast
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
METHODS = {"compile", "match", "search", "fullmatch", "findall", "finditer", "split", "sub", "subn"}
ANYWHERE = METHODS - {"compile", "match", "fullmatch"}
LENGTH = 16_000  # of a text; what is quadratic takes 128 million steps, what is linear some ten thousands
AT_ONCE, GIVEN_UP = 0.01, 1.0  # seconds of this process: too few to measure growth, and enough for anything linear
GROWTH, TRIES = 8, 3  # halfway between what is linear and what is quadratic, for four times the length
FLAGS = {"I": re.I, "IGNORECASE": re.I, "M": re.M, "MULTILINE": re.M, "S": re.S, "DOTALL": re.S, "X": re.X, "VERBOSE": re.X}

# Bounded by what they are asked about: the words of one of our own files, of an option, or of a file name.
OURS = {"examples.py", "models/loader.py", "models/index.py", "models/coordinator_table.py", "docs/build.py"}


def literal(node: ast.expr) -> str | bytes | None:
    """The text of a pattern; interpolated names stand as a word."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "name" for v in node.values)
    if isinstance(node, ast.BinOp):
        left, right = literal(node.left), literal(node.right)
        return left + right if isinstance(left, str) and isinstance(right, str) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) else None


def patterns() -> Iterator[tuple[str, str | bytes, int, bool]]:
    """(where, pattern, flags, whether it is looked for anywhere in a text)."""
    for file in sorted([*ROOT.glob("coordlint/**/*.py"), *ROOT.glob("rules/**/*.py")]):
        name = file.relative_to(ROOT).as_posix()
        if any(name.endswith("coordlint/" + ours) for ours in OURS):
            continue
        text = file.read_text("utf-8")
        tree = ast.parse(text)
        bound = {n.value: t.id for n in ast.walk(tree) if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)):
                continue
            if node.func.value.id != "re" or node.func.attr not in METHODS:
                continue
            if not node.args or (pattern := literal(node.args[0])) is None:
                continue
            flags = 0
            for part in ast.walk(ast.Tuple([*node.args[1:], *(k.value for k in node.keywords)])):
                if isinstance(part, ast.Attribute):
                    flags |= FLAGS.get(part.attr, 0)
            variable = bound.get(node) if node.func.attr == "compile" else None
            used = set(re.findall(rf"\b{variable}\.(\w+)", text)) if variable else {node.func.attr}
            yield f"{name}:{node.lineno}", pattern, flags, bool(used & ANYWHERE) or not used & METHODS


class Sampler:
    """Short texts that parts of a pattern match, of a favourite character where it can be."""

    def __init__(self, favourite: str, branch: int) -> None:
        self.favourite, self.branch = favourite, branch

    def of(self, items: Any) -> str:
        return "".join(self._one(op, value) for op, value in items)

    def _one(self, op: Any, value: Any) -> str:
        if op is sre.LITERAL:
            return chr(value)
        if op is sre.NOT_LITERAL:
            return self.favourite if ord(self.favourite) != value else "z"
        if op is sre.ANY:
            return self.favourite if self.favourite != "\n" else "z"
        if op is sre.IN:
            return self._in(value)
        if op is sre.BRANCH:
            return self.of(value[1][self.branch % len(value[1])])
        if op is sre.SUBPATTERN:
            return self.of(value[3])
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            return self.of(value[2]) * value[0]
        if op is sre.ATOMIC_GROUP:
            return self.of(value)
        return ""  # anchors, looks ahead and behind, references

    def _in(self, value: Any) -> str:
        compiled = parser.SubPattern(parser.State(), [(sre.IN, value)])
        from re import _compiler as compiler  # type: ignore[attr-defined]

        accepts = compiler.compile(compiled).fullmatch
        return next((c for c in (self.favourite, "a", "0", " ", "A", "-", "\n", "\t", "é", ":") if accepts(c)), None) or next(
            chr(n) for n in range(0x3000) if accepts(chr(n))
        )


def repetitions(items: Any, before: Any) -> Iterator[tuple[list[Any], Any]]:
    """(what stands before it, body) of each unbounded repetition."""
    items = list(items)
    for number, (op, value) in enumerate(items):
        ahead = [*before, *items[:number]]
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            if value[1] > 100:
                yield ahead, value[2]
            yield from repetitions(value[2], ahead)
        elif op is sre.POSSESSIVE_REPEAT:
            yield ahead, value[2]
            yield from repetitions(value[2], ahead)
        elif op is sre.SUBPATTERN:
            yield from repetitions(value[3], ahead)
        elif op is sre.ATOMIC_GROUP:
            yield from repetitions(value, ahead)
        elif op is sre.BRANCH:
            for branch in value[1]:
                yield from repetitions(branch, ahead)


@dataclass(frozen=True)
class Attack:
    """A text of any length that is made to be slow: `head`, then `pump` over and over, then `end`."""

    head: str
    pump: str
    end: str

    def text(self, length: int) -> str:
        return self.head + self.pump * (length // len(self.pump)) + self.end

    def __str__(self) -> str:
        return f"{self.head[:20]!r} + {self.pump[:20]!r} * n + {self.end!r}"


def attacks(pattern: str, flags: int, anywhere: bool) -> list[Attack]:
    tree = parser.parse(pattern, flags)
    favourites = sorted({" ", "\n", "a", "0", *(c for c in pattern if not c.isalnum() and c not in "\\^$()|?*+")})
    made = set()
    for before, body in repetitions(tree, []):
        for favourite in favourites:
            for branch in range(3):
                sampler = Sampler(favourite, branch)
                head, pump = sampler.of(before), sampler.of(body)
                if not pump:
                    continue
                made |= {(head, pump, end) for end in ("", "\0", "\n", " !")}
                made |= {(head + pump, other, "\0") for other in " a"}
                if anywhere:
                    made |= {("", again, "\0") for again in (head + pump, head) if again}
    return [Attack(*parts) for parts in sorted(made)]


class TooLong(Exception):
    pass


def took(pattern: str | bytes, flags: int, anywhere: bool, text: str) -> float:
    """Seconds of this process alone, so that a busy machine counts little; `GIVEN_UP` when it is stopped."""

    def stop(*_: object) -> None:
        raise TooLong

    compiled = re.compile(pattern, flags)
    given: Any = text if isinstance(pattern, str) else text.encode("utf-8", "replace")
    before = signal.signal(signal.SIGVTALRM, stop)
    begun = time.process_time()
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, GIVEN_UP)
        for _ in compiled.finditer(given) if anywhere else [compiled.match(given), compiled.fullmatch(given)]:
            pass
        return min(time.process_time() - begun, GIVEN_UP)
    except TooLong:
        return GIVEN_UP
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def linear(pattern: str | bytes, flags: int, anywhere: bool, attack: Attack) -> bool:
    """Whether a text of four times the length takes about four times as long, and not sixteen times.

    No number of seconds decides, so a slow machine says the same as a fast one. What is over at once has no growth that
    could be measured; what is quadratic is never over at once at this length, on any machine.
    """
    long = took(pattern, flags, anywhere, attack.text(LENGTH))
    if long < AT_ONCE:
        return True
    for _ in range(TRIES):
        short = took(pattern, flags, anywhere, attack.text(LENGTH // 4))
        if long < short * GROWTH and long < GIVEN_UP:
            return True
        if short * GROWTH > GIVEN_UP:
            return False  # exponential: no length of it is ever over
        long = min(long, took(pattern, flags, anywhere, attack.text(LENGTH)))
    return False


@pytest.mark.slow
def test_no_regular_expression_takes_more_than_linear_time() -> None:
    slow = []
    tested = list(patterns())
    assert len(tested) > 100
    for where, pattern, flags, anywhere in tested:
        text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
        found = next((attack for attack in attacks(text, flags, anywhere) if not linear(pattern, flags, anywhere, attack)), None)
        if found:
            slow.append(f"{where}: {text[:60]!r} on {found}")
    assert not slow, "\n".join(slow)


@pytest.mark.parametrize(("pattern", "anywhere"), [(r"(a+)+b", False), (r"\w+=", True), (r"(?m)^\s*x", True)])
def test_the_test_itself_knows_a_bad_pattern(pattern: str, anywhere: bool) -> None:
    assert not all(linear(pattern, 0, anywhere, attack) for attack in attacks(pattern, 0, anywhere))


@pytest.mark.parametrize(("pattern", "anywhere"), [(r"\s+x", False), (r"[^\s]+=(\d+)", False), (r"\bname\b", True)])
def test_the_test_itself_knows_a_good_pattern(pattern: str, anywhere: bool) -> None:
    assert all(linear(pattern, 0, anywhere, attack) for attack in attacks(pattern, 0, anywhere))
