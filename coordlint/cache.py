"""Facts by content: a file that did not change is not read into facts again.

Entries are plain data keyed by a hash of path, kind and text, and of the extractor itself. An entry that cannot be read,
or that somebody else wrote (`sealed`), is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
from functools import lru_cache
from pathlib import Path

import msgspec

from coordlint import __version__, sealed
from coordlint.facts import Facts
from coordlint.source import Source

MAX_BYTES = 200_000_000
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of coordlint; it can be deleted at any time.\n"
_DECODER = msgspec.msgpack.Decoder(Facts)


class Cache:
    """A folder of facts; `folder` None means that nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.written = 0

    def key(self, source: Source) -> str:
        """What an entry is found by."""
        digest = hashlib.sha256(_extractor_stamp())
        digest.update(f"{source.path}\0{source.kind}\0".encode("utf-8", "surrogatepass"))
        digest.update(source.text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:40]

    def get(self, key: str) -> Facts | None:
        """The facts of an entry; None when there is none or it is damaged."""
        data = self.data(key)
        try:
            return None if data is None else decode(data)
        except (msgspec.DecodeError, RecursionError):
            return None

    def data(self, key: str) -> bytes | None:
        """The facts of an entry as they are kept: encoded."""
        return None if self.folder is None else sealed.read(place_of(self.folder, key))

    def put(self, key: str, data: bytes) -> None:
        """Keeps encoded facts; a disk that is full or read-only only costs speed."""
        if self.folder is None:
            return
        try:
            self.written += sealed.write(place_of(self.folder, key), data)
        except OSError:
            self.folder = None

    def trim(self) -> None:
        """Drops the entries that were not written for longest until the rest is within bounds; after a run that wrote."""
        if self.folder is None or not self.written:
            return
        entries = []
        for place in self.folder.glob("??/*"):
            try:
                told = place.stat()
            except OSError:
                continue
            entries.append((told.st_mtime_ns, told.st_size, place))
        total = sum(size for _, size, _ in entries)
        for _, size, place in sorted(entries, key=lambda e: (e[0], str(e[2]))):
            if total <= MAX_BYTES:
                return
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)
            total -= size


def place_of(folder: Path, key: str) -> Path:
    """Where an entry lies."""
    return folder / key[:2] / key[2:]


def open_cache(root: Path) -> Cache:
    """The cache in the project's root, or under the user's cache folder when the root cannot be written to."""
    for folder in sealed.folders(root):
        try:
            if folder.is_symlink():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                continue
            for name, text in (("CACHEDIR.TAG", _TAG), (".gitignore", "*\n")):
                # never through a link that a repository may have put there
                with contextlib.suppress(FileExistsError), (folder / name).open("x") as file:
                    file.write(text)
        except OSError:
            continue
        return Cache(folder)
    return Cache(None)


def clean(root: Path) -> list[Path]:
    """Removes the caches of a project; the folders that were removed."""
    removed = []
    for folder in sealed.folders(root):
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def encode(facts: Facts) -> bytes:
    """Facts as bytes: what a worker sends and what the cache keeps."""
    return msgspec.msgpack.encode(facts)


def decode(data: bytes) -> Facts:
    """The reverse of `encode`. Raises msgspec.DecodeError."""
    return _DECODER.decode(data)


@lru_cache(maxsize=1)
def _extractor_stamp() -> bytes:
    """Changes whenever the code that makes facts does."""
    package = Path(__file__).resolve().parent
    files = [*package.glob("*.py"), *(package / "extract").glob("*.py")]
    # what the parser of one Python refuses, that of another reads
    stamp = hashlib.sha256(f"{__version__}\0{sys.version}".encode())
    for file in sorted(files):
        told = file.stat()
        stamp.update(f"{file.name}\0{told.st_size}\0{told.st_mtime_ns}\0".encode())
    return stamp.digest()
