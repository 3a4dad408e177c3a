"""Wrappers of a project, and classes of unknown libraries, that take locks in ways which cannot be followed: models for them are suggested.

A name alone is no reason, many a `lock` is a flag of a record. The shape has to be there: a class that takes and gives back, or a function
whose result is entered; a call behind it that nobody knows; callers; and, for what comes from outside, a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from coordlint import ir
from coordlint.coordination import Suggestion, Use
from coordlint.link.code.calls.trace import Step, Trace
from coordlint.link.code.evaluation.evaluate import Evaluator
from coordlint.link.code.evaluation.values import (
    ClassRef,
    External,
    Literal,
    Object,
    Parameter,
    Pattern,
    options,
)
from coordlint.link.code.flow.usage import last_word
from coordlint.link.code.scopes.project import Project, Scope, is_test
from coordlint.link.code.scopes.statements import statements
from coordlint.source import Place
from coordlint.wording import words

MOST = 10  # suggestions of one project
MOST_CALLS = 5  # callers of one that are told
_LOCKS = frozenset("lock locker mutex semaphore lease".split())
_LEADS = frozenset("leader leadership election elector elect".split())
_STANDS_IN = frozenset("fake mock dummy null noop stub test".split())
_PAIRS = (("acquire", "release"), ("__enter__", "__exit__"), ("__aenter__", "__aexit__"), ("campaign", "resign"))  # doors lock and unlock too
_KEYS = ("name", "key", "lock_name", "resource", "lock_id", "identifier", "path", "lock_key")
_LIFETIMES = ("ttl", "expire", "expires", "expiry", "lease", "lease_time", "lock_timeout", "timeout")
_WAITS = ("blocking_timeout", "wait", "wait_timeout", "acquire_timeout", "max_wait")


@dataclass(slots=True)
class _Found:
    """A candidate: where it is defined, and who calls it."""

    name: str  # dotted, as it is imported
    place: Place
    kind: str
    reason: str
    params: tuple[str, ...]
    methods: tuple[str, ...] = ()
    returns: str = ""  # the class that it gives, for a function
    calls: list[Place] = field(default_factory=list)


def suggestions(ev: Evaluator, traces: Sequence[Trace], uses: Iterable[Use]) -> tuple[Suggestion, ...]:
    """Models that would tell what could not be followed, those with most callers first."""
    known = frozenset(u.place for u in uses)
    made = _Suggesting(ev, [t for t in traces if not is_test(t.scope.path)], known)
    found = sorted(made.found(), key=lambda f: (-len(f.calls), f.place))[:MOST]
    return tuple(_suggestion(f) for f in found)


class _Suggesting:
    def __init__(self, ev: Evaluator, traces: Sequence[Trace], known: frozenset[Place]) -> None:
        self._ev = ev
        self._traces = {t.scope.symbol: t for t in traces}
        self._known = known

    def found(self) -> Iterator[_Found]:
        """Every candidate that somebody calls, and no call of which is understood already."""
        candidates = {f[0]: f[1] for f in self._candidates()}
        outside: dict[str, _Found] = {}
        for trace in self._traces.values():
            for step in trace.steps:
                if step.operation is not None:
                    continue
                for symbol in self._callees(trace, step) if candidates else ():
                    if symbol in candidates and not trace.scope.symbol.startswith(symbol):
                        candidates[symbol].calls.append(step.place)
                if step.unresolved and _kind(last_word(step.call.func)) and (made := self._from_outside(trace, step)) is not None:
                    outside.setdefault(made.name, made).calls.append(step.place)
        spelled = _imported(self._ev.project) if any(f.calls for f in candidates.values()) else {}
        for symbol, f in sorted(candidates.items()):
            is_made = any(other.returns == symbol and other.calls for other in candidates.values())
            if (f.calls or is_made) and not self._known & set(f.calls):
                f.name, f.returns = _spelling(symbol, spelled), _spelling(f.returns, spelled)
                yield f
        yield from (outside[name] for name in sorted(outside))

    def _candidates(self) -> Iterator[tuple[str, _Found]]:
        project = self._ev.project
        for cls in project.classes():
            if not is_test(cls.path) and not words(_last(cls.symbol)) & _STANDS_IN and (made := self._class(cls)) is not None:
                yield cls.symbol, made
        for function in project.functions():
            if function.parent is None or function.parent.kind != "module" or is_test(function.path):
                continue
            if (made := self._function(function)) is not None:
                yield function.symbol, made

    def _class(self, cls: Scope) -> _Found | None:
        """A class named for locks or leadership that takes and gives back through calls which nobody knows."""
        kind = _kind(_last(cls.symbol))
        methods = {c.function.name: c for c in cls.children if c.kind == "function"}
        pair = next((p for p in _PAIRS if p[0] in methods and p[1] in methods), None)
        if not kind or pair is None or not isinstance(cls.node, ir.Class):
            return None
        hidden = self._hidden(methods[pair[0]]) or next((p for n in ("acquire", "lock") if n in methods and (p := self._hidden(methods[n]))), None)
        if hidden is None or any(self._is_known(m) for m in methods.values()):
            return None
        init = methods.get("__init__")
        reason = f"{pair[0]} and {pair[1]} go through a call that is not known, at {hidden}"
        return _Found(cls.symbol, cls.place(cls.node.at), kind, reason, _params(init), tuple(sorted(methods)))

    def _function(self, function: Scope) -> _Found | None:
        """A function named for locks that gives an object of such a class, or one that nobody knows."""
        kind = _kind(function.function.name)
        params = _params(function)
        if not kind or not params or self._is_known(function):
            return None
        gives = [v.symbol for v in options(self._ev.returns(function.symbol)) if isinstance(v, Object)]
        made = self._ev.project.scopes.get(gives[0]) if gives else None
        if made is not None and self._class(made) is None:
            return None
        hidden = self._hidden(function)
        if made is None and (hidden is None or not self._ev.is_manager(function)):
            return None
        reason = f"gives a {_last(gives[0])}" if made is not None else f"goes through a call that is not known, at {hidden}"
        return _Found(function.symbol, function.place(function.function.at), kind, reason, params, (), gives[0] if made is not None else "")

    def _hidden(self, function: Scope) -> Place | None:
        """The first call of a function that nobody knows."""
        trace = self._traces.get(function.symbol)
        steps = trace.steps if trace is not None else ()
        return next((s.place for s in steps if s.unresolved and s.parameter is None), None)

    def _is_known(self, function: Scope) -> bool:
        """Whether a function takes a lock that is understood, of this process or of others, or does anything to a coordinator."""
        trace = self._traces.get(function.symbol)
        return trace is not None and (bool(trace.drafts) or any(s.operation is not None and s.operation.backend for s in trace.steps))

    def _callees(self, trace: Trace, step: Step) -> Iterator[str]:
        yield from (f.symbol for f in step.functions[: step.called])
        yield from (v.symbol for v in options(self._ev.value(step.call.func, trace.scope)) if isinstance(v, ClassRef))

    def _from_outside(self, trace: Trace, step: Step) -> _Found | None:
        """`with DistributedLock("report")` of a library that has no models: it is named for a lock, and takes a key."""
        func = self._ev.value(step.call.func, trace.scope)
        if not isinstance(func, External) or "." not in func.name or not words(_last(func.name)) & _LOCKS or not step.call.args:
            return None
        if not _is_entered(trace, step):
            return None
        first = self._ev.value(step.call.args[0], trace.scope)
        if not isinstance(first, Pattern | Parameter) and not (isinstance(first, Literal) and isinstance(first.value, str)):
            return None
        given = tuple(k.name for k in step.call.keywords if k.name)
        rest = tuple(f"arg{i}" for i in range(1, len(step.call.args)))
        return _Found(func.name, step.place, "lock", "it comes from a library that has no models", ("name", *rest, *given), ("__enter__", "__exit__"))


def _suggestion(f: _Found) -> Suggestion:
    held = f.returns or (f.name if f.methods else f"{f.name}.Held")
    kind = ", kind: election" if f.kind == "election" else ""
    role = "election" if f.kind == "election" else "lock"
    virtual = "" if f.returns or f.methods else ", virtual: true"
    types = (f"{held}: {{role: {role}{virtual}, lock: {{scope: distributed{kind}}}}}",)
    calls = [f"{f.name}: {{op: {'make-election' if kind else 'make-lock'}{_described(f.params)}, returns: {held}}}"]
    for taking, giving in (_PAIRS[0], _PAIRS[3]):
        if taking in f.methods and giving in f.methods:
            calls += [f"{f.name}.{taking}: {{op: acquire, result: bool}}", f"{f.name}.{giving}: {{op: release}}"]
    calls += [f"{f.name}.{m}: {{op: check}}" for m in ("is_leader", "is_locked", "locked") if m in f.methods]
    return Suggestion(f.place, f.name, f.kind, f.reason, tuple(sorted(f.calls)[:MOST_CALLS]), types, tuple(calls))


def _described(params: tuple[str, ...]) -> str:
    """What the parameters mean, by their names: the key, the lifetime, the wait."""
    key = next((p for p in _KEYS if p in params), params[0] if params else "")
    life = next((p for p in _LIFETIMES if p in params and p != key), "")
    wait = next((p for p in _WAITS if p in params), "")
    told = f", params: [{', '.join(params)}]" if params else ""
    told += f", key: {key}" if key else ""
    told += f", ttl: {{param: {life}}}" if life else ""
    told += f", wait: {{param: {wait}}}" if wait else ""
    return told + (", blocking: blocking" if "blocking" in params else "")


def _kind(name: str) -> str:
    named = words(name)
    return "election" if named & _LEADS else "lock" if named & _LOCKS else ""


def _params(function: Scope | None) -> tuple[str, ...]:
    if function is None:
        return ()
    names = tuple(p.name for p in function.params() if p.kind in ("positional", "keyword"))
    return names[1:] if function.owner is not None else names


def _is_entered(trace: Trace, step: Step) -> bool:
    """Whether a call stands in the head of a `with`."""
    node = trace.scope.node
    body = node.body if isinstance(node, ir.Function | ir.Module) else ()
    return any(item.context is step.call for s in statements(body) if isinstance(s, ir.With) for item in s.items)


def _imported(project: Project) -> dict[str, str]:
    """The modules of the project by how absolute imports spell them."""
    found: dict[str, str] = {}
    for scope in project.scopes.values():
        for bindings in (*scope.names.values(), scope.stars):
            for b in bindings:
                if b.kind in ("import", "from") and not b.level and (target := project.find_module(b.module, scope)) is not None:
                    found.setdefault(target, b.module)
    return found


def _spelling(symbol: str, spelled: dict[str, str]) -> str:
    """A name as the importers of its module write it."""
    module = next((m for m in _prefixes(symbol) if m in spelled), "")
    return spelled[module] + symbol.removeprefix(module) if module else symbol


def _prefixes(symbol: str) -> Iterator[str]:
    while "." in symbol:
        symbol = symbol.rpartition(".")[0]
        yield symbol


def _last(symbol: str) -> str:
    return symbol.rpartition(".")[2]
