"""Methods of records that say what they do to one column: `job.set_sent()` is `job.sent = True`, `job.is_sent()` asks for it."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.calling import returned
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import statements

_LONGEST = 12  # statements of a method that is read as an assignment


class Methods:
    """What the calls of methods in one function say of attributes of the objects that they are called on."""

    def __init__(self, ev: Evaluator, trace: Trace) -> None:
        self._ev, self._steps = ev, {id(s.call): s for s in trace.steps}

    def assignments(self, statement: ir.Stmt) -> Iterator[ir.Assign]:
        """`job.set_sent()` as the assignments that it does: each at its own place."""
        method = self._method(statement.value) if isinstance(statement, ir.Evaluate) else None
        if method is None or len(statements(method.function.body)) > _LONGEST:
            return
        call = bare(statement.value) if isinstance(statement, ir.Evaluate) else None
        assert isinstance(call, ir.Call) and isinstance(call.func, ir.Attribute)
        for s in statements(method.function.body):
            if isinstance(s, ir.Assign) and s.value is not None and len(s.targets) == 1 and isinstance(s.targets[0], ir.Attribute) and written(s.targets[0].base) == "self":
                yield ir.Assign((ir.Attribute(call.func.base, s.targets[0].name, call.at),), s.value, None, statement.at)

    def saves(self, statement: ir.Stmt) -> bool:
        """Whether such a method saves its object as well."""
        method = self._method(statement.value) if isinstance(statement, ir.Evaluate) else None
        inside = statements(method.function.body) if method is not None else ()
        return any(isinstance(s, ir.Evaluate) and written(bare(s.value)) in ("self.save()", "self.asave()") for s in inside)

    def asked(self, expr: ir.Expr) -> ir.Expr | None:
        """What a method that only answers with an attribute, or with its comparison, asks for: `self.sent` of `job.is_sent()`, as `job.sent`."""
        method = self._method(expr)
        call = bare(expr)
        if method is None or not isinstance(call, ir.Call) or not isinstance(call.func, ir.Attribute) or len(method.function.body) > 2:
            return None
        answers = [bare(a) for a in returned(method)]
        compared = answers[0].values[0] if len(answers) == 1 and isinstance(answers[0], ir.Compare) else answers[0] if len(answers) == 1 else None
        if isinstance(compared, ir.Attribute) and written(compared.base) == "self":
            of_caller = ir.Attribute(call.func.base, compared.name, call.at)
            return of_caller if not isinstance(answers[0], ir.Compare) else ir.Compare(answers[0].ops, (of_caller, *answers[0].values[1:]), call.at)
        return None

    def _method(self, expr: ir.Expr) -> Scope | None:
        """The one method of a record's class that a call without arguments of note is."""
        call = bare(expr)
        if not isinstance(call, ir.Call) or not isinstance(call.func, ir.Attribute) or not isinstance(call.func.base, ir.Name) or last_word(call.func) in ("save", "asave"):
            return None
        step: Step | None = self._steps.get(id(call))
        if step is None or not step.called or step.deferred or len({f.symbol for f in step.functions[: step.called]}) != 1:
            return None
        scope = self._ev.project.scopes[step.functions[0].symbol]
        is_of_record = scope.kind == "function" and scope.parent is not None and scope.parent.kind == "class" and classes.is_record(self._ev, scope.parent.symbol)
        return scope if is_of_record and call.func.base.id not in ("self", "cls") else None
