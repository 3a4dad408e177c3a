"""Two steps that take a key become one command: `setnx` and `expire`, or a look and a `set` (`claim`).

`setnx` and then `expire` become one `set(..., nx=True, ex=...)`.

Only where the second command follows at once, for him who got the key: then nothing can happen in between but what the rule
is about. `set` answers None where `setnx` answers False, so it is wrapped where more than a test is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from coordlint.fix.requests import CannotFix, Request
from coordlint.fix.trees import (
    Tree,
    comments,
    is_plain,
    keyword,
    leaves,
    method,
    named,
    only,
    unwaited,
    with_arguments,
)
from coordlint.source import Span

UNITS = {"expire": "ex", "pexpire": "px"}
LIFETIMES = ("ex", "px", "exat", "pxat", "keepttl")


def cure(tree: Tree, places: Sequence[Span], request: Request) -> str:
    """The text with both commands in one. Raises CannotFix."""
    if len(places) < 2:
        raise CannotFix("the two commands stand in different files")
    take, expiry = tree.call(places[0]), tree.call(places[1])
    if method(take) in ("get", "exists"):
        return claim(tree, take, expiry)
    new = in_one(tree, take, lifetime_of(tree, take, expiry))
    second = tree.statement(expiry)
    small = only(second)
    if not isinstance(small, cst.Expr) or unwaited(small.value) is not expiry:
        raise CannotFix("more is done with the second command")
    if isinstance(second, cst.SimpleStatementLine) and second.trailing_whitespace.comment is not None:
        raise CannotFix("a comment stands beside the second command")
    check_follows(tree, take, second)
    block, body, _ = tree.siblings(second)
    above: dict[cst.CSTNode, list[cst.EmptyLine]] = {tree.statement(take): comments(second)}
    if len(body) > 1 or not isinstance(block, cst.IndentedBlock):
        return tree.replaced({**new, second: cst.RemoveFromParent()}, above)
    branch = tree.parent(block)
    if isinstance(branch, cst.If) and branch.orelse is None and isinstance(tree.parent(branch), cst.IndentedBlock | cst.Module):
        if isinstance(branch.test, cst.Name):  # nothing is left to do in it
            return tree.replaced({**new, branch: cst.RemoveFromParent()}, above)
        if branch.test in new:
            line = cst.SimpleStatementLine([cst.Expr(new[branch.test])], leading_lines=[*branch.leading_lines, *comments(second)])
            return tree.replaced({branch: line})
    return tree.replaced({**new, second: cst.SimpleStatementLine([cst.Pass()])}, above)


def lifetime_of(tree: Tree, take: cst.Call, expiry: cst.Call) -> list[cst.Arg]:
    """The argument that says in the first command what the second one said."""
    unit = UNITS.get(method(expiry), "")
    if not unit or len(expiry.args) != 2 or not is_plain(expiry):
        raise CannotFix("the second command is no plain expire(key, time)")
    if not isinstance(take.func, cst.Attribute) or not isinstance(expiry.func, cst.Attribute):
        raise CannotFix("the commands are no methods of a client")
    if tree.code(take.func.value) != tree.code(expiry.func.value):
        raise CannotFix("the two commands go to different clients")
    key, time = named(expiry, "name") or expiry.args[0], named(expiry, "time") or expiry.args[1]
    if key is time or not take.args or tree.code((named(take, "name") or take.args[0]).value) != tree.code(key.value):
        raise CannotFix("the two commands name the key differently")
    return [keyword(unit, time.value)]


def in_one(tree: Tree, take: cst.Call, lifetime: list[cst.Arg]) -> dict[cst.CSTNode, cst.BaseExpression]:
    """The first command, as `set` with nx and a lifetime."""
    if not is_plain(take) or not isinstance(take.func, cst.Attribute):
        raise CannotFix("its arguments are unpacked")
    if method(take) == "set":
        if named(take, "nx") is None or any(named(take, name) for name in LIFETIMES):
            raise CannotFix("it is no SET NX without a lifetime")
        return {take: with_arguments(take, lifetime)}
    if method(take) != "setnx" or len(take.args) != 2:
        raise CannotFix("it is no SETNX of a key and a value")
    renamed = take.with_changes(func=take.func.with_changes(attr=cst.Name("set")))
    made: cst.BaseExpression = with_arguments(renamed, [keyword("nx", cst.Name("True")), *lifetime])
    whole: cst.BaseExpression = take
    around = tree.parent(take)
    if isinstance(around, cst.Await):
        whole, made = around, around.with_changes(expression=made)
    if not is_tested(tree, whole):
        made = cst.Call(cst.Name("bool"), [cst.Arg(made)])
    return {whole: made}


def is_tested(tree: Tree, answer: cst.BaseExpression) -> bool:
    """Whether nothing but the truth of the answer is asked for, if anything."""
    node: cst.CSTNode = answer
    for around in tree.up(answer):
        if isinstance(around, cst.If | cst.While):
            return around.test is node
        if isinstance(around, cst.Expr) or (isinstance(around, cst.UnaryOperation) and isinstance(around.operator, cst.Not)):
            return True
        if not isinstance(around, cst.BooleanOperation):
            return False
        node = around
    return False


def check_follows(tree: Tree, take: cst.Call, second: cst.CSTNode) -> None:
    """Refuses where other steps, or other ways, lie between the two commands."""
    block, _, place = tree.siblings(second)
    around = tree.parent(block) if isinstance(block, cst.IndentedBlock) else None
    if place == 0 and isinstance(around, cst.If) and around.body is block:
        if is_answer(tree, around.test, take, around):
            return
    elif place:
        guard = before(tree, second)
        if isinstance(guard, cst.If) and guard.orelse is None and leaves(guard.body):
            test = guard.test
            if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not) and is_answer(tree, test.expression, take, guard):
                return
    raise CannotFix("other steps, or other ways, lie between the two commands")


def is_answer(tree: Tree, test: cst.BaseExpression, take: cst.Call, branch: cst.If) -> bool:
    """Whether what is tested is the answer, or the name that it was given right before."""
    if isinstance(test, cst.BooleanOperation) and isinstance(test.operator, cst.And):
        return is_answer(tree, test.left, take, branch) or is_answer(tree, test.right, take, branch)
    if not isinstance(test, cst.Name):
        return unwaited(test) is take
    small = only(before(tree, branch)) if not isinstance(tree.parent(branch), cst.If) else None
    return (
        isinstance(small, cst.Assign)
        and len(small.targets) == 1
        and unwaited(small.value) is take
        and isinstance(small.targets[0].target, cst.Name)
        and small.targets[0].target.value == test.value
    )


def before(tree: Tree, statement: cst.CSTNode) -> cst.CSTNode | None:
    """The statement right before."""
    _, body, place = tree.siblings(statement)
    return body[place - 1] if place else None


def claim(tree: Tree, look: cst.Call, put: cst.Call) -> str:
    """`if get(key): leave` and `set(key, value)` become `if not set(key, value, nx=True): leave`; `add` for Django's cache."""
    guard, second = tree.statement(look), tree.statement(put)
    small = only(second)
    if not isinstance(guard, cst.If) or guard.orelse is not None or not leaves(guard.body) or unwaited(guard.test) is not look:
        raise CannotFix("the look decides more than whether to leave")
    if before(tree, second) is not guard or not isinstance(small, cst.Expr) or unwaited(small.value) is not put:
        raise CannotFix("other steps lie between the look and the set")
    if not isinstance(look.func, cst.Attribute) or not isinstance(put.func, cst.Attribute) or not is_plain(look) or not is_plain(put):
        raise CannotFix("the commands are no methods of a client")
    if len(look.args) != 1 or tree.code(look.func.value) != tree.code(put.func.value):
        raise CannotFix("the two commands go to different clients")
    if not put.args or tree.code(put.args[0].value) != tree.code(look.args[0].value):
        raise CannotFix("the two commands name the key differently")
    made: cst.BaseExpression = unless_there(tree, put)
    if isinstance(small.value, cst.Await):
        made = small.value.with_changes(expression=made)
    negated = cst.UnaryOperation(cst.Not(), made)
    return tree.replaced({guard.test: negated, second: cst.RemoveFromParent()}, {guard: comments(second)})


