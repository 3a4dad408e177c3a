"""A makefile's text as a shell script of the same lines: its variables, and the recipes of all targets."""

from __future__ import annotations

import re

_VARIABLE = re.compile(r"(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*(?:[?:!+]{0,2}=)[ \t]*+(.*)")
_REFERENCE = re.compile(r"\$\(([A-Za-z_]\w*)\)")


def as_shell(path: str, text: str) -> str:
    """The text of a script as it is; of a makefile, what shell there is in it."""
    name = path.rpartition("/")[2].lower()
    if name not in ("makefile", "gnumakefile") and not name.endswith(".mk"):
        return text
    made: list[str] = []
    goes_on = False
    for line in text.split("\n"):
        made.append(_REFERENCE.sub(r"${\1}", line if goes_on else _line(line)).replace("$$", "$"))
        goes_on = made[-1].endswith("\\")
    return "\n".join(made)


def _line(line: str) -> str:
    if line.startswith("\t"):
        return line.lstrip("\t @+-")
    match = _VARIABLE.fullmatch(line.rstrip())
    if match is None:
        return ""
    return f"{match[1]}='{match[2]}'" if "'" not in match[2] and not match[2].endswith("\\") else ""
