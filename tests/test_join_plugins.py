"""What joins workloads beyond imports and plain settings: plug-ins, scripts that code starts, proxies that read labels, gunicorn's file, makefiles."""

from __future__ import annotations

import pytest
from deployments import deployed, edges, facts_of, one

from coordlint.deployment import Deployment
from coordlint.link.deploy.deployment import link_deployment
from coordlint.source import Kind, Source, Unread


def unread(files: dict[str, str]) -> Deployment:
    """The deployment of a repository of whose Python files none was chosen to be read."""
    python = [Source(path, Kind.PYTHON, text) for path, text in files.items() if path.endswith(".py")]
    return link_deployment(facts_of(files), {}, Unread(python))


def shop(worker: str = "celery -A shop.queue worker", load: str = "from importlib import import_module\n", **more: str) -> dict[str, str]:
    return {
        "compose.yaml": f"services:\n  worker: {{build: ., command: {worker}}}\n  web: {{build: ., command: gunicorn shop.web:app}}\n  scan: {{image: acme/scan}}\n",
        "Dockerfile": "FROM python:3\nWORKDIR /app\nCOPY . .\n",
        "shop/queue.py": f"{load}from shop import settings\n",
        "shop/web.py": "import shop.queue\n",
        "shop/settings.py": "CHECKS = path('CHECKS', 'shop.checks')\n",
        "shop/checks/__init__.py": "",
        "shop/checks/virus.py": "class Virus:\n    url = 'http://scan:4000/now'\n",
        **{name.replace("__", "/").replace("_py", ".py"): text for name, text in more.items()},
    }


def test_plug_ins_that_settings_name_talk_for_the_worker_that_loads_them() -> None:
    assert edges(unread(shop())) == {("worker", "scan")}


def test_a_package_that_is_named_and_never_loaded_by_name_says_nothing() -> None:
    assert edges(unread(shop(load=""))) == set()


@pytest.mark.parametrize("part", ["shop__checks__models_py", "shop__checks__apps_py"])
def test_an_application_is_no_bag_of_plug_ins(part: str) -> None:
    assert edges(unread(shop(**{part: ""}))) == set()


def test_a_script_that_code_starts_by_its_path_talks_for_it() -> None:
    files = {
        "compose.yaml": "services:\n  web: {build: ./web, command: python app.py}\n  grid: {image: acme/grid}\n",
        "web/Dockerfile": "FROM python:3\nWORKDIR /opt/web\nCOPY . .\n",
        "web/app.py": "run('/usr/bin/python3 /opt/web/parts/shoot.py')\n",
        "web/parts/shoot.py": "drive(at='http://grid:4444/hub')\n",
    }
    assert edges(unread(files)) == {("web", "grid")}


@pytest.mark.parametrize(
    ("said", "proxy", "talks"),
    [
        ("labels: [traefik.enable=true]", "traefik:3", True),
        ("labels: {traefik.http.routers.web.rule: Host(`shop.example`)}", "traefik", True),
        ("deploy: {labels: {traefik.http.services.web.loadbalancer.server.port: 80}}", "traefik:v2", True),
        ("labels: [traefik.enable=false, traefik.http.routers.web.rule=x]", "traefik", False),
        ("labels: [traefik.docker.network=shop]", "traefik", False),
        ("labels: [traefik.enable=true]", "traefik/whoami", False),
        ("labels: [traefik.enable=true]", "nginx", False),
        ("environment: [VIRTUAL_HOST=shop.example]", "nginxproxy/nginx-proxy", True),
        ("environment: [VIRTUAL_HOST=]", "nginxproxy/nginx-proxy", False),
        ("labels: {caddy: shop.example}", "lucaslorentz/caddy-docker-proxy:ci", True),
    ],
)
def test_a_proxy_that_reads_labels_talks_to_whoever_asks_it(said: str, proxy: str, talks: bool) -> None:
    files = {"compose.yaml": f"services:\n  web:\n    image: acme/web\n    {said}\n  front: {{image: {proxy}}}\n"}
    assert edges(deployed(files)) == ({("front", "web")} if talks else set())


