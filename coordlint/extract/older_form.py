"""A program of its own: reads Python of any version with libcst and answers the same code as Python 3.11 can read it.

Started by `newer_syntax` as `python -P older_form.py MARKER SECONDS`; imports nothing of coordlint. Request: four bytes
of length, then the text. Answer: `+` or `-`, four bytes of length, then the older text or why there is none. It ends when
its input ends, and the system ends it when it stays idle or takes too long, so that it cannot outlive its parent for long.

Every line keeps its number: what is taken away leaves its line breaks. Type parameters are dropped, `type X = Y` is
an assignment, `except A, B` gets its parentheses, and an f-string that is too new is written as MARKER("literal", (hole), ...),
which the extractor reads as the text it was.
"""

from __future__ import annotations

import ast
import dataclasses
import gc
import signal
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import libcst as cst

MEMORY = 1 << 30  # bytes of address space
IDLE = 60  # seconds without a request
DEEPEST = 20_000  # Python frames; libcst writes code recursively

_LAYOUT = ("whitespace", "comma", "semicolon", "lpar", "rpar", "leading_lines", "lines_after", "header")
_CONTINUED = "\\\n"


class _Written(cst.Name):
    """Code that is finished: written out as it stands."""

    def _validate(self) -> None:
        """Is no identifier, and need not be one."""


def older_form(text: str, marker: str) -> str:
    """The text as Python 3.11 reads it. Raises libcst.ParserSyntaxError where it is Python of no version."""
    module = cst.parse_module(text)
    for holder, field, index, node in reversed(list(_newer(module))):  # what lies within first
        made = _rewritten(node, marker)
        if made is node:
            continue
        if index < 0:
            object.__setattr__(holder, field, made)
        else:
            getattr(holder, field)[index] = made
    return module.code


_Found = tuple[cst.CSTNode, str, int, cst.CSTNode]  # holder, field, position in that field or -1, node


def _newer(module: cst.Module) -> Iterator[_Found]:
    """What may be too new, outermost first. An own walk: four times faster than a visitor, and never too deep."""
    todo: list[_Found] = [(module, "", -1, module)]
    while todo:
        found = todo.pop()
        node = found[3]
        if isinstance(node, _REWRITTEN):
            yield found
        for field in _fields(type(node)):
            value = getattr(node, field)
            if isinstance(value, cst.CSTNode):
                todo.append((node, field, -1, value))
            elif isinstance(value, list | tuple) and value:
                if isinstance(value, tuple):
                    value = list(value)
                    object.__setattr__(node, field, value)
                todo.extend((node, field, n, item) for n, item in enumerate(value) if _is_node(item))


def _is_node(item: object) -> bool:
    return isinstance(item, cst.CSTNode)


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    names = (f.name for f in dataclasses.fields(cast(Any, kind)))
    return tuple(name for name in names if not name.startswith(_LAYOUT))


def _optional(name: str) -> Any:
    """A class that only newer releases of libcst have."""
    return getattr(cst, name, _Written)


_DEFINED = (cst.FunctionDef, cst.ClassDef)
_HANDLERS = (cst.ExceptHandler, cst.ExceptStarHandler)
_LAZY = (_optional("LazyImport"), _optional("LazyImportFrom"))
_TEXTS = (cst.FormattedString, _optional("TemplatedString"))
_LITERALS = (cst.FormattedStringText, _optional("TemplatedStringText"))
_REWRITTEN = (*_DEFINED, *_HANDLERS, *_LAZY, *_TEXTS, cst.TypeAlias, cst.ConcatenatedString)


def _rewritten(node: Any, marker: str) -> cst.CSTNode:
    """The older form; the very same node where it is old enough."""
    if isinstance(node, _DEFINED):
        if node.type_parameters is None:
            return node
        space = cst.SimpleWhitespace(_CONTINUED * _code(node.type_parameters).count("\n"))
        return node.with_changes(type_parameters=None, whitespace_after_name=space)
    if isinstance(node, _HANDLERS):
        if isinstance(node.type, cst.Tuple) and not node.type.lpar:
            return node.with_changes(
                type=node.type.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            )
        return node
    if isinstance(node, cst.TypeAlias):
        value = _code(node.value)
        name = node.name.value + _CONTINUED * (_code(node).count("\n") - value.count("\n"))
        return cst.Expr(_Written(f"{name} = {value}"))
    if isinstance(node, cst.ConcatenatedString):
        return _chain(node, marker)
    if isinstance(node, _LAZY):
        return cst.Expr(_Written(_code(node).removeprefix("lazy").lstrip(" \t")))
    return _joined(node, marker)


