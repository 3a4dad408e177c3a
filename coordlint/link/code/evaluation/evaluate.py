"""Evaluates expressions to values, on demand and symbolically. Nothing of the project is run.

Evaluation does not follow the order of statements: a name has all the values that its scope ever binds to it. What
depends on order (what is held, what was tested) is the walker's business.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from coordlint import ir
from coordlint.link.code.evaluation import (
    aliases,
    attributes,
    called,
    calling,
    classes,
    containers,
    defaulting,
    interchange,
    outside,
    texts,
    views,
)
from coordlint.link.code.evaluation.arguments import is_bound_task
from coordlint.link.code.evaluation.ducks import ASKED, QUERIES, Ducks
from coordlint.link.code.evaluation.memory import Asking, Memory
from coordlint.link.code.evaluation.values import (
    UNKNOWN,
    Called,
    ClassRef,
    External,
    FunctionRef,
    Instance,
    Items,
    Literal,
    ModuleRef,
    Object,
    OneOf,
    Parameter,
    Unknown,
    Value,
    one_of,
    options,
    without,
)
from coordlint.link.code.flow.usage import NOTHING, Inside, inside
from coordlint.link.code.scopes.project import Binding, Project, Scope
from coordlint.link.code.scopes.spelling import written
from coordlint.models import Models
from coordlint.source import Place, Span

if TYPE_CHECKING:
    from coordlint.link.code.evaluation.dispatching import Shape
    from coordlint.link.code.evaluation.sites import Site
    from coordlint.link.code.evaluation.thin import Thin


_OPEN = frozenset((Called, Parameter, OneOf))  # values that hang on callers, or may have such inside


class Evaluator(Asking):
    """Answers what an expression is in a scope. Remembers its answers."""

    def __init__(self, project: Project, models: Models) -> None:
        super().__init__()
        self.project = project
        self.models = models
        self.sites: dict[str, list[Site]] = {}  # calls that were seen, by the symbol of the function or class
        self._inside: defaultdict[str, Memory[int | str]] = defaultdict(Memory)  # of each scope: names, and expressions by their identity
        self._returns = Memory[str]()
        self._settled = Memory[tuple[str, str]]()
        self._yields = Memory[str]()
        self.outside = Memory[tuple[str, frozenset[str]]]()  # attributes that are set from outside, by name and what they are set on
        self._annotations: dict[tuple[str, Span], ir.Expr] = {}
        self.calls_of_calls = 0  # how deep the calls of what callers pass are nested just now
        self.ducks = Ducks(project)
        self.chosen = interchange.chosen(project)
        self.siblings = interchange.siblings(project, self.chosen)
        self.signatures: dict[tuple[str, bool, bool], tuple[Scope | None, tuple[str, ...]]] = {}
        self._insides: dict[int, Inside] = {}
        self.ancestries: dict[str, tuple[tuple[Scope, ...], tuple[str, ...]]] = {}
        self.children: dict[str, tuple[str, ...]] | None = None
        self.dispatchers: dict[str, Shape | None] = {}  # functions that call a method by its name
        self.appliers: dict[str, str] = {}  # functions that call what they are given, and the parameter with it
        self.thin: dict[str, Thin | None] = {}  # functions that pass what they are given on to one call
        self.inlined: dict[tuple[str, int], tuple[ir.Call, ir.Call | None]] = {}  # such calls as a caller makes them, which lasts as long as its call
        self.told: dict[str, bool] = {}  # such functions whose deed is told where they are called
        self.storing: dict[tuple[str, int], bool] = {}  # functions that commit, by how deep was looked
        self.forwarding: set[tuple[str, str]] = set()  # attributes that proxies are being asked for
        self.settings: dict[str, tuple[Value, ...]] = {}  # what the project's configuration assigns, by name

    def inside(self, expr: ir.Expr) -> Inside:
        """The calls, yields and lambdas of an expression; looked for once."""
        if type(expr) is ir.Name or type(expr) is ir.Const:
            return NOTHING
        found = self._insides.get(id(expr))
        if found is None:
            found = self._insides[id(expr)] = inside(expr)
        return found

    def forget(self) -> None:
        """Drops the answers that hang on call sites; what is known of these stays."""
        memories: list[Memory[Any]] = [*self._inside.values(), self._returns, self._settled, self._yields, self.outside]
        for memory in memories:
            memory.loose.clear()

    # -- expressions -------------------------------------------------------------------------------------------

    def value(self, expr: ir.Expr, scope: Scope) -> Value:
        """What an expression is."""
        if type(expr) is ir.Const:  # cheaper made than remembered
            return Literal(expr.value, Place(scope.path, expr.at))
        memory = self._inside[scope.symbol]
        known = memory.firm.get(expr.id if type(expr) is ir.Name else id(expr))  # many places ask for one name
        return self.answer(memory, id(expr), self._evaluate, expr, scope) if known is None else known

    def _evaluate(self, expr: ir.Expr, scope: Scope) -> Value:
        match expr:  # the most frequent first
            case ir.Name(id=name):
                return self.name(name, scope)
            case ir.Attribute(base=base, name=name):
                made = attributes.attribute(self, self.value(base, scope), name)
                if type(made) is Unknown:
                    made = attributes.set_here(self, base, name, scope)
                if name in self.chosen and interchange.is_nobodys(made):
                    made = self.chosen[name]
                if type(made) is not Unknown:
                    return made
                if name in QUERIES:
                    made = attributes.attribute(self, Instance(QUERIES[name]), name)
                if isinstance(made, Unknown) and (kind := self.ducks.kind(written(base), scope)):
                    made = attributes.attribute(self, Instance(kind, call=ASKED), name)
                return made
            case ir.Call():
                return calling.result(self, expr, scope)
            case ir.Text() | ir.Binary():
                return texts.combined(self, expr, scope)
            case ir.Await(value=inner) | ir.Walrus(value=inner) | ir.Starred(value=inner):
                return self.value(inner, scope)
            case ir.Conditional(yes=yes, no=no):
                first, second = defaulting.nothing_taken(expr)
                return one_of([defaulting.unless(self.value(yes, scope), first), defaulting.unless(self.value(no, scope), second)])
            case ir.Sequence(kind=kind, items=items):
                return Items(kind, tuple(self.value(i, scope) for i in items[:50]))
            case ir.Mapping(keys=keys, values=values):
                return containers.table(self, keys, values, scope)
            case ir.Index(base=base, index=index):
                made = containers.item(self, self.value(base, scope), index, scope)
                return outside.item_of_application(self, base, index) if type(made) is Unknown else made
            case ir.Unary(op="-", value=inner):
                return texts.negated(self.value(inner, scope))
            case ir.Yield(value=inner) if inner is not None:
                return UNKNOWN
            case ir.Comprehension(kind=kind, element=element):
                return containers.comprehension(self, kind, element, scope)
            case _:
                return UNKNOWN

    # -- names -------------------------------------------------------------------------------------------------

    def name(self, name: str, scope: Scope) -> Value:
        """What a bare name is in a scope: its own bindings, then those of the scopes around it."""
        memory = self._inside[scope.symbol]
        known = memory.firm.get(name)
        return self.answer(memory, name, self._lookup, name, scope) if known is None else known

    def _lookup(self, name: str, scope: Scope) -> Value:
        if scope.kind == "function":
            for position, param in enumerate(scope.params()):
                if param.name == name:
                    return self._parameter(scope, position, name)
        if name in scope.names:
            made = one_of([self.binding(b, scope, name) for b in scope.names[name]])
            return containers.filled(self, made, scope.fills[name]) if name in scope.fills else made
        for star in scope.stars:
            found = self._from_module(star, name, scope)
            if found is not None:
                return found
        around = scope.parent
        while around is not None and around.kind == "class":
            around = around.parent  # a method does not see the names of its class
        if around is not None:
            return self.name(name, around)
        return External(f"builtins.{name}")

    def _parameter(self, scope: Scope, position: int, name: str) -> Value:
        if position == 0 and scope.owner is not None and not self.is_decorated(scope, "staticmethod"):
            if self.is_decorated(scope, "classmethod") or scope.function.name in ("__new__", "__init_subclass__"):
                return ClassRef(scope.owner.symbol)
            return Object(scope.owner.symbol)
        if position == 0 and is_bound_task(scope):
            return classes.task(self, scope)
        rebound = scope.names.get(name, ())
        values: list[Value] = [Parameter(scope.symbol, name, defaulting.replaced(scope, name))]
        # `x = x or default` keeps the parameter first, and adds what it may become.
        values += [self.binding(b, scope, name) for b in rebound if b.kind == "value"]
        return one_of(values)

    def binding(self, b: Binding, scope: Scope, name: str = "") -> Value:
        """What one binding gives its name."""
        scope = b.within or scope
        match b.kind:
            case "value" | "item" | "entered":
                return self._bound_value(b, scope)
            case "def" if b.target is not None:
                return self._described(b.target) or FunctionRef(b.target.symbol)
            case "class" if b.target is not None:
                return self._described(b.target) or ClassRef(b.target.symbol)
            case "import":
                return self._imported(b, scope)
            case "from":
                return self._from_module(b, b.name, scope) or UNKNOWN
            case _:
                return UNKNOWN

    def _described(self, target: Scope) -> Value | None:
        """A function or class that a models file of the user speaks of, by the name that is used there."""
        if not self.models.described or target.parent is None or target.parent.kind != "module":
            return None
        parts = target.symbol.split(".")
        names = (".".join(parts[i:]) for i in range(len(parts) - 1))  # source roots are not part of the name
        return next((External(name) for name in names if name in self.models.described), None)

    def _bound_value(self, b: Binding, scope: Scope) -> Value:
        if b.expr is None or (isinstance(b.expr, ir.Const) and b.expr.value is None):
            typed = self.annotated(b.annotation, scope) if b.annotation is not None else UNKNOWN
            if not isinstance(typed, Unknown):
                return typed
        if b.expr is None:
            return UNKNOWN
        made = self.value(b.expr, scope)
        if b.kind == "entered":
            made = one_of([calling.entered(self, v) for v in options(made)])
        elif b.kind == "item":
            made = one_of([calling.iterated(self, v) for v in options(self.settle(made))])
        for position in b.path:
            made = one_of([containers.part(v, position) for v in options(made)])
        if isinstance(made, Unknown) and b.annotation is not None:
            return self.annotated(b.annotation, scope)
        return made

    def _imported(self, b: Binding, scope: Scope) -> Value:
        known = self.models.is_module(b.module)
        found = self.project.find_module(b.module, scope, known_library=known)
        if found is not None:
            return ModuleRef(found)
        if not known and self.project.is_package_prefix(b.module):
            return ModuleRef(b.module)
        return External(b.module)

    def _from_module(self, b: Binding, name: str, scope: Scope) -> Value | None:
        """`from module import name`: a submodule, a name of the module, or a library's name."""
        known = not b.level and self.models.is_module(b.module)
        submodule = f"{b.module}.{name}" if b.module else name
        if name != "*":
            found = self.project.find_module(submodule, scope, b.level, known)
            if found is not None:
                return ModuleRef(found)
        found = self.project.find_module(b.module, scope, b.level, known)
        if found is not None:
            target = self.project.modules[found]
            if name in target.names or target.stars:
                made = self.name(name, target)
                return None if made == External(f"builtins.{name}") else made
            return None
        if b.level:
            return UNKNOWN
        return None if b.name == "*" else External(submodule)

    # -- what parameters are -------------------------------------------------------------------------------------

    def settle(self, value: Value) -> Value:
        """Replaces a parameter by what its annotation, its callers or its default say; other values stay."""
        if type(value) not in _OPEN:
            return value
        if isinstance(value, OneOf):
            return one_of([self.settle(v) for v in value.options])
        if isinstance(value, Called):
            return called.settled(self, value)
        if not isinstance(value, Parameter):
            return value
        known = self.answer(self._settled, (value.symbol, value.name), self._settle, value)
        return without(known, value.unless) if value.unless else known

    def _settle(self, value: Parameter) -> Value:
        scope = self.project.scopes.get(value.symbol)
        if scope is None or scope.kind != "function":
            return UNKNOWN
        param = next((p for p in scope.params() if p.name == value.name), None)
        if param is None:
            return UNKNOWN
        around = scope.parent or scope
        if param.annotation is not None:
            typed = self.annotated(param.annotation, around)
            if isinstance(typed, Object | Instance):
                return classes.really(self, typed, one_of([self.passed(value.symbol, value.name), *([self.value(param.default, around)] if param.default is not None else [])]))
            if not isinstance(typed, Unknown | Literal):
                return classes.as_made(self, typed, value)
        known = self.passed(value.symbol, value.name)
        if not isinstance(known, Unknown):
            return known
        return views.handed(self, scope, value.name) if param.default is None else self.value(param.default, around)

    def passed(self, symbol: str, name: str) -> Value:
        """What the known callers of a function, or makers of an object, pass for one parameter."""
        self.hangs = True
        values = [site.argument(self, name) for site in self.sites.get(symbol, ())]
        return one_of([self.settle(v) for v in values if v is not None and not (isinstance(v, Parameter) and (v.symbol, v.name) == (symbol, name))])

    def default_of(self, value: Parameter) -> Value:
        """A parameter's default, UNKNOWN when it has none."""
        scope = self.project.scopes.get(value.symbol)
        if scope is None or scope.kind != "function":
            return UNKNOWN
        param = next((p for p in scope.params() if p.name == value.name), None)
        default = UNKNOWN if param is None or param.default is None else self.value(param.default, scope.parent or scope)
        return without(default, value.unless) if value.unless else default

    def _unquoted(self, text: str, at: Span) -> ir.Expr:
        """A quoted annotation, made once and kept: answers are remembered by the identity of an expression."""
        if (text, at) not in self._annotations:
            self._annotations[text, at] = _quoted(text, at)
        return self._annotations[text, at]

    def annotated(self, annotation: ir.Expr, scope: Scope) -> Value:
        """An object of the annotated type: library types and classes of the project, through Optional and unions."""
        match annotation:
            case ir.Const(value=str(text)):
                return self.annotated(self._unquoted(text, annotation.at), scope) if len(text) < 200 else UNKNOWN
            case ir.Binary(op="|", values=several):
                return one_of([self.annotated(v, scope) for v in several])
            case ir.Index(base=base, index=index):
                return self._generic(base, index, scope)
            case ir.Name() | ir.Attribute():
                made = one_of([attributes.instance_of(self, t) for t in options(self.value(annotation, scope))])
                if isinstance(made, Unknown):  # a name for a type that may hold itself
                    return self.answer(self._settled, (scope.symbol, f"{annotation.at}"), aliases.of_alias, self, annotation, scope)
                return made
            case _:
                return UNKNOWN

    def _generic(self, base: ir.Expr, index: ir.Expr, scope: Scope) -> Value:
        last = base.name if isinstance(base, ir.Attribute) else base.id if isinstance(base, ir.Name) else ""
        inner = index.items if isinstance(index, ir.Sequence) else (index,)
        if last == "Annotated" and len(inner) > 1:
            provided = one_of([self.value(extra, scope) for extra in inner[1:]])
            return one_of([self.annotated(inner[0], scope), provided])
        if last in ("Optional", "Union", "Final", "ClassVar", "Awaitable"):
            return one_of([self.annotated(i, scope) for i in inner])
        if last in ("AsyncGenerator", "AsyncIterator", "Generator", "Iterator"):
            return UNKNOWN
        return self.annotated(base, scope)

    # -- functions -----------------------------------------------------------------------------------------------

    def returns(self, symbol: str) -> Value:
        """What a function of the project returns, in terms of its own parameters."""
        scope = self.project.scopes.get(symbol)
        if scope is None or scope.kind != "function":
            return UNKNOWN
        return self.answer(self._returns, symbol, self._returned, scope)

    def _returned(self, scope: Scope) -> Value:
        joined = one_of([self.value(e, scope) for e in calling.returned(scope)])
        if isinstance(joined, Unknown | Literal) and scope.function.returns is not None:
            typed = self.annotated(scope.function.returns, scope.parent or scope)
            joined = joined if isinstance(typed, Unknown) else typed
        return joined

    def yields(self, symbol: str) -> Value:
        """What a generator function yields."""
        scope = self.project.scopes.get(symbol)
        if scope is None or scope.kind != "function":
            return UNKNOWN
        return self.answer(self._yields, symbol, self._yielded, scope)

    def _yielded(self, scope: Scope) -> Value:
        return one_of([self.value(e, scope) for e in calling.yielded(scope)])

    def is_decorated(self, scope: Scope, *names: str) -> bool:
        """Whether a function carries a decorator of one of these last names."""
        return any(last_name(d) in names for d in scope.function.decorators)

    def is_manager(self, scope: Scope) -> bool:
        """Whether calling a function makes a context manager from its generator."""
        if not isinstance(scope.node, ir.Function):
            return False  # a class of the same name has taken the function's place
        return scope.function.is_generator and self.is_decorated(scope, "contextmanager", "asynccontextmanager")

    def place(self, expr: ir.Expr, scope: Scope) -> Place:
        """Where an expression stands."""
        return Place(scope.path, expr.at)


def last_name(expr: ir.Expr) -> str:
    """The last name of a dotted expression or call of one: "route" for `app.route("/")`."""
    while type(expr) is ir.Call:
        expr = expr.func
    return expr.name if type(expr) is ir.Attribute else expr.id if type(expr) is ir.Name else ""


def _quoted(text: str, at: Span) -> ir.Expr:
    """A quoted annotation that is a dotted name; anything more is left alone."""
    words = text.strip().removesuffix("| None").strip().split(".")
    if not all(w.isidentifier() for w in words):
        return ir.Other((), at)
    made: ir.Expr = ir.Name(words[0], at)
    for word in words[1:]:
        made = ir.Attribute(made, word, at)
    return made
