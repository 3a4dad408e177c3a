"""Functions that calls and tables hand to a framework: `path("pay/", views.pay)`, `add_job(sweep)`, `beat_schedule`."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.coordination import Entry
from coordlint.link.code.entrances.frameworks import (
    BASES,
    CALLBACKS,
    CELERY_STARTS,
    CONSUMING,
    ENDPOINTS,
    MESSAGES,
    REGISTERING,
    REGISTRATIONS,
    SCHEDULES,
    TAKES,
)
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.evaluate import Evaluator, last_name
from coordlint.link.code.evaluation.origins import origins
from coordlint.link.code.evaluation.values import ClassRef, FunctionRef, Object, options
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.wording import words

DEEPEST = 5  # wrappers around a handler: `csrf_exempt(login_required(view))`
_MORE = frozenset("on_get on_post on_put on_delete on_patch get post put patch delete list create retrieve update destroy partial_update run __call__ handle".split())
_METHODS = {kind: _MORE.union(*(methods.split() for k, _, methods in BASES if k == kind)) for kind in ("http", "task", "periodic", "consumer", "command", "startup", "signal")}


class Registered:
    """The registrations of a project."""

    def __init__(self, ev: Evaluator, named: dict[str, str]) -> None:
        self.ev = ev
        self.named = named  # tasks by the name that their decorator gives them
        self._by_last: dict[str, list[str]] = {}
        for scope in ev.project.functions():
            self._by_last.setdefault(scope.symbol.rpartition(".")[2], []).append(scope.symbol)

    def entries(self) -> Iterator[Entry]:
        """An entry for each function that is handed over."""
        for scope in self.ev.project.scopes.values():
            if is_test(scope.path):
                continue
            for s in scope.statements:
                yield from self._statement(s, scope)
            if scope.kind == "class":
                yield from self._worker_settings(scope)

    def _statement(self, s: ir.Stmt, scope: Scope) -> Iterator[Entry]:
        if isinstance(s, ir.Loop) and scope.kind == "function" and self._takes(s, scope):
            yield Entry(scope.symbol, "consumer", scope.place(scope.function.at), f"a loop over {written(s.test) or 'messages'}")
        if isinstance(s, ir.Assign) and any(last_name(t) in SCHEDULES for t in s.targets) and s.value is not None:
            yield from self._schedule(s.value, scope)
        for expr in (*expressions(s), *_defaults(s)):
            for call in self.ev.inside(expr).calls:
                name = last_name(call.func)
                if name in REGISTERING:
                    yield from self._call(call, name, scope)
                elif any(k.name in CALLBACKS for k in call.keywords) and words(name) & CONSUMING:
                    yield from self._consuming(call, name, scope)
                elif name in ("update", "dict") and any(k.name in SCHEDULES for k in call.keywords):
                    yield from (e for k in call.keywords if k.name in SCHEDULES for e in self._schedule(k.value, scope))

    # -- calls -------------------------------------------------------------------------------------------------

    def _call(self, call: ir.Call, name: str, scope: Scope) -> Iterator[Entry]:
        kind, by = self._kind(call.func, name, scope)
        if not kind:
            return
        texts = [a.value for a in call.args[:2] if isinstance(a, ir.Const) and isinstance(a.value, str)] if kind == "http" else []
        route = _rooted(texts[0], by) if texts else ""
        said = written(call.func) if kind == "signal" else name
        for expr in self._handlers(call, name):
            yield from self._handed(expr, scope, kind, f"{said}() in {scope.path}:{call.at.line}", route)

    def _consuming(self, call: ir.Call, name: str, scope: Scope) -> Iterator[Entry]:
        """A consumer, be it the project's own, is given what to call with each message: `Consumer(topic, callback=self.take)`."""
        for k in call.keywords:
            for value in options(self.ev.value(k.value, scope)) if k.name in CALLBACKS else ():
                if isinstance(value, FunctionRef):
                    yield from self._of(value.symbol, "consumer", f"{k.name}= of {name}() in {scope.path}:{call.at.line}", "")

    def _kind(self, func: ir.Expr, name: str, scope: Scope) -> tuple[str, str]:
        """The kind of entry that a call registers, and the library that says so."""
        for origin in origins(self.ev, func, scope):
            library = origin.partition(".")[0]
            if library == "celery" and name == "connect":
                return ("startup" if any(part in CELERY_STARTS for part in origin.split(".")) else "signal"), library
            kind = REGISTRATIONS.get(library, {}).get(name)
            if kind:
                return kind, library
        is_plain = isinstance(func, ir.Attribute) and not origins(self.ev, func, scope)
        return (REGISTRATIONS["*"].get(name, ""), "") if is_plain else ("", "")

    def _handlers(self, call: ir.Call, name: str) -> tuple[ir.Expr, ...]:
        """The arguments among which a handler may stand."""
        if name in ("FastAPI", "Starlette"):
            return tuple(k.value for k in call.keywords if k.name in ("lifespan", "on_startup", "on_shutdown"))
        if name in ENDPOINTS:
            return tuple(k.value for k in call.keywords if k.name == "endpoints") or call.args[ENDPOINTS[name] : ENDPOINTS[name] + 1]
        if name == "set_defaults":
            return tuple(k.value for k in call.keywords if k.name in ("func", "handler", "command", "cmd", "run", "fn", "entry", "function"))
        return (*call.args, *(k.value for k in call.keywords))

    def _handed(self, expr: ir.Expr, scope: Scope, kind: str, reason: str, route: str, depth: int = 0) -> Iterator[Entry]:
        """Entries for the functions and classes that an expression stands for, through wrappers and lists."""
        if depth > DEEPEST:
            return
        match expr:
            case ir.Sequence(items=items):
                own = next((i.value for i in items[:1] if isinstance(i, ir.Const) and isinstance(i.value, str)), "") if kind == "http" else ""
                for item in items:
                    yield from self._handed(item, scope, kind, reason, _rooted(own, "") or route, depth + 1)
                return
            case ir.Const(value=str(text)) if ":" in text or "." in text:
                for symbol in self._spelled(text.replace(":", ".")):
                    yield from self._of(symbol, kind, reason, route)
                return
            case ir.Const():
                return
        found = False
        for value in options(self.ev.value(expr, scope)):
            if isinstance(value, FunctionRef | ClassRef | Object):
                found = True
                yield from self._of(value.symbol, kind, reason, route)
        if found or not isinstance(expr, ir.Call | ir.Name):
            return
        if isinstance(expr, ir.Name):  # `pay = csrf_exempt(_pay)`
            for b in scope.names.get(expr.id, ())[:3]:
                if b.kind == "value" and isinstance(b.expr, ir.Call):
                    yield from self._handed(b.expr, scope, kind, reason, route, depth + 1)
        elif last_name(expr.func) in ("as_view", "s", "si", "subtask", "signature", "as_asgi", "delay", "send") and isinstance(expr.func, ir.Attribute):
            yield from self._handed(expr.func.base, scope, kind, reason, route, depth + 1)
        elif last_name(expr.func) not in ("include", "include_router"):
            for inner in (*expr.args, *(k.value for k in expr.keywords)):
                yield from self._handed(inner, scope, kind, reason, route, depth + 1)

    def _of(self, symbol: str, kind: str, reason: str, route: str) -> Iterator[Entry]:
        scope = self.ev.project.scopes.get(symbol)
        if scope is None or is_test(scope.path):
            return
        if scope.kind == "function" and kind != "endpoint":
            yield Entry(symbol, kind, scope.place(scope.function.at), reason, route)
        elif scope.kind == "class":
            seen: set[str] = set()
            for owner in classes.ancestry(self.ev, symbol)[0]:
                for child in owner.children:
                    name = child.symbol.rpartition(".")[2]
                    if child.kind == "function" and name not in seen and (_is_served(child, name, reason) if kind == "endpoint" else name in _METHODS.get(kind, _MORE)):
                        seen.add(name)
                        yield Entry(child.symbol, "consumer" if kind == "endpoint" else kind, child.place(child.function.at), reason, route)

    # -- tables ------------------------------------------------------------------------------------------------

    def _schedule(self, table: ir.Expr, scope: Scope) -> Iterator[Entry]:
        """Celery's beat schedule: each row names a task."""
        for row in table.values if isinstance(table, ir.Mapping) else ():
            pairs = zip(row.keys, row.values, strict=True) if isinstance(row, ir.Mapping) else ()
            for key, value in pairs:
                if isinstance(key, ir.Const) and key.value == "task":
                    reason = f"the beat schedule in {scope.path}:{value.at.line}"
                    for symbol in self._task(value, scope):
                        yield from self._of(symbol, "periodic", reason, "")

    def _task(self, expr: ir.Expr, scope: Scope) -> tuple[str, ...]:
        if isinstance(expr, ir.Const) and isinstance(expr.value, str):
            return (self.named[expr.value],) if expr.value in self.named else self._spelled(expr.value)
        if isinstance(expr, ir.Attribute) and expr.name == "name":
            return tuple(v.symbol for v in options(self.ev.value(expr.base, scope)) if isinstance(v, FunctionRef))
        return ()

    def _spelled(self, dotted: str) -> tuple[str, ...]:
        """The function or view that a dotted text names."""
        found = [s for s in self._by_last.get(dotted.rpartition(".")[2], ()) if s == dotted or s.endswith("." + dotted)]
        return tuple(sorted(found, key=lambda s: (len(s), s))[:1]) if "." in dotted else ()

    def _worker_settings(self, scope: Scope) -> Iterator[Entry]:
        """arq: a class that lists `functions` and `cron_jobs` for its worker."""
        if scope.names.keys() & {"cron_jobs", "redis_settings", "queue_name", "on_startup"}:
            for name, kind in (("functions", "task"), ("on_startup", "startup"), ("on_job_start", "task")):
                for b in scope.names.get(name, ()):
                    if b.expr is not None and b.kind == "value":
                        yield from self._handed(b.expr, scope, kind, f"{name} of {scope.symbol.rpartition('.')[2]}", "")

    # -- loops -------------------------------------------------------------------------------------------------

    def _takes(self, loop: ir.Loop, scope: Scope) -> bool:
        """Whether a loop takes messages from a broker."""
        if loop.target is not None and any(o.startswith(MESSAGES) and "onsum" in o + written(loop.test) for o in origins(self.ev, loop.test, scope)):
            return True
        for s in statements(loop.body) if loop.target is None else ():
            for expr in expressions(s):
                for call in self.ev.inside(expr).calls:
                    if last_name(call.func) in TAKES and any(o.startswith(MESSAGES) for o in origins(self.ev, call.func, scope)):
                        return True
        return False


