"""What kind of file it is: decided by name where names are telling, by content where they are not."""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache

from coordlint.source import Kind

PYTHON_LIMIT = 5_000_000
YAML_LIMIT = 20_000_000
HEAD_BYTES = 65_536  # what is read of a file whose name says little

_COMPOSE_NAME = re.compile(
    r"(docker-|podman-)?(compose|stack)([._-].*)?\.ya?ml|.*[._-](docker-)?compose\.ya?ml", re.I
)
_DOCKER_NAME = re.compile(r"(dockerfile|containerfile)([._-].*)?|.*\.(dockerfile|containerfile)", re.I)
_NOT_A_DOCKERFILE = frozenset(
    (
        "py",
        "md",
        "json",
        "txt",
        "dockerignore",
        "tmpl",
        "template",
        "j2",
        "css",
        "scss",
        "html",
        "js",
        "jsx",
        "ts",
        "tsx",
        "go",
    )
)
_REQUIREMENTS_NAME = re.compile(
    r"(.*[._-])?(requirements|constraints)([._-].*)?\.(txt|in)|pyproject\.toml|setup\.cfg|pipfile(\.lock)?|(poetry|uv|pdm)\.lock"
    r"|environment\.ya?ml",
    re.I,
)
_ENV_NAME = re.compile(r"\.env([._-].*)?|.+\.env|env[._-]?file([_-].*)?", re.I)
_TEMPLATE_WORDS = frozenset(("example", "sample", "template", "tmpl", "dist"))
_OTHER_NAME = re.compile(
    r"procfile([._-].*)?|supervisord?([._-].*)?\.(conf|ini)|circus\.ini|uwsgi([._-].*)?\.ini|.*uwsgi\.ini"
    r"|.*\.supervisor|.*(redis|sentinel)[^/]*\.conf|zoo[^/]*\.(cfg|properties)"
    r"|(.*nginx[^/]*|default([._-].*)?)\.conf(\.template|\.tmpl)?",
    re.I,
)
_OTHER_FOLDER = re.compile(r"(^|/)(nginx|supervisord?(\.d)?)/", re.I)
_OTHER_ENDING = re.compile(r"[^/]\.(conf|ini)(\.template)?$", re.I)
_CHART_TEMPLATE = re.compile(r"(^|/)templates/", re.I)
_CHART_PART = re.compile(r"(^|/)(chart\.ya?ml|values([._-][^/]*)?\.ya?ml)$", re.I)


class Sniffed(Enum):
    """Names that say little: the head of the file decides whether the rest is read."""

    NOTHING = auto()
    YAML = auto()
    JSON = auto()
    SCRIPT = auto()
    SETTINGS = auto()
    DOCKER = auto()

    def plausible(self, head: bytes) -> bool:
        """Whether a file whose first HEAD_BYTES are these can be one of ours."""
        match self:
            case Sniffed.YAML:
                return any(mark in head for mark in _YAML_MARKS)
            case Sniffed.JSON:
                return b'"apiVersion"' in head
            case Sniffed.SCRIPT:
                return head.startswith(b"#!")
            case Sniffed.SETTINGS:
                return any(mark in head for mark in _SETTINGS_MARKS)
            case Sniffed.DOCKER:
                return bool(_FROM.search(head))
            case _:
                return False


_FROM = re.compile(rb"^FROM[ \t]+\S", re.M | re.I)
_YAML_MARKS = (b"services:", b"apiVersion", b"scrape_configs:", b"datasources:")  # the last two: Prometheus, Grafana
_SETTINGS_MARKS = (b"[program:", b"[uwsgi]", b"proxy_pass", b"uwsgi_pass")  # process managers, proxies


@lru_cache(maxsize=65_536)
def kind_of_name(path: str) -> Kind | Sniffed:
    """What the name alone says; NOTHING when files of such names are never read."""
    name = path.rpartition("/")[2]
    lower = name.lower()
    stem, dot, suffix = lower.rpartition(".")
    if suffix == "py" and dot:
        return Kind.PYTHON
    if suffix in ("yaml", "yml"):
        if _COMPOSE_NAME.fullmatch(name):
            return Kind.COMPOSE
        if stem == "kustomization":
            return Kind.KUBERNETES
        return Kind.REQUIREMENTS if stem == "environment" else Sniffed.YAML
    if _DOCKER_NAME.fullmatch(name) and suffix not in _NOT_A_DOCKERFILE:
        return Kind.DOCKERFILE
    if _REQUIREMENTS_NAME.fullmatch(name):
        return Kind.REQUIREMENTS
    if (suffix in ("sh", "bash", "mk") and dot) or is_makefile(path):
        return Kind.SHELL
    if _ENV_NAME.fullmatch(name) or is_env_template(path):
        return Kind.ENV
    if _OTHER_NAME.fullmatch(name) or (_OTHER_ENDING.search(path) and _OTHER_FOLDER.search(path)):
        return Kind.OTHER
    if suffix == "json" and dot:
        return Sniffed.JSON
    if suffix == "txt" and "docker" in stem:
        return Sniffed.DOCKER
    if suffix == "txt" and "/requirements/" in f"/{path.lower()}":
        return Kind.REQUIREMENTS
    if suffix in ("conf", "ini") and dot:
        return Sniffed.SETTINGS
    if not dot and not name.isupper():
        return Sniffed.SCRIPT
    return Sniffed.NOTHING


