"""acquire, work, release becomes acquire, `try` work `finally` release; `with`, where it is a lock of threads.

`with` over the locks of other libraries may do more than acquire (give up, enter without the lock), so it is left alone there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

from coordlint.fix.requests import CannotFix, Request
from coordlint.fix.trees import Statement, Tree, leaves, method, only, outside_functions, unwaited, walk
from coordlint.source import Span

OF_THREADS = ("Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore")
GIVES_BACK = ("release", "unlock", "delete", "free", "remove")
HOMES = ("threading", "multiprocessing", "asyncio")


def cure(tree: Tree, places: Sequence[Span], request: Request) -> str:
    """The text with the release in `finally`. Raises CannotFix."""
    taken, released = tree.call(places[0]), last_release(tree, places[1:])
    block, body, end = tree.siblings(tree.statement(released))
    start, branch = beginning(tree, taken, body)
    if branch is None and start >= end:
        raise CannotFix("the release stands before the acquire")
    if branch is not None and branch.body is not block:
        raise CannotFix("acquire and release stand in different blocks")
    release = body[end]
    inner = [cleaned(tree, s, release) for s in body[start + 1 : end]]
    if not inner:
        raise CannotFix("there is nothing between acquire and release")
    with_lock = None if branch is not None else context(tree, taken, body[start])
    if with_lock is not None:
        made: list[cst.CSTNode] = [with_lock.with_changes(body=cst.IndentedBlock(dressed(inner)))]
        rest = [*body[:start], *made, *body[end + 1 :]]
    else:
        first, *others = inner
        lines, first = above(first)
        final = cst.Finally(cst.IndentedBlock([above(release)[1]]))
        tried = cst.Try(cst.IndentedBlock([first, *others]), finalbody=final, leading_lines=lines)
        rest = [*body[: start + 1], tried, *body[end + 1 :]]
    return tree.replaced({block: block.with_changes(body=rest)})


def last_release(tree: Tree, places: Sequence[Span]) -> cst.Call:
    """The release among the other places of the finding."""
    for span in reversed(places):
        try:
            call = tree.call(span)
        except CannotFix:
            continue
        if any(word in method(call).lower() for word in GIVES_BACK):
            small = only(tree.statement(call))
            if isinstance(small, cst.Expr) and unwaited(small.value) is call:
                return call
    raise CannotFix("no release that is a statement of its own was found")


def beginning(tree: Tree, taken: cst.Call, body: Sequence[Statement]) -> tuple[int, cst.If | None]:
    """Behind which statement of the release's block the lock is held; -1 and the `if` where it is held in its branch."""
    statement = tree.statement(taken)
    small = only(statement)
    if isinstance(small, cst.Assign) and unwaited(small.value) is taken and isinstance(small.targets[0].target, cst.Name):
        guard = following(tree, statement)
        if not isinstance(guard, cst.If):
            raise CannotFix("its answer is used in another way")
        return tested(guard, body, lambda test: isinstance(test, cst.Name) and test.value == tree.code(small.targets[0].target))
    if isinstance(statement, cst.If):
        return tested(statement, body, lambda test: unwaited(test) is taken)
    if not isinstance(small, cst.Expr) or unwaited(small.value) is not taken:
        raise CannotFix("its answer is used in another way")
    return place_of(statement, body), None


def tested(guard: cst.If, body: Sequence[Statement], is_answer: Callable[[cst.BaseExpression], bool]) -> tuple[int, cst.If | None]:
    """The same, for an `if` that tests whether the lock was obtained."""
    test = guard.test
    if is_answer(test):
        return -1, guard
    if not isinstance(test, cst.UnaryOperation) or not isinstance(test.operator, cst.Not) or not is_answer(test.expression):
        raise CannotFix("more than the answer is tested")
    if not leaves(guard.body) or guard.orelse is not None:
        raise CannotFix("the lock may not be held there")
    return place_of(guard, body), None


def place_of(statement: cst.CSTNode, body: Sequence[Statement]) -> int:
    """Which of the statements of a block it is."""
    found = next((n for n, s in enumerate(body) if s is statement), None)
    if found is None:
        raise CannotFix("acquire and release stand in different blocks")
    return found


