"""Chart templates read with the values that the repository holds: includes, ranges and branches followed, nothing run.

What is not known stays unknown inside the text. A switch that the values turn off is taken to be on, because another values
file may turn it on; what stands under it is told apart (`is_off`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from coordlint.extract.go_templates import Block, Node, Print, Text, parse_template
from coordlint.extract.yaml_nodes import parse
from coordlint.link.deploy.template_words import NOT_KNOWN, Scope, Unknown, Value, as_text, evaluated, truth
from coordlint.manifest import UNKNOWN, Items, Scalar, Table
from coordlint.manifest import Node as Tree
from coordlint.source import Span

MAX_STEPS = 40_000
MAX_OUTPUT = 1_000_000
MAX_INCLUDES = 20
MAX_ROUNDS = 500


@dataclass(frozen=True)
class Read:
    """One document of a template: its tree with the template's own lines, and the switch that is off around it."""

    tree: Table
    switch: str = ""


class _TooMuch(Exception):
    """The template does not end in reasonable time."""


@dataclass
class _Output:
    """What is printed, and from which line of the template."""

    parts: list[tuple[str, int, str]] = field(default_factory=list)  # text, line, the switch that is off around it
    size: int = 0
    switch: str = ""

    def add(self, text: str, line: int, copied: bool) -> None:
        """More text; copied text moves on through the template's lines, printed text stands at one."""
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise _TooMuch
        for number, piece in enumerate(text.split("\n")):
            if number:
                self.parts.append(("\n", 0, ""))
            if piece:
                self.parts.append((piece, line + number if copied else line, self.switch))


@dataclass
class Templates:
    """The templates of one chart."""

    texts: Mapping[str, str]  # by path
    top: Mapping[str, Value]  # Values, Chart, Release
    _defines: dict[str, list[Node]] = field(default_factory=dict)
    _parsed: dict[str, list[Node] | None] = field(default_factory=dict)
    _steps: int = 0
    _depth: int = 0

    def __post_init__(self) -> None:
        for path, text in sorted(self.texts.items()):
            nodes = self._parsed[path] = parse_template(text)
            for node in nodes or ():
                if isinstance(node, Block) and node.word in ("define", "block"):
                    self._defines[as_text(_name(node))] = node.branches[0][1]

    def read(self, path: str) -> list[Read]:
        """The documents of one template file; none when it cannot be followed."""
        nodes = self._parsed.get(path)
        if nodes is None:
            return []
        self._steps, output = 0, _Output()
        try:
            self._walk(nodes, self._scope(self.top, {}), output)
        except _TooMuch:
            return []
        return list(_documents(output, path))

    def _scope(self, dot: Value, variables: Mapping[str, Value]) -> Scope:
        return Scope(dot, self.top, variables, self._included)

    def _included(self, name: str, dot: Value) -> Value:
        body = self._defines.get(name)
        if body is None or self._depth >= MAX_INCLUDES:
            return NOT_KNOWN
        self._depth += 1
        output = _Output()
        try:
            self._walk(body, self._scope(dot, {}), output)
        finally:
            self._depth -= 1
        return "".join(text for text, _, _ in output.parts)

    def _walk(self, nodes: list[Node], scope: Scope, output: _Output) -> None:
        variables = dict(scope.variables)
        for node in nodes:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise _TooMuch
            now = Scope(scope.dot, scope.top, variables, scope.include)
            if isinstance(node, Text):
                output.add(node.text, node.line, copied=True)
            elif isinstance(node, Print):
                self._print(node, now, variables, output)
            elif node.word == "range":
                self._range(node, now, output)
            elif node.word in ("if", "with"):
                self._branch(node, now, output)
            elif node.word == "block":
                self._walk(node.branches[0][1], now, output)

    def _print(self, node: Print, scope: Scope, variables: dict[str, Value], output: _Output) -> None:
        words = node.words
        if len(words) > 2 and words[0].startswith("$") and words[1] in (":=", "="):
            variables[words[0]] = evaluated(words[2:], scope)
        elif words[0] == "template" and len(words) > 1:
            output.add(as_text(evaluated(("include", *words[1:]), scope)), node.line, copied=False)
        else:
            output.add(as_text(evaluated(words, scope)), node.line, copied=False)

    def _branch(self, node: Block, scope: Scope, output: _Output) -> None:
        for condition, body in node.branches:
            variables = dict(scope.variables)
            words = condition
            if len(words) > 2 and words[0].startswith("$") and words[1] == ":=":
                words = words[2:]
            value = evaluated(words, scope) if words else True
            if condition is not words:
                variables[condition[0]] = value
            if truth(value) is not False:
                dot = value if node.word == "with" and condition else scope.dot
                self._walk(body, Scope(dot, scope.top, variables, scope.include), output)
                return
        words, body = node.branches[0]
        if node.word == "if" and len(node.branches) == 1 and (switch := _switch(words)):
            before, output.switch = output.switch, output.switch or switch
            self._walk(body, scope, output)
            output.switch = before

    def _range(self, node: Block, scope: Scope, output: _Output) -> None:
        words, body = node.branches[0]
        names = [w for w in words[: words.index(":=")] if w.startswith("$")] if ":=" in words else []
        value = evaluated(words[words.index(":=") + 1 :] if names else words, scope)
        rounds = list(_rounds(value))[:MAX_ROUNDS]
        if not rounds and len(node.branches) > 1:
            self._walk(node.branches[1][1], scope, output)
        for key, item in rounds:
            given = (key, item)[-len(names) :] if names else ()
            variables = {**scope.variables, **dict(zip(names, given, strict=False))}
            self._walk(body, Scope(item, scope.top, variables, scope.include), output)


