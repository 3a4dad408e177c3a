"""One container of a workload: its image, what it starts, and which files of the repository that is."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from coordlint.deployment import Process, Run, Variable
from coordlint.link.deploy.catalogue import Catalogue
from coordlint.link.deploy.images import Copied, Image
from coordlint.link.deploy.launch import Launched, Launcher, Spoken
from coordlint.link.deploy.layout import Layout
from coordlint.manifest import Instruction
from coordlint.shellwords import words
from coordlint.source import Place


@dataclass(frozen=True)
class Words:
    """A command as its manifest gives it, and where."""

    argv: tuple[str, ...]
    place: Place


@dataclass(frozen=True)
class Container:
    """What a manifest says about one container; `entrypoint` and `command` are None when the image decides."""

    path: str  # of the manifest
    place: Place
    image_name: str | None
    image: Image | None
    entrypoint: Words | None
    command: Words | None
    folder: str  # working directory as the manifest sets it
    environment: tuple[Variable, ...] = ()
    binds: tuple[Copied, ...] = ()  # repository folders and files mounted into it
    clears_command: bool = True  # whether an own entry point drops the image's command


@dataclass(frozen=True)
class Started:
    """What a container starts."""

    argv: tuple[str, ...] = ()
    place: Place | None = None
    processes: tuple[Process, ...] = ()
    runs: tuple[Run, ...] = ()
    spoken: tuple[Spoken, ...] = ()
    unresolved: tuple[Process, ...] = ()  # processes that name code which was not found
    environment: Mapping[str, str | None] = field(default_factory=dict)
    placed: tuple[Copied, ...] = ()  # repository files and folders that stand in it
    dockerfile: str = ""  # what its image is built from, if that is here


def start(container: Container, catalogue: Catalogue) -> Started:
    """Follows the container's start."""
    line = command_line(container)
    environment = {v.name: v.value for v in container.environment}
    image = container.image
    placed = (*(image.copied if image else ()), *container.binds)
    layout = Layout(catalogue, placed, container.path, image.context if image else None)
    folder = container.folder or (image.folder if image else "")
    launcher = Launcher(layout, catalogue.settings)
    if line is not None:
        launcher.start(line.argv, line.place, folder, environment)
    else:
        launcher.start_included(folder, environment)
    processes = tuple(dict.fromkeys(_process(one) for one in launcher.programs))
    runs: dict[tuple[str, str], Run] = {}
    unresolved: list[Process] = []
    for one in launcher.programs:
        found = _runs(one, layout)
        for run in found:
            runs.setdefault((run.path, run.program), run)
        if not found and any(target.kind != "script" for target in one.program.targets):
            unresolved.append(_process(one))
    return Started(
        line.argv if line else (),
        line.place if line else None,
        processes,
        tuple(runs.values()),
        tuple(launcher.spoken),
        tuple(unresolved),
        environment,
        placed,
        image.dockerfile if image else "",
    )


def command_line(container: Container) -> Words | None:
    """Entry point and command joined, the manifest's own over the image's; None when neither is known."""
    image = container.image
    entry, command = container.entrypoint, container.command
    if entry is None and image is not None and image.entrypoint is not None:
        instruction, place = image.entrypoint
        entry = Words(_instruction_words(instruction), place)
    keeps_command = container.entrypoint is None or not container.clears_command
    if command is None and image is not None and image.command is not None and keeps_command:
        instruction, place = image.command
        command = Words(_instruction_words(instruction), place)
    if entry is None or not entry.argv:
        return command
    if command is None or not command.argv:
        return entry
    return Words((*entry.argv, *command.argv), command.place)


def _instruction_words(instruction: Instruction) -> tuple[str, ...]:
    if instruction.exec_form:
        return instruction.words
    text = " ".join(instruction.words)
    return ("/bin/sh", "-c", text) if text else ()


def _process(one: Launched) -> Process:
    program = one.program
    return Process(program.program, program.argv, one.place, program.workers)


def _runs(one: Launched, layout: Layout) -> list[Run]:
    roots = [r for r in (one.environment.get("PYTHONPATH") or "").split(":") if r.startswith("/")]
    if one.folder:
        roots += [posixpath.join(one.folder, "src"), posixpath.join(one.folder, "app")]
    roots += [copied.target for copied in layout.placed if not copied.source.endswith(".py")]
    for target in one.program.targets:
        found = layout.resolve(target, one.folder, roots)
        if found is None:
            continue
        path, confidence = found
        module = layout.catalogue.module_of.get(path, "")
        return [Run(path, module, _how(one.program.program, target.kind, target.name), one.program.program, one.place, confidence)]
    return []


def _how(program: str, kind: str, name: str) -> str:
    if program == "python":
        return f"python -m {name}" if kind == "module" else f"python {name}"
    if kind == "script":
        return f"console script {name}"
    if program.startswith("django-") and kind == "file":
        return f"python {name} {program.removeprefix('django-')}"
    if program.startswith("celery-") and kind == "app":
        return f"celery -A {name} {program.removeprefix('celery-')}"
    return f"{program} {name}"


def split_command(text: str) -> tuple[str, ...]:
    """A command given as one string, as compose splits it."""
    return words(text)


