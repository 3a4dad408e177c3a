"""Cures of manifests, by position: a line is put in or a value replaced, and everything else stays as it was typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from coordlint.extract.yaml_nodes import parse
from coordlint.finding import Edit
from coordlint.fix.edits import applied
from coordlint.fix.requests import CannotFix, Request
from coordlint.manifest import Items, Node, Scalar, Table, at, integer, text
from coordlint.source import Place, Span


def no_overlap(request: Request, texts: Mapping[str, str]) -> tuple[str, str]:
    """`concurrencyPolicy: Forbid` in the spec of the CronJob."""
    path, whole, spec = _spec(request, texts, "CronJob")
    said = spec.get("concurrencyPolicy")
    if said is not None:
        return path, _set(path, whole, said, "Forbid")
    return path, _put(path, whole, spec, ("schedule", "timeZone"), ["concurrencyPolicy: Forbid"])


def recreate(request: Request, texts: Mapping[str, str]) -> tuple[str, str]:
    """`strategy: {type: Recreate}` in the spec of the Deployment, in block layout where the file has it."""
    path, whole, spec = _spec(request, texts, "Deployment")
    strategy = spec.get("strategy")
    if strategy is None:
        return path, _put(path, whole, spec, ("replicas", "selector"), ["strategy:", "  type: Recreate"])
    kind = at(strategy, "type")
    if not isinstance(strategy, Table) or len(strategy.entries) != 1 or kind is None:
        raise CannotFix("its strategy says more than the type")
    return path, _set(path, whole, kind, "Recreate")


def odd_members(request: Request, texts: Mapping[str, str]) -> tuple[str, str]:
    """One replica more. Taking one away could take data or a quorum with it."""
    path, whole, spec = _spec(request, texts, "StatefulSet")
    members = spec.get("replicas")
    count = integer(members)
    if members is None or count is None or count % 2:
        raise CannotFix("its members are not counted by replicas")
    return path, _set(path, whole, members, str(count + 1))


def _spec(request: Request, texts: Mapping[str, str], kind: str) -> tuple[str, str, Table]:
    """The file and the spec of the object that the finding stands at."""
    place = request.places[0]
    whole = texts[place.path]
    if "{{" in whole:
        raise CannotFix("it is a template")
    parsed = parse(whole, place.path)
    if parsed.problems:
        raise CannotFix("the file is not read whole")
    for document in parsed.documents:
        for thing in _objects(document):
            metadata, spec = thing.get("metadata"), thing.get("spec")
            named = at(metadata, "name")
            holds = thing.at.line <= place.line <= max(thing.at.line, thing.at.end_line) or (
                isinstance(named, Scalar) and named.at.line == place.line
            )
            if holds and text(thing.get("kind")) == kind and isinstance(spec, Table) and spec.entries:
                return place.path, whole, spec
    raise CannotFix(f"no {kind} with a spec stands there")


def _objects(document: Node) -> Iterator[Table]:
    if not isinstance(document, Table):
        return
    yield document
    listed = document.get("items")
    if isinstance(listed, Items):
        yield from (item for item in listed.items if isinstance(item, Table))


def _set(path: str, whole: str, old: Node, new: str) -> str:
    """The text with a scalar's value replaced; its quotes stay."""
    lines = whole.split("\n")
    if not isinstance(old, Scalar) or old.path not in ("", path):
        raise CannotFix("the value is no plain one")
    line = lines[old.at.line - 1]
    begin = old.at.column - 1
    quote = line[begin] if old.quoted else ""
    typed = f"{quote}{old.text}{quote}"
    if line[begin : begin + len(typed)] != typed:
        raise CannotFix("the value is an alias or is written in an unusual way")
    span = Span(old.at.line, begin + 1, old.at.line, begin + 1 + len(typed))
    return applied(whole, [Edit(Place(path, span), f"{quote}{new}{quote}")])


def _put(path: str, whole: str, table: Table, behind: tuple[str, ...], new: list[str]) -> str:
    """The text with an entry put into a table in block layout, behind the first of some keys whose value is on one line."""
    lines = whole.split("\n")
    first = table.entries[0][0]
    indent = first.at.column - 1
    if lines[first.at.line - 1][:indent].strip() or any(key.path not in ("", path) for key, _ in table.entries):
        raise CannotFix("the spec is written on one line")
    row = first.at.line - 1  # above everything else
    for name in behind:
        key, value = table.key(name), table.get(name)
        if key is not None and isinstance(value, Scalar) and key.at.line == value.at.line and "\n" not in value.text:
            row = key.at.line
            break
    lines[row:row] = [" " * indent + line for line in new]
    return "\n".join(lines)
