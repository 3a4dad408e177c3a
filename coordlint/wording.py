"""Words in names and keys, so that rules can ask what a key or a function is about.

Names are only ever one half of the evidence: types and calls decide that something is coordination, words decide
what it is used for.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_HOLE = re.compile(r"\{([^{}]*)\}")


@lru_cache(maxsize=4096)
def words(text: str) -> frozenset[str]:
    """The words of a name or key in lower case and singular: "/users/{}" -> {"user"}, "cacheKeys" -> {"cache", "key"}."""
    return frozenset(spelled(text))


@lru_cache(maxsize=4096)
def spelled(text: str) -> tuple[str, ...]:
    """The same in their order."""
    return tuple(_singular(word.lower()) for word in _WORD.findall(text))


def fixed(pattern: str) -> str:
    """A key pattern without its holes: "/users/{user.id}/mail" -> "/users//mail"."""
    return _HOLE.sub("", pattern)


def holes(pattern: str) -> tuple[str, ...]:
    """What fills a pattern's holes, as written: "/users/{user.id}" -> ("user.id",)."""
    return tuple(_HOLE.findall(pattern))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "xes", "tches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