@pytest.mark.parametrize(
    ("config", "command", "workers"),
    [
        ("wsgi_app = 'shop.wsgi:app'\nworkers = 4\n", "gunicorn --config /app/gunicorn.conf.py", 4),
        ("wsgi_app = 'shop.wsgi:app'\nworkers = 4\n", "gunicorn", 4),
        ("wsgi_app = 'shop.wsgi:app'\nworkers = 4\n", "gunicorn -c gunicorn.conf.py --workers 2", 2),
        ("wsgi_app = 'shop.wsgi:app'\nworkers = count() * 2\n", "gunicorn", None),
        ("workers = 3\n", "gunicorn shop.wsgi:app", 3),
    ],
)
def test_the_file_of_gunicorn_names_the_program_and_its_workers(config: str, command: str, workers: int | None) -> None:
    files = {"compose.yaml": f"services:\n  web: {{build: ., command: {command}}}\n", "Dockerfile": "FROM python:3\nWORKDIR /app\nCOPY . .\n",
             "gunicorn.conf.py": config, "shop/wsgi.py": ""}  # fmt: skip
    web = one(unread(files), "web")
    assert [run.path for run in web.runs] == ["shop/wsgi.py"]
    assert [p.workers for p in web.processes] == [workers]


def test_a_makefile_tells_which_files_are_started_together_and_what_builds_an_image() -> None:
    files = {
        "one.yml": "services:\n  web:\n    image: acme/front-door\n",
        "two.yml": "services:\n  web:\n    image: acme/front-door\n    environment: {REDIS_HOST: redis}\n  redis: {image: redis}\n",
        "Makefile": "BOTH := docker compose -f one.yml -f two.yml\n\nimage:\n\t@docker build -t acme/front-door:$(TAG) -f door/Dockerfile.slim door\nup: image\n\t$(BOTH) up\n",
        "door/Dockerfile.slim": "FROM python:3\nCOPY . /app\nCMD python /app/serve.py\n",
        "door/serve.py": "",
    }
    assert edges(deployed(files)) == {("web", "redis")}
    assert [run.path for run in one(deployed(files), "web").runs] == ["door/serve.py"]


def test_a_server_that_the_project_has_changed_is_not_its_program() -> None:
    files = {
        "compose.yaml": "services:\n  web: {image: acme/till}\n  search: {image: acme/till-elasticsearch}\n  desk: {image: acme/till-desk-slim}\n",
        "Dockerfile": "FROM python:3\nCOPY . .\nCMD python -m till.web\n",
        "till/__init__.py": "",
        "till/web.py": "",
        "desk/Dockerfile": "FROM node\nCMD node desk.js\n",
    }
    assert {w.name: [run.path for run in w.runs] for w in deployed(files).workloads} == {"web": ["till/web.py"], "search": [], "desk": []}


def test_a_dockerfile_may_have_any_name_with_docker_in_it() -> None:
    files = {"compose.yaml": "services:\n  web: {build: {context: ., dockerfile: docker-web.txt}}\n", "docker-web.txt": "FROM python:3\nCOPY . .\nCMD python web.py\n", "web.py": ""}
    assert [run.path for run in one(deployed(files), "web").runs] == ["web.py"]


def test_what_leaves_its_number_to_an_autoscaler_has_the_least_that_one_keeps() -> None:
    scaler = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: s}\nspec:\n  scaleTargetRef: {kind: Deployment, name: web}\n  minReplicas: 3\n  maxReplicas: 9\n"
    for number, declared in (("", 3), ("  replicas: 2\n", 2)):
        web = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n{number}  template: {{spec: {{containers: [{{image: x}}]}}}}\n"
        replicas = one(deployed({"web.yaml": web, "scale.yaml": scaler}), "web").replicas
        assert (replicas.declared, replicas.most) == (declared, 9)


@pytest.mark.parametrize("image", ["${REGISTRY}till${TAG}", "${REGISTRY}/till:${TAG}", "${REGISTRY}${GROUP}till"])
def test_an_image_whose_registry_and_tag_are_set_elsewhere_is_the_one_that_is_built_here(image: str) -> None:
    files = {
        "compose/all.yml": f"services:\n  web:\n    image: '{image}'\n    command: [/app/serve.py]\n",
        "Makefile": "till:\n\tdocker build $(ARGS) -t ${REGISTRY}${GROUP}till:${TAG} -f docker/Dockerfile.till .\n",
        "docker/Dockerfile.till": "FROM python:3\nCOPY . /app\n",
        "serve.py": "",
        "other/serve.py": "",
    }
    assert [run.path for run in one(deployed(files), "web").runs] == ["serve.py"]


def test_a_name_that_only_begins_like_an_image_is_another() -> None:
    files = {
        "compose/all.yml": "services:\n  web:\n    image: 'till-${KIND}-slim'\n    command: [/app/serve.py]\n",
        "Makefile": "till:\n\tdocker build -t till -f docker/Dockerfile.till .\n",
        "docker/Dockerfile.till": "FROM python:3\nCOPY . /app\n",
        "serve.py": "",
        "other/serve.py": "",
    }
    assert not one(deployed(files), "web").is_built_here
