"""Which compose files are laid over which: a file that cannot stand alone, and what it takes to stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coordlint.link.deploy.catalogue import Catalogue, common_depth, folder_of, join
from coordlint.link.deploy.compose_merge import named_table
from coordlint.link.deploy.options import options
from coordlint.link.deploy.roles import role_of
from coordlint.manifest import ComposeFile, Node, Table, entries, items, text
from coordlint.shellwords import words

_STANDARD = re.compile(r"(?:docker-|podman-)?(?:compose|stack)\.ya?ml", re.I)
_BASE = re.compile(r"[._-](base|common|shared)\.ya?ml$")
_OVERRIDE = re.compile(r"(^|[._-])(overrides?|overlay|patch)\.ya?ml$", re.I)
_IMAGE = ("image", "build", "extends")
_PLACED = frozenset(("image", "build", "deploy", "volumes", "platform", "pull_policy", "restart", "logging", "labels", "scale"))


@dataclass(frozen=True)
class _Names:
    """The services of one file: those that can start by themselves, those that cannot, and those that are waited for elsewhere."""

    whole: frozenset[str]
    partial: frozenset[str]
    awaited: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.whole | self.partial

    def beside(self, others: Iterable[_Names]) -> _Names:
        """The same, where others bring what is waited for."""
        return _Names(self.whole, self.partial, self.awaited.difference(*(other.whole for other in others)))

    @property
    def wanted(self) -> frozenset[str]:
        """What other files have to bring."""
        return self.partial | self.awaited


def layers(catalogue: Catalogue, includes: Mapping[str, frozenset[str]]) -> dict[str, tuple[str, ...]]:
    """Files that are laid over others, each with those below it, the base first; a file whose services are all complete stands alone.

    `includes` says which files one includes: these have what it waits for.
    """
    alone = {path: _names(file) for path, file in sorted(catalogue.compose.items())}
    known = {path: names.beside(alone[one] for one in includes.get(path, ()) if one in alone) for path, names in alone.items()}
    included = frozenset(one for several in includes.values() for one in several)
    bases = {path: base for path, base in chosen_together(catalogue).items() if path not in included}
    for find in (_base_of, _base_of_neighbours, _only_placed):
        found = {}
        for path in known:
            if path not in bases and path not in bases.values() and path not in included:
                base = find(path, known, bases, catalogue)
                if base is not None:
                    found[path] = base
        bases |= found
    roots = {path: _root(path, bases) for path in bases}
    lowest = {path: root for path, root in roots.items() if root != path}
    return {path: (root, *_between(path, root, known, lowest, catalogue)) for path, root in sorted(lowest.items())}


def _root(path: str, bases: Mapping[str, str]) -> str:
    """The file at the bottom; the file itself where they stand on each other in a circle."""
    seen = [path]
    while seen[-1] in bases:
        seen.append(bases[seen[-1]])
        if seen[-1] in seen[:-1]:
            return path
    return seen[-1]


def _names(file: ComposeFile) -> _Names:
    whole: set[str] = set()
    partial: set[str] = set()
    awaited: set[str] = set()
    for key, service in entries(file.root.get("services")):
        is_whole = isinstance(service, Table) and any(service.get(field) is not None for field in _IMAGE)
        (whole if is_whole else partial).add(key.text)
        if isinstance(service, Table):
            awaited |= _awaited(service)
    return _Names(frozenset(whole), frozenset(partial), frozenset(awaited - whole - partial))


def _awaited(service: Table) -> set[str]:
    """The services that one waits for or is linked to."""
    waits = named_table(service.get("depends_on") or Table((), service.at))
    links = (text(item) or "" for item in items(service.get("links")))
    return {key.text for key, _ in waits.entries} | {link.partition(":")[0] for link in links}


def _base_of(path: str, known: Mapping[str, _Names], bases: Mapping[str, str], catalogue: Catalogue) -> str | None:
    """The file that brings most of what a file lacks: of the standard name in its folder or the one above, else the nearest."""
    wanted, usual = known[path].wanted, _usual(path, known)
    if not wanted:
        return usual if _OVERRIDE.search(path) and usual != path else None
    able = [other for other in known if other != path and _brings(other, path, usual, known)]
    if not able:
        return usual if _OVERRIDE.search(path) and usual != path else None
    return max(able, key=lambda other: (len(known[other].whole & wanted), *_nearness(path, other), other == usual, _reversed(other)))


def _brings(other: str, path: str, usual: str | None, known: Mapping[str, _Names]) -> bool:
    """Whether a file can be the one below: it stands alone and has what is wanted; one that stands elsewhere has all of it, and nothing twice."""
    own, theirs = known[path], known[other]
    if not theirs.whole & own.wanted:
        return False
    if other == usual:
        return True
    if theirs.wanted or _OVERRIDE.search(other) or (path == usual and folder_of(path) == folder_of(other) and not _BASE.search(other)):
        return False
    folder = folder_of(path)
    is_near = folder_of(other) in (folder, folder_of(folder))
    return is_near or (own.wanted <= theirs.whole and not own.whole & theirs.whole)


def _nearness(path: str, other: str) -> tuple[bool, int]:
    return folder_of(path) == folder_of(other), common_depth(path, other)


def _reversed(path: str) -> tuple[int, ...]:
    """Sorts the shortest path, then the first of the alphabet, to the end."""
    return (-path.count("/"), *(-ord(c) for c in path))


def _usual(path: str, known: Iterable[str]) -> str | None:
    """The file that compose takes by itself, in the folder or the one above; else `docker-compose.base.yml`, `common.yml` and the like."""
    folder = folder_of(path)
    for place in (folder, folder_of(folder)):
        for other in known:
            if folder_of(other) == place and _STANDARD.fullmatch(other.rpartition("/")[2]):
                return other
    return next((o for o in known if folder_of(o) == folder and o != path and _BASE.search(o.rpartition("/")[2].lower())), None)


def _base_of_neighbours(path: str, known: Mapping[str, _Names], bases: Mapping[str, str], catalogue: Catalogue) -> str | None:
    """For a file that is called an override and lacks nothing: what the overrides beside it are laid over."""
    if not _OVERRIDE.search(path):
        return None
    near = Counter(base for other, base in sorted(bases.items()) if folder_of(other) == folder_of(path))
    return near.most_common(1)[0][0] if near else None


def _only_placed(path: str, known: Mapping[str, _Names], bases: Mapping[str, str], catalogue: Catalogue) -> str | None:
    """The file beside it that says how the same services work, where this one says only how to get and to place them."""
    own = _services(catalogue, path)
    if not own or not (len(own) > 1 or any(s.get("build") is not None for s in own.values())):
        return None
    if not all({key.text for key, _ in service.entries} <= _PLACED for service in own.values()):
        return None
    for other in sorted(known, key=lambda o: (not _STANDARD.fullmatch(o.rpartition("/")[2]), o)):
        theirs = _services(catalogue, other)
        if other != path and folder_of(other) == folder_of(path) and own.keys() <= theirs.keys():
            says_more = [name for name in own if any(key.text not in _PLACED for key, _ in theirs[name].entries)]
            if 2 * len(says_more) > len(own):
                return other
    return None


def _services(catalogue: Catalogue, path: str) -> dict[str, Table]:
    return {key.text: service for key, service in entries(catalogue.compose[path].root.get("services")) if isinstance(service, Table)}


def _between(
    path: str, base: str, known: Mapping[str, _Names], bases: Mapping[str, str], catalogue: Catalogue, seen: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Files over the same base that define what this one lacks, or says again, and what those need: they come between the two."""
    is_part = _OVERRIDE.search(path) is not None or _only_placed(path, known, bases, catalogue) is not None
    found: dict[str, None] = {}
    for name in sorted(known[path].all - known[base].whole):
        if name in known[path].whole and not is_part:
            continue
        others = [o for o, b in bases.items() if b == base and name in known[o].whole]
        owner = max((*others, path) if name in known[path].whole else others, key=lambda o: _standing(o, name, catalogue), default=None)
        if owner is not None and owner not in (path, *seen):
            found |= dict.fromkeys((*_between(owner, base, known, bases, catalogue, (*seen, path)), owner))
    return tuple(found)


