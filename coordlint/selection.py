"""Which Python files can matter: closing over names on demand, in rounds.

Contract of `select`: every file that names a library of the models (or says so in SQL) is extracted. Then, in rounds,
callers: files that import from an extracted file a name whose definition touches coordination between processes; and callees: modules
that such a definition uses. Files that change a stored record from what they read of it (`account.balance -= n` and `account.save()`) are
chosen by that shape, with what they import for it. All by text, so that files that cannot matter are never parsed. Small projects are
extracted whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath

from coordlint.facts import Facts
from coordlint.source import Kind, Source

SMALL = 400  # Python files; below, choosing costs more than it saves
ROUNDS = 2  # wrappers of wrappers, and what their sections call

RAW_NEEDLES = (
    "pg_advisory",
    "pg_try_advisory",
    "FOR UPDATE",
    "SKIP LOCKED",
    "coordination.k8s.io",
    "coordlint:",
)

# Locks of one process matter for what happens under them; nobody asks who calls the code around them.
_WITHIN_A_PROCESS = frozenset({"Lock(", "Semaphore(", "Condition(", "Barrier(", "threading.Lock", "threading.RLock", "asyncio.Lock", "asyncio.Semaphore", "import Lock"})  # fmt: skip

Extract = Callable[[Sequence[Source]], list[Facts]]


def select(sources: Sequence[Source], needles: Iterable[str], extract: Extract) -> list[Facts]:
    """The facts of all files that can matter, in the order of the sources; files that are no Python are all extracted."""
    python = [s for s in sources if s.kind is Kind.PYTHON]
    if len(python) < SMALL:
        return extract(sources)
    chosen = chosen_paths(python, (*needles, *RAW_NEEDLES))
    return extract([s for s in sources if s.kind is not Kind.PYTHON or s.path in chosen])


def chosen_paths(python: Sequence[Source], needles: Iterable[str]) -> set[str]:
    """Paths of the Python files that can matter."""
    words = _Words(needles)
    modules = {source.path: _Module(source) for source in python}
    finder = _Finder(modules)
    marks = {s.path: found for s in python if (found := words.in_(s.text))}
    chosen = set(marks)
    for _ in range(ROUNDS):
        touched = {path: modules[path].touching(names) for path, names in marks.items()}
        spreading = {path: touched[path] for path, names in marks.items() if not names <= _WITHIN_A_PROCESS}
        marks = finder.callers(spreading, chosen)
        callees = {
            found
            for path, (_, used) in touched.items()
            if not _TEST.search(path)
            for found in finder.callees(path, used)
        }
        chosen |= marks.keys() | callees
    chosen |= _changing(modules, finder)
    return chosen | finder.between(chosen)


def _changing(modules: Mapping[str, _Module], finder: _Finder) -> set[str]:
    """Files that change a stored record from what they read of it, by the shape of their text; and what they import for it."""
    found: set[str] = set()
    for path, module in modules.items():
        saves = [word for word in (".save(", ".commit(", ".update(") if word in module.text]
        if not saves or _TEST.search(path):
            continue
        if _COUNTS.search(module.text) or _fills(module.text) or _COUNTS_IN_PLACE.search(module.text):
            found |= {path, *finder.callees(path, module.touching(set(saves))[1])}
    return found


def _fills(text: str) -> bool:
    """Whether an attribute is found empty, and then set to something that a call creates."""
    if "create" not in text:
        return False
    last_set = {m[1]: m.start() for m in _SET.finditer(text)}
    return any(last_set.get(m[1], 0) >= m.end() for m in _EMPTY.finditer(text))


class _Words:
    """Needles, arranged so that most texts are searched for few of them: "redis_lock" only where "redis" was found."""

    def __init__(self, words: Iterable[str]) -> None:
        self._within: dict[str, list[str]] = {"": []}  # a word, and those that contain it and no longer one below it
        for word in sorted(set(words), key=lambda w: (len(w), w)):
            home = max((known for known in self._within if known in word), key=len)
            self._within[home].append(word)
            self._within[word] = []

    def in_(self, text: str) -> set[str]:
        """The words that occur in a text."""
        found: set[str] = set()
        todo = [""]
        while todo:
            several = [word for word in self._within[todo.pop()] if word in text]
            found.update(several)
            todo += several
        return found


class _Module:
    """One file by its text: what it imports, what it defines at its top, and which words each definition uses."""

    def __init__(self, source: Source) -> None:
        self.text = source.text
        place = PurePosixPath(source.path)
        self.is_package = place.name == "__init__.py"
        self.parts = place.parent.parts if self.is_package else place.with_suffix("").parts
        self._attributes: dict[str, frozenset[str]] = {}

    @cached_property
    def imports(self) -> list[tuple[str, str, str]]:
        """(dotted module, name in it or "", name it is bound to); relative modules keep their leading dots."""
        return list(_imports(self.text))

    @cached_property
    def bodies(self) -> list[tuple[str, str]]:
        """Top-level names with the text of their definitions; a name may be defined more than once."""
        starts = [(m.start(), m[1] or m[2] or m[3] or "") for m in _TOP.finditer(self.text)]
        ends = [*(start for start, _ in starts), len(self.text)][1:]
        return [(name, self.text[start:end]) for (start, name), end in zip(starts, ends, strict=True)]

    def attributes(self, name: str) -> frozenset[str]:
        """Names that follow `name.` somewhere, through any dotted way."""
        if name not in self._attributes:
            there = f"{name}." in self.text
            self._attributes[name] = frozenset(re.findall(rf"\b{re.escape(name)}\.(?:\w+\.)*(\w+)", self.text)) if there else frozenset()
        return self._attributes[name]

    def touching(self, marks: set[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Names whose definition mentions a mark, an import from one, or another such name; and the words they use."""
        libraries = {mark.removeprefix("from ").removeprefix("import ") for mark in marks}
        bound = {as_ for module, name, as_ in self.imports if any(m in module or m == name for m in libraries)}
        raw = [mark for mark in marks if mark in libraries and mark not in bound]
        words = [
            (name, frozenset(_WORD.findall(body)), any(mark in body for mark in raw))
            for name, body in self.bodies
        ]
        touched = {name for name, _, direct in words if direct}
        while more := {n for n, used, _ in words if n not in touched and (used - {n}) & (bound | touched)}:
            touched |= more
        used = frozenset().union(*(used for name, used, _ in words if name in touched))
        # what is imported from a marked module is handed on by packages and shims
        return frozenset(touched | bound), used


