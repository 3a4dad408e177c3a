"""What forms and serializers look for before their framework makes a row: `validate` of a `ModelSerializer`, `clean_email` of a `ModelForm`, and validators that
say that something must be unique.

The framework makes the row when validation has found nothing to object to, in a step of its own; only the database can refuse a second one then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from coordlint import ir
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import ClassRef, External, options
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.rows import searches, uniqueness
from coordlint.link.code.rows.searches import Search
from coordlint.link.code.scopes.project import Scope
from coordlint.source import Place, Span

_VALIDATING = ("validate", "clean", "check", "full_clean", "run_validation", "to_internal_value")
_VALIDATORS = {"UniqueTogetherValidator": "fields", "UniqueValidator": ""}


class Validated(NamedTuple):
    """Columns that a validator asks for, of which class of rows, and where."""

    symbol: str  # of the class that validates
    type: str
    columns: tuple[str, ...]
    place: Place
    in_test: bool


def model_of(ev: Evaluator, symbol: str) -> str:
    """The records that a form or serializer makes, by its inner `Meta`."""
    for scope in classes.ancestry(ev, symbol)[0]:
        meta = next((c for c in scope.children if c.kind == "class" and c.symbol.endswith(".Meta")), None)
        for option in options(ev.name("model", meta)) if meta is not None and "model" in meta.names else ():
            if isinstance(option, ClassRef) and classes.is_record(ev, option.symbol):
                return option.symbol
            if isinstance(option, External) and uniqueness.is_known(option.name):
                return option.name
    return ""


def asked_by(ev: Evaluator, scope: Scope) -> str:
    """The class of rows that a method's framework makes once the method has let them pass; "" where it does not."""
    if scope.kind != "function" or scope.owner is None or not scope.function.name.lstrip("_").startswith(_VALIDATING):
        return ""
    libraries = classes.ancestry(ev, scope.owner.symbol)[1]
    is_form = any(name.rpartition(".")[2].endswith(("Serializer", "Form")) for name in libraries)
    return model_of(ev, scope.owner.symbol) if is_form else ""


def home(scope: Scope | None) -> Place:
    """Where a class begins whose framework makes the row."""
    assert scope is not None and isinstance(scope.node, ir.Class)
    return scope.place(scope.node.at)


def behind(scope: Scope) -> Place:
    """Behind the last line of a function: where what comes after it happens."""
    end = scope.function.end + 1
    return scope.place(Span(end, 1, end, 1))


def given(ev: Evaluator, scope: Scope, found: list[Search]) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows that the framework makes after a method, by the columns that the method asks for."""
    model = asked_by(ev, scope)
    for look in found if model else ():
        columns = {c: t for c, t in look.equal.items() if t and not searches.is_literal(t)}
        if look.symbol == model and columns:
            yield model, columns


def validators(ev: Evaluator) -> Iterator[Validated]:
    """`UniqueTogetherValidator(queryset=Seat.objects.all(), fields=("row", "number"))` among the validators of a serializer."""
    for scope in ev.project.classes():
        for name, b in ((n, b) for n, found in scope.names.items() for b in found if b.expr is not None):
            for call in (n for n in ir.walk(b.expr) if isinstance(n, ir.Call)) if b.expr is not None else ():
                if (said := last_word(call.func)) not in _VALIDATORS:
                    continue
                query = call.keyword("queryset") or next(iter(call.args), None)
                symbol = searches.about(ev, ev.value(query, scope)) if query is not None else ""
                fields = call.keyword("fields") or (call.args[1] if len(call.args) > 1 else None)
                columns = tuple(str(i.value) for i in fields.items if isinstance(i, ir.Const)) if isinstance(fields, ir.Sequence) else (name,)
                if symbol and (said == "UniqueValidator" or isinstance(fields, ir.Sequence)):
                    yield Validated(scope.symbol, symbol, columns, scope.place(call.at), in_test(scope))
