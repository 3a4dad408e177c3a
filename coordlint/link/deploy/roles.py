"""What a manifest is for, judged by its path, its name, its overlay or its namespace."""

from __future__ import annotations

import re

from coordlint.deployment import Role

_WORDS: tuple[tuple[Role, frozenset[str]], ...] = (
    (Role.TEST, frozenset(("test", "tests", "testing", "ci", "e2e", "integration", "cypress", "selenium", "bench", "benchmark",
                           "benchmarks", "fixtures", "fixture", "qa", "github", "circleci", "jepsen", "chaos", "simulator", "simulation"))),
    (Role.EXAMPLE, frozenset(("example", "examples", "sample", "samples", "demo", "demos", "tutorial", "docs", "doc",
                              "playground", "quickstart", "template", "templates", "contrib", "tutorials", "learning",
                              "learnings", "lesson", "lessons", "exercise", "exercises", "homework", "course"))),
    (Role.DEVELOPMENT, frozenset(("dev", "devel", "development", "develop", "local", "localhost", "override", "debug",
                                  "devcontainer", "vagrant", "kind", "minikube", "sandbox", "devenv", "workspace"))),
    (Role.STAGING, frozenset(("staging", "stage", "stg", "preprod", "uat", "preview"))),
    (Role.PRODUCTION, frozenset(("prod", "production", "live"))),
)  # fmt: skip


_LOADED_BY_ITSELF = frozenset(("docker", "compose", "podman", "override"))


def role_of(path: str, *hints: str) -> Role:
    """The role that the nearest telling word says; production when nothing does.

    Words are taken from the file's name first, then from hints (namespace, profile), then from folders, inner first.
    """
    folders, _, name = path.rpartition("/")
    own = _split(name.rsplit(".", 1)[0])
    if not own <= _LOADED_BY_ITSELF:
        own -= {"override"}  # a part that is put in by hand; compose takes only its own override without being asked
    groups = [own, *(_split(h) for h in hints)]
    groups += [_split(folder) for folder in reversed(folders.split("/"))]
    for words in groups:
        if {"single", "node"} <= words:
            return Role.DEVELOPMENT  # to try it out, beside the manifests of a cluster
        for role, telling in _WORDS:
            if words & telling and not (role is Role.EXAMPLE and words == {"templates"}):
                return role
    return Role.PRODUCTION


_SAYS = re.compile(
    r"\b(development|dev|local(?:ly)?|testing|tests?|demo|example|staging|production)\b", re.I
)
_MEANS = {"development": Role.DEVELOPMENT, "dev": Role.DEVELOPMENT, "local": Role.DEVELOPMENT, "locally": Role.DEVELOPMENT,
          "testing": Role.TEST, "test": Role.TEST, "tests": Role.TEST, "demo": Role.EXAMPLE, "example": Role.EXAMPLE,
          "staging": Role.STAGING, "production": Role.PRODUCTION}  # fmt: skip


def role_of_heading(heading: str) -> Role | None:
    """The role that a comment at the top of a file gives it, by its first telling word; None when it says nothing."""
    match = _SAYS.search(heading)
    return _MEANS[match[1].lower()] if match else None


def is_test_name(name: str) -> bool:
    """Whether a service is named as a run of tests."""
    return bool(_split(name) & {"test", "tests", "testing", "pytest", "tox", "e2e"})


def _split(text: str) -> frozenset[str]:
    return frozenset(word for word in re.split(r"[^a-z0-9]+", text.lower()) if word)
