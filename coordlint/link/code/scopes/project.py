"""The project's own names: modules, classes, functions, and what each scope binds.

Nothing is evaluated here; a binding keeps the expression that a name gets its value from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any, TypeVar

from coordlint import ir
from coordlint.facts import Facts
from coordlint.link.code.scopes import filling, roots
from coordlint.link.code.scopes.filling import Fill
from coordlint.link.code.scopes.statements import expressions, statements
from coordlint.source import Place, Span


@dataclass(slots=True, eq=False)
class Binding:
    """One way in which a name gets a value.

    Kind: "value" (an expression, maybe one item of it), "import", "from", "def", "class", "item" (loop variable over the
    expression), "entered" (`with expr as name`), "caught" (exception), "augmented" (op= expr).
    """

    kind: str
    expr: ir.Expr | None = None
    path: tuple[int, ...] = ()  # position inside an unpacked tuple
    module: str = ""  # for imports: the dotted module; level counts leading dots
    level: int = 0
    name: str = ""
    target: Scope | None = None  # for def and class
    annotation: ir.Expr | None = None
    at: Span | None = None
    within: Scope | None = None  # the function that binds a name of another scope: `global name`


T = TypeVar("T")
_NONE: Mapping[str, Any] = {}  # one for all scopes that have nothing of a kind: most have not, and an empty dictionary takes 64 bytes


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class or function, and the names it binds."""

    symbol: str
    kind: str  # module | class | function
    path: str
    module: str
    parent: Scope | None
    node: ir.Module | ir.Class | ir.Function
    names: dict[str, list[Binding]] = field(default_factory=dict)
    attributes: Mapping[str, list[tuple[Scope, Binding]]] = field(default_factory=lambda: _NONE)  # of a class: self.x = ...
    fills: Mapping[str, list[Fill]] = field(default_factory=lambda: _NONE)  # of a name, or of a class's attribute: x[key] = ...
    elsewhere: Mapping[str, Scope] = field(default_factory=lambda: _NONE)  # names that are declared global or nonlocal
    stars: Sequence[Binding] = ()  # from x import *
    children: Sequence[Scope] = ()
    is_package: bool = False
    _statements: list[ir.Stmt] | None = None

    @property
    def statements(self) -> list[ir.Stmt]:
        """All statements in order, through blocks, not into functions and classes: gathered once, as a dozen steps go through them."""
        if self._statements is None:
            self._statements = statements(self.node.body)
        return self._statements

    @property
    def function(self) -> ir.Function:
        """The function's node; only for scopes of kind "function"."""
        assert isinstance(self.node, ir.Function)
        return self.node

    @property
    def owner(self) -> Scope | None:
        """The class whose method this function is."""
        return self.parent if self.kind == "function" and self.parent and self.parent.kind == "class" else None

    def place(self, at: Span) -> Place:
        """A span of this scope's file."""
        return Place(self.path, at)

    def params(self) -> tuple[ir.Param, ...]:
        """The parameters of a function."""
        return self.function.params if self.kind == "function" else ()

    def bind(self, name: str, binding: Binding) -> None:
        """Gives a name of this scope, or the one that `global` names, one more value."""
        home = self.elsewhere.get(name)
        if home is not None:
            binding.within = self
        names = (home or self).names
        known = names.get(name)
        if known is None:
            names[name] = [binding]  # hardly any gets another one, for which an appended list keeps room
        else:
            known.append(binding)

    def sees(self, name: str) -> Scope | None:
        """The scope that binds a bare name, from here outwards."""
        scope: Scope | None = self
        while scope is not None:
            if (name in scope.names and (scope is self or scope.kind != "class")) or any(p.name == name for p in scope.params()):
                return scope
            scope = scope.parent
        return None


