"""From understood calls to operations: the noun that rules see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.coordination import Argument, Operation
from coordlint.link.code.calls import bodies, claims, queries
from coordlint.link.code.calls.autocommit import commits_alone
from coordlint.link.code.calls.backends import backend_of
from coordlint.link.code.calls.meaning import Meaning, argument, key_of, lifetime
from coordlint.link.code.calls.meant import meant
from coordlint.link.code.calls.trace import Step
from coordlint.link.code.evaluation import attributes
from coordlint.link.code.evaluation.calling import is_symbolic
from coordlint.link.code.evaluation.classes import in_test
from coordlint.link.code.evaluation.ducks import ASKED
from coordlint.link.code.evaluation.values import (
    Arg,
    ClassRef,
    Instance,
    Literal,
    Method,
    Object,
    Pattern,
    Table,
    Unknown,
    Value,
    options,
    shown,
)
from coordlint.link.code.flow.drawing import drawn
from coordlint.link.code.flow.usage import bare, last_word, names_in
from coordlint.link.code.flow.vetting import vetted
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.models.schema import Late, Op
from coordlint.models.sql_clauses import is_version
from coordlint.source import Place
from coordlint.wording import holes, words

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator
    from coordlint.link.code.walking.walk import Around, Walk

LIMITED = Argument("timeout", text="as long as what is around it lets it")
_UNIQUE = ("IntegrityError", "UniqueViolation", "DuplicateKeyError", "UniqueViolationError", "DBDuplicateEntry", "DuplicateEntry")
_OWN = "the statement's own condition"
_VERSION = ("version", "version_id", "revision", "rev", "etag", "row_version", "lock_version", "fence", "fencing_token", "epoch", "token", "expected_version")  # fmt: skip


def describe(w: Walk, step: Step, made: Meaning, owner: Value | None, call: ir.Call, around: Around) -> Operation:
    """The operation that a call is."""
    key = step.key = key_of(w.ev, made) or _about(made, owner)
    library = w.ev.models.library_of(made.model.name)
    mentions = _mentions(call, w.scope)
    arguments = (*(_argument(a, mentions) for a in made.args), *_limit(w, made, owner, around))
    columns = claims.columns_of(w, made, owner, call)
    backend = _backend(w, made, owner)
    made, fields = bodies.as_written(w.ev, made, backend, call, w.scope)
    conditional = _conditional(w, made, owner, step, columns)
    late = Late.CONDITIONAL if conditional and made.late is not Late.READ else _late(w, made)
    is_claim = columns is not None and claims.decides(w, step, columns)
    if is_claim and columns is not None and (columns.skips or conditional in ("", _OWN)):
        conditional = columns.told
    elif made.op is Op.ROW_LOCK and _skips_locked(made, owner):
        conditional = claims.SKIP_LOCKED
    if key is None and columns is not None and columns.table:
        key = step.key = Pattern(columns.table, columns.table)
    return Operation(
        place=step.place,
        symbol=w.scope.symbol,
        op=Op.CAS if is_claim else made.op,
        call=made.model.name,
        library=library.library if library is not None else "",
        backend="database-row" if is_claim else backend,
        kind="database" if is_claim else "" if made.rest is not None else made.model.effect or ("database" if made.sql is not None else ""),
        key=key.text if key is not None else None,
        key_text=shown(key.named) if key is not None else "",
        late=late,
        conditional=conditional,
        accepts=made.model.conditions,
        arguments=arguments,
        outcome=step.outcome,
        guards=around.guards,
        loop=around.loop,
        pause=around.pause,
        atomic=_atomic(w, made, owner, around),
        transaction=around.transaction,
        commits_alone=(made.sql is not None or made.model.effect == "database") and commits_alone(w.ev, owner),
        ephemeral=_ephemeral(w, made),
        ttl=lifetime(w.ev, made, step.place),
        row_lock=_row_lock(w, call, owner),
        compares=columns.compared if columns is not None else (),
        writes=columns.assigned if columns is not None else fields,
        receiver=written(call.func.base) if isinstance(call.func, ir.Attribute) else "",
        client=_client(w.ev, owner),
        guessed=_is_guessed(owner),
        vetted=vetted(w.scope) if key is not None and "{" in key.named and made.op in (Op.WRITE, Op.CREATE) else (),
        drawn=drawn(w.scope, holes(shown(key.named))) if key is not None and "{" in key.named and made.op in (Op.WRITE, Op.CREATE) else (),
        in_test=in_test(w.scope),
        is_async=made.model.is_async,
        meant=_meant(w, made, call),
    )


def _meant(w: Walk, made: Meaning, call: ir.Call) -> tuple[str, ...]:
    """What the key is that is not written here."""
    if made.sql is not None or made.rest is not None or not made.model.key:
        return ()
    given = made.arg(made.model.key) or (made.arg("*") if made.model.variadic == made.model.key else None)
    expr = next((e for e in (*call.args, *(k.value for k in call.keywords)) if given is not None and w.scope.place(bare(e).at) == given.place), None)
    return meant(w.ev, given, expr, w.scope)


def _about(made: Meaning, owner: Value | None) -> Pattern | None:
    """The class of record that a query reads or writes."""
    if made.model.effect not in ("database", ""):
        return None
    about = owner.argument("model") if isinstance(owner, Instance) else None
    known = about.value if about is not None else None
    if known is None and made.op is Op.ROW_LOCK:  # select(Job).with_for_update(), session.get(Job, 7, with_for_update=True)
        given = (*(owner.arguments[:1] if isinstance(owner, Instance) else ()), *made.args[:1])
        known = next((v for a in given for v in options(a.value) if isinstance(v, ClassRef)), None)
    if not isinstance(known, ClassRef):
        return None
    name = known.symbol.rpartition(".")[2]
    return Pattern(name, name)


def _row_lock(w: Walk, call: ir.Call, owner: Value | None) -> Place | None:
    """Where a query was told to lock its rows, maybe in another function; nowhere for one whose rows are also asked for in another way."""
    if not isinstance(owner, Instance):
        return None
    marks = (owner.argument("select_for_update()"), owner.argument("with_for_update()"))
    found = next((m.place for m in marks if m is not None), None)
    held = call.func.base if found is not None and isinstance(call.func, ir.Attribute) else None
    return None if isinstance(held, ir.Name) and queries.is_read_otherwise(w.scope, held.id) else found


def _late(w: Walk, made: Meaning) -> Late:
    """`session.add(record)` makes a new row of a record that was just made; one that was loaded, or may be, is written back."""
    if made.late is Late.APPEND and made.model.name.endswith("Session.add") and made.args:
        added = options(w.ev.settle(made.args[0].value))
        if not any(isinstance(v, Object) and not v.loaded and v.arguments is not None for v in added):
            return Late.OVERWRITE
    return made.late


def _mentions(call: ir.Call, scope: Scope) -> dict[Place | None, tuple[tuple[str, ...], str]]:
    found: dict[Place | None, tuple[tuple[str, ...], str]] = {}
    for expr in (*call.args, *(k.value for k in call.keywords)):
        found[scope.place(expr.at)] = (tuple(sorted(names_in(expr))), written(expr))
    return found


def _argument(arg: Arg, mentions: dict[Place | None, tuple[tuple[str, ...], str]]) -> Argument:
    names, text = mentions.get(arg.place, ((), ""))
    return argument(arg, names, text)


def _backend(w: Walk, made: Meaning, owner: Value | None) -> str:
    if made.rest is not None:
        return made.rest.backend
    if made.sql is not None:
        if made.sql.kind in ("get-lock", "release-lock"):
            return "mysql-get-lock"
        if made.sql.kind in ("listen", "notify"):
            return "other"
        return "postgres-advisory" if "advisory" in made.sql.kind else "database-row" if made.op is Op.ROW_LOCK else ""
    found = backend_of(w.ev, made.model, made.args, owner)
    if found == "django-cache" and made.op is Op.MAKE_LOCK:
        found = w.ev.models.backend_of(made.model.returns) or found  # the lock of a cache that has locks is that of its server
    return "other" if found == "database-row" and made.op in (Op.SUBSCRIBE, Op.PUBLISH) else found  # LISTEN and NOTIFY hold no row


def _limit(w: Walk, made: Meaning, owner: Value | None, around: Around) -> Iterator[Argument]:
    """How long a request may take where the call does not say: what ends the wait around it, what its session was made with, or the default."""
    if around.limit is not None:
        yield LIMITED
        return
    if made.model.effect != "http" or any(a.name in ("timeout", "**") for a in made.args):
        return
    session = owner if isinstance(owner, Instance) else None
    given = session.argument("timeout") if session is not None else None
    if given is not None:
        yield _argument(given, {})
    elif session is None or not any(a.name == "**" for a in session.arguments):
        maker = w.ev.models.call(session.type) if session is not None else None
        default = next((m.defaults["timeout"] for m in (maker, made.model) if m is not None and "timeout" in m.defaults), None)
        if isinstance(default, int | float):
            yield Argument("timeout", default, literal=True, text="the default")


def _skips_locked(made: Meaning, owner: Value | None) -> bool:
    """A lock of rows that passes over those that others hold: workers that share out what there is to do."""
    given = made.arg("skip_locked")
    said = isinstance(given.value, Literal) and given.value.value is True if given is not None else False
    return said or (made.sql is not None and made.sql.skip_locked)


def _conditional(w: Walk, made: Meaning, owner: Value | None, step: Step, columns: claims.Columns | None) -> str:
    """Why the call does no harm when it comes late or twice; "" when nothing says so."""
    for name in made.model.conditions:
        given = made.arg(name)
        known = given.value.value if given is not None and isinstance(given.value, Literal) else ""
        if given is not None and known is not False and known not in (None, -1):
            return name
    if made.sql is not None and made.sql.conditional:
        compared = [c for c in (*_VERSION, *made.sql.writes) if c in made.sql.where]
        return f"WHERE {compared[0]}" if compared else _OWN
    if made.late is Late.CONDITIONAL:
        return bodies.VERSION if made.model.op is Op.WRITE and made.op is Op.CAS else "conditional write"
    if columns is not None and columns.refuses:
        return columns.told if is_version(columns.expected) else _OWN
    header = _header(made) or _filtered(made)
    if header:
        return header
    if made.model.effect == "database":
        if any(name.rpartition(".")[2] in _UNIQUE for g in step.guards for name in g.catches):
            return "unique constraint handled"
        if made.late is Late.APPEND and (field := _unique_field(w, made, owner)):
            return f"unique constraint on {field}"
        if isinstance(owner, Instance) and (columns is None or is_version(columns.expected)):
            for arg in owner.arguments:
                method, _, field = arg.name.partition(".")
                if isinstance(arg.value, Literal):
                    continue  # a state that is asked for, as `version=None` is: nobody has read it before
                if method in ("filter", "filter_by", "exclude", "where") and field.partition("__")[0] in _VERSION:
                    return f"{method}({field}=...)"
    return ""


_MADE_UP = frozenset({"id", "uuid", "guid", "pk", "uid"})


def _unique_field(w: Walk, made: Meaning, owner: Value | None) -> str:
    """A field of an inserted record that its class declares unique: the database refuses the second one."""
    about = owner.argument("model") if isinstance(owner, Instance) else None
    record: Value | None = about.value if about is not None else None
    given = {a.name for a in made.args}
    if record is None and made.args:  # one that is made here; the same name may also stand for one that was found
        new = next((o for o in options(made.args[0].value) if isinstance(o, Object) and o.arguments), None)
        record = ClassRef(new.symbol) if new is not None else None
        given = {a.name for a in new.arguments or ()} if new is not None else set()
    scope = w.ev.project.scopes.get(record.symbol) if isinstance(record, ClassRef) else None
    if scope is None:
        return ""
    for name, bindings in scope.names.items():
        for b in bindings:
            if name in given and isinstance(b.expr, ir.Call):
                # A number or UUID that is made for the record never meets another; a primary key with a meaning does.
                unique = b.expr.keyword("unique") or (None if words(name) & _MADE_UP else b.expr.keyword("primary_key"))
                if isinstance(unique, ir.Const) and unique.value is True:
                    return name
    is_bulk = made.model.name.rpartition(".")[2] in ("bulk_create", "abulk_create")  # its records carry all of their fields
    return next((", ".join(sorted(fields)) for fields in _together(scope) if is_bulk or fields <= given), "")


def _together(scope: Scope) -> Iterator[frozenset[str]]:
    """Groups of fields that a class of records declares unique together: `unique_together`, `UniqueConstraint(...)`."""
    meta = next((c for c in scope.children if c.kind == "class" and c.symbol.endswith(".Meta")), None)
    for b in meta.names.get("unique_together", ()) if meta is not None else ():
        given = b.expr.items if isinstance(b.expr, ir.Sequence) else ()
        for group in (given,) if any(isinstance(i, ir.Const) for i in given) else [i.items for i in given if isinstance(i, ir.Sequence)]:
            yield from _fields(group)
    for b in meta.names.get("constraints", ()) if meta is not None else ():
        for made in b.expr.items if isinstance(b.expr, ir.Sequence) else ():
            if isinstance(made, ir.Call) and written(made.func).rpartition(".")[2] == "UniqueConstraint" and made.keyword("condition") is None:
                fields = made.keyword("fields")
                yield from _fields(fields.items if isinstance(fields, ir.Sequence) else ())
    for b in scope.names.get("__table_args__", ()):
        for made in b.expr.items if isinstance(b.expr, ir.Sequence) else ():
            if isinstance(made, ir.Call) and last_word(made.func) == "UniqueConstraint":
                yield from _fields(made.args)


def _fields(group: tuple[ir.Expr, ...]) -> Iterator[frozenset[str]]:
    names = frozenset(i.value for i in group if isinstance(i, ir.Const) and isinstance(i.value, str))
    if names and len(names) == len(group):
        yield names


def _filtered(made: Meaning) -> str:
    """`update_one({"_id": n, "version": seen}, ...)`: a document that is changed only in the version that was read."""
    upsert = made.arg("upsert")
    if upsert is not None and not (isinstance(upsert.value, Literal) and upsert.value.value is False):
        return ""  # where none is in that version, one is put in
    given = made.arg("filter") if made.model.effect == "database" else None
    for option in options(given.value) if given is not None else ():
        for name, value in option.entries if isinstance(option, Table) else ():
            if name.rpartition(".")[2] in _VERSION and not isinstance(value, Literal | Table):
                return f"filter {name}"
    return ""


def _header(made: Meaning) -> str:
    given = made.arg("headers")
    for option in options(given.value) if given is not None else ():
        if isinstance(option, Table):
            for name, _ in option.entries:
                if name.lower() in ("idempotency-key", "if-match", "if-none-match", "x-idempotency-key"):
                    return name
    return ""


def _atomic(w: Walk, made: Meaning, owner: Value | None, around: Around) -> str:
    if made.lua or made.op is Op.SCRIPT:
        return "script"
    if isinstance(owner, Instance):
        model = w.ev.models.type(owner.type)
        if model is not None and model.role == "pipeline":
            plain = owner.argument("transaction")
            off = plain is not None and isinstance(plain.value, Literal) and plain.value.value is False
            return "" if off else "pipeline"
    return around.atomic


def _ephemeral(w: Walk, made: Meaning) -> bool | None:
    if made.rest is not None and made.op is Op.REGISTER:
        return _has_check(w, made)
    if not made.model.ephemeral:
        return None
    given = made.arg(made.model.ephemeral)
    if given is None:
        return any(a.name in ("**", "*") for a in made.args) and None
    value = w.ev.settle(given.value)
    if isinstance(value, Literal):
        return bool(value.value)
    if any(isinstance(v, Literal) and not v.value for v in options(value)):
        return None  # a lease that only some callers ask for
    return None if isinstance(value, Unknown) and is_symbolic(given.value) else True


def _has_check(w: Walk, made: Meaning) -> bool | None:
    """A registration over REST carries its health check in the body."""
    for name in ("json", "data", "content"):
        given = made.arg(name)
        for option in options(w.ev.settle(given.value)) if given is not None else ():
            if isinstance(option, Table):
                return any(key in ("Check", "Checks", "check", "checks") for key, _ in option.entries)
    return None


_CLIENT_PARAMS = ("client", "redis", "redis_client", "etcd_client", "connection")  # of recipes that are built around one


def _client(ev: Evaluator, owner: Value | None) -> Place | None:
    """Where the object at the end of the chain of owners was made."""
    depth = 0
    while isinstance(owner, Instance) and depth < 8:
        given = next((v for a in owner.arguments if a.name in _CLIENT_PARAMS for v in _behind(ev, a.value) if isinstance(v, Instance)), None)
        if not isinstance(owner.owner, Instance) and given is None:
            break
        owner = owner.owner if isinstance(owner.owner, Instance) else given
        depth += 1
    return owner.place if isinstance(owner, Instance) else None


def _behind(ev: Evaluator, given: Value) -> Iterator[Value]:
    """What is passed, or the client that an object of the project hands all questions on to: `__getattr__` of a lazy proxy."""
    for value in options(ev.settle(given)):
        yield value
        if isinstance(value, Object):
            yield from (v.owner for v in options(attributes.attribute(ev, value, "get")) if isinstance(v, Method) and v.owner is not None)


def _is_guessed(owner: Value | None) -> bool:
    """Whether the object at the end of the chain of owners has no type but that of the methods it is asked for."""
    while isinstance(owner, Instance) and isinstance(owner.owner, Instance):
        owner = owner.owner
    return isinstance(owner, Instance) and owner.call == ASKED
