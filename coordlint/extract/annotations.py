"""Suppressions that manifests carry as data: `coordlint.dev/ignore` annotations and `x-coordlint` tables."""

from __future__ import annotations

import re

from coordlint.facts import Suppression
from coordlint.manifest import Node, Scalar, entries, items, text
from coordlint.source import Place, Span

ANNOTATION = "coordlint.dev/ignore"
_CODE = re.compile(r"[A-Za-z]+\d+|[a-z]+(?:-[a-z]+)+")


def from_table(node: Node | None, path: str, covers: Span) -> tuple[Suppression, ...]:
    """`{CL701: reason, ...}`, a list of codes, or one code; each silences the lines of `covers`."""
    found = [(key, text(value) or "") for key, value in entries(node)]
    found += [(item, "") for item in items(node) if isinstance(item, Scalar)]
    if isinstance(node, Scalar):
        return from_annotation(node, path, covers)
    return tuple(_wish(key, tuple(key.text.split()), reason.strip(), path, covers) for key, reason in found)


def from_annotation(node: Scalar, path: str, covers: Span) -> tuple[Suppression, ...]:
    """`CL701 reason` or `CL701, CL703: reason`."""
    codes: list[str] = []
    rest = node.text.strip()
    while match := _CODE.match(rest):
        codes.append(match[0])
        rest = rest[match.end() :].lstrip()
        if not rest.startswith(","):
            break
        rest = rest[1:].lstrip()
    return (_wish(node, tuple(codes), rest.lstrip(":-– ").strip(), path, covers),)


def _wish(node: Scalar, codes: tuple[str, ...], reason: str, path: str, covers: Span) -> Suppression:
    last = max(covers.end_line, covers.line)
    problem = "" if codes and all(codes) else "names no rule: write CODE reason"
    return Suppression(Place(path, node.at), codes, reason, covers.line, last, problem)
