"""What `value.name` is: members of modules, of the project's classes, of library types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coordlint import ir
from coordlint.link.code.evaluation import (
    classes,
    containers,
    managers,
    outside,
    proxies,
    relations,
    tasks,
    views,
)
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Arg,
    ClassRef,
    Environment,
    External,
    FunctionRef,
    Instance,
    Items,
    Literal,
    Method,
    ModuleRef,
    Object,
    Result,
    Super,
    Unknown,
    Value,
    one_of,
    options,
    substitute,
)
from coordlint.link.code.scopes.project import Scope

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

MOST_OVERRIDES = 4  # subclasses whose own method a call may mean
DJANGO_MANAGER = "django.db.models.Manager"
SQLALCHEMY_QUERY = "sqlalchemy.orm.Query"
SETTINGS = ("django.conf.settings",)


def attribute(ev: Evaluator, base: Value, name: str) -> Value:
    """The attribute of any value."""
    known = ev.settle(base)
    made = one_of([_one(ev, option, name) for option in options(known)])
    if type(made) is Unknown or is_none(made):
        later = outside.attribute(ev, known, name, may_guess=not classes.makes_its_own(ev, known, name))
        return made if isinstance(later, Unknown) else later
    if type(made) is Literal and type(made.value) is str and (_is_set_below(ev, known, name) or (not made.value and outside.is_set(ev, known, name))):
        return UNKNOWN  # `name = ""` is a place for a text, where others set it
    return made


def is_none(value: Value) -> bool:
    """A place for a value: `x = None`."""
    return type(value) is Literal and value.value is None


def set_here(ev: Evaluator, base: ir.Expr, name: str, scope: Scope) -> Value:
    """`app.store = Redis()` and `return app.store` in one function: whatever `app` is, the attribute is what was set."""
    found = ev.project.outside.get(name, ())
    if not found:
        return UNKNOWN
    if not isinstance(base, ir.Name):
        return outside.of_application(ev, base, name)
    here = one_of([ev.binding(b, where, name) for on, where, b in found if where is scope and isinstance(on, ir.Name) and on.id == base.id])
    return outside.of_application(ev, base, name) if isinstance(here, Unknown) else here


def _one(ev: Evaluator, base: Value, name: str) -> Value:
    if type(base) is Unknown:
        return UNKNOWN
    match base:
        case ModuleRef(name=module):
            return _of_module(ev, module, name)
        case External(name=dotted):
            return UNKNOWN if dotted in _OF_REQUEST and name in ev.project.outside else external(ev, f"{dotted}.{name}", name)
        case ClassRef(symbol=symbol):
            return _of_class(ev, symbol, name)
        case Object():
            return _of_object(ev, base, name)
        case Instance():
            return _of_instance(ev, base, name)
        case Super(symbol=symbol, receiver=receiver):
            return _of_super(ev, symbol, receiver, name)
        case FunctionRef(symbol=symbol):
            return _of_function(ev, symbol, name)
        case Literal() if name == "value":
            return base  # of an enum's member
        case Result():
            return base if name in ("value", "rowcount", "data", "body", "text") else UNKNOWN
        case _:
            return UNKNOWN


def _of_function(ev: Evaluator, symbol: str, name: str) -> Value:
    """`connect.client = Redis()` in the function's own module: a function that keeps what it made."""
    module, last = ev.project.scopes[symbol].module, symbol.rpartition(".")[2]
    kept = one_of(
        [
            ev.binding(b, scope, name)
            for base, scope, b in ev.project.outside.get(name, ())
            if scope.module == module and isinstance(base, ir.Name) and base.id == last
        ]
    )
    return kept if not isinstance(kept, Unknown) else tasks.asked_of(ev, ev.project.scopes[symbol], name)


def external(ev: Evaluator, dotted: str, name: str = "") -> Value:
    """A library's name; some are objects that the library has made already."""
    if dotted.rpartition(".")[0] in SETTINGS:
        return _setting(ev, name)
    made = ev.models.instance(dotted)
    return Instance(made, call=dotted) if made else External(dotted)


def _setting(ev: Evaluator, name: str) -> Value:
    """A Django setting: what a settings module of the project assigns, else the setting by its name."""
    found: list[Value] = []
    for scope in ev.project.settings:
        if name in scope.names:
            found.append(ev.name(name, scope))
    return Environment(name, one_of(found)) if len(found) != 1 else found[0]


def _of_module(ev: Evaluator, module: str, name: str) -> Value:
    scope = ev.project.modules.get(module)
    if scope is not None and (name in scope.names or scope.stars):
        return ev.name(name, scope)
    child = f"{module}.{name}"
    if child in ev.project.modules or ev.project.is_package_prefix(child):
        return ModuleRef(child)
    return ev.returns(f"{module}.__getattr__") if scope is not None and "__getattr__" in scope.names else UNKNOWN


# -- classes of the project ------------------------------------------------------------------------------------


