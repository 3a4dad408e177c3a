"""What else joins manifests to code and to each other: names of images, files started together, what order does not say."""

from __future__ import annotations

from deployments import deployed, edges, facts_of, one

from coordlint.facts import Facts
from coordlint.link.deploy.deployment import link_deployment
from coordlint.source import Kind, Source, Unread

DOCKERFILE = "FROM python:3.12\nWORKDIR /app\nCOPY . .\nCMD python main.py\n"


def pod(name: str, image: str, *environment: str) -> str:
    """A deployment of one container."""
    lines = "".join(f"\n        - {{name: {e.partition('=')[0]}, value: '{e.partition('=')[2]}'}}" for e in environment)
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n"
        f"    spec:\n      containers:\n      - name: {name}\n        image: {image}\n" + (f"        env:{lines}\n" if lines else "")
    )


def runs(files: dict[str, str], name: str) -> list[str]:
    return [run.path for run in one(deployed(files), name).runs]


def test_an_image_is_built_by_the_folder_above_its_manifest_when_both_share_a_word():
    files = {"src/billing-service/Dockerfile": DOCKERFILE, "src/billing-service/main.py": "", "src/till/main.py": "",
             "src/billing-service/deploy/pod.yaml": pod("billing", "acme/billing")}  # fmt: skip
    assert runs(files, "billing") == ["src/billing-service/main.py"]


def test_an_image_of_another_name_is_not_built_by_the_folder_above_its_manifest():
    files = {"src/billing-service/Dockerfile": DOCKERFILE, "src/billing-service/main.py": "",
             "src/billing-service/deploy/pod.yaml": pod("mailer", "acme/mailer")}  # fmt: skip
    assert runs(files, "mailer") == []


def test_an_image_named_as_the_package_is_built_by_the_dockerfile_in_the_root():
    files = {"Dockerfile": DOCKERFILE, "main.py": "", "src/ledger/__init__.py": "", "docker/compose/docker-compose.small.yml":
             "services:\n  web: {image: acme/ledger-hq:latest}\n  other: {image: acme/mailer}\n"}  # fmt: skip
    assert runs(files, "web") == ["main.py"]
    assert runs(files, "other") == []


def test_an_entry_point_in_shell_form_hands_on_what_its_text_names():
    files = {
        "compose.yaml": "services:\n  web:\n    build: .\n    command: python main.py\n",
        "Dockerfile": 'FROM python:3.12\nWORKDIR /app\nCOPY . .\nENTRYPOINT /app/start.sh $0 $@\nCMD ["python", "other.py"]\n',
        "start.sh": '#!/bin/bash\nBEFORE=()\nif [ "$1" = x ]; then BEFORE=( uv run ); fi\nexec "${BEFORE[@]}" "$@"\n',
        "main.py": "",
        "other.py": "",
    }
    assert runs(files, "web") == ["main.py"]


def test_a_variable_without_a_value_is_passed_on_from_the_env_file_of_the_project():
    files = {".env": "STORE_HOST=store\n", "compose.yaml":
             "services:\n  web:\n    image: x\n    environment:\n      STORE_HOST:\n  job:\n    image: x\n    environment: [STORE_HOST]\n  store: {image: redis}\n"}  # fmt: skip
    assert edges(deployed(files)) == {("web", "store"), ("job", "store")}


def test_a_variable_without_a_value_stays_unknown_when_nothing_tells_it():
    files = {"compose.yaml": "services:\n  web:\n    image: x\n    environment:\n      STORE_HOST:\n  store: {image: redis}\n"}
    assert edges(deployed(files)) == set()


TOGETHER = {
    "docker-compose.yml": "services:\n  web:\n    image: x\n    environment: {MODEL_URI: 'models:8001'}\n",
    "docker/models.yml": "services:\n  models:\n    image: server\n",
}


def test_files_of_one_compose_file_variable_see_each_other():
    assert edges(deployed({**TOGETHER, ".env": "COMPOSE_FILE=docker-compose.yml;docker/models.yml\n"})) == {("web", "models")}


def test_files_of_one_command_see_each_other():
    script = "#!/bin/sh\ndocker compose -f docker-compose.yml -f docker/models.yml up\n"
    assert edges(deployed({**TOGETHER, "scripts/up.sh": script})) == {("web", "models")}


def test_files_that_nothing_starts_together_do_not_see_each_other():
    assert edges(deployed(TOGETHER)) == set()


def test_a_config_map_of_the_own_folder_goes_before_one_below_it():
    reads = pod("web", "x").rstrip() + "\n        envFrom: [{configMapRef: {name: settings}}]\n"
    settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {STORE_URL: 'http://%s'}\n"
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {selector: {app: %s}}\n"
    files = {"k8s/web.yaml": reads, "k8s/settings.yaml": settings % "near", "k8s/base/settings.yaml": settings % "far"}
    files |= {f"k8s/{n}.yaml": pod(n, "y") + "---\n" + service % (n, n) for n in ("near", "far")}
    assert edges(deployed(files)) == {("web", "near")}


def test_a_workload_reads_the_settings_that_its_environment_names():
    files = {
        "compose.yaml": "services:\n  web:\n    build: .\n    command: python main.py\n    env_file: [shared.env]\n    environment:\n      DJANGO_SETTINGS_MODULE: conf.live\n"
        "  job: {build: ., command: python main.py, env_file: [shared.env]}\n  bucket: {image: store}\n",
        "shared.env": "BUCKET_URL=http://bucket:9000\n",
        "Dockerfile": DOCKERFILE,
        "main.py": "import os\nprint(os.environ['SHELL_NAME'])\n",
        "conf/live.py": "import os\nURL = os.environ['BUCKET_URL']\n",
    }
    left = [Source(path, Kind.PYTHON, text) for path, text in files.items() if path.endswith(".py")]
    told = link_deployment(facts_of(files), {}, Unread(left))
    assert edges(told) == {("web", "bucket")}


