"""Which store a call speaks to, where a library speaks to several: the address, class or setting that names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation.arguments import bind
from coordlint.link.code.evaluation.values import (
    Arg,
    Environment,
    External,
    Instance,
    Literal,
    Method,
    Pattern,
    Table,
    Value,
    options,
)
from coordlint.link.code.flow.usage import calls_in, last_word
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.models.schema import CallModel
from coordlint.wording import words

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

DEEPEST = 6  # owners of owners, and addresses within addresses
_NAMES = (
    ("redis", re.compile(r"redis|valkey", re.IGNORECASE)),
    ("memcached", re.compile(r"memcache|pylibmc", re.IGNORECASE)),
    ("etcd", re.compile(r"\betcd", re.IGNORECASE)),
    ("consul", re.compile(r"\bconsul\b", re.IGNORECASE)),
    ("zookeeper", re.compile(r"zookeeper|\bkazoo|\bzk\b", re.IGNORECASE)),
    ("dynamodb", re.compile(r"dynamo", re.IGNORECASE)),
    ("django-cache", re.compile(r"^django\.core\.cache\.caches", re.IGNORECASE)),
    ("process-local", re.compile(r"^(memory|mem|simple|null|dummy)\b|memory|locmem|simplecache|nullcache|\bdict", re.IGNORECASE)),
)
_ADDRESSES = frozenset("url uri address dsn host endpoint".split())
_CONFIGURES = frozenset("config configuration setting app application extension factory init conf".split())


def backend_of(ev: Evaluator, model: CallModel, args: tuple[Arg, ...], owner: Value | None) -> str:
    """The backend of a call on an object: what its own arguments name, what those of the object did, or the library's."""
    if _differs(model):
        return _told(ev, model, args)
    root = owner
    for _ in range(DEEPEST):
        if not isinstance(root, Instance):
            break
        maker = ev.models.call(root.call) if root.call else None
        if found := of_instance(ev, root):
            return found
        if maker is not None and _differs(maker):
            return ""
        root = root.owner
    return ev.models.backend_of(model.name)


def of_instance(ev: Evaluator, made: Instance) -> str:
    """The backend of an object: as its constructor was told, or its type's."""
    maker = ev.models.call(made.call) if made.call else None
    if maker is not None and _differs(maker):
        return _told(ev, maker, made.arguments)
    return ev.models.backend_of(made.type)


def _differs(model: CallModel) -> bool:
    """Whether a library keeps its things where it is told to; if that is not known, nobody knows it."""
    return bool(model.backend_in or model.backend_settings or model.backend_calls)


def _told(ev: Evaluator, model: CallModel, args: tuple[Arg, ...]) -> str:
    for name in model.backend_in:
        given = next((a for a in args if a.name == name), None)
        if given is not None:
            return named(ev, given.value, model.backend_settings)
    found = {named(ev, value) for name in model.backend_settings for value in setting(ev, name)}
    found |= {named(ev, value, model.backend_settings) for name in model.backend_calls for value in _arguments(ev, name)}
    found.discard("")
    if not found and model.backend_in and model.backend_in[0] in model.defaults:
        return named(ev, Literal(model.defaults[model.backend_in[0]]))
    return found.pop() if len(found) == 1 else ""


def named(ev: Evaluator, value: Value, keys: tuple[str, ...] = (), depth: int = 0) -> str:
    """The backend that an address, a class, a client or a dictionary of settings names; "" when they differ or say none."""
    found: set[str] = set()
    for option in options(ev.settle(value)):
        match option:
            case Literal(value=str(text)):
                found.add(_in_text(text))
            case Pattern(named=text):
                found.add(_in_text(text))
            case External(name=dotted):
                found.add(ev.models.backend_of(dotted) or _in_text(dotted))
            case Instance() if depth < DEEPEST:
                found.add(of_instance(ev, option) or _in_text(option.type))
            case Environment(name=name, default=default) if depth < DEEPEST:
                found.add((named(ev, default, keys, depth + 1) if default is not None else "") or _in_text(name) or _handed(ev, name))
            case Table(entries=entries) if depth < DEEPEST:
                found |= {named(ev, v, (), depth + 1) for k, v in entries if k in keys}
            case _:
                pass
    found.discard("")
    return found.pop() if len(found) == 1 else ""


def _in_text(text: str) -> str:
    return next((backend for backend, pattern in _NAMES if pattern.search(text)), "")


# -- settings ------------------------------------------------------------------------------------------------------


