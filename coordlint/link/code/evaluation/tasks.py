"""Functions that a decorator makes tasks of: what is asked of their names is asked of the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint.link.code.evaluation.values import UNKNOWN, External, Instance, Method, Value, options
from coordlint.link.code.scopes.project import Scope
from coordlint.models.schema import Op

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator


def asked_of(ev: Evaluator, scope: Scope, name: str) -> Value:
    """`send.delay(...)` below `@shared_task def send()`: the decorator makes a task of the function, and that is what is asked."""
    if scope.kind != "function" or scope.parent is None:
        return UNKNOWN
    for decorator in scope.function.decorators:
        for made in options(ev.value(decorator, scope.parent)):
            model = ev.models.call(made.call if isinstance(made, Instance) else made.name) if isinstance(made, External | Instance) else None
            model = made.model if isinstance(made, Method) else model
            if model is not None and model.op is Op.TASK and model.returns:
                asked = ev.models.method(model.returns, name)
                return UNKNOWN if asked is None else Method(Instance(model.returns, model.name, scope.place(scope.function.at)), name, asked)
    return UNKNOWN
