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
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
METHODS = {"compile", "match", "search", "fullmatch", "findall", "finditer", "split", "sub", "subn"}
ANYWHERE = METHODS - {"compile", "match", "fullmatch"}
LENGTH = 12_000  # of a text; what is quadratic takes a hundred times longer than what is linear
SECONDS = 0.2
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


def attacks(pattern: str, flags: int, anywhere: bool) -> Iterator[str]:
    tree = parser.parse(pattern, flags)
    favourites = sorted({" ", "a", "0", *(c for c in pattern if not c.isalnum() and c not in "\\^$()|?*+")})
    made = set()
    for before, body in repetitions(tree, []):
        for favourite in favourites:
            for branch in range(3):
                sampler = Sampler(favourite, branch)
                head, pump = sampler.of(before), sampler.of(body)
                if not pump:
                    continue
                times = LENGTH // len(pump)
                for end in ("", "\0", "\n", " !"):
                    made.add(head + pump * times + end)
                made |= {head + pump + other * LENGTH + "\0" for other in " a"}
                if anywhere:
                    made.add((head + pump) * (LENGTH // (len(head) + len(pump))) + "\0")
                    if head:
                        made.add(head * (LENGTH // len(head)) + "\0")
    yield from sorted(made)


class TooLong(Exception):
    pass


def runs_in_time(pattern: str | bytes, flags: int, anywhere: bool, text: str) -> bool:
    def stop(*_: object) -> None:
        raise TooLong

    compiled = re.compile(pattern, flags)
    given: Any = text if isinstance(pattern, str) else text.encode("utf-8", "replace")
    before = signal.signal(signal.SIGVTALRM, stop)
    begun = time.process_time()
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 20 * SECONDS)
        for _ in compiled.finditer(given) if anywhere else [compiled.match(given), compiled.fullmatch(given)]:
            pass
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except TooLong:
        return False
    finally:
        signal.signal(signal.SIGVTALRM, before)
    return time.process_time() - begun < SECONDS


@pytest.mark.slow
def test_no_regular_expression_takes_more_than_linear_time() -> None:
    slow = []
    tested = list(patterns())
    assert len(tested) > 100
    for where, pattern, flags, anywhere in tested:
        text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
        for attack in attacks(text, flags, anywhere):
            if not runs_in_time(pattern, flags, anywhere, attack):
                slow.append(f"{where}: {text[:60]!r} on {attack[:20]!r} ... {attack[-4:]!r}")
                break
    assert not slow, "\n".join(slow)


def test_the_test_itself_knows_a_bad_pattern_from_a_good_one() -> None:
    def bad(pattern: str, anywhere: bool) -> bool:
        return not all(runs_in_time(pattern, 0, anywhere, attack) for attack in attacks(pattern, 0, anywhere))

    assert bad(r"(a+)+b", False) and bad(r"\w+=", True) and bad(r"^\s*\w*\s*\w*\s*!$", False)
    assert not bad(r"\s+x", False) and not bad(r"[^\s]+=(\d+)", False)
