"""Equal words and line numbers of all files are one object each.

What was decoded has a text of its own for every `self`, and a number for every line at which something stands: a sixth of all memory that
a run over a million lines took. Nodes are frozen for everybody else; here only an equal value is put in the place of another.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import force_setattr

from coordlint import ir


class Shared:
    """The words and line numbers that were seen."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._lines: dict[int, int] = {}

    def nodes(self, nodes: Iterable[ir.Expr]) -> None:
        """Gives nodes the words and numbers that others have already."""
        word, number = self._words.setdefault, self._lines.setdefault
        for node in nodes:
            if type(node) is ir.Name:
                force_setattr(node, "id", word(node.id, node.id))
            elif type(node) is ir.Attribute:
                force_setattr(node, "name", word(node.name, node.name))
            at = node.at
            line = number(at.line, at.line)
            force_setattr(at, "line", line)
            force_setattr(at, "end_line", line if at.end_line == line else number(at.end_line, at.end_line))
