"""A rule's examples: small systems of several files, and the lines where a finding must stand.

    === bad: title in words
    --- path/in/the/system.py
    code   # finding: rule-name
    --- compose.yaml
    ...
    === good: title

A `# finding: name` mark (several names are separated by commas) says that a finding of that rule must stand on the
line; `# todo-finding: name` that one ought to, and does not yet. The marks are taken out before the files are read,
so that they cannot be mistaken for a comment of the system itself. Many of them stand beside the rule, in files of the
same format: `the_rule.examples`, or one for each of its shapes, `the_rule.shape.examples`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coordlint.config import Config
from coordlint.extract import extract
from coordlint.finding import Finding
from coordlint.judging import AFTERTHOUGHTS, judge
from coordlint.kinds import Sniffed, is_chart_part, kind_of, kind_of_name
from coordlint.leads import imported_names
from coordlint.link import link
from coordlint.models import Models
from coordlint.rulebook import Rule, load_rules
from coordlint.source import Kind, Source

Mark = tuple[str, int, str]
"""Path, line (from 1) and rule name."""

_TITLE = re.compile(r"=== (bad|good): (.+)")
_FILE = re.compile(r"--- (\S+)")
_MARK = re.compile(r"\s*# (todo-)?finding: ([a-z0-9, -]+?)\s*$")


class BadExample(ValueError):
    """Examples that do not follow the format: which file and line, and why."""


@dataclass(frozen=True, slots=True)
class Example:
    """One small system, and where the findings in it must stand."""

    kind: str  # bad | good
    title: str
    files: Mapping[str, str]
    marks: frozenset[Mark] = frozenset()
    todo: frozenset[Mark] = frozenset()

    @property
    def sources(self) -> tuple[Source, ...]:
        """Its files as discovery would read them from a disk; files of no known kind are left out."""
        charts = {path.rpartition("/")[0] for path in self.files if path.rpartition("/")[2] == "Chart.yaml"}
        made = ((path, _kind(path, text, charts), text) for path, text in sorted(self.files.items()))
        return tuple(Source(path, kind, text) for path, kind, text in made if kind is not None)


@dataclass(slots=True)
class _Draft:
    kind: str
    title: str
    files: dict[str, list[str]] = field(default_factory=dict)
    marks: set[Mark] = field(default_factory=set)
    todo: set[Mark] = field(default_factory=set)

    def finished(self) -> Example:
        files = {path: "\n".join(lines).rstrip("\n") + "\n" for path, lines in self.files.items()}
        return Example(self.kind, self.title, files, frozenset(self.marks), frozenset(self.todo))


def read_examples(rule: Rule) -> list[Example]:
    """The examples of a rule: those of its own file, then those of the files beside it.

    Raises BadExample with the line counted from the start of EXAMPLES, or of the file beside.
    """
    return [draft.finished() for name, text in _texts(rule) for draft in _drafts(name, text)]


def _texts(rule: Rule) -> Iterator[tuple[str, str]]:
    path = Path(rule.path)
    yield path.name, rule.examples
    for beside in sorted(path.parent.glob(f"{rule.name.replace('-', '_')}.*")):
        if beside.suffix == ".examples":
            yield beside.name, beside.read_text("utf-8")


def _drafts(name: str, text: str) -> Iterator[_Draft]:
    draft: _Draft | None = None
    lines: list[str] | None = None
    path = ""
    for number, line in enumerate(text.splitlines(), 1):
        if title := _TITLE.fullmatch(line.rstrip()):
            if draft is not None:
                yield draft
            draft, lines = _Draft(title[1], title[2]), None
        elif draft is not None and (file := _FILE.fullmatch(line.rstrip())):
            path = file[1]
            if path in draft.files:
                raise BadExample(f"{name}, line {number}: {path} stands twice in {draft.title!r}")
            lines = draft.files[path] = []
        elif draft is not None and lines is not None:
            lines.append(_without_mark(draft, path, len(lines) + 1, line))
        elif line.strip():
            raise BadExample(f"{name}, line {number}: expected '=== bad: title', '=== good: title' or '--- path', got {line!r}")
    if draft is not None:
        yield draft


def _without_mark(draft: _Draft, path: str, number: int, line: str) -> str:
    mark = _MARK.search(line)
    if mark is None:
        return line
    names = {(path, number, name.strip()) for name in mark[2].split(",")}
    (draft.todo if mark[1] else draft.marks).update(names)
    return line[: mark.start()]


def _kind(path: str, text: str, charts: set[str]) -> Kind | None:
    """What discovery would say of the file; Helm below a folder that holds a Chart.yaml."""
    if is_chart_part(path) and any(folder == "" or path.startswith(folder + "/") for folder in charts):
        return Kind.HELM
    named = kind_of_name(path)
    data = text.encode()
    if isinstance(named, Sniffed) and not named.plausible(data):
        return None
    return kind_of(named, data)


def run_example(example: Example, rule: Rule) -> list[Finding]:
    """The findings of one rule in an example; a rule about suppressions sees what all the rules found."""
    facts = [extract(source) for source in example.sources]
    system = link(facts, Models.load({name for s in example.sources if s.kind is Kind.PYTHON for name in imported_names(s.text)}))
    if rule.code not in AFTERTHOUGHTS:
        return rule.run(system)
    rules = load_rules()
    suppressions = [s for f in facts for s in f.suppressions]
    judged = judge(system, rules, suppressions, {r.code: r.name for r in rules}, Config())
    return [reported.finding for reported in judged.kept if reported.finding.code == rule.code]
