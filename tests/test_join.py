"""Manifests joined to code: what a workload runs, and whom it talks to."""

from __future__ import annotations

import pytest
from deployments import deployed, edges, facts_of, one

from coordlint.extract.python_words import read_words
from coordlint.facts import Facts
from coordlint.finding import Confidence
from coordlint.link.deploy.deployment import link_deployment
from coordlint.source import Kind, Source

DOCKERFILE = "FROM python:3.12\nWORKDIR /app\nCOPY . .\n"


def started(command: str, *python: str, **files: str) -> list[tuple[str, str]]:
    """What a service built from the root runs for a command: (path, how)."""
    repository = {
        "compose.yaml": f"services:\n  app:\n    build: .\n    command: {command}\n",
        "Dockerfile": DOCKERFILE,
        **dict.fromkeys(python, ""),
        **files,
    }
    return [(r.path, r.how) for r in one(deployed(repository), "app").runs]


@pytest.mark.parametrize(
    ("command", "path", "how"),
    [
        ("python shop/main.py", "shop/main.py", "python shop/main.py"),
        ("python -u /app/shop/main.py --fast", "shop/main.py", "python /app/shop/main.py"),
        ("python -m shop.main", "shop/main.py", "python -m shop.main"),
        ("python -m shop", "shop/__main__.py", "python -m shop"),
        ("gunicorn -w 4 -b 0.0.0.0:8000 shop.wsgi:app", "shop/wsgi.py", "gunicorn shop.wsgi:app"),
        ("gunicorn shop.wsgi", "shop/wsgi.py", "gunicorn shop.wsgi"),
        ("uvicorn shop.main:app --host 0.0.0.0 --workers 2", "shop/main.py", "uvicorn shop.main:app"),
        ("uvicorn --app-dir shop main:app", "shop/main.py", "uvicorn main:app"),
        ("daphne -p 80 shop.asgi:application", "shop/asgi.py", "daphne shop.asgi:application"),
        ("hypercorn shop.main:app", "shop/main.py", "hypercorn shop.main:app"),
        ("celery -A shop worker", "shop/celery.py", "celery -A shop worker"),
        ("celery --app=shop.tasks beat", "shop/tasks.py", "celery -A shop.tasks beat"),
        ("celery -A shop.tasks.app worker", "shop/tasks.py", "celery -A shop.tasks.app worker"),
        ("python -m celery -A shop.tasks:app worker", "shop/tasks.py", "celery -A shop.tasks:app worker"),
        ("python manage.py runserver", "manage.py", "python manage.py runserver"),
        ("./manage.py rqworker", "manage.py", "rq-worker ./manage.py"),
        ("flask --app shop.main run", "shop/main.py", "flask shop.main"),
        ("dramatiq shop.tasks", "shop/tasks.py", "dramatiq shop.tasks"),
        ("arq shop.tasks.WorkerSettings", "shop/tasks.py", "arq shop.tasks"),
        ("huey_consumer.py shop.tasks.huey", "shop/tasks.py", "huey shop.tasks"),
        ("streamlit run shop/main.py", "shop/main.py", "streamlit shop/main.py"),
        ("alembic upgrade head", "migrations/env.py", "alembic alembic.ini"),
        ("poetry run python shop/main.py", "shop/main.py", "python shop/main.py"),
        ("dumb-init -- gosu app python shop/main.py", "shop/main.py", "python shop/main.py"),
        ("./wait-for-it.sh db:5432 -t 30 -- python shop/main.py", "shop/main.py", "python shop/main.py"),
        ("watchmedo auto-restart -d . -- celery -A shop worker", "shop/celery.py", "celery -A shop worker"),
        ("bash -c 'cd shop && exec python main.py'", "shop/main.py", "python main.py"),
        ("env MODE=fast python shop/main.py", "shop/main.py", "python shop/main.py"),
    ],
)
def test_a_command_leads_to_a_file_of_the_repository(command: str, path: str, how: str) -> None:
    files = ("shop/__init__.py", "shop/__main__.py", "shop/main.py", "shop/wsgi.py", "shop/asgi.py", "shop/celery.py", "shop/tasks.py")
    assert started(command, *files, "manage.py", "migrations/env.py") == [(path, how)]


def test_several_programs_of_one_shell_line_are_all_found() -> None:
    found = started("sh -c 'python manage.py migrate && gunicorn shop.wsgi:app'", "manage.py", "shop/wsgi.py")
    assert [path for path, _ in found] == ["manage.py", "shop/wsgi.py"]


