"""Rule selectors as users write them: a code, a prefix of codes, or a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


def expand(selector: str, names: Mapping[str, str]) -> frozenset[str]:
    """The codes that a selector means; `names` maps code to name. Empty when it means none. "ALL" means every rule."""
    word = selector.strip()
    upper = word.upper()
    if upper == "ALL":
        return frozenset(names)
    if upper in names:
        return frozenset({upper})
    lower = word.lower().replace("_", "-")
    named = frozenset(code for code, name in names.items() if name == lower)
    if named or not upper.startswith("CL"):
        return named
    return frozenset(code for code in names if code.startswith(upper))


def unknown(selector: str, names: Mapping[str, str]) -> str:
    """The message for a selector that means no rule, with the nearest that does."""
    known = [*names, *names.values()]
    near = get_close_matches(selector, known, n=1, cutoff=0.6) or get_close_matches(
        selector.upper(), known, n=1, cutoff=0.6
    )
    return f"unknown rule {selector!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def expand_all(selectors: Iterable[str], names: Mapping[str, str]) -> tuple[frozenset[str], list[str]]:
    """The union of all selectors, and a message for each that means nothing."""
    chosen: set[str] = set()
    problems = []
    for selector in selectors:
        codes = expand(selector, names)
        if not codes:
            problems.append(unknown(selector, names))
        chosen |= codes
    return frozenset(chosen), problems
