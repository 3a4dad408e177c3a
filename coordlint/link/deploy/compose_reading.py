"""The services of single compose files: interpolated, with `extends` and `include` followed; what is wrong with them is told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from coordlint.finding import Evidence
from coordlint.link.deploy.catalogue import Catalogue, folder_of, join
from coordlint.link.deploy.compose_merge import environment_table, merged
from coordlint.link.deploy.interpolation import filled, interpolated
from coordlint.manifest import UNKNOWN, Items, Node, Scalar, Table, entries, items, place, stamped, text
from coordlint.source import Skip

MAX_EXTENDS = 20
MAX_INCLUDES = 20
MAX_UNDEFINED = 20  # told for one file
_UNDEFINED = re.compile(r"(?<!\$)\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(:?\?(?:[^}$]|\$(?!\{))*+)?\})")
Services = dict[str, tuple[Scalar, Table]]


class ComposeReader:
    """Services of single files, interpolated, with `extends` followed."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.problems: set[Skip] = set()
        self.undefined: set[Evidence] = set()
        self._files: dict[tuple[str, str], Table] = {}
        self._done: dict[tuple[str, str | None], Services] = {}  # what files include

    def services(self, path: str, project: str | None = None) -> Services:
        """The services of a file by name, with their keys; `project` is the folder of the first file where it is laid over others."""
        return {**self._included(path, project, (path,)), **self._own(path, project)}

    def includes(self, path: str) -> Iterator[tuple[Node, list[str]]]:
        """The files that a file includes, those of one entry together: the later ones are laid over the first."""
        for item in items(self.catalogue.compose[path].root.get("include")):
            said = item.get("path") if isinstance(item, Table) else item
            written = [text(one) for one in said.items] if isinstance(said, Items) else [text(said)]
            found = [join(folder_of(path), one) if one else None for one in written]
            known = [one for one in found if one in self.catalogue.compose and one is not None]
            if known and len(known) == len(found):
                yield item, known
            else:
                self.undefined.add(Evidence(place(item, path), f"what is included here is not in the repository: {', '.join(one or '?' for one in written)}"))

    def _included(self, path: str, project: str | None, seen: tuple[str, ...]) -> Services:
        if (path, project) in self._done:
            return self._done[path, project]
        made: Services = {}
        for item, several in self.includes(path):
            first = several[0]
            if first in seen or len(seen) > MAX_INCLUDES:
                self.problems.add(Skip(path, f"{first} includes itself", item.at.line))
                continue
            folder = folder_of(first)
            found: Services = dict(self._included(first, None, (*seen, first)))
            for one in several:
                for name, (key, table) in self._own(one, folder).items():
                    table = stamped_table(table, one)
                    found[name] = (found[name][0], merged(found[name][1], table)) if name in found else (key_at(key, one), table)
            for name, service in found.items():
                made.setdefault(name, service)
        self._done[path, project] = made
        return made

    def _own(self, path: str, project: str | None) -> Services:
        made: Services = {}
        for key, value in entries(self._root(path, project).get("services")):
            if value.custom == "!reset" or not isinstance(value, Table):
                continue
            made[key.text] = (key, self._extended(path, key, value, ((path, key.text),)))
        return made

    def _root(self, path: str, project: str | None = None) -> Table:
        folder = folder_of(path) if project is None else project
        if (path, folder) not in self._files:
            file = self.catalogue.compose[path]
            known = self._environment(folder)
            self.undefined.update(_undefined(file.root, path, known))
            root = interpolated(file.root, known)
            self._files[path, folder] = _passed_on(root, known) if isinstance(root, Table) else file.root
        return self._files[path, folder]

    def _environment(self, folder: str) -> dict[str, str | None]:
        """What `.env` in the project's folder says; compose reads no other file for interpolation."""
        found = self.catalogue.env_file(join(folder, ".env") or ".env")
        known: dict[str, str | None] = {}
        for setting in found.settings if found else ():
            value = filled(setting.value, known)
            known[setting.name] = None if UNKNOWN in value else value
        return known

    def _extended(self, path: str, key: Scalar, service: Table, seen: tuple[tuple[str, str], ...]) -> Table:
        wish = service.get("extends")
        if wish is None:
            return service
        name = text(wish) if isinstance(wish, Scalar) else text(wish.get("service")) if isinstance(wish, Table) else None
        file = text(wish.get("file")) if isinstance(wish, Table) else None
        source = join(folder_of(path), file) if file else path
        if name is None or source is None or source not in self.catalogue.compose:
            return service
        if (source, name) in seen or len(seen) > MAX_EXTENDS:
            self.problems.add(Skip(path, f"service {key.text!r} extends itself", wish.at.line))
            return service
        parent = self._root(source).table("services").get(name)
        if not isinstance(parent, Table):
            return service
        base = self._extended(source, Scalar(name, parent.at), parent, (*seen, (source, name)))
        if source != path:
            base = stamped_table(base, source)
        return merged(base, service)


def _undefined(root: Table, path: str, known: Mapping[str, str | None]) -> list[Evidence]:
    """Variables that no `.env` sets and that have no default, each with the first place that asks for it."""
    found: dict[str, Evidence] = {}
    todo: list[Node] = [value for key, value in root.entries if key.text == "services"]
    while todo:
        node = todo.pop()
        if isinstance(node, Scalar):
            for match in _UNDEFINED.finditer(node.text) if "$" in node.text else ():
                name = match[1] or match[2]
                if name not in known:
                    said = Evidence(place(node, path), f"the variable {name} is set nowhere in the repository, and has no default")
                    found[name] = min(found.get(name, said), said, key=lambda e: e.place)
        elif isinstance(node, Items):
            todo += node.items
        else:
            todo += (value for _, value in node.entries)
    return sorted(found.values(), key=lambda e: (e.place, e.message))[:MAX_UNDEFINED]


def _passed_on(root: Table, known: Mapping[str, str | None]) -> Table:
    """The file with the variables of `environment` that stand without a value filled in, as compose passes them on from `.env`."""
    if not known:
        return root
    services = tuple((k, _with_values(v, known)) for k, v in entries(root.get("services")))
    return Table(tuple((k, Table(services, v.at) if k.text == "services" else v) for k, v in root.entries), root.at)


def _with_values(service: Node, known: Mapping[str, str | None]) -> Node:
    said = service.get("environment") if isinstance(service, Table) else None
    if said is None or not isinstance(service, Table):
        return service
    pairs = []
    for key, value in entries(environment_table(said)):
        is_bare = isinstance(value, Scalar) and not value.quoted and value.value is None
        passed = known.get(key.text) if is_bare else None
        pairs.append((key, value if passed is None else Scalar(passed, value.at, True, path=value.path)))
    table = Table(tuple(pairs), said.at, said.custom, said.path)
    return Table(tuple((k, table if k.text == "environment" else v) for k, v in service.entries), service.at, service.custom, service.path)


def stamped_table(table: Table, path: str) -> Table:
    made = stamped(table, path)
    return made if isinstance(made, Table) else table


def key_at(key: Scalar, path: str) -> Scalar:
    return Scalar(key.text, key.at, key.quoted, key.custom, key.path or path)
