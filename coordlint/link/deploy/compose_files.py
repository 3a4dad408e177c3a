"""Compose files into views of services: each base file alone, and with each of its overlays; `extends` followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coordlint.deployment import Key, Role
from coordlint.link.deploy.catalogue import Catalogue, folder_of
from coordlint.link.deploy.compose_merge import merged
from coordlint.link.deploy.compose_paths import moved
from coordlint.link.deploy.compose_reading import ComposeReader, Services, key_at, stamped_table
from coordlint.link.deploy.layers import layers
from coordlint.link.deploy.roles import is_test_name, role_of, role_of_heading
from coordlint.manifest import ComposeFile, Scalar, Table, entries, items, text


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

    @property
    def keys(self) -> frozenset[Key]:
        """The workloads that its services are."""
        return frozenset(Key(name, self.home(name), "compose") for name in self.services)

    def home(self, name: str) -> str:
        """The file that defines a service first."""
        return self.services[name][0].path or self.path


def compose_views(catalogue: Catalogue) -> tuple[list[View], ComposeReader]:
    """All views, bases before their overlays, sorted by path; and the reader, which knows what was wrong with the files."""
    reader = ComposeReader(catalogue)
    includes = {path: [several for _, several in reader.includes(path)] for path in sorted(catalogue.compose)}
    groups = [several for found in includes.values() for several in found]
    overlays = layers(catalogue, {path: frozenset(one for several in found for one in several) for path, found in includes.items()})
    overlays |= {one: (several[0],) for several in groups for one in several[1:] if several[0] not in overlays}
    views: list[View] = []
    for path in sorted(catalogue.compose):
        if path in overlays:
            continue
        alone = reader.services(path)
        views.append(_view(catalogue, path, "", alone))
        for overlay, beneath in sorted(overlays.items(), key=lambda pair: (len(pair[1]), pair[0])):
            if beneath[0] == path:
                together = alone
                for over in (*beneath[1:], overlay):
                    together = _laid_over(together, _part(reader, over, path), catalogue.compose[over])
                views.append(_view(catalogue, path, overlay, together))
    return views, reader


def _part(reader: ComposeReader, path: str, base: str) -> Services:
    """The services of a file that is laid over a base: its variables and relative paths are read from the base's folder."""
    made: Services = {}
    for name, (key, table) in reader.services(path, folder_of(base)).items():
        stays = moved(table, folder_of(path), folder_of(base), reader.catalogue)
        made[name] = (key_at(key, path), stamped_table(stays, path))
    return made


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
    called = [name for _, service in services.values() if (name := text(service.get("container_name")))]
    if called and all(role_of(name) is Role.EXAMPLE for name in called):
        return Role.EXAMPLE
    said = role_of_heading(catalogue.compose[path].heading)
    edited = [service for _, service in services.values() if _is_under_edit(service)]
    if said is None and edited and (any(_reloads(service) for service in edited) or not _has_development(catalogue, path)):
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


def _reloads(service: Table) -> bool:
    """Whether its server starts anew with each edit: `uvicorn shop:app --reload`."""
    said = service.get("command")
    words = said.text if isinstance(said, Scalar) else " ".join(i.text for i in items(said) if isinstance(i, Scalar))
    return "--reload" in words


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
