"""Reads models files: YAML text -> Library, every mistake told with file and line.

A models file may come from the repository that is checked, so it is hostile: no tags, no aliases, bounded size and
depth. Scalars are read as YAML 1.2 does (`no` and `22:22` are words); a duplicate key is a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import yaml

from coordlint.models.schema import CallModel, Library, TypeModel

MAX_BYTES = 2_000_000
MAX_DEPTH = 12  # a models file needs six levels

MAX_OPEN = 60  # unclosed brackets, steps of "- - -": the C parser recurses, and crashes at some 25,000

_TAGS = frozenset({"str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map"})
_QUOTED = frozenset({"'", '"', "|", ">"})
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_CONSTANTS: Mapping[str, object] = {"null": None, "~": None, "": None, "true": True, "false": False}
_WHERE = re.compile(r"\A(?P<what>.*?) - at `(?P<where>[^`]*)`\Z", re.DOTALL)

Entry = TypeVar("Entry", TypeModel, CallModel)
Model = TypeVar("Model")
Path = tuple[str | int, ...]
"""Where a value stands in the document: ("calls", "redis.Redis.set", "when", 0)."""


@dataclass(frozen=True, order=True)
class ModelError:
    """One mistake in a models file. `line` counts from 1."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class ModelsInvalid(Exception):
    """One or more models files cannot be used; `errors` has every mistake that was found."""

    def __init__(self, errors: Sequence[ModelError]) -> None:
        self.errors = tuple(sorted(set(errors)))
        super().__init__("\n".join(str(error) for error in self.errors))


class Document(msgspec.Struct, frozen=True):
    """A library with the lines of its entries, which the checks across files point at."""

    path: str
    library: Library
    lines: dict[Path, int]

    def line(self, *where: str | int) -> int:
        """The line of the entry, or of the closest thing around it."""
        for end in range(len(where), -1, -1):
            if (found := self.lines.get(where[:end])) is not None:
                return found
        return 1


def read_document(path: str, text: str) -> Document:
    """Parses one models file. Raises ModelsInvalid."""
    value, lines, errors = _read_yaml(path, text)
    if errors:
        raise ModelsInvalid(errors)
    if not isinstance(value, dict):
        raise ModelsInvalid([ModelError(path, 1, "a models file is a mapping that begins with `library:`")])
    head = {key: part for key, part in value.items() if key not in ("types", "calls")}
    library = _convert(head, Library, (), path, lines, errors)
    types = _convert_each(value, "types", TypeModel, path, lines, errors)
    calls = _convert_each(value, "calls", CallModel, path, lines, errors)
    if errors or library is None:
        raise ModelsInvalid(errors)
    named = msgspec.structs.replace(library, types=types, calls=calls)
    return Document(path, named, lines)


def _convert_each(
    value: dict[str, Any],
    part: str,
    kind: type[Entry],
    path: str,
    lines: dict[Path, int],
    errors: list[ModelError],
) -> dict[str, Entry]:
    """Converts entry by entry, so that one bad entry does not hide the next."""
    entries = value.get(part) or {}
    if not isinstance(entries, dict):
        errors.append(ModelError(path, lines.get((part,), 1), f"`{part}` is a mapping of names"))
        return {}
    found: dict[str, Entry] = {}
    for name, entry in entries.items():
        entry = entry if isinstance(entry, dict) else {"": entry}
        if "name" in entry:
            errors.append(ModelError(path, lines[part, name], "the key is the name; leave `name:` out"))
            continue
        model = _convert({**entry, "name": name}, kind, (part, name), path, lines, errors)
        if model is not None:
            found[name] = model
    return found


def _convert(
    value: object, kind: type[Model], where: Path, path: str, lines: dict[Path, int], errors: list[ModelError]
) -> Model | None:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        match = _WHERE.match(text)
        inner = _steps(match["where"]) if match else ()
        message = match["what"] if match else text
        if (unknown := re.search(r"unknown field `([^`]*)`", message)) is not None:
            inner = (*inner, unknown[1])
        spot = (*where, *inner)
        known = next(lines[spot[:end]] for end in range(len(spot), -1, -1) if spot[:end] in lines)
        label = ".".join(str(step) for step in spot)
        errors.append(ModelError(path, known, f"{label}: {message}" if label else message))
        return None


def _steps(where: str) -> Path:
    """`$.when[0].op` -> ("when", 0, "op"); an unnamed step `[...]` is left out, and what follows it too."""
    steps: list[str | int] = []
    for name, index in re.findall(r"\.([A-Za-z_]+)|\[([^\]]*)\]", where.removeprefix("$")):
        if not name and not index.isdigit():
            break
        steps.append(name or int(index))
    return tuple(steps)


# YAML text -> plain values with lines


def _read_yaml(path: str, text: str) -> tuple[object, dict[Path, int], list[ModelError]]:
    def refused(message: str, line: int = 1) -> tuple[object, dict[Path, int], list[ModelError]]:
        return None, {(): 1}, [ModelError(path, line, message)]

    if len(text) > MAX_BYTES:
        return refused(f"{len(text)} characters; a models file may have {MAX_BYTES}")
    if (line := _too_deep(text)) is not None:  # the C scanner recurses and would crash
        return refused(f"nested deeper than {MAX_DEPTH} levels", line)
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        return refused(f"not YAML: {problem}", mark.line + 1 if mark else 1)
    if node is None:
        return refused("empty; a models file begins with `library:`")
    lines: dict[Path, int] = {}
    errors: list[ModelError] = []
    value = _value(
        node, (), set(), lines, lambda n, message: errors.append(ModelError(path, _line(n), message))
    )
    return value, lines, errors


def _too_deep(text: str) -> int | None:
    """The line on which the nesting passes what any sane file has; brackets inside quotes count too."""
    unclosed = 0
    for number, line in enumerate(text.splitlines(), 1):
        unclosed += line.count("[") + line.count("{") - line.count("]") - line.count("}")
        steps = line.count("- ") + line.count("? ") + (len(line) - len(line.lstrip(" "))) // 2
        if unclosed > MAX_OPEN or steps > 2 * MAX_OPEN or line.count("[") + line.count("{") > MAX_OPEN:
            return number
    return None


def _value(
    node: yaml.Node,
    where: Path,
    seen: set[int],
    lines: dict[Path, int],
    tell: Callable[[yaml.Node, str], None],
) -> object:
    lines[where] = _line(node)
    if id(node) in seen:  # an alias: expanding them can take for ever
        tell(node, "anchors and aliases are not allowed")
        return None
    seen.add(id(node))
    if len(where) > MAX_DEPTH:
        tell(node, f"nested deeper than {MAX_DEPTH} levels")
        return None
    if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
        tell(node, f"the tag `{node.tag}` is not allowed")
        return None
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*where, i), seen, lines, tell) for i, item in enumerate(node.value)]
    mapping: dict[str, object] = {}
    for key, item in node.value:
        if not isinstance(key, yaml.ScalarNode):
            tell(key, "a key is a word")
        elif key.value in mapping:
            tell(key, f"`{key.value}` stands here twice")
        else:
            mapping[key.value] = _value(item, (*where, key.value), seen, lines, tell)
            lines[*where, key.value] = _line(key)
    return mapping


def _scalar(node: yaml.ScalarNode) -> object:
    text: str = node.value
    if node.style in _QUOTED:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) < 40 and _INT.match(text):
        return int(text)
    if len(text) < 40 and _FLOAT.match(text):
        return float(text)
    return text


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line
    return line + 1
