"""A leader that lost its lease ends its process: `onstopped_leading=lambda: os._exit(1)` in the election's Config."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from coordlint.fix.imports import with_import
from coordlint.fix.requests import CannotFix, Request
from coordlint.fix.trees import Tree, is_plain, named
from coordlint.source import Span

PARAMETER = "onstopped_leading"
POSITION = 5


def cure(tree: Tree, places: Sequence[Span], request: Request) -> str:
    """The text with the handler given. Raises CannotFix."""
    for span in places:
        call = tree.at(span, cst.Call)
        if isinstance(call, cst.Call) and (named(call, PARAMETER) is not None or len(call.args) > POSITION):
            return with_import(tree, ended(tree, call), "os")
    raise CannotFix("no election of the Kubernetes client is configured there: what it does has to learn when to stop")


def ended(tree: Tree, call: cst.Call) -> str:
    """The text with the handler in the call."""
    if not is_plain(call):
        raise CannotFix("its arguments are unpacked")
    handler = cst.parse_expression("lambda: os._exit(1)")
    given = named(call, PARAMETER) or call.args[POSITION]
    if tree.code(given.value) != "None":
        raise CannotFix("its handler does something else")
    return tree.replaced({given.value: handler})
