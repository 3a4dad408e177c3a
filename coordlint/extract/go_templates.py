"""The text of a Go template into nodes: texts, printed pipelines, and blocks with their branches. Nothing is evaluated here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union

MAX_TEXT = 400_000
MAX_NESTING = 60
MAX_BRACES = 4  # inside of one action's quotes
_QUOTE = re.compile(r'(?<!\\)"')
_TOKEN = re.compile(r"\"(?:[^\"\\]|\\.)*+(?:\"|\Z)|`[^`]*+(?:`|\Z)|'(?:[^'\\]|\\.)'|:=|[()|,=]|[^\s()|,=:\"`]+|:")


@dataclass(frozen=True)
class Text:
    """What is copied as it stands; `line` is where it begins."""

    text: str
    line: int


@dataclass(frozen=True)
class Print:
    """A pipeline whose value is printed, or an assignment, which prints nothing."""

    words: tuple[str, ...]
    line: int


@dataclass
class Block:
    """if, with, range or define: each branch is its condition (empty for else) and what stands in it."""

    word: str
    line: int
    branches: list[tuple[tuple[str, ...], list[Node]]] = field(default_factory=list)


Node = Union[Text, Print, Block]  # noqa: UP007 - recursive


def parse_template(text: str) -> list[Node] | None:
    """The nodes of a template; None when its blocks do not close or it is too long or too deep."""
    if len(text) > MAX_TEXT:
        return None
    top: list[Node] = []
    stack: list[Block] = []
    here = top
    for token in _tokens(text):
        if isinstance(token, Text):
            here.append(token)
            continue
        word, rest = (token.words[0], token.words[1:]) if token.words else ("", ())
        if word in ("if", "with", "range", "define", "block"):
            block = Block(word, token.line, [(rest, [])])
            here.append(block)
            stack.append(block)
        elif word == "else" and stack:
            stack[-1].branches.append((rest[1:] if rest[:1] in (("if",), ("with",)) else rest, []))
        elif word == "end" and stack:
            stack.pop()
        elif word:
            here.append(token)
        if len(stack) > MAX_NESTING:
            return None
        here = stack[-1].branches[-1][1] if stack else top
    return None if stack else top


def _tokens(text: str) -> Iterator[Text | Print]:
    """Texts and actions in order, spaces cut off where an action says so."""
    position, line, cut = 0, 1, False
    while (start := text.find("{{", position)) >= 0 and (end := _closing(text, start + 2)) > 0:
        inner = text[start + 2 : end]
        before = text[position:start]
        yield from _text(before, line, cut, inner.startswith("-"))
        line += before.count("\n")
        if not inner.removeprefix("-").lstrip().startswith("/*"):
            yield Print(tuple(_TOKEN.findall(inner.removeprefix("-").removesuffix("-"))), line)
        line += inner.count("\n")
        position, cut = end + 2, inner.endswith("-")
    yield from _text(text[position:], line, cut, False)


def _closing(text: str, start: int) -> int:
    """Where the action ends that begins at `start`: at the first braces outside of quotes; -1 when it does not end."""
    end = start - 1
    for _ in range(MAX_BRACES):
        end = text.find("}}", end + 1)
        if end < 0 or len(_QUOTE.findall(text, start, end)) % 2 == 0:
            return end
    return end


def _text(text: str, line: int, cut_left: bool, cut_right: bool) -> Iterator[Text]:
    kept = text.lstrip() if cut_left else text
    line += text.count("\n", 0, len(text) - len(kept))
    kept = kept.rstrip() if cut_right else kept
    if kept:
        yield Text(kept, line)