class _Finder:
    """Leads import statements to files of the project."""

    def __init__(self, modules: Mapping[str, _Module]) -> None:
        self.modules = modules
        self.by_tail: dict[tuple[str, ...], list[str]] = {}  # paths by the end of their dotted name, in every length
        for path, module in modules.items():
            for start in range(len(module.parts)):
                self.by_tail.setdefault(module.parts[start:], []).append(path)

    def callers(
        self, touched: Mapping[str, tuple[frozenset[str], frozenset[str]]], known: set[str]
    ) -> dict[str, set[str]]:
        """Files that import a touching name, or a module and then use one of its touching names; with these names."""
        stems = {
            self.modules[path].parts[-1]
            for path, (names, _) in touched.items()
            if names and self.modules[path].parts
        }
        found: dict[str, set[str]] = {}
        for path, module in self.modules.items():
            if path in known or _TEST.search(path) or not any(stem in module.text for stem in stems):
                continue
            for dotted, name, bound in module.imports:
                if self._last(module, dotted, name).isdisjoint(stems):
                    continue
                for target in self._files(path, dotted, name):
                    names = touched.get(target, (frozenset(), frozenset()))[0]
                    if name in names:
                        found.setdefault(path, set()).add(bound)
                    elif names and (used := names & module.attributes(bound)):
                        found.setdefault(path, set()).update(used)
                    elif name == "*":
                        found.setdefault(path, set()).update(names)
        return found

    def callees(self, path: str, used: frozenset[str]) -> Iterator[str]:
        """Modules of the project that the given words of a file were imported from."""
        module = self.modules[path]
        for dotted, name, bound in module.imports:
            if bound in used or name == "*":
                yield from self._files(path, dotted, name)

    def between(self, chosen: set[str]) -> set[str]:
        """Modules that define nothing and hand on what another chosen file defines, where a chosen file imports it from them."""
        found: set[str] = set()
        for path in chosen:
            if _TEST.search(path):
                continue
            for dotted, name, _ in self.modules[path].imports:
                for shim in self._files(path, dotted, name):
                    if shim not in chosen and shim not in found and not _DEFINES.search(self.modules[shim].text):
                        handed = (target for there, what, _ in self.modules[shim].imports for target in self._files(shim, there, what))
                        found |= {shim} if any(target in chosen for target in handed) else set()
        return found

    def _last(self, module: _Module, dotted: str, name: str) -> set[str]:
        tail = dotted.rpartition(".")[2]
        return {tail or (module.parts[-2] if len(module.parts) > 1 else ""), name}

    def _files(self, path: str, dotted: str, name: str) -> Iterator[str]:
        """Files that `from dotted import name` (or `import dotted`) can load, the module and the submodule."""
        here = self.modules[path]
        level = len(dotted) - len(dotted.lstrip("."))
        base: tuple[str, ...] = ()
        if level:
            base = here.parts if here.is_package else here.parts[:-1]
            base = base[: len(base) - (level - 1)]
        parts = (*base, *(part for part in dotted.lstrip(".").split(".") if part))
        for tail in (parts, (*parts, name) if name and name != "*" else ()):
            for candidate in self.by_tail.get(tail, ()):
                if candidate != path and (not level or self.modules[candidate].parts == tail):
                    yield candidate


