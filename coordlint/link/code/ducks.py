"""Clients that nothing types, known by what they are asked: only Redis has `setnx`, `hincrby`, `brpoplpush`.

A receiver that is called by such a name in a function, or in any method of its class, is a Redis client there, if the
project uses Redis at all. Everything else that it is asked then has its meaning too.
"""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.link.code.project import Project, Scope, expressions, statements
from coordlint.link.code.texts import written
from coordlint.link.code.usage import calls_in

REDIS = "redis.Redis"
ASKED = "asked"  # stands for the call that made a client of which nothing but its methods is known
_ONLY_REDIS = frozenset(
    "setnx setex psetex pexpire pexpireat pttl hset hget hdel hsetnx hincrby hgetall hmset hmget zadd zrem zrange zrangebyscore "
    "zrevrange zrank zremrangebyscore zcard zscore zincrby lpush rpush brpop blpop rpoplpush brpoplpush lrange llen ltrim lrem smembers "
    "sismember sadd srem scard spop evalsha register_script incrby decrby getset".split()
)
QUERIES = {"with_for_update": "sqlalchemy.orm.Query", "select_for_update": "django.db.models.QuerySet"}  # nobody else has these
_FLAGS = frozenset(("nx", "px", "xx"))


class Ducks:
    """Which receivers of a scope are Redis clients, by the names they are called by."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._uses_redis: bool | None = None
        self._known: dict[str, frozenset[str]] = {}

    def is_redis(self, receiver: str, scope: Scope) -> bool:
        """Whether a receiver, as written, is asked for something that only Redis has."""
        if not receiver or not self._project_uses_redis():
            return False
        home = scope.owner if receiver.startswith("self.") and scope.owner is not None else scope
        if home.symbol not in self._known:
            self._known[home.symbol] = frozenset(_asked(home))
        return receiver in self._known[home.symbol]

    def _project_uses_redis(self) -> bool:
        if self._uses_redis is None:
            self._uses_redis = any(
                b.module.partition(".")[0] in ("redis", "aioredis", "django_redis", "flask_redis", "rediscluster", "valkey")
                for scope in self._project.scopes.values()
                for bindings in scope.names.values()
                for b in bindings
                if b.kind in ("import", "from") and not b.level
            )
        return self._uses_redis


def _asked(home: Scope) -> Iterator[str]:
    """Receivers that are called by a name, or with a flag, that only Redis knows."""
    functions = [c for c in home.children if c.kind == "function"] if home.kind == "class" else [home]
    for function in functions:
        node = function.node
        assert isinstance(node, ir.Function | ir.Module | ir.Class)
        for s in statements(node.body):
            for expr in expressions(s):
                for call in calls_in(expr):
                    if not isinstance(call.func, ir.Attribute):
                        continue
                    flagged = call.func.name == "set" and any(k.name in _FLAGS for k in call.keywords)
                    if flagged or call.func.name in _ONLY_REDIS:
                        yield written(call.func.base)