def setting(ev: Evaluator, name: str) -> tuple[Value, ...]:
    """What the project's configuration assigns to a setting: a name in a settings module or class, `app.config[name]`."""
    if name not in ev.settings:
        ev.settings[name] = tuple(ev.value(expr, scope) for expr, scope in _assigned(ev, name))
    return ev.settings[name]


def _assigned(ev: Evaluator, name: str) -> Iterator[tuple[ir.Expr, Scope]]:
    for scope in ev.project.scopes.values():
        parts = scope.path.lower().split("/")
        if any(p.startswith("test") for p in parts) or not any(words(p) & _CONFIGURES for p in parts[-2:]):
            continue
        if scope.kind != "function":
            yield from ((b.expr, scope) for b in scope.names.get(name, ()) if b.expr is not None)
        node = scope.function if isinstance(scope.node, ir.Function) else scope.node
        for s in statements(node.body):
            if isinstance(s, ir.Assign) and s.value is not None and any(_is_key(t, name) or _is_constant(ev, t, name, scope) for t in s.targets):
                yield s.value, scope
            for expr in expressions(s):
                for part in ir.walk(expr):
                    if isinstance(part, ir.Mapping):
                        keys = zip(part.keys, part.values, strict=True)
                        yield from ((v, scope) for k, v in keys if isinstance(k, ir.Const) and k.value == name)
                    elif isinstance(part, ir.Call):
                        yield from ((k.value, scope) for k in part.keywords if k.name == name)


def _arguments(ev: Evaluator, name: str) -> tuple[Value, ...]:
    """What the calls of a name that the project makes anywhere say about the backend."""
    if f"{name}()" not in ev.settings:
        ev.settings[f"{name}()"] = ()  # a call may ask for itself
        ev.settings[f"{name}()"] = tuple(_passed(ev, name))
    return ev.settings[f"{name}()"]


def _passed(ev: Evaluator, name: str) -> Iterator[Value]:
    model, library = ev.models.call(name), ev.models.library_of(name)
    if model is None or library is None:
        return
    using = {s.module for s in ev.project.scopes.values() if _imports(s, library.imports)}
    for scope in ev.project.scopes.values():
        if scope.module not in using or scope.kind == "class":
            continue
        for s in statements(scope.function.body if isinstance(scope.node, ir.Function) else scope.node.body):
            for call in (c for expr in expressions(s) for c in calls_in(expr) if last_word(c.func) == name.rpartition(".")[2]):
                for callee in options(ev.value(call.func, scope)):
                    found = callee.model if isinstance(callee, Method) else ev.models.call(callee.name) if isinstance(callee, External) else None
                    if found is not None and found.name == model.name:
                        given = bind(ev, model.params, call, scope, model.variadic)
                        yield from (a.value for a in given if a.name in model.backend_in)


def _imports(scope: Scope, names: tuple[str, ...]) -> bool:
    tops = {n.partition(".")[0] for n in names}
    return any(b.module.partition(".")[0] in tops for found in scope.names.values() for b in found if b.kind in ("import", "from"))


def _is_constant(ev: Evaluator, target: ir.Expr, name: str, scope: Scope) -> bool:
    """`app.config[lib.ConfigVars.STORAGE_URI]`: a library's constant, called like the end of the setting that it holds."""
    if not isinstance(target, ir.Index) or not isinstance(target.index, ir.Attribute) or not name.endswith(f"_{target.index.name}"):
        return False
    known = ev.value(target.index, scope)
    return isinstance(known, External) and known.name.partition(".")[0] in ev.models.tops


def _handed(ev: Evaluator, variable: str) -> str:
    """The backend of an address in the environment that says none itself: it is handed on as `redis_url`."""
    question = f"${variable}"
    if question not in ev.settings:
        ev.settings[question] = ()
        found = {told for told, value in _telling(ev) for v in options(value) if isinstance(v, Environment) and v.name == variable}
        ev.settings[question] = (Literal(found.pop()),) if len(found) == 1 else ()
    return next((str(v.value) for v in ev.settings[question] if isinstance(v, Literal)), "")


def _telling(ev: Evaluator) -> Iterator[tuple[str, Value]]:
    """What the project's functions are given for addresses whose names say the backend."""
    for symbol, sites in sorted(ev.sites.items()):
        for param in ev.project.scopes[symbol].params() if symbol in ev.project.scopes else ():
            told = _in_text(param.name) if words(param.name) & _ADDRESSES else ""
            for site in sites if told else ():
                given = site.argument(ev, param.name)
                if given is not None:
                    yield told, ev.settle(given)


def _is_key(target: ir.Expr, name: str) -> bool:
    return isinstance(target, ir.Index) and isinstance(target.index, ir.Const) and target.index.value == name
