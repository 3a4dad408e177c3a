"""From values to locks: what is taken, for how long, and by which name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from coordlint.coordination import UNKNOWN_TIME, Lock, Time
from coordlint.link.code.calls import backends
from coordlint.link.code.calls.meaning import Meaning, key_of, lifetime, sql_text, time_of, understand
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.inheriting import handed_up
from coordlint.link.code.evaluation.values import (
    Arg,
    External,
    Instance,
    Items,
    Literal,
    Object,
    Pattern,
    Table,
    Value,
    options,
    shown,
)
from coordlint.models.schema import LockModel, OnBusy, Op, Scope
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

BY_HAND = LockModel(Scope.DISTRIBUTED, checks_owner=False, on_busy=OnBusy.RAISES)
SESSION = Time("session", told="bound to the session of its holder")
FOREVER = Time("never", told="waits without limit")
AT_ONCE = Time("seconds", 0.0, told="does not wait")


def lock_model(ev: Evaluator, type_name: str) -> LockModel | None:
    """The lock semantics of a library type or of a base of it."""
    for name in ev.models.ancestry(type_name):
        model = ev.models.type(name)
        if model is not None and model.lock is not None:
            return model.lock
    return None


def lock_instance(ev: Evaluator, value: Value) -> Instance | None:
    """The lock among the alternatives of a value, seen as an object of its library type."""
    for option in options(ev.settle(value)):
        if isinstance(option, Instance) and lock_model(ev, option.type) is not None:
            return option
        if isinstance(option, Object):
            for library in classes.ancestry(ev, option.symbol)[1]:
                if lock_model(ev, library) is not None:
                    known = library if option.arguments is not None else ""
                    given = handed_up(ev, option, library) if known else ()
                    return Instance(library, known, option.place, given, subclass=option.symbol)
        name = ev.models.canonical(option.name) if isinstance(option, External) else None
        if name is not None and ev.models.type(name) is not None and lock_model(ev, name) is not None:
            return Instance(name, name)
    return None


def lock_of(ev: Evaluator, made: Instance, acquire: Meaning | None, at: Place, via: tuple[str, ...] = ()) -> Lock:
    """The lock that an object is, as an acquire with these arguments takes it."""
    model = lock_model(ev, made.type)
    assert model is not None
    is_made = bool(made.call or made.arguments)  # else it is only annotated: nothing is known of how it was made
    constructor = ev.models.call(made.call) or (ev.models.call(made.type) if is_made else None)
    built = understand(ev, constructor, made.arguments, made.owner) if constructor is not None else None
    key = key_of(ev, built) if built is not None else None
    scope = built.scope if built is not None and built.scope else model.scope
    place = made.place or at
    if built is not None and built.on_busy is not None:
        model = msgspec.structs.replace(model, on_busy=built.on_busy)
    if model.kind == "semaphore" and built is not None and _lets_one_in(ev, built):
        model = msgspec.structs.replace(model, kind="lock")
    if built is not None and model.renews_if and (given := built.arg(model.renews_if)) is not None:
        known = ev.settle(given.value)
        model = msgspec.structs.replace(model, renews=not isinstance(known, Literal) or bool(known.value))
    life = SESSION if model.session_bound or scope is not Scope.DISTRIBUTED else UNKNOWN_TIME
    if built is not None and not model.session_bound:
        life = lifetime(ev, built, place) or life
    if acquire is not None and acquire.model.ttl is not None:
        life = lifetime(ev, acquire, at) or life
    library = ev.models.library_of(made.type)
    return Lock(
        type=made.type,
        model=msgspec.structs.replace(model, scope=scope),
        library=library.library if library else "",
        backend=_backend(ev, made, built),
        key=key.text if key else None,
        key_text=shown(key.named) if key else "",
        lifetime=life,
        wait=_wait(ev, built, acquire, at),
        blocking=_blocking(ev, built, acquire),
        made=place,
        via=via or made.via,
        topology=_topology(ev, made),
        identity=_identity(made, place, key, library.library if library else ""),
        masters=_masters(made),
    )


_PERMITS = frozenset(("value", "count", "maximum", "permits", "limit"))


def _lets_one_in(ev: Evaluator, built: Meaning) -> bool:
    """Whether a semaphore is made with one permit, said or by default: it excludes as a lock does. Unknown is not one."""
    given = next((a for a in built.args if a.name in _PERMITS or a.name == "**"), None)
    if given is None:
        return any(built.model.defaults.get(name) == 1 for name in _PERMITS)
    known = ev.settle(given.value)
    return isinstance(known, Literal) and known.value == 1


def by_hand_lock(ev: Evaluator, made: Meaning, owner: Value | None, at: Place, via: tuple[str, ...] = ()) -> Lock:
    """A lock that is a conditional write: SET NX, cache.add, kv put with a session, an advisory lock in SQL."""
    key = key_of(ev, made)
    type_name = owner.type if isinstance(owner, Instance) else made.model.name.rpartition(".")[0]
    library = ev.models.library_of(type_name)
    backend = ev.models.backend_of(type_name) or ev.models.backend_of(made.model.name)
    model = (lock_model(ev, made.model.lock) if made.model.lock else None) or BY_HAND
    if made.scope and model is not BY_HAND:
        model = msgspec.structs.replace(model, scope=made.scope)
        backend = "file-lock" if backend == "process-local" and made.scope is Scope.HOST else backend
    waits, limit = _queues(made) if made.op is Op.ROW_LOCK else False, None
    if made.rest is not None:
        library, backend = None, made.rest.backend
    if made.sql is not None:
        scope = Scope.DB_TRANSACTION if "xact" in made.sql.kind or made.sql.kind in ("row-lock", "table-lock") else Scope.DB_SESSION
        model = LockModel(scope, session_bound=True, on_busy=OnBusy.BLOCKS)
        backend = "mysql-get-lock" if made.sql.kind == "get-lock" else "postgres-advisory" if "advisory" in made.sql.kind else "database-row"
        waits = waits if made.op is Op.ROW_LOCK else not made.sql.kind.startswith("try")
        limit = _named_wait(ev, made) if made.sql.kind == "get-lock" else None
    elif made.op is Op.ROW_LOCK:
        model = LockModel(Scope.DB_TRANSACTION, session_bound=True, on_busy=OnBusy.BLOCKS)
        backend = "database-row"
    elif backend == "consul":
        model = LockModel(Scope.DISTRIBUTED, session_bound=True, renews=False, token="LockIndex of kv.get(key)", token_names=("LockIndex",))
    is_leased = backend == "etcd" and made.rest is None and bool(made.model.ephemeral)
    life = SESSION if model.session_bound or is_leased else lifetime(ev, made, at) or Time("never", None, at, "never (no time to live is given)")
    named = shown(key.named) if key else ""
    return Lock(
        type=made.model.name,
        model=model,
        library=library.library if library else "",
        backend=backend,
        key=key.text if key else None,
        key_text=named,
        lifetime=life,
        wait=limit or (UNKNOWN_TIME if waits is None else FOREVER if waits else AT_ONCE),
        blocking=waits and limit is not AT_ONCE,
        made=at,
        via=via,
        by_hand=made.sql is None and made.op is not Op.ROW_LOCK and (model is BY_HAND or backend == "consul" or not model.checks_owner),
        topology=_topology(ev, owner) if isinstance(owner, Instance) else "",
        masters=_masters(owner) if isinstance(owner, Instance) else None,
        identity=f"{backend}:{key.text}" if key is not None and says_something(key) else f"{at}",
    )


_NAMED = re.compile(r"get_lock\([^()]{1,200},\s{0,9}(-?\d{1,9}|%s|:\w{1,40}|%\(\w{1,40}\)s|\?)", re.IGNORECASE)


def _named_wait(ev: Evaluator, made: Meaning) -> Time | None:
    """How long MySQL's GET_LOCK waits, by its second argument: a negative number is without limit."""
    said = next((m[1] for a in made.args if (m := _NAMED.search(sql_text(ev, a.value)))), None)
    if said is None or said.startswith("-"):
        return None
    return AT_ONCE if said == "0" else Time("seconds", float(said), told=f"{said} s") if said.isdigit() else UNKNOWN_TIME


