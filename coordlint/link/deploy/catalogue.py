"""The manifests of a project by kind and path, and the arithmetic of paths inside a repository."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from coordlint.facts import Facts
from coordlint.manifest import (
    ComposeFile,
    Dockerfile,
    EntryPoints,
    HelmFile,
    HelmTemplate,
    KubernetesObject,
    Kustomization,
    PythonWords,
    Scalar,
    Setting,
    SettingsFile,
    ShellScript,
    at,
    entries,
)
from coordlint.source import Kind

_TEMPLATE_ENDINGS = (".example", ".sample", ".template", ".dist", ".tmpl", ".default", "-example", "-sample", "-template", "_example", "_sample", "_template")


@dataclass
class Catalogue:
    """Every manifest of the project; made once, then only read."""

    compose: dict[str, ComposeFile] = field(default_factory=dict)
    objects: list[KubernetesObject] = field(default_factory=list)
    kustomizations: dict[str, Kustomization] = field(default_factory=dict)
    helm: dict[str, HelmFile] = field(default_factory=dict)
    templates: dict[str, HelmTemplate] = field(default_factory=dict)
    dockerfiles: dict[str, Dockerfile] = field(default_factory=dict)
    settings: dict[str, SettingsFile] = field(default_factory=dict)
    scripts: dict[str, ShellScript] = field(default_factory=dict)
    console: dict[str, tuple[str, Setting]] = field(default_factory=dict)  # name -> declaring file, "module:function"
    words: dict[str, PythonWords] = field(default_factory=dict)  # by the path of the Python file
    modules: Mapping[str, str] = field(default_factory=dict)  # dotted name -> path
    module_of: Mapping[str, str] = field(default_factory=dict)  # path -> dotted name
    python_files: frozenset[str] = frozenset()
    by_basename: dict[str, list[str]] = field(default_factory=dict)  # Python files and shell scripts

    @cached_property
    def places(self) -> frozenset[str]:
        """Every file that was looked at, and the folders above them."""
        found = {*self.compose, *self.dockerfiles, *self.settings, *self.scripts, *self.python_files}
        for path in tuple(found):
            while (path := folder_of(path)) and path not in found:
                found.add(path)
        return frozenset(found)

    def env_file(self, path: str) -> SettingsFile | None:
        """An env file, or the committed template of one that is kept out of the repository."""
        exact = self.settings.get(path)
        if exact is not None and exact.what == "env":
            return exact
        folder, _, name = path.rpartition("/")
        stem = name.removeprefix(".")
        candidates = [name + ending for ending in _TEMPLATE_ENDINGS]
        candidates += [f"{head}{middle}{tail}" for middle in ("example", "sample", "template") for head, tail in _around(name)]
        candidates += [stem + ending for ending in _TEMPLATE_ENDINGS] + [stem, "example.env", "sample.env", "template.env", "env.example"]
        if name == ".env":
            candidates += ["dot.env", "dotenv", "dot_env"]
        for candidate in candidates:
            found = self.settings.get(join(folder, candidate) or "")
            if found is not None and found.what == "env" and found.path != path:
                return found
        return None

    def exists(self, path: str) -> bool:
        """Whether a Python file or script stands at a path."""
        return path in self.python_files or path in self.scripts


def _around(name: str) -> list[tuple[str, str]]:
    """Where a word may stand in an env file's name: `.env.prod` -> `.env.example.prod`, `.env.prod.example`."""
    head, dot, tail = name.rpartition(".")
    return [(head + ".", "." + tail), (head + "." + tail + ".", "")] if dot and head else []


def catalogue(facts: Iterable[Facts], modules: Mapping[str, str]) -> Catalogue:
    """Sorts manifests by kind; facts may come in any order."""
    facts = sorted(facts, key=lambda f: f.path)
    made = Catalogue(
        modules=modules,
        module_of={path: name for name, path in modules.items()}, python_files=_python_files(facts) | frozenset(modules.values())
    )
    for fact in facts:
        for manifest in fact.manifests:
            match manifest:
                case ComposeFile():
                    made.compose[manifest.path] = manifest
                case KubernetesObject():
                    made.objects.append(manifest)
                case Kustomization():
                    made.kustomizations[manifest.path] = manifest
                case HelmFile():
                    made.helm[manifest.path] = manifest
                case HelmTemplate():
                    made.templates[manifest.path] = manifest
                case Dockerfile():
                    made.dockerfiles[manifest.path] = manifest
                case SettingsFile():
                    made.settings[manifest.path] = manifest
                case ShellScript():
                    made.scripts[manifest.key] = manifest
                case PythonWords():
                    made.words[manifest.path] = manifest
                case EntryPoints():
                    for script in manifest.scripts:
                        made.console.setdefault(script.name, (manifest.path, script))
    for path in sorted({*made.python_files, *made.scripts}):
        made.by_basename.setdefault(path.rpartition("/")[2], []).append(path)
    return made


def _python_files(facts: Iterable[Facts]) -> frozenset[str]:
    return frozenset(fact.path for fact in facts if fact.kind is Kind.PYTHON)


def folder_of(path: str) -> str:
    """The folder of a path; empty for the root."""
    return path.rpartition("/")[0]


def join(folder: str, relative: str) -> str | None:
    """A path relative to a folder as a path from the root; None when it leaves the repository or is absolute."""
    if relative.startswith(("/", "~", "$", "\\")) or "\ufffd" in relative or "://" in relative:
        return None
    joined = posixpath.normpath(posixpath.join(folder, relative))
    if joined == "..":
        return None
    return None if joined.startswith("../") else "" if joined == "." else joined


def common_depth(first: str, second: str) -> int:
    """How many leading folders two paths share."""
    depth = 0
    for a, b in zip(first.split("/")[:-1], second.split("/")[:-1], strict=False):
        if a != b:
            break
        depth += 1
    return depth


class Held(NamedTuple):
    """One text that a ConfigMap holds: its key, the text, the file, and the line before its first."""

    key: str
    text: str
    path: str
    before: int


def held_in_map(name: str, path: str, known: Catalogue) -> Iterator[Held]:
    """The texts of the ConfigMap of a name, the one nearest to a manifest where there are several."""
    maps = [o for o in known.objects if o.kind == "ConfigMap" and o.name == name]
    nearest = max(maps, key=lambda o: (common_depth(o.path, path), o.path), default=None)
    if nearest is None:
        return
    for key, value in entries(at(nearest.root, "data")):
        if isinstance(value, Scalar):
            yield Held(key.text, value.text, nearest.path, value.at.line if value.quoted else value.at.line - 1)  # the text begins below its key