_TEST = re.compile(r"(^|/)(tests?|testing)/|(^|/)(test_[^/]*|[^/]*_tests?|conftest)\.py$")
_COUNTS = re.compile(r"^[ \t]+(?!self\.)(\w+\.\w+)[ \t]*(?:[-+*]=|=[ \t]*\1[ \t]*[-+*])", re.M)
_COUNTS_IN_PLACE = re.compile(r"\bF\(['\"]\w+['\"]\)[ \t]*[-+]")
_EMPTY = re.compile(r"^[ \t]+(?:el)?if[ \t]+(?:not[ \t]+)?(\w+\.\w+)(?:[ \t]+is[ \t]|[ \t]*:|[ \t]+or[ \t]|[ \t]+and[ \t])", re.M)
_SET = re.compile(r"^[ \t]+(\w+\.\w+)[ \t]*=[^=]", re.M)
_DEFINES = re.compile(r"^(?:async[ \t]+def|def|class)\b", re.M)
_WORD = re.compile(r"[^\W\d]\w*")
_TOP = re.compile(
    r"^(?:(?:async[ \t]+)?def[ \t]+(\w+)|class[ \t]+(\w+)|(?:async[ \t]+)?(?:with|for|while|if|try)\b"
    r"|(\w+)(?:[ \t]*+:[^=\n]++)?[ \t]*+=[^=])",
    re.M,
)
_STATEMENT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(?:\(((?:[^()#]++|#[^\n]*+)*+)\)|([^\n(;]*))|import[ \t]+([\w., \t]+))",
    re.M,
)
_COMMENT = re.compile(r"#[^\n]*")


def _imports(text: str) -> Iterator[tuple[str, str, str]]:
    if "import" not in text:
        return
    for module, many, few, plain in _STATEMENT.findall(text):
        for part in _COMMENT.sub("", many or few or plain).replace("\\", " ").split(","):
            match part.split():
                case [name, "as", bound]:
                    yield (module, name, bound) if module else (name, "", bound)
                case [name]:
                    yield (module, name, name) if module else (name, "", name.partition(".")[0])