def _queues(made: Meaning) -> bool | None:
    """Whether a query waits for the rows that others have locked: not with NOWAIT or SKIP LOCKED; None where that is computed."""
    if made.sql is not None:
        return not (made.sql.nowait or made.sql.skip_locked)
    told = [e for a in made.args if a.name == "with_for_update" for o in options(a.value) if isinstance(o, Table) for e in o.entries]
    given = [(a.name, a.value) for a in made.args] + told
    said = [v.value if isinstance(v, Literal) else None for name, v in given if name in ("nowait", "skip_locked")]
    return False if True in said else None if None in said or any(name == "**" for name, _ in given) else True


def _backend(ev: Evaluator, made: Instance, built: Meaning | None) -> str:
    """Where a lock lives. One of the process that an argument makes one of the host (`external=True`) is a file."""
    found = backends.of_instance(ev, made) or (backends.of_instance(ev, made.owner) if isinstance(made.owner, Instance) else "")
    return "file-lock" if found == "process-local" and built is not None and built.scope is Scope.HOST else found


def _wait(ev: Evaluator, built: Meaning | None, acquire: Meaning | None, at: Place) -> Time:
    for made in (acquire, built):
        if made is None or made.model.wait is None:
            continue
        given = made.arg(made.model.wait.param)
        if given is not None or (made is acquire and made.model.wait.param in made.model.defaults):
            time = time_of(ev, given, made.model.wait, made.model, at)
            if time.raw == 0 and time.kind != "never":
                return AT_ONCE
            if given is None and time.kind == "never" and made is acquire and built is not None and built.model.wait:
                continue  # None at the acquire means: what the constructor says
            return time
        if made is built:
            return UNKNOWN_TIME if made.arg("**") is not None else time_of(ev, None, made.model.wait, made.model, at)
    return UNKNOWN_TIME


