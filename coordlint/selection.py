"""Which Python files can matter: closing over names on demand, in rounds.

Contract of `select`: every file that imports a library of the models or names it in SQL or settings is extracted; then,
in rounds, files that mention a name which an extracted file exports and which touches coordination; and the modules
that extracted files import. Small projects are extracted whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from coordlint.facts import Facts
from coordlint.source import Kind, Source

SMALL = 400  # Python files; below, choosing costs more than it saves
ROUNDS = 3
MIN_NAME = 4  # shorter names say too little

RAW_NEEDLES = (
    "pg_advisory",
    "pg_try_advisory",
    "GET_LOCK",
    "FOR UPDATE",
    "SKIP LOCKED",
    "select_for_update",
    "with_for_update",
    "django.core.cache",
    "coordination.k8s.io",
    "coordlint:",
)
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import\b|import[ \t]+([\w., \t]+))", re.M)

Extract = Callable[[Sequence[Source]], list[Facts]]


def select(sources: Sequence[Source], needles: Iterable[str], extract: Extract) -> list[Facts]:
    """The facts of all files that can matter, in the order of the sources; files that are no Python are all extracted."""
    python = [s for s in sources if s.kind is Kind.PYTHON]
    if len(python) < SMALL:
        return extract(sources)
    words = sorted({*needles, *RAW_NEEDLES}, key=len)
    chosen = {s.path for s in sources if s.kind is not Kind.PYTHON}
    fresh = [s for s in python if any(word in s.text for word in words)]
    facts = {f.path: f for f in extract([s for s in sources if s.path in chosen])}
    modules = _Modules(python)
    for _ in range(ROUNDS):
        if not fresh:
            break
        chosen |= {s.path for s in fresh}
        facts |= {f.path: f for f in extract(fresh)}
        rest = [s for s in python if s.path not in chosen]
        callees = modules.imported_by(fresh)
        callers = modules.mentioning(fresh, rest, words)
        fresh = [s for s in rest if s.path in callees or s.path in callers]
    if fresh:
        facts |= {f.path: f for f in extract(fresh)}
    return [facts[s.path] for s in sources if s.path in facts]


class _Modules:
    """Imports by text: dotted endings of module names lead to files."""

    def __init__(self, python: Sequence[Source]) -> None:
        self.by_stem: dict[str, list[str]] = {}
        for source in python:
            self.by_stem.setdefault(_stem(source.path), []).append(source.path)

    def imported_by(self, sources: Sequence[Source]) -> set[str]:
        """Paths of the project's modules that these files import."""
        found = set()
        for source in sources:
            for names in _IMPORT.findall(source.text):
                for dotted in ",".join(names).split(","):
                    tail = dotted.strip(". \t").split(" as ")[0].split(".")
                    for path in self.by_stem.get(tail[-1].strip(), ()):
                        if PurePosixPath(path).with_suffix("").parts[-len(tail) :][: len(tail)] == tuple(
                            tail
                        ):
                            found.add(path)
        return found

    @staticmethod
    def mentioning(sources: Sequence[Source], rest: Sequence[Source], words: Sequence[str]) -> set[str]:
        """Paths of files that mention a module of `sources` and a name that it exports and that touches coordination."""
        exports = [(_stem(s.path), names) for s in sources if (names := touching(s.text, words))]
        found = set()
        for source in rest:
            text = source.text
            if any(stem in text and any(name in text for name in names) for stem, names in exports):
                found.add(source.path)
        return found


_TOP = re.compile(
    r"^(?:(?:async[ \t]+)?def[ \t]+(\w+)|class[ \t]+(\w+)|(\w+)(?:[ \t]*:[^=\n]+)?[ \t]*=[^=])", re.M
)
_BOUND = re.compile(
    r"^[ \t]*from[ \t]+(\S+)[ \t]+import[ \t]+\(?([^)\n#]*(?:\n[^)]*?)?)\)?|^[ \t]*import[ \t]+(.+)$", re.M
)


def touching(text: str, words: Sequence[str]) -> list[str]:
    """Top-level names of a file whose definition mentions a needle, what was imported from one, or another such name."""
    starts = [(m.start(), m[1] or m[2] or m[3]) for m in _TOP.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    bodies = [(name, text[start:end]) for (start, name), end in zip(starts, ends, strict=True)]
    marks = {word for word in words if word in text} | _bound(text, words)
    touched: list[str] = []
    changed = True
    while changed:
        changed = False
        for name, body in bodies:
            if name not in touched and any(mark in body for mark in marks):
                touched.append(name)
                marks.add(name)
                changed = True
    return [name for name in touched if len(name) >= MIN_NAME]


def _bound(text: str, words: Sequence[str]) -> set[str]:
    """Names that import statements with a needle bind."""
    names: set[str] = set()
    for module, listed, plain in _BOUND.findall(text):
        if any(word in (module or plain) for word in words):
            names.update(
                part.split()[-1] for part in (listed or plain).replace("\n", " ").split(",") if part.split()
            )
    return {name for name in names if name.isidentifier()}


def _stem(path: str) -> str:
    place = PurePosixPath(path)
    return place.parent.name if place.name == "__init__.py" else place.stem
