"""Relative paths in a compose file that is laid over one of another folder: compose reads them from the folder of the first file."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from coordlint.link.deploy.catalogue import Catalogue, join
from coordlint.manifest import Items, Node, Scalar, Table


def moved(service: Table, folder: str, project: str, catalogue: Catalogue) -> Table:
    """A service of a file in `folder` as `project` reads it; a path that leads to something from its own folder alone stays."""
    if folder == project:
        return service

    def again(written: str) -> str:
        path, colon, rest = written.partition(":")
        here, there = join(folder, path), join(project, path)
        if there is None or _has(catalogue, here) or not _has(catalogue, there):
            return written
        return posixpath.relpath(there or ".", folder or ".") + colon + rest

    return Table(tuple((key, _FIELDS[key.text](value, again) if key.text in _FIELDS else value) for key, value in service.entries), service.at, service.custom, service.path)


def _has(catalogue: Catalogue, path: str | None) -> bool:
    return path is not None and (path in catalogue.places or catalogue.env_file(path) is not None)


_Again = Callable[[str], str]


def _text(node: Node, again: _Again) -> Node:
    if not isinstance(node, Scalar) or not node.text:
        return node
    return Scalar(again(node.text), node.at, node.quoted, node.custom, node.path)


def _each(node: Node, again: _Again) -> Node:
    """A path, a list of them, or tables that hold one under `path` or `source`."""
    if isinstance(node, Items):
        return Items(tuple(_each(item, again) for item in node.items), node.at, node.custom, node.path)
    return _under(node, again, ("path", "source")) if isinstance(node, Table) else _text(node, again)


def _build(node: Node, again: _Again) -> Node:
    return _under(node, again, ("context",)) if isinstance(node, Table) else _text(node, again)


def _under(table: Table, again: _Again, names: tuple[str, ...]) -> Table:
    pairs = tuple((key, _text(value, again) if key.text in names else value) for key, value in table.entries)
    return Table(pairs, table.at, table.custom, table.path)


_FIELDS: dict[str, Callable[[Node, _Again], Node]] = {"build": _build, "env_file": _each, "volumes": _each}