def _blocking(ev: Evaluator, built: Meaning | None, acquire: Meaning | None) -> bool | None:
    for made in (acquire, built):
        if made is None or not made.model.blocking:
            continue
        given = made.arg(made.model.blocking)
        if given is not None:
            known = ev.settle(given.value)
            return bool(known.value) if isinstance(known, Literal) else None
        if made.arg("**") is not None:
            return None  # it may be among the keywords that a wrapper passes on
        default = made.model.defaults.get(made.model.blocking)
        if default is not None:
            return bool(default)
    return True if acquire is None or not acquire.model.blocking else None


def _topology(ev: Evaluator, value: Value | None) -> str:
    depth = 0
    while isinstance(value, Instance) and depth < 6:
        for name in ev.models.ancestry(value.type):
            model = ev.models.type(name)
            if model is not None and model.topology:
                return model.topology
        value = value.owner
        depth += 1
    return ""


def _identity(made: Instance, place: Place, key: Pattern | None, library: str) -> str:
    if key is not None and says_something(key):
        return f"{library}:{key.text}"
    return f"{made.type}@{place}"


def says_something(key: Pattern) -> bool:
    """Whether a key has a word of its own: "acct:{}" names a family of locks, "{}:{}" could be any."""
    return any(c.isalnum() for c in key.text)


def _masters(made: Instance) -> int | None:
    for name in ("masters", "connection_list", "connection_details", "connections"):
        given: Arg | None = made.argument(name)
        if given is not None and isinstance(given.value, Items) and given.value.kind != "many":
            return len(given.value.items)
    return None


def takes(ev: Evaluator, made: Meaning, owner: Value | None) -> bool:
    """Whether a call takes a lock that a person made from a conditional write or from SQL."""
    if made.op is Op.ACQUIRE:
        return not (isinstance(owner, Instance) and lock_model(ev, owner.type) is not None)
    if made.op is not Op.CREATE:
        return False
    backend = ev.models.backend_of(made.model.name)
    leased = made.arg(made.model.ephemeral) if backend == "etcd" and made.model.ephemeral else None
    return backend in ("redis", "memcached", "django-cache") or (leased is not None and leased.place is not None)

