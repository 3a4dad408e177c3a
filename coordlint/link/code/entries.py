"""Entry points: the functions that something outside the project calls, and what says so."""

from __future__ import annotations

from collections.abc import Iterator

from coordlint import ir
from coordlint.coordination import Entry
from coordlint.link.code import attributes
from coordlint.link.code.evaluate import Evaluator, last_name
from coordlint.link.code.operations import is_test
from coordlint.link.code.project import Scope
from coordlint.link.code.texts import written
from coordlint.link.code.values import External, Instance, Method, options

_ROUTES = frozenset("route get post put patch delete head api_route websocket api_view action before_request after_request middleware view".split())
_TASKS = frozenset("task shared_task actor db_task job periodic_task db_periodic_task on_after_configure".split())
_PERIODIC = frozenset("periodic_task db_periodic_task scheduled_job cron schedule repeat_every".split())
_COMMANDS = frozenset("command group callback cli_command".split())
_CONSUMERS = frozenset("agent subscriber consumer on_message stream_handler handler".split())
_VIEW_BASES = frozenset("View APIView ViewSet ModelViewSet GenericViewSet GenericAPIView Resource MethodView RequestHandler HTTPEndpoint TemplateView ListView DetailView CreateView UpdateView DeleteView FormView MiddlewareMixin BaseHTTPMiddleware WebsocketConsumer AsyncWebsocketConsumer ReadOnlyModelViewSet ListAPIView CreateAPIView RetrieveAPIView".split())
_VIEW_METHODS = frozenset("get post put patch delete head options dispatch list create retrieve update destroy partial_update perform_create perform_update perform_destroy process_request __call__ receive on_get on_post on_put on_delete get_queryset".split())
_TASK_BASES = frozenset("Task BaseTask Job QueueOnce Singleton CronJobBase".split())
_COMMAND_BASES = frozenset("BaseCommand Command NoArgsCommand AppCommand".split())


def entries(ev: Evaluator) -> Iterator[Entry]:
    """Every entry point of the project."""
    for scope in ev.project.functions():
        entry = _function_entry(ev, scope)
        if entry is not None:
            yield entry
    for scope in ev.project.modules.values():
        yield from _main(scope)


def _function_entry(ev: Evaluator, scope: Scope) -> Entry | None:
    place = scope.place(scope.function.at)
    if is_test(scope.path):
        return Entry(scope.symbol, "test", place, "test code") if scope.function.name.startswith("test") else None
    for decorator in scope.function.decorators:
        kind = _decorated(ev, decorator, scope)
        if kind:
            return Entry(scope.symbol, kind, place, f"@{written(decorator).removesuffix('()')}", _route(decorator))
    return _method_entry(ev, scope)


def _route(decorator: ir.Expr) -> str:
    """The path that a routing decorator names; a prefix that a router adds is not known here."""
    first = decorator.args[0] if isinstance(decorator, ir.Call) and decorator.args else None
    return first.value if isinstance(first, ir.Const) and isinstance(first.value, str) and first.value.startswith("/") else ""


def _decorated(ev: Evaluator, decorator: ir.Expr, scope: Scope) -> str:
    name = last_name(decorator)
    func = decorator.func if isinstance(decorator, ir.Call) else decorator
    if name in _PERIODIC:
        return "periodic"
    if name in _TASKS:
        return "task"
    if name in _ROUTES and (isinstance(func, ir.Attribute) or name == "api_view"):
        # `.get` and `.delete` are also methods of containers: a route has a path or a router's name in front
        base = written(func.base).lower() if isinstance(func, ir.Attribute) else name
        has_path = isinstance(decorator, ir.Call) and any(isinstance(a, ir.Const) and str(a.value).startswith("/") for a in decorator.args)
        return "http" if has_path or any(w in base for w in ("app", "router", "route", "bp", "blueprint", "api", "server", "web", "view")) else ""
    if name in _COMMANDS and isinstance(func, ir.Attribute):
        return "command"
    if name in _CONSUMERS and isinstance(func, ir.Attribute):
        for option in options(ev.value(func.base, scope.parent or scope)):
            if isinstance(option, Instance | External | Method):
                return "consumer"
    return ""


def _method_entry(ev: Evaluator, scope: Scope) -> Entry | None:
    owner = scope.owner
    place = scope.place(scope.function.at)
    name = scope.function.name
    if owner is None:
        params = scope.params()
        if params and params[0].name == "request" and ("views" in scope.path or "view" in scope.module.rpartition(".")[2]):
            return Entry(scope.symbol, "http", place, f"{name}(request) in {scope.path}")
        return None
    bases = {b.rpartition(".")[2] for b in attributes.ancestry(ev, owner.symbol)[1]}
    if name in _VIEW_METHODS and bases & _VIEW_BASES:
        return Entry(scope.symbol, "http", place, f"{name} of {sorted(bases & _VIEW_BASES)[0]}")
    if name == "run" and bases & _TASK_BASES:
        return Entry(scope.symbol, "task", place, f"run of {sorted(bases & _TASK_BASES)[0]}")
    if name in ("handle", "handle_noargs") and bases & _COMMAND_BASES:
        return Entry(scope.symbol, "command", place, f"handle of {sorted(bases & _COMMAND_BASES)[0]}")
    return None


def _main(scope: Scope) -> Iterator[Entry]:
    node = scope.node
    assert isinstance(node, ir.Module)
    for s in node.body:
        if isinstance(s, ir.If) and len(s.branches) == 1:
            test = s.branches[0].test
            if isinstance(test, ir.Compare) and any(isinstance(v, ir.Name) and v.id == "__name__" for v in test.values):
                yield Entry(scope.symbol, "main", scope.place(s.at), 'if __name__ == "__main__"')
                return
