"""Compose files into workloads."""

from __future__ import annotations

import pytest
from deployments import deployed, edges, facts_of, one

from coordlint.deployment import Deployment, Role
from coordlint.finding import Severity


def compose(text: str, **more: str) -> dict[str, str]:
    return {"compose.yaml": text, **{path.replace("__", "/").replace("_", "."): body for path, body in more.items()}}


def test_a_service_stands_at_its_key() -> None:
    web = one(deployed(compose("services:\n  db: {image: postgres}\n  web: {image: nginx}\n")), "web")
    assert (str(web.place), web.kind, web.replicas.declared) == ("compose.yaml:3", "compose", 1)


def test_a_file_of_version_1_has_its_services_at_the_top() -> None:
    deployment = deployed({"docker-compose.yml": "web:\n  build: .\n  links: [redis]\nredis:\n  image: redis\n"})
    assert edges(deployment) == {("web", "redis")}


@pytest.mark.parametrize(
    ("written", "declared"),
    [("deploy: {replicas: 3}", 3), ("scale: 2", 2), ("deploy: {replicas: '${N:-4}'}", 4), ("deploy: {replicas: '${N}'}", None)],
)
def test_replicas_are_what_the_file_says_or_unknown(written: str, declared: int | None) -> None:
    web = one(deployed(compose(f"services:\n  web:\n    image: nginx\n    {written}\n")), "web")
    assert web.replicas.declared == declared


def test_variables_come_from_the_env_file_beside_the_manifest_or_its_template() -> None:
    files = {"compose.yaml": "services:\n  web: {image: 'nginx:${TAG}'}\n", ".env.example": "TAG=1.25\n"}
    assert one(deployed(files), "web").image == "nginx:1.25"


@pytest.mark.parametrize(
    ("written", "image"),
    [("nginx:${TAG}", "nginx"), ("${REGISTRY}acme/zk:3", "acme/zk:3"), ("${IMAGE}", None), ("acme/${NAME}:1", None)],
)
def test_an_image_is_known_as_far_as_its_name_is(written: str, image: str | None) -> None:
    assert one(deployed(compose(f"services:\n  web: {{image: '{written}'}}\n")), "web").image == image


def test_environment_is_read_as_list_and_as_map_with_its_lines() -> None:
    services = deployed(
        compose("services:\n  a:\n    image: x\n    environment:\n      - K=v=w\n      - BARE\n  b:\n    image: x\n    environment: {K: 1}\n")
    )
    a, b = one(services, "a"), one(services, "b")
    assert [(v.name, v.value, v.place.line) for v in a.environment] == [("K", "v=w", 5), ("BARE", None, 6)]
    assert [(v.name, v.value) for v in b.environment] == [("K", "1")]


@pytest.mark.parametrize(
    ("port", "number", "exposed"),
    [
        ('"2181:2181"', 2181, True),
        ('"127.0.0.1:2181:2181"', 2181, False),
        ('"[::1]:2181:2181"', 2181, False),
        ('"0.0.0.0:80:8080/tcp"', 8080, True),
        ('"2181"', 2181, True),
        ("{target: 2181, published: 12181}", 2181, True),
        ("{target: 2181, published: 2181, host_ip: 127.0.0.1}", 2181, False),
        ('"${PORT:-2181}:2181"', 2181, True),
        ('"127.0.0.1:${PORT}:2181"', 2181, False),
    ],
)
def test_a_published_port_is_exposed_unless_it_is_bound_to_loopback(port: str, number: int, exposed: bool) -> None:
    (found,) = one(deployed(compose(f"services:\n  zk:\n    image: x\n    ports:\n      - {port}\n")), "zk").ports
    assert (found.number, found.is_exposed) == (number, exposed)


@pytest.mark.parametrize(
    ("volume", "kind", "target"),
    [
        ("data:/data", "named", "/data"),
        ("./data:/data:ro", "bind", "/data"),
        ("/data", "anonymous", "/data"),
        ("{type: tmpfs, target: /data}", "tmpfs", "/data"),
        ("{type: volume, source: d, target: /data}", "named", "/data"),
    ],
)
def test_volumes_have_a_kind_and_a_target(volume: str, kind: str, target: str) -> None:
    (mount,) = one(deployed(compose(f"services:\n  zk:\n    image: x\n    volumes:\n      - {volume}\n")), "zk").mounts
    assert (mount.kind, mount.target) == (kind, target)


def test_dependencies_carry_their_condition() -> None:
    web = one(
        deployed(compose("services:\n  web:\n    image: x\n    depends_on:\n      zk: {condition: service_healthy}\n      db: {}\n")),
        "web",
    )
    assert [(d.name, d.condition) for d in web.depends_on] == [("zk", "healthy"), ("db", "started")]


