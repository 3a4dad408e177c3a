"""Small systems from texts, for tests of the engine."""

from __future__ import annotations

from textwrap import dedent

from coordlint.extract import extract
from coordlint.link import link
from coordlint.models import Models
from coordlint.source import Kind, Source
from coordlint.system import System

MODELS = Models.load()


def system(files: dict[str, str] | None = None, /, **modules: str) -> System:
    """A system of Python files by path, or of modules of the root by name."""
    paths = {**(files or {}), **{f"{name}.py": text for name, text in modules.items()}}
    sources = [Source(path, Kind.PYTHON, dedent(text)) for path, text in paths.items()]
    return link([extract(source) for source in sources], MODELS)


def uses(found: System) -> list[tuple[str, str, str]]:
    """(place, role, backend) of every use."""
    return [(str(u.place), u.role, u.backend) for u in found.uses()]
