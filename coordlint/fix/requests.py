"""What a cure is asked, and what it answers: plain data, that travels to the child process and back."""

from __future__ import annotations

import msgspec

from coordlint.source import Place


class Request(msgspec.Struct, frozen=True):
    """One finding: its places in the order of the sentence, and what the user said about the cure."""

    number: int
    code: str
    places: tuple[Place, ...]
    lifetime: int  # seconds


class Batch(msgspec.Struct, frozen=True):
    """Requests, and the texts of the files that they point to."""

    texts: dict[str, str]
    requests: tuple[Request, ...]


class Answer(msgspec.Struct, frozen=True):
    """The new text of one file; without a path: why there is none."""

    number: int
    path: str = ""
    text: str = ""
    reason: str = ""


class CannotFix(Exception):
    """The code does not have the shape that the cure is for: why."""
