"""What the name of a function says of its purpose, where what it does says the same."""

from __future__ import annotations

import re
from collections.abc import Iterable

from coordlint import ir
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.calling import returned
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.flow.vocabulary import by_words
from coordlint.link.code.purposes.deeds import GENERAL, Deed
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.wording import spelled

_TELLS = re.compile(r"\b(publish|emit|broadcast|notify|announce|subscribe)\b")
_BELIEFS = re.compile(r"\b(leader|master|primary|elected|leading|active)\b")
_REGISTERS = re.compile(r"\b(un|de)?(register\w*|announce|advertise|discover)\b")


def says_role(scope: Scope, deeds: Iterable[Deed]) -> bool:
    """Whether a function is called by the one thing that it does to coordinators: it may do more on the way, and still stands for that."""
    roles = {d.role for d in deeds if d.role != "client"}
    if len(roles) != 1:
        return False
    role, name = next(iter(roles)), scope.function.name
    if role == "watch":
        return _TELLS.search(" ".join(spelled(name))) is not None
    if role in ("service-discovery", "membership") and _REGISTERS.search(" ".join(spelled(name))) is not None:
        return True
    return role not in GENERAL and by_words(name, "") == role


def is_same(trace: Trace, step: Step) -> bool:
    """Whether a function hands its call on to another object's function of its own name, which is no work besides."""
    func = step.call.func
    params = trace.scope.params()
    if step.operation is not None or trace.scope.owner is None or not params or not isinstance(func, ir.Attribute):
        return False
    return last_word(func) == trace.scope.function.name and written(func.base).startswith(f"{params[0].name}.")


def tells_belief(scope: Scope) -> bool:
    """Whether a method only answers from an attribute of its object whether it leads: `return self._is_leader`."""
    params = scope.params() if scope.kind == "function" else ()
    if scope.owner is None or len(params) != 1 or _BELIEFS.search(" ".join(spelled(scope.function.name))) is None:
        return False
    given = [bare(e) for e in returned(scope)]
    return bool(given) and all(isinstance(e, ir.Attribute) and written(e.base) == params[0].name for e in given)
