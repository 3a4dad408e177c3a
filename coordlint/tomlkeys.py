"""Keys of TOML that nobody writes: the standard library's reader takes quadratic time over the parts of one."""

from __future__ import annotations

MOST_PARTS = 1_000


def line_of_endless_key(text: str) -> int:
    """The line, from 1, of a key or table header with more than a thousand parts (`a.a.a...`); 0 where there is none. Linear in the text."""
    if text.count(".") <= MOST_PARTS:
        return 0
    return next((number for number, line in enumerate(text.split("\n"), 1) if line.partition("=")[0].count(".") > MOST_PARTS), 0)
