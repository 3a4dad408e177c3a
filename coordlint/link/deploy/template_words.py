"""Pipelines of chart templates: what their values and functions come to, as far as the repository tells; the rest is unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Union

from coordlint.manifest import UNKNOWN, Items, Node, Scalar, Table

MAX_CALLS = 40
MAX_LENGTH = 100_000


class Unknown:
    """A value that nothing in the repository tells."""


NOT_KNOWN = Unknown()
Value = Union[Node, str, bool, int, None, Unknown, Mapping[str, "Value"], list["Value"]]  # noqa: UP007 - recursive
Include = Callable[[str, "Value"], "Value"]


@dataclass(frozen=True)
class Scope:
    """What names mean at one place of a template: `.`, `$` and variables."""

    dot: Value
    top: Value  # Values, Chart, Release
    variables: Mapping[str, Value]
    include: Include


def evaluated(words: Sequence[str], scope: Scope, depth: int = 0) -> Value:
    """The value of a pipeline."""
    value: Value = NOT_KNOWN
    for number, command in enumerate(_split(words)):
        if depth > MAX_CALLS:
            return NOT_KNOWN
        value = _command(command, scope, depth, [] if number == 0 else [value])
        if isinstance(value, str) and len(value) > MAX_LENGTH:
            return NOT_KNOWN
    return value


def _split(words: Sequence[str]) -> list[list[str]]:
    """Commands between `|`, brackets respected."""
    made: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if word == "|" and depth == 0:
            made.append([])
        else:
            made[-1].append(word)
    return [command for command in made if command]


def _command(command: list[str], scope: Scope, depth: int, piped: list[Value]) -> Value:
    if len(command) == 1 and not piped and command[0] not in _FUNCTIONS:
        return _operand(command[0], scope)
    name = command[0]
    if name == "(":
        found = _arguments(command, scope, depth)
        return found[0] if found else NOT_KNOWN
    arguments = _arguments(command[1:], scope, depth)
    given = [*arguments, *piped]
    if name == "include":
        return scope.include(as_text(given[0]), given[1] if len(given) > 1 else scope.dot) if given else NOT_KNOWN
    if name in _FUNCTIONS:
        try:
            return _FUNCTIONS[name](given)
        except (IndexError, ValueError, TypeError):
            return NOT_KNOWN
    return NOT_KNOWN


def _arguments(words: Sequence[str], scope: Scope, depth: int) -> list[Value]:
    made: list[Value] = []
    position = 0
    while position < len(words):
        word = words[position]
        if word == "(":
            end, level = position + 1, 1
            while end < len(words) and level:
                level += (words[end] == "(") - (words[end] == ")")
                end += 1
            inner = evaluated(words[position + 1 : end - 1], scope, depth + 1)
            if end < len(words) and re.fullmatch(r"(\.\w+)+", words[end]):
                inner = fields(inner, words[end].strip(".").split("."))
                end += 1
            made.append(inner)
            position = end
        else:
            made.append(_operand(word, scope))
            position += 1
    return made


def _operand(word: str, scope: Scope) -> Value:
    """A literal, a variable, or a path from `.` or `$`."""
    if word[:1] == '"' and word[-1:] == '"':
        return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), word[1:-1])
    if word[:1] == "`":
        return word[1:-1]
    if re.fullmatch(r"-?\d+", word):
        return int(word)
    if word in ("true", "false"):
        return word == "true"
    if word == "nil":
        return None
    if word == ".":
        return scope.dot
    head, _, rest = word.partition(".")
    path = rest.split(".") if rest else []
    if head == "$":
        return fields(scope.top, path)
    if head.startswith("$"):
        return fields(scope.variables.get(head, NOT_KNOWN), path)
    return fields(scope.dot, path) if head == "" else NOT_KNOWN


def fields(value: Value, path: Sequence[str]) -> Value:
    """What a path of names leads to; nothing where a table has no such name."""
    for name in path:
        if isinstance(value, Table):
            value = value.get(name)
        elif isinstance(value, Mapping):
            value = value.get(name, NOT_KNOWN)
        elif value is None:
            return None
        else:
            return NOT_KNOWN
    return value


def as_text(value: Value) -> str:
    """A value as it is printed."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Scalar():
            return "" if value.value is None else value.text
        case str() | int():
            return str(value)
        case Table() | Items():
            return as_yaml(value)
        case _:
            return UNKNOWN


def truth(value: Value) -> bool | None:
    """Whether a value counts as true; None when it is not known."""
    match value:
        case Unknown():
            return None
        case Scalar():
            return value.text != "" if value.quoted else bool(value.value)
        case Table():
            return bool(value.entries)
        case Items():
            return bool(value.items)
        case str() if UNKNOWN in value:
            return True if value.strip(UNKNOWN) else None
        case _:
            return bool(value)


def as_yaml(value: Value) -> str:
    """A value as block YAML, as `toYaml` prints it."""
    match value:
        case Table() if value.entries:
            return "\n".join(_entry(f"{_quoted(k)}:", v) for k, v in value.entries)
        case Items() if value.items:
            return "\n".join(_item(v) for v in value.items)
        case Table():
            return "{}"
        case Items():
            return "[]"
        case Scalar():
            return _quoted(value) if value.quoted else value.text or '""'
        case _:
            return as_text(value)