def test_an_override_changes_a_service_and_adds_none_of_the_same_name() -> None:
    files = {
        "docker-compose.yml": "services:\n  web: {image: nginx}\n",
        "docker-compose.prod.yml": "services:\n  web: {deploy: {replicas: 3}}\n  extra: {image: busybox}\n",
    }
    deployment = deployed(files)
    web = one(deployment, "web")
    assert (web.path, web.replicas.declared, web.replicas.most) == ("docker-compose.yml", 1, 3)
    assert [str(e.place) for e in web.replicas.because] == ["docker-compose.prod.yml:2"]
    assert one(deployment, "extra").path == "docker-compose.prod.yml"


def test_replicas_of_a_development_overlay_are_not_those_of_the_service() -> None:
    files = {
        "docker-compose.yml": "services:\n  web: {image: nginx}\n",
        "docker-compose.dev.yml": "services:\n  web: {scale: 3}\n",
    }
    assert one(deployed(files), "web").replicas.most == 1


def test_a_file_whose_services_are_complete_stands_alone() -> None:
    files = {
        "docker-compose.yml": "services:\n  web: {image: nginx}\n",
        "docker-compose.dev.yml": "services:\n  web: {build: .}\n",
    }
    assert [(w.path, w.role) for w in deployed(files).workloads] == [
        ("docker-compose.dev.yml", Role.DEVELOPMENT),
        ("docker-compose.yml", Role.PRODUCTION),
    ]


def test_a_file_that_waits_for_services_of_the_base_is_laid_over_it() -> None:
    files = {
        "docker-compose.yml": "services:\n  web: {build: .}\n  db: {image: postgres}\n",
        "docker-compose.dev.yml": "services:\n  web: {build: ., depends_on: [db]}\n",
    }
    assert [(w.name, w.path) for w in deployed(files).workloads] == [("web", "docker-compose.yml"), ("db", "docker-compose.yml")]


def test_an_overlay_resets_and_overrides() -> None:
    files = {
        "compose.yaml": "services:\n  web: {image: x, ports: ['1:1'], environment: {A: 1}}\n  db: {image: postgres}\n",
        "compose.override.yaml": "services:\n  web: {ports: !override ['2:2'], environment: {B: 2}}\n  db: !reset null\n",
    }
    deployment = deployed(files)
    assert {v.name for v in one(deployment, "web").environment} == {"A", "B"}
    assert one(deployment, "db").path == "compose.yaml"


def test_extends_is_followed_across_files_with_the_places_of_the_origin() -> None:
    files = {
        "compose.yaml": "services:\n  web:\n    extends: {file: base/common.yaml, service: app}\n    command: python web.py\n",
        "base/common.yaml": "services:\n  app:\n    image: acme/app\n    environment:\n      REDIS_HOST: redis\n",
    }
    web = one(deployed(files), "web")
    assert web.image == "acme/app"
    assert [str(v.place) for v in web.environment] == ["base/common.yaml:5"]


def test_extends_in_a_circle_ends() -> None:
    deployment = deployed(compose("services:\n  a: {extends: b, image: x}\n  b: {extends: a}\n"))
    assert {w.name for w in deployment.workloads} == {"a", "b"}


def test_anchors_and_merge_keys_make_a_family_of_services() -> None:
    text = """
    x-app: &app
      image: acme/app
      environment: &env {REDIS_URL: "redis://redis:6379/0"}
    services:
      web: {<<: *app, command: gunicorn app:app}
      worker: {<<: *app, environment: {<<: *env, QUEUE: high}}
      redis: {image: redis}
    """
    assert edges(deployed(compose(text))) == {("web", "redis"), ("worker", "redis")}


def test_other_names_and_hosts_of_a_service_reach_it() -> None:
    text = """
    services:
      store:
        image: redis
        container_name: lockstore
        hostname: locks
        networks: {back: {aliases: [cache]}}
      a: {image: x, environment: {REDIS_HOST: lockstore}}
      b: {image: x, environment: {REDIS_URL: "redis://:pw@cache:6379/1"}}
      c: {image: x, environment: {SERVERS: "locks:6379"}}
    """
    assert edges(deployed(compose(text))) == {("a", "store"), ("b", "store"), ("c", "store")}


@pytest.mark.parametrize(
    ("path", "head", "role"),
    [
        ("docker-compose.yml", "", Role.PRODUCTION),
        ("docker-compose.test.yml", "", Role.TEST),
        ("compose.local.yaml", "", Role.DEVELOPMENT),
        ("deploy/staging/compose.yaml", "", Role.STAGING),
        ("examples/compose.yaml", "", Role.EXAMPLE),
        ("compose.yaml", "# For local development only.\n", Role.DEVELOPMENT),
        ("compose.yaml", "# Runs the shop.\n", Role.PRODUCTION),
    ],
)
def test_what_a_file_is_for_shows_in_its_path_or_heading(path: str, head: str, role: Role) -> None:
    assert one(deployed({path: head + "services:\n  web: {image: nginx}\n"}), "web").role is role


