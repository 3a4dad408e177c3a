"""The small form that Python source is read into: plain data, no syntax trees.

Expressions and statements are frozen structs that msgspec can store and send between processes. Chains that nest
without bound in the syntax tree are flat here: `elif` ladders are the branches of one `If`, and `a + b + c` is one
`Binary` with three values.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from coordlint.source import Span


class _Node(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    pass


# -- expressions ------------------------------------------------------------------------------------------------


class Name(_Node, frozen=True, tag=0):
    """A bare identifier."""

    id: str
    at: Span


class Const(_Node, frozen=True, tag=1):
    """A literal; bytes are kept as their latin-1 text, because keys are compared as text."""

    value: bool | int | float | str | None
    at: Span


class Attribute(_Node, frozen=True, tag=2):
    """`base.name`."""

    base: Expr
    name: str
    at: Span


class Keyword(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`name=value`; an empty name is `**value`."""

    name: str
    value: Expr


class Call(_Node, frozen=True, tag=3):
    """`func(*args, **keywords)`."""

    func: Expr
    args: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]
    at: Span

    def keyword(self, name: str) -> Expr | None:
        """The value passed by this keyword, if it is."""
        return next((k.value for k in self.keywords if k.name == name), None)


class Text(_Node, frozen=True, tag=4):
    """An f-string: literal and computed parts in order."""

    parts: tuple[Expr, ...]
    at: Span


class Binary(_Node, frozen=True, tag=5):
    """`a op b op c`: one operator over two or more values; also `and` and `or`."""

    op: str
    values: tuple[Expr, ...]
    at: Span


class Unary(_Node, frozen=True, tag=6):
    """`not x`, `-x`."""

    op: str
    value: Expr
    at: Span


class Compare(_Node, frozen=True, tag=7):
    """`a < b < c`; ops stand between the values."""

    ops: tuple[str, ...]
    values: tuple[Expr, ...]
    at: Span


class Conditional(_Node, frozen=True, tag=8):
    """`yes if test else no`."""

    test: Expr
    yes: Expr
    no: Expr
    at: Span


class Sequence(_Node, frozen=True, tag=9):
    """A tuple, list or set display."""

    kind: str
    items: tuple[Expr, ...]
    at: Span


class Mapping(_Node, frozen=True, tag=10):
    """A dict display; a None key is `**value`."""

    keys: tuple[Expr | None, ...]
    values: tuple[Expr, ...]
    at: Span


class Index(_Node, frozen=True, tag=11):
    """`base[index]`."""

    base: Expr
    index: Expr
    at: Span


class Await(_Node, frozen=True, tag=12):
    """`await value`."""

    value: Expr
    at: Span


class Starred(_Node, frozen=True, tag=13):
    """`*value` in a call or display."""

    value: Expr
    at: Span


class Lambda(_Node, frozen=True, tag=14):
    """`lambda ...: body`."""

    params: tuple[Param, ...]
    body: Expr
    at: Span


class Yield(_Node, frozen=True, tag=15):
    """`yield value` or, with `delegates`, `yield from value`."""

    value: Expr | None
    delegates: bool
    at: Span


class Comprehension(_Node, frozen=True, tag=16):
    """A comprehension or generator expression."""

    kind: str
    element: Expr
    targets: tuple[Expr, ...]
    sources: tuple[Expr, ...]
    tests: tuple[Expr, ...]
    at: Span


class Walrus(_Node, frozen=True, tag=17):
    """`name := value`."""

    name: str
    value: Expr
    at: Span


class Other(_Node, frozen=True, tag=18):
    """Anything else: only its parts are kept."""

    parts: tuple[Expr, ...]
    at: Span


Expr = (
    Name | Const | Attribute | Call | Text | Binary | Unary | Compare | Conditional | Sequence | Mapping
    | Index | Await | Starred | Lambda | Yield | Comprehension | Walrus | Other
)  # fmt: skip


# -- statements -------------------------------------------------------------------------------------------------


