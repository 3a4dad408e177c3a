"""Manifests that are broken or meant to harm: each is told, costs its own file at most, and ends in bounded time and memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from coordlint.cli import cli

POD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n      - name: x\n        image: y\n"
NAMED = "services:\n  web: {image: x}\n"


def doubled(first: str, each: str) -> str:
    """Sixty variables of which each is the one before, twice."""
    return first + "".join(each.format(n=n + 1, m=n) for n in range(60))


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 8)}]\n" for n in range(20))
MERGES = "m0: &m0 {k: 1}\n" + "".join(f"m{n + 1}: &m{n + 1} {{<<: [*m{n}, *m{n}, *m{n}], k{n}: 1}}\n" for n in range(300))
DEEP = "{a: " * 30_000 + "}" * 30_000

TOLD = {
    "duplicate keys in compose": ({"compose.yaml": "services:\n  web: {image: x}\n  web: {image: y}\n"}, "duplicate key 'web' (first on line 2)"),
    "duplicate keys in Kubernetes": ({"web.yaml": POD + "        image: z\n"}, "duplicate key 'image'"),
    "an unknown tag in compose": ({"compose.yaml": "services:\n  web: {image: !image x}\n"}, "unknown tag !image"),
    "an unknown tag in Kubernetes": ({"web.yaml": POD.replace("image: y", "image: !image y")}, "unknown tag !image"),
    "an alias bomb in compose": ({"compose.yaml": BOMB + NAMED}, "more than 400000 nodes"),
    "an alias bomb in Kubernetes": ({"web.yaml": "apiVersion: v1\nkind: Bomb\n" + BOMB}, "more than 400000 nodes"),
    "a bomb of merge keys": ({"compose.yaml": MERGES + NAMED}, "more than 400000 nodes"),
    "deep nesting in compose": ({"compose.yaml": "services: " + DEEP}, "nested deeper than"),
    "deep nesting in Kubernetes": ({"web.yaml": "apiVersion: v1\nkind: X\nspec: " + DEEP}, "nested deeper than"),
    "a service that extends itself": ({"compose.yaml": "services:\n  web: {image: x, extends: web}\n"}, "'web' extends itself"),
    "a ring of services": ({"compose.yaml": "services:\n" + "".join(f"  s{n}: {{image: x, extends: s{(n + 1) % 90}}}\n" for n in range(90))}, "extends itself"),
    "a file that includes itself": ({"compose.yaml": "include: [compose.yaml]\n" + NAMED}, "includes itself"),
    "a kustomization that is no list": ({"kustomization.yaml": "resources: [\n", "web.yaml": POD}, "not valid YAML"),
    "a file of 21 MB": ({"compose.yaml": NAMED + "#" + "x" * 21_000_000}, "larger than"),
}  # fmt: skip


def inventory(folder: Path, files: dict[str, str]) -> dict:
    """What the tool tells of files; it must never break."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    ran = CliRunner().invoke(cli, ["inventory", "--isolated", "--no-cache", "--format", "json", "--root", str(folder), str(folder)], standalone_mode=False)
    assert ran.exception is None
    return json.loads(ran.stdout)


@pytest.mark.parametrize("name", TOLD)
def test_what_cannot_be_read_is_told_and_costs_nothing_else(tmp_path, name):
    files, reason = TOLD[name]
    told = inventory(tmp_path, {**files, "other/compose.yaml": "services:\n  store: {image: redis}\n"})
    assert any(reason in skip["reason"] for skip in told["coverage"]["skipped"]), told["coverage"]["skipped"]
    assert ("store", "redis") in {(c["workload"], c["backend"]) for c in told["coordinators"]}


@pytest.mark.parametrize(
    "files",
    [
        {"compose.yaml": "services:\n  web: {image: 'x:${A60}', environment: {H: $A60}}\n", ".env": doubled("A0=xxxxxxxxxx\n", "A{n}=$A{m}$A{m}\n")},
        {"compose.yaml": "services:\n  web: {image: x, env_file: e.env}\n", "e.env": doubled("A0=xxxxxxxxxx\n", "A{n}=$A{m}$A{m}\n")},
        {"compose.yaml": "services:\n  web: {build: .}\n", "Dockerfile": doubled("FROM x\nENV A0=xxxxxxxxxx\n", "ENV A{n}=$A{m}$A{m}\n") + "CMD $A60\n"},
        {"compose.yaml": "services:\n  web: {image: x, command: ./s.sh}\n", "s.sh": doubled("A0=xxxxxxxxxx\n", "A{n}=$A{m}$A{m}\n") + "python $A60\n"},
        {"web.yaml": POD + "        env:\n" + doubled("        - {name: A0, value: xxxxxxxxxx}\n", "        - {{name: A{n}, value: '$(A{m})$(A{m})'}}\n")},
    ],
    ids=["env", "env-file", "dockerfile", "script", "kubernetes"],
)
def test_variables_that_double_each_other_end(tmp_path, files):
    assert [w["name"] for w in inventory(tmp_path, files)["workloads"]] == ["web"]


def test_files_that_include_two_others_each_are_read_once(tmp_path):
    files = {f"{x}{n}.yaml": f"include: [a{n + 1}.yaml, b{n + 1}.yaml]\nservices:\n  {x}{n}:\n    image: y\n" for n in range(40) for x in "ab"}
    assert len(inventory(tmp_path, files)["workloads"]) == 80


def test_kustomizations_that_build_upon_two_others_each_end(tmp_path):
    files = {f"{x}{n}/kustomization.yaml": f"resources: [../a{n + 1}, ../b{n + 1}]\n" for n in range(11) for x in "ab"}
    files |= {"a11/kustomization.yaml": "resources: [web.yaml]\n", "a11/web.yaml": POD}
    assert len(inventory(tmp_path, files)["workloads"]) == 1


def test_a_variable_that_nothing_sets_is_listed(tmp_path):
    told = inventory(tmp_path, {"compose.yaml": "services:\n  web: {image: 'x:${TAG}'}\n"})
    assert [u["line"] for u in told["unresolved"]] == [2]