class Project:
    """All scopes by symbol, and how imports find them."""

    def __init__(self, facts: Iterable[Facts]) -> None:
        self.modules: dict[str, Scope] = {}
        self.scopes: dict[str, Scope] = {}
        self._packages: set[str] = set()
        self._by_last: dict[str, list[str]] = defaultdict(list)
        self.outside: dict[str, list[tuple[ir.Expr, Scope, Binding]]] = defaultdict(list)  # `thing.name = value`
        self.outside_items: dict[str, list[tuple[ir.Expr, Scope]]] = defaultdict(list)  # `thing["name"] = value`
        self.outside_fills: dict[str, list[tuple[ir.Expr, Fill]]] = defaultdict(list)  # `thing.name[key] = value`
        self.spelled: dict[str, set[str]] = defaultdict(set)  # dotted words in the texts of a module
        self._asked: set[roots.Asked] = set()
        self._setters: dict[str, tuple[tuple[Scope, Binding], ...]] | None = None
        self._filled: list[tuple[ir.Expr, Fill]] = []
        added: list[Scope] = []
        given = sorted(facts, key=lambda f: f.path)
        for one in given:
            if one.module is not None:
                added.append(self._add(one.path, one.module))
        for scope in added:  # after all modules: a function may be called like a module beside it
            self._collect(scope)
        self._roots = roots.declared(one.path for one in given) | roots.inferred(self._asked, self.modules, self._packages)
        self._found: dict[tuple[str, str, bool, int, bool], str | None] = {}
        self._prefixes: set[str] = set()  # dotted names below which modules lie
        for name in self.modules:
            self._by_last[name.rpartition(".")[2]].append(name)
            self._prefixes.update(accumulate(name.split(".")[:-1], "{}.{}".format))
        for root, fill in self._filled:
            self._fill(root, fill)

    def _add(self, path: str, module: ir.Module) -> Scope:
        name = module_name(path)
        is_package = path.rpartition("/")[2] == "__init__.py"
        scope = Scope(name, "module", path, name, None, module, is_package=is_package)
        self.modules[name] = self.scopes[name] = scope
        if is_package:
            self._packages.add(name)
        return scope

    def functions(self) -> Iterator[Scope]:
        """Every function and method, by symbol."""
        return (s for s in self.scopes.values() if s.kind == "function")

    def classes(self) -> Iterator[Scope]:
        """Every class."""
        return (s for s in self.scopes.values() if s.kind == "class")

    def setters(self, name: str) -> tuple[tuple[Scope, Binding], ...]:
        """Where the methods of any class set an attribute of their own object by a name."""
        if self._setters is None:
            self._setters = {}
            for c in self.classes():
                for attribute, found in c.attributes.items():
                    self._setters[attribute] = (*self._setters.get(attribute, ()), *found)
        return self._setters.get(name, ())

    # -- imports -----------------------------------------------------------------------------------------------

    def find_module(self, dotted: str, importer: Scope, level: int = 0, known_library: bool = False) -> str | None:
        """The project module that an import means, or None when it is someone else's.

        Source roots are not declared: `import a.b` finds the module whose path ends in a/b, in a folder that is not
        itself a package (a source root) or that is the importer's own. A library's name is only taken from the root, or
        from beside a script.
        """
        question = (dotted, importer.module, importer.is_package, level, known_library)
        if question not in self._found:
            self._found[question] = self._find(dotted, importer, level, known_library)
        return self._found[question]

    def _find(self, dotted: str, importer: Scope, level: int, known_library: bool) -> str | None:
        if level:
            base = importer.module if importer.is_package else importer.module.rpartition(".")[0]
            for _ in range(level - 1):
                base = base.rpartition(".")[0]
            name = f"{base}.{dotted}" if dotted and base else dotted or base
            return name if name in self.modules else None
        if dotted in self.modules:
            return dotted
        tail = "." + dotted
        home = importer.module.rpartition(".")[0]
        found = [m for m in self._by_last.get(dotted.rpartition(".")[2], ()) if m.endswith(tail) and m != importer.module]
        homes = [(m.removesuffix(tail), m) for m in found]
        beside = "" if known_library and home in self._packages else home  # no implicit relative import of "consul"
        fitting = [(r, m) for r, m in homes if r == beside or ((r not in self._packages or r in self._roots) and not known_library)]
        if not fitting:
            return roots.within(dotted, importer.module, homes, self._asked)
        return max(fitting, key=lambda rm: (roots.shared(rm[0], importer.module), -rm[0].count("."), rm[1]))[1]

    @cached_property
    def settings(self) -> tuple[Scope, ...]:
        """The modules that settings stand in, by their names."""
        return tuple(scope for name, scope in self.modules.items() if "settings" in name.lower())

    def is_package_prefix(self, dotted: str) -> bool:
        """Whether some module lies below this dotted name."""
        return dotted in self._prefixes

    # -- scopes ------------------------------------------------------------------------------------------------

    def _collect(self, scope: Scope) -> None:
        for statement in scope.statements:
            self._bind_statement(scope, statement)

    def _bind_statement(self, scope: Scope, s: ir.Stmt) -> None:
        if type(s) is ir.Assign or type(s) is ir.Evaluate or type(s) is ir.Return:
            self._note_outside(scope, s)
            self._filled += filling.fills(s, scope)
        match s:
            case ir.Assign(targets=targets, value=value, annotation=annotation):
                for target in targets:
                    _bind(scope, target, value, (), "value", annotation, s.at)
            case ir.Augment(target=target, value=value):
                _bind(scope, target, value, (), "augmented", None, s.at)
            case ir.Loop(target=target, test=source) if target is not None:
                _bind(scope, target, source, (), "item", None, s.at)
            case ir.With(items=items):
                for item in items:
                    if item.target is not None:
                        _bind(scope, item.target, item.context, (), "entered", None, s.at)
            case ir.Try(handlers=handlers):
                for h in handlers:
                    if h.name:
                        scope.bind(h.name, Binding("caught", at=h.at))
            case ir.Global(names=names):
                for name in names:
                    home = scope.parent.sees(name) if scope.parent is not None else None
                    scope.elsewhere = declared = _own(scope.elsewhere)
                    declared[name] = home or self.modules[scope.module]
            case ir.Import(names=names):
                for dotted, alias in names:
                    self._asked.add(roots.Asked(scope.module, self.modules[scope.module].is_package, dotted, 0))
                    module = dotted if alias else dotted.partition(".")[0]
                    name = alias or module
                    scope.bind(name, Binding("import", module=module, name=dotted, at=s.at))
            case ir.ImportFrom(module=module, level=level, names=names):
                self._asked.add(roots.Asked(scope.module, self.modules[scope.module].is_package, module, level))
                for name, alias in names:
                    binding = Binding("from", module=module, level=level, name=name, at=s.at)
                    if name == "*":
                        scope.stars = _grown(scope.stars, binding)
                    else:
                        scope.bind(alias or name, binding)
            case ir.Function() | ir.Class():
                self._define(scope, s)
            case _:
                pass
        for expr in expressions(s):
            for node in ir.walk(expr):
                kind = type(node)
                if kind is ir.Name or kind is ir.Attribute or kind is ir.Call:
                    continue  # nearly all
                if type(node) is ir.Const:
                    if isinstance(node.value, str) and _is_dotted(node.value):
                        self.spelled[scope.module].add(node.value)
                elif isinstance(node, ir.Walrus):
                    scope.bind(node.name, Binding("value", node.value, at=node.at))
                elif isinstance(node, ir.Comprehension):
                    for target, source in zip(node.targets, node.sources, strict=True):
                        _bind(scope, target, source, (), "item", None, node.at)

    def _note_outside(self, scope: Scope, s: ir.Stmt) -> None:
        """`thing.name = value` and `setattr(thing, NAME, value)` on an object other than self; what tests set says nothing of it."""
        if is_test(scope.path):
            return
        match s:
            case ir.Assign(targets=targets, value=value) if value is not None:
                for target in targets:
                    if isinstance(target, ir.Index) and isinstance(target.index, ir.Const) and isinstance(target.index.value, str):
                        self.outside_items[target.index.value].append((value, scope))
                    if isinstance(target, ir.Attribute) and not _is_self(target.base, scope):
                        self.outside[target.name].append((target.base, scope, Binding("value", value, at=s.at)))
            case ir.Evaluate(value=ir.Call(func=ir.Name(id="setattr"), args=(base, ir.Const(value=str(name)), value))):
                self.outside[name].append((base, scope, Binding("value", value, at=s.at)))
            case _:
                pass

    def _fill(self, root: ir.Expr, fill: Fill, depth: int = 0) -> None:
        """Gives what is put into a container to the name or attribute that the container is."""
        match root:
            case ir.Attribute(base=base, name=name) if _is_self(base, fill.scope) and fill.scope.owner is not None:
                _add_fill(fill.scope.owner, name, fill)
            case ir.Attribute(base=base, name=name):
                self.outside_fills[name].append((base, fill))
            case ir.Name(id=name) if (home := fill.scope.sees(name)) is not None:
                found = home.names.get(name, ())
                _add_fill(home, name, fill)
                if len(found) == 1 and found[0].expr is not None and not found[0].path and found[0].kind == "value" and depth < 3:
                    reach = filling.reached(found[0].expr)  # `part = self.all[key]` and `part[other] = value`
                    if isinstance(reach.root, ir.Name | ir.Attribute) and (home is fill.scope or isinstance(reach.root, ir.Name)):
                        self._fill(reach.root, Fill((*reach.keys, *fill.keys), fill.value, fill.scope, fill.spreads), depth + 1)
                elif len(found) == 1 and found[0].kind == "from" and (module := self.find_module(found[0].module, home, found[0].level)):
                    _add_fill(self.modules[module], found[0].name, fill)
            case _:
                pass

    def _define(self, scope: Scope, node: ir.Function | ir.Class) -> None:
        symbol = f"{scope.symbol}.{node.name}"
        if symbol in self.scopes:  # overloads, property setters, conditional twins: the later ones get a line mark
            symbol = f"{symbol}@{node.at.line}"
        kind = "function" if isinstance(node, ir.Function) else "class"
        made = Scope(symbol, kind, scope.path, scope.module, scope, node)
        self.scopes[symbol] = made
        scope.children = _grown(scope.children, made)
        scope.bind(node.name, Binding("def" if kind == "function" else "class", target=made, at=node.at))
        self._collect(made)