def order(target: str, condition: str = "service_started", **files: str) -> set[tuple[str, str]]:
    """The connections of a service that says no more than what it starts after."""
    compose = f"services:\n  web:\n    build: ./web\n    command: python main.py\n    depends_on: {{other: {{condition: {condition}}}}}\n  other: {target}\n"
    return edges(deployed({"compose.yaml": compose, "web/Dockerfile": DOCKERFILE, "web/main.py": "", **files}))


def test_what_is_started_first_is_talked_to():
    assert order("{image: postgres}") == {("web", "other")}


def test_a_job_that_has_ended_is_not_talked_to():
    assert order("{image: migrations}", "service_completed_successfully") == set()


def test_a_worker_that_answers_nobody_is_not_talked_to():
    assert order("{image: tasks, command: celery -A shop worker}") == set()
    assert order("{image: tasks, command: gunicorn shop.wsgi}") == {("web", "other")}


def test_a_sibling_of_the_same_image_is_not_talked_to_because_it_starts_first():
    assert order("{build: ./web, command: python api.py}", **{"web/api.py": ""}) == set()


def test_a_container_that_only_waits_talks_to_whom_it_names():
    compose = "services:\n  ready:\n    image: jwilder/dockerize\n    command: -wait tcp://web:8000\n    depends_on: [web, store]\n  web: {image: x}\n  store: {image: redis}\n"
    assert edges(deployed({"compose.yaml": compose})) == {("ready", "web")}


def test_facts_come_in_any_order():
    files = facts_of({**TOGETHER, ".env": "COMPOSE_FILE=docker-compose.yml:docker/models.yml\n"})
    backwards: list[Facts] = list(reversed(files))
    assert link_deployment(files, {}) == link_deployment(backwards, {})


PROMETHEUS = """\
global: {scrape_interval: 5s}
scrape_configs:
  - job_name: shop
    static_configs:
      - targets: ['shop:8000', 'localhost:9090']
  - job_name: others
    static_configs:
      - targets:
          # - old:1
          - worker:9100
    metrics_path: /left:80
"""
GRAFANA = "apiVersion: 1\ndatasources:\n  - name: metrics\n    type: prometheus\n    url: http://prometheus:9090\n"


def test_what_prometheus_scrapes_and_grafana_reads_is_a_connection() -> None:
    compose = """
        services:
          shop: {image: shop/web}
          worker: {image: shop/worker}
          old: {image: shop/old}
          left: {image: shop/left}
          prometheus: {image: "prom/prometheus:v2", volumes: ["./watch/prometheus.yml:/etc/prometheus/prometheus.yml"]}
          grafana: {image: "grafana/grafana:11", volumes: ["./watch:/etc/grafana/provisioning/datasources"]}
    """
    files = {"compose.yaml": compose, "watch/prometheus.yml": PROMETHEUS, "watch/sources.yaml": GRAFANA}
    assert edges(deployed(files)) >= {("prometheus", "shop"), ("prometheus", "worker"), ("grafana", "prometheus")}
    assert not {("prometheus", "old"), ("prometheus", "left")} & edges(deployed(files))


def test_a_config_map_that_a_pod_mounts_names_its_peers() -> None:
    pods = "".join(
        f"""---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers: [{{name: it, image: {image}, volumeMounts: [{{name: conf, mountPath: /conf}}]}}]
      volumes: [{{name: conf, configMap: {{name: {conf}}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 9090}}]}}
"""
        for name, image, conf in (("prometheus", "prom/prometheus", "none"), ("grafana", "grafana/grafana", "sources"), ("shop", "shop", "sources"))
    )
    text = "".join(f"    {line}\n" for line in GRAFANA.splitlines())
    maps = f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: sources}}\ndata:\n  sources.yaml: |\n{text}"
    found = deployed({"k8s/all.yaml": pods + maps})
    assert edges(found) == {("grafana", "prometheus")}  # the shop is no program that reads data sources
    (evidence,) = found.connections[0].evidence
    assert (pods + maps).split("\n")[evidence.place.span.line - 1].strip() == "url: http://prometheus:9090"


def test_of_two_copies_of_a_deployment_each_talks_to_its_own() -> None:
    def pod(name: str, says: str = "") -> str:
        return (
            f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  selector: {{matchLabels: {{app: {name}}}}}\n"
            f"  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n      containers: [{{name: it, image: {name}, env: [{says}]}}]\n"
            f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: {name}}}}}\n"
        )

    says = "{name: STORE_HOST, value: store}"
    files = {f"k8s/{copy}{name}/all.yaml": pod(name, says if name == "api" else "") for copy in ("", "base/") for name in ("api", "store")}
    found = {(c.source.path, c.target.path if c.target else "") for c in deployed(files).connections}
    assert found == {("k8s/api/all.yaml", "k8s/store/all.yaml"), ("k8s/base/api/all.yaml", "k8s/base/store/all.yaml")}


def test_templates_of_env_files_stand_for_the_files_that_are_not_committed() -> None:
    for written, template in (("env_web", "env_web_template"), ("shop.env", "shop.env.tmpl"), (".env", "dot.env")):
        files = {template: "STORE_HOST=store\n", "compose.yaml": f"services:\n  web: {{build: ., env_file: {written}}}\n  store: {{image: redis}}\n", "Dockerfile": "FROM python\n"}
        assert edges(deployed(files)) == {("web", "store")}, template
