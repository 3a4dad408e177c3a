"""coordlint: a static architecture linter for the ways in which programs misuse coordination.

The public door: `check(paths)` runs an analysis; the other names are what rule authors need. Everything is loaded on
first use, so that importing coordlint costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordlint.coordination import (
        Argument as Argument,
    )
    from coordlint.coordination import (
        Client as Client,
    )
    from coordlint.coordination import (
        Effect as Effect,
    )
    from coordlint.coordination import (
        Entry as Entry,
    )
    from coordlint.coordination import (
        Guard as Guard,
    )
    from coordlint.coordination import (
        Lock as Lock,
    )
    from coordlint.coordination import (
        Mutation as Mutation,
    )
    from coordlint.coordination import (
        Operation as Operation,
    )
    from coordlint.coordination import (
        Outcome as Outcome,
    )
    from coordlint.coordination import (
        Release as Release,
    )
    from coordlint.coordination import (
        Section as Section,
    )
    from coordlint.coordination import (
        Time as Time,
    )
    from coordlint.cures import cure_for as cure_for
    from coordlint.cures import fence_for as fence_for
    from coordlint.deployment import (
        Coordinator as Coordinator,
    )
    from coordlint.deployment import (
        Deployment as Deployment,
    )
    from coordlint.deployment import (
        Ensemble as Ensemble,
    )
    from coordlint.deployment import (
        Port as Port,
    )
    from coordlint.deployment import (
        Workload as Workload,
    )
    from coordlint.finding import (
        Confidence as Confidence,
    )
    from coordlint.finding import (
        Evidence as Evidence,
    )
    from coordlint.finding import (
        Finding as Finding,
    )
    from coordlint.finding import (
        Fix as Fix,
    )
    from coordlint.finding import (
        Severity as Severity,
    )
    from coordlint.models.schema import Late as Late
    from coordlint.models.schema import OnBusy as OnBusy
    from coordlint.models.schema import Op as Op
    from coordlint.models.schema import Scope as Scope
    from coordlint.outage import (
        WayIn as WayIn,
    )
    from coordlint.outage import (
        reads_configuration as reads_configuration,
    )
    from coordlint.outage import (
        sees_outage as sees_outage,
    )
    from coordlint.outage import (
        survives_outage as survives_outage,
    )
    from coordlint.outage import (
        way_in as way_in,
    )
    from coordlint.pipeline import check as check
    from coordlint.rulebook import (
        ERROR as ERROR,
    )
    from coordlint.rulebook import (
        HIGH as HIGH,
    )
    from coordlint.rulebook import (
        INFO as INFO,
    )
    from coordlint.rulebook import (
        LOW as LOW,
    )
    from coordlint.rulebook import (
        MEDIUM as MEDIUM,
    )
    from coordlint.rulebook import (
        WARNING as WARNING,
    )
    from coordlint.rulebook import (
        Found as Found,
    )
    from coordlint.rulebook import (
        found as found,
    )
    from coordlint.rulebook import (
        rule as rule,
    )
    from coordlint.source import Place as Place
    from coordlint.source import Skip as Skip
    from coordlint.source import Span as Span
    from coordlint.stores import lock_held_in as lock_held_in
    from coordlint.system import COORDINATORS as COORDINATORS
    from coordlint.system import System as System
    from coordlint.telling import (
        backend_name as backend_name,
    )
    from coordlint.telling import (
        call_name as call_name,
    )
    from coordlint.telling import (
        distinct as distinct,
    )
    from coordlint.telling import (
        does_late as does_late,
    )
    from coordlint.telling import (
        effect_name as effect_name,
    )
    from coordlint.telling import (
        lock_name as lock_name,
    )
    from coordlint.telling import (
        many_instances as many_instances,
    )
    from coordlint.telling import (
        many_processes as many_processes,
    )
    from coordlint.telling import (
        sounds_like_lock as sounds_like_lock,
    )
    from coordlint.telling import (
        told as told,
    )
    from coordlint.telling import (
        trail as trail,
    )
    from coordlint.wording import fixed as fixed
    from coordlint.wording import words as words

__version__ = "0.1.0"

_HOMES = {
    "coordlint.coordination": "Argument Client Effect Entry Guard Lock Mutation Operation Outcome Release Section Time",
    "coordlint.cures": "cure_for fence_for",
    "coordlint.deployment": "Coordinator Deployment Ensemble Port Workload",
    "coordlint.finding": "Confidence Evidence Finding Fix Severity",
    "coordlint.models.schema": "Late OnBusy Op Scope",
    "coordlint.pipeline": "check",
    "coordlint.rulebook": "ERROR HIGH INFO LOW MEDIUM WARNING Found found rule",
    "coordlint.outage": "WayIn reads_configuration sees_outage survives_outage way_in",
    "coordlint.source": "Place Skip Span",
    "coordlint.stores": "lock_held_in",
    "coordlint.system": "COORDINATORS System",
    "coordlint.telling": (
        "backend_name call_name distinct does_late effect_name lock_name many_instances many_processes sounds_like_lock "
        "told trail"
    ),
    "coordlint.wording": "fixed words",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