class Param(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A parameter; kind is "positional", "keyword", "args" or "kwargs"."""

    name: str
    kind: str
    default: Expr | None
    annotation: Expr | None


class Evaluate(_Node, frozen=True, tag=30):
    """An expression for its effect."""

    value: Expr
    at: Span


class Assign(_Node, frozen=True, tag=31):
    """`a = b = value`; with an annotation for annotated assignments (value may then be absent)."""

    targets: tuple[Expr, ...]
    value: Expr | None
    annotation: Expr | None
    at: Span


class Augment(_Node, frozen=True, tag=32):
    """`target op= value`."""

    target: Expr
    op: str
    value: Expr
    at: Span


class Return(_Node, frozen=True, tag=33):
    """`return value`."""

    value: Expr | None
    at: Span


class Raise(_Node, frozen=True, tag=34):
    """`raise value`."""

    value: Expr | None
    at: Span


class Branch(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One test of an `if` ladder and its block."""

    test: Expr
    body: tuple[Stmt, ...]


class If(_Node, frozen=True, tag=35):
    """An `if`/`elif`/`else` ladder, or a `match` whose tests are opaque."""

    branches: tuple[Branch, ...]
    orelse: tuple[Stmt, ...]
    at: Span


class Loop(_Node, frozen=True, tag=36):
    """`for target in source` (target given) or `while test`."""

    target: Expr | None
    test: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    is_async: bool
    at: Span


class Item(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One `context as target` of a `with`."""

    context: Expr
    target: Expr | None


class With(_Node, frozen=True, tag=37):
    """`with a as x, b as y:`."""

    items: tuple[Item, ...]
    body: tuple[Stmt, ...]
    is_async: bool
    at: Span


class Handler(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`except types as name:`; no types means a bare except."""

    types: tuple[Expr, ...]
    name: str
    body: tuple[Stmt, ...]
    at: Span


class Try(_Node, frozen=True, tag=38):
    """`try/except/else/finally`."""

    body: tuple[Stmt, ...]
    handlers: tuple[Handler, ...]
    orelse: tuple[Stmt, ...]
    final: tuple[Stmt, ...]
    at: Span


class Import(_Node, frozen=True, tag=39):
    """`import a.b as c`: pairs of dotted name and alias (empty when there is none)."""

    names: tuple[tuple[str, str], ...]
    at: Span


class ImportFrom(_Node, frozen=True, tag=40):
    """`from ..module import name as alias`; level counts the dots."""

    module: str
    level: int
    names: tuple[tuple[str, str], ...]
    at: Span


class Function(_Node, frozen=True, tag=41):
    """A function or method; `at` spans its header line(s) from `def`, `end` is its last line."""

    name: str
    params: tuple[Param, ...]
    decorators: tuple[Expr, ...]
    returns: Expr | None
    body: tuple[Stmt, ...]
    is_async: bool
    is_generator: bool
    at: Span
    end: int


class Class(_Node, frozen=True, tag=42):
    """A class; keywords are the class arguments such as `metaclass=`."""

    name: str
    bases: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]
    decorators: tuple[Expr, ...]
    body: tuple[Stmt, ...]
    at: Span
    end: int


class Delete(_Node, frozen=True, tag=43):
    """`del a, b`."""

    targets: tuple[Expr, ...]
    at: Span


class Jump(_Node, frozen=True, tag=44):
    """`break`, `continue` or `pass`."""

    kind: str
    at: Span


class Assert(_Node, frozen=True, tag=45):
    """`assert test`."""

    test: Expr
    at: Span


class Global(_Node, frozen=True, tag=46):
    """`global` or `nonlocal` names."""

    names: tuple[str, ...]
    at: Span


Stmt = (
    Evaluate | Assign | Augment | Return | Raise | If | Loop | With | Try | Import | ImportFrom | Function
    | Class | Delete | Jump | Assert | Global
)  # fmt: skip


class Module(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A whole file. `shortened` tells where an expression was nested too deeply to be kept whole; `python2` what it is written in."""

    body: tuple[Stmt, ...]
    shortened: tuple[Span, ...] = ()
    python2: bool = False


_PARTS: dict[type, Callable[..., tuple[Expr, ...]]] = {
    Attribute: lambda e: (e.base,),
    Call: lambda e: (e.func, *e.args, *[k.value for k in e.keywords]),
    Text: lambda e: e.parts,
    Other: lambda e: e.parts,
    Sequence: lambda e: e.items,
    Binary: lambda e: e.values,
    Compare: lambda e: e.values,
    Unary: lambda e: (e.value,),
    Await: lambda e: (e.value,),
    Starred: lambda e: (e.value,),
    Walrus: lambda e: (e.value,),
    Conditional: lambda e: (e.test, e.yes, e.no),
    Mapping: lambda e: (*[k for k in e.keys if k is not None], *e.values),
    Index: lambda e: (e.base, e.index),
    Yield: lambda e: () if e.value is None else (e.value,),
    Comprehension: lambda e: (*e.sources, *e.tests, e.element),
}


def parts(expr: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions, in evaluation order."""
    of = _PARTS.get(type(expr))
    return () if of is None else of(expr)


def walk(expr: Expr) -> list[Expr]:
    """The expression and everything in it, outermost first, without entering lambdas."""
    if type(expr) not in _PARTS:
        return [expr]
    found: list[Expr] = []
    todo = [expr]
    while todo:
        node = todo.pop()
        while True:  # attributes and calls are most of what has parts: they need no tuple of them
            found.append(node)
            if type(node) is Attribute:
                node = node.base
            elif type(node) is Call:
                todo.extend([k.value for k in node.keywords[::-1]])
                todo.extend(node.args[::-1])
                node = node.func
            else:
                of = _PARTS.get(type(node))
                if of is not None:
                    todo.extend(of(node)[::-1])
                break
    return found
