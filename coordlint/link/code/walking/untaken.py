"""Locks that a function makes, or names in a `with`, and never takes."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.coordination import Untaken
from coordlint.link.code.calls.locks import lock_instance, lock_model
from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import FunctionRef, options
from coordlint.link.code.flow.usage import bare, last_word, names_in
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.models.schema import Scope as Reach
from coordlint.wording import words

_ASKED = frozenset("owned is_owned locked is_locked is_acquired acquired release unlock".split())  # that takes nothing
_QUESTIONS = _ASKED - {"release", "unlock"}
_TAKES = frozenset("acquire acquired take taken enter obtain grab hold held locked wait".split())
_BOTH = {"and": "only the last of them", "or": "only the first of them"}


def untaken(ev: Evaluator, trace: Trace) -> Iterator[Untaken]:
    """The locks of one function that are asked about and given back only, and those that an `and` or `or` leaves out."""
    scope = trace.scope
    taken = {d.acquired for d in trace.drafts}
    if scope.kind != "function":
        return
    all_of_it = tuple(statements(scope.function.body))
    yield from _left_out(ev, scope, all_of_it)
    made = [(s.targets[0].id, s.value) for s in all_of_it if isinstance(s, ir.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ir.Name) and s.value]
    for name, value in made:
        released, is_asked = _only_asked(name, all_of_it) if isinstance(bare(value), ir.Call) and [n for n, _ in made].count(name) == 1 else (None, False)
        if released is None or any(p.name == name for p in scope.function.params):
            continue
        call = bare(value)
        if scope.place(call.at) in taken or (isinstance(call, ir.Call) and words(last_word(call.func)) & _TAKES):
            continue  # whoever hands it over has taken it
        if freer := _freer(ev, released, scope):
            yield Untaken(scope.place(value.at), scope.symbol, name, scope.place(released.at), in_test=is_test(scope.path), freer=freer)
        if not is_asked:
            continue
        lock = lock_instance(ev, ev.value(value, scope))
        model = lock_model(ev, lock.type) if lock is not None else None
        if lock is not None and lock.place is not None and model is not None and model.scope is not Reach.PROCESS:
            yield Untaken(scope.place(value.at), scope.symbol, name, scope.place(released.at), in_test=is_test(scope.path))


def _freer(ev: Evaluator, released: ir.Expr, scope: Scope) -> str:
    """The method of a class of the project that gives back a lock, beside one that takes it."""
    for method in options(ev.value(released, scope)):
        owner = ev.project.scopes[method.symbol].owner if isinstance(method, FunctionRef) else None
        if isinstance(method, FunctionRef) and owner is not None and any(words(c.symbol.rpartition(".")[2]) & _TAKES - {"held", "locked", "acquired", "taken"} for c in owner.children):
            return method.symbol
    return ""


def _only_asked(name: str, body: tuple[ir.Stmt, ...]) -> tuple[ir.Expr | None, bool]:
    """Where a variable is given back, if that and questions are all that it is used for: it is not taken, passed on, returned or kept; and whether it is asked."""
    released: ir.Expr | None = None
    questions = 0
    asked: set[int] = set()
    for s in body:
        if isinstance(s, ir.Function | ir.Class) or (isinstance(s, ir.With) and any(written(i.context) == name for i in s.items)):
            return None, False  # a function inside may take it
        made = s.targets if isinstance(s, ir.Assign) else ()
        for node in (n for e in expressions(s) if e not in made or written(e) != name for n in ir.walk(e)):
            if isinstance(node, ir.Lambda) and name in names_in(node.body):
                return None, False
            if isinstance(node, ir.Attribute) and isinstance(node.base, ir.Name) and node.base.id == name:
                if node.name not in _ASKED:
                    return None, False
                asked.add(id(node.base))
                questions += node.name in _QUESTIONS
                released = node if node.name in ("release", "unlock") else released
            elif isinstance(node, ir.Name) and node.id == name and id(node) not in asked:
                return None, False
    return released, bool(questions)


def _left_out(ev: Evaluator, scope: Scope, body: tuple[ir.Stmt, ...]) -> Iterator[Untaken]:
    """`with a and b:` enters one lock: the other has only been asked whether it is something."""
    for item in (i for s in body if isinstance(s, ir.With) for i in s.items):
        both = bare(item.context)
        if isinstance(both, ir.Binary) and both.op in _BOTH and all(lock_instance(ev, ev.value(v, scope)) is not None for v in both.values):
            left = both.values[0] if both.op == "and" else both.values[-1]
            yield Untaken(scope.place(both.at), scope.symbol, written(left), scope.place(left.at), both.op, in_test=is_test(scope.path))
