"""What is written into a Lease object of Kubernetes: which of its fields, and whether the version that was read goes along.

The API server refuses a `replace` or `patch` only where the body carries `metadata.resourceVersion`: an object that was read carries it, and one that
was built anew does so where somebody has put it in. A JSON patch compares where one of its steps is a `test`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from coordlint import ir
from coordlint.link.code.calls.meaning import Meaning
from coordlint.link.code.evaluation.values import FunctionRef, options
from coordlint.link.code.flow.usage import bare, last_word
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions
from coordlint.models.schema import Late, Op
from coordlint.wording import spelled

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

LEASES = "kubernetes-lease"
VERSION = "metadata.resourceVersion"
_VERSIONS = frozenset({"resourceversion", "resource_version"})
_BODIES = ("json", "data", "content", "body")  # of a request over HTTP
_MAKES = frozenset("dict V1Lease Lease V1LeaseSpec LeaseSpec V1ObjectMeta ObjectMeta".split())
_COPIES = frozenset("dict deepcopy copy dumps".split())
_DEEPEST = 8
TAKEN_OUT = "deregister_critical_service_after"
CHECKED = "check"

Fields = tuple[tuple[str, str], ...]
"""Names of fields as Python spells them, "holder_identity", each with "=", or "null" where it is emptied."""


class Body(NamedTuple):
    """An object that is written."""

    fields: Fields
    versioned: bool | None  # None where nobody knows


def as_written(ev: Evaluator, made: Meaning, backend: str, call: ir.Call, scope: Scope) -> tuple[Meaning, Fields]:
    """A change of a Lease as what it is: on the condition of a version, or whoever has changed it since; with the fields that it sets."""
    if made.op is Op.REGISTER and backend == "consul":
        return made, (*_registered(ev, call, scope), *_checked(ev, made, call, scope))
    given = _given(made, call, scope) if backend == LEASES and made.op in (Op.CAS, Op.WRITE, Op.CREATE) else None
    if given is None:
        return made, ()
    body = _read(ev, given, scope)
    if made.op is Op.CAS and body.versioned is False:
        made = replace(made, op=Op.WRITE, late=Late.OVERWRITE)
    elif made.op is Op.WRITE and body.versioned:
        made = replace(made, op=Op.CAS, late=Late.CONDITIONAL)
    return made, body.fields


def _given(made: Meaning, call: ir.Call, scope: Scope) -> ir.Expr | None:
    """The argument that is the body, as written."""
    names = _BODIES if made.rest is not None else (made.model.value,)
    arg = next((a for name in names if name and (a := made.arg(name)) is not None), None)
    return next((e for e in (*call.args, *(k.value for k in call.keywords)) if arg is not None and scope.place(bare(e).at) == arg.place), None)


def _read(ev: Evaluator, expr: ir.Expr, scope: Scope) -> Body:
    reader = _Reader(ev)
    reader.follow(expr, scope, 0)
    named = {w for s in reader.scopes for w in _said(s)}
    versioned = True if reader.tests or not named.isdisjoint(_VERSIONS) else None if reader.unknown or not reader.fields else False
    return Body(tuple(sorted(set(reader.fields))), versioned)


def _registered(ev: Evaluator, call: ir.Call, scope: Scope) -> Fields:
    """Whether Consul takes out by itself what is registered, when its check was critical for some time."""
    reader = _Reader(ev)
    for given in (*call.args, *(k.value for k in call.keywords)):
        reader.follow(given, scope, 0)
    said = {name.replace("_", "") for s in (scope, *reader.scopes) for name in _said(s)}
    return ((TAKEN_OUT, "="),) if "deregistercriticalserviceafter" in said or (_names_check(call) and "deregister" in said) else ()


def _checked(ev: Evaluator, made: Meaning, call: ir.Call, scope: Scope) -> Fields:
    """Whether the body of a registration over HTTP carries a health check, or may: `data=json.dumps(payload)`; or where layers between hand it on."""
    if made.rest is None:
        return ()
    body = _given(made, call, scope)
    if body is None:
        return ((CHECKED, "="),)
    reader = _Reader(ev)
    reader.follow(body, scope, 0)
    return ((CHECKED, "="),) if reader.unknown or any(name in ("check", "checks") for name, _ in reader.fields) else ()


def _names_check(call: ir.Call) -> bool:
    """`register(name, check=...)` of a client's library."""
    return isinstance(call.func, ir.Attribute) and call.keyword("check") is not None


def _said(scope: Scope) -> Iterator[str]:
    """Names and texts of a function, in small letters."""
    for s in scope.statements:
        for e in expressions(s):
            for n in ir.walk(e):
                match n:
                    case ir.Attribute(name=name) | ir.Name(id=name) | ir.Const(value=str(name)):
                        yield name.lower()
                    case ir.Call(keywords=keywords):
                        yield from (k.name.lower() for k in keywords)
                    case _:
                        pass


