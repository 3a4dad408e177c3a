"""Python source, from text to the small form of `ir`. Looks at one file only and runs nothing of it."""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left

from coordlint import ir
from coordlint.extract.expressions import lower, operator, params, span
from coordlint.source import Skip, Source, Span

_NOTEBOOK = re.compile(r'\s*+\{\s*+"(?:cells|metadata|nbformat\w*)"\s*+:')
_CONFLICT = re.compile(r"(?:<{7}|>{7}|\|{7})(?: |$)|={7}$")
_LINE_END = re.compile(r"\r\n?|\n")  # those that the parser counts


def read_python(source: Source) -> tuple[ir.Module | None, tuple[Skip, ...]]:
    """The module, or None and the reason why the file could not be read.

    Nesting is bounded by the parser itself (200 brackets, 100 indents); a chain that is too long for it is told.
    """
    if _NOTEBOOK.match(source.text):
        return None, (Skip(source.path, "a notebook with the name of a Python file"),)
    try:
        tree, python2 = _tree(source.text)
    except _Unread as why:
        return None, (Skip(source.path, str(why), why.line),)
    shortened = _Shortened(source.text)
    body = _block(tree.body, shortened)
    skips = tuple(
        Skip(source.path, "an expression nested too deeply was read in part", at.line) for at in shortened[:1]
    )
    return ir.Module(body, tuple(shortened), python2), skips


class _Shortened(list[Span]):
    """Where expressions were shortened in a file, and whether `yield` may stand between two of its lines."""

    def __init__(self, text: str) -> None:
        lines = _LINE_END.split(text) if "yield" in text else []
        self._yields = [number for number, line in enumerate(lines, 1) if "yield" in line]

    def may_yield(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """False where the word does not occur: most functions need not be searched."""
        at = bisect_left(self._yields, node.lineno)
        return at < len(self._yields) and self._yields[at] <= (node.end_lineno or node.lineno)


class _Unread(Exception):
    """Why a file could not be read, and on which line."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


def _tree(text: str) -> tuple[ast.Module, bool]:
    """The tree of a file, and whether it is written in Python 2. Raises _Unread."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in foreign code are not ours to report
            return ast.parse(text), False
    except SyntaxError as error:
        return _other(text, error)
    except ValueError as error:
        raise _Unread(f"not Python text: {error}") from None
    except (RecursionError, MemoryError):
        raise _Unread("nested too deeply, or too large, for the Python parser") from None


def _other(text: str, error: SyntaxError) -> tuple[ast.Module, bool]:
    """What the parser of this Python refused, read as Python of a later version, or as Python 2. Raises _Unread."""
    from coordlint.extract import newer_syntax, python2  # few files need them

    if error.text and _CONFLICT.match(error.text.rstrip("\n")):
        raise _Unread("an unresolved merge conflict", error.lineno or 1)
    reason, line = f"syntax error: {error.msg}", error.lineno or 1
    if newer_syntax.is_newer(text, error):
        try:
            return newer_syntax.read_newer(text), False
        except newer_syntax.NotRead as why:
            if str(why):  # it is newer, and cannot be read
                raise _Unread(str(why), line) from None
    try:
        return python2.read_python2(text), True
    except python2.NotPython2 as why:
        raise _Unread(str(why) or reason, why.line if str(why) else line) from None


def _block(statements: list[ast.stmt], shortened: _Shortened) -> tuple[ir.Stmt, ...]:
    return tuple(s for node in statements for s in _statement(node, shortened))


def _statement(node: ast.stmt, short: _Shortened) -> list[ir.Stmt]:
    at = span(node)
    match node:
        case ast.Expr(value=ast.Constant()):
            return []  # docstrings and bare literals say nothing here
        case ast.Expr(value=value):
            return [ir.Evaluate(lower(value, short), at)]
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda() as function) if any(isinstance(n, ast.Call) for n in ast.walk(function.body)):
            return [_named_lambda(name, function, at, short)]
        case ast.Assign(targets=targets, value=value):
            return [ir.Assign(tuple(lower(t, short) for t in targets), lower(value, short), None, at)]
        case ast.AnnAssign(target=target, annotation=annotation, value=given):
            made = None if given is None else lower(given, short)
            return [ir.Assign((lower(target, short),), made, lower(annotation, short), at)]
        case ast.AugAssign(target=target, op=op, value=value):
            return [ir.Augment(lower(target, short), operator(op), lower(value, short), at)]
        case ast.Return(value=given):
            return [ir.Return(None if given is None else lower(given, short), at)]
        case ast.Raise(exc=given):
            return [ir.Raise(None if given is None else lower(given, short), at)]
        case ast.If():
            return [_ladder(node, short)]
        case ast.For() | ast.AsyncFor():
            body, orelse = _block(node.body, short), _block(node.orelse, short)
            is_async = isinstance(node, ast.AsyncFor)
            return [ir.Loop(lower(node.target, short), lower(node.iter, short), body, orelse, is_async, at)]
        case ast.While(test=test, body=inner, orelse=other):
            return [ir.Loop(None, lower(test, short), _block(inner, short), _block(other, short), False, at)]
        case ast.With() | ast.AsyncWith():
            items = tuple(
                ir.Item(
                    lower(i.context_expr, short), None if i.optional_vars is None else lower(i.optional_vars, short)
                )
                for i in node.items
            )
            return [ir.With(items, _block(node.body, short), isinstance(node, ast.AsyncWith), at)]
        case ast.Try() | ast.TryStar():
            handlers = tuple(_handler(h, short) for h in node.handlers)
            blocks = (_block(b, short) for b in (node.body, node.orelse, node.finalbody))
            body, orelse, final = blocks
            return [ir.Try(body, handlers, orelse, final, at)]
        case _:
            return _definition(node, at, short)


