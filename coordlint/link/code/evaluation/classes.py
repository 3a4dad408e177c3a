"""Classes of the project: what they inherit from, what derives from them, what they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordlint import ir
from coordlint.link.code.evaluation.values import (
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Object,
    Parameter,
    Unknown,
    Value,
    one_of,
    options,
)
from coordlint.link.code.scopes.project import Scope, is_test
from coordlint.link.code.scopes.statements import expressions

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.evaluate import Evaluator

DJANGO_MODEL = "django.db.models.Model"


def ancestry(ev: Evaluator, symbol: str) -> tuple[tuple[Scope, ...], tuple[str, ...]]:
    """The project's classes from which a class inherits, itself first, and the library classes behind them."""
    if symbol not in ev.ancestries:
        ev.ancestries[symbol] = _ancestry(ev, symbol)
    return ev.ancestries[symbol]


def member(ev: Evaluator, symbol: str, name: str) -> tuple[Scope, str] | None:
    """The nearest class that has a member of that name, itself first."""
    for scope in ancestry(ev, symbol)[0]:
        if name in scope.names or name in scope.attributes:
            return scope, name
    return None


def makes_its_own(ev: Evaluator, base: Value, name: str) -> bool:
    """Whether the class of an object makes that attribute by a library of which nothing is known: then it is nobody else's."""
    found = [member(ev, v.symbol, name) for v in options(base) if isinstance(v, Object)]
    bound = [(function, b.expr) for member in found if member is not None for function, b in member[0].attributes.get(name, ())]
    return any(isinstance(e, ir.Call) and isinstance(ev.settle(ev.value(e.func, function)), External) for function, e in bound)


def _ancestry(ev: Evaluator, symbol: str) -> tuple[tuple[Scope, ...], tuple[str, ...]]:
    classes: list[Scope] = []
    libraries: list[str] = []
    todo = [symbol]
    while todo and len(classes) < 30:
        scope = ev.project.scopes.get(todo.pop(0))
        if scope is None or scope in classes or not isinstance(scope.node, ir.Class):
            continue
        classes.append(scope)
        for said in scope.node.bases:
            base = said.base if isinstance(said, ir.Index) else said  # `Store[T]`
            for option in options(ev.value(base, scope.parent or scope)):
                match option:
                    case ClassRef(symbol=parent):
                        todo.append(parent)
                    case External(name=dotted) if said is base or not dotted.startswith(("typing", "builtins.")):
                        libraries.append(ev.models.canonical(dotted) or dotted)
                    case Instance(type=made):
                        libraries.append(made)  # db.Model of an extension object
                    case _:
                        if isinstance(base, ir.Attribute) and base.name == "Model":
                            libraries.append("flask_sqlalchemy.model.Model")
    if libraries and DJANGO_MODEL not in libraries and any(_has_django_fields(ev, c) for c in classes):
        libraries.append(DJANGO_MODEL)  # behind a base class of another package
    return tuple(classes), tuple(libraries)


def _has_django_fields(ev: Evaluator, scope: Scope) -> bool:
    """Whether a class body declares columns: `name = models.CharField(...)`."""
    for found in scope.names.values():
        for b in found:
            if isinstance(b.expr, ir.Call) and isinstance(b.expr.func, ir.Attribute) and b.expr.func.name.endswith(("Field", "Key")):
                made = ev.value(b.expr.func.base, scope)
                if made == External("django.db.models"):
                    return True
    return False


def subclasses(ev: Evaluator, symbol: str) -> tuple[str, ...]:
    """Classes of the project that derive from one directly or not, sorted."""
    if ev.children is None:
        children: dict[str, list[str]] = {}
        for c in ev.project.classes():
            for above in ancestry(ev, c.symbol)[0][1:]:
                if not is_test(c.path) or is_test(above.path):  # what tests derive says nothing of the others
                    children.setdefault(above.symbol, []).append(c.symbol)
        ev.children = {name: tuple(sorted(found)) for name, found in children.items()}
    return ev.children.get(symbol, ())


def is_record(ev: Evaluator, symbol: str) -> bool:
    """Whether a class of the project maps to a table (Django, SQLAlchemy, peewee and their like)."""
    classes, libraries = ancestry(ev, symbol)
    if any(b.rpartition(".")[2] in ("Model", "DeclarativeBase", "SQLModel", "Document") for b in libraries):
        return True
    return any("__tablename__" in c.names or "__table__" in c.names for c in classes)


DOCUMENTS = "mongoengine.queryset.QuerySet"


def is_document(ev: Evaluator, symbol: str) -> bool:
    """Whether what a class has as `objects` asks MongoEngine for documents, and no Django manager."""
    return any(name.startswith("mongoengine.") for name in ancestry(ev, symbol)[1])


_COLLECTIONS = frozenset({"relationship", "dynamic_loader", "backref", "association_proxy", "ManyToManyField", "GenericRelation", "Relationship"})
_NO_COLUMNS = ("Model", "DeclarativeBase", "DeclarativeBaseNoMeta", "SQLModel", "MappedAsDataclass")  # library bases that bring none


def may_be_column(ev: Evaluator, symbol: str, field: str) -> bool:
    """Whether an attribute of a record is stored in its own row: it is no collection of other rows, and is declared where all that is declared is seen."""
    above, libraries = ancestry(ev, symbol)
    found = [b for scope in above for b in scope.names.get(field, ())]
    if any(isinstance(b.expr, ir.Call) and _last(b.expr.func) in _COLLECTIONS for b in found):
        return False
    is_seen = bool(above) and "__table__" not in above[0].names and all(name.rpartition(".")[2] in _NO_COLUMNS for name in libraries)
    return bool(found) or not is_seen


