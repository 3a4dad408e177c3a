"""Functions that call themselves while they hold a lock, and come by its acquire again."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.calls.trace import Draft
from coordlint.link.code.scopes.statements import statements
from coordlint.source import Place


def called_again(d: Draft) -> Place | None:
    """The call by which a function begins anew, on the same object, inside a `with` of the lock that nothing on the way there passes by.

    A return before the `with`, or an argument that says how it was called, may spare the second acquire: then nothing is known.
    """
    if d.how != "with" or d.scope.kind != "function":
        return None
    for s in d.scope.function.body:
        if isinstance(s, ir.With):
            if not any(d.scope.place(item.context.at).line == d.acquired.line for item in s.items):
                return None
            break
        if any(isinstance(inner, ir.Return) for inner in statements((s,))):
            return None
    else:
        return None
    for step in d.steps:
        if step.deferred or [f.symbol for f in step.functions[: step.called]] != [d.scope.symbol]:
            continue
        func, given = step.call.func, (*step.call.args, *(k.value for k in step.call.keywords))
        is_same = isinstance(func, ir.Name) or (isinstance(func, ir.Attribute) and isinstance(func.base, ir.Name) and func.base.id in ("self", "cls"))
        if is_same and not any(isinstance(value, ir.Const) for value in given):
            return step.place
    return None
