"""coordlint: a static architecture linter for the ways in which programs misuse coordination.

The public door: `check(paths)` runs an analysis; the other names are what rule authors need. Everything is loaded on
first use, so that importing coordlint costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordlint.coordination import (
        Client as Client,
        Effect as Effect,
        Entry as Entry,
        Guard as Guard,
        Lock as Lock,
        Mutation as Mutation,
        Operation as Operation,
        Outcome as Outcome,
        Release as Release,
        Section as Section,
        Time as Time,
    )
    from coordlint.deployment import Coordinator as Coordinator, Deployment as Deployment, Workload as Workload
    from coordlint.finding import (
        Confidence as Confidence,
        Evidence as Evidence,
        Finding as Finding,
        Fix as Fix,
        Severity as Severity,
    )
    from coordlint.models.schema import Late as Late, OnBusy as OnBusy, Op as Op, Scope as Scope
    from coordlint.rule import (
        ERROR as ERROR,
        HIGH as HIGH,
        INFO as INFO,
        LOW as LOW,
        MEDIUM as MEDIUM,
        WARNING as WARNING,
        Found as Found,
        found as found,
        rule as rule,
    )
    from coordlint.source import Place as Place, Skip as Skip, Span as Span
    from coordlint.system import COORDINATORS as COORDINATORS, System as System
    from coordlint.wording import words as words

__version__ = "0.1.0"

_HOMES = {
    "coordlint.coordination": "Client Effect Entry Guard Lock Mutation Operation Outcome Release Section Time",
    "coordlint.deployment": "Coordinator Deployment Workload",
    "coordlint.finding": "Confidence Evidence Finding Fix Severity",
    "coordlint.models.schema": "Late OnBusy Op Scope",
    "coordlint.rule": "ERROR HIGH INFO LOW MEDIUM WARNING Found found rule",
    "coordlint.source": "Place Skip Span",
    "coordlint.system": "COORDINATORS System",
    "coordlint.wording": "words",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