def _definition(node: ast.stmt, at: Span, short: _Shortened) -> list[ir.Stmt]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return [_function(node, short)]
        case ast.ClassDef():
            return [_class(node, short)]
        case ast.Import(names=names):
            return [ir.Import(tuple((n.name, n.asname or "") for n in names), at)]
        case ast.ImportFrom(module=module, names=names, level=level):
            return [ir.ImportFrom(module or "", level, tuple((n.name, n.asname or "") for n in names), at)]
        case ast.Delete(targets=targets):
            return [ir.Delete(tuple(lower(t, short) for t in targets), at)]
        case ast.Assert(test=test):
            return [ir.Assert(lower(test, short), at)]
        case ast.Global(names=listed) | ast.Nonlocal(names=listed):
            return [ir.Global(tuple(listed), at)]
        case ast.Match(subject=subject, cases=cases):
            about = lower(subject, short)
            branches = tuple(ir.Branch(ir.Other((about,), at), _block(c.body, short)) for c in cases)
            return [ir.If(branches, (), at)]
        case ast.Break():
            return [ir.Jump("break", at)]
        case ast.Continue():
            return [ir.Jump("continue", at)]
        case ast.Pass():
            return [ir.Jump("pass", at)]
        case _:
            return []  # statements newer than this reader carry no coordination of their own


def _ladder(node: ast.If, short: _Shortened) -> ir.If:
    """An `elif` chain is as deep as it is long in the tree; here it is flat."""
    branches: list[ir.Branch] = []
    at = span(node)
    rest: list[ast.stmt] = [node]
    while len(rest) == 1 and isinstance(rest[0], ast.If):
        step = rest[0]
        branches.append(ir.Branch(lower(step.test, short), _block(step.body, short)))
        rest = step.orelse
    return ir.If(tuple(branches), _block(rest, short), at)


def _handler(node: ast.ExceptHandler, short: _Shortened) -> ir.Handler:
    types: tuple[ir.Expr, ...] = ()
    if isinstance(node.type, ast.Tuple):
        types = tuple(lower(t, short) for t in node.type.elts)
    elif node.type is not None:
        types = (lower(node.type, short),)
    return ir.Handler(types, node.name or "", _block(node.body, short), span(node))


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, short: _Shortened) -> ir.Function:
    body = _block(node.body, short)
    return ir.Function(
        name=node.name,
        params=params(node.args, short),
        decorators=tuple(lower(d, short) for d in node.decorator_list),
        returns=None if node.returns is None else lower(node.returns, short),
        body=body,
        is_async=isinstance(node, ast.AsyncFunctionDef),
        is_generator=short.may_yield(node) and _yields(node.body),
        at=_header(node),
        end=node.end_lineno or node.lineno,
    )


def _named_lambda(name: str, made: ast.Lambda, at: Span, short: _Shortened) -> ir.Function:
    """`release = lambda: cache.delete(key)` is a function like any other."""
    body = ir.Return(lower(made.body, short), span(made.body))
    is_generator = any(isinstance(n, ast.Yield | ast.YieldFrom) for n in ast.walk(made.body))
    return ir.Function(name, params(made.args, short), (), None, (body,), False, is_generator, at, made.end_lineno or at.line)


def _class(node: ast.ClassDef, short: _Shortened) -> ir.Class:
    return ir.Class(
        name=node.name,
        bases=tuple(lower(b, short) for b in node.bases),
        keywords=tuple(ir.Keyword(k.arg or "", lower(k.value, short)) for k in node.keywords),
        decorators=tuple(lower(d, short) for d in node.decorator_list),
        body=_block(node.body, short),
        at=_header(node),
        end=node.end_lineno or node.lineno,
    )


def _header(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Span:
    """From `def` or `class` to the first body line at most: a small region to point at."""
    word = len("class ") if isinstance(node, ast.ClassDef) else len("def ")
    if isinstance(node, ast.AsyncFunctionDef):
        word = len("async def ")
    start = node.col_offset + 1
    return Span(node.lineno, start, node.lineno, start + word + len(node.name))


def _yields(body: list[ast.stmt]) -> bool:
    """Whether a function body yields, not counting functions, classes and lambdas within."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))
    return False
