"""Queries of records: who is asked for one, what record comes out, and which module of the project answers for a database interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import called, classes
from coordlint.link.code.evaluation.ducks import SESSION
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    ClassRef,
    Instance,
    Literal,
    Object,
    Parameter,
    Table,
    Value,
    one_of,
    options,
)
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.project import Scope

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

RECORD = frozenset("get first last latest earliest create aget afirst acreate get_or_create update_or_create aget_or_create aupdate_or_create one one_or_none get_or_404 first_or_404 scalar scalar_one scalar_one_or_none get_one".split())
_BY_KEY = frozenset({"with_id", "get_or_none", "find_by_id"})  # of mappers that no model describes
RECORDS = ("django.db.models.Manager", "django.db.models.QuerySet", "django.db.models.query.QuerySet", classes.DOCUMENTS, "sqlalchemy.orm.Query")  # fmt: skip
BY_MAPPING = ("oslo_db.api.DBAPI", "oslo_db.concurrency.TpoolDbapiWrapper", "oslo.db.api.DBAPI")
_LINKS = 12  # steps of a query that are gone back
_SESSIONS = ("session", "db_session", "sess")


def queried(ev: Evaluator, call: ir.Call, scope: Scope) -> Value:
    """`session.query(Job)`, whatever the session: who is asked for records of a class gives a query of them."""
    if isinstance(call.func, ir.Attribute) and call.func.name == "query" and call.args:
        for option in options(ev.value(call.args[0], scope)):
            is_handed = isinstance(option, Parameter) and ev.ducks.uses(SESSION) and last_word(call.func.base) in _SESSIONS
            if is_handed or (isinstance(option, ClassRef) and classes.is_record(ev, option.symbol)):
                return Instance(RECORDS[-1], "sqlalchemy.orm.Session.query", scope.place(call.at), (Arg("model", option),))
    found = _found_or_404(ev, call, scope)
    return found if found != UNKNOWN else _of_objects(ev, call, scope)


def _of_objects(ev: Evaluator, call: ir.Call, scope: Scope) -> Value:
    """`Job.objects(state="open").first()`, `Job.objects.with_id(7)`, whatever mapper it is: one of a class's stored objects."""
    if not isinstance(call.func, ir.Attribute) or call.func.name not in RECORD | _BY_KEY:
        return UNKNOWN
    base: ir.Expr = call.func.base
    for _ in range(_LINKS):
        if isinstance(base, ir.Call):
            base = base.func
        elif isinstance(base, ir.Attribute) and base.name == "objects":
            owner = next((o for o in options(ev.value(base.base, scope)) if isinstance(o, ClassRef) and classes.is_record(ev, o.symbol)), None)
            return Object(owner.symbol, None, scope.place(call.at), loaded="query") if owner is not None else UNKNOWN
        elif isinstance(base, ir.Attribute):
            base = base.base
        else:
            break
    return UNKNOWN


def _found_or_404(ev: Evaluator, call: ir.Call, scope: Scope) -> Value:
    """`get_object_or_404(Job, pk=7)`, or of a query that may lock its rows: the record that was found."""
    if last_word(call.func) in ("get_object_or_404", "aget_object_or_404") and call.args:
        for option in options(ev.settle(ev.value(call.args[0], scope))):
            if isinstance(option, ClassRef) and classes.is_record(ev, option.symbol):
                return Object(option.symbol, None, scope.place(call.at), loaded="query")
            about = option.argument("model") if isinstance(option, Instance) else None
            if isinstance(option, Instance) and about is not None and isinstance(about.value, ClassRef):
                return Object(about.value.symbol, None, scope.place(call.at), loaded=loaded(option))
    return UNKNOWN


def record(owner: Instance, name: str, args: tuple[Arg, ...]) -> Value | None:
    """Reading a row through a query gives a record of the query's class."""
    if name in RECORD and owner.type in RECORDS:
        about = owner.argument("model")
        if about is not None and isinstance(about.value, ClassRef):
            return Object(about.value.symbol, None, owner.place, loaded=loaded(owner))
    if owner.type.startswith(("sqlalchemy", "sqlmodel")) and args and isinstance(args[0].value, ClassRef):
        if name == "query":
            return Instance("sqlalchemy.orm.Query", "sqlalchemy.orm.Session.query", owner.place, (Arg("model", args[0].value),), owner)
        if name in ("get", "get_one"):
            locks = any(a.name == "with_for_update" and a.value not in (Literal(False), Literal(None)) for a in args)
            return Object(args[0].value.symbol, None, owner.place, loaded="locked" if locks else "query")
    return None


def loaded(query: Instance) -> str:
    """How a record was read: "locked" when its row is locked until the transaction ends."""
    marks = ("select_for_update()", "with_for_update()", "for_update()")
    return "locked" if any(query.argument(m) for m in marks) else "query"


def mapped(ev: Evaluator, name: Value, mapping: ir.Expr | None, scope: Scope) -> Value:
    """The module that answers for a database interface: `DBAPI("sqlalchemy", backend_mapping={"sqlalchemy": "shop.db.api"})`."""
    tables = [v for v in options(ev.settle(ev.value(mapping, scope))) if isinstance(v, Table)] if mapping is not None else []
    key = str(name.value) if isinstance(name, Literal) else ""
    found = [called.imported(ev, v) for t in tables for k, v in t.entries if not key or k == key]
    return one_of(found)