def _of_class(ev: Evaluator, symbol: str, name: str) -> Value:
    found = classes.member(ev, symbol, name)
    if found is not None:
        set_later = [ev.binding(b, f, name) for f, b in found[0].attributes.get(name, ())]
        made = one_of([*([ev.name(name, found[0])] if name in found[0].names else []), *set_later])
        made = _with_fills(ev, symbol, name, _something(made))
        if isinstance(made, FunctionRef):
            scope = ev.project.scopes[made.symbol]
            bound = ClassRef(symbol) if ev.is_decorated(scope, "classmethod") else None
            return FunctionRef(made.symbol, bound)
        return managers.of_model(ev, symbol, made)
    assigned = [
        ev.binding(b, scope, name)
        for base, scope, b in ev.project.outside.get(name, ())
        if any(isinstance(v, ClassRef) and v.symbol == symbol for v in options(ev.value(base, scope)))
    ]
    if assigned:
        return one_of(assigned)
    libraries = classes.ancestry(ev, symbol)[1]
    if name in ("objects", "_default_manager", "_base_manager") and classes.is_record(ev, symbol):
        return Instance(classes.DOCUMENTS if classes.is_document(ev, symbol) else DJANGO_MANAGER, call=f"{symbol}.{name}", arguments=(Arg("model", ClassRef(symbol)),))
    if name == "query" and libraries:
        return Instance(SQLALCHEMY_QUERY, call=f"{symbol}.query", arguments=(Arg("model", ClassRef(symbol)),))
    for library in libraries:
        model = ev.models.method(library, name)
        if model is not None:
            return Method(Instance(library, subclass=symbol), name, model)
    return managers.class_of(ev, symbol, name) or UNKNOWN


def _something(value: Value) -> Value:
    """`x = None` is a place for a value: leave it out when another is known."""
    known = [v for v in options(value) if not (isinstance(v, Literal) and v.value is None)]
    return one_of(known) if known else value


def _of_object(ev: Evaluator, base: Object, name: str) -> Value:
    if (row := relations.related(ev, base, name)) is not None:
        return row
    found = classes.member(ev, base.symbol, name)
    if found is None:
        return _of_library_base(ev, base, name)
    scope, _ = found
    made: list[Value] = []
    for function, binding in scope.attributes.get(name, ()):
        made.append(filled(ev, ev.binding(binding, function, name), base, function))
    if name in scope.names:
        made.append(_class_member(ev, base, scope, name))
    known = one_of(made)
    if (isinstance(known, Unknown) or is_none(known)) and any(b.annotation is not None for b in scope.names.get(name, ())):
        given = base.argument(name)  # a field of a dataclass
        passed = one_of([ev.passed(symbol, name) for symbol in dict.fromkeys((base.symbol, scope.symbol))]) if given is None else given.value
        known = known if isinstance(passed, Unknown) else passed
    if (isinstance(known, Unknown) or _is_empty(known)) and base.arguments is None:
        below = one_of(_provided(ev, base.symbol, name))  # a template: what subclasses set in its place
        known = known if isinstance(below, Unknown) else below
    above = classes.ancestry(ev, base.symbol)[0][1:] if scope.symbol == base.symbol and name not in scope.names else []
    if any(name in c.attributes for c in above) and isinstance(ev.settle(known), Unknown):
        known = one_of(_held_above(ev, above, name))
    return _with_fills(ev, base.symbol, name, known)


def _held_above(ev: Evaluator, above: Sequence[Scope], name: str) -> list[Value]:
    """What the classes above keep under the same name, where it is an object of a library: a subclass that sets what it
    was given, and hands it on, is given the same."""
    nearest = next(c for c in above if name in c.attributes)
    held = [ev.settle(ev.binding(b, function, name)) for function, b in nearest.attributes[name]]
    return [v for value in held for v in options(value) if isinstance(v, Instance)]


def _is_empty(value: Value) -> bool:
    """A place that a subclass may fill: `x = None`, `x = ()`."""
    return is_none(value) or (isinstance(value, Items) and value.kind == "tuple" and not value.items)


def _provided(ev: Evaluator, symbol: str, name: str) -> list[Value]:
    """What the known subclasses of a class have under a name that they define themselves."""
    scopes = [ev.project.scopes[sub] for sub in classes.subclasses(ev, symbol)[:6]]
    return [_of_object(ev, Object(s.symbol), name) for s in scopes if name in s.names or name in s.attributes]


def _is_set_below(ev: Evaluator, base: Value, name: str) -> bool:
    """Whether subclasses have their own value: an object's class may be one of them, unless it was seen to be made."""
    those = (v.symbol for v in options(base) if isinstance(v, ClassRef) or (isinstance(v, Object) and v.arguments is None))
    below = (ev.project.scopes[sub] for symbol in those for sub in classes.subclasses(ev, symbol))
    return any(name in s.names or name in s.attributes for s in below)


def _with_fills(ev: Evaluator, symbol: str, name: str, value: Value) -> Value:
    """A container in an attribute, with what the methods of its class, and of those above, put into it."""
    fills = [fill for c in classes.ancestry(ev, symbol)[0] for fill in c.fills.get(name, ())]
    return containers.filled(ev, value, fills) if fills else value


