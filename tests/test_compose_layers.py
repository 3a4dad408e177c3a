"""Compose files that cannot stand alone, under whatever name: which file lies below them, and where a service stays defined."""

from __future__ import annotations

import pytest
from deployments import deployed, edges, one

from coordlint.deployment import Role

SHOP = """
    services:
      web:
        image: acme/shop
        environment: {DB_HOST: db}
      mailer: {image: acme/shop, command: python mailer.py}
"""


def names(files: dict[str, str]) -> set[tuple[str, str]]:
    return {(w.name, w.path) for w in deployed(files).workloads}


@pytest.mark.parametrize("name", ["deploy/swarm-patch.yaml", "deploy/proxy.yml", "deploy/db.override.yml", "deploy/docker-compose.db.yml"])
def test_a_service_without_an_image_belongs_to_the_file_that_gives_it_one(name: str) -> None:
    part = "services:\n  web: \n    restart: always\n    deploy: {replicas: 3}\n  db: {image: postgres}\n"
    web = one(deployed({"deploy/main.yml": SHOP, name: part}), "web")
    assert (web.path, web.replicas.declared, web.replicas.most) == ("deploy/main.yml", 1, 3)


def test_parts_of_one_project_see_each_other() -> None:
    files = {
        "ops/main.yml": SHOP,
        "ops/db.override.yml": "services:\n  db:\n    image: postgres\n  web: {restart: always}\n",
        "ops/more.override.yml": "services:\n  web:\n    image: acme/shop\n  indexer: {image: acme/indexer, environment: ['DATABASE_URL=postgres://db/shop']}\n",
    }
    assert edges(deployed(files)) == {("web", "db"), ("indexer", "db")}


def test_a_part_of_a_part_is_told_once_and_with_the_part_that_says_most() -> None:
    files = {
        "ops/main.yml": SHOP,
        "ops/queue.override.yml": "services:\n  web: {restart: always}\n  worker:\n    image: acme/shop\n    command: python worker.py\n    stop_grace_period: 1m\n",
        "ops/test.queue.override.yml": "services:\n  worker:\n    image: acme/shop:test\n",
    }
    assert names(files) == {("web", "ops/main.yml"), ("mailer", "ops/main.yml"), ("worker", "ops/queue.override.yml")}
    assert one(deployed(files), "worker").role is Role.PRODUCTION


def test_a_service_that_two_parts_define_stays_in_the_part_that_bears_its_name() -> None:
    queue = "  queue:\n    image: rabbitmq\n    expose: ['15672']\n    hostname: queue\n"
    files = {
        "ops/main.yml": SHOP,
        "ops/board.override.yml": f"services:\n  web: {{restart: always}}\n{queue}  board: {{image: acme/board, depends_on: [queue]}}\n",
        "ops/queue.override.yml": "services:\n  web: {restart: always}\n  queue:\n    image: rabbitmq\n",
        "ops/test.board.override.yml": "services:\n  board:\n    image: acme/board:test\n",
    }
    assert ("queue", "ops/queue.override.yml") in names(files)
    assert ("queue", "ops/board.override.yml") not in names(files)


def test_alternatives_that_are_not_called_parts_keep_what_they_define() -> None:
    files = {
        "compose.yml": "services:\n  web: {image: acme/shop}\n",
        "compose.near.yml": "services:\n  web: {ports: ['80:80']}\n  mail: {image: near/mail}\n",
        "compose.far.yml": "services:\n  web: {ports: ['81:80']}\n  mail: {image: far/mail}\n",
    }
    assert names(files) == {("web", "compose.yml"), ("mail", "compose.near.yml"), ("mail", "compose.far.yml")}


def test_a_file_elsewhere_that_waits_for_a_service_is_laid_over_the_one_that_has_it() -> None:
    files = {
        "docker/main.yml": "services:\n  web:\n    image: acme/shop\n    environment: {SCANNER_URL: 'http://scanner:4000'}\n",
        "extra/scan/compose.yml": "services:\n  scanner: {image: acme/scanner, depends_on: [web]}\n",
        "extra/scan/compose-tests.yml": "services:\n  scanner: {build: {context: ../extra/scan}, image: 'acme/scanner:test'}\n",
        "extra/scan/Dockerfile": "FROM python:3\nCOPY serve.py .\nCMD python serve.py\n",
        "extra/scan/serve.py": "",
    }
    assert names(files) == {("web", "docker/main.yml"), ("scanner", "extra/scan/compose.yml")}
    assert ("web", "scanner") in edges(deployed(files))
    assert [run.path for run in one(deployed(files), "scanner").runs] == ["extra/scan/serve.py"]