def test_a_file_that_only_builds_tests_is_for_tests() -> None:
    deployment = deployed(compose("services:\n  tests: {build: .}\n  zk: {image: zookeeper}\n"))
    assert one(deployment, "zk").role is Role.TEST


def test_a_file_that_mounts_the_tree_over_what_it_builds_is_for_development() -> None:
    under_edit = "services:\n  web: {build: ., volumes: ['.:/app']}\n  redis: {image: redis}\n"
    assert one(deployed(compose(under_edit)), "redis").role is Role.DEVELOPMENT
    data = "services:\n  web: {build: ., volumes: ['./data:/data', 'logs:/logs']}\n  redis: {image: redis}\n"
    assert one(deployed(compose(data)), "redis").role is Role.PRODUCTION


def test_an_image_that_is_tagged_so_is_for_development() -> None:
    assert one(deployed(compose("services:\n  web: {image: 'shop/app:web-dev'}\n  redis: {image: 'redis:7-alpine'}\n")), "redis").role is Role.DEVELOPMENT
    assert one(deployed(compose("services:\n  web: {image: 'dev:5000/app'}\n")), "web").role is Role.PRODUCTION


def test_where_another_file_is_for_development_the_mounted_tree_says_nothing() -> None:
    files = compose("services:\n  web: {build: ., volumes: ['.:/app']}\n") | {"docker-compose.dev.yml": "services:\n  dev: {build: .}\n"}
    assert one(deployed(files), "web").role is Role.PRODUCTION


@pytest.mark.parametrize("command", ["uvicorn shop:app --reload", "[sh, -c, 'uvicorn shop:app --reload']"])
def test_a_server_that_starts_anew_with_each_edit_is_for_development_whatever_stands_beside_it(command: str) -> None:
    web = f"services:\n  web: {{build: ., volumes: ['.:/app'], command: {command}}}\n"
    files = compose(web) | {"docker-compose.dev.yml": "services:\n  dev: {build: .}\n"}
    assert one(deployed(files), "web").role is Role.DEVELOPMENT


def test_suppressions_as_data_cover_the_service() -> None:
    files = compose("services:\n  zk:\n    image: zookeeper\n    x-coordlint:\n      ignore:\n        CL701: a test bed\n")
    (facts,) = facts_of(files)
    (wish,) = facts.suppressions
    assert (wish.codes, wish.reason, wish.first_line, wish.last_line) == (("CL701",), "a test bed", 2, 6)


@pytest.mark.parametrize(
    "text", ["- a\n- b\n", "services: [\n", "services:\n  web: 3\n", "services:\n  web:\n    ports: {a: b}\n    volumes: 3\n", ""]
)
def test_a_file_that_makes_no_sense_breaks_nothing(text: str) -> None:
    deployed({"docker-compose.yml": text})


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("restart: unless-stopped", Severity.WARNING),
        ("deploy: {replicas: 1}", Severity.WARNING),
        ("restart: ${POLICY:-always}", Severity.WARNING),
        ("restart: 'no'", Severity.INFO),
        ("tty: true", Severity.INFO),
    ],
)
def test_what_nobody_told_to_come_back_after_a_crash_is_judged_one_step_softer(said: str, severity: Severity) -> None:
    found = deployed({"compose.yaml": f"services:\n  keeper:\n    image: zookeeper\n    {said}\n"})
    assert one(found, "keeper").softened(Severity.WARNING) is severity


def test_a_restart_policy_of_an_overlay_counts_for_the_service_it_is_laid_over() -> None:
    base = "services:\n  keeper: {image: zookeeper}\n"
    over = "services:\n  keeper: {restart: always}\n"
    assert not one(deployed({"compose.yaml": base, "compose.prod.yaml": over}), "keeper").is_unattended


def included(**files: str) -> Deployment:
    """A file that includes others, with a service of its own."""
    return deployed({"compose.yaml": "include: [store/redis.yaml]\nservices:\n  web: {image: x, environment: {STORE_HOST: store}}\n", **files})


def test_services_of_an_included_file_belong_to_the_project():
    told = included(**{"store/redis.yaml": "services:\n  store:\n    image: redis\n    env_file: here.env\n", "store/here.env": "MODE=fast\n"})
    assert edges(told) == {("web", "store")}
    assert one(told, "store").path == "store/redis.yaml"
    assert [v.value for v in one(told, "store").environment] == ["fast"]


