"""Equal words and line numbers of all files are one object each.

What was decoded has a text of its own for every `self`, and a number for every line at which something stands: nearly half of what the facts
of a large project take. They are shared file by file as they are decoded, so that the next file is decoded into what this one gave back.
Nodes are frozen for everybody else; here only an equal value is put in the place of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import force_setattr

from coordlint import ir
from coordlint.source import Span


class Shared:
    """The words and line numbers that were seen."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._lines: dict[int, int] = {}

    def module(self, module: ir.Module) -> None:
        """Gives all nodes of a file the words and numbers that others have already."""
        word, lines = self._words.setdefault, self._lines
        todo: list[Any] = [*module.body]
        while todo:
            node = todo.pop()
            while True:  # attributes and calls are most of what has parts: they take no turn of their own
                kind = type(node)
                at: Span = node.at
                line = at.line
                if line > 256:  # Python shares the lower ones itself
                    line = lines.setdefault(line, line)
                    force_setattr(at, "line", line)
                    end = at.end_line
                    force_setattr(at, "end_line", line if end == line else lines.setdefault(end, end))
                elif at.end_line > 256:
                    force_setattr(at, "end_line", lines.setdefault(at.end_line, at.end_line))
                if kind is ir.Name:
                    force_setattr(node, "id", word(node.id, node.id))
                    break
                if kind is ir.Attribute:
                    force_setattr(node, "name", word(node.name, node.name))
                    node = node.base
                elif kind is ir.Call:
                    if node.keywords:
                        self._keywords(node.keywords)
                        todo.extend([k.value for k in node.keywords])
                    todo.extend(node.args)
                    node = node.func
                else:
                    of = _WITHIN.get(kind)
                    if of is not None:
                        todo.extend(of(node))
                    for field in _WORDS.get(kind, ()):
                        text = getattr(node, field)
                        force_setattr(node, field, word(text, text))
                    if kind is ir.Function or kind is ir.Lambda:
                        self._params(node.params)
                    elif kind is ir.Class:
                        self._keywords(node.keywords)
                    break

    def _keywords(self, keywords: Iterable[ir.Keyword]) -> None:
        word = self._words.setdefault
        for keyword in keywords:
            force_setattr(keyword, "name", word(keyword.name, keyword.name))

    def _params(self, params: Iterable[ir.Param]) -> None:
        word = self._words.setdefault
        for param in params:
            force_setattr(param, "name", word(param.name, param.name))
            force_setattr(param, "kind", word(param.kind, param.kind))


def _given(*nodes: ir.Expr | None) -> list[Any]:
    return [node for node in nodes if node is not None]


_WORDS: dict[type, tuple[str, ...]] = {ir.Binary: ("op",), ir.Unary: ("op",), ir.Sequence: ("kind",), ir.Comprehension: ("kind",), ir.Function: ("name",), ir.Class: ("name",), ir.Walrus: ("name",), ir.Jump: ("kind",), ir.Augment: ("op",)}
_WITHIN: dict[type, Callable[[Any], Iterable[Any]]] = {
    ir.Text: lambda e: e.parts,
    ir.Other: lambda e: e.parts,
    ir.Sequence: lambda e: e.items,
    ir.Binary: lambda e: e.values,
    ir.Compare: lambda e: e.values,
    ir.Unary: lambda e: (e.value,),
    ir.Await: lambda e: (e.value,),
    ir.Starred: lambda e: (e.value,),
    ir.Walrus: lambda e: (e.value,),
    ir.Conditional: lambda e: (e.test, e.yes, e.no),
    ir.Mapping: lambda e: (*_given(*e.keys), *e.values),
    ir.Index: lambda e: (e.base, e.index),
    ir.Lambda: lambda e: (*_given(*[p.default for p in e.params]), e.body),
    ir.Yield: lambda e: _given(e.value),
    ir.Comprehension: lambda e: (*e.sources, *e.targets, *e.tests, e.element),
    ir.Evaluate: lambda s: (s.value,),
    ir.Assert: lambda s: (s.test,),
    ir.Assign: lambda s: (*s.targets, *_given(s.value, s.annotation)),
    ir.Augment: lambda s: (s.value, s.target),
    ir.Return: lambda s: _given(s.value),
    ir.Raise: lambda s: _given(s.value),
    ir.If: lambda s: (*[b.test for b in s.branches], *[x for b in s.branches for x in b.body], *s.orelse),
    ir.Loop: lambda s: (*_given(s.target), s.test, *s.body, *s.orelse),
    ir.With: lambda s: (*[i.context for i in s.items], *_given(*[i.target for i in s.items]), *s.body),
    ir.Try: lambda s: (*s.body, *[x for h in s.handlers for x in (*h.types, *h.body)], *s.orelse, *s.final),
    ir.Delete: lambda s: s.targets,
    ir.Function: lambda s: (*s.decorators, *_given(*[p.default for p in s.params], *[p.annotation for p in s.params], s.returns), *s.body),
    ir.Class: lambda s: (*s.decorators, *s.bases, *[k.value for k in s.keywords], *s.body),
}
