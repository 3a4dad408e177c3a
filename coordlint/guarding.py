"""Which handlers see an outage of a store, and by which ways it reaches whoever asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from coordlint.coordination import Entry, Guard, Operation
from coordlint.models.schema import Op
from coordlint.source import Place
from coordlint.system import System
from coordlint.wording import words

# Handlers of these see answers of a working store, or mistakes of the program, but no outage.
_NOT_AN_OUTAGE = frozenset(
    {"KeyError", "ValueError", "TypeError", "IndexError", "AttributeError", "LookupError", "ImportError", "StopIteration"}
    | {"JSONDecodeError", "UnicodeDecodeError", "KeyboardInterrupt", "NoNodeError", "NodeExistsError", "BadVersionError"}
    | {"NotEmptyError", "NotFound", "EtcdKeyNotFound", "EtcdAlreadyExist", "LockTimeout", "EtcdWatchTimedOut", "EtcdEventIndexCleared"}
)
# What a client of Consul raises when a blocking query brought nothing: an agent that is away, or has no leader, raises something else.
_NO_NEWS = frozenset({"consul.Timeout", "consul.base.Timeout", "consul.exceptions.Timeout"})
# Libraries whose exceptions no client of a store or coordinator raises.
_OF_OTHERS = frozenset(
    {"sqlalchemy", "psycopg2", "psycopg", "pymysql", "MySQLdb", "asyncpg", "sqlite3", "pymongo", "peewee", "tortoise"}
    | {"pydantic", "jsonschema", "marshmallow", "jwt", "jose", "stripe", "botocore", "docker", "jinja2", "yaml", "werkzeug", "rest_framework"}
)
_KAZOO = ("KazooException", "ConnectionLoss", "ZookeeperError", "SessionExpiredError", "ConnectionClosedError")
_ANSWERED = frozenset({"ApiException", "ApiError"})  # of clients of Kubernetes: an API server that is away raises an error of the transport below
_TRIES = frozenset({"retry", "retrying", "backoff"})
GUARDING_DECORATORS = _TRIES | {"circuit", "breaker", "fallback", "handle", "errorhandler", "suppress", "catch"}
_FEW, _SOON = 5, 30.0  # tries, or seconds of them, that an election or a restart of the store outlasts
_FARTHEST = 200  # functions above a call that are looked at


def survives_outage(system: System, call: Operation) -> bool:
    """Whether some handler, here or around every way to the call, sees the outage.

    What it does then is a decision, so a translation counts as well. A decorator that is named for retries or fallbacks
    counts too; but a few tries do not help a request, which fails when they have.
    """
    if call.call.endswith("_async"):
        return True  # the answer, and the failure with it, is asked for later
    if unsaved_requests(system, call):
        return False
    if any(sees_outage(guard, call) for guard in system.guards_above(call)):
        return True
    return is_guarded(system, call.symbol)


def unsaved_requests(system: System, call: Operation) -> tuple[Entry, ...]:
    """The requests that wait for a call on a way on which nobody sees its failure."""
    handlers = {e.symbol: e for e in system.entries_waiting(call.symbol) if e.kind == "http"}
    hit = {e.symbol for e, _, _ in open_ways(system, call, handlers)} if handlers else set()
    return tuple(e for e in handlers.values() if e.symbol in hit)


def is_guarded(system: System, symbol: str) -> bool:
    """Whether a decorator that is named for retries or fallbacks stands above a function, and no more than its name is known."""
    return any(words(d) & GUARDING_DECORATORS for d in decorators_above(system, symbol))


def decorators_above(system: System, symbol: str) -> list[str]:
    """Those of the function and of the functions it is defined in."""
    found: list[str] = []
    while symbol:
        function = system.function(symbol)
        found += (d for d in function.decorators if d not in function.followed) if function is not None else ()
        symbol = symbol.rpartition(".")[0]
    return found


def sees_outage(guard: Guard, call: Operation) -> bool:
    """Whether a handler catches what the client raises when the coordinator is away."""
    if guard.own:
        return False  # an exception of the project: who raises it in place of the client's has seen the outage before
    if guard.passes or guard.gives_up is not None:
        return False  # one round over the members of an ensemble that is away fails as one call does
    names = {name.rpartition(".")[2] for name in guard.catches if not _is_of_others(name, call) and name not in _NO_NEWS}
    if call.op is Op.CONNECT and call.backend == "zookeeper" and names and all(name in _KAZOO for name in names):
        return False  # start() raises KazooTimeoutError, which is no KazooException
    if call.backend == "kubernetes-lease" and names and names <= _ANSWERED:
        return False
    return bool(names - _NOT_AN_OUTAGE)


def _is_of_others(name: str, call: Operation) -> bool:
    """Whether an exception is of a library that has nothing to do with the client: of the database beside the store."""
    top = name.partition(".")[0]
    return "." in name and (top in _OF_OTHERS or name.startswith("django.db.")) and not call.call.startswith(top)


def open_ways(system: System, call: Operation, entries: Mapping[str, Entry]) -> Iterator[tuple[Entry, tuple[Place, ...], tuple[str, ...]]]:
    """The ways from some entry points to a call on which nobody sees its failure, shortest first.

    Each with the places of the calls, outermost first and the failing one last, and with the functions in which they stand.
    """
    todo: list[tuple[tuple[str, ...], tuple[Place, ...]]] = [((call.symbol,), (call.place,))]
    seen: set[str] = set()
    while todo and len(seen) < _FARTHEST:
        symbols, places = todo.pop(0)
        symbol = symbols[0]
        guards = call.guards if len(places) == 1 else system.guards_at(places[0])
        if symbol in seen or _is_held_off(system, symbol) or any(sees_outage(g, call) for g in (*guards, *system.shield(symbol))):
            continue
        seen.add(symbol)
        if symbol in entries:
            yield entries[symbol], places, symbols
        elsewhere = system.started_at(symbol)  # who starts it does not wait for it
        todo += [((caller, *symbols), (at, *places)) for caller, at in system.callers(symbol) if at not in elsewhere and not _is_test(system, caller)]


def _is_held_off(system: System, symbol: str) -> bool:
    """Whether a decorator keeps the failure from the callers of a function: by its name alone, where it does more than to try a few times."""
    named = [words(d) & GUARDING_DECORATORS for d in decorators_above(system, symbol)]
    if not any(named):
        return False
    few = (r for r in system.repeats(symbol) if (r.most is not None and r.most <= _FEW) or (r.seconds is not None and r.seconds <= _SOON))
    return any(words_of - _TRIES for words_of in named) or next(few, None) is None


def _is_test(system: System, symbol: str) -> bool:
    function = system.function(symbol)
    return function is not None and function.in_test
