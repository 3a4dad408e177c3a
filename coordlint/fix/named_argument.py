"""`cache.lock(key, 30)` becomes `cache.lock(key, timeout=30)`; pymemcache's `add` is told to wait for the answer."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from coordlint.fix.requests import CannotFix, Request
from coordlint.fix.trees import Tree, is_plain, keyword, method, with_arguments
from coordlint.source import Span


def cure(tree: Tree, places: Sequence[Span], request: Request) -> str:
    """The text with the argument named. Raises CannotFix."""
    call = tree.call(places[0])
    if not is_plain(call):
        raise CannotFix("its arguments are unpacked")
    if method(call) == "add":
        return tree.replaced({call: with_arguments(call, [keyword("noreply", cst.Name("False"))])})
    positional = [a for a in call.args if a.keyword is None]
    if method(call) != "lock" or len(positional) != 2:
        raise CannotFix("it is no lock(key, seconds)")
    return tree.replaced({positional[1]: keyword("timeout", positional[1].value).with_changes(comma=positional[1].comma)})