def _own(known: Mapping[str, T]) -> dict[str, T]:
    """A dictionary that may be written to: the known one, or a new one in the place of the one for all."""
    return known if isinstance(known, dict) and known is not _NONE else {}


def _grown(known: Sequence[T], one: T) -> list[T]:
    """A list with one more at its end: the known one, or the first for that."""
    if not isinstance(known, list):
        return [one]
    known.append(one)
    return known


def _add_fill(home: Scope, name: str, fill: Fill) -> None:
    home.fills = fills = _own(home.fills)
    known = fills.setdefault(name, [])
    if len(known) < filling.MOST:
        known.append(fill)


def _is_self(base: ir.Expr, scope: Scope) -> bool:
    params = scope.params() if scope.kind == "function" and scope.owner else ()
    return isinstance(base, ir.Name) and bool(params) and params[0].name == base.id


def _bind(
    scope: Scope,
    target: ir.Expr,
    value: ir.Expr | None,
    path: tuple[int, ...],
    kind: str,
    annotation: ir.Expr | None,
    at: Span,
) -> None:
    match target:
        case ir.Name(id=name):
            scope.bind(name, Binding(kind, value, path, annotation=annotation, at=at))
        case ir.Attribute(base=ir.Name(id=base), name=name) if scope.kind == "function" and scope.owner:
            params = scope.params()
            if params and params[0].name == base:
                made = Binding(kind, value, path, annotation=annotation, at=at)
                scope.owner.attributes = attributes = _own(scope.owner.attributes)
                attributes.setdefault(name, []).append((scope, made))
        case ir.Sequence(items=items):
            for position, item in enumerate(items):
                _bind(scope, item, value, (*path, position), kind, None, at)
        case ir.Starred(value=inner):
            _bind(scope, inner, None, (), kind, None, at)
        case _:
            pass


def _is_dotted(text: str) -> bool:
    """Whether a text may be the name of a module: `ROOT_URLCONF = "shop.urls"`."""
    return 2 < len(text) < 100 and "." in text and all(part.isidentifier() for part in text.split("."))


def module_name(path: str) -> str:
    """The dotted name of a file by its path from the root."""
    stem = path.removesuffix(".py")
    stem = stem.removesuffix("/__init__")
    return stem.replace("/", ".")


_TESTS = frozenset("t test tests testing e2e spec specs unittests testing_tools testing_utils test_tools test_utils test_helpers test_support testutils testutil".split())


@lru_cache(maxsize=50_000)
def is_test(path: str) -> bool:
    """Whether a file is test code, by the usual names."""
    *folders, name = path.lower().split("/")
    if any(f in _TESTS or f.startswith("tests_") for f in folders):
        return True
    return name.startswith("test_") or name.endswith(("_test.py", "_tests.py")) or name in ("conftest.py", "tests.py", "test.py")
