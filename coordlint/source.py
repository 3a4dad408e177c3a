"""What is read: files of a known kind, and places within them."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec
from msgspec.structs import force_setattr


class Kind(StrEnum):
    """How a file is understood; decided by name and content, see `discovery`."""

    PYTHON = "python"
    COMPOSE = "compose"
    KUBERNETES = "kubernetes"
    DOCKERFILE = "dockerfile"
    REQUIREMENTS = "requirements"
    HELM = "helm"
    SHELL = "shell"
    ENV = "env"
    OTHER = "other"


class Source(msgspec.Struct, frozen=True):
    """One file of the project: a POSIX path relative to the root, and its decoded text."""

    path: str
    kind: Kind
    _text: str | bytes  # bytes once it was put away

    @property
    def text(self) -> str:
        """The whole text."""
        return self._text if isinstance(self._text, str) else zlib.decompress(self._text).decode("utf-8", "surrogatepass")


def put_away(sources: Iterable[Source]) -> None:
    """Keeps texts pressed from now on, to a fifth of their size: for when hardly anybody will ask again. Nothing else changes."""
    for source in sources:
        if isinstance(source._text, str):
            force_setattr(source, "_text", zlib.compress(source._text.encode("utf-8", "surrogatepass"), 1))
    with contextlib.suppress(ImportError, OSError, AttributeError, TypeError):  # glibc keeps what was freed between things that stay
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)


class Span(msgspec.Struct, frozen=True, gc=False, array_like=True, order=True):
    """A range in a file; lines and columns count from 1, the end is exclusive in its column."""

    line: int
    column: int = 1
    end_line: int = 0
    end_column: int = 0


class Place(msgspec.Struct, frozen=True, gc=False, order=True):
    """A span in a named file."""

    path: str
    span: Span

    @property
    def line(self) -> int:
        """The first line, counted from 1."""
        return self.span.line

    def __str__(self) -> str:
        return f"{self.path}:{self.span.line}"


class Unread(Mapping[str, Source]):
    """Files that nothing led to be read, by their paths. It remembers which of them were asked for after all: what is found rests on these."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._sources = {source.path: source for source in sources}
        self._asked: set[str] = set()

    @property
    def asked(self) -> frozenset[str]:
        """The paths of the files that somebody looked into."""
        return frozenset(self._asked)

    def __getitem__(self, path: str) -> Source:
        self._asked.add(path)
        return self._sources[path]

    def __contains__(self, path: object) -> bool:
        return path in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


PASSING = ("took longer than", "took too long", "crashed", "of memory", "could be started")


class Skip(msgspec.Struct, frozen=True, order=True):
    """A file in scope that was not analysed, and why; told in every report."""

    path: str
    reason: str
    line: int = 1

    @property
    def passing(self) -> bool:
        """Whether another try may go better: it was a matter of time, memory, or of a process that died."""
        return any(words in self.reason for words in PASSING)
