"""Which reader understands which kind of manifest."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from coordlint.extract.comments import read_comments
from coordlint.extract.compose import extract_compose
from coordlint.extract.dockerfile import extract_dockerfile
from coordlint.extract.env import extract_env, extract_settings
from coordlint.extract.helm import extract_helm
from coordlint.extract.kubernetes import extract_kubernetes
from coordlint.extract.requirements import extract_requirements
from coordlint.extract.shell import extract_shell
from coordlint.facts import Facts
from coordlint.source import Kind, Source

READERS: dict[Kind, Callable[[Source], Facts]] = {
    Kind.COMPOSE: extract_compose,
    Kind.KUBERNETES: extract_kubernetes,
    Kind.DOCKERFILE: extract_dockerfile,
    Kind.REQUIREMENTS: extract_requirements,
    Kind.HELM: extract_helm,
    Kind.SHELL: extract_shell,
    Kind.ENV: extract_env,
    Kind.OTHER: extract_settings,
}


def extract_manifest(source: Source) -> Facts:
    """What a manifest says, its comments included; nothing for kinds that are no manifests."""
    reader = READERS.get(source.kind)
    facts = reader(source) if reader else Facts(source.path, source.kind)
    suppressions, intents = read_comments(source)
    if not suppressions and not intents:
        return facts
    return replace(facts, suppressions=(*facts.suppressions, *suppressions), intents=intents)
