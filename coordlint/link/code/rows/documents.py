"""Documents of MongoDB and items of DynamoDB that are read, changed in the program and put back."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.coordination import Operation
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.flow.derived import Holds
from coordlint.link.code.flow.usage import bare
from coordlint.link.code.rows.selected import Change, Look
from coordlint.link.code.scopes.spelling import written
from coordlint.models.schema import Op


def documents_read(trace: Trace) -> Iterator[Look]:
    """`find_one(filter)`, `get_item(Key=...)`."""
    for step in trace.steps:
        o = step.operation
        if o is None or o.op is not Op.DB_READ or step.deferred or not isinstance(step.call.func, ir.Attribute):
            continue
        name = step.call.func.name
        if name == "find_one" and _is_collection(o):
            yield Look(_table(step), (), _pairs(_argument(step, 0, "filter")), step.place, {step.place: Holds.ROW}, bool(step.held))
        elif name == "get_item" and o.backend == "dynamodb":
            yield Look(_table(step), (), _pairs(_argument(step, 9, "Key")), step.place, {step.place: Holds.RESULT}, bool(step.held))


def documents_written(trace: Trace) -> Iterator[Change]:
    """`update_one(filter, {"$set": ...})`, `replace_one(filter, document)`, `put_item(Item=...)`: those that expect nothing of what is there."""
    for step in trace.steps:
        o = step.operation
        if o is None or o.op is not Op.EFFECT or o.conditional or step.deferred or not isinstance(step.call.func, ir.Attribute):
            continue
        name = step.call.func.name
        if _is_collection(o) and name in ("update_one", "find_one_and_update"):
            yield from _set(step)
        elif _is_collection(o) and name in ("replace_one", "find_one_and_replace"):
            yield from _whole(step, _argument(step, 1, "replacement"), _pairs(_argument(step, 0, "filter")))
        elif o.backend == "dynamodb" and name == "put_item" and step.call.keyword("ConditionExpression") is None:
            yield from _whole(step, _argument(step, 9, "Item"), {})
        elif o.backend == "dynamodb" and name == "update_item" and step.call.keyword("ConditionExpression") is None:
            values = _argument(step, 9, "ExpressionAttributeValues")
            for value in values.values if isinstance(values, ir.Mapping) else ():
                yield Change(_table(step), "", value, _pairs(_argument(step, 9, "Key")), step.place, step.held)


def _is_collection(o: Operation) -> bool:
    return o.backend == "database-row" and "Collection" in o.call


def _table(step: Step) -> str:
    """The collection as the code writes it: within one function, and among those that are given it, that is as good as its name."""
    named = step.call.keyword("TableName")
    assert isinstance(step.call.func, ir.Attribute)
    return written(named) if named is not None else written(step.call.func.base)


def _argument(step: Step, position: int, name: str) -> ir.Expr | None:
    given = step.call.keyword(name)
    if given is None and position < len(step.call.args):
        given = step.call.args[position]
    return bare(given) if given is not None else None


def _pairs(given: ir.Expr | None) -> dict[str, str]:
    match given:
        case ir.Mapping(keys=keys, values=values):
            return {str(k.value).lstrip("_"): written(v) for k, v in zip(keys, values, strict=True) if isinstance(k, ir.Const)}
        case None:
            return {}
        case _:
            return {"id": written(given)}


def _set(step: Step) -> Iterator[Change]:
    update = _argument(step, 1, "update")
    where = _pairs(_argument(step, 0, "filter"))
    if not isinstance(update, ir.Mapping):
        return
    for operator, values in zip(update.keys, update.values, strict=True):
        if not isinstance(operator, ir.Const) or operator.value != "$set":
            continue
        if isinstance(values, ir.Mapping):
            for key, value in zip(values.keys, values.values, strict=True):
                if isinstance(key, ir.Const) and isinstance(key.value, str):
                    yield Change(_table(step), key.value, value, where, step.place, step.held)
        else:
            yield from _whole(step, values, where)


def _whole(step: Step, document: ir.Expr | None, where: dict[str, str]) -> Iterator[Change]:
    if document is not None:
        yield Change(_table(step), "", document, where, step.place, step.held, whole=True)
