"""A Python file as a lossless tree: nodes by their places, the statements around them, and the text after a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider

from coordlint.fix.requests import CannotFix
from coordlint.source import Span

Replacement = cst.CSTNode | cst.FlattenSentinel[Any] | cst.RemovalSentinel
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
Block = cst.IndentedBlock | cst.Module


class Tree:
    """One parsed file. Raises libcst.ParserSyntaxError."""

    def __init__(self, text: str, path: str = "") -> None:
        self.path = path
        wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        self.module = wrapper.module
        self.positions = wrapper.resolve(PositionProvider)
        self.parents = wrapper.resolve(ParentNodeProvider)
        self.starts: dict[tuple[int, int], list[cst.CSTNode]] = {}
        for node, place in self.positions.items():
            self.starts.setdefault((place.start.line, place.start.column + 1), []).append(node)

    def at(self, span: Span, kind: type[Any]) -> Any:
        """The node of a kind that is exactly this span; where the span has no end, the largest that begins there."""
        found = [n for n in self.starts.get((span.line, span.column), ()) if isinstance(n, kind)]
        exact = [n for n in found if self._end(n) == (span.end_line, span.end_column)]
        if exact or span.end_line:
            return exact[0] if exact else None
        return max(found, key=self._end, default=None)

    def call(self, span: Span) -> cst.Call:
        """The call at a span, or the only call in the expression there. Raises CannotFix."""
        node = self.at(span, cst.Call)
        if isinstance(node, cst.Call):
            return node
        other = self.at(span, cst.BaseExpression)
        calls = [n for n in walk(other) if isinstance(n, cst.Call)] if other is not None else []
        if not calls:
            raise CannotFix("there is no call at the place of the finding")
        return calls[0]

    def _end(self, node: cst.CSTNode) -> tuple[int, int]:
        end = self.positions[node].end
        return end.line, end.column + 1

    def up(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around a node, innermost first."""
        around = self.parents.get(node)
        while around is not None:
            yield around
            around = self.parents.get(around)

    def parent(self, node: cst.CSTNode) -> cst.CSTNode:
        """The node right around."""
        return self.parents[node]

    def statement(self, node: cst.CSTNode) -> Statement:
        """The innermost statement around a node, which may be the node itself."""
        for around in (node, *self.up(node)):
            if isinstance(around, cst.SimpleStatementLine | cst.BaseCompoundStatement):
                return around
        raise CannotFix("it is no part of a statement")

    def siblings(self, statement: cst.CSTNode) -> tuple[Block, list[Statement], int]:
        """The block around a statement, the block's statements, and which of them it is."""
        block = self.parents[statement]
        if not isinstance(block, cst.IndentedBlock | cst.Module):
            raise CannotFix("it stands on one line with its header")
        body = cast(list[Statement], list(block.body))
        return block, body, next(n for n, s in enumerate(body) if s is statement)

    def function(self, node: cst.CSTNode) -> cst.FunctionDef | None:
        """The function around a node; None for what stands in the module or a class."""
        for around in self.up(node):
            if isinstance(around, cst.FunctionDef):
                return around
            if isinstance(around, cst.ClassDef | cst.Lambda):
                return None
        return None

    def code(self, node: cst.CSTNode) -> str:
        """The text of a node."""
        return self.module.code_for_node(node)

    def replaced(
        self, new: Mapping[cst.CSTNode, Replacement], above: Mapping[cst.CSTNode, Sequence[cst.EmptyLine]] | None = None
    ) -> str:
        """The file's text with some nodes replaced, and comment lines put above some statements.

        In a node that is replaced nothing else may be.
        """
        return self.module.visit(_Replace(new, above or {})).code


class _Replace(cst.CSTTransformer):
    def __init__(self, new: Mapping[cst.CSTNode, Replacement], above: Mapping[cst.CSTNode, Sequence[cst.EmptyLine]]) -> None:
        super().__init__()
        self.new = {id(node): made for node, made in new.items()}
        self.above = {id(node): lines for node, lines in above.items()}

    def on_visit(self, node: cst.CSTNode) -> bool:
        return id(node) not in self.new

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        if lines := self.above.get(id(original_node)):
            updated_node = updated_node.with_changes(leading_lines=[*updated_node.leading_lines, *lines])
        return self.new.get(id(original_node), updated_node)


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The node and everything in it, outermost and first first."""
    todo = [node]
    while todo:
        one = todo.pop()
        yield one
        todo.extend(reversed(one.children))


def outside_functions(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """As `walk`, without entering functions, classes and lambdas within."""
    todo = [node]
    while todo:
        one = todo.pop()
        yield one
        if one is node or not isinstance(one, cst.FunctionDef | cst.ClassDef | cst.Lambda):
            todo.extend(reversed(one.children))


def method(call: cst.Call) -> str:
    """The last name of what is called."""
    match call.func:
        case cst.Attribute(attr=cst.Name(value=name)) | cst.Name(value=name):
            return name
    return ""


def named(call: cst.Call, name: str) -> cst.Arg | None:
    """The argument that is passed by this name."""
    return next((a for a in call.args if a.keyword is not None and a.keyword.value == name), None)


def is_plain(call: cst.Call) -> bool:
    """Whether nothing is unpacked into it."""
    return not any(a.star for a in call.args)


def expression(code: str) -> cst.BaseExpression:
    """Code as a node."""
    return cst.parse_expression(code)


def keyword(name: str, value: cst.BaseExpression) -> cst.Arg:
    """`name=value`."""
    return cst.Arg(value, keyword=cst.Name(name), equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")))


def with_arguments(call: cst.Call, more: Sequence[cst.Arg]) -> cst.Call:
    """The call with further arguments at its end, laid out as those that it has."""
    if not call.args:
        return call.with_changes(args=list(more))
    *head, last = call.args
    comma = head[0].comma if head and isinstance(head[0].comma, cst.Comma) else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    new = [*head, last.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace(""))]
    new += [arg.with_changes(comma=comma) for arg in more[:-1]]
    new.append(more[-1].with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg))
    return call.with_changes(args=new)


def only(statement: cst.CSTNode | None) -> cst.BaseSmallStatement | None:
    """The small statement that is alone on its line."""
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        return statement.body[0]
    return None


def leaves(body: cst.BaseSuite) -> bool:
    """Whether a block ends by going elsewhere."""
    if not body.body:
        return False
    last: cst.CSTNode = body.body[-1]
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, cst.Return | cst.Raise | cst.Continue | cst.Break)


def comments(statement: cst.CSTNode) -> list[cst.EmptyLine]:
    """The comment lines above a statement."""
    return [line for line in getattr(statement, "leading_lines", ()) if line.comment is not None]


def unwaited(node: cst.BaseExpression) -> cst.BaseExpression:
    """What is awaited, or the expression itself."""
    return node.expression if isinstance(node, cst.Await) else node
