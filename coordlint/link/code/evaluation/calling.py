"""What a call gives back: objects of libraries, objects and results of the project's own code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint import ir
from coordlint.link.code.evaluation import (
    attributes,
    called,
    classes,
    configured,
    containers,
    dispatching,
    fetching,
    injecting,
    loading,
    managers,
    own_parts,
    ownmodel,
    querying,
    texts,
    views,
)
from coordlint.link.code.evaluation.arguments import arguments_of, bind, bindings
from coordlint.link.code.evaluation.columns import noted
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    Called,
    ClassRef,
    Environment,
    External,
    FunctionRef,
    Instance,
    Items,
    Literal,
    Manager,
    Method,
    Object,
    Parameter,
    Partial,
    Pattern,
    Result,
    Super,
    Table,
    Unknown,
    Value,
    as_pattern,
    one_of,
    options,
    substitute,
)
from coordlint.link.code.scopes.project import Scope
from coordlint.link.code.scopes.statements import expressions
from coordlint.models.schema import CallModel, Op
from coordlint.source import Place

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

_ENVIRONMENT = ("os.getenv", "os.environ.get", "decouple.config", "environ.get", "starlette.config.Config", "os.environ.setdefault")
_TRANSPARENT = ("urllib.parse.quote", "urllib.parse.quote_plus", "urllib.quote", "urllib.quote_plus", "builtins.str", "builtins.int", "builtins.float", "builtins.bytes", "six.b", "six.u", "typing.cast", "builtins.iter", "builtins.abs")
_SESSIONS = ("boto3", "boto3.Session", "boto3.session.Session", "aioboto3.Session", "aiobotocore.session.AioSession")


def result(ev: Evaluator, call: ir.Call, scope: Scope) -> Value:
    """What a call expression evaluates to."""
    made = texts.method_call(ev, call, scope) or containers.method_call(ev, call, scope)
    if made is not None:
        return made
    callee = ev.value(call.func, scope)
    if isinstance(callee, Parameter):
        return Called(callee, bind(ev, (), call, scope), scope.place(call.at))
    found = one_of([_one(ev, option, call, scope) for option in options(ev.settle(callee))])
    if scope.owner is not None and (own := ownmodel.row(call, scope, found)) is not None:
        return own
    row = fetching.fetched(ev, call, scope) if isinstance(found, Unknown | Result) else UNKNOWN
    if not isinstance(found, Unknown):
        return found if isinstance(row, Unknown) else row
    if not isinstance(row, Unknown):
        return row
    if (bare := classes.unmade(ev, call, scope)) is not None:
        return bare
    made = configured.read(ev, call, scope) or called.decorated(ev, call, scope) or querying.queried(ev, call, scope)
    return views.given(ev, call, scope) if isinstance(made, Unknown) else made


def _one(ev: Evaluator, callee: Value, call: ir.Call, scope: Scope) -> Value:
    if type(callee) is Unknown:
        return UNKNOWN
    place = scope.place(call.at)
    match callee:
        case FunctionRef():
            by_name = dispatching.dispatched(ev, callee, call, scope)
            if by_name is not None:
                return one_of([_one(ev, target, by_name[1], scope) for target in by_name[0]])
            return of_function(ev, callee, arguments_of(ev, callee, call, scope), place)
        case ClassRef():
            return _made(ev, callee, arguments_of(ev, callee, call, scope), place)
        case Method(owner=owner, name=name, model=model):
            given = bind(ev, model.params, call, scope, model.variadic)
            return of_method(ev, owner, name, model, (*given, *noted(call)) if model.op is Op.DB_STATEMENT else given, place)
        case External(name=name):
            return _of_external(ev, name, call, scope, place)
        case Instance(type=type_name):
            # A library object that is called: scoped_session(), sessionmaker(), a celery task, a prepared script.
            called_model = ev.models.method(type_name, "__call__")
            if called_model is None:
                return UNKNOWN
            return of_method(ev, callee, "__call__", called_model, bind(ev, called_model.params, call, scope), place)
        case Partial():
            return injecting.of_partial(ev, callee, call, scope)
        case Object():
            called = attributes.attribute(ev, callee, "__call__")
            return UNKNOWN if isinstance(called, Unknown) else _one(ev, called, call, scope)
        case _:
            return UNKNOWN


def _made(ev: Evaluator, callee: ClassRef, args: tuple[Arg, ...], place: Place | None) -> Value:
    """An object of a class, or what its `__new__` gives instead."""
    for c in classes.ancestry(ev, callee.symbol)[0]:
        if "__new__" in c.names:
            given = [v for v in options(ev.settle(ev.returns(f"{c.symbol}.__new__"))) if isinstance(v, Instance | Object)]
            others = [v for v in given if not (isinstance(v, Object) and v.symbol == callee.symbol) and not (isinstance(v, Instance) and v.subclass)]
            if others:
                return one_of(list(others))
    return Object(callee.symbol, args, place)


def of_function(ev: Evaluator, callee: FunctionRef, args: tuple[Arg, ...], place: Place | None) -> Value:
    """What a function of the project returns for these arguments."""
    scope = ev.project.scopes[callee.symbol]
    if ev.is_manager(scope):
        return Manager(callee.symbol, args, callee.receiver, place)
    made = ev.returns(callee.symbol)
    if isinstance(made, Unknown):
        return callee.receiver if isinstance(callee.receiver, ClassRef) and loading.loads_plugin(ev, scope) else made
    filled = called.filled(ev, substitute(classes.inherited(callee, scope, made), bindings(ev, callee, args)))
    whole = own_parts.of_receiver(ev, managers.made_by(ev, callee, filled), callee.receiver)
    return one_of([_through(ownmodel.settled(ev, v, callee.receiver), scope, place) for v in options(whole)])


def _through(value: Value, scope: Scope, place: Place | None) -> Value:
    """An object that came out of a wrapper remembers the wrapper."""
    if isinstance(value, Instance) and value.place is not None and len(value.via) < 6:
        return replace(value, via=(scope.function.name, *value.via))
    return value


# -- libraries ---------------------------------------------------------------------------------------------------


def _of_external(ev: Evaluator, name: str, call: ir.Call, scope: Scope, place: Place) -> Value:
    special = _special(ev, name, call, scope)
    if special is not None:
        return special
    model = ev.models.call(name)
    args = bind(ev, model.params if model is not None else (), call, scope, model.variadic if model is not None else "")
    return _of_model(ev, name, model, args, place)


def of_library(ev: Evaluator, name: str, args: tuple[Arg, ...], place: Place | None) -> Value:
    """What a library's function or class gives for arguments that a caller passed."""
    model = ev.models.call(name)
    return _of_model(ev, name, model, called.named(args, model.params if model is not None else ()), place)


