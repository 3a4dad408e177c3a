"""One compose file's text into its tree. What services mean is decided after variants are merged (`link.compose`)."""

from __future__ import annotations

from coordlint.extract.annotations import from_table
from coordlint.extract.yaml_nodes import parse
from coordlint.facts import Facts, Suppression
from coordlint.manifest import ComposeFile, Node, Scalar, Table, at, entries
from coordlint.source import Skip, Source, Span

_TOP_LEVEL = frozenset(("services", "version", "volumes", "networks", "configs", "secrets", "include", "name", "models"))


def extract_compose(source: Source) -> Facts:
    """The file as a tree with a `services` table; the form without one (version 1) is lifted into it."""
    parsed = parse(source.text, source.path)
    problems = tuple(_explained(problem, source.text) for problem in parsed.problems)
    root = parsed.documents[0] if parsed.documents else None
    if root is None or (isinstance(root, Scalar) and root.value is None):
        return Facts(source.path, source.kind, skips=problems)  # nothing but comments: services to be switched on by hand
    if not isinstance(root, Table):
        return Facts(source.path, source.kind, skips=problems or (Skip(source.path, "compose file holds no mapping"),))
    root = _with_services(root)
    wishes = [w for name, service in entries(root.get("services")) for w in _wishes(name, service, source.path)]
    return Facts(
        source.path,
        source.kind,
        manifests=(ComposeFile(source.path, root, _heading(source.text)),),
        suppressions=(*from_table(at(root, "x-coordlint", "ignore"), source.path, root.at), *wishes),
        skips=problems,
    )


def _heading(text: str) -> str:
    """The comment lines at the top, which often say what the file is for."""
    lines = []
    for line in text.split("\n", 12)[:12]:
        if line.strip() and not line.startswith(("#", "---")):
            break
        lines.append(line.strip("# \t-"))
    return " ".join(line for line in lines if line)[:600]


def _wishes(name: Scalar, service: Node, path: str) -> tuple[Suppression, ...]:
    if not isinstance(service, Table):
        return ()
    span = Span(name.at.line, name.at.column, max(service.at.end_line, name.at.line), 0)
    return from_table(at(service, "x-coordlint", "ignore"), path, span)


def _explained(problem: Skip, text: str) -> Skip:
    if problem.reason.startswith("not valid YAML") and ("{{" in text or "{%" in text):
        return Skip(problem.path, f"{problem.reason} (it looks like a template)", problem.line)
    return problem


def _with_services(root: Table) -> Table:
    if root.get("services") is not None or not root.entries:
        return root
    if any(key.text in _TOP_LEVEL for key, _ in root.entries):
        return root
    services = tuple((k, v) for k, v in root.entries if isinstance(v, Table) and (v.get("image") or v.get("build")))
    if not services:
        return root
    return Table(((Scalar("services", root.at), Table(services, root.at)), *root.entries), root.at)
