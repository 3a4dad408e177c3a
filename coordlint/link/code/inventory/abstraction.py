"""Classes of a project whose purpose is coordination: queues, stores, locks, counters that are kept in a coordinator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from coordlint.link.code.calls.trace import Trace
from coordlint.link.code.evaluation import attributes, classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Instance, Object, Value, options
from coordlint.link.code.flow.vocabulary import by_head
from coordlint.link.code.purposes.deeds import GENERAL, MAKING, PLUMBING, Deed, Roles, main_deed, own
from coordlint.link.code.purposes.role import STORES
from coordlint.link.code.scopes.project import Scope
from coordlint.wording import spelled

SEVERAL = 3  # services of one coordinator that make a class a client of it, and none of them
MOST_ATTRIBUTES = 40  # attributes of one class that are looked at


_CLIENTS = ("client", "handle", "connection", "connector", "driver", "redis", "zookeeper", "etcd", "consul", "memcached", "hazelcast")
_WATCHERS = ("watcher", "listener", "subscriber", "notifier")


def _said_by_name(name: str) -> str | None:
    """A QueueLock is a lock whatever its methods do most; a CacheClient a client, and so is what is called as the coordinator is."""
    last = spelled(name)[-1:]
    if last and last[0] in _WATCHERS:
        return "watch"
    return "client" if last and last[0] in _CLIENTS else by_head(name)


class Abstractions:
    """What the classes of a project are for, learnt from which of their methods are wrappers."""

    def __init__(self, ev: Evaluator, traces: dict[str, Trace], roles: Roles) -> None:
        self._ev = ev
        self._traces = traces
        self._roles = roles
        self._purposes: dict[str, Deed] = {}
        self._keeping: dict[str, bool] = {}

    def learn(self, functions: dict[str, Deed], entries: frozenset[str], works: Callable[[str], bool]) -> None:
        """Judges the classes anew by the wrappers among their methods; `works` tells of the others whether they do anything."""
        scopes = self._ev.project.scopes
        owners = {owner.symbol: owner for symbol in functions if (owner := scopes[symbol].owner) is not None}
        found = {symbol: self._purpose(owners[symbol], functions, entries, works) for symbol in sorted(owners)}
        self._purposes = {symbol: deed for symbol, deed in found.items() if deed is not None}

    def of(self, symbol: str) -> Deed | None:
        """What a class is for; None when coordination is not its purpose."""
        return self._purposes.get(symbol)

    def made(self, symbol: str) -> Deed | None:
        """What making an object stands for, where it keeps a client or its constructor connects."""
        for scope in classes.ancestry(self._ev, symbol)[0]:
            deed = self._purposes.get(scope.symbol)
            if deed is None:
                continue
            connects = self._connects(symbol)
            if not connects and not self._keeps_client(symbol):
                return None
            role = _said_by_name(symbol.rpartition(".")[2]) or ("client" if connects else deed.role)
            return replace(deed, role=role, via=(symbol.rpartition(".")[2],), weight=PLUMBING / 2 if role == "client" else MAKING, key=None, inside=False)
        return None

    def _purpose(self, cls: Scope, functions: dict[str, Deed], entries: frozenset[str], works: Callable[[str], bool]) -> Deed | None:
        """By what most of its methods do; several services of one coordinator make it a client."""
        deeds: list[Deed] = []
        wrapping = working = 0
        for method in cls.children:
            if method.kind != "function" or method.symbol not in self._traces:
                continue
            if method.symbol in entries:
                return None
            if method.symbol in functions:
                wrapping += 1
                deeds.append(functions[method.symbol])
            elif method.function.name == "__init__":
                deeds += [d for s in self._traces[method.symbol].steps if (d := own(s, self._roles)) is not None]
            elif works(method.symbol):
                working += 1
        if 2 * working > wrapping or not wrapping:
            return None
        deed = main_deed(deeds, cls.symbol.rpartition(".")[2])
        if deed is None:
            return None
        weight = sum(d.weight for d in deeds if d.role != "client")
        alike = sum(d.weight for d in deeds if d.role in (deed.role, *GENERAL) and d.role != "client")
        services = {d.role for d in deeds} - set(GENERAL)
        return deed if 2 * alike >= weight and len(services) < SEVERAL else replace(deed, role="client")

    def _connects(self, symbol: str) -> bool:
        """Whether a constructor makes a client."""
        for scope in classes.ancestry(self._ev, symbol)[0]:
            trace = self._traces.get(f"{scope.symbol}.__init__")
            if trace is not None:
                return any((d := own(s, self._roles)) is not None and d.role == "client" for s in trace.steps)
        return False

    def _keeps_client(self, symbol: str) -> bool:
        """Whether an attribute of its objects is a client, or another object of a library for coordination."""
        if symbol not in self._keeping:
            self._keeping[symbol] = False
            names = sorted({name for scope in classes.ancestry(self._ev, symbol)[0] for name in scope.attributes})
            self._keeping[symbol] = self._asks_own(symbol) or any(
                self._is_client(attributes.attribute(self._ev, Object(symbol), name)) for name in names[:MOST_ATTRIBUTES]
            )
        return self._keeping[symbol]

    def _asks_own(self, symbol: str) -> bool:
        """Whether methods call libraries through an attribute of their object: `self.redis.get(key)`."""
        for cls in classes.ancestry(self._ev, symbol)[0]:
            for method in cls.children:
                trace, params = self._traces.get(method.symbol), method.params()
                for s in trace.steps if trace is not None and params else ():
                    first, dot, attribute = s.operation.receiver.partition(".") if s.operation is not None else ("", "", "")
                    if dot and first == params[0].name and attribute.isidentifier() and own(s, self._roles) is not None:
                        return True
        return False

    def _is_client(self, value: Value) -> bool:
        known = options(self._ev.settle(value))
        return any(isinstance(v, Instance) and self._ev.models.backend_of(v.type) in STORES for v in known)
