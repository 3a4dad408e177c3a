"""Which Python files can matter: closing over names on demand, in rounds.

Contract of `select`: every file that names a library of the models (or says so in SQL) is extracted; of tests
those that name a coordinator's. Then, in rounds, callers: files that import from an extracted file a name whose definition touches coordination between processes; and callees: modules
that such a definition uses. Files that change a stored record from what they read of it (`account.balance -= n` and `account.save()`) are
chosen by that shape, with what they import for it; and at last those that define the records which chosen files import. All by text, so
that files that cannot matter are never parsed. Small projects are extracted whole.

A `Choice` says what every file had to do with it, so that a changed text can be judged alone: where it has the same `voice`, the choice
of files is the same, whatever the other files are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from coordlint.leads import Finder, Module, is_test
from coordlint.sealed import digest
from coordlint.source import Kind, Source

if TYPE_CHECKING:
    from coordlint.facts import Facts

SMALL = 1000  # Python files; below, all are read, so that nothing is missed for a second's sake
ROUNDS = 2  # wrappers of wrappers, and what their sections call
NEVER = ROUNDS + 1  # in no round: chosen for a shape, as a shim, or not at all

OWN = ("coordlint:",)  # comments that are meant for this tool
RAW_NEEDLES = (
    "pg_advisory",
    "pg_try_advisory",
    "FOR UPDATE",
    "SKIP LOCKED",
    "coordination.k8s.io",
    "ATOMIC_REQUESTS",
    *OWN,
)

# Locks of one process matter for what happens under them; nobody asks who calls the code around them.
_WITHIN_A_PROCESS = frozenset({"Lock(", "Semaphore(", "Condition(", "Barrier(", "threading.Lock", "threading.RLock", "asyncio.Lock", "asyncio.Semaphore", "import Lock"})  # fmt: skip

Extract = Callable[[Sequence[Source]], "list[Facts]"]
Touched = tuple[frozenset[str], frozenset[str]]  # names that touch coordination, and the words that their definitions use


class Choice(NamedTuple):
    """Which files were chosen, and by what: enough to say of one changed text whether the choice stands."""

    needles: tuple[str, ...]
    telling: tuple[str, ...]  # those that choose tests
    spreading: tuple[dict[str, frozenset[str]], ...]  # by round: names of files that draw in who imports them
    entered: dict[str, int]  # chosen files: the round that they were in from, NEVER for those found at last
    voices: dict[str, str]  # of chosen files; of none where nothing is kept of the run
    beside: frozenset[str]  # files that chosen ones import from, and that are not chosen: they define something, or hand on nothing chosen


def select(sources: Sequence[Source], needles: Iterable[str], extract: Extract, *, kept: bool = True) -> tuple[list[Facts], Choice | None]:
    """The facts of all files that can matter, in the order of the sources; files that are no Python are all extracted. No choice where all are.

    A choice that is not `kept` for a later run has no voices.
    """
    python = [s for s in sources if s.kind is Kind.PYTHON]
    if len(python) < SMALL:
        return extract(sources), None
    choice = chosen(python, (*needles, *RAW_NEEDLES), kept=kept)
    return extract([s for s in sources if s.kind is not Kind.PYTHON or s.path in choice.entered]), choice


def chosen(python: Sequence[Source], needles: Iterable[str], *, kept: bool = True) -> Choice:
    """The Python files that can matter."""
    from coordlint.models.index import coordinating

    needles, telling = tuple(sorted(set(needles))), tuple(sorted({*coordinating(), *OWN}))
    marks_of = _marking(needles, telling)
    modules = {source.path: Module(source) for source in python}
    finder = Finder(modules)
    marks = {s.path: found for s in python if (found := marks_of(s))}
    entered = dict.fromkeys(marks, 0)
    parts: dict[str, list[_Part]] = {}
    spreading: list[dict[str, frozenset[str]]] = []
    for number in range(ROUNDS):
        touched = {path: modules[path].touching(names) for path, names in marks.items()}
        spreading.append({path: names for path, (names, _) in touched.items() if names and not marks[path] <= _WITHIN_A_PROCESS})
        marks = finder.callers(spreading[-1], entered)
        for path, said in touched.items():
            parts.setdefault(path, []).append(_part(number, path, modules[path], said, path in spreading[-1]))
        callees = {found for path in touched if not is_test(path) for found in finder.callees(path, touched[path][1])}
        for path in (*marks, *callees):
            entered.setdefault(path, number + 1)
    for path, module in modules.items():
        if _changes(path, module):
            for one in (path, *finder.callees(path, _changing(module))):
                entered.setdefault(one, NEVER)
    behind = _behind(finder, finder.beside(entered))
    entered = {path: NEVER for path in sorted(behind) if _RECORDS.search(modules[path].text)} | entered
    beside = finder.beside(entered)
    shims = {path for path in beside if finder.hands_on(path, entered)}
    entered |= dict.fromkeys(shims, NEVER)
    voices = {path: _voice(path, modules[path], parts.get(path, []), path in marks) for path in (entered if kept else ())}
    return Choice(needles, telling, tuple(spreading), entered, voices, frozenset((beside | behind) - entered.keys()))


def _behind(finder: Finder, beside: Collection[str]) -> set[str]:
    """Modules from which chosen files import, also by way of a package that hands their names on."""
    shims = [path for path in beside if not finder.modules[path].defines]
    handed = {f for path in shims for dotted, name, _ in finder.modules[path].imports for f in finder.files(path, dotted, name)}
    return {path for path in handed.union(beside) if not is_test(path)}


def stays(choice: Choice, sources: Iterable[Source]) -> bool:
    """Whether Python files with new texts leave the choice as it is: then each does alone."""
    marking = _marking(choice.needles, choice.telling)
    finder = Finder({path: Module(Source(path, Kind.PYTHON, "")) for names in choice.spreading for path in names})
    targets = dict(finder.modules)
    for source in sources:
        finder.modules = {**targets, source.path: Module(source)}
        if not _stays(choice, source, finder, marking(source)):
            return False
    return True


def _stays(choice: Choice, source: Source, finder: Finder, marks: set[str]) -> bool:
    """The rounds of `chosen` for one file; `finder` knows it and all that draw in others."""
    path, module = source.path, finder.modules[source.path]
    parts: list[_Part] = []
    since = choice.entered.get(path, NEVER)
    if since > 0 and marks:
        return False
    others = finder.modules.keys() - {path}
    for number, spreading in enumerate(choice.spreading):
        if marks:
            said = module.touching(marks)
            spreads = bool(said[0]) and not marks <= _WITHIN_A_PROCESS
            parts.append(_part(number, path, module, said, spreads))
        marks = finder.callers(spreading, {*others, path} if since <= number else others).get(path, set())
    if path in choice.entered:
        return choice.voices[path] == _voice(path, module, parts, bool(marks))
    is_shim = path in choice.beside and not module.defines and bool(module.imports)
    defines_records = path in choice.beside and _RECORDS.search(module.text) is not None
    return not (parts or marks or is_shim or defines_records or _changes(path, module))


def _marking(needles: Iterable[str], telling: Iterable[str]) -> Callable[[Source], set[str]]:
    """The needles that choose a file: any for the program's own, those of coordinators for tests."""
    words, words_of_tests = _Words(needles), _Words(telling)
    return lambda source: (words_of_tests if is_test(source.path) else words).in_(source.text)


