"""Small repositories in a test's text, as the Deployment that they describe."""

from __future__ import annotations

from textwrap import dedent

from coordlint.deployment import Deployment, Workload
from coordlint.examples import Example
from coordlint.extract.manifests import extract_manifest
from coordlint.facts import Facts
from coordlint.link.deploy.deployment import link_deployment
from coordlint.source import Kind


def facts_of(files: dict[str, str]) -> list[Facts]:
    """What each file says; Python files are only there."""
    example = Example("good", "test", {path: dedent(text).lstrip("\n") for path, text in files.items()})
    return [
        Facts(s.path, s.kind) if s.kind is Kind.PYTHON else extract_manifest(s) for s in example.sources
    ]


def deployed(files: dict[str, str]) -> Deployment:
    """The deployment of a repository."""
    return link_deployment(facts_of(files), {})


def one(deployment: Deployment, name: str, path: str = "") -> Workload:
    """The only workload of a name (in a file)."""
    found = [w for w in deployment.workloads if w.name == name and (not path or w.path == path)]
    assert len(found) == 1, f"{name}: {[w.place for w in found]}"
    return found[0]


def edges(deployment: Deployment) -> set[tuple[str, str]]:
    """Who talks to whom, by name; a host that nobody here provides stands in angle brackets."""
    return {(c.source.name, c.target.name if c.target else f"<{c.host}>") for c in deployment.connections}
