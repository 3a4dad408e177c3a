"""Names that a function lets pass only when a known set has them: `if kind not in KINDS: raise ...`. Keys that they fill are few."""

from __future__ import annotations

from coordlint import ir
from coordlint.link.code.flow.usage import ends
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import statements


def vetted(scope: Scope) -> tuple[str, ...]:
    """The names, sorted."""
    if not isinstance(scope.node, ir.Function):
        return ()
    found: set[str] = set()
    for s in statements(scope.function.body):
        for branch in s.branches if isinstance(s, ir.If) else ():
            match branch.test:
                case ir.Compare(ops=("not in",), values=(ir.Name() | ir.Attribute() as asked, _)) if ends(branch.body):
                    found.add(written(asked))
                case ir.Unary(op="not", value=ir.Compare(ops=("in",), values=(ir.Name() | ir.Attribute() as asked, _))) if ends(branch.body):
                    found.add(written(asked))
                case _:
                    pass
    return tuple(sorted(found))