def unless_there(tree: Tree, put: cst.Call) -> cst.Call:
    """The writing command, told to do nothing where the key is there. A value that reads as nothing would count as free."""
    assert isinstance(put.func, cst.Attribute)
    name, values = method(put), [a.value for a in put.args if a.keyword is None]
    is_cache = tree.code(put.func.value).rpartition(".")[2] in ("cache", "caches")
    if name == "set" and is_cache:
        check_truthy(tree, values[1:2])
        return put.with_changes(func=put.func.with_changes(attr=cst.Name("add")))
    if name == "set" and not is_cache and len(values) == 2:
        check_truthy(tree, values[1:])
        return with_arguments(put, [keyword("nx", cst.Name("True"))])
    if name == "setex" and len(values) == len(put.args) == 3:
        check_truthy(tree, values[2:])
        key, time, value = put.args
        swapped = put.with_changes(func=put.func.with_changes(attr=cst.Name("set")), args=[key, value.with_changes(comma=cst.MaybeSentinel.DEFAULT)])
        return with_arguments(swapped, [keyword("nx", cst.Name("True")), keyword("ex", time.value)])
    raise CannotFix("it is no plain set")


def check_truthy(tree: Tree, values: Sequence[cst.BaseExpression]) -> None:
    """Refuses a value that may read as nothing."""
    if not values or tree.code(values[0]) in ("False", "None", "0", '""', "''"):
        raise CannotFix("the value that is set may read as nothing")