def test_parts_in_different_folders_see_each_other_through_what_lies_below_both() -> None:
    files = {
        "docker/main.yml": "services:\n  web:\n    image: acme/shop\n",
        "docker/queue.override.yml": "services:\n  web: {restart: always}\n  worker:\n    image: acme/shop\n    environment: {SCANNER_URL: 'http://scanner:4000'}\n",
        "extra/scan/compose.yml": "services:\n  scanner: {image: acme/scanner, depends_on: [web]}\n",
        "other/compose.yml": "services:\n  scanner: {image: acme/other}\n",
    }
    assert {(c.source.name, c.target.path) for c in deployed(files).connections if c.target and c.source.name == "worker"} == {("worker", "extra/scan/compose.yml")}


def test_a_file_elsewhere_that_has_a_web_of_its_own_is_another_system() -> None:
    files = {
        "docker/main.yml": "services:\n  web:\n    image: acme/shop\n  db: {image: postgres}\n",
        "trial/small.yml": "services:\n  web:\n    image: acme/trial\n    depends_on: [db]\n",
    }
    assert names(files) == {("web", "docker/main.yml"), ("db", "docker/main.yml"), ("web", "trial/small.yml")}


def test_the_file_that_has_all_that_is_wanted_lies_below_and_not_the_one_of_the_usual_name() -> None:
    files = {
        "docker-compose.yml": "services:\n  web: {image: acme/shop}\n",
        "docker-compose.dev.yml": "services:\n  web: {build: .}\n  shell: {build: ., command: bash}\n",
        "docker-compose.e2e.yml": "services:\n  web: {environment: {TOKEN: no}}\n  shell: {environment: {TOKEN: no}}\n  browser: {build: e2e, environment: {BASE_URL: 'http://web:80'}}\n",
    }
    deployment = deployed(files)
    assert {(c.source.name, c.target.path) for c in deployment.connections if c.target} == {("browser", "docker-compose.dev.yml")}
    assert ("shell", "docker-compose.dev.yml") in names(files)


def test_images_and_places_alone_are_no_system() -> None:
    files = {
        "docker-compose.yaml": "services:\n  web: {build: ., environment: {A: 1}}\n  job: {build: ., command: python job.py}\n",
        "docker-compose-swarm-patch.yaml": "services:\n  web: {image: 'acme/web:1', deploy: {replicas: 2}}\n  job: {image: 'acme/web:1'}\n",
    }
    assert names(files) == {("web", "docker-compose.yaml"), ("job", "docker-compose.yaml")}
    assert one(deployed(files), "web").replicas.most == 2


def test_a_script_that_keeps_its_list_of_files_in_a_variable_is_believed() -> None:
    files = {
        "one.yml": "services:\n  web:\n    image: acme/shop\n",
        "two.yml": "services:\n  web:\n    image: acme/shop\n    environment: {REDIS_HOST: redis}\n  redis: {image: redis}\n",
        "up.sh": "#!/bin/sh\nRUN='docker compose -f one.yml -f two.yml'\n$RUN up\n",
    }
    assert names(files) == {("web", "one.yml"), ("redis", "two.yml")}
    assert edges(deployed(files)) == {("web", "redis")}


def test_what_is_waited_for_may_come_from_a_file_that_is_included() -> None:
    files = {
        "docker-compose.yml": "include: [docker-compose-base.yml]\nservices:\n  web: {image: acme/shop, depends_on: [db]}\n",
        "docker-compose-base.yml": "services:\n  db: {image: postgres}\n",
        "docker-compose-mac.yml": "services:\n  web: {platform: linux/amd64, environment: {DB_HOST: db}}\n",
    }
    assert names(files) == {("web", "docker-compose.yml"), ("db", "docker-compose-base.yml")}
    assert edges(deployed(files)) == {("web", "db")}


def test_files_that_wait_for_each_other_end() -> None:
    files = {
        "a.yml": "services:\n  one:\n    image: x\n    depends_on: [two]\n",
        "b.yml": "services:\n  two:\n    image: x\n    depends_on: [one]\n",
        "c.override.yml": "services:\n  three:\n    container_name: third\n",
    }
    assert len(names(files)) == 3


def test_what_extends_a_file_for_ones_own_machine_is_development_and_what_extends_a_common_one_is_not() -> None:
    service = "services:\n  keeper:\n    extends: {file: %s, service: zk}\n"
    base = "services:\n  zk: {image: zookeeper:3.9}\n"
    assert one(deployed({"compose.yaml": service % "local-compose.yml", "local-compose.yml": base}), "keeper").role is Role.DEVELOPMENT
    assert one(deployed({"compose.yaml": service % "common.yml", "common.yml": base}), "keeper").role is Role.PRODUCTION
