"""Commands that start another command: what they wrap, taken out."""

from __future__ import annotations

import re

from coordlint.shellwords import words

_FLAGGED = {  # wrappers that take flags (those with a value), then the command
    "exec": ("-a",),
    "tini": ("-p", "-e"),
    "dumb-init": ("--rewrite", "-r"),
    "nohup": (),
    "nice": ("-n",),
    "ionice": ("-c", "-n"),
    "stdbuf": ("-o", "-e", "-i"),
    "sudo": ("-u", "-g"),
    "xvfb-run": ("-s", "-n"),
    "catchsegv": (),
    "ddtrace-run": (),
    "opentelemetry-instrument": ("--traces_exporter", "--metrics_exporter", "--service_name"),
    "watchmedo": ("-d", "-p", "--directory", "--pattern", "--patterns", "--ignore-patterns", "--signal"),
    "setsid": (),
    "strace": ("-o",),
    "unbuffer": (),
    "nodemon": ("--watch", "-w", "-e", "--ext", "--exec", "-x"),
}
_POSITIONAL = {"gosu": 1, "su-exec": 1, "timeout": 1, "chroot": 1, "setuser": 1, "chpst": 2, "start-stop-daemon": 0}
_PREFIXES = (
    ("poetry", "run"),
    ("pipenv", "run"),
    ("uv", "run"),
    ("pdm", "run"),
    ("hatch", "run"),
    ("rye", "run"),
    ("newrelic-admin", "run-program"),
    ("coverage", "run"),
    ("conda", "run"),
    ("micromamba", "run"),
)
_WAITERS = re.compile(r"(.*/)?(wait[-_]?for[\w-]*(\.sh|\.py)?|dockerize|wait4ports|wait)")


def unwrapped(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command inside wrappers such as `exec`, `gosu user`, `poetry run` and `wait-for-it.sh host:port --`."""
    for _ in range(10):
        before = argv
        if not argv:
            return argv
        name = argv[0].rpartition("/")[2]
        if _WAITERS.fullmatch(argv[0]) and len(argv) > 1:
            argv = _after_waiting(argv)
        elif name in _FLAGGED:
            argv = _after_options(argv[1:], _FLAGGED[name], drop=("--", "auto-restart", "-s", "-g", "-v"))
        elif name in _POSITIONAL and len(argv) > _POSITIONAL[name] + 1:
            argv = _after_options(argv[1:], ("-s", "-k", "--signal"), drop=())[_POSITIONAL[name] :]
        elif name in ("watchfiles", "hupper", "reflex") and len(argv) > 1:
            inner = _after_options(argv[1:], ("--filter", "--args", "--target-type", "-m", "-w"), drop=())
            argv = words(inner[0]) if inner and " " in inner[0] else inner
        elif name == "env" and len(argv) > 1:
            argv = _after_options(argv[1:], ("-u",), drop=("-i",))
        elif any(argv[:2] == prefix for prefix in _PREFIXES):
            argv = _after_options(argv[2:], ("-n", "-p", "--name", "--env-file", "--with", "--extra", "--group"), drop=("--",))
        if argv == before:
            return argv
    return argv


def _after_waiting(argv: tuple[str, ...]) -> tuple[str, ...]:
    """What follows `--`; else what follows the host:port words and flags."""
    if "--" in argv:
        return argv[argv.index("--") + 1 :]
    rest = argv[1:]
    while rest and (rest[0].startswith("-") or ":" in rest[0] or rest[0].isdigit() or "://" in rest[0]):
        takes_value = rest[0] in ("-wait", "-timeout", "-t", "-h", "-p", "--timeout", "--host", "--port", "-c")
        rest = rest[2:] if takes_value else rest[1:]
    return rest if len(rest) < len(argv) - 1 else ()


def _after_options(given: tuple[str, ...], values: tuple[str, ...], drop: tuple[str, ...]) -> tuple[str, ...]:
    position = 0
    while position < len(given) and (given[position].startswith("-") or given[position] in drop):
        position += 2 if given[position] in values else 1
    return given[position:]
