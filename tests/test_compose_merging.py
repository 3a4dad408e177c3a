"""How two definitions of one service combine, field by field, as the compose specification has it."""

from __future__ import annotations

import pytest

from coordlint.extract.yaml_nodes import parse
from coordlint.link.deploy.compose_merge import merged
from coordlint.manifest import Items, Node, Scalar, Table


def read(text: str) -> Table:
    (document,) = parse(text, "compose.yaml").documents
    assert isinstance(document, Table)
    return document


def plain(node: Node) -> object:
    """A tree without its places."""
    if isinstance(node, Table):
        return {key.text: plain(value) for key, value in node.entries}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return node.text if isinstance(node, Scalar) else None


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ("ports: ['80:80']", "ports: ['81:81']", "ports: ['80:80', '81:81']"),
        ("ports: ['80:80']", "ports: ['80:80']", "ports: ['80:80']"),
        ("volumes: ['a:/data', 'b:/log']", "volumes: ['c:/data:ro']", "volumes: ['c:/data:ro', 'b:/log']"),
        ("volumes: ['a:/data']", "volumes: [{type: bind, source: c, target: /data}]", "volumes: [{type: bind, source: c, target: /data}]"),
        ("environment: {A: 1, B: 2}", "environment: [B=3, C=4]", "environment: {A: 1, B: 3, C: 4}"),
        ("environment: [A=1, B=2]", "environment: {B: 3}", "environment: {A: 1, B: 3}"),
        ("labels: [a=1]", "labels: {a: 2, b: 3}", "labels: {a: 2, b: 3}"),
        ("command: [run, --fast]", "command: [stop]", "command: [stop]"),
        ("command: run --fast", "command: [stop]", "command: [stop]"),
        ("entrypoint: [sh, -c]", "entrypoint: tini", "entrypoint: tini"),
        ("depends_on: [zk]", "depends_on: {db: {condition: service_healthy}}", "depends_on: {zk: {}, db: {condition: service_healthy}}"),
        ("depends_on: {zk: {condition: service_healthy}}", "depends_on: {zk: {restart: true}}", "depends_on: {zk: {condition: service_healthy, restart: true}}"),
        ("healthcheck: {test: [CMD, a, b], retries: 3}", "healthcheck: {test: [CMD, c]}", "healthcheck: {test: [CMD, c], retries: 3}"),
        ("deploy: {replicas: 1, resources: {limits: {cpus: 1}}}", "deploy: {replicas: 3}", "deploy: {replicas: 3, resources: {limits: {cpus: 1}}}"),
        ("deploy: {labels: [a=1]}", "deploy: {labels: {b: 2}}", "deploy: {labels: {a: 1, b: 2}}"),
        ("networks: [front]", "networks: {back: {aliases: [x]}}", "networks: {front: {}, back: {aliases: [x]}}"),
        ("networks: {back: {aliases: [x]}}", "networks: {back: {aliases: [y]}}", "networks: {back: {aliases: [x, y]}}"),
        ("env_file: [a.env]", "env_file: [b.env]", "env_file: [a.env, b.env]"),
        ("env_file: a.env", "env_file: [b.env]", "env_file: [a.env, b.env]"),
        ("build: ./app", "build: {target: prod}", "build: {context: ./app, target: prod}"),
        ("build: {context: ., args: [A=1]}", "build: {args: {B: 2}}", "build: {context: ., args: {A: 1, B: 2}}"),
        ("extra_hosts: ['a=1.1.1.1']", "extra_hosts: {b: 2.2.2.2}", "extra_hosts: {a: 1.1.1.1, b: 2.2.2.2}"),
        ("image: a", "image: b", "image: b"),
        ("ports: ['80:80']", "ports: !reset []", "{}"),
        ("environment: {A: 1, B: 2}", "environment: {A: !reset null}", "environment: {B: 2}"),
        ("ports: ['80:80']", "ports: !override ['81:81']", "ports: ['81:81']"),
        ("deploy: {replicas: 1, mode: global}", "deploy: !override {replicas: 2}", "deploy: {replicas: 2}"),
        ("depends_on: [zk, db]", "depends_on: !reset []", "{}"),
    ],
)
def test_each_field_merges_by_its_own_rule(base: str, over: str, result: str) -> None:
    assert plain(merged(read(base), read(over))) == plain(read(result))


def test_what_an_override_brings_keeps_its_line_and_what_it_leaves_keeps_the_first() -> None:
    together = merged(read("image: a\nenvironment:\n  A: 1\n"), read("\n\n\n\nenvironment:\n  B: 2\n"))
    environment = together.get("environment")
    assert isinstance(environment, Table)
    assert [(key.text, value.at.line) for key, value in environment.entries] == [("A", 3), ("B", 6)]