def _is_served(method: Scope, name: str, reason: str) -> bool:
    """Whether a server of remote calls answers by a method: it is public, and takes what the call brings; oslo.messaging's context first."""
    return not name.startswith("_") and (takes_context(method) if not reason.startswith("register_instance") else len(method.params()) > 1)


def takes_context(scope: Scope) -> bool:
    """A remote call brings its context first."""
    params = [p.name for p in scope.params() if p.kind == "positional"]
    return len(params) > 1 and params[1] in ("context", "ctxt", "ctx", "req_context")


def _rooted(route: str, library: str) -> str:
    """A route as requests name it; Django's begin without a slash, and patterns are no routes."""
    if route.startswith("/") and " " not in route:
        return route
    plain = library == "django" and not any(c in route for c in "^$()\\ ")
    return f"/{route}" if plain else ""


def injecting(function: ir.Function) -> tuple[ir.Expr, ...]:
    """Where a function may ask its framework to call others before it."""
    return (*function.decorators, *_defaults(function))


def _defaults(s: ir.Stmt) -> tuple[ir.Expr, ...]:
    """The defaults and annotations of a function's parameters: `Depends(...)` stands there."""
    if not isinstance(s, ir.Function):
        return ()
    return tuple(e for p in s.params for e in (p.default, p.annotation) if e is not None)