def test_a_console_script_leads_to_its_module() -> None:
    project = '[project]\nname = "shop"\n[project.scripts]\nshopd = "shop.server:main"\n'
    assert started("shopd --verbose", "shop/server.py", **{"pyproject.toml": project}) == [("shop/server.py", "console script shopd")]


def test_an_entry_script_hands_its_arguments_on() -> None:
    script = '#!/bin/sh\nset -e\ncase "$1" in\n  web) exec gunicorn shop.wsgi:app;;\n  worker) shift; exec celery -A shop.tasks worker "$@";;\n  *) exec "$@";;\nesac\n'
    files = {
        "compose.yaml": "services:\n  web: {build: ., command: web}\n  worker: {build: ., command: [worker, -c, '4']}\n  other: {build: ., command: python x.py}\n",
        "Dockerfile": DOCKERFILE + 'ENTRYPOINT ["/app/docker/entry.sh"]\nCMD ["web"]\n',
        "docker/entry.sh": script,
        "shop/wsgi.py": "",
        "shop/tasks.py": "",
        "x.py": "",
    }
    deployment = deployed(files)
    assert [r.path for r in one(deployment, "web").runs] == ["shop/wsgi.py"]
    assert [(p.program, p.workers) for p in one(deployment, "worker").processes] == [("celery-worker", 4)]
    assert [r.path for r in one(deployment, "other").runs] == ["x.py"]


def test_functions_and_variables_of_a_script_are_followed() -> None:
    script = "#!/bin/bash\nexport APP=${APP:-shop.tasks}\nstart() {\n  exec celery -A $APP worker -c ${N:-2}\n}\nstart\n"
    files = {
        "compose.yaml": "services:\n  app: {build: ., command: ./run.sh, environment: {N: 8}}\n",
        "Dockerfile": DOCKERFILE,
        "run.sh": script,
        "shop/tasks.py": "",
    }
    app = one(deployed(files), "app")
    assert [(p.program, p.workers, str(p.place)) for p in app.processes] == [("celery-worker", 8, "run.sh:4")]
    assert [r.path for r in app.runs] == ["shop/tasks.py"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("DEBUG: 'True'\n      RELOAD: 'True'", ["debug.py"]),
        ("DEBUG: 'False'", ["serve.py"]),
        ("RELOAD: 'False'", ["serve.py"]),
        ("DEBUG: 'True'", ["debug.py", "serve.py"]),
        ("OTHER: x", ["debug.py", "serve.py"]),
    ],
)
def test_an_if_of_a_script_takes_the_branch_that_known_variables_lead_to(environment: str, expected: list[str]) -> None:
    start = '#!/bin/bash\nif [[ $DEBUG == "True" ]] && [ "${RELOAD}" = "True" ]; then\n  python debug.py\nelse\n  exec python serve.py\nfi\n'
    files = {"Dockerfile": 'FROM python:3\nCOPY . .\nENTRYPOINT ["./start.sh"]\n', "start.sh": start, "debug.py": "", "serve.py": ""}
    files["compose.yaml"] = f"services:\n  web:\n    build: .\n    environment:\n      {environment}\n"
    assert [run.path for run in one(deployed(files), "web").runs] == expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('[ -z "$MODE" ]', ["other.py"]),
        ('[ -n "$MODE" ]', ["one.py"]),
        ('[ "$MODE" ]', ["one.py"]),
        ("[ $MODE = web ] || [ $MODE = job ]", ["one.py", "other.py"]),
        ("! [ $MODE = web ]", ["one.py", "other.py"]),
        ("python check.py", ["check.py", "one.py", "other.py"]),
        ("[ $MODE = job ]; then exit 1; elif [ $MODE = web ]", ["one.py", "other.py"]),
        ('[ "$MODE" = "w*" ]', ["other.py"]),
        ('[ $MODE != "web" ]', ["other.py"]),
        ('[[ $MODE != job ]]', ["one.py"]),
        ('[ $MODE != job ] && [ $MODE = web ]', ["one.py", "other.py"]),
        ('[ $MODE = job ] && [ $MODE != web ]', ["one.py", "other.py"]),
        ('[[ $MODE == w* ]]', ["one.py"]),
    ],
)
def test_what_an_if_asks_beyond_plain_variables_leaves_both_branches(test: str, expected: list[str]) -> None:
    start = f"#!/bin/bash\nif {test}; then\n  python one.py\nelse\n  python other.py\nfi\n"
    files = {"Dockerfile": 'FROM python:3\nCOPY . .\nENTRYPOINT ["./start.sh"]\n', "start.sh": start, "one.py": "", "other.py": "", "check.py": ""}
    files["compose.yaml"] = "services:\n  web: {build: ., environment: {MODE: web}}\n"
    assert [run.path for run in one(deployed(files), "web").runs] == expected