def following(tree: Tree, statement: cst.CSTNode) -> cst.CSTNode | None:
    """The statement right behind."""
    _, body, place = tree.siblings(statement)
    return body[place + 1] if place + 1 < len(body) else None


def cleaned(tree: Tree, statement: Statement, release: Statement) -> Statement:
    """The statement without releases of the same lock on its ways out: `finally` does them now."""
    said = tree.code(release).strip()
    if said not in tree.code(statement):
        check_no_rebinding(tree, statement, release)
        return statement
    removed = _WithoutRelease(said)
    made = statement.visit(removed)
    if removed.failed or not isinstance(made, cst.SimpleStatementLine | cst.BaseCompoundStatement) or said in tree.code(made):
        raise CannotFix("the lock is released in several ways")
    return made


class _WithoutRelease(cst.CSTTransformer):
    """Takes away the releases right before a `return` or `raise` of something plain."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said, self.failed = said, False

    def leave_IndentedBlock(self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock) -> cst.IndentedBlock:
        body = list(updated_node.body)
        kept = []
        for number, statement in enumerate(body):
            if cst.Module([]).code_for_node(statement.with_changes(leading_lines=[])).strip() == self.said:
                if number + 2 != len(body) or not _is_plain_exit(body[number + 1]):
                    self.failed = True
                    return updated_node
                continue
            kept.append(statement)
        return updated_node.with_changes(body=kept)


def _is_plain_exit(statement: cst.CSTNode) -> bool:
    small = only(statement)
    if isinstance(small, cst.Return):
        return small.value is None or not any(isinstance(n, cst.Call | cst.Await) for n in walk(small.value))
    return isinstance(small, cst.Raise)


def check_no_rebinding(tree: Tree, statement: Statement, release: Statement) -> None:
    """Refuses where what the release needs is given another value on the way, which may have been skipped."""
    needed = {n.value for n in walk(release) if isinstance(n, cst.Name)}
    for node in outside_functions(statement):
        if isinstance(node, cst.AssignTarget) and isinstance(node.target, cst.Name) and node.target.value in needed:
            raise CannotFix("the release needs what is only computed in between")


def above(statement: Statement) -> tuple[Sequence[cst.EmptyLine], Statement]:
    """The empty lines that open a block go above its header."""
    lines = list(statement.leading_lines)
    empty = []
    while lines and lines[0].comment is None:
        empty.append(lines.pop(0))
    return empty, statement.with_changes(leading_lines=lines)


def dressed(inner: Sequence[Statement]) -> list[Statement]:
    """The statements of a new block; no empty line at its top."""
    first, *others = inner
    return [above(first)[1], *others]


def context(tree: Tree, taken: cst.Call, statement: Statement) -> cst.With | None:
    """`with lock:`, for a lock of threads, processes or tasks that is acquired without conditions."""
    if taken.args or not isinstance(taken.func, cst.Attribute):
        return None
    receiver = tree.code(taken.func.value)
    makers = [
        n.value
        for n in walk(tree.module)
        if isinstance(n, cst.Assign) and any(tree.code(t.target) == receiver for t in n.targets)
    ]
    if len(makers) != 1 or not isinstance(makers[0], cst.Call) or not is_of_threads(tree, makers[0]):
        return None
    waited = cst.Asynchronous() if isinstance(tree.parent(taken), cst.Await) else None
    item = cst.WithItem(taken.func.value)
    return cst.With([item], cst.IndentedBlock([]), asynchronous=waited, leading_lines=statement.leading_lines)


def is_of_threads(tree: Tree, made: cst.Call) -> bool:
    """Whether the standard library makes it."""
    if isinstance(made.func, cst.Attribute):
        return tree.code(made.func.value) in HOMES and method(made) in OF_THREADS
    imports = [n for n in walk(tree.module) if isinstance(n, cst.ImportFrom) and n.module is not None and tree.code(n.module) in HOMES]
    names = {tree.code(a.name) for n in imports if not isinstance(n.names, cst.ImportStar) for a in n.names}
    return method(made) in OF_THREADS and method(made) in names
