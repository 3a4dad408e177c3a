"""What a manifest is for, judged by its path, its name, its overlay or its namespace."""

from __future__ import annotations

import re

from coordlint.deployment import Role

_WORDS: tuple[tuple[Role, frozenset[str]], ...] = (
    (Role.TEST, frozenset(("test", "tests", "testing", "ci", "e2e", "integration", "cypress", "bench", "benchmark",
                           "benchmarks", "fixtures", "fixture", "qa", "github", "circleci"))),
    (Role.EXAMPLE, frozenset(("example", "examples", "sample", "samples", "demo", "demos", "tutorial", "docs", "doc",
                              "playground", "quickstart", "template", "templates", "contrib"))),
    (Role.DEVELOPMENT, frozenset(("dev", "devel", "development", "develop", "local", "localhost", "override", "debug",
                                  "devcontainer", "vagrant", "kind", "minikube", "sandbox", "devenv", "workspace"))),
    (Role.STAGING, frozenset(("staging", "stage", "stg", "preprod", "uat", "preview"))),
    (Role.PRODUCTION, frozenset(("prod", "production", "live"))),
)  # fmt: skip


def role_of(path: str, *hints: str) -> Role:
    """The role that the nearest telling word says; production when nothing does.

    Words are taken from the file's name first, then from hints (namespace, profile), then from folders, inner first.
    """
    folders, _, name = path.rpartition("/")
    groups = [_split(name.rsplit(".", 1)[0]), *(_split(h) for h in hints)]
    groups += [_split(folder) for folder in reversed(folders.split("/"))]
    for words in groups:
        for role, telling in _WORDS:
            if words & telling and not (role is Role.EXAMPLE and words == {"templates"}):
                return role
    return Role.PRODUCTION


def _split(text: str) -> frozenset[str]:
    return frozenset(word for word in re.split(r"[^a-z0-9]+", text.lower()) if word)
