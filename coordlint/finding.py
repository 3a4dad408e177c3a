"""What is reported: a finding with its evidence."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from coordlint.source import Place


class Severity(IntEnum):
    """How much harm a finding announces."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        """Lower-case name, as reports print it."""
        return self.name.lower()

    def lowered(self) -> Severity:
        """One step down, never below INFO (development manifests)."""
        return Severity(max(self.value - 1, 1))


class Confidence(IntEnum):
    """How sure the analysis is of what it saw."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def label(self) -> str:
        """Lower-case name, as reports print it."""
        return self.name.lower()


class Evidence(msgspec.Struct, frozen=True, order=True):
    """One more place that a finding rests on, with the words that join it to the sentence."""

    place: Place
    message: str


class Edit(msgspec.Struct, frozen=True):
    """Replace the text of a span."""

    place: Place
    replacement: str


class Fix(msgspec.Struct, frozen=True):
    """A mechanical cure; safe when it cannot change behaviour for the worse."""

    description: str
    safe: bool
    edits: tuple[Edit, ...]


class Finding(msgspec.Struct, frozen=True):
    """A pattern that a rule saw at a place, the evidence for it, and the cure for this sink.

    `symbol` is the enclosing qualified name (or kind/namespace/name of a manifest object) and `resource`
    the normalised key or object that the finding is about: both feed the fingerprint.
    """

    code: str
    name: str
    severity: Severity
    confidence: Confidence
    message: str
    place: Place
    symbol: str
    resource: str
    because: tuple[Evidence, ...]
    help: str
    fix: Fix | None = None
