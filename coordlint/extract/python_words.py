"""Words of a Python file that its deployment may answer to: environment variables, addresses, imports.

Read from the text by patterns, because it is evidence only: a name counts when a manifest sets it, an address when a
workload answers to it.
"""

from __future__ import annotations

import re

from coordlint.manifest import EntryPoints, PythonWords, Setting
from coordlint.source import Source

MAX_WORDS = 400
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)|import[ \t]+([\w., \t]+))", re.M)
_DOTTED = re.compile(r"[\"']([a-z_]\w*(?:\.[A-Za-z_]\w*)+)[\"']")
_SCRIPT = re.compile(r"[\"']([A-Za-z][\w.-]*)\s*=\s*([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)\s*[\"']")
_NAME = re.compile(r"[\"']([A-Z][A-Z0-9_]{2,60})[\"']")
_FIELD = re.compile(r"^[ \t]+([A-Za-z_]\w*)[ \t]*:[ \t]*[\w\[\], |.\"']+(?:=[ \t]*(?:Field\([^\n]*?)?[\"']([^\"'\n]*)[\"'])?", re.M)
_URL = re.compile(r"[\"']([a-z][a-z0-9+.-]*://[^\"'\s]{2,200})[\"']")
_DEFAULT = re.compile(
    r"[\"']([A-Z][A-Z0-9_]{2,60})[\"'][ \t]*,\s*(?:default[ \t]*=[ \t]*|cast[ \t]*=[ \t]*\w+[ \t]*,\s*default[ \t]*=[ \t]*)?[\"']([^\"'\n]{2,200})[\"']"
)
_KEYWORD = re.compile(
    r"\b((?:\w+_)?(?:hosts?|hostname|servers?|bootstrap_servers|endpoint|address|addr|brokers?|broker_url|backend|url|location))[\"']?"
    r"[ \t]*(?:=|:)[ \t]*\[?[ \t]*[\"']([\w.:/@,-]{2,200})[\"']",
    re.I,
)


def read_words(source: Source) -> tuple[PythonWords | EntryPoints, ...]:
    """The words of one file, nothing when it has none; of a setup.py also its console scripts."""
    text = source.text
    scripts: tuple[EntryPoints, ...] = ()
    if source.path.rpartition("/")[2] == "setup.py" and "console_scripts" in text:
        lines = _Lines(text)
        made = tuple(Setting(m[1], m[2], lines.of(m.start())) for m in _SCRIPT.finditer(text))
        scripts = (EntryPoints(source.path, made),) if made else ()
    names = set(_NAME.findall(text))
    hosts: dict[tuple[str, str], int] = {}

    def found(variable: str, value: str, position: int) -> None:
        if len(hosts) < MAX_WORDS and "{" not in value and "%" not in value:
            hosts.setdefault((variable, value), position)

    for match in _DEFAULT.finditer(text):
        found(match[1], match[2], match.start(2))
    if "BaseSettings" in text or "from_prefixed_env" in text:
        for match in _FIELD.finditer(text):
            names.add(match[1].upper())
            if match[2]:
                found(match[1].upper(), match[2], match.start(2))
    known = {value for _, value in hosts}
    for match in _URL.finditer(text):
        if match[1] not in known:
            found("", match[1], match.start(1))
    for match in _KEYWORD.finditer(text):
        if match[2] not in known:
            found(match[1].upper(), match[2], match.start(2))
    imports = _imports(text)
    if not names and not hosts and not imports:
        return scripts
    lines = _Lines(text)
    settings = tuple(Setting(variable, value, lines.of(at)) for (variable, value), at in hosts.items())
    return (PythonWords(source.path, tuple(imports), tuple(sorted(names))[:MAX_WORDS], settings), *scripts)


def _imports(text: str) -> list[str]:
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
    for name in _DOTTED.findall(text):
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
