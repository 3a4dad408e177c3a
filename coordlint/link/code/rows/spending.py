"""What is counted off a row because a test before it found enough: the database counts in one step, and the test is another one.

`if wallet.balance < amount: return`, and then `UPDATE wallet SET balance = balance - :amount`: two at a time both find enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from coordlint import ir
from coordlint.contention import Creation
from coordlint.coordination import Operation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.flow.flows import Flow, within
from coordlint.link.code.flow.usage import ends, names_in
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import statements
from coordlint.link.code.walking import records
from coordlint.models.schema import Op
from coordlint.source import Place

_ORDERS = ("<", "<=", ">", ">=")
_LEAVING = ("return", "raise", "continue", "exit")


def spent(ev: Evaluator, trace: Trace, flow: Callable[[], Flow]) -> Iterator[Creation]:
    """One for each update that counts a column off which a test before it has looked at, and that does not look at it itself."""
    if trace.scope.kind != "function":
        return
    for step in trace.steps:
        o = step.operation
        if o is None or not o.key or step.deferred or not (o.op is Op.SQL or (o.kind == "database" and o.op in (Op.EFFECT, Op.CAS))):
            continue
        for column in [c for c, how in o.writes if how == "+=" and c not in {name for name, _ in o.compares}]:
            look = _tested(ev, trace, step, column, flow)
            if look is not None:
                held = tuple(sorted({d.lock.identity for d in step.held}))
                yield Creation(
                    step.place, trace.scope.symbol, o.key, look, "test", (column,), False, "", False, held, in_test=in_test(trace.scope), table=True, spends=column
                )
                break


def _tested(ev: Evaluator, trace: Trace, act: Step, column: str, flow: Callable[[], Flow]) -> Place | None:
    """Where the column of a row that was read is held against an order, on the only way to the update."""
    scope = trace.scope
    for s in statements(scope.function.body):
        if not isinstance(s, ir.If) or s.at.line >= act.place.line:
            continue
        for branch in s.branches:
            decides = within(branch.body, act.place) or ends(branch.body) in _LEAVING
            for node in ir.walk(branch.test) if decides else ():
                if isinstance(node, ir.Compare) and node.ops[0] in _ORDERS and any(_is_read(ev, trace, scope, v, act, column, flow) for v in node.values):
                    return scope.place(branch.test.at)
    return None


def _is_read(ev: Evaluator, trace: Trace, scope: Scope, asked: ir.Expr, act: Step, column: str, flow: Callable[[], Flow]) -> bool:
    """Whether it is the column of a row of the same table, read before without a lock."""
    assert act.operation is not None
    if isinstance(asked, ir.Attribute) and asked.name == column:
        record = records.loaded(ev, written(asked.base), scope, scope.place(asked.at))
        return record is not None and record.loaded == "query" and record.symbol.rpartition(".")[2] == (act.operation.key or "").rpartition(".")[2]
    looks = [s.operation for s in trace.steps if s.operation is not None and s.operation.op is Op.DB_READ and s.operation.row_lock is None and not s.operation.backend]
    return any(o.key == act.operation.key and o.place < act.place and _names(flow(), o) & names_in(asked) for o in looks)


def _names(flow: Flow, read: Operation) -> set[str]:
    """What holds a row that was read; of a cursor it comes out later."""
    return flow.names_of(read.place) or (flow.spread({read.receiver}) - {read.receiver} if read.receiver else set())
