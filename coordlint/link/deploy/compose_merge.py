"""How compose combines two definitions of one service, field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from coordlint.manifest import Items, Node, Scalar, Table, text

_REPLACED = frozenset(("command", "entrypoint", "test", "args_list"))
_BY_NAME = frozenset(("environment", "labels", "args", "annotations", "sysctls", "extra_hosts"))
_BY_TARGET = frozenset(("volumes", "devices"))
_NAMED_LISTS = frozenset(("depends_on", "networks"))
_ONE_OR_MANY = frozenset(("env_file", "dns", "dns_search", "tmpfs"))


def merged(base: Table, other: Table) -> Table:
    """`other` laid over `base`, by the rules of the compose specification."""
    values: dict[str, tuple[Scalar, Node]] = {key.text: (key, value) for key, value in base.entries}
    for key, value in other.entries:
        name = key.text
        if value.custom == "!reset":
            values.pop(name, None)
        elif name not in values or value.custom == "!override":
            values[name] = (key, value)
        else:
            known, before = values[name]
            values[name] = (known, _field(name, before, value))
    return Table(tuple(values.values()), base.at, base.custom, base.path)


def _field(name: str, before: Node, after: Node) -> Node:
    if name in _REPLACED:
        return after
    if name in _BY_NAME:
        return _united(before, after, _pair)
    if name in _NAMED_LISTS:
        return _united(before, after, _bare_name)
    if name in _BY_TARGET and isinstance(before, Items) and isinstance(after, Items):
        return _distinct(before, after, _target)
    if name in _ONE_OR_MANY:
        return _distinct(_as_items(before), _as_items(after), _whole)
    if name == "build":
        before, after = _as_build(before), _as_build(after)
    if isinstance(before, Table) and isinstance(after, Table):
        return merged(before, after)
    if isinstance(before, Items) and isinstance(after, Items):
        return _distinct(before, after, _whole)
    return after


def as_table(node: Node, entry: Callable[[Node], tuple[Scalar, Node] | None]) -> Table:
    """The list form of a mapping (`- NAME=value`, `- name`) as a table; a table stays itself."""
    if isinstance(node, Table):
        return node
    children: Iterable[Node] = node.items if isinstance(node, Items) else ()
    pairs = tuple(pair for child in children if (pair := entry(child)) is not None)
    return Table(pairs, node.at, path=node.path)


def environment_table(node: Node) -> Table:
    """`environment` (or labels, or build arguments) in either form as a table."""
    return as_table(node, _pair)


def named_table(node: Node) -> Table:
    """`depends_on` or `networks` in either form as a table."""
    return as_table(node, _bare_name)


def _united(before: Node, after: Node, entry: Callable[[Node], tuple[Scalar, Node] | None]) -> Node:
    return merged(as_table(before, entry), as_table(after, entry))


def _pair(item: Node) -> tuple[Scalar, Node] | None:
    """`NAME=value` as a key and a value; a bare NAME has an unknown value, taken from whoever starts it."""
    if not isinstance(item, Scalar):
        return None
    name, equals, value = item.text.partition("=")
    key = Scalar(name.strip(), item.at, path=item.path)
    if not equals:
        return key, Scalar("", item.at, path=item.path)
    return key, Scalar(value, item.at, True, path=item.path)


def _as_items(node: Node) -> Items:
    return node if isinstance(node, Items) else Items((node,), node.at, path=node.path)


def _as_build(node: Node) -> Node:
    """`build: FOLDER` in its long form."""
    if not isinstance(node, Scalar):
        return node
    return Table(((Scalar("context", node.at, path=node.path), node),), node.at, path=node.path)


def _bare_name(item: Node) -> tuple[Scalar, Node] | None:
    return (item, Table((), item.at, path=item.path)) if isinstance(item, Scalar) else None


def _distinct(before: Items, after: Items, identity: Callable[[Node], str]) -> Items:
    """Both lists; an item that means the same thing as an earlier one takes its place."""
    kept: dict[str, Node] = {identity(item): item for item in before.items}
    kept |= {identity(item): item for item in after.items}
    return Items(tuple(kept.values()), before.at, path=before.path)


def _target(item: Node) -> str:
    if isinstance(item, Table):
        return text(item.get("target")) or repr(item)
    parts = item.text.split(":") if isinstance(item, Scalar) else []
    return parts[1] if len(parts) > 1 else "".join(parts)


def _whole(item: Node) -> str:
    return item.text if isinstance(item, Scalar) else repr(item)
