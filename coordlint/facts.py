"""What one file says, as plain data: the unit of extraction, of caching, and of what leaves a worker process."""

from __future__ import annotations

import msgspec

from coordlint import ir
from coordlint.manifest import Manifest
from coordlint.source import Kind, Place, Skip


class Requirement(msgspec.Struct, frozen=True):
    """A declared dependency: normalised distribution name and version specifier (empty when none)."""

    name: str
    specifier: str
    place: Place


class Suppression(msgspec.Struct, frozen=True):
    """A wish to silence rules on a range of lines; `codes` may hold codes or names as written."""

    place: Place
    codes: tuple[str, ...]
    reason: str
    first_line: int
    last_line: int
    problem: str = ""  # why it is malformed; it then silences nothing


class Intent(msgspec.Struct, frozen=True):
    """`# coordlint: performance-lock` or `correctness-lock` at a place."""

    place: Place
    intent: str


class Facts(msgspec.Struct, frozen=True):
    """Everything that one file says. Never looks at another file."""

    path: str
    kind: Kind
    module: ir.Module | None = None
    manifests: tuple[Manifest, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    intents: tuple[Intent, ...] = ()
    skips: tuple[Skip, ...] = ()
