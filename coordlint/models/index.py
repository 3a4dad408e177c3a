"""Which models file speaks about which import name, without parsing YAML.

Start-up counts: most projects use five of the hundred libraries. So every shipped file begins with `library`, `package`,
`imports` and, where the import names are no good needles, `needles`, each on one line; a scan of these lines says
which files a project needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NO_COORDINATORS = ("", "other", "process-local", "file-lock", "database-row", "django-cache")  # what coordinates nothing, or is there anyway

_HEAD = re.compile(
    rb"\Alibrary: *(?P<library>[^\n]+)\npackage: *(?P<package>[^\n]*)\n"
    rb"imports: *\[(?P<imports>[^\]\n]*)\]\n(?:needles: *\[(?P<needles>[^\]\n]*)\]\n)?(?:backend: *(?P<backend>[\w-]+)\n)?"
)


@dataclass(frozen=True)
class Shipped:
    """One models file of the wheel, and what its first lines say."""

    path: str
    data: bytes
    library: str
    imports: frozenset[str]
    needles: frozenset[str]
    backend: str

    def speaks_of(self, module: str) -> bool:
        """Whether an import of this module, or of something in or around it, can reach the library."""
        return any(_same_branch(module, name) for name in self.imports)

    @property
    def always(self) -> bool:
        """Built-in functions need no import."""
        return "builtins" in self.imports


@cache
def shipped() -> tuple[Shipped, ...]:
    """Every models file beside this module, by name. Raises ValueError for one with another head."""
    folder = Path(__file__).parent
    return tuple(
        _head(path.name, path.read_bytes())
        for path in sorted(folder.glob("*.yaml"))
        if path.name != "coordinators.yaml"
    )


def wanted(imports: Iterable[str] | None) -> tuple[Shipped, ...]:
    """The files a project with these imports needs; all of them for None."""
    if imports is None:
        return shipped()
    names = frozenset(imports)
    return tuple(file for file in shipped() if file.always or any(file.speaks_of(name) for name in names))


def _head(path: str, data: bytes) -> Shipped:
    match = _HEAD.match(data)
    if match is None:
        raise ValueError(f"{path}: the first lines are not library, package, imports[, needles]")
    imports = _words(match["imports"])
    needles = imports if match["needles"] is None else _words(match["needles"])
    return Shipped(path, data, match["library"].decode(), imports, needles, (match["backend"] or b"").decode())


def coordinating() -> frozenset[str]:
    """Needles of the libraries that speak to a coordinator, or to a store that serves as one."""
    return frozenset(needle for file in shipped() if file.backend not in NO_COORDINATORS for needle in file.needles)


def _words(text: bytes) -> frozenset[str]:
    return frozenset(word.strip().strip("\"'") for word in text.decode().split(",") if word.strip())


def _same_branch(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