def test_an_included_file_reads_the_env_file_beside_it():
    told = included(**{"store/redis.yaml": "services:\n  store:\n    image: redis:${TAG}\n", "store/.env": "TAG=7\n"})
    assert one(told, "store").image == "redis:7"


def test_files_of_one_include_are_laid_over_each_other():
    files = {
        "compose.yaml": "include:\n  - path: [a/base.yaml, a/more.yaml]\n",
        "a/base.yaml": "services:\n  store:\n    image: redis\n",
        "a/more.yaml": "services:\n  store:\n    deploy: {replicas: 3}\n    image: redis:7\n",
    }
    found = one(deployed(files), "store")
    assert (found.replicas.most, found.image) == (3, "redis")


def test_what_is_included_and_not_here_is_told():
    assert [(e.place.path, e.place.line) for e in included().unknown] == [("compose.yaml", 1)]


def test_files_that_include_each_other_are_told():
    told = deployed({"compose.yaml": "include: [b.yaml]\nservices:\n  a: {image: x}\n", "b.yaml": "include: [compose.yaml]\nservices:\n  b:\n    image: x\n"})
    assert {w.name for w in told.workloads} == {"a", "b"}
    assert {s.path for s in told.skips} == {"compose.yaml"}, "where the circle closes"


def test_a_service_that_extends_itself_is_told():
    told = deployed({"compose.yaml": "services:\n  a: {image: x, extends: b}\n  b: {extends: {service: a}}\n"})
    assert [(s.path, s.reason) for s in told.skips] == [("compose.yaml", "service 'a' extends itself"), ("compose.yaml", "service 'b' extends itself")]


def test_a_variable_that_nothing_sets_is_told():
    told = deployed({"compose.yaml": "services:\n  a:\n    image: x:${TAG}\n    command: run ${MODE:-fast} $$HOME ${HOME_TOWN?}\n", ".env": "OTHER=1\n"})
    assert [e.message.split()[2] for e in told.unknown] == ["TAG", "HOME_TOWN"]


def test_a_command_that_ofelia_repeats_in_a_service_is_a_workload_of_its_own() -> None:
    labels = "ofelia.job-exec.bill.schedule: '@hourly', ofelia.job-exec.bill.command: python bill.py"
    files = compose(f"services:\n  shop: {{build: ., labels: {{{labels}}}}}\n", Dockerfile="FROM python\nWORKDIR /app\nCOPY . .\n")
    job = one(deployed({**files, "bill.py": "print(1)\n"}), "bill")
    assert (job.kind, job.schedule, job.concurrency_policy, [r.path for r in job.runs]) == ("repeated", "@hourly", "Allow", ["bill.py"])


def test_ofelia_may_be_told_to_wait_for_the_last_run() -> None:
    labels = "[ofelia.job-exec.bill.schedule=@hourly, ofelia.job-exec.bill.command=true, ofelia.job-exec.bill.no-overlap=true]"
    assert one(deployed(compose(f"services:\n  shop: {{image: shop, labels: {labels}}}\n")), "bill").concurrency_policy == "Forbid"


@pytest.mark.parametrize(
    ("service", "others", "expected"),
    [
        ("deploy: {placement: {max_replicas_per_node: 1}}", "", True),
        ("deploy: {replicas: 3, resources: {}}", "", False),
        ("labels: [autoheal=true]", "  healer: {image: willfarrell/autoheal}", True),
        ("labels: [autoheal=true]", "", False),
        ("tty: false", "  healer: {image: willfarrell/autoheal, environment: [AUTOHEAL_CONTAINER_LABEL=all]}", True),
        ("tty: false", "  healer: {image: willfarrell/autoheal}", False),
    ],
)
def test_a_failing_healthcheck_restarts_in_a_swarm_and_beside_autoheal(service: str, others: str, expected: bool) -> None:
    text = f"services:\n  web:\n    image: web\n    healthcheck: {{test: [CMD, 'true']}}\n    {service}\n{others}\n"
    (probe,) = one(deployed(compose(text)), "web").probes
    assert (probe.restarted is not None) is expected


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("[CMD, curl, -f, 'http://localhost:8000/health']", "/health"),
        ("wget -qO- http://127.0.0.1/ready || exit 1", "/ready"),
        ("curl http://other:8000/health", ""),
    ],
)
def test_a_healthcheck_asks_for_a_path_of_its_own_container(command: str, asked: str) -> None:
    (probe,) = one(deployed(compose(f"services:\n  web: {{image: web, healthcheck: {{test: {command}}}}}\n")), "web").probes
    assert probe.asked_path == asked


def test_a_file_of_comments_alone_is_read_and_says_nothing() -> None:
    (facts,) = facts_of({"docker-compose.override.yml": "# services:\n#   web: {ports: ['80:80']}\n"})
    assert (facts.skips, facts.manifests) == ((), ())
