"""An argument or a name gets what was meant.

`cache.lock(key, 30)` becomes `cache.lock(key, timeout=30)`; pymemcache's `add` is told to wait for the answer; `with zk.Lock(p) as x`
becomes `x = zk.Lock(p)` and `with x`.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from coordlint.fix.requests import CannotFix, Request
from coordlint.fix.trees import Tree, is_plain, keyword, method, with_arguments
from coordlint.source import Span


def cure(tree: Tree, places: Sequence[Span], request: Request) -> str:
    """The text with the argument named. Raises CannotFix."""
    item = bound_item(tree, places[0])
    if item is not None:
        return bound_before(tree, item)
    call = tree.call(places[0])
    if not is_plain(call):
        raise CannotFix("its arguments are unpacked")
    if method(call) == "add":
        return tree.replaced({call: with_arguments(call, [keyword("noreply", cst.Name("False"))])})
    positional = [a for a in call.args if a.keyword is None]
    if method(call) != "lock" or len(positional) != 2:
        raise CannotFix("it is no lock(key, seconds)")
    return tree.replaced({positional[1]: keyword("timeout", positional[1].value).with_changes(comma=positional[1].comma)})


def bound_item(tree: Tree, place: Span) -> cst.WithItem | None:
    """The item of a `with` at a place that binds a name, where its lock is not one that `lock()` makes."""
    node = tree.at(place, cst.BaseExpression)
    item = tree.parent(node) if node is not None else None
    if not isinstance(item, cst.WithItem) or item.asname is None or (isinstance(node, cst.Call) and method(node) == "lock"):
        return None
    return item


def bound_before(tree: Tree, item: cst.WithItem) -> str:
    """The lock gets its name in a statement of its own."""
    block = tree.parent(item)
    if not isinstance(block, cst.With) or len(block.items) != 1 or item.asname is None or not isinstance(item.asname.name, cst.Name):
        raise CannotFix("it is one of several in a with")
    name = item.asname.name
    tree.siblings(block)  # it stands in a block that can hold one more
    line = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(name)], item.item)], leading_lines=block.leading_lines)
    entered = block.with_changes(items=[item.with_changes(item=name, asname=None)], leading_lines=[])
    return tree.replaced({block: cst.FlattenSentinel([line, entered])})
