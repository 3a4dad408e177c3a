"""Python expressions, from the syntax tree to the small form; iterative, so that no nesting can exhaust the stack."""

from __future__ import annotations

import ast
from collections.abc import Callable

from coordlint import ir
from coordlint.extract.awaiting import awaited
from coordlint.source import Span

JOINED = "__coordlint_joined__"  # f-strings newer than this Python come as a call of this name, see `newer_syntax`
DEEPEST = 180  # levels of nesting that are kept; what lies below becomes Other, and the file says so

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&", ast.MatMult: "@",
    ast.And: "and", ast.Or: "or", ast.Not: "not", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~",
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip


def span(node: ast.expr | ast.stmt | ast.keyword | ast.excepthandler) -> Span:
    """Where a node stands; columns count from 1."""
    end = node.end_col_offset
    return Span(node.lineno, node.col_offset + 1, node.end_lineno or node.lineno, 0 if end is None else end + 1)


def operator(node: ast.AST) -> str:
    """The sign of an operator node."""
    return _OPERATORS.get(type(node), "?")


Kids = list[ir.Expr]


def _same_operator(node: ast.BinOp) -> list[ast.expr]:
    """`a + b + c` nests to the left; flatten it so that long sums stay shallow."""
    values: list[ast.expr] = []
    sign = type(node.op)
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and type(left.op) is sign:
        values.append(left.right)
        left = left.left
    values.append(left)
    values.reverse()
    return values


def _call_kids(node: ast.Call) -> list[ast.expr]:
    return [node.func, *node.args, *(k.value for k in node.keywords)]


def _call(node: ast.Call, kids: Kids) -> ir.Expr:
    n = len(node.args)
    if isinstance(node.func, ast.Name) and node.func.id == JOINED:
        return _joined(node, kids[1:])
    named = tuple(ir.Keyword(k.arg or "", v) for k, v in zip(node.keywords, kids[n + 1 :], strict=True))
    return ir.Call(kids[0], tuple(kids[1 : n + 1]), named, span(node))


def _joined(node: ast.Call, pieces: Kids) -> ir.Expr:
    parts: list[ir.Expr] = []
    for piece in pieces:
        parts.extend(piece.parts if isinstance(piece, ir.Text) else (piece,))
    return ir.Text(tuple(parts), span(node))


def _mapping_kids(node: ast.Dict) -> list[ast.expr]:
    return [*(k for k in node.keys if k is not None), *node.values]


def _mapping(node: ast.Dict, kids: Kids) -> ir.Expr:
    given = iter(kids)
    keys = tuple(None if k is None else next(given) for k in node.keys)
    return ir.Mapping(keys, tuple(given), span(node))


def _comprehension_kids(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> list[ast.expr]:
    element = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    for g in node.generators:
        element += [g.target, g.iter, *g.ifs]
    return element


def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, kids: Kids) -> ir.Expr:
    at = span(node)
    rest = iter(kids)
    element: ir.Expr = next(rest)
    if isinstance(node, ast.DictComp):
        element = ir.Sequence("tuple", (element, next(rest)), at)
    targets: list[ir.Expr] = []
    sources: list[ir.Expr] = []
    tests: list[ir.Expr] = []
    for g in node.generators:
        targets.append(next(rest))
        sources.append(next(rest))
        tests.extend(next(rest) for _ in g.ifs)
    kind = type(node).__name__.lower()
    return ir.Comprehension(kind, element, tuple(targets), tuple(sources), tuple(tests), at)


def _constant(node: ast.Constant) -> ir.Expr:
    value = node.value
    if isinstance(value, bytes):
        return ir.Const(value.decode("latin-1"), span(node))
    if isinstance(value, str):
        # Lone surrogates cannot be stored; they are never part of a key that matters.
        return ir.Const(value.encode("utf-8", "replace").decode(), span(node))
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 63:
        return ir.Const(float(value) if value.bit_length() < 1000 else None, span(node))
    if value is None or isinstance(value, bool | int | float):
        return ir.Const(value, span(node))
    return ir.Other((), span(node))


def _text_kids(node: ast.JoinedStr) -> list[ast.expr]:
    return [v.value if isinstance(v, ast.FormattedValue) else v for v in node.values]


def _sliced(node: ast.Slice) -> list[ast.expr]:
    return [n for n in (node.lower, node.upper, node.step) if n is not None]


