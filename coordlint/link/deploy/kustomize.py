"""Kustomizations read statically: which objects an overlay builds, with its patches, replicas, images and generators.

A workload stays defined where its base defines it; what an overlay changes is one more view of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from coordlint.deployment import Role
from coordlint.link.deploy.catalogue import Catalogue, folder_of, join
from coordlint.link.deploy.images import bare_name
from coordlint.link.deploy.patching import json_patched, strategic
from coordlint.link.deploy.roles import role_of
from coordlint.manifest import (
    Items,
    KubernetesObject,
    Kustomization,
    Node,
    Scalar,
    Table,
    at,
    integer,
    items,
    place,
    stamped,
    tables,
    text,
)
from coordlint.source import Span

MAX_DEPTH = 12
MAX_OBJECTS = 5_000
_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_PODS = (("spec", "template", "spec"), ("spec", "jobTemplate", "spec", "template", "spec"), ("spec",))


@dataclass(frozen=True)
class Overlay:
    """What one top-level kustomization builds."""

    path: str
    role: Role
    objects: tuple[KubernetesObject, ...]


@dataclass
class Kustomizer:
    """Builds kustomizations; `patch_files` are the files that hold patches, and so define nothing."""

    catalogue: Catalogue
    patch_files: set[str] = field(default_factory=set)
    _by_path: dict[str, list[KubernetesObject]] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for thing in self.catalogue.objects:
            self._by_path.setdefault(thing.path, []).append(thing)
        for kustomization in self.catalogue.kustomizations.values():
            self._note(kustomization)

    def overlays(self) -> list[Overlay]:
        """The kustomizations that no other one builds upon, sorted by path."""
        found = []
        for path, kustomization in sorted(self.catalogue.kustomizations.items()):
            if folder_of(path) not in self._used:
                built = tuple(self._build(kustomization, ())[:MAX_OBJECTS])
                found.append(Overlay(path, role_of(path), built))
        return found

    def _note(self, kustomization: Kustomization) -> None:
        """Remembers which folders and patch files a kustomization refers to."""
        folder, root = folder_of(kustomization.path), kustomization.root
        for name in ("resources", "bases", "components"):
            for item in items(root.get(name)):
                target = join(folder, text(item) or "")
                if target is not None and self._at(target) is not None:
                    self._used.add(target)
        written = [text(item) for item in items(root.get("patchesStrategicMerge"))]
        for name in ("patches", "patchesJson6902"):
            written += [text(item.get("path")) for item in tables(root.get(name))]
        for one in written:
            target = join(folder, one) if one else None
            if target is not None:
                self.patch_files.add(target)

    def _at(self, folder: str) -> Kustomization | None:
        return next((k for n in _FILES if (k := self.catalogue.kustomizations.get(join(folder, n) or n))), None)

    def _build(self, kustomization: Kustomization, seen: tuple[str, ...]) -> list[KubernetesObject]:
        if kustomization.path in seen or len(seen) >= MAX_DEPTH:
            return []
        folder, root = folder_of(kustomization.path), kustomization.root
        things: list[KubernetesObject] = []
        for name in ("resources", "bases"):
            for item in items(root.get(name)):
                target = join(folder, text(item) or "")
                if target is None:
                    continue
                inner = self._at(target)
                things += self._build(inner, (*seen, kustomization.path)) if inner else self._by_path.get(target, [])
        things += _generated(root, kustomization.path, self.catalogue)
        for item in items(root.get("components")):
            target = join(folder, text(item) or "")
            component = self._at(target) if target is not None else None
            if component is not None and component.path not in seen:
                things = self._changed(things, component)
        return self._changed(things, kustomization)

    def _changed(self, things: list[KubernetesObject], by: Kustomization) -> list[KubernetesObject]:
        """The objects after the patches and transformers of one kustomization."""
        patches = list(self._patches(by))
        images = list(tables(by.root.get("images")))
        counts = {text(t.get("name")): t.get("count") for t in tables(by.root.get("replicas"))}
        made = []
        for thing in things:
            root: Node = thing.root
            for target, patch in patches:
                if target.fits(thing):
                    root = json_patched(root, patch, by.path) if isinstance(patch, Items) else strategic(root, patch)
            count = counts.get(thing.name)
            if count is not None and integer(count) is not None and isinstance(root, Table):
                root = strategic(root, _replicas(count, by.path))
            if images and isinstance(root, Table):
                root = _with_images(root, images)
            made.append(replace(thing, root=root) if isinstance(root, Table) and root is not thing.root else thing)
        return made

    def _patches(self, by: Kustomization) -> Iterator[tuple[_Target, Node]]:
        folder = folder_of(by.path)
        for item in items(by.root.get("patchesStrategicMerge")):
            yield from self._from_file(join(folder, text(item) or ""), _Target())
        for name in ("patches", "patchesJson6902"):
            for item in tables(by.root.get(name)):
                wanted = _Target.of(item.table("target"))
                inline = item.get("patch")
                if isinstance(inline, (Table, Items)):
                    if isinstance(inline, Table) and not wanted.is_told:
                        wanted = _Target(text(inline.get("kind")) or "", text(at(inline, "metadata", "name")) or "")
                    yield wanted, stamped(inline, by.path)
                else:
                    yield from self._from_file(join(folder, text(item.get("path")) or ""), wanted)

    def _from_file(self, path: str | None, wanted: _Target) -> Iterator[tuple[_Target, Node]]:
        for patch in self._by_path.get(path or "", ()):
            yield (wanted if wanted.is_told else _Target(patch.kind, patch.name)), stamped(patch.root, patch.path)


@dataclass(frozen=True)
class _Target:
    """Which objects a patch is for; empty fields fit all."""

    kind: str = ""
    name: str = ""

    @staticmethod
    def of(table: Table) -> _Target:
        return _Target(text(table.get("kind")) or "", text(table.get("name")) or "")

    @property
    def is_told(self) -> bool:
        return bool(self.kind or self.name)

    def fits(self, thing: KubernetesObject) -> bool:
        return self.is_told and self.kind in ("", thing.kind) and self.name in ("", ".*", thing.name)


def _replicas(count: Node, path: str) -> Table:
    number = Scalar(count.text, count.at, path=path) if isinstance(count, Scalar) else count
    spec = Table(((Scalar("replicas", count.at), number),), count.at)
    return Table(((Scalar("spec", count.at), spec),), count.at)


def _with_images(root: Table, images: list[Table]) -> Table:
    renamed = {}
    for image in images:
        name = text(image.get("name"))
        if name:
            tag = text(image.get("newTag"))
            renamed[name] = (text(image.get("newName")) or name) + (f":{tag}" if tag else "")
    patch: list[Node] = []
    for where in _PODS:
        for container in tables(at(root, *where, "containers")):
            old, name = container.get("image"), text(container.get("name"))
            if not isinstance(old, Scalar) or name is None or bare_name(old.text) not in renamed:
                continue
            new = Scalar(renamed[bare_name(old.text)], old.at, True, path=old.path)
            patch.append(Table(((Scalar("name", old.at), Scalar(name, old.at)), (Scalar("image", old.at), new)), old.at))
        if patch:
            body: Node = Items(tuple(patch), root.at)
            for key in ("containers", *reversed(where)):
                body = Table(((Scalar(key, root.at), body),), root.at)
            made = strategic(root, body)
            return made if isinstance(made, Table) else root
    return root


def _generated(root: Table, path: str, known: Catalogue) -> Iterator[KubernetesObject]:
    """ConfigMaps and Secrets of generators, from literals and env files; what whole files hold is not known."""
    for word, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
        for generator in tables(root.get(word)):
            name = text(generator.get("name"))
            pairs = [*_from_literals(generator), *_from_env_files(generator, path, known, kind)]
            if name and pairs:
                data = Table(((Scalar("data", generator.at), Table(tuple(pairs), generator.at)),), generator.at)
                yield KubernetesObject(path, "v1", kind, "", name, data, at=place(generator, path).span)


def _from_literals(generator: Table) -> Iterator[tuple[Scalar, Node]]:
    for literal in items(generator.get("literals")):
        key, equals, value = (literal.text if isinstance(literal, Scalar) else "").partition("=")
        if equals:
            yield Scalar(key, literal.at), Scalar(value.strip("\"'"), literal.at, True, literal.custom)


def _from_env_files(generator: Table, path: str, known: Catalogue, kind: str) -> Iterator[tuple[Scalar, Node]]:
    """Names and values of the files; of a Secret the names only."""
    for item in (*items(generator.get("envs")), generator.get("env")):
        file = known.settings.get(join(folder_of(path), text(item) or "") or "") if item is not None else None
        if file is None or file.what != "env":
            continue
        for setting in file.settings:
            here, hidden = Span(setting.line), kind == "Secret"
            value = Scalar("" if hidden else setting.value, here, True, "!secret" if hidden else "", path=file.path)
            yield Scalar(setting.name, here, path=file.path), value
