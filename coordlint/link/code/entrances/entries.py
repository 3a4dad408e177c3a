"""Entry points: the functions that something outside the project calls, and what says so.

Three things say it: a decorator, a base class, a registration (`registered.py`). The names are those of `frameworks.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coordlint import ir
from coordlint.coordination import Entry
from coordlint.facts import Facts
from coordlint.link.code.entrances.factories import factory
from coordlint.link.code.entrances.frameworks import BASES, CELERY_STARTS, DECORATORS
from coordlint.link.code.entrances.plugged import declared
from coordlint.link.code.entrances.registered import Registered, takes_context
from coordlint.link.code.evaluation import classes
from coordlint.link.code.evaluation.evaluate import Evaluator, last_name
from coordlint.link.code.evaluation.origins import origins
from coordlint.link.code.evaluation.values import External, Instance, Literal, Method, Pattern, options
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.spelling import written
from coordlint.manifest import EntryPoints

# Decorators by name alone, for objects that nobody knows: a parameter `app`, a decorator of the project's own.
_ROUTES = frozenset("route get post put patch delete head api_route websocket api_view action before_request after_request middleware view".split())
_TASKS = frozenset("task shared_task actor db_task job periodic_task db_periodic_task on_after_configure".split())
_PERIODIC = frozenset("periodic_task db_periodic_task scheduled_job cron schedule repeat_every".split())
_COMMANDS = frozenset("command group callback cli_command".split())
_CONSUMERS = frozenset("agent subscriber consumer on_message stream_handler handler".split())
_ROUTERS = ("app", "router", "route", "bp", "blueprint", "api", "server", "web", "view")
_NEVER = frozenset("functools builtins contextlib abc dataclasses typing unittest mock pytest attr attrs".split())
_BASES = tuple((kind, frozenset(bases.split()), frozenset(methods.split())) for kind, bases, methods in BASES)


def entries(ev: Evaluator, facts: Iterable[Facts] = ()) -> Iterator[Entry]:
    """Every entry point of the project: a function once for each kind, with its route where any of them says it."""
    made: dict[tuple[str, str], Entry] = {}
    named: dict[str, str] = {}
    own = [entry for scope in ev.project.functions() for entry in _of_function(ev, scope, named)]
    handed = Registered(ev, named).entries()
    mains = [entry for scope in ev.project.modules.values() for entry in _main(scope)]
    for entry in (*own, *handed, *mains, *_scripts(ev, facts)):
        known = made.get((entry.symbol, entry.kind))
        if known is None or (entry.route and not known.route):
            made[entry.symbol, entry.kind] = entry
    yield from made.values()


def _of_function(ev: Evaluator, scope: Scope, named: dict[str, str]) -> Iterator[Entry]:
    place = scope.place(scope.function.at)
    if is_test(scope.path):
        if scope.function.name.startswith("test"):
            yield Entry(scope.symbol, "test", place, "test code")
        return
    decorated = False
    for decorator in scope.function.decorators:
        kind = _decorated(ev, decorator, scope)
        if kind:
            decorated = True
            if kind in ("task", "periodic") and (name := _text(decorator, "name")):
                named.setdefault(name, scope.symbol)
            route = _route(decorator, _prefix(ev, decorator, scope)) or _computed_route(ev, decorator, scope) if kind == "http" else ""
            shown = written(decorator).removesuffix("()")
            if kind == "signal" and isinstance(decorator, ir.Call) and decorator.args:
                shown = f"{shown}({written(decorator.args[0])})"
            yield Entry(scope.symbol, kind, place, f"@{shown}", route)
    if not decorated:
        yield from _by_class(ev, scope)
        made = factory(ev, scope)
        if made is not None:
            yield made


# -- decorators ----------------------------------------------------------------------------------------------------


def _route(decorator: ir.Expr, prefix: str = "") -> str:
    """The path that a routing decorator names, behind the prefix of its router; what an application adds is not known here."""
    first = decorator.args[0] if isinstance(decorator, ir.Call) and decorator.args else None
    path = first.value if isinstance(first, ir.Const) and isinstance(first.value, str) else None
    return prefix + path if path is not None and (path.startswith("/") or (prefix and not path)) else ""


def _computed_route(ev: Evaluator, decorator: ir.Expr, scope: Scope) -> str:
    """`@app.get(at("/health"))`, `@app.get(BASE + "/health")`: what the expression comes to, behind a base that is not known."""
    given = (decorator.args[0] if decorator.args else decorator.keyword("path") or decorator.keyword("rule")) if isinstance(decorator, ir.Call) else None
    for value in options(ev.settle(ev.value(given, scope.parent or scope))) if given is not None else ():
        text = value.value if isinstance(value, Literal) else value.text if isinstance(value, Pattern) else None
        if isinstance(text, str) and (path := text.removeprefix("{}")).startswith("/") and "{}" not in path:
            return path
    match given:
        case ir.Call(args=(ir.Const(value=str(path)),), keywords=()) if path.startswith("/"):
            return path  # whatever a helper of the project puts in front of it
    return ""


def _prefix(ev: Evaluator, decorator: ir.Expr, scope: Scope) -> str:
    """`APIRouter(prefix="/shop")`, `Blueprint("shop", __name__, url_prefix="/shop")` in the module of the handler."""
    func = decorator.func if isinstance(decorator, ir.Call) else decorator
    router = func.base if isinstance(func, ir.Attribute) else None
    module = ev.project.modules.get(scope.module)
    for b in module.names.get(router.id, ()) if module is not None and isinstance(router, ir.Name) else ():
        for name in ("prefix", "url_prefix") if isinstance(b.expr, ir.Call) else ():
            given = b.expr.keyword(name) if isinstance(b.expr, ir.Call) else None
            if isinstance(given, ir.Const) and isinstance(given.value, str) and given.value.startswith("/"):
                return given.value.rstrip("/")
    return ""


def _text(decorator: ir.Expr, keyword: str) -> str:
    given = decorator.keyword(keyword) if isinstance(decorator, ir.Call) else None
    return given.value if isinstance(given, ir.Const) and isinstance(given.value, str) else ""


def _decorated(ev: Evaluator, decorator: ir.Expr, scope: Scope) -> str:
    """The kind of entry point that a decorator makes; the library decides, and the name where no library is known."""
    name = last_name(decorator)
    func = decorator.func if isinstance(decorator, ir.Call) else decorator
    found = origins(ev, func, scope.parent or scope)
    for origin in found:
        library = origin.partition(".")[0]
        if library == "celery" and name == "connect":
            return "startup" if any(part in CELERY_STARTS for part in origin.split(".")) else "signal"
        known = DECORATORS.get(library)
        if known is not None:
            # a subcommand of Flask is `app.cli.command`
            kind = known.get(name, "")
            return "periodic" if kind == "task" and _is_scheduled(decorator) else kind
        if library in _NEVER:
            return ""
    return _by_name(ev, decorator, func, name, scope)


def _is_scheduled(decorator: ir.Expr) -> bool:
    """`@broker.task(schedule=[...])`"""
    return isinstance(decorator, ir.Call) and any(decorator.keyword(k) is not None for k in ("schedule", "crontab", "run_every"))


def _by_name(ev: Evaluator, decorator: ir.Expr, func: ir.Expr, name: str, scope: Scope) -> str:
    if name in _PERIODIC:
        return "periodic"
    if name in _TASKS:
        return "task"
    has_path = isinstance(decorator, ir.Call) and any(isinstance(a, ir.Const) and str(a.value).startswith("/") for a in decorator.args)
    if name in _ROUTES and (isinstance(func, ir.Attribute) or name == "api_view" or has_path):  # `@route("/x")` of whatever framework
        # `.get` and `.delete` are also methods of containers: a route has a path or a router's name in front
        base = written(func.base).lower() if isinstance(func, ir.Attribute) else name
        return "http" if has_path or any(w in base for w in _ROUTERS) else ""
    if name in _COMMANDS and isinstance(func, ir.Attribute):
        return "command"
    if name in _CONSUMERS and isinstance(func, ir.Attribute):
        known = any(isinstance(v, Instance | External | Method) for v in options(ev.value(func.base, scope.parent or scope)))
        return "consumer" if known else ""
    return ""


# -- classes, files ------------------------------------------------------------------------------------------------


def _by_class(ev: Evaluator, scope: Scope) -> Iterator[Entry]:
    owner, place, name = scope.owner, scope.place(scope.function.at), scope.function.name
    if owner is None:
        params = [p.name for p in scope.params() if p.kind == "positional"]
        if params and params[0] == "request" and ("views" in scope.path or "view" in scope.module.rpartition(".")[2]) and not _is_called(ev, scope):
            yield Entry(scope.symbol, "http", place, f"{name}(request) in {scope.path}")
        elif params == ["event", "context"] and name.endswith("handler"):
            yield Entry(scope.symbol, "consumer", place, f"{name}(event, context)")
        return
    bases = {b.rpartition(".")[2]: b for b in sorted(classes.ancestry(ev, owner.symbol)[1])}
    for kind, known, methods in _BASES:
        if name in methods and (fitting := sorted(known & bases.keys())):
            yield Entry(scope.symbol, kind, place, f"{name} of {fitting[0]}", _class_route(owner) if kind == "http" else "")
            return
    if not name.startswith("_") and any(b.endswith("Servicer") for b in bases) and len(scope.params()) == 3:
        yield Entry(scope.symbol, "http", place, f"{name} of {next(b for b in sorted(bases) if b.endswith('Servicer'))}")
    elif not name.startswith("_") and takes_context(scope) and _serves_calls(ev, owner):
        yield Entry(scope.symbol, "consumer", place, f"{name} of an endpoint of oslo.messaging")
    elif name == "__call__" and _is_middleware(owner):
        yield Entry(scope.symbol, "http", place, "__call__ of a middleware")


def _is_called(ev: Evaluator, scope: Scope) -> bool:
    """Whether the project calls it itself, its tests left out: a helper of views, unless a route names it as well. Not one with a decorator,
    which is what handlers have that one way in leads to: `if request.method == "GET": return listed(request)`."""
    return not scope.function.decorators and any(not is_test(site.scope.path) for site in ev.sites.get(scope.symbol, ()))


def _class_route(owner: Scope) -> str:
    """`@api.route("/x")` above a class of handlers."""
    node = owner.node
    routes = [_route(d) for d in node.decorators if last_name(d) == "route"] if isinstance(node, ir.Class) else []
    return routes[0] if routes else ""


def _serves_calls(ev: Evaluator, owner: Scope) -> bool:
    """`target = oslo_messaging.Target(...)` in a class: its methods answer remote calls."""
    made = [b.expr for b in owner.names.get("target", ()) if isinstance(b.expr, ir.Call)]
    return any(o.startswith("oslo_messaging.") for call in made for o in origins(ev, call.func, owner))


def _is_middleware(owner: Scope) -> bool:
    """Django's: a class that is made with `get_response`."""
    init = next((c for c in owner.children if c.kind == "function" and c.function.name == "__init__"), None)
    return init is not None and any(p.name == "get_response" for p in init.params())


def _main(scope: Scope) -> Iterator[Entry]:
    node = scope.node
    assert isinstance(node, ir.Module)
    if is_test(scope.path):
        return
    for s in node.body:
        if isinstance(s, ir.If) and len(s.branches) == 1:
            test = s.branches[0].test
            if isinstance(test, ir.Compare) and any(isinstance(v, ir.Name) and v.id == "__name__" for v in test.values):
                yield Entry(scope.symbol, "main", scope.place(s.at), 'if __name__ == "__main__"')
                return
    if scope.path.rpartition("/")[2] == "__main__.py" and node.body:
        yield Entry(scope.symbol, "main", scope.place(node.body[0].at), "the package is run with -m")


def _scripts(ev: Evaluator, facts: Iterable[Facts]) -> Iterator[Entry]:
    """Console scripts that a package declares, by the function that they call."""
    for manifest in (m for f in facts for m in f.manifests if isinstance(m, EntryPoints)):
        for script in manifest.scripts:
            scope = declared(ev, manifest.path, script.value)
            if scope is not None and scope.kind == "function":
                yield Entry(scope.symbol, "command", scope.place(scope.function.at), f"console script {script.name}")
