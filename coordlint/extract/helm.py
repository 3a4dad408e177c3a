"""Files of a Helm chart: Chart.yaml, values files, and what the structure of a template tells without rendering it.

A template is no YAML. Its text is kept for `link.deploy.templates`, which follows it with the chart's values. For templates that cannot be
followed so, it is softened line by line: lines that hold only template actions are dropped, expressions inside values become a quoted text
that keeps the expression, and the rest is read as YAML with its own line numbers. What depends on a condition is read as if the
condition held; all of it has low confidence.
"""

from __future__ import annotations

import re

from coordlint.extract.go_templates import MAX_TEXT, parse_template
from coordlint.extract.kubernetes import read_object
from coordlint.extract.yaml_nodes import parse
from coordlint.facts import Facts
from coordlint.manifest import HelmFile, HelmTemplate, Manifest, Table
from coordlint.source import Skip, Source

MAX_LINE = 2_000
_COMMENT = re.compile(r"\{\{-?\s*+/\*(?:(?!\*/|\{\{).)*+\*/\s*+-?\}\}")
_VALUE = re.compile(r"^(\s*+(?:- )?(?:[\w./\"'-]++\s*+:)?\s*+)(\S.*)$")


def extract_helm(source: Source) -> Facts:
    """One file of a chart."""
    name = source.path.rpartition("/")[2].lower()
    if "/templates/" in f"/{source.path}":
        return _template(source, is_object=name.endswith((".yaml", ".yml")))
    parsed = parse(source.text, source.path)
    root = parsed.documents[0] if parsed.documents else None
    if not isinstance(root, Table):
        return Facts(source.path, source.kind, skips=parsed.problems)
    what = "chart" if name.startswith("chart.") else "values"
    return Facts(
        source.path, source.kind, manifests=(HelmFile(source.path, what, root),), skips=parsed.problems
    )


def _template(source: Source, is_object: bool) -> Facts:
    made: list[Manifest] = [HelmTemplate(source.path, source.text)] if len(source.text) <= MAX_TEXT else []
    if not is_object:
        return Facts(source.path, source.kind, manifests=tuple(made))
    parsed = parse(soften(source.text), source.path)
    for document in parsed.documents:
        if isinstance(document, Table) and document.get("kind") is not None:
            thing = read_object(document, source.path, templated=True)
            if thing is not None:
                made.append(thing)
    skips: tuple[Skip, ...] = ()
    if len(made) < 2 and parsed.problems and not parse_template(source.text):
        line = parsed.problems[0].line
        skips = (Skip(source.path, "Helm template whose structure cannot be read without rendering it", line),)
    return Facts(source.path, source.kind, manifests=tuple(made), skips=skips)


def soften(text: str) -> str:
    """A template as YAML of the same number of lines."""
    return "\n".join(_softened(line) for line in _on_one_line(text).split("\n"))


def _on_one_line(text: str) -> str:
    """The text without the actions that reach over several lines; the lines stay."""
    parts, position = [], 0
    while (start := text.find("{{", position)) >= 0 and (end := text.find("}}", start + 2)) >= 0:
        lines = text.count("\n", start, end)
        parts += [text[position:start], "\n" * lines if lines else text[start : end + 2]]
        position = end + 2
    return "".join([*parts, text[position:]])


def _softened(line: str) -> str:
    if "{{" not in line:
        return line
    if len(line) > MAX_LINE:
        return ""
    if _only_actions(line.strip()):
        return ""
    line = _COMMENT.sub("", line)
    match = _VALUE.match(line)
    if match is None or "{{" in match[1]:
        return "" if "{{" in line.split(":")[0] else line
    head, value = match[1], match[2]
    if "{{" not in value:
        return line
    if value[0] in "|>":
        return head + value[0]
    if value[0] in "[{" and not value.startswith("{{"):
        return head.rstrip()  # a flow collection with expressions inside: unknown
    plain = value.strip()
    if len(plain) > 1 and plain[0] in "\"'" and plain[-1] == plain[0]:
        plain = plain[1:-1]
    return head + "'" + plain.replace("'", "''") + "'"


def _only_actions(line: str) -> bool:
    """Also of a list item, and with words between two actions: what is printed there stands on the same line."""
    rest = line.removeprefix("-").lstrip()
    return len(rest) > 3 and rest.startswith("{{") and rest.endswith("}}")
