"""The models file that the inventory suggests for wrappers which could not be followed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from coordlint.coordination import Suggestion
from coordlint.report.style import Style
from coordlint.report.visible import visible

FILE = "infra/locks.yaml"


def suggestion_table(suggestion: Suggestion) -> dict[str, Any]:
    """One suggestion as plain data; `yaml` is a whole models file for it."""
    return {
        "name": suggestion.name,
        "kind": suggestion.kind,
        "path": suggestion.place.path,
        "line": suggestion.place.line,
        "reason": suggestion.reason,
        "called": [{"path": p.path, "line": p.line} for p in suggestion.called],
        "yaml": models_file((suggestion,)),
    }


def models_file(suggestions: Sequence[Suggestion]) -> str:
    """A models file that describes them, as `models = [...]` in the configuration takes it."""
    modules = sorted({s.name.rpartition(".")[0] for s in suggestions})
    lines = [
        "library: our own locks",
        'package: ""',
        f"imports: [{', '.join(modules)}]",
        "backend: other  # or say which: redis, etcd, zookeeper, consul, postgres-advisory, file-lock ...",
    ]
    for part, told in (("types", [t for s in suggestions for t in s.types]), ("calls", [c for s in suggestions for c in s.calls])):
        if told:
            lines += [f"{part}:", *(f"  {line}" for line in sorted(set(told)))]
    return "\n".join(lines) + "\n"


def suggestion_lines(suggestions: Sequence[Suggestion], style: Style) -> Iterator[str]:
    """The section of the inventory for people; nothing when everything could be followed."""
    if not suggestions:
        return
    yield ""
    yield style.paint("wrappers that could not be followed", bold=True)
    for s in suggestions:
        called = ", ".join(visible(str(p)) for p in s.called)
        yield f"  {visible(str(s.place))}  {style.paint(visible(s.name), 'cyan')} {visible(s.reason)}{f'; called at {called}' if called else ''}"
    yield f'to have them understood, write this to {FILE}, and models = ["{FILE}"] under [tool.coordlint]:'
    yield ""
    yield from (f"    {visible(line)}" for line in models_file(suggestions).splitlines())
