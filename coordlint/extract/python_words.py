"""Words of a Python file that its deployment may answer to: environment variables, addresses, imports.

Read from the text by patterns, because it is evidence only: a name counts when a manifest sets it, an address when a
workload answers to it.
"""

from __future__ import annotations

import re

from coordlint.manifest import SCRIPTS, EntryPoints, PythonWords, Setting, SettingsFile
from coordlint.source import Source

MAX_WORDS = 400
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]++([\w.]*+)[ \t]+import[ \t]+(\([^()]*+\)|[^\n#]+)|import[ \t]+([\w., \t]+))", re.M)
_LITERAL = re.compile(r"[\"']([A-Za-z][A-Za-z0-9_.:/@+,?=&-]{2,200})[\"']")
_DOTTED = re.compile(r"[a-z_]\w*(?:\.[A-Za-z_]\w*)+")
_NAME = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
_FIELD = re.compile(r"^[ \t]+([A-Za-z_]\w*)[ \t]*:[ \t]*[\w\[\], |.\"']+(?:=[ \t]*(?:Field\([^\n]*?)?[\"']([^\"'\n]*)[\"'])?", re.M)
_SCRIPT = re.compile(r"[\"']([A-Za-z][\w.-]*)\s*=\s*([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)\s*[\"']")
_GROUP = re.compile(r"[\"']([A-Za-z][\w.-]*)[\"'][ \t]*:\s*[\[(]")
_DEFAULT = re.compile(
    r"[\"']([A-Z][A-Z0-9_]{2,60})[\"'][ \t]*,\s*(?:default[ \t]*=[ \t]*|cast[ \t]*=[ \t]*\w+[ \t]*,\s*default[ \t]*=[ \t]*)?[\"']([^\"'\n]{2,200})[\"']"
)
_STARTED = re.compile(r"[\"']([^\"'\n]{0,200}/[\w.-]{1,80}\.py)[\"']")
_GUNICORN = re.compile(r"^(wsgi_app|workers|chdir)[ \t]*=[ \t]*(?:[\"']([^\"'\n]*)[\"']|(\d+)(?=[ \t]*$))?", re.M)
_GIVEN = re.compile(r"[=:][ \t]?\[?[\"']([A-Za-z][\w.:/@,-]{1,200})[\"']")
_TARGET = re.compile(r"(\w{1,60})[\"']?[ \t]*$")
_NAMES_A_HOST = re.compile(r"host|server|endpoint|addr|broker|backend$|url$|location$", re.I)


def read_words(source: Source) -> tuple[PythonWords | EntryPoints | SettingsFile, ...]:
    """The words of one file, nothing when it has none; of a setup.py also its entry points, of gunicorn's configuration what it starts."""
    text = source.text
    lines = _Lines(text)
    scripts: tuple[EntryPoints | SettingsFile, ...] = ()
    if "gunicorn" in source.path.rpartition("/")[2]:
        scripts = (SettingsFile(source.path, "gunicorn", tuple(Setting(m[1], m[2] or m[3] or "", lines.of(m.start())) for m in _GUNICORN.finditer(text))),)
    if source.path.rpartition("/")[2] == "setup.py" and "entry_points" in text:
        scripts = _entry_points(source.path, text, lines)
    literals = set(_LITERAL.findall(text))
    names = {word for word in literals if _NAME.fullmatch(word)}
    hosts = _hosts(text, names, sorted(word for word in literals if "://" in word))
    dotted = sorted(word for word in literals if "." in word and _DOTTED.fullmatch(word))
    imports = _imports(text, dotted)
    started = sorted({found.split()[-1] for found in _STARTED.findall(text)})[:MAX_WORDS]
    if not names and not hosts and not imports and not started:
        return scripts
    bare = tuple(word for word in dotted if word not in set(_imports(text, [])))[:MAX_WORDS]
    settings = tuple(Setting(variable, value, lines.of(at)) for (variable, value), at in hosts.items())
    return (PythonWords(source.path, tuple(imports), tuple(sorted(names))[:MAX_WORDS], settings, bare, tuple(started)), *scripts)


def _entry_points(path: str, text: str, lines: _Lines) -> tuple[EntryPoints, ...]:
    """`entry_points={"console_scripts": ["app = app.cli:main"], "app.stores": ["zk = app.zk:Store"]}`"""
    groups = [(m.start(), m[1]) for m in _GROUP.finditer(text)]
    scripts, plugins = [], []
    for m in _SCRIPT.finditer(text):
        group = next((name for at, name in reversed(groups) if at < m.start()), SCRIPTS[0])
        line = lines.of(m.start())
        if group in SCRIPTS:
            scripts.append(Setting(m[1], m[2], line))
        else:
            plugins.append(Setting(group, m[2], line))
    return (EntryPoints(path, tuple(scripts), tuple(plugins)),) if scripts or plugins else ()


def _hosts(text: str, names: set[str], urls: list[str]) -> dict[tuple[str, str], int]:
    """(variable, value) of what looks like an address, with its position; fields of settings classes join `names`."""
    hosts: dict[tuple[str, str], int] = {}

    def found(variable: str, value: str, position: int) -> None:
        if len(hosts) < MAX_WORDS and "{" not in value and "%" not in value:
            hosts.setdefault((variable, value), position)

    for match in _DEFAULT.finditer(text) if names and ("env" in text or "config" in text) else ():
        found(match[1], match[2], match.start(2))
    if "BaseSettings" in text or "from_prefixed_env" in text:
        for match in _FIELD.finditer(text):
            names.add(match[1].upper())
            if match[2]:
                found(match[1].upper(), match[2], match.start(2))
    known = {value for _, value in hosts}
    for url in urls:
        if url not in known:
            found("", url, text.find(url))
    for match in _GIVEN.finditer(text):
        target = _TARGET.search(text[max(match.start() - 60, 0) : match.start()])
        if target and match[1] not in known and _NAMES_A_HOST.search(target[1]):
            found(target[1].upper(), match[1], match.start(1))
    return hosts


def _imports(text: str, dotted: list[str]) -> list[str]:
    """Dotted names that may be modules, in order: imported ones, and those that settings name in strings."""
    found: dict[str, None] = {}
    for module, names, plain in _IMPORT.findall(text):
        if plain:
            for part in plain.split(","):
                found[part.split(" as ")[0].strip()] = None
            continue
        found[module] = None
        for part in names.strip("()").split(","):
            name = part.split(" as ")[0].split("#")[0].strip()
            if name.isidentifier():
                found[module + name if module.endswith(".") else f"{module}.{name}"] = None
    for name in dotted:
        found[name] = None
    return [name for name in found if name][:MAX_WORDS]


class _Lines:
    """Positions to lines."""

    def __init__(self, text: str) -> None:
        self.text, self.position, self.line = text, 0, 1

    def of(self, position: int) -> int:
        """The line of a position."""
        if position < self.position:
            self.position, self.line = 0, 1
        self.line += self.text.count("\n", self.position, position)
        self.position = position
        return self.line
