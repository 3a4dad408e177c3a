"""coordlint: a static architecture linter for the ways in which programs misuse coordination.

The public door: `check(paths)` runs an analysis; the other names are what rule authors need. Everything is loaded on
first use, so that importing coordlint costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coordlint.contention import Creation as Creation, Foreseen as Foreseen, Missed as Missed, Mutation as Mutation, Refused as Refused, Restated as Restated, Rework as Rework, Rewrite as Rewrite, RowOrder as RowOrder
    from coordlint.coordination import (
        Argument as Argument,
        Client as Client,
        Effect as Effect,
        Entry as Entry,
        Guard as Guard,
        Lock as Lock,
        Operation as Operation,
        Outcome as Outcome,
        Release as Release,
        Section as Section,
        Time as Time,
    )
    from coordlint.harm import is_behind_row_lock as is_behind_row_lock
    from coordlint.harm import is_beside_lock as is_beside_lock
    from coordlint.harm import is_decided as is_decided
    from coordlint.harm import is_concrete as is_concrete, is_long as is_long, is_repeatable as is_repeatable, is_weighty as is_weighty, may_differ as may_differ
    from coordlint.harm import names_money as names_money
    from coordlint.cures import cure_for as cure_for, fence_for as fence_for
    from coordlint.deployment import (
        Coordinator as Coordinator,
        Dependency as Dependency,
        Deployment as Deployment,
        Ensemble as Ensemble,
        Port as Port,
        Workload as Workload,
    )
    from coordlint.duration import (
        TaskLimit as TaskLimit,
        time_limit as time_limit,
        CALLERS_UP as CALLERS_UP,
        is_outlasted as is_outlasted,
        too_long as too_long,
        too_often as too_often,
        unenforced as unenforced,
    )
    from coordlint.finding import (
        Confidence as Confidence,
        Evidence as Evidence,
        Finding as Finding,
        Fix as Fix,
        Severity as Severity,
    )
    from coordlint.models.schema import Late as Late, OnBusy as OnBusy, Op as Op, Scope as Scope
    from coordlint.pipeline import check as check
    from coordlint.rulebook import (
        ERROR as ERROR,
        HIGH as HIGH,
        INFO as INFO,
        LOW as LOW,
        MEDIUM as MEDIUM,
        WARNING as WARNING,
        Found as Found,
        found as found,
        is_example as is_example,
        rule as rule,
    )
    from coordlint.outage import (
        WayIn as WayIn,
        named_settings as named_settings,
        ends_quietly as ends_quietly,
        ends_threads as ends_threads,
        reads_configuration as reads_configuration,
        request_hit as request_hit,
        unforeseen as unforeseen,
        way_in as way_in,
    )
    from coordlint.guarding import (
        open_ways as open_ways,
        sees_outage as sees_outage,
        survives_outage as survives_outage,
        unsaved_requests as unsaved_requests,
    )
    from coordlint.beside import beside_database as beside_database
    from coordlint.starting import EarlyCall as EarlyCall, early_calls as early_calls, finds_it_ready as finds_it_ready
    from coordlint.leases import LeaseChange as LeaseChange, lease_changes as lease_changes
    from coordlint.listed import listings as listings, members_below as members_below, wiped as wiped
    from coordlint.foreseen import Halted as Halted, halted as halted, undone as undone
    from coordlint.outside import bypassed as bypassed
    from coordlint.members import Pruned as Pruned, Unnoticed as Unnoticed, pruned as pruned, unnoticed as unnoticed
    from coordlint.starving import Starved as Starved, starved as starved
    from coordlint.delegating import Delegated as Delegated, delegated as delegated, never_told as never_told
    from coordlint.reigning import Deaf as Deaf, Reign as Reign, deaf as deaf, is_lead_in_rows as is_lead_in_rows, reigns as reigns
    from coordlint.unheard import Unheard as Unheard, unheard_renewals as unheard_renewals
    from coordlint.flags import Flag as Flag, running_flags as running_flags
    from coordlint.marks import Mark as Mark, is_mark as is_mark, lost_marks as lost_marks, two_steps as two_steps
    from coordlint.renewals import Renewal as Renewal, ended_by_error as ended_by_error, led_on as led_on, unchecked_renewals as unchecked_renewals
    from coordlint.retry import DefaultLimit as DefaultLimit, Retry as Retry
    from coordlint.source import Place as Place, Skip as Skip, Span as Span
    from coordlint.rowleases import (
        blind_releases as blind_releases,
        blind_renewals as blind_renewals,
        deaf_renewals as deaf_renewals,
        lock_releases as lock_releases,
    )
    from coordlint.steps import (
        cleared as cleared,
        drained as drained,
        dropped as dropped,
        exchanged as exchanged,
        exchanges as exchanges,
        freed_untaken as freed_untaken,
        handed_on as handed_on,
        moved_aside as moved_aside,
        handed_back as handed_back,
        rewritten as rewritten,
        swept as swept,
        takeovers as takeovers,
        unclaimed as unclaimed,
    )
    from coordlint.stores import lock_held_in as lock_held_in
    from coordlint.system import COORDINATORS as COORDINATORS, System as System
    from coordlint.telling import (
        backend_name as backend_name,
        call_name as call_name,
        distinct as distinct,
        does_late as does_late,
        effect_name as effect_name,
        lock_name as lock_name,
        many_instances as many_instances,
        many_processes as many_processes,
        sounds_like_lock as sounds_like_lock,
        told as told,
        trail as trail,
    )
    from coordlint.traffic import is_rare as is_rare
    from coordlint.versions import required_below as required_below
    from coordlint.waiting import is_ended as is_ended, loop_above as loop_above
    from coordlint.wording import fixed as fixed, holes as holes, words as words

__version__ = "0.1.0"

_HOMES = {
    "coordlint.contention": "Creation Foreseen Missed Mutation Refused Restated Rework Rewrite RowOrder",
    "coordlint.coordination": "Argument Client Effect Entry Guard Lock Operation Outcome Release Section Time",
    "coordlint.cures": "cure_for fence_for",
    "coordlint.harm": "is_behind_row_lock is_beside_lock is_concrete is_decided is_long is_repeatable is_weighty may_differ names_money",
    "coordlint.deployment": "Coordinator Dependency Deployment Ensemble Port Workload",
    "coordlint.duration": "CALLERS_UP TaskLimit is_outlasted time_limit too_long too_often unenforced",
    "coordlint.finding": "Confidence Evidence Finding Fix Severity",
    "coordlint.models.schema": "Late OnBusy Op Scope",
    "coordlint.pipeline": "check",
    "coordlint.rulebook": "ERROR HIGH INFO LOW MEDIUM WARNING Found found is_example rule",
    "coordlint.guarding": "open_ways sees_outage survives_outage unsaved_requests",
    "coordlint.outage": "WayIn ends_quietly ends_threads named_settings reads_configuration request_hit unforeseen way_in",
    "coordlint.beside": "beside_database",
    "coordlint.starting": "EarlyCall early_calls finds_it_ready",
    "coordlint.leases": "LeaseChange lease_changes",
    "coordlint.listed": "listings members_below wiped",
    "coordlint.foreseen": "Halted halted undone",
    "coordlint.outside": "bypassed",
    "coordlint.members": "Pruned Unnoticed pruned unnoticed",
    "coordlint.starving": "Starved starved",
    "coordlint.delegating": "Delegated delegated never_told",
    "coordlint.reigning": "Deaf Reign deaf is_lead_in_rows reigns",
    "coordlint.unheard": "Unheard unheard_renewals",
    "coordlint.flags": "Flag running_flags",
    "coordlint.marks": "Mark is_mark lost_marks two_steps",
    "coordlint.renewals": "Renewal ended_by_error led_on unchecked_renewals",
    "coordlint.retry": "DefaultLimit Retry",
    "coordlint.rowleases": "blind_releases blind_renewals deaf_renewals lock_releases",
    "coordlint.source": "Place Skip Span",
    "coordlint.steps": "cleared drained dropped exchanged exchanges freed_untaken handed_back handed_on moved_aside rewritten swept takeovers unclaimed",
    "coordlint.stores": "lock_held_in",
    "coordlint.system": "COORDINATORS System",
    "coordlint.telling": (
        "backend_name call_name distinct does_late effect_name lock_name many_instances many_processes sounds_like_lock "
        "told trail"
    ),
    "coordlint.traffic": "is_rare",
    "coordlint.versions": "required_below",
    "coordlint.waiting": "is_ended loop_above",
    "coordlint.wording": "fixed holes words",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