def _rounds(value: Value) -> Iterator[tuple[Value, Value]]:
    if isinstance(value, Table):
        yield from sorted(((key.text, item) for key, item in value.entries), key=lambda pair: pair[0])
    elif isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, Items | list):
        yield from enumerate(value.items if isinstance(value, Items) else value)
    elif isinstance(value, Unknown):
        yield NOT_KNOWN, NOT_KNOWN


def _name(block: Block) -> str:
    words = block.branches[0][0]
    return words[0].strip("\"`") if words else ""


def _switch(condition: tuple[str, ...]) -> str:
    """The values that a condition asks for, if it asks for nothing but one or two switches to be on."""
    if not condition or any(word in condition for word in ("not", "eq", "ne", "or", "(")):
        return ""
    paths = [word.lstrip("$").removeprefix(".Values.") for word in condition if word.lstrip("$").startswith(".Values.")]
    return " and ".join(paths) if len(paths) == len([w for w in condition if w != "and"]) else ""


def _documents(output: _Output, path: str) -> Iterator[Read]:
    """The documents that were printed, with the template's lines."""
    text, lines, offs = _lines(output)
    for document in parse("\n".join(text), path).documents:
        if isinstance(document, Table) and document.get("kind") is not None:
            tree = placed(document, lines)
            if isinstance(tree, Table):
                yield Read(tree, offs[document.at.line - 1])


def _lines(output: _Output) -> tuple[list[str], list[int], list[str]]:
    """What was printed by lines; for each the template's line, and the switch that is off around it."""
    text, lines, offs = [""], [0], [""]
    for piece, line, switch in output.parts:
        # Helm itself divides documents where `---` stands first, whatever trimming has left behind it
        if piece == "\n" or (text[-1] == "---" and piece[:1].strip()):
            text.append("")
            lines.append(0)
            offs.append("")
        if piece != "\n":
            text[-1] += piece
            if piece.strip():
                lines[-1] = lines[-1] or line
                offs[-1] = offs[-1] or switch
    text = ["" if UNKNOWN in line and not line.strip(f"{UNKNOWN} -") else line for line in text]  # what is not known must not break the rest
    for number, line in enumerate(lines):
        lines[number] = line or (lines[number - 1] if number else 1)
    return text, lines, offs


def placed(node: Tree, lines: list[int]) -> Tree:
    """The tree with the lines of the template."""
    at = _span(node.at, lines)
    if isinstance(node, Scalar):
        return Scalar(node.text, at, node.quoted, node.custom)
    if isinstance(node, Items):
        return Items(tuple(placed(item, lines) for item in node.items), at, node.custom)
    pairs = ((Scalar(k.text, _span(k.at, lines), k.quoted, k.custom), placed(v, lines)) for k, v in node.entries)
    return Table(tuple(pairs), at, node.custom)


def _span(at: Span, lines: list[int]) -> Span:
    first = lines[min(at.line, len(lines)) - 1]
    last = lines[min(max(at.end_line, at.line), len(lines)) - 1]
    return Span(first, at.column, max(first, last), at.end_column if last >= first else 0)