_Part = tuple[int, bool, list[str], list[tuple[str, str]]]


def _part(number: int, path: str, module: Module, touched: Touched, spreads: bool) -> _Part:
    """What a file says in one round: whether and by which names it draws in others, and what is imported for them."""
    names, used = touched
    wanted = [] if is_test(path) else [(dotted, name) for dotted, name, bound in module.imports if bound in used or name == "*"]
    return number, spreads, sorted(names), wanted


def _voice(path: str, module: Module, parts: Sequence[_Part], called: bool) -> str:
    """All that a chosen file has to do with the choice of files, in one word."""
    wanted = sorted(_changing(module) & {bound for _, _, bound in module.imports}) if _changes(path, module) else None
    return digest([repr((parts, called, wanted, module.defines, module.imports, _RECORDS.search(module.text) is not None))])


def _changes(path: str, module: Module) -> bool:
    """Whether a file changes a stored record from what it read of it, by the shape of its text."""
    if is_test(path) or not _saves(module):
        return False
    return bool(_COUNTS.search(module.text) or _fills(module.text) or _moves(module.text) or _COUNTS_IN_PLACE.search(module.text))


def _changing(module: Module) -> frozenset[str]:
    """The words that are used where records are saved."""
    return module.touching(_saves(module))[1]


def _saves(module: Module) -> set[str]:
    return {word for word in (".save(", ".commit(", ".update(") if word in module.text}


