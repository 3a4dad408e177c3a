"""`hash(x)` in a lock's name becomes `zlib.crc32(...)` of its text."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from coordlint.fix.imports import with_import
from coordlint.fix.requests import CannotFix, Request
from coordlint.fix.trees import Replacement, Tree, method, walk
from coordlint.source import Span


def cure(tree: Tree, places: Sequence[Span], request: Request) -> str:
    """The text with every `hash` of the function replaced, and zlib imported. Raises CannotFix."""
    for span in places:
        node = tree.at(span, cst.CSTNode)
        if node is None:
            continue
        hashes = [n for n in walk(tree.function(node) or tree.statement(node)) if is_hash(n)]
        if hashes:
            break
    else:
        raise CannotFix("no hash() is seen there; a name that is the same everywhere has to be thought of")
    new: dict[cst.CSTNode, Replacement] = {
        without_abs(tree, call): summed(tree, call) for call in hashes if isinstance(call, cst.Call)
    }
    return with_import(tree, tree.replaced(new), "zlib")


def without_abs(tree: Tree, call: cst.Call) -> cst.CSTNode:
    """The call, or `abs` around it: a sum is never negative."""
    argument = tree.parent(call)
    around = tree.parent(argument)
    return around if isinstance(around, cst.Call) and method(around) == "abs" and isinstance(argument, cst.Arg) else call


def is_hash(node: cst.CSTNode) -> bool:
    """Whether it is `hash(x)`."""
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and method(node) == "hash" and len(node.args) == 1


def summed(tree: Tree, call: cst.Call) -> cst.BaseExpression:
    """`zlib.crc32(text.encode())`."""
    value = call.args[0].value
    text = value if is_text(tree, value) else cst.Call(cst.Name("str"), [cst.Arg(value)])
    encoded = cst.Call(cst.Attribute(text, cst.Name("encode")))
    return cst.Call(cst.Attribute(cst.Name("zlib"), cst.Name("crc32")), [cst.Arg(encoded)])


def is_text(tree: Tree, value: cst.BaseExpression) -> bool:
    """Whether it is text for certain."""
    if isinstance(value, cst.SimpleString | cst.FormattedString):
        return not tree.code(value).lower().startswith(("b", "rb"))
    if isinstance(value, cst.Call):
        return tree.code(value.func) == "str" or method(value) in ("format", "join", "lower", "upper", "strip")
    function = tree.function(value)
    if function is None or not isinstance(value, cst.Name):
        return False
    params = (*function.params.params, *function.params.kwonly_params)
    return any(p.name.value == value.value and p.annotation is not None and tree.code(p.annotation.annotation) == "str" for p in params)
