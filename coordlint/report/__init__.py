"""Formats of a report. Each is a pure function from Report to text; modules are loaded when their format is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from coordlint.report.result import Report
    from coordlint.report.style import Style

_FORMATS = {
    "full": ("text", "render_full", True),
    "concise": ("text", "render_concise", True),
    "json": ("json", "render", False),
    "sarif": ("sarif", "render", False),
    "github": ("github", "render", False),
    "markdown": ("markdown", "render", False),
}
FORMATS = tuple(_FORMATS)


def render(report: Report, format: str, style: Style | None = None) -> str:
    """The report in one of FORMATS, with a final newline."""
    module, function, styled = _FORMATS[format]
    made = getattr(importlib.import_module(f"coordlint.report.{module}"), function)
    if not styled:
        return cast("Callable[[Report], str]", made)(report)
    if style is None:
        from coordlint.report.style import PLAIN

        style = PLAIN
    return cast("Callable[[Report, Style], str]", made)(report, style)
