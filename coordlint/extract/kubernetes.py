"""One Kubernetes file's text into its objects; Lists are opened, values of Secrets are not kept."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from coordlint.extract.annotations import ANNOTATION, from_annotation
from coordlint.extract.yaml_nodes import parse
from coordlint.facts import Facts, Suppression
from coordlint.manifest import (
    Items,
    KubernetesObject,
    Kustomization,
    Manifest,
    Node,
    Scalar,
    Table,
    at,
    entries,
    items,
    tables,
    text,
)
from coordlint.source import Skip, Source, Span

_KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_EMPTIED = frozenset(("CustomResourceDefinition",))  # long, and nothing of it runs
_NAMES_A_HOST = re.compile(r"(host(name)?s?|server|addr(ess)?|endpoints?|ur[li]|dsn|brokers?|nodes|peers)$", re.I)
_HOST_PORT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?(,[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?)*")
_QUOTES = "\"'"
MAX_LISTS = 5  # Lists inside Lists


def extract_kubernetes(source: Source) -> Facts:
    """Every object of the file, in order."""
    parsed = parse(source.text, source.path)
    made: list[Manifest] = []
    wishes: list[Suppression] = []
    problems = [_explained(problem, source.text) for problem in parsed.problems]
    for document in parsed.documents:
        if isinstance(document, Table) and _is_kustomization(document, source.path):
            made.append(Kustomization(source.path, _with_patches(document, source.path)))
            continue
        for table in _opened(document):
            thing = read_object(table, source.path)
            if thing is None:
                continue
            made.append(thing)
            note = at(table, "metadata", "annotations", ANNOTATION)
            if isinstance(note, Scalar):
                wishes += from_annotation(note, source.path, table.at)
    if not made and not problems and any(isinstance(d, Table) for d in parsed.documents):
        problems.append(Skip(source.path, "no object with apiVersion, kind and a name"))
    return Facts(
        source.path, source.kind, manifests=tuple(made), suppressions=tuple(wishes), skips=tuple(problems)
    )


def read_object(table: Table, path: str, *, templated: bool = False) -> KubernetesObject | None:
    """One object, or None when it lacks a kind."""
    kind = text(table.get("kind"))
    if not kind:
        return None
    meta = table.table("metadata")
    root = table
    if kind in _EMPTIED:
        root = Table((), table.at)
    elif kind == "Secret":
        root = _without_secrets(table)
    return KubernetesObject(
        path,
        text(table.get("apiVersion")) or "",
        kind,
        text(meta.get("namespace")) or "",
        text(meta.get("name")) or text(meta.get("generateName")) or "",
        root,
        templated,
        table.at,
    )


def _is_kustomization(document: Table, path: str) -> bool:
    if path.rpartition("/")[2] in _KUSTOMIZATION_NAMES:
        return True
    return (text(document.get("apiVersion")) or "").startswith("kustomize.config.k8s.io/")


def _with_patches(root: Table, path: str) -> Table:
    """A kustomization whose inline patches, texts in themselves, are trees with the lines that they stand on."""
    pairs: list[tuple[Scalar, Node]] = []
    for key, value in root.entries:
        if key.text in ("patches", "patchesJson6902"):
            value = Items(tuple(_with_tree(item, path) for item in items(value)), value.at)
        elif key.text == "secretGenerator":
            value = Items(tuple(_without_literals(item) for item in tables(value)), value.at)
        pairs.append((key, value))
    return Table(tuple(pairs), root.at)


def _with_tree(item: Node, path: str) -> Node:
    patch = item.get("patch") if isinstance(item, Table) else None
    if not isinstance(item, Table) or not isinstance(patch, Scalar):
        return item
    parsed = parse("\n" * patch.at.line + patch.text, path)
    if not parsed.documents:
        return item
    return Table(tuple((k, parsed.documents[0] if k.text == "patch" else v) for k, v in item.entries), item.at)


def _opened(document: Node, depth: int = 0) -> Iterator[Table]:
    if not isinstance(document, Table):
        return
    inner = document.get("items")
    if (text(document.get("kind")) or "").endswith("List") and inner is not None and depth < MAX_LISTS:
        for table in tables(inner):
            yield from _opened(table, depth + 1)
    elif document.get("apiVersion") is not None or document.get("kind") is not None:
        yield document


def _explained(problem: Skip, content: str) -> Skip:
    if problem.reason.startswith("not valid YAML") and ("{{" in content or "{%" in content):
        return Skip(problem.path, f"{problem.reason} (it looks like a template)", problem.line)
    return problem


def _without_secrets(table: Table) -> Table:
    """A Secret with its values blanked, except the host names in connection strings."""
    pairs: list[tuple[Scalar, Node]] = []
    for key, value in table.entries:
        if key.text in ("data", "stringData"):
            cleaned = tuple((k, _blanked(k, v, encoded=key.text == "data")) for k, v in entries(value))
            pairs.append((key, Table(cleaned, value.at)))
        else:
            pairs.append((key, value))
    return Table(tuple(pairs), table.at)


def _without_literals(generator: Table) -> Table:
    """A generator of a Secret whose literals are blanked as the Secret's values are."""
    pairs: list[tuple[Scalar, Node]] = []
    for key, value in generator.entries:
        if key.text == "literals":
            value = Items(tuple(_blanked_pair(item) for item in items(value) if isinstance(item, Scalar)), value.at)
        pairs.append((key, value))
    return Table(tuple(pairs), generator.at)


def _blanked_pair(item: Scalar) -> Scalar:
    name, _, value = item.text.partition("=")
    return Scalar(f"{name}={_host_part(name, value.strip(_QUOTES))}", item.at, True, "!secret")


def _blanked(key: Scalar, value: Node, *, encoded: bool) -> Scalar:
    plain = value.text if isinstance(value, Scalar) else ""
    if encoded:
        try:
            plain = base64.b64decode(plain, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            plain = ""
    return Scalar(_host_part(key.text, plain.strip()), Span(value.at.line, value.at.column), True, "!secret")


def _host_part(name: str, value: str) -> str:
    """scheme://host:port of a URL; a bare host list when the key says it is one; else nothing."""
    if "://" in value:
        try:
            parts = urlsplit(value.split(",")[0])
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            return ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}"
    if _NAMES_A_HOST.search(name) and _HOST_PORT.fullmatch(value):
        return value
    return ""
