"""The rule door: how a rule is written, loaded and run."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from coordlint.coordination import Effect, Operation, Section
from coordlint.finding import Confidence, Evidence, Finding, Fix, Severity
from coordlint.source import Place
from coordlint.system import System

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
HIGH, MEDIUM, LOW = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW



@dataclass(frozen=True, slots=True)
class Found:
    """What a rule yields: a finding without the rule's own name on it."""

    message: str
    place: Place
    symbol: str
    resource: str
    because: tuple[Evidence, ...]
    severity: Severity | None
    confidence: Confidence
    help: str
    fix: Fix | None


_EXAMPLES = frozenset("example examples sample samples demo demos tutorial tutorials learning learnings lesson lessons exercise exercises homework playground poc pocs prototype prototypes".split())
_STANDS_IN = frozenset("stub stubs mock mocks fake fakes simulator emulator devserver devappserver".split())


def is_example(path: str) -> bool:
    """Whether code stands in a folder of examples, or is there in place of the real thing (`queue_stub.py`, `devappserver2/`): nobody serves with it, and one
    step less is said of it. Manifests have roles of their own."""
    folders = path.rpartition("/")[0].lower()
    if not path.endswith(".py"):
        return False
    return not (_EXAMPLES.isdisjoint(re.split(r"[^a-z]+", folders)) and _STANDS_IN.isdisjoint(re.split(r"[^a-z]+", path.removesuffix(".py").lower())))


Check = Callable[[System], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the catalogue, read from one file."""

    code: str
    name: str
    severity: Severity
    summary: str  # first line of the docstring
    doc: str  # the whole docstring: what, why, instead, when it is fine, sources
    check: Check
    examples: str  # those in its own file; more may stand beside it (examples.py)
    path: str
    preview: bool = False

    def run(self, system: System) -> list[Finding]:
        """All findings of this rule, each once, in the order of their places."""
        made = {self._sign(found, system) for found in self.check(system)}
        return sorted(made, key=lambda f: (f.place, f.message, f.because))

    def _sign(self, found: Found, system: System) -> Finding:
        severity = self.severity if found.severity is None else found.severity
        # what is known of libraries is known of their releases of today
        most = MEDIUM if system.is_python2(found.place.path) else HIGH
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity.lowered() if is_example(found.place.path) else severity,
            confidence=min(found.confidence, most),
            message=found.message,
            place=found.place,
            symbol=found.symbol,
            resource=found.resource,
            because=found.because,
            help=found.help or self.cure,
            fix=found.fix,
        )

    @property
    def cure(self) -> str:
        """The docstring's "Instead" paragraph as one line."""
        for paragraph in self.doc.split("\n\n"):
            if paragraph.startswith("Instead:"):
                return " ".join(paragraph.removeprefix("Instead:").split())
        return ""


def rule(code: str, *, severity: Severity, preview: bool = False) -> Callable[[Check], Check]:
    """Marks the one generator function of a rule file. The rule's name is the file's: dashes for underscores."""

    def mark(check: Check) -> Check:
        check.__coordlint__ = (code, severity, preview)  # type: ignore[attr-defined]
        return check

    return mark


def found(
    message: str,
    *,
    at: Place | Section | Operation | Effect,
    because: Iterable[Evidence | tuple[Place, str]] = (),
    symbol: str = "",
    resource: str | None = "",
    severity: Severity | None = None,
    confidence: Confidence = HIGH,
    help: str = "",
    fix: Fix | None = None,
) -> Found:
    """A finding at a place, or at a section, operation or effect (which then name the symbol and the resource).

    `because` are the other places of the evidence with the words that join them to the sentence. `help` overrides the
    docstring's "Instead" paragraph where the cure depends on the sink.
    """
    noun = at.operation if isinstance(at, Effect) else at
    if isinstance(noun, Section):
        place, symbol, resource = noun.acquired, symbol or noun.symbol, resource or noun.lock.key
    elif isinstance(noun, Operation):
        place, symbol, resource = noun.place, symbol or noun.symbol, resource or noun.key
    else:
        place = noun
    evidence = tuple(e if isinstance(e, Evidence) else Evidence(*e) for e in because)
    return Found(message, place, symbol, resource or "", evidence, severity, confidence, help, fix)


class BrokenRule(Exception):
    """A rule file that is not a rule: which file, and why."""


def load_rules(extra: Iterable[Path] = ()) -> list[Rule]:
    """The shipped rules and those of further folders (given on the command line only), sorted by code.

    Raises BrokenRule for a file without exactly one marked function, or a code used twice.
    """
    shipped = importlib.import_module("coordlint.rules")  # its folder is `rules/`, mapped by the package metadata
    folders = [Path(p) for p in shipped.__path__]
    rules: dict[str, Rule] = {}
    for folder in [*folders, *extra]:
        for path in sorted(folder.rglob("*.py")):
            if path.name.startswith("_") or path.name == "conftest.py":
                continue
            made = _read(_import(path, folder in folders), path)
            if made.code in rules:
                raise BrokenRule(f"{path}: code {made.code} is already taken by {rules[made.code].name}")
            rules[made.code] = made
    return [rules[code] for code in sorted(rules)]


def _import(path: Path, built_in: bool) -> ModuleType:
    if built_in:
        return importlib.import_module(f"coordlint.rules.{path.parent.name}.{path.stem}")
    spec = importlib.util.spec_from_file_location(f"coordlint_rule_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BrokenRule(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # somebody else's code: whatever it raises is told with its file
        raise BrokenRule(f"{path}: {type(error).__name__}: {error}") from None
    return module


def _read(module: ModuleType, path: Path) -> Rule:
    marked = [v for v in vars(module).values() if hasattr(v, "__coordlint__") and inspect.isfunction(v)]
    if len(marked) != 1:
        raise BrokenRule(f"{path}: needs exactly one function marked with @rule, has {len(marked)}")
    code, severity, preview = vars(marked[0])["__coordlint__"]
    doc = inspect.cleandoc(module.__doc__ or "")
    return Rule(
        code=code,
        name=path.stem.replace("_", "-"),
        severity=severity,
        summary=doc.split("\n", 1)[0],
        doc=doc,
        check=marked[0],
        examples=getattr(module, "EXAMPLES", ""),
        path=str(path),
        preview=preview,
    )
