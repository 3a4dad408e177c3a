"""Lua scripts of Redis, known by the shape of their text: nothing of it is run."""

from __future__ import annotations

import re

from coordlint.models.schema import Op
from coordlint.source import Place, Span

FOREVER = "acquire-for-ever"
SHAPES = {"compare-and-delete": Op.RELEASE, "compare-and-expire": Op.EXTEND, "acquire": Op.ACQUIRE, FOREVER: Op.ACQUIRE}
_CALL = re.compile(r"redis\.p?call\s*\(\s*['\"](\w+)['\"]", re.IGNORECASE)


def lua_shape(text: str) -> str:
    """The shape of a Lua script's text, "" when it is not one of those that matter."""
    calls = [c.lower() for c in _CALL.findall(text[:8000])]
    if not calls:
        return ""
    compares = "==" in text or "~=" in text
    if "get" in calls and "del" in calls and compares:
        return "compare-and-delete"
    if "get" in calls and compares and any(c in calls for c in ("expire", "pexpire")):
        return "compare-and-expire"
    upper = text.upper()
    ends = any("expire" in c or c in ("setex", "psetex") for c in calls) or any(f"{q}{w}{q}" in upper for q in "'\"" for w in ("EX", "PX", "EXAT", "PXAT"))
    if ("set" in calls and ("'NX'" in upper or '"NX"' in upper)) or "setnx" in calls or _writes_what_is_missing(text, calls):
        return "acquire" if ends else FOREVER
    if any(c.startswith("incr") for c in calls) and any("expire" in c for c in calls):
        return "count-and-expire"
    return "other"


def _writes_what_is_missing(text: str, calls: list[str]) -> bool:
    """`if exists(key) == 1 then return .. end set(key, owner)`: SET NX in more words."""
    looks, sets = calls.index("exists") if "exists" in calls else -1, [i for i, c in enumerate(calls) if c in ("set", "setex", "psetex")]
    leaves = text.find("return", text.find("exists")) if looks >= 0 else -1
    return looks >= 0 and bool(sets) and looks < sets[0] and 0 <= leaves < text.rfind("set") and not {"get", "incr", "hget"} & set(calls)


_SETS = re.compile(r"redis\.p?call\s*\(\s*['\"](?:set|setnx)['\"]", re.IGNORECASE)


def setting_line(text: str, place: Place | None) -> Place | None:
    """The line on which a script written out over several lines sets its key; None where lines of text and file do not agree."""
    found = _SETS.search(text)
    if found is None or place is None or place.span.end_line - place.line != text.count("\n"):
        return None
    return Place(place.path, Span(place.line + text.count("\n", 0, found.start())))
