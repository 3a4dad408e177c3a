"""`[tool.coordlint]` in pyproject.toml, or coordlint.toml, into a frozen Config. Strict; all errors told at once.

Rule folders are never taken from here: they are code, and a scanned repository must not choose what code runs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from coordlint.codes import expand, unknown
from coordlint.finding import Confidence, Severity
from coordlint.tomlkeys import line_of_endless_key

PROFILES = ("default", "strict", "audit")
SEVERITIES = {s.label: s for s in Severity}
CONFIDENCES = {c.label: c for c in Confidence}
MAX_BYTES = 5_000_000

_T = TypeVar("_T")


class Config(msgspec.Struct, frozen=True):
    """What a project asks for. `fail_on` None means that findings never fail a run ("never")."""

    path: str = ""  # of the file it was read from, relative to the root; empty when there is none
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    severity: tuple[tuple[str, Severity], ...] = ()
    models: tuple[str, ...] = ()
    fail_on: Severity | None = Severity.WARNING
    min_confidence: Confidence = Confidence.MEDIUM
    profile: str = "default"
    require_reason: bool = False
    baseline: str = ""


class Problem(msgspec.Struct, frozen=True, order=True):
    """One error of the configuration and where it stands."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class BadConfig(Exception):
    """All errors of a configuration, sorted by line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(p) for p in self.problems))


def profiled(config: Config, profile: str) -> Config:
    """The configuration with what a profile stands for.

    default: confidence medium and up, warnings fail. strict: everything, anything fails, suppressions need a reason.
    audit: everything, warnings fail.
    """
    replace = msgspec.structs.replace
    match profile:
        case "strict":
            return replace(
                config,
                profile=profile,
                min_confidence=Confidence.LOW,
                fail_on=Severity.INFO,
                require_reason=True,
            )
        case "audit":
            return replace(config, profile=profile, min_confidence=Confidence.LOW)
        case _:
            return replace(config, profile=profile)


def load_config(root: Path, names: Mapping[str, str]) -> Config:
    """The configuration of the project at `root`; the defaults when it has none. `names`: code to name of every rule.

    coordlint.toml goes before pyproject.toml. Raises BadConfig.
    """
    own = root / "coordlint.toml"
    path = own if own.is_file() else root / "pyproject.toml"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadConfig([Problem(path.name, 1, f"larger than {MAX_BYTES // 1_000_000} MB")])
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig([Problem(path.name, 1, f"cannot be read: {error}")]) from None
    if endless := line_of_endless_key(text):
        if path is not own and "tool.coordlint" not in text:
            return Config()  # not ours to judge
        raise BadConfig([Problem(path.name, endless, "a key has more than a thousand parts")])
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        if path is not own and "tool.coordlint" not in text:
            return Config()  # not ours to judge
        line = re.search(r"at line (\d+)", str(error))
        raise BadConfig([Problem(path.name, int(line[1]) if line else 1, f"is no TOML: {error}")]) from None
    if path is own:
        return _Reader(root, path.name, text, "", names).read(table)
    tool = table.get("tool")
    ours = tool.get("coordlint") if isinstance(tool, dict) else None
    return Config() if ours is None else _Reader(root, path.name, text, "tool.coordlint", names).read(ours)


class _Reader:
    """Reads one table; gathers problems instead of stopping at the first."""

    def __init__(self, root: Path, path: str, text: str, table: str, names: Mapping[str, str]) -> None:
        self.root, self.path, self.names = root, path, names
        self.lines = _key_lines(text, table)
        self.problems: list[Problem] = []

    def read(self, table: object) -> Config:
        if not isinstance(table, dict):
            raise BadConfig([Problem(self.path, self._line(""), "tool.coordlint must be a table")])
        readers: dict[str, Callable[[str, Any], Any]] = {
            "select": self._codes,
            "ignore": self._codes,
            "exclude": self._strings,
            "per-file-ignores": self._per_file,
            "severity": self._severities,
            "models": self._files,
            "fail-on": self._fail_on,
            "min-confidence": self._confidence,
            "profile": self._profile,
            "require-reason": self._flag,
            "baseline": self._file,
        }
        fields: dict[str, Any] = {}
        for key, value in table.items():
            if reader := readers.get(key):
                fields[key.replace("-", "_")] = reader(key, value)
            elif key == "rules":
                self._tell(key, "rule folders are code: give them on the command line with --rules DIR")
            else:
                near = get_close_matches(key, readers, n=1, cutoff=0.6)
                self._tell(key, f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        if self.problems:
            raise BadConfig(self.problems)
        config = profiled(Config(path=self.path), fields.pop("profile", "default"))
        return msgspec.structs.replace(config, **fields)

    def _codes(self, key: str, value: Any) -> tuple[str, ...]:
        words = self._strings(key, value)
        for word in words:
            if not expand(word, self.names):
                self._tell(key, unknown(word, self.names), word)
        return words

    def _strings(self, key: str, value: Any) -> tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self._tell(key, f"{key} must be a list of strings, not {_told(value)}")
        return ()

    def _per_file(self, key: str, value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
        if not isinstance(value, dict):
            self._tell(key, f'{key} must be a table such as {{"tests/**" = ["CL1"]}}, not {_told(value)}')
            return ()
        return tuple((pattern, self._codes(f"{key}.{pattern}", codes)) for pattern, codes in value.items())

    def _severities(self, key: str, value: Any) -> tuple[tuple[str, Severity], ...]:
        if not isinstance(value, dict):
            self._tell(key, f'{key} must be a table such as {{CL201 = "warning"}}, not {_told(value)}')
            return ()
        chosen = []
        for word, level in value.items():
            at = f"{key}.{word}"
            if not expand(word, self.names):
                self._tell(at, unknown(word, self.names))
            if severity := self._one_of(at, level, SEVERITIES):
                chosen.append((word, severity))
        return tuple(chosen)

    def _files(self, key: str, value: Any) -> tuple[str, ...]:
        return tuple(self._file(key, name) for name in self._strings(key, value))

    def _file(self, key: str, value: Any) -> str:
        """A path inside the root; models must be there, a baseline may still be to come."""
        if not isinstance(value, str) or not value:
            self._tell(key, f"{key} must be a path, not {_told(value)}")
            return ""
        target = (self.root / value).resolve()
        if not target.is_relative_to(self.root.resolve()):
            self._tell(key, f"{value!r} lies outside the project", value)
        elif key == "models" and not target.is_file():
            self._tell(key, f"{value!r} does not exist", value)
        return value

    def _fail_on(self, key: str, value: Any) -> Severity | None:
        return self._one_of(key, value, {**SEVERITIES, "never": None})

    def _confidence(self, key: str, value: Any) -> Confidence | None:
        return self._one_of(key, value, CONFIDENCES)

    def _profile(self, key: str, value: Any) -> str:
        return self._one_of(key, value, {name: name for name in PROFILES}) or "default"

    def _flag(self, key: str, value: Any) -> bool:
        if not isinstance(value, bool):
            self._tell(key, f"{key} must be true or false, not {_told(value)}")
        return bool(value)

    def _one_of(self, key: str, value: Any, allowed: Mapping[str, _T]) -> _T | None:
        if isinstance(value, str) and value in allowed:
            return allowed[value]
        near = get_close_matches(str(value), allowed, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        self._tell(key, f"{key} must be one of {', '.join(allowed)}, not {_told(value)}{hint}")
        return None

    def _tell(self, key: str, message: str, item: str = "") -> None:
        self.problems.append(Problem(self.path, self._line(key, item), message))

    def _line(self, key: str, item: str = "") -> int:
        """Where a key stands (dotted below the table), or an item of its list."""
        at = self.lines.get(key) or self.lines.get(key.partition(".")[0]) or self.lines.get("", (1, ()))
        line, following = at
        if item:
            for offset, text in enumerate(following):
                if f'"{item}"' in text or f"'{item}'" in text:
                    return line + offset
        return line


def _key_lines(text: str, table: str) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Line of each key below a table, and the lines from there up to the next key. A scan: tomllib tells no places."""
    lines = text.splitlines()
    prefix: str | None = "" if not table else None
    starts: list[tuple[str, int]] = [("", 1)] if not table else []
    for number, line in enumerate(lines, 1):
        if header := re.match(r"\s*+\[([^\[\]]++)\]\s*+(#.*)?$", line):
            dotted = ".".join(_parts(header[1]))
            below = dotted == table or dotted.startswith(table + ".") if table else True
            prefix = dotted.removeprefix(table).lstrip(".") if below else None
            starts.append((prefix or "", number) if below else ("\0", number))
        elif prefix is not None and (found_key := re.match(r"\s*+([\w\"'.*/ \t@+-]++)=", line)):
            starts.append((".".join([*([prefix] if prefix else []), *_parts(found_key[1])]), number))
    ends = [number for _, number in starts[1:]] + [len(lines) + 1]
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for (key, number), end in zip(starts, ends, strict=True):
        found.setdefault(key, (number, tuple(lines[number - 1 : end - 1])))
    return found


def _parts(dotted: str) -> list[str]:
    return [a or b or c for a, b, c in re.findall(r"\"([^\"]*)\"|'([^']*)'|([^\s.]+)", dotted)]


def _told(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
