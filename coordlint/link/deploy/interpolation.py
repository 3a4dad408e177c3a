"""`$NAME` in manifests, filled in from what the repository tells; what it does not tell is marked, never guessed."""

from __future__ import annotations

import re

from coordlint.manifest import UNKNOWN, Items, Node, Scalar, Table
from coordlint.shellwords import Known, expand

_NAME = re.compile(r"\$(?:\{(\w+)|(\w+))")


def interpolated(node: Node, known: Known) -> Node:
    """The tree with variables in its values filled in; an unknown one becomes UNKNOWN inside the text."""
    if isinstance(node, Scalar):
        if "$" not in node.text:
            return node
        return Scalar(filled(node.text, known), node.at, node.quoted, node.custom, node.path)
    if isinstance(node, Items):
        return Items(tuple(interpolated(item, known) for item in node.items), node.at, node.custom, node.path)
    pairs = tuple((key, interpolated(value, known)) for key, value in node.entries)
    return Table(pairs, node.at, node.custom, node.path)


def filled(text: str, known: Known) -> str:
    """One text, its unknown variables replaced by UNKNOWN."""
    whole = expand(text, known, UNKNOWN)
    if whole is not None:
        return whole
    return _NAME.sub(UNKNOWN, text)
