"""The two kinds of patches that Kubernetes knows, on manifest trees."""

from __future__ import annotations

from coordlint.manifest import Items, Node, Scalar, Table, stamped, tables, text

MAX_OPERATIONS = 500
_LIST_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
    "volumeClaimTemplates": "name",
    "imagePullSecrets": "name",
    "volumeDevices": "devicePath",
}


def strategic(base: Node, patch: Node, field: str = "") -> Node:
    """A strategic merge patch: tables merge, named lists merge by their key, `$patch` deletes or replaces, null removes."""
    if isinstance(base, Table) and isinstance(patch, Table):
        if text(patch.get("$patch")) == "replace":
            return Table(tuple(e for e in patch.entries if e[0].text != "$patch"), base.at, path=patch.path)
        values = {key.text: (key, value) for key, value in base.entries}
        for key, value in patch.entries:
            if isinstance(value, Scalar) and not value.quoted and value.value is None:
                values.pop(key.text, None)
            elif key.text in values:
                values[key.text] = (values[key.text][0], strategic(values[key.text][1], value, key.text))
            else:
                values[key.text] = (key, value)
        return Table(tuple(values.values()), base.at, path=base.path)
    if isinstance(base, Items) and isinstance(patch, Items) and field in _LIST_KEYS:
        return _named(base, patch, _LIST_KEYS[field])
    return patch


def _named(base: Items, patch: Items, key: str) -> Items:
    kept: list[Node] = list(base.items)
    for item in tables(patch):
        wanted = text(item.get(key))
        position = next((i for i, old in enumerate(kept) if isinstance(old, Table) and text(old.get(key)) == wanted), None)
        if text(item.get("$patch")) == "delete":
            if position is not None:
                kept.pop(position)
        elif position is None:
            kept.append(item)
        else:
            kept[position] = strategic(kept[position], item)
    return Items(tuple(kept), base.at, path=base.path)


def json_patched(root: Node, operations: Items, path: str) -> Node:
    """A JSON patch (RFC 6902): add, replace and remove; what does not fit changes nothing."""
    for operation in list(tables(operations))[:MAX_OPERATIONS]:
        what, where = text(operation.get("op")), text(operation.get("path"))
        value = operation.get("value")
        if where is None or not where.startswith("/") or what not in ("add", "replace", "remove"):
            continue
        parts = [part.replace("~1", "/").replace("~0", "~") for part in where[1:].split("/")]
        new = stamped(value, path) if value is not None and what != "remove" else None
        if new is not None or what == "remove":
            root = _edited(root, parts, new, is_insert=what == "add")
    return root


def _edited(node: Node, parts: list[str], value: Node | None, *, is_insert: bool) -> Node:
    """The node with the place at `parts` set, or removed for None."""
    head, rest = parts[0], parts[1:]
    if isinstance(node, Table):
        pairs = {key.text: (key, old) for key, old in node.entries}
        if rest:
            if head in pairs:
                pairs[head] = (pairs[head][0], _edited(pairs[head][1], rest, value, is_insert=is_insert))
        elif value is None:
            pairs.pop(head, None)
        else:
            pairs[head] = (pairs[head][0] if head in pairs else Scalar(head, value.at, path=value.path), value)
        return Table(tuple(pairs.values()), node.at, path=node.path)
    if isinstance(node, Items):
        kept = list(node.items)
        if head == "-" and not rest and value is not None:
            kept.append(value)
        elif head.isdigit() and int(head) < len(kept):
            position = int(head)
            if rest:
                kept[position] = _edited(kept[position], rest, value, is_insert=is_insert)
            elif value is None:
                kept.pop(position)
            elif is_insert:
                kept.insert(position, value)
            else:
                kept[position] = value
        return Items(tuple(kept), node.at, path=node.path)
    return node