def _fills(text: str) -> bool:
    """Whether an attribute is found empty, and then set to something that a call creates."""
    if "create" not in text:
        return False
    last_set = {m[1]: m.start() for m in _SET.finditer(text)}
    return any(last_set.get(m[1], 0) >= m.end() for m in _EMPTY.finditer(text))


def _moves(text: str) -> bool:
    """Whether an attribute is tested, and then set to something else: `if order.state != PAID: ...; order.state = SENT`."""
    last_set = {m[1]: m.start() for m in _SET.finditer(text)}
    return any(last_set.get(m[1], 0) >= m.end() for m in _TESTED.finditer(text))


class _Words:
    """Needles, arranged so that most texts are searched for few of them: "redis_lock" only where "redis" was found."""

    def __init__(self, words: Iterable[str]) -> None:
        self._within: dict[str, list[str]] = {"": []}  # a word, and those that contain it and no longer one below it
        for word in sorted(set(words), key=lambda w: (len(w), w)):
            home = max((known for known in self._within if known in word), key=len)
            self._within[home].append(word)
            self._within[word] = []
        self._whole = {word: whole for word in self._within if (whole := _whole(word, self._within))}

    def in_(self, text: str) -> set[str]:
        """The words that occur in a text."""
        found: set[str] = set()
        todo = [""]
        while todo:
            several = [word for word in self._within[todo.pop()] if word in text]
            found.update(several)
            todo += several
        return {word for word in found if word not in self._whole or self._whole[word].search(text)}


def _whole(word: str, others: Container[str]) -> re.Pattern[str] | None:
    """How a word stands in a text, where that may also be another one: "consul" in "consultation", `import rq` in `from api import rq`."""
    verb, _, library = word.partition(" ")
    if verb in ("import", "from") and f"import {library}" in others and f"from {library}" in others:
        return re.compile(rf"(?:^|[;:])[ \t]*{re.escape(word)}\b", re.M)
    return re.compile(rf"{re.escape(word)}[sd]?(?![a-z])") if word[-1:].islower() else None


_COUNTS = re.compile(r"^[ \t]+(?!self\.)(\w+\.\w+)[ \t]*(?:[-+*]=|=[ \t]*\1[ \t]*[-+*])", re.M)
_COUNTS_IN_PLACE = re.compile(r"\bF\(['\"]\w+['\"]\)[ \t]*[-+]")
_EMPTY = re.compile(r"^[ \t]+(?:el)?if[ \t]+(?:not[ \t]+)?(\w+\.\w+)(?:[ \t]+is[ \t]|[ \t]*:|[ \t]+or[ \t]|[ \t]+and[ \t])", re.M)
_TESTED = re.compile(r"^[ \t]+(?:el)?if[ \t][^\n]*?\b(\w+\.\w+)[ \t]+(?:[!=]=|is[ \t]|in[ \t]|not[ \t]+in[ \t])", re.M)
_RECORDS = re.compile(r"\bmodels\.Model\b|\bdb\.Model\b|__tablename__|\bmodels\.\w+(?:Field|Key)\(|\bmapped_column\(|\bSQLModel\b")
_SET = re.compile(r"^[ \t]+(\w+\.\w+)[ \t]*=[^=]", re.M)