def _of_model(ev: Evaluator, name: str, model: CallModel | None, args: tuple[Arg, ...], place: Place | None) -> Value:
    if model is not None:
        if model.returns and model.returns != "self":
            return Instance(model.returns, model.name, place, args)
        canonical = ev.models.canonical(name)
        if canonical is not None and ev.models.type(canonical) is not None:
            return Instance(canonical, model.name, place, args)
        return UNKNOWN if place is None else Result(model, place)
    canonical = ev.models.canonical(name)
    if canonical is not None and ev.models.type(canonical) is not None:
        return Instance(canonical, canonical, place, args)
    return UNKNOWN


def _special(ev: Evaluator, name: str, call: ir.Call, scope: Scope) -> Value | None:
    last = name.rpartition(".")[2]
    first = ev.value(call.args[0], scope) if call.args else None
    if name == "builtins.super" and scope.owner is not None:
        return Super(scope.owner.symbol, Object(scope.owner.symbol))
    if name in _ENVIRONMENT and first is not None:
        default = ev.value(call.args[1], scope) if len(call.args) > 1 else None
        named = call.keyword("default")
        return Environment(as_pattern(first).text, default if named is None else ev.value(named, scope))
    if name in called.IMPORTS and first is not None:
        return called.imported(ev, first, member=name == called.IMPORTS[2])
    if (held := containers.made(ev, name, call, scope) or managers.joined(name, first)) is not None:
        return held
    if name in texts.PER_PROCESS:
        return Pattern("{}", "{" + texts.PER_PROCESS[name] + "}")
    if name in _TRANSPARENT and first is not None:
        return ev.value(call.args[-1], scope) if name == "typing.cast" else texts.converted(first, last)
    if last == "timedelta" and name in ("datetime.timedelta", "django.utils.timezone.timedelta"):
        return texts.timedelta(bind(ev, ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"), call, scope))
    if name == "functools.partial" and isinstance(first, FunctionRef):
        rest = ir.Call(call.func, call.args[1:], call.keywords, call.at)
        return replace(first, held=arguments_of(ev, first, rest, scope))
    if name == "functools.partial" and isinstance(first, External | Method | ClassRef | Instance):
        return injecting.partial(ev, first, call, scope)
    if last in ("Depends", "Security", "Provide", "Inject") and first is not None:
        return provided(ev, first)
    if name in injecting.FIELDS and (factory := call.keyword("default_factory") or call.keyword("factory")) is not None:
        return injecting.produced(ev, factory, call.at, scope)
    if name.startswith(injecting.PROVIDERS) and first is not None:
        return injecting.provider(ev, first, call, scope)
    if name in querying.BY_MAPPING and first is not None:
        return querying.mapped(ev, first, call.keyword("backend_mapping"), scope)
    if (name in ("os.path.join", "posixpath.join") or last == "urljoin") and call.args:
        return texts.joined_path(ev, call.args, scope)
    if name in ("contextlib.closing", "contextlib.aclosing", "contextlib.nullcontext") and first is not None:
        return first
    if name == "builtins.getattr" and len(call.args) >= 2:
        which = ev.value(call.args[1], scope)
        known = options(ev.settle(which) if isinstance(first, External | Instance) else which)  # `getattr(requests, method)`
        names = (v.value for v in known if isinstance(v, Literal) and isinstance(v.value, str))
        return one_of([attributes.attribute(ev, first or UNKNOWN, name) for name in names])
    owner, _, method = name.rpartition(".")
    if owner in _SESSIONS and method in ("client", "resource") and isinstance(first, Literal):
        return Instance(f"boto3:{first.value}" + (".resource" if method == "resource" else ""), name, scope.place(call.at))
    return None


def provided(ev: Evaluator, value: Value) -> Value:
    """What a dependency function provides: its return, or what it yields."""
    match value:
        case FunctionRef(symbol=symbol):
            scope = ev.project.scopes[symbol]
            return ev.yields(symbol) if scope.function.is_generator else ev.returns(symbol)
        case ClassRef(symbol=symbol):
            return Object(symbol)
        case Object() | Instance():
            return value  # of a container: `Depends(Provide[Container.store])`
        case _:
            return UNKNOWN


def of_method(ev: Evaluator, owner: Value, name: str, model: CallModel, args: tuple[Arg, ...], place: Place | None) -> Value:
    """What a library's method gives back."""
    if isinstance(owner, Instance):
        record = querying.record(owner, name, args)
        if record is not None:
            return record
        if owner.type.endswith(".resource") and name == "Table":
            return Instance("boto3:dynamodb.Table", model.name, place, args, owner)
        if owner.type in _SESSIONS and name in ("client", "resource") and args and isinstance(args[0].value, Literal):
            return Instance(f"boto3:{args[0].value.value}" + (".resource" if name == "resource" else ""), model.name, place)
    if model.returns == "self":
        if isinstance(owner, Instance):
            kept = tuple(replace(a, name=f"{name}.{a.name}") for a in args)
            return replace(owner, arguments=(*owner.arguments, Arg(f"{name}()", Literal(True), place), *kept)[-40:])
        return owner
    if model.returns:
        return Instance(model.returns, model.name, place, args, owner)
    return UNKNOWN if place is None else Result(model, place, owner)


# -- context managers, loops, and what a body returns --------------------------------------------------------------


def entered(ev: Evaluator, value: Value) -> Value:
    """What `with value as x` binds."""
    match value:
        case Result(model=model, place=place, owner=owner) if model.yields:
            return Instance(model.yields, model.name, place, owner=owner)
        case Instance(type=type_name):
            typed = ev.models.type(type_name)
            if typed is None or typed.lock is None or typed.lock.binds == "self":
                return value
            return Literal(None) if typed.lock.binds == "none" else UNKNOWN
        case Manager(symbol=symbol, arguments=args, receiver=receiver):
            made = ev.yields(symbol)
            return substitute(made, bindings(ev, FunctionRef(symbol, receiver), args))
        case Object():
            for name in ("__enter__", "__aenter__"):
                method = attributes.attribute(ev, value, name)
                if isinstance(method, FunctionRef):
                    made = of_function(ev, method, (), None)
                    return value if isinstance(made, Unknown) else made
            return value
        case _:
            return UNKNOWN


def iterated(ev: Evaluator, value: Value) -> Value:
    """What a loop variable is."""
    match value:
        case Items(items=items):
            return one_of(list(items))
        case Table():
            return containers.names(value)
        case Instance(type=type_name) if type_name in fetching.QUERIES:
            return fetching.iterated(ev, value)
        case Instance(type=type_name):
            about = value.argument("model")
            if type_name in querying.RECORDS and about is not None and isinstance(about.value, ClassRef):
                return Object(about.value.symbol, None, value.place, loaded=querying.loaded(value))
            model = ev.models.type(type_name)
            return Instance(model.iterates, place=value.place, owner=value) if model and model.iterates else UNKNOWN
        case Result(owner=Instance(type=type_name) as query) if type_name in querying.RECORDS and query.argument("model") is not None:
            return iterated(ev, query)  # `query.all()`
        case Result():
            return value
        case _:
            return UNKNOWN


def returned(scope: Scope) -> Iterator[ir.Expr]:
    """The expressions that a function returns."""
    for s in scope.statements:
        if type(s) is ir.Return and s.value is not None:
            yield s.value


def yielded(scope: Scope) -> Iterator[ir.Expr]:
    """The expressions that a generator yields."""
    for s in scope.statements:
        for expr in expressions(s):
            for node in ir.walk(expr):
                if type(node) is ir.Yield and node.value is not None:
                    yield node.value


def is_symbolic(value: Value) -> bool:
    """Whether a value still depends on a caller."""
    return any(isinstance(v, Parameter) for v in options(value))