def _entry(head: str, value: Node) -> str:
    inner = as_yaml(value)
    is_block = isinstance(value, Table | Items) and inner not in ("{}", "[]")
    return f"{head}\n{_indented(inner, 2)}" if is_block else f"{head} {inner}"


def _item(value: Node) -> str:
    return "- " + _indented(as_yaml(value), 2).lstrip(" ")


def _quoted(scalar: Scalar) -> str:
    if re.fullmatch(r"[A-Za-z_][\w./-]*", scalar.text) and not (scalar.quoted and scalar.text.lower() in ("true", "false", "null", "yes", "no")):
        return scalar.text
    return '"' + scalar.text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _indented(text: str, width: int) -> str:
    pad = " " * width
    return "\n".join(pad + line if line else line for line in text.split("\n"))


def _default(given: list[Value]) -> Value:
    fallback, value = given[0], given[-1]
    known = truth(value)
    return value if known else fallback if known is False or isinstance(value, Unknown) else value


def _printf(given: list[Value]) -> Value:
    rest = iter(given[1:])
    return re.sub(r"%[-+0-9.]*[a-zA-Z]", lambda _: as_text(next(rest, NOT_KNOWN)), as_text(given[0]))


def _same(given: list[Value]) -> Value:
    if any(isinstance(v, Unknown) for v in given):
        return NOT_KNOWN
    return any(as_text(given[0]) == as_text(other) for other in given[1:])


def _all(given: list[Value]) -> Value:
    return next((v for v in given if truth(v) is False), given[-1])


def _any(given: list[Value]) -> Value:
    return next((v for v in given if truth(v) is not False), given[-1])


def _not(value: Value) -> Value:
    known = truth(value)
    return NOT_KNOWN if known is None else not known


def _padded(given: list[Value], start: str) -> Value:
    width, text = given[0], as_text(given[-1])
    return start + _indented(text, width if isinstance(width, int) and 0 <= width < 200 else 0)


def _table(given: list[Value]) -> Value:
    return {as_text(k): v for k, v in zip(given[::2], given[1::2], strict=False)}


def _text_of(change: Callable[[str], str]) -> Callable[[list[Value]], Value]:
    return lambda given: change(as_text(given[-1]))


_FUNCTIONS: dict[str, Callable[[list[Value]], Value]] = {
    "default": _default,
    "coalesce": lambda given: next((v for v in given if truth(v)), given[-1]),
    "quote": lambda given: '"' + as_text(given[-1]).replace('"', '\\"') + '"',
    "squote": lambda given: "'" + as_text(given[-1]).replace("'", "''") + "'",
    "printf": _printf,
    "print": lambda given: "".join(map(as_text, given)),
    "toYaml": lambda given: as_yaml(given[-1]),
    "toString": _text_of(str),
    "tpl": lambda given: re.sub(r"\{\{(?:[^{}]|\{(?!\{)|\}(?!\}))*+\}\}", UNKNOWN, as_text(given[0])),
    "required": lambda given: given[-1],
    "nindent": lambda given: _padded(given, "\n"),
    "indent": lambda given: _padded(given, ""),
    "trunc": lambda given: as_text(given[-1])[: given[0] if isinstance(given[0], int) and given[0] > 0 else None],
    "trim": _text_of(str.strip),
    "lower": _text_of(str.lower),
    "upper": _text_of(str.upper),
    "trimSuffix": lambda given: as_text(given[-1]).removesuffix(as_text(given[0])),
    "trimPrefix": lambda given: as_text(given[-1]).removeprefix(as_text(given[0])),
    "trimAll": lambda given: as_text(given[-1]).strip(as_text(given[0])),
    "replace": lambda given: as_text(given[-1]).replace(as_text(given[0]), as_text(given[1])),
    "contains": lambda given: as_text(given[0]) in as_text(given[-1]),
    "hasPrefix": lambda given: as_text(given[-1]).startswith(as_text(given[0])),
    "hasSuffix": lambda given: as_text(given[-1]).endswith(as_text(given[0])),
    "hasKey": lambda given: fields(given[0], [as_text(given[1])]) is not None,
    "get": lambda given: fields(given[0], [as_text(given[1])]),
    "index": lambda given: fields(given[0], [as_text(v) for v in given[1:]]),
    "eq": _same,
    "ne": lambda given: _not(_same(given)),
    "not": lambda given: _not(given[-1]),
    "and": _all,
    "or": _any,
    "empty": lambda given: _not(given[-1]),
    "ternary": lambda given: given[0] if truth(given[2]) is not False else given[1],
    "int": lambda given: int(as_text(given[-1])),
    "dict": _table,
    "list": lambda given: list(given),
    "join": lambda given: as_text(given[0]).join(_items_of(given[-1])),
}


def _items_of(value: Value) -> list[str]:
    found = value.items if isinstance(value, Items) else value if isinstance(value, list) else (NOT_KNOWN,)
    return [as_text(v) for v in found]
