"""Whether what a query found is a function's answer, so that one who comes too late should be given it as well."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flow.flows import Flow, within
from coordlint.link.code.flow.usage import calls_in, ends, names_in
from coordlint.link.code.scopes.statements import Body, expressions, statements
from coordlint.source import Place


def is_answer(flow: Flow, look: Place, act: Place) -> bool:
    """Whether what a query gave is used further where it is there: `if old: return old.id`, `user = user or User()`.

    One who is only told that it is there (`if old: raise Taken`) gets as good an answer by any other error.
    """
    names = {n for n in flow.names_of(look) if "." not in n}
    for s in statements(flow.body):
        if isinstance(s, ir.If):
            for branch in s.branches:
                if names & names_in(branch.test) and not within(branch.body, act) and ends(branch.body) in ("return", "raise", "exit"):
                    return ends(branch.body) == "return" and _uses(branch.body, names)
    return _uses(tuple(s for s in flow.body if s.at.line > look.line), names)


def leaves(flow: Flow, look: Place, act: Place) -> bool:
    """Whether the function ends where the query found something, with whatever it says then: there is meant to be one."""
    names = {n for n in flow.names_of(look) if "." not in n}
    branches = [b for s in statements(flow.body) if isinstance(s, ir.If) for b in s.branches]
    asking = [b for b in branches if look.line <= b.test.at.line < act.line and (names & names_in(b.test) or any(flow.scope.place(c.at) == look for c in calls_in(b.test)))]
    return any(not within(b.body, act) and ends(b.body) in ("return", "raise", "exit") for b in asking)


def _uses(body: Body, names: set[str]) -> bool:
    for s in statements(body):
        if isinstance(s, ir.If | ir.Assert | ir.Raise):
            continue
        if any(names & names_in(e) for e in expressions(s) if not (isinstance(s, ir.Assign) and e in s.targets)):
            return True
    return False