def unmade(ev: Evaluator, call: ir.Call, scope: Scope) -> Value | None:
    """`super().__new__(cls)`, `object.__new__(cls)`: an object of the class, which nobody has filled yet."""
    if not isinstance(call.func, ir.Attribute) or call.func.name != "__new__" or not call.args:
        return None
    made = [Object(v.symbol, None, scope.place(call.at)) for v in options(ev.value(call.args[0], scope)) if isinstance(v, ClassRef)]
    return one_of(list(made)) if made else None


def is_abstract(function: Scope) -> bool:
    """A method whose body only passes, returns None or raises NotImplementedError."""
    return all(
        isinstance(s, ir.Raise | ir.Jump) or (isinstance(s, ir.Return) and (s.value is None or (isinstance(s.value, ir.Const) and s.value.value is None)))
        for s in function.function.body
    )


def alike(ev: Evaluator, symbol: str) -> tuple[str, ...]:
    """Classes that have all methods of a typing.Protocol."""
    if "Protocol" not in {b.rpartition(".")[2] for b in ancestry(ev, symbol)[1]}:
        return ()
    wanted = [c.symbol.rpartition(".")[2] for c in ev.project.scopes[symbol].children if c.kind == "function"]
    if not wanted:
        return ()
    return tuple(sorted(c.symbol for c in ev.project.classes() if c.symbol != symbol and not is_test(c.path) and all(name in c.names for name in wanted)))


def task(ev: Evaluator, scope: Scope) -> Value:
    """`self` of a bound task: an object of the class that `base=` names, else of the application's tasks."""
    for decorator in scope.function.decorators:
        base = decorator.keyword("base") if isinstance(decorator, ir.Call) else None
        if base is not None:
            made = one_of([Object(v.symbol) for v in options(ev.value(base, scope.parent or scope)) if isinstance(v, ClassRef)])
            if not isinstance(made, Unknown):
                return made
    return External("celery.app.task.Task")


_TESTED = ("TestCase", "TestHarness", "TestBase")


def in_test(scope: Scope) -> bool:
    """Whether code is a test's: by its file, or by the class around it, whose base is one of cases."""
    around: Scope | None = scope
    while around is not None:
        if isinstance(around.node, ir.Class) and any(_last(b).endswith(_TESTED) for b in around.node.bases):
            return True
        around = around.parent
    return is_test(scope.path)


def _last(base: ir.Expr) -> str:
    return base.name if isinstance(base, ir.Attribute) else base.id if isinstance(base, ir.Name) else ""


def really(ev: Evaluator, promised: Object | Instance, passed: Value) -> Value:
    """What a parameter is whose annotation promises an object of the project: what callers pass, where all of it is of other classes.

    Annotations are not enforced. `bus: LocalBus` that is always given a `RedisBus`, which only looks like it, is a `RedisBus`. And of `store: Redis` an annotation
    does not say which client it is: what is passed does, where that is one of that type.
    """
    if isinstance(promised, Instance):
        of_type = [v for v in options(passed) if isinstance(v, Instance) and v.place is not None and _fits(ev, v.type, promised.type)]
        others = [v for v in options(passed) if isinstance(v, Instance) and v not in of_type]
        return of_type[0] if len({v.place for v in of_type}) == 1 and not others else promised
    known = [v for v in options(passed) if isinstance(v, Object)]
    return passed if known and len(known) == len(options(passed)) and not any(_related(ev, v.symbol, promised.symbol) for v in known) else promised


def as_made(ev: Evaluator, typed: Value, parameter: Parameter) -> Value:
    """The client that a parameter is annotated with, `r: Redis`: where it is made, if all callers outside of tests pass the same one."""
    if not isinstance(typed, Instance) or typed.place is not None:
        return typed
    kind = ev.models.type(typed.type)
    if kind is None or kind.role != "client":
        return typed
    made = [v for v in options(ev.passed(parameter.symbol, parameter.name)) if isinstance(v, Instance) and v.place is not None and not is_test(v.place.path)]
    if len(made) != 1 or not (ev.models.is_subtype(made[0].type, typed.type) or ev.models.is_subtype(typed.type, made[0].type)):
        return typed
    return made[0]


def _fits(ev: Evaluator, made: str, promised: str) -> bool:
    """Whether an object of one library type is of another, which is a client's or session's."""
    model = ev.models.type(promised)
    return model is not None and str(model.role) == "client" and (made == promised or ev.models.is_subtype(made, promised))


def _related(ev: Evaluator, one: str, other: str) -> bool:
    """Whether one class is the other, or below it or above it."""
    return any(scope.symbol == b for a, b in ((one, other), (other, one)) for scope in ancestry(ev, a)[0])


def inherited(callee: FunctionRef, function: Scope, made: Value) -> Value:
    """What a method gives that is called on a subclass: its `cls(...)` and its `self` are of that class."""
    of, owner = callee.receiver, function.owner
    if owner is None or not isinstance(of, ClassRef | Object) or of.symbol == owner.symbol:
        return made
    if not any(isinstance(v, Object) and v.symbol == owner.symbol for v in options(made)):
        return made
    named = (n for s in function.statements for e in expressions(s) for n in ir.walk(e) if isinstance(n, ir.Name))
    if any(n.id == owner.node.name for n in named if isinstance(owner.node, ir.Class)):
        return made  # it may make one of its own class on purpose
    return one_of([replace(v, symbol=of.symbol) if isinstance(v, Object) and v.symbol == owner.symbol else v for v in options(made)])
