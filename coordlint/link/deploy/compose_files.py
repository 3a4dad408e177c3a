"""Compose files into views of services: each base file alone, and with each of its overlays; `extends` followed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from coordlint.deployment import Role
from coordlint.link.deploy.catalogue import Catalogue, folder_of, join
from coordlint.link.deploy.compose_merge import merged, named_table
from coordlint.link.deploy.compose_reading import ComposeReader, Services, key_at, stamped_table
from coordlint.link.deploy.options import options
from coordlint.link.deploy.roles import is_test_name, role_of, role_of_heading
from coordlint.manifest import ComposeFile, Scalar, Table, entries, items, text

_NAME = re.compile(r"((?:docker-|podman-)?(?:compose|stack))(?:[._-](.+))?\.ya?ml", re.I)


@dataclass(frozen=True)
class View:
    """The services of one base file as one way of starting it sees them.

    `path` is the base file, `overlay` the file laid over it (empty for the base alone). A service that only the overlay
    defines belongs to the overlay.
    """

    path: str
    overlay: str
    role: Role
    services: Mapping[str, tuple[Scalar, Table]]
    volumes: Table

    def home(self, name: str) -> str:
        """The file that defines a service first."""
        return self.services[name][0].path or self.path


def compose_views(catalogue: Catalogue) -> tuple[list[View], ComposeReader]:
    """All views, bases before their overlays, sorted by path; and the reader, which knows what was wrong with the files."""
    reader = ComposeReader(catalogue)
    groups = [several for path in sorted(catalogue.compose) for _, several in reader.includes(path)]
    included = {one for several in groups for one in several}
    overlays = {path: base for path, base in _overlays(catalogue).items() if path not in included}
    overlays |= {one: several[0] for several in groups for one in several[1:] if several[0] not in overlays}
    bases = set(overlays.values())
    views: list[View] = []
    for path in sorted(catalogue.compose):
        if path in overlays:
            continue
        alone = reader.services(path)
        views.append(_view(catalogue, path, "", alone))
        for overlay in sorted(o for o, base in overlays.items() if base == path) if path in bases else ():
            over = {name: (key_at(key, overlay), stamped_table(table, overlay)) for name, (key, table) in reader.services(overlay, folder_of(path)).items()}
            views.append(_view(catalogue, path, overlay, _laid_over(alone, over, catalogue.compose[overlay])))
    return views, reader


def _view(catalogue: Catalogue, path: str, overlay: str, services: Services) -> View:
    volumes = catalogue.compose[path].root.table("volumes")
    return View(path, overlay, _role(catalogue, overlay or path, services), dict(sorted(services.items())), volumes)


def _role(catalogue: Catalogue, path: str, services: Services) -> Role:
    """By the path; where that says nothing, by the comment at the top, or by what is built here: only tests, or code under edit."""
    role = role_of(path)
    if role is not Role.PRODUCTION or role_of(path.rpartition("/")[2]) is not Role.PRODUCTION:
        return role
    built = [name for name, (_, service) in services.items() if service.get("build") is not None]
    if built and all(is_test_name(name) for name in built):
        return Role.TEST
    said = role_of_heading(catalogue.compose[path].heading)
    if said is None and any(_is_under_edit(service) for _, service in services.values()) and not _has_development(catalogue, path):
        return Role.DEVELOPMENT
    tags = [role_of(tag) for _, service in services.values() if (tag := _tag(text(service.get("image"))))]
    built_for = next((r for r in tags if r in (Role.DEVELOPMENT, Role.TEST)), role)
    return said or built_for


def _tag(image: str | None) -> str:
    """What an image is tagged as: "web-dev" of `shop/app:web-dev`."""
    tag = (image or "").rpartition(":")[2]
    return "" if tag == image or "/" in tag or "@" in (image or "") else tag


def _is_under_edit(service: Table) -> bool:
    """Whether the tree that a service is built from is mounted over what was built: who does so edits the code while it runs."""
    mounted = [item.text.partition(":")[0] if isinstance(item, Scalar) else text(item.get("source")) for item in items(service.get("volumes")) if isinstance(item, Scalar | Table)]
    return service.get("build") is not None and any(source.rstrip("/") in (".", "..") for source in mounted if source)


def _has_development(catalogue: Catalogue, path: str) -> bool:
    """Whether a file beside it is the one for development; what is laid over any file is not."""
    beside = [p.rpartition("/")[2] for p in catalogue.compose if folder_of(p) == folder_of(path) and "override" not in p]
    return any(role_of(name) is Role.DEVELOPMENT for name in beside)


def _laid_over(base: Services, over: Services, overlay: ComposeFile) -> Services:
    result = dict(base)
    for key, value in entries(overlay.root.get("services")):
        if value.custom == "!reset" or (isinstance(value, Scalar) and value.custom == "!reset"):
            result.pop(key.text, None)
    for name, (key, table) in over.items():
        if name in base and table.custom != "!override":
            result[name] = (base[name][0], merged(base[name][1], table))
        else:
            result[name] = (key if name not in base else base[name][0], table)
    return result


def _overlays(catalogue: Catalogue) -> dict[str, str]:
    """Which files are laid over which; a file whose services are all complete stands alone."""
    bases: dict[tuple[str, str], str] = {}
    for path in sorted(catalogue.compose):
        match = _NAME.fullmatch(path.rpartition("/")[2])
        if match and not match[2]:
            bases.setdefault((folder_of(path), ""), path)
    found = _chosen_together(catalogue)
    for path, file in sorted(catalogue.compose.items()):
        if path in found or path in found.values():
            continue
        base = bases.get((folder_of(path), "")) or bases.get((folder_of(folder_of(path)), "")) or _nearest_base(path, catalogue)
        if base is None or base == path or path in bases.values():
            continue
        named_override = re.search(r"[._-]override\.ya?ml$", path) is not None
        if named_override or _is_partial(file, catalogue.compose[base]):
            found[path] = base
    return found


def _chosen_together(catalogue: Catalogue) -> dict[str, str]:
    """Files that `COMPOSE_FILE` of an `.env`, or `docker compose -f a -f b` of a script, lays over the first of them."""
    lists: list[list[str | None]] = []
    for path, file in sorted(catalogue.settings.items()):
        said = {s.name: s.value for s in file.settings} if file.what == "env" else {}
        if "COMPOSE_FILE" in said:
            separator = said.get("COMPOSE_PATH_SEPARATOR") or (";" if ";" in said["COMPOSE_FILE"] else ":")
            lists.append([join(folder_of(path), one.strip()) for one in said["COMPOSE_FILE"].split(separator)])
    for path, script in sorted(catalogue.scripts.items()):
        for command in script.commands:
            if "docker-compose" in command.words[:2] or command.words[:2] == ("docker", "compose"):
                files = list(options(command.words, "-f", "--file"))
                for folder in (folder_of(path), ""):
                    lists.append([join(folder, file) for file in files])
    found: dict[str, str] = {}
    for several in lists:
        known = [path for path in several if path in catalogue.compose and path is not None]
        for path in known[1:] if len(known) == len(several) or known[:1] == several[:1] else ():
            if path != known[0] and known[0] not in found and path not in found.values():
                found.setdefault(path, known[0])
    return found


def _nearest_base(path: str, catalogue: Catalogue) -> str | None:
    """`docker-compose.base.yml`, `common.yml` and the like, for a folder without a file of the standard name."""
    folder = folder_of(path)
    for candidate in sorted(catalogue.compose):
        name = candidate.rpartition("/")[2].lower()
        if folder_of(candidate) == folder and candidate != path and re.search(r"[._-](base|common|shared)\.ya?ml$", name):
            return candidate
    return None


def _is_partial(file: ComposeFile, base: ComposeFile) -> bool:
    """Whether a service lacks what it takes to start, or waits for a service, and the base has it."""
    known = {key.text for key, _ in entries(base.root.get("services"))}
    own = {key.text for key, _ in entries(file.root.get("services"))}
    for key, service in entries(file.root.get("services")):
        if key.text in known:
            if not isinstance(service, Table):
                return True
            if not any(service.get(field) is not None for field in ("image", "build", "extends")):
                return True
        if isinstance(service, Table) and _awaited(service) & (known - own):
            return True
    return False


def _awaited(service: Table) -> set[str]:
    """The services that one waits for or is linked to."""
    waits = named_table(service.get("depends_on") or Table((), service.at))
    links = (text(item) or "" for item in items(service.get("links")))
    return {key.text for key, _ in waits.entries} | {link.partition(":")[0] for link in links}
