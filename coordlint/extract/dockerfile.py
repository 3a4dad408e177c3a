"""A Dockerfile's text into stages of instructions."""

from __future__ import annotations

import json
import re
import shlex

from msgspec.structs import replace

from coordlint.facts import Facts
from coordlint.manifest import Dockerfile, Instruction, ShellScript, Stage
from coordlint.shellwords import MAX_TEXT, commands
from coordlint.source import Skip, Source

MAX_INSTRUCTIONS = 2_000
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_]\w*)\1")
_CAT_TO = re.compile(r"\bcat\s*>\s*(?P<file>[^\s<>|;&]+)\s*(?P<mark><<-?\s*[\"']?\w+[\"']?)")
_CAT_FROM = re.compile(r"\bcat\s*(?P<mark><<-?\s*[\"']?\w+[\"']?)\s*>\s*(?P<file>[^\s<>|;&]+)")
_ESCAPE = re.compile(r"#\s*escape\s*=\s*`", re.I)
_EXEC_FORM = frozenset(("CMD", "ENTRYPOINT", "SHELL", "RUN", "COPY", "ADD", "VOLUME"))


def extract_dockerfile(source: Source) -> Facts:
    """All stages, in order; a file without FROM is told."""
    stages: list[Stage] = []
    arguments: dict[str, str] = {}
    open_stage: list[Instruction] = []
    head: Instruction | None = None
    written: list[ShellScript] = []
    for instruction in _instructions(source.text, source.path, written):
        if instruction.name == "FROM":
            if head is not None:
                stages.append(_stage(head, open_stage))
            head, open_stage = instruction, []
        elif head is not None:
            open_stage.append(instruction)
        elif instruction.name == "ARG" and instruction.words:
            name, _, value = instruction.words[0].partition("=")
            arguments[name] = value
    if head is None:
        return Facts(source.path, source.kind, skips=(Skip(source.path, "no FROM instruction"),))
    stages.append(_stage(head, open_stage))
    return Facts(
        source.path, source.kind, manifests=(Dockerfile(source.path, tuple(stages), arguments), *written)
    )


def _stage(head: Instruction, body: list[Instruction]) -> Stage:
    words = [word for word in head.words if not word.startswith("--")]
    name = words[2] if len(words) > 2 and words[1].lower() == "as" else ""
    return Stage(words[0] if words else "", name, tuple(body), head.line)


def _instructions(text: str, path: str, written: list[ShellScript]) -> list[Instruction]:
    """All instructions; `written` gains the shell scripts that here-documents hold."""
    lines = text.split("\n")
    escape = "`" if any(_ESCAPE.match(line.strip()) for line in lines[:3]) else "\\"
    made: list[Instruction] = []
    number = 0
    while number < len(lines) and len(made) < MAX_INSTRUCTIONS:
        first = number + 1
        parts: list[str] = []
        while number < len(lines):
            line = lines[number].rstrip("\r")
            number += 1
            bare = line.strip()
            if bare.startswith("#") or (parts and not bare):
                continue  # comments and empty lines may stand inside a continued instruction
            if not line.rstrip().endswith(escape):
                parts.append(bare)
                break
            parts.append(bare[: -len(escape)])
        joined = " ".join(part for part in parts if part).strip()
        if not joined:
            continue
        first = _first_line(lines, first, number)
        made.append(_instruction(joined, first))
        for mark in _HEREDOC.finditer(joined) if made[-1].name in ("RUN", "COPY", "ADD") else []:
            begin = number
            while number < len(lines) and lines[number].strip() != mark[2]:
                number += 1
            script = _script(joined, mark, lines[begin:number], path, begin)
            if script is not None:
                written.append(script)
                made[-1] = replace(made[-1], writes=(*made[-1].writes, script.name))
            number += 1
    return made


def _script(joined: str, mark: re.Match[str], lines: list[str], path: str, begin: int) -> ShellScript | None:
    """The shell script that a here-document puts into a file of the image: by COPY, or by `cat > file`."""
    name, _, rest = joined.partition(" ")
    target = rest.split()[-1] if name.upper() in ("COPY", "ADD") else _written_by(rest, mark[0])
    is_script = target.endswith((".sh", ".bash")) or (lines and re.match(r"#!.*\b(ba|da|k|z|a)?sh\b", lines[0]))
    if not target or target.startswith("<<") or target.endswith("/") or not is_script:
        return None
    text = "\n".join(lines)[:MAX_TEXT]
    return ShellScript(path, tuple(replace(c, line=c.line + begin) for c in commands(text)), target)


def _written_by(rest: str, mark: str) -> str:
    for pattern in (_CAT_TO, _CAT_FROM):
        for match in pattern.finditer(rest):
            if match["mark"] == mark:
                return match["file"]
    return ""


def _first_line(lines: list[str], first: int, last: int) -> int:
    """The instruction's own line: comments and blank lines before it are passed over."""
    while first < last and (not lines[first - 1].strip() or lines[first - 1].lstrip().startswith("#")):
        first += 1
    return first


def _instruction(joined: str, line: int) -> Instruction:
    name, _, rest = joined.partition(" ")
    name, rest = name.upper(), rest.strip()
    if name == "ONBUILD":
        return Instruction(name, (rest,), line)
    if name == "HEALTHCHECK":
        return _healthcheck(rest, line)
    flags: list[str] = []
    while rest.startswith("--") and name in ("COPY", "ADD", "RUN"):
        flag, _, rest = rest.partition(" ")
        flags.append(flag)
        rest = rest.strip()
    if name in _EXEC_FORM and rest.startswith("["):
        words = _exec_form(rest)
        if words is not None:
            return Instruction(name, (*flags, *words), line, True)
    if name in ("CMD", "ENTRYPOINT", "RUN"):
        return Instruction(name, (*flags, rest), line)
    if name == "ENV":
        return Instruction(name, _pairs(rest), line)
    return Instruction(name, (*flags, *_words(rest)), line)


def _healthcheck(rest: str, line: int) -> Instruction:
    while rest.startswith("--"):
        rest = rest.partition(" ")[2].strip()
    if rest.upper().startswith("CMD"):
        rest = rest[3:].strip()
        words = _exec_form(rest) if rest.startswith("[") else None
        return Instruction("HEALTHCHECK", words if words is not None else (rest,), line, words is not None)
    return Instruction("HEALTHCHECK", (rest,), line)


def _exec_form(rest: str) -> tuple[str, ...] | None:
    try:
        words = json.loads(rest)
    except (ValueError, RecursionError):
        return None
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return tuple(words)
    return None


def _words(rest: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(rest, posix=True))
    except ValueError:
        return tuple(rest.split())


def _pairs(rest: str) -> tuple[str, ...]:
    """ENV in both forms as NAME=value words."""
    words = _words(rest)
    if words and "=" in words[0]:
        return tuple(word for word in words if "=" in word)
    name, _, value = rest.partition(" ")
    return (f"{name}={value.strip()}",) if name else ()