def _standing(path: str, name: str, catalogue: Catalogue) -> tuple[bool, bool, int, tuple[int, ...]]:
    """How much speaks for a file as the home of a service: its name, what it is for, and how much it says."""
    bare = re.split(r"[._-]", path.rpartition("/")[2])[0]
    service: Node | None = _services(catalogue, path).get(name)
    return (not role_of(path).is_lenient, bare == name, len(entries(service)), _reversed(path))


def chosen_together(catalogue: Catalogue) -> dict[str, str]:
    """Files that `COMPOSE_FILE` of an `.env`, or `docker compose -f a -f b` of a script, lays over the first of them."""
    lists: list[list[str | None]] = []
    for path, file in sorted(catalogue.settings.items()):
        said = {s.name: s.value for s in file.settings} if file.what == "env" else {}
        if "COMPOSE_FILE" in said:
            separator = said.get("COMPOSE_PATH_SEPARATOR") or (";" if ";" in said["COMPOSE_FILE"] else ":")
            lists.append([join(folder_of(path), one.strip()) for one in said["COMPOSE_FILE"].split(separator)])
    for path, script in sorted(catalogue.scripts.items()):
        for command in script.commands:
            for line in (command.words, *(words(value) for _, value in command.assigned if " -f" in value or " --file" in value)):
                if "docker-compose" in line[:2] or line[:2] == ("docker", "compose"):
                    files = list(options(line, "-f", "--file"))
                    lists += [[join(folder, file) for file in files] for folder in (folder_of(path), "")]
    found: dict[str, str] = {}
    for several in lists:
        paths = [path for path in several if path in catalogue.compose and path is not None]
        for path in paths[1:] if len(paths) == len(several) or paths[:1] == several[:1] else ():
            if path != paths[0] and paths[0] not in found and path not in found.values():
                found.setdefault(path, paths[0])
    return found
