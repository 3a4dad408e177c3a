"""Calls of objects that nothing types, by the conventions of plug-ins and of names: `source.search(term)`, `self.lock_store.take()`.

Who calls a plug-in is not seen: a framework makes it from an entry point of the package, and hands it on. A receiver that nobody
knows is taken for an object of the project when it is named for the class, whole (`lock_store`, LockStore), and only one class of that name
has the method; for the module of the only class that has a method of this name (`zk.store_node`); or named for a word of a plug-in's class, its bases or its group (`source`, BaseSource, "app.sources"). This says from where a
function can run, and what handles its failure; what a call does is never taken from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.facts import Facts
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import Object, options
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.manifest import EntryPoints
from coordlint.wording import spelled

MOST = 12  # plug-ins that one call may reach
_SAYS_NOTHING = frozenset("base abstract plugin plugins interface mixin impl default object obj cls self extension driver manager item value result data".split())


# What texts, containers, files and threads are asked as well: no sign of a plug-in.
_ANYBODY = frozenset(name for kind in (dict, list, str, set, bytes) for name in dir(kind)) | frozenset(
    "read write close open flush send recv run start stop join put execute call cancel submit result wait acquire release connect".split()
)


def declared(ev: Evaluator, path: str, target: str) -> Scope | None:
    """What `"package.module:name"` means in a package's own declaration, at a path."""
    dotted = target.split("[")[0].strip().replace(":", ".")
    folder = path.rpartition("/")[0].replace("/", ".")
    return next((s for root in (f"{folder}.", f"{folder}.src.", "src.", "") if (s := ev.project.scopes.get((root + dotted).lstrip(".")))), None)


class Plugged:
    """Which methods of the project a call of an unknown object may reach."""

    def __init__(self, ev: Evaluator, facts: Iterable[Facts]) -> None:
        self._ev = ev
        self._named: dict[tuple[str, ...], list[Scope]] = {}
        self._methods_of: dict[str, list[Scope]] | None = None
        for scope in ev.project.classes():
            if not is_test(scope.path):
                self._named.setdefault(spelled(scope.symbol.rpartition(".")[2]), []).append(scope)
        self._plugins = dict(self._declared(facts))

    def calls(self, trace: Trace) -> Iterator[tuple[Step, str]]:
        """The calls of unknown objects in a function, each with a method that it may reach."""
        if is_test(trace.scope.path):
            return
        for step in trace.steps:
            func = step.call.func
            if not step.unresolved or step.parameter is not None or not isinstance(func, ir.Attribute) or func.name.startswith("_"):
                continue
            name = spelled(_last(func.base))
            for method in self._methods(name, func.name) if name else ():
                if method != trace.scope.symbol:
                    yield step, method

    def _methods(self, name: tuple[str, ...], method: str) -> list[str]:
        named = [m for c in self._named.get(name, ()) if (m := self._method(c, method))] if len(name) > 1 else []
        if len(named) == 1:
            return named
        if (alone := self._alone(name, method)) is not None:
            return [alone]
        told = set(name) - _SAYS_NOTHING if method not in _ANYBODY else set()
        fitting = [m for c, words in self._plugins.items() if told and told <= words and (m := self._method(self._ev.project.scopes[c], method))]
        found = sorted(set(fitting))
        return found if len(found) <= MOST else []

    def _alone(self, name: tuple[str, ...], method: str) -> str | None:
        """The only method of the project by a name of several words, where the receiver is named for the module that its class stands in."""
        if self._methods_of is None:
            self._methods_of = {}
            for scope in self._ev.project.functions():
                if scope.owner is not None and not is_test(scope.path):
                    self._methods_of.setdefault(scope.symbol.rpartition(".")[2], []).append(scope)
        found = self._methods_of.get(method, [])
        fits = len(found) == 1 and len(spelled(method)) > 1 and spelled(found[0].module.rpartition(".")[2]) == name
        return found[0].symbol if fits and method not in _ANYBODY else None

    def _method(self, cls: Scope, name: str) -> str:
        """The method that an object of a class has by that name, empty when it has none or an abstract one."""
        for c in classes.ancestry(self._ev, cls.symbol)[0]:
            scope = self._ev.project.scopes.get(f"{c.symbol}.{name}")
            if scope is not None and scope.kind == "function":
                return "" if classes.is_abstract(scope) else scope.symbol
        return ""

    def _declared(self, facts: Iterable[Facts]) -> Iterator[tuple[str, frozenset[str]]]:
        """The classes of plug-ins, and of what their methods make, with the words that speak of them."""
        made: dict[str, frozenset[str]] = {}
        for manifest in (m for f in facts for m in f.manifests if isinstance(m, EntryPoints)):
            for plugin in manifest.plugins:
                cls = declared(self._ev, manifest.path, plugin.value)
                if cls is None or cls.kind != "class" or is_test(cls.path):
                    continue
                above = [c.symbol.rpartition(".")[2] for c in classes.ancestry(self._ev, cls.symbol)[0]]
                words = frozenset(w for text in (*above, plugin.name) for w in spelled(text)) - _SAYS_NOTHING
                made[cls.symbol] = made.get(cls.symbol, frozenset()) | words
        yield from made.items()
        for symbol in sorted(made):
            for method in self._ev.project.scopes[symbol].children:
                returned = options(self._ev.settle(self._ev.returns(method.symbol))) if method.kind == "function" else ()
                for value in returned:
                    if isinstance(value, Object) and value.symbol not in made:
                        yield value.symbol, frozenset(spelled(value.symbol.rpartition(".")[2])) - _SAYS_NOTHING


def _last(receiver: ir.Expr) -> str:
    """The name that a receiver is called by: of `request.app.lock_store`, `stores["lock_store"]` and `lock_store` the same."""
    match receiver:
        case ir.Name(id=name) | ir.Attribute(name=name) | ir.Index(index=ir.Const(value=str(name))):
            return name
        case _:
            return ""