def test_a_program_in_the_background_does_not_end_its_script() -> None:
    files = {"Dockerfile": 'FROM python:3\nCOPY . .\nENTRYPOINT ["./start.sh"]\n', "start.sh": "#!/bin/sh\nexec python side.py &\nexec python main.py\n",
             "side.py": "", "main.py": "", "compose.yaml": "services:\n  web: {build: .}\n"}  # fmt: skip
    assert [run.path for run in one(deployed(files), "web").runs] == ["side.py", "main.py"]


def test_a_uwsgi_file_refers_to_its_own_settings() -> None:
    files = {"Dockerfile": "FROM python:3\nWORKDIR /app\nCOPY . .\nCMD uwsgi --ini /etc/shop.ini\n", "conf/shop.ini": "[uwsgi]\nproject = shop\nmodule = %(project).wsgi:application\nprocesses = 3\n",
             "shop/wsgi.py": "", "compose.yaml": "services:\n  web: {build: ., volumes: ['./conf/shop.ini:/etc/shop.ini']}\n"}  # fmt: skip
    web = one(deployed(files), "web")
    assert [run.path for run in web.runs] == ["shop/wsgi.py"]
    assert [p.workers for p in web.processes] == [3]


def test_process_managers_start_what_their_files_say() -> None:
    files = {
        "compose.yaml": "services:\n  a: {build: ., command: supervisord -c /app/conf/supervisord.conf}\n  b: {build: ., command: honcho start}\n",
        "Dockerfile": DOCKERFILE,
        "conf/supervisord.conf": "[program:web]\ncommand=gunicorn -w 3 web:app\n[program:beat]\ncommand=celery -A jobs beat\n[program:off]\ncommand=python off.py\nautostart=false\n",
        "Procfile": "web: python web.py\nclock: python clock.py\n",
        "web.py": "",
        "jobs.py": "",
        "off.py": "",
        "clock.py": "",
    }
    deployment = deployed(files)
    assert {(p.program, p.workers) for p in one(deployment, "a").processes} == {("gunicorn", 3), ("celery-beat", 1)}
    assert {r.path for r in one(deployment, "b").runs} == {"web.py", "clock.py"}


def test_a_bind_mount_hides_what_the_image_holds() -> None:
    files = {
        "compose.yaml": "services:\n  app:\n    image: python:3.12\n    working_dir: /code\n    volumes: ['./svc:/code']\n    command: python main.py\n",
        "svc/main.py": "",
        "main.py": "",
    }
    assert [(r.path, r.confidence) for r in one(deployed(files), "app").runs] == [("svc/main.py", Confidence.HIGH)]


def test_without_a_build_the_module_alone_is_the_link_and_less_sure() -> None:
    files = {"compose.yaml": "services:\n  app: {image: acme/shop, command: celery -A shop.tasks worker}\n", "src/shop/tasks.py": ""}
    assert [(r.path, r.confidence) for r in one(deployed(files), "app").runs] == [("src/shop/tasks.py", Confidence.MEDIUM)]


def test_a_name_that_fits_two_files_equally_well_fits_none() -> None:
    files = {"compose.yaml": "services:\n  app: {image: acme/shop, command: python main.py}\n", "a/main.py": "", "b/main.py": ""}
    deployment = deployed(files)
    assert one(deployment, "app").runs == ()
    assert ["main.py" in said.message for said in deployment.unknown] == [True]


def test_an_image_is_that_of_the_service_that_builds_it() -> None:
    files = {
        "compose.yaml": "services:\n  web: {build: ., image: 'acme/shop:dev', command: python web.py}\n  job: {image: acme/shop, command: python job.py}\n",
        "Dockerfile": DOCKERFILE,
        "web.py": "",
        "job.py": "",
        "old/job.py": "",
    }
    assert [r.path for r in one(deployed(files), "job").runs] == ["job.py"]


@pytest.mark.parametrize(
    ("variable", "value", "talks"),
    [
        ("REDIS_URL", "redis://:secret@redis:6379/0", True),
        ("BROKERS", "other:9092,redis:6379", True),
        ("DATABASE_URL", "postgresql+asyncpg://u:p@redis/x", True),
        ("REDIS_HOST", "redis", True),
        ("CACHE_HOSTS", "a;redis;b", True),
        ("DSN", "host=redis port=5432 user=x", True),
        ("CONFIG", '{"store": "redis://redis:6379"}', True),
        ("JDBC", "jdbc:mysql://redis:3306/db", True),
        ("DB_NAME", "redis", False),
        ("DB_USER", "redis", False),
        ("IMAGE", "redis:7", False),
        ("NOTE", "we use redis here", False),
        ("REDIS_URL", "redis://localhost:6379", False),
        ("PATH_PREFIX", "/redis/data", False),
    ],
)
def test_a_host_is_parsed_out_of_a_value_and_not_searched(variable: str, value: str, talks: bool) -> None:
    text = f"services:\n  redis: {{image: redis}}\n  web:\n    image: acme/web\n    environment:\n      {variable}: '{value}'\n"
    assert (("web", "redis") in edges(deployed({"compose.yaml": text}))) is talks


