"""Small formats of names and values: .env files, Procfiles, ini files of process managers, server configurations."""

from __future__ import annotations

import re

from coordlint.facts import Facts
from coordlint.manifest import Setting, SettingsFile
from coordlint.source import Source

MAX_SETTINGS = 5_000
_ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=(.*)")
_PROC_LINE = re.compile(r"([A-Za-z0-9_.-]++)\s*+:\s*+(.+)")
_SECTION = re.compile(r"\s*\[([^\]]+)\]")
_INI_LINE = re.compile(r"([A-Za-z0-9_.-]+)\s*[=:]\s*(.*)")
_UPSTREAM = re.compile(r"^\s*(?:location\s[^{]*\{\s*)?(?:server|proxy_pass|uwsgi_pass|fastcgi_pass|grpc_pass)\s+([^\s;{]+)")

_MONITORING = re.compile(r"^(scrape_configs|datasources)[ \t]*:", re.M)
_TARGETS = re.compile(r"\s*(?:- +)?targets[ \t]*:(.*)")
_ADDRESS = re.compile(r"(?<![\w.:/-])([A-Za-z][\w.-]{0,253}:\d{2,5})(?![\w:])")
_SOURCE_URL = re.compile(r"\s*(?:- +)?url[ \t]*:[ \t]*['\"]?(https?://[^\s'\"#]+)")


def extract_env(source: Source) -> Facts:
    """An env file."""
    return _facts(source, "env", env_settings(source.text))


def env_settings(text: str) -> tuple[Setting, ...]:
    """NAME=value lines; quotes and trailing comments are taken off, values may reach over lines within quotes."""
    made: list[Setting] = []
    lines = text.split("\n")
    number = 0
    while number < len(lines) and len(made) < MAX_SETTINGS:
        match = _ENV_LINE.match(lines[number])
        number += 1
        if match is None:
            continue
        value, first = match[2].strip(), number
        if value[:1] in "\"'" and value:
            quote = value[0]
            while quote not in value[1:] and number < len(lines) and number - first < 50:
                value += "\n" + lines[number]
                number += 1
            end = value.find(quote, 1)
            value = value[1:end] if end > 0 else value[1:]
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].strip()
        made.append(Setting(match[1], value, first))
    return tuple(made)


def extract_settings(source: Source) -> Facts:
    """A Procfile, supervisord.conf, uwsgi.ini, redis.conf, zoo.cfg, nginx.conf, prometheus.yml and the like: by name, then by content."""
    what = settings_kind(source.path, source.text)
    if not what:
        return Facts(source.path, source.kind)
    return _facts(source, what, _READERS[what](source.text))


def settings_kind(path: str, text: str) -> str:
    """Which of the small formats a file is; empty when it is none."""
    name = path.rpartition("/")[2].lower()
    if name.startswith("procfile"):
        return "procfile"
    if "[program:" in text:
        return "supervisor"
    if "[uwsgi]" in text:
        return "uwsgi"
    if name.endswith(".conf") and ("redis" in name or "sentinel" in name):
        return "redis"
    if name.startswith("zoo") and name.endswith((".cfg", ".properties")):
        return "zookeeper"
    if "proxy_pass" in text or "upstream " in text:
        return "nginx"
    if name.endswith((".yml", ".yaml")) and _MONITORING.search(text):
        return "monitoring"
    return "ini" if name.endswith((".ini", ".cfg", ".conf")) else ""


def server_settings(backend: str, text: str) -> tuple[Setting, ...]:
    """The settings of a server's own configuration file, wherever its text stands; nothing for other servers."""
    reader = {"redis": _words, "zookeeper": _equals}.get(backend)
    return reader(text) if reader else ()


def _procfile(text: str) -> tuple[Setting, ...]:
    found = ((number, _PROC_LINE.match(line)) for number, line in enumerate(text.split("\n"), 1))
    return tuple(Setting(m[1], m[2].strip(), number) for number, m in found if m)[:MAX_SETTINGS]


def _ini(text: str) -> tuple[Setting, ...]:
    """section/key settings; indented lines continue the value above."""
    made: list[Setting] = []
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        if match := _SECTION.match(line):
            section = match[1].strip()
        elif line[0].isspace() and made:
            last = made[-1]
            made[-1] = Setting(last.name, f"{last.value} {line.strip()}".strip(), last.line)
        elif match := _INI_LINE.match(line):
            made.append(Setting(f"{section}/{match[1]}", re.split(r"\s;", match[2])[0].strip(), number))
        if len(made) >= MAX_SETTINGS:
            break
    return tuple(made)


def _words(text: str) -> tuple[Setting, ...]:
    """`name value` lines, as in redis.conf."""
    made = []
    for number, line in enumerate(text.split("\n"), 1):
        name, _, value = line.strip().partition(" ")
        if name and name[0] not in "#;":
            made.append(Setting(name.lower(), value.strip().strip("\"'"), number))
    return tuple(made[:MAX_SETTINGS])


def _equals(text: str) -> tuple[Setting, ...]:
    """`name=value` lines, as in zoo.cfg."""
    made = []
    for number, line in enumerate(text.split("\n"), 1):
        name, equals, value = line.partition("=")
        if equals and not name.lstrip().startswith("#"):
            made.append(Setting(name.strip(), value.strip(), number))
    return tuple(made[:MAX_SETTINGS])


def peers_named(path: str, text: str, what: str) -> tuple[Setting, ...]:
    """The hosts that a proxy passes requests to, or a monitoring server asks, if the text is of that kind; else nothing."""
    return _READERS[what](text) if settings_kind(path, text) == what else ()


def _monitoring(text: str) -> tuple[Setting, ...]:
    """The addresses that Prometheus scrapes and the data sources that Grafana reads."""
    made: list[Setting] = []
    targets = -1  # how deep the list of targets stands that is being read
    for number, line in enumerate(text.split("\n"), 1):
        depth = len(line) - len(line.lstrip())
        match = _TARGETS.match(line)
        if match:
            targets = depth
        elif line.strip() and (depth < targets or (depth == targets and not line.lstrip().startswith("-"))):
            targets = -1
        if targets >= 0 and not line.lstrip().startswith("#"):
            made += [Setting("target", found, number) for found in _ADDRESS.findall(match[1] if match else line)]
        elif match := _SOURCE_URL.match(line):
            made.append(Setting("datasource", match[1], number))
    return tuple(made[:MAX_SETTINGS])


def _nginx(text: str) -> tuple[Setting, ...]:
    """The hosts that requests are passed to."""
    found = ((number, _UPSTREAM.match(line)) for number, line in enumerate(text.split("\n"), 1))
    return tuple(Setting("upstream", m[1], number) for number, m in found if m)[:MAX_SETTINGS]


_READERS = {
    "procfile": _procfile,
    "supervisor": _ini,
    "uwsgi": _ini,
    "ini": _ini,
    "redis": _words,
    "zookeeper": _equals,
    "nginx": _nginx,
    "monitoring": _monitoring,
}


def _facts(source: Source, what: str, settings: tuple[Setting, ...]) -> Facts:
    return Facts(source.path, source.kind, manifests=(SettingsFile(source.path, what, settings),))
