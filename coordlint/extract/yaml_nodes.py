"""YAML and JSON text into the small trees of `coordlint.manifest`, in bounded time and memory.

The C parser's events are folded by a loop of our own: nothing here recurses, so depth is a number that is compared and
not a stack that overflows, and parsing stops at the first event that goes too far. Aliases share their node, and what
they would expand to is counted, because everything that later walks the tree would pay for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import yaml

from coordlint.manifest import Items, Node, Scalar, Table
from coordlint.source import Skip, Span

MAX_DEPTH = 100
MAX_NODES = 400_000  # as expanded, for one file
MAX_NOTES = 20  # told for one file; the next one says that there are more
Mark = yaml.error.Mark | yaml._yaml.Mark
_STANDARD = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset(("!reset", "!override"))  # those of compose
_NO_BREAKS = str.maketrans(dict.fromkeys("\x85\u2028\u2029", " "))  # the parser is of YAML 1.1, where these end a line: no editor counts so
_DOCUMENT_START = re.compile(r"^---(?:\s|$)", re.MULTILINE)


class Parsed(msgspec.Struct, frozen=True):
    """The documents of a file, and what was wrong with it."""

    documents: tuple[Node, ...]
    problems: tuple[Skip, ...] = ()


class _Refused(Exception):
    """The text is a bomb, or broken in a way the parser does not mind."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


def with_lines_of_editors(text: str) -> str:
    """The text as YAML 1.2 breaks it into lines: at newlines alone, so that places are those of every other program."""
    return text if text.isascii() else text.translate(_NO_BREAKS)


def parse(text: str, path: str) -> Parsed:
    """Every document of the text that can be read; a broken one costs itself only, and is told with its line."""
    if text.lstrip()[:1] in ("{", "["):
        text = text.replace("\t", " ")  # JSON indents with tabs, which YAML refuses
    text = with_lines_of_editors(text)
    documents: list[Node] = []
    problems: list[Skip] = []
    first_line, spent = 0, 0
    while True:
        builder = _Builder(path, first_line, spent)
        broken = _run(builder, text)
        documents += builder.documents
        problems += builder.notes
        spent = builder.spent
        if broken is None:
            return Parsed(tuple(documents), tuple(problems))
        problems.append(broken)
        lines_read = max(broken.line - first_line - 1, 1)  # the line itself may be the next document's start
        rest = _after(text, lines_read)
        following = _DOCUMENT_START.search(rest)
        if following is None or len(problems) > 20 or spent > MAX_NODES:
            return Parsed(tuple(documents), tuple(problems))
        first_line += lines_read + rest.count("\n", 0, following.start())
        text = rest[following.start() :]


def _after(text: str, lines: int) -> str:
    """The text without its first lines."""
    position = 0
    for _ in range(lines):
        position = text.find("\n", position) + 1
        if not position:
            return ""
    return text[position:]


def _run(builder: _Builder, text: str) -> Skip | None:
    """Feeds the parser's events to the builder; tells what stopped it."""
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except _Refused as error:
        return Skip(builder.path, error.reason, error.line)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = (mark.line if mark else 0) + 1 + builder.first_line
        return Skip(builder.path, f"not valid YAML: {error.problem or error.context or 'unreadable'}", line)
    except yaml.YAMLError as error:
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
        reason = getattr(error, "reason", None) or "unreadable"
        return Skip(builder.path, f"not valid YAML: {reason}", line + builder.first_line)
    return None


class _Open:
    """A list or table that is still being read; `line` is the last one with content."""

    __slots__ = ("anchor", "at", "children", "custom", "is_table", "line", "weight")

    def __init__(self, event: yaml.CollectionStartEvent, at: Span, is_table: bool) -> None:
        self.is_table, self.at, self.anchor, self.custom = is_table, at, event.anchor, _custom(event.tag)
        self.children: list[Node] = []
        self.weight, self.line = 1, at.line