def _chain(node: cst.ConcatenatedString, marker: str) -> cst.CSTNode:
    """`"a" f"{b}"`, where one of the pieces is no literal any more."""
    if not any(isinstance(part, _Written) for part in (node.left, node.right)):
        return node
    code = f"{_code(node.left)},{_code(node.whitespace_between)}{_code(node.right)}"
    return _called(node, marker, code)


def _joined(node: Any, marker: str) -> cst.CSTNode:
    """An f-string or t-string as a call, unless Python 3.11 reads it."""
    holes = [part for part in node.parts if not isinstance(part, _LITERALS)]
    if isinstance(node, cst.FormattedString):
        plain = all(isinstance(hole.expression, cst.Name) and hole.format_spec is None for hole in holes)
        if (plain and "\n" not in _code(node)) or _is_read(_code(node)):
            return node
    quote = node.start.lstrip("fFrRtT")
    prefix = "r" if "r" in node.start.lower() else ""
    parts: list[Any] = list(node.parts)
    pieces = [_literal(prefix, quote, p.value) if isinstance(p, _LITERALS) else _hole(p) for p in parts]
    return _called(node, marker, ", ".join(pieces))


def _called(node: Any, marker: str, code: str) -> cst.CSTNode:
    return _Written(f"{marker}({code})", lpar=node.lpar, rpar=node.rpar)


def _literal(prefix: str, quote: str, raw: str) -> str:
    """A literal part as a string of its own."""
    raw = raw.replace("{{", "{").replace("}}", "}")
    code = f"{prefix}{quote}{raw}{quote}"
    if _is_read(code):
        return code
    # it ends in a backslash or a quote that now would swallow the end: say its value
    padded = f"{prefix}{quote}{raw} {quote}"
    value = ast.literal_eval(padded)[:-1] if _is_read(padded) else ""
    return repr(value) + "\n" * code.count("\n")


def _hole(part: Any) -> str:
    """A computed part: its expression, and the line breaks of what else stood between the braces."""
    whole = _code(part)
    inner = f"{_code(part.whitespace_before_expression)}{_code(part.expression)}{_code(part.whitespace_after_expression)}"
    shown = repr(f"{inner}=") + ", " if part.equal is not None else ""
    return f"{shown}({inner}" + "\n" * (whole.count("\n") - inner.count("\n")) + ")"


def _is_read(code: str) -> bool:
    try:
        ast.parse(f"({code})")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _code(node: cst.CSTNode) -> str:
    return _EMPTY.code_for_node(node)


_EMPTY = cst.Module([])


def _answer(request: bytes, marker: str) -> tuple[bytes, str]:
    try:
        return b"+", older_form(request.decode("utf-8", "surrogatepass"), marker)
    except cst.ParserSyntaxError:
        return b"-", ""
    except Exception as error:  # whatever libcst raises is about this one file
        return b"-", f"{type(error).__name__} while it was rewritten"


def _alarm(seconds: int) -> None:
    if sys.platform != "win32":
        signal.alarm(seconds)  # nobody catches it: also ends a process that hangs in compiled code


def _limited() -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(DEEPEST)
    gc.disable()  # trees hold no cycles, and collecting while they grow doubles the time of parsing
    warnings.simplefilter("ignore")


def main() -> None:
    """Answers requests until there are no more."""
    marker, seconds = sys.argv[1], int(sys.argv[2])
    _limited()
    given, told = sys.stdin.buffer, sys.stdout.buffer
    while True:
        _alarm(IDLE)
        head = given.read(4)
        if len(head) < 4:
            return
        request = given.read(int.from_bytes(head, "big"))
        _alarm(seconds)
        sign, text = _answer(request, marker)
        if sign == b"-":
            gc.collect()  # errors do hold cycles
        answer = text.encode("utf-8", "surrogatepass")
        told.write(sign + len(answer).to_bytes(4, "big") + answer)
        told.flush()


if __name__ == "__main__":
    main()