def test_a_managed_host_is_outside() -> None:
    text = "services:\n  web: {image: x, environment: {REDIS_URL: 'rediss://u:p@cache.abc.amazonaws.com:6379'}}\n"
    (connection,) = deployed({"compose.yaml": text}).connections
    assert (connection.target, connection.host, connection.scheme) == (None, "cache.abc.amazonaws.com", "rediss")


def test_words_of_commands_name_hosts() -> None:
    text = "services:\n  db: {image: postgres}\n  web: {image: x, command: sh -c 'until nc -z db 5432; do sleep 1; done; run --broker=amqp://mq:5672'}\n  mq: {image: rabbitmq}\n"
    assert edges(deployed({"compose.yaml": text})) == {("web", "db"), ("web", "mq")}


def test_services_of_another_folder_do_not_answer() -> None:
    files = {
        "a/compose.yaml": "services:\n  web: {image: x, environment: {REDIS_HOST: redis}}\n",
        "b/compose.yaml": "services:\n  redis: {image: redis}\n",
    }
    assert edges(deployed(files)) == set()


def test_members_of_an_ensemble_are_no_clients_of_each_other() -> None:
    servers = "server.1=zk1:2888:3888 server.2=zk2:2888:3888 server.3=zk3:2888:3888"
    text = "services:\n" + "".join(f"  zk{n}: {{image: zookeeper, environment: {{ZOO_MY_ID: {n}, ZOO_SERVERS: '{servers}'}}}}\n" for n in (1, 2, 3))
    deployment = deployed({"compose.yaml": text})
    assert edges(deployment) == set()
    assert [(len(e.coordinators), e.members) for e in deployment.ensembles()] == [(3, 3)]


def joined(files: dict[str, str]) -> set[tuple[str, str]]:
    """The connections of a repository whose Python files are read too."""
    facts = facts_of(files)
    words = {p: read_words(Source(p, Kind.PYTHON, t)) for p, t in files.items() if p.endswith(".py")}
    facts = [Facts(f.path, f.kind, manifests=words[f.path]) if f.path in words else f for f in facts]
    return edges(link_deployment(facts, {}))


SHARED = {
    "compose.yaml": "services:\n  redis: {image: redis}\n  db: {image: postgres}\n  web: {build: ., env_file: shop.env, command: python web.py}\n  job: {build: ., env_file: shop.env, command: python job.py}\n",
    "Dockerfile": DOCKERFILE,
    "shop.env": "REDIS_URL=redis://redis:6379\nDATABASE_URL=postgres://db/shop\n",
}


def test_a_shared_env_file_proves_nothing_unless_the_code_reads_the_variable() -> None:
    code = {"web.py": "import store\n", "store.py": "import os\nurl = os.environ['REDIS_URL']\n", "job.py": "import os\nurl = os.getenv('DATABASE_URL')\n"}
    assert joined({**SHARED, **code}) == {("web", "redis"), ("job", "db")}


def test_an_address_in_code_counts_unless_the_manifest_says_otherwise() -> None:
    files = {
        "compose.yaml": "services:\n  redis: {image: redis}\n  locks: {image: redis}\n  a: {build: ., command: python app.py}\n  b: {build: ., command: python app.py, environment: {REDIS_HOST: locks}}\n",
        "Dockerfile": DOCKERFILE,
        "app.py": "from conf import settings\n",
        "conf/__init__.py": "",
        "conf/settings.py": "import os\nHOST = os.getenv('REDIS_HOST', 'redis')\n",
    }
    assert joined(files) == {("a", "redis"), ("b", "locks")}


def test_django_settings_named_in_a_string_are_reached() -> None:
    files = {
        "compose.yaml": "services:\n  cache: {image: memcached}\n  web: {build: ., command: python manage.py runserver}\n",
        "Dockerfile": DOCKERFILE,
        "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')\n",
        "site/__init__.py": "",
        "site/settings.py": "CACHES = {'default': {'LOCATION': 'cache:11211'}}\n",
    }
    assert joined(files) == {("web", "cache")}