def filled(ev: Evaluator, value: Value, base: Object, function: Scope) -> Value:
    """`self.x = x` in __init__: fill in the constructor's arguments where they are known."""
    if base.arguments is None or function.function.name not in ("__init__", "__new__", "__attrs_init__"):
        return value
    return substitute(value, {(function.symbol, a.name): a.value for a in base.arguments})


def _class_member(ev: Evaluator, base: Object, scope: Scope, name: str) -> Value:
    value = ev.name(name, scope)
    if not isinstance(value, FunctionRef):
        return value
    function = ev.project.scopes[value.symbol]
    below = _overriding(ev, base, name)
    if ev.is_decorated(function, "property", "cached_property", "hybrid_property"):
        return one_of([ev.returns(value.symbol), *(ev.returns(f.symbol) for f in below)])
    if ev.is_decorated(function, "staticmethod"):
        return value
    if classes.is_abstract(function):
        those = classes.subclasses(ev, base.symbol) or classes.alike(ev, base.symbol)
        overriding = [FunctionRef(f"{sub}.{name}", Object(sub)) for sub in those]
        known: list[Value] = [f for f in overriding if f.symbol in ev.project.scopes]
        if known:
            return one_of(known)
    return one_of([FunctionRef(value.symbol, base), *below])


def _overriding(ev: Evaluator, base: Object, name: str) -> list[FunctionRef]:
    """The methods that may run instead of one that is found: of subclasses, where it is not known that the object is of none of them.

    An object that was made here, or read from a store, is of its own class; more than a few subclasses would be any code.
    """
    if base.arguments is not None or base.loaded or name.startswith("__"):
        return []
    symbols = [f"{sub}.{name}" for sub in classes.subclasses(ev, base.symbol)]
    found = [FunctionRef(s, Object(s.rpartition(".")[0])) for s in symbols if s in ev.project.scopes and ev.project.scopes[s].kind == "function"]
    return found if len(found) <= MOST_OVERRIDES else []


def _of_library_base(ev: Evaluator, base: Object, name: str) -> Value:
    if name == "__class__":
        return ClassRef(base.symbol)
    for library in classes.ancestry(ev, base.symbol)[1]:
        made = _of_instance(ev, Instance(library, place=base.place, arguments=base.arguments or (), subclass=base.symbol), name)
        if not isinstance(made, Unknown):
            return made
    if name == "application" and any(b.startswith("tornado.web.") for b in classes.ancestry(ev, base.symbol)[1]):
        return one_of([Object(c.symbol) for c in ev.project.classes() if "tornado.web.Application" in classes.ancestry(ev, c.symbol)[1]])
    # A mixin's missing member is often provided by the class that it is mixed into.
    made = one_of(_provided(ev, base.symbol, name))
    if isinstance(made, Unknown) and name == "instance":
        made = views.instance_of(ev, base)
    return proxies.forwarded(ev, base, name) if isinstance(made, Unknown) else made


def _of_super(ev: Evaluator, symbol: str, receiver: Value, name: str) -> Value:
    above, libraries = classes.ancestry(ev, symbol)
    for scope in above[1:]:
        if name in scope.names:
            value = ev.name(name, scope)
            return FunctionRef(value.symbol, receiver) if isinstance(value, FunctionRef) else value
    for library in libraries:
        model = ev.models.method(library, name)
        if model is not None:
            return Method(Instance(library, subclass=symbol), name, model)
    return UNKNOWN


# -- library types ---------------------------------------------------------------------------------------------


_OF_REQUEST = frozenset(("flask.g", "flask.globals.g", "flask._app_ctx_stack.top", "quart.g", "quart.globals.g", "flask.current_app", "flask.globals.current_app", "quart.current_app"))  # hold what a program sets there
_OFFERED = {"flask_sqlalchemy.SQLAlchemy": "sqlalchemy"}  # objects that have the names of a module: `db.select`


def _of_instance(ev: Evaluator, base: Instance, name: str) -> Value:
    if name == "__class__":
        return External(base.type)
    method = ev.models.method(base.type, name)
    if method is not None:
        return Method(base, name, method)
    attr = ev.models.attribute(base.type, name)
    if attr is not None:
        return Instance(attr, call=base.call, place=base.place, arguments=base.arguments, owner=base)
    given = base.argument(name)
    if given is not None and not isinstance(given.value, Unknown):
        return given.value
    if base.subclass:
        return UNKNOWN
    names = (f"{base.type}.{name}", f"{_OFFERED.get(base.type, base.type)}.{name}")
    return next((External(n) for n in names if ev.models.call(n)), UNKNOWN)


def instance_of(ev: Evaluator, type_value: Value) -> Value:
    """An object of a type, as an annotation names it."""
    match type_value:
        case ClassRef(symbol=symbol):
            return Object(symbol)
        case External(name=dotted):
            canonical = ev.models.canonical(dotted)
            if canonical is not None and ev.models.type(canonical) is not None:
                return Instance(canonical)
            return UNKNOWN
        case Literal():
            return UNKNOWN
        case Object() | Instance():
            return type_value
        case _:
            return UNKNOWN
