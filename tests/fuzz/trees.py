"""Changes to a program as a tree, however little sense they make: what comes out is a program again, and still speaks of coordination."""

from __future__ import annotations

import ast
import copy
import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
LARGEST = 12_000  # characters of a file
Place = tuple[ast.AST, str, int | None]

ODD = [
    "None", "0", "-1", "1j", "1e400", "float('inf')", "float('nan')", "10 ** 400", "1 << 70000", "b'\\xff'", "...", "''", "()", "{}", "[None] * 9", "'%' % ()", "f''", "'{'", "'%('",
    "True", "2 ** 0.5", "1 / 0", "0.1", "9 ** 9 ** 9", "'a' * 9 ** 9", "{1: [2]}", "{1, 2}", "[[]]", "-float('inf')", "timedelta(days=1e300)", "datetime.max", "'\\ud800'", "(1, [2])", "slice(1)",
    "int('9' * 5000)", "round(1e400)", "divmod(1, 0)", "range(10 ** 30)", "range(0)", "b'a' % 1", "'0 0 31 2 *'", "'redis://['", "'redis://a:b@c:99999999/x'", "'${A:-${A}}'", "float('1e9')", "min()",
]  # fmt: skip
EXPRESSIONS = [
    "[X]", "[*X]", "(X, X)", "(*X, X)", "{X}", "{X: X}", "{**X}", "X[0]", "X[X]", "X[:]", "X[1:X:-1]", "X.a", "X.__class__", "X.__dict__", "X()", "X(X)", "X(*X)", "X(**X)", "X()()",
    "X(x=X)", "lambda: X", "lambda x=X, *a, **k: X", "(lambda x: x)(X)", "(x := X)", "(X := X)", "await X", "(yield X)", "(yield from X)", "not X", "-X", "~X", "X + X", "X % X", "X ** X",
    "X @ X", "X if X else X", "X and X", "X or X", "X == X", "X < X < X", "X in X", "X is X", "f'{X}'", "f'{X!r:{X}}'", "[x for x in X]", "{x: X for x in X if X}", "(X async for x in X)",
    "[x for x in X for y in x]", "partial(X)", "partial(X, X)", "functools.wraps(X)(X)", "getattr(X, 'lock')", "getattr(X, X)", "type(X)", "super().X", "dict(X)", "list(X)", "map(X, X)",
    "next(iter(X))", "iter(X, X)", "isinstance(X, X)", "cast(X, X)", "self.X", "self", "globals()['X']", "vars(X)", "str(X)", "int(X)", "range(X)", "timedelta(X)", "timedelta(seconds=X)",
    "os.environ[X]", "os.getenv(X, X)", "asyncio.gather(X, *X)", "asyncio.to_thread(X, X)", "contextlib.closing(X)", "ExitStack()", "X.format(X)", "'%s' % (X,)", "','.join(X)", "X.items()",
]  # fmt: skip
STATEMENTS = [
    "pass", "S\nS", "if x:\n S", "if x:\n S\nelse:\n S", "while True:\n S", "for x in x:\n S\n break\nelse:\n S", "try:\n S\nexcept:\n pass", "try:\n S\nexcept* E as x:\n S\n", "try:\n S\nfinally:\n S",
    "with x:\n S", "with x as self.a, S0():\n S", "async with x as (a, *b):\n S", "def S0():\n S", "def S0(*, a=1):\n S\nS0()", "async def S0(x, /):\n S", "class S0:\n S", "class S0(S0):\n S",
    "@S0\ndef S0(S0):\n S", "@property\ndef S0(self):\n S", "@contextmanager\ndef S0():\n S\n yield\n S", "match x:\n case {'a': 1, **r}:\n  S\n case [S0, *_] if x:\n  S", "global S0\nS", "nonlocal S0\nS", "del S0\nS",
    "return S0\nS", "S\nbreak", "S\ncontinue", "yield\nS", "raise S0 from S0", "import app as S0\nS", "from app import *\nS", "from . import S0\nS", "S0 = S0\nS", "S0: S0 = S0\nS", "S0, *S0 = S0\nS",
    "for S0.a in S0:\n S", "S0 += S0\nS", "S0[S0] = S0\nS", "assert S0, S0\nS", "def S0(self=S0):\n S\n return S0(S0)", "with S0() as S0:\n S", "while (S0 := S0()):\n S", "lambda: S0\nS",
]  # fmt: skip


class Lot:
    """Draws by bytes; when they are at an end, what is first."""

    def __init__(self, data: bytes) -> None:
        self._left = iter(data)

    def below(self, number: int) -> int:
        """A number from 0."""
        drawn = next(self._left, 0)
        return (drawn if number < 250 else drawn * 256 + next(self._left, 0)) % number if number else 0

    def one(self, among: Sequence[T]) -> T:
        """One of several things."""
        return among[self.below(len(among))]


def changed(text: str, lot: Lot, donors: Sequence[str]) -> str:
    """A Python file after up to seven changes of its tree; parts of the donors may be put in."""
    for _ in range(lot.below(8)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
                lot.one(CHANGES)(tree, lot, donors)
                new = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
                ast.parse(new)
        except (SyntaxError, ValueError, TypeError, AttributeError, RecursionError, MemoryError, IndexError):
            continue  # no program; the next change
        if len(new) < LARGEST:
            text = new
    return text


def _places(tree: ast.AST, kind: type[ast.AST]) -> list[Place]:
    found: list[Place] = []
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, kind) and isinstance(getattr(child, "ctx", ast.Load()), ast.Load) and not isinstance(node, ast.JoinedStr | ast.pattern):
                    found.append((node, field, index))
    return found


