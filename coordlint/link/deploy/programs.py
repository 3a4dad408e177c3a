"""One command line into the program it starts: what it is, how many processes it makes, and which code it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from coordlint.link.deploy.options import after_flags, is_known, number, option, options, positional, whole

_PYTHON = re.compile(r"(python|pypy)\d*(\.\d+)*")
_APP = re.compile(r"([A-Za-z_][\w.]*(?:/[\w.]+)*):([A-Za-z_][\w.]*(?:\(.*\))?)")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Target:
    """The code that a command names: `kind` is file, module, app (a module, then an attribute of it) or script."""

    kind: str
    name: str


@dataclass(frozen=True)
class Program:
    """What a command line starts. `workers` is None when the number is not known."""

    program: str
    argv: tuple[str, ...]
    workers: int | None = 1
    targets: tuple[Target, ...] = ()
    folder: str = ""  # a folder that the command changes to before it imports
    settings: str = ""  # a configuration file that says more: supervisord.conf, uwsgi.ini


def recognise(argv: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    """The programs of one simple command; several for a worker that embeds a scheduler, none for an empty one."""
    if not argv:
        return
    name, rest = argv[0].rpartition("/")[2], argv[1:]
    if _PYTHON.fullmatch(name):
        yield from _python(argv, env)
    elif name in _READERS:
        yield from _READERS[name](argv, rest, env)
    elif name.endswith(".py"):
        yield from _file(argv, argv[0], rest, env)
    else:
        yield Program(_SERVERS.get(name, name), argv, targets=(Target("script", name),))


def _python(argv: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    rest = list(argv[1:])
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag in ("-W", "-X", "-Q") and rest:
            rest.pop(0)
        elif flag == "-c":
            yield Program("python", argv)
            return
        elif flag.startswith("-m") or (re.fullmatch(r"-[uBOSsEIqv]*m", flag)):
            module = flag[2:] if flag.startswith("-m") and len(flag) > 2 else rest.pop(0) if rest else ""
            yield from _module(argv, module, tuple(rest), env)
            return
    if rest:
        yield from _file(argv, rest[0], tuple(rest[1:]), env)
    else:
        yield Program("python", argv)


def _module(
    argv: tuple[str, ...], module: str, rest: tuple[str, ...], env: Mapping[str, str | None]
) -> Iterator[Program]:
    if module in ("debugpy", "coverage", "cProfile", "trace", "memory_profiler"):
        tail = after_flags(rest, ("--listen", "--log-to", "--source", "--rcfile", "-o", "-s"), drop=("run", "-m"))
        if tail:
            is_module = "-m" in rest[: len(rest) - len(tail)]
            yield from _module(argv, tail[0], tail[1:], env) if is_module else _file(argv, tail[0], tail[1:], env)
        return
    known = module.replace("_", "-") if module.replace("_", "-") in _READERS else module
    if known in _READERS:
        yield from _READERS[known](argv, rest, env)
    elif module == "celery.bin.worker":
        yield from _celery(argv, ("worker", *rest), env)
    else:
        yield Program("python", argv, targets=(Target("module", module),) if module else ())


def _file(
    argv: tuple[str, ...], path: str, rest: tuple[str, ...], env: Mapping[str, str | None]
) -> Iterator[Program]:
    targets = (Target("file", path),)
    name = path.rpartition("/")[2]
    if name in ("manage.py", "django-admin.py") and rest:
        command = next((word for word in rest if not word.startswith("-")), "")
        yield from _django(argv, command, rest, targets)
    elif name == "huey_consumer.py":
        yield from _modules(argv, rest, env)
    else:
        yield Program("python", argv, targets=targets)


def _django(
    argv: tuple[str, ...], command: str, rest: tuple[str, ...], targets: tuple[Target, ...]
) -> Iterator[Program]:
    if command in ("celery", "celeryd", "celeryd_detach"):
        words = rest[rest.index(command) + 1 :]
        is_beat = "beat" in words
        if not is_beat:
            yield Program("celery-worker", argv, number(words, "-c", "--concurrency"), targets)
        if is_beat or "-B" in words or "--beat" in words:
            yield Program("celery-beat", argv, 1, targets)
    elif command == "rq":
        yield Program("rq-scheduler" if "scheduler" in rest else "rq-worker", argv, targets=targets)
    elif command in _DJANGO:
        yield Program(_DJANGO[command], argv, targets=targets)
    else:
        yield Program(f"django-{command}" if command else "django", argv, targets=targets)


_DJANGO = {
    "celerybeat": "celery-beat",
    "rqworker": "rq-worker",
    "rqscheduler": "rq-scheduler",
    "qcluster": "django-q",
    "run_huey": "huey",
    "runapscheduler": "apscheduler",
}


def _celery(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    app = option(rest, "-A", "--app") or env.get("CELERY_APP") or ""
    targets = (Target("app", app),) if app and is_known(app) else ()
    command = next((word for word in rest if word in _CELERY_COMMANDS), "")
    folder = option(rest, "--workdir") or ""
    if command in ("worker", "multi"):
        is_solo = option(rest, "-P", "--pool") == "solo"
        workers = 1 if is_solo else number(rest, "-c", "--concurrency")
        yield Program("celery-worker", argv, workers, targets, folder)
        if "-B" in rest or "--beat" in rest:
            yield Program("celery-beat", argv, 1, targets, folder)
    else:
        yield Program(f"celery-{command}" if command else "celery", argv, 1, targets, folder)


_CELERY_COMMANDS = ("worker", "beat", "multi", "flower", "events", "inspect", "status", "purge", "call", "control", "shell")


def _gunicorn(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    extra = tuple((env.get("GUNICORN_CMD_ARGS") or "").split())
    workers = number((*extra, *rest), "-w", "--workers", default=whole(env, "WEB_CONCURRENCY", 1))
    settings = option(rest, "-c", "--config") or ""
    folder = option(rest, "--chdir", "--pythonpath") or ""
    yield Program("gunicorn", argv, workers, _app_targets(rest, _GUNICORN_VALUES), folder, settings.removeprefix("file:"))


_GUNICORN_VALUES = frozenset(
    ("-b", "--bind", "-w", "--workers", "-k", "--worker-class", "-c", "--config", "-t", "--timeout", "--threads")
) | {"--log-level", "--access-logfile", "--error-logfile", "--log-file", "-n", "--name", "-u", "--user", "-g", "--group",
     "--chdir", "--pythonpath", "--keep-alive", "--max-requests", "--max-requests-jitter", "--graceful-timeout", "-p",
     "--pid", "-e", "--env", "--worker-tmp-dir", "--forwarded-allow-ips", "--logger-class", "--log-config", "--certfile",
     "--keyfile", "--worker-connections", "--limit-request-line", "--access-logformat", "--backlog", "-m", "--umask",
     "--log-config-json", "--statsd-host", "--statsd-prefix", "--paste", "--proxy-allow-from", "--limit-request-field_size"}  # fmt: skip


def _asgi(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    name = argv[0].rpartition("/")[2]
    name = rest_module if (rest_module := _module_of(argv)) else name
    workers = number(rest, "--workers", "-w", default=whole(env, "WEB_CONCURRENCY", 1))
    folder = option(rest, "--app-dir", "--chdir", "--working-dir") or ""
    yield Program(name, argv, workers, _app_targets(rest, _ASGI_VALUES), folder)


_ASGI_VALUES = frozenset(
    ("--host", "--port", "--workers", "-w", "--log-level", "--log-config", "--loop", "--http", "--ws", "--app-dir", "-b")
) | {"--bind", "-p", "--root-path", "--reload-dir", "--env-file", "--ssl-keyfile", "--ssl-certfile", "--uds", "--fd", "-k",
     "--worker-class", "-c", "--config", "--timeout-keep-alive", "--interface", "--forwarded-allow-ips", "--limit-concurrency",
     "-e", "--endpoint", "-u", "-t", "--listen", "--threads", "--call", "--access-log", "--ws-max-size", "-v", "--verbosity"}  # fmt: skip


def _uwsgi(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    targets = []
    module = option(rest, "-w", "--module", "--wsgi") or env.get("UWSGI_MODULE")
    file = option(rest, "--wsgi-file", "--file") or env.get("UWSGI_WSGI_FILE")
    if file and is_known(file):
        targets.append(Target("file", file))
    elif module and is_known(module):
        targets.append(Target("app", module))
    elif mount := option(rest, "--mount", "--manage-script-name"):
        targets.append(Target("app", mount.partition("=")[2]))
    workers = number(rest, "-p", "--processes", "--workers", default=1)
    settings = option(rest, "--ini", "--yaml", "--xml") or next((w for w in rest if w.endswith(".ini")), "")
    yield Program("uwsgi", argv, workers, tuple(targets), option(rest, "--chdir") or "", settings or "")
    for daemon in options(rest, "--attach-daemon", "--attach-daemon2", "--smart-attach-daemon"):
        yield from recognise(tuple(daemon.split()), env)


def _flask(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    app = option(rest, "--app", "-A") or env.get("FLASK_APP") or ""
    command = next((word for word in rest if word in ("run", "db", "shell", "init-db")), "")
    targets: tuple[Target, ...]
    if app and is_known(app):
        is_file = app.partition(":")[0].endswith(".py")
        targets = (Target("file", app.partition(":")[0]) if is_file else Target("app", app),)
    else:
        targets = (Target("file", "wsgi.py"), Target("file", "app.py"))
    yield Program("flask" if command in ("run", "") else f"flask-{command}", argv, targets=targets)


def _rq(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    name = argv[0].rpartition("/")[2]
    if name == "rqscheduler" or "rqscheduler" in argv[:4]:
        yield Program("rq-scheduler", argv)
        return
    command = "worker" if name == "rqworker" else next((w for w in rest if not w.startswith("-")), "worker")
    workers = number(rest, "-n", "--num-workers", default=1) if command == "worker-pool" else 1
    yield Program("rq-worker" if command.startswith("worker") else f"rq-{command}", argv, workers)
    if "--with-scheduler" in rest:
        yield Program("rq-worker-scheduler", argv)


def _modules(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    """dramatiq, nameko, faust, taskiq, arq, huey: modules or module:attribute among the positional words."""
    name = (_module_of(argv) or argv[0].rpartition("/")[2]).removesuffix(".py")
    values = frozenset(("-p", "--processes", "-t", "--threads", "-Q", "--queues", "-w", "--workers", "-k", "--worker-type"))
    values |= {"-l", "--loglevel", "--log-level", "--path", "-P", "--config", "--broker", "--backlog-limit", "--watch"}
    words = [w for w in positional(rest, values) if w not in ("worker", "run", "scheduler", "start", "-")]
    named = option(rest, "-A", "--app")
    found = [named] if named else [w for w in words if _DOTTED.fullmatch(w.partition(":")[0])]
    if name in ("arq", "huey_consumer", "procrastinate"):
        found = [w.rpartition(".")[0] if ":" not in w and "." in w else w for w in found[:1]]
    workers = number(rest, "-p", "--processes", default=None if name == "dramatiq" else 1)
    program = {"huey_consumer": "huey", "taskiq": "taskiq-scheduler" if "scheduler" in rest else "taskiq-worker"}.get(name, name)
    yield Program(program, argv, workers, tuple(Target("app", word) for word in found if is_known(word)))


def _first_file(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    """streamlit run FILE, fastapi run FILE, kopf run FILE, locust -f FILE, twistd -y FILE, jupyter, pytest ..."""
    name = _module_of(argv) or argv[0].rpartition("/")[2]
    file = option(rest, "-f", "--locustfile", "-y", "--python", "-ny", "-noy") if name in ("locust", "twistd") else None
    if name == "kopf" and (module := option(rest, "-m", "--module")):
        yield Program(name, argv, targets=(Target("module", module),))
        return
    file = file or next((w for w in rest if w.endswith((".py", ".tac"))), None)
    if file is None and name == "locust":
        file = "locustfile.py"
    yield Program(name, argv, targets=(Target("file", file),) if file else ())


def _alembic(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    yield Program("alembic", argv, targets=(Target("alembic", option(rest, "-c", "--config") or "alembic.ini"),))


def _supervisor(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    yield Program("supervisord", argv, settings=option(rest, "-c", "--configuration") or "supervisord.conf")


def _procfile(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    yield Program("procfile", argv, settings=option(rest, "-f", "--procfile") or "Procfile")


def _django_admin(argv: tuple[str, ...], rest: tuple[str, ...], env: Mapping[str, str | None]) -> Iterator[Program]:
    settings = env.get("DJANGO_SETTINGS_MODULE")
    targets = (Target("module", settings),) if settings else ()
    yield from _django(argv, next((w for w in rest if not w.startswith("-")), ""), rest, targets)


_READERS = {
    "celery": _celery,
    "gunicorn": _gunicorn,
    "uvicorn": _asgi,
    "hypercorn": _asgi,
    "daphne": _asgi,
    "granian": _asgi,
    "waitress-serve": _asgi,
    "sanic": _asgi,
    "uwsgi": _uwsgi,
    "flask": _flask,
    "rq": _rq,
    "rqworker": _rq,
    "rqscheduler": _rq,
    "dramatiq": _modules,
    "arq": _modules,
    "huey_consumer": _modules,
    "huey_consumer.py": _modules,
    "taskiq": _modules,
    "nameko": _modules,
    "faust": _modules,
    "procrastinate": _modules,
    "streamlit": _first_file,
    "fastapi": _first_file,
    "kopf": _first_file,
    "locust": _first_file,
    "twistd": _first_file,
    "alembic": _alembic,
    "supervisord": _supervisor,
    "honcho": _procfile,
    "foreman": _procfile,
    "django-admin": _django_admin,
}
_SERVERS = {"zkServer.sh": "zookeeper", "zookeeper-server-start.sh": "zookeeper", "docker-entrypoint.sh": "entrypoint"}


def _app_targets(words: tuple[str, ...], values: frozenset[str]) -> tuple[Target, ...]:
    plain = list(positional(words, values))
    for word in plain:
        if _APP.fullmatch(word):
            return (Target("app", word),)
    for word in reversed(plain):
        if _DOTTED.fullmatch(word):
            return (Target("app", word),)
    return ()


def _module_of(argv: tuple[str, ...]) -> str:
    return argv[argv.index("-m") + 1] if "-m" in argv[:-1] and _PYTHON.fullmatch(argv[0].rpartition("/")[2]) else ""
