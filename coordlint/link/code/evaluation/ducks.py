"""Clients that nothing types, known by what they are asked: only Redis has `setnx`, `hincrby`, `brpoplpush`, only Consul `kv.put`.

A receiver that is called by such a name in a function, or in any method of its class, is such a client there, if the
project uses the library at all. Everything else that it is asked then has its meaning too.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.flow.usage import calls_in, last_word
from coordlint.link.code.scopes.project import Project, Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions

REDIS = "redis.Redis"
SESSION = "sqlalchemy.orm.Session"  # asked to read a record again, and to lock its row
_ASYNC_SESSION = "sqlalchemy.ext.asyncio.AsyncSession"
ASKED = "asked"  # stands for the call that made a client of which nothing but its methods is known
_ONLY_REDIS = frozenset(
    "setnx setex psetex pexpire pexpireat pttl hset hget hdel hsetnx hincrby hgetall hmset hmget zadd zrem zrange zrangebyscore "
    "zrevrange zrank zremrangebyscore zcard zscore zincrby lpush rpush brpop blpop rpoplpush brpoplpush lrange llen ltrim lrem smembers "
    "sismember sadd srem scard spop evalsha register_script incrby decrby getset".split()
)
QUERIES = {"with_for_update": "sqlalchemy.orm.Query", "select_for_update": "django.db.models.QuerySet"}  # nobody else has these
_FLAGS = frozenset(("nx", "px", "xx"))
_ONLY_OTHERS = {
    "ensure_path": "kazoo.client.KazooClient", "ensure_path_async": "kazoo.client.KazooClient",
    "DataWatch": "kazoo.client.KazooClient", "ChildrenWatch": "kazoo.client.KazooClient",
    "put_if_not_exists": "etcd3.Etcd3Client", "get_prefix": "etcd3.Etcd3Client", "delete_prefix": "etcd3.Etcd3Client",
    "watch_prefix": "etcd3.Etcd3Client", "add_watch_prefix_callback": "etcd3.Etcd3Client",
    "kv.get": "consul.Consul", "kv.put": "consul.Consul", "kv.delete": "consul.Consul", "catalog.service": "consul.Consul",
    "catalog.services": "consul.Consul", "health.service": "consul.Consul", "session.create": "consul.Consul",
    "session.renew": "consul.Consul", "session.destroy": "consul.Consul",
}  # fmt: skip
_PACKAGES = {
    SESSION: ("sqlalchemy", "sqlmodel"),
    _ASYNC_SESSION: ("sqlalchemy", "sqlmodel"),
    REDIS: ("redis", "aioredis", "django_redis", "flask_redis", "rediscluster", "valkey"),
    "kazoo.client.KazooClient": ("kazoo",),
    "etcd3.Etcd3Client": ("etcd3",),
    "consul.Consul": ("consul",),
}


class Ducks:
    """Which receivers of a scope are clients, by the names they are called by."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._used: frozenset[str] | None = None
        self._known: dict[str, dict[str, str]] = {}
        self._asked: dict[str, tuple[tuple[str, str], ...]] = {}

    def kind(self, receiver: str, scope: Scope) -> str:
        """The library's type of a receiver, as written, that is asked for something that only this library has; else empty."""
        if not receiver or not self._used_types():
            return ""
        home = scope.owner if receiver.startswith("self.") and scope.owner is not None else scope
        if home.symbol not in self._known:
            functions = [c for c in home.children if c.kind == "function"] if home.kind == "class" else [home]
            self._known[home.symbol] = {r: kind for f in functions for r, kind in self._asked_in(f) if r and kind in self._used_types()}
        return self._known[home.symbol].get(receiver, "")

    def _asked_in(self, function: Scope) -> tuple[tuple[str, str], ...]:
        """Found once, and asked for by the function and by its class."""
        if function.symbol not in self._asked:
            self._asked[function.symbol] = tuple(_asked(function))
        return self._asked[function.symbol]

    def uses(self, kind: str) -> bool:
        """Whether the project imports the library of a type of client."""
        return kind in self._used_types()

    def _used_types(self) -> frozenset[str]:
        """Clients of libraries that the project imports."""
        if self._used is None:
            packages = {
                b.module.partition(".")[0]
                for scope in self._project.scopes.values()
                for bindings in scope.names.values()
                for b in bindings
                if b.kind in ("import", "from") and not b.level
            }
            self._used = frozenset(kind for kind, names in _PACKAGES.items() if packages & set(names))
        return self._used


def _asked(function: Scope) -> Iterator[tuple[str, str]]:
    """Receivers that are called by a name, or with a flag, that only one library knows, with this library's type."""
    for s in function.statements:
        for expr in expressions(s):
            nodes = ir.walk(expr)
            if len(nodes) == 1 or not any(type(n) is ir.Attribute and n.name in _TELLING for n in nodes):
                continue
            for asked in nodes:
                if isinstance(asked, ir.Attribute) and asked.name in _PARTS and isinstance(asked.base, ir.Attribute):
                    kind = _ONLY_OTHERS.get(f"{asked.base.name}.{asked.name}")
                    if kind is not None:
                        yield written(asked.base.base), kind
            awaited = {id(n.value) for n in nodes if isinstance(n, ir.Await)}
            for call in calls_in(expr):
                if not isinstance(call.func, ir.Attribute):
                    continue
                flagged = call.func.name == "set" and any(k.name in _FLAGS for k in call.keywords)
                if flagged or call.func.name in _ONLY_REDIS:
                    yield written(call.func.base), REDIS
                elif call.func.name == "refresh" and any(k.name == "with_for_update" for k in call.keywords):
                    yield written(call.func.base), SESSION
                elif call.func.name in _STATED and _asks_for_class(call):
                    yield written(call.func.base), _ASYNC_SESSION if id(call) in awaited else SESSION
                elif call.func.name in _ONLY_OTHERS:
                    yield written(call.func.base), _ONLY_OTHERS[call.func.name]


def _asks_for_class(call: ir.Call) -> bool:
    """`db.query(Job)`, `db.get(Job, 7)`, `db.execute(select(Job).where(...))`: rows of a class, by its name."""
    first: ir.Expr | None = call.args[0] if call.args else None
    if isinstance(call.func, ir.Attribute) and call.func.name in _BY_STATEMENT:
        while isinstance(first, ir.Call) and isinstance(first.func, ir.Attribute):
            first = first.func.base
        if not isinstance(first, ir.Call) or last_word(first.func) != "select" or not first.args:
            return False
        first = first.args[0]
    elif isinstance(call.func, ir.Attribute) and call.func.name == "get" and len(call.args) != 2:
        return False
    name = last_word(first) if isinstance(first, ir.Name | ir.Attribute) else ""
    return name[:1].isupper() and not name.isupper()


_BY_STATEMENT = frozenset({"execute", "scalar", "scalars"})
_STATED = _BY_STATEMENT | {"query", "get"}
_PARTS = frozenset(name.rpartition(".")[2] for name in _ONLY_OTHERS if "." in name)
_TELLING = _PARTS | _ONLY_REDIS | _ONLY_OTHERS.keys() | _STATED | {"set", "refresh"}
