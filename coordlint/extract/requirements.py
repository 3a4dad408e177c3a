"""Dependency lists of every common format: declared distributions, and the console scripts a package installs."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from coordlint.facts import Facts, Requirement
from coordlint.manifest import SCRIPTS, EntryPoints, Manifest, Setting
from coordlint.source import Place, Skip, Source, Span
from coordlint.tomlkeys import line_of_endless_key

MAX_REQUIREMENTS = 5_000
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*([^;#]*)")
_LOCK_PACKAGE = re.compile(r'^[ \t]*+name[ \t]*+=[ \t]*+"([^"\n]+)"', re.M)
_KEY = re.compile(r"""^[ \t]*+["']?([^\s"'=:<>~!\[;]++)["']?[ \t\r]*+(?:[=:<>~!\[;]|$)""", re.M)

_Found = tuple[str, str, int]  # distribution, specifier, line
_Script = tuple[str, str, str, int]  # group, name, "module:function", line


class _Unreadable(Exception):
    """The file breaks the rules of its format."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


def normalised(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def extract_requirements(source: Source) -> Facts:
    """Requirements with their lines; a file that breaks its format is told."""
    try:
        found, declared = _read(source.path.rpartition("/")[2].lower(), source.text)
    except _Unreadable as error:
        return Facts(source.path, source.kind, skips=(Skip(source.path, error.reason, error.line),))
    requirements = tuple(
        Requirement(normalised(name), " ".join(spec.split()), Place(source.path, Span(line)))
        for name, spec, line in found[:MAX_REQUIREMENTS]
    )
    manifests: tuple[Manifest, ...] = ()
    if declared:
        scripts = tuple(Setting(name, target, line) for group, name, target, line in declared if group in SCRIPTS)
        plugins = tuple(Setting(group, target, line) for group, _, target, line in declared if group not in SCRIPTS)
        manifests = (EntryPoints(source.path, scripts, plugins),)
    return Facts(source.path, source.kind, manifests=manifests, requirements=requirements)


def _read(name: str, text: str) -> tuple[list[_Found], list[_Script]]:
    if name == "pyproject.toml":
        return _pyproject(text)
    if name == "pipfile":
        return _pipfile(text), []
    if name == "pipfile.lock":
        return _pipfile_lock(text), []
    if name in ("poetry.lock", "uv.lock", "pdm.lock"):
        lines = _Lines(text)
        return [(m[1], "", lines.at(m.start(1))) for m in _LOCK_PACKAGE.finditer(text)], []
    if name == "setup.cfg":
        return _setup_cfg(text)
    if name.startswith("environment.y"):
        return _conda(text), []
    return list(_pip_lines(text)), []


def _pip_lines(text: str, first: int = 1) -> Iterator[_Found]:
    """Lines of a requirements file; options, paths and includes are passed over."""
    for number, line in enumerate(text.split("\n"), first):
        bare = line.split(" #")[0].strip()
        if not bare or bare[0] in "#-./\\":
            continue
        egg = re.search(r"#egg=([A-Za-z0-9._-]+)", line)
        if "://" in bare.split("@")[0]:
            if egg:
                yield (egg[1], "", number)
            continue
        match = _REQUIREMENT.match(bare)
        if match:
            yield (match[1], match[2].strip().rstrip("\\").strip().split(" --")[0], number)


def _pyproject(text: str) -> tuple[list[_Found], list[_Script]]:
    data = _toml(text)
    project, tool = _dict(data.get("project")), _dict(data.get("tool"))
    poetry = _dict(tool.get("poetry"))
    declared = [*_list(project.get("dependencies"))]
    for group in (*_dict(project.get("optional-dependencies")).values(), *_dict(data.get("dependency-groups")).values()):
        declared += _list(group)
    found: list[_Found] = []
    lines = _Lines(text)
    for entry in declared[:MAX_REQUIREMENTS]:
        match = _REQUIREMENT.match(entry) if isinstance(entry, str) else None
        if match:
            found.append((match[1], match[2].strip(), lines.at(text.find(entry))))
    tables = [_dict(poetry.get("dependencies")), _dict(poetry.get("dev-dependencies"))]
    tables += [_dict(_dict(group).get("dependencies")) for group in _dict(poetry.get("group")).values()]
    for table in tables:
        found += [(n, _specifier(v), lines.of_key(n)) for n, v in table.items() if n != "python"]
    groups = {**_dict(project.get("entry-points")), **_dict(poetry.get("plugins"))}
    groups[SCRIPTS[0]] = {**_dict(project.get("scripts")), **_dict(poetry.get("scripts"))}
    return found, [(g, n, v, lines.of_key(n)) for g, group in groups.items() for n, v in _dict(group).items() if isinstance(v, str)]


def _pipfile(text: str) -> list[_Found]:
    data, lines = _toml(text), _Lines(text)
    tables = (_dict(data.get("packages")), _dict(data.get("dev-packages")))
    return [(n, _specifier(v), lines.of_key(n)) for table in tables for n, v in table.items()]


def _pipfile_lock(text: str) -> list[_Found]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Unreadable("not valid JSON", getattr(error, "lineno", 1)) from None
    lines = _Lines(text)
    tables = (_dict(_dict(data).get("default")), _dict(_dict(data).get("develop")))
    return [(n, _specifier(v), lines.of_key(n)) for table in tables for n, v in table.items()]


def _setup_cfg(text: str) -> tuple[list[_Found], list[_Script]]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise _Unreadable("not a valid ini file", getattr(error, "lineno", 1) or 1) from None
    lines = _Lines(text)
    blocks = [parser.get("options", "install_requires", fallback="")]
    if parser.has_section("options.extras_require"):
        blocks += [value for _, value in parser.items("options.extras_require")]
    found = [(n, spec, lines.of_key(n)) for block in blocks for n, spec, _ in _pip_lines(block)]
    scripts = []
    for section in ("options.entry_points", "entry_points"):  # the latter is pbr's
        for group, lines_of in parser.items(section) if parser.has_section(section) else ():
            for line in lines_of.splitlines():
                name, equals, target = (part.strip() for part in line.partition("="))
                if equals:
                    scripts.append((group, name, target, lines.of_key(name)))
    return found, scripts


def _conda(text: str) -> list[_Found]:
    rows = (re.match(r"\s*-\s+([A-Za-z0-9._-]+)\s*([=<>!~][^\s#]*)?", line) for line in text.split("\n"))
    return [(m[1], m[2] or "", number) for number, m in enumerate(rows, 1) if m]


def _toml(text: str) -> dict[str, Any]:
    if text.count("[") + text.count("{") > 20_000:
        raise _Unreadable("too many brackets for a project file")
    if endless := line_of_endless_key(text):
        raise _Unreadable("a key has more than a thousand parts", endless)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = re.search(r"line (\d+)", str(error))
        raise _Unreadable("not valid TOML", int(line[1]) if line else 1) from None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _specifier(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("version", "")
    return value if isinstance(value, str) and value != "*" else ""


class _Lines:
    """Where things stand in a text, asked often."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = [m.start() for m in re.finditer("\n", text)]

    def at(self, position: int) -> int:
        """The line of a position; 1 when it was not found."""
        return bisect_left(self._ends, position) + 1

    def of_key(self, name: str) -> int:
        """The first line that begins with a name."""
        return self._keys.get(name.lower(), 1)

    @cached_property
    def _keys(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for key in _KEY.finditer(self._text):
            found.setdefault(key[1].lower(), self.at(key.start(1)))
        return found