def is_makefile(path: str) -> bool:
    """Whether a file is one of make's; its recipes are shell."""
    return path.lower().endswith(".mk") or path.rpartition("/")[2].lower() in ("makefile", "gnumakefile")


def is_env_template(path: str) -> bool:
    """Whether a file is named as the template of an env file: `sample.env`, `.env.example`, `env_web_template`.

    It is there to be committed, although `*.env` is what repositories ignore.
    """
    name = path.rpartition("/")[2].lower()
    words = re.split(r"[._-]", name)
    if _TEMPLATE_WORDS.isdisjoint(words):
        return False
    return bool(_ENV_NAME.fullmatch(name)) or ("env" in words and ("." not in name or words[-1] in _TEMPLATE_WORDS))


def is_chart_part(path: str) -> bool:
    """Whether a file below a Chart.yaml belongs to the chart itself: a template, the values, the chart's own page."""
    is_template = path.lower().endswith((".yaml", ".yml", ".tpl")) and _CHART_TEMPLATE.search(path)
    return bool(is_template or _CHART_PART.search(path))


def kind_of(named: Kind | Sniffed, data: bytes) -> Kind | None:
    """The kind of a file by what it holds, where its name alone did not tell; None when it is none of ours."""
    match named:
        case Kind.COMPOSE:
            return Kind.KUBERNETES if _is_kubernetes(data) else Kind.COMPOSE
        case Kind.DOCKERFILE if not _FROM.search(data) and _is_compose(data):
            return Kind.COMPOSE  # whoever calls his services' file that runs it with `docker compose -f`
        case Kind():
            return named
        case Sniffed.YAML:
            if _is_kubernetes(data):
                return Kind.KUBERNETES
            if _is_compose(data):
                return Kind.COMPOSE
            return Kind.OTHER if _MONITORING.search(data) else None
        case Sniffed.JSON:
            return Kind.KUBERNETES if _JSON_KIND.search(data) and _JSON_API.search(data) else None
        case Sniffed.SCRIPT:
            return _kind_of_script(data)
        case Sniffed.SETTINGS:
            return Kind.OTHER
        case Sniffed.DOCKER:
            return Kind.DOCKERFILE if _FROM.search(data) and _INSTRUCTION.search(data) else None
        case _:
            return None


_INSTRUCTION = re.compile(rb"^(RUN|CMD|COPY|ENTRYPOINT|WORKDIR)[ \t]", re.M | re.I)


def is_generated(path: str, kind: Kind, data: bytes) -> bool:
    """Whether a program wrote the file and says so, in its name or in its head."""
    if kind is Kind.PYTHON and path.endswith(("_pb2.py", "_pb2_grpc.py")):
        return True
    return kind is Kind.PYTHON and bool(_GENERATED.search(data[:1000]))


_GENERATED = re.compile(
    rb"^[ \t]*+(#|//|\"\"\").{0,120}(@generated\b|code generated\b.{0,80}\bdo not edit)"
    rb"|^# generated by the protocol buffer compiler|^# -\*- .*\n# generated by the protocol buffer"
    rb"|^# generated .{0,60}\bby generateds\b|^# autogenerated by thrift compiler|^# generated from .{0,200} by antlr\b|^# .{0,60}\bpyxb:",
    re.I | re.M,
)
_API_VERSION = re.compile(rb"^(\xef\xbb\xbf)?[\"']?apiVersion[\"']?[ \t]*:", re.M)
_MONITORING = re.compile(rb"^(scrape_configs|datasources)[ \t]*:", re.M)
_KIND = re.compile(rb"^(\xef\xbb\xbf)?[\"']?kind[\"']?[ \t]*:", re.M)
_JSON_API = re.compile(rb'"apiVersion"\s*:\s*"')
_JSON_KIND = re.compile(rb'"kind"\s*:\s*"[A-Z]')
_SERVICES = re.compile(
    rb"^(?:\xef\xbb\xbf)?[\"']?services[\"']?[ \t]*:[ \t]*(?:#[^\n]*)?\r?\n((?:(?:[ \t]+[^\n]*|#[^\n]*|\r?)(?:\n|\Z))+)",
    re.M,
)
_SERVICE_FIELD = re.compile(
    rb"^([ \t]+)(?:image|build|command|entrypoint|extends|deploy|container_name|depends_on|env_file)[ \t]*:",
    re.M,
)
_FIRST_KEY = re.compile(rb"^([ \t]+)[^\s#-][^\n]*:", re.M)


def _is_kubernetes(data: bytes) -> bool:
    return bool(_KIND.search(data) and _API_VERSION.search(data))


def _is_compose(data: bytes) -> bool:
    """A top-level `services:` mapping with, one level deeper than its keys, a field that only services have."""
    block = _SERVICES.search(data)
    if block is None:
        return False
    first = _FIRST_KEY.search(block[1])
    if first is None:
        return False
    depth = len(first[1])
    return any(len(field[1]) > depth for field in _SERVICE_FIELD.finditer(block[1]))


def _kind_of_script(data: bytes) -> Kind | None:
    """By the interpreter in the first line."""
    line = data[:200].split(b"\n", 1)[0]
    if not line.startswith(b"#!"):
        return None
    if b"python" in line:
        return Kind.PYTHON
    return Kind.SHELL if re.search(rb"\b(ba|da|k|z|a)?sh\b", line) else None