class _Builder:
    """Folds events into documents."""

    def __init__(self, path: str, first_line: int, spent: int) -> None:
        self.path, self.first_line, self.spent = path, first_line, spent
        self.documents: list[Node] = []
        self.notes: list[Skip] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int] | None] = {}  # None: still being read
        self._is_tag_told = False

    def take(self, event: yaml.Event) -> None:
        """One event of the parser."""
        if (tag := getattr(event, "tag", None)) and (name := _custom(tag)) and name not in _KNOWN_TAGS:
            self._unknown_tag(name, event)
        if isinstance(event, yaml.ScalarEvent):
            at = self._span(event.start_mark, event.end_mark)
            custom = _custom(event.tag) if event.tag else ""
            quoted = bool(event.style) or bool(custom) or event.tag == _STANDARD + "str"
            self._spend(1, at.line)
            self._add(Scalar(event.value, at, quoted, custom), 1, event.anchor, at.end_line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(self._open) >= MAX_DEPTH:
                raise _Refused(f"nested deeper than {MAX_DEPTH} levels", self._line(event))
            if event.anchor:
                self._anchors[event.anchor] = None
            self._open.append(_Open(event, self._start(event), isinstance(event, yaml.MappingStartEvent)))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors = {}

    def _unknown_tag(self, name: str, event: yaml.Event) -> None:
        if not self._is_tag_told:
            self._is_tag_told = True
            self.notes.append(Skip(self.path, f"unknown tag {name[:60]}: what it stands at is read as if it were not there", self._line(event)))

    def _alias(self, event: yaml.AliasEvent) -> None:
        name, line = event.anchor or "", self._line(event)
        if name not in self._anchors:
            raise _Refused(f"unknown alias *{name}", line)
        known = self._anchors[name]
        if known is None:
            raise _Refused(f"alias *{name} stands inside its own anchor", line)
        node, weight = known
        self._spend(weight, line)
        self._add(node, weight, None, line)

    def _close(self) -> None:
        done = self._open.pop()
        at = Span(done.at.line, done.at.column, done.line, 0)
        node: Node
        if done.is_table:
            node = Table(self._entries(done), at, done.custom)
        else:
            node = Items(tuple(done.children), at, done.custom)
        self._add(node, done.weight, done.anchor, done.line)

    def _add(self, node: Node, weight: int, anchor: str | None, line: int) -> None:
        if anchor:
            self._anchors[anchor] = (node, weight)
        if not self._open:
            self.documents.append(node)
            return
        parent = self._open[-1]
        parent.children.append(node)
        parent.weight += weight
        parent.line = max(parent.line, line)

    def _entries(self, done: _Open) -> tuple[tuple[Scalar, Node], ...]:
        """Pairs keys with values, resolves `<<`, and tells duplicate keys."""
        own: dict[str, tuple[Scalar, Node]] = {}
        merged: list[Node] = []
        for key, value in zip(done.children[::2], done.children[1::2], strict=False):
            if not isinstance(key, Scalar):
                self._note("a key that is a list or a mapping is left out", key.at.line)
            elif key.text == "<<" and not key.quoted:
                merged.append(value)
            else:
                if key.text in own:
                    first = own[key.text][0].at.line
                    self._note(f"duplicate key {_short(key.text)} (first on line {first}): the last one counts", key.at.line)
                own[key.text] = (key, value)
        if not merged:
            return tuple(own.values())
        inherited: dict[str, tuple[Scalar, Node]] = {}
        for table in _merge_sources(merged):
            self._spend(len(table.entries), done.line)
            done.weight += len(table.entries)
            for entry in table.entries:
                inherited.setdefault(entry[0].text, entry)
        return tuple((inherited | own).values())

    def _note(self, reason: str, line: int) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(Skip(self.path, reason, line))
        elif len(self.notes) == MAX_NOTES:
            self.notes.append(Skip(self.path, "more of the same follows; it is not told", line))

    def _spend(self, weight: int, line: int) -> None:
        self.spent += weight
        if self.spent > MAX_NODES:
            raise _Refused(f"more than {MAX_NODES} nodes after aliases are followed", line)

    def _line(self, event: yaml.Event) -> int:
        return (event.start_mark.line if event.start_mark else 0) + 1 + self.first_line

    def _start(self, event: yaml.Event) -> Span:
        return Span(self._line(event), (event.start_mark.column if event.start_mark else 0) + 1)

    def _span(self, start: Mark | None, end: Mark | None) -> Span:
        if start is None or end is None:  # the C parser always gives marks
            return Span(1 + self.first_line)
        line, column = start.line + 1 + self.first_line, start.column + 1
        if end.column == 0 and end.line > start.line:  # a block scalar ends where the next line begins
            return Span(line, column, end.line + self.first_line, 0)
        return Span(line, column, end.line + 1 + self.first_line, end.column + 1)


def _short(key: str) -> str:
    return repr(key if len(key) <= 60 else key[:57] + "...")


def _custom(tag: str | None) -> str:
    """An application tag, or nothing for the tags of the core schema."""
    return tag if tag and tag != "!" and not tag.startswith(_STANDARD) else ""


def _merge_sources(values: list[Node]) -> Iterator[Table]:
    for value in values:
        if isinstance(value, Table):
            yield value
        elif isinstance(value, Items):
            yield from (item for item in value.items if isinstance(item, Table))
