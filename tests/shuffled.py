"""coordlint with folders listed in another order and workers for every run: `python shuffled.py SEED SMALL CHUNK ARGUMENT...`.

SMALL is the number of Python files from which they are chosen, CHUNK the bytes that a worker gets at once.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from types import TracebackType

from coordlint import extraction, selection
from coordlint.cli import main

SCAN = os.scandir


class Shuffled:
    """A folder's entries in the order of a lot."""

    def __init__(self, entries: list[os.DirEntry[str]]) -> None:
        self.left = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return self.left

    def __enter__(self) -> Shuffled:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def __next__(self) -> os.DirEntry[str]:
        return next(self.left)

    def close(self) -> None:
        """Has nothing open."""


if __name__ == "__main__":
    seed, small, chunk = (int(sys.argv.pop(1)) for _ in range(3))
    order = random.Random(seed)

    def scandir(path: str) -> Shuffled:
        with SCAN(path) as found:
            entries = list(found)
        order.shuffle(entries)
        return Shuffled(entries)

    os.scandir = scandir  # type: ignore[assignment]
    extraction.POOL_FROM, extraction.CHUNK, selection.SMALL = 0, chunk, small
    main(sys.argv[1:])
