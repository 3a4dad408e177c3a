"""Whole small programs that coordinate in many spellings: composed from `programs.grammar`, and changed as trees (`trees.py`).

Bytes say which form is taken at each turn. Where they end, the plainest one is: so what hypothesis takes away makes a program smaller.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, reduce
from pathlib import Path

from hypothesis import strategies as st
from trees import Lot, changed

GRAMMAR = Path(__file__).with_name("programs.grammar")
DEEPEST, MOST = 9, 700  # slots within slots, and slots in one file
BESIDE = ("clients.py", "locks.py", "jobs.py", "infra/store.py", "infra/__init__.py", "app/__init__.py", "app/jobs.py")
MANIFESTS = (("compose.yaml", "manifest"), ("compose.prod.yaml", "manifest"), ("deploy/web.yaml", "kubernetes"), ("deploy/store.yaml", "kubernetes"))
_SLOT = re.compile(r"<([A-Za-z_]+)>")
Files = dict[str, str]


@lru_cache(maxsize=1)
def grammar() -> dict[str, tuple[str, ...]]:
    """The forms of each slot, the plainest first."""
    forms = {}
    for section in re.split(r"^== ", GRAMMAR.read_text("utf-8"), flags=re.M)[1:]:
        name, _, text = section.partition("\n")
        forms[name] = tuple(form.strip("\n") for form in re.split(r"^--\n", text, flags=re.M))
    return forms


class Writer:
    """Fills slots as a lot says."""

    def __init__(self, lot: Lot) -> None:
        self.lot, self.left = lot, MOST

    def text(self, slot: str, depth: int = 0) -> str:
        """What stands for a slot; a statement that Python would refuse is `pass`."""
        self.left -= 1
        forms = grammar()[slot]
        form = forms[0] if depth > DEEPEST or self.left < 0 else self.lot.one(forms)
        made = "\n".join(self._line(line, depth) for line in form.split("\n"))
        if slot in ("definition", "client_made", "entry", "stmt", "deed", "imports", "method_def") and not _parses(made):
            return "pass"
        return made

    def _line(self, line: str, depth: int) -> str:
        indent = line[: len(line) - len(line.lstrip())]
        return _SLOT.sub(lambda m: self.text(m[1], depth + 1).replace("\n", "\n" + indent), line)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def composed(data: bytes) -> Files:
    """A program of one to six files, and manifests that name them."""
    lot = Lot(data)
    files = {"app.py": Writer(lot).text("module") + "\n"}
    for _ in range(lot.below(5)):
        files[lot.one(BESIDE)] = Writer(lot).text("module") + "\n"
    for path, slot in MANIFESTS:
        if lot.below(3) == 1:
            files[path] = Writer(lot).text(slot) + "\n"
    return files


def joined(files: Files) -> str:
    """Files as one text, each below a line `--- path`."""
    return "\n".join(f"--- {path}\n{text}" for path, text in files.items())


def together(one: Files, other: Files) -> Files:
    """Two systems in one repository; what lies at the same path is joined."""
    return {path: one.get(path, "") + other.get(path, "") for path in sorted({*one, *other})}


def programs(systems: Sequence[Files]) -> st.SearchStrategy[str]:
    """Texts of programs: composed, known ones, both together, with their trees changed and parts of each other put in."""
    new = st.binary(min_size=150, max_size=1_500).map(composed)
    known = st.sampled_from(list(systems))
    any_ = new | known | st.lists(known, min_size=2, max_size=5).map(lambda all_: reduce(together, all_)) | st.builds(together, new, known)
    drawn = st.just(b"") | st.binary(min_size=30, max_size=240)
    return st.builds(lambda files, donor, lot: joined(_changed(files, donor, Lot(lot))), any_, new | known, drawn)


def _changed(files: Files, donor: Files, lot: Lot) -> Files:
    parts = [text for path, text in sorted(donor.items()) if path.endswith(".py")]
    made = {path: changed(text, lot, parts) if path.endswith(".py") else text for path, text in files.items()}
    return dict(_elsewhere(made, lot))


def _elsewhere(files: Files, lot: Lot) -> Iterator[tuple[str, str]]:
    """The files, of which one may lie where another is looked for."""
    moved = lot.below(8) == 1
    for path, text in files.items():
        yield (lot.one(BESIDE) if moved and path.endswith(".py") else path), text