class _Reader:
    """Follows an object to the displays and constructors that it was made by."""

    def __init__(self, ev: Evaluator) -> None:
        self.ev = ev
        self.fields: list[tuple[str, str]] = []
        self.scopes: list[Scope] = []
        self.unknown = False
        self.tests = False

    def follow(self, expr: ir.Expr, scope: Scope, depth: int) -> None:
        """Notes what an expression gives the object."""
        expr = bare(expr)
        if scope not in self.scopes:
            self.scopes.append(scope)
        match expr:
            case _ if depth > _DEEPEST:
                self.unknown = True
            case ir.Mapping(keys=keys, values=values):
                self._entries(((k.value if isinstance(k, ir.Const) else None, v) for k, v in zip(keys, values, strict=True)), scope, depth)
            case ir.Sequence(items=items):
                for item in items:
                    self._step(bare(item))
            case ir.Call(func=func, args=(only, *_)) if last_word(func) in _COPIES:
                self.follow(only, scope, depth + 1)
            case ir.Call(func=func, args=(), keywords=keywords) if last_word(func) in _MAKES:
                self._entries(((k.name or None, k.value) for k in keywords), scope, depth)
            case ir.Call(func=func):
                self._made(func, scope, depth)
            case ir.Name(id=name):
                self._named(name, scope, depth)
            case _:
                self.unknown = True

    def _entries(self, entries: Iterable[tuple[object, ir.Expr]], scope: Scope, depth: int) -> None:
        for key, value in entries:
            if not isinstance(key, str):
                self.unknown = True  # a key that is computed, `**rest`
            elif key in ("metadata", "spec", "body"):
                before = self.unknown
                self.follow(value, scope, depth + 1)
                self.unknown = before if key == "spec" else self.unknown  # no version stands in there
            else:
                self._set(key, value)

    def _set(self, key: str, value: ir.Expr) -> None:
        value = bare(value)
        self.fields.append(("_".join(spelled(key)), "null" if isinstance(value, ir.Const) and not value.value else "="))

    def _step(self, step: ir.Expr) -> None:
        """One step of a JSON patch: `{"op": "replace", "path": "/spec/holderIdentity", "value": me}`."""
        said = {k.value: v for k, v in zip(step.keys, step.values, strict=True) if isinstance(k, ir.Const)} if isinstance(step, ir.Mapping) else {}
        how, path = said.get("op"), said.get("path")
        if isinstance(how, ir.Const) and isinstance(path, ir.Const):
            self.tests = self.tests or how.value == "test"
            if how.value != "test":
                self._set(str(path.value).rpartition("/")[2], said.get("value", how))
        else:
            self.unknown = True

    def _made(self, func: ir.Expr, scope: Scope, depth: int) -> None:
        """What a function of the project builds."""
        found = [v for v in options(self.ev.settle(self.ev.value(func, scope))) if isinstance(v, FunctionRef)]
        self.unknown = self.unknown or not found
        for one in found:
            made = self.ev.project.scopes[one.symbol]
            given = [s.value for s in made.statements if isinstance(s, ir.Return) and s.value is not None]
            self.unknown = self.unknown or not given
            for value in given:
                self.follow(value, made, depth + 1)

    def _named(self, name: str, scope: Scope, depth: int) -> None:
        """A variable: whatever it is bound to, and what is set on it; a parameter is what callers pass."""
        for s in scope.statements:
            if not isinstance(s, ir.Assign) or s.value is None:
                continue
            for target in s.targets:
                if not isinstance(target, ir.Name) and _root(target) == name and (key := _last(target)):
                    self._set(key, s.value)
        home = scope.sees(name)
        bound = [b.expr for b in home.names.get(name, ())] if home is not None else []
        sites = self.ev.sites.get(home.symbol, ()) if home is not None and not bound else ()
        passed = [(found, site.scope) for site in sites if (found := _passed(site.call, home, name)) is not None] if home is not None else []
        self.unknown = self.unknown or (not bound and (not passed or len(passed) < len(sites)))
        for expr, at in [*((e, home) for e in bound), *passed]:
            if expr is None or at is None:
                self.unknown = True
            else:
                self.follow(expr, at, depth + 1)


def _passed(call: ir.Call, callee: Scope | None, name: str) -> ir.Expr | None:
    """The argument of a call for a parameter of a function, as written."""
    given = call.keyword(name)
    if given is not None or callee is None or callee.kind != "function":
        return given
    names = [p.name for p in callee.params() if p.kind == "positional"]
    names = names[1:] if callee.owner is not None and isinstance(call.func, ir.Attribute) and names[:1] in (["self"], ["cls"]) else names
    at = names.index(name) if name in names else len(call.args)
    return call.args[at] if at < len(call.args) else None


def _root(target: ir.Expr) -> str:
    while isinstance(target, ir.Attribute | ir.Index):
        target = target.base
    return target.id if isinstance(target, ir.Name) else ""


def _last(target: ir.Expr) -> str:
    if isinstance(target, ir.Attribute):
        return target.name
    return str(target.index.value) if isinstance(target, ir.Index) and isinstance(target.index, ir.Const) and isinstance(target.index.value, str) else ""
