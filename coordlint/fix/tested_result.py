"""What follows an acquire that may fail runs only when it did not: the answer is tested, and the function left.

In a loop the round is left; a function that gives its caller a value, or none of this, raises.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from coordlint.fix.requests import CannotFix, Request
from coordlint.fix.trees import Tree, only, outside_functions, unwaited
from coordlint.source import Span


def cure(tree: Tree, places: Sequence[Span], request: Request) -> str:
    """The text with the answer tested. Raises CannotFix."""
    call = tree.call(places[0])
    statement = tree.statement(call)
    small = only(statement)
    if not isinstance(statement, cst.SimpleStatementLine) or small is None:
        raise CannotFix("it is part of a larger statement")
    check_not_undone(tree, call)
    way_out = leave(tree, call)
    if isinstance(small, cst.Expr) and unwaited(small.value) is call:
        return tree.replaced({statement: guard(small.value, way_out, statement)})
    if isinstance(small, cst.Assign) and unwaited(small.value) is call and len(small.targets) == 1:
        target = small.targets[0].target
        if isinstance(target, cst.Name):
            return tree.replaced({statement: cst.FlattenSentinel([statement, guard(target, way_out)])})
    raise CannotFix("its answer is used in another way")


def guard(asked: cst.BaseExpression, way_out: cst.BaseSmallStatement, instead_of: cst.SimpleStatementLine | None = None) -> cst.If:
    """`if not asked: leave`, with the comments of the statement that it replaces."""
    body = cst.IndentedBlock([cst.SimpleStatementLine([way_out])])
    if instead_of is None:
        return cst.If(cst.UnaryOperation(cst.Not(), asked), body)
    if instead_of.trailing_whitespace.comment is not None:
        body = body.with_changes(header=instead_of.trailing_whitespace)
    return cst.If(cst.UnaryOperation(cst.Not(), asked), body, leading_lines=instead_of.leading_lines)


def leave(tree: Tree, call: cst.Call) -> cst.BaseSmallStatement:
    """The statement that leaves what must not run without the lock."""
    function = tree.function(call)
    if function is None:
        raise CannotFix("it stands outside of functions, where nothing can be left")
    for around in tree.up(call):
        if around is function:
            break
        if isinstance(around, cst.For | cst.While):
            return cst.Continue() if isinstance(around, cst.For) else _raised()
    gives = any(
        (isinstance(n, cst.Return) and n.value is not None) or isinstance(n, cst.Yield)
        for n in outside_functions(function.body)
    )
    return _raised() if gives or is_interface(function) else cst.Return()


def is_interface(function: cst.FunctionDef) -> bool:
    """Whether the function only takes the lock, for somebody who goes on when it returns."""
    return any(word in function.name.value.lower() for word in ("acquire", "lock", "enter", "setup"))


def _raised() -> cst.Raise:
    return cst.Raise(cst.parse_expression('RuntimeError("the lock is held by somebody else")'))


def check_not_undone(tree: Tree, call: cst.Call) -> None:
    """Refuses inside a `try` that cleans up: it would give back what was not obtained."""
    if not isinstance(call.func, cst.Attribute):
        raise CannotFix("it is no method")
    receiver = tree.code(call.func.value)
    function = tree.function(call)
    for around in tree.up(call):
        if around is function:
            return
        if isinstance(around, cst.Try) and (around.finalbody is not None or around.handlers):
            raise CannotFix("it stands inside a try, which may give back what was not obtained")
        if isinstance(around, cst.With) and receiver in tree.code(around.items[0].item):
            raise CannotFix("it stands inside a with over the same")