# Each row: the direct sub-expressions, and how to build the node from their small forms.
_Row = tuple[Callable[..., list[ast.expr]], Callable[..., ir.Expr]]
_ROWS: dict[type[ast.expr], _Row] = {
    ast.Name: (lambda n: [], lambda n, k: ir.Name(n.id, span(n))),
    ast.Constant: (lambda n: [], lambda n, k: _constant(n)),
    ast.Attribute: (lambda n: [n.value], lambda n, k: ir.Attribute(k[0], n.attr, span(n))),
    ast.Call: (_call_kids, _call),
    ast.JoinedStr: (_text_kids, lambda n, k: ir.Text(tuple(k), span(n))),
    ast.BinOp: (_same_operator, lambda n, k: ir.Binary(operator(n.op), tuple(k), span(n))),
    ast.BoolOp: (lambda n: n.values, lambda n, k: ir.Binary(operator(n.op), tuple(k), span(n))),
    ast.UnaryOp: (lambda n: [n.operand], lambda n, k: ir.Unary(operator(n.op), k[0], span(n))),
    ast.Compare: (
        lambda n: [n.left, *n.comparators],
        lambda n, k: ir.Compare(tuple(map(operator, n.ops)), tuple(k), span(n)),
    ),
    ast.IfExp: (lambda n: [n.test, n.body, n.orelse], lambda n, k: ir.Conditional(k[0], k[1], k[2], span(n))),
    ast.Tuple: (lambda n: n.elts, lambda n, k: ir.Sequence("tuple", tuple(k), span(n))),
    ast.List: (lambda n: n.elts, lambda n, k: ir.Sequence("list", tuple(k), span(n))),
    ast.Set: (lambda n: n.elts, lambda n, k: ir.Sequence("set", tuple(k), span(n))),
    ast.Dict: (_mapping_kids, _mapping),
    ast.Subscript: (lambda n: [n.value, n.slice], lambda n, k: ir.Index(k[0], k[1], span(n))),
    ast.Slice: (_sliced, lambda n, k: ir.Other(tuple(k), span(n))),
    ast.Await: (lambda n: [n.value], lambda n, k: ir.Await(awaited(k[0]), span(n))),
    ast.Starred: (lambda n: [n.value], lambda n, k: ir.Starred(k[0], span(n))),
    ast.Yield: (
        lambda n: [n.value] if n.value is not None else [],
        lambda n, k: ir.Yield(k[0] if k else None, False, span(n)),
    ),
    ast.YieldFrom: (lambda n: [n.value], lambda n, k: ir.Yield(k[0], True, span(n))),
    ast.ListComp: (_comprehension_kids, _comprehension),
    ast.SetComp: (_comprehension_kids, _comprehension),
    ast.DictComp: (_comprehension_kids, _comprehension),
    ast.GeneratorExp: (_comprehension_kids, _comprehension),
    ast.NamedExpr: (
        lambda n: [n.value],
        lambda n, k: ir.Walrus(n.target.id, k[0], span(n)),
    ),
}
_OPAQUE: _Row = (lambda n: [], lambda n, k: ir.Other((), span(n)))


def lower(root: ast.expr, shortened: list[Span]) -> ir.Expr:
    """The small form of an expression. Places nested below DEEPEST are added to `shortened` and kept as Other."""
    done: list[ir.Expr] = []
    todo: list[tuple[ast.expr, int, int]] = [(root, 0, -1)]  # node, depth, number of sub-expressions once visited
    while todo:
        node, depth, count = todo.pop()
        if type(node) is ast.Name:  # every second one
            done.append(ir.Name(node.id, span(node)))
            continue
        if count >= 0:
            kids = done[len(done) - count :]
            del done[len(done) - count :]
            done.append(_ROWS[type(node)][1](node, kids))
            continue
        if isinstance(node, ast.Lambda):
            done.append(ir.Lambda(params(node.args, shortened), lower(node.body, shortened), span(node)))
            continue
        children, build = _ROWS.get(type(node), _OPAQUE)
        below = children(node)
        if depth >= DEEPEST and below:
            shortened.append(span(node))
            done.append(ir.Other((), span(node)))
        elif not below:
            done.append(build(node, []))
        else:
            todo.append((node, depth, len(below)))
            todo.extend((child, depth + 1, -1) for child in reversed(below))
    return done[0]


def params(args: ast.arguments, shortened: list[Span]) -> tuple[ir.Param, ...]:
    """The parameters in order, with their defaults and annotations."""

    def some(node: ast.expr | None) -> ir.Expr | None:
        return None if node is None else lower(node, shortened)

    plain = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(args.defaults))
    defaults += args.defaults
    made = [
        ir.Param(a.arg, "positional", some(d), some(a.annotation)) for a, d in zip(plain, defaults, strict=True)
    ]
    if args.vararg:
        made.append(ir.Param(args.vararg.arg, "args", None, some(args.vararg.annotation)))
    made += [
        ir.Param(a.arg, "keyword", some(d), some(a.annotation))
        for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    ]
    if args.kwarg:
        made.append(ir.Param(args.kwarg.arg, "kwargs", None, some(args.kwarg.annotation)))
    return tuple(made)