def _at(place: Place) -> ast.AST:
    node, field, index = place
    value = getattr(node, field)
    found: ast.AST = value if index is None else value[index]
    return found


def _put(place: Place, new: ast.AST) -> None:
    node, field, index = place
    if index is None:
        setattr(node, field, new)
    else:
        getattr(node, field)[index] = new


class _Filled(ast.NodeTransformer):
    """A template with a part of the program in place of X, of S and of S0."""

    def __init__(self, part: ast.AST, name: str) -> None:
        self.part, self.name = part, name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == "X" and isinstance(node.ctx, ast.Load):
            return copy.deepcopy(self.part)
        return ast.copy_location(ast.Name(self.name if node.id in ("S0", "X") else node.id, node.ctx), node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "S":
            return copy.deepcopy(self.part)
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if getattr(node, "name", "") == "S0":
            node.name = self.name  # type: ignore[attr-defined]
        return super().generic_visit(node)


def _name(tree: ast.AST, lot: Lot) -> str:
    names = sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)})
    return lot.one(names or ["x"])


def _odd(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """A literal, or any expression, is one that nobody expects."""
    place = lot.one(_places(tree, lot.one((ast.Constant, ast.expr))))
    _put(place, ast.parse(lot.one(ODD), mode="eval").body)


def _wrapped(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """An expression within, or in place of, another."""
    place = lot.one(_places(tree, ast.expr))
    template = ast.parse(lot.one(EXPRESSIONS), mode="eval").body
    _put(place, _Filled(_at(place), _name(tree, lot)).visit(template))


def _swapped(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """An expression in place of another, of this program or of a donor."""
    other = ast.parse(lot.one(donors)) if donors and lot.below(2) else tree
    _put(lot.one(_places(tree, ast.expr)), copy.deepcopy(_at(lot.one(_places(other, ast.expr)))))


def _nested(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """A statement within another, doubled, or replaced."""
    place = lot.one(_places(tree, ast.stmt))
    template = _Filled(_at(place), _name(tree, lot)).visit(ast.parse(lot.one(STATEMENTS)))
    node, field, index = place
    getattr(node, field)[index : (index or 0) + 1] = template.body


def _dropped(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """A statement, an argument, a decorator, a base or a key less."""
    node, field, index = lot.one([p for p in _places(tree, ast.AST) if p[2] is not None])
    siblings = getattr(node, field)
    siblings[index : (index or 0) + 1] = [ast.Pass()] if field in ("body", "orelse", "finalbody") and len(siblings) == 1 else []


def _doubled(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """Anything in a list once more, perhaps at its other end."""
    node, field, index = lot.one([p for p in _places(tree, ast.AST) if p[2] is not None])
    siblings = getattr(node, field)
    siblings.insert(lot.one((index, 0, len(siblings))), copy.deepcopy(siblings[index]))


def _moved_in(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """A statement of a donor, or of elsewhere in the program, before another."""
    other = ast.parse(lot.one(donors)) if donors and lot.below(3) else tree
    node, field, index = lot.one(_places(tree, ast.stmt))
    getattr(node, field).insert(index, copy.deepcopy(_at(lot.one(_places(other, ast.stmt)))))


def _renamed(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """One thing that bears a name bears another that the program has."""
    named = [(n, f) for n in ast.walk(tree) for f in ("id", "attr", "name", "arg", "asname", "module", "rest") if isinstance(getattr(n, f, None), str)]
    node, field = lot.one(named)
    other, from_ = lot.one(named)
    setattr(node, field, getattr(other, from_))


def _renamed_all(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """All things of one name bear another, so that two are one."""
    named = [(n, f) for n in ast.walk(tree) for f in ("id", "attr", "name", "arg") if isinstance(getattr(n, f, None), str)]
    old, new = (getattr(*lot.one(named)) for _ in range(2))
    for node, field in named:
        if getattr(node, field) == old:
            setattr(node, field, new)


def _passed_otherwise(tree: ast.AST, lot: Lot, donors: Sequence[str]) -> None:
    """Parameters change their kind, arguments their way."""
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.arguments | ast.Call)]
    node = lot.one(nodes)
    if isinstance(node, ast.Call):
        way = lot.below(4)
        if way == 0 and node.args:
            node.args[-1] = ast.Starred(node.args[-1], ast.Load())
        elif way == 1 and node.args:
            node.keywords.append(ast.keyword(lot.one(("timeout", "key", "name", None)), node.args.pop()))
        elif node.keywords:
            node.args.append(node.keywords.pop().value)
        return
    every = [*node.posonlyargs, *node.args, *node.kwonlyargs]
    cut = sorted((lot.below(len(every) + 1), lot.below(len(every) + 1)))
    node.posonlyargs, node.args, node.kwonlyargs = every[: cut[0]], every[cut[0] : cut[1]], every[cut[1] :]
    values = [*node.defaults, *(d for d in node.kw_defaults if d)]
    node.defaults = values[: cut[1]]
    node.kw_defaults = [*values[cut[1] :], *[None] * len(every)][: len(node.kwonlyargs)]


CHANGES: list[Callable[[ast.AST, Lot, Sequence[str]], None]] = [
    _odd, _wrapped, _swapped, _nested, _dropped, _doubled, _moved_in, _renamed, _renamed_all, _passed_otherwise, _odd, _wrapped, _swapped, _renamed,
]  # fmt: skip
