"""What a container starts: its command line followed through wrappers, `sh -c`, entry scripts and process managers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from coordlint.link.deploy.interpolation import filled
from coordlint.link.deploy.layout import Layout
from coordlint.link.deploy.programs import Program, recognise
from coordlint.link.deploy.scripted import expanded, is_reached, named, with_arguments, with_numbers
from coordlint.link.deploy.wrappers import unwrapped
from coordlint.manifest import UNKNOWN, SettingsFile, ShellCommand
from coordlint.shellwords import commands, words
from coordlint.source import Place, Span

_PLACEHOLDER = re.compile(r"%\((\w[\w-]*)\)")  # of uwsgi
MAX_DEPTH = 8
MAX_PROGRAMS = 60

_SHELLS = frozenset(("sh", "bash", "ash", "dash", "zsh", "ksh"))
_QUIET = frozenset(
    ("echo", "cd", "set", "mkdir", "sleep", "test", "[", "[[", "true", "false", "chmod", "chown", "cp", "mv", "rm", "ln")
) | {"cat", "grep", "sed", "awk", "wait", "trap", "shift", "exit", "return", "ulimit", "umask", "printf", "read", "curl",
     "wget", "nc", "apt-get", "apt", "apk", "yum", "pip", "pip3", "conda", "touch", "ls", "env", "unset", "eval", "kill",
     "id", "whoami", "find", "tar", "break", "continue", ":", "pg_isready", "dirname", "basename", "source", ".", "date",
     "git", "which", "command", "type", "hostname", "uname", "head", "tail", "tee", "xargs", "cut", "tr", "sort", "gosu",
     "install", "poetry", "pipenv", "uv", "alias", "if", "then", "else", "fi", "case", "esac", "let", "openssl", "adduser"}  # fmt: skip


@dataclass(frozen=True)
class Launched:
    """A program that the container starts, where that is said, and the folder it starts in."""

    program: Program
    place: Place
    folder: str
    environment: Mapping[str, str | None]


@dataclass(frozen=True)
class Spoken:
    """Words that a start command or entry script says, for the host names in them."""

    words: tuple[str, ...]
    place: Place


class Launcher:
    """Follows the start of one container. `programs` and `spoken` are in the order in which they were met."""

    def __init__(self, layout: Layout, settings: Mapping[str, SettingsFile]) -> None:
        self.layout = layout
        self.settings = settings
        self.programs: list[Launched] = []
        self.spoken: list[Spoken] = []
        self._scripts: set[tuple[str, tuple[str, ...]]] = set()

    def start(
        self, argv: tuple[str, ...], place: Place, folder: str, environment: Mapping[str, str | None], depth: int = 0
    ) -> None:
        """One simple command."""
        if depth > MAX_DEPTH or len(self.programs) >= MAX_PROGRAMS:
            return
        self.spoken.append(Spoken(argv, place))
        argv = unwrapped(tuple(expanded(argv, environment)))
        while argv and re.fullmatch(r"[A-Za-z_]\w*=.*", argv[0]):
            name, _, value = argv[0].partition("=")
            environment = {**environment, name: value}
            argv = unwrapped(argv[1:])
        if not argv:
            return
        name = argv[0].rpartition("/")[2]
        if name in _SHELLS:
            self._shell(argv[1:], place, folder, environment, depth)
            return
        script = self.layout.script(argv[0], folder) if _may_be_script(argv[0]) else None
        if script is not None:
            self._script(script, argv[1:], folder, environment, depth)
        elif name.isdigit() or not re.fullmatch(r"[A-Za-z_][\w.+-]*", name):
            return  # arguments for an entry point that is not known, or shell that is beyond us
        elif name not in _QUIET or (name in ("poetry", "pipenv", "uv") and "run" in argv):
            for program in recognise(argv, environment):
                self._add(program, place, folder, environment, depth)

    def _add(
        self, program: Program, place: Place, folder: str, environment: Mapping[str, str | None], depth: int
    ) -> None:
        if program.program == "entrypoint":
            if len(program.argv) > 1:  # an image's own docker-entrypoint.sh hands its arguments on
                self.start(program.argv[1:], place, folder, environment, depth + 1)
            return
        if program.folder:
            folder = posixpath.normpath(posixpath.join(folder or "/", program.folder))
        if program.program == "gunicorn" and depth <= MAX_DEPTH:
            program = self._configured(program, folder, environment)
        if program.settings and self._managed(program, folder, environment, depth):
            return
        self.programs.append(Launched(program, place, folder, environment))

    def _configured(self, program: Program, folder: str, environment: Mapping[str, str | None]) -> Program:
        """gunicorn with what its configuration says: the one it is given, else the one in its folder."""
        file = self._settings(program.settings or "gunicorn.conf.py", folder)
        said = {s.name: s.value for s in file.settings} if file is not None and file.what == "gunicorn" else {}
        more: tuple[str, ...] = ()
        if "workers" in said and not any(w.startswith(("-w", "--workers")) for w in program.argv):
            more += ("--workers", said["workers"] or "?")
        if said.get("wsgi_app") and not program.targets:
            more += (said["wsgi_app"],)
        made = next(iter(recognise((*program.argv, *more), environment)), program) if more else program
        return replace(made, argv=program.argv, settings="")

    def _shell(
        self, rest: tuple[str, ...], place: Place, folder: str, environment: Mapping[str, str | None], depth: int
    ) -> None:
        position = 0
        while position < len(rest) and rest[position].startswith(("-", "+")):
            flag = rest[position]
            position += 1
            if flag.startswith("-") and "c" in flag and not flag.startswith("--") and position < len(rest):
                arguments = rest[position + 1 :]  # the first of them is $0
                self._run(commands(named(rest[position], arguments)), arguments, None, place, folder, environment, depth + 1)
                return
            if flag in ("-o", "+o", "--rcfile", "--init-file"):
                position += 1
        if position < len(rest):
            script = self.layout.script(rest[position], folder)
            if script is not None:
                self._script(script, rest[position + 1 :], folder, environment, depth)

    def _script(
        self, path: str, arguments: tuple[str, ...], folder: str, environment: Mapping[str, str | None], depth: int
    ) -> None:
        if (path, arguments) in self._scripts:
            return
        self._scripts.add((path, arguments))
        script = self.layout.catalogue.scripts[path]
        numbered = ("", *arguments)
        self._run(list(script.commands), numbered, script.path, Place(script.path, Span(1)), folder, environment, depth + 1)

    def _run(
        self,
        body: list[ShellCommand],
        numbered: tuple[str, ...],
        path: str | None,
        place: Place,
        folder: str,
        environment: Mapping[str, str | None],
        depth: int,
        function: str = "",
    ) -> None:
        """The commands of a script (or of one function of it), `$1`, `$@`, `cd` and assignments followed."""
        functions = {command.function for command in body if command.function}
        known = dict(environment)
        arguments = list(numbered[1:])
        for command in body:
            if command.function != function or not is_reached(command, body, numbered[1:], known):
                continue
            for name, value in command.assigned:
                if not command.words:
                    known.setdefault(name, None) if UNKNOWN in value else known.__setitem__(
                        name, filled(with_numbers(value, arguments), known)
                    )
            at = Place(path, Span(command.line)) if path else place
            argv = tuple(with_arguments(command.words, arguments))
            if not argv:
                continue
            if argv[0] == "shift":
                arguments = arguments[1:]
            elif argv[0] == "cd" and len(argv) > 1 and "$" not in argv[1]:
                folder = posixpath.normpath(posixpath.join(folder or "/", argv[1]))
            elif argv[0] in ("exit", "return") and command.branch == () and not command.maybe:
                return
            elif argv[0] in (".", "source") and len(argv) > 1:
                script = self.layout.script(argv[1], folder)
                if script is not None and depth < MAX_DEPTH:
                    self._script(script, argv[2:], folder, known, depth + 1)
            elif argv[0] in functions and argv[0] != function:
                if depth < MAX_DEPTH:
                    self._run(body, ("", *argv[1:]), path, place, folder, known, depth + 1, argv[0])
            else:
                extra = {**known, **dict(command.assigned)} if command.assigned else known
                self.start(argv, at, folder, extra, depth + 1)
                if argv[0] == "exec" and not command.maybe and (not command.branch or arguments):
                    return

    def _managed(
        self, program: Program, folder: str, environment: Mapping[str, str | None], depth: int
    ) -> bool:
        """The programs of a process manager's configuration, if the repository holds it."""
        found = len(self.programs)
        file = self._settings(program.settings, folder)
        if file is None and program.program == "supervisord":
            self.start_included(folder, environment)  # conf.d files beside a configuration that the image brings
        elif file is not None:
            self._started_by(file, folder, environment, depth)
        return len(self.programs) > found

    def _started_by(
        self, file: SettingsFile, folder: str, environment: Mapping[str, str | None], depth: int
    ) -> None:
        if file.what == "procfile":
            for setting in file.settings:
                line = words(setting.value)
                argv = ("sh", "-c", setting.value) if "&&" in line else line
                self.start(argv, Place(file.path, Span(setting.line)), folder, environment, depth + 1)
        elif file.what == "supervisor":
            self._supervised(file, folder, environment, depth)
        elif file.what == "uwsgi":
            flags: list[str] = []
            said: dict[str, str] = {}
            for setting in file.settings:
                section, _, key = setting.name.rpartition("/")
                if section == "uwsgi" and key != "ini":
                    said[key] = _PLACEHOLDER.sub(lambda m: said.get(m[1], m[0]), setting.value)
                    flags += [f"--{key}", said[key]]
            self.start(("uwsgi", *flags), Place(file.path, Span(1)), folder, environment, depth + 1)

    def start_included(self, folder: str, environment: Mapping[str, str | None]) -> None:
        """What supervisor files of the container start, where the command itself is a base image's."""
        for part in self._included():
            self._supervised(part, folder, environment, 0)

    def _included(self) -> list[SettingsFile]:
        """Supervisor files that are copied or mounted into the container."""
        sources = [copied.source for copied in self.layout.placed if copied.source]
        if self.layout.context:
            sources.append(self.layout.context)  # a RUN may copy them further
        return [
            file
            for path, file in sorted(self.settings.items())
            if file.what == "supervisor" and any(path == s or path.startswith(f"{s}/") for s in sources)
        ]

    def _supervised(
        self, file: SettingsFile, folder: str, environment: Mapping[str, str | None], depth: int
    ) -> None:
        sections: dict[str, dict[str, tuple[str, int]]] = {}
        for setting in file.settings:
            section, _, key = setting.name.rpartition("/")
            if section.startswith("program:"):
                sections.setdefault(section, {})[key] = (setting.value, setting.line)
        for values in sections.values():
            if values.get("autostart", ("", 0))[0].lower() == "false" or "command" not in values:
                continue
            line, number = values["command"]
            here = values.get("directory", (folder, 0))[0]
            self.start(words(line.replace("%%", "%")), Place(file.path, Span(number)), here, environment, depth + 1)

    def _settings(self, name: str, folder: str) -> SettingsFile | None:
        absolute = posixpath.normpath(posixpath.join(folder or "/", name))
        for path in self.layout.to_repository(absolute):
            if path in self.settings:
                return self.settings[path]
        basename = name.rpartition("/")[2]
        named = [path for path in sorted(self.settings) if path.rpartition("/")[2] == basename]
        inside = [path for path in named if not self.layout.context or path.startswith(self.layout.context + "/")]
        return self.settings[inside[0]] if len(inside) == 1 else None


def _may_be_script(word: str) -> bool:
    name = word.rpartition("/")[2]
    return word.endswith((".sh", ".bash")) or "/" in word or "entrypoint" in name or "." not in name
